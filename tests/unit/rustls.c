// SPDX-License-Identifier: BSD-2-Clause
/*
 * rustls in executables made here byte by byte: found by either kind of relocation, whatever the
 * compiler did with the code; refusal where there is doubt, and no harm from files that are broken.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/reloc.h"
#include "probe/tls.h"
#include "../image.h"

extern const struct tls_ops tls_rustls;

#define BASE 0x10000 /* address - offset in the file */
#define CODE_AT 0x1000
#define TEXT_AT 0x2000
#define RELA_AT 0x2800
#define DATA_AT 0x3000
#define DYNAMIC_AT 0x3800
#define SIZE 0x4000
#define SLOT 64 /* bytes of a function */
#define ROUNDS 20000

enum {
	DROP,
	LEN,
	LEN_FRAMED,
	ENCRYPT,
	ENCRYPT_SMALL,
	DECRYPT,
	DECRYPT_CALLS,
	RESULT,
	OTHER,
	FUNCS
};

struct image {
	unsigned char b[SIZE];
	size_t rela_cnt;
};

#define PATH \
	"/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/rustls-0.23.46/src/crypto/cipher.rs"

static const struct {
	const char *code;
	size_t n;
} funcs[FUNCS] = {
#define CODE(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
	[DROP] = CODE("\x53\xc3"),
	[LEN] = CODE("\x48\x8d\x46\x11\xc3"),
	[LEN_FRAMED] = CODE("\x55\x48\x89\xe5\x48\x8d\x46\x18\x5d\xc3"),
	/* push; mov 0x10(%rdx), %rax; mov 0x18(%rdx), %rbp; sub; cmpq $0, (%rdx); pop; ret */
	[ENCRYPT] =
		CODE("\x55\x48\x8b\x42\x10\x48\x8b\x6a\x18\x48\x29\xc5\x48\x83\x3a\x00\x5d\xc3"),
	/* push; mov %rdx, %r12; cmpq $0, (%rdx); je; mov 0x18(%r12), %r15; sub 0x10(%r12), %r15; jmp;
	   mov 0x10(%r12), %r15; ret */
	[ENCRYPT_SMALL] =
		CODE("\x55\x49\x89\xd4\x48\x83\x3a\x00\x74\x0c\x4d\x8b\x7c\x24\x18\x4d\x2b\x7c"
		     "\x24\x10\xeb\x05\x4d\x8b\x7c\x24\x10\xc3"),
	/* push; mov 8(%rdx), %r14; mov $6, %bpl; cmp $0x18, %r14; jb; mov $0x16, %bpl; mov %bpl, (%rdi);
	   ret */
	[DECRYPT] =
		CODE("\x55\x4c\x8b\x72\x08\x40\xb5\x06\x49\x83\xfe\x18\x72\x03\x40\xb5\x16\x40\x88"
		     "\x2f\xc3"),
	/* push; mov 8(%rdx), %r15; cmp $0x10, %r15; jae; movb $6, (%rdi); ret; call RESULT; ret */
	[DECRYPT_CALLS] =
		CODE("\x55\x4c\x8b\x7a\x08\x49\x83\xff\x10\x73\x04\xc6\x07\x06\xc3\xe8\x2c\0\0\0"
		     "\xc3"),
	[RESULT] = CODE("\xc6\x07\x16\xc3"),
	/* not a decrypter: another length */
	[OTHER] = CODE("\x55\x4c\x8b\x72\x08\x49\x83\xfe\x20\x72\x03\xc6\x07\x16\xc3"),
#undef CODE
};

static uint64_t func_addr(int func)
{
	return BASE + CODE_AT + func * SLOT;
}

static void put64(struct image *im, size_t at, uint64_t v)
{
	memcpy(im->b + at, &v, sizeof(v));
}

/* A word of the data that is an address. */
static void put_pointer(struct image *im, size_t at, uint64_t v, bool rela)
{
	Elf64_Rela r = { BASE + at, ELF64_R_INFO(0, R_X86_64_RELATIVE), (int64_t)v };

	if (!rela) {
		put64(im, at, v);
		return;
	}
	memcpy(im->b + RELA_AT + im->rela_cnt++ * sizeof(r), &r, sizeof(r));
}

static size_t put_vtable(struct image *im, size_t at, uint64_t size, const int *methods, size_t cnt,
			 bool rela)
{
	put_pointer(im, at, func_addr(DROP), rela);
	put64(im, at + 8, size);
	put64(im, at + 16, 8);
	for (size_t i = 0; i < cnt; i++)
		put_pointer(im, at + 24 + 8 * i, func_addr(methods[i]), rela);
	return at + 24 + 8 * cnt;
}

