/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conversations of one run, found by what a request may continue one of them by, so that it does
 * not matter how many there are.
 */
#ifndef RINGSPAN_SPAN_CHAINS_H
#define RINGSPAN_SPAN_CHAINS_H

#include "span/chain.h"

struct chains {
	struct index by; /* (evidence, hash) -> struct chain, the one heard of last behind */
	struct phrases summaries;
	struct chain *first, *last; /* by birth */
	uint64_t born;
};

void chains_fini(struct chains *cs); /* all have left */
void chains_enter(struct chains *cs, struct chain *ch, void *of);
void chains_leave(struct chains *cs, struct chain *ch);
/* Before and after chain_advance() and chain_answer(): what it is found by changes. */
void chains_hide(struct chains *cs, struct chain *ch);
void chains_show(struct chains *cs, struct chain *ch);
void chains_touch(struct chain *ch, uint64_t ts); /* it was heard of then */
bool chains_before(const void *a, const void *b); /* chain a was heard of before chain b */

/* Of one whose latest request has no answer: does it wait for that, so that this is another's? */
typedef bool (*chains_busy_fn)(void *ctx, const struct chain *ch);

/*
 * The chain that the request continues, by the strongest evidence; of several the one that was heard of
 * last.  NULL: none.
 */
struct chain *chains_find(const struct chains *cs, const struct chain_request *q,
			  chains_busy_fn busy, void *ctx, enum chain_step *step);

#endif
