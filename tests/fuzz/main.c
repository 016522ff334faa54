// SPDX-License-Identifier: BSD-2-Clause
/*
 * One program for all targets of fuzz.def: its first argument is a target's name, what follows is
 * libFuzzer's (-help=1).  Without one it lists them.
 */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define TARGET_ENV "RINGSPAN_FUZZ_TARGET" /* for the processes that libFuzzer starts */

#define FUZZ(name) extern const struct fuzz_target fuzz_##name;
#include "fuzz.def"
#undef FUZZ

static const struct fuzz_target *const targets[] = {
#define FUZZ(name) &fuzz_##name,
#include "fuzz.def"
#undef FUZZ
};

static const struct fuzz_target *target;

bool fuzz_piece(struct sv *rest, char *what, struct sv *piece)
{
	static const struct sv mark = { FUZZ_MARK, FUZZ_MARK_LEN };
	long next;

	if (!rest->n)
		return false;
	*what = '>';
	if (sv_eq(sv_sub(*rest, 0, FUZZ_MARK_LEN), mark)) {
		*rest = sv_sub(*rest, FUZZ_MARK_LEN, SIZE_MAX);
		*what = (char)fuzz_byte(rest);
	}
	next = sv_find(*rest, mark);
	*piece = sv_sub(*rest, 0, next < 0 ? rest->n : (size_t)next);
	*rest = sv_sub(*rest, piece->n, SIZE_MAX);
	return true;
}

unsigned int fuzz_byte(struct sv *input)
{
	unsigned int byte = input->n ? (unsigned char)input->p[0] : 0;

	*input = sv_sub(*input, 1, SIZE_MAX);
	return byte;
}

void fuzz_exact(struct sv bytes, void (*fn)(void *ctx, struct sv bytes), void *ctx)
{
	char *copy = malloc(bytes.n ? bytes.n : 1);

	if (!copy)
		fuzz_fail("out of memory");
	if (bytes.n)
		memcpy(copy, bytes.p, bytes.n);
	fn(ctx, (struct sv){ copy, bytes.n });
	free(copy);
}

int fuzz_file(struct sv bytes)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || (bytes.n && write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n))
		fuzz_fail("no file in memory can be made");
	return fd;
}

void fuzz_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "fuzz %s: ", target->name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

static const struct fuzz_target *find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i]->name, name))
			return targets[i];
	return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *p, size_t n, size_t max, unsigned int seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_set_level(LOG_NONE);
	target = find(getenv(TARGET_ENV));
	if (!target && *argc > 1) {
		target = find((*argv)[1]);
		(*argv)[1] = (*argv)[0];
		++*argv;
		--*argc;
	}
	if (!target) {
		for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
			puts(targets[i]->name);
		exit(*argc > 1 ? 2 : 0);
	}
	setenv(TARGET_ENV, target->name, 1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	target->run((struct sv){ (const char *)p, n });
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *p, size_t n, size_t max, unsigned int seed)
{
	if (target->mutate)
		return target->mutate((char *)p, n, max, seed);
	return LLVMFuzzerMutate(p, n, max);
}
