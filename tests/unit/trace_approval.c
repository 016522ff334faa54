// SPDX-License-Identifier: BSD-2-Clause
/* Waits for a human in the trace: who was asked, how long it took, and what the word was. */
#include "rpc_test.h"

#define USE(id, command)                      \
	"{\"type\":\"tool_use\",\"id\":\"" id \
	"\",\"name\":\"shell\",\"input\":{\"command\":\"" command "\"}}"

static void input(struct world *w, uint64_t enter, uint64_t ts, uint32_t tgid, unsigned int src)
{
	struct ev_input *in = record(EV_INPUT, sizeof(*in), ts, tgid, NULL, 0);

	in->enter_ts = enter;
	in->bytes = 2;
	in->src = src;
	feed(w, in);
}

static void shell(struct world *w, uint64_t ts, uint32_t tgid, const char *args, size_t n)
{
	feed(w, record_fork(ts, AGENT, tgid));
	feed(w, record_exec(ts, tgid, AGENT, "/bin/sh", args, n));
	feed(w, record_exit(ts + MS, tgid, 0));
}

static void result(struct world *w, uint64_t ts, const char *id, const char *text,
		   const char *error)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;
	static const char answer[] = "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\","
				     "\"content\":[{\"type\":\"text\",\"text\":\"ok\"}],"
				     "\"stop_reason\":\"end_turn\"}";

	buf_fmt(&body,
		"{\"model\":\"claude-x\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		"\"tool_result\",\"tool_use_id\":\"%s\",\"content\":\"%s\",\"is_error\":%s}]}]}",
		id, text, error);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	buf_clear(&b);
	buf_fmt(&b,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		strlen(answer), answer);
	bytes(w, ts + MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

static void is_wait(const struct span *s, uint64_t from, uint64_t to, const char *by,
		    const char *decision)
{
	ASSERT_SV(s->name, "approval shell");
	assert_int_equal(s->start_ns - 1700000000000000000, from);
	assert_int_equal(s->end_ns - 1700000000000000000, to);
	assert_int_equal(s->status, STATUS_UNSET);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_BY), by);
	if (decision)
		ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), decision);
	else
		assert_null(span_attr(s, ATTR_ID_APPROVAL_DECISION));
}

static void at_a_terminal(void **state)
{
	struct world *w = *state;

	feed(w, record_fork(2 * MS, AGENT, 15));
	input(w, 2 * MS, 3 * MS, AGENT, EV_SRC_TTY); /* before the question */
	model_asks(w, 5 * MS, "[" USE("a", "make it so") "]");
	input(w, 90 * MS, 90 * MS, 15, EV_SRC_PIPE); /* who shows the terminal passes keys on */
	input(w, 7 * MS, 107 * MS, AGENT, EV_SRC_TTY);
	input(w, 108 * MS, 108 * MS, 15, EV_SRC_PIPE);
	shell(w, 110 * MS, 20, "sh\0-c\0make it so", 17);
	input(w, 110 * MS, 112 * MS, AGENT, EV_SRC_TTY); /* it runs: not about it */
	result(w, 120 * MS, "a", "done", "false");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 1);
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 0), 7 * MS, 107 * MS, "terminal", "approved");
	assert_string_equal(told_nth(&w->told, SPAN_APPROVAL, 0)->parent_span_id,
			    told_nth(&w->told, SPAN_TOOL_CALL, 0)->span_id);
}

/* Nothing runs: what the result says decides, and a read that waited when it says nothing. */
static void nothing_runs(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("a", "rm -rf x") "]");
	input(w, 7 * MS, 107 * MS, AGENT, EV_SRC_PIPE);
	result(w, 120 * MS, "a", "The user doesn't want to proceed.", "true");
	model_asks(w, 205 * MS, "[" USE("b", "in process") "]");
	input(w, 207 * MS, 307 * MS, AGENT, EV_SRC_TTY);
	result(w, 320 * MS, "b", "was done", "false");
	model_asks(w, 405 * MS, "[" USE("c", "in process") "]");
	input(w, 407 * MS, 507 * MS, AGENT, EV_SRC_TTY);
	result(w, 520 * MS, "c", "no such file", "true");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 3);
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 0), 7 * MS, 107 * MS, "pipe", "denied");
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 1), 207 * MS, 307 * MS, "terminal", "approved");
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 2), 407 * MS, 507 * MS, "terminal", NULL);
}

