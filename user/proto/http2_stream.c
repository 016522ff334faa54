// SPDX-License-Identifier: BSD-2-Clause
/*
 * Streams, their two messages each, and the header blocks that begin and end those.  A stream is
 * forgotten when both have ended; one that was reset is remembered, as its peer may go on for a while,
 * and so is one of which only the response was seen, as the request may come late.  Over the bound
 * the oldest goes, one without an open message first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/http2_int.h"

#define ARENA_MAX (4 * LIMIT_HTTP_HEAD)

/* --- header blocks */

static int add_field(struct http2_block *b, struct sv name, struct sv value)
{
	struct http_field f;

	if (b->fields.len / sizeof(f) == LIMIT_HTTP_HEADERS) {
		b->flags |= HTTP_HEAD_CAP;
		return 0;
	}
	f.name = arena_dup(&b->arena, name);
	f.value = arena_dup(&b->arena, value);
	return f.name.p && f.value.p ? buf_add(&b->fields, &f, sizeof(f)) : -ENOMEM;
}

static int set_text(struct http2_block *b, struct sv *to, struct sv value)
{
	*to = arena_dup(&b->arena, value);
	return to->p ? 0 : -ENOMEM;
}

/* RFC 9113 8.3 */
static int add_pseudo(struct http2_block *b, struct sv name, struct sv value)
{
	int64_t status;

	if (sv_is(name, ":method"))
		return set_text(b, &b->method, value);
	if (sv_is(name, ":path"))
		return set_text(b, &b->path, value);
	if (sv_is(name, ":authority"))
		return set_text(b, &b->authority, value);
	if (!sv_is(name, ":status"))
		return add_field(b, name, value);
	if (!sv_i64(value, &status) && status >= 0 && status < 1000)
		b->status = (int)status;
	return 0;
}

/* An http2_field_fn. */
static void on_field(void *ctx, struct sv name, struct sv value)
{
	struct http2_block *b = ctx;
	bool pseudo = name.n && name.p[0] == ':';
	int err;

	if (!b->any)
		b->head = pseudo || !name.n;
	b->any = true;
	if (!name.n) {
		b->flags |= HTTP_HEAD_UNKNOWN;
		return;
	}
	if (name.n + value.n > LIMIT_HTTP_HEAD - b->size) {
		b->flags |= HTTP_HEAD_CAP;
		return;
	}
	b->size += name.n + value.n;
	err = pseudo ? add_pseudo(b, name, value) : add_field(b, name, value);
	if (err)
		b->err = -ENOMEM;
}

int http2_block_open(struct http2_block *b, const struct http2_frame *f, uint64_t pos, uint64_t ts)
{
	static const struct http_field host = { 0 };

	*b = (struct http2_block){
		.open = true,
		.push = f->type == FRAME_PUSH_PROMISE,
		.end_stream = f->type == FRAME_HEADERS && f->flags & FRAME_END_STREAM,
		.id = f->id,
		.pos = pos,
		.ts = ts,
	};
	arena_init(&b->arena, ARENA_MAX);
	return buf_add(&b->fields, &host, sizeof(host));
}

int http2_block_feed(struct http2_block *b, struct http2_hpack *p, struct sv bytes, bool last)
{
	int err;

	if (b->broken)
		return 0;
	err = http2_hpack_feed(p, bytes, last, on_field, b);
	if (err == -EBADMSG) {
		b->broken = true;
		b->flags |= HTTP_HEAD_UNKNOWN;
		return 0;
	}
	return err ? err : b->err;
}

void http2_block_break(struct http2_block *b, struct http2_hpack *p, uint64_t missing)
{
	if (!b->broken)
		http2_hpack_lose(p);
	b->broken = true;
	b->missing += missing;
	b->flags |= missing ? HTTP_HEAD_UNKNOWN | HTTP_HOLE : HTTP_HEAD_UNKNOWN;
}

void http2_block_fini(struct http2_block *b)
{
	arena_fini(&b->arena);
	buf_fini(&b->fields);
	b->open = false;
}

/* --- streams */

static struct map_key key_of(uint32_t id)
{
	return (struct map_key){ .a = id };
}

static struct http2_stream *stream_find(const struct http2_streams *ss, uint32_t id)
{
	return map_get(&ss->map, key_of(id));
}

static void msg_free(struct http_msg *m)
{
	arena_fini(&m->arena);
	free(m);
}

/* Did all come that the header promised?  Then a client need not wait for the end of the stream. */
static bool has_all(const struct http_msg *m)
{
	int64_t length;

	return !m->missing && !sv_i64(http_field_get(m, "content-length"), &length) && length > 0 &&
	       (uint64_t)length == m->wire_body;
}

