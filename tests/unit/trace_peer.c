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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents),    TEST(named_by_a_header), TEST(named_by_meta),
		cmocka_unit_test(in_one_run), TEST(in_two_runs),       TEST(each_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
