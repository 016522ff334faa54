// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests of MCP and A2A and their answers: paired by id and direction, whoever asked.  Records of two
 * threads may overtake one another, so an answer may come before its request, and a span of the
 * answering end waits a little for that of the asking one, which tells of both.
 */
#include "span/rpc.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"

#define NAMES_MAX 65536 /* bytes kept of what an end says of itself */

struct rpc_end *rpc_end_new(struct run *r, uint32_t tgid, uint64_t start)
{
	struct rpc_end *e = r->rpc_cnt < LIMIT_RPC_STREAMS ? calloc(1, sizeof(*e)) : NULL;

	if (!e)
		return NULL;
	arena_init(&e->arena, NAMES_MAX);
	arena_init(&e->tools_arena, LIMIT_RPC_TOOLS);
	e->run = r;
	e->tgid = tgid;
	e->start = start;
	e->number = r->t->born++;
	e->prev = r->rpc_last;
	*(r->rpc_last ? &r->rpc_last->next : &r->rpc_ends) = e;
	r->rpc_last = e;
	r->rpc_cnt++;
	return e;
}

/* --- what a call is found by */

static struct map_key id_key(const struct rpc_end *e, enum ev_dir dir, struct sv id, bool is_string)
{
	return (struct map_key){ RPC_CALL_ID, e->number << 2 | (uint64_t)is_string << 1 | dir,
				 hash64(id) };
}

static struct map_key token_key(const struct rpc_end *e, struct sv token)
{
	return (struct map_key){ RPC_CALL_TOKEN, e->number, hash64(token) };
}

static struct map_key waits_key(const struct rpc_end *e)
{
	return (struct map_key){ RPC_CALL_WAITS, e->number, 0 };
}

static struct map_key carried_key(const struct exchange *x)
{
	return (struct map_key){ RPC_CALL_CARRIED, x->number, 0 };
}

struct index_link *rpc_call_carried(const struct exchange *x)
{
	return index_first(&x->run->rpc, carried_key(x));
}

static bool is_older(const void *a, const void *b)
{
	return ((const struct rpc_call *)a)->number < ((const struct rpc_call *)b)->number;
}

/* Out of memory: it is not found by that. */
static void set_waits(struct rpc_end *e, struct rpc_call *c)
{
	index_del(&e->run->rpc, &c->waits);
	if (!index_add(&e->run->rpc, waits_key(e), &c->waits, c))
		index_sort(&c->waits, is_older);
}

/* As the youngest of its end. */
static void call_link(struct rpc_end *e, struct rpc_call *c)
{
	c->end = e;
	c->number = e->run->t->born++;
	c->prev = e->last_call;
	c->next = NULL;
	*(e->last_call ? &e->last_call->next : &e->calls) = c;
	e->last_call = c;
	e->call_cnt++;
	if (c->id.n)
		index_add(&e->run->rpc, id_key(e, c->dir, c->id, c->id_is_string), &c->by_id, c);
	if (c->facts.progress_token.n)
		index_add(&e->run->rpc, token_key(e, c->facts.progress_token), &c->by_token, c);
}

static void call_unlink(struct rpc_end *e, struct rpc_call *c)
{
	*(c->prev ? &c->prev->next : &e->calls) = c->next;
	*(c->next ? &c->next->prev : &e->last_call) = c->prev;
	e->call_cnt--;
	index_del(&e->run->rpc, &c->by_id);
	index_del(&e->run->rpc, &c->by_token);
	index_del(&e->run->rpc, &c->waits);
}

void rpc_calls_move(struct rpc_end *to, struct rpc_end *from)
{
	struct rpc_call *c;

	while ((c = from->calls)) {
		bool waits = c->waits.list;

		call_unlink(from, c);
		call_link(to, c);
		if (waits)
			set_waits(to, c);
	}
}

/* --- their ends */

static void call_free(struct rpc_end *e, struct rpc_call *c)
{
	call_unlink(e, c);
	index_del(&e->run->rpc, &c->carried);
	index_del(&e->run->t->rpc_calls, &c->at_addr);
	if (c->twin)
		c->twin->twin = NULL;
	span_free(&c->span);
	rpc_facts_fini(&c->facts);
	free(c);
}

