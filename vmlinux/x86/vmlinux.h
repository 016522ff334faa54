/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's types for x86-64: the registers; all else is common. */
#ifndef RINGSPAN_VMLINUX_H
#define RINGSPAN_VMLINUX_H

#include "../common.h"

/* Handed to programs as their context in this very layout, so it is not relocated. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#endif
