// SPDX-License-Identifier: BSD-2-Clause
/* Bump allocator over blocks that double in size: see arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN 1024
#define BLOCK_MAX (1u << 20)
#define ALIGN 16

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void arena_fini(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	*a = (struct arena){ .max = a->max };
}

static struct arena_block *grow(struct arena *a, size_t n)
{
	size_t size = a->blocks ? a->blocks->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < n)
		size = n;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->next = a->blocks;
	b->used = 0;
	b->size = size;
	a->blocks = b;
	return b;
}

static void *take(struct arena *a, size_t n)
{
	struct arena_block *b = a->blocks;
	size_t rounded;
	void *p;

	if (__builtin_add_overflow(n, ALIGN - 1, &rounded))
		goto fail;
	rounded &= ~(size_t)(ALIGN - 1);
	if (a->max && (rounded > a->max || a->used > a->max - rounded))
		goto fail;
	if (!b || b->size - b->used < rounded)
		b = grow(a, rounded);
	if (!b)
		goto fail;
	p = b->data + b->used;
	b->used += rounded;
	a->used += rounded;
	return p;
fail:
	a->failed = true;
	return NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = take(a, n);

	return p ? memset(p, 0, n) : NULL;
}

struct sv arena_dup(struct arena *a, struct sv s)
{
	char *p = s.n < SIZE_MAX ? take(a, s.n + 1) : NULL;

	if (!p)
		return (struct sv){ NULL, 0 };
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct sv){ p, s.n };
}

struct sv arena_fmt(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : take(a, (size_t)n + 1);
	if (!p)
		return (struct sv){ NULL, 0 };
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct sv){ p, (size_t)n };
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}
