/* SPDX-License-Identifier: BSD-2-Clause */
/* For parser tests: numbers that are the same in every run, and memory that ends at a guard page. */
#ifndef RINGSPAN_TEST_HOSTILE_H
#define RINGSPAN_TEST_HOSTILE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators") */
static inline uint64_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* 0 .. below-1 */
static inline size_t rnd_below(uint64_t *state, size_t below)
{
	return (rnd(state) >> 16) % below;
}

struct guard {
	char *map;
	size_t size; /* readable bytes; the page behind them is not */
};

static inline void guard_init(struct guard *g, size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	g->size = (size + page - 1) / page * page;
	g->map = mmap(NULL, g->size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (g->map == MAP_FAILED || mprotect(g->map + g->size, page, PROT_NONE))
		abort();
}

static inline void guard_fini(struct guard *g)
{
	munmap(g->map, g->size + sysconf(_SC_PAGESIZE));
}

/* A copy that ends where the guard page begins. */
static inline struct sv guard_put(struct guard *g, struct sv bytes)
{
	char *p = g->map + g->size - bytes.n;

	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	return (struct sv){ p, bytes.n };
}

#endif
