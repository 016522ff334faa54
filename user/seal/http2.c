// SPDX-License-Identifier: BSD-2-Clause
/*
 * One direction of HTTP/2, from frame to frame (RFC 9113 4.1, 6): header blocks go to hpack.c, what DATA holds
 * to the body of its stream.  Where frames are lost they are searched for in one record at a time, since it
 * is written before the next one comes; what is none until then is kept only where it is text.
 */
#include <stdlib.h>
#include <string.h>

#include "seal/seal_int.h"

enum state { IN_PREFACE, IN_HEAD, IN_PREFIX, IN_CONTENT, IN_TAIL, SEARCHING };

struct stream {
	bool told; /* its header is known */
	bool begun;
	struct seal_body body;
	struct seal_ws *ws; /* RFC 8441 */
};

struct seal_http2 {
	enum state state;
	size_t preface; /* bytes of it that are to come */
	char head[HTTP2_FRAME_HEAD];
	size_t head_len;
	struct http2_frame f;
	uint32_t prefix, content, tail; /* bytes that are to come */
	bool padded;
	bool block; /* a header block is open, */
	bool last;  /* and its stream ends with it */
	uint32_t block_id;
	struct seal_hpack *hpack;
	struct map streams; /* id -> struct stream */
	const struct seal_http2 *other;
};

struct seal_http2 *seal_http2_new(bool preface, bool lost)
{
	struct seal_http2 *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->hpack = seal_hpack_new();
	if (!h->hpack) {
		free(h);
		return NULL;
	}
	h->preface = preface ? HTTP2_PREFACE.n : 0;
	h->state = lost ? SEARCHING : preface ? IN_PREFACE : IN_HEAD;
	return h;
}

void seal_http2_pair(struct seal_http2 *h, const struct seal_http2 *other)
{
	h->other = other;
}

/* --- streams */

static struct map_key key_of(uint32_t id)
{
	return (struct map_key){ .a = id };
}

static void stream_end(struct seal_work *w, struct seal_http2 *h, uint32_t id)
{
	struct stream *st = map_del(&h->streams, key_of(id));

	if (!st)
		return;
	seal_body_fini(w, &st->body);
	seal_ws_free(w, &st->ws);
	free(st);
}

void seal_http2_free(struct seal_work *w, struct seal_http2 **h)
{
	if (!*h)
		return;
	map_for_each (&(*h)->streams, e)
		stream_end(w, *h, (uint32_t)e->key.a);
	map_fini(&(*h)->streams);
	seal_hpack_free(&(*h)->hpack);
	free(*h);
	*h = NULL;
}

static struct stream *stream_get(struct seal_work *w, struct seal_http2 *h, uint32_t id)
{
	struct stream *st = map_get(&h->streams, key_of(id));

	if (st)
		return st;
	if (h->streams.cnt >= LIMIT_HTTP2_STREAMS)
		stream_end(w, h, (uint32_t)h->streams.first->key.a);
	st = calloc(1, sizeof(*st));
	if (st && map_put(&h->streams, key_of(id), st)) {
		free(st);
		return NULL;
	}
	return st;
}

static bool is_websocket(const struct seal_http2 *h, uint32_t id)
{
	const struct stream *st = h ? map_get(&h->streams, key_of(id)) : NULL;

	return st && st->ws;
}

/* A header block is over.  Behind DATA it has trailers, which say nothing of the body. */
static void block_end(struct seal_work *w, struct seal_http2 *h)
{
	struct seal_head head;
	struct stream *st;

	h->block = false;
	seal_hpack_end(h->hpack, &head);
	if (h->last) {
		stream_end(w, h, h->block_id);
		return;
	}
	st = stream_get(w, h, h->block_id);
	if (!st || st->begun)
		return;
	st->told = true;
	seal_ws_free(w, &st->ws);
	seal_body_open(w, &st->body,
		       head.unknown && head.coding == SEAL_PLAIN ? SEAL_GUESS : head.coding);
	if (head.grpc)
		seal_body_grpc(&st->body, head.grpc_coding);
	if (head.websocket || is_websocket(h->other, h->block_id))
		st->ws = seal_ws_new();
}

static void data(struct seal_work *w, struct seal_http2 *h, char *p, size_t n)
{
	struct stream *st = stream_get(w, h, h->f.id);

	if (!st) {
		seal_blank(w, p, n);
		return;
	}
	if (!st->told)
		seal_body_open(w, &st->body, SEAL_GUESS);
	st->told = st->begun = true;
	if (st->ws)
		seal_ws_feed(w, st->ws, p, n);
	else
		seal_body_feed(w, &st->body, p, n);
}

static void data_hole(struct seal_work *w, const struct seal_http2 *h, uint32_t id, uint64_t n)
{
	struct stream *st = map_get(&h->streams, key_of(id));

	if (!st)
		return;
	if (st->ws)
		seal_ws_hole(w, st->ws, n);
	else
		seal_body_hole(w, &st->body);
}

/* --- frames */

static void lose(struct seal_work *w, struct seal_http2 *h)
{
	h->state = SEARCHING;
	h->head_len = 0;
	h->block = false;
	seal_hpack_lose(h->hpack);
	map_for_each (&h->streams, e) {
		data_hole(w, h, (uint32_t)e->key.a, UINT64_MAX);
		((struct stream *)e->value)->begun = true;
	}
}

static bool is_block(const struct http2_frame *f)
{
	return f->type == FRAME_HEADERS || f->type == FRAME_PUSH_PROMISE ||
	       f->type == FRAME_CONTINUATION;
}

