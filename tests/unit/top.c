// SPDX-License-Identifier: BSD-2-Clause
/* What agents are at, by records and the time: each state, what it is told from, rates, order, filter. */
#include "rpc_test.h"
#include <math.h>
#include "analysis/top.h"

#define S 1000000000ull
#define T0 1700000000000000000ull /* of record_meta() */
#define STUCK (60 * S)

struct look {
	struct top *top;
	struct top_row row; /* of the latest run that was told of */
	size_t cnt;
};

static void on_now(void *ctx, const struct now *n)
{
	struct look *l = ctx;

	assert_int_equal(top_take(l->top, n), 0);
	l->cnt++;
}

static struct top top;

/* All runs at that time; the row of the first. */
static const struct top_row *look(struct world *w, uint64_t ts)
{
	struct look l = { .top = &top };

	top_begin(&top, T0 + ts);
	trace_each_now(w->trace, on_now, &l);
	top_end(&top);
	return top.rows.first ? top.rows.first->value : NULL;
}

static int begin(void **state)
{
	top_init(&top, STUCK);
	return setup(state);
}

static int finish(void **state)
{
	top_fini(&top);
	return teardown(state);
}

static void is(struct world *w, uint64_t ts, enum top_state state, uint64_t since, const char *step)
{
	const struct top_row *r = look(w, ts);

	assert_non_null(r);
	assert_string_equal(top_state_name(r->state), top_state_name(state));
	assert_int_equal(r->since_ns - T0, since);
	assert_string_equal(r->step, step);
}

static void ask(struct world *w, uint64_t ts, const char *messages)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body, "{\"model\":\"claude-x\",\"stream\":true,\"messages\":[%s]}", messages);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
}

#define USER "{\"role\":\"user\",\"content\":\"do it\"}"

static void chunk(struct world *w, uint64_t ts, const char *event)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "%zx\r\ndata: %s\n\n\r\n", strlen(event) + 8, event);
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

static void stream_begins(struct world *w, uint64_t ts)
{
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n");
	chunk(w, ts,
	      "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-x\","
	      "\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}");
	chunk(w, ts,
	      "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
	      "\"text\":\"\"}}");
}

static void word(struct world *w, uint64_t ts)
{
	chunk(w, ts,
	      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
	      "\"text\":\"word \"}}");
}

static void stream_ends(struct world *w, uint64_t ts, int tokens)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	chunk(w, ts, "{\"type\":\"content_block_stop\",\"index\":0}");
	buf_fmt(&b,
		"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
		"\"output_tokens\":%d}}",
		tokens);
	chunk(w, ts, buf_cstr(&b));
	chunk(w, ts, "{\"type\":\"message_stop\"}");
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, "0\r\n\r\n");
}

static void fails(struct world *w, uint64_t ts, const char *status, const char *header)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "HTTP/1.1 %s\r\n%sContent-Length: 2\r\n\r\n{}", status, header);
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

/* Totals of the agent's process. */
static struct ev_usage *usage(uint64_t ts, uint32_t tgid)
{
	return record(EV_USAGE, sizeof(struct ev_usage), ts, tgid, NULL, 0);
}

static void waits_at_terminal(struct world *w, uint64_t ts, uint64_t so_far)
{
	struct ev_usage *u = usage(ts, AGENT);

	u->blocked_ns[EV_BLOCK_TERMINAL] = so_far;
	feed(w, u);
}

static void reads(struct world *w, uint64_t enter, uint64_t ts)
{
	struct ev_input *in = record(EV_INPUT, sizeof(*in), ts, AGENT, NULL, 0);

	in->enter_ts = enter;
	in->bytes = 2;
	in->src = EV_SRC_TTY;
	feed(w, in);
}

#define SHELL(command)                                                                    \
	"[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"shell\",\"input\":{\"command\":" \
	"\"" command "\"}}]"

