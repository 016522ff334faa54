/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is freed all at once: parsed data lives in the arena of its message, so parsers free
 * nothing.  max bounds what it hands out (0 = no bound); over it, or out of memory, arena_alloc gives
 * NULL and arena_failed() stays true.
 */
#ifndef RINGSPAN_ARENA_H
#define RINGSPAN_ARENA_H

#include <string.h>
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used, max;
	bool failed;
};

#define _cleanup_arena_ __attribute__((cleanup(arena_fini)))

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned to 16 */
struct sv arena_dup(struct arena *a,
		    struct sv s); /* copy with a NUL behind it; {NULL, 0} on failure */
__attribute__((format(printf, 2, 3))) struct sv arena_fmt(struct arena *a, const char *fmt, ...);
bool arena_failed(const struct arena *a);

#endif
