/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data of a program as it is when the program runs, for pointers in it: a private copy of what
 * the file holds of writable segments, with the relocations that need no symbol.  x86-64 only.
 */
#ifndef RINGSPAN_PROBE_RELOC_H
#define RINGSPAN_PROBE_RELOC_H

#include <stddef.h>
#include <linux/types.h>
#include "probe/elf.h"

#define RELOC_DATA_MAX (64u << 20) /* bytes of such segments in one program */
#define RELOC_RELA_MAX (1u << 23)  /* entries */
#define RELOC_SEGMENTS 8

struct reloc_segment {
	__u64 addr; /* a multiple of 8 */
	__u64 *words;
	size_t cnt;
};

struct reloc_data {
	struct reloc_segment segs[RELOC_SEGMENTS];
	size_t cnt;
};

/* 0, -EFBIG over a bound, -EINVAL when the file lies about itself, -ENOMEM; fini in any case. */
int reloc_data_init(struct reloc_data *d, const struct elf_file *f);
void reloc_data_fini(struct reloc_data *d);

#endif
