/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What two runs have in common.  Turns, model calls and tool calls are aligned in the order in which
 * they began: first those with the same content (a turn's input, a tool's name and arguments, a
 * call's model), then those of the same kind and name, so that as much as possible has a partner.
 * A pure function of the spans.
 */
#ifndef RINGSPAN_DIFF_H
#define RINGSPAN_DIFF_H

#include "span/span.h"

struct diff_totals {
	int64_t turns, model_calls, tool_calls, errors;
	int64_t input_tokens, output_tokens;
	double cost_usd; /* NaN: no call has a price */
	uint64_t ns;     /* of the run, else from its first span to its last */
};

struct diff_item {
	char span_id[HEX64];
	enum span_what what;
	struct sv name, detail;              /* detail: input, arguments or result, clipped */
	uint64_t start_ns, ns;               /* start: Unix time */
	int64_t input_tokens, output_tokens; /* -1: none */
	double cost_usd;                     /* NaN: none */
	bool failed;
	uint64_t content, label; /* hashes of what it is aligned by: all, and kind and name */
};

struct diff_side {
	struct arena arena;
	struct diff_item *items;
	size_t cnt, cap;
	struct diff_totals totals;
	uint64_t first, last; /* Unix ns */
	bool has_run;
};

void diff_side_init(struct diff_side *s);
void diff_side_fini(struct diff_side *s);
/* Takes what it needs of a span, which should have its payloads.  0 or -ENOMEM. */
int diff_side_add(struct diff_side *s, const struct span *sp);

/* Same: content, tokens, cost and failure are; time never is and does not count. */
enum diff_how { DIFF_SAME, DIFF_CHANGED, DIFF_ONLY_A, DIFF_ONLY_B };

/* a or b is NULL where only the other run has it.  Not 0 stops and is returned. */
typedef int (*diff_fn)(void *ctx, enum diff_how how, const struct diff_item *a,
		       const struct diff_item *b);
/*
 * Calls fn for each pair, in order.  Sorts both sides first.  Of longer runs than
 * DIFF_CELLS_MAX allows, after what is the same at both ends, what is between is paired by position.
 */
#define DIFF_CELLS_MAX (4u << 20)
int diff_align(struct diff_side *a, struct diff_side *b, diff_fn fn, void *ctx);

/* All but time. */
bool diff_same_totals(const struct diff_totals *a, const struct diff_totals *b);

#endif
