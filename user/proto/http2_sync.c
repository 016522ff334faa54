// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which bytes are frames: RFC 9113 4.1 and 6, the registry of its types, and how probable a header is.
 * A frame with fixed length, flags or stream is hardly met by chance; of the others it takes more.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "proto/http2_int.h"

#define LEN_MAX 16384   /* SETTINGS_MAX_FRAME_SIZE, unless the peer allowed more */
#define ID_MAX 0xffffff /* no client makes more requests on one connection */
#define WEIGHT_ENOUGH 3
#define COMPACT_SIZE (32u << 10)

struct piece {
	size_t end; /* in held bytes */
	uint64_t ts;
};

enum of_stream { STREAM_NONE, STREAM_SOME, STREAM_ANY };

static const struct {
	uint32_t len_min, len_max, len_unit;
	enum of_stream stream;
	uint8_t flags;       /* that are defined */
	unsigned int weight; /* in a search */
} types[] = {
	[FRAME_DATA] = { 0, UINT32_MAX, 1, STREAM_SOME, FRAME_END_STREAM | FRAME_PADDED, 1 },
	[FRAME_HEADERS] = { 0, UINT32_MAX, 1, STREAM_SOME,
			    FRAME_END_STREAM | FRAME_END_HEADERS | FRAME_PADDED |
				    FRAME_WITH_PRIORITY,
			    1 },
	[FRAME_PRIORITY] = { 5, 5, 1, STREAM_SOME, 0, 2 },
	[FRAME_RST_STREAM] = { 4, 4, 1, STREAM_SOME, 0, 2 },
	[FRAME_SETTINGS] = { 0, LEN_MAX, 6, STREAM_NONE, FRAME_ACK, 2 },
	[FRAME_PUSH_PROMISE] = { 4, UINT32_MAX, 1, STREAM_SOME, FRAME_END_HEADERS | FRAME_PADDED,
				 1 },
	[FRAME_PING] = { 8, 8, 1, STREAM_NONE, FRAME_ACK, 2 },
	[FRAME_GOAWAY] = { 8, LEN_MAX, 1, STREAM_NONE, 0, 2 },
	[FRAME_WINDOW_UPDATE] = { 4, 4, 1, STREAM_ANY, 0, 2 },
	[FRAME_CONTINUATION] = { 0, UINT32_MAX, 1, STREAM_SOME, FRAME_END_HEADERS, 1 },
};

