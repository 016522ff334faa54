// SPDX-License-Identifier: BSD-2-Clause
/* Waits by cause in the trace: each instant once, and each where it belongs. */
#include "rpc_test.h"

#include "span/engine.h"

static uint64_t total(const struct wait_set *w)
{
	uint64_t sum = w->closed;

	for (unsigned int i = 0; i < w->cnt; i++) {
		assert_true(w->of[i].from < w->of[i].to);
		assert_true(!i || w->of[i - 1].to < w->of[i].from);
		sum += w->of[i].to - w->of[i].from;
	}
	return sum;
}

static void a_set(void **state)
{
	struct wait_set w = { 0 };

	(void)state;
	wait_add(&w, 10, 10);
	assert_int_equal(w.cnt, 0);
	wait_add(&w, 10, 20);
	wait_add(&w, 30, 40);
	wait_add(&w, 15, 18); /* inside */
	assert_int_equal(total(&w), 20);
	wait_add(&w, 20, 22); /* touches */
	assert_int_equal(w.cnt, 2);
	assert_int_equal(total(&w), 22);
	wait_add(&w, 1, 5);  /* before */
	wait_add(&w, 4, 35); /* over several */
	assert_int_equal(w.cnt, 1);
	assert_int_equal(total(&w), 39);
}

/* Against a bitmap, in an order that is nearly that of time, as records come. */
static void a_set_of_many(void **state)
{
	static char seen[8192];
	struct wait_set w = { 0 };
	uint64_t want = 0, at = 0;
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t from, to;

		seed = seed * 1103515245 + 12345;
		at += seed >> 16 & 7;
		from = at + (seed >> 20 & 15);
		to = from + (seed >> 24 & 7);
		wait_add(&w, from, to);
		for (uint64_t t = from; t < to; t++)
			seen[t] = 1;
	}
	for (size_t i = 0; i < sizeof(seen); i++)
		want += seen[i];
	assert_true(w.closed > 0);
	assert_int_equal(total(&w), want);
}

static void ask(struct world *w, uint64_t ts, uint64_t conn, const char *user)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body, "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
		user);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, conn, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
}

/* Head at ts, body at ts + 5 ms. */
static void answer(struct world *w, uint64_t ts, uint64_t conn, int status, const char *field)
{
	static const char ok[] = "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\","
				 "\"content\":[],\"stop_reason\":\"end_turn\"}";
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", status, field, strlen(ok));
	bytes(w, ts, AGENT, conn, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
	bytes(w, ts + 5 * MS, AGENT, conn, EV_SRC_OPENSSL, EV_READ, ok);
}

static int64_t waited(const struct span *s, enum attr_id id)
{
	return span_attr_int(s, id, -1);
}

static void between_attempts(void **state)
{
	struct world *w = *state;
	const struct span *s, *run, *turn;

	ask(w, 10 * MS, MODEL, "x");
	answer(w, 20 * MS, MODEL, 429, "Retry-After: 1\r\n");
	ask(w, 125 * MS, MODEL, "x");
	answer(w, 135 * MS, MODEL, 500, "");
	ask(w, 150 * MS, MODEL, "x");
	answer(w, 160 * MS, MODEL, 200, "");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_WAIT), 2);
	s = told_nth(&w->told, SPAN_WAIT, 0);
	ASSERT_SV(s->name, "wait throttled");
	assert_int_equal(s->end_ns - s->start_ns, 100 * MS);
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_MODEL_CALL, 0)->span_id);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_WAIT_REASON), "throttled");
	assert_int_equal(waited(s, ATTR_ID_RETRY_AFTER), 1000 * MS);
	s = told_nth(&w->told, SPAN_WAIT, 1);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_WAIT_REASON), "retry");
	assert_null(span_attr(s, ATTR_ID_RETRY_AFTER));
	run = told_nth(&w->told, SPAN_RUN, 0);
	turn = told_nth(&w->told, SPAN_TURN, 0);
	for (int i = 0; i < 2; i++) {
		s = i ? run : turn;
		assert_int_equal(waited(s, ATTR_ID_WAIT_PROVIDER), 30 * MS);
		assert_int_equal(waited(s, ATTR_ID_WAIT_STREAM), 15 * MS);
		assert_int_equal(waited(s, ATTR_ID_WAIT_THROTTLED), 100 * MS);
		assert_int_equal(waited(s, ATTR_ID_WAIT_RETRY), 10 * MS);
		assert_null(span_attr(s, ATTR_ID_WAIT_HUMAN));
	}
}

/* Two agents at once wait for the same 20 ms: the run once, each of them its own. */
static void at_once(void **state)
{
	struct world *w = *state;

	ask(w, 10 * MS, MODEL, "one");
	ask(w, 15 * MS, MODEL - 1, "two");
	answer(w, 30 * MS, MODEL, 200, "");
	answer(w, 35 * MS, MODEL - 1, 200, "");
	end(w);
	assert_int_equal(waited(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_WAIT_PROVIDER), 25 * MS);
	assert_int_equal(waited(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_WAIT_PROVIDER), 20 * MS);
	assert_int_equal(waited(told_nth(&w->told, SPAN_TURN, 1), ATTR_ID_WAIT_PROVIDER), 20 * MS);
}

static void connects(struct world *w, uint64_t from, uint64_t to, uint32_t tgid)
{
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), to, tgid, NULL, 0);

	c->enter_ts = from;
	c->sock = from;
	c->err = -111;
	feed(w, c);
}

/* The network: of the agent in its turn, of a tool's process in its tool call, too. */
static void network_and_human(void **state)
{
	struct world *w = *state;
	struct ev_input *in;
	const struct span *tool;

	connects(w, 3 * MS, 4 * MS, AGENT);
	model_asks(w, 10 * MS,
		   "[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"sh\",\"input\":{\"c\":"
		   "\"make it so\"}}]");
	in = record(EV_INPUT, sizeof(*in), 40 * MS, AGENT, NULL, 0);
	in->enter_ts = 20 * MS;
	in->src = EV_SRC_TTY;
	feed(w, in);
	connects(w, 41 * MS, 43 * MS, AGENT);
	feed(w, record_fork(50 * MS, AGENT, 20));
	feed(w, record_exec(50 * MS, 20, AGENT, "/bin/sh", "sh\0-c\0make it so", 17));
	connects(w, 51 * MS, 57 * MS, 20);
	feed(w, record_exit(60 * MS, 20, 0));
	end(w);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	assert_int_equal(waited(tool, ATTR_ID_WAIT_HUMAN), 20 * MS);
	assert_int_equal(waited(tool, ATTR_ID_WAIT_NETWORK), 6 * MS);
	assert_int_equal(waited(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_WAIT_HUMAN), 20 * MS);
	assert_int_equal(waited(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_WAIT_NETWORK), 8 * MS);
	assert_int_equal(waited(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_WAIT_HUMAN), 20 * MS);
	assert_int_equal(waited(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_WAIT_NETWORK), 9 * MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set), cmocka_unit_test(a_set_of_many), TEST(between_attempts),
		TEST(at_once),           TEST(network_and_human),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
