/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probe sites of functions assembled by hand: chosen where the proof holds, refused in each way in
 * which it can fail; and of the libraries of this machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/flow.h"
#include "probe/site.h"
#include "probe/tls.h"

#define ROUNDS 20000
#define CODE_MAX 128

struct function {
	const char *name, *code; /* calls and jumps to elsewhere lead far away */
	size_t size;
	enum site_kind kind;
	enum site_doubt doubt;
	struct site_at entry;
	size_t exit_cnt;
	struct site_at exits[2];
};

/* clang-format off */
static const struct function functions[] = {
	{ "debian",
	  /* sub $0x18,%rsp; mov %fs:0x28,%rax; mov %rax,0x8(%rsp); xor %eax,%eax; test
	  %edx,%edx; js 2f; mov %rsp,%rcx; movslq %edx,%rdx; call; test %eax,%eax; jle 1f; mov
	  (%rsp),%eax; 1: mov 0x8(%rsp),%rdx; sub %fs:0x28,%rdx; jne 3f; add $0x18,%rsp; xor
	  %edx,%edx; ret; 2: call; mov $-1,%eax; jmp 1b; 3: call; nopl 0(%rax) */
	  "\x48\x83\xec\x18\x64\x48\x8b\x04\x25\x28\x00\x00\x00\x48\x89\x44\x24\x08\x31\xc0"
	  "\x85\xd2\x78\x29\x48\x89\xe1\x48\x63\xd2\xe8\x01\x02\x03\x00\x85\xc0\x7e\x03\x8b"
	  "\x04\x24\x48\x8b\x54\x24\x08\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x13\x48\x83"
	  "\xc4\x18\x31\xd2\xc3\xe8\x01\x02\x03\x00\xb8\xff\xff\xff\xff\xeb\xdd\xe8\x01\x02"
	  "\x03\x00\x0f\x1f\x00"
	  , 85, SITE_FULL, SITE_DOUBT_NONE, { 0x16, 0x18 }, 1, { { 0x38, 0x18 } } },
	{ "endbr",
	  /* endbr64; push %rbp; mov %rsp,%rbp; call; pop %rbp; ret */
	  "\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\xe8\x01\x02\x03\x00\x5d\xc3"
	  , 15, SITE_RETURN, SITE_DOUBT_EXIT, { 0x4, 0x0 }, 0, { { 0 } } },
	{ "two exits",
	  /* sub $8,%rsp; test %rdi,%rdi; je 1f; call; test %edx,%edx; jne 2f; 2: add $8,%rsp;
	  ret; 1: xor %eax,%eax; cmp %esi,%edx; jne 3f; 3: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x48\x85\xff\x74\x0e\xe8\x01\x02\x03\x00\x85\xd2\x75\x00\x48\x83"
	  "\xc4\x08\xc3\x31\xc0\x39\xf2\x75\x00\x48\x83\xc4\x08\xc3"
	  , 34, SITE_FULL, SITE_DOUBT_NONE, { 0x7, 0x8 }, 2, { { 0x10, 0x8 }, { 0x1b, 0x8 } } },
	{ "frame",
	  /* push %rbp; mov %rsp,%rbp; push %r12; and $-32,%rsp; sub $0x40,%rsp; call; lea
	  -8(%rbp),%rsp; test %ebx,%ebx; jne 1f; 1: pop %r12; leave; ret */
	  "\x55\x48\x89\xe5\x41\x54\x48\x83\xe4\xe0\x48\x83\xec\x40\xe8\x01\x02\x03\x00\x48"
	  "\x8d\x65\xf8\x85\xdb\x75\x00\x41\x5c\xc9\xc3"
	  , 31, SITE_FULL, SITE_DOUBT_NONE, { 0x0, 0x0 }, 1, { { 0x19, 0x10 } } },
	{ "leave",
	  /* push %rbp; mov %rsp,%rbp; sub $0x40,%rsp; call; test %ebx,%ebx; jne 1f; 1: leave;
	  ret */
	  "\x55\x48\x89\xe5\x48\x83\xec\x40\xe8\x01\x02\x03\x00\x85\xdb\x75\x00\xc9\xc3"
	  , 19, SITE_FULL, SITE_DOUBT_NONE, { 0x0, 0x0 }, 1, { { 0xf, 0x48 } } },
	{ "error past",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call; test %ebx,%ebx; jne 2f; 2: add $8,%rsp;
	  ret; 1: mov $-1,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0e\xe8\x01\x02\x03\x00\x85\xdb\x75\x00\x48\x83\xc4"
	  "\x08\xc3\xb8\xff\xff\xff\xff\x48\x83\xc4\x08\xc3"
	  , 32, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "args",
	  /* sub $8,%rsp; mov %edx,%esi; push %rbx; call; ret */
	  "\x48\x83\xec\x08\x89\xd6\x53\xe8\x01\x02\x03\x00\xc3"
	  , 13, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "args low",
	  /* mov $1,%dl; test %edx,%edx; js 1f; 1: ret */
	  "\xb2\x01\x85\xd2\x78\x00\xc3"
	  , 7, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "store ptr",
	  /* movl $1,0x28(%rdi); test %edx,%edx; js 1f; 1: ret */
	  "\xc7\x47\x28\x01\x00\x00\x00\x85\xd2\x78\x00\xc3"
	  , 12, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "store above",
	  /* sub $0x18,%rsp; mov %rax,0x18(%rsp); test %edx,%edx; js 1f; 1: add $0x18,%rsp;
	  ret */
	  "\x48\x83\xec\x18\x48\x89\x44\x24\x18\x85\xd2\x78\x00\x48\x83\xc4\x18\xc3"
	  , 18, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "store gs",
	  /* sub $0x18,%rsp; mov %rax,%gs:8(%rsp); test %edx,%edx; js 1f; 1: add $0x18,%rsp;
	  ret */
	  "\x48\x83\xec\x18\x65\x48\x89\x44\x24\x08\x85\xd2\x78\x00\x48\x83\xc4\x18\xc3"
	  , 19, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "loop first",
	  /* 1: sub $8,%rsp; test %edx,%edx; js 2f; add $8,%rsp; jmp 1b; 2: ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x06\x48\x83\xc4\x08\xeb\xf2\xc3"
	  , 15, SITE_STEPPED, SITE_DOUBT_LOOP, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "loop into",
	  /* sub $8,%rsp; 1: test %edx,%edx; js 2f; dec %edx; jmp 1b; 2: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x04\xff\xca\xeb\xf8\x48\x83\xc4\x08\xc3"
	  , 17, SITE_STEPPED, SITE_DOUBT_LOOP, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "loop later",
	  /* sub $8,%rsp; test %edx,%edx; js 2f; 1: call; dec %ebx; jne 1b; test %eax,%eax;
	  jne 2f; 2: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0d\xe8\x01\x02\x03\x00\xff\xcb\x75\xf7\x85\xc0\x75"
	  "\x00\x48\x83\xc4\x08\xc3"
	  , 26, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "loop clean",
	  /* sub $8,%rsp; call; 1: dec %ebx; jne 1b; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\x01\x02\x03\x00\xff\xcb\x75\xfc\x48\x83\xc4\x08\xc3"
	  , 18, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "late store",
	  /* push %rbx; mov %rsi,%rbx; call; test %edx,%edx; jne 1f; 1: mov %rdx,(%rbx); pop
	  %rbx; ret */
	  "\x53\x48\x89\xf3\xe8\x01\x02\x03\x00\x85\xd2\x75\x00\x48\x89\x13\x5b\xc3"
	  , 18, SITE_RETURN, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "noreturn within",
	  /* push %rbx; test %edx,%edx; js 1f; call; test %ebx,%ebx; jne 2f; 2: pop %rbx; ret;
	  1: call; ud2 */
	  "\x53\x85\xd2\x78\x0b\xe8\x01\x02\x03\x00\x85\xdb\x75\x00\x5b\xc3\xe8\x01\x02\x03"
	  "\x00\x0f\x0b"
	  , 23, SITE_FULL, SITE_DOUBT_NONE, { 0x0, 0x0 }, 1, { { 0xc, 0x8 } } },
	{ "tail",
	  /* test %rdi,%rdi; je 1f; push %rbx; call; pop %rbx; jmp out; 1: ret */
	  "\x48\x85\xff\x74\x0c\x53\xe8\x01\x02\x03\x00\x5b\xe9\x01\x02\x03\x00\xc3"
	  , 18, SITE_RETURN, SITE_DOUBT_TAIL, { 0x3, 0x0 }, 0, { { 0 } } },
	{ "tail deep",
	  /* sub $8,%rsp; test %rdi,%rdi; je 1f; add $8,%rsp; jmp out; 1: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x48\x85\xff\x74\x09\x48\x83\xc4\x08\xe9\x01\x02\x03\x00\x48\x83"
	  "\xc4\x08\xc3"
	  , 23, SITE_STEPPED, SITE_DOUBT_TAIL, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "table",
	  /* sub $8,%rsp; cmp $5,%edx; ja 1f; jmp *%rax; 1: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x83\xfa\x05\x77\x02\xff\xe0\x48\x83\xc4\x08\xc3"
	  , 16, SITE_STEPPED, SITE_DOUBT_INDIRECT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "indirect tail",
	  /* push %rbx; mov %rdi,%rbx; mov (%rdi),%rax; pop %rbx; jmp *%rax */
	  "\x53\x48\x89\xfb\x48\x8b\x07\x5b\xff\xe0"
	  , 10, SITE_RETURN, SITE_DOUBT_INDIRECT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "middle",
	  /* sub $8,%rsp; test %edx,%edx; js 1f+1; 1: mov $0x90909090,%eax; add $8,%rsp; ret
	  */
	  "\x48\x83\xec\x08\x85\xd2\x78\x01\xb8\x90\x90\x90\x90\x48\x83\xc4\x08\xc3"
	  , 18, SITE_STEPPED, SITE_DOUBT_CODE, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "call first",
	  /* sub $8,%rsp; call *%rax; test %edx,%edx; js 1f; 1: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xff\xd0\x85\xd2\x78\x00\x48\x83\xc4\x08\xc3"
	  , 15, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "call rel first",
	  /* sub $8,%rsp; call; xor %edx,%edx; test %eax,%eax; cmovs %edx,%eax; add $8,%rsp;
	  ret */
	  "\x48\x83\xec\x08\xe8\x01\x02\x03\x00\x31\xd2\x85\xc0\x0f\x48\xc2\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "falls",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; 1: add $8,%rsp; nop */
	  "\x48\x83\xec\x08\x85\xd2\x78\x00\x48\x83\xc4\x08\x90"
	  , 13, SITE_STEPPED, SITE_DOUBT_CODE, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "imbalance",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; 1: ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x00\xc3"
	  , 9, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "unlike",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; push %rbx; 1: test %ecx,%ecx; jne 2f; 2: add
	  $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x01\x53\x85\xc9\x75\x00\x48\x83\xc4\x08\xc3"
	  , 18, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "late write",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call; test %eax,%eax; jne 1f; 1: mov
	  %ebx,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x09\xe8\x01\x02\x03\x00\x85\xc0\x75\x00\x89\xd8\x48"
	  "\x83\xc4\x08\xc3"
	  , 24, SITE_STEPPED, SITE_DOUBT_EXIT, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "lock prefix",
	  /* .byte 0xf2, 0xe9, 0,0,0,0; ret */
	  "\xf2\xe9\x00\x00\x00\x00\xc3"
	  , 7, SITE_STEPPED, SITE_DOUBT_ARGS, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "ret n",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; 1: add $8,%rsp; ret $8 */
	  "\x48\x83\xec\x08\x85\xd2\x78\x00\x48\x83\xc4\x08\xc2\x08\x00"
	  , 15, SITE_STEPPED, SITE_DOUBT_CODE, { 0x0, 0x0 }, 0, { { 0 } } },
	{ "stray nop",
	  /* .byte 0x66,0x90; test %edx,%edx; js 1f; 1: ret */
	  "\x66\x90\x85\xd2\x78\x00\xc3"
	  , 7, SITE_RETURN, SITE_DOUBT_EXIT, { 0x4, 0x0 }, 0, { { 0 } } },
};
/* clang-format on */