/* Keys that were read by poll: the wait is from the question on, and alone they prove nothing. */
static void by_poll(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("a", "make it so") "]");
	input(w, 50 * MS, 50 * MS, AGENT, EV_SRC_TTY);
	input(w, 90 * MS, 90 * MS, AGENT, EV_SRC_TTY);
	shell(w, 110 * MS, 20, "sh\0-c\0make it so", 17);
	result(w, 120 * MS, "a", "done", "false");
	model_asks(w, 205 * MS, "[" USE("b", "in process") "]");
	input(w, 250 * MS, 250 * MS, AGENT, EV_SRC_TTY);
	result(w, 320 * MS, "b", "was done", "false");
	model_asks(w, 405 * MS, "[" USE("c", "in process") "]");
	/* this read began before the question: somebody always reads */
	input(w, 300 * MS, 450 * MS, AGENT, EV_SRC_TTY);
	result(w, 520 * MS, "c", "Rejected by the user", "true");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 2);
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 0), 5 * MS, 90 * MS, "terminal", "approved");
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 1), 405 * MS, 450 * MS, "terminal", "denied");
}

/* One after the other, or both before either runs. */
static void two_questions(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("a", "first thing") "," USE("b", "second thing") "]");
	input(w, 10 * MS, 20 * MS, AGENT, EV_SRC_TTY);
	shell(w, 21 * MS, 20, "sh\0-c\0first thing", 18);
	input(w, 30 * MS, 40 * MS, AGENT, EV_SRC_TTY);
	shell(w, 41 * MS, 21, "sh\0-c\0second thing", 19);
	model_asks(w, 105 * MS, "[" USE("c", "third thing") "," USE("d", "fourth thing") "]");
	input(w, 110 * MS, 120 * MS, AGENT, EV_SRC_TTY);
	input(w, 130 * MS, 140 * MS, AGENT, EV_SRC_TTY);
	shell(w, 150 * MS, 22, "sh\0-c\0third thing", 18);
	shell(w, 150 * MS, 23, "sh\0-c\0fourth thing", 19);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 4);
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 0), 10 * MS, 20 * MS, "terminal", "approved");
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 1), 30 * MS, 40 * MS, "terminal", "approved");
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 2), 110 * MS, 120 * MS, "terminal", "approved");
	is_wait(told_nth(&w->told, SPAN_APPROVAL, 3), 130 * MS, 140 * MS, "terminal", "approved");
}

/* A shell's here document is a pipe at descriptor 0, too: what the agent's helpers read is nobody's word. */
static void a_helper_reads(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("a", "first thing") "," USE("b", "second thing") "]");
	shell(w, 10 * MS, 20, "sh\0-c\0prepare", 13);
	feed(w, record_fork(11 * MS, AGENT, 21));
	feed(w, record_fork(12 * MS, 21, 22));
	feed(w, record_exec(13 * MS, 22, 21, "/bin/cat", "cat", 4));
	input(w, 14 * MS, 24 * MS, 22, EV_SRC_PIPE);
	feed(w, record_exit(25 * MS, 22, 0));
	shell(w, 30 * MS, 23, "sh\0-c\0first thing", 18);
	shell(w, 31 * MS, 24, "sh\0-c\0second thing", 19);
	result(w, 40 * MS, "a", "done", "false");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 0);
}

/* A tool that reads its own standard input asks nobody. */
static void a_tools_input(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("a", "first thing") "," USE("b", "second thing") "]");
	feed(w, record_fork(10 * MS, AGENT, 20));
	feed(w, record_exec(10 * MS, 20, AGENT, "/bin/sh", "sh\0-c\0first thing", 18));
	input(w, 11 * MS, 20 * MS, 20, EV_SRC_PIPE);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 0);
}

static void pipes_of_server(struct world *w)
{
	pipe_end(w, 3 * MS, AGENT, 1, 501, 5);
	pipe_end(w, 3 * MS, AGENT, 2, 502, 6);
}

