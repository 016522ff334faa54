/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plaintext at Go's crypto/tls.(*Conn).Read and Write: their entry and each of their RETs.  Never a
 * uretprobe: it would put an address into the stack that Go's stack copying does not know, and the
 * program would die.
 *
 * Arguments come in registers (Go 1.17, src/cmd/compile/abi-internal.md): AX, BX, CX in that order,
 * results too, and R14 holds the goroutine.  A goroutine's struct begins with the bounds of its stack.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "conn.bpf.h"
#include "gotls.bpf.h"
#include "guard.bpf.h"

#if defined(__TARGET_ARCH_x86)

struct go_stack {
	__u64 lo, hi;
};

static __always_inline struct go_state *go_get(const struct proc_state *proc, __u64 g)
{
	struct conn_key key = { .ssl = g, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct go_state *s = go_find(proc, g);
	struct go_state init;

	if (s)
		return s;
	__builtin_memset(&init, 0, sizeof(init));
	init.start = proc->start;
	init.born = bpf_ktime_get_ns();
	bpf_map_update_elem(&goroutines, &key, &init, BPF_ANY);
	return bpf_map_lookup_elem(&goroutines, &key);
}

/* Drops the calls whose frames lie at or below this one: they are over (a panic left them). */
static __always_inline __u32 go_calls_above(struct go_state *s, __u64 frame)
{
	__u32 depth = s->depth;
	int i;

	for (i = 0; i < GO_DEPTH; i++)
		if (depth && go_call_at(s, depth - 1)->frame >= frame)
			depth--;
	return depth;
}

/*
 * Also entered a second time, with the same frame, when the function finds its stack too small and
 * begins again on a larger one.
 */
static __always_inline void go_enter(struct pt_regs *ctx, __u32 dir)
{
	struct proc_state *proc = traced_here();
	struct go_stack stack;
	struct go_state *s;
	struct go_call *c;
	__u32 depth;

	if (!proc)
		return;
	proc->go = 1;
	s = NULL;
	if (!bpf_probe_read_user(&stack, sizeof(stack), (void *)ctx->r14))
		s = go_get(proc, ctx->r14);
	if (!s) {
		stat_add(lost_map, 1);
		return;
	}
	depth = go_calls_above(s, stack.hi - ctx->sp);
	if (depth >= GO_DEPTH) {
		stat_add(lost_map, 1);
		return;
	}
	c = go_call_at(s, depth);
	c->frame = stack.hi - ctx->sp;
	c->conn = ctx->ax;
	c->in_stack = ctx->bx >= stack.lo && ctx->bx < stack.hi;
	c->buf = c->in_stack ? stack.hi - ctx->bx : ctx->bx;
	c->enter_ts = bpf_ktime_get_ns();
	c->dir = dir;
	c->nested = 0;
	s->depth = depth + 1;
}

/* The call that returns, taken off the stack; NULL when its entry was not seen. */
static __always_inline struct go_call *go_pop(struct go_state *s, __u64 frame)
{
	__u32 depth = go_calls_above(s, frame + 1);
	struct go_call *c;

	s->depth = depth;
	if (!depth || depth > GO_DEPTH)
		return NULL;
	c = go_call_at(s, depth - 1);
	if (c->frame != frame)
		return NULL;
	s->depth = depth - 1;
	return c;
}

static __always_inline void go_send(struct proc_state *proc, const struct go_call *c,
				    struct conn_state *conn, __u64 hi, __u64 n, const bool modern)
{
	struct thread_state *t = thread_get(proc);
	__u32 dir = c->dir & 1;
	__u64 pos = conn->pos[dir];
	struct data_job *job;

	__sync_fetch_and_add(&conn->pos[dir], n);
	if (!t) { /* the next record shows the hole */
		stat_unplaced(n);
		return;
	}
	stat_add(content_bytes, n);
	job = &t->job;
	job->start = conn->start;
	job->conn = conn->id;
	job->pos = pos;
	job->enter_ts = c->enter_ts;
	job->buf = c->in_stack ? hi - c->buf : c->buf;
	job->left = n;
	job->gap = 0;
	job->tail = 0;
	job->dir = dir;
	job->src = EV_SRC_GOTLS;
	job->quiet = quiet_here(proc);
	data_send(job, modern);
}

static __always_inline void go_moved(struct proc_state *proc, struct go_state *s,
				     const struct go_call *c, __u64 hi, __s64 n, const bool modern)
{
	struct conn_state *conn;

	if (n <= 0 && !c->nested)
		return;
	conn = conn_get(&proc->life, c->conn);
	if (!conn) {
		if (n > 0)
			stat_unplaced(n);
		return;
	}
	if (c->nested)
		conn_bind(conn, &s->in, EV_LINK_NESTED);
	if (n > 0)
		go_send(proc, c, conn, hi, n, modern);
}

/* At a RET the stack pointer is what it was at the entry. */
static __always_inline void go_exit(struct pt_regs *ctx, const bool modern)
{
	struct conn_key key = { .ssl = ctx->r14, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct proc_state *proc = traced_here();
	struct go_state *s = proc ? go_find(proc, ctx->r14) : NULL;
	struct go_stack stack;
	struct go_call *c;

	if (!s || bpf_probe_read_user(&stack, sizeof(stack), (void *)ctx->r14))
		return;
	c = go_pop(s, stack.hi - ctx->sp);
	if (c)
		go_moved(proc, s, c, stack.hi, ctx->ax, modern);
	if (!s->depth)
		bpf_map_delete_elem(&goroutines, &key);
}

static __always_inline void go_read_enter(struct pt_regs *ctx, const bool modern)
{
	go_enter(ctx, EV_READ);
}

static __always_inline void go_write_enter(struct pt_regs *ctx, const bool modern)
{
	go_enter(ctx, EV_WRITE);
}

/* The collector may give the object's memory to another one, which must not go on in its stream. */
static __always_inline void go_close_enter(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();

	if (proc)
		conn_free(proc, ctx->ax);
}

UPROBE_PROG("?uprobe", gotls_read_enter, go_read_enter)
UPROBE_PROG("?uprobe", gotls_write_enter, go_write_enter)
UPROBE_PROG("?uprobe", gotls_exit, go_exit)
UPROBE_PROG("?uprobe", gotls_close_enter, go_close_enter)

#endif
