// SPDX-License-Identifier: BSD-2-Clause
/*
 * TLS functions in programs without symbols: small programs are made here, byte by byte, as compilers
 * lay them out.  Found where they are, refused where one thing is not as it should be, and no harm
 * from files that are broken on purpose.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "probe/elf.h"
#include "probe/scan.h"
#include "probe/tls.h"
#include "../hooks.h"
#include "../image.h"

extern const struct tls_ops tls_boringssl, tls_openssl_static;

#define ROUNDS 20000

/* Offsets into the file; segments lie elsewhere in memory. */
#define RODATA 0x1000
#define UNWIND 0x1800
#define TEXT 0x2000
#define SIZE 0x4000
#define RODATA_ADDR 0x401000
#define TEXT_ADDR 0x502000

#define READ_AT (TEXT + 0x200)
#define WRITE_AT (TEXT + 0x400)
#define CALLER_AT (TEXT + 0x800)
#define PEEK_AT (TEXT + 0xa00)

static unsigned char image[SIZE];

static uint64_t addr_of(size_t off)
{
	return off < TEXT ? off - RODATA + RODATA_ADDR : off - TEXT + TEXT_ADDR;
}

static size_t put(size_t off, const void *bytes, size_t n)
{
	memcpy(image + off, bytes, n);
	return off + n;
}

#define PUT(off, ...)                                       \
	({                                                  \
		const unsigned char _b[] = { __VA_ARGS__ }; \
		put(off, _b, sizeof(_b));                   \
	})

static size_t put_u32(size_t off, uint64_t v)
{
	return put(off, &(uint32_t){ (uint32_t)v }, 4);
}

/* An operand that is relative to the instruction's end, as it is right behind the operand. */
static size_t put_rel(size_t off, uint64_t target)
{
	return put_u32(off, target - addr_of(off) - 4);
}

static size_t mov(size_t off, unsigned char opcode, uint64_t v)
{
	return put_u32(PUT(off, opcode), v);
}

static size_t call(size_t off, uint64_t target)
{
	return put_rel(PUT(off, 0xe8), target);
}

static size_t prologue(size_t off)
{
	return PUT(off, 0x55, 0x48, 0x89, 0xe5);
}

/* rows: where functions begin, ascending */
static void unwind(const size_t *rows, uint32_t cnt)
{
	size_t off = PUT(UNWIND, 1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0);

	off = put_u32(off, cnt);
	for (uint32_t i = 0; i < cnt; i++)
		off = put_u32(put_u32(off, addr_of(rows[i]) - addr_of(UNWIND)), 0);
}

static void start_image(void)
{
	const Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	const Elf64_Phdr ph[] = {
		{ PT_LOAD, PF_R, RODATA, RODATA_ADDR, 0, TEXT - RODATA, TEXT - RODATA, 4096 },
		{ PT_LOAD, PF_R | PF_X, TEXT, TEXT_ADDR, 0, SIZE - TEXT, SIZE - TEXT, 4096 },
		{ PT_GNU_EH_FRAME, PF_R, UNWIND, addr_of(UNWIND), 0, 0x200, 0x200, 4 },
	};

	memset(image, 0, sizeof(image));
	memset(image + TEXT, 0xcc, SIZE - TEXT);
	put(put(0, &eh, sizeof(eh)), ph, sizeof(ph));
}

static void is_found(const struct tls_ops *lib, enum tls_role rd, enum tls_role wr)
{
	struct tls_hooks hooks;

	assert_int_equal(image_locate(lib, image, sizeof(image), &hooks), 0);
	assert_int_equal(hooks.cnt, 2);
	assert_int_equal(hooks.func_cnt, 2);
	assert_int_equal(hooks_find(&hooks, rd)->offset, READ_AT);
	assert_int_equal(hooks_find(&hooks, wr)->offset, WRITE_AT);
}

static void is_refused(const struct tls_ops *lib)
{
	struct tls_hooks hooks;

	assert_int_equal(image_locate(lib, image, sizeof(image), &hooks), -EINVAL);
	assert_int_equal(hooks.cnt, 0);
}

static void is_absent(const struct tls_ops *lib)
{
	struct tls_hooks hooks;

	assert_int_equal(image_locate(lib, image, sizeof(image), &hooks), 0);
	assert_int_equal(hooks.cnt, 0);
}

/* BoringSSL */

static const char source[] = "\0/somewhere/boringssl/ssl/ssl_lib.cc";

#define SOURCE_AT (RODATA + 0x100)
#define SOURCE_ADDR (addr_of(SOURCE_AT) + 1)

/* How the error report passes file, reason and line. */
enum style { ABSOLUTE_EDX, RELATIVE_RCX };

