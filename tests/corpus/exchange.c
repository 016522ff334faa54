// SPDX-License-Identifier: BSD-2-Clause
/* Recorded exchanges through the parsers: see exchange.h. */
#include "exchange.h"

#include "base/cleanup.h"
#include "proto/framing.h"
#include "proto/http1.h"
#include "sem/sem.h"

#define DECIDE_AT 8  /* bytes of an answer that tell whether it is a stream */
#define TICK 1000ull /* ns between two pieces */

struct exchange {
	struct arena *arena;
	struct sem_call *call;
	struct framer *framer;
	struct buf body[2];
	struct sv content_type, traceparent;
	int64_t attempt;
	int status;
};

static void on_request(struct exchange *x, const struct http_msg *m)
{
	struct sv query = m->target, host = http_field_get(m, "host");
	struct sem_route r = { .method = m->method, .head = m };
	struct sem_headers h;

	r.path = sv_token(&query, '?');
	r.query = query;
	r.host = sv_token(&host, ':');
	sem_headers(&h, x->arena, m, NULL);
	x->attempt = h.attempt;
	x->traceparent = arena_dup(x->arena, http_field_get(m, "traceparent"));
	sem_call_new(&x->call, &r);
}

static void on_head(void *ctx, struct http_msg *m)
{
	struct exchange *x = ctx;

	if (m->dir == HTTP_REQUEST) {
		on_request(x, m);
		return;
	}
	x->status = m->status;
	x->content_type = arena_dup(x->arena, http_field_get(m, "content-type"));
	if (x->call)
		sem_head(x->call, m);
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	sem_event(((struct exchange *)ctx)->call, ev);
}

static void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct exchange *x = ctx;
	struct buf *b = &x->body[m->dir];
	bool decided = m->dir == HTTP_REQUEST || b->len >= DECIDE_AT;
	enum framing how;

	if (x->framer) {
		framer_feed(x->framer, ts, bytes);
		return;
	}
	buf_sv(b, bytes);
	if (decided || b->len < DECIDE_AT || !x->call)
		return;
	how = sem_framing(x->call, x->content_type, buf_view(b));
	if (how != FRAMING_WHOLE && !framer_new(&x->framer, how, on_event, x))
		framer_feed(x->framer, ts, buf_view(b));
}

static void on_done(void *ctx, struct http_msg *m)
{
	struct exchange *x = ctx;
	bool cut = !(m->flags & HTTP_COMPLETE);

	if (!x->call)
		return;
	if (m->dir == HTTP_REQUEST) {
		sem_request(x->call, buf_view(&x->body[HTTP_REQUEST]), cut);
		return;
	}
	if (x->framer)
		framer_end(x->framer, m->ts_last);
	else
		sem_response(x->call, x->status, buf_view(&x->body[HTTP_RESPONSE]), cut);
	sem_finish(x->call, cut);
}

/* xorshift64 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Pieces of one byte to 4 KiB, the short ones near the start, where the framing is. */
static size_t piece(uint64_t *seed, size_t at, size_t left)
{
	uint64_t r = next_random(seed);
	size_t n = 1 + (r >> 8) % (at < 2048 ? 64 : 4096);

	if (r % 4 == 0)
		n = 1 + (r >> 8) % 3;
	return n < left ? n : left;
}

static void feed(struct http1 *h, enum http_dir dir, uint64_t *ts, struct sv bytes, uint64_t seed)
{
	for (size_t at = 0; at < bytes.n;) {
		size_t n = seed ? piece(&seed, at, bytes.n - at) : bytes.n;

		http1_feed(h, dir, *ts, sv_sub(bytes, at, n));
		*ts += TICK;
		at += n;
	}
}

/* --- the result --- */

static void set_sv(struct arena *a, struct json *v, const char *key, struct sv s)
{
	if (s.n)
		json_set(a, v, key, json_string(a, s));
}

static void set_int(struct arena *a, struct json *v, const char *key, int64_t n)
{
	if (n != SEM_NONE)
		json_set(a, v, key, json_int(a, n));
}

static struct json *usage_of(struct arena *a, const struct sem_call *c)
{
	struct json *u = c->has_usage ? json_object(a) : NULL;

	set_int(a, u, "input", c->usage.input);
	set_int(a, u, "output", c->usage.output);
	set_int(a, u, "cache_read", c->usage.cache_read);
	set_int(a, u, "cache_write", c->usage.cache_write);
	set_int(a, u, "reasoning", c->usage.reasoning);
	return u;
}

static struct json *calls_of(struct arena *a, const struct sem_call *c, bool server)
{
	struct json *list = json_array(a);

