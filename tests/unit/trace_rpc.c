// SPDX-License-Identifier: BSD-2-Clause
/* MCP over pipes and socketpairs through the trace engine: which spans come out, and where they hang. */
#include "rpc_test.h"

#define INIT                                                                                   \
	"{\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\","           \
	"\"capabilities\":{},\"clientInfo\":{\"name\":\"cl\",\"version\":\"1\"}},\"jsonrpc\":" \
	"\"2.0\",\"id\":0}\n"
#define INIT_ANSWER(server)                                                                    \
	"{\"result\":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{},\"serverInfo\":{" \
	"\"name\":\"" server "\",\"version\":\"2\"}},\"jsonrpc\":\"2.0\",\"id\":0}\n"
#define CALL(id, tool, args)              \
	"{\"jsonrpc\":\"2.0\",\"id\":" id \
	",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\",\"arguments\":" args "}}\n"
#define TEXT(id, text)                                                                    \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"content\":[{\"type\":\"text\"," \
	"\"text\":\"" text "\"}]}}\n"
#define USE(id, name, args) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" args "}"

/* A client's pipes to a server that nobody traces. */
static void pipes(struct world *w, uint64_t conn, uint64_t file)
{
	pipe_end(w, 3 * MS, AGENT, conn, file, 7);
	pipe_end(w, 3 * MS, AGENT, conn + 1, file + 1, 8);
}

static void client_alone(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE, INIT);
	on_pipe(w, 15 * MS, AGENT, 2, EV_READ, "starting\n" INIT_ANSWER("files"));
	on_pipe(w, 20 * MS, AGENT, 1, EV_WRITE, CALL("1", "read", "{\"path\":\"/x\"}"));
	on_pipe(w, 27 * MS, AGENT, 2, EV_READ,
		TEXT("1", "sk-ant-api03-"
			  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst"
			  "uvwxyzabcdefghijklmnoAA"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 2);
	s = told_nth(&w->told, SPAN_MCP, 0);
	ASSERT_SV(s->name, "initialize");
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	assert_int_equal(s->end_ns - s->start_ns, 5 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_PROTOCOL), "2025-03-26");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_CLIENT_NAME), "cl");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "pipe");
	s = told_nth(&w->told, SPAN_MCP, 1);
	ASSERT_SV(s->name, "tools/call read");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_METHOD), "tools/call");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_OP), "execute_tool");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_JSONRPC_ID), "1");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_PROTOCOL), "2025-03-26");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_SERVER_NAME), "files");
	assert_true(json_str_is(json_get(span_attr(s, ATTR_ID_TOOL_ARGUMENTS), "path"), "/x"));
	assert_true(sv_has(span_attr_sv(s, ATTR_ID_TOOL_RESULT), "***"));
	assert_false(sv_has(span_attr_sv(s, ATTR_ID_TOOL_RESULT), "xyzabc"));
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_RUN, 0)->span_id);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_PEER_PID, -1), -1);
}

static void server_alone(void **state)
{
	struct world *w = *state;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	pipe_end(w, 4 * MS, SERVER, 3, 500, 0);
	on_pipe(w, 10 * MS, SERVER, 3, EV_READ, CALL("1", "read", "{}"));
	pipe_end(w, 11 * MS, SERVER, 4, 501, 1);
	on_pipe(w, 12 * MS, SERVER, 4, EV_WRITE, TEXT("1", "ok"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	assert_int_equal(told_nth(&w->told, SPAN_MCP, 0)->kind, SPAN_KIND_SERVER);
	assert_string_equal(told_nth(&w->told, SPAN_MCP, 0)->parent_span_id,
			    told_nth(&w->told, SPAN_PROCESS, 0)->span_id);
}

/* Both ends of the pipes are traced; `late`: the server's records come before the client's. */
static void both_ends(struct world *w, bool late)
{
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	if (!late) {
		pipe_end(w, 4 * MS, AGENT, 1, 500, 7);
		on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE, CALL("1", "read", "{}"));
	}
	pipe_end(w, 11 * MS, SERVER, 3, 500, 0);
	on_pipe(w, 11 * MS, SERVER, 3, EV_READ, CALL("1", "read", "{}"));
	pipe_end(w, 13 * MS, SERVER, 4, 501, 1);
	on_pipe(w, 13 * MS, SERVER, 4, EV_WRITE, TEXT("1", "ok"));
	if (late) {
		pipe_end(w, 4 * MS, AGENT, 1, 500, 7);
		on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE, CALL("1", "read", "{}"));
	}
	pipe_end(w, 14 * MS, AGENT, 2, 501, 8);
	on_pipe(w, 14 * MS, AGENT, 2, EV_READ, TEXT("1", "ok"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	s = told_nth(&w->told, SPAN_MCP, 0);
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	assert_int_equal(s->end_ns - s->start_ns, 4 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_PEER_PID, -1), SERVER);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_HANDLING_NS, -1), 2 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_PROCESS_PID, -1), AGENT);
}