/* The end is over, or the request has waited too long: it is told as it is. */
static void call_expire(struct rpc_end *e, struct rpc_call *c)
{
	bool told = c->told || (c->twin && c->dir == EV_READ);

	if (c->asked && c->span && !told) {
		if (!c->answered)
			span_incomplete(c->span, e->run->t->ending ? "unfinished" : "unanswered");
		if (!c->answered && e->run->t->now > c->ts_last)
			c->ts_last = e->run->t->now;
		rpc_span_emit(e, c);
	}
	if (c->twin && c->dir == EV_WRITE)
		c->twin->told = true;
	call_free(e, c);
}

void rpc_end_free(struct rpc_end *e)
{
	struct run *r = e->run;

	while (e->calls)
		call_expire(e, e->calls);
	*(e->prev ? &e->prev->next : &r->rpc_ends) = e->next;
	*(e->next ? &e->next->prev : &r->rpc_last) = e->prev;
	r->rpc_cnt--;
	index_del(&r->rpc, &e->by_key);
	if (e->peer)
		e->peer->peer = NULL;
	rpc_span_forget(e);
	arena_fini(&e->arena);
	arena_fini(&e->tools_arena);
	free(e);
}

static bool same_id(const struct rpc_call *c, struct sv id, bool is_string)
{
	return c->id.n && c->id_is_string == is_string && sv_eq(c->id, id);
}

struct rpc_call *rpc_call_find(const struct rpc_end *e, enum ev_dir dir,
			       const struct jsonrpc_msg *m, bool asked)
{
	index_for_each (&e->run->rpc, id_key(e, dir, m->id, m->id_is_string), l) {
		struct rpc_call *c = l->of;

		if (c->asked == asked && !c->waits_since && same_id(c, m->id, m->id_is_string))
			return c;
	}
	return NULL;
}

/* --- both ends */

void rpc_twin(struct rpc_end *e, struct rpc_call *c, struct rpc_end *oe, struct rpc_call *o)
{
	struct rpc_call *asks = c->dir == EV_WRITE ? c : o, *answers = asks == c ? o : c;
	struct rpc_end *answering = asks == c ? oe : e;

	c->twin = o;
	o->twin = c;
	asks->peer_tgid = answering->tgid;
	/* what came back meanwhile hangs under the span that there will be */
	for (struct rpc_call *b = answering->calls; b && asks->span && answers->span; b = b->next)
		if (b->span && strcmp(b->span->parent_span_id, answers->span->span_id) == 0)
			memcpy(b->span->parent_span_id, asks->span->span_id,
			       sizeof(b->span->parent_span_id));
}

static void link_twin(struct rpc_end *e, struct rpc_call *c, struct rpc_end *peer)
{
	enum ev_dir dir = c->dir == EV_WRITE ? EV_READ : EV_WRITE;

	index_for_each (&peer->run->rpc, id_key(peer, dir, c->id, c->id_is_string), l) {
		struct rpc_call *o = l->of;

		if (o->twin || !o->asked || o->is_note != c->is_note ||
		    !same_id(o, c->id, c->id_is_string) || !sv_eq(o->facts.method, c->facts.method))
			continue;
		rpc_twin(e, c, peer, o);
		return;
	}
}

void rpc_link_twins(struct rpc_end *a, struct rpc_end *b)
{
	for (struct rpc_call *c = a->calls; c; c = c->next)
		if (c->asked && !c->twin && !c->told)
			link_twin(a, c, b);
	rpc_flush(a, 0);
	rpc_flush(b, 0);
}

/* How long the answering process took. */
static uint64_t handling(const struct rpc_call *answers)
{
	return answers->ts_last > answers->ts_asked ? answers->ts_last - answers->ts_asked : 0;
}

static void wait(struct rpc_end *e, struct rpc_call *c)
{
	c->waits_since = c->ts_last ? c->ts_last : 1;
	set_waits(e, c);
}

