/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS messages made by hand, RFC 1035 4.1. */
#ifndef RINGSPAN_TEST_DNS_H
#define RINGSPAN_TEST_DNS_H

#include "base/buf.h"

#define DNS_QUESTION_AT "\xc0\x0c" /* a pointer to the name of the question */

static inline void put16(struct buf *b, unsigned int v)
{
	buf_ch(b, (char)(v >> 8));
	buf_ch(b, (char)v);
}

/* "a.b" as labels; "" is the root. */
static inline void put_labels(struct buf *b, const char *name)
{
	struct sv rest = sv(name);

	while (rest.n) {
		struct sv label = sv_token(&rest, '.');

		buf_ch(b, (char)label.n);
		buf_sv(b, label);
	}
	buf_ch(b, 0);
}

/* Header and question; flags: 0x8180 is an answer without an error. */
static inline void put_question(struct buf *b, unsigned int id, unsigned int flags,
				const char *name, unsigned int type, unsigned int answers)
{
	put16(b, id);
	put16(b, flags);
	put16(b, 1);
	put16(b, answers);
	put16(b, 0);
	put16(b, 0);
	put_labels(b, name);
	put16(b, type);
	put16(b, 1);
}

/* owner: as it is on the wire. */
static inline void put_record(struct buf *b, struct sv owner, unsigned int type, struct sv data)
{
	buf_sv(b, owner);
	put16(b, type);
	put16(b, 1);
	put16(b, 0);
	put16(b, 300);
	put16(b, (unsigned int)data.n);
	buf_sv(b, data);
}

#endif
