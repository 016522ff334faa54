// SPDX-License-Identifier: BSD-2-Clause
/* Which tool call a process is the doing of, as it is with real agents. */
#include "rpc_test.h"

#define SHELL(id, command)                    \
	"{\"type\":\"tool_use\",\"id\":\"" id \
	"\",\"name\":\"shell\",\"input\":{\"command\":\"" command "\"}}"
#define AGENT_CALL(id, prompt)                \
	"{\"type\":\"tool_use\",\"id\":\"" id \
	"\",\"name\":\"Agent\",\"input\":{\"prompt\":\"" prompt "\"}}"
#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
#define SAYS                                                                                  \
	"data: "                                                                              \
	"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\"," \
	"\"text\":\"First this.\"}}\n\n"                                                      \
	"data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
#define CALLS(index, id, command)                                                                  \
	"data: {\"type\":\"content_block_start\",\"index\":" index ",\"content_block\":{\"type\":" \
	"\"tool_use\",\"id\":\"" id "\",\"name\":\"shell\",\"input\":{}}}\n\n"                     \
	"data: {\"type\":\"content_block_delta\",\"index\":" index ",\"delta\":{\"type\":"         \
	"\"input_json_delta\",\"partial_json\":\"{\\\"command\\\":\\\"" command "\\\"}\"}}\n\n"
#define WHOLE(index) "data: {\"type\":\"content_block_stop\",\"index\":" index "}\n\n"
#define OVER                                                                              \
	"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n" \
	"data: {\"type\":\"message_stop\"}\n\n"

static void ask(struct world *w, uint64_t ts, uint64_t conn, const char *messages)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body, "{\"model\":\"claude-x\",\"stream\":true,\"messages\":[%s]}", messages);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, conn, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
}

static void say(struct world *w, uint64_t ts, uint64_t conn, const char *text)
{
	bytes(w, ts, AGENT, conn, EV_SRC_OPENSSL, EV_READ, text);
}

static void shut(struct world *w, uint64_t ts, uint64_t conn)
{
	struct ev_close *e = record(EV_CLOSE, sizeof(*e), ts, AGENT, NULL, 0);

	e->conn = conn;
	feed(w, e);
}

#define RUN(w, ts, parent, pid, args) run_args(w, ts, parent, pid, args, sizeof(args))

static void run_args(struct world *w, uint64_t ts, uint32_t parent, uint32_t pid, const char *args,
		     size_t n)
{
	feed(w, record_fork(ts, parent, pid));
	feed(w, record_exec(ts, pid, parent, "/bin/sh", args, n));
}

#define IS_OF(w, pid, id)                                                \
	assert_string_equal(told_process(&w->told, pid)->parent_span_id, \
			    told_tool(&w->told, id)->span_id)

