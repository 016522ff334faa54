// SPDX-License-Identifier: BSD-2-Clause
/* Growing byte buffer: see buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

static int fail(struct buf *b, int err)
{
	if (!b->err)
		b->err = err;
	return err;
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t want, cap = b->cap ? b->cap : 256;
	char *p;

	if (__builtin_add_overflow(b->len, more, &want) || (b->max && want > b->max))
		return fail(b, -E2BIG);
	if (want <= b->cap)
		return 0;
	while (cap < want && cap <= SIZE_MAX / 2)
		cap *= 2;
	if (cap < want)
		return fail(b, -ENOMEM);
	p = realloc(b->p, cap);
	if (!p)
		return fail(b, -ENOMEM);
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	int err = buf_reserve(b, n);

	if (err || !n)
		return err;
	memcpy(b->p + b->len, p, n);
	b->len += n;
	return 0;
}

int buf_sv(struct buf *b, struct sv s)
{
	return buf_add(b, s.p, s.n);
}

int buf_str(struct buf *b, const char *cstr)
{
	return buf_sv(b, sv(cstr));
}

int buf_ch(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, err;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return fail(b, -EINVAL);
	err = buf_reserve(b, (size_t)n);
	if (err)
		return err;
	/* the NUL of vsnprintf needs a byte beyond max, so print into spare memory */
	if (b->cap - b->len < (size_t)n + 1) {
		char *p = realloc(b->p, b->len + n + 1);

		if (!p)
			return fail(b, -ENOMEM);
		b->p = p;
		b->cap = b->len + n + 1;
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
	return 0;
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	if (n)
		memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->err = 0;
}

struct sv buf_view(const struct buf *b)
{
	return (struct sv){ b->p, b->len };
}

const char *buf_cstr(struct buf *b)
{
	if (b->len == b->cap) {
		char *p = realloc(b->p, b->len + 1);

		if (!p)
			return "";
		b->p = p;
		b->cap = b->len + 1;
	}
	b->p[b->len] = '\0';
	return b->p;
}