static void a_turn(void **state)
{
	struct world *w = *state;

	is(w, 1 * S, TOP_IDLE, 1 * MS, "");
	ask(w, 2 * S, USER);
	is(w, 3 * S, TOP_WAITING, 2 * S, "claude-x");
	stream_begins(w, 4 * S);
	is(w, 4 * S, TOP_WAITING, 2 * S, "claude-x"); /* no word of it yet */
	word(w, 5 * S);
	is(w, 6 * S, TOP_STREAMING, 5 * S, "claude-x");
	stream_ends(w, 7 * S, 40);
	is(w, 8 * S, TOP_IDLE, 7 * S, "");
	assert_int_equal(look(w, 9 * S)->now.turns, 1);
	assert_int_equal(look(w, 9 * S)->now.input_tokens, 7);
	assert_int_equal(look(w, 9 * S)->now.output_tokens, 40);
}

static void a_tool(void **state)
{
	struct world *w = *state;

	model_asks(w, 2 * S, SHELL("make it so"));
	is(w, 3 * S, TOP_TOOL, 2 * S, "shell make it so");
	feed(w, record_fork(6 * S, AGENT, 21));
	feed(w, record_exec(6 * S, 21, AGENT, "/bin/sh", "sh\0-c\0make it so", 17));
	is(w, 7 * S, TOP_TOOL, 6 * S, "shell make it so");
	assert_int_equal(look(w, 8 * S)->now.processes, 2);
}

static void at_a_terminal(void **state)
{
	struct world *w = *state;

	waits_at_terminal(w, 3 * S / 2, 0);
	model_asks(w, 2 * S, SHELL("rm -rf x"));
	is(w, 5 * S / 2, TOP_TOOL, 2 * S, "shell rm -rf x");
	waits_at_terminal(w, 5 * S / 2, 0);
	waits_at_terminal(w, 7 * S / 2, 9 * S / 10);
	is(w, 4 * S, TOP_APPROVAL, 26 * S / 10, "shell rm -rf x");
	assert_true(look(w, 4 * S)->sure);
	waits_at_terminal(w, 9 * S / 2, 19 * S / 10);
	is(w, 5 * S, TOP_APPROVAL, 26 * S / 10, "shell rm -rf x");
	reads(w, 26 * S / 10, 51 * S / 10);
	is(w, 6 * S, TOP_TOOL, 2 * S, "shell rm -rf x");
}

/* It reads keys by poll: that nothing does the call is all that can be known. */
static void by_poll(void **state)
{
	struct world *w = *state;

	reads(w, S, S);
	model_asks(w, 2 * S, SHELL("rm -rf x"));
	is(w, 4 * S, TOP_TOOL, 2 * S, "shell rm -rf x");
	is(w, 5 * S, TOP_APPROVAL, 2 * S, "shell rm -rf x");
	assert_false(look(w, 5 * S)->sure);
	feed(w, record_fork(6 * S, AGENT, 21));
	feed(w, record_exec(6 * S, 21, AGENT, "/bin/sh", "sh\0-c\0rm -rf x", 15));
	is(w, 20 * S, TOP_TOOL, 6 * S, "shell rm -rf x");
}

static void elicitation(void **state)
{
	struct world *w = *state;

	pipe_end(w, 3 * MS, AGENT, 1, 501, 5);
	pipe_end(w, 3 * MS, AGENT, 2, 502, 6);
	model_asks(w, 3 * MS, "[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"t\",\"input\":{}}]");
	on_pipe(w, 4 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"t\",\"arguments\":{}}}\n");
	on_pipe(w, 5 * S, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"elicitation/create\",\"params\":{"
		"\"message\":\"sure?\",\"requestedSchema\":{}}}\n");
	is(w, 6 * S, TOP_APPROVAL, 5 * S, "t");
	on_pipe(w, 95 * S, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"action\":\"accept\"}}\n");
	assert_int_equal(look(w, 96 * S)->state, TOP_TOOL);
}

