// SPDX-License-Identifier: BSD-2-Clause
/* MCP and A2A over HTTP through the trace engine: both eras, both sides, the transport of 2024-11-05. */
#include <sys/socket.h>
#include "rpc_test.h"

#define CALL(id, tool)                    \
	"{\"jsonrpc\":\"2.0\",\"id\":" id \
	",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\",\"arguments\":{}}}"
#define TEXT(id, text)                                                                    \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"content\":[{\"type\":\"text\"," \
	"\"text\":\"" text "\"}]}}"
#define INIT                                                                   \
	"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{" \
	"\"protocolVersion\":\"2025-06-18\"}}"

/* A connection of the agent to 127.0.0.1:8000; at its other end if `server`. */
static void http_flow(struct world *w, uint32_t tgid, uint64_t conn, uint16_t port, bool server)
{
	struct ev_flow *f = flow(3 * MS, tgid, conn, EV_SRC_STREAM, 800 + conn);

	f->proto = EV_PROTO_HTTP1;
	f->addr.family = AF_INET;
	f->addr.lport = server ? 8000 : port;
	f->addr.rport = server ? port : 8000;
	feed(w, f);
}

static void http_flow_end(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn)
{
	struct ev_flow_end *e = record(EV_FLOW_END, sizeof(*e), ts, tgid, NULL, 0);

	e->conn = conn;
	feed(w, e);
}

static void request(struct world *w, uint64_t ts, uint64_t conn, const char *line,
		    const char *fields, const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"%s HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: application/json\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		line, fields, strlen(body), body);
	on_socket(w, ts, AGENT, conn, EV_WRITE, buf_cstr(&b));
}

static void answer(struct world *w, uint64_t ts, uint64_t conn, const char *status,
		   const char *fields, const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, fields, strlen(body),
		body);
	on_socket(w, ts, AGENT, conn, EV_READ, buf_cstr(&b));
}

#define JSON_TYPE "Content-Type: application/json\r\n"
#define SSE_TYPE "Content-Type: text/event-stream\r\n"
#define POST "POST /mcp"

static void a_session(struct world *w)
{
	request(w, 10 * MS, 1, POST, "", INIT);
	answer(w, 15 * MS, 1, "200 OK", JSON_TYPE "Mcp-Session-Id: s1\r\n",
	       "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-03-26\","
	       "\"serverInfo\":{\"name\":\"remote\",\"version\":\"1\"}}}");
}

static void session_era(void **state)
{
	struct world *w = *state;
	const struct span *s;

	http_flow(w, AGENT, 1, 5001, false);
	a_session(w);
	request(w, 20 * MS, 1, POST, "Mcp-Session-Id: s1\r\nMCP-Protocol-Version: 2025-03-26\r\n",
		CALL("1", "add"));
	answer(w, 30 * MS, 1, "200 OK", SSE_TYPE,
	       "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{"
	       "\"level\":\"info\",\"data\":\"working\"}}\n\nid: 2\ndata: " TEXT("1", "5") "\n\n");
	request(w, 40 * MS, 1, "DELETE /mcp", "Mcp-Session-Id: s1\r\n", "");
	answer(w, 41 * MS, 1, "200 OK", "", "");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 2);
	s = named(w, SPAN_MCP, "initialize");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_SESSION), "s1");
	s = named(w, SPAN_MCP, "tools/call add");
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_SESSION), "s1");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_SERVER_NAME), "remote");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_MCP_PROTOCOL), "2025-03-26");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_TOOL_RESULT), "5");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "tcp");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_URL_FULL), "http://127.0.0.1:8000/mcp");
	assert_int_equal(span_attr_int(s, ATTR_ID_HTTP_STATUS, 0), 200);
	assert_int_equal(span_attr_int(s, ATTR_ID_HTTP_REQUEST_BODY, 0), strlen(CALL("1", "add")));
	assert_int_equal(s->events->cnt, 1);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_HTTP, 0), ATTR_ID_MCP_SESSION), "s1");
}

/* The server asks by the GET's stream, and is answered by a POST. */
static void server_asks(void **state)
{
	struct world *w = *state;
	const struct span *s;

	http_flow(w, AGENT, 1, 5001, false);
	http_flow(w, AGENT, 2, 5002, false);
	a_session(w);
	request(w, 20 * MS, 2, "GET /mcp", "Mcp-Session-Id: s1\r\n", "");
	on_socket(w, 21 * MS, AGENT, 2, EV_READ,
		  "HTTP/1.1 200 OK\r\n" SSE_TYPE "\r\n"
		  "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}\n\n");
	request(w, 25 * MS, 1, POST, "Mcp-Session-Id: s1\r\n",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"roots\":[]}}");
	answer(w, 26 * MS, 1, "202 Accepted", "", "");
	end(w);
	s = named(w, SPAN_MCP, "roots/list");
	assert_int_equal(s->kind, SPAN_KIND_SERVER);
	assert_int_equal(s->end_ns - s->start_ns, 4 * MS);
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 2); /* what carried it */
}