/* In a block of its own size, so that a sanitizer sees what is read behind it. */
static void choose(struct site_plan *plan, const void *code, size_t size, enum site_abi abi,
		   bool exits)
{
	unsigned char *copy = malloc(size < 16 ? 16 : size);

	assert_non_null(copy);
	memset(copy, 0, 16);
	memcpy(copy, code, size);
	site_choose(plan, copy, size, abi, exits);
	free(copy);
}

static void assert_site(const struct site_at *a, const struct site_at *b)
{
	assert_int_equal(a->at, b->at);
	assert_int_equal(a->depth, b->depth);
}

static void assert_emulated(const unsigned char *code, size_t size, __u32 at)
{
	static const size_t sizes[] = { 1, 2, 5, 6 };
	bool emulated = false;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		emulated |= at + sizes[i] <= size && flow_emulated(code + at, sizes[i]);
	assert_true(emulated);
}

static void assert_sane(const struct site_plan *plan, const void *code, size_t size)
{
	assert_true(plan->exit_cnt <= SITE_EXITS);
	assert_true(plan->kind == SITE_FULL || (!plan->entry.depth && !plan->exit_cnt));
	assert_int_equal(plan->kind == SITE_FULL, plan->doubt == SITE_DOUBT_NONE);
	if (plan->kind == SITE_STEPPED)
		assert_int_equal(plan->entry.at, 0);
	else
		assert_emulated(code, size, plan->entry.at);
	for (size_t i = 0; i < plan->exit_cnt; i++)
		assert_emulated(code, size, plan->exits[i].at);
}

