// SPDX-License-Identifier: BSD-2-Clause
/*
 * The compiler of `spans --where`: text to a SQL condition.  No byte of the text gets into the SQL:
 * columns come from the table below, values and attribute keys are bound parameters.
 *
 * What a span does not have equals nothing, differs from nothing and is neither larger nor smaller:
 * every comparison is true or false, never SQL's unknown, so that `not` means what it says.
 */
#include "sink/where.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sink/where_priv.h"
#include "span/span.h"

#define TEXT_MAX (16u << 10)
#define DEPTH_MAX 64  /* nesting of parentheses and nots */
#define TERMS_MAX 256 /* SQLite takes 1000 levels of expression, and a chain of ors is one each */
#define PARAMS_MAX 2048
#define ARENA_MAX (1u << 20)

static const struct column {
	const char *name, *sql;
	enum value_type type;
} columns[] = {
	{ "name", "name", VAL_TEXT },
	{ "kind", "what", VAL_KIND },
	{ "status", "status", VAL_STATUS },
	{ "duration", "duration_ns", VAL_DURATION },
	{ "start", "start_ns", VAL_TIME },
	{ "end", "end_ns", VAL_TIME },
	{ "trace", "trace_id", VAL_TEXT },
	{ "span", "span_id", VAL_TEXT },
	{ "parent", "nullif(parent_span_id, '')", VAL_TEXT },
	{ "model", "model", VAL_TEXT },
	{ "provider", "provider", VAL_TEXT },
	{ "tool", "tool", VAL_TEXT },
	{ "error", "error_type", VAL_TEXT },
	{ "tokens", "tokens", VAL_NUMBER },
	{ "input_tokens", "input_tokens", VAL_NUMBER },
	{ "output_tokens", "output_tokens", VAL_NUMBER },
	{ "cost", "cost_usd", VAL_NUMBER },
	{ "exit", "exit_code", VAL_NUMBER },
	{ "pid", "pid", VAL_NUMBER },
	{ "host", "host", VAL_TEXT },
	{ "attempts", "attempts", VAL_NUMBER },
};

struct field {
	char sql[48];
	enum value_type type;
	size_t path; /* number of the parameter with its JSON path; 0: a column */
};

static int parse_or(struct compiler *c);

static int advance(struct compiler *c)
{
	c->tok = where_next(&c->w->arena, c->text, c->tok.end);
	if (c->tok.type == TOK_BAD)
		return where_fail(c, c->tok.at, "at %zu: " SV_FMT, c->tok.at + 1, SV_ARG(c->tok.s));
	return 0;
}

static bool is_keyword(const struct compiler *c, const char *word)
{
	return c->tok.type == TOK_WORD && sv_ieq(c->tok.s, word);
}

static int unknown_field(struct compiler *c)
{
	const char *best = NULL;
	size_t d = 3;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		where_nearer(c->tok.s, columns[i].name, &best, &d);
	return where_fail(c, c->tok.at, "unknown field '" SV_FMT "' at %zu%s%s%s",
			  SV_ARG(where_shown(c->tok.s)), c->tok.at + 1,
			  best ? "; did you mean '" : "", best ? best : "",
			  best ? "'?" : "; attribute keys have a dot in them");
}

static enum value_type attr_value_type(const struct attr_def *def)
{
	switch (def ? def->type : ATTR_ANY) {
	case ATTR_STR:
		return VAL_TEXT;
	case ATTR_INT:
		return sv_ends(sv(def->key), "_ns") ? VAL_NS : VAL_NUMBER;
	case ATTR_FLOAT:
		return VAL_NUMBER;
	case ATTR_BOOL:
		return VAL_BOOL;
	case ATTR_STRS:
		return VAL_LIST;
	case ATTR_ANY:
		break;
	}
	return VAL_ANY;
}

static int attr_field(struct compiler *c, struct field *f)
{
	const struct attr_def *def = attr_find(c->tok.s);
	struct sv path;
	int err;

	if (def && attr_is_apart(def))
		return where_fail(
			c, c->tok.at,
			"'%s' at %zu is a payload; payloads are stored packed and cannot be "
			"searched",
			def->key, c->tok.at + 1);
	/* SQLite's JSON paths know no way to quote a quote */
	if (!c->tok.s.n || memchr(c->tok.s.p, '"', c->tok.s.n) ||
	    memchr(c->tok.s.p, '\0', c->tok.s.n))
		return where_fail(c, c->tok.at,
				  "an attribute key at %zu cannot be empty or hold a quote",
				  c->tok.at + 1);
	path = arena_fmt(&c->w->arena, "$.\"" SV_FMT "\"", SV_ARG(c->tok.s));
	if (!path.p)
		return -ENOMEM;
	err = where_bind_text(c, path);
	if (err)
		return err;
	f->path = c->w->param_cnt;
	f->type = attr_value_type(def);
	snprintf(f->sql, sizeof(f->sql), "json_extract(attributes, ?%zu)", f->path);
	return 0;
}