void rpc_call_done(struct rpc_end *e, struct rpc_call *c)
{
	struct rpc_call *twin = c->twin;

	c->answered = true;
	if (c->dir == EV_READ && !c->linked) {
		if (twin)
			twin->handling = handling(c);
		if (!twin && !c->told && !(c->is_note && e->peer)) {
			wait(e, c);
			return;
		}
	} else if (((twin && !twin->answered && !c->is_note) || c->unanswered) && !c->waits_since) {
		/* for how long it took there, or that it was cancelled */
		wait(e, c);
		return;
	} else {
		if (twin && twin->answered) /* but its exchange is not over */
			c->handling = handling(twin);
		rpc_span_emit(e, c);
		if (twin)
			twin->told = true;
	}
	call_free(e, c);
}

/* What the end waited for, of a request that is over, is known. */
static bool is_settled(const struct rpc_end *e, const struct rpc_call *c)
{
	if (c->dir == EV_WRITE)
		return !c->twin && !c->unanswered;
	return c->twin || c->told || c->linked || (c->is_note && e->peer);
}

void rpc_flush(struct rpc_end *e, uint64_t now)
{
	index_for_each (&e->run->rpc, waits_key(e), l) {
		struct rpc_call *c = l->of;
		uint64_t since = c->asked ? c->waits_since : c->ts_last;
		bool late = now > since && now - since > LIMIT_REORDER_NS;

		if (c->waits_since && is_settled(e, c)) {
			c->waits_since = 0;
			index_del(&e->run->rpc, l);
			rpc_call_done(e, c);
		} else if (since && late) {
			call_expire(e, c); /* nobody else saw it */
		}
	}
}

/* --- requests */

static struct rpc_call *call_alloc(struct rpc_end *e, enum ev_dir dir, const struct jsonrpc_msg *m)
{
	struct rpc_call *c;

	if (e->call_cnt >= LIMIT_RPC_CALLS)
		call_expire(e, e->calls);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	rpc_facts_init(&c->facts);
	c->dir = dir;
	c->id = arena_dup(&c->facts.arena, m->id);
	c->id_is_string = m->id_is_string;
	call_link(e, c);
	return c;
}

/* What was agreed on when the conversation began holds for what follows. */
static void remember(struct rpc_end *e, const struct rpc_facts *f)
{
	const struct {
		struct sv *to, from;
	} all[] = {
		{ &e->version, f->protocol_version },
		{ &e->client_name, f->client_name },
		{ &e->server_name, f->server_name },
		{ &e->server_version, f->server_version },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].from.n && !sv_eq(*all[i].to, all[i].from))
			*all[i].to = arena_dup(&e->arena, all[i].from);
}

struct rpc_call *rpc_call_new(const struct rpc_from *from, const struct jsonrpc_msg *m,
			      const struct rpc_facts *known)
{
	struct rpc_end *e = from->end;
	struct rpc_call *c = call_alloc(e, from->dir, m);

	if (!c)
		return NULL;
	if (known) { /* what the path told */
		c->facts.method = arena_dup(&c->facts.arena, known->method);
		c->facts.task_id = arena_dup(&c->facts.arena, known->task_id);
		c->facts.protocol_version = arena_dup(&c->facts.arena, known->protocol_version);
	}
	c->asked = true;
	c->is_note = m->kind == JSONRPC_NOTIFICATION;
	c->cut = m->cut;
	c->http = from->x != NULL;
	/* what an answer's stream asks is no part of that exchange */
	if (c->http && from->dir == rpc_http_asks(from->x)) {
		c->x = from->x;
		index_add(&e->run->rpc, carried_key(c->x), &c->carried, c);
	}
	c->ts_first = m->ts_first;
	c->ts_asked = c->ts_last = m->ts_last;
	c->req_wire = m->wire;
	rpc_request(e->ops, &c->facts, m);
	if (c->facts.progress_token.n)
		index_add(&e->run->rpc, token_key(e, c->facts.progress_token), &c->by_token, c);
	remember(e, &c->facts);
	c->span = rpc_span_new(from, c);
	if (!c->span) {
		call_free(e, c);
		return NULL;
	}
	if (!c->http && e->peer) {
		link_twin(e, c, e->peer);
		rpc_flush(e->peer, 0);
	}
	if (from->x) {
		c->addr = from->x->http->stream->conn->addr;
		rpc_http_pair(e, c);
	}
	rpc_span_parent(e, c, false);
	return c;
}

