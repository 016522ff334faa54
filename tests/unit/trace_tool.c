// SPDX-License-Identifier: BSD-2-Clause
/* What did a tool call: of several at once, of agents inside tools, and of what goes on behind a call. */
#include "rpc_test.h"
#include <sys/socket.h>

#define USE(id, name, args) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" args "}"
#define ARGS(...) __VA_ARGS__, sizeof(__VA_ARGS__)
#define INNER 30 /* an agent that a tool started */
#define WEB 50   /* connections */

static void starts(struct world *w, uint64_t ts, uint32_t tgid, uint32_t parent, const char *args,
		   size_t n)
{
	feed(w, record_fork(ts, parent, tgid));
	feed(w, record_exec(ts, tgid, parent, "/bin/sh", args, n));
}

static void ends(struct world *w, uint64_t ts, uint32_t tgid)
{
	feed(w, record_exit(ts, tgid, 0));
}

static void is_under(const struct span *s, const struct span *parent, const char *link)
{
	assert_string_equal(s->parent_span_id, parent->span_id);
	if (link)
		ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), link);
	else
		assert_null(span_attr(s, ATTR_ID_LINK));
}

/* What a tool's processes start is that tool's, though it is what another was asked for. */
static void of_one_tool(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "shell", "{\"command\":\"./all.sh\"}") "," USE(
			   "toolu_2", "shell", "{\"command\":\"pytest tests\"}") "]");
	starts(w, 10 * MS, 20, AGENT, ARGS("sh\0-c\0./all.sh"));
	starts(w, 11 * MS, 21, 20, ARGS("make\0all"));
	starts(w, 12 * MS, 22, 21, ARGS("pytest\0tests"));
	starts(w, 13 * MS, 23, 21, ARGS("cc\0x.c"));
	for (uint32_t pid = 23; pid >= 20; pid--)
		ends(w, 40 * MS, pid);
	end(w);
	is_under(told_process(&w->told, 20), told_tool(&w->told, "toolu_1"), "argument");
	is_under(told_process(&w->told, 22), told_process(&w->told, 21), NULL);
	is_under(told_process(&w->told, 23), told_process(&w->told, 21), NULL);
}

/* An argument that both have tells nothing, so the others do, however short. */
static void of_alike(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "shell", "{\"command\":\"ls\",\"dir\":\"/repo\"}") "," USE(
			   "toolu_2", "shell", "{\"command\":\"id\",\"dir\":\"/repo\"}") "]");
	starts(w, 10 * MS, 20, AGENT, ARGS("sh\0-c\0cd /repo && id"));
	starts(w, 11 * MS, 21, AGENT, ARGS("sh\0-c\0cd /repo && ls"));
	end(w);
	is_under(told_process(&w->told, 20), told_tool(&w->told, "toolu_2"), "argument");
	is_under(told_process(&w->told, 21), told_tool(&w->told, "toolu_1"), "argument");
}

/* Two secrets look the same behind their masks. */
static void of_masked(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("toolu_1", "login", "{\"password\":\"********\"}") "]");
	starts(w, 10 * MS, 21, AGENT, ARGS("mysql\0--password\0********"));
	ends(w, 20 * MS, 21);
	end(w);
	is_under(told_process(&w->told, 21), told_tool(&w->told, "toolu_1"), "time");
}

static void of_two_letters(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "shell", "{\"command\":\"ls\"}") "," USE(
			   "toolu_2", "shell", "{\"command\":\"id\"}") "]");
	starts(w, 10 * MS, 20, AGENT, ARGS("sh\0-c\0id"));
	starts(w, 11 * MS, 21, AGENT, ARGS("sh\0-c\0ls"));
	end(w);
	is_under(told_process(&w->told, 20), told_tool(&w->told, "toolu_2"), "argument");
	is_under(told_process(&w->told, 21), told_tool(&w->told, "toolu_1"), "argument");
}

