/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions in an ELF file, as offsets into the file.  The file may be hostile: nothing is mapped (it
 * could be truncated while we read), and all sizes are bounded.
 */
#ifndef RINGSPAN_PROBE_ELF_H
#define RINGSPAN_PROBE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct elf_file;

/* fd stays the caller's and open.  -ENOEXEC when it is no 64-bit ELF program of this machine. */
int elf_file_new(struct elf_file **out, int fd);
void elf_file_free(struct elf_file **f);

/*
 * offsets[i] is where the function names[i] begins, or 0 when the file does not define it.  How many
 * were found, or -errno.
 */
int elf_find_funcs(struct elf_file *f, const char *const *names, size_t cnt, __u64 *offsets);

/* Do the bytes at that offset begin a function? */
bool elf_is_entry(struct elf_file *f, __u64 offset);

#endif
