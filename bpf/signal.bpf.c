/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signals that programs crash by, told by the thread that takes one, with its stack: a moment later
 * the process and its mappings may be gone, so the kernel is asked which files the frames are in.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "usage.bpf.h"

/* signal(7); these have the same numbers on x86-64 and arm64 */
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGSEGV 11
#define SIGSYS 31
#define CRASHES                                                                       \
	(1u << SIGILL | 1u << SIGTRAP | 1u << SIGABRT | 1u << SIGBUS | 1u << SIGFPE | \
	 1u << SIGSEGV | 1u << SIGSYS)
#define HANDLER_IGNORES 1 /* SIG_IGN */
#define HANDLED_TOLD 8    /* of a process: some use faults in their ordinary business */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Behind the frames, in the record's own room, of which it is no part in the end. */
struct scratch {
	__u64 ips[EV_FRAMES_MAX];
	struct bpf_stack_build_id ids[EV_FRAMES_MAX];
};

/*
 * By build ids, as the kernel finds those of all frames under one lock: here, with interrupts off, it
 * would give no more than one answer to bpf_find_vma().
 */
static __always_inline void fill_stack(void *ctx, struct ev_signal *e)
{
	struct ev_frame *frames = (struct ev_frame *)(e + 1);
	struct scratch *s = (struct scratch *)(frames + EV_FRAMES_MAX);
	long got = bpf_get_stack(ctx, s->ips, sizeof(s->ips), BPF_F_USER_STACK), named;
	__u32 n, i;

	named = bpf_get_stack(ctx, s->ids, sizeof(s->ids), BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
	n = got < 0 ? 0 : (__u32)got / sizeof(s->ips[0]);
	if (!n)
		e->hdr.flags |= EVF_FAULT;
	if (n == EV_FRAMES_MAX)
		e->hdr.flags |= EVF_TRUNC;
	if (named < 0 || (__u32)named / sizeof(s->ids[0]) < n) {
		__builtin_memset(&s->ids[0], 0, sizeof(s->ids[0]));
		n = n ? 1 : 0;
	}
	for (i = 0; i < EV_FRAMES_MAX && i < n; i++) { /* no branches: it is verified 64 times */
		frames[i].ip = s->ips[i];
		frames[i].offset = s->ids[i].offset;
		frames[i].in_file = s->ids[i].status & BPF_STACK_BUILD_ID_VALID;
		__builtin_memcpy(frames[i].build_id, s->ids[i].build_id, EV_BUILD_ID);
	}
	e->frames = n;
	e->hdr.size = sizeof(*e) + n * sizeof(*frames);
}

_Static_assert(BPF_STACK_BUILD_ID_EMPTY == 0 && BPF_STACK_BUILD_ID_VALID == 1 &&
		       BPF_STACK_BUILD_ID_IP == 2,
	       "in_file is one bit of them");

static __always_inline bool is_told(struct proc_state *proc, int sig, unsigned long handler)
{
	if (sig <= 0 || sig > SIGSYS || !(CRASHES >> sig & 1) || handler == HANDLER_IGNORES)
		return false;
	if (!handler)
		return true;
	if (proc->faults >= HANDLED_TOLD)
		return false;
	proc->faults++;
	return true;
}

SEC("?tp_btf/signal_deliver")
int BPF_PROG(signal_deliver, int sig, struct kernel_siginfo *info, struct k_sigaction *ka)
{
	unsigned long handler = (unsigned long)BPF_CORE_READ(ka, sa.sa_handler);
	struct proc_state *proc = traced_here();
	struct ev_signal *e;

	if (!proc || !is_told(proc, sig, handler))
		return 0;
	e = ev_open(EV_SIGNAL, sizeof(*e),
		    EV_FRAMES_MAX * sizeof(struct ev_frame) + sizeof(struct scratch), proc->start);
	if (!e)
		return 0;
	e->signal = sig;
	e->code = BPF_CORE_READ(info, si_code);
	e->addr = 0;
	e->sender = 0;
	if (e->code > 0)
		e->addr = (unsigned long)BPF_CORE_READ(info, _sifields._sigfault._addr);
	else
		e->sender = BPF_CORE_READ(info, _sifields._kill._pid);
	e->handled = handler != 0;
	e->pad = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	fill_stack(ctx, e);
	ev_submit_now(e);
	return 0;
}
