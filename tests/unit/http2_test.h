/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of HTTP/2: a caller of the parser that checks the order of calls, counts and logs. */
#ifndef RINGSPAN_HTTP2_TEST_H
#define RINGSPAN_HTTP2_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proto/http2.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct made;

struct seen {
	/* what was sent, and what holds a header against it; NULL: not done */
	const struct made *truth;
	void (*check_head)(const struct made *truth, const struct http_msg *m);
	size_t heads, dones, interims, open, open_max, unknown, known;
	uint64_t body;
	struct buf log;
	/* of the last one that was done */
	unsigned int flags;
	size_t field_cnt;
	uint64_t len, seq, ts_first, ts_body, ts_last;
};

static inline void on_head(void *ctx, struct http_msg *m)
{
	struct seen *s = ctx;

	assert_null(m->user);
	m->user = s;
	s->heads++;
	s->open++;
	if (s->open > s->open_max)
		s->open_max = s->open;
	if (s->check_head)
		s->check_head(s->truth, m);
	if (m->flags & HTTP_HEAD_UNKNOWN)
		s->unknown++;
	else
		s->known++;
	buf_fmt(&s->log, "%d %llu " SV_FMT " " SV_FMT " %d\n", m->dir, (unsigned long long)m->pos,
		SV_ARG(m->method), SV_ARG(m->target), m->status);
	for (size_t i = 0; i < m->field_cnt; i++)
		buf_fmt(&s->log, SV_FMT ": " SV_FMT "\n", SV_ARG(m->fields[i].name),
			SV_ARG(m->fields[i].value));
}

static inline void on_interim(void *ctx, struct http_msg *m)
{
	struct seen *s = ctx;

	assert_true(m->status >= 100 && m->status < 200);
	s->interims++;
}

static inline void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct seen *s = ctx;

	assert_ptr_equal(m->user, s);
	assert_true(bytes.n > 0);
	assert_true(ts >= m->ts_body);
	s->body += bytes.n;
}

static inline void on_hole(void *ctx, struct http_msg *m, uint64_t n)
{
	assert_ptr_equal(m->user, ctx);
	assert_true(n > 0);
}

static inline void on_done(void *ctx, struct http_msg *m)
{
	struct seen *s = ctx;

	assert_ptr_equal(m->user, s);
	m->user = NULL;
	s->dones++;
	s->open--;
	assert_true(!(m->flags & HTTP_COMPLETE) != !(m->flags & HTTP_CUT));
	assert_true(!m->missing || m->flags & HTTP_HOLE);
	assert_true(m->ts_first <= m->ts_last);
	s->flags = m->flags;
	s->field_cnt = m->field_cnt;
	s->len = m->body_len;
	s->seq = m->seq;
	s->ts_first = m->ts_first;
	s->ts_body = m->ts_body;
	s->ts_last = m->ts_last;
	buf_fmt(&s->log, "%d done %x %llu %llu %llu %llu\n", m->dir, m->flags,
		(unsigned long long)m->seq, (unsigned long long)m->pos,
		(unsigned long long)m->wire_body, (unsigned long long)m->body_len);
}

static inline struct http2 *open_parser(struct seen *s)
{
	static const struct http_ops ops = { .head = on_head,
					     .interim = on_interim,
					     .body = on_body,
					     .hole = on_hole,
					     .done = on_done };
	struct http2 *h = NULL;

	*s = (struct seen){ 0 };
	assert_int_equal(http2_new(&h, &ops, s), 0);
	return h;
}

/* Ends the connection: every head has its done.  The log is left. */
static inline void close_parser(struct http2 *h, struct seen *s)
{
	http2_end(h);
	http2_free(&h);
	assert_null(h);
	assert_int_equal(s->heads, s->dones);
}

static inline void feed(struct http2 *h, enum http_dir dir, struct sv bytes)
{
	assert_int_equal(http2_feed(h, dir, 1, bytes), 0);
}

static inline void put_frame(struct buf *b, unsigned int type, unsigned int flags, uint32_t id,
			     struct sv payload)
{
	const unsigned char head[] = { payload.n >> 16, payload.n >> 8, payload.n, type, flags,
				       id >> 24,        id >> 16,       id >> 8,   id };

	buf_add(b, head, sizeof(head));
	buf_sv(b, payload);
}

#endif