static size_t report(size_t off, enum style style, uint32_t reason, uint32_t line)
{
	if (style == ABSOLUTE_EDX) {
		off = mov(off, 0xba, SOURCE_ADDR);
		off = mov(off, 0xbf, 16);
		off = mov(off, 0xbe, reason);
		off = mov(off, 0xb9, line);
	} else {
		off = mov(off, 0xbf, 16);
		off = mov(off, 0xba, reason);
		off = put_rel(PUT(off, 0x48, 0x8d, 0x0d), SOURCE_ADDR);
		off = PUT(off, 0x31, 0xf6);
		off = put_u32(PUT(off, 0x41, 0xb8), line);
	}
	return call(off, TEXT_ADDR);
}

static void boringssl(enum style style)
{
	start_image();
	put(SOURCE_AT, source, sizeof(source));
	report(prologue(READ_AT) + 16, style, 66, 1043);
	report(prologue(WRITE_AT) + 16, style, 66, 1064);
	report(WRITE_AT + 0x80, style, 111, 1090);
	report(PEEK_AT + 0x80, style, 66, 1748); /* another function, further down in the source */
	call(call(CALLER_AT, addr_of(READ_AT)), addr_of(WRITE_AT));
}

static void boringssl_is_found(void **state)
{
	(void)state;
	boringssl(ABSOLUTE_EDX);
	is_found(&tls_boringssl, TLS_READ, TLS_WRITE);
	boringssl(RELATIVE_RCX);
	is_found(&tls_boringssl, TLS_READ, TLS_WRITE);
	image[SOURCE_AT + sizeof(source) - 2] = '\0'; /* ssl_lib.c */
	is_found(&tls_boringssl, TLS_READ, TLS_WRITE);
	image[SOURCE_AT + sizeof(source) - 2] = 'x';
	is_absent(&tls_boringssl);
	start_image();
	is_absent(&tls_boringssl);
}

/* Functions that fill their 16 bytes have no padding between them: calls tell where they begin. */
static void boringssl_without_padding(void **state)
{
	(void)state;
	boringssl(ABSOLUTE_EDX);
	image[READ_AT - 1] = image[WRITE_AT - 1] = 0xc3;
	is_found(&tls_boringssl, TLS_READ, TLS_WRITE);
	PUT(CALLER_AT, 0x90);
	is_refused(&tls_boringssl);
}

/* An entry of the unwind table that stands for many functions does not hide their beginnings. */
static void boringssl_with_few_unwind_entries(void **state)
{
	const size_t rows[] = { TEXT, CALLER_AT }, inside[] = { TEXT, WRITE_AT + 8 };

	(void)state;
	boringssl(ABSOLUTE_EDX);
	unwind(rows, 2);
	is_found(&tls_boringssl, TLS_READ, TLS_WRITE);
	unwind(inside, 2); /* what begins before an entry cannot go on behind it */
	is_refused(&tls_boringssl);
}

static void boringssl_in_doubt(void **state)
{
	(void)state;
	boringssl(ABSOLUTE_EDX); /* no bad length: which one writes? */
	report(WRITE_AT + 0x80, ABSOLUTE_EDX, 112, 1090);
	is_refused(&tls_boringssl);
	boringssl(ABSOLUTE_EDX); /* nothing below it that could read */
	report(prologue(READ_AT) + 16, ABSOLUTE_EDX, 66, 1070);
	is_refused(&tls_boringssl);
	boringssl(ABSOLUTE_EDX); /* too far away to be SSL_read */
	report(prologue(READ_AT) + 16, ABSOLUTE_EDX, 66, 700);
	is_refused(&tls_boringssl);
	boringssl(ABSOLUTE_EDX); /* another library's errors */
	for (size_t i = TEXT; i < SIZE - 5; i++)
		if (image[i] == 0xbf && image[i + 1] == 16)
			image[i + 1] = 20;
	is_refused(&tls_boringssl);
	boringssl(ABSOLUTE_EDX); /* bad length is told by another function */
	prologue(WRITE_AT + 0x70);
	is_refused(&tls_boringssl);
	boringssl(ABSOLUTE_EDX); /* SSL_peek on its own besides the one in SSL_read */
	report(prologue(PEEK_AT) + 16, ABSOLUTE_EDX, 66, 1043);
	is_refused(&tls_boringssl);
	boringssl(ABSOLUTE_EDX); /* no beginning in front of the report */
	PUT(WRITE_AT, 0xcc, 0xcc, 0xcc, 0xcc);
	is_refused(&tls_boringssl);
}

/* OpenSSL */

#define READ_NAME_AT (RODATA + 0x200)
#define WRITE_NAME_AT (RODATA + 0x280)

