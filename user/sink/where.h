/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of `spans --where`: compiled to a SQL condition with bound parameters.
 *
 *	expr  = and { "or" and }	and = not { "and" not }		not = [ "not" ] prim
 *	prim  = "(" expr ")" | field op value | field "in" "(" value { "," value } ")" | "has" field
 *	op    = "=" "!=" "<" "<=" ">" ">=" "~" (holds, case ignored) "!~"
 *	field = name kind status duration start end trace span parent model provider tool error tokens
 *		input_tokens output_tokens cost exit pid host attempts, or any attribute key
 *		(gen_ai.request.model, "quoted.key")
 *	value = word | 'text' | "text" | number | duration (10ms 2s 1m30s 1.5h 100us 10ns)
 *		| size (10kB 4MiB) | time (2026-11-21T10:00:00Z, -15m = before now)
 *
 * status is ok, error or unset, case ignored; kind is ringspan.kind.
 */
#ifndef RINGSPAN_WHERE_H
#define RINGSPAN_WHERE_H

#include "base/arena.h"
#include "base/buf.h"

enum where_type { WHERE_INT, WHERE_FLOAT, WHERE_TEXT };

struct where_param {
	enum where_type type;
	int64_t i;
	double f;
	struct sv s;
};

struct where {
	struct arena arena;
	struct buf sql; /* condition over the columns of table span in schemas/store.sql */
	struct where_param *params;
	size_t param_cnt;
	char error[160]; /* what is wrong, and where */
	size_t error_at; /* offset in the text */
};

/* now_ns: Unix time that relative times count from.  0, -EINVAL (error is filled), -ENOMEM. */
int where_compile(struct where *w, struct sv text, uint64_t now_ns);
void where_fini(struct where *w);
/* SQL expression of a field, or NULL; for --sort. */
const char *where_column(struct sv field);

#endif
