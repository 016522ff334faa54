/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * connect(2) on TCP sockets: one record for each attempt, at its end, whether the call waited for it
 * or not.
 *
 * The end is a change of the socket's state, which may come in another process's time slice, or the
 * call's return.  Whoever removes the entry from the table makes the record.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "emit.bpf.h"
#include "sys.bpf.h"
#include "thread.bpf.h"

#define EINTR 4
#define EINPROGRESS 115
#define ECANCELED 125
#define ERESTARTSYS 512 /* what a tracepoint sees of a call that a signal interrupts */
#define ERESTART_LAST 516
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct attempt {
	__u64 id; /* pid_tgid */
	__u64 start;
	__u64 enter_ts;
	__u64 closed_ts; /* failed while the call was still running */
	__u32 closed_err;
	__u32 in_call;
	struct ev_addr addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* struct sock * */
	__type(value, struct attempt);
} attempts SEC(".maps");

static __always_inline void attempt_end(__u64 sk, __u64 ts, __s32 err)
{
	struct attempt *a = bpf_map_lookup_elem(&attempts, &sk);
	struct ev_connect *e;
	struct attempt done;

	if (!a)
		return;
	done = *a;
	if (bpf_map_delete_elem(&attempts, &sk))
		return;
	e = ev_open(EV_CONNECT, sizeof(*e), 0, done.start);
	if (!e)
		return;
	e->hdr.ts = ts;
	e->hdr.tgid = done.id >> 32;
	e->hdr.tid = (__u32)done.id;
	e->sock = sock_ino((struct sock *)sk);
	e->enter_ts = done.enter_ts;
	e->addr = done.addr;
	e->err = err;
	e->pad = 0;
	ev_submit(e);
}

/* A TCP socket on which nothing has begun: connect is also how a result is asked for. */
static __always_inline bool is_new_attempt(struct sock *sk)
{
	return sock_is_inet(sk) && BPF_CORE_READ(sk, sk_type) == SOCK_STREAM &&
	       BPF_CORE_READ(sk, sk_socket, state) == SS_UNCONNECTED;
}

SYS_ENTER(connect_enter)
{
	struct proc_state *proc = traced_here();
	struct attempt a = { .in_call = 1 };
	struct thread_state *t;
	__u64 sk;

	if (!proc)
		return 0;
	sk = (__u64)sock_of_fd(SYS_ARG(1));
	if (!sk || !is_new_attempt((struct sock *)sk) || !addr_of_user((void *)SYS_ARG(2), &a.addr))
		return 0;
	t = thread_get(proc);
	if (!t)
		return 0;
	a.id = bpf_get_current_pid_tgid();
	a.start = proc->start;
	a.enter_ts = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&attempts, &sk, &a, BPF_ANY)) {
		stat_add(lost_map, 1);
		return 0;
	}
	t->connect_sk = sk;
	return 0;
}

/* The call is over, the attempt is not; a signal does not end it either (connect(2), EINTR). */
static __always_inline bool goes_on(long ret)
{
	return ret == -EINPROGRESS || ret == -EINTR ||
	       (ret <= -ERESTARTSYS && ret >= -ERESTART_LAST);
}

SYS_EXIT(connect_exit)
{
	struct thread_state *t = thread_find();
	struct attempt *a;
	__u64 sk;

	if (!t || !t->connect_sk)
		return 0;
	sk = t->connect_sk;
	t->connect_sk = 0;
	a = bpf_map_lookup_elem(&attempts, &sk);
	if (!a)
		return 0;
	if (!goes_on(SYS_RET))
		attempt_end(sk, bpf_ktime_get_ns(), SYS_RET);
	else if (a->closed_ts)
		attempt_end(sk, a->closed_ts, -(__s32)a->closed_err);
	else
		a->in_call = 0;
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(connect_state, struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	struct attempt *a;

	if (oldstate != TCP_SYN_SENT)
		return 0;
	a = bpf_map_lookup_elem(&attempts, &key);
	if (!a)
		return 0;
	a->addr.lport = sk->__sk_common.skc_num;
	if (newstate == TCP_ESTABLISHED) {
		sock_addr(sk, &a->addr);
		attempt_end(key, bpf_ktime_get_ns(), 0);
	} else if (newstate == TCP_CLOSE && a->in_call) {
		a->closed_err = sk->sk_err ? sk->sk_err : ECANCELED;
		a->closed_ts = bpf_ktime_get_ns();
	} else if (newstate == TCP_CLOSE) {
		/* no error: the process closed the socket before the attempt came to its end */
		attempt_end(key, bpf_ktime_get_ns(), sk->sk_err ? -sk->sk_err : -ECANCELED);
	}
	return 0;
}
