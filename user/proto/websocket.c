// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames to messages: see websocket.h.  Holds one message a direction, decoded, up to its bound.
 *
 * The negotiated window sizes (RFC 7692 7.1.2) are not needed: a window of 32 KiB reads what was made
 * with any smaller one.
 */
#include "proto/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"

#define HEAD_MIN 2
#define HEAD_MAX 14
#define CONTROL_MAX 125 /* RFC 6455 5.5 */
#define PIECE_SIZE (8u << 10)
#define OUT_SIZE (16u << 10)
#define TEXT_KEEP (64u << 10) /* memory kept from one message to the next */
#define WINDOW_SIZE (32u << 10)

struct frame {
	unsigned char head[HEAD_MAX];
	size_t head_len;
	bool open; /* its header is whole */
	bool fin;
	enum websocket_op op;
	uint64_t left;
	unsigned char key[4]; /* zero: not masked */
	unsigned int key_at;
	uint64_t ts; /* of its first byte */
};

struct side {
	struct frame f;
	bool over; /* nothing more is read ... */
	bool lost; /* ... because it cannot be */
	bool message_open, compressed;
	struct websocket_message m; /* of text or binary */
	struct buf data;
	struct websocket_message control;
	char control_data[CONTROL_MAX];
	bool mute;         /* nothing more is kept of the message that is open */
	bool takeover;     /* compression keeps its context from message to message ... */
	bool context_lost; /* ... and of that a part is missing */
	bool inflating;    /* z is open */
	z_stream z;
};

struct websocket {
	websocket_message_fn fn;
	void *ctx;
	struct side sides[2];
	bool deflate; /* RSV1 means what RFC 7692 says */
	int err;
};

/* --- what the handshake says: RFC 6455 9.1, RFC 7692 7.1 */

static void read_extension(struct websocket *w, struct sv ext)
{
	if (!sv_ieq(sv_trim(sv_token(&ext, ';')), "permessage-deflate"))
		return;
	w->deflate = true;
	while (ext.n) {
		struct sv param = sv_trim(sv_token(&ext, ';'));

		if (sv_ieq(param, "client_no_context_takeover"))
			w->sides[HTTP_REQUEST].takeover = false;
		else if (sv_ieq(param, "server_no_context_takeover"))
			w->sides[HTTP_RESPONSE].takeover = false;
	}
}

static void read_answer(struct websocket *w, const struct http_msg *answer)
{
	for (size_t i = 0; i < answer->field_cnt; i++) {
		struct sv value = answer->fields[i].value;

		if (!sv_ieq(answer->fields[i].name, "sec-websocket-extensions"))
			continue;
		while (value.n)
			read_extension(w, sv_token(&value, ','));
	}
}

int websocket_new(struct websocket **out, const struct http_msg *answer, websocket_message_fn fn,
		  void *ctx)
{
	struct websocket *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->ctx = ctx;
	w->deflate = !answer || answer->flags & HTTP_HEAD_UNKNOWN;
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		w->sides[dir].takeover = true;
		w->sides[dir].m.dir = w->sides[dir].control.dir = dir;
	}
	if (answer)
		read_answer(w, answer);
	*out = w;
	return 0;
}

void websocket_free(struct websocket **w)
{
	if (!*w)
		return;
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		struct side *s = &(*w)->sides[dir];

		if (s->inflating)
			inflateEnd(&s->z);
		buf_fini(&s->data);
	}
	free(*w);
	*w = NULL;
}

bool websocket_is_lost(const struct websocket *w, enum http_dir dir)
{
	return w->sides[dir].lost;
}

/* --- messages */

static void message_break(struct side *s, unsigned int why)
{
	s->m.flags |= why;
	s->mute = true;
	s->context_lost |= s->compressed && s->takeover;
}

static int keep(struct side *s, struct sv bytes)
{
	size_t room = LIMIT_WS_MESSAGE - s->data.len;

	if (bytes.n > room)
		message_break(s, WEBSOCKET_CUT);
	return buf_sv(&s->data, sv_sub(bytes, 0, room)) ? -ENOMEM : 0;
}

/* RFC 7692 7.2.3.4: a block may be the last one of its stream; its window outlives it. */
static int next_stream(z_stream *z)
{
	unsigned char window[WINDOW_SIZE];
	uInt len = sizeof(window);

	if (inflateGetDictionary(z, window, &len) != Z_OK || inflateReset(z) != Z_OK)
		return Z_DATA_ERROR;
	return len ? inflateSetDictionary(z, window, len) : Z_OK;
}

