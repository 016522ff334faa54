/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares what the parsers found in an exchange with what its expectation says, field by field, and
 * counts by API.  A field is judged when the expectation has its key.  null, "" and [] are equal.
 * An API passes with 99 % of its fields right, one of few exchanges with 97 %.
 */
#ifndef RINGSPAN_TESTS_CORPUS_SCORE_H
#define RINGSPAN_TESTS_CORPUS_SCORE_H

#include "base/json.h"

#define SCORE_FIELDS 24
#define SCORE_APIS 64
#define SCORE_PASS 99.0
#define SCORE_PASS_FEW 97.0
#define SCORE_FEW 20 /* exchanges, at most */

struct score_row {
	char api[48];
	size_t exchanges;
	size_t right[SCORE_FIELDS], judged[SCORE_FIELDS];
};

struct score {
	struct score_row rows[SCORE_APIS];
	size_t row_cnt;
	size_t differences, show; /* show: how many differences are printed */
};

/* name: of the exchange, for messages.  found may be NULL: nothing claimed it. */
void score_add(struct score *s, const char *name, struct sv api, const struct json *expected,
	       const struct json *found);
/* Prints both tables, the APIs that fail, and the total as the last line.  Whether all APIs pass. */
bool score_report(const struct score *s);

#endif
