/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of text for the terminal: columns as wide as what is in them.  Where that is too much,
 * columns that may be clipped give way, then those are left out that can be done without.  A column
 * without a title and without texts is none.
 */
#ifndef RINGSPAN_TABLE_H
#define RINGSPAN_TABLE_H

#include <stdio.h>
#include "base/arena.h"
#include "sink/term.h"

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	unsigned int least; /* may be clipped down to so many; 0: is not clipped */
	bool right;         /* numbers */
	bool spare;         /* left out when it does not fit; the last of them first */
};

struct table_row {
	struct table_row *next;
	enum term_style style;
	struct sv cells[TABLE_COLUMNS_MAX];
};

struct table {
	const struct table_column *columns;
	size_t cnt;
	struct arena arena;
	struct table_row *first, *last;
};

void table_init(struct table *t, const struct table_column *columns, size_t cnt);
void table_fini(struct table *t);
/* A row of empty cells, or NULL.  Cells are views; what they hold outlives the table, or is copied. */
struct table_row *table_add(struct table *t, enum term_style style);
void table_set(struct table *t, struct table_row *row, size_t column, struct sv text); /* copies */
int table_write(const struct table *t, FILE *out, unsigned int columns, bool colour);

#endif
