// SPDX-License-Identifier: BSD-2-Clause
/*
 * MCP and A2A over HTTP: a POST holds one message or a batch and is answered by JSON or by events; the
 * other side's own messages come as events of a GET (MCP up to 2025-11-25), and answers to them by
 * further POSTs.  In the transport of 2024-11-05 all answers are events of one GET, whose first names
 * where to POST.  Each request becomes a span instead of the exchange's own; an exchange without one
 * keeps its http span, with the session's id.
 */
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "span/rpc.h"

struct rpc_exchange {
	struct rpc_end *end;
	bool events;    /* answered by events */
	bool resumable; /* they have ids */
	bool rest;      /* one request, which is no JSON-RPC */
	bool opened;    /* the answer opened the session */
};

enum ev_dir rpc_http_asks(const struct exchange *x)
{
	return x->client ? EV_WRITE : EV_READ;
}

static enum ev_dir answers_dir(const struct exchange *x)
{
	return x->client ? EV_READ : EV_WRITE;
}

/* Who speaks here, to whom, in which session (or at which address, without one). */
static struct rpc_end *end_of(const struct exchange *x, struct sv session)
{
	const uint64_t parts[] = { x->tgid, x->proc_start, x->client, hash64(x->host),
				   hash64(session) };
	uint64_t key = hash64((struct sv){ (const char *)parts, sizeof(parts) }) | 1;
	struct map_key of = { RPC_END_HTTP, key, 0 };
	struct index_link *l = index_first(&x->run->rpc, of);
	struct rpc_end *e;

	if (l)
		return l->of;
	e = rpc_end_new(x->run, x->tgid, x->proc_start);
	if (!e)
		return NULL;
	if (index_add(&x->run->rpc, of, &e->by_key, e)) {
		rpc_end_free(e);
		return NULL;
	}
	e->key = key;
	e->whole = true;
	return e;
}

static struct rpc_exchange *attach(struct exchange *x, struct sv session)
{
	struct rpc_exchange *rx = calloc(1, sizeof(*rx));

	if (!rx)
		return NULL;
	rx->end = end_of(x, session);
	if (!rx->end) {
		free(rx);
		return NULL;
	}
	x->rpc = rx;
	return rx;
}

void rpc_http_free(struct exchange *x)
{
	free(x->rpc);
	x->rpc = NULL;
}

/* --- the request */

static bool is_json(struct sv type)
{
	return sv_istarts(type, "application/json") || sv_istarts(type, "application/a2a+json");
}

void rpc_http_head(struct exchange *x, const struct http_msg *m)
{
	x->may_be_rpc = sv_is(m->method, "GET") ||
			(sv_is(m->method, "POST") && is_json(http_field_get(m, "content-type")));
	x->session = arena_dup(&x->arena, http_field_get(m, "mcp-session-id"));
	x->protocol_version = arena_dup(&x->arena, http_field_get(m, "mcp-protocol-version"));
	x->last_event = arena_dup(&x->arena, http_field_get(m, "last-event-id"));
}

struct http_ctx {
	struct rpc_from from;
	struct exchange *x;
};

static void keep_session(struct rpc_end *e, struct sv session, struct sv version)
{
	if (session.n && !e->session.n)
		e->session = arena_dup(&e->arena, session);
	if (version.n && !e->version.n)
		e->version = arena_dup(&e->arena, version);
}

/* The first message tells whether the exchange is one of MCP or A2A. */
static void on_message(void *ctx, const struct jsonrpc_msg *m)
{
	struct http_ctx *h = ctx;
	struct exchange *x = h->x;

	if (!x->rpc) {
		const struct rpc_ops *ops = rpc_claim(m, h->from.head);

		/* an answer has no method that would tell, but its session has */
		if (!ops && !(x->session.n && !m->method.n))
			return;
		if (!attach(x, x->session.n ? x->session : x->target))
			return;
		if (ops)
			x->rpc->end->ops = ops;
		keep_session(x->rpc->end, x->session, x->protocol_version);
	}
	h->from.end = x->rpc->end;
	rpc_message(&h->from, m);
}

/* A request of the HTTP+JSON binding: its body stands for params. */
static void asked_rest(struct exchange *x, const struct http_msg *m)
{
	const struct jsonrpc_msg bare = { .kind = JSONRPC_REQUEST,
					  .wire = x->req_wire,
					  .ts_first = x->req_first,
					  .ts_last = x->req_last };
	struct rpc_from from = { .dir = rpc_http_asks(x), .x = x, .head = m };
	struct jsonrpc_msg msg = bare;
	_cleanup_arena_ struct arena a;
	const struct rpc_ops *ops;
	struct rpc_facts known;

	arena_init(&a, LIMIT_JSON_ARENA);
	rpc_facts_init(&known);
	ops = rpc_claim_rest(&known, m);
	if (ops && attach(x, x->target)) {
		x->rpc->rest = true;
		x->rpc->end->ops = ops;
		from.end = x->rpc->end;
		msg.params = json_parse(&a, buf_view(&x->req_body.text), NULL);
		rpc_call_new(&from, &msg, &known);
	}
	rpc_facts_fini(&known);
}