/* A report of an error: lea name(%rip), %rdx */
static size_t name_ref(size_t off, size_t name)
{
	return put_rel(PUT(off, 0x48, 0x8d, 0x15), addr_of(name) + 1);
}

static void openssl(bool flags)
{
	const size_t rows[] = { READ_AT, WRITE_AT, WRITE_AT + 0x200, CALLER_AT };

	start_image();
	put(READ_NAME_AT, "\0ssl_read_internal", 19);
	put(WRITE_NAME_AT, "\0ssl_write_internal", 20);
	put(WRITE_NAME_AT + 0x40, "\0my_ssl_write_internal", 23);
	name_ref(name_ref(PUT(READ_AT, 0x41, 0x54) + 9, READ_NAME_AT) + 40, READ_NAME_AT);
	mov(name_ref(PUT(WRITE_AT, 0x41, 0x54) + 9, WRITE_NAME_AT), 0xbe, flags ? 412 : 411);
	call(call(CALLER_AT, addr_of(READ_AT)), addr_of(WRITE_AT));
	unwind(rows, ARRAY_SIZE(rows));
}

static void openssl_is_found(void **state)
{
	(void)state;
	openssl(false);
	is_found(&tls_openssl_static, TLS_READ_EX, TLS_WRITE_EX);
	openssl(true);
	is_found(&tls_openssl_static, TLS_READ_EX, TLS_WRITE_EX2);
	openssl(false);
	mov(WRITE_AT + 0x200, 0xbe, 412); /* in the next function */
	is_found(&tls_openssl_static, TLS_READ_EX, TLS_WRITE_EX);
	mov(name_ref(PUT(WRITE_AT, 0x41, 0x54), WRITE_NAME_AT), 0xba, addr_of(WRITE_NAME_AT) + 1);
	is_found(&tls_openssl_static, TLS_READ_EX, TLS_WRITE_EX);
	start_image();
	is_absent(&tls_openssl_static);
}

static void openssl_in_doubt(void **state)
{
	const size_t rows[] = { READ_AT, CALLER_AT };

	(void)state;
	openssl(false); /* can only read */
	image[WRITE_NAME_AT + 1] = 'S';
	is_refused(&tls_openssl_static);
	openssl(false); /* nobody calls it: a part that was split off */
	PUT(CALLER_AT, 0xe9);
	is_refused(&tls_openssl_static);
	openssl(false); /* two of one name */
	name_ref(READ_AT + 0x100, WRITE_NAME_AT);
	is_refused(&tls_openssl_static);
	openssl(false); /* one for both */
	unwind(rows, 2);
	is_refused(&tls_openssl_static);
	openssl(false); /* no table */
	image[UNWIND] = 2;
	is_refused(&tls_openssl_static);
	openssl(false); /* no code that begins a function */
	PUT(WRITE_AT, 0xc3, 0xcc, 0xcc, 0xcc);
	is_refused(&tls_openssl_static);
}

/* Searches */

/* A string and a reference that lie across the end of a window are found, and found once. */
static void across_windows(void **state)
{
	static unsigned char big[512 << 10];
	const char name[] = "across windows";
	const Elf64_Ehdr *eh = (const void *)image;
	Elf64_Phdr *ph = (void *)(image + sizeof(*eh));
	__u64 got[4];

	(void)state;
	start_image();
	ph[1].p_filesz = ph[1].p_memsz = sizeof(big) - TEXT;
	for (size_t at = (256u << 10) - 100; at < (256u << 10) + 20; at++) {
		_cleanup_close_ int fd = memfd_create("big", MFD_CLOEXEC);
		struct elf_file *f = NULL;
		struct scan_ref refs[4];
		struct scan_calls calls;
		__u64 target = TEXT_ADDR + at;
		int32_t rel = (int32_t)(-50 - 7), back = -20 - 5;

		memset(big, 0xcc, sizeof(big));
		memcpy(big, image, TEXT);
		memcpy(big + TEXT + at, name, sizeof(name));
		memcpy(big + TEXT + at + 50, "\x4c\x8d\x05", 3);
		memcpy(big + TEXT + at + 53, &rel, 4);
		memcpy(big + TEXT + at + 80, "\x41\xb8", 2);
		memcpy(big + TEXT + at + 82, &(uint32_t){ (uint32_t)target }, 4);
		memcpy(big + TEXT + at + 20, "\xe8", 1);
		memcpy(big + TEXT + at + 21, &back, 4);
		assert_int_equal(write(fd, big, sizeof(big)), sizeof(big));
		assert_int_equal(elf_file_new(&f, fd), 0);
		assert_int_equal(scan_bytes(f, name, sizeof(name), got, 4), 1);
		assert_int_equal(got[0], target);
		assert_int_equal(scan_refs(f, &target, 1, refs, 4), 2);
		assert_int_equal(refs[0].reg, 8);
		assert_int_equal(refs[1].reg, 8);
		assert_int_equal(refs[0].addr + refs[1].addr, 2 * target + 130);
		scan_calls_init(&calls, target + 10);
		assert_int_equal(scan_calls(f, &calls, 1), 0);
		assert_true(scan_is_called(&calls, target));
		assert_false(scan_is_called(&calls, target + 1));
		elf_file_free(&f);
	}
}

