// SPDX-License-Identifier: BSD-2-Clause
/* The trace that a request names, and both ends of a connection. */
#include <sys/socket.h>
#include "rpc_test.h"
#include "sem/context.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "00-" TRACE "-b7ad6b7169203331-01"

static void parents(void **state)
{
	static const char *const good[] = {
		PARENT,
		" " PARENT " ",
		"00-" TRACE "-b7ad6b7169203331-00",
		"cc-" TRACE "-b7ad6b7169203331-01",
		"cc-" TRACE "-b7ad6b7169203331-01-what the future brings",
	};
	static const char *const bad[] = {
		"",
		"00-" TRACE "-b7ad6b7169203331-0",
		"00-" TRACE "-b7ad6b7169203331-01-more",
		"00-" TRACE "-b7ad6b7169203331-01.",
		"cc-" TRACE "-b7ad6b7169203331-01.",
		"ff-" TRACE "-b7ad6b7169203331-01",
		"0g-" TRACE "-b7ad6b7169203331-01",
		"00_" TRACE "-b7ad6b7169203331-01",
		"00-" TRACE "-b7ad6b7169203331-0x",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-" TRACE "-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
	};
	char trace_id[HEX128], span_id[HEX64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(sem_traceparent(sv(good[i]), trace_id, span_id));
		assert_string_equal(trace_id, TRACE);
		assert_string_equal(span_id, "b7ad6b7169203331");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(sem_traceparent(sv(bad[i]), trace_id, span_id));
}

static void is_link(const struct span *s, const char *trace_id, const char *span_id,
		    const char *relation)
{
	const struct json *link = json_at(s->links, 0);

	assert_int_equal(s->links->cnt, 1);
	assert_true(json_str_is(json_get(link, "trace_id"), trace_id));
	assert_true(json_str_is(json_get(link, "span_id"), span_id));
	assert_true(
		json_str_is(json_get(json_get(link, "attributes"), "ringspan.relation"), relation));
}

/* A connection to 127.0.0.1:8000, or its other end. */
static void http_flow(struct world *w, uint32_t tgid, uint64_t conn, uint16_t port, bool server)
{
	struct ev_flow *f = flow(3 * MS, tgid, conn, EV_SRC_STREAM, 800 + conn);

	f->proto = EV_PROTO_HTTP1;
	f->addr.family = AF_INET;
	f->addr.lport = server ? 8000 : port;
	f->addr.rport = server ? port : 8000;
	feed(w, f);
}

#define ASK(fields, body) "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n" fields body
#define MODEL_BODY "Content-Length: 28\r\n\r\n{\"model\":\"c\",\"messages\":[]}\n"
#define OK                                                       \
	"HTTP/1.1 200 OK\r\nContent-Length: "                    \
	"66\r\n\r\n{\"id\":\"m\",\"type\":\"message\",\"role\":" \
	"\"assistant\",\"content\":[]}         \n"

static void named_by_a_header(void **state)
{
	struct world *w = *state;

	http_flow(w, AGENT, 1, 5000, false);
	on_socket(w, 5 * MS, AGENT, 1, EV_WRITE,
		  ASK("traceparent: " PARENT "\r\ntracestate: a=b\r\n", MODEL_BODY));
	on_socket(w, 6 * MS, AGENT, 1, EV_READ, OK);
	on_socket(w, 7 * MS, AGENT, 1, EV_WRITE,
		  "GET /x HTTP/1.1\r\nHost: h\r\ntraceparent: nonsense\r\n\r\n");
	on_socket(w, 8 * MS, AGENT, 1, EV_READ, "HTTP/1.1 204 N\r\n\r\n");
	end(w);
	is_link(told_nth(&w->told, SPAN_MODEL_CALL, 0), TRACE, "b7ad6b7169203331", "continues");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_TRACE_PARENT),
		  PARENT);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_TRACE_STATE), "a=b");
	is_link(told_nth(&w->told, SPAN_RUN, 0), TRACE, "b7ad6b7169203331", "continues");
	assert_int_equal(told_nth(&w->told, SPAN_HTTP, 0)->links->cnt, 0);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_HTTP, 0), ATTR_ID_TRACE_PARENT), "nonsense");
}

static void named_by_meta(void **state)
{
	struct world *w = *state;

	pipe_end(w, 3 * MS, AGENT, 1, 501, 5);
	on_pipe(w, 4 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"t\",\"_meta\":{\"traceparent\":\"" PARENT "\"}}}\n");
	end(w);
	is_link(told_nth(&w->told, SPAN_MCP, 0), TRACE, "b7ad6b7169203331", "continues");
	is_link(told_nth(&w->told, SPAN_RUN, 0), TRACE, "b7ad6b7169203331", "continues");
}

/* One request, whose records of both ends come in that order: c(lient) or s(erver), asks or answers. */
static void both_ends(struct world *w, const char *order, const char *ask)
{
	uint64_t ts = 10 * MS;

	for (; *order; order += 2, ts += MS) {
		bool client = order[0] == 'c', asks = order[1] == '?';

		on_socket(w, ts, client ? AGENT : SERVER, client ? 1 : 2,
			  client == asks ? EV_WRITE : EV_READ, asks ? ask : OK);
	}
}