static void msg_close(struct http2_streams *ss, struct http2_half *half, unsigned int flags)
{
	struct http_msg *m = half->m;

	half->closed = true;
	if (!m)
		return;
	if (flags & HTTP_CUT && has_all(m))
		flags = HTTP_COMPLETE;
	http_body_close(&half->body, flags & HTTP_COMPLETE);
	m->flags |= flags;
	half->m = NULL;
	ss->ops.done(ss->ctx, m);
	msg_free(m);
}

/* What is still open of it ends here. */
static void stream_drop(struct http2_streams *ss, struct http2_stream *st)
{
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++)
		msg_close(ss, &st->half[dir], HTTP_CUT);
	map_del(&ss->map, key_of(st->id));
	free(st);
}

static void make_room(struct http2_streams *ss)
{
	struct http2_stream *oldest = ss->map.first->value;

	map_for_each (&ss->map, e) {
		struct http2_stream *st = e->value;

		if (!st->half[HTTP_REQUEST].m && !st->half[HTTP_RESPONSE].m) {
			oldest = st;
			break;
		}
	}
	stream_drop(ss, oldest);
}

static struct http2_stream *stream_get(struct http2_streams *ss, uint32_t id)
{
	struct http2_stream *st = stream_find(ss, id);

	if (st)
		return st;
	if (ss->map.cnt >= LIMIT_HTTP2_STREAMS)
		make_room(ss);
	st = calloc(1, sizeof(*st));
	if (!st)
		return NULL;
	if (map_put(&ss->map, key_of(id), st)) {
		free(st);
		return NULL;
	}
	st->id = id;
	st->seq = ss->next_seq++;
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		st->half[dir].body.ops = &ss->ops;
		st->half[dir].body.ctx = ss->ctx;
	}
	return st;
}

static bool is_pushed(uint32_t id)
{
	return id % 2 == 0;
}

static struct http_msg *msg_new(const struct http2_stream *st, enum http_dir dir, uint64_t pos,
				uint64_t ts)
{
	const struct http2_half *request = &st->half[HTTP_REQUEST];
	struct http_msg *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->dir = dir;
	m->seq = st->seq;
	m->major = 2;
	m->pos = pos;
	m->ts_first = m->ts_last = ts;
	if (dir == HTTP_RESPONSE && !request->m && !request->closed)
		m->flags = HTTP_UNPAIRED;
	arena_init(&m->arena, ARENA_MAX);
	return m;
}

static int msg_open(struct http2_streams *ss, struct http2_half *half, struct http_msg *m)
{
	struct coding_list codings = { 0 };

	for (size_t i = 0; i < m->field_cnt; i++) {
		if (sv_ieq(m->fields[i].name, "content-encoding"))
			codings_add(&codings, m->fields[i].value);
	}
	half->m = m;
	ss->ops.head(ss->ctx, m);
	return http_body_open(&half->body, m, &codings);
}

/* --- a block that is over */

/* Moves all that the block holds into the message. */
static int fill_head(struct http_msg *m, struct http2_block *b, uint64_t ts)
{
	struct http_field *f = (struct http_field *)b->fields.p;
	size_t cnt = b->fields.len / sizeof(*f);

	if (b->authority.p) {
		f[0] = (struct http_field){ SV("host"), b->authority };
	} else {
		f++;
		cnt--;
	}
	m->arena = b->arena;
	arena_init(&b->arena, ARENA_MAX);
	m->fields = arena_alloc(&m->arena, cnt * sizeof(*f));
	if (!m->fields)
		return -ENOMEM;
	memcpy(m->fields, f, cnt * sizeof(*f));
	m->field_cnt = cnt;
	m->method = b->method;
	/* 8.5: CONNECT has no path */
	m->target = b->path.p ? b->path : b->authority;
	m->status = b->status;
	m->ts_head = b->broken ? 0 : ts;
	return 0;
}

static int fill_trailers(struct http_msg *m, const struct http2_block *b)
{
	const struct http_field *f = (const struct http_field *)b->fields.p + 1;
	size_t cnt = b->fields.len / sizeof(*f) - 1;

	if (m->trailers) { /* the arena has room for one header and one list of trailers */
		m->flags |= HTTP_HEAD_CAP;
		return 0;
	}
	m->trailers = arena_alloc(&m->arena, cnt * sizeof(*f));
	if (!m->trailers)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++) {
		m->trailers[i].name = arena_dup(&m->arena, f[i].name);
		m->trailers[i].value = arena_dup(&m->arena, f[i].value);
	}
	m->trailer_cnt = cnt;
	return arena_failed(&m->arena) ? -ENOMEM : 0;
}

/* A block on a half without an open message: begins one, or is an interim response. */
static int begin(struct http2_streams *ss, struct http2_half *half, struct http_msg *m,
		 struct http2_block *b, uint64_t ts)
{
	bool head = b->head || (b->broken && !b->any);
	int err;

