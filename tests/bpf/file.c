/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding functions in files: the right offset, refusal where the bytes are not a function's, and no
 * harm from files that are broken on purpose.
 */
#include "libssl.h"
#include "trace.h"

#include <elf.h>
#include <errno.h>
#include "base/log.h"
#include "probe/elf.h"
#include "probe/insn.h"
#include "probe/tls.h"
#include "../hooks.h"

#define ROUNDS 3000

static int locate(int fd, struct tls_hooks *hooks)
{
	struct elf_file *f = NULL;
	int err = elf_file_new(&f, fd);

	memset(hooks, 0, sizeof(*hooks));
	if (!err)
		err = tls_libs[0]->locate(f, hooks);
	elf_file_free(&f);
	return err;
}

/* SSL_write_ex2 came with OpenSSL 3.3. */
static void offsets_are_those_of_the_loader(void **state)
{
	static const char *const names[] = {
		"SSL_read",
		"SSL_write",
		"SSL_read_ex",
		"SSL_write_ex",
		"SSL_read_early_data",
		"SSL_write_early_data",
		"SSL_sendfile",
		"SSL_free",
		"SSL_clear",
		"SSL_write_ex2",
	};
	struct tls_hooks hooks;
	char path[64];
	int cnt = 0, fd = libssl_copy(path, sizeof(path));
	void *lib;

	(void)state;
	assert_true(fd >= 0);
	lib = dlopen(path, RTLD_NOW);
	unlink(path);
	assert_non_null(lib);
	assert_int_equal(locate(fd, &hooks), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const void *at = dlsym(lib, names[i]);
		bool found = false;

		for (size_t k = 0; at && k < hooks.func_cnt; k++) {
			unsigned char in_file[32];

			assert_int_equal(pread(fd, in_file, sizeof(in_file),
					       (off_t)hooks.funcs[k].offset),
					 sizeof(in_file));
			found |= memcmp(in_file, at, sizeof(in_file)) == 0;
		}
		assert_int_equal(found, at != NULL);
		cnt += at != NULL;
	}
	assert_in_range(cnt, 7, ARRAY_SIZE(names));
	assert_int_equal(hooks.cnt, cnt);
	close(fd);
}

static void a_damaged_function_is_refused(void **state)
{
	static const unsigned char int3[4] = { 0xcc, 0xcc, 0xcc, 0xcc };
	struct tls_hooks hooks;
	char path[64];
	int fd = libssl_copy(path, sizeof(path));

	(void)state;
	unlink(path);
	assert_int_equal(locate(fd, &hooks), 0);
	assert_int_equal(pwrite(fd, int3, 4, (off_t)hooks_find(&hooks, TLS_WRITE_EX)->offset), 4);
	assert_int_equal(locate(fd, &hooks), -EINVAL);
	assert_int_equal(hooks.cnt, 0);
	close(fd);
}

static void programs_without_tls(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int text = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct tls_hooks hooks;

	(void)state;
	assert_int_equal(locate(fd, &hooks), 0);
	assert_int_equal(hooks.cnt, 0);
	assert_int_equal(locate(text, &hooks), -ENOEXEC);
	close(fd);
	close(text);
}

/* xorshift64: the same damage in each run */
static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Damages the headers, where every offset and size is. */
static void hostile_files(void **state)
{
	char path[64];
	int fd = libssl_copy(path, sizeof(path));
	uint64_t x = 88172645463325252ull;
	struct tls_hooks hooks;
	Elf64_Ehdr eh;

	(void)state;
	unlink(path);
	log_set_level(LOG_ERR);
	assert_int_equal(pread(fd, &eh, sizeof(eh), 0), sizeof(eh));
	for (int i = 0; i < ROUNDS; i++) {
		off_t spans[] = { 0, (off_t)eh.e_phoff, (off_t)eh.e_shoff };
		off_t at = spans[next(&x) % 3] + (off_t)(next(&x) % 600);
		uint64_t was, now = next(&x) >> (next(&x) % 64);

		if (pread(fd, &was, sizeof(was), at) != sizeof(was))
			continue;
		assert_int_equal(pwrite(fd, &now, sizeof(now), at), sizeof(now));
		locate(fd, &hooks); /* any answer will do */
		assert_int_equal(pwrite(fd, &was, sizeof(was), at), sizeof(was));
	}
	assert_int_equal(locate(fd, &hooks), 0);
	for (off_t size = 100000; size > 1; size /= 3) {
		assert_int_equal(ftruncate(fd, size), 0);
		assert_true(locate(fd, &hooks) != 0 || hooks.cnt == 0);
	}
	log_set_level(LOG_WARN);
	close(fd);
}

