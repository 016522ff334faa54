/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions and bytes of an ELF file, by offsets into the file.  The file may be hostile: nothing is mapped (it
 * could be truncated while we read), and all sizes are bounded.
 */
#ifndef RINGSPAN_PROBE_ELF_H
#define RINGSPAN_PROBE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <linux/types.h>

struct elf_file;

/* fd stays the caller's and open.  -ENOEXEC when it is no 64-bit ELF program of this machine. */
int elf_file_new(struct elf_file **out, int fd);
void elf_file_free(struct elf_file **f);

__u64 elf_size(const struct elf_file *f); /* bytes, when it was opened */
int elf_stat(const struct elf_file *f, struct stat *st);

#define ELF_BUILD_ID_MAX 64

/* What the linker named the file by (NT_GNU_BUILD_ID): how many bytes; 0: nothing. */
size_t elf_build_id(const struct elf_file *f, unsigned char id[ELF_BUILD_ID_MAX]);

/*
 * offsets[i] is where the function names[i] begins, or 0 when the file does not define it.  How many
 * were found, or -errno.
 */
int elf_find_funcs(struct elf_file *f, const char *const *names, size_t cnt, __u64 *offsets);

/* Does its dynamic symbol table have the name, defined or not? */
bool elf_has_dynamic(struct elf_file *f, const char *name);

#define ELF_NAME_SIZE 200 /* of C++ and Rust the beginning of a mangled name */

struct elf_func {
	__u64 offset;
	__u64 size; /* bytes, as its symbol says; 0: it does not */
	char name[ELF_NAME_SIZE];
};

/*
 * The functions whose name fits a pattern (fnmatch(3)), each once and by the first of its names.  How
 * many, -E2BIG when there are more than max, or -errno.
 */
int elf_match_funcs(struct elf_file *f, const char *pattern, struct elf_func *of, size_t max);

/* An address, and the function that it lies in: begins at `start`; name "": none is known. */
struct elf_place {
	__u64 addr, start;
	char name[ELF_NAME_SIZE];
};

/* Looks up all of them by the file's symbols at once.  0, or -errno: then some may have a name. */
int elf_name_places(struct elf_file *f, struct elf_place *of, size_t cnt);

/* A function by the file's symbols; `name` is where its name lies in the file. */
struct elf_symbol {
	__u64 addr, size, name;
};

/* All functions that the file's symbols tell of, in no order, to be freed by the caller.  0 or -errno. */
int elf_symbols(struct elf_file *f, struct elf_symbol **out, size_t *cnt);
/* "" when it cannot be read. */
void elf_symbol_name(const struct elf_file *f, const struct elf_symbol *sym,
		     char name[ELF_NAME_SIZE]);

/* n bytes at that offset into the file; 0, or -ENODATA when they are not all there. */
int elf_pread(const struct elf_file *f, __u64 offset, void *p, size_t n);

/* Where n bytes of code at that address lie in the file; 0: not in one executable segment. */
__u64 elf_code_offset(const struct elf_file *f, __u64 addr, __u64 n);

/* The address of code at an offset into the file; 0: there is none. */
__u64 elf_code_addr(const struct elf_file *f, __u64 offset);

/* The address of the section of that name; 0 when there is none. */
__u64 elf_section_addr(struct elf_file *f, const char *name);

/* What the dynamic section says under a tag (DT_RELA ...); 0 when it does not. */
__u64 elf_dynamic(const struct elf_file *f, __s64 tag);

/*
 * Bytes from a function's beginning, at that offset, to where it ends at the latest: the next one in
 * the unwind table, or its symbol's size.  0: not known.
 */
__u64 elf_func_room(struct elf_file *f, __u64 offset);

/* Do the bytes at that offset begin a function? */
bool elf_is_entry(struct elf_file *f, __u64 offset);

/* What the file holds of a LOAD segment; all of it lies inside the file. */
struct elf_segment {
	__u64 addr, offset, size;
	bool exec, write;
};

const struct elf_segment *elf_segments(const struct elf_file *f, size_t *cnt);
unsigned int elf_machine(void); /* that of every elf_file: EM_X86_64 or EM_AARCH64 */

/* Bytes at an address, all from one segment: how many there are, up to n. */
size_t elf_read(const struct elf_file *f, __u64 addr, void *buf, size_t n);

/*
 * The function that the unwind table (.eh_frame_hdr) has for an address: begins at *start, and the
 * table's next at *end (~0: none).  A table may hold fewer entries than there are functions.  -ENOENT
 * without a table or without an entry.
 */
int elf_unwind_range(const struct elf_file *f, __u64 addr, __u64 *start, __u64 *end);

#endif
