// SPDX-License-Identifier: BSD-2-Clause
/* Names of code in files and in the kernel, and where files are mapped. */
#include "../fixture.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "probe/mapping.h"
#include "probe/symbols.h"

#define HANDLE 40960 /* what libelf has of a file that is open: its headers */

__attribute__((noinline)) static int here(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

static const void *after_call;

__attribute__((noinline)) static void called(void)
{
	after_call = __builtin_return_address(0);
	__asm__ volatile("" ::: "memory");
}

static struct mapping *own_mapping(struct mappings *m, const void *at)
{
	assert_int_equal(mappings_read(m, (uint32_t)getpid()), 0);
	return mappings_find(m, (uintptr_t)at);
}

static void functions_of_a_file(void **state)
{
	struct mappings m = { 0 };
	struct mapping *at = own_mapping(&m, (void *)here);
	char name[ELF_NAME_SIZE];
	struct symbols *s = NULL;
	uint64_t offset;

	(void)state;
	assert_int_equal(here(1), 2);
	assert_non_null(at);
	assert_true(sv_ends(sv(mapping_path(&m, at)), "/symbols"));
	assert_int_equal(symbols_new(&s, open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), 0);
	offset = (uintptr_t)here - at->start + at->offset;
	assert_true(symbols_name(s, offset, name));
	assert_string_equal(name, "here");
	assert_true(symbols_name(s, offset + 1, name));
	assert_string_equal(name, "here");
	assert_false(symbols_name(s, 0, name)); /* the file's header */
	assert_false(symbols_name(s, UINT64_MAX, name));
	called();
	__asm__ volatile("" ::: "memory");
	assert_true(symbols_behind_call(s, (uintptr_t)after_call - at->start + at->offset));
	assert_false(symbols_behind_call(s, (uintptr_t)after_call - at->start + at->offset - 1));
	assert_false(symbols_behind_call(s, 0));
	assert_false(symbols_behind_call(s, UINT64_MAX));
	symbols_free(&s);
	mappings_fini(&m);
}

/* Tables of symbols are large, and hundreds of files may be looked at. */
static void keeps_no_more_than_it_tells(void **state)
{
	struct symbols *s = NULL;
	struct mallinfo2 before, now;
	size_t kept;
	Dl_info libc;

	(void)state;
	assert_int_not_equal(dladdr((void *)fopen, &libc), 0);
	before = mallinfo2();
	assert_int_equal(symbols_new(&s, open(libc.dli_fname, O_RDONLY | O_CLOEXEC)), 0);
	now = mallinfo2();
	kept = now.uordblks + now.hblkhd - before.uordblks - before.hblkhd;
	assert_true(kept <= symbols_bytes(s) + HANDLE);
	symbols_free(&s);
}

static void what_is_no_program(void **state)
{
	struct symbols *s = NULL;

	(void)state;
	assert_int_equal(symbols_new(&s, open("/proc/self/status", O_RDONLY | O_CLOEXEC)),
			 -ENOEXEC);
	assert_null(s);
}

static void mappings_as_the_kernel_lists_them(void **state)
{
	static const char text[] =
		"00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b (deleted)\n"
		"00651000-00652000 r--p 00051000 08:02 173521      /usr/bin/ab\n"
		"7f0000000000-7f0000010000 rwxp 00000000 00:00 0 \n"
		"7f0000010000-7f0000011000 r-xp 00000000 00:00 0   [vdso]\n"
		"nonsense\n"
		"7f0000000000-7f0000001000 r-xp 00000000 00:00 0   behind\n" /* does not rise */
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
	struct mappings m = { 0 };
	struct mapping *at;

	(void)state;
	assert_int_equal(mappings_parse(&m, sv(text)), 0);
	assert_int_equal(m.cnt, 4);
	at = mappings_find(&m, 0x400010);
	assert_non_null(at);
	assert_int_equal(at->offset, 0x1000);
	assert_int_equal(at->ino, 173521);
	assert_string_equal(mapping_path(&m, at), "/usr/bin/a b (deleted)");
	assert_null(mappings_find(&m, 0x452000));
	assert_null(mappings_find(&m, 0x651000)); /* no code */
	at = mappings_find(&m, 0x7f000000ffff);
	assert_non_null(at);
	assert_string_equal(mapping_path(&m, at), "");
	assert_string_equal(mapping_path(&m, mappings_find(&m, 0x7f0000010000)), "[vdso]");
	assert_null(mappings_find(&m, 0));
	mappings_fini(&m);
}

static void is_in(const struct kallsyms *k, uint64_t addr, const char *name, const char *module)
{
	struct sv got, in;

	if (!name) {
		assert_false(kallsyms_find(k, addr, &got, &in));
		return;
	}
	assert_true(kallsyms_find(k, addr, &got, &in));
	ASSERT_SV(got, name);
	ASSERT_SV(in, module);
}

static void functions_of_the_kernel(void **state)
{
	static const char text[] = "ffffffff81000000 T _stext\n"
				   "ffffffff81000100 t here\n"
				   "ffffffff81000200 D data\n"
				   "ffffffffc0000000 t inner\t[module]\n"
				   "ffffffffc0000010 W weak\t[module]\n"
				   "x T none\nffffffff81000300 T\n";
	struct kallsyms *k = NULL;

	(void)state;
	assert_int_equal(kallsyms_parse(&k, sv(text)), 0);
	is_in(k, 0xffffffff81000000, "_stext", "");
	is_in(k, 0xffffffff810001ff, "here", "");
	is_in(k, 0xffffffff81000250, "here", ""); /* data is no code */
	is_in(k, 0xffffffffc000000f, "inner", "module");
	is_in(k, 0xffffffffc0000010, "weak", "module");
	is_in(k, 0xffffffffc1000000, NULL, NULL); /* came there since */
	is_in(k, 0x1000, NULL, NULL);
	kallsyms_free(&k);
	assert_int_equal(kallsyms_parse(&k, SV("0000000000000000 T hidden\n")), 0);
	is_in(k, 0, NULL, NULL);
	kallsyms_free(&k);
	assert_int_equal(kallsyms_parse(&k, SV("")), 0);
	is_in(k, UINT64_MAX, NULL, NULL);
	kallsyms_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_of_a_file),
		cmocka_unit_test(keeps_no_more_than_it_tells),
		cmocka_unit_test(what_is_no_program),
		cmocka_unit_test(mappings_as_the_kernel_lists_them),
		cmocka_unit_test(functions_of_the_kernel),
	};

	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