static const char *const orders[] = { "c?s?s!c!", "s?c?s!c!", "c?s?c!s!", "s?c?c!s!" };

static void in_one_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(orders); i++) {
		bool model = i % 2;
		const struct span *client = NULL, *server = NULL;
		struct world *w;
		void *own = NULL;

		assert_int_equal(setup(&own), 0);
		w = own;
		run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
		http_flow(w, AGENT, 1, 5000, false);
		http_flow(w, SERVER, 2, 5000, true);
		both_ends(w, orders[i / 2],
			  model ? ASK("", MODEL_BODY) : "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
		end(w);
		assert_int_equal(told_count(&w->told, SPAN_HTTP), model ? 1 : 2);
		for (size_t n = 0; n < told_count(&w->told, SPAN_HTTP); n++)
			if (told_nth(&w->told, SPAN_HTTP, n)->kind == SPAN_KIND_SERVER)
				server = told_nth(&w->told, SPAN_HTTP, n);
			else
				client = told_nth(&w->told, SPAN_HTTP, n);
		if (model)
			client = told_nth(&w->told, SPAN_MODEL_CALL, 0);
		assert_non_null(client);
		assert_non_null(server);
		assert_string_equal(server->parent_span_id, client->span_id);
		ASSERT_SV(span_attr_sv(server, ATTR_ID_LINK), "exact");
		assert_int_equal(span_attr_int(client, ATTR_ID_RPC_PEER_PID, 0), SERVER);
		assert_int_equal(client->links->cnt, 0);
		teardown(&own);
	}
}

static void in_two_runs(void **state)
{
	struct world *w = *state;
	const struct span *a, *b, *client, *server;

	feed(w, record_run(3 * MS, SERVER));
	run_program(w, 3 * MS, SERVER, 1, "/bin/server");
	http_flow(w, AGENT, 1, 5000, false);
	http_flow(w, SERVER, 2, 5000, true);
	both_ends(w, orders[0], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	end(w);
	a = told_nth(&w->told, SPAN_HTTP, 0);
	b = told_nth(&w->told, SPAN_HTTP, 1);
	client = a->kind == SPAN_KIND_CLIENT ? a : b;
	server = client == a ? b : a;
	assert_string_not_equal(client->trace_id, server->trace_id);
	is_link(client, server->trace_id, server->span_id, "server");
	is_link(server, client->trace_id, client->span_id, "client");
}

/* Two requests of the same connection, and another connection that asks the same. */
static void each_its_own(void **state)
{
	static const char ask[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
	struct world *w = *state;
	size_t tied = 0;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	http_flow(w, AGENT, 1, 5000, false);
	http_flow(w, AGENT, 3, 5001, false); /* its server is not traced */
	http_flow(w, SERVER, 2, 5000, true);
	on_socket(w, 9 * MS, AGENT, 3, EV_WRITE, ask);
	both_ends(w, orders[0], ask);
	both_ends(w, orders[1], ask);
	on_socket(w, 30 * MS, AGENT, 3, EV_READ, OK);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct span *s = told_nth(&w->told, SPAN_HTTP, i);

		if (s->kind == SPAN_KIND_SERVER) {
			assert_non_null(span_attr(s, ATTR_ID_LINK));
			for (size_t j = 0; j < 5; j++)
				tied += !strcmp(told_nth(&w->told, SPAN_HTTP, j)->span_id,
						s->parent_span_id);
		} else {
			assert_int_equal(span_attr_int(s, ATTR_ID_RPC_PEER_PID, 0),
					 span_attr_int(s, ATTR_ID_CONNECTION, 0) == 3 ? 0 : SERVER);
		}
	}
	assert_int_equal(tied, 2);
}

/* --- what a server asks for the requests that it answers */

#define IN_TRACE(n, span) \
	"traceparent: 00-0af7651916cd43dd8448eb211c8031" n "-b7ad6b716920333" span "-01\r\n"

/* The server is asked on connection 10 + n. */
static void is_asked(struct world *w, uint64_t ts, unsigned int n, const char *fields)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	http_flow(w, SERVER, 10 + n, 5000 + n, true);
	buf_fmt(&b, "GET /%u HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n%s\r\n", n, fields);
	on_socket(w, ts, SERVER, 10 + n, EV_READ, buf_cstr(&b));
}

static void answers_to(struct world *w, uint64_t ts, unsigned int n)
{
	on_socket(w, ts, SERVER, 10 + n, EV_WRITE, OK);
}