static int inflate_piece(struct side *s, struct sv bytes)
{
	char out[OUT_SIZE];
	int ret, err;

	s->z.next_in = (Bytef *)bytes.p;
	s->z.avail_in = bytes.n;
	do {
		s->z.next_out = (Bytef *)out;
		s->z.avail_out = OUT_SIZE;
		ret = inflate(&s->z, Z_SYNC_FLUSH);
		err = keep(s, (struct sv){ out, OUT_SIZE - s->z.avail_out });
		if (err)
			return err;
		if (ret == Z_STREAM_END)
			ret = next_stream(&s->z);
		if (ret == Z_MEM_ERROR)
			return -ENOMEM;
		if (ret != Z_OK && ret != Z_BUF_ERROR)
			message_break(s, WEBSOCKET_UNDECODED);
	} while (!s->mute && (s->z.avail_in || !s->z.avail_out));
	return 0;
}

static int message_bytes(struct side *s, struct sv bytes)
{
	if (s->mute || !bytes.n)
		return 0;
	return s->compressed ? inflate_piece(s, bytes) : keep(s, bytes);
}

static int inflate_open(struct side *s)
{
	if (!s->inflating) {
		if (inflateInit2(&s->z, -MAX_WBITS) != Z_OK)
			return -ENOMEM;
		s->inflating = true;
	} else if (!s->takeover && inflateReset(&s->z) != Z_OK) {
		return -ENOMEM;
	}
	return 0;
}

static int message_open(struct websocket *w, struct side *s, bool rsv1)
{
	s->message_open = true;
	s->mute = false;
	s->compressed = rsv1 && w->deflate;
	s->m.op = s->f.op;
	s->m.ts_first = s->f.ts;
	s->m.wire = 0;
	s->m.flags = 0;
	if (rsv1 && !w->deflate)
		s->m.flags = WEBSOCKET_UNDECODED;
	if (!s->compressed)
		return 0;
	if (!s->context_lost)
		return inflate_open(s);
	message_break(s, WEBSOCKET_UNDECODED);
	return 0;
}

static void message_close(struct websocket *w, struct side *s, unsigned int flags)
{
	s->message_open = false;
	s->m.flags |= flags;
	s->m.data = buf_view(&s->data);
	w->fn(w->ctx, &s->m);
	if (s->data.cap > TEXT_KEEP)
		buf_fini(&s->data);
	buf_clear(&s->data);
}

/* RFC 7692 7.2.2: the sender left these off. */
static int message_end(struct websocket *w, struct side *s)
{
	int err = s->compressed ? message_bytes(s, (struct sv){ "\0\0\xff\xff", 4 }) : 0;

	if (!err)
		message_close(w, s, 0);
	return err;
}

/* --- frames: RFC 6455 5.2 */

static bool is_control(const struct frame *f)
{
	return f->op >= WEBSOCKET_CLOSE;
}

static struct websocket_message *message_of(struct side *s)
{
	return is_control(&s->f) ? &s->control : &s->m;
}

static void side_end(struct websocket *w, struct side *s, unsigned int flags)
{
	s->over = true;
	if (s->f.open && is_control(&s->f)) {
		s->control.flags |= flags;
		w->fn(w->ctx, &s->control);
	}
	if (s->message_open)
		message_close(w, s, flags);
	s->f = (struct frame){ 0 };
}

static void side_lose(struct websocket *w, struct side *s, unsigned int flags)
{
	s->lost = true;
	side_end(w, s, flags);
}

static int frame_close(struct websocket *w, struct side *s)
{
	struct frame f = s->f;

	s->f = (struct frame){ 0 };
	if (is_control(&f)) {
		w->fn(w->ctx, &s->control);
		if (f.op == WEBSOCKET_CLOSE) /* 5.5.1: nothing comes behind it */
			side_end(w, s, WEBSOCKET_CUT);
		return 0;
	}
	return f.fin ? message_end(w, s) : 0;
}

static size_t head_size(const struct frame *f)
{
	unsigned char len = f->head[1] & 0x7f;

	return HEAD_MIN + (len == 126 ? 2 : len == 127 ? 8 : 0) + (f->head[1] & 0x80 ? 4 : 0);
}

static void read_head(struct frame *f)
{
	size_t len_end = head_size(f) - (f->head[1] & 0x80 ? 4 : 0);

	f->open = true;
	f->fin = f->head[0] & 0x80;
	f->op = f->head[0] & 0x0f;
	f->left = len_end == HEAD_MIN ? f->head[1] & 0x7f : 0;
	for (size_t i = HEAD_MIN; i < len_end; i++)
		f->left = f->left << 8 | f->head[i];
	if (f->head[1] & 0x80)
		memcpy(f->key, f->head + len_end, sizeof(f->key));
}

