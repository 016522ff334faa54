/* SPDX-License-Identifier: BSD-2-Clause */
/* What was seen of each TLS connection, as text that a test can compare. */
#ifndef RINGSPAN_TESTS_BPF_STREAMS_H
#define RINGSPAN_TESTS_BPF_STREAMS_H

#include "base/buf.h"
#include "trace.h"

#define STREAMS_MAX 16

struct stream {
	__u64 id, pos[2];
	struct buf text[2]; /* by enum ev_dir */
	int how;            /* enum ev_link of the last SOCK, 0: none */
	bool closed;
};

struct streams {
	struct stream of[STREAMS_MAX]; /* in the order of their first bytes */
	size_t cnt;
	__u8 src; /* of the connections that are told, 0: all */
};

static inline struct stream *stream_of(struct streams *ss, __u64 id, bool add)
{
	for (size_t i = 0; i < ss->cnt; i++)
		if (ss->of[i].id == id)
			return &ss->of[i];
	if (!add)
		return NULL;
	assert_true(ss->cnt < STREAMS_MAX);
	ss->of[ss->cnt].id = id;
	return &ss->of[ss->cnt++];
}

static inline void stream_data(struct streams *ss, const struct ev_data *d)
{
	struct stream *s;

	if (d->src >= EV_SRC_FLOW || (ss->src && d->src != ss->src))
		return;
	s = stream_of(ss, d->conn, true);
	assert_false(s->closed);
	assert_int_equal(d->pos, s->pos[d->dir]);
	assert_int_equal(!d->missing, !d->hdr.flags);
	buf_add(&s->text[d->dir], d + 1, d->len);
	if (d->missing)
		buf_fmt(&s->text[d->dir], "[%u]", d->missing);
	s->pos[d->dir] += d->len + d->missing;
}

/*
 * A line for each connection: ">" what was written "<" what was read, "." when its end was told.
 * "[N]" are N bytes that were told to be missing.  The caller frees.
 */
static inline void streams_text(const struct trace *t, __u8 src, struct buf *out)
{
	struct streams ss = { .src = src };

	for (size_t i = 0; i < t->cnt; i++) {
		const struct ev_hdr *h = t->recs[i];
		struct stream *s = NULL;

		assert_int_equal(h->lost, 0);
		if (h->kind == EV_DATA)
			stream_data(&ss, (const void *)h);
		else if (h->kind == EV_CLOSE)
			s = stream_of(&ss, ((const struct ev_close *)h)->conn, false);
		if (s)
			s->closed = true;
	}
	for (size_t i = 0; i < ss.cnt; i++) {
		struct stream *s = &ss.of[i];

		buf_fmt(out, ">" SV_FMT "<" SV_FMT "%s\n", SV_ARG(buf_view(&s->text[EV_WRITE])),
			SV_ARG(buf_view(&s->text[EV_READ])), s->closed ? "." : "");
		buf_fini(&s->text[EV_READ]);
		buf_fini(&s->text[EV_WRITE]);
	}
}

/* Runs the test program as the victim of that name, which must end well, and compares. */
static inline void streams_are(struct trace *t, const char *victim, const char *mode, __u8 src,
			       const char *wanted)
{
	_cleanup_buf_ struct buf got = BUF_INIT;

	trace_clear(t);
	trace_victim(t, victim, mode);
	assert_int_equal(t->status, 0);
	streams_text(t, src, &got);
	assert_string_equal(buf_cstr(&got), wanted);
}

#endif
