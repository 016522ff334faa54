/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's types for arm64: the registers; all else is common. */
#ifndef RINGSPAN_VMLINUX_H
#define RINGSPAN_VMLINUX_H

#include "../common.h"

/* Handed to programs as their context in this very layout, so it is not relocated. */
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};

struct pt_regs; /* begins with a user_pt_regs */

#endif
