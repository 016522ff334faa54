/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relocations of type RELATIVE, for a program loaded at 0.  In a RELR table (gABI, DT_RELR) there are
 * only such, and what they add to is in its place already: those words are right as they are.
 */
#include "probe/reloc.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RELA_WINDOW 4096 /* entries read at once */

void reloc_data_fini(struct reloc_data *d)
{
	for (size_t i = 0; i < d->cnt; i++)
		free(d->segs[i].words);
	*d = (struct reloc_data){ 0 };
}

static int add_segment(struct reloc_data *d, const struct elf_file *f,
		       const struct elf_segment *seg)
{
	__u64 addr = (seg->addr + 7) & ~7ull, skip = addr - seg->addr;
	struct reloc_segment *s = &d->segs[d->cnt];
	size_t size;

	if (seg->size < skip + sizeof(__u64))
		return 0;
	if (d->cnt == RELOC_SEGMENTS)
		return -EFBIG;
	size = (seg->size - skip) & ~7ull;
	s->addr = addr;
	s->cnt = size / sizeof(__u64);
	s->words = malloc(size);
	if (!s->words)
		return -ENOMEM;
	d->cnt++;
	return elf_read(f, addr, s->words, size) == size ? 0 : -EINVAL;
}

static void put(struct reloc_data *d, __u64 addr, __u64 value)
{
	for (size_t i = 0; i < d->cnt; i++) {
		struct reloc_segment *s = &d->segs[i];
		__u64 at = addr - s->addr;

		if (at < s->cnt * sizeof(__u64) && at % sizeof(__u64) == 0)
			s->words[at / sizeof(__u64)] = value;
	}
}

static int apply(struct reloc_data *d, const struct elf_file *f, Elf64_Rela *rela)
{
	__u64 addr = elf_dynamic(f, DT_RELA), cnt = elf_dynamic(f, DT_RELASZ) / sizeof(*rela);

	if (!addr)
		return 0;
	if (cnt > RELOC_RELA_MAX)
		return -EFBIG;
	while (cnt) {
		size_t n = cnt < RELA_WINDOW ? cnt : RELA_WINDOW;

		if (elf_read(f, addr, rela, n * sizeof(*rela)) != n * sizeof(*rela))
			return -EINVAL;
		for (size_t i = 0; i < n; i++)
			if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_RELATIVE)
				put(d, rela[i].r_offset, rela[i].r_addend);
		addr += n * sizeof(*rela);
		cnt -= n;
	}
	return 0;
}

int reloc_data_init(struct reloc_data *d, const struct elf_file *f)
{
	Elf64_Rela *rela = malloc(RELA_WINDOW * sizeof(*rela));
	const struct elf_segment *segs;
	__u64 size = 0;
	size_t cnt;
	int err = rela ? 0 : -ENOMEM;

	*d = (struct reloc_data){ 0 };
	segs = elf_segments(f, &cnt);
	for (size_t i = 0; !err && i < cnt; i++) {
		if (!segs[i].write)
			continue;
		size += segs[i].size;
		err = size > RELOC_DATA_MAX ? -EFBIG : add_segment(d, f, &segs[i]);
	}
	if (!err)
		err = apply(d, f, rela);
	free(rela);
	return err;
}