static void entries(void **state)
{
	static const struct {
		unsigned int machine;
		unsigned char bytes[4];
		bool ok;
	} cases[] = {
		{ EM_X86_64, { 0xf3, 0x0f, 0x1e, 0xfa }, true },  /* endbr64 */
		{ EM_X86_64, { 0x55, 0x48, 0x89, 0xe5 }, true },  /* push %rbp */
		{ EM_X86_64, { 0x41, 0x57, 0x41, 0x56 }, true },  /* push %r15 */
		{ EM_X86_64, { 0x48, 0x83, 0xec, 0x18 }, true },  /* sub $0x18,%rsp */
		{ EM_X86_64, { 0x48, 0x85, 0xff, 0x0f }, true },  /* test %rdi,%rdi */
		{ EM_X86_64, { 0x49, 0x89, 0xf8, 0x00 }, true },  /* mov %rdi,%r8 */
		{ EM_X86_64, { 0x45, 0x31, 0xc0, 0x31 }, true },  /* xor %r8d,%r8d */
		{ EM_X86_64, { 0x83, 0xfa, 0x10, 0x7f }, true },  /* cmp $0x10,%edx */
		{ EM_X86_64, { 0x45, 0x31, 0x00, 0x31 }, false }, /* xor %r8d,(%r8): writes */
		{ EM_X86_64, { 0xcc, 0xcc, 0xcc, 0xcc }, false }, /* padding */
		{ EM_X86_64, { 0x00, 0x00, 0x00, 0x00 }, false }, /* data */
		{ EM_X86_64, { 0x7f, 'E', 'L', 'F' }, false },
		{ EM_X86_64, { 0xc3, 0x90, 0x90, 0x90 }, false },  /* ret: the end of one */
		{ EM_AARCH64, { 0x3f, 0x23, 0x03, 0xd5 }, true },  /* paciasp */
		{ EM_AARCH64, { 0x5f, 0x24, 0x03, 0xd5 }, true },  /* bti c */
		{ EM_AARCH64, { 0xfd, 0x7b, 0xbd, 0xa9 }, true },  /* stp x29, x30, [sp, #-48]! */
		{ EM_AARCH64, { 0xff, 0x83, 0x00, 0xd1 }, true },  /* sub sp, sp, #0x20 */
		{ EM_AARCH64, { 0xc0, 0x03, 0x5f, 0xd6 }, false }, /* ret */
		{ EM_AARCH64, { 0x00, 0x00, 0x00, 0x00 }, false }, /* udf */
		{ EM_386, { 0x55, 0x89, 0xe5, 0x00 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(insn_is_entry(cases[i].machine, cases[i].bytes, 4), cases[i].ok);
	assert_false(insn_is_entry(EM_X86_64, cases[0].bytes, 3));
}

/* The same through the front door; needs BPF. */
static void hook_file(void **state)
{
	static const unsigned char int3[4] = { 0xcc, 0xcc, 0xcc, 0xcc };
	struct trace *t = *state;
	struct tls_hooks hooks;
	char good[64], bad[64];
	int fd, cnt;

	close(libssl_copy(good, sizeof(good)));
	fd = libssl_copy(bad, sizeof(bad));
	assert_int_equal(locate(fd, &hooks), 0);
	cnt = hooks.cnt;
	assert_int_equal(pwrite(fd, int3, 4, (off_t)hooks_find(&hooks, TLS_READ)->offset), 4);
	close(fd);
	assert_int_equal(probe_hook_file(t->p, good), cnt);
	assert_int_equal(probe_hook_file(t->p, good), 0);
	assert_int_equal(probe_hook_file(t->p, bad), -EINVAL);
	assert_int_equal(probe_hook_file(t->p, "/proc/self/exe"), 0);
	assert_int_equal(probe_hook_file(t->p, "/nonexistent"), -ENOENT);
	unlink(good);
	unlink(bad);
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(offsets_are_those_of_the_loader),
		cmocka_unit_test(a_damaged_function_is_refused),
		cmocka_unit_test(programs_without_tls),
		cmocka_unit_test(hostile_files),
		cmocka_unit_test(entries),
	};
	const struct CMUnitTest root[] = {
		cmocka_unit_test(hook_file),
	};
	int failed = cmocka_run_group_tests_name("files", plain, NULL, NULL);

	if (failed || trace_skip())
		return failed ? failed : SKIP;
	return cmocka_run_group_tests_name("hook", root, trace_setup, trace_teardown);
}
