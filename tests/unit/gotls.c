// SPDX-License-Identifier: BSD-2-Clause
/*
 * Go's crypto/tls in executables made here byte by byte: each layout of the function table, every RET,
 * refusal where the code leaves a doubt, and no harm from files that are broken.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/log.h"
#include "probe/rets.h"
#include "probe/tls.h"
#include "../image.h"

extern const struct tls_ops tls_gotls;

#define BASE 0x400000
#define CODE_AT 0x1000 /* offsets in the file */
#define TABLE_AT 0x2000
#define SECTIONS_AT 0x3000
#define SIZE 0x4000
#define FUNC_SIZE 64
#define FUNCS 5
#define ROUNDS 20000

struct image {
	unsigned char b[SIZE];
};

static const char *const func_names[FUNCS] = {
	"runtime.text",
	"crypto/tls.(*Conn).Write",
	"vendor/crypto/tls.(*Conn).Read",
	"crypto/tls.(*Conn).Read",
	"crypto/tls.(*Conn).Close",
};

/* cmp; jbe to the end; test; je over a ret; ret; ret; the end jumps back */
static const unsigned char func_code[] = {
	0x49, 0x3b, 0x66, 0x10, 0x76, 0x08, 0x48, 0x85,
	0xc0, 0x74, 0x01, 0xc3, 0x90, 0xc3, 0xeb, 0xf0,
};

static const size_t func_rets[] = { 11, 13 };

