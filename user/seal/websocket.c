// SPDX-License-Identifier: BSD-2-Clause
/*
 * One direction of a WebSocket: frames (RFC 6455 5.2) are unmasked, masked as text and put back under
 * their key.  A deflated message (RFC 7692) is told by its RSV1 bit alone, and its window is kept for the next:
 * where the peers agreed not to, nothing refers to it.
 */
#include <stdlib.h>
#include <string.h>

#include "seal/seal_int.h"

#define HEAD_MIN 2
#define HEAD_MAX 14
#define PIECE (16u << 10)

enum ws_op { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PONG = 10 };

struct seal_ws {
	unsigned char head[HEAD_MAX];
	size_t head_len;
	bool open; /* a frame's payload comes next */
	bool fin, control;
	bool lost; /* frames cannot be told any more */
	bool deflated, in_message;
	uint64_t left;
	unsigned char key[4];
	unsigned int key_at;
	struct redact text, aside; /* of the message, and of a control frame */
	struct seal_events events;
	struct seal_inflate *inflate;
};

struct seal_ws *seal_ws_new(void)
{
	return calloc(1, sizeof(struct seal_ws));
}

void seal_ws_free(struct seal_work *w, struct seal_ws **ws)
{
	if (!*ws)
		return;
	seal_inflate_free(w, &(*ws)->inflate);
	seal_events_fini(w, &(*ws)->events);
	free(*ws);
	*ws = NULL;
}

static size_t head_size(const unsigned char *h)
{
	unsigned char len = h[1] & 0x7f;

	return HEAD_MIN + (len == 126 ? 2 : len == 127 ? 8 : 0) + (h[1] & 0x80 ? 4 : 0);
}

/* As websocket.c of proto has it. */
static bool is_valid(const struct seal_ws *ws)
{
	unsigned char op = ws->head[0] & 0x0f;

	if (ws->head[0] & 0x30 || ws->left > INT64_MAX)
		return false;
	if (ws->control)
		return op <= OP_PONG && ws->fin && !(ws->head[0] & 0x40) && ws->left <= 125;
	return op == OP_CONTINUATION ? ws->in_message && !(ws->head[0] & 0x40)
				     : op <= OP_BINARY && !ws->in_message;
}

static void open_message(struct seal_work *w, struct seal_ws *ws)
{
	ws->in_message = true;
	ws->deflated = ws->head[0] & 0x40;
	ws->text = (struct redact)REDACT_INIT;
	seal_events_message(&ws->events);
	if (!ws->deflated)
		return;
	if (!ws->inflate)
		ws->inflate = seal_inflate_new(w, CHECK_NONE);
	if (!ws->inflate)
		return;
	ws->inflate->redact = (struct redact)REDACT_INIT;
	seal_events_message(&ws->inflate->events);
}

/* RFC 7692 7.2.2: the sender left these off. */
static void close_message(struct seal_work *w, struct seal_ws *ws)
{
	char end[] = { 0, 0, (char)0xff, (char)0xff };
	enum seal_zstate state;

	ws->in_message = false;
	if (!ws->deflated || !ws->inflate || ws->inflate->state == INFLATE_BROKEN)
		return;
	seal_inflate_feed(w, ws->inflate, end, sizeof(end), &state);
	if (state == ZIP_MORE && ws->inflate->state == INFLATE_BLOCK)
		return;
	if (state == ZIP_END)
		seal_inflate_next(ws->inflate);
	else
		seal_inflate_break(ws->inflate); /* it ends inside of a block */
}

static void close_frame(struct seal_work *w, struct seal_ws *ws)
{
	ws->open = false;
	ws->head_len = 0;
	ws->lost |= ws->control && (ws->head[0] & 0x0f) == OP_CLOSE;
	if (!ws->control && ws->fin)
		close_message(w, ws);
}

static void open_frame(struct seal_work *w, struct seal_ws *ws)
{
	size_t end = head_size(ws->head) - (ws->head[1] & 0x80 ? 4 : 0);

	ws->open = true;
	ws->fin = ws->head[0] & 0x80;
	ws->control = (ws->head[0] & 0x0f) >= OP_CLOSE;
	ws->left = end == HEAD_MIN ? ws->head[1] & 0x7f : 0;
	for (size_t i = HEAD_MIN; i < end; i++)
		ws->left = ws->left << 8 | ws->head[i];
	memset(ws->key, 0, sizeof(ws->key));
	if (ws->head[1] & 0x80)
		memcpy(ws->key, ws->head + end, sizeof(ws->key));
	ws->key_at = 0;
	if (!is_valid(ws)) {
		ws->lost = true;
		return;
	}
	if (ws->control)
		ws->aside = (struct redact)REDACT_INIT;
	else if ((ws->head[0] & 0x0f) != OP_CONTINUATION)
		open_message(w, ws);
	if (!ws->left)
		close_frame(w, ws);
}

static void mask_deflated(struct seal_work *w, struct seal_ws *ws, char *p, size_t n)
{
	while (n) {
		enum seal_zstate state = ZIP_BROKEN;
		size_t now = n;

		if (ws->inflate)
			now = seal_inflate_feed(w, ws->inflate, p, n, &state);
		else
			seal_blank(w, p, n);
		if (state == ZIP_END)
			seal_inflate_next(ws->inflate);
		p += now;
		n -= now;
	}
}

static void mask_text(struct seal_work *w, struct seal_ws *ws, char *p, size_t n)
{
	seal_text(w, &ws->text, p, n);
	seal_events_feed(w, &ws->events, p, n, false);
	seal_joined_flush(w); /* p is a copy */
}

static void turn(const struct seal_ws *ws, char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(from[i] ^ (char)ws->key[(ws->key_at + i) % 4]);
}

static void payload(struct seal_work *w, struct seal_ws *ws, char *p, size_t n)
{
	char piece[PIECE];

	turn(ws, piece, p, n);
	if (ws->control)
		seal_text(w, &ws->aside, piece, n);
	else if (ws->deflated)
		mask_deflated(w, ws, piece, n);
	else
		mask_text(w, ws, piece, n);
	turn(ws, p, piece, n);
	ws->key_at = (unsigned int)((ws->key_at + n) % 4);
	ws->left -= n;
	if (!ws->left)
		close_frame(w, ws);
}

void seal_ws_feed(struct seal_work *w, struct seal_ws *ws, char *p, size_t n)
{
	while (n && !ws->lost) {
		size_t now = 1;

		if (ws->open) {
			now = n < PIECE ? n : PIECE;
			if (now > ws->left)
				now = (size_t)ws->left;
			payload(w, ws, p, now);
		} else {
			ws->head[ws->head_len++] = (unsigned char)*p;
			if (ws->head_len >= HEAD_MIN && ws->head_len == head_size(ws->head))
				open_frame(w, ws);
		}
		p += now;
		n -= now;
	}
	if (n)
		seal_blank(w, p, n);
}

void seal_ws_hole(struct seal_work *w, struct seal_ws *ws, uint64_t n)
{
	if (ws->lost)
		return;
	if (!ws->open || n > ws->left) {
		ws->lost = true;
		return;
	}
	if (!ws->control && ws->deflated && ws->inflate)
		seal_inflate_break(ws->inflate);
	ws->key_at = (unsigned int)((ws->key_at + n) % 4);
	ws->left -= n;
	if (!ws->left)
		close_frame(w, ws);
}
