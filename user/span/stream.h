/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection of a traced process, and the protocols that one may carry: one file and one line in
 * stream.def for each.  The first bytes decide which it is, once.
 */
#ifndef RINGSPAN_SPAN_STREAM_H
#define RINGSPAN_SPAN_STREAM_H

#include "base/buf.h"
#include "conn/conn.h"

struct run;
struct trace;
struct stream_ops;

struct stream {
	struct trace *t;
	struct conn *conn;
	struct run *run;
	struct stream *run_next, *run_prev; /* among those of the run */
	const struct stream_ops *ops;       /* NULL: not known yet, or nobody follows it */
	void *state;                        /* of ops */
	bool ignored;
	struct buf sniff; /* first bytes of one direction, until they tell */
	enum ev_dir sniff_dir;
	uint64_t missed[2]; /* bytes lost at the very beginning, by enum ev_dir; gap() tells, too */
};

struct stream_ops {
	const char *name;
	/*
	 * Score 0..100 that a connection which begins with these bytes of that direction is of this
	 * protocol; -1: need more.  The highest is taken.
	 */
	int (*detect)(const struct conn *c, enum ev_dir dir, struct sv first);
	/* Sets s->state; first is what data() gives next.  0, or -errno: it is not followed. */
	int (*open)(struct stream *s, enum ev_dir dir, struct sv first);
	/* ts as conn_ops has it; of datagrams (EV_SRC_DGRAM) one at a time. */
	void (*data)(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes);
	void (*gap)(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing);
	void (*close)(struct stream *s, uint64_t ts); /* last; frees s->state */
};

extern const struct conn_ops stream_conn_ops; /* ctx: struct trace */

/* The run is over: so are its streams, also those of records that came behind their process's end. */
void stream_close_all(struct run *r, uint64_t ts);

#endif