static void elicitation(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes_of_server(w);
	on_pipe(w, 3 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/list\"}\n");
	on_pipe(w, 3 * MS, AGENT, 2, EV_READ, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n");
	model_asks(w, 3 * MS, "[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"t\",\"input\":{}}]");
	on_pipe(w, 4 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"t\",\"arguments\":{}}}\n");
	on_pipe(w, 5 * MS, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"elicitation/create\",\"params\":{"
		"\"message\":\"sure?\",\"requestedSchema\":{}}}\n");
	on_pipe(w, 95 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"action\":\"decline\"}}\n");
	on_pipe(w, 96 * MS, AGENT, 2, EV_READ, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
	result(w, 97 * MS, "a", "done", "false");
	end(w);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_WAIT_HUMAN,
				       0),
			 90 * MS);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 1);
	s = told_nth(&w->told, SPAN_APPROVAL, 0);
	ASSERT_SV(s->name, "approval t");
	assert_int_equal(s->end_ns - s->start_ns, 90 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_BY), "elicitation");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), "denied");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_ACTION), "decline");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_MESSAGE), "sure?");
	assert_string_equal(s->parent_span_id, named(w, SPAN_MCP, "elicitation/create")->span_id);
}

/* Since 2026-07-28 the request is answered by the question, and sent again with the word. */
static void elicitation_without_session(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes_of_server(w);
	on_pipe(w, 4 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"t\",\"arguments\":{}}}\n");
	on_pipe(w, 5 * MS, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\","
		"\"inputRequests\":{\"q\":{\"method\":\"elicitation/create\",\"params\":{"
		"\"message\":\"sure?\"}}}}}\n");
	on_pipe(w, 65 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"t\",\"arguments\":{},\"inputResponses\":{\"q\":{\"action\":\"accept\"}}}}\n");
	on_pipe(w, 66 * MS, AGENT, 2, EV_READ, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 1);
	s = told_nth(&w->told, SPAN_APPROVAL, 0);
	ASSERT_SV(s->name, "approval t");
	assert_int_equal(s->end_ns - s->start_ns, 60 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), "approved");
}

/* The server is traced, too: the call that asked the human is the model's, and waited with it. */
static void elicitation_seen_by_both(void **state)
{
	static const char call[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
		"\"name\":\"shell\",\"arguments\":{\"command\":\"x\"}}}\n";
	static const char question[] =
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"elicitation/create\","
		"\"params\":{\"message\":\"sure?\"}}\n";
	static const char word[] =
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"action\":\"accept\"}}\n";
	static const char done[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
	struct world *w = *state;
	const struct span *s, *tool;

	run_program(w, 2 * MS, SERVER, AGENT, "/bin/server");
	pipe_end(w, 3 * MS, AGENT, 1, 501, 5);
	pipe_end(w, 3 * MS, AGENT, 2, 502, 6);
	pipe_end(w, 3 * MS, SERVER, 3, 501, 0);
	pipe_end(w, 3 * MS, SERVER, 4, 502, 1);
	model_asks(w, 4 * MS, "[" USE("a", "x") "]");
	on_pipe(w, 5 * MS, AGENT, 1, EV_WRITE, call);
	on_pipe(w, 6 * MS, SERVER, 3, EV_READ, call);
	on_pipe(w, 7 * MS, SERVER, 4, EV_WRITE, question);
	on_pipe(w, 8 * MS, AGENT, 2, EV_READ, question);
	on_pipe(w, 90 * MS, AGENT, 1, EV_WRITE, word);
	on_pipe(w, 91 * MS, SERVER, 3, EV_READ, word);
	on_pipe(w, 92 * MS, SERVER, 4, EV_WRITE, done);
	on_pipe(w, 93 * MS, AGENT, 2, EV_READ, done);
	result(w, 95 * MS, "a", "done", "false");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 1);
	s = told_nth(&w->told, SPAN_APPROVAL, 0);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	ASSERT_SV(s->name, "approval shell");
	assert_string_equal(s->parent_span_id, named(w, SPAN_MCP, "elicitation/create")->span_id);
	assert_int_equal(span_attr_int(tool, ATTR_ID_WAIT_HUMAN, 0), s->end_ns - s->start_ns);
}

/* Two calls of one tool wait at once: each question is that of its own arguments. */
static void two_without_session(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes_of_server(w);
	for (int i = 1; i <= 2; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		buf_fmt(&b,
			"{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/"
			"call\",\"params\":{\"name\":"
			"\"t\",\"arguments\":{\"n\":%d}}}\n",
			i, i);
		on_pipe(w, (uint64_t)(4 + i) * MS, AGENT, 1, EV_WRITE, buf_cstr(&b));
		buf_clear(&b);
		buf_fmt(&b,
			"{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"resultType\":\"input_"
			"required\","
			"\"inputRequests\":{\"q\":{\"method\":\"elicitation/create\",\"params\":{"
			"\"message\":\"of %d?\"}}}}}\n",
			i, i);
		on_pipe(w, (uint64_t)(10 * i) * MS, AGENT, 2, EV_READ, buf_cstr(&b));
	}
	on_pipe(w, 65 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"t\",\"arguments\":{\"n\":2},\"inputResponses\":{\"q\":{\"action\":\"decline\"}}}"
		"}\n");
	on_pipe(w, 66 * MS, AGENT, 2, EV_READ, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 1);
	s = told_nth(&w->told, SPAN_APPROVAL, 0);
	assert_int_equal(s->end_ns - s->start_ns, 45 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_MESSAGE), "of 2?");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_MODE), "form");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), "denied");
}

