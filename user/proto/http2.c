// SPDX-License-Identifier: BSD-2-Clause
/*
 * Moves each direction of a connection from frame to frame: see http2.h.  Holds no payload, and of the
 * bytes it searches no more than the frames that are not told from others yet.
 */
#include "proto/http2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http2_int.h"

#define HELD_SLICE (64u << 10) /* searched at once */

enum side_state {
	AT_START,
	SEARCHING,
	IN_FRAME_HEAD,
	IN_PREFIX,
	IN_CONTENT,
	IN_TAIL, /* padding, and all payload that does not matter */
};

struct side {
	enum http_dir dir;
	enum side_state state;
	uint64_t pos;
	uint64_t ts; /* of the last byte */
	struct http2_held held;
	char head[HTTP2_FRAME_HEAD];
	size_t head_len;
	uint64_t frame_pos, frame_ts; /* of its first byte */
	struct http2_frame frame;
	uint32_t prefix, content, tail; /* bytes that are still to come */
	bool padded;                    /* the pad length comes next */
	struct http2_hpack hpack;
	struct http2_block block;
};

struct http2 {
	struct http2_streams streams;
	struct side sides[2];
	uint32_t newest; /* stream that a request began; a client's are numbered upwards, 5.1.1 */
	int err;
};

int http2_new(struct http2 **out, const struct http_ops *ops, void *ctx)
{
	struct http2 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->streams.ops = *ops;
	h->streams.ctx = ctx;
	h->sides[HTTP_RESPONSE].dir = HTTP_RESPONSE;
	*out = h;
	return 0;
}

static void side_fini(struct side *s)
{
	http2_held_fini(&s->held);
	http2_hpack_fini(&s->hpack);
	http2_block_fini(&s->block);
}

void http2_free(struct http2 **h)
{
	if (!*h)
		return;
	side_fini(&(*h)->sides[HTTP_REQUEST]);
	side_fini(&(*h)->sides[HTTP_RESPONSE]);
	http2_streams_free(&(*h)->streams);
	free(*h);
	*h = NULL;
}

static bool is_block(const struct http2_frame *f)
{
	return f->type == FRAME_HEADERS || f->type == FRAME_PUSH_PROMISE ||
	       f->type == FRAME_CONTINUATION;
}

/* --- where frames are lost, and found */

static int block_close(struct http2 *h, struct side *s)
{
	int err = http2_stream_head(&h->streams, s->dir, &s->block, s->ts);

	http2_block_fini(&s->block);
	return err;
}

/* The block that is open ends here, incomplete. */
static int block_abort(struct http2 *h, struct side *s, uint64_t missing)
{
	if (!s->block.open)
		return 0;
	http2_block_break(&s->block, &s->hpack, missing);
	return block_close(h, s);
}

/* Where the next frame begins is not known; `missing` bytes are gone, or were no frame. */
static int side_lose(struct http2 *h, struct side *s, uint64_t missing)
{
	int err = block_abort(h, s, missing);

	http2_hpack_lose(&s->hpack);
	http2_streams_doubt(&h->streams, s->dir, missing);
	s->state = SEARCHING;
	s->head_len = 0;
	return err;
}

static void skip_held(struct side *s, size_t n)
{
	http2_held_take(&s->held, n);
	s->pos += n;
}

/* RFC 9113 3.4.  False: need more. */
static bool match_start(struct side *s)
{
	struct sv held = http2_held_view(&s->held), preface = HTTP2_PREFACE;
	struct http2_frame f;

	if (s->dir == HTTP_REQUEST) {
		struct sv begin = sv_sub(preface, 0, held.n);

		if (!memcmp(held.p, begin.p, begin.n)) {
			if (begin.n < preface.n)
				return false;
			skip_held(s, preface.n);
			s->state = IN_FRAME_HEAD;
			return true;
		}
	} else {
		if (held.n < HTTP2_FRAME_HEAD)
			return false;
		f = http2_frame_read(held.p);
		if (http2_frame_first(&f)) {
			s->state = IN_FRAME_HEAD;
			return true;
		}
	}
	s->state = SEARCHING;
	http2_hpack_lose(&s->hpack);
	return true;
}

/* True: the held bytes are frames now.  last: as in http2_search(). */
static bool side_search(struct side *s, bool last)
{
	enum http2_found found;
	size_t at;

	if (s->state == AT_START && http2_held_view(&s->held).n && !match_start(s)) {
		if (!last)
			return false;
		s->state = SEARCHING;
		http2_hpack_lose(&s->hpack);
	}
	if (s->state != SEARCHING)
		return s->state != AT_START;
	found = http2_search(http2_held_view(&s->held), s->dir, last, &at);
	if (at)
		skip_held(s, at);
	if (found != FOUND_FRAMES)
		return false;
	s->state = IN_FRAME_HEAD;
	return true;
}

/* --- frames */

