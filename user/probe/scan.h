/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file without symbols still tells: its strings, the code that refers to them, and what is
 * called.  x86-64 code only.  Files are read in windows, each pass at most SCAN_BYTES of them, so
 * a hostile one costs bounded time and memory.
 */
#ifndef RINGSPAN_PROBE_SCAN_H
#define RINGSPAN_PROBE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include "probe/elf.h"

#define SCAN_BYTES (1ull << 30)
#define SCAN_RANGE 4096 /* bytes of code before a site in which its function must begin */

/* All return how many were found, -E2BIG when there are more than max, or -errno. */

/* Where the bytes are in segments that cannot be written; they may end with a 0. */
int scan_bytes(const struct elf_file *f, const void *bytes, size_t n, __u64 *addrs, size_t max);

/* An instruction that puts an address into a register: mov $addr, r32 or lea disp(%rip), r64. */
struct scan_ref {
	__u64 addr, target;
	unsigned int size;
	unsigned int reg; /* as encoded: 7 is rdi, 8 is r8 */
};

int scan_refs(const struct elf_file *f, const __u64 *targets, size_t cnt, struct scan_ref *refs,
	      size_t max);

/* Which of the SCAN_RANGE bytes up to a site are targets of direct calls. */
struct scan_calls {
	__u64 low; /* first byte */
	__u8 called[SCAN_RANGE / 8];
};

void scan_calls_init(struct scan_calls *c, __u64 site);
/* Fills all of them in one pass: 0 or -errno. */
int scan_calls(const struct elf_file *f, struct scan_calls *c, size_t cnt);
bool scan_is_called(const struct scan_calls *c, __u64 addr);

#endif