	m->ts_last = ts;
	m->flags |= b->flags;
	m->missing = b->missing;
	if (!head)
		m->flags |= HTTP_HEAD_UNKNOWN | HTTP_JOINED;
	err = head ? fill_head(m, b, ts) : 0;
	if (err) {
		msg_free(m);
		return err;
	}
	if (m->dir == HTTP_RESPONSE && m->status >= 100 && m->status < 200 && !b->end_stream) {
		m->flags |= HTTP_COMPLETE;
		if (ss->ops.interim)
			ss->ops.interim(ss->ctx, m);
		msg_free(m);
		return 0;
	}
	err = msg_open(ss, half, m);
	return err || head ? err : fill_trailers(m, b);
}

int http2_stream_head(struct http2_streams *ss, enum http_dir dir, struct http2_block *b,
		      uint64_t ts)
{
	struct http2_stream *st;
	struct http2_half *half;
	struct http_msg *m;
	int err;

	if (b->push || is_pushed(b->id))
		return 0;
	st = stream_get(ss, b->id);
	if (!st)
		return -ENOMEM;
	half = &st->half[dir];
	if (half->closed)
		return 0;
	if (half->m) {
		half->m->ts_last = ts;
		half->m->flags |= b->flags;
		half->m->missing += b->missing;
		err = fill_trailers(half->m, b);
	} else {
		m = msg_new(st, dir, b->pos, b->ts);
		err = m ? begin(ss, half, m, b, ts) : -ENOMEM;
	}
	if (!err && b->end_stream)
		http2_stream_end(ss, dir, b->id, ts);
	return err;
}

/* --- bodies */

int http2_stream_data(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t pos,
		      uint64_t ts)
{
	struct http2_stream *st;
	struct http_msg *m;

	if (is_pushed(id))
		return 0;
	st = stream_get(ss, id);
	if (!st)
		return -ENOMEM;
	if (st->half[dir].m || st->half[dir].closed)
		return 0;
	m = msg_new(st, dir, pos, ts);
	if (!m)
		return -ENOMEM;
	m->flags |= HTTP_HEAD_UNKNOWN | HTTP_JOINED;
	return msg_open(ss, &st->half[dir], m);
}

/* Where the header cannot tell: no text begins as these two do (RFC 1952 2.3.1, RFC 8878 3.1.1). */
static int guess_coding(struct http2_half *half, char first)
{
	struct coding_list codings = { .cnt = 1 };

	if (!(half->m->flags & HTTP_HEAD_UNKNOWN) || half->m->flags & HTTP_UNDECODED ||
	    half->body.decode)
		return 0;
	if (first == 0x1f)
		codings.coding[0] = CODING_GZIP;
	else if (first == 0x28)
		codings.coding[0] = CODING_ZSTD;
	else
		return 0;
	return http_body_open(&half->body, half->m, &codings);
}

int http2_stream_body(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t ts,
		      struct sv bytes)
{
	struct http2_stream *st = stream_find(ss, id);
	struct http2_half *half = st ? &st->half[dir] : NULL;
	int err;

	if (!half || !half->m)
		return 0;
	err = half->m->wire_body ? 0 : guess_coding(half, bytes.p[0]);
	half->m->ts_last = ts;
	return err ? err : http_body_feed(&half->body, ts, bytes);
}

void http2_stream_hole(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t ts,
		       uint64_t n)
{
	struct http2_stream *st = stream_find(ss, id);

	if (!st || !st->half[dir].m)
		return;
	st->half[dir].m->ts_last = ts;
	http_body_hole(&st->half[dir].body, n);
}

void http2_stream_end(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t ts)
{
	struct http2_stream *st = stream_find(ss, id);

	if (!st || st->half[dir].closed)
		return;
	if (st->half[dir].m)
		st->half[dir].m->ts_last = ts;
	msg_close(ss, &st->half[dir], HTTP_COMPLETE);
	if (st->half[HTTP_REQUEST].closed && st->half[HTTP_RESPONSE].closed)
		stream_drop(ss, st);
}

void http2_stream_reset(struct http2_streams *ss, uint32_t id)
{
	struct http2_stream *st = stream_find(ss, id);

	for (int dir = HTTP_REQUEST; st && dir <= HTTP_RESPONSE; dir++)
		msg_close(ss, &st->half[dir], HTTP_CUT);
}

void http2_streams_doubt(struct http2_streams *ss, enum http_dir dir, uint64_t n)
{
	map_for_each (&ss->map, e) {
		struct http2_stream *st = e->value;

		if (st->half[dir].m)
			http_body_doubt(&st->half[dir].body, n);
	}
}

void http2_streams_close(struct http2_streams *ss)
{
	map_for_each (&ss->map, e)
		stream_drop(ss, e->value);
}

void http2_streams_free(struct http2_streams *ss)
{
	map_for_each (&ss->map, e) {
		struct http2_stream *st = e->value;

		for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
			decode_free(&st->half[dir].body.decode);
			if (st->half[dir].m)
				msg_free(st->half[dir].m);
		}
		free(st);
	}
	map_fini(&ss->map);
}