/* The record of the server's answer comes after that of the client, which has it already. */
static void both_ends_answer_late(void **state)
{
	struct world *w = *state;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	peer_end(w, 4 * MS, AGENT, 1, EV_SRC_STREAM, 700, 701);
	peer_end(w, 4 * MS, SERVER, 2, EV_SRC_STREAM, 701, 700);
	on_socket(w, 10 * MS, AGENT, 1, EV_WRITE, CALL("1", "read", "{}"));
	on_socket(w, 11 * MS, SERVER, 2, EV_READ, CALL("1", "read", "{}"));
	on_socket(w, 15 * MS, AGENT, 1, EV_READ, TEXT("1", "ok"));
	assert_int_equal(told_count(&w->told, SPAN_MCP), 0);
	on_socket(w, 14 * MS, SERVER, 2, EV_WRITE, TEXT("1", "ok"));
	feed(w, record(EV_TICK, sizeof(struct ev_tick), 16 * MS, 0, NULL, 0));
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_MCP, 0), ATTR_ID_RPC_HANDLING_NS,
				       -1),
			 3 * MS);
	assert_int_equal(told_nth(&w->told, SPAN_MCP, 0)->end_ns -
				 told_nth(&w->told, SPAN_MCP, 0)->start_ns,
			 5 * MS);
}

/* ... and that record never comes. */
static void both_ends_answer_lost(void **state)
{
	struct world *w = *state;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	peer_end(w, 4 * MS, AGENT, 1, EV_SRC_STREAM, 700, 701);
	peer_end(w, 4 * MS, SERVER, 2, EV_SRC_STREAM, 701, 700);
	on_socket(w, 10 * MS, AGENT, 1, EV_WRITE, CALL("1", "read", "{}"));
	on_socket(w, 11 * MS, SERVER, 2, EV_READ, CALL("1", "read", "{}"));
	on_socket(w, 15 * MS, AGENT, 1, EV_READ, TEXT("1", "ok"));
	feed(w, record(EV_TICK, sizeof(struct ev_tick), 500 * MS, 0, NULL, 0));
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	assert_null(span_attr(told_nth(&w->told, SPAN_MCP, 0), ATTR_ID_INCOMPLETE));
}

static void both_ends_in_order(void **state)
{
	both_ends(*state, false);
}

static void both_ends_late(void **state)
{
	both_ends(*state, true);
}

