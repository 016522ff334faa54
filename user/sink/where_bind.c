// SPDX-License-Identifier: BSD-2-Clause
/*
 * The values of the where compiler: tokens to bound parameters, and what is said of those that fit
 * nothing.
 */
#include "sink/where_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sink/where_value.h"
#include "span/span.h"

#define SHOWN_MAX 40 /* bytes of the text that a message repeats */

int where_fail(struct compiler *c, size_t at, const char *fmt, ...)
{
	struct where *w = c->w;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->error, sizeof(w->error), fmt, ap);
	va_end(ap);
	for (char *p = w->error; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	w->error_at = at;
	return -EINVAL;
}

struct sv where_shown(struct sv s)
{
	return sv_clip_utf8(s, SHOWN_MAX);
}

/* Levenshtein distance; both are short. */
static size_t distance(struct sv a, const char *b)
{
	size_t row[33], n = strlen(b);

	if (a.n > 32 || n > 32)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t cost = diagonal + (a.p[i] != b[j]);

			diagonal = row[j + 1];
			if (diagonal + 1 < cost)
				cost = diagonal + 1;
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			row[j + 1] = cost;
		}
	}
	return row[n];
}

void where_nearer(struct sv s, const char *name, const char **best, size_t *best_d)
{
	size_t d = distance(s, name);

	/* an abbreviation is as good as one typing error */
	if (s.n >= 2 && strncmp(name, s.p, s.n < strlen(name) ? s.n : strlen(name)) == 0 &&
	    s.n < strlen(name))
		d = 1;
	if (d < *best_d && d < s.n) {
		*best = name;
		*best_d = d;
	}
}

static struct where_param *new_param(struct compiler *c)
{
	struct where *w = c->w;

	if (w->param_cnt == c->param_cap) {
		size_t cap = c->param_cap ? 2 * c->param_cap : 16;
		struct where_param *p = arena_alloc(&w->arena, cap * sizeof(*p));

		if (!p)
			return NULL;
		if (w->param_cnt)
			memcpy(p, w->params, w->param_cnt * sizeof(*p));
		w->params = p;
		c->param_cap = cap;
	}
	return &w->params[w->param_cnt++];
}

int where_bind_text(struct compiler *c, struct sv s)
{
	struct where_param *p = new_param(c);

	if (!p)
		return -ENOMEM;
	*p = (struct where_param){ .type = WHERE_TEXT, .s = s };
	return 0;
}

static int add_int(struct compiler *c, int64_t i)
{
	struct where_param *p = new_param(c);

	if (!p)
		return -ENOMEM;
	*p = (struct where_param){ .type = WHERE_INT, .i = i };
	return 0;
}

static int add_float(struct compiler *c, double f)
{
	struct where_param *p = new_param(c);

	if (!p)
		return -ENOMEM;
	*p = (struct where_param){ .type = WHERE_FLOAT, .f = f };
	return 0;
}

static int add_number(struct compiler *c, const char *what)
{
	bool is_int;
	int64_t i;
	double f;

	if (where_number(c->tok.s, &is_int, &i, &f))
		return where_fail(c, c->tok.at, "'" SV_FMT "' at %zu is no %s",
				  SV_ARG(where_shown(c->tok.s)), c->tok.at + 1, what);
	return is_int ? add_int(c, i) : add_float(c, f);
}

static int add_duration(struct compiler *c)
{
	int64_t ns;

	if (where_duration(c->tok.s, &ns))
		return where_fail(c, c->tok.at,
				  "'" SV_FMT "' at %zu is no duration; write 10ms, 2s or 1m30s",
				  SV_ARG(where_shown(c->tok.s)), c->tok.at + 1);
	return add_int(c, ns);
}

static int add_time(struct compiler *c)
{
	struct sv s = c->tok.s;
	int64_t ns;

	if (!where_time(s, &ns))
		return add_int(c, ns);
	if (sv_starts(s, "-") && !where_duration(s, &ns)) {
		/* both are below 2^63 in size, so the sum may only be too small for a time */
		if (__builtin_add_overflow((int64_t)c->now_ns, ns, &ns))
			ns = 0;
		return add_int(c, ns);
	}
	if (s.n >= 10 && !sv_i64(s, &ns))
		return add_int(c, ns);
	return where_fail(
		c, c->tok.at,
		"'" SV_FMT
		"' at %zu is no time; write 2026-11-21T10:00:00Z, or -15m for 15 minutes ago",
		SV_ARG(where_shown(s)), c->tok.at + 1);
}

static int add_status(struct compiler *c)
{
	for (enum span_status st = STATUS_UNSET; st <= STATUS_ERROR; st++)
		if (sv_ieq(c->tok.s, span_status_name(st)))
			return where_bind_text(c, sv(span_status_name(st)));
	return where_fail(c, c->tok.at,
			  "'" SV_FMT "' at %zu is no status; there are ok, error and unset",
			  SV_ARG(where_shown(c->tok.s)), c->tok.at + 1);
}

static int add_kind(struct compiler *c)
{
	const char *best = NULL;
	size_t d = 3;

	for (enum span_what w = 0; w < SPAN_WHAT_CNT; w++) {
		if (sv_ieq(c->tok.s, span_what_name(w)))
			return where_bind_text(c, sv(span_what_name(w)));
		where_nearer(c->tok.s, span_what_name(w), &best, &d);
	}
	return where_fail(c, c->tok.at, "'" SV_FMT "' at %zu is no kind of span%s%s%s",
			  SV_ARG(where_shown(c->tok.s)), c->tok.at + 1,
			  best ? "; did you mean '" : "", best ? best : "", best ? "'?" : "");
}

static int add_bool(struct compiler *c)
{
	if (sv_ieq(c->tok.s, "true") || sv_ieq(c->tok.s, "false"))
		return add_int(c, sv_ieq(c->tok.s, "true"));
	return where_fail(c, c->tok.at, "'" SV_FMT "' at %zu is neither true nor false",
			  SV_ARG(where_shown(c->tok.s)), c->tok.at + 1);
}

/* An attribute that is not in the table: what is not quoted and looks like a number is one. */
static int add_any(struct compiler *c)
{
	bool is_int;
	int64_t i;
	double f;

	if (c->tok.type == TOK_STRING)
		return where_bind_text(c, c->tok.s);
	if (sv_is(c->tok.s, "true") || sv_is(c->tok.s, "false"))
		return add_int(c, sv_is(c->tok.s, "true"));
	if (!where_number(c->tok.s, &is_int, &i, &f))
		return is_int ? add_int(c, i) : add_float(c, f);
	return where_bind_text(c, c->tok.s);
}

int where_bind_value(struct compiler *c, enum value_type type)
{
	switch (type) {
	case VAL_TEXT:
	case VAL_LIST:
		return where_bind_text(c, c->tok.s);
	case VAL_NUMBER:
		return add_number(c, "number");
	case VAL_DURATION:
		return add_duration(c);
	case VAL_NS: {
		int64_t ns;

		return where_duration(c->tok.s, &ns) ? add_number(c, "duration") : add_int(c, ns);
	}
	case VAL_TIME:
		return add_time(c);
	case VAL_STATUS:
		return add_status(c);
	case VAL_KIND:
		return add_kind(c);
	case VAL_BOOL:
		return add_bool(c);
	case VAL_ANY:
		break;
	}
	return add_any(c);
}