static void put32(unsigned char *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(unsigned char *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put_segment(Elf64_Phdr *ph, uint32_t flags, uint64_t off, uint64_t size)
{
	*ph = (Elf64_Phdr){ .p_type = PT_LOAD,
			    .p_flags = flags,
			    .p_offset = off,
			    .p_vaddr = BASE + off,
			    .p_filesz = size,
			    .p_memsz = size };
}

/* Sections: none, .text, and their names. */
static void put_sections(struct image *im)
{
	static const char strings[] = "\0.text\0.shstrtab";
	Elf64_Shdr sh[3] = { 0 };

	sh[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_addr = BASE + CODE_AT };
	sh[2] = (Elf64_Shdr){ .sh_name = 7, .sh_type = SHT_STRTAB };
	sh[2].sh_offset = SECTIONS_AT + sizeof(sh);
	sh[2].sh_size = sizeof(strings);
	memcpy(im->b + SECTIONS_AT, sh, sizeof(sh));
	memcpy(im->b + SECTIONS_AT + sizeof(sh), strings, sizeof(strings));
}

static void put_table(struct image *im, uint32_t magic, uint64_t text)
{
	bool wide = magic == 0xfffffffa;
	size_t word = wide ? 8 : 4, names = 80, rows = 256;
	unsigned char *t = im->b + TABLE_AT, *head = t + 24;
	size_t name = 0, structs = (FUNCS * 2 + 1) * word;

	put32(t, magic);
	t[6] = 1;
	t[7] = 8;
	put64(t + 8, FUNCS);
	if (!wide) {
		put64(head, text);
		head += 8;
	}
	put64(head, names);
	for (int i = 1; i < 5; i++)
		put64(head + 8 * i, rows);
	for (size_t i = 0; i < FUNCS; i++) {
		uint64_t entry = i * FUNC_SIZE + (wide ? BASE + CODE_AT : 0);
		unsigned char *row = t + rows + i * 2 * word, *func = t + rows + structs;

		memcpy(row, &entry, word);
		memcpy(row + word, &structs, word);
		memcpy(func, &entry, word);
		put32(func + word, name);
		strcpy((char *)t + names + name, func_names[i]);
		name += strlen(func_names[i]) + 1;
		entry += FUNC_SIZE;
		memcpy(row + 2 * word, &entry, word);
		structs += 40;
	}
}

static void image_make(struct image *im, uint32_t magic, uint64_t text)
{
	Elf64_Ehdr *eh = (void *)im->b;
	Elf64_Phdr *ph = (void *)(im->b + sizeof(*eh));

	memset(im, 0, sizeof(*im));
	memcpy(eh->e_ident, ELFMAG, SELFMAG);
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_ident[EI_DATA] = ELFDATA2LSB;
	eh->e_ident[EI_VERSION] = eh->e_version = EV_CURRENT;
	eh->e_type = ET_EXEC;
	eh->e_machine = EM_X86_64;
	eh->e_ehsize = sizeof(*eh);
	eh->e_phoff = sizeof(*eh);
	eh->e_phentsize = sizeof(*ph);
	eh->e_phnum = 2;
	eh->e_shoff = SECTIONS_AT;
	eh->e_shentsize = sizeof(Elf64_Shdr);
	eh->e_shnum = 3;
	eh->e_shstrndx = 2;
	put_segment(&ph[0], PF_R | PF_X, CODE_AT, FUNCS * FUNC_SIZE);
	put_segment(&ph[1], PF_R, TABLE_AT, SECTIONS_AT - TABLE_AT);
	put_sections(im);
	memset(im->b + CODE_AT, 0xcc, FUNCS * FUNC_SIZE);
	for (size_t i = 0; i < FUNCS; i++)
		memcpy(im->b + CODE_AT + i * FUNC_SIZE, func_code, sizeof(func_code));
	put_table(im, magic, text);
}

static void check_site(const struct tls_hooks *hooks, size_t i, const char *prog, size_t func,
		       size_t at)
{
	assert_string_equal(hooks->sites[i].prog, prog);
	assert_int_equal(hooks->sites[i].offset, CODE_AT + func * FUNC_SIZE + at);
}

static void check_hooks(const struct tls_hooks *hooks)
{
	assert_int_equal(hooks->cnt, 3);
	assert_int_equal(hooks->site_cnt, 7);
	check_site(hooks, 0, "gotls_exit", 3, func_rets[0]);
	check_site(hooks, 1, "gotls_exit", 3, func_rets[1]);
	check_site(hooks, 2, "gotls_exit", 1, func_rets[0]);
	check_site(hooks, 3, "gotls_exit", 1, func_rets[1]);
	check_site(hooks, 4, "gotls_read_enter", 3, 0);
	check_site(hooks, 5, "gotls_write_enter", 1, 0);
	check_site(hooks, 6, "gotls_close_enter", 4, 0);
	for (size_t i = 0; i < hooks->site_cnt; i++)
		assert_int_equal(hooks->sites[i].cheap, i < 4 ? 0 : 4); /* the jbe */
	assert_int_equal(hooks->func_cnt, 0);
}

static void every_layout(void **state)
{
	static const struct {
		uint32_t magic;
		uint64_t text;
	} of[] = { { 0xfffffffa, 0 },
		   { 0xfffffff0, BASE + CODE_AT },
		   { 0xfffffff1, BASE + CODE_AT },
		   { 0xfffffff1, 0 } };
	struct tls_hooks hooks;
	struct image im;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		image_make(&im, of[i].magic, of[i].text);
		assert_int_equal(image_locate(&tls_gotls, im.b, SIZE, &hooks), 0);
		check_hooks(&hooks);
	}
}

static void other_programs_are_left_alone(void **state)
{
	struct tls_hooks hooks;
	struct image im;

	(void)state;
	image_make(&im, 0xfffffff2, BASE + CODE_AT); /* no magic */
	assert_int_equal(image_locate(&tls_gotls, im.b, SIZE, &hooks), 0);
	assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
	image_make(&im, 0xfffffff1, BASE + CODE_AT); /* no crypto/tls */
	for (size_t i = TABLE_AT + 80; i < TABLE_AT + 256; i++)
		if (im.b[i] == '/')
			im.b[i] = '.';
	assert_int_equal(image_locate(&tls_gotls, im.b, SIZE, &hooks), 0);
	assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
}

/* Each changes n bytes of a good file such that nothing of it may be probed. */
static void doubt_is_refused(void **state)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t n;
	} of[] = {
		{ CODE_AT + FUNC_SIZE, "\x64\x48\x8b\x0c", 4 },    /* Go 1.16's entry */
		{ CODE_AT + 3 * FUNC_SIZE + 12, "\x06", 1 },       /* not an instruction */
		{ CODE_AT + 3 * FUNC_SIZE + 14, "\xeb\x40", 2 },   /* a jump out */
		{ CODE_AT + 3 * FUNC_SIZE + 14, "\xeb\xf2", 2 },   /* into an instruction */
		{ CODE_AT + 3 * FUNC_SIZE + 14, "\xff\xe0", 2 },   /* to nobody knows where */
		{ CODE_AT + 4 * FUNC_SIZE - 1, "\x90", 1 },        /* goes on behind the end */
		{ TABLE_AT + 24, "\x10\x10", 2 },                  /* another text */
		{ TABLE_AT + 256 + 8 * 3 + 4, "\xff\xff\xff", 3 }, /* a struct far away */
		{ TABLE_AT + 256 + 8 * 3, "\xff\xff\xff", 3 },     /* rows that fall */
		{ TABLE_AT + 256 + 44 + 4 * 40 + 4, "\x5f", 1 },   /* a name of nothing: no Close */
	};
	enum log_level level = log_get_level();

	(void)state;
	log_set_level(LOG_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		struct tls_hooks hooks;
		struct image im;

		image_make(&im, 0xfffffff1, BASE + CODE_AT);
		memcpy(im.b + of[i].at, of[i].bytes, of[i].n);
		assert_int_equal(image_locate(&tls_gotls, im.b, SIZE, &hooks), -EINVAL);
		assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
	}
	log_set_level(level);
}

