/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in a function to probe.  A breakpoint costs ten times as much on an instruction that the
 * kernel must single-step as on one that it emulates, and compilers rarely begin a function with one
 * of the latter, nor do they ever return by one.  So a probe goes further in where that is provably
 * the same:
 *
 * An entry site is the first emulated instruction of the straight line that a function begins with.
 * Whoever enters runs that line, once, as no jump leads into it or back to its start.  Up to there
 * nothing is called, no argument register is written, nothing outside the function's own frame is
 * written, and the stack pointer is a known number of bytes below where it was.
 *
 * Exit sites are emulated instructions such that every path from the start to a return runs exactly
 * one of them, once; behind which no path to a return calls, writes the result's register or memory
 * outside the frame; and at which the stack pointer's distance is known.  Every path means: all
 * instructions that can be reached, each followed to all places it can go on at.  A jump to elsewhere
 * (a tail call), one by a register, an instruction that is not known, a stack that is not followed to
 * the return: then there are none.  Only a call that ends otherwise (longjmp, an exception) runs no
 * exit site, as it runs no return probe.
 *
 * Without exit sites a return probe serves, which can only be set where the stack pointer is as at the
 * entry.  x86-64 only; on others everything is plain.
 */
#ifndef RINGSPAN_PROBE_SITE_H
#define RINGSPAN_PROBE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define SITE_EXITS 8
#define SITE_CODE_MIN 2 /* bytes that are there of every function */

enum site_kind {
	SITE_STEPPED, /* at the first instruction, which is single-stepped; a return probe there */
	SITE_RETURN,  /* at an emulated instruction; a return probe there */
	SITE_FULL,    /* entry, and the exits that are wanted, at emulated instructions */
};

/* Why it is not SITE_FULL. */
#define SITE_DOUBTS(X)                                          \
	X(NONE, "no doubt")                                     \
	X(RANGE, "where it ends is not known")                  \
	X(CODE, "code that is not understood")                  \
	X(INDIRECT, "jumps by register")                        \
	X(TAIL, "ends in another function")                     \
	X(ARGS, "changes its arguments first")                  \
	X(LOOP, "begins with a loop")                           \
	X(EXIT, "returns past no instruction that is emulated") \
	X(OFF, "other sites need attach cookies, or are switched off")

enum site_doubt {
#define X(id, text) SITE_DOUBT_##id,
	SITE_DOUBTS(X)
#undef X
		SITE_DOUBT_CNT
};

struct site_at {
	__u32 at;    /* bytes into the function */
	__u32 depth; /* bytes by which the stack pointer is below where it was at the entry */
};

struct site_plan {
	enum site_kind kind;
	enum site_doubt doubt;
	struct site_at entry;
	struct site_at exits[SITE_EXITS]; /* none unless SITE_FULL */
	size_t exit_cnt;
};

enum site_abi {
	SITE_SYSV, /* arguments in rdi, rsi, rdx, rcx, r8, r9; result in rax */
	SITE_GO, /* arguments in rax, rbx, rcx; the goroutine in r14; may begin again at its start */
};

/*
 * code: the function's size bytes, or the first FLOW_CODE_MAX of them; with size 0, where its end is
 * not known, SITE_CODE_MIN.  A deferred call of Go returns by a way that the code does not show, so
 * with SITE_GO no exits may be asked for.
 */
void site_choose(struct site_plan *plan, const unsigned char *code, size_t size, enum site_abi abi,
		 bool exits);

const char *site_doubt_text(enum site_doubt doubt);

#endif
