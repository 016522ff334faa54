/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TLS calls that a thread is in, and what is told when they return.
 *
 * Probes need not be at a function's first instruction (user/probe/site.h): a probe's cookie says how
 * many bytes the stack pointer is below where it was at the call's entry.
 *
 * A thread's calls are a stack, told apart by the stack pointer at entry: a call that never returned
 * (longjmp) is dropped as soon as the stack is as high again, a function that calls another one on
 * the same object is counted once, and a file that got its probes twice changes nothing.
 */
#ifndef RINGSPAN_TLS_BPF_H
#define RINGSPAN_TLS_BPF_H

#include "conn.bpf.h"
#include "guard.bpf.h"

/* The compiler must not reason the bound away: kernels before 6.8 do not follow its reasoning. */
static __always_inline struct tls_call *call_at(struct thread_state *t, __u32 i)
{
	barrier_var(i);
	return &t->calls[i % TLS_DEPTH];
}

/* Drops the calls whose frames lie at or below sp: they are over. */
static __always_inline __u32 calls_above(struct thread_state *t, __u64 sp)
{
	__u32 depth = t->depth;
	int i;

	for (i = 0; i < TLS_DEPTH; i++)
		if (depth && call_at(t, depth - 1)->sp <= sp)
			depth--;
	return depth;
}

/* The stack pointer that the call had at its entry; no_cookie: what to add where there are none. */
static __always_inline __u64 entry_sp(struct pt_regs *ctx, __s64 no_cookie)
{
	return PT_REGS_SP(ctx) + (cfg_cookie ? bpf_get_attach_cookie(ctx) : no_cookie);
}

/* The call that begins, for what its library says beside; NULL: it is not followed. */
static __always_inline struct tls_call *call_enter(struct pt_regs *ctx, __u64 ssl, __u32 dir,
						   enum ev_src src, enum tls_told told)
{
	__u64 sp = entry_sp(ctx, 0);
	struct thread_state *t;
	struct tls_call *c;
	__u32 depth;

	t = thread_here();
	if (!t)
		return NULL;
	depth = calls_above(t, sp);
	if (depth >= TLS_DEPTH) {
		stat_add(lost_map, 1);
		return NULL;
	}
	c = call_at(t, depth);
	c->sp = sp;
	c->ssl = ssl;
	c->buf = PT_REGS_PARM2(ctx);
	c->size = PT_REGS_PARM3(ctx);
	c->out = 0;
	c->enter_ts = bpf_ktime_get_ns();
	c->inside = 0;
	c->dir = dir;
	c->nested = 0;
	c->src = src;
	c->told = told;
	t->depth = depth + 1;
	return c;
}

/* The call that returns, taken off the stack; NULL when its entry was not seen. */
static __always_inline struct tls_call *call_pop(struct thread_state *t, __u64 sp)
{
	__u32 depth = calls_above(t, sp - 1);
	struct tls_call *c;

	t->depth = depth;
	if (!depth || depth > TLS_DEPTH)
		return NULL;
	c = call_at(t, depth - 1);
	if (c->sp != sp)
		return NULL;
	t->depth = depth - 1;
	return c;
}

/* A call further out that moves the same bytes; NULL: none. */
static __always_inline struct tls_call *call_around(struct thread_state *t,
						    const struct tls_call *c)
{
	int i;

	for (i = 0; i < TLS_DEPTH - 1; i++)
		if (i < t->depth && t->calls[i].ssl == c->ssl && t->calls[i].dir == c->dir)
			return &t->calls[i];
	return NULL;
}

/*
 * Where the bytes are in what gnutls_record_recv_packet() gave: struct mbuffer_st, lib/gnutls_int.h of
 * GnuTLS 3.  Of n bytes, else its layout is another one: 0.
 */
static __always_inline __u64 packet_bytes(__u64 out, __u64 n)
{
	struct {
		__u64 next, prev;
		__u64 mark; /* so many bytes of the message are used up */
		__u64 data;
		__u32 size, pad;
	} p;
	__u64 packet;

	if (bpf_probe_read_user(&packet, sizeof(packet), (void *)out) ||
	    bpf_probe_read_user(&p, sizeof(p), (void *)packet) || p.size - p.mark != n)
		return 0;
	return p.data + p.mark;
}

#define GNUTLS_AGAIN -28
#define GNUTLS_INTERRUPTED -52
#define GNUTLS_RECORD_MAX 16384

/*
 * The call took up to a record of what it was given, though it failed: whatever the next one is given,
 * it sends this and returns how much it was (gnutls_record_send(3)).
 */
