/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends and receives on IPv4 and IPv6 sockets, to learn which socket a TLS object sits on.  Two
 * tracepoints where the kernel has them (6.3, 6e6eda44b939), else the system calls.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "conn.bpf.h"
#include "gotls.bpf.h"
#include "rustls.bpf.h"

#define MSG_PEEK 2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void sock_sent(const struct proc_state *proc, struct thread_state *t,
				      struct sock *sk)
{
	struct conn_state *c;

	if (!t->pending)
		return;
	c = conn_find(proc, t->pending);
	t->pending = 0;
	if (!c)
		return;
	sock_ref_set(&t->out, sk);
	conn_bind(c, &t->out, EV_LINK_SEND);
}

/*
 * Inside a TLS call only in its own direction: a program may do anything in a callback, and node
 * writes to its sockets from within SSL_read.  A call further out in the same direction is TLS
 * inside TLS, and sits on the same socket.
 */
static __always_inline bool mark_nested(struct thread_state *t, __u32 dir)
{
	bool nested = false;
	int i;

	for (i = TLS_DEPTH - 1; i >= 0; i--) {
		if (i >= t->depth)
			continue;
		if (t->calls[i].dir != dir)
			break;
		t->calls[i].nested = 1;
		nested = true;
	}
	return nested;
}

static __always_inline void sock_moved(struct sock *sk, __u32 dir)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t;

	if (!proc || !sk || !sock_is_inet(sk) || !sock_is_connected(sk))
		return;
	if (proc->go && go_sock_moved(proc, sk, dir))
		return;
	t = thread_get();
	if (!t)
		return;
	if (mark_nested(t, dir)) {
		sock_ref_set(&t->in, sk);
		t->fresh = 0;
	} else if (dir == EV_READ) {
		sock_ref_set(&t->in, sk);
		t->fresh = 1;
	} else {
		sock_sent(proc, t, sk);
		rustls_sent(proc, t, sk);
	}
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(tie_send, struct sock *sk, int ret, int flags)
{
	if (ret > 0)
		sock_moved(sk, EV_WRITE);
	return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(tie_recv, struct sock *sk, int ret, int flags)
{
	if (ret > 0 && !(flags & MSG_PEEK))
		sock_moved(sk, EV_READ);
	return 0;
}

static __always_inline int io_enter(struct trace_event_raw_sys_enter *ctx, __u64 flags)
{
	struct thread_state *t;

	if (!traced_here())
		return 0;
	t = thread_get();
	if (t)
		t->io_fd = flags & MSG_PEEK ? 0 : (__u32)ctx->args[0] + 1;
	return 0;
}

static __always_inline int io_exit(struct trace_event_raw_sys_exit *ctx, __u32 dir)
{
	struct thread_state *t = traced_here() ? thread_find() : NULL;
	__u32 fd;

	if (!t || !t->io_fd)
		return 0;
	fd = t->io_fd - 1;
	t->io_fd = 0;
	if (ctx->ret > 0)
		sock_moved(sock_of_fd(fd), dir);
	return 0;
}

/* Each of these is attached to several system calls. */
SEC("?tp")
int tie_sys_enter(struct trace_event_raw_sys_enter *ctx)
{
	return io_enter(ctx, 0);
}

SEC("?tp")
int tie_sys_recvfrom(struct trace_event_raw_sys_enter *ctx)
{
	return io_enter(ctx, ctx->args[3]);
}

SEC("?tp")
int tie_sys_recvmsg(struct trace_event_raw_sys_enter *ctx)
{
	return io_enter(ctx, ctx->args[2]);
}

SEC("?tp")
int tie_sys_sent(struct trace_event_raw_sys_exit *ctx)
{
	return io_exit(ctx, EV_WRITE);
}

SEC("?tp")
int tie_sys_received(struct trace_event_raw_sys_exit *ctx)
{
	return io_exit(ctx, EV_READ);
}