/* Each has one, and keeps it, but which nobody can tell. */
static void of_the_same(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "shell", "{\"command\":\"sleep 1\"}") "," USE(
			   "toolu_2", "shell", "{\"command\":\"sleep 1\"}") "]");
	starts(w, 10 * MS, 20, AGENT, ARGS("sh\0-c\0sleep 1"));
	feed(w, record_exec(11 * MS, 20, AGENT, "/bin/sleep",
			    ARGS("sleep\0"
				 "1")));
	starts(w, 12 * MS, 21, AGENT, ARGS("sh\0-c\0sleep 1"));
	feed(w, record_exec(13 * MS, 21, AGENT, "/bin/sleep",
			    ARGS("sleep\0"
				 "1")));
	end(w);
	is_under(told_process(&w->told, 20), told_tool(&w->told, "toolu_1"), "time");
	is_under(told_process(&w->told, 21), told_tool(&w->told, "toolu_2"), "time");
}

/* An agent that a tool started: what is its own call's is not the tool's around it. */
static void of_an_inner_agent(void **state)
{
	struct world *w = *state;
	const struct span *s;

	model_asks(w, 5 * MS, "[" USE("toolu_1", "shell", "{\"command\":\"agent -p x\"}") "]");
	starts(w, 10 * MS, INNER, AGENT, ARGS("agent\0-p\0x"));
	model_asks_of(w, 15 * MS, INNER, 40,
		      "[" USE("toolu_2", "shell", "{\"command\":\"date -u\"}") "," USE(
			      "toolu_3", "edit", "{\"path\":\"/d/notes\"}") "]");
	starts(w, 20 * MS, 31, INNER, ARGS("sh\0-c\0date -u"));
	feed(w, record_file(21 * MS, INNER, EV_FILE_REMOVE, "/d/notes", NULL));
	feed(w, record_file(22 * MS, INNER, EV_FILE_REMOVE, "/d/other", NULL));
	ends(w, 30 * MS, 31);
	ends(w, 31 * MS, INNER);
	end(w);
	is_under(told_process(&w->told, INNER), told_tool(&w->told, "toolu_1"), "argument");
	is_under(told_process(&w->told, 31), told_tool(&w->told, "toolu_2"), "argument");
	s = named(w, SPAN_FILE, "remove notes");
	is_under(s, told_tool(&w->told, "toolu_3"), "argument");
	is_under(named(w, SPAN_FILE, "remove other"), told_process(&w->told, INNER), NULL);
}

/* Two agents ask servers for the same: each agent's message is its own call's. */
static void of_two_agents(void **state)
{
	static const char call[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
		"\"name\":\"now\",\"arguments\":{\"zone\":\"utc\"}}}\n";
	struct world *w = *state;

	run_program(w, 3 * MS, INNER, AGENT, "/bin/agent2");
	model_asks(w, 5 * MS, "[" USE("toolu_1", "now", "{\"zone\":\"utc\"}") "]");
	model_asks_of(w, 6 * MS, INNER, 40, "[" USE("toolu_2", "now", "{\"zone\":\"utc\"}") "]");
	pipe_end(w, 7 * MS, INNER, 3, 503, 5);
	pipe_end(w, 7 * MS, AGENT, 1, 501, 5);
	on_pipe(w, 10 * MS, INNER, 3, EV_WRITE, call);
	on_pipe(w, 11 * MS, AGENT, 1, EV_WRITE, call);
	end(w);
	for (size_t i = 0; i < 2; i++) {
		const struct span *s = told_nth(&w->told, SPAN_MCP, i);
		bool inner = span_attr_int(s, ATTR_ID_PROCESS_PID, 0) == INNER;

		is_under(s, told_tool(&w->told, inner ? "toolu_2" : "toolu_1"), "argument");
	}
}

static void answers(struct world *w, uint64_t ts, const char *id)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body,
		"{\"model\":\"claude-x\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		"\"tool_result\",\"tool_use_id\":\"%s\",\"content\":\"ok\"}]}]}",
		id);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	bytes(w, ts + MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
}

