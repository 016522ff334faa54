/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An IPv4 or IPv6 socket moved bytes: which TLS object do they belong to?  Told by two tracepoints
 * where the kernel has them (6.3, 6e6eda44b939), else by the system calls that io.bpf.c follows.
 */
#ifndef RINGSPAN_TIE_BPF_H
#define RINGSPAN_TIE_BPF_H

#include "conn.bpf.h"
#include "gotls.bpf.h"
#include "rustls.bpf.h"

static __always_inline void sock_sent(const struct proc_state *proc, struct thread_state *t,
				      struct sock *sk, __u32 ports)
{
	struct conn_state *c;

	if (!t->pending)
		return;
	c = conn_find(&proc->life, t->pending);
	t->pending = 0;
	if (!c)
		return;
	sock_ref_set(&t->out, sk, ports);
	conn_bind(c, &t->out, EV_LINK_SEND);
}

/* n bytes of an IPv4 or IPv6 socket, for the totals of the process. */
static __always_inline void usage_sock(__u32 dir, __u64 n)
{
	struct proc_usage *p = usage_of(bpf_get_current_pid_tgid() >> 32);

	if (p)
		__sync_fetch_and_add(&p->sock_bytes[dir & 1], n);
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

/* sk: an IPv4 or IPv6 socket with these ports.  Inside a TLS call: then t->in or t->out is that socket. */
static __always_inline bool sock_moved_inside(struct thread_state *t, struct sock *sk, __u32 ports,
					      __u32 dir)
{
	if (!ports_are_both(ports) || !mark_nested(t, dir))
		return false;
	sock_ref_set(dir == EV_READ ? &t->in : &t->out, sk, ports);
	t->fresh = 0;
	return true;
}

/* Not inside a call of this thread; inside one of its goroutine: true. */
static __always_inline bool sock_moved_outside(const struct proc_state *proc,
					       struct thread_state *t, struct sock *sk, __u32 ports,
					       __u32 dir)
{
	if (!ports_are_both(ports))
		return false;
	if (proc->go && go_sock_moved(proc, sk, ports, dir))
		return true;
	if (dir == EV_READ) {
		sock_ref_set(&t->in, sk, ports);
		t->fresh = 1;
	} else {
		sock_sent(proc, t, sk, ports);
		rustls_sent(proc, t, sk, ports);
	}
	return false;
}

#endif