static __always_inline bool is_queued(__s32 ret, const struct tls_call *c)
{
	return c->told == TLS_QUEUED && (ret == GNUTLS_AGAIN || ret == GNUTLS_INTERRUPTED);
}

/* Bytes that the call moved; corrects where they are. */
static __always_inline __u64 call_result(struct pt_regs *ctx, struct tls_call *c)
{
	__s64 rc = PT_REGS_RC(ctx);
	__s32 ret = rc;
	__u64 n = 0;

	switch (c->told) {
	case TLS_OUT:
		if (ret == 1 && bpf_probe_read_user(&n, sizeof(n), (void *)c->out))
			return 0;
		return n;
	case TLS_QUEUED:
		if (is_queued(ret, c))
			return c->size < GNUTLS_RECORD_MAX ? c->size : GNUTLS_RECORD_MAX;
		return ret > 0 ? ret : 0;
	case TLS_PACKET:
		n = ret > 0 ? ret : 0;
		c->buf = n ? packet_bytes(c->out, n) : 0;
		return n;
	case TLS_UNSEEN:
		c->buf = 0;
		return rc > (__s64)c->inside ? rc - c->inside : 0;
	case TLS_NOTHING:
		return 0;
	default:
		return ret > 0 ? ret : 0;
	}
}

/*
 * Of n bytes that went into or through a queue: those that were not told yet.  They are told when they
 * enter it: later the caller may have other uses for its buffer, and may not name it again.
 */
static __always_inline __u64 call_queue(struct tls_call *c, struct conn_state *conn, __u64 n,
					bool queued)
{
	__u64 told = conn->ahead;

	if (queued) {
		conn->ahead = told ? told : n;
		return told ? 0 : n;
	}
	told = told < n ? told : n;
	conn->ahead -= told;
	if (c->buf)
		c->buf += told;
	return n - told;
}

/*
 * Which socket: one touched inside the call is sure.  Where TLS runs on memory buffers, data read
 * came from the last receive of this thread, and data written leaves with its next send.
 */
static __always_inline void call_bind(struct thread_state *t, const struct tls_call *c,
				      struct conn_state *conn, bool moved)
{
	if (c->nested) {
		conn_bind(conn, c->dir == EV_READ ? &t->in : &t->out, EV_LINK_NESTED);
	} else if (c->dir == EV_READ) {
		if (t->fresh && moved)
			conn_bind(conn, &t->in, EV_LINK_RECV);
		t->fresh = 0;
	} else if (moved) {
		/* two objects waiting for one send: nobody can say whose it is */
		t->pending = !t->pending || t->pending == c->ssl ? c->ssl : 0;
	}
}

static __always_inline void call_send(struct data_job *job, const struct tls_call *c,
				      struct conn_state *conn, __u64 n, __u32 quiet,
				      const bool modern)
{
	__u32 dir = c->dir & 1;

	job->start = conn->start;
	job->conn = conn->id;
	job->pos = conn->pos[dir];
	/* libraries allow one thread at a time in an object and direction: this position is ours */
	__sync_fetch_and_add(&conn->pos[dir], n);
	stat_add(content_bytes, n);
	job->enter_ts = c->enter_ts;
	job->buf = c->buf;
	job->left = n;
	job->gap = 0;
	job->tail = 0;
	job->dir = dir;
	job->src = c->src;
	job->quiet = quiet;
	if (c->buf)
		data_send(job, modern);
	else
		data_unseen(job, n);
}

static __always_inline void call_exit(struct pt_regs *ctx, const bool modern)
{
	struct thread_state *t = thread_find();
	struct tls_call *c = t ? call_pop(t, entry_sp(ctx, RETURN_DEPTH)) : NULL;
	struct tls_call *around = c ? call_around(t, c) : NULL;
	struct conn_state *conn;
	bool queued;
	__u64 n;

	if (!c || (around && around->told != TLS_UNSEEN))
		return;
	queued = is_queued(PT_REGS_RC(ctx), c);
	n = call_result(ctx, c);
	if (around)
		around->inside += n;
	if (!n && !c->nested) {
		if (c->dir == EV_READ)
			t->fresh = 0;
		return;
	}
	conn = conn_get(&t->life, c->ssl);
	if (!conn) {
		stat_unplaced(n);
		return;
	}
	call_bind(t, c, conn, n > 0 && !queued);
	if (c->told == TLS_QUEUED)
		n = call_queue(c, conn, n, queued);
	if (n)
		call_send(&t->job, c, conn, n, thread_is_quiet(t), modern);
}

#endif
