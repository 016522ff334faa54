/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of one ELF file: see symbols.h.  Names are read from the file when they are asked for. */
#include "probe/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "probe/insn.h"

#define ALIKE_MAX \
	16 /* symbols before the nearest that are looked at: names of one function, thunks */

struct symbols {
	int fd;
	struct elf_file *elf;
	struct elf_symbol *of; /* by address */
	size_t cnt;
};

/* Of several names of one function the same one every time: that which stands first in the file. */
static int by_addr(const void *pa, const void *pb)
{
	const struct elf_symbol *a = pa, *b = pb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return a->name < b->name ? 1 : a->name > b->name ? -1 : 0;
}

int symbols_new(struct symbols **out, int fd)
{
	struct symbols *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->fd = fd;
	err = elf_file_new(&s->elf, fd);
	if (!err && elf_symbols(s->elf, &s->of, &s->cnt))
		s->cnt = 0; /* the frames are in the file all the same */
	if (err) {
		symbols_free(&s);
		return err;
	}
	if (s->cnt)
		qsort(s->of, s->cnt, sizeof(*s->of), by_addr);
	/* libelf keeps the tables that it has read: of node 15 MB */
	elf_file_free(&s->elf);
	err = elf_file_new(&s->elf, fd);
	if (err) {
		symbols_free(&s);
		return err;
	}
	*out = s;
	return 0;
}

void symbols_free(struct symbols **s)
{
	if (!*s)
		return;
	elf_file_free(&(*s)->elf);
	close((*s)->fd);
	free((*s)->of);
	free(*s);
	*s = NULL;
}

size_t symbols_bytes(const struct symbols *s)
{
	return sizeof(*s) + s->cnt * sizeof(*s->of);
}

/* What has no size (assembler's) goes to the next one. */
static bool holds(const struct symbols *s, size_t i, __u64 addr)
{
	__u64 at = addr - s->of[i].addr;

	if (s->of[i].size)
		return at < s->of[i].size;
	return i + 1 == s->cnt || s->of[i + 1].addr > addr;
}

bool symbols_name(const struct symbols *s, __u64 offset, char name[ELF_NAME_SIZE])
{
	__u64 addr = elf_code_addr(s->elf, offset);
	size_t low = 0, high = s->cnt;

	while (addr && low < high) { /* those before low begin at or below it */
		size_t mid = low + (high - low) / 2;

		if (s->of[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t n = 0; addr && n < ALIKE_MAX && low > n; n++) {
		if (!holds(s, low - 1 - n, addr))
			continue;
		elf_symbol_name(s->elf, &s->of[low - 1 - n], name);
		return name[0] != '\0';
	}
	return false;
}

bool symbols_behind_call(const struct symbols *s, __u64 offset)
{
	unsigned char code[INSN_CALL_MAX];

	return offset >= sizeof(code) && elf_code_addr(s->elf, offset - 1) &&
	       !elf_pread(s->elf, offset - sizeof(code), code, sizeof(code)) &&
	       insn_is_call(elf_machine(), code, sizeof(code));
}
