// SPDX-License-Identifier: BSD-2-Clause
/* Connections to protocols: see stream.h. */
#include "span/stream.h"

#include <stdlib.h>
#include "base/cleanup.h"
#include "span/engine.h"

#define SNIFF_MAX 64 /* bytes of a direction that any protocol can be told by */

#define STREAM(name) extern const struct stream_ops stream_##name;
#include "span/stream.def"
#undef STREAM

/* Where nothing tells, the first is taken: its parser searches. */
static const struct stream_ops *const protos[] = {
#define STREAM(name) &stream_##name,
#include "span/stream.def"
#undef STREAM
};

static void on_open(void *ctx, struct conn *c)
{
	struct trace *t = ctx;
	struct pstate *ps = engine_pstate(t, c->tgid, c->start);
	struct stream *s = ps ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return;
	s->t = t;
	s->conn = c;
	s->run = ps->run;
	s->run_next = s->run->streams;
	if (s->run_next)
		s->run_next->run_prev = s;
	s->run->streams = s;
	c->user = s;
}

/* The protocol of the first bytes; NULL when more of them are needed. */
static const struct stream_ops *find_proto(const struct stream *s, bool more)
{
	struct sv first = buf_view(&s->sniff);
	const struct stream_ops *best = protos[0];
	int best_score = 0;
	bool wait = false;

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		int score = protos[i]->detect(s->conn, s->sniff_dir, first);

		wait |= score < 0;
		if (score > best_score) {
			best = protos[i];
			best_score = score;
		}
	}
	if (wait && more && best_score < 100 && first.n < SNIFF_MAX)
		return NULL;
	return best;
}

/* The bytes so far go to their protocol, if they tell it or no more will come. */
static void settle(struct stream *s, uint64_t ts, bool more)
{
	const struct stream_ops *ops = find_proto(s, more);
	struct sv first = buf_view(&s->sniff);

	if (!ops)
		return;
	if (ops->open(s, s->sniff_dir, first))
		s->ignored = true;
	else
		s->ops = ops;
	for (int dir = EV_READ; s->ops && dir <= EV_WRITE; dir++)
		if (s->missed[dir])
			s->ops->gap(s, (enum ev_dir)dir, ts, s->missed[dir]);
	if (s->ops && first.n)
		s->ops->data(s, s->sniff_dir, ts, first);
	buf_fini(&s->sniff);
}

static void on_data(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct stream *s = c->user;

	(void)ctx;
	if (!s || s->ignored)
		return;
	if (!s->ops && s->sniff.len &&
	    dir != s->sniff_dir) /* the other side did not wait for more */
		settle(s, ts, false);
	if (s->ops) {
		s->ops->data(s, dir, ts, bytes);
		return;
	}
	if (s->ignored)
		return;
	s->sniff_dir = dir;
	buf_sv(&s->sniff, bytes);
	settle(s, ts, true);
}

static void on_gap(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct trace *t = ctx;
	struct stream *s = c->user;

	t->totals.hole_bytes += missing;
	if (!s || s->ignored)
		return;
	if (!s->ops && !s->sniff.len) { /* what comes behind it will tell */
		s->missed[dir] += missing;
		return;
	}
	if (!s->ops)
		settle(s, ts, false);
	if (s->ops)
		s->ops->gap(s, dir, ts, missing);
}

static void on_close(void *ctx, struct conn *c, uint64_t ts)
{
	struct stream *s = c->user;

	(void)ctx;
	if (!s)
		return;
	if (!s->ops && !s->ignored && s->sniff.len)
		settle(s, ts, false);
	if (s->ops)
		s->ops->close(s, ts);
	if (s->run_next)
		s->run_next->run_prev = s->run_prev;
	*(s->run_prev ? &s->run_prev->run_next : &s->run->streams) = s->run_next;
	buf_fini(&s->sniff);
	free(s);
	c->user = NULL;
}

void stream_close_all(struct run *r, uint64_t ts)
{
	while (r->streams)
		on_close(NULL, r->streams->conn, ts);
}

const struct conn_ops stream_conn_ops = {
	.open = on_open,
	.data = on_data,
	.gap = on_gap,
	.close = on_close,
};
