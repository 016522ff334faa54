/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares what the parsers found in an exchange with what its expectation says, field by field, and
 * counts by API.  A field is judged when the expectation has its key.  null, "" and [] are equal.
 */
#ifndef RINGSPAN_TESTS_CORPUS_SCORE_H
#define RINGSPAN_TESTS_CORPUS_SCORE_H

#include "base/json.h"

#define SCORE_FIELDS 24
#define SCORE_APIS 16

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
/* Prints both tables and the total as the last line.  The share of right core fields, in percent. */
double score_report(const struct score *s);

#endif
