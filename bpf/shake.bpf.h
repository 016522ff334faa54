/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The handshake of a TLS connection, by the headers of its records (RFC 8446 5.1), which no version
 * encrypts: whatever library made them, each is told with its time, and user space knows what they mean.
 *
 * Only a thread that moves bytes in a direction works on that direction's half of the entry.
 */
#ifndef RINGSPAN_SHAKE_BPF_H
#define RINGSPAN_SHAKE_BPF_H

#include "flow.bpf.h"
#include "look.bpf.h"

#define SHAKE_RECORDS 32 /* that are told of a connection */
#define SHAKE_STEPS 64   /* records and buffers of one call */
#define SHAKE_STEPS_OLD 8
#define SHAKE_ROOM 256 /* a ServerHello has its version, cipher and protocol well within it */

#define TLS_HEAD 5
#define TLS_CHANGE_CIPHER 20
#define TLS_ALERT 21
#define TLS_DATA 23
#define TLS_HEARTBEAT 24

struct shake_at {
	struct thread_state *t;
	struct flow_state *f;
};

/* The flow's first record is a hello, of which FLOW tells; held: bytes of it that came before this call. */
static __always_inline void shake_begin(struct flow_state *f, __u32 dir, __u32 held)
{
	const __u8 *h = f->head[dir];

	f->shake = SHAKE_RECORDS;
	f->shake_asks = h[5] == 1 ? dir : !dir;
	f->shake_seen = 1 << dir;
	f->rec_left[dir] = TLS_HEAD + (h[3] << 8 | h[4]) - (held & 31);
	f->rec_left[!dir] = 0;
}

static __always_inline void shake_fill(struct ev_tls *e, const struct thread_state *t,
				       const struct flow_state *f, __u32 dir)
{
	const __u8 *h = f->head[dir];

	e->conn = f->id;
	e->file = f->ino;
	e->enter_ts = t->io.enter_ts;
	e->version = h[1] << 8 | h[2];
	e->size = h[3] << 8 | h[4];
	e->type = h[0];
	e->dir = dir;
	e->client = dir == f->shake_asks;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	e->len = 0;
}

/* The record whose header is in the head; n of what it holds begin at buf. */
static __always_inline void shake_tell(const struct thread_state *t, struct flow_state *f,
				       __u32 dir, __u64 buf, __u32 n)
{
	__u8 type = f->head[dir][0];
	struct ev_tls *e;

	if (n) {
		e = ev_reserve(EV_TLS, sizeof(*e), SHAKE_ROOM, f->start);
		if (e) {
			shake_fill(e, t, f, dir);
			barrier_var(n);
			if (n > SHAKE_ROOM)
				n = SHAKE_ROOM;
			if (bpf_probe_read_user(e + 1, n, (void *)buf)) {
				e->hdr.flags |= EVF_FAULT;
				n = 0;
			}
			e->len = n;
			e->hdr.size = sizeof(*e) + n;
			ev_submit(e);
		}
	} else {
		e = ev_reserve(EV_TLS, sizeof(*e), 0, f->start);
		if (e) {
			shake_fill(e, t, f, dir);
			ev_submit(e);
		}
	}
	f->head_len[dir] = 0;
	f->shake--;
	/* who asks sends data behind its Finished, whatever the version: nothing of interest follows */
	if (type == TLS_DATA && dir == f->shake_asks && f->shake_seen & 1 << !f->shake_asks)
		f->shake = 0;
	if (type == TLS_HANDSHAKE)
		f->shake_seen |= 1 << (dir & 1);
}

/* Is something of what the record holds wanted?  Of an alert, and of a direction's first message. */
static __always_inline bool shake_wants(const struct flow_state *f, __u32 dir)
{
	__u8 type = f->head[dir][0];

	return type == TLS_ALERT || (type == TLS_HANDSHAKE && !(f->shake_seen & 1 << (dir & 1)));
}

static __always_inline void shake_body(struct thread_state *t, struct flow_state *f, __u32 dir)
{
	struct data_job *j = &t->job;
	__u32 left = f->rec_left[dir], n = j->left < left ? j->left : left;
	__u64 buf = j->buf;

	j->buf += n;
	j->left -= n;
	f->rec_left[dir] = left - n;
	if (f->head_len[dir] != TLS_HEAD)
		return;
	if (shake_wants(f, dir))
		shake_tell(t, f, dir, buf, n);
	else if (n == left)
		shake_tell(t, f, dir, 0, 0);
}

static __always_inline void shake_head(struct thread_state *t, struct flow_state *f, __u32 dir)
{
	__u32 at = f->head_len[dir], n;
	struct data_job *j = &t->job;
	__u8 *h = f->head[dir];

	if (at >= TLS_HEAD) {
		f->shake = 0;
		return;
	}
	n = TLS_HEAD - at;
	if (j->left < n)
		n = j->left;
	barrier_var(at);
	barrier_var(n);
	at &= 7;
	n &= 7;
	if (bpf_probe_read_user(&h[at], n, (void *)j->buf)) {
		f->shake = 0;
		return;
	}
	j->buf += n;
	j->left -= n;
	f->head_len[dir] = at + n;
	if (at + n < TLS_HEAD)
		return;
	f->rec_left[dir] = h[3] << 8 | h[4];
	if (h[0] < TLS_CHANGE_CIPHER || h[0] > TLS_HEARTBEAT || h[1] != 3 || !f->rec_left[dir] ||
	    f->rec_left[dir] > TLS_RECORD_MAX)
		f->shake = 0;
}

/* The next buffer of the call; false: there is none. */
static __always_inline bool shake_next(struct thread_state *t)
{
	struct io_call *io = &t->io;
	struct iovec v;

	if (!io->left || !io->vecs || bpf_probe_read_user(&v, sizeof(v), (void *)io->vec))
		return false;
	io->vec += sizeof(v);
	io->vecs--;
	if (v.len > io->left)
		v.len = io->left;
	io->left -= v.len;
	t->job.buf = v.base;
	t->job.left = v.len;
	return true;
}

/* 1 at the end. */
static __noinline int shake_step(struct thread_state *t, struct flow_state *f)
{
	__u32 dir = t->io.dir & 1;

	if (!t->job.left)
		return !shake_next(t);
	if (f->rec_left[dir])
		shake_body(t, f, dir);
	else
		shake_head(t, f, dir);
	return !f->shake;
}

static long shake_loop(__u32 i, void *ctx)
{
	struct shake_at *w = ctx;

	return shake_step(w->t, w->f);
}

/* Bytes of the flow in a call that io_open() has taken up. */
static __always_inline int shake_walk(struct thread_state *t, struct flow_state *f,
				      const bool modern)
{
	struct shake_at w = { t, f };
	int i;

	t->job.left = 0;
	if (t->io.form == IO_BUF) {
		t->job.buf = t->io.buf;
		t->job.left = t->io.left < t->io.cnt ? t->io.left : t->io.cnt;
		t->io.left = 0;
	}
	if (modern) {
		bpf_loop(SHAKE_STEPS, shake_loop, &w, 0);
	} else {
		for (i = 0; i < SHAKE_STEPS_OLD; i++)
			if (shake_step(t, f))
				break;
	}
	if (t->job.left || t->io.left || t->io.form == IO_MMSG)
		f->shake = 0; /* where the next record begins is not known any more */
	return 0;
}

#endif
