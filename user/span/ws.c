// SPDX-License-Identifier: BSD-2-Clause
/*
 * Model calls over a WebSocket, as OpenAI's Responses API has them: each text message of the client
 * that is a response.create begins a call, the server's messages are the events of its answer, and one
 * connection carries call after call.  Anything else on a WebSocket is passed over.
 */
#include <stdlib.h>
#include "base/limits.h"
#include "proto/websocket.h"
#include "span/engine.h"

#define WS_SEQ (UINT64_C(1) << 32) /* ordinals of messages, apart from those of HTTP exchanges */

struct ws {
	struct http_conn *http;
	struct websocket *socket;
	struct arena arena;
	struct sv target, host, user_agent; /* of the handshake */
	uint64_t next_seq;
};

static struct sem_call *call_of(struct ws *ws)
{
	struct sv query = ws->target, host = ws->host;
	struct sem_route route = { .method = SV("POST"), .host = sv_token(&host, ':') };
	struct sem_call *call = NULL;

	route.path = sv_token(&query, '?');
	route.query = query;
	return sem_call_new(&call, &route) ? NULL : call;
}

/* The request that a client's message holds, as JSON text; empty when it is something else. */
static struct sv request_of(struct arena *scratch, struct sv message)
{
	const struct json *v = json_parse(scratch, message, NULL), *inner;

	if (!json_str_is(json_get(v, "type"), "response.create"))
		return SV("");
	inner = json_get(v, "response");
	return json_is(inner, JSON_OBJECT) ? json_text(scratch, inner) : message;
}

static void on_request(struct ws *ws, const struct websocket_message *m)
{
	_cleanup_arena_ struct arena scratch;
	struct exchange *x;
	struct sv body;

	arena_init(&scratch, LIMIT_JSON_ARENA);
	body = request_of(&scratch, m->data);
	if (!body.n)
		return;
	x = exchange_new(ws->http, WS_SEQ + ws->next_seq++);
	if (!x)
		return;
	x->call = call_of(ws);
	if (!x->call) {
		exchange_end(x);
		return;
	}
	x->method = SV("GET"); /* the handshake's */
	x->status = 101;
	x->http_major = x->http_minor = 1;
	x->target = arena_dup(&x->arena, ws->target);
	x->host = arena_dup(&x->arena, ws->host);
	x->user_agent = arena_dup(&x->arena, ws->user_agent);
	x->req_first = m->ts_first;
	x->req_last = m->ts_last;
	x->req_wire = m->wire;
	x->req_flags = m->flags & WEBSOCKET_HOLE ? HTTP_HOLE : HTTP_COMPLETE;
	x->request_done = true;
	buf_sv(&x->req_body, body);
	exchange_asked(x, m->flags & (WEBSOCKET_CUT | WEBSOCKET_HOLE));
	x->call->stream = true;
}

static void on_answer(struct ws *ws, const struct websocket_message *m)
{
	struct sse_event ev = { .data = m->data, .ts_first = m->ts_first, .ts_last = m->ts_last };
	struct exchange *x = ws->http->open;

	while (x && x->seq < WS_SEQ)
		x = x->next;
	if (!x)
		return;
	if (!x->response_seen)
		x->resp_first = m->ts_first;
	x->response_seen = true;
	x->resp_wire += m->wire;
	exchange_piece(x, m->ts_last);
	exchange_event(x, &ev);
	if (!x->call->terminated && !x->call->has_error)
		return;
	x->resp_flags = HTTP_COMPLETE;
	x->response_done = true;
	exchange_end(x);
}

static void on_message(void *ctx, const struct websocket_message *m)
{
	struct ws *ws = ctx;

	if (m->op != WEBSOCKET_TEXT)
		return;
	if (m->dir == HTTP_REQUEST)
		on_request(ws, m);
	else
		on_answer(ws, m);
}

void ws_open(struct http_conn *h, const struct exchange *handshake, const struct http_msg *answer)
{
	struct ws *ws = h->role == ROLE_CLIENT && h->http1 ? calloc(1, sizeof(*ws)) : NULL;

	if (!ws)
		return;
	arena_init(&ws->arena, LIMIT_HTTP_HEAD);
	ws->http = h;
	ws->target = arena_dup(&ws->arena, handshake->target);
	ws->host = arena_dup(&ws->arena, handshake->host);
	ws->user_agent = arena_dup(&ws->arena, handshake->user_agent);
	if (websocket_new(&ws->socket, answer, on_message, ws)) {
		arena_fini(&ws->arena);
		free(ws);
		return;
	}
	h->ws = ws;
}

void ws_feed(struct http_conn *h, enum http_dir dir, uint64_t ts, struct sv bytes)
{
	websocket_feed(h->ws->socket, dir, ts, bytes);
}

void ws_gap(struct http_conn *h, enum http_dir dir, uint64_t missing)
{
	websocket_gap(h->ws->socket, dir, missing);
}

void ws_close(struct http_conn *h)
{
	if (!h->ws)
		return;
	websocket_end(h->ws->socket);
	for (struct exchange *x = h->open; x; x = x->next)
		if (x->seq >= WS_SEQ)
			x->resp_flags |= HTTP_CUT;
	websocket_free(&h->ws->socket);
	arena_fini(&h->ws->arena);
	free(h->ws);
	h->ws = NULL;
}