/* Requests of both sides that have the same ids, over what goes both ways. */
static void both_sides_ask(struct world *w, unsigned int src)
{
	static const char sample[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\","
		"\"params\":{\"message\":\"sure?\"}}\n";
	static const char accept[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":"
				     "\"accept\",\"content\":{}}}\n";
	const struct span *call, *ask;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	peer_end(w, 4 * MS, AGENT, 1, src, 700, 701);
	bytes(w, 10 * MS, AGENT, 1, src, EV_WRITE, CALL("1", "rm", "{}"));
	peer_end(w, 11 * MS, SERVER, 2, src, 701, 700);
	bytes(w, 11 * MS, SERVER, 2, src, EV_READ, CALL("1", "rm", "{}"));
	bytes(w, 12 * MS, SERVER, 2, src, EV_WRITE, sample);
	bytes(w, 13 * MS, AGENT, 1, src, EV_READ, sample);
	bytes(w, 18 * MS, AGENT, 1, src, EV_WRITE, accept);
	bytes(w, 19 * MS, SERVER, 2, src, EV_READ, accept);
	bytes(w, 20 * MS, SERVER, 2, src, EV_WRITE, TEXT("1", "ok"));
	bytes(w, 21 * MS, AGENT, 1, src, EV_READ, TEXT("1", "ok"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 2);
	call = named(w, SPAN_MCP, "tools/call rm");
	ask = named(w, SPAN_MCP, "elicitation/create");
	assert_int_equal(call->end_ns - call->start_ns, 11 * MS);
	assert_int_equal(ask->end_ns - ask->start_ns, 7 * MS);
	assert_int_equal(span_attr_int(ask, ATTR_ID_PROCESS_PID, -1), SERVER);
	assert_int_equal(span_attr_int(ask, ATTR_ID_RPC_PEER_PID, -1), AGENT);
	assert_string_equal(ask->parent_span_id, call->span_id);
	ASSERT_SV(span_attr_sv(ask, ATTR_ID_APPROVAL_MODE), "form");
	ASSERT_SV(span_attr_sv(ask, ATTR_ID_APPROVAL_MESSAGE), "sure?");
	ASSERT_SV(span_attr_sv(ask, ATTR_ID_APPROVAL_ACTION), "accept");
}

static void both_sides_of_a_socket(void **state)
{
	both_sides_ask(*state, EV_SRC_STREAM);
}

static void both_sides_of_a_terminal(void **state)
{
	both_sides_ask(*state, EV_SRC_TTY);
}

/* A server's descriptor: a socketpair of its own, used one way; numbers as the parent made them. */
static void one_way_socket(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn,
			   uint64_t file, uint64_t peer, int fd)
{
	struct ev_flow *f = flow(ts, tgid, conn, EV_SRC_STREAM, file);

	f->peer = peer;
	f->fd = fd;
	feed(w, f);
}

static void socketpair_each_way(void **state)
{
	struct world *w = *state;
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	one_way_socket(w, 4 * MS, AGENT, 1, 700, 701, 7);
	on_socket(w, 10 * MS, AGENT, 1, EV_WRITE, INIT);
	one_way_socket(w, 11 * MS, SERVER, 3, 701, 700, 0);
	on_socket(w, 11 * MS, SERVER, 3, EV_READ, INIT);
	one_way_socket(w, 13 * MS, SERVER, 4, 703, 702, 1);
	on_socket(w, 13 * MS, SERVER, 4, EV_WRITE, INIT_ANSWER("files"));
	one_way_socket(w, 14 * MS, AGENT, 2, 702, 703, 8);
	on_socket(w, 14 * MS, AGENT, 2, EV_READ, INIT_ANSWER("files"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	s = told_nth(&w->told, SPAN_MCP, 0);
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	assert_int_equal(s->end_ns - s->start_ns, 4 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_SERVER_NAME), "files");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "pipe");
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_PEER_PID, -1), SERVER);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_HANDLING_NS, -1), 2 * MS);
}

/* Nobody traces the servers; which socket an answer belongs to is told by its number. */
static void socketpairs_of_two_servers(void **state)
{
	struct world *w = *state;

	one_way_socket(w, 3 * MS, AGENT, 1, 700, 701, 7);
	one_way_socket(w, 3 * MS, AGENT, 2, 702, 703, 8);
	one_way_socket(w, 3 * MS, AGENT, 3, 710, 711, 9);
	one_way_socket(w, 3 * MS, AGENT, 4, 712, 713, 10);
	on_socket(w, 10 * MS, AGENT, 1, EV_WRITE, CALL("1", "a", "{}"));
	on_socket(w, 11 * MS, AGENT, 3, EV_WRITE, CALL("1", "b", "{}"));
	on_socket(w, 22 * MS, AGENT, 4, EV_READ, TEXT("1", "of b"));
	on_socket(w, 23 * MS, AGENT, 2, EV_READ, TEXT("1", "of a"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 2);
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call a"), ATTR_ID_TOOL_RESULT), "of a");
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call b"), ATTR_ID_TOOL_RESULT), "of b");
}

/* Two servers that nobody traces, asked with the same ids; the second answers first. */
static void same_ids_on_two_servers(void **state)
{
	struct world *w = *state;

	pipes(w, 1, 500);
	pipes(w, 3, 510);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE, INIT);
	on_pipe(w, 11 * MS, AGENT, 3, EV_WRITE, INIT);
	on_pipe(w, 12 * MS, AGENT, 4, EV_READ, INIT_ANSWER("two"));
	on_pipe(w, 14 * MS, AGENT, 2, EV_READ, INIT_ANSWER("one"));
	on_pipe(w, 20 * MS, AGENT, 1, EV_WRITE, CALL("1", "a", "{}"));
	on_pipe(w, 21 * MS, AGENT, 3, EV_WRITE, CALL("1", "b", "{}"));
	on_pipe(w, 22 * MS, AGENT, 4, EV_READ, TEXT("1", "of b"));
	on_pipe(w, 23 * MS, AGENT, 2, EV_READ, TEXT("1", "of a"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 4);
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call a"), ATTR_ID_TOOL_RESULT), "of a");
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call b"), ATTR_ID_TOOL_RESULT), "of b");
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call b"), ATTR_ID_MCP_SERVER_NAME), "two");
}

/* The answer's record overtakes the request's. */
static void answer_first(void **state)
{
	struct world *w = *state;

	pipes(w, 1, 500);
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ, TEXT("1", "ok"));
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE, CALL("1", "a", "{}"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MCP, 0), ATTR_ID_TOOL_RESULT), "ok");
}