static void on_request(const struct rpc_from *from, const struct jsonrpc_msg *m)
{
	struct rpc_end *e = from->end;
	struct rpc_call *old = rpc_call_find(e, from->dir, m, true), *c;
	struct rpc_call *early = rpc_call_find(e, from->dir, m, false);

	if (!early && !from->x && rpc_join_by_id(e, from->dir, m, false))
		early = rpc_call_find(e, from->dir, m, false);
	if (old && !old->http) /* an id that is used again was given up */
		call_expire(e, old);
	c = rpc_call_new(from, m, NULL);
	if (c && early) {
		rpc_call_answer(e, c, early->early);
		if (!c->http)
			rpc_call_done(e, c);
	}
	if (early)
		call_free(e, early);
}

/* --- answers */

/* Of a server's tools, for the calls that follow. */
static void remember_tools(struct rpc_end *e, const struct rpc_facts *f, bool cut)
{
	if (!f->schemas)
		return;
	if (!f->next_page) {
		arena_fini(&e->tools_arena);
		arena_init(&e->tools_arena, LIMIT_RPC_TOOLS);
		e->schemas = cut ? NULL : json_object(&e->tools_arena);
	}
	if (!e->schemas)
		return;
	json_for_each (f->schemas, schema)
		json_add(&e->tools_arena, e->schemas, schema->key,
			 json_copy(&e->tools_arena, schema));
	if (cut || arena_failed(&e->tools_arena))
		e->schemas = NULL;
}

void rpc_call_answer(struct rpc_end *e, struct rpc_call *c, const struct jsonrpc_msg *m)
{
	c->answered = true;
	c->cut |= m->cut;
	c->resp_wire += m->wire;
	if (m->ts_last > c->ts_last)
		c->ts_last = m->ts_last;
	rpc_answer(e->ops, &c->facts, m);
	remember(e, &c->facts);
	remember_tools(e, &c->facts, m->cut);
	if (c->span && c->facts.approval_mode.n &&
	    (c->span->what == SPAN_A2A || sv_is(c->facts.result_type, "input_required")))
		rpc_span_asked(e, c);
	rpc_span_answered(e, c);
}

/* Kept until its request's record has come, too. */
static void keep_early(struct rpc_end *e, enum ev_dir asked, const struct jsonrpc_msg *m)
{
	struct rpc_call *c = call_alloc(e, asked, m);
	struct arena *a;

	if (!c)
		return;
	a = &c->facts.arena;
	c->ts_last = m->ts_last;
	set_waits(e, c);
	c->early = arena_alloc(a, sizeof(*c->early));
	if (!c->early) {
		call_free(e, c);
		return;
	}
	*c->early = *m;
	c->early->id = c->id;
	c->early->version = arena_dup(a, m->version);
	c->early->result = m->result ? json_copy(a, m->result) : NULL;
	c->early->error = m->error ? json_copy(a, m->error) : NULL;
}

/* What an exchange asked is answered there, unless its answer broke off. */
static struct rpc_call *asked_by(const struct rpc_from *from, enum ev_dir asked,
				 const struct jsonrpc_msg *m)
{
	for (struct index_link *l = from->x ? rpc_call_carried(from->x) : NULL; l; l = l->next) {
		struct rpc_call *c = l->of;

		if (c->dir == asked && same_id(c, m->id, m->id_is_string))
			return c;
	}
	return rpc_call_find(from->end, asked, m, true);
}

static void on_answer(const struct rpc_from *from, const struct jsonrpc_msg *m)
{
	enum ev_dir asked = from->dir == EV_WRITE ? EV_READ : EV_WRITE;
	struct rpc_end *e = from->end;
	struct rpc_call *c = asked_by(from, asked, m);

	if (!m->id.n)
		return;
	if (!c && !from->x && rpc_join_by_id(e, asked, m, true))
		c = rpc_call_find(e, asked, m, true);
	if (!c && !from->x)
		keep_early(e, asked, m);
	if (!c)
		return;
	rpc_call_answer(e, c, m);
	/* over HTTP the end of the exchange is awaited: its status and size belong to the span */
	if (!c->x)
		rpc_call_done(e, c);
}