/* Whatever is located lies in the code; nothing is read that is not there (sanitizers tell). */
static void broken_files_do_no_harm(void **state)
{
	enum log_level level = log_get_level();
	unsigned int seed = 1;

	(void)state;
	log_set_level(LOG_NONE);
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = rand_r(&seed) % 8 ? SIZE : rand_r(&seed) % SIZE;
		struct tls_hooks hooks;
		struct image im;

		image_make(&im, i % 2 ? 0xfffffff1 : 0xfffffffa, BASE + CODE_AT);
		for (int n = rand_r(&seed) % 6; n >= 0; n--) {
			static const size_t from[] = { 0, CODE_AT, TABLE_AT, SECTIONS_AT };
			size_t at = from[rand_r(&seed) % ARRAY_SIZE(from)] + rand_r(&seed) % 400;

			im.b[at] = rand_r(&seed) % 3 ? rand_r(&seed) : 0xff;
		}
		if (image_locate(&tls_gotls, im.b, size, &hooks))
			assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
		for (size_t s = 0; s < hooks.site_cnt; s++)
			assert_true(hooks.sites[s].offset < size);
	}
	log_set_level(level);
}

static void returns_of_a_function(void **state)
{
	size_t rets[2];

	(void)state;
	assert_int_equal(rets_find(func_code, sizeof(func_code), rets, 2), 2);
	assert_memory_equal(rets, func_rets, sizeof(rets));
	assert_int_equal(rets_find(func_code, sizeof(func_code), rets, 1), -EINVAL);
	assert_int_equal(rets_find(func_code, sizeof(func_code) - 1, rets, 2), -EINVAL);
	assert_int_equal(rets_find(func_code, 0, rets, 2), -EINVAL);
	assert_int_equal(rets_find((const unsigned char *)"\xc2\x08\x00", 3, rets, 2), 1);
	assert_int_equal(rets_find((const unsigned char *)"\xcb", 1, rets, 2), -EINVAL);
	assert_int_equal(rets_find((const unsigned char *)"\xcc", 1, rets, 2), -EINVAL);
	/* a jump to elsewhere, and code that does nothing else */
	assert_int_equal(rets_find((const unsigned char *)"\x74\x7f\xc3", 3, rets, 2), -EINVAL);
	assert_int_equal(rets_find_here((const unsigned char *)"\x74\x7f\xc3", 3, rets, 2), 1);
	assert_int_equal(rets[0], 2);
	assert_int_equal(rets_find_here((const unsigned char *)"\xeb\x7f", 2, rets, 2), 0);
	assert_int_equal(rets_find_here((const unsigned char *)"\x0f\xff", 2, rets, 2), -EINVAL);
	assert_int_equal(rets_find_here((const unsigned char *)"\xc3\xc3\xc3", 3, rets, 2),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout),
		cmocka_unit_test(other_programs_are_left_alone),
		cmocka_unit_test(doubt_is_refused),
		cmocka_unit_test(broken_files_do_no_harm),
		cmocka_unit_test(returns_of_a_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