/* A client runs a call when that is whole, and may be done before the answer is. */
static void before_the_answer_is_over(void **state)
{
	struct world *w = *state;

	ask(w, 5 * MS, MODEL, "{\"role\":\"user\",\"content\":\"go\"}");
	say(w, 10 * MS, MODEL, SSE SAYS CALLS("1", "a", "first thing") WHOLE("1"));
	RUN(w, 12 * MS, AGENT, 20, "sh\0-c\0first thing");
	feed(w, record_exit(13 * MS, 20, 0));
	say(w, 20 * MS, MODEL, CALLS("2", "b", "second thing"));
	say(w, 30 * MS, MODEL, WHOLE("2") OVER);
	RUN(w, 32 * MS, AGENT, 21, "sh\0-c\0second thing");
	feed(w, record_exit(33 * MS, 21, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	IS_OF(w, 20, "a");
	IS_OF(w, 21, "b");
	ASSERT_SV(span_attr_sv(told_tool(&w->told, "a"), ATTR_ID_TOOL_DECISION), "First this.");
	ASSERT_SV(span_attr_sv(told_tool(&w->told, "b"), ATTR_ID_TOOL_DECISION), "First this.");
	ASSERT_SV(span_attr_sv(told_process(&w->told, 20), ATTR_ID_LINK), "argument");
}

/* What a broken answer had asked for in whole was asked for; it waits for nothing any more. */
static void of_an_answer_that_breaks_off(void **state)
{
	struct world *w = *state;

	ask(w, 5 * MS, MODEL, "{\"role\":\"user\",\"content\":\"go\"}");
	say(w, 10 * MS, MODEL, SSE CALLS("0", "a", "first thing") WHOLE("0"));
	shut(w, 20 * MS, MODEL);
	ask(w, 30 * MS, MODEL - 1, "{\"role\":\"user\",\"content\":\"go\"}");
	say(w, 40 * MS, MODEL - 1, SSE CALLS("0", "b", "a thing") WHOLE("0") OVER);
	RUN(w, 50 * MS, AGENT, 20, "helper");
	feed(w, record_exit(51 * MS, 20, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	assert_true(says(told_tool(&w->told, "a"), "unanswered"));
	assert_int_equal(told_tool(&w->told, "a")->end_ns - told_tool(&w->told, "a")->start_ns, 0);
	IS_OF(w, 20, "b");
	ASSERT_SV(span_attr_sv(told_process(&w->told, 20), ATTR_ID_LINK), "time");
}

/* A shell that forks before it runs its command is still that call's, and the other call's is free. */
static void grandchildren_are_not_given_away(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" SHELL("a", "echo one; sleep 9") "," SHELL("b", "echo two") "]");
	RUN(w, 10 * MS, AGENT, 20, "sh\0-c\0(echo one; sleep 9)");
	feed(w, record_fork(11 * MS, 20, 21));
	RUN(w, 12 * MS, 21, 22, "sleep\0009");
	RUN(w, 13 * MS, 21, 23, "echo two");
	RUN(w, 14 * MS, AGENT, 24, "sh\0-c\0echo two");
	for (uint32_t pid = 24; pid >= 20; pid--)
		feed(w, record_exit((40 - pid) * MS, pid, 0));
	end(w);
	IS_OF(w, 20, "a");
	IS_OF(w, 24, "b");
	assert_string_equal(told_process(&w->told, 21)->parent_span_id,
			    told_process(&w->told, 20)->span_id);
	assert_string_equal(told_process(&w->told, 22)->parent_span_id,
			    told_process(&w->told, 21)->span_id);
	assert_string_equal(told_process(&w->told, 23)->parent_span_id,
			    told_process(&w->told, 21)->span_id);
}

/* While a sub-agent's own call runs, what is started is for that, not for the call of the sub-agent. */
static void a_sub_agents_call_is_nearer(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" AGENT_CALL("a", "List all the files there.") "]");
	RUN(w, 7 * MS, AGENT, 19, "start");
	feed(w, record_exit(8 * MS, 19, 0));
	ask(w, 10 * MS, MODEL - 1, "{\"role\":\"user\",\"content\":\"List all the files there.\"}");
	say(w, 20 * MS, MODEL - 1, SSE CALLS("0", "b", "list them") WHOLE("0") OVER);
	RUN(w, 30 * MS, AGENT, 20, "sh\0-c\0prepare");
	RUN(w, 31 * MS, AGENT, 21, "sh\0-c\0list them");
	feed(w, record_exit(33 * MS, 20, 0));
	feed(w, record_exit(34 * MS, 21, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	IS_OF(w, 19, "a");
	IS_OF(w, 20, "b");
	IS_OF(w, 21, "b");
}

/* The agent that runs itself anew to set things up, as codex does, is not what was asked for. */
static void a_call_is_told_by_its_command(void **state)
{
	struct world *w = *state;
	static const char self[] = "/proc/self/exe\0--set-up\0bash\0-c\0list them";
	static const char shell[] = "bash\0-c\0list them";
	static const char last[] = "ls\0-la";

	model_asks(w, 5 * MS, "[" SHELL("a", "list them") "]");
	feed(w, record_fork(10 * MS, AGENT, 20));
	feed(w, record_exec(10 * MS, 20, AGENT, "/proc/self/exe", self, sizeof(self)));
	feed(w, record_exec(11 * MS, 20, AGENT, "/bin/bash", shell, sizeof(shell)));
	feed(w, record_exec(12 * MS, 20, AGENT, "/bin/ls", last, sizeof(last)));
	feed(w, record_exit(13 * MS, 20, 0));
	end(w);
	IS_OF(w, 20, "a");
	ASSERT_SV(told_process(&w->told, 20)->name, "bash");
	assert_int_equal(span_attr(told_process(&w->told, 20), ATTR_ID_PROCESS_ARGS)->cnt, 3);
	assert_int_equal(told_process(&w->told, 20)->events->cnt, 2);
}

/* Only the end of an answer tells that its bound may have cut what it calls; then {} breaks nothing. */
static void the_bound_is_known_at_the_end(void **state)
{
	static const char *const reasons[] = { "max_tokens", "tool_use" };
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		buf_clear(&b);
		ask(w, (10 + 20 * i) * MS, MODEL - i,
		    i ? "{\"role\":\"user\",\"content\":\"one\"}],\"tools\":[{\"name\":\"shell\","
			"\"input_schema\":{\"required\":[\"x\"]}}"
		      : "{\"role\":\"user\",\"content\":\"two\"}],\"tools\":[{\"name\":\"shell\","
			"\"input_schema\":{\"required\":[\"x\"]}}");
		say(w, (20 + 20 * i) * MS, MODEL - i, SSE CALLS("0", "a", "") WHOLE("0"));
		assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 0);
		buf_fmt(&b,
			"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\"}}\n\n"
			"data: {\"type\":\"message_stop\"}\n\n",
			reasons[i]);
		say(w, (21 + 20 * i) * MS, MODEL - i, buf_cstr(&b));
		assert_int_equal(told_count(&w->told, SPAN_VALIDATION), i);
	}
	end(w);
}

/* The same of a text that is no JSON: cut by the bound, else the model's own fault. */
static void half_a_text_is_judged_at_the_end(void **state)
{
	static const char half[] = SSE
		"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
		"\"tool_use\",\"id\":\"a\",\"name\":\"shell\",\"input\":{}}}\n\n"
		"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
		"\"input_json_delta\",\"partial_json\":\"{\\\"command\\\":\\\"ls\"}}\n\n" WHOLE(
			"0");
	struct world *w = *state;

	for (int cut = 0; cut < 2; cut++) {
		ask(w, (10 + 20 * cut) * MS, MODEL - cut,
		    cut ? "{\"role\":\"user\",\"content\":\"one\"}"
			: "{\"role\":\"user\",\"content\":\"two\"}");
		say(w, (20 + 20 * cut) * MS, MODEL - cut, half);
		say(w, (21 + 20 * cut) * MS, MODEL - cut,
		    cut ? "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
			  "\"max_tokens\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
			: OVER);
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	assert_false(says(told_nth(&w->told, SPAN_TOOL_CALL, 0), "cut"));
	assert_true(says(told_nth(&w->told, SPAN_TOOL_CALL, 1), "cut"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(before_the_answer_is_over),        TEST(of_an_answer_that_breaks_off),
		TEST(grandchildren_are_not_given_away), TEST(a_sub_agents_call_is_nearer),
		TEST(a_call_is_told_by_its_command),    TEST(the_bound_is_known_at_the_end),
		TEST(half_a_text_is_judged_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