static void errors_and_ends(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		CALL("1", "bad", "{}") CALL("2", "wrong", "{}") CALL("3", "slow", "{}")
			CALL("4", "never", "{}"));
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"no "
		"such\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"isError\":true,\"content\":["
		"{\"type\":\"text\",\"text\":\"broke\"}]}}\n");
	on_pipe(w, 15 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":3,\"reason\":\"bored\"}}\n");
	feed(w, record_exit(50 * MS, AGENT, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 4);
	s = named(w, SPAN_MCP, "tools/call bad");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "tool_error");
	ASSERT_SV(s->status_message, "broke");
	s = named(w, SPAN_MCP, "tools/call wrong");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "-32602");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_RPC_STATUS), "-32602");
	ASSERT_SV(s->status_message, "no such");
	s = named(w, SPAN_MCP, "tools/call slow");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "cancelled");
	ASSERT_SV(s->status_message, "bored");
	assert_int_equal(s->end_ns - s->start_ns, 5 * MS);
	assert_true(says(named(w, SPAN_MCP, "tools/call never"), "unanswered"));
}

/* Without a session every request says all; progress and logs are events of it. */
static void stateless_era(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		"{\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
		"protocolVersion\":\"2026-07-28\","
		"\"io.modelcontextprotocol/clientInfo\":{\"name\":\"new\",\"version\":\"3\"},"
		"\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\","
		"\"progressToken\":9},\"name\":\"t\",\"arguments\":{}},"
		"\"id\":\"x\",\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}\n");
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
		"\"progressToken\":9,\"progress\":0.5,\"total\":1,\"message\":\"half\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{"
		"\"level\":\"info\",\"data\":{\"a\":1}}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"resultType\":\"input_required\","
		"\"inputRequests\":{\"q\":{\"method\":\"elicitation/create\",\"params\":{"
		"\"mode\":\"url\",\"message\":\"log in\"}}}}}\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	s = told_nth(&w->told, SPAN_MCP, 0);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_PROTOCOL), "2026-07-28");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_CLIENT_NAME), "new");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_RESULT_TYPE), "input_required");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_MODE), "url");
	assert_true(sv_starts(span_attr_sv(s, ATTR_ID_TRACE_PARENT), "00-0af7"));
	assert_int_equal(s->events->cnt, 2);
	assert_true(json_str_is(json_get(json_at(s->events, 0), "name"), "progress"));
	assert_true(json_str_is(json_get(json_get(json_at(s->events, 1), "attributes"),
					 "ringspan.event.message"),
				"{\"a\":1}"));
}