static void sites_and_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		const struct function *f = &functions[i];
		struct site_plan plan;

		choose(&plan, f->code, f->size, SITE_SYSV, true);
		print_message("%s: %s\n", f->name, site_doubt_text(plan.doubt));
		assert_int_equal(plan.kind, f->kind);
		assert_int_equal(plan.doubt, f->doubt);
		assert_site(&plan.entry, &f->entry);
		assert_int_equal(plan.exit_cnt, f->exit_cnt);
		for (size_t k = 0; k < f->exit_cnt; k++)
			assert_site(&plan.exits[k], &f->exits[k]);
		assert_sane(&plan, f->code, f->size);
	}
}

/* Then a tail call is no matter. */
static void an_entry_alone(void **state)
{
	/* sub $8,%rsp; test %rdi,%rdi; je 1f; add $8,%rsp; jmp out; 1: add $8,%rsp; ret */
	static const char code[] = "\x48\x83\xec\x08\x48\x85\xff\x74\x09\x48\x83\xc4\x08"
				   "\xe9\x01\x02\x03\x00\x48\x83\xc4\x08\xc3";
	struct site_plan plan;

	(void)state;
	choose(&plan, code, sizeof(code) - 1, SITE_SYSV, true);
	assert_int_equal(plan.kind, SITE_STEPPED);
	assert_int_equal(plan.doubt, SITE_DOUBT_TAIL);
	choose(&plan, code, sizeof(code) - 1, SITE_SYSV, false);
	assert_int_equal(plan.kind, SITE_FULL);
	assert_site(&plan.entry, &(struct site_at){ 7, 8 });
	assert_int_equal(plan.exit_cnt, 0);
}