static void put_segment(Elf64_Phdr *ph, uint32_t type, uint32_t flags, uint64_t off, uint64_t size)
{
	*ph = (Elf64_Phdr){ .p_type = type,
			    .p_flags = flags,
			    .p_offset = off,
			    .p_vaddr = BASE + off,
			    .p_filesz = size,
			    .p_memsz = size };
}

static void put_headers(struct image *im)
{
	Elf64_Ehdr *eh = (void *)im->b;
	Elf64_Phdr *ph = (void *)(im->b + sizeof(*eh));

	memcpy(eh->e_ident, ELFMAG, SELFMAG);
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_ident[EI_DATA] = ELFDATA2LSB;
	eh->e_ident[EI_VERSION] = eh->e_version = EV_CURRENT;
	eh->e_type = ET_DYN;
	eh->e_machine = EM_X86_64;
	eh->e_ehsize = sizeof(*eh);
	eh->e_phoff = sizeof(*eh);
	eh->e_phentsize = sizeof(*ph);
	eh->e_phnum = 4;
	put_segment(&ph[0], PT_LOAD, PF_R | PF_X, CODE_AT, TEXT_AT - CODE_AT);
	put_segment(&ph[1], PT_LOAD, PF_R, TEXT_AT, DATA_AT - TEXT_AT);
	put_segment(&ph[2], PT_LOAD, PF_R | PF_W, DATA_AT, SIZE - DATA_AT);
	put_segment(&ph[3], PT_DYNAMIC, PF_R | PF_W, DYNAMIC_AT, 0x100);
}

static void image_make(struct image *im, bool rela)
{
	Elf64_Dyn dyn[3] = { { DT_RELA, { BASE + RELA_AT } } };
	size_t at = DATA_AT + 16;

	memset(im, 0, sizeof(*im));
	put_headers(im);
	memset(im->b + CODE_AT, 0xcc, TEXT_AT - CODE_AT);
	for (int i = 0; i < FUNCS; i++)
		memcpy(im->b + CODE_AT + i * SLOT, funcs[i].code, funcs[i].n);
	memcpy(im->b + TEXT_AT + 128, PATH, sizeof(PATH) - 1);
	at = put_vtable(im, at, 40, (int[]){ DECRYPT }, 1, rela);
	at = put_vtable(im, at, 48, (int[]){ ENCRYPT, LEN }, 2, rela);
	at = put_vtable(im, at, 24, (int[]){ OTHER, OTHER }, 2, rela);
	at = put_vtable(im, at, 560, (int[]){ DECRYPT_CALLS, DROP }, 2, rela);
	at = put_vtable(im, at, 560, (int[]){ ENCRYPT_SMALL, LEN_FRAMED }, 2, rela);
	put_vtable(im, at, 48, (int[]){ ENCRYPT, LEN }, 2, rela); /* once more */
	dyn[1] = (Elf64_Dyn){ DT_RELASZ, { im->rela_cnt * sizeof(Elf64_Rela) } };
	if (rela)
		memcpy(im->b + DYNAMIC_AT, dyn, sizeof(dyn));
}

static void check_site(const struct tls_hooks *hooks, size_t i, const char *prog, int func,
		       bool ret)
{
	assert_string_equal(hooks->sites[i].prog, prog);
	assert_int_equal(hooks->sites[i].offset, CODE_AT + func * SLOT);
	assert_int_equal(hooks->sites[i].ret, ret);
}

static void both_relocations(void **state)
{
	struct tls_hooks hooks;
	struct image im;

	(void)state;
	for (int rela = 0; rela < 2; rela++) {
		image_make(&im, rela);
		assert_int_equal(image_locate(&tls_rustls, im.b, SIZE, &hooks), 0);
		assert_int_equal(hooks.cnt, 4);
		assert_int_equal(hooks.site_cnt, 6);
		check_site(&hooks, 0, "rustls_decrypt_exit", DECRYPT, true);
		check_site(&hooks, 1, "rustls_decrypt_exit", DECRYPT_CALLS, true);
		check_site(&hooks, 2, "rustls_decrypt_enter", DECRYPT, false);
		check_site(&hooks, 3, "rustls_decrypt_enter", DECRYPT_CALLS, false);
		check_site(&hooks, 4, "rustls_encrypt", ENCRYPT, false);
		check_site(&hooks, 5, "rustls_encrypt", ENCRYPT_SMALL, false);
	}
}

