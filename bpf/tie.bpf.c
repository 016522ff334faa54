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

static __always_inline void moved(struct sock *sk, __u32 dir, __u32 n)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t = proc ? thread_get() : NULL;
	__u16 family = sk->__sk_common.skc_family;
	bool nested = false;

	if (!t)
		return;
	if (family == AF_INET || family == AF_INET6)
		nested = sock_moved(proc, t, sk,
				    ports_pair(sk->__sk_common.skc_dport, sk->__sk_common.skc_num),
				    dir);
	if (!t->io.fd && !nested)
		flow_unseen(proc, &t->io.file, sk, dir, n);
	if (t->io.fd && nested) {
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
