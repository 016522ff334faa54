/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens of the where language. */
#ifndef RINGSPAN_WHERE_LEX_H
#define RINGSPAN_WHERE_LEX_H

#include "base/arena.h"

enum where_tok {
	TOK_END,
	TOK_WORD,
	TOK_STRING, /* was quoted */
	TOK_OPEN,
	TOK_CLOSE,
	TOK_COMMA,
	TOK_OP,
	TOK_BAD, /* s says what is wrong */
};

enum where_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_HOLDS, OP_HOLDS_NOT };

struct where_token {
	enum where_tok type;
	enum where_op op;
	struct sv s; /* the text; of a string without quotes and escapes */
	size_t at;   /* where it starts */
	size_t end;  /* where the next may start */
};

/* Strings with escapes are put into the arena. */
struct where_token where_next(struct arena *a, struct sv text, size_t from);

#endif