void rpc_http_asked(struct exchange *x, const struct http_msg *m, bool cut)
{
	struct http_ctx h = { .from = { .dir = rpc_http_asks(x), .x = x, .head = m }, .x = x };
	const struct jsonrpc_text t = { buf_view(&x->req_body.text), x->req_first, x->req_last,
					cut || gather_is_cut(&x->req_body) };

	if (x->may_be_rpc)
		jsonrpc_read(&t, on_message, &h);
	if (!x->rpc)
		asked_rest(x, m);
}

/* --- the answer */

void rpc_http_answer_head(struct exchange *x, const struct http_msg *m)
{
	struct sv session = http_field_get(m, "mcp-session-id");

	if (!x->rpc || x->session.n || !session.n)
		return;
	x->session = arena_dup(&x->arena, session);
	x->rpc->opened = true;
}

bool rpc_http_wants(const struct exchange *x, bool events)
{
	return x->rpc || (events && x->may_be_rpc && sv_is(x->method, "GET"));
}

/* The answer to the one request of a binding that has no ids. */
static void answer_rest(struct exchange *x, const struct jsonrpc_text *t)
{
	struct rpc_end *e = x->rpc->end;
	struct index_link *carried;
	_cleanup_arena_ struct arena a;
	struct jsonrpc_msg msg = { .kind = JSONRPC_RESULT,
				   .wire = t->text.n,
				   .ts_first = t->ts_first,
				   .ts_last = t->ts_last,
				   .cut = t->cut };

	arena_init(&a, LIMIT_JSON_ARENA);
	msg.result = json_parse(&a, t->text, NULL);
	carried = rpc_call_carried(x);
	if (carried && x->status < 400)
		rpc_call_answer(e, carried->of, &msg);
}

static void read_answer(struct exchange *x, const struct jsonrpc_text *t)
{
	struct http_ctx h = { .from = { .dir = answers_dir(x), .x = x }, .x = x };

	if (x->rpc && x->rpc->rest)
		answer_rest(x, t);
	else
		jsonrpc_read(t, on_message, &h);
}

/* Where the client is to POST, in the transport of 2024-11-05: a path, or all of a URL. */
static struct sv path_of(struct sv endpoint)
{
	long at = sv_find(endpoint, SV("://"));
	struct sv rest = sv_sub(endpoint, at < 0 ? 0 : at + 3, SIZE_MAX);
	struct sv host = rest;

	if (at < 0)
		return endpoint;
	sv_token(&rest, '/');
	return (struct sv){ rest.p - (rest.n ? 1 : 0), rest.n + (rest.n && host.n ? 1 : 0) };
}

void rpc_http_event(struct exchange *x, const struct sse_event *ev)
{
	const struct jsonrpc_text t = { ev->data, ev->ts_first, ev->ts_last, ev->cut };

	if (!x->rpc && sv_is(ev->event, "endpoint") && attach(x, path_of(ev->data)))
		x->rpc->events = true;
	else
		read_answer(x, &t);
	if (!x->rpc) {
		x->may_be_rpc = false; /* events of something else */
		return;
	}
	x->rpc->events = true;
	x->rpc->resumable |= ev->id.n != 0;
}

void rpc_http_answered(struct exchange *x, bool cut)
{
	const struct jsonrpc_text t = { buf_view(&x->resp_body.text), x->resp_first, x->resp_last,
					cut || gather_is_cut(&x->resp_body) };

	if (x->rpc && !x->rpc->events && t.text.n)
		read_answer(x, &t);
}

/* --- its end */

void rpc_http_describe(struct span *s, const struct exchange *x)
{
	span_set_str(s, ATTR_ID_MCP_SESSION, x->session);
	span_set_str(s, ATTR_ID_MCP_PROTOCOL, x->protocol_version);
	if (x->session.n)
		span_set_str(s, ATTR_ID_MCP_LAST_EVENT, x->last_event);
}

/* What initialize agreed on belongs to the session that its answer opened. */
static void open_session(struct exchange *x)
{
	struct rpc_end *from = x->rpc->end, *to = end_of(x, x->session);

	if (!to || to == from)
		return;
	to->ops = from->ops;
	keep_session(to, x->session, from->version);
	to->server_name = arena_dup(&to->arena, from->server_name);
}

