// SPDX-License-Identifier: BSD-2-Clause
/*
 * HTTP exchanges: requests and answers are paired, and what a model API claims goes on to model.c; the
 * rest becomes an http span.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "span/engine.h"

#define ANSWER_SPARE \
	65536 /* of an answer in events, for its end when the budget for bodies is spent */

static struct gather_budget *bodies(const struct exchange *x)
{
	return &x->run->t->bodies;
}

static void exchange_free(struct exchange *x)
{
	*(x->run_prev ? &x->run_prev->run_next : &x->run->exchanges) = x->run_next;
	if (x->run_next)
		x->run_next->run_prev = x->run_prev;
	index_del(&x->run->t->exchanges, &x->of_call);
	served_end(x);
	agent_leave(x);
	sem_call_free(&x->call);
	rpc_http_free(x);
	framer_free(&x->framer);
	grpc_call_free(&x->grpc);
	gather_fini(&x->req_body, bodies(x));
	gather_fini(&x->resp_body, bodies(x));
	bodies(x)->used -= x->answer_charged;
	arena_fini(&x->arena);
	free(x);
}

struct exchange *exchange_new(struct http_conn *h, uint64_t seq)
{
	struct exchange *x = calloc(1, sizeof(*x)), **at = &h->open;
	const struct conn *c = h->stream->conn;

	if (!x)
		return NULL;
	arena_init(&x->arena, 4 * LIMIT_HTTP_HEAD);
	sem_headers(&x->facts, &x->arena, NULL, NULL); /* none are known yet */
	x->run = h->stream->run;
	x->http = h;
	x->conn_id = c->id;
	x->tgid = c->tgid;
	x->proc_start = c->start;
	x->client = h->role == ROLE_CLIENT;
	x->tls = c->src < EV_SRC_FLOW;
	x->first = !h->used;
	h->used = true;
	x->seq = seq;
	while (*at)
		at = &(*at)->next;
	*at = x;
	x->number = x->run->t->born++;
	x->run_next = x->run->exchanges;
	if (x->run_next)
		x->run_next->run_prev = x;
	x->run->exchanges = x;
	charge_exchange(x);
	return x;
}

static struct exchange *exchange_find(struct http_conn *h, uint64_t seq)
{
	struct exchange *x = h->open;

	while (x && x->seq != seq)
		x = x->next;
	return x;
}

static void exchange_unlink(struct http_conn *h, const struct exchange *x)
{
	struct exchange **at = &h->open;

	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		*at = x->next;
}

/* --- the request */

void exchange_route(struct sem_route *r, struct arena *a, const struct http_msg *m)
{
	struct sv path = m->target, host = http_field_get(m, "host");
	struct sv lower = arena_dup(a, sv_token(&host, ':'));

	for (size_t i = 0; i < lower.n; i++)
		if (lower.p[i] >= 'A' && lower.p[i] <= 'Z')
			((char *)lower.p)[i] += 'a' - 'A';
	*r = (struct sem_route){ .method = m->method, .host = lower, .head = m };
	r->path = sv_token(&path, '?');
	r->query = path;
}

/* Fields that say how this body travelled, or where to: whoever sends it again has others. */
static bool is_of_transfer(struct sv name)
{
	static const char *const names[] = { "host",       "content-length",   "transfer-encoding",
					     "connection", "content-encoding", "accept-encoding",
					     "keep-alive", "expect",           "te" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_ieq(name, names[i]))
			return true;
	return name.n && name.p[0] == ':'; /* HTTP/2's are in the request line */
}

static void keep_head(struct exchange *x, const struct http_msg *m)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, SV_FMT " " SV_FMT "\n", SV_ARG(m->method), SV_ARG(m->target));
	for (size_t i = 0; i < m->field_cnt; i++)
		if (!is_of_transfer(m->fields[i].name))
			buf_fmt(&b, SV_FMT ": " SV_FMT "\n", SV_ARG(m->fields[i].name),
				SV_ARG(m->fields[i].value));
	if (!b.err)
		x->req_head = arena_dup(&x->arena, buf_view(&b));
	buf_fini(&b);
}

static void request_head(struct exchange *x, const struct http_msg *m)
{
	struct sem_route route;

	x->method = arena_dup(&x->arena, m->method);
	x->target = arena_dup(&x->arena, m->target);
	x->host = arena_dup(&x->arena, http_field_get(m, "host"));
	x->user_agent = arena_dup(&x->arena, http_field_get(m, "user-agent"));
	x->traceparent = arena_dup(&x->arena, http_field_get(m, "traceparent"));
	x->tracestate = arena_dup(&x->arena, http_field_get(m, "tracestate"));
	x->req_first = m->ts_first;
	x->req_last = m->ts_last;
	sem_headers(&x->facts, &x->arena, m, NULL);
	flow_named(x);
	if (x->client) {
		exchange_route(&route, &x->arena, m);
		sem_call_new(&x->call, &route); /* -ENOENT: no model API */
	} else {
		served_begin(x);
	}
	if (x->call)
		keep_head(x, m);
	else
		rpc_http_head(x, m);
	charge_exchange(x);
}

