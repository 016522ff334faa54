/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of code: the functions of a file, and those of the kernel, kept sorted so that one is found at once. */
#ifndef RINGSPAN_PROBE_SYMBOLS_H
#define RINGSPAN_PROBE_SYMBOLS_H

#include <stdbool.h>
#include <linux/types.h>
#include "base/str.h"
#include "probe/elf.h"

struct symbols;

/* fd becomes its own, also on failure.  -ENOEXEC when it is no program or library of this machine. */
int symbols_new(struct symbols **out, int fd);
void symbols_free(struct symbols **s);
size_t symbols_bytes(const struct symbols *s); /* of memory */
/* Of the function that an offset in the file lies in; false: none is known. */
bool symbols_name(const struct symbols *s, __u64 offset, char name[ELF_NAME_SIZE]);

/* Is what stands at an offset behind a call?  Frame pointers that are none lead to other places. */
bool symbols_behind_call(const struct symbols *s, __u64 offset);

struct kallsyms;

/*
 * text: what /proc/kallsyms has, lines "address type name\t[module]" (kernel/kallsyms.c, s_show()).
 * 0 or -ENOMEM; without addresses, as those get it who may not know them, it holds nothing.
 */
int kallsyms_parse(struct kallsyms **out, struct sv text);
int kallsyms_read(struct kallsyms **out); /* of this machine; 0 or -errno */
void kallsyms_free(struct kallsyms **k);
/* Views that live as long as k; module: empty for the kernel itself.  false: nothing is known. */
bool kallsyms_find(const struct kallsyms *k, __u64 addr, struct sv *name, struct sv *module);

#endif
