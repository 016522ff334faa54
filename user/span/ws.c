// SPDX-License-Identifier: BSD-2-Clause
/*
 * Model calls over a WebSocket: sem/session.h tells which message begins a call and which are the
 * events of its answer; one connection carries call after call.  Anything else is passed over.
 */
#include <stdlib.h>
#include "base/limits.h"
#include "proto/websocket.h"
#include "sem/session.h"
#include "span/engine.h"

#define WS_SEQ (UINT64_C(1) << 32) /* ordinals of messages, apart from those of HTTP exchanges */

struct ws {
	struct http_conn *http;
	struct websocket *socket;
	struct arena arena;
	struct sem_session *session;
	struct sv target, host, user_agent; /* of the handshake */
	uint64_t next_seq;
	uint64_t said; /* bytes of the client since the last call began */
};

static struct sem_route route_of(const struct ws *ws)
{
	struct sv query = ws->target, host = ws->host;
	struct sem_route route = { .method = SV("POST"),
				   .host = sv_token(&host, ':'),
				   .websocket = true };

	route.path = sv_token(&query, '?');
	route.query = query;
	return route;
}

/* m begins it; the request may have been said by earlier messages, too. */
static struct exchange *begin_call(struct ws *ws, const struct websocket_message *m)
{
	struct exchange *x = exchange_new(ws->http, WS_SEQ + ws->next_seq++);
	struct sem_route route = route_of(ws);

	if (!x)
		return NULL;
	x->method = SV("GET"); /* the handshake's */
	x->status = 101;
	x->http_major = x->http_minor = 1;
	x->target = arena_dup(&x->arena, ws->target);
	x->host = arena_dup(&x->arena, ws->host);
	x->user_agent = arena_dup(&x->arena, ws->user_agent);
	x->req_first = m->ts_first;
	x->req_last = m->dir == HTTP_REQUEST ? m->ts_last : m->ts_first;
	x->req_wire = ws->said;
	x->req_flags = m->flags & WEBSOCKET_HOLE ? HTTP_HOLE : HTTP_COMPLETE;
	x->request_done = true;
	ws->said = 0;
	if (sem_call_new(&x->call, &route)) {
		exchange_end(x);
		return NULL;
	}
	gather_add(&x->req_body, &x->run->t->bodies, buf_view(&ws->session->body), LIMIT_BODY,
		   LIMIT_BODY_END);
	gather_close(&x->req_body, &x->run->t->bodies);
	exchange_asked(x, m->flags & (WEBSOCKET_CUT | WEBSOCKET_HOLE));
	x->call->stream = true;
	return x;
}

static void answer(struct exchange *x, const struct websocket_message *m)
{
	struct sse_event ev = { .data = m->data, .ts_first = m->ts_first, .ts_last = m->ts_last };

	if (!x->response_seen)
		x->resp_first = m->ts_first;
	x->response_seen = true;
	x->resp_wire += m->wire;
	exchange_piece(x, m->ts_last);
	exchange_event(x, &ev);
	if (!x->call->terminated && !x->call->has_error)
		return;
	x->resp_flags |= HTTP_COMPLETE;
	x->response_done = true;
	exchange_end(x);
}

/* The oldest call that is open, or the latest. */
static struct exchange *open_call(struct ws *ws, bool latest)
{
	struct exchange *found = NULL;

	for (struct exchange *x = ws->http->open; x && (latest || !found); x = x->next)
		if (x->seq >= WS_SEQ)
			found = x;
	return found;
}

static void on_message(void *ctx, const struct websocket_message *m)
{
	struct exchange *x = NULL;
	struct ws *ws = ctx;
	enum sem_turn turn;

	if (!ws->session || (m->op != WEBSOCKET_TEXT && m->op != WEBSOCKET_BINARY))
		return;
	if (m->dir == HTTP_REQUEST)
		ws->said += m->wire;
	turn = sem_session_message(ws->session, m->dir, m->data);
	if (turn == SEM_TURN_BEGINS)
		x = begin_call(ws, m);
	else if (turn != SEM_TURN_NONE)
		x = open_call(ws, turn == SEM_TURN_REFUSED);
	if (x && m->dir == HTTP_RESPONSE)
		answer(x, m);
}

static void ws_free(struct ws **ws)
{
	if (!*ws)
		return;
	websocket_free(&(*ws)->socket);
	sem_session_free(&(*ws)->session);
	arena_fini(&(*ws)->arena);
	free(*ws);
	*ws = NULL;
}

void ws_open(struct http_conn *h, const struct exchange *handshake, const struct http_msg *answered)
{
	struct ws *ws = h->role == ROLE_CLIENT && h->http1 ? calloc(1, sizeof(*ws)) : NULL;
	struct sem_route route;

	if (!ws)
		return;
	arena_init(&ws->arena, LIMIT_HTTP_HEAD);
	ws->http = h;
	ws->target = arena_dup(&ws->arena, handshake->target);
	ws->host = arena_dup(&ws->arena, handshake->host);
	ws->user_agent = arena_dup(&ws->arena, handshake->user_agent);
	route = route_of(ws);
	sem_session_new(&ws->session, &route); /* -ENOENT: no model API */
	if (websocket_new(&ws->socket, answered, on_message, ws))
		ws_free(&ws);
	h->ws = ws;
}

void ws_feed(struct http_conn *h, enum http_dir dir, uint64_t ts, struct sv bytes)
{
	websocket_feed(h->ws->socket, dir, ts, bytes);
}

void ws_gap(struct http_conn *h, enum http_dir dir, uint64_t missing)
{
	for (struct exchange *x = h->open; x && dir == HTTP_RESPONSE; x = x->next)
		if (x->seq >= WS_SEQ)
			x->resp_flags |= HTTP_HOLE;
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
	ws_free(&h->ws);
}
