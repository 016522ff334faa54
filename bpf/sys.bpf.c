/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the two tracepoints of all system calls to the programs of those that matter: see sys.bpf.h. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "sys.bpf.h"
#include "task.bpf.h"

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

static __always_inline bool sys_is_native(struct pt_regs *regs)
{
	return *(__u16 *)&regs->cs == USER_CS;
}

static __always_inline long sys_number(struct pt_regs *regs)
{
	return regs->orig_ax;
}
#else
#define PSR_MODE32_BIT 0x10 /* arch/arm64/include/uapi/asm/ptrace.h */

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
#endif

SYS_ENTER(sys_enter)
{
	struct task_state *t = task_here();

	if (!t || !sys_is_native(regs))
		return 0;
	t->nr = id;
	t->enter_ts = bpf_ktime_get_ns();
	bpf_tail_call(ctx, &sys_enters, id);
	return 0;
}

SYS_EXIT(sys_exit)
{
	struct task_state *t = task_here();

	if (!t || !sys_is_native(regs))
		return 0;
	t->enter_ts = 0;
	bpf_tail_call(ctx, &sys_exits, sys_number(regs));
	return 0;
}
