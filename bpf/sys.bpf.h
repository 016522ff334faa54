/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * System calls by number.  A program that begins with SYS_ENTER(NAME) or SYS_EXIT(NAME) is attached to
 * nothing: sys.bpf.c jumps to it, from the two tracepoints that every call of every process passes,
 * where user space (user/probe/hook.c) has put it in the table at the call's number.  Only threads of
 * traced processes come that far.
 *
 * Why all calls, and not the tracepoints of those alone that are looked into: all are counted; and these
 * are what programs call most, for whom it is dearer.  The two empty programs add 130 ns to every call,
 * and an untraced thread is told from a traced one in 0 to 8 more.  Programs at 35 calls' own tracepoints,
 * which go through perf, add 55 ns to a call that is not one of them and 445 to one that is, so that they
 * are dearer where more than one call in five is; and to take them away takes 4.7 s, one after the other
 * (6.18, AMD EPYC, 2 CPUs; make bench-syscalls).
 */
#ifndef RINGSPAN_SYS_BPF_H
#define RINGSPAN_SYS_BPF_H

#include <bpf/bpf_tracing.h>

/* clang-format off */

/* In the body: SYS_ARG(n), from 1. */
#define SYS_ENTER(name)          \
	SEC("?tp_btf/sys_enter") \
	int BPF_PROG(name, struct pt_regs *regs, long id)

#define SYS_ARG(n) PT_REGS_PARM##n##_SYSCALL(regs)

/*
 * In the body: SYS_RET, the call's result; read anew for each use, because a verifier that follows its
 * bounds through all of a large program sees too many states.
 */
#define SYS_EXIT(name)          \
	SEC("?tp_btf/sys_exit") \
	int BPF_PROG(name, struct pt_regs *regs, long ret)

#define SYS_RET (*(const volatile __s64 *)&ctx[1])

/* clang-format on */

#endif