/* It begins again when its stack was too small; elsewhere that is a loop. */
static void go_begins_again(void **state)
{
	/*
	 * cmp 0x10(%r14),%rsp; jbe 1f; sub $8,%rsp; call; add $8,%rsp; ret
	 * 1: mov %rax,8(%rsp); call; mov 8(%rsp),%rax; jmp to the start
	 */
	static const char code[] = "\x49\x3b\x66\x10\x76\x0e\x48\x83\xec\x08\xe8\x01\x02\x03\x00"
				   "\x48\x83\xc4\x08\xc3\x48\x89\x44\x24\x08\xe8\x01\x02\x03\x00"
				   "\x48\x8b\x44\x24\x08\xeb\xdb";
	struct site_plan plan;

	(void)state;
	choose(&plan, code, sizeof(code) - 1, SITE_GO, false);
	assert_int_equal(plan.kind, SITE_FULL);
	assert_site(&plan.entry, &(struct site_at){ 4, 0 });
	choose(&plan, code, sizeof(code) - 1, SITE_SYSV, false);
	assert_int_equal(plan.kind, SITE_STEPPED);
	assert_int_equal(plan.doubt, SITE_DOUBT_LOOP);
}

static void an_unknown_end(void **state)
{
	struct site_plan plan;

	(void)state;
	site_choose(&plan, (const unsigned char *)"\x55\x48\x89\xe5\x41\x57\0\0\0\0\0\0\0\0\0\0", 0,
		    SITE_SYSV, true);
	assert_int_equal(plan.kind, SITE_RETURN);
	assert_int_equal(plan.doubt, SITE_DOUBT_RANGE);
	site_choose(&plan, (const unsigned char *)"\x48\x83\xec\x08\0\0\0\0\0\0\0\0\0\0\0\0", 0,
		    SITE_SYSV, true);
	assert_int_equal(plan.kind, SITE_STEPPED);
}