static void leave_of_a_provider(void **state)
{
	static const char answer[] =
		"{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[{\"type\":"
		"\"mcp_approval_request\",\"id\":\"mcpr_1\",\"name\":\"roll\",\"arguments\":\"{}\"}"
		"]}";
	static const char body[] = "{\"model\":\"gpt-x\",\"input\":\"roll\"}";
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world *w = *state;

	buf_fmt(&b,
		"POST /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		strlen(body), body);
	bytes(w, 2 * S, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	buf_clear(&b);
	buf_fmt(&b,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		strlen(answer), answer);
	bytes(w, 3 * S, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
	is(w, 4 * S, TOP_APPROVAL, 3 * S, "roll");
}

static void throttled(void **state)
{
	struct world *w = *state;

	ask(w, 2 * S, USER);
	fails(w, 3 * S, "429 Too Many Requests", "Retry-After: 30\r\n");
	is(w, 4 * S, TOP_THROTTLED, 3 * S, "claude-x");
	assert_string_equal(look(w, 4 * S)->why, "429");
	assert_int_equal(look(w, 4 * S)->now.failed.retry_ns - T0, 33 * S);
	ask(w, 33 * S, USER);
	is(w, 34 * S, TOP_WAITING, 33 * S, "claude-x");
	fails(w, 35 * S, "500 Oops", "");
	is(w, 36 * S, TOP_RETRYING, 35 * S, "claude-x");
	assert_string_equal(look(w, 36 * S)->why, "500, 2 tries");
	assert_int_not_equal(look(w, 96 * S)->state, TOP_RETRYING); /* it has given up */
	assert_int_equal(look(w, 36 * S)->now.errors, 0); /* the call may still be mended */
}

static void no_answer(void **state)
{
	struct world *w = *state;

	ask(w, 2 * S, USER);
	is(w, 62 * S - 1, TOP_WAITING, 2 * S, "claude-x");
	is(w, 62 * S, TOP_STUCK, 2 * S, "claude-x");
	stream_begins(w, 63 * S);
	word(w, 63 * S);
	is(w, 64 * S, TOP_STREAMING, 63 * S, "claude-x");
	word(w, 100 * S);
	is(w, 150 * S, TOP_STREAMING, 63 * S, "claude-x");
	is(w, 160 * S, TOP_STUCK, 100 * S, "claude-x");
	assert_string_equal(look(w, 160 * S)->why, "the answer stopped");
}

static void a_silent_tool(void **state)
{
	struct world *w = *state;
	struct ev_usage *u;

	model_asks(w, 2 * S, SHELL("make it so"));
	feed(w, record_fork(6 * S, AGENT, 21));
	feed(w, record_exec(6 * S, 21, AGENT, "/bin/sh", "sh\0-c\0make it so", 17));
	feed(w, usage(7 * S, 21));
	u = usage(60 * S, 21);
	u->cpu_ns = 10 * S;
	feed(w, u);
	is(w, 119 * S, TOP_TOOL, 6 * S, "shell make it so"); /* it computed until then */
	is(w, 120 * S, TOP_STUCK, 60 * S, "shell make it so");
	u = usage(121 * S, 21); /* looks at its watch */
	u->cpu_ns = 10 * S + MS;
	feed(w, u);
	is(w, 122 * S, TOP_STUCK, 60 * S, "shell make it so");
	u = usage(123 * S, 21);
	u->cpu_ns = 10 * S + 2 * MS;
	u->sock_bytes[EV_READ] = 1;
	feed(w, u);
	is(w, 124 * S, TOP_TOOL, 6 * S, "shell make it so");
}

static void a_loop(void **state)
{
	struct world *w = *state;

	for (int i = 1; i < TOP_SAME; i++) {
		model_asks(w, (uint64_t)i * S, SHELL("ls"));
		assert_int_equal(look(w, (uint64_t)i * S)->state, TOP_TOOL);
	}
	model_asks(w, 9 * S, SHELL("ls"));
	assert_int_equal(look(w, 9 * S)->state, TOP_STUCK);
	assert_string_equal(look(w, 9 * S)->why, "5 equal calls");
	assert_string_equal(look(w, 9 * S)->step, "shell ls");
	model_asks(w, 10 * S, SHELL("ls -l"));
	assert_int_equal(look(w, 10 * S)->state, TOP_TOOL);
}

static void it_ends(void **state)
{
	struct world *w = *state;

	look(w, 2 * S);
	feed(w, record_exit(3 * S, AGENT, 0));
	is(w, 4 * S, TOP_ENDED, 4 * S, "");
	is(w, 33 * S, TOP_ENDED, 4 * S, "");
	assert_null(look(w, 34 * S));
}

static void rates(void **state)
{
	struct world *w = *state;
	const struct top_row *r;
	struct ev_usage *u = usage(S, AGENT);

	u->rss_bytes = 1000;
	feed(w, u);
	ask(w, S, USER);
	stream_begins(w, S);
	r = look(w, S);
	assert_true(isnan(r->rates.cpu) && isnan(r->rates.tokens));
	u = usage(3 * S, AGENT);
	u->cpu_ns = S;
	u->sock_bytes[EV_READ] = 4000;
	u->sock_bytes[EV_WRITE] = 2000;
	u->rss_bytes = 500;
	feed(w, u);
	for (int i = 0; i < 6; i++)
		word(w, 3 * S);
	r = look(w, 3 * S);
	assert_true(r->rates.cpu == 0.5 && r->rates.tokens == 3);
	assert_true(r->rates.net[EV_READ] == 2000 && r->rates.net[EV_WRITE] == 1000);
	assert_int_equal(r->now.rss_bytes, 500);
	stream_ends(w, 4 * S, 12); /* two tokens a piece */
	assert_true(look(w, 5 * S)->rates.tokens == 3);
	ask(w, 6 * S, USER ",{\"role\":\"assistant\",\"content\":\"word\"}," USER);
	stream_begins(w, 6 * S);
	look(w, 6 * S);
	word(w, 7 * S);
	assert_true(look(w, 7 * S)->rates.tokens == 2);
}

static void feed_run(struct world *w, uint64_t ts, uint32_t tgid, const char *path)
{
	feed(w, record_run(ts, tgid));
	run_program(w, ts, tgid, 1, path);
}

static void in_order(const char *filter, enum top_key key, bool reverse, const char *want)
{
	_cleanup_buf_ struct buf got = BUF_INIT;
	const struct top_row **rows;
	size_t cnt;

	assert_int_equal(top_order(&top, key, reverse, filter, &rows, &cnt), 0);
	for (size_t i = 0; i < cnt; i++)
		buf_fmt(&got, "%s%s", i ? " " : "", rows[i]->agent);
	assert_string_equal(buf_cstr(&got), want);
	free(rows);
}

static void order_and_filter(void **state)
{
	struct world *w = *state;
	struct top_sums sums;

	feed_run(w, 3 * MS, 30, "/bin/blue");
	feed_run(w, 4 * MS, 31, "/bin/amber");
	ask(w, S, USER);
	model_asks_of(w, S, 31, 50, SHELL("sleep Long"));
	look(w, 2 * S);
	in_order("", TOP_BY_STATE, false, "agent amber blue");
	in_order("", TOP_BY_STATE, true, "blue agent amber");
	in_order("", TOP_BY_AGENT, false, "agent amber blue");
	in_order("", TOP_BY_PID, false, "agent blue amber");
	in_order("", TOP_BY_TOKENS, false, "amber agent blue");
	in_order("TOOL", TOP_BY_STATE, false, "amber");
	in_order("sleep long", TOP_BY_STATE, false, "amber");
	in_order("sleep short", TOP_BY_STATE, false, "");
	in_order("30", TOP_BY_STATE, false, "blue");
	in_order("3", TOP_BY_STATE, false, "");
	look(w, 62 * S);
	in_order("", TOP_BY_STATE, false, "agent amber blue"); /* two are stuck */
	ask(w, 63 * S, "{\"role\":\"user\",\"content\":\"another\"}");
	top_sum(&top, &sums);
	assert_int_equal(sums.runs, 3);
	assert_int_equal(sums.by_state[TOP_STUCK], 2);
	assert_int_equal(sums.by_state[TOP_IDLE], 1);
	assert_int_equal(sums.output_tokens, 3);
	assert_true(isnan(sums.cost_usd));
	end(w);
	look(w, 64 * S);
	top_sum(&top, &sums);
	assert_int_equal(sums.runs, 0);
	assert_int_equal(sums.by_state[TOP_ENDED], 3);
}

/* What is on the screen is masked like what is stored. */
static void no_secret(void **state)
{
	struct world *w = *state;

	model_asks(w, 2 * S, SHELL("echo sk-ant-api03-0123456789012345678901234567890123456789"));
	assert_null(strstr(look(w, 3 * S)->step, "0123456789"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_turn),           TEST(a_tool),      TEST(at_a_terminal),
		TEST(by_poll),          TEST(elicitation), TEST(leave_of_a_provider),
		TEST(throttled),        TEST(no_answer),   TEST(a_silent_tool),
		TEST(a_loop),           TEST(it_ends),     TEST(rates),
		TEST(order_and_filter), TEST(no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
