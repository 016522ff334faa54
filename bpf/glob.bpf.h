/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Patterns of short names with * and ?, compiled by user space and matched on both sides by the same
 * code: an automaton whose states are the bits of a number, so that no branch depends on a name.
 * State i has read i characters of the pattern; the verifier follows one path.
 */
#ifndef RINGSPAN_GLOB_BPF_H
#define RINGSPAN_GLOB_BPF_H

#define GLOB_LEN 16 /* TASK_COMM_LEN */

struct glob {
	__u32 cnt;         /* characters without the stars; the state that accepts */
	__u32 stays;       /* states that a star lets stay as they are */
	__u32 any;         /* characters that are ? */
	__u32 set;         /* 1; 0: there is no pattern, anything matches */
	__u8 ch[GLOB_LEN]; /* the characters */
};

/* name: NUL-terminated within GLOB_LEN. */
static inline __attribute__((always_inline)) __u32 glob_match(const struct glob *g,
							      const char name[GLOB_LEN])
{
	__u32 state = 1, ended = 0;
	int i, n;

	for (n = 0; n < GLOB_LEN; n++) {
		__u32 c = (__u8)name[n], next = state & g->stays;

		for (i = 0; i < GLOB_LEN; i++) {
			__u32 same = ((g->ch[i] ^ c) - 1) >> 31 | (g->any >> i & 1);

			next |= (state >> i & same & 1) << (i + 1);
		}
		ended |= (c - 1) >> 31;
		state = ended ? state : next;
	}
	return (g->set ^ 1) | (state >> (g->cnt & 31) & 1);
}

#endif