static int frame_close(struct http2 *h, struct side *s)
{
	const struct http2_frame *f = &s->frame;
	int err = 0;

	s->state = IN_FRAME_HEAD;
	s->head_len = 0;
	if (f->type == FRAME_DATA && f->flags & FRAME_END_STREAM) {
		http2_stream_end(&h->streams, s->dir, f->id, s->ts);
	} else if (f->type == FRAME_RST_STREAM) {
		http2_stream_reset(&h->streams, f->id);
	} else if (s->block.open && f->flags & FRAME_END_HEADERS) {
		err = http2_block_feed(&s->block, &s->hpack, SV(""), true);
		if (!err)
			err = block_close(h, s);
	}
	return err;
}

static int payload_next(struct http2 *h, struct side *s)
{
	s->state = s->prefix ? IN_PREFIX : s->content ? IN_CONTENT : IN_TAIL;
	return s->prefix || s->content || s->tail ? 0 : frame_close(h, s);
}

static int frame_open(struct http2 *h, struct side *s)
{
	const struct http2_frame *f = &s->frame;
	int err = 0;

	/* 6.10: nothing may come between the frames of a block */
	if (s->block.open && (f->type != FRAME_CONTINUATION || f->id != s->block.id))
		err = block_abort(h, s, 0);
	if (err)
		return err;
	if (f->type == FRAME_HEADERS && s->dir == HTTP_REQUEST && f->id > h->newest)
		h->newest = f->id;
	s->prefix = http2_frame_prefix(f);
	s->content = f->len - s->prefix;
	s->tail = 0;
	s->padded = s->prefix && f->flags & FRAME_PADDED;
	if (f->type == FRAME_DATA) {
		err = http2_stream_data(&h->streams, s->dir, f->id, s->frame_pos, s->frame_ts);
	} else if (f->type == FRAME_CONTINUATION && !s->block.open) {
		http2_hpack_lose(&s->hpack); /* the rest of a block whose begin was not seen */
	} else if (is_block(f) && f->type != FRAME_CONTINUATION) {
		err = http2_block_open(&s->block, f, s->frame_pos, s->frame_ts);
	}
	if (f->type != FRAME_DATA && !s->block.open) {
		s->content = 0;
		s->tail = f->len;
	}
	return err ? err : payload_next(h, s);
}

static int step_head(struct http2 *h, struct side *s, struct sv *bytes)
{
	struct sv now = sv_sub(*bytes, 0, HTTP2_FRAME_HEAD - s->head_len);

	if (!s->head_len) {
		s->frame_pos = s->pos;
		s->frame_ts = s->ts;
	}
	memcpy(s->head + s->head_len, now.p, now.n);
	s->head_len += now.n;
	*bytes = sv_sub(*bytes, now.n, SIZE_MAX);
	if (s->head_len < HTTP2_FRAME_HEAD)
		return 0;
	s->frame = http2_frame_read(s->head);
	if (!http2_frame_ok(&s->frame, s->dir))
		return side_lose(h, s, HTTP2_FRAME_HEAD);
	return frame_open(h, s);
}

/* The pad length is in front; priority and promised stream do not matter. */
static int step_prefix(struct http2 *h, struct side *s, struct sv *bytes)
{
	struct sv now = sv_sub(*bytes, 0, s->prefix);

	if (s->padded) {
		uint32_t pad = (unsigned char)now.p[0];

		/* 6.1: more padding than payload is an error */
		s->tail = pad < s->content ? pad : s->content;
		s->content -= s->tail;
		s->padded = false;
	}
	s->prefix -= now.n;
	*bytes = sv_sub(*bytes, now.n, SIZE_MAX);
	return payload_next(h, s);
}

static int step_content(struct http2 *h, struct side *s, struct sv *bytes)
{
	struct sv now = sv_sub(*bytes, 0, s->content);
	int err;

	if (s->frame.type == FRAME_DATA)
		err = http2_stream_body(&h->streams, s->dir, s->frame.id, s->ts, now);
	else
		err = http2_block_feed(&s->block, &s->hpack, now, false);
	s->content -= now.n;
	*bytes = sv_sub(*bytes, now.n, SIZE_MAX);
	return err ? err : payload_next(h, s);
}

static int step_tail(struct http2 *h, struct side *s, struct sv *bytes)
{
	struct sv now = sv_sub(*bytes, 0, s->tail);

	s->tail -= now.n;
	*bytes = sv_sub(*bytes, now.n, SIZE_MAX);
	return payload_next(h, s);
}

/* Takes bytes off *bytes until there are none, or frames are lost. */
static int side_take(struct http2 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	int err = 0;

	s->ts = ts;
	while (bytes->n && s->state != SEARCHING && !err) {
		size_t before = bytes->n;

		if (s->state == IN_FRAME_HEAD)
			err = step_head(h, s, bytes);
		else if (s->state == IN_PREFIX)
			err = step_prefix(h, s, bytes);
		else if (s->state == IN_CONTENT)
			err = step_content(h, s, bytes);
		else
			err = step_tail(h, s, bytes);
		s->pos += before - bytes->n;
	}
	return err;
}

