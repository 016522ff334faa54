/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobe programs are preemptible, and from 6.13 on that can corrupt their per-CPU private stacks, so
 * their bodies run with preemption off where the kernel has the kfuncs for it (6.10, fc7566ad0a82).
 *
 * Kernels before 5.17 reject even an unused call of an unknown kfunc, and a program that names
 * bpf_loop; so every uprobe program comes twice, and user space loads one: NAME for kernels that have
 * bpf_loop, NAME_old for the others.
 */
#ifndef RINGSPAN_GUARD_BPF_H
#define RINGSPAN_GUARD_BPF_H

#include "config.bpf.h"

/* In guard.bpf.c: the linker of libbpf 1.1 takes an extern kfunc from one object only. */
extern __hidden int guard_enter(void);
extern __hidden int guard_leave(void);

/* body(struct pt_regs *ctx, const bool modern) */
#define UPROBE_PROG(sec, name, body)        \
	SEC(sec)                            \
	int name(struct pt_regs *ctx)       \
	{                                   \
		if (cfg_guard)              \
			guard_enter();      \
		body(ctx, true);            \
		if (cfg_guard)              \
			guard_leave();      \
		return 0;                   \
	}                                   \
                                            \
	SEC(sec)                            \
	int name##_old(struct pt_regs *ctx) \
	{                                   \
		body(ctx, false);           \
		return 0;                   \
	}

#endif
