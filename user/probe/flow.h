/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control flow of one x86-64 function, from its bytes: every instruction that can be reached from
 * the first one, where each goes on, what it writes, and how deep the stack is before it.  Where it
 * errs it errs on the side of more paths: a call is taken to come back.
 */
#ifndef RINGSPAN_PROBE_FLOW_H
#define RINGSPAN_PROBE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define FLOW_CODE_MAX (16u << 10) /* bytes of a function that are looked at */
#define FLOW_LOST (-1)            /* a depth that is not known */
#define FLOW_NONE (~0u)

/* Registers in a mask. */
#define FLOW_RAX 0x0001
#define FLOW_ARGS_SYSV 0x03c6 /* rcx, rdx, rsi, rdi, r8, r9 */

enum flow_base { FLOW_KEEP, FLOW_SP, FLOW_BP, FLOW_OTHER };

/* Where something lies: so many bytes below the frame's top as base does, and k more. */
struct flow_place {
	enum flow_base base;
	__s32 k;
};

struct flow_insn {
	__u8 len;      /* 0: no instruction begins at this byte */
	bool inside;   /* the byte is one of an instruction that begins before it */
	bool known;    /* sp and bp have been worked out */
	bool emulated; /* by the kernel at a breakpoint, see flow_emulated() */
	bool call, ret;
	bool falls;   /* may go on with the next one */
	bool fails;   /* makes the result a constant of 0 or less */
	__s64 callee; /* of a call: bytes from the function's start; 0: not known */
	__u16 writes; /* registers, a bit each as the processor numbers them */
	__u32 jump;   /* where it may jump to, or FLOW_NONE */
	__s32 sp, bp; /* depth before it: bytes below the return address, or FLOW_LOST */
	struct flow_place new_sp, new_bp; /* depth after it, by that before it */
	struct flow_place store;          /* end of what it writes to memory; FLOW_KEEP: nothing */
};

struct flow {
	struct flow_insn *insns; /* one a byte */
	size_t n;
	bool leaves; /* jumps to what is not in it: a tail call */
};

enum flow_result { FLOW_OK, FLOW_UNKNOWN, FLOW_INDIRECT, FLOW_NOMEM };

/*
 * code: size bytes, of which at most FLOW_CODE_MAX are looked at.  FLOW_UNKNOWN when an instruction is
 * not known, two overlap, or control falls off the end; FLOW_INDIRECT when it jumps to where only the
 * processor knows.  Time and memory are proportional to the bytes looked at.
 */
enum flow_result flow_init(struct flow *f, const unsigned char *code, size_t size);
void flow_fini(struct flow *f);

/* Does it write what is not below the return address? */
bool flow_writes_elsewhere(const struct flow_insn *i);

/*
 * Does the kernel emulate the n bytes of an instruction at a breakpoint, on every version from 5.10 on?
 * Others it single-steps in a copy, at ten times the cost (arch/x86/kernel/uprobes.c,
 * branch_setup_xol_ops() and push_setup_xol_ops()).
 */
bool flow_emulated(const unsigned char *p, size_t n);

#endif
