// SPDX-License-Identifier: BSD-2-Clause
/* More than is kept of one run: what is finished leaves room, and what is given up says so. */
#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/trace.h"

#define MS 1000000ull
#define AGENT 10
#define CALLS 5000
#define EACH 1000 /* of one answer */
#define ARGS "python3\0agent.py"

struct world {
	struct trace *trace;
	uint64_t now;
	uint64_t pos[2];
	struct buf text; /* of a request or an answer */
	size_t tools, answered, capped, agents, agents_capped, turns;
	int64_t over_limit; /* as the run has it */
	bool run_says;
};

static bool says_cap(const struct span *s)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e)
		if (json_str_is(e, "cap"))
			return true;
	return false;
}

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	if (s->what == SPAN_TOOL_CALL) {
		w->tools++;
		w->answered += sv_is(span_attr_sv(s, ATTR_ID_TOOL_RESULT), "ok");
		w->capped += says_cap(s);
	} else if (s->what == SPAN_AGENT) {
		w->agents++;
		w->agents_capped += says_cap(s);
	} else if (s->what == SPAN_TURN) {
		w->turns++;
	} else if (s->what == SPAN_RUN) {
		w->over_limit = span_attr_int(s, ATTR_ID_OVER_LIMIT, 0);
		w->run_says = says_cap(s);
	}
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static int setup(void **state)
{
	static const struct trace_cfg cfg = { 0 };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/usr/bin/python3", ARGS, sizeof(ARGS)));
	w->now = 10 * MS;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	buf_fini(&w->text);
	free(w);
	return 0;
}

static void end(struct world *w)
{
	feed(w, record_exit(w->now + MS, AGENT, 0));
	trace_end(w->trace);
}

/* A message with the start line, and w->text as its body. */
static void send_text(struct world *w, int dir, const char *start)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sv rest;

	buf_fmt(&b,
		"%s\r\nHost: llm.example\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n" SV_FMT,
		start, w->text.len, SV_ARG(buf_view(&w->text)));
	assert_int_equal(b.err, 0);
	for (rest = buf_view(&b); rest.n;) {
		struct sv piece = sv_sub(rest, 0, EV_CHUNK_MAX);

		w->now += MS / 100;
		feed(w, record_data(w->now, AGENT, 1, dir, w->pos[dir], piece.p, piece.n));
		w->pos[dir] += piece.n;
		rest = sv_sub(rest, piece.n, rest.n);
	}
}

/* Behind that answer (0: none), with the results of calls from .. to-1. */
static void ask(struct world *w, unsigned int before, unsigned int from, unsigned int to)
{
	buf_clear(&w->text);
	buf_str(&w->text, "{\"model\":\"m\",");
	if (before)
		buf_fmt(&w->text, "\"previous_response_id\":\"resp_%u\",", before);
	buf_str(&w->text, "\"input\":[");
	for (unsigned int i = from; i < to; i++)
		buf_fmt(&w->text,
			"%s{\"type\":\"function_call_output\",\"call_id\":\"call_%u\",\"output\":"
			"\"ok\"}",
			i > from ? "," : "", i);
	if (from == to)
		buf_fmt(&w->text, "{\"type\":\"message\",\"role\":\"user\",\"content\":\"job %u\"}",
			from);
	buf_str(&w->text, "]}");
	send_text(w, EV_WRITE, "POST /v1/responses HTTP/1.1");
}

/* An answer that asks for calls from .. to-1; none: it is the last. */
static void answer(struct world *w, unsigned int id, unsigned int from, unsigned int to)
{
	buf_clear(&w->text);
	buf_fmt(&w->text,
		"{\"id\":\"resp_%u\",\"object\":\"response\",\"status\":\"completed\",\"model\":"
		"\"m\","
		"\"output\":[",
		id);
	for (unsigned int i = from; i < to; i++)
		buf_fmt(&w->text,
			"%s{\"type\":\"function_call\",\"call_id\":\"call_%u\",\"name\":\"shell\","
			"\"arguments\":\"{\\\"n\\\":%u}\"}",
			i > from ? "," : "", i, i);
	buf_str(&w->text, "]}");
	send_text(w, EV_READ, "HTTP/1.1 200 OK");
}

/* --- tests */

/* An agent that goes on for long: one call after the other. */
static void calls_in_a_row(void **state)
{
	struct world *w = *state;

	ask(w, 0, 0, 0);
	for (unsigned int i = 0; i < CALLS; i++) {
		answer(w, i + 1, i, i + 1);
		ask(w, i + 1, i, i + 1);
	}
	answer(w, CALLS + 1, 0, 0);
	end(w);
	assert_int_equal(w->tools, CALLS);
	assert_int_equal(w->answered, CALLS);
	assert_int_equal(w->capped, 0);
	assert_int_equal(w->agents, 1);
	assert_int_equal(w->turns, 1);
	assert_int_equal(w->over_limit, 0);
	assert_false(w->run_says);
}

/* As many at once are more than are kept: the oldest are given up. */
static void calls_at_once(void **state)
{
	struct world *w = *state;

	for (unsigned int i = 0; i < CALLS; i += EACH) {
		ask(w, 0, i, i);
		answer(w, i + 1, i, i + EACH);
	}
	for (unsigned int i = 0; i < CALLS; i += EACH) {
		ask(w, i + 1, i, i + EACH);
		answer(w, CALLS + i, 0, 0);
	}
	end(w);
	assert_int_equal(w->tools, CALLS);
	assert_int_equal(w->answered, LIMIT_TOOL_CALLS);
	assert_int_equal(w->capped, CALLS - LIMIT_TOOL_CALLS);
	assert_int_equal(w->over_limit, CALLS - LIMIT_TOOL_CALLS);
	assert_true(w->run_says);
}

/* Conversations that are over leave room; one that goes on when it was forgotten says so. */
static void conversations_in_a_row(void **state)
{
	struct world *w = *state;

	for (unsigned int i = 1; i <= CALLS; i++) {
		ask(w, 0, i, i);
		answer(w, i, 0, 0);
	}
	ask(w, CALLS, 1, 1); /* the latest is remembered */
	answer(w, CALLS + 1, 0, 0);
	assert_true(w->agents > 0);
	ask(w, 1, 1, 1);
	answer(w, CALLS + 2, 0, 0);
	end(w);
	assert_int_equal(w->agents, CALLS + 1);
	assert_int_equal(w->agents_capped, 1);
	assert_int_equal(w->over_limit, 1);
	assert_true(w->run_says);
}

/* Those that wait for a tool are no idle ones. */
static void conversations_at_once(void **state)
{
	struct world *w = *state;

	for (unsigned int i = 1; i <= LIMIT_TOOL_CALLS; i++) {
		ask(w, 0, i, i);
		answer(w, i, i, i + 1);
	}
	for (unsigned int i = 1; i <= LIMIT_TOOL_CALLS; i++) {
		ask(w, i, i, i + 1);
		answer(w, CALLS + i, 0, 0);
	}
	end(w);
	assert_int_equal(w->agents, LIMIT_TOOL_CALLS);
	assert_int_equal(w->answered, LIMIT_TOOL_CALLS);
	assert_int_equal(w->over_limit, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_in_a_row),
		TEST(calls_at_once),
		TEST(conversations_in_a_row),
		TEST(conversations_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