	for (const struct sem_tool_call *t = c->calls; t; t = t->next) {
		struct json *v = t->server == server ? json_object(a) : NULL;

		set_sv(a, v, "id", t->id);
		set_sv(a, v, "name", t->name);
		set_sv(a, v, "arguments", t->args);
		json_push(list, v);
	}
	return list;
}

static struct json *results_of(struct arena *a, const struct sem_call *c)
{
	struct json *list = json_array(a);

	for (const struct sem_tool_result *r = c->results; r; r = r->next) {
		struct json *v = json_object(a);

		set_sv(a, v, "id", r->id);
		set_sv(a, v, "name", r->name);
		if (r->has_error)
			json_set(a, v, "is_error", json_bool(a, r->is_error));
		set_sv(a, v, "content_text", r->text);
		json_push(list, v);
	}
	return list;
}

static void error_of(struct arena *a, struct json *v, const struct exchange *x)
{
	const struct sem_call *c = x->call;

	if (!c->has_error)
		return;
	if (c->error.type.n)
		set_sv(a, v, "error_type", c->error.type);
	else
		set_sv(a, v, "error_type",
		       x->status >= 400 ? arena_fmt(a, "%d", x->status) : SV("_OTHER"));
	set_sv(a, v, "error_code", c->error.code);
	set_sv(a, v, "error_message", c->error.message);
}

static void request_of(struct arena *a, struct json *v, const struct exchange *x)
{
	const struct sem_call *c = x->call;

	set_sv(a, v, "api", sv(c->api));
	set_sv(a, v, "provider", c->provider);
	set_sv(a, v, "operation", sv(c->operation));
	json_set(a, v, "stream", json_bool(a, c->stream));
	set_sv(a, v, "request_model", c->request_model);
	set_int(a, v, "embedding_dimensions", c->embedding_dimensions);
	set_sv(a, v, "retrieval_query", c->retrieval_query);
	set_int(a, v, "n_input_messages", c->input_message_cnt);
	json_set(a, v, "tools_defined", json_copy(a, c->tool_names));
	json_set(a, v, "tool_results", results_of(a, c));
	set_int(a, v, "attempt", x->attempt);
	set_sv(a, v, "traceparent", x->traceparent);
	json_set(a, v, "input_messages", json_copy(a, c->input_messages));
	json_set(a, v, "system_instructions", json_copy(a, c->system_instructions));
	json_set(a, v, "tool_definitions", json_copy(a, c->tool_definitions));
}

static struct json *result_of(struct arena *a, const struct exchange *x)
{
	const struct sem_call *c = x->call;
	struct json *v = json_object(a);

	request_of(a, v, x);
	error_of(a, v, x);
	json_set(a, v, "status", json_int(a, x->status));
	set_sv(a, v, "response_model", c->response_model);
	set_sv(a, v, "response_id", c->response_id);
	json_set(a, v, "finish_reasons", json_copy(a, c->finish_reasons));
	set_sv(a, v, "text", buf_view(&c->text));
	set_sv(a, v, "reasoning", buf_view(&c->reasoning));
	set_sv(a, v, "refusal", buf_view(&c->refusal));
	json_set(a, v, "tool_calls", calls_of(a, c, false));
	json_set(a, v, "server_tool_calls", calls_of(a, c, true));
	json_set(a, v, "usage", usage_of(a, c));
	json_set(a, v, "output_messages", json_copy(a, c->output_messages));
	json_set(a, v, "retrieval_documents", json_copy(a, c->retrieval_documents));
	json_set(a, v, "content_events", json_uint(a, c->content_events));
	json_set(a, v, "bad_events", json_uint(a, c->bad_events));
	json_set(a, v, "cut", json_bool(a, c->response_cut));
	return v;
}

struct json *exchange_run(struct arena *a, struct sv request, struct sv response, uint64_t seed)
{
	static const struct http_ops ops = { .head = on_head, .body = on_body, .done = on_done };
	struct exchange x = { .arena = a, .attempt = SEM_NONE };
	struct json *result = NULL;
	uint64_t ts = TICK;
	struct http1 *h;

	if (http1_new(&h, &ops, &x))
		return NULL;
	feed(h, HTTP_REQUEST, &ts, request, seed);
	feed(h, HTTP_RESPONSE, &ts, response, seed);
	http1_end(h, ts);
	if (x.call)
		result = result_of(a, &x);
	http1_free(&h);
	framer_free(&x.framer);
	sem_call_free(&x.call);
	buf_fini(&x.body[HTTP_REQUEST]);
	buf_fini(&x.body[HTTP_RESPONSE]);
	return result;
}