/* xorshift64: the same damage in each run */
static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Damages headers, the unwind table, strings and code; any answer will do. */
static void hostile(const struct tls_ops *lib)
{
	static const size_t spans[] = { 0, 0, UNWIND, SOURCE_AT, READ_AT, WRITE_AT };
	static unsigned char good[SIZE];
	uint64_t x = 88172645463325252ull;
	struct tls_hooks hooks;

	memcpy(good, image, sizeof(good));
	for (int i = 0; i < ROUNDS; i++) {
		for (uint64_t n = 1 + next(&x) % 3; n; n--) {
			size_t at = spans[next(&x) % ARRAY_SIZE(spans)] + next(&x) % 0xf0;
			uint64_t v = next(&x) >> next(&x) % 64;

			memcpy(image + at, &v, 1 + next(&x) % 8);
		}
		image_locate(lib, image, sizeof(image), &hooks);
		assert_true(hooks.cnt == 0 || hooks.cnt == 2);
		for (size_t k = 0; k < hooks.func_cnt; k++)
			assert_true(hooks.funcs[k].offset < SIZE);
		memcpy(image, good, sizeof(good));
	}
	assert_int_equal(image_locate(lib, image, sizeof(image), &hooks), 0);
	assert_int_equal(hooks.cnt, 2);
}

static void hostile_files(void **state)
{
	const size_t rows[] = { TEXT, CALLER_AT };

	(void)state;
	boringssl(RELATIVE_RCX);
	unwind(rows, 2);
	hostile(&tls_boringssl);
	openssl(true);
	hostile(&tls_openssl_static);
}

/* A file that says of itself that it is huge, and has one segment many times over, is given up. */
static void huge_files(void **state)
{
	_cleanup_close_ int fd = memfd_create("huge", MFD_CLOEXEC);
	struct elf_file *f = NULL;
	struct tls_hooks hooks = { 0 };
	Elf64_Phdr *ph = (void *)(image + sizeof(Elf64_Ehdr));

	(void)state;
	openssl(false);
	ph[1].p_filesz = ph[1].p_memsz = 2 * SCAN_BYTES;
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	assert_int_equal(ftruncate(fd, (off_t)(3 * SCAN_BYTES)), 0);
	assert_int_equal(elf_file_new(&f, fd), 0);
	assert_int_equal(tls_openssl_static.locate(f, &hooks), -EINVAL);
	elf_file_free(&f);
}

#define BIG (400 << 20)

static long peak_kb(void)
{
	struct rusage used;

	assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
	return used.ru_maxrss;
}

/* 400 MB of code, in a sparse file: never in memory as a whole. */
static void big_file(void **state)
{
	_cleanup_close_ int fd = memfd_create("big", MFD_CLOEXEC);
	Elf64_Phdr *ph = (void *)(image + sizeof(Elf64_Ehdr));
	struct elf_file *f = NULL;
	struct tls_hooks hooks = { 0 };
	long before = peak_kb();

	(void)state;
	boringssl(RELATIVE_RCX);
	ph[1].p_filesz = ph[1].p_memsz = BIG - TEXT;
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	assert_int_equal(ftruncate(fd, BIG), 0);
	assert_int_equal(elf_file_new(&f, fd), 0);
	assert_int_equal(tls_boringssl.locate(f, &hooks), 0);
	elf_file_free(&f);
	assert_int_equal(hooks_find(&hooks, TLS_READ)->offset, READ_AT);
	assert_int_equal(hooks_find(&hooks, TLS_WRITE)->offset, WRITE_AT);
	assert_true(peak_kb() - before < 16 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boringssl_is_found),
		cmocka_unit_test(boringssl_without_padding),
		cmocka_unit_test(boringssl_with_few_unwind_entries),
		cmocka_unit_test(boringssl_in_doubt),
		cmocka_unit_test(openssl_is_found),
		cmocka_unit_test(openssl_in_doubt),
		cmocka_unit_test(across_windows),
		cmocka_unit_test(hostile_files),
		cmocka_unit_test(huge_files),
		cmocka_unit_test(big_file),
	};

	log_set_level(LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