static void what_the_kernel_emulates(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool emulated;
	} of[] = {
		{ "\x50", 1, true },
		{ "\x57", 1, true },
		{ "\x58", 1, false }, /* pop */
		{ "\x90", 1, true },
		{ "\xc3", 1, false },
		{ "\x41\x57", 2, true },
		{ "\x48\x57", 2, false },
		{ "\x66\x57", 2, false },
		{ "\x66\x90", 2, false },
		{ "\xeb\x10", 2, true },
		{ "\x7f\x10", 2, true },
		{ "\xe3\x10", 2, false }, /* jrcxz */
		{ "\xe8\0\0\0\0", 5, true },
		{ "\xe9\0\0\0\0", 5, true },
		{ "\x68\0\0\0\0", 5, false }, /* push $imm */
		{ "\x0f\x84\0\0\0\0", 6, true },
		{ "\xf2\xe9\0\0\0\0", 6, false }, /* bnd */
		{ "\x2e\x74\x10", 3, false },     /* a hint */
		{ "\xff\xd0", 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(of); i++)
		assert_int_equal(flow_emulated((const unsigned char *)of[i].bytes, of[i].n),
				 of[i].emulated);
}

/* Cut at every byte, and with bytes changed: what is chosen is always an instruction that is there. */
static void broken_code_does_no_harm(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		for (size_t n = 1; n <= functions[i].size; n++) {
			struct site_plan plan;

			choose(&plan, functions[i].code, n, SITE_SYSV, n % 2);
			assert_sane(&plan, functions[i].code, n);
		}
	}
	for (int i = 0; i < ROUNDS; i++) {
		const struct function *f = &functions[rand_r(&seed) % ARRAY_SIZE(functions)];
		unsigned char code[CODE_MAX];
		struct site_plan plan;

		assert_true(f->size <= CODE_MAX);
		memcpy(code, f->code, f->size);
		for (int n = rand_r(&seed) % 6; n >= 0; n--)
			code[rand_r(&seed) % f->size] = (unsigned char)rand_r(&seed);
		choose(&plan, code, f->size, SITE_SYSV, i % 2);
		assert_sane(&plan, code, f->size);
	}
}