/* What came with the exchange; the answer may still come by another. */
static bool is_awaited(const struct exchange *x, const struct rpc_call *c)
{
	bool broke_off = x->rpc->resumable && !(x->resp_flags & HTTP_COMPLETE);

	return !c->answered && !c->is_note && (x->status == 202 || broke_off) && !x->run->t->ending;
}

static void call_over(struct exchange *x, struct rpc_call *c)
{
	struct rpc_facts *f = &c->facts;

	exchange_describe(c->span, x);
	rpc_http_describe(c->span, x);
	if (!c->addr.lport) /* a TLS connection's socket may be known only later */
		c->addr = x->http->stream->conn->addr;
	rpc_http_pair(x->rpc->end, c);
	c->x = NULL;
	index_del(&x->run->rpc, &c->carried);
	if (is_awaited(x, c))
		return;
	if (!c->answered && x->resp_last > c->ts_last)
		c->ts_last = x->resp_last;
	if (x->status >= 400 && !f->failed) {
		f->failed = true;
		f->error_type = arena_fmt(&f->arena, "%d", x->status);
	} else if (!c->answered && !c->is_note) {
		c->unanswered = true;
	}
	rpc_call_done(x->rpc->end, c);
}

bool rpc_http_over(struct exchange *x)
{
	struct index_link *next;
	bool any = false;

	if (!x->rpc)
		return false;
	if (x->rpc->opened)
		open_session(x);
	for (struct index_link *l = rpc_call_carried(x); l; l = next) {
		next = l->next;
		call_over(x, l->of);
		any = true;
	}
	return any;
}

/* --- both sides traced */

static bool mirrored(const struct ev_addr *a, const struct ev_addr *b)
{
	return a->lport && a->lport == b->rport && a->rport == b->lport && a->family == b->family &&
	       memcmp(a->laddr, b->raddr, sizeof(a->laddr)) == 0;
}

static bool same_request(const struct rpc_call *a, const struct rpc_call *b)
{
	return a != b && b->http && b->span && !b->twin && !b->linked && a->dir != b->dir &&
	       a->is_note == b->is_note && sv_eq(a->id, b->id) &&
	       sv_eq(a->facts.method, b->facts.method) && mirrored(&a->addr, &b->addr);
}

static void link_to(struct rpc_call *server, const struct span *client)
{
	struct span *s = server->span;
	struct arena *a = &s->arena;
	struct json *link = json_object(a);

	server->linked = true;
	if (!link)
		return;
	json_set(a, link, "trace_id", json_string(a, sv(client->trace_id)));
	json_set(a, link, "span_id", json_string(a, sv(client->span_id)));
	json_set(a, link, "attributes", json_object(a));
	json_push(s->links, link);
}

static void pair(struct rpc_end *e, struct rpc_call *c, struct rpc_end *oe, struct rpc_call *o)
{
	if (e->run == oe->run) {
		rpc_twin(e, c, oe, o);
	} else if (c->dir == EV_WRITE) {
		c->peer_tgid = oe->tgid;
		link_to(o, c->span);
	} else {
		o->peer_tgid = e->tgid;
		link_to(c, o->span);
	}
	rpc_flush(oe, 0);
}

/* What both sides know of a request; who asks: at whose address it is looked for. */
static struct map_key pair_key(const struct rpc_call *c, bool mirror)
{
	const struct ev_addr *a = &c->addr;
	struct {
		uint16_t lport, rport, family, note;
		uint8_t addr[16];
		uint64_t id, method;
	} of = {
		.lport = mirror ? a->rport : a->lport,
		.rport = mirror ? a->lport : a->rport,
		.family = a->family,
		.note = c->is_note,
		.id = hash64(c->id),
		.method = hash64(c->facts.method),
	};

	memcpy(of.addr, mirror ? a->laddr : a->raddr, sizeof(of.addr));
	return (struct map_key){ hash64((struct sv){ (const char *)&of, sizeof(of) }), 0, 0 };
}

static bool is_before(const struct rpc_call *a, const struct rpc_call *b)
{
	if (a->end->run != b->end->run)
		return a->end->run->number < b->end->run->number;
	return a->end != b->end ? a->end->number < b->end->number : a->number < b->number;
}

void rpc_http_pair(struct rpc_end *e, struct rpc_call *c)
{
	struct index *calls = &e->run->t->rpc_calls;
	struct rpc_call *other = NULL;

	if (c->twin || c->linked || !c->addr.lport)
		return;
	index_for_each (calls, pair_key(c, true), l)
		if (same_request(c, l->of) && (!other || is_before(l->of, other)))
			other = l->of;
	index_del(calls, &c->at_addr);
	index_add(calls, pair_key(c, false), &c->at_addr, c); /* or it is not found */
	if (other)
		pair(e, c, other->end, other);
}
