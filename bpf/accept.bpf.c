/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * accept(2): how long a connection that was established waited for the server to take it, and how full
 * the listener's backlog is.
 *
 * The kernel keeps no time of a connection's beginning that is finer than a tick, so it is taken where
 * the third packet of the handshake makes the connection one; but only on ports where a traced process
 * was seen to listen.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "sys.bpf.h"
#include "thread.bpf.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_RECV 3
#define PORTS 65536

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* By local port, whatever the network namespace: an entry too many costs little. */
__u8 listened[PORTS] = {};

/* What nobody accepts is forgotten, and what is at its address later has an entry of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);   /* struct sock * */
	__type(value, __u64); /* when it was established */
} backlog SEC(".maps");

static __always_inline struct sock *listener(__u32 fd)
{
	struct sock *sk = sock_of_fd(fd);

	if (!sk || !sock_is_inet(sk) || BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return NULL;
	listened[BPF_CORE_READ(sk, __sk_common.skc_num)] = 1;
	return sk;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(accept_state, struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk, now;

	if (oldstate != TCP_SYN_RECV || newstate != TCP_ESTABLISHED ||
	    !listened[sk->__sk_common.skc_num])
		return 0;
	now = bpf_ktime_get_ns();
	bpf_map_update_elem(&backlog, &key, &now, BPF_ANY);
	return 0;
}

SYS_ENTER(accept_listen)
{
	if (traced_here())
		listener(SYS_ARG(1));
	return 0;
}

SYS_ENTER(accept_enter)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t;

	if (!proc || !listener(SYS_ARG(1)))
		return 0;
	t = thread_get(proc);
	if (!t)
		return 0;
	t->accept_fd = (__u32)SYS_ARG(1) + 1;
	t->accept_ts = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void accepted(const struct thread_state *t, struct sock *from,
				     struct sock *sk)
{
	__u64 key = (__u64)sk, *since = bpf_map_lookup_elem(&backlog, &key);
	struct ev_accept *e = ev_open(EV_ACCEPT, sizeof(*e), 0, t->life.start);

	if (e) {
		e->sock = sock_ino(sk);
		e->enter_ts = t->accept_ts;
		e->established_ts = since ? *since : 0;
		__builtin_memset(&e->addr, 0, sizeof(e->addr));
		sock_addr(sk, &e->addr);
		e->backlog = BPF_CORE_READ(from, sk_ack_backlog);
		e->backlog_max = BPF_CORE_READ(from, sk_max_ack_backlog);
		e->drops = BPF_CORE_READ(from, sk_drops.counter);
		e->pad = 0;
		ev_submit(e);
	}
	if (since)
		bpf_map_delete_elem(&backlog, &key);
}

SYS_EXIT(accept_exit)
{
	struct thread_state *t = thread_find();
	struct sock *from, *sk;

	if (!t || !t->accept_fd)
		return 0;
	from = sock_of_fd(t->accept_fd - 1);
	t->accept_fd = 0;
	if (SYS_RET < 0)
		return 0;
	sk = sock_of_fd(SYS_RET);
	if (sk && sock_is_inet(sk))
		accepted(t, from, sk);
	return 0;
}
