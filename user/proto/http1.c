// SPDX-License-Identifier: BSD-2-Clause
/*
 * Moves each direction of a connection from state to state, and pairs responses with requests: see
 * http1.h.  Holds the text of one header at most, no body, and calls nothing back twice.
 */
#include "proto/http1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proto/http1_int.h"

#define ARENA_MAX (4 * LIMIT_HTTP_HEAD)
#define TEXT_KEEP (4u << 10) /* memory kept from one header to the next */

enum side_state {
	AT_START, /* between messages, or searching */
	IN_HEAD,
	IN_LENGTH,
	IN_CLOSE, /* a body that ends with the connection */
	IN_CHUNK_SIZE,
	IN_CHUNK,
	IN_CHUNK_END, /* the line end behind a chunk */
	IN_TRAILER,
};

struct side {
	enum http_dir dir;
	enum side_state state;
	bool lost;  /* AT_START: not where a message must begin */
	bool ended; /* IN_CHUNK_END: CR was seen */
	uint64_t pos;
	struct start_match match;
	struct buf text; /* a start line with header, a chunk-size line or trailers, so far */
	size_t line;     /* where in it its last line begins */
	uint64_t text_pos, text_ts; /* of its first byte */
	uint64_t ts;                /* of the last byte that belongs to the message */
	struct http_msg *m;
	uint64_t left; /* bytes of the body or chunk that are still to come */
	struct http_body body;
};

/* A request that waits for its response, with what that one's framing needs of it. */
struct pending {
	uint64_t seq;
	bool head, connect;
};

struct http1 {
	struct http_ops ops;
	void *ctx;
	struct side sides[2];
	bool upgraded;
	int err;
	uint64_t next_seq;
	struct pending *pending;
	size_t pending_cnt, pending_cap;
	bool has_early; /* the last response came without a request */
	uint64_t early_seq, early_ts;
};

int http1_new(struct http1 **out, const struct http_ops *ops, void *ctx)
{
	struct http1 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->ops = *ops;
	h->ctx = ctx;
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		h->sides[dir].dir = dir;
		h->sides[dir].body.ops = &h->ops;
		h->sides[dir].body.ctx = ctx;
	}
	*out = h;
	return 0;
}

static void msg_free(struct http_msg *m)
{
	if (m)
		arena_fini(&m->arena);
	free(m);
}

void http1_free(struct http1 **h)
{
	if (!*h)
		return;
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		struct side *s = &(*h)->sides[dir];

		decode_free(&s->body.decode);
		msg_free(s->m);
		buf_fini(&s->text);
	}
	free((*h)->pending);
	free(*h);
	*h = NULL;
}

bool http1_upgraded(const struct http1 *h)
{
	return h->upgraded;
}

uint64_t http1_pos(const struct http1 *h, enum http_dir dir)
{
	return h->sides[dir].pos;
}

/* --- which response answers which request */

static void pending_drop(struct http1 *h, size_t n)
{
	h->pending_cnt -= n;
	memmove(h->pending, h->pending + n, h->pending_cnt * sizeof(*h->pending));
}