/* --- notifications */

struct rpc_call *rpc_call_by_token(const struct rpc_end *e, struct sv token)
{
	if (!token.n)
		return NULL;
	index_for_each (&e->run->rpc, token_key(e, token), l) {
		struct rpc_call *c = l->of;

		if (c->asked && !c->waits_since && sv_eq(c->facts.progress_token, token))
			return c;
	}
	return NULL;
}

/* The one request of the other side that is open, of those that x carries where it is given. */
static struct rpc_call *only_open(const struct rpc_from *from, const struct exchange *x)
{
	struct rpc_call *one = NULL;

	for (struct rpc_call *c = from->end->calls; c; c = c->next) {
		if (!c->asked || c->answered || c->is_note || c->dir == from->dir ||
		    (x && c->x != x))
			continue;
		if (one)
			return NULL;
		one = c;
	}
	return one;
}

/* The request that is taken back; over HTTP its exchange may have ended without an answer before. */
static struct rpc_call *taken_back(const struct rpc_from *from, const struct mcp_note *n)
{
	struct map_key key = id_key(from->end, from->dir, n->request_id, n->request_id_is_string);

	index_for_each (&from->end->run->rpc, key, l) {
		struct rpc_call *c = l->of;

		if (c->asked && (!c->waits_since || c->unanswered) &&
		    same_id(c, n->request_id, n->request_id_is_string))
			return c;
	}
	return NULL;
}

static struct rpc_call *of_note(const struct rpc_from *from, const struct mcp_note *n)
{
	struct rpc_call *c = NULL;

	if (!from->x)
		rpc_join_by_note(from->end, n->token);
	if (n->what == MCP_NOTE_PROGRESS)
		return rpc_call_by_token(from->end, n->token);
	if (n->what == MCP_NOTE_CANCELLED)
		return taken_back(from, n);
	if (n->what != MCP_NOTE_LOG)
		return NULL;
	if (from->x)
		c = only_open(from, from->x);
	return c ? c : only_open(from, NULL);
}

static void cancel(struct rpc_end *e, struct rpc_call *c, const struct mcp_note *n, uint64_t ts)
{
	struct rpc_facts *f = &c->facts;

	rpc_span_note(e, c, n, ts);
	f->failed = true;
	f->error_type = SV("cancelled");
	f->error_message = arena_dup(&f->arena, n->text);
	c->ts_last = ts;
	c->unanswered = false;
	c->answered = true;
	if (!c->x)
		rpc_call_done(e, c);
}

static void on_notification(const struct rpc_from *from, const struct jsonrpc_msg *m)
{
	struct rpc_end *e = from->end;
	_cleanup_arena_ struct arena a;
	struct mcp_note n;
	struct rpc_call *c;

	arena_init(&a, LIMIT_RPC_TEXT);
	mcp_note(&n, &a, m);
	c = of_note(from, &n);
	if (c && n.what == MCP_NOTE_CANCELLED) {
		cancel(e, c, &n, m->ts_last);
	} else if (c) {
		rpc_span_note(e, c, &n, m->ts_last);
	} else {
		c = rpc_call_new(from, m, NULL);
		if (c && !c->x)
			rpc_call_done(e, c);
	}
}

void rpc_message(const struct rpc_from *from, const struct jsonrpc_msg *m)
{
	struct rpc_end *e = from->end;

	rpc_flush(e, m->ts_last);
	if (!e->ops && m->method.n)
		e->ops = rpc_claim(m, from->head);
	/* an answer that overtook the first request: nobody knows yet whose it is */
	if (!e->ops && (m->method.n || from->x))
		return;
	if (m->kind == JSONRPC_REQUEST)
		on_request(from, m);
	else if (m->kind == JSONRPC_NOTIFICATION)
		on_notification(from, m);
	else
		on_answer(from, m);
}
