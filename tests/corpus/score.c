// SPDX-License-Identifier: BSD-2-Clause
/* Scoring of the wire corpus: see score.h. */
#include "score.h"

#include <stdio.h>

#include "base/cleanup.h"

#define SHOWN 300 /* bytes of a value in a message */

static bool is_empty(const struct json *v)
{
	if (!v || v->type == JSON_NULL)
		return true;
	return (v->type == JSON_STRING && !v->s.n) || (v->type == JSON_ARRAY && !v->cnt);
}

static bool same_number(const struct json *a, const struct json *b)
{
	double x, y;

	return sv_eq(a->s, b->s) || (json_f64(a, &x) && json_f64(b, &y) && x == y);
}

/* As deep as the parser lets both be. */
static bool same(const struct json *want, const struct json *got)
{
	if (is_empty(want) || is_empty(got))
		return is_empty(want) && is_empty(got);
	if (want->type != got->type || want->cnt != got->cnt)
		return false;
	if (want->type == JSON_NUMBER)
		return same_number(want, got);
	if (want->type == JSON_BOOL)
		return want->b == got->b;
	if (want->type == JSON_STRING)
		return sv_eq(want->s, got->s);
	for (struct json *w = want->head, *g = got->head; w; w = w->next, g = g->next)
		if (!same(w, want->type == JSON_OBJECT ? json_get_sv(got, w->key) : g))
			return false;
	return true;
}

/* The text may hold the JSON that is wanted. */
static bool same_arguments(const struct json *want, const struct json *got)
{
	_cleanup_arena_ struct arena a;
	struct json_err err = { 0 };
	struct json *parsed;

	arena_init(&a, 0);
	if (same(want, got))
		return true;
	parsed = json_parse(&a, json_sv(got), &err);
	return parsed && !err.broken && !err.cut && same(want, parsed);
}

static bool same_key(const struct json *want, const struct json *got)
{
	if (sv_is(want->key, "arguments"))
		return same_arguments(want, json_get(got, "arguments"));
	/* what a tool answered in JSON is found as its text */
	if (sv_is(want->key, "content_json"))
		return same_arguments(want, json_get(got, "content_text"));
	return same(want, json_get_sv(got, want->key));
}

/* got may have more keys than are wanted. */
static bool same_keys(const struct json *want, const struct json *got)
{
	if (!json_is(want, JSON_OBJECT) || !json_is(got, JSON_OBJECT))
		return same(want, got);
	json_for_each (want, w)
		if (!same_key(w, got))
			return false;
	return true;
}

static bool same_items(const struct json *want, const struct json *got)
{
	if (!json_is(want, JSON_ARRAY) || !json_is(got, JSON_ARRAY) || want->cnt != got->cnt)
		return same(want, got);
	for (struct json *w = want->head, *g = got->head; w; w = w->next, g = g->next)
		if (!same_keys(w, g))
			return false;
	return true;
}

static const struct {
	const char *key;
	bool core;
	bool (*same)(const struct json *want, const struct json *got);
} fields[] = {
	{ "text", true, same },
	{ "tool_calls", true, same_items },
	{ "usage", true, same_keys },
	{ "finish_reasons", true, same },
	{ "request_model", true, same },
	{ "response_model", true, same },
	{ "error_type", true, same },
	{ "api", false, same },
	{ "provider", false, same },
	{ "operation", false, same },
	{ "stream", false, same },
	{ "status", false, same },
	{ "reasoning", false, same },
	{ "refusal", false, same },
	{ "server_tool_calls", false, same_items },
	{ "tool_results", false, same_items },
	{ "tools_defined", false, same },
	{ "n_input_messages", false, same },
	{ "response_id", false, same },
	{ "error_message", false, same },
	{ "error_code", false, same },
	{ "attempt", false, same },
	{ "traceparent", false, same },
};

_Static_assert(ARRAY_SIZE(fields) <= SCORE_FIELDS, "a column for each field");

static struct score_row *row_of(struct score *s, struct sv api)
{
	for (size_t i = 0; i < s->row_cnt; i++)
		if (sv_is(api, s->rows[i].api))
			return &s->rows[i];
	if (s->row_cnt < SCORE_APIS)
		s->row_cnt++;
	snprintf(s->rows[s->row_cnt - 1].api, sizeof(s->rows[0].api), SV_FMT, SV_ARG(api));
	return &s->rows[s->row_cnt - 1];
}

static void show(struct score *s, const char *name, const char *key, const struct json *want,
		 const struct json *got)
{
	_cleanup_arena_ struct arena a;
	struct sv w, g;

	if (s->differences++ >= s->show)
		return;
	arena_init(&a, 0);
	w = sv_clip_utf8(json_text(&a, want), SHOWN);
	g = sv_clip_utf8(json_text(&a, got), SHOWN);
	printf("%s %s\n  expected " SV_FMT "\n  found    " SV_FMT "\n", name, key, SV_ARG(w),
	       SV_ARG(g));
}

void score_add(struct score *s, const char *name, struct sv api, const struct json *expected,
	       const struct json *found)
{
	struct score_row *row = row_of(s, api);

	row->exchanges++;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct json *want = json_get(expected, fields[i].key);
		const struct json *got = json_get(found, fields[i].key);

		if (!want)
			continue;
		row->judged[i]++;
		if (found && fields[i].same(want, got))
			row->right[i]++;
		else
			show(s, name, fields[i].key, want, got);
	}
}

static void print_table(const struct score *s, bool core)
{
	printf("%-28s %9s", core ? "core fields" : "further fields", "exchanges");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].core == core)
			printf(" %*s", core ? 14 : 17, fields[i].key);
	for (size_t r = 0; r < s->row_cnt; r++) {
		printf("\n%-28s %9zu", s->rows[r].api, s->rows[r].exchanges);
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			char cell[32];

			if (fields[i].core != core)
				continue;
			snprintf(cell, sizeof(cell), "%zu/%zu", s->rows[r].right[i],
				 s->rows[r].judged[i]);
			printf(" %*s", core ? 14 : 17, cell);
		}
	}
	printf("\n\n");
}

static double percent(size_t right, size_t judged)
{
	return judged ? 100.0 * (double)right / (double)judged : 0.0;
}

static bool row_passes(const struct score_row *row)
{
	double least = row->exchanges > SCORE_FEW ? SCORE_PASS : SCORE_PASS_FEW;
	size_t right = 0, judged = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		right += row->right[i];
		judged += row->judged[i];
	}
	if (percent(right, judged) >= least)
		return true;
	printf("%s: %zu of %zu fields right = %.2f %%, and %.0f are wanted\n", row->api, right,
	       judged, percent(right, judged), least);
	return false;
}

bool score_report(const struct score *s)
{
	size_t right = 0, judged = 0, exchanges = 0;
	bool pass = true;

	print_table(s, true);
	print_table(s, false);
	for (size_t r = 0; r < s->row_cnt; r++) {
		pass &= row_passes(&s->rows[r]);
		exchanges += s->rows[r].exchanges;
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			right += fields[i].core ? s->rows[r].right[i] : 0;
			judged += fields[i].core ? s->rows[r].judged[i] : 0;
		}
	}
	printf("corpus: %zu of %zu core fields right = %.2f %% (%zu exchanges, %zu APIs)\n", right,
	       judged, percent(right, judged), exchanges, s->row_cnt);
	return pass;
}
