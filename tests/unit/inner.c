/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions assembled by hand that are made of another one, T, and such as only look so: proven where it
 * holds, refused in each way in which it can fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "probe/inner.h"

#define T 0x30000 /* from the start of each; F, another one, is elsewhere */
#define ROUNDS 20000
#define CODE_MAX 128

struct function {
	const char *name, *code;
	size_t size;
	bool holds;
};

/* clang-format off */
static const struct function covers[] = {
	{ "debian",
	  /* sub $8,%rsp; call T; xor %edx,%edx; test %eax,%eax; cmovs %edx,%eax; add $8,%rsp;
	  xor %edx,%edx; xor %ecx,%ecx; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xd2\x85\xc0\x0f\x48\xc2\x48\x83\xc4\x08"
	  "\x31\xd2\x31\xc9\xc3"
	  , 25, true },
	{ "landing pad",
	  /* endbr64; push %rbp; mov %rsp,%rbp; call T; mov $0,%edx; test %eax,%eax; cmovle
	  %edx,%eax; pop %rbp; ret */
	  "\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\xe8\xf3\xff\x02\x00\xba\x00\x00\x00\x00\x85\xc0"
	  "\x0f\x4e\xc2\x5d\xc3"
	  , 25, true },
	{ "as it is",
	  /* sub $8,%rsp; call T; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 14, true },
	{ "keeps an argument",
	  /* sub $24,%rsp; mov %rdi,8(%rsp); call T; mov 8(%rsp),%rdx; add $24,%rsp; ret */
	  "\x48\x83\xec\x18\x48\x89\x7c\x24\x08\xe8\xf2\xff\x02\x00\x48\x8b\x54\x24\x08\x48"
	  "\x83\xc4\x18\xc3"
	  , 24, true },
	{ "an argument more",
	  /* sub $8,%rsp; mov %rcx,%r8; call T; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x49\x89\xc8\xe8\xf4\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 17, false },
	{ "writes first",
	  /* sub $8,%rsp; movl $0,(%rdi); call T; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xc7\x07\x00\x00\x00\x00\xe8\xf1\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 20, false },
	{ "writes last",
	  /* push %rbx; mov %rdi,%rbx; call T; mov %eax,(%rbx); pop %rbx; ret */
	  "\x53\x48\x89\xfb\xe8\xf7\xff\x02\x00\x89\x03\x5b\xc3"
	  , 13, false },
	{ "a second call",
	  /* sub $8,%rsp; call T; call F; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\xe8\xf2\xff\x03\x00\x48\x83\xc4\x08\xc3"
	  , 19, false },
	{ "by register",
	  /* sub $8,%rsp; call *%rax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xff\xd0\x48\x83\xc4\x08\xc3"
	  , 11, false },
	{ "a tail call",
	  /* jmp T */
	  "\xe9\xfb\xff\x02\x00"
	  , 5, false },
	{ "a jump",
	  /* sub $8,%rsp; call T; test %eax,%eax; jns 1f; xor %eax,%eax; 1: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x85\xc0\x79\x02\x31\xc0\x48\x83\xc4\x08\xc3"
	  , 20, false },
	{ "a choice first",
	  /* sub $8,%rsp; test %edi,%edi; je 1f; call T; 1: add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xff\x74\x05\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 18, false },
	{ "another result",
	  /* sub $8,%rsp; call T; xor %eax,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xc0\x48\x83\xc4\x08\xc3"
	  , 16, false },
	{ "a byte of it",
	  /* sub $8,%rsp; call T; movzbl %al,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x0f\xb6\xc0\x48\x83\xc4\x08\xc3"
	  , 17, false },
	{ "where it is 1",
	  /* sub $8,%rsp; call T; xor %edx,%edx; test %eax,%eax; cmovns %edx,%eax; add $8,%rsp;
	  ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xd2\x85\xc0\x0f\x49\xc2\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, false },
	{ "takes 1",
	  /* sub $8,%rsp; call T; mov $1,%edx; test %eax,%eax; cmovs %edx,%eax; add $8,%rsp;
	  ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\xba\x01\x00\x00\x00\x85\xc0\x0f\x48\xc2\x48"
	  "\x83\xc4\x08\xc3"
	  , 24, false },
	{ "takes 1, wide",
	  /* sub $8,%rsp; call T; movabs $0x100000001,%rdx; test %eax,%eax; cmovs %edx,%eax;
	  add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x48\xba\x01\x00\x00\x00\x01\x00\x00\x00\x85"
	  "\xc0\x0f\x48\xc2\x48\x83\xc4\x08\xc3"
	  , 29, false },
	{ "takes who knows",
	  /* sub $8,%rsp; call T; test %eax,%eax; cmovs %ebx,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x85\xc0\x0f\x48\xc3\x48\x83\xc4\x08\xc3"
	  , 19, false },
	{ "takes what changed",
	  /* sub $8,%rsp; call T; xor %edx,%edx; mov (%rsp),%edx; test %eax,%eax; cmovs
	  %edx,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xd2\x8b\x14\x24\x85\xc0\x0f\x48\xc2\x48"
	  "\x83\xc4\x08\xc3"
	  , 24, false },
	{ "no test",
	  /* sub $8,%rsp; call T; xor %edx,%edx; cmovs %edx,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xd2\x0f\x48\xc2\x48\x83\xc4\x08\xc3"
	  , 19, false },
	{ "another test",
	  /* sub $8,%rsp; call T; xor %edx,%edx; test %edx,%edx; cmovs %edx,%eax; add $8,%rsp;
	  ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xd2\x85\xd2\x0f\x48\xc2\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, false },
	{ "a test of a part",
	  /* sub $8,%rsp; call T; xor %edx,%edx; test %al,%al; cmovs %edx,%eax; add $8,%rsp;
	  ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x31\xd2\x84\xc0\x0f\x48\xc2\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, false },
	{ "a test too early",
	  /* sub $8,%rsp; call T; test %eax,%eax; xor %edx,%edx; cmovs %edx,%eax; add $8,%rsp;
	  ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x85\xc0\x31\xd2\x0f\x48\xc2\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, false },
	{ "from memory",
	  /* sub $8,%rsp; call T; test %eax,%eax; cmovs (%rsp),%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x85\xc0\x0f\x48\x04\x24\x48\x83\xc4\x08\xc3"
	  , 20, false },
	{ "a stack that is lost",
	  /* sub $8,%rsp; call T; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\xc3"
	  , 10, false },
};

static const struct function alls[] = {
	{ "debian",
	  /* sub $0x18,%rsp; mov %fs:0x28,%rax; mov %rax,8(%rsp); xor %eax,%eax; test
	  %edx,%edx; js 2f; mov %rsp,%rcx; movslq %edx,%rdx; call T; test %eax,%eax; jle 1f;
	  mov (%rsp),%eax; 1: mov 8(%rsp),%rdx; sub %fs:0x28,%rdx; jne 3f; add $0x18,%rsp; ret;
	  2: call F; xor %eax,%eax; call F; mov $-1,%eax; jmp 1b; 3: call F; nopl 0(%rax) */
	  "\x48\x83\xec\x18\x64\x48\x8b\x04\x25\x28\x00\x00\x00\x48\x89\x44\x24\x08\x31\xc0"
	  "\x85\xd2\x78\x27\x48\x89\xe1\x48\x63\xd2\xe8\xdd\xff\x02\x00\x85\xc0\x7e\x03\x8b"
	  "\x04\x24\x48\x8b\x54\x24\x08\x64\x48\x2b\x14\x25\x28\x00\x00\x00\x75\x18\x48\x83"
	  "\xc4\x18\xc3\xe8\xbc\xff\x03\x00\x31\xc0\xe8\xb5\xff\x03\x00\xb8\xff\xff\xff\xff"
	  "\xeb\xd8\xe8\xa9\xff\x03\x00\x0f\x1f\x00"
	  , 90, true },
	{ "a failure by or",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call T; add $8,%rsp; ret; 1: call F; or
	  $-1,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0a\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\xe8\xe9"
	  "\xff\x03\x00\x83\xc8\xff\x48\x83\xc4\x08\xc3"
	  , 31, true },
	{ "nothing at all",
	  /* test %edx,%edx; je 1f; sub $8,%rsp; call T; add $8,%rsp; ret; 1: xor %eax,%eax;
	  ret */
	  "\x85\xd2\x74\x0e\x48\x83\xec\x08\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\x31\xc0"
	  "\xc3"
	  , 21, true },
	{ "never",
	  /* sub $8,%rsp; call F; xor %eax,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x03\x00\x31\xc0\x48\x83\xc4\x08\xc3"
	  , 16, false },
	{ "another one",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call T; add $8,%rsp; ret; 1: call F; add
	  $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0a\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\xe8\xe9"
	  "\xff\x03\x00\x48\x83\xc4\x08\xc3"
	  , 28, false },
	{ "another that succeeds",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call T; add $8,%rsp; ret; 1: call F; mov
	  $1,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0a\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\xe8\xe9"
	  "\xff\x03\x00\xb8\x01\x00\x00\x00\x48\x83\xc4\x08\xc3"
	  , 33, false },
	{ "nothing that succeeds",
	  /* test %edx,%edx; je 1f; sub $8,%rsp; call T; add $8,%rsp; ret; 1: mov $7,%eax; ret
	  */
	  "\x85\xd2\x74\x0e\x48\x83\xec\x08\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\xb8\x07"
	  "\x00\x00\x00\xc3"
	  , 24, false },
	{ "nothing that who knows",
	  /* test %edx,%edx; je 1f; sub $8,%rsp; call T; add $8,%rsp; 1: ret */
	  "\x85\xd2\x74\x0d\x48\x83\xec\x08\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 18, false },
	{ "twice",
	  /* sub $8,%rsp; call T; call T; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\xe8\xf2\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 19, false },
	{ "in a loop",
	  /* sub $8,%rsp; 1: call T; test %eax,%eax; js 1b; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\x85\xc0\x78\xf7\x48\x83\xc4\x08\xc3"
	  , 18, false },
	{ "one before",
	  /* sub $8,%rsp; call F; call T; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x03\x00\xe8\xf2\xff\x02\x00\x48\x83\xc4\x08\xc3"
	  , 19, false },
	{ "one before that failed",
	  /* sub $8,%rsp; call F; xor %eax,%eax; call T; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x03\x00\x31\xc0\xe8\xf0\xff\x02\x00\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, false },
	{ "one behind",
	  /* sub $8,%rsp; call T; call F; xor %eax,%eax; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\xe8\xf7\xff\x02\x00\xe8\xf2\xff\x03\x00\x31\xc0\x48\x83\xc4\x08"
	  "\xc3"
	  , 21, false },
	{ "by register",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call T; add $8,%rsp; ret; 1: call *%rax; add
	  $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0a\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\xff\xd0"
	  "\x48\x83\xc4\x08\xc3"
	  , 25, false },
	{ "a byte of a failure",
	  /* sub $8,%rsp; test %edx,%edx; js 1f; call T; add $8,%rsp; ret; 1: call F; mov
	  $0,%al; add $8,%rsp; ret */
	  "\x48\x83\xec\x08\x85\xd2\x78\x0a\xe8\xf3\xff\x02\x00\x48\x83\xc4\x08\xc3\xe8\xe9"
	  "\xff\x03\x00\xb0\x00\x48\x83\xc4\x08\xc3"
	  , 30, false },
	{ "a tail call",
	  /* test %edx,%edx; js 1f; jmp T; 1: xor %eax,%eax; ret */
	  "\x85\xd2\x78\x05\xe9\xf7\xff\x02\x00\x31\xc0\xc3"
	  , 12, false },
};
/* clang-format on */

/* Where no byte behind it can be read. */
static __s64 cover_of(const void *code, size_t size)
{
	unsigned char *copy = malloc(size);
	__s64 inner;

	assert_non_null(copy);
	memcpy(copy, code, size);
	inner = inner_of_cover(copy, size);
	free(copy);
	return inner;
}

static bool is_all(const void *code, size_t size, __s64 inner)
{
	unsigned char *copy = malloc(size);
	bool all;

	assert_non_null(copy);
	memcpy(copy, code, size);
	all = inner_is_all(copy, size, inner);
	free(copy);
	return all;
}

static void covers_and_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(covers); i++) {
		const struct function *f = &covers[i];

		print_message("%s\n", f->name);
		assert_int_equal(cover_of(f->code, f->size), f->holds ? T : 0);
		for (size_t n = 1; n < f->size - f->holds; n++)
			assert_int_equal(cover_of(f->code, n), 0);
	}
}

static void all_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(alls); i++) {
		const struct function *f = &alls[i];

		print_message("%s\n", f->name);
		assert_int_equal(is_all(f->code, f->size, T), f->holds);
		assert_false(is_all(f->code, f->size, T + 1));
		assert_false(is_all(f->code, f->size, 0));
	}
}

/* A cover is more: what is one does all by what it covers. */
static void broken_code_does_no_harm(void **state)
{
	unsigned int seed = 1;
	int cnt = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		const struct function *f = i % 2 ? &covers[rand_r(&seed) % ARRAY_SIZE(covers)]
						 : &alls[rand_r(&seed) % ARRAY_SIZE(alls)];
		unsigned char code[CODE_MAX];
		__s64 inner;

		assert_true(f->size <= CODE_MAX);
		memcpy(code, f->code, f->size);
		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			code[rand_r(&seed) % f->size] = (unsigned char)rand_r(&seed);
		inner = cover_of(code, f->size);
		assert_true(!inner || is_all(code, f->size, inner));
		cnt += inner != 0;
	}
	assert_true(cnt > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(covers_and_others),
		cmocka_unit_test(all_or_not),
		cmocka_unit_test(broken_code_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
