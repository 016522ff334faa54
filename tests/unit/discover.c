// SPDX-License-Identifier: BSD-2-Clause
/* Which processes are taken for agents, what comes through of them, and that nothing does of others. */
#include "../fixture.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/str.h"
#include "span/discover.h"

#include <stdio.h>

#define MS 1000000ull
#define MODEL "{\"model\":\"m-1\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define MCP                                                                                        \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
	"\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n"
#define PRIVATE "nobody's business"

enum { INIT = 1, SHELL = 10, AGENT, TOOL, CLIENT, SERVER, OTHER };

struct world {
	struct discover *d;
	struct ev_hdr *recs[512];
	size_t cnt;
	uint32_t found[16];
	size_t found_cnt;
	uint64_t pos[64][2];
};

static int on_pass(void *ctx, const struct ev_hdr *rec)
{
	struct world *w = ctx;
	struct ev_hdr *copy = malloc(rec->size);

	assert_non_null(copy);
	assert_true(w->cnt < ARRAY_SIZE(w->recs));
	memcpy(copy, rec, rec->size);
	assert_int_equal(event_check(copy, copy->size), 0);
	assert_int_equal((uintptr_t)rec % 8, 0);
	w->recs[w->cnt++] = copy;
	return 0;
}

static void on_found(void *ctx, uint32_t tgid, uint64_t start)
{
	struct world *w = ctx;

	assert_int_equal(start, tgid * 1000);
	w->found[w->found_cnt++] = tgid;
}

static const struct discover_ops ops = { .pass = on_pass, .found = on_found };

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	return w ? discover_new(&w->d, &ops, w) : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	discover_free(&w->d);
	for (size_t i = 0; i < w->cnt; i++)
		free(w->recs[i]);
	free(w);
	return 0;
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(discover_feed(w->d, rec), 0);
	free(rec);
}

/* Found running. */
static void found_running(struct world *w, uint32_t tgid, uint32_t parent)
{
	struct ev_exec *e = record_exec(MS, tgid, parent, "/bin/x", "x", 2);

	e->hdr.kind = EV_PROC;
	feed(w, e);
}

static void started(struct world *w, uint64_t ts, uint32_t tgid, uint32_t parent)
{
	feed(w, record_fork(ts, parent, tgid));
	feed(w, record_exec(ts + 1, tgid, parent, "/bin/x", "x", 2));
}

static void moves(struct world *w, uint32_t tgid, uint64_t conn, int dir, const char *text)
{
	size_t n = strlen(text);

	feed(w, record_data(10 * MS, tgid, conn, dir, w->pos[conn][dir], text, n));
	w->pos[conn][dir] += n;
}

static void asks(struct world *w, uint32_t tgid, uint64_t conn, int dir, const char *path,
		 const char *body)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "POST %s HTTP/1.1\r\nHost: gateway.local\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 path, strlen(body), body);
	moves(w, tgid, conn, dir, text);
}

static void pipe_of(struct world *w, uint32_t tgid, uint64_t conn)
{
	struct ev_flow *f = record(EV_FLOW, sizeof(*f), 5 * MS, tgid, NULL, 0);

	f->conn = conn;
	f->file = 500 + conn;
	f->src = EV_SRC_PIPE;
	f->proto = EV_PROTO_JSONRPC;
	feed(w, f);
}

static size_t count(const struct world *w, uint32_t tgid, int kind)
{
	size_t n = 0;

	for (size_t i = 0; i < w->cnt; i++)
		n += w->recs[i]->tgid == tgid && (!kind || w->recs[i]->kind == kind);
	return n;
}

static void nothing_private(const struct world *w)
{
	for (size_t i = 0; i < w->cnt; i++)
		assert_null(memmem(w->recs[i], w->recs[i]->size, PRIVATE, strlen(PRIVATE)));
}