static const struct column *find_column(struct sv name)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (sv_is(name, columns[i].name))
			return &columns[i];
	return NULL;
}

/* field; the token behind it becomes the next one */
static int parse_field(struct compiler *c, struct field *f)
{
	const struct column *col;
	int err = 0;

	*f = (struct field){ 0 };
	if (c->tok.type != TOK_WORD && c->tok.type != TOK_STRING)
		return where_fail(c, c->tok.at, "a field is missing at %zu", c->tok.at + 1);
	col = c->tok.type == TOK_WORD ? find_column(c->tok.s) : NULL;
	if (col) {
		snprintf(f->sql, sizeof(f->sql), "%s", col->sql);
		f->type = col->type;
	} else if (c->tok.type == TOK_STRING || sv_has(c->tok.s, ".")) {
		err = attr_field(c, f);
	} else {
		err = unknown_field(c);
	}
	return err ? err : advance(c);
}

/* value; bound as the last parameter */
static int parse_value(struct compiler *c, enum value_type type)
{
	int err;

	if (c->tok.type != TOK_WORD && c->tok.type != TOK_STRING)
		return where_fail(c, c->tok.at, "a value is missing at %zu", c->tok.at + 1);
	if (c->w->param_cnt >= PARAMS_MAX)
		return where_fail(c, c->tok.at, "more than %u values", PARAMS_MAX);
	err = where_bind_value(c, type);
	return err ? err : advance(c);
}

/* "value, value)" as "?4, ?5)" */
static int parse_values(struct compiler *c, enum value_type type)
{
	struct buf *sql = &c->w->sql;
	const char *sep = "";
	int err;

	for (;;) {
		err = parse_value(c, type);
		if (err)
			return err;
		buf_fmt(sql, "%s?%zu", sep, c->w->param_cnt);
		sep = ", ";
		if (c->tok.type != TOK_COMMA)
			break;
		err = advance(c);
		if (err)
			return err;
	}
	if (c->tok.type != TOK_CLOSE)
		return where_fail(c, c->tok.at, "`,` or `)` is missing at %zu", c->tok.at + 1);
	buf_ch(sql, ')');
	return advance(c);
}

/* field "in" "(" ...: the next token is the one behind "in" */
static int parse_in(struct compiler *c, const struct field *f)
{
	struct buf *sql = &c->w->sql;
	int err;

	if (c->tok.type != TOK_OPEN)
		return where_fail(c, c->tok.at, "`(` is missing behind `in` at %zu", c->tok.at + 1);
	err = advance(c);
	if (err)
		return err;
	if (f->type == VAL_LIST)
		buf_fmt(sql, "EXISTS (SELECT 1 FROM json_each(attributes, ?%zu) WHERE value IN (",
			f->path);
	else
		buf_fmt(sql, "(%s IS NOT NULL AND %s IN (", f->sql, f->sql);
	err = parse_values(c, f->type);
	buf_ch(sql, ')');
	return err;
}

static void emit_list_op(struct compiler *c, const struct field *f, enum where_op op, size_t value)
{
	struct buf *sql = &c->w->sql;
	bool negated = op == OP_NE || op == OP_HOLDS_NOT;

	buf_fmt(sql,
		"(%s IS NOT NULL AND %sEXISTS (SELECT 1 FROM json_each(attributes, ?%zu) WHERE ",
		f->sql, negated ? "NOT " : "", f->path);
	if (op == OP_EQ || op == OP_NE)
		buf_fmt(sql, "value = ?%zu))", value);
	else
		buf_fmt(sql, "instr(lower(value), lower(?%zu)) > 0))", value);
}

