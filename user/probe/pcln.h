/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions of a Go program by name, also of a stripped one: from the table that its runtime itself
 * needs.  The file may be hostile: it is read in pieces, each part once, and everything is bounded.
 */
#ifndef RINGSPAN_PROBE_PCLN_H
#define RINGSPAN_PROBE_PCLN_H

#include "probe/elf.h"

struct pcln_func {
	__u64 start, end; /* both 0: no such function */
};

struct pcln {
	bool absolute; /* funcs holds addresses (Go 1.16, 1.17), else distances from the text's begin */
	__u64 text; /* the address of that; 0: the table does not tell (Go 1.26, PIE) */
	struct pcln_func *funcs; /* the caller's, one for each name */
};

#define PCLN_NAMES_MAX 8

/*
 * cnt names, at most PCLN_NAMES_MAX.  How many were found; 0 also when there is no table; -EINVAL
 * when there is one but it is damaged, or another one has such functions too; -EFBIG when the file is
 * larger than any program.
 */
int pcln_find(struct pcln *out, const struct elf_file *f, const char *const *names, size_t cnt);

#endif
