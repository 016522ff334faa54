/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls of Go's crypto/tls that goroutines are in.  A goroutine changes threads while it waits, so
 * nothing here is kept by thread; and its stack is copied to another place when it grows, so a frame
 * is named by its distance from the top of the stack, which stays.
 */
#ifndef RINGSPAN_GOTLS_BPF_H
#define RINGSPAN_GOTLS_BPF_H

#include "emit.bpf.h"
#include "thread.bpf.h"

#define GO_DEPTH 4 /* TLS inside TLS, through wrappers */
#define MAX_GOROUTINES 8192

struct go_call {
	__u64 frame; /* top of the stack - stack pointer, at entry */
	__u64 conn;  /* *tls.Conn */
	__u64 buf;   /* an address; of what lies in the stack the distance from its top */
	__u64 enter_ts;
	__u32 dir;
	__u32 nested; /* bytes went through a socket inside it, in its direction */
	__u32 in_stack;
	__u32 pad;
};

/* Only the goroutine itself changes its entry, and only while it is in a call there is one. */
struct go_state {
	struct go_call calls[GO_DEPTH];
	__u32 depth;
	__u32 pad;
	__u64 start, born;  /* process, and when made: tells a reused key */
	struct sock_ref in; /* last socket touched inside a call */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_GOROUTINES);
	__type(key, struct conn_key); /* ssl: the address of its struct g */
	__type(value, struct go_state);
} goroutines SEC(".maps") __weak;

/* The compiler must not reason the bound away: kernels before 6.8 do not follow its reasoning. */
static __always_inline struct go_call *go_call_at(struct go_state *s, __u32 i)
{
	barrier_var(i);
	return &s->calls[i % GO_DEPTH];
}

/* NULL when the goroutine is in no call that was seen. */
static __always_inline struct go_state *go_find(const struct proc_state *proc, __u64 g)
{
	struct conn_key key = { .ssl = g, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct go_state *s = bpf_map_lookup_elem(&goroutines, &key);

	return s && s->start == proc->start && s->born >= proc->exec_ts ? s : NULL;
}

/*
 * The goroutine that made the current system call: Go keeps it in a register that its system call
 * stubs leave alone (src/cmd/compile/abi-internal.md).  0 where the kernel cannot tell (before 5.15).
 */
static __always_inline __u64 go_of_syscall(void)
{
#if defined(__TARGET_ARCH_x86)
	struct pt_regs *regs;
	__u64 g = 0;

	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	bpf_probe_read_kernel(&g, sizeof(g), &regs->r14);
	return g;
#else
	return 0;
#endif
}

/* A socket moved bytes: true when that was inside a call, in its direction. */
static __always_inline bool go_sock_moved(const struct proc_state *proc, struct sock *sk,
					  __u32 ports, __u32 dir)
{
	struct go_state *s = go_find(proc, go_of_syscall());
	bool nested = false;
	int i;

	if (!s)
		return false;
	for (i = GO_DEPTH - 1; i >= 0; i--) {
		if (i >= s->depth)
			continue;
		if (s->calls[i].dir != dir)
			break;
		s->calls[i].nested = 1;
		nested = true;
	}
	if (nested)
		sock_ref_set(&s->in, sk, ports);
	return nested;
}

#endif