static void hang(struct world *w)
{
	found_running(w, SHELL, INIT);
	found_running(w, AGENT, SHELL);
	found_running(w, CLIENT, SHELL);
	found_running(w, OTHER, SHELL);
	started(w, 2 * MS, TOOL, AGENT);
	started(w, 3 * MS, SERVER, CLIENT);
}

static void two_of_six(void **state)
{
	struct world *w = *state;
	struct discover_totals t;

	hang(w);
	asks(w, OTHER, 1, EV_WRITE, "/upload", "{\"model\":\"" PRIVATE "\"}");
	asks(w, SHELL, 2, EV_READ, "/v1/messages", MODEL); /* it is the one who is asked */
	moves(w, SHELL, 2, EV_WRITE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	assert_int_equal(w->cnt, 0);
	asks(w, AGENT, 3, EV_WRITE, "/v1/chat/completions", MODEL);
	pipe_of(w, CLIENT, 4);
	pipe_of(w, SERVER, 5);
	moves(w, CLIENT, 4, EV_WRITE, MCP);
	moves(w, SERVER, 5, EV_READ, MCP);
	moves(w, AGENT, 3, EV_READ, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	moves(w, OTHER, 1, EV_READ, PRIVATE);
	discover_totals(w->d, &t);
	assert_int_equal(t.agents, 2);
	assert_int_equal(t.processes, 6);
	assert_int_equal(t.given_up, 0);
	assert_int_equal(count(w, AGENT, EV_RUN) + count(w, CLIENT, EV_RUN), 2);
	assert_int_equal(w->recs[0]->kind, EV_RUN);
	assert_int_equal(w->recs[0]->tgid, AGENT);
	assert_int_equal(w->recs[0]->ts, MS); /* since it is known */
	assert_int_equal(w->recs[1]->kind, EV_PROC);
	assert_int_equal(count(w, AGENT, EV_DATA), 2); /* what was held, and what came later */
	assert_int_equal(count(w, AGENT, EV_FORK), 1);
	assert_int_equal(count(w, TOOL, EV_EXEC), 1);
	assert_int_equal(count(w, CLIENT, EV_DATA), 1);
	assert_int_equal(count(w, SERVER, EV_DATA), 1);
	assert_int_equal(count(w, SERVER, EV_RUN), 0);
	assert_int_equal(count(w, SHELL, 0) + count(w, OTHER, 0), 0);
	assert_int_equal(w->found_cnt, 4);
	nothing_private(w);
}

static void what_an_agent_starts(void **state)
{
	struct world *w = *state;

	hang(w);
	asks(w, AGENT, 3, EV_WRITE, "/v1/chat/completions", MODEL);
	started(w, 20 * MS, 30, AGENT);
	started(w, 21 * MS, 31, 30);
	started(w, 21 * MS, 32, OTHER);
	feed(w, record_exit(22 * MS, 31, 0));
	feed(w, record_exit(23 * MS, OTHER, 0));
	feed(w, record_exit(24 * MS, AGENT, 0));
	started(w, 25 * MS, 33, 30); /* what it left behind */
	assert_int_equal(count(w, 30, EV_EXEC), 1);
	assert_int_equal(count(w, 31, EV_EXIT), 1);
	assert_int_equal(count(w, 33, EV_EXEC), 1);
	assert_int_equal(count(w, AGENT, EV_EXIT), 1);
	assert_int_equal(count(w, 32, 0) + count(w, OTHER, 0), 0);
	assert_int_equal(count(w, AGENT, EV_RUN), 1);
}

/* What ringspan reads of a process may be told before its fork. */
static void what_comes_before_its_fork(void **state)
{
	struct world *w = *state;

	hang(w);
	asks(w, AGENT, 3, EV_WRITE, "/v1/chat/completions", MODEL);
	feed(w, record(EV_USAGE, sizeof(struct ev_usage), 20 * MS, 30, NULL, 0));
	started(w, 20 * MS + 1, 30, AGENT);
	assert_int_equal(count(w, 30, EV_USAGE), 1);
	assert_int_equal(count(w, AGENT, EV_FORK), 2);
	assert_int_equal(w->recs[w->cnt - 3]->kind, EV_FORK);
	assert_int_equal(w->recs[w->cnt - 2]->kind, EV_USAGE);
	assert_int_equal(w->recs[w->cnt - 1]->kind, EV_EXEC);
}

/* A process that is an agent already keeps its run when the one above it turns out to be one. */
static void agent_below_agent(void **state)
{
	struct world *w = *state;

	hang(w);
	asks(w, TOOL, 3, EV_WRITE, "/v1/chat/completions", MODEL);
	asks(w, AGENT, 4, EV_WRITE, "/v1/chat/completions", MODEL);
	assert_int_equal(count(w, TOOL, EV_RUN), 1);
	assert_int_equal(count(w, AGENT, EV_RUN), 1);
	assert_int_equal(count(w, AGENT, EV_FORK), 0);
}

static void what_is_no_evidence(void **state)
{
	struct world *w = *state;

	hang(w);
	asks(w, AGENT, 1, EV_WRITE, "/v1/chat/completions", "{\"text\":\"no model is named\"}");
	asks(w, AGENT, 2, EV_WRITE, "/rpc",
	     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\"}");
	moves(w, AGENT, 3, EV_WRITE, "GET /v1/models HTTP/1.1\r\nHost: localhost:11434\r\n\r\n");
	pipe_of(w, SERVER, 5);
	moves(w, SERVER, 5, EV_WRITE, /* what an MCP server asks its client */
	      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/"
	      "createMessage\",\"params\":{}}\n");
	pipe_of(w, OTHER, 6);
	moves(w, OTHER, 6, EV_WRITE,
	      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"textDocument/hover\",\"params\":{}}\n");
	assert_int_equal(w->cnt, 0);
}

/* The kernel side copies no more than the first bytes: what is there of the body has to do. */
static void request_that_is_cut(void **state)
{
	const char head[] =
		"POST /v1/messages HTTP/1.1\r\nHost: gateway.local\r\n"
		"Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
		"{\"model\":\"m-1\",\"messages\":[{\"role\":\"user\",\"content\":\"aaaa";
	struct world *w = *state;
	struct ev_data *e = record_data(10 * MS, AGENT, 3, EV_WRITE, 0, head, sizeof(head) - 1);

	hang(w);
	e->missing = 900000;
	feed(w, e);
	assert_int_equal(count(w, AGENT, EV_RUN), 1);
}

static void host_alone(void **state)
{
	struct world *w = *state;

	hang(w);
	moves(w, AGENT, 3, EV_WRITE, "GET /v1/me HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n");
	assert_int_equal(count(w, AGENT, EV_RUN), 1);
	moves(w, CLIENT, 4, EV_WRITE,
	      "GET /v1/realtime?model=m HTTP/1.1\r\nHost: gateway.local\r\nUpgrade: websocket\r\n"
	      "Connection: Upgrade\r\n\r\n");
	assert_int_equal(count(w, CLIENT, EV_RUN), 1);
}

/* What is known of a process's control groups is its parent's, unless it is told of itself. */
static void control_groups(void **state)
{
	static const char text[] = "0::/docker/x\n";
	struct world *w = *state;
	struct ev_cgroup *c = record(EV_CGROUP, sizeof(*c), MS, SHELL, text, sizeof(text) - 1);

	c->len = sizeof(text) - 1;
	found_running(w, SHELL, INIT);
	feed(w, c);
	hang(w);
	asks(w, AGENT, 3, EV_WRITE, "/v1/messages", MODEL);
	assert_int_equal(count(w, AGENT, EV_CGROUP), 1);
	assert_int_equal(count(w, SHELL, EV_CGROUP), 0);
}

/* What is held of a connection is forgotten with it, and a new program begins anew. */
static void forgotten(void **state)
{
	struct world *w = *state;
	struct ev_close *c = record(EV_CLOSE, sizeof(*c), 11 * MS, AGENT, NULL, 0);

	hang(w);
	asks(w, AGENT, 1, EV_WRITE, "/first", PRIVATE);
	asks(w, AGENT, 2, EV_WRITE, "/second", "kept");
	c->conn = 1;
	feed(w, c);
	asks(w, AGENT, 3, EV_WRITE, "/v1/messages", MODEL);
	assert_int_equal(count(w, AGENT, EV_DATA), 2);
	nothing_private(w);
	asks(w, CLIENT, 4, EV_WRITE, "/before", PRIVATE);
	feed(w, record_exec(12 * MS, CLIENT, SHELL, "/bin/y", "y", 2));
	asks(w, CLIENT, 5, EV_WRITE, "/v1/messages", MODEL);
	assert_int_equal(count(w, CLIENT, EV_DATA), 1);
	nothing_private(w);
}

static void bounded(void **state)
{
	static char big[EV_CHUNK_MAX];
	struct world *w = *state;
	struct discover_totals t;
	uint64_t pos = 0;

	memset(big, 'x', sizeof(big));
	hang(w);
	for (size_t sum = 0; sum < 2 * LIMIT_DISCOVER_PROC; sum += sizeof(big)) {
		feed(w, record_data(10 * MS, OTHER, 1, EV_WRITE, pos, big, sizeof(big)));
		pos += sizeof(big);
	}
	discover_totals(w->d, &t);
	assert_int_equal(t.given_up, 1);
	asks(w, OTHER, 2, EV_WRITE, "/v1/messages", MODEL); /* it is found all the same */
	assert_int_equal(count(w, OTHER, EV_RUN), 1);
	assert_in_range(count(w, OTHER, EV_DATA), 1, LIMIT_DISCOVER_PROC / sizeof(big) + 1);
}

/* ClientHello, RFC 8446 4.1.2, with nothing but a server's name. */
static void hello(struct world *w, uint32_t tgid, uint64_t sock, const char *name)
{
	unsigned char h[256] = { 22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3 };
	size_t n = strlen(name), at = 9 + 2 + 32;
	struct ev_flow *f;

	memcpy(h + at, (unsigned char[]){ 0, 0, 2, 0x13, 1, 1, 0 }, 7);
	at += 7;
	memcpy(h + at, (unsigned char[]){ 0, n + 9, 0, 0, 0, n + 5, 0, n + 3, 0, 0, n }, 11);
	at += 11;
	for (size_t i = 0; i < n; i++)
		h[at++] = name[i];
	h[4] = at - 5;
	h[8] = at - 9;
	f = record(EV_FLOW, sizeof(*f), 5 * MS, tgid, h, at);
	f->conn = sock;
	f->file = sock;
	f->src = EV_SRC_STREAM;
	f->proto = EV_PROTO_TLS;
	f->len = at;
	feed(w, f);
}

static void hellos(void **state)
{
	struct world *w = *state;
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), 4 * MS, AGENT, NULL, 0);

	hang(w);
	c->sock = 20;
	feed(w, c);
	hello(w, AGENT, 20, "www.example.org");
	hello(w, OTHER, 21, "api.anthropic.com"); /* that somebody else began */
	assert_int_equal(w->cnt, 0);
	hello(w, AGENT, 20, "api.anthropic.com");
	assert_int_equal(count(w, AGENT, EV_RUN), 1);
	assert_int_equal(count(w, AGENT, EV_CONNECT), 1);
	assert_int_equal(count(w, OTHER, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_of_six, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_before_its_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(what_an_agent_starts, setup, teardown),
		cmocka_unit_test_setup_teardown(agent_below_agent, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_evidence, setup, teardown),
		cmocka_unit_test_setup_teardown(request_that_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(host_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(control_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(hellos, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