/* As much code as is ever looked at, all of it jumps, each to two places. */
static void large_code_ends(void **state)
{
	size_t size = 2 * FLOW_CODE_MAX;
	unsigned char *code = malloc(size);
	struct site_plan plan;
	unsigned int seed = 1;

	(void)state;
	assert_non_null(code);
	for (size_t at = 0; at < size; at += 6) {
		size_t left = size - at;
		__s32 to = (__s32)(rand_r(&seed) % (FLOW_CODE_MAX / 6) * 6) - (__s32)at - 6;

		memcpy(code + at, "\x0f\x84", left < 2 ? left : 2);
		if (left >= 6)
			memcpy(code + at + 2, &to, sizeof(to));
	}
	site_choose(&plan, code, size, SITE_SYSV, true);
	assert_int_equal(plan.doubt, SITE_DOUBT_CODE); /* goes on behind what is looked at */
	memcpy(code + FLOW_CODE_MAX / 6 * 6 - 6, "\xc3\xc3\xc3\xc3\xc3\xc3", 6);
	site_choose(&plan, code, size, SITE_SYSV, true);
	assert_int_equal(plan.kind, SITE_RETURN);
	free(code);
}

/* A library of this machine; false: it is not there. */
static bool locate(const char *path, struct elf_file **f, struct tls_hooks *hooks, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	memset(hooks, 0, sizeof(*hooks));
	if (*fd < 0)
		return false;
	assert_int_equal(elf_file_new(f, *fd), 0);
	assert_int_equal(tls_locate(tls_libs[0], *f, hooks), 0);
	return true;
}

static void libraries_of_this_machine(void **state)
{
	static const char *const paths[] = { "/usr/lib/x86_64-linux-gnu/libssl.so.3",
					     "/usr/bin/node" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct elf_file *f = NULL;
		struct tls_hooks hooks;
		char text[160];
		int fd;

		if (!locate(paths[i], &f, &hooks, &fd)) {
			print_message("not here: %s\n", paths[i]);
			continue;
		}
		tls_summary(&hooks, text, sizeof(text));
		print_message("%s: %s\n", paths[i], text);
		for (size_t k = 0; k < hooks.func_cnt; k++) {
			const struct tls_func *func = &hooks.funcs[k];
			unsigned char code[1024];

			assert_int_equal(elf_pread(f, tls_func_base(func), code, sizeof(code)), 0);
			assert_sane(&func->plan, code, sizeof(code));
		}
		elf_file_free(&f);
		close(fd);
	}
}

static void what_is_said_of_them(void **state)
{
	struct tls_hooks hooks = { .func_cnt = 6 };
	char text[160], little[12];

	(void)state;
	hooks.funcs[0].plan.kind = hooks.funcs[1].plan.kind = SITE_FULL;
	hooks.funcs[2].plan.doubt = SITE_DOUBT_TAIL;
	hooks.funcs[5].plan.kind = SITE_RETURN;
	tls_summary(&hooks, text, sizeof(text));
	assert_string_equal(text, "2 at emulated sites, 1 plain, emulated, "
				  "3 plain (ends in another function)");
	tls_summary(&hooks, little, sizeof(little));
	assert_string_equal(little, "2 at emulat");
	hooks.funcs[0].inner = hooks.funcs[1].inner = 1;
	tls_summary(&hooks, text, sizeof(text));
	assert_string_equal(text, "2 at emulated sites of what they call, 1 plain, emulated, "
				  "3 plain (ends in another function)");
	tls_limit_sites(&hooks, false, false);
	assert_int_equal(hooks.funcs[0].inner + hooks.funcs[1].inner, 0);
	tls_summary(&hooks, text, sizeof(text));
	assert_string_equal(text, "1 plain, emulated, 5 plain (other sites need attach cookies, "
				  "or are switched off)");
	tls_limit_sites(&hooks, true, true);
	assert_int_equal(hooks.funcs[5].plan.kind, SITE_STEPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sites_and_refusals),
		cmocka_unit_test(an_entry_alone),
		cmocka_unit_test(go_begins_again),
		cmocka_unit_test(an_unknown_end),
		cmocka_unit_test(what_the_kernel_emulates),
		cmocka_unit_test(broken_code_does_no_harm),
		cmocka_unit_test(large_code_ends),
		cmocka_unit_test(libraries_of_this_machine),
		cmocka_unit_test(what_is_said_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