/* What a call left running stays its own; what only the time told gives way to arguments. */
static void behind_a_call(void **state)
{
	struct world *w = *state;

	model_asks(w, 5 * MS, "[" USE("toolu_1", "serve", "{\"what\":\"docs\"}") "]");
	starts(w, 10 * MS, 20, AGENT, ARGS("httpd\0-x"));
	answers(w, 20 * MS, "toolu_1");
	model_asks(w, 25 * MS, "[" USE("toolu_2", "shell", "{\"command\":\"du -s /var\"}") "]");
	starts(w, 30 * MS, 21, 20, ARGS("httpd\0-worker"));
	starts(w, 31 * MS, 22, 20, ARGS("sh\0-c\0du -s /var"));
	starts(w, 32 * MS, 23, 22, ARGS("du\0-s\0/var"));
	end(w);
	is_under(told_process(&w->told, 20), told_tool(&w->told, "toolu_1"), "time");
	is_under(told_process(&w->told, 21), told_process(&w->told, 20), NULL);
	is_under(told_process(&w->told, 22), told_tool(&w->told, "toolu_2"), "argument");
	is_under(told_process(&w->told, 23), told_process(&w->told, 22), NULL);
}

/* A server that was there before is no call's, though the call names what it serves. */
static void before_a_call(void **state)
{
	struct world *w = *state;

	starts(w, 3 * MS, 20, AGENT, ARGS("files-server\0/repo"));
	model_asks(w, 5 * MS, "[" USE("toolu_1", "list", "{\"path\":\"/repo\"}") "]");
	ends(w, 9 * MS, 20);
	end(w);
	assert_string_not_equal(told_process(&w->told, 20)->parent_span_id,
				told_tool(&w->told, "toolu_1")->span_id);
}

/* --- HTTP */

