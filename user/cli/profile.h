/* SPDX-License-Identifier: BSD-2-Clause */
/* What `ringspan profile` prints. */
#ifndef RINGSPAN_CLI_PROFILE_H
#define RINGSPAN_CLI_PROFILE_H

#include <stdio.h>
#include "analysis/profile.h"

/* Folded stacks as flamegraph.pl reads them: names from the outermost, with ';' between, and a count. */
int profile_print_folded(const struct profile_sum *p, FILE *out);
/* Functions by samples of their own; at most `rows` of them (0: all). */
int profile_print_table(const struct profile_sum *p, unsigned int rows, unsigned int columns,
			bool colour, FILE *out);
/* The same, with the stacks, as one JSON object. */
int profile_print_json(const struct profile_sum *p, const char *by, unsigned int rows, FILE *out);

#endif