/* Of requests without messages, which are tried again as they were. */
static uint64_t attempt_key(const struct exchange *x)
{
	uint64_t parts[3] = { hash64(x->host), hash64(x->target),
			      hash64(buf_view(&x->req_body.text)) };

	return hash64((struct sv){ (const char *)parts, sizeof(parts) });
}

static struct map_key call_key(const struct exchange *x)
{
	return (struct map_key){ x->run->number, x->key, 0 };
}

struct index_link *exchange_of_call(const struct exchange *x)
{
	return index_first(&x->run->t->exchanges, call_key(x));
}

void exchange_asked(struct exchange *x, bool cut)
{
	struct index *calls = &x->run->t->exchanges;

	x->key = attempt_key(x);
	sem_request(x->call, buf_view(&x->req_body.text), cut);
	agent_asked(x);
	index_del(calls, &x->of_call);
	index_add(calls, call_key(x), &x->of_call, x); /* or it is not found, when memory is out */
	for (struct sem_tool_result *res = x->call->results; res; res = res->next)
		tool_answered(x, res);
	x->from = NULL; /* it may be gone before this is */
	approval_of_request(x);
}

/* Nothing more comes of it: what was left out of it. */
static uint64_t body_close(struct exchange *x, struct gather *k, const struct http_msg *m,
			   unsigned int *flags)
{
	gather_close(k, bodies(x));
	bodies(x)->cut += m->over;
	if (gather_is_cut(k))
		*flags |= HTTP_BODY_CAP;
	return k->cut + m->over;
}

/* Is there less of the body than was sent? */
static bool body_is_cut(const struct http_msg *m)
{
	return !(m->flags & HTTP_COMPLETE) || (m->flags & (HTTP_HOLE | HTTP_BODY_CAP));
}

/* What a tool may be asked to do, as opposed to what makes the conversation. */
static bool may_be_tools(const struct exchange *x)
{
	const char *operation = x->call ? x->call->operation : NULL;

	if (!x->client || x->rpc || x->parent_span[0])
		return false;
	return !x->call || (operation && (strcmp(operation, "retrieval") == 0 ||
					  strcmp(operation, "embeddings") == 0));
}

static void find_tool(struct exchange *x)
{
	struct tool_ref ref;

	if (!may_be_tools(x) || !tool_of_request(x, exchange_url(&x->arena, x), &ref))
		return;
	tool_has_exchange(x, ref.span_id);
	memcpy(x->parent_span, ref.span_id, sizeof(x->parent_span));
	x->link = ref.link;
	flow_of_tool(x, &ref);
}

/* What a server asks of others hangs under the request that it answers. */
static void find_served(struct exchange *x)
{
	struct served s;

	if (x->parent_span[0] || x->rpc || !served_for(x, &s) || (!s.exact && !x->call))
		return;
	memcpy(x->parent_span, s.span_id, sizeof(x->parent_span));
	x->link = s.exact ? "exact" : "time";
}

static void request_done(struct exchange *x, const struct http_msg *m)
{
	x->request_done = true;
	x->req_flags = m->flags;
	x->req_last = m->ts_last;
	x->req_wire = m->wire_body;
	x->req_missing = m->missing;
	x->req_over = body_close(x, &x->req_body, m, &x->req_flags);
	if (x->call)
		exchange_asked(x, body_is_cut(m) || gather_is_cut(&x->req_body));
	else
		rpc_http_asked(x, m, body_is_cut(m));
	find_tool(x);
	find_served(x);
	peer_find(x);
}

/* --- the answer */

void exchange_event(struct exchange *x, const struct sse_event *ev)
{
	sem_event(x->call, ev);
	/* the client acts on it now, whenever the connection or the last chunk may end */
	if (x->call->terminated && !x->answered) {
		sem_finish(x->call, false);
		model_answered(x);
	}
	model_calls_tools(x);
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct exchange *x = ctx;

	if (x->call)
		exchange_event(x, ev);
	else
		rpc_http_event(x, ev);
	charge_exchange(x);
}

static void response_head(struct exchange *x, const struct http_msg *m)
{
	int64_t attempt = x->facts.attempt; /* as the request said */

	x->response_seen = true;
	x->status = m->status;
	x->resp_first = m->ts_first;
	x->resp_last = m->ts_last;
	sem_headers(&x->facts, &x->arena, NULL, m);
	x->facts.attempt = attempt;
	x->content_type = arena_dup(&x->arena, http_field_get(m, "content-type"));
	if (x->call)
		sem_head(x->call, m);
	else
		rpc_http_answer_head(x, m);
}

