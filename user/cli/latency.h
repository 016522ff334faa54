/* SPDX-License-Identifier: BSD-2-Clause */
/* What `ringspan latency` prints. */
#ifndef RINGSPAN_CLI_LATENCY_H
#define RINGSPAN_CLI_LATENCY_H

#include <stdio.h>
#include "analysis/latency.h"

struct latency_how {
	const char *by;    /* title of the first column, in JSON what rows are */
	unsigned int rows; /* at most so many; 0: all */
	bool histogram, heatmap, json;
	unsigned int columns; /* of the terminal; 0: no bound */
	bool colour;
};

/* 0, -ENOMEM or what writing gave.  Sorts the rows. */
int latency_print(struct latency *l, const struct latency_how *how, FILE *out);

#endif
