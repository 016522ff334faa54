/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pclntab of Go 1.16 and later (src/runtime/symtab.go, pcHeader; src/debug/gosym/pclntab.go).  It
 * is found by its first eight bytes, because sections may be stripped:
 *
 *	u32 magic, u16 0, u8 quantum of code, u8 pointer size
 *	u64 functions, u64 files, (u64 text start, from 1.18), u64 offsets of: names, cu, files, pc, functions
 *
 * A row of functions is {entry, offset of its struct _func}; that has the entry again, then the offset
 * of its name.  Rows and structs both rise, which lets the file be read from front to back.
 */
#include "probe/pcln.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

#define MAGIC_1_16 0xfffffffau
#define MAGIC_1_18 0xfffffff0u
#define MAGIC_1_20 0xfffffff1u
#define HEAD_MAX 72
#define FUNCS_MAX (4u << 20)
#define NAMES_SIZE_MAX (256u << 20)
#define NAME_MAX_LEN 128
#define TABLES_MAX 4 /* things that look like a table; a debugger's constants do not get so far */
#define WINDOW (256u << 10)
/* A file may be sparse, so its own size bounds nothing. */
#define SCAN_MAX (4ULL << 30)
#define ROWS_SIZE_MAX (512ULL << 20) /* rows and structs */

#if defined(__x86_64__)
#define QUANTUM 1
#else
#define QUANTUM 4
#endif

struct table {
	__u64 at, end; /* in the file: its header, where nothing of it can lie any more */
	__u64 names, names_end, rows;
	__u64 text;
	__u64 cnt;
	bool wide; /* 1.16: entries are addresses of 8 bytes */
};

/* A part of a file, from front to back. */
struct window {
	const struct elf_file *f;
	__u64 pos, end; /* of p in the file; nothing is read from end on */
	size_t n;
	unsigned char *p; /* WINDOW bytes, the caller's */
};

/* What the windows read into. */
struct space {
	unsigned char scan[WINDOW], rows[WINDOW], structs[WINDOW];
};