/* Parallel calls find the tool calls by arguments; of equal ones each takes another, which nobody knows. */
static void tool_calls(void **state)
{
	struct world *w = *state;
	const struct span *a, *b;

	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "mcp__srv__read_file", "{\"p\":\"1\",\"n\":2}") "," USE(
			   "toolu_2", "mcp__srv__read_file",
			   "{\"p\":\"2\"}") "," USE("toolu_3", "srv_now",
						    "{}") "," USE("toolu_4", "srv_now", "{}") "]");
	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		CALL("1", "read-file", "{\"p\":\"2\"}")
			CALL("2", "read-file", "{\"n\":2.0,\"p\":\"1\"}") CALL("3", "now", "{}")
				CALL("4", "now", "{}"));
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ, TEXT("2", "r2") TEXT("1", "r1"));
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ, TEXT("4", "r4") TEXT("3", "r3"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 4);
	for (size_t i = 0; i < 4; i++) {
		const struct span *s = told_nth(&w->told, SPAN_MCP, i);

		ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), i < 2 ? "argument" : "time");
		for (size_t j = 0; j < 4; j++) {
			const struct span *tool = told_nth(&w->told, SPAN_TOOL_CALL, j);

			if (strcmp(tool->span_id, s->parent_span_id) != 0)
				continue;
			if (sv_is(span_attr_sv(s, ATTR_ID_JSONRPC_ID), "1"))
				ASSERT_SV(span_attr_sv(tool, ATTR_ID_TOOL_CALL_ID), "toolu_2");
			if (sv_is(span_attr_sv(s, ATTR_ID_JSONRPC_ID), "2"))
				ASSERT_SV(span_attr_sv(tool, ATTR_ID_TOOL_CALL_ID), "toolu_1");
		}
	}
	a = told_nth(&w->told, SPAN_MCP, 2);
	b = told_nth(&w->told, SPAN_MCP, 3);
	assert_string_not_equal(a->parent_span_id, b->parent_span_id);
}

static void tool_call_by_id_and_time(void **state)
{
	struct world *w = *state;
	const struct span *s;

	model_asks(w, 5 * MS, "[" USE("toolu_1", "now", "{}") "," USE("toolu_2", "now", "{}") "]");
	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
		"call\",\"params\":{\"name\":\"now\","
		"\"arguments\":{},\"_meta\":{\"claudecode/toolUseId\":\"toolu_2\"}}}\n");
	on_pipe(w, 11 * MS, AGENT, 1, EV_WRITE, CALL("2", "elsewhere", "{\"x\":1}"));
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ, TEXT("1", "r") TEXT("2", "r"));
	on_pipe(w, 13 * MS, AGENT, 1, EV_WRITE, CALL("3", "again", "{\"x\":1}"));
	end(w);
	s = named(w, SPAN_MCP, "tools/call now");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), "exact");
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_TOOL_CALL, 1)->span_id);
	s = named(w, SPAN_MCP, "tools/call elsewhere");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), "time");
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_TOOL_CALL, 0)->span_id);
	s = named(w, SPAN_MCP, "tools/call again"); /* nobody is left who may have asked */
	assert_null(span_attr(s, ATTR_ID_LINK));
}

/* A language server speaks JSON-RPC, too. */
static void not_mcp(void **state)
{
	struct world *w = *state;

	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"processId\":"
		"1}}\n");
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"capabilities\":{}}}\n");
	on_pipe(w, 13 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"textDocument/hover\",\"params\":{}}\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 0);
}

static void holes_and_reuse(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipes(w, 1, 500);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
		"call\",\"params\":{\"name\":\"a\",");
	w->pos[1][EV_WRITE] += 100;
	on_pipe(w, 11 * MS, AGENT, 1, EV_WRITE, "\"}}}\n");
	on_pipe(w, 500 * MS, AGENT, 2, EV_READ, TEXT("1", "r"));
	on_pipe(w, 510 * MS, AGENT, 1, EV_WRITE, CALL("1", "b", "{}"));
	on_pipe(w, 511 * MS, AGENT, 1, EV_WRITE, CALL("1", "c", "{}"));
	on_pipe(w, 512 * MS, AGENT, 2, EV_READ, TEXT("1", "of c"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 3);
	s = named(w, SPAN_MCP, "tools/call a");
	assert_true(says(s, "cut"));
	ASSERT_SV(span_attr_sv(s, ATTR_ID_TOOL_RESULT), "r");
	assert_true(says(named(w, SPAN_MCP, "tools/call b"), "unanswered"));
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call c"), ATTR_ID_TOOL_RESULT), "of c");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(client_alone),
		TEST(server_alone),
		TEST(both_ends_in_order),
		TEST(both_ends_late),
		TEST(both_ends_answer_late),
		TEST(both_ends_answer_lost),
		TEST(both_sides_of_a_socket),
		TEST(both_sides_of_a_terminal),
		TEST(socketpair_each_way),
		TEST(socketpairs_of_two_servers),
		TEST(same_ids_on_two_servers),
		TEST(answer_first),
		TEST(errors_and_ends),
		TEST(stateless_era),
		TEST(tool_calls),
		TEST(tool_call_by_id_and_time),
		TEST(not_mcp),
		TEST(holes_and_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