static int pending_add(struct http1 *h, const struct http_msg *m)
{
	if (h->pending_cnt == LIMIT_HTTP_PIPELINE)
		pending_drop(h, 1);
	if (h->pending_cnt == h->pending_cap) {
		size_t cap = h->pending_cap ? h->pending_cap * 2 : 4;
		struct pending *p = reallocarray(h->pending, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		h->pending = p;
		h->pending_cap = cap;
	}
	h->pending[h->pending_cnt++] = (struct pending){
		.seq = m->seq,
		.head = sv_is(m->method, "HEAD"),
		.connect = sv_is(m->method, "CONNECT"),
	};
	return 0;
}

static int pair_request(struct http1 *h, struct http_msg *m)
{
	bool answered = h->has_early && m->ts_first < h->early_ts;

	h->has_early = false;
	if (answered) {
		m->seq = h->early_seq;
		return 0;
	}
	m->seq = h->next_seq++;
	return pending_add(h, m);
}

static bool is_interim(const struct http_msg *m)
{
	return m->dir == HTTP_RESPONSE && m->status < 200 && m->status != 101;
}

static struct pending pair_response(struct http1 *h, struct http_msg *m)
{
	struct pending req = { .seq = h->next_seq };

	if (m->flags & HTTP_JOINED && h->pending_cnt > 1)
		pending_drop(h, h->pending_cnt - 1);
	if (h->pending_cnt) {
		req = h->pending[0];
		if (!is_interim(m))
			pending_drop(h, 1);
	} else {
		m->flags |= HTTP_UNPAIRED;
		if (!is_interim(m)) {
			h->next_seq++;
			h->has_early = true;
			h->early_seq = req.seq;
			h->early_ts = m->ts_first;
		}
	}
	m->seq = req.seq;
	return req;
}

/* --- messages */

static void text_clear(struct side *s)
{
	if (s->text.cap > TEXT_KEEP)
		buf_fini(&s->text);
	buf_clear(&s->text);
	s->line = 0;
}

static struct sv whole_lines(const struct side *s)
{
	return sv_sub(buf_view(&s->text), 0, s->line);
}

/* The next byte begins a message, unless lost. */
static void side_restart(struct side *s, bool lost)
{
	s->state = AT_START;
	s->lost = lost;
	s->ended = false;
	s->match = (struct start_match){ .part = START_NONE };
	text_clear(s);
}

static void msg_close(struct http1 *h, struct side *s, unsigned int flags)
{
	struct http_msg *m = s->m;

	http_body_close(&s->body, flags & HTTP_COMPLETE);
	m->flags |= flags;
	m->ts_last = s->ts;
	s->m = NULL;
	h->ops.done(h->ctx, m);
	msg_free(m);
	side_restart(s, !(flags & HTTP_COMPLETE));
}

static int msg_new(struct side *s, struct http1_framing *f)
{
	struct http_msg *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->dir = s->dir;
	m->flags = s->lost ? HTTP_JOINED : 0;
	m->pos = s->text_pos;
	m->ts_first = s->text_ts;
	m->ts_last = s->ts;
	arena_init(&m->arena, ARENA_MAX);
	err = http1_head_read(m, whole_lines(s), f);
	if (err) {
		msg_free(m);
		return err;
	}
	text_clear(s);
	s->lost = false;
	s->m = m;
	return 0;
}

/* The protocol changed: what is open in the other direction ends here. */
static void upgrade(struct http1 *h)
{
	struct side *req = &h->sides[HTTP_REQUEST];

	h->upgraded = true;
	if (req->m)
		msg_close(h, req, HTTP_CUT);
}

/* RFC 9112 6.3. */
static enum side_state body_framing(const struct http_msg *m, const struct http1_framing *f)
{
	if (f->chunked)
		return IN_CHUNK_SIZE;
	if (f->has_length && (!f->transfer || m->dir == HTTP_REQUEST))
		return IN_LENGTH;
	return m->dir == HTTP_REQUEST ? AT_START : IN_CLOSE;
}

static bool has_no_body(const struct http_msg *m, const struct pending *req)
{
	return m->dir == HTTP_RESPONSE && (req->head || m->status == 204 || m->status == 304);
}

/* A header that is whole, or that ends here with `flags`, because `missing` bytes follow. */
static int head_close(struct http1 *h, struct side *s, unsigned int flags, uint64_t missing)
{
	struct http1_framing f = { 0 };
	struct pending req = { 0 };
	struct coding_list codings;
	struct http_msg *m;
	int err = msg_new(s, &f);

	if (err)
		return err;
	m = s->m;
	m->flags |= flags;
	m->missing = missing;
	if (!flags)
		m->ts_head = s->ts;
	if (m->dir == HTTP_RESPONSE)
		req = pair_response(h, m);
	else
		err = pair_request(h, m);
	if (err) {
		s->m = NULL;
		msg_free(m);
		side_restart(s, true);
		return err;
	}
	if (is_interim(m)) {
		if (!flags)
			m->flags |= HTTP_COMPLETE;
		if (h->ops.interim)
			h->ops.interim(h->ctx, m);
		s->m = NULL;
		msg_free(m);
		side_restart(s, flags);
		return 0;
	}
	h->ops.head(h->ctx, m);
	if (flags) {
		msg_close(h, s, flags);
		return 0;
	}
	if (m->status == 101 || (req.connect && m->status / 100 == 2)) {
		msg_close(h, s, HTTP_COMPLETE);
		upgrade(h);
		return 0;
	}
	s->state = has_no_body(m, &req) ? AT_START : body_framing(m, &f);
	s->left = f.length;
	if (s->state == AT_START || (s->state == IN_LENGTH && !s->left)) {
		msg_close(h, s, HTTP_COMPLETE);
		return 0;
	}
	codings = http1_codings(&f);
	return http_body_open(&s->body, m, &codings);
}

/* --- one state each: takes bytes off *bytes, or changes the state */

/* Where the next start line may begin, once it is lost; quick, because all of a large body may pass. */
static size_t skip_lost(const struct side *s, struct sv bytes, size_t i)
{
	const char *first;

	if (!s->lost || s->text.len || s->match.part != START_NONE || s->dir != HTTP_RESPONSE)
		return i;
	first = memchr(bytes.p + i, 'H', bytes.n - i);
	return first ? (size_t)(first - bytes.p) : bytes.n;
}

static int step_start(struct side *s, uint64_t ts, struct sv *bytes)
{
	size_t i = 0;

	while (s->state == AT_START && (i = skip_lost(s, *bytes, i)) < bytes->n) {
		char c = bytes->p[i];
		enum start_result res;

		/* RFC 9112 2.2: empty lines before a start line are passed over */
		if (!s->lost && !s->text.len && (c == '\r' || c == '\n')) {
			i++;
			continue;
		}
		if (s->text.len == LIMIT_HTTP_HEAD)
			s->match.part = START_NONE; /* too long to be one */
		res = http1_start_match(&s->match, s->dir, s->lost, c);
		if (res == START_NO || (res == START_FIRST && s->text.len)) {
			s->lost = true;
			text_clear(s);
		}
		if (res == START_FIRST) {
			s->text_ts = ts;
			s->text_pos = s->pos + i;
		}
		i++;
		if (res == START_NO)
			continue;
		if (buf_ch(&s->text, c))
			return -ENOMEM;
		s->ts = ts;
		s->line = s->text.len;
		if (res == START_YES)
			s->state = IN_HEAD;
	}
	*bytes = sv_sub(*bytes, i, SIZE_MAX);
	return 0;
}

enum line_result { LINE_PART, LINE_WHOLE, LINE_OVER };

/* Appends to s->text up to the next LF, or until it holds max bytes.  -ENOMEM. */
static int take_line(struct side *s, uint64_t ts, struct sv *bytes, size_t max)
{
	const char *lf = memchr(bytes->p, '\n', bytes->n);
	size_t n = lf ? (size_t)(lf - bytes->p) + 1 : bytes->n;
	bool over = n > max - s->text.len;

	if (over)
		n = max - s->text.len;
	if (buf_sv(&s->text, sv_sub(*bytes, 0, n)))
		return -ENOMEM;
	if (n)
		s->ts = ts;
	*bytes = sv_sub(*bytes, n, SIZE_MAX);
	if (over)
		return LINE_OVER;
	return lf ? LINE_WHOLE : LINE_PART;
}

/* The last line of s->text, complete, without its end. */
static struct sv last_line(const struct side *s)
{
	struct sv line = sv_sub(buf_view(&s->text), s->line, SIZE_MAX);

	line.n--;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static int step_head(struct http1 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	int res = take_line(s, ts, bytes, LIMIT_HTTP_HEAD);
	bool blank;

	if (res < 0 || res == LINE_PART)
		return res;
	if (res == LINE_OVER)
		return head_close(h, s, HTTP_HEAD_CAP | HTTP_CUT, 0);
	blank = !last_line(s).n;
	s->line = s->text.len;
	return blank ? head_close(h, s, 0, 0) : 0;
}

static int step_body(struct http1 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	struct sv now = *bytes;
	int err;

	if (s->state != IN_CLOSE)
		now = sv_sub(now, 0, s->left < SIZE_MAX ? s->left : SIZE_MAX);
	s->ts = ts;
	err = http_body_feed(&s->body, ts, now);
	if (err)
		return err;
	*bytes = sv_sub(*bytes, now.n, SIZE_MAX);
	if (s->state == IN_CLOSE)
		return 0;
	s->left -= now.n;
	if (s->left)
		return 0;
	if (s->state == IN_LENGTH)
		msg_close(h, s, HTTP_COMPLETE);
	else
		s->state = IN_CHUNK_END;
	return 0;
}

static int step_chunk_size(struct http1 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	int res = take_line(s, ts, bytes, LIMIT_CHUNK_LINE);

	if (res < 0 || res == LINE_PART)
		return res;
	if (res == LINE_OVER || http1_chunk_size(last_line(s), &s->left)) {
		msg_close(h, s, HTTP_CUT);
		return 0;
	}
	text_clear(s);
	s->state = s->left ? IN_CHUNK : IN_TRAILER;
	return 0;
}

static int step_chunk_end(struct http1 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	char c = bytes->p[0];

	if (c != '\n' && (c != '\r' || s->ended)) {
		msg_close(h, s, HTTP_CUT); /* the byte is looked at again: it may begin a message */
		return 0;
	}
	s->ts = ts;
	s->ended = c == '\r';
	if (c == '\n')
		s->state = IN_CHUNK_SIZE;
	*bytes = sv_sub(*bytes, 1, SIZE_MAX);
	return 0;
}

static int step_trailer(struct http1 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	int res = take_line(s, ts, bytes, LIMIT_HTTP_HEAD);
	unsigned int flags = HTTP_COMPLETE;
	int err;

	if (res < 0 || res == LINE_PART)
		return res;
	if (res == LINE_OVER) {
		flags = HTTP_CUT | HTTP_HEAD_CAP;
	} else if (last_line(s).n) {
		s->line = s->text.len;
		return 0;
	}
	err = http1_trailers_read(s->m, whole_lines(s));
	if (err)
		return err;
	msg_close(h, s, flags);
	return 0;
}

static int step(struct http1 *h, struct side *s, uint64_t ts, struct sv *bytes)
{
	switch (s->state) {
	case AT_START:
		return step_start(s, ts, bytes);
	case IN_HEAD:
		return step_head(h, s, ts, bytes);
	case IN_LENGTH:
	case IN_CLOSE:
	case IN_CHUNK:
		return step_body(h, s, ts, bytes);
	case IN_CHUNK_SIZE:
		return step_chunk_size(h, s, ts, bytes);
	case IN_CHUNK_END:
		return step_chunk_end(h, s, ts, bytes);
	case IN_TRAILER:
		return step_trailer(h, s, ts, bytes);
	}
	return 0;
}

int http1_feed(struct http1 *h, enum http_dir dir, uint64_t ts, struct sv bytes)
{
	struct side *s = &h->sides[dir];

	while (bytes.n && !h->err && !h->upgraded) {
		size_t before = bytes.n;

		h->err = step(h, s, ts, &bytes);
		s->pos += before - bytes.n;
	}
	return h->err;
}

bool http1_is_early(const struct http1 *h)
{
	const struct side *asks = &h->sides[HTTP_REQUEST], *s = &h->sides[HTTP_RESPONSE];

	return !h->upgraded && !h->pending_cnt && !asks->lost && s->state == AT_START && !s->lost &&
	       !s->text.len;
}

/* --- holes and the end */

/* Whatever is open ends here, with `flags`. */
static void side_break(struct http1 *h, struct side *s, unsigned int flags, uint64_t missing)
{
	if (s->state == IN_HEAD) {
		if (!h->err)
			h->err = head_close(h, s, flags, missing);
	} else if (s->m) {
		s->m->missing += missing;
		msg_close(h, s, flags);
	}
}

void http1_gap(struct http1 *h, enum http_dir dir, uint64_t ts, uint64_t missing)
{
	struct side *s = &h->sides[dir];
	uint64_t inside = 0;

	s->pos += missing;
	if (h->upgraded || h->err || !missing)
		return;
	if (s->state == IN_CLOSE)
		inside = missing;
	else if (s->state == IN_LENGTH || s->state == IN_CHUNK)
		inside = missing < s->left ? missing : s->left;
	if (inside) {
		s->ts = ts;
		http_body_hole(&s->body, inside);
		missing -= inside;
		if (s->state != IN_CLOSE)
			s->left -= inside;
		if (s->state == IN_LENGTH && !s->left)
			msg_close(h, s, HTTP_COMPLETE);
		else if (s->state == IN_CHUNK && !s->left)
			s->state = IN_CHUNK_END;
	}
	if (!missing)
		return;
	side_break(h, s, HTTP_CUT | HTTP_HOLE, missing);
	side_restart(s, true);
}

void http1_end(struct http1 *h, uint64_t ts)
{
	(void)ts; /* a message ended with its last byte, however long the connection stayed open */
	for (int dir = HTTP_REQUEST; dir <= HTTP_RESPONSE; dir++) {
		struct side *s = &h->sides[dir];

		if (s->state == IN_CLOSE)
			msg_close(h, s, HTTP_COMPLETE | HTTP_CLOSE_DELIMITED);
		else
			side_break(h, s, HTTP_CUT, 0);
		side_restart(s, false);
	}
}
