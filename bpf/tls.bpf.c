/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plaintext at the functions of OpenSSL's API (BoringSSL's is the same).  A program per function, so
 * that it can do without attach cookies, which came with 5.15.
 *
 * Probes need not be at a function's first instruction (user/probe/site.h): a probe's cookie says how
 * many bytes the stack pointer is below where it was at the call's entry.
 *
 * A thread's calls are a stack, told apart by the stack pointer at entry: a call that never returned
 * (longjmp) is dropped as soon as the stack is as high again, a function that calls another one on
 * the same object is counted once, and a file that got its probes twice changes nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "conn.bpf.h"
#include "guard.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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

static __always_inline void call_enter(struct pt_regs *ctx, __u32 dir, __u64 out)
{
	__u64 sp = entry_sp(ctx, 0);
	struct thread_state *t;
	struct tls_call *c;
	__u32 depth;

	if (!traced_here())
		return;
	t = thread_get();
	if (!t) {
		stat_add(lost_map, 1);
		return;
	}
	depth = calls_above(t, sp);
	if (depth >= TLS_DEPTH) {
		stat_add(lost_map, 1);
		return;
	}
	c = call_at(t, depth);
	c->sp = sp;
	c->ssl = PT_REGS_PARM1(ctx);
	c->buf = PT_REGS_PARM2(ctx);
	c->out = out;
	c->enter_ts = bpf_ktime_get_ns();
	c->dir = dir;
	c->nested = 0;
	t->depth = depth + 1;
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

/* A call further out moves the same bytes: that one counts them. */
static __always_inline bool call_is_inner(const struct thread_state *t, const struct tls_call *c)
{
	int i;

	for (i = 0; i < TLS_DEPTH - 1; i++)
		if (i < t->depth && t->calls[i].ssl == c->ssl && t->calls[i].dir == c->dir)
			return true;
	return false;
}

/* Bytes that the call moved. */
static __always_inline __u64 call_result(struct pt_regs *ctx, const struct tls_call *c)
{
	__s32 ret = PT_REGS_RC(ctx);
	__u64 n = 0;

	if (!c->out)
		return ret > 0 ? ret : 0;
	if (ret == 1 && bpf_probe_read_user(&n, sizeof(n), (void *)c->out))
		return 0;
	return n;
}

/*
 * Which socket: one touched inside the call is sure.  Where TLS runs on memory buffers, data read
 * came from the last receive of this thread, and data written leaves with its next send.
 */
static __always_inline void call_bind(struct thread_state *t, const struct tls_call *c,
				      struct conn_state *conn, bool moved)
{
	if (c->nested) {
		conn_bind(conn, &t->in, EV_LINK_NESTED);
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
				      struct conn_state *conn, __u64 n, const bool modern)
{
	__u32 dir = c->dir & 1;

	job->start = conn->start;
	job->conn = conn->id;
	job->pos = conn->pos[dir];
	/* OpenSSL allows one thread at a time in an object, so this position is ours */
	__sync_fetch_and_add(&conn->pos[dir], n);
	job->enter_ts = c->enter_ts;
	job->buf = c->buf;
	job->left = n;
	job->gap = 0;
	job->tail = 0;
	job->dir = dir;
	job->src = EV_SRC_OPENSSL;
	data_send(job, modern);
}

static __always_inline void call_exit(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t = proc ? thread_find() : NULL;
	struct tls_call *c = t ? call_pop(t, entry_sp(ctx, RETURN_DEPTH)) : NULL;
	struct conn_state *conn;
	__u64 n;

	if (!c || call_is_inner(t, c))
		return;
	n = call_result(ctx, c);
	if (!n && !c->nested) {
		if (c->dir == EV_READ)
			t->fresh = 0;
		return;
	}
	conn = conn_get(proc, c->ssl);
	if (!conn)
		return;
	call_bind(t, c, conn, n > 0);
	if (n)
		call_send(&t->job, c, conn, n, modern);
}

static __always_inline void read_enter(struct pt_regs *ctx, const bool modern)
{
	call_enter(ctx, EV_READ, 0);
}

static __always_inline void write_enter(struct pt_regs *ctx, const bool modern)
{
	call_enter(ctx, EV_WRITE, 0);
}

static __always_inline void read_ex_enter(struct pt_regs *ctx, const bool modern)
{
	call_enter(ctx, EV_READ, PT_REGS_PARM4(ctx));
}

static __always_inline void write_ex_enter(struct pt_regs *ctx, const bool modern)
{
	call_enter(ctx, EV_WRITE, PT_REGS_PARM4(ctx));
}

static __always_inline void write_ex2_enter(struct pt_regs *ctx, const bool modern)
{
	call_enter(ctx, EV_WRITE, PT_REGS_PARM5(ctx));
}

static __always_inline void free_enter(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();

	if (proc)
		conn_close(proc, PT_REGS_PARM1(ctx));
}

UPROBE_PROG("?uprobe", tls_read_enter, read_enter)
UPROBE_PROG("?uprobe", tls_write_enter, write_enter)
UPROBE_PROG("?uprobe", tls_read_ex_enter, read_ex_enter)
UPROBE_PROG("?uprobe", tls_write_ex_enter, write_ex_enter)
UPROBE_PROG("?uprobe", tls_write_ex2_enter, write_ex2_enter)
UPROBE_PROG("?uretprobe", tls_exit, call_exit)
UPROBE_PROG("?uprobe", tls_free_enter, free_enter)