static void frame_end(struct seal_work *w, struct seal_http2 *h)
{
	const struct http2_frame *f = &h->f;

	h->state = IN_HEAD;
	h->head_len = 0;
	if (is_block(f) && f->flags & FRAME_END_HEADERS)
		block_end(w, h);
	else if (f->type == FRAME_RST_STREAM ||
		 (f->type == FRAME_DATA && f->flags & FRAME_END_STREAM))
		stream_end(w, h, f->id);
}

static void payload_next(struct seal_work *w, struct seal_http2 *h)
{
	h->state = h->prefix ? IN_PREFIX : h->content ? IN_CONTENT : IN_TAIL;
	if (!h->prefix && !h->content && !h->tail)
		frame_end(w, h);
}

static void block_begin(struct seal_http2 *h)
{
	const struct http2_frame *f = &h->f;

	if (h->block && (f->type != FRAME_CONTINUATION || f->id != h->block_id)) {
		h->block = false; /* RFC 9113 6.10: its end was not seen */
		seal_hpack_lose(h->hpack);
	}
	if (!is_block(f) || h->block)
		return;
	seal_hpack_begin(h->hpack);
	if (f->type == FRAME_CONTINUATION)
		seal_hpack_lose(h->hpack); /* the rest of one */
	h->block = true;
	h->block_id = f->id;
	h->last = f->type == FRAME_HEADERS && f->flags & FRAME_END_STREAM;
}

static void frame_begin(struct seal_work *w, struct seal_http2 *h)
{
	struct http2_frame *f = &h->f;

	*f = http2_frame_read(h->head);
	if (!http2_frame_ok(f, HTTP_RESPONSE)) { /* which may send whatever a client may */
		lose(w, h);
		return;
	}
	block_begin(h);
	h->prefix = http2_frame_prefix(f);
	h->content = f->len - h->prefix;
	h->tail = 0;
	h->padded = h->prefix && f->flags & FRAME_PADDED;
	if (f->type != FRAME_DATA && !is_block(f)) {
		h->content = 0;
		h->tail = f->len;
	}
	payload_next(w, h);
}

static void take_prefix(struct seal_work *w, struct seal_http2 *h, const char *p, size_t now)
{
	if (h->padded) {
		uint32_t pad = (unsigned char)*p;

		h->tail = pad < h->content ? pad : h->content;
		h->content -= h->tail;
		h->padded = false;
	}
	h->prefix -= (uint32_t)now;
	payload_next(w, h);
}

static size_t take_content(struct seal_work *w, struct seal_http2 *h, char *p, size_t n)
{
	size_t now = n < h->content ? n : h->content;

	if (h->f.type == FRAME_DATA)
		data(w, h, p, now);
	else
		seal_hpack_feed(w, h->hpack, p, now);
	h->content -= (uint32_t)now;
	payload_next(w, h);
	return now;
}

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

bool seal_http2_find(struct sv bytes, size_t *at)
{
	return http2_search(bytes, HTTP_RESPONSE, true, at) == FOUND_FRAMES;
}

static size_t take_search(struct seal_work *w, struct seal_http2 *h, char *p, size_t n)
{
	size_t at = n;

	if (seal_http2_find((struct sv){ p, n }, &at))
		h->state = IN_HEAD;
	else
		at = n;
	if (seal_is_binary((struct sv){ p, at }))
		seal_blank(w, p, at);
	return at;
}

static size_t take(struct seal_work *w, struct seal_http2 *h, char *p, size_t n)
{
	size_t now;

	switch (h->state) {
	case IN_PREFACE:
		now = min_of(n, h->preface);
		h->preface -= now;
		h->state = h->preface ? IN_PREFACE : IN_HEAD;
		return now;
	case IN_HEAD:
		now = min_of(n, HTTP2_FRAME_HEAD - h->head_len);
		memcpy(h->head + h->head_len, p, now);
		h->head_len += now;
		if (h->head_len == HTTP2_FRAME_HEAD)
			frame_begin(w, h);
		return now;
	case IN_PREFIX:
		now = min_of(n, h->prefix);
		take_prefix(w, h, p, now);
		return now;
	case IN_CONTENT:
		return take_content(w, h, p, n);
	case IN_TAIL:
		now = min_of(n, h->tail);
		h->tail -= (uint32_t)now;
		payload_next(w, h);
		return now;
	case SEARCHING:
		break;
	}
	return take_search(w, h, p, n);
}

void seal_http2_feed(struct seal_work *w, struct seal_http2 *h, char *p, size_t n)
{
	for (size_t at = 0; at < n;)
		at += take(w, h, p + at, n - at);
}

void seal_http2_hole(struct seal_work *w, struct seal_http2 *h, uint64_t n)
{
	uint64_t inside = (uint64_t)h->prefix + h->content + h->tail, now;

	if (h->state == IN_PREFACE || h->state == IN_HEAD || h->state == SEARCHING || n > inside ||
	    n < h->prefix || h->padded) {
		lose(w, h);
		return;
	}
	n -= h->prefix;
	h->prefix = 0;
	now = n < h->content ? n : h->content;
	if (now && h->f.type == FRAME_DATA)
		data_hole(w, h, h->f.id, now);
	else if (now)
		seal_hpack_lose(h->hpack);
	h->content -= (uint32_t)now;
	h->tail -= (uint32_t)(n - now);
	payload_next(w, h);
}
