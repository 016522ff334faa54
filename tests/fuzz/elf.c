// SPDX-License-Identifier: BSD-2-Clause
/*
 * Files that a root process opens because somebody runs them: the ELF reader, every locator of
 * tls.def, Go's function table (elf); an entry of the cache of what was found (cache: '>' the entry,
 * '<' the file); the machine code that is decoded (code).
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "probe/cache_entry.h"
#include "probe/inner.h"
#include "probe/insn.h"
#include "probe/locate.h"
#include "probe/pcln.h"
#include "probe/reloc.h"
#include "probe/rets.h"

#define RETS_MAX 64

/* Every probe lies in the file. */
static void check_places(const struct elf_file *f, const struct located *l)
{
	fuzz_assert(l->cnt <= LOCATED_MAX);
	for (size_t i = 0; i < l->cnt; i++) {
		const struct tls_hooks *h = &l->libs[i].hooks;
		char text[64];

		fuzz_assert(h->func_cnt <= TLS_FUNCS_MAX && h->site_cnt <= TLS_SITES_MAX);
		for (size_t k = 0; k < h->func_cnt; k++)
			fuzz_assert(h->funcs[k].offset < elf_size(f));
		for (size_t k = 0; k < h->site_cnt; k++)
			fuzz_assert(h->sites[k].offset < elf_size(f));
		tls_summary(h, text, sizeof(text));
	}
}

static void look_up(struct elf_file *f)
{
	static const char *const names[] = { "SSL_read", "main", "crypto/tls.(*Conn).Read" };
	struct elf_place places[4] = { { .addr = 0x1000 }, { .addr = 0x401000 }, { .addr = 0 } };
	unsigned char id[ELF_BUILD_ID_MAX];
	struct pcln_func funcs[3] = { 0 };
	struct pcln table = { .funcs = funcs };
	struct reloc_data data;
	__u64 offsets[3];

	elf_build_id(f, id);
	elf_find_funcs(f, names, ARRAY_SIZE(names), offsets);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		if (offsets[i]) {
			elf_func_room(f, offsets[i]);
			elf_is_entry(f, offsets[i]);
		}
	elf_name_places(f, places, ARRAY_SIZE(places));
	pcln_find(&table, f, names, ARRAY_SIZE(names));
	reloc_data_init(&data, f);
	reloc_data_fini(&data);
	elf_section_addr(f, ".text");
}

static void write_entry(struct elf_file *f, const struct located *l)
{
	_cleanup_buf_ struct buf text = { .max = 1u << 20 };
	static struct located again;

	if (!located_hooked(l) || entry_write(&text, f, l))
		return;
	fuzz_assert(!entry_read(buf_view(&text), f, &again));
	fuzz_assert(located_hooked(&again) == located_hooked(l));
}

static void elf_run(struct sv input)
{
	_cleanup_close_ int fd = fuzz_file(input);
	static struct located found;
	struct elf_file *f = NULL;

	if (elf_file_new(&f, fd))
		return;
	look_up(f);
	if (locate(f, &found) >= 0) {
		check_places(f, &found);
		write_entry(f, &found);
	}
	for (size_t i = 0; i < tls_libs_cnt; i++) {
		struct tls_hooks hooks = { 0 };

		tls_locate(tls_libs[i], f, &hooks);
	}
	elf_file_free(&f);
}

const struct fuzz_target fuzz_elf = { "elf", elf_run, NULL };

static void cache_run(struct sv input)
{
	struct sv entry = { NULL, 0 }, file = { NULL, 0 };
	_cleanup_close_ int fd = -1;
	static struct located found;
	struct elf_file *f = NULL;
	char what;

	fuzz_piece(&input, &what, &entry);
	fuzz_piece(&input, &what, &file);
	fd = fuzz_file(file);
	if (elf_file_new(&f, fd))
		return;
	if (!entry_read(entry, f, &found))
		check_places(f, &found);
	elf_file_free(&f);
}

const struct fuzz_target fuzz_cache = { "cache", cache_run, NULL };

static void decode_code(void *ctx, struct sv code)
{
	const unsigned char *p = (const unsigned char *)code.p;
	static const unsigned int machines[] = { 62, 183, 0 }; /* EM_X86_64, EM_AARCH64 */
	unsigned int how = *(unsigned int *)ctx;
	size_t rets[RETS_MAX];
	struct site_plan plan;
	int cnt;

	if (code.n < SITE_CODE_MIN)
		return;
	site_choose(&plan, p, code.n, how & 1 ? SITE_GO : SITE_SYSV, !(how & 1));
	fuzz_assert(plan.exit_cnt <= SITE_EXITS && site_doubt_text(plan.doubt));
	fuzz_assert(plan.entry.at < code.n);
	for (size_t i = 0; i < plan.exit_cnt; i++)
		fuzz_assert(plan.exits[i].at < code.n);
	if (code.n <= RETS_CODE_MAX) {
		cnt = rets_find(p, code.n, rets, RETS_MAX);
		for (int i = 0; i < cnt; i++)
			fuzz_assert(rets[i] < code.n);
	}
	inner_is_all(p, code.n, inner_of_cover(p, code.n));
	inner_is_all(p, code.n, (__s64)(how >> 1) * 16 - 64);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (code.n >= INSN_MIN)
			insn_is_entry(machines[i], p, code.n);
		insn_is_call(machines[i], p, code.n < INSN_CALL_MAX ? code.n : INSN_CALL_MAX);
	}
}

static void code_run(struct sv input)
{
	unsigned int how = fuzz_byte(&input);

	fuzz_exact(input, decode_code, &how);
}

const struct fuzz_target fuzz_code = { "code", code_run, NULL };
