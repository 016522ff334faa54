/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the two tracepoints of all system calls to the programs of those that matter: see sys.bpf.h. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "calls.bpf.h"
#include "sys.bpf.h"
#include "user.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SYS_CALLS);
	__type(key, __u32);
	__type(value, __u32);
} sys_enters SEC(".maps"), sys_exits SEC(".maps");

/* 32-bit programs number their calls differently: they are left out. */
#if defined(__TARGET_ARCH_x86)
#define USER_CS 0x33 /* __USER_CS, arch/x86/include/asm/segment.h */
#define NR_READ 0
#define NR_WRITE 1

static __always_inline bool sys_is_native(struct pt_regs *regs)
{
	return *(__u16 *)&regs->cs == USER_CS;
}

static __always_inline long sys_number(struct pt_regs *regs)
{
	return regs->orig_ax;
}

static __always_inline __u64 sys_sixth(struct pt_regs *regs)
{
	return regs->r9;
}
#else
#define PSR_MODE32_BIT 0x10 /* arch/arm64/include/uapi/asm/ptrace.h */
#define NR_READ 63
#define NR_WRITE 64

struct pt_regs___number {
	__s32 syscallno;
} __attribute__((preserve_access_index));

static __always_inline bool sys_is_native(struct pt_regs *regs)
{
	return !(((struct user_pt_regs *)regs)->pstate & PSR_MODE32_BIT);
}

static __always_inline long sys_number(struct pt_regs *regs)
{
	return BPF_CORE_READ((struct pt_regs___number *)regs, syscallno);
}

static __always_inline __u64 sys_sixth(struct pt_regs *regs)
{
	return ((struct user_pt_regs *)regs)->regs[5];
}
#endif

/*
 * To the call's program, if it has one: else this returns.  To a number that it knows the kernel jumps
 * directly, to others through a retpoline (428d5df1fa4f), so the calls that move most have a jump of their own.
 */
#define SYS_JUMP(ctx, table, nr)                                    \
	do {                                                        \
		if ((nr) == NR_READ)                                \
			bpf_tail_call_static(ctx, table, NR_READ);  \
		else if ((nr) == NR_WRITE)                          \
			bpf_tail_call_static(ctx, table, NR_WRITE); \
		else                                                \
			bpf_tail_call(ctx, table, nr);              \
	} while (0)

SYS_ENTER(sys_enter)
{
	struct task_call *call = task_call_here(regs);

	if (!call || !sys_is_native(regs))
		return 0;
	call->nr = id;
	call->arg = SYS_ARG(1);
	call->io = 0;
	call->enter_ts = bpf_ktime_get_ns();
	SYS_JUMP(ctx, &sys_enters, id);
	return 0;
}

/* An index of its errno, or 0; of what returns into another context the result is not its own. */
static __always_inline __u32 sys_failed(struct pt_regs *regs, long ret, __u32 nr)
{
	__u64 err = -ret;

	return err - 1 < MAX_ERRNO && sys_number(regs) == nr ? call_errno_index(err) : 0;
}

static __always_inline void sys_fill(struct ev_syscall *e, const struct task_call *call,
				     struct pt_regs *regs, long ret, __u32 why)
{
	e->enter_ts = call->enter_ts;
	e->args[0] = SYS_ARG(1);
	e->args[1] = SYS_ARG(2);
	e->args[2] = SYS_ARG(3);
	e->args[3] = SYS_ARG(4);
	e->args[4] = SYS_ARG(5);
	e->args[5] = sys_sixth(regs);
	e->ret = ret;
	e->nr = call->nr;
	e->why = why;
	e->len = 0;
	e->pad = 0;
}

static __always_inline void sys_read_path(struct ev_syscall *e, __u64 path)
{
	long len = user_text((char *)(e + 1), EV_PATH_MAX, path);

	if (len <= 0) {
		e->hdr.flags |= EVF_FAULT;
		return;
	}
	if (len == EV_PATH_MAX)
		e->hdr.flags |= EVF_TRUNC;
	e->len = len - 1;
	e->hdr.size = sizeof(*e) + len - 1;
}

/*
 * One call as a record: when it returned, because only then its path is sure to be readable.  Most have
 * none, and where all calls are asked for the ring is soon full.
 */
static __always_inline void sys_tell(const struct task_call *call, struct pt_regs *regs, long ret,
				     __u32 why)
{
	__u32 path = cfg_call_path[call->nr & (SYS_CALLS - 1)];
	struct ev_syscall *e;

	if (!path) {
		e = ev_reserve(EV_SYSCALL, sizeof(*e), 0, call->start);
		if (!e)
			return;
		sys_fill(e, call, regs, ret, why);
	} else {
		e = ev_reserve(EV_SYSCALL, sizeof(*e), EV_PATH_MAX, call->start);
		if (!e)
			return;
		sys_fill(e, call, regs, ret, why);
		sys_read_path(e, path == 1 ? e->args[0] : path == 2 ? e->args[1] : e->args[2]);
	}
	ev_submit(e);
}

/* A call returns: it is counted, and told where such calls are wanted. */
static __always_inline void sys_done(struct task_call *call, struct pt_regs *regs, long ret)
{
	__u64 ns = bpf_ktime_get_ns() - call->enter_ts;
	__u32 nr = call->nr, failed = sys_failed(regs, ret, nr), why = 0;

	call_count(call, ns, failed);
	if (nr >= SYS_CALLS)
		return;
	barrier_var(nr);
	nr &= SYS_CALLS - 1;
	if (ns >= cfg_call_slow[nr])
		why = cfg_call_asked[nr] ? EV_WHY_ASKED : EV_WHY_SLOW;
	if (failed) {
		barrier_var(failed); /* so that the bound is tested on the very index */
		if (failed < CALL_ERRNOS && cfg_errno_asked[failed])
			why |= EV_WHY_FAILED;
	}
	if (why)
		sys_tell(call, regs, ret, why);
}

SYS_EXIT(sys_exit)
{
	struct task_call *call = task_call_here(regs);
	long nr;

	if (!call || !sys_is_native(regs))
		return 0;
	if (call->enter_ts && !call->quiet)
		sys_done(call, regs, ret);
	call->entered_ts = call->enter_ts;
	call->enter_ts = 0;
	nr = sys_number(regs);
	SYS_JUMP(ctx, &sys_exits, nr);
	return 0;
}
