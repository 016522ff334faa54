/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the where compiler share: the grammar (where.c), the values (where_bind.c). */
#ifndef RINGSPAN_WHERE_PRIV_H
#define RINGSPAN_WHERE_PRIV_H

#include "sink/where.h"
#include "sink/where_lex.h"

enum value_type {
	VAL_TEXT,
	VAL_NUMBER,
	VAL_DURATION, /* needs a unit */
	VAL_NS,       /* attributes named ..._ns: with or without */
	VAL_TIME,
	VAL_STATUS,
	VAL_KIND,
	VAL_BOOL,
	VAL_LIST, /* of texts: one of them is meant */
	VAL_ANY,  /* by the look of the value */
};

struct compiler {
	struct where *w;
	struct sv text;
	struct where_token tok; /* the next one */
	uint64_t now_ns;
	unsigned int depth, terms;
	size_t param_cap;
};

/* Fills the error of the compilation; -EINVAL. */
__attribute__((format(printf, 3, 4))) int where_fail(struct compiler *c, size_t at, const char *fmt,
						     ...);
struct sv where_shown(struct sv s); /* what a message shows of a token */

/*
 * Keeps in *best the name that is nearest to s, if it is nearer than *best_d typing errors; an
 * abbreviation is as good as one error.
 */
void where_nearer(struct sv s, const char *name, const char **best, size_t *best_d);

/* These bind one more parameter: a text, and the next token as a value of a type. */
int where_bind_text(struct compiler *c, struct sv s);
int where_bind_value(struct compiler *c, enum value_type type);

#endif