static __u32 le32(const unsigned char *p)
{
	__u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __u64 le64(const unsigned char *p)
{
	__u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* n bytes at an offset that is not below an earlier one; NULL when they are not there. */
static const unsigned char *window_at(struct window *w, __u64 off, size_t n)
{
	if (off > w->end || n > w->end - off || off < w->pos)
		return NULL;
	if (off - w->pos > w->n || n > w->n - (off - w->pos)) {
		size_t want = w->end - off < WINDOW ? w->end - off : WINDOW;

		w->pos = off;
		w->n = 0;
		if (elf_pread(w->f, off, w->p, want))
			return NULL;
		w->n = want;
	}
	return w->p + (off - w->pos);
}

static bool is_magic(__u64 word)
{
	__u32 low = (__u32)word;

	return word >> 32 == (QUANTUM << 16 | 8u << 24) &&
	       (low == MAGIC_1_16 || low == MAGIC_1_18 || low == MAGIC_1_20);
}

/* Do the parts lie in the segment, in the order in which the linker writes them? */
static bool table_read(struct table *t, const struct elf_file *f, __u64 at, __u64 end)
{
	unsigned char head[HEAD_MAX];
	const unsigned char *p = head + 24;
	__u64 off[5], room = end - at;

	if (room < sizeof(head) || elf_pread(f, at, head, sizeof(head)))
		return false;
	*t = (struct table){ .at = at, .end = end, .wide = le32(head) == MAGIC_1_16 };
	t->cnt = le64(head + 8);
	if (!t->wide) {
		t->text = le64(p);
		p += 8;
	}
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		off[i] = le64(p + 8 * i);
		if (off[i] < (i ? off[i - 1] : HEAD_MAX - 8) || off[i] > room)
			return false;
	}
	if (!t->cnt || t->cnt > FUNCS_MAX || off[1] - off[0] > NAMES_SIZE_MAX ||
	    (t->cnt + 1) * (t->wide ? 16 : 8) > room - off[4])
		return false;
	t->names = at + off[0];
	t->names_end = at + off[1];
	t->rows = at + off[4];
	if (t->end - t->rows > ROWS_SIZE_MAX)
		t->end = t->rows + ROWS_SIZE_MAX;
	return true;
}

/* The name with a NUL before it (but for the first one) and behind it; as an offset, or -1. */
static __s64 name_in(const unsigned char *p, size_t n, const char *name, bool first)
{
	size_t len = strlen(name) + 1;
	char want[NAME_MAX_LEN + 2] = { 0 };
	const unsigned char *hit;

	memcpy(want + 1, name, len);
	if (first && n >= len && memcmp(p, name, len) == 0)
		return 0;
	hit = memmem(p, n, want, len + 1);
	return hit ? hit + 1 - p : -1;
}

/* Where the names are in the table of names; -1: not there.  How many are, or -errno. */
static int names_find(const struct table *t, const struct elf_file *f, const char *const *names,
		      size_t cnt, __s64 *offsets, struct space *space)
{
	struct window w = { .f = f, .pos = t->names, .end = t->names_end, .p = space->rows };
	__u64 off = t->names;
	int found = 0;

	for (size_t i = 0; i < cnt; i++)
		offsets[i] = -1;
	while (off < t->names_end) {
		size_t n = t->names_end - off < WINDOW ? t->names_end - off : WINDOW;
		const unsigned char *p = window_at(&w, off, n);

		if (!p)
			return -EINVAL;
		for (size_t i = 0; i < cnt; i++) {
			__s64 at = offsets[i] < 0 ? name_in(p, n, names[i], off == t->names) : -1;

			if (at >= 0) {
				offsets[i] = (__s64)(off - t->names) + at;
				found++;
			}
		}
		/* a name across the edge is whole in the next piece */
		off += n < WINDOW ? n : WINDOW - NAME_MAX_LEN - 2;
	}
	return found;
}

/* The row at i: its entry, the entry of the next one, and the offset of its name. */
static bool row_read(const struct table *t, struct window *rows, struct window *structs, __u64 i,
		     struct pcln_func *func, __s64 *name)
{
	size_t half = t->wide ? 8 : 4;
	const unsigned char *p = window_at(rows, t->rows + i * 2 * half, 3 * half);
	__u64 at;

	if (!p)
		return false;
	func->start = t->wide ? le64(p) : le32(p);
	func->end = t->wide ? le64(p + 2 * half) : le32(p + 2 * half);
	at = t->wide ? le64(p + half) : le32(p + half);
	if (func->end < func->start || at > t->end - t->rows)
		return false;
	p = window_at(structs, t->rows + at, half + 4);
	if (!p)
		return false;
	*name = le32(p + half);
	return true;
}

static int rows_find(const struct table *t, const struct elf_file *f, const __s64 *names,
		     size_t cnt, struct pcln_func *funcs, struct space *space)
{
	struct window rows = { .f = f, .pos = t->rows, .end = t->end, .p = space->rows };
	struct window structs = { .f = f, .pos = t->rows, .end = t->end, .p = space->structs };
	int found = 0;

	for (__u64 row = 0; row < t->cnt; row++) {
		struct pcln_func func;
		__s64 name;

		if (!row_read(t, &rows, &structs, row, &func, &name))
			return -EINVAL;
		for (size_t i = 0; i < cnt; i++) {
			if (names[i] != name)
				continue;
			if (funcs[i].end) /* two functions of one name */
				return -EINVAL;
			funcs[i] = func;
			found += func.end > 0;
		}
	}
	return found;
}

static int table_find(struct pcln *out, const struct table *t, const struct elf_file *f,
		      const char *const *names, size_t cnt, struct space *space)
{
	struct pcln_func funcs[PCLN_NAMES_MAX] = { 0 };
	__s64 offsets[PCLN_NAMES_MAX];
	int found = names_find(t, f, names, cnt, offsets, space);

	if (found <= 0)
		return found;
	found = rows_find(t, f, offsets, cnt, funcs, space);
	if (found <= 0)
		return found;
	out->text = t->text;
	out->absolute = t->wide;
	memcpy(out->funcs, funcs, cnt * sizeof(*funcs));
	return found;
}

struct search {
	struct pcln *out;
	const struct elf_file *f;
	const char *const *names;
	size_t cnt;
	int tables, found;
	struct space *space;
};

static int try_table(struct search *s, __u64 at, __u64 end)
{
	struct table t;
	int n;

	if (!table_read(&t, s->f, at, end))
		return 0;
	if (++s->tables > TABLES_MAX)
		return -EINVAL;
	n = table_find(s->out, &t, s->f, s->names, s->cnt, s->space);
	if (n <= 0)
		return n;
	if (s->found)
		return -EINVAL;
	s->found = n;
	return 0;
}

/* Linkers align the table to 16 at least; 8 is what its own words need. */
static int scan_segment(struct search *s, const struct elf_segment *seg)
{
	__u64 end = seg->offset + seg->size, off = (seg->offset + 7) & ~7ULL;
	struct window w = { .f = s->f, .pos = seg->offset, .end = end, .p = s->space->scan };

	while (off < end) {
		size_t n = end - off < WINDOW ? end - off : WINDOW;
		const unsigned char *p = window_at(&w, off, n);

		if (!p)
			return -EINVAL;
		for (size_t i = 0; i + 8 <= n; i += 8) {
			int err = is_magic(le64(p + i)) ? try_table(s, off + i, end) : 0;

			if (err)
				return err;
		}
		off += n;
	}
	return 0;
}

static int scan_file(struct search *s)
{
	const struct elf_segment *segs;
	__u64 size = 0;
	size_t cnt;

	segs = elf_segments(s->f, &cnt);
	for (size_t i = 0; i < cnt; i++) {
		int err;

		if (segs[i].exec)
			continue;
		size += segs[i].size;
		err = size > SCAN_MAX ? -EFBIG : scan_segment(s, &segs[i]);
		if (err)
			return err;
	}
	return s->found;
}

int pcln_find(struct pcln *out, const struct elf_file *f, const char *const *names, size_t cnt)
{
	struct search s = { .out = out, .f = f, .names = names, .cnt = cnt };
	int found;

	memset(out->funcs, 0, cnt * sizeof(*out->funcs));
	s.space = malloc(sizeof(*s.space));
	if (!s.space)
		return -ENOMEM;
	found = scan_file(&s);
	free(s.space);
	return found;
}
