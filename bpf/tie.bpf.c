/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends and receives of sockets, by whatever call: which TLS object they belong to, and how many
 * bytes moved by none of the calls that io.bpf.c follows (sendfile, splice, io_uring).
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "flow.bpf.h"
#include "tie.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline bool is_inet(const struct sock *sk)
{
	return sk->__sk_common.skc_family == AF_INET || sk->__sk_common.skc_family == AF_INET6;
}

/* In no TLS call of the thread. */
static __always_inline void moved_outside(struct thread_state *t, struct sock *sk, __u32 ports,
					  __u32 dir, __u32 n)
{
	struct proc_state *proc = traced_here();
	bool nested;

	if (!proc)
		return;
	nested = is_inet(sk) && sock_moved_outside(proc, t, sk, ports, dir);
	if (t->io.fd)
		t->io.nested |= nested;
	else if (!nested)
		flow_unseen(proc, &t->io.file, sk, dir, n);
}

static __always_inline void moved(struct sock *sk, __u32 dir, __u32 n)
{
	__u32 ports = ports_pair(sk->__sk_common.skc_dport, sk->__sk_common.skc_num);
	struct thread_state *t = thread_here();

	if (!t)
		return;
	if (is_inet(sk))
		usage_sock(dir, n);
	if (!is_inet(sk) || !sock_moved_inside(t, sk, ports, dir)) {
		moved_outside(t, sk, ports, dir, n);
	} else if (t->io.fd) {
		t->io.nested = 1;
		t->io.file.obj = (__u64)sk;
	}
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(tie_send, struct sock *sk, int ret, int flags)
{
	if (ret > 0)
		moved(sk, EV_WRITE, ret);
	return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(tie_recv, struct sock *sk, int ret, int flags)
{
	if (ret > 0 && !(flags & MSG_NOT_DATA))
		moved(sk, EV_READ, ret);
	return 0;
}