/* It asks the model something on connection 20 + n. */
static void asks_model(struct world *w, uint64_t ts, unsigned int n, const char *fields,
		       const char *history)
{
	static const char answer[] = "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\","
				     "\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}";
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body, "{\"model\":\"c\",\"messages\":[%s]}", history);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n%s"
		"Content-Length: %zu\r\n\r\n%s",
		fields, body.len, buf_cstr(&body));
	bytes(w, ts, SERVER, 20 + n, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	buf_clear(&b);
	buf_fmt(&b, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", sizeof(answer) - 1, answer);
	bytes(w, ts, SERVER, 20 + n, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

#define SAID(text) "{\"role\":\"user\",\"content\":\"" text "\"}"

static const struct span *server_span(const struct world *w, const char *url)
{
	for (size_t i = 0; i < told_count(&w->told, SPAN_HTTP); i++) {
		const struct span *s = told_nth(&w->told, SPAN_HTTP, i);

		if (s->kind == SPAN_KIND_SERVER && sv_has(span_attr_sv(s, ATTR_ID_URL_FULL), url))
			return s;
	}
	fail_msg("no request of %s", url);
	return NULL;
}

/* The agent whose first turn that was. */
static const struct span *agent_asked(const struct world *w, const char *text)
{
	for (size_t i = 0; i < told_count(&w->told, SPAN_TURN); i++) {
		const struct span *s = told_nth(&w->told, SPAN_TURN, i);
		struct sv said = json_sv(
			json_path(span_attr(s, ATTR_ID_INPUT_MESSAGES), "0.parts.0.content"));

		for (size_t k = 0; sv_is(said, text) && k < told_count(&w->told, SPAN_AGENT); k++)
			if (strcmp(told_nth(&w->told, SPAN_AGENT, k)->span_id, s->parent_span_id) ==
			    0)
				return told_nth(&w->told, SPAN_AGENT, k);
	}
	fail_msg("nobody was asked %s", text);
	return NULL;
}

static void hangs_under(const struct span *s, const struct span *parent, const char *link)
{
	assert_string_equal(s->parent_span_id, parent->span_id);
	if (link)
		ASSERT_SV(span_attr_sv(s, ATTR_ID_LINK), link);
	else
		assert_null(span_attr(s, ATTR_ID_LINK));
}

/* Of three at once; two in one trace, which name different spans. */
static void served_by_trace(void **state)
{
	struct world *w = *state;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	is_asked(w, 10 * MS, 1, IN_TRACE("11", "1"));
	is_asked(w, 11 * MS, 2, IN_TRACE("22", "1"));
	is_asked(w, 12 * MS, 3, IN_TRACE("22", "2"));
	asks_model(w, 14 * MS, 3, IN_TRACE("22", "2"), SAID("three"));
	asks_model(w, 15 * MS, 1, IN_TRACE("11", "9"), SAID("one"));
	asks_model(w, 16 * MS, 4, IN_TRACE("22", "9"), SAID("one of two"));
	asks_model(w, 17 * MS, 5, "", SAID("any"));
	for (unsigned int n = 1; n <= 3; n++)
		answers_to(w, (20 + n) * MS, n);
	end(w);
	hangs_under(agent_asked(w, "three"), server_span(w, "/3"), "exact");
	hangs_under(agent_asked(w, "one"), server_span(w, "/1"), "exact");
	hangs_under(agent_asked(w, "one of two"), told_process(&w->told, SERVER), NULL);
	hangs_under(agent_asked(w, "any"), told_process(&w->told, SERVER), NULL);
}

/* While it answers one; before and behind it, it asks for nobody. */
static void served_by_time(void **state)
{
	struct world *w = *state;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	asks_model(w, 5 * MS, 1, "", SAID("before"));
	is_asked(w, 10 * MS, 1, "");
	asks_model(w, 12 * MS, 2, "", SAID("within"));
	answers_to(w, 14 * MS, 1);
	asks_model(w, 16 * MS, 3, "", SAID("behind"));
	end(w);
	hangs_under(agent_asked(w, "within"), server_span(w, "/1"), "time");
	hangs_under(agent_asked(w, "before"), told_process(&w->told, SERVER), NULL);
	hangs_under(agent_asked(w, "behind"), told_process(&w->told, SERVER), NULL);
}

/* A conversation that goes on with the next request stays where it began, and its turn links to that. */
static void served_turn_by_turn(void **state)
{
	struct world *w = *state;
	const struct span *second;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	is_asked(w, 10 * MS, 1, "");
	asks_model(w, 12 * MS, 2, "", SAID("hi"));
	answers_to(w, 14 * MS, 1);
	is_asked(w, 20 * MS, 2, "");
	asks_model(w, 22 * MS, 2, "",
		   SAID("hi") ",{\"role\":\"assistant\",\"content\":\"x\"}," SAID("more"));
	answers_to(w, 24 * MS, 2);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	hangs_under(told_nth(&w->told, SPAN_AGENT, 0), server_span(w, "/1"), "time");
	assert_int_equal(told_nth(&w->told, SPAN_TURN, 0)->links->cnt, 0);
	second = told_nth(&w->told, SPAN_TURN, 1);
	is_link(second, second->trace_id, server_span(w, "/2")->span_id, "request");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents),    TEST(named_by_a_header), TEST(named_by_meta),
		cmocka_unit_test(in_one_run), TEST(in_two_runs),       TEST(each_its_own),
		TEST(served_by_trace),        TEST(served_by_time),    TEST(served_turn_by_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
