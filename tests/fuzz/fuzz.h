/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets share.  Adding one: a file that defines fuzz_NAME, and one line in fuzz.def; of
 * a parser that has a driver in tests/case one line in stream.c will do.  What is in a registry of the
 * program (sem.def, rpc.def, tls.def, sink.def) needs nothing: a target takes it from there.
 *
 * An input is pieces, so that one can hold a request, its answer, and what came before it; MARK and
 * one byte, which says what the piece is, stand before each, and may be left out before the first.  That
 * survives what a fuzzer does to inputs better than lengths would.
 */
#ifndef RINGSPAN_FUZZ_H
#define RINGSPAN_FUZZ_H

#include "base/buf.h"
#include "base/str.h"

#define FUZZ_MARK \
	"\xff"    \
	"FZ"
#define FUZZ_MARK_LEN 3

struct fuzz_target {
	const char *name;
	void (*run)(struct sv input);
	/* Changes p[0..n) in place, to max bytes at most; how many there are then.  May be NULL. */
	size_t (*mutate)(char *p, size_t n, size_t max, unsigned int seed);
};

/* The next piece and what it is; false at the end.  Without a mark in front it is a '>'. */
bool fuzz_piece(struct sv *rest, char *what, struct sv *piece);
/* The byte that an input begins with, which chooses something; 0 at its end. */
unsigned int fuzz_byte(struct sv *input);
/* Calls fn with the bytes, in memory of their own size, so that a read beyond them is seen. */
void fuzz_exact(struct sv bytes, void (*fn)(void *ctx, struct sv bytes), void *ctx);
/* A file that holds the bytes, as a descriptor. */
int fuzz_file(struct sv bytes);

/* Something that was promised is not so: this input is a finding. */
__attribute__((format(printf, 1, 2), noreturn)) void fuzz_fail(const char *fmt, ...);
#define fuzz_assert(cond)                                                          \
	do {                                                                       \
		if (!(cond))                                                       \
			fuzz_fail("%s:%d: not so: %s", __FILE__, __LINE__, #cond); \
	} while (0)

/* Of libFuzzer: changes bytes at random, or as what it has seen suggests. */
size_t LLVMFuzzerMutate(uint8_t *p, size_t n, size_t max);

#endif
