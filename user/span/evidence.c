// SPDX-License-Identifier: BSD-2-Clause
/* What tells an agent: see evidence.h. */
#include "span/evidence.h"

#include <errno.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "proto/jsonrpc.h"
#include "proto/tls_hello.h"
#include "sem/rpc.h"
#include "span/engine.h"

#define SNIFF_MAX 64 /* bytes that tell the protocol */

struct evidence {
	const struct conn *conn;
	struct http1 *http1;
	struct http2 *http2;
	struct jsonrpc *rpc;
	struct buf first; /* what was written while the protocol was not known */
	bool nothing;     /* it is none of these */
	bool found;
};

/* A request whose body is to tell. */
struct asked {
	struct sem_call *call; /* NULL: no model API claims its path */
	struct buf body;
};

static void asked_free(struct http_msg *m)
{
	struct asked *a = m->user;

	m->user = NULL;
	if (!a)
		return;
	sem_call_free(&a->call);
	buf_fini(&a->body);
	free(a);
}

/* --- MCP and A2A */

struct rpc_ctx {
	struct evidence *evidence;
	const struct http_msg *head; /* NULL: no HTTP */
};

static void on_rpc(void *ctx, const struct jsonrpc_msg *m)
{
	const struct rpc_ctx *c = ctx;
	const struct rpc_ops *ops = rpc_claim(m, c->head);
	struct rpc_facts f;

	if (!ops || m->kind != JSONRPC_REQUEST)
		return;
	rpc_facts_init(&f);
	rpc_request(ops, &f, m);
	c->evidence->found |= !f.comes_back; /* else it is the server that asks */
	rpc_facts_fini(&f);
}

static void on_line(void *ctx, const struct jsonrpc_msg *m)
{
	struct rpc_ctx c = { .evidence = ctx };

	on_rpc(&c, m);
}

/* --- HTTP */

static bool is_websocket(const struct http_msg *m, struct sem_route route)
{
	const struct sem_ops *ops;

	if (!sv_ieq(http_field_get(m, "upgrade"), "websocket"))
		return false;
	route.method = SV("POST"); /* as if it were a request: what is said there is one */
	route.websocket = true;
	ops = sem_find(&route);
	return ops && ops->live;
}

static void on_head(void *ctx, struct http_msg *m)
{
	struct evidence *e = ctx;
	struct sem_route route;
	struct asked *a;
	bool known;

	if (m->dir != HTTP_REQUEST || e->found)
		return;
	exchange_route(&route, &m->arena, m);
	known = sem_provider(route.host).n; /* a name tells, a port does not */
	e->found = is_websocket(m, route) || (known && e->conn->src < EV_SRC_FLOW);
	a = e->found ? NULL : calloc(1, sizeof(*a));
	if (!a)
		return;
	m->user = a;
	sem_call_new(&a->call, &route); /* -ENOENT: no model API */
	e->found = known && a->call && a->call->operation;
	a->body.max = LIMIT_DISCOVER_BODY;
}

static void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct asked *a = m->user;

	(void)ctx;
	(void)ts;
	if (a)
		buf_sv(&a->body, sv_sub(bytes, 0, a->body.max - a->body.len));
}

/* The body is whole, or no more of it will come. */
static void decide(struct evidence *e, struct http_msg *m, bool cut)
{
	const struct jsonrpc_text text = { buf_view(&((struct asked *)m->user)->body), m->ts_first,
					   m->ts_last, cut };
	struct rpc_ctx c = { .evidence = e, .head = m };
	struct asked *a = m->user;

	if (a->call) {
		sem_request(a->call, text.text, cut);
		e->found |= a->call->operation && (a->call->confirmed || a->call->request_model.n);
	} else if (sv_is(m->method, "POST")) {
		jsonrpc_read(&text, on_rpc, &c);
	}
	asked_free(m);
}

static void on_hole(void *ctx, struct http_msg *m, uint64_t n)
{
	(void)n;
	if (m->user)
		decide(ctx, m, true);
}

static void on_done(void *ctx, struct http_msg *m)
{
	struct asked *a = m->user;

	if (a)
		decide(ctx, m, !(m->flags & HTTP_COMPLETE) || a->body.len == a->body.max);
}

static const struct http_ops http_ops = {
	.head = on_head,
	.body = on_body,
	.hole = on_hole,
	.done = on_done,
};

/* --- a connection */

int evidence_new(struct evidence **out, const struct conn *c)
{
	struct evidence *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->conn = c;
	*out = e;
	return 0;
}

void evidence_free(struct evidence **ep)
{
	struct evidence *e = *ep;

	if (!e)
		return;
	if (e->http1)
		http1_end(e->http1, 0); /* open messages hold memory of ours */
	if (e->http2)
		http2_end(e->http2);
	http1_free(&e->http1);
	http2_free(&e->http2);
	jsonrpc_free(&e->rpc);
	buf_fini(&e->first);
	free(e);
	*ep = NULL;
}

/* The protocol of what was written so far; more: further bytes may tell. */
static void find_protocol(struct evidence *e, bool more)
{
	struct sv first = buf_view(&e->first);
	int one = http1_detect(HTTP_REQUEST, first), two = http2_detect(HTTP_REQUEST, first);

	if (e->conn->proto == EV_PROTO_JSONRPC)
		e->nothing = jsonrpc_new(&e->rpc, on_line, e);
	else if ((one < 0 || two < 0) && more && first.n < SNIFF_MAX)
		return;
	else if (two > one)
		e->nothing = http2_new(&e->http2, &http_ops, e);
	else if (one > 0)
		e->nothing = http1_new(&e->http1, &http_ops, e);
	else
		e->nothing = true;
}

static void feed(struct evidence *e, uint64_t ts, struct sv bytes)
{
	if (e->rpc)
		jsonrpc_feed(e->rpc, ts, bytes);
	else if (e->http2)
		http2_feed(e->http2, HTTP_REQUEST, ts, bytes);
	else if (e->http1)
		http1_feed(e->http1, HTTP_REQUEST, ts, bytes);
}

static bool is_known(const struct evidence *e)
{
	return e->rpc || e->http1 || e->http2 || e->nothing;
}

bool evidence_wrote(struct evidence *e, uint64_t ts, struct sv bytes)
{
	if (is_known(e)) {
		feed(e, ts, bytes);
		return e->found;
	}
	if (buf_sv(&e->first, bytes))
		return false;
	find_protocol(e, true);
	if (is_known(e)) {
		feed(e, ts, buf_view(&e->first));
		buf_fini(&e->first);
	}
	return e->found;
}

bool evidence_gap(struct evidence *e, uint64_t ts, uint64_t missing)
{
	if (!is_known(e)) {
		find_protocol(e, false);
		feed(e, ts, buf_view(&e->first));
		buf_fini(&e->first);
	}
	if (e->rpc)
		jsonrpc_gap(e->rpc, missing);
	else if (e->http2)
		http2_gap(e->http2, HTTP_REQUEST, ts, missing);
	else if (e->http1)
		http1_gap(e->http1, HTTP_REQUEST, ts, missing);
	return e->found;
}

bool evidence_of_hello(struct sv hello)
{
	_cleanup_arena_ struct arena a;
	struct tls_hello h;

	arena_init(&a, EV_SIZE_MAX);
	return !tls_hello_parse(&h, &a, hello) && h.client && h.sni.n && sem_provider(h.sni).n;
}