/* The request's exchange ends, and only then the record of what took it back comes. */
static void cancelled(void **state)
{
	struct world *w = *state;
	const struct span *s;

	http_flow(w, AGENT, 1, 5001, false);
	http_flow(w, AGENT, 2, 5002, false);
	a_session(w);
	request(w, 20 * MS, 1, POST, "Mcp-Session-Id: s1\r\n", CALL("1", "add"));
	answer(w, 31 * MS, 1, "200 OK", "", "");
	request(w, 30 * MS, 2, POST, "Mcp-Session-Id: s1\r\n",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
		"\"requestId\":1,\"reason\":\"bored\"}}");
	answer(w, 31 * MS, 2, "202 Accepted", "", "");
	request(w, 40 * MS, 1, POST, "Mcp-Session-Id: s1\r\n", CALL("2", "sub"));
	answer(w, 41 * MS, 1, "200 OK", "", "");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 3);
	s = named(w, SPAN_MCP, "tools/call add");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "cancelled");
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	assert_int_equal(s->end_ns - s->start_ns, 10 * MS);
	assert_true(says(named(w, SPAN_MCP, "tools/call sub"), "unanswered"));
}

static void transport_of_2024(void **state)
{
	struct world *w = *state;
	const struct span *s;

	http_flow(w, AGENT, 1, 5001, false);
	http_flow(w, AGENT, 2, 5002, false);
	request(w, 10 * MS, 1, "GET /sse", "", "");
	on_socket(w, 11 * MS, AGENT, 1, EV_READ,
		  "HTTP/1.1 200 OK\r\n" SSE_TYPE "\r\n"
		  "event: endpoint\ndata: /messages?session=a\n\n");
	request(w, 12 * MS, 2, "POST /messages?session=a", "", CALL("1", "add"));
	answer(w, 13 * MS, 2, "202 Accepted", "", "Accepted");
	on_socket(w, 19 * MS, AGENT, 1, EV_READ, "event: message\ndata: " TEXT("1", "5") "\n\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 1);
	s = told_nth(&w->told, SPAN_MCP, 0);
	assert_int_equal(s->end_ns - s->start_ns, 7 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_HTTP_STATUS, 0), 202);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_TOOL_RESULT), "5");
}

static void stateless_and_batch(void **state)
{
	struct world *w = *state;

	http_flow(w, AGENT, 1, 5001, false);
	request(w, 10 * MS, 1, POST, "Mcp-Method: tools/call\r\nMcp-Name: add\r\n",
		CALL("1", "add"));
	answer(w, 12 * MS, 1, "404 Not Found", "", "");
	request(w, 20 * MS, 1, POST, "", "[" CALL("1", "a") "," CALL("2", "b") "]");
	answer(w, 22 * MS, 1, "200 OK", JSON_TYPE, "[" TEXT("2", "rb") "," TEXT("1", "ra") "]");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 3);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 0);
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call add"), ATTR_ID_ERROR_TYPE), "404");
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call a"), ATTR_ID_TOOL_RESULT), "ra");
	ASSERT_SV(span_attr_sv(named(w, SPAN_MCP, "tools/call b"), ATTR_ID_TOOL_RESULT), "rb");
}

/* Both ends of the connection are traced: one span, that of who asked. */
static void loopback(struct world *w, bool late)
{
	static const char ask[] =
		"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
		"Content-Type: application/json\r\nContent-Length: 85\r\n\r\n" CALL("1", "add");
	static const char root[] =
		"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\n\n";
	static const char head[] = "HTTP/1.1 200 OK\r\n" SSE_TYPE "\r\n";
	static const char reply[] = "data: " TEXT("1", "5") "\n\n";
	const struct span *call, *back;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	if (!late) {
		http_flow(w, AGENT, 1, 5001, false);
		on_socket(w, 10 * MS, AGENT, 1, EV_WRITE, ask);
	}
	http_flow(w, SERVER, 2, 5001, true);
	on_socket(w, 11 * MS, SERVER, 2, EV_READ, ask);
	on_socket(w, 12 * MS, SERVER, 2, EV_WRITE, head);
	on_socket(w, 12 * MS, SERVER, 2, EV_WRITE, root);
	on_socket(w, 14 * MS, SERVER, 2, EV_WRITE, reply);
	http_flow_end(w, 14 * MS, SERVER, 2);
	if (late) {
		http_flow(w, AGENT, 1, 5001, false);
		on_socket(w, 10 * MS, AGENT, 1, EV_WRITE, ask);
	}
	on_socket(w, 12 * MS, AGENT, 1, EV_READ, head);
	on_socket(w, 12 * MS, AGENT, 1, EV_READ, root);
	on_socket(w, 15 * MS, AGENT, 1, EV_READ, reply);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 2);
	call = named(w, SPAN_MCP, "tools/call add");
	back = named(w, SPAN_MCP, "roots/list");
	assert_int_equal(call->kind, SPAN_KIND_CLIENT);
	assert_int_equal(call->end_ns - call->start_ns, 5 * MS);
	assert_int_equal(span_attr_int(call, ATTR_ID_RPC_PEER_PID, -1), SERVER);
	assert_int_equal(span_attr_int(call, ATTR_ID_RPC_HANDLING_NS, -1), 3 * MS);
	assert_int_equal(span_attr_int(back, ATTR_ID_RPC_PEER_PID, -1), AGENT);
	assert_string_equal(back->parent_span_id, call->span_id);
}