static int parse_op(struct compiler *c, const struct field *f)
{
	static const char *const symbols[] = { "=", "<>", "<", "<=", ">", ">=" };
	struct buf *sql = &c->w->sql;
	enum where_op op = c->tok.op;
	bool holds = op == OP_HOLDS || op == OP_HOLDS_NOT;
	bool text = f->type == VAL_TEXT || f->type == VAL_LIST || f->type == VAL_ANY ||
		    f->type == VAL_KIND;
	size_t at = c->tok.at;
	int err;

	if (holds && !text)
		return where_fail(c, at, "`" SV_FMT "` at %zu is for texts only", SV_ARG(c->tok.s),
				  at + 1);
	if (f->type == VAL_LIST && op >= OP_LT && op <= OP_GE)
		return where_fail(c, at,
				  "`" SV_FMT "` at %zu: the field is a list; use =, !=, ~ or in",
				  SV_ARG(c->tok.s), at + 1);
	err = advance(c);
	if (!err)
		err = parse_value(c, holds ? VAL_TEXT : f->type);
	if (err)
		return err;
	if (f->type == VAL_LIST)
		emit_list_op(c, f, op, c->w->param_cnt);
	else if (holds)
		buf_fmt(sql, "(%s IS NOT NULL AND instr(lower(%s), lower(?%zu)) %s 0)", f->sql,
			f->sql, c->w->param_cnt, op == OP_HOLDS ? ">" : "=");
	else
		buf_fmt(sql, "(%s IS NOT NULL AND %s %s ?%zu)", f->sql, f->sql, symbols[op],
			c->w->param_cnt);
	return 0;
}

static int parse_term(struct compiler *c)
{
	struct field f;
	int err;

	if (++c->terms > TERMS_MAX)
		return where_fail(c, c->tok.at, "more than %u comparisons", TERMS_MAX);
	if (is_keyword(c, "has")) {
		err = advance(c);
		if (!err)
			err = parse_field(c, &f);
		if (!err)
			buf_fmt(&c->w->sql, "(%s IS NOT NULL)", f.sql);
		return err;
	}
	err = parse_field(c, &f);
	if (err)
		return err;
	if (is_keyword(c, "in")) {
		err = advance(c);
		return err ? err : parse_in(c, &f);
	}
	if (c->tok.type != TOK_OP)
		return where_fail(c, c->tok.at,
				  "an operator is missing at %zu; there are = != < <= > >= ~ !~ in",
				  c->tok.at + 1);
	return parse_op(c, &f);
}

static int parse_group(struct compiler *c)
{
	size_t open = c->tok.at;
	int err = advance(c);

	if (!err)
		err = parse_or(c);
	if (err)
		return err;
	if (c->tok.type != TOK_CLOSE)
		return where_fail(c, c->tok.at, "`)` is missing at %zu for the `(` at %zu",
				  c->tok.at + 1, open + 1);
	return advance(c);
}

static int parse_not(struct compiler *c)
{
	int err;

	if (!is_keyword(c, "not") && c->tok.type != TOK_OPEN)
		return parse_term(c);
	if (++c->depth > DEPTH_MAX)
		return where_fail(c, c->tok.at, "nested more than %u deep at %zu", DEPTH_MAX,
				  c->tok.at + 1);
	if (c->tok.type == TOK_OPEN) {
		err = parse_group(c);
	} else {
		err = advance(c);
		buf_str(&c->w->sql, "(NOT ");
		if (!err)
			err = parse_not(c);
		buf_ch(&c->w->sql, ')');
	}
	c->depth--;
	return err;
}

/* One level of the grammar: what `next` parses, joined by `word`. */
static int parse_chain(struct compiler *c, const char *word, const char *sql,
		       int (*next)(struct compiler *c))
{
	int err;

	buf_ch(&c->w->sql, '(');
	for (;;) {
		err = next(c);
		if (err || !is_keyword(c, word))
			break;
		buf_str(&c->w->sql, sql);
		err = advance(c);
		if (err)
			break;
	}
	buf_ch(&c->w->sql, ')');
	return err;
}

static int parse_and(struct compiler *c)
{
	return parse_chain(c, "and", " AND ", parse_not);
}

static int parse_or(struct compiler *c)
{
	return parse_chain(c, "or", " OR ", parse_and);
}

int where_compile(struct where *w, struct sv text, uint64_t now_ns)
{
	struct compiler c = { .w = w, .text = text, .now_ns = now_ns };
	int err;

	*w = (struct where){ 0 };
	arena_init(&w->arena, ARENA_MAX);
	if (text.n > TEXT_MAX)
		return where_fail(&c, 0, "longer than %u bytes", TEXT_MAX);
	err = advance(&c);
	if (!err && c.tok.type == TOK_END)
		return where_fail(&c, c.tok.at,
				  "nothing to look for; write for instance: duration > 1s");
	if (!err)
		err = parse_or(&c);
	if (!err && c.tok.type != TOK_END)
		return where_fail(&c, c.tok.at,
				  "'" SV_FMT "' at %zu is too much; join comparisons with and, or",
				  SV_ARG(where_shown(c.tok.s)), c.tok.at + 1);
	return err ? err : w->sql.err;
}

void where_fini(struct where *w)
{
	arena_fini(&w->arena);
	buf_fini(&w->sql);
	*w = (struct where){ 0 };
}

const char *where_column(struct sv field)
{
	const struct column *col = find_column(field);

	return col ? col->sql : NULL;
}