static void other_programs_are_left_alone(void **state)
{
	static const char *const names[] = { "src/crypto/cipher.rx", "src/crypto/cophers.rs" };
	struct tls_hooks hooks;
	struct image im;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		image_make(&im, true);
		memcpy(im.b + TEXT_AT + 128 + sizeof(PATH) - 1 - strlen(names[i]), names[i],
		       strlen(names[i]));
		assert_int_equal(image_locate(&tls_rustls, im.b, SIZE, &hooks), 0);
		assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
	}
	image_make(&im, true); /* another crate's */
	memcpy(strstr((char *)im.b + TEXT_AT + 128, "rustls"), "trustx", 6);
	assert_int_equal(image_locate(&tls_rustls, im.b, SIZE, &hooks), 0);
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
		{ CODE_AT + DECRYPT * SLOT + 16, "\x17", 1 },   /* another number is Ok */
		{ CODE_AT + RESULT * SLOT + 2, "\x15", 1 },     /* in what is called too */
		{ CODE_AT + RESULT * SLOT, "\xeb\xfe\xc3", 3 }, /* a loop */
		{ CODE_AT + DECRYPT * SLOT, "\xf4", 1 },        /* no beginning of a function */
		{ CODE_AT + ENCRYPT * SLOT, "\xf4", 1 },
		{ CODE_AT + DECRYPT * SLOT, "\xf0", 1 }, /* no instruction: a cipher is not whole */
		{ CODE_AT + LEN * SLOT + 3, "\x12", 1 }, /* likewise: records of another size */
		{ CODE_AT + ENCRYPT * SLOT, "\xf0", 1 },
		{ DYNAMIC_AT + 24, "\xff\xff\xff\xff\xff\x7f",
		  6 },                                     /* more relocations than can be */
		{ DYNAMIC_AT + 24, "\x00\xf0", 2 },        /* that end behind the file */
		{ DYNAMIC_AT + 8, "\xff\xff\xff\xff", 4 }, /* that are nowhere */
		{ DYNAMIC_AT + 24, "\x18", 2 },            /* all but one cut off */
	};
	enum log_level level = log_get_level();

	(void)state;
	log_set_level(LOG_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		struct tls_hooks hooks;
		struct image im;

		image_make(&im, true);
		memcpy(im.b + of[i].at, of[i].bytes, of[i].n);
		assert_int_equal(image_locate(&tls_rustls, im.b, SIZE, &hooks), -EINVAL);
		assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
	}
	log_set_level(level);
}

/* As many vtables as fit, all of different functions: more than any rustls has. */
static void a_flood_is_refused(void **state)
{
	enum log_level level = log_get_level();
	struct tls_hooks hooks;
	struct image im;
	size_t at = DATA_AT;

	(void)state;
	log_set_level(LOG_NONE);
	image_make(&im, false);
	for (int i = 0; i < 40; i++) {
		size_t code = CODE_AT + 0x400 + i * SLOT;

		memcpy(im.b + code, funcs[DECRYPT].code, funcs[DECRYPT].n);
		at = put_vtable(&im, at, 40, (int[]){ (int)((code - CODE_AT) / SLOT) }, 1, false);
	}
	assert_int_equal(image_locate(&tls_rustls, im.b, SIZE, &hooks), -EINVAL);
	assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
	log_set_level(level);
}

/* A file that claims more data than any program has costs nothing. */
static void size_is_bounded(void **state)
{
	_cleanup_close_ int fd = memfd_create("rustls", MFD_CLOEXEC);
	struct elf_file *f = NULL;
	struct reloc_data d;
	struct image im;
	Elf64_Phdr *ph = (void *)(im.b + sizeof(Elf64_Ehdr));

	(void)state;
	image_make(&im, true);
	ph[2].p_filesz = ph[2].p_memsz = RELOC_DATA_MAX + 8;
	assert_int_equal(write(fd, im.b, SIZE), SIZE);
	assert_int_equal(ftruncate(fd, RELOC_DATA_MAX + SIZE), 0);
	assert_int_equal(elf_file_new(&f, fd), 0);
	assert_int_equal(reloc_data_init(&d, f), -EFBIG);
	assert_int_equal(d.cnt, 0);
	reloc_data_fini(&d);
	elf_file_free(&f);
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

		image_make(&im, i % 2);
		for (int n = rand_r(&seed) % 6; n >= 0; n--) {
			static const size_t from[] = { 0,       CODE_AT, TEXT_AT + 128,
						       RELA_AT, DATA_AT, DYNAMIC_AT };
			size_t at = from[rand_r(&seed) % ARRAY_SIZE(from)] + rand_r(&seed) % 400;

			im.b[at] = rand_r(&seed) % 3 ? rand_r(&seed) : 0xff;
		}
		if (image_locate(&tls_rustls, im.b, size, &hooks))
			assert_int_equal(hooks.cnt + hooks.site_cnt, 0);
		for (size_t s = 0; s < hooks.site_cnt; s++)
			assert_true(hooks.sites[s].offset < size);
	}
	log_set_level(level);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_relocations), cmocka_unit_test(other_programs_are_left_alone),
		cmocka_unit_test(doubt_is_refused), cmocka_unit_test(a_flood_is_refused),
		cmocka_unit_test(size_is_bounded),  cmocka_unit_test(broken_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
