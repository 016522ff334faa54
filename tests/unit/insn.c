/* SPDX-License-Identifier: BSD-2-Clause */
/* What may stand before a return address. */
#include "../fixture.h"
#include <elf.h>
#include "base/cleanup.h"
#include "hostile.h"
#include "probe/insn.h"

struct code {
	const char *what, *bytes;
	size_t n;
};

#define CODE(what, bytes)                      \
	{                                      \
		what, bytes, sizeof(bytes) - 1 \
	}

static const struct code calls[] = {
	CODE("call rel32", "\x90\xe8\x01\x02\x03\x04"),
	CODE("call *%rax", "\x90\xff\xd0"),
	CODE("call *%r11", "\x41\xff\xd3"),
	CODE("call *(%rdx)", "\x90\xff\x12"),
	CODE("call *8(%rbx)", "\x90\xff\x53\x08"),
	CODE("call *0x100(%rbx)", "\x90\xff\x93\x00\x01\x00\x00"),
	CODE("call *0x2000(%rip)", "\x90\xff\x15\x00\x20\x00\x00"),
	CODE("call *(%rax,%rcx,8)", "\x90\xff\x14\xc8"),
	CODE("call *0x10(%rsp)", "\x90\xff\x54\x24\x10"),
	CODE("call *0x1000(%rsp)", "\xff\x94\x24\x00\x10\x00\x00"),
	CODE("call *0x1000(,%rax,8)", "\xff\x14\xc5\x00\x10\x00\x00"),
};

static const struct code others[] = {
	CODE("nothing", ""),
	CODE("push, mov", "\x55\x48\x89\xe5"),
	CODE("jmp rel32", "\x90\xe9\x01\x02\x03\x04"),
	CODE("jmp *%rax", "\x90\xff\xe0"),
	CODE("push (%rdx)", "\x90\xff\x32"),
	CODE("call rel32, then nop", "\xe8\x01\x02\x03\x04\x90"),
	CODE("call *8(%rbx) without its displacement", "\x90\xff\x53"),
	CODE("call *(SIB) without its SIB byte", "\x90\xff\x14"),
	CODE("zeroes", "\0\0\0\0\0\0\0\0"),
};

/* Nothing is behind it that can be read. */
static bool is_call(struct guard *g, const struct code *c)
{
	struct sv put = guard_put(g, (struct sv){ c->bytes, c->n });

	return insn_is_call(EM_X86_64, (const void *)put.p, put.n);
}

static void calls_of_x86(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g, 1);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (!is_call(&g, &calls[i]))
			fail_msg("%s is none", calls[i].what);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (is_call(&g, &others[i]))
			fail_msg("%s is one", others[i].what);
	guard_fini(&g);
}

static void calls_of_arm64(void **state)
{
	static const unsigned char bl[] = { 0x10, 0x00, 0x00, 0x94 };
	static const unsigned char blr_x8[] = { 0x00, 0x01, 0x3f, 0xd6 };
	static const unsigned char blraaz_x8[] = { 0x1f, 0x09, 0x3f, 0xd6 };
	static const unsigned char b[] = { 0x10, 0x00, 0x00, 0x14 };
	static const unsigned char br_x8[] = { 0x00, 0x01, 0x1f, 0xd6 };

	(void)state;
	assert_true(insn_is_call(EM_AARCH64, bl, sizeof(bl)));
	assert_true(insn_is_call(EM_AARCH64, blr_x8, sizeof(blr_x8)));
	assert_true(insn_is_call(EM_AARCH64, blraaz_x8, sizeof(blraaz_x8)));
	assert_false(insn_is_call(EM_AARCH64, b, sizeof(b)));
	assert_false(insn_is_call(EM_AARCH64, br_x8, sizeof(br_x8)));
	assert_false(insn_is_call(EM_AARCH64, bl, 3));
	assert_false(insn_is_call(EM_386, bl, sizeof(bl)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_of_x86),
		cmocka_unit_test(calls_of_arm64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