static void loopback_in_order(void **state)
{
	loopback(*state, false);
}

static void loopback_late(void **state)
{
	loopback(*state, true);
}

static void a2a(void **state)
{
	struct world *w = *state;
	const struct span *s;

	http_flow(w, AGENT, 1, 5001, false);
	request(w, 10 * MS, 1, "GET /.well-known/agent-card.json", "", "");
	answer(w, 11 * MS, 1, "200 OK", JSON_TYPE,
	       "{\"name\":\"Planner\",\"version\":\"4\",\"protocolVersion\":\"0.3.0\"}");
	request(w, 20 * MS, 1, "POST /a2a", "",
		"{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"message/"
		"stream\",\"params\":{\"message\":{"
		"\"messageId\":\"m1\",\"role\":\"user\",\"parts\":[]}}}");
	answer(w, 30 * MS, 1, "200 OK", SSE_TYPE,
	       "data: "
	       "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{\"kind\":\"task\",\"id\":\"t1\","
	       "\"contextId\":\"c1\",\"status\":{\"state\":\"working\"}}}\n\n"
	       "data: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{\"kind\":\"status-update\","
	       "\"taskId\":\"t1\",\"status\":{\"state\":\"input-required\"}}}\n\n");
	request(w, 40 * MS, 1, "POST /v1/message:send", "A2A-Version: 1.0\r\n",
		"{\"message\":{\"messageId\":\"m2\"}}");
	answer(w, 41 * MS, 1, "200 OK", JSON_TYPE,
	       "{\"task\":{\"id\":\"t2\",\"status\":{\"state\":\"TASK_STATE_FAILED\"}}}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_A2A), 3);
	named(w, SPAN_A2A, "GetAgentCard Planner");
	s = named(w, SPAN_A2A, "SendStreamingMessage");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_A2A_TASK_ID), "t1");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_A2A_TASK_STATE), "TASK_STATE_INPUT_REQUIRED");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_A2A_MESSAGE_ID), "m1");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CONVERSATION_ID), "c1");
	s = named(w, SPAN_A2A, "SendMessage");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_A2A_TASK_ID), "t2");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "TASK_STATE_FAILED");
}

/* Two tasks want input, one twice: each wait ends with the message to its task. */
static void a2a_wants_input(void **state)
{
	static const char *const tasks[] = { "t1", "t2", "t1", "t2", "t1" };
	static const char *const states[] = { "input-required", "auth-required", "input-required",
					      "completed", "completed" };
	struct world *w = *state;
	const struct span *s;

	http_flow(w, AGENT, 1, 5001, false);
	for (size_t i = 0; i < 5; i++) {
		_cleanup_buf_ struct buf ask = BUF_INIT, said = BUF_INIT;

		buf_fmt(&ask,
			"{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"message/"
			"send\",\"params\":{\"message\":{"
			"\"messageId\":\"m%zu\"%s%s%s}}}",
			i, i, i > 1 ? ",\"taskId\":\"" : "", i > 1 ? tasks[i] : "",
			i > 1 ? "\"" : "");
		buf_fmt(&said,
			"{\"jsonrpc\":\"2.0\",\"id\":%zu,\"result\":{\"kind\":\"task\",\"id\":\"%"
			"s\","
			"\"status\":{\"state\":\"%s\",\"message\":{\"parts\":[{\"kind\":\"text\","
			"\"text\":\"question %zu\"}]}}}}",
			i, tasks[i], states[i], i);
		request(w, (10 * i + 10) * MS, 1, "POST /a2a", "", buf_cstr(&ask));
		answer(w, (10 * i + 12) * MS, 1, "200 OK", JSON_TYPE, buf_cstr(&said));
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_APPROVAL), 3);
	for (size_t i = 0; i < 3; i++) {
		char question[16];

		snprintf(question, sizeof(question), "question %zu", i);
		s = told_nth(&w->told, SPAN_APPROVAL, i);
		ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_MESSAGE), question);
		ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_MODE), i == 1 ? "auth" : "message");
		ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_BY), "message");
		ASSERT_SV(span_attr_sv(s, ATTR_ID_APPROVAL_ACTION), "reply");
		assert_null(span_attr(s, ATTR_ID_APPROVAL_DECISION));
		assert_int_equal(s->end_ns - s->start_ns, 18 * MS);
	}
}

/* JSON-RPC of something else stays an http span. */
static void not_mcp(void **state)
{
	struct world *w = *state;

	http_flow(w, AGENT, 1, 5001, false);
	request(w, 10 * MS, 1, "POST /", "",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}");
	answer(w, 12 * MS, 1, "200 OK", JSON_TYPE,
	       "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 0);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(session_era),         TEST(server_asks),
		TEST(cancelled),           TEST(transport_of_2024),
		TEST(stateless_and_batch), TEST(loopback_in_order),
		TEST(loopback_late),       TEST(a2a),
		TEST(a2a_wants_input),     TEST(not_mcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