static void responses(struct world *w, uint64_t ts, const char *input, const char *output)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body, "{\"model\":\"gpt-x\",\"input\":[%s]}", input);
	buf_fmt(&b,
		"POST /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	buf_clear(&body);
	buf_fmt(&body, "{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[%s]}", output);
	buf_clear(&b);
	buf_fmt(&b,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts + MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

/* Tools that the provider runs only with leave: the turn goes on, and waits for the human. */
static void leave_of_a_provider(void **state)
{
#define SAID "{\"role\":\"user\",\"content\":\"roll two dice\"}"
#define LEAVE(id, tool)                                                         \
	"{\"type\":\"mcp_approval_request\",\"id\":\"" id "\",\"name\":\"" tool \
	"\",\"arguments\":\"{}\"}"
#define WORD(id, word)                                                                             \
	"{\"type\":\"mcp_approval_response\",\"approval_request_id\":\"" id "\",\"approve\":" word \
	"}"
	static const char text[] = "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{"
				   "\"type\":\"output_text\",\"text\":\"five\"}]}";
	struct world *w = *state;
	const struct span *s, *turn;

	responses(w, 10 * MS, SAID, LEAVE("mcpr_1", "roll") "," LEAVE("mcpr_2", "burn"));
	responses(w, 60 * MS,
		  SAID "," LEAVE("mcpr_1", "roll") "," LEAVE("mcpr_2", "burn") "," WORD(
			  "mcpr_1", "true") "," WORD("mcpr_2", "false"),
		  text);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 2);
	turn = told_nth(&w->told, SPAN_TURN, 0);
	s = told_nth(&w->told, SPAN_APPROVAL, 0);
	ASSERT_SV(s->name, "approval roll");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_BY), "request");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), "approved");
	assert_int_equal(s->end_ns - s->start_ns, 49 * MS);
	assert_string_equal(s->parent_span_id, turn->span_id);
	assert_int_equal(span_attr_int(turn, ATTR_ID_WAIT_HUMAN, 0), 49 * MS);
	s = told_nth(&w->told, SPAN_APPROVAL, 1);
	ASSERT_SV(s->name, "approval burn");
	assert_string_not_equal(s->span_id, told_nth(&w->told, SPAN_APPROVAL, 0)->span_id);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_DECISION), "denied");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_a_terminal),
		TEST(nothing_runs),
		TEST(by_poll),
		TEST(two_questions),
		TEST(a_helper_reads),
		TEST(a_tools_input),
		TEST(elicitation),
		TEST(elicitation_without_session),
		TEST(elicitation_seen_by_both),
		TEST(two_without_session),
		TEST(leave_of_a_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