void exchange_piece(struct exchange *x, uint64_t ts)
{
	struct chunk_stats *c = &x->chunks;

	x->resp_last = ts;
	if (c->cnt++ && ts - c->ts_last > c->max_gap)
		c->max_gap = ts - c->ts_last;
	c->ts_last = ts;
}

/* Of a model call's body the end is kept, too; of what is none the beginning. */
static void keep_body(struct exchange *x, struct gather *k, size_t max, struct sv bytes)
{
	if (x->call)
		gather_add(k, bodies(x), bytes, LIMIT_BODY, LIMIT_BODY_END);
	else
		gather_add(k, bodies(x), bytes, max, 0);
}

/* An answer in events is put together as they come; over the budget there is room for its last ones. */
static void charge_answer(struct exchange *x)
{
	struct arena *a = x->call ? &x->call->arena : NULL;

	if (!a)
		return;
	bodies(x)->used += a->used - x->answer_charged;
	x->answer_charged = a->used;
	if (bodies(x)->used > bodies(x)->max && a->max > a->used + ANSWER_SPARE)
		a->max = a->used + ANSWER_SPARE;
}

/* How the answer's body is read; false: nobody asks for it. */
static bool find_framing(const struct exchange *x, struct sv first, enum framing *how)
{
	bool events = sv_istarts(x->content_type, "text/event-stream");

	if (x->call) {
		*how = sem_framing(x->call, x->content_type, first);
		return true;
	}
	*how = events ? FRAMING_SSE : FRAMING_WHOLE;
	return rpc_http_wants(x, events);
}

static void response_body(struct exchange *x, uint64_t ts, struct sv bytes)
{
	enum framing how;

	exchange_piece(x, ts);
	if (!find_framing(x, bytes, &how))
		return;
	if (x->chunks.cnt == 1 && how != FRAMING_WHOLE)
		framer_new(&x->framer, how, on_event, x);
	if (x->framer)
		framer_feed(x->framer, ts, bytes);
	else
		keep_body(x, &x->resp_body, LIMIT_RPC_TEXT, bytes);
	charge_answer(x);
}

static void response_done(struct exchange *x, const struct http_msg *m)
{
	x->response_done = true;
	x->resp_flags = m->flags;
	x->resp_last = m->ts_last;
	x->resp_wire = m->wire_body;
	x->resp_missing = m->missing;
	x->resp_over = body_close(x, &x->resp_body, m, &x->resp_flags);
	if (x->framer)
		framer_end(x->framer, m->ts_last);
	else if (!x->call)
		rpc_http_answered(x, body_is_cut(m));
	else
		sem_response(x->call, x->status, buf_view(&x->resp_body.text),
			     body_is_cut(m) || gather_is_cut(&x->resp_body));
	gather_fini(&x->resp_body, bodies(x)); /* what it says was taken out of it */
}

/* --- its end */

static void emit_http(struct exchange *x)
{
	struct span *s = exchange_span(x, SPAN_HTTP);

	if (!s)
		return;
	exchange_place(s, x);
	if (x->call && !x->call->operation)
		span_set_str(s, ATTR_ID_API, sv(x->call->api));
	peer_set(s, x);
	if (x->status >= 400)
		engine_fail(s, arena_fmt(&s->arena, "%d", x->status), SV(""));
	else if (span_attr(s, ATTR_ID_RESET))
		engine_fail(s, SV("ECONNRESET"), SV("the connection was reset"));
	grpc_call_set(s, x);
	usage_set(s, &x->used);
	rpc_http_describe(s, x);
	engine_emit(x->run, &s);
}

bool exchange_is_call(const struct exchange *x)
{
	const struct sem_call *c = x->call;
	bool unseen = !c->request_seen && (c->provider.n || !x->req_body.text.len);

	if (!c->operation)
		return false; /* counts tokens, fetches, manages */
	return unseen || c->confirmed || c->request_model.n || c->response_model.n ||
	       c->response_id.n || c->has_usage;
}

/* x is off its connection's list already. */
static void exchange_over(struct exchange *x)
{
	x->addr = x->http->stream->conn->addr;
	share_leave(x->run, &x->share);
	if (x->call)
		sem_finish(x->call, !(x->resp_flags & HTTP_COMPLETE));
	if (x->call && exchange_is_call(x))
		model_attempt(x);
	else if (!rpc_http_over(x))
		emit_http(x);
	exchange_free(x);
}

void exchange_end(struct exchange *x)
{
	exchange_unlink(x->http, x);
	exchange_over(x);
}