static bool head_is_valid(const struct side *s)
{
	const struct frame *f = &s->f;
	bool rsv1 = f->head[0] & 0x40;

	if (f->head[0] & 0x30 || f->left > INT64_MAX)
		return false;
	switch (f->op) {
	case WEBSOCKET_CONTINUATION:
		return s->message_open && !rsv1;
	case WEBSOCKET_TEXT:
	case WEBSOCKET_BINARY:
		return !s->message_open;
	case WEBSOCKET_CLOSE:
	case WEBSOCKET_PING:
	case WEBSOCKET_PONG:
		return f->fin && !rsv1 && f->left <= CONTROL_MAX;
	}
	return false;
}

static int frame_open(struct websocket *w, struct side *s, uint64_t ts)
{
	struct frame *f = &s->f;
	int err = 0;

	read_head(f);
	if (!head_is_valid(s)) {
		f->open = false;
		side_lose(w, s, WEBSOCKET_CUT);
		return 0;
	}
	if (is_control(f)) {
		s->control.op = f->op;
		s->control.flags = 0;
		s->control.wire = f->left;
		s->control.data = (struct sv){ s->control_data, 0 };
		s->control.ts_first = f->ts;
	} else if (f->op != WEBSOCKET_CONTINUATION) {
		err = message_open(w, s, f->head[0] & 0x40);
	}
	if (!is_control(f))
		s->m.wire += f->left;
	message_of(s)->ts_last = ts;
	return err || f->left ? err : frame_close(w, s);
}

static int step_head(struct websocket *w, struct side *s, uint64_t ts, struct sv *bytes)
{
	struct frame *f = &s->f;
	size_t need = f->head_len < HEAD_MIN ? HEAD_MIN : head_size(f);
	struct sv now = sv_sub(*bytes, 0, need - f->head_len);

	if (!f->head_len)
		f->ts = ts;
	memcpy(f->head + f->head_len, now.p, now.n);
	f->head_len += now.n;
	*bytes = sv_sub(*bytes, now.n, SIZE_MAX);
	if (f->head_len < HEAD_MIN || f->head_len < head_size(f))
		return 0;
	return frame_open(w, s, ts);
}

/* 5.3 */
static void unmask(struct frame *f, char *to, struct sv from)
{
	for (size_t i = 0; i < from.n; i++)
		to[i] = from.p[i] ^ (char)f->key[(f->key_at + i) % 4];
	f->key_at = (f->key_at + from.n) % 4;
}

static int step_payload(struct websocket *w, struct side *s, uint64_t ts, struct sv *bytes)
{
	char piece[PIECE_SIZE];
	struct frame *f = &s->f;
	size_t n = bytes->n < sizeof(piece) ? bytes->n : sizeof(piece);
	int err = 0;

	if (n > f->left)
		n = f->left;
	unmask(f, piece, sv_sub(*bytes, 0, n));
	message_of(s)->ts_last = ts;
	if (is_control(f)) {
		memcpy(s->control_data + s->control.data.n, piece, n);
		s->control.data.n += n;
	} else {
		err = message_bytes(s, (struct sv){ piece, n });
	}
	f->left -= n;
	*bytes = sv_sub(*bytes, n, SIZE_MAX);
	return err || f->left ? err : frame_close(w, s);
}

int websocket_feed(struct websocket *w, enum http_dir dir, uint64_t ts, struct sv bytes)
{
	struct side *s = &w->sides[dir];

	while (bytes.n && !s->over && !w->err)
		w->err = s->f.open ? step_payload(w, s, ts, &bytes) : step_head(w, s, ts, &bytes);
	return w->err;
}

/* --- holes and the end */

void websocket_gap(struct websocket *w, enum http_dir dir, uint64_t missing)
{
	struct side *s = &w->sides[dir];
	struct frame *f = &s->f;
	uint64_t inside;

	if (s->over || w->err || !missing)
		return;
	if (f->open) {
		inside = missing < f->left ? missing : f->left;
		missing -= inside;
		f->left -= inside;
		f->key_at = (f->key_at + inside) % 4;
		message_of(s)->flags |= WEBSOCKET_HOLE;
		if (!is_control(f) && s->compressed)
			message_break(s, WEBSOCKET_UNDECODED);
		if (!f->left)
			w->err = frame_close(w, s);
	}
	if (missing && !w->err && !s->over)
		side_lose(w, s, WEBSOCKET_CUT | WEBSOCKET_HOLE);
}

void websocket_end(struct websocket *w)
{
	side_end(w, &w->sides[HTTP_REQUEST], WEBSOCKET_CUT);
	side_end(w, &w->sides[HTTP_RESPONSE], WEBSOCKET_CUT);
}
