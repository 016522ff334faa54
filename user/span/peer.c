// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who else tells of the same request: the trace that its sender names (W3C Trace Context), and the other
 * end of its connection where that is traced as well.  Ids of ours are made of what was recorded, so a
 * run keeps its own trace id and links to the trace it is told of; both ends in one run become one
 * tree, in two runs they link to each other.
 */
#include <string.h>
#include "sem/context.h"
#include "span/engine.h"

static bool has_link(const struct span *s, const struct context *c)
{
	json_for_each (s->links, e)
		if (json_str_is(json_get(e, "trace_id"), c->trace_id) &&
		    json_str_is(json_get(e, "span_id"), c->span_id))
			return true;
	return false;
}

static void keep(struct run *r, const struct context *c)
{
	for (unsigned int i = 0; i < r->context_cnt; i++)
		if (strcmp(r->contexts[i].trace_id, c->trace_id) == 0)
			return;
	if (r->context_cnt < CONTEXTS)
		r->contexts[r->context_cnt++] = *c;
}

void peer_context(struct run *r, struct span *s, struct sv parent, struct sv state)
{
	struct context c;

	span_set_str(s, ATTR_ID_TRACE_PARENT, parent);
	span_set_str(s, ATTR_ID_TRACE_STATE, state);
	if (!sem_traceparent(parent, c.trace_id, c.span_id) || has_link(s, &c))
		return;
	span_link(s, c.trace_id, c.span_id, "continues");
	keep(r, &c);
}

void peer_run_links(struct run *r)
{
	for (unsigned int i = 0; i < r->context_cnt; i++)
		span_link(r->root, r->contexts[i].trace_id, r->contexts[i].span_id, "continues");
}

/* --- both ends of a connection */

/* Streams of HTTP/2 have the same number at both ends; else requests come in their order. */
static bool same_request(const struct exchange *a, const struct exchange *b)
{
	return a->client != b->client && b->request_done && !b->peer.span_id[0] &&
	       (a->http_major != 2 || a->seq == b->seq) && sv_eq(a->method, b->method) &&
	       sv_eq(a->target, b->target);
}

struct search {
	const struct exchange *of;
	struct exchange *found;
};

/* Of two that may be the other end: the one of the older run, then that of the earlier request. */
static bool is_before(const struct exchange *a, const struct exchange *b)
{
	if (a->run != b->run)
		return a->run->number < b->run->number;
	return a->seq != b->seq ? a->seq < b->seq : a->number > b->number;
}

static void look_for(void *ctx, struct conn *c)
{
	const struct http_conn *h = http_of(c);
	struct search *s = ctx;

	for (struct exchange *e = h ? h->open : NULL; e; e = e->next)
		if (same_request(s->of, e) && (!s->found || is_before(e, s->found)))
			s->found = e;
}

static struct exchange *other_end(const struct exchange *x)
{
	struct search s = { .of = x };

	conn_each_peer(x->run->t->conns, &x->http->stream->conn->addr, look_for, &s);
	return s.found;
}

static void tell(struct exchange *to, const struct exchange *of)
{
	memcpy(to->peer.trace_id, of->run->trace_id, sizeof(to->peer.trace_id));
	memcpy(to->peer.span_id, of->own_span, sizeof(to->peer.span_id));
	to->peer_tgid = of->tgid;
}

void peer_find(struct exchange *x)
{
	struct exchange *client, *server, *other;

	if (x->rpc || x->peer.span_id[0]) /* MCP and A2A pair their own requests */
		return;
	other = other_end(x);
	if (!other || other->rpc)
		return;
	client = x->client ? x : other;
	server = x->client ? other : x;
	/* what a span will be is known at its end, but its id is promised now */
	if (client->call && client->call->operation)
		model_id(client->own_span, client);
	else
		exchange_id(client->own_span, client, SPAN_HTTP);
	exchange_id(server->own_span, server, SPAN_HTTP);
	tell(client, server);
	tell(server, client);
}

void peer_set(struct span *s, const struct exchange *x)
{
	if (!x->peer.span_id[0])
		return;
	if (x->client)
		span_set_int(s, ATTR_ID_RPC_PEER_PID, x->peer_tgid);
	if (strcmp(x->peer.trace_id, x->run->trace_id) != 0) {
		span_link(s, x->peer.trace_id, x->peer.span_id, x->client ? "server" : "client");
	} else if (!x->client) {
		memcpy(s->parent_span_id, x->peer.span_id, sizeof(s->parent_span_id));
		span_set_str(s, ATTR_ID_LINK, SV("exact"));
	}
}
