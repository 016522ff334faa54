/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing byte buffer.  Every append may fail with -ENOMEM, or with -E2BIG when the buffer has a
 * bound (max, 0 = none) and would go over it; the buffer is then unchanged and `err` remembers it,
 * so that a run of appends needs one check at its end.
 */
#ifndef RINGSPAN_BUF_H
#define RINGSPAN_BUF_H

#include "base/str.h"

struct buf {
	char *p;
	size_t len, cap, max;
	int err;
};

#define BUF_INIT  \
	{         \
		0 \
	}
#define _cleanup_buf_ __attribute__((cleanup(buf_fini)))

void buf_fini(struct buf *b);
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *p, size_t n);
int buf_sv(struct buf *b, struct sv s);
int buf_str(struct buf *b, const char *cstr);
int buf_ch(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) int buf_fmt(struct buf *b, const char *fmt, ...);
void buf_drop(struct buf *b, size_t n); /* removes the first n bytes */
void buf_clear(struct buf *b);          /* empties, keeps the memory */
struct sv buf_view(const struct buf *b);
const char *buf_cstr(struct buf *b); /* NUL-terminated view; "" when out of memory */

#endif