static void gets(struct world *w, uint64_t ts, uint32_t tgid, uint64_t conn, const char *request)
{
	bytes(w, ts, tgid, conn, EV_SRC_OPENSSL, EV_WRITE, request);
	bytes(w, ts + MS, tgid, conn, EV_SRC_OPENSSL, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
}

static const struct span *request(const struct world *w, const char *url)
{
	for (size_t i = 0; i < told_count(&w->told, SPAN_HTTP); i++) {
		const struct span *s = told_nth(&w->told, SPAN_HTTP, i);

		if (sv_has(span_attr_sv(s, ATTR_ID_URL_FULL), url))
			return s;
	}
	fail_msg("no request of %s", url);
	return NULL;
}

/* By address, by a word of the query and by what is sent; what the agent does else is nobody's. */
static void by_request(void **state)
{
	struct world *w = *state;

	model_asks(
		w, 5 * MS,
		"[" USE("toolu_1", "fetch", "{\"url\":\"https://a.example/x\"}") "," USE(
			"toolu_2", "fetch",
			"{\"url\":\"https://a.example/xy\"}") "," USE("toolu_3", "search",
								      "{\"query\":\"big "
								      "cats\"}") "," USE("toolu_"
											 "4",
											 "find",
											 "{\"tex"
											 "t\":"
											 "\"smal"
											 "l "
											 "dogs\""
											 "}") "]");
	gets(w, 10 * MS, AGENT, WEB, "GET /xy HTTP/1.1\r\nHost: a.example\r\n\r\n");
	gets(w, 12 * MS, AGENT, WEB + 1, "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
	gets(w, 14 * MS, AGENT, WEB + 2,
	     "GET /s?q=big%20cats&n=3 HTTP/1.1\r\nHost: s.example\r\n\r\n");
	gets(w, 16 * MS, AGENT, WEB + 3,
	     "POST /find HTTP/1.1\r\nHost: s.example\r\nContent-Type: application/json\r\n"
	     "Content-Length: 18\r\n\r\n{\"q\":\"small dogs\"}");
	gets(w, 18 * MS, AGENT, WEB + 4, "GET /s?q=cats HTTP/1.1\r\nHost: t.example\r\n\r\n");
	end(w);
	is_under(request(w, "a.example/xy"), told_tool(&w->told, "toolu_2"), "argument");
	is_under(told_nth(&w->told, SPAN_HTTP, 1), told_tool(&w->told, "toolu_1"), "argument");
	is_under(request(w, "big%20cats"), told_tool(&w->told, "toolu_3"), "argument");
	is_under(request(w, "/find"), told_tool(&w->told, "toolu_4"), "argument");
	assert_null(span_attr(request(w, "t.example"), ATTR_ID_LINK));
}

/* The only call that nothing else does; but not what a tool's own process asks for. */
static void request_by_time(void **state)
{
	struct world *w = *state;

	gets(w, 3 * MS, AGENT, WEB, "GET /early HTTP/1.1\r\nHost: a.example\r\n\r\n");
	model_asks(w, 5 * MS, "[" USE("toolu_1", "weather", "{\"city\":\"Paris\"}") "]");
	gets(w, 10 * MS, AGENT, WEB, "GET /at?48.85 HTTP/1.1\r\nHost: a.example\r\n\r\n");
	answers(w, 20 * MS, "toolu_1");
	model_asks(w, 25 * MS, "[" USE("toolu_2", "shell", "{\"command\":\"curl b.example\"}") "]");
	starts(w, 30 * MS, 20, AGENT, ARGS("curl\0b.example"));
	gets(w, 31 * MS, 20, WEB + 1, "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
	gets(w, 33 * MS, AGENT, WEB, "GET /beside HTTP/1.1\r\nHost: a.example\r\n\r\n");
	end(w);
	assert_null(span_attr(request(w, "early"), ATTR_ID_LINK));
	is_under(request(w, "48.85"), told_tool(&w->told, "toolu_1"), "time");
	is_under(request(w, "b.example"), told_process(&w->told, 20), NULL);
	assert_null(span_attr(request(w, "beside"), ATTR_ID_LINK));
}

/* What the agent has sent so far. */
static void has_sent(struct world *w, uint64_t ts, uint64_t n)
{
	struct ev_usage *u = record(EV_USAGE, sizeof(*u), ts, AGENT, NULL, 0);

	u->sock_bytes[EV_WRITE] = n;
	feed(w, u);
}

/* A call has what its requests took: before it was known whose they are, and after. */
static void taken_by_a_request(void **state)
{
	struct world *w = *state;

	has_sent(w, 3 * MS, 0);
	model_asks(w, 5 * MS, "[" USE("toolu_1", "get", "{\"id\":\"a-long-one\"}") "]");
	bytes(w, 10 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_WRITE,
	      "PUT /of?a-long-one HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n");
	has_sent(w, 11 * MS, 100); /* half of it by the request, half by the call */
	bytes(w, 12 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_WRITE, "{}");
	has_sent(w, 13 * MS, 120);
	bytes(w, 14 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	has_sent(w, 15 * MS, 121);
	answers(w, 20 * MS, "toolu_1");
	end(w);
	is_under(request(w, "a-long-one"), told_tool(&w->told, "toolu_1"), "argument");
	assert_int_equal(span_attr_int(request(w, "a-long-one"), ATTR_ID_IO_SOCKET_WRITE, 0), 60);
	assert_int_equal(span_attr_int(told_tool(&w->told, "toolu_1"), ATTR_ID_IO_SOCKET_WRITE, 0),
			 121);
}

/* What is not over when the call is was the call's until then. */
static void taken_by_an_open_request(void **state)
{
	struct world *w = *state;

	has_sent(w, 3 * MS, 0);
	model_asks(w, 5 * MS, "[" USE("toolu_1", "get", "{\"id\":\"a-long-one\"}") "]");
	bytes(w, 10 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_WRITE,
	      "PUT /of?a-long-one HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n{}");
	has_sent(w, 13 * MS, 120);
	answers(w, 20 * MS, "toolu_1");
	has_sent(w, 21 * MS, 130);
	bytes(w, 24 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	end(w);
	assert_int_equal(span_attr_int(told_tool(&w->told, "toolu_1"), ATTR_ID_IO_SOCKET_WRITE, 0),
			 120);
	assert_int_equal(span_attr_int(request(w, "a-long-one"), ATTR_ID_IO_SOCKET_WRITE, 0), 70);
}

static void connects(struct world *w, uint64_t ts, uint64_t conn)
{
	struct ev_addr addr = { .family = AF_INET, .lport = 5000 + conn, .rport = 80 };
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), ts, AGENT, NULL, 0);
	struct ev_flow *f = flow(ts, AGENT, conn, EV_SRC_STREAM, 700 + conn);

	c->sock = 700 + conn;
	c->enter_ts = ts - MS;
	c->addr = f->addr = addr;
	f->proto = EV_PROTO_HTTP1;
	feed(w, c);
	feed(w, f);
}

/* A connection is the call's that it was made for; one that was there before is nobody's. */
static void connection_of_a_request(void **state)
{
	struct world *w = *state;

	connects(w, 4 * MS, WEB);
	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "fetch", "{\"url\":\"http://a.example/x\"}") "," USE(
			   "toolu_2", "fetch", "{\"url\":\"http://a.example/y\"}") "]");
	on_socket(w, 10 * MS, AGENT, WEB, EV_WRITE, "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
	connects(w, 12 * MS, WEB + 1);
	on_socket(w, 13 * MS, AGENT, WEB + 1, EV_WRITE,
		  "GET /y HTTP/1.1\r\nHost: a.example\r\n\r\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_CONNECT), 2);
	assert_null(span_attr(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_LINK));
	is_under(told_nth(&w->told, SPAN_CONNECT, 1), told_tool(&w->told, "toolu_2"), "argument");
	assert_int_equal(span_attr_int(told_tool(&w->told, "toolu_2"), ATTR_ID_WAIT_NETWORK, 0),
			 MS);
	assert_int_equal(span_attr_int(told_tool(&w->told, "toolu_1"), ATTR_ID_WAIT_NETWORK, 0), 0);
}

struct open {
	char id[HEX64], parent[HEX64];
	unsigned int cnt;
};

struct opens {
	struct open http, mcp;
};

static void on_open(void *ctx, const struct span *s)
{
	struct opens *all = ctx;
	struct open *o = s->what == SPAN_HTTP ? &all->http : s->what == SPAN_MCP ? &all->mcp : NULL;

	assert_true(json_true(span_attr(s, ATTR_ID_UNFINISHED)));
	if (!o)
		return;
	o->cnt++;
	memcpy(o->id, s->span_id, sizeof(o->id));
	memcpy(o->parent, s->parent_span_id, sizeof(o->parent));
	if (s->what == SPAN_HTTP)
		ASSERT_SV(span_attr_sv(s, ATTR_ID_URL_FULL), "https://a.example/x");
	else
		ASSERT_SV(s->name, "tools/call now");
}

/* What has no answer yet is shown where it will be, and no more when it is over. */
static void in_flight(void **state)
{
	struct world *w = *state;
	struct opens before = { 0 }, after = { 0 };
	const struct span *s;

	model_asks(w, 5 * MS,
		   "[" USE("toolu_1", "fetch", "{\"url\":\"https://a.example/x\"}") "," USE(
			   "toolu_2", "now", "{\"zone\":\"utc\"}") "]");
	pipe_end(w, 7 * MS, AGENT, 1, 501, 5);
	pipe_end(w, 7 * MS, AGENT, 2, 502, 6);
	on_pipe(w, 10 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
		"call\",\"params\":{\"name\":\"now\","
		"\"arguments\":{\"zone\":\"utc\"}}}\n");
	bytes(w, 11 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_WRITE,
	      "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
	trace_each_open(w->trace, on_open, &before);
	on_pipe(w, 12 * MS, AGENT, 2, EV_READ, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
	bytes(w, 13 * MS, AGENT, WEB, EV_SRC_OPENSSL, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	trace_each_open(w->trace, on_open, &after);
	end(w);
	assert_int_equal(before.http.cnt, 1);
	assert_int_equal(before.mcp.cnt, 1);
	assert_int_equal(after.http.cnt + after.mcp.cnt, 0);
	s = request(w, "a.example");
	assert_string_equal(before.http.id, s->span_id);
	assert_string_equal(before.http.parent, s->parent_span_id);
	s = named(w, SPAN_MCP, "tools/call now");
	assert_string_equal(before.mcp.id, s->span_id);
	assert_string_equal(before.mcp.parent, s->parent_span_id);
}

/* --- files */

/* A file of the same name elsewhere is another; git's patches name both sides. */
static void by_path(void **state)
{
	struct world *w = *state;
	static const char edit_a[] = USE("toolu_1", "edit", "{\"path\":\"a/notes.txt\"}");
	static const char edit_b[] = USE("toolu_2", "edit", "{\"path\":\"./b/notes.txt\"}");
	static const char patch[] =
		USE("toolu_3", "patch", "{\"text\":\"--- a/src/main.c\\n+++ b/src/main.c\\n@@\"}");
	static const char edit_any[] = USE("toolu_4", "edit", "{\"path\":\"notes.txt\"}");
	char calls[512];

	snprintf(calls, sizeof(calls), "[%s,%s,%s,%s]", edit_a, edit_b, edit_any, patch);
	model_asks(w, 5 * MS, calls);
	feed(w, record_file(10 * MS, AGENT, EV_FILE_REMOVE, "/w/b/notes.txt", NULL));
	feed(w, record_file(11 * MS, AGENT, EV_FILE_REMOVE, "/w/a/notes.txt", NULL));
	feed(w, record_file(12 * MS, AGENT, EV_FILE_REMOVE, "/w/c/notes.txt", NULL));
	feed(w, record_file(13 * MS, AGENT, EV_FILE_REMOVE, "/w/src/main.c", NULL));
	feed(w, record_file(13 * MS, AGENT, EV_FILE_REMOVE, "/w/src/notes.md", NULL));
	feed(w, record_file(14 * MS, AGENT, EV_FILE_RENAME, "/w/a/notes.txt", "/w/old"));
	ends(w, 20 * MS, AGENT);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_FILE), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct span *s = told_nth(&w->told, SPAN_FILE, i);
		struct sv path = span_attr_sv(s, ATTR_ID_FILE_PATH);

		if (sv_is(path, "/w/b/notes.txt"))
			is_under(s, told_tool(&w->told, "toolu_2"), "argument");
		else if (sv_is(path, "/w/src/main.c"))
			is_under(s, told_tool(&w->told, "toolu_3"), "argument");
		else if (sv_is(path, "/w/c/notes.txt"))
			is_under(s, told_tool(&w->told, "toolu_4"), "argument");
		else if (sv_is(path, "/w/src/notes.md"))
			assert_null(span_attr(s, ATTR_ID_LINK));
		else /* removed and then renamed: it was there again */
			is_under(s, told_tool(&w->told, "toolu_1"), "argument");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_one_tool),
		TEST(of_alike),
		TEST(of_masked),
		TEST(of_two_letters),
		TEST(of_the_same),
		TEST(of_an_inner_agent),
		TEST(of_two_agents),
		TEST(behind_a_call),
		TEST(before_a_call),
		TEST(by_request),
		TEST(request_by_time),
		TEST(taken_by_a_request),
		TEST(taken_by_an_open_request),
		TEST(by_path),
		TEST(in_flight),
		TEST(connection_of_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