static uint32_t big_endian(const char *p, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

struct http2_frame http2_frame_read(const char head[HTTP2_FRAME_HEAD])
{
	return (struct http2_frame){
		.len = big_endian(head, 3),
		.type = (uint8_t)head[3],
		.flags = (uint8_t)head[4],
		.id = big_endian(head + 5, 4),
	};
}

uint32_t http2_frame_prefix(const struct http2_frame *f)
{
	uint32_t n = 0;

	if (f->type != FRAME_DATA && f->type != FRAME_HEADERS && f->type != FRAME_PUSH_PROMISE)
		return 0;
	if (f->flags & FRAME_PADDED)
		n = 1;
	if (f->type == FRAME_PUSH_PROMISE)
		n += 4;
	else if (f->type == FRAME_HEADERS && f->flags & FRAME_WITH_PRIORITY)
		n += 5;
	return n;
}

bool http2_frame_ok(const struct http2_frame *f, enum http_dir dir)
{
	bool client = f->id % 2;

	if (f->id > INT32_MAX) /* the reserved bit, which nobody sets */
		return false;
	if (f->type >= ARRAY_SIZE(types)) /* 5.5: extensions are passed over */
		return f->len <= LEN_MAX;
	if (f->len < types[f->type].len_min || f->len > types[f->type].len_max ||
	    f->len % types[f->type].len_unit || f->len < http2_frame_prefix(f))
		return false;
	if (types[f->type].stream != STREAM_ANY &&
	    (types[f->type].stream == STREAM_SOME) != (f->id != 0))
		return false;
	switch (f->type) {
	case FRAME_DATA:
	case FRAME_HEADERS:
	case FRAME_CONTINUATION:
		return dir == HTTP_RESPONSE || client;
	case FRAME_PUSH_PROMISE:
		return dir == HTTP_RESPONSE && client;
	case FRAME_SETTINGS:
		return !(f->flags & FRAME_ACK) || !f->len;
	default:
		return true;
	}
}

bool http2_frame_first(const struct http2_frame *f)
{
	return f->type == FRAME_SETTINGS && !f->flags && http2_frame_ok(f, HTTP_RESPONSE);
}

/* The stricter question of a search: what real senders send. */
static bool frame_probable(const struct http2_frame *f, enum http_dir dir)
{
	if (!http2_frame_ok(f, dir) || f->type >= ARRAY_SIZE(types) || f->len > LEN_MAX ||
	    f->id > ID_MAX || f->flags & ~types[f->type].flags)
		return false;
	switch (f->type) {
	case FRAME_DATA:
		return f->len || f->flags & FRAME_END_STREAM;
	case FRAME_HEADERS:
	case FRAME_PUSH_PROMISE:
	case FRAME_CONTINUATION:
		return f->len && f->flags & FRAME_END_HEADERS;
	default:
		return true;
	}
}

/* The frames that follow one another from bytes.p[at] on. */
static enum http2_found follow(struct sv bytes, enum http_dir dir, bool last, size_t at)
{
	unsigned int weight = 0;

	while (at < bytes.n) {
		struct sv rest = sv_sub(bytes, at, SIZE_MAX);
		struct http2_frame f;

		if (rest.p[0]) /* 16 KiB at most, so the first of three is 0 */
			return FOUND_NONE;
		if (rest.n < HTTP2_FRAME_HEAD)
			return last ? FOUND_NONE : FOUND_MAYBE;
		f = http2_frame_read(rest.p);
		if (!frame_probable(&f, dir))
			return FOUND_NONE;
		weight += types[f.type].weight;
		if (weight >= WEIGHT_ENOUGH)
			return FOUND_FRAMES;
		at += HTTP2_FRAME_HEAD + f.len;
	}
	if (!last)
		return FOUND_MAYBE;
	return at == bytes.n && weight ? FOUND_FRAMES : FOUND_NONE;
}

enum http2_found http2_search(struct sv bytes, enum http_dir dir, bool last, size_t *at)
{
	for (*at = 0; *at < bytes.n; ++*at) {
		const char *zero = memchr(bytes.p + *at, 0, bytes.n - *at);
		enum http2_found res;

		if (!zero)
			break;
		*at = zero - bytes.p;
		res = follow(bytes, dir, last, *at);
		if (res != FOUND_NONE)
			return res;
	}
	*at = bytes.n;
	return FOUND_NONE;
}

#define DETECT_MAX 64 /* bytes that are waited for */

int http2_detect(enum http_dir dir, struct sv bytes)
{
	struct sv preface = HTTP2_PREFACE;
	struct sv begin = sv_sub(preface, 0, bytes.n);
	struct http2_frame f;
	size_t at;

	if (!bytes.n)
		return -1;
	if (dir == HTTP_REQUEST && !memcmp(bytes.p, begin.p, begin.n))
		return begin.n == preface.n ? 100 : -1;
	if (dir == HTTP_RESPONSE && bytes.n >= HTTP2_FRAME_HEAD) {
		f = http2_frame_read(bytes.p);
		if (http2_frame_first(&f))
			return 90;
	}
	switch (http2_search(bytes, dir, false, &at)) {
	case FOUND_FRAMES:
		return at ? 60 : 80;
	case FOUND_MAYBE:
		if (at)
			return 0;
		return bytes.n < DETECT_MAX ? -1 : 40; /* a long frame, and a head that fits */
	case FOUND_NONE:
		break;
	}
	return 0;
}

/* --- held bytes */

static struct piece *piece_at(const struct http2_held *b, size_t i)
{
	return (struct piece *)b->pieces.p + i;
}

static size_t piece_cnt(const struct http2_held *b)
{
	return b->pieces.len / sizeof(struct piece);
}

/* Gives back what is done with; half of what is there at least, so a byte is moved once. */
static void held_compact(struct http2_held *b)
{
	if (b->at < COMPACT_SIZE || b->at < b->bytes.len / 2)
		return;
	buf_drop(&b->bytes, b->at);
	buf_drop(&b->pieces, b->piece * sizeof(struct piece));
	for (size_t i = 0; i < piece_cnt(b); i++)
		piece_at(b, i)->end -= b->at;
	b->at = b->piece = 0;
}

int http2_held_add(struct http2_held *b, uint64_t ts, struct sv bytes)
{
	struct piece piece = { .ts = ts };
	size_t cnt = piece_cnt(b);

	if (buf_sv(&b->bytes, bytes))
		return -ENOMEM;
	piece.end = b->bytes.len;
	if (cnt && piece_at(b, cnt - 1)->ts == ts) {
		piece_at(b, cnt - 1)->end = piece.end;
		return 0;
	}
	return buf_add(&b->pieces, &piece, sizeof(piece)) ? -ENOMEM : 0;
}

struct sv http2_held_view(const struct http2_held *b)
{
	return sv_sub(buf_view(&b->bytes), b->at, SIZE_MAX);
}

struct sv http2_held_next(const struct http2_held *b, uint64_t *ts)
{
	const struct piece *p;

	if (b->at == b->bytes.len)
		return (struct sv){ NULL, 0 };
	p = piece_at(b, b->piece);
	*ts = p->ts;
	return sv_sub(buf_view(&b->bytes), b->at, p->end - b->at);
}

void http2_held_take(struct http2_held *b, size_t n)
{
	b->at += n;
	if (b->at == b->bytes.len) {
		http2_held_fini(b);
		return;
	}
	while (piece_at(b, b->piece)->end <= b->at)
		b->piece++;
	held_compact(b);
}

void http2_held_fini(struct http2_held *b)
{
	buf_fini(&b->bytes);
	buf_fini(&b->pieces);
	b->at = b->piece = 0;
}
