/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of a message while it is gathered: its beginning and, of one that is larger than is kept, its end, as
 * a model's usage comes last.  All bodies of a trace share a budget of memory: when that is spent, what
 * comes is kept with little of its end, and when it is spent twice, not at all.
 */
#ifndef RINGSPAN_SPAN_GATHER_H
#define RINGSPAN_SPAN_GATHER_H

#include <stdbool.h>
#include "base/buf.h"

/* Of all bodies together. */
struct gather_budget {
	uint64_t max;
	uint64_t used; /* memory that is held now */
	uint64_t cut;  /* bytes, ever, that were left out of any body */
};

struct gather {
	struct buf text; /* the beginning; after gather_close() all that is kept */
	struct buf end;  /* a ring of its size, */
	size_t end_max;
	uint64_t end_at; /* ... of all bytes that ever came to it */
	uint64_t cut;    /* bytes that were left out; final after gather_close() */
	uint64_t charged;
	bool closed;
};

void gather_fini(struct gather *k, struct gather_budget *b);
/* max: of the body; end: of that, for its end.  With end 0 the beginning alone is kept. */
void gather_add(struct gather *k, struct gather_budget *b, struct sv bytes, size_t max, size_t end);
/* n bytes of the body are missing: that is said in the text. */
void gather_hole(struct gather *k, struct gather_budget *b, uint64_t n);
/*
 * The body is whole: what was left out is said in the middle of the text, in words that no JSON text holds
 * but inside of a string.  Bytes left out: k->cut.
 */
void gather_close(struct gather *k, struct gather_budget *b);
bool gather_is_cut(const struct gather *k);

#endif