/* Takes what is held, as far as it is known to be frames. */
static int side_drain(struct http2 *h, struct side *s, bool last)
{
	while (http2_held_view(&s->held).n && (s->state > SEARCHING || side_search(s, last))) {
		uint64_t ts = 0;
		struct sv piece = http2_held_next(&s->held, &ts);
		size_t before = piece.n;
		int err;

		if (!before)
			break;
		err = side_take(h, s, ts, &piece);
		http2_held_take(&s->held, before - piece.n);
		if (err)
			return err;
	}
	return 0;
}

int http2_feed(struct http2 *h, enum http_dir dir, uint64_t ts, struct sv bytes)
{
	struct side *s = &h->sides[dir];

	while (bytes.n && !h->err) {
		if (s->state > SEARCHING) {
			h->err = side_take(h, s, ts, &bytes);
			continue;
		}
		h->err = http2_held_add(&s->held, ts, sv_sub(bytes, 0, HELD_SLICE));
		bytes = sv_sub(bytes, HELD_SLICE, SIZE_MAX);
		if (!h->err)
			h->err = side_drain(h, s, false);
	}
	return h->err;
}

/* Frames in bytes, from at on, as far as their heads are whole there. */
static bool has_early(const struct http2 *h, struct sv bytes, size_t at)
{
	while (at < bytes.n && bytes.n - at >= HTTP2_FRAME_HEAD) {
		struct http2_frame f = http2_frame_read(bytes.p + at);

		/* even numbers are the server's own */
		if (f.type == FRAME_HEADERS && f.id % 2 && f.id > h->newest)
			return true;
		at += HTTP2_FRAME_HEAD + f.len;
	}
	return false;
}

bool http2_is_early(const struct http2 *h, struct sv bytes)
{
	const struct side *asks = &h->sides[HTTP_REQUEST], *s = &h->sides[HTTP_RESPONSE];
	struct sv rest = sv_sub(bytes, 0, HTTP2_FRAME_HEAD - s->head_len);
	struct http2_frame f;
	char head[HTTP2_FRAME_HEAD];

	if (h->err || asks->state == SEARCHING || s->state == SEARCHING)
		return false;
	if (s->state > IN_FRAME_HEAD)
		return has_early(h, bytes, (size_t)s->prefix + s->content + s->tail);
	if (!s->head_len || s->head_len + rest.n < HTTP2_FRAME_HEAD)
		return !s->head_len && has_early(h, bytes, 0);
	memcpy(head, s->head, s->head_len);
	memcpy(head + s->head_len, rest.p, rest.n);
	f = http2_frame_read(head);
	return has_early(h, (struct sv){ head, sizeof(head) }, 0) ||
	       has_early(h, bytes, rest.n + f.len);
}

/* --- holes and the end */

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* n bytes of the payload are missing. */
static void content_hole(struct http2 *h, struct side *s, uint64_t n)
{
	if (!n)
		return;
	if (s->frame.type == FRAME_DATA)
		http2_stream_hole(&h->streams, s->dir, s->frame.id, s->ts, n);
	else if (s->block.open)
		http2_block_break(&s->block, &s->hpack, n);
}

/* Returns how many of n missing bytes belong to the frame that is open. */
static uint64_t payload_hole(struct http2 *h, struct side *s, uint64_t n)
{
	uint64_t content, tail;

	if (s->prefix && s->padded) { /* what is padding cannot be told any more */
		s->tail = s->prefix + s->content;
		s->prefix = s->content = 0;
		s->padded = false;
		content_hole(h, s, s->tail);
	}
	if (s->prefix) {
		uint64_t prefix = min_of(n, s->prefix);

		s->prefix -= prefix;
		return prefix + (s->prefix ? 0 : payload_hole(h, s, n - prefix));
	}
	content = min_of(n, s->content);
	content_hole(h, s, content);
	s->content -= content;
	tail = min_of(n - content, s->tail);
	s->tail -= tail;
	if (!h->err)
		h->err = payload_next(h, s);
	return content + tail;
}

void http2_gap(struct http2 *h, enum http_dir dir, uint64_t ts, uint64_t missing)
{
	struct side *s = &h->sides[dir];
	uint64_t inside = 0;

	if (h->err || !missing)
		return;
	skip_held(s, http2_held_view(&s->held).n);
	if (s->state > IN_FRAME_HEAD) {
		s->ts = ts;
		inside = payload_hole(h, s, missing);
	}
	s->pos += missing;
	if (missing > inside && !h->err)
		h->err = side_lose(h, s, missing - inside);
}

void http2_end(struct http2 *h)
{
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE && !h->err; dir++) {
		struct side *s = &h->sides[dir];

		h->err = side_drain(h, s, true);
		if (!h->err)
			h->err = block_abort(h, s, 0);
	}
	http2_streams_close(&h->streams);
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		side_fini(&h->sides[dir]);
		h->sides[dir] = (struct side){ .dir = dir };
	}
}