bool exchange_may_retry(const struct exchange *x, const struct exchange *e)
{
	if (x->facts.attempt != SEM_NONE)
		return x->facts.attempt > 1;
	return e->response_seen && e->resp_last < x->req_first;
}

void exchange_abandon(struct exchange *x)
{
	x->resp_flags |= HTTP_CUT;
	if (x->framer)
		framer_end(x->framer, x->resp_last);
	gather_close(&x->resp_body, bodies(x));
	if (!x->framer)
		sem_response(x->call, x->status, buf_view(&x->resp_body.text), true);
	exchange_end(x);
}

/* --- the HTTP parsers' callbacks */

/*
 * An answer whose request did not come with its last chance is over, and so is a request behind whose answer's
 * hole a later one is answered: HTTP/1 answers in order.
 */
static bool is_past(const struct exchange *x, const struct http_msg *m, bool in_order)
{
	if (x->response_done)
		return !x->method.n && x->seq != m->seq;
	return in_order && x->seq < m->seq && exchange_answer_is_lost(x);
}

static void end_past(struct http_conn *h, const struct http_msg *m)
{
	bool in_order = h->http1 && m->dir == HTTP_RESPONSE && m->flags & HTTP_JOINED;
	struct exchange *x = h->open;

	while (x) {
		struct exchange *next = x->next;

		if (is_past(x, m, in_order))
			exchange_end(x);
		x = next;
	}
}

static void on_head(void *ctx, struct http_msg *m)
{
	struct http_conn *h = ctx;
	struct exchange *x;

	end_past(h, m);
	x = exchange_find(h, m->seq); /* either side may be seen first */
	if (!x && (m->dir == HTTP_REQUEST || (m->flags & HTTP_UNPAIRED)))
		x = exchange_new(h, m->seq);
	m->user = x;
	if (!x)
		return; /* abandoned: its span is out */
	x->http_major = m->major;
	x->http_minor = m->minor;
	grpc_call_head(x, m);
	if (m->dir == HTTP_REQUEST)
		request_head(x, m);
	else
		response_head(x, m);
}

/* An abandoned exchange is gone while its messages may still be open. */
static struct exchange *of_message(struct http_conn *h, const struct http_msg *m)
{
	return m->user ? exchange_find(h, m->seq) : NULL;
}

static void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct exchange *x = of_message(ctx, m);

	if (!x)
		return;
	grpc_call_body(x, m->dir, ts, bytes);
	if (m->dir == HTTP_RESPONSE) {
		x->resp_wire = m->wire_body; /* so far: it may be abandoned */
		response_body(x, ts, bytes);
	} else if (x->call || x->may_be_rpc) {
		keep_body(x, &x->req_body, LIMIT_RPC_BODY, bytes);
	}
}

static void on_hole(void *ctx, struct http_msg *m, uint64_t n)
{
	struct exchange *x = of_message(ctx, m);

	if (!x)
		return;
	/* the message's own flags are taken when it is done, but its calls may be told before */
	if (m->dir == HTTP_REQUEST)
		x->req_flags |= HTTP_HOLE;
	else
		x->resp_flags |= HTTP_HOLE;
	if (x->call && (m->dir == HTTP_REQUEST || !x->framer))
		gather_hole(m->dir == HTTP_REQUEST ? &x->req_body : &x->resp_body, bodies(x), n);
	grpc_call_hole(x, m->dir, n);
	if (m->dir == HTTP_RESPONSE && x->framer)
		framer_gap(x->framer);
}

static void on_done(void *ctx, struct http_msg *m)
{
	struct exchange *x = of_message(ctx, m);

	if (!x)
		return;
	grpc_call_done(x, m);
	if (m->dir == HTTP_REQUEST)
		request_done(x, m);
	else
		response_done(x, m);
	if (x->response_done && m->status == 101 &&
	    sv_ieq(http_field_get(m, "upgrade"), "websocket"))
		ws_open(ctx, x, m);
	if (x->response_done && x->request_done)
		exchange_end(x);
}

const struct http_ops exchange_ops = {
	.head = on_head,
	.body = on_body,
	.hole = on_hole,
	.done = on_done,
};

void exchange_answers_missed(struct http_conn *h)
{
	for (struct exchange *x = h->open; x; x = x->next)
		if (!x->response_seen)
			x->resp_flags |= HTTP_HOLE;
}

bool exchange_answer_is_lost(const struct exchange *x)
{
	return !x->response_seen && (x->resp_flags & HTTP_HOLE);
}

void exchange_end_all(struct http_conn *h)
{
	while (h->open) {
		struct exchange *x = h->open;

		h->open = x->next;
		exchange_over(x);
	}
}
