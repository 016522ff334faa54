// SPDX-License-Identifier: BSD-2-Clause
/* Rules of a value by itself: its type, which one it is, how large a number, how many it holds. */
#include <math.h>
#include "base/cleanup.h"
#include "base/json_schema_int.h"

/* --- rules: of any value */

static bool is_whole(const struct json *v)
{
	double d;

	return json_f64(v, &d) && isfinite(d) && floor(d) == d;
}

/* A type's name, of JSON Schema or, in capitals, of OpenAPI as Gemini has it. */
static enum schema_result is_type(const struct json *v, const struct json *type)
{
	static const struct {
		const char *name;
		enum json_type type;
	} types[] = {
		{ "null", JSON_NULL },     { "boolean", JSON_BOOL }, { "number", JSON_NUMBER },
		{ "string", JSON_STRING }, { "array", JSON_ARRAY },  { "object", JSON_OBJECT },
	};
	struct sv name = json_sv(type);

	if (sv_ieq(name, "integer"))
		return v->type == JSON_NUMBER && is_whole(v) ? SCHEMA_VALID : SCHEMA_INVALID;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (sv_ieq(name, types[i].name))
			return v->type == types[i].type ? SCHEMA_VALID : SCHEMA_INVALID;
	return SCHEMA_UNKNOWN;
}

enum schema_result schema_rule_type(const struct schema_at *at, const struct json *rule)
{
	static const char *const names[] = { "null",   "boolean", "number",
					     "string", "array",   "object" };
	enum schema_result is = SCHEMA_INVALID;
	struct sv want;

	if (json_is(rule, JSON_STRING))
		is = is_type(at->v, rule);
	else if (!json_is(rule, JSON_ARRAY))
		return SCHEMA_UNKNOWN;
	else
		json_for_each (rule, e) {
			enum schema_result one = is_type(at->v, e);

			if (one == SCHEMA_VALID)
				return SCHEMA_VALID;
			is = one == SCHEMA_UNKNOWN ? one : is;
		}
	if (is != SCHEMA_INVALID || at->c->quiet)
		return is;
	want = rule->type == JSON_STRING ? rule->s : json_text(at->c->a, rule);
	return schema_fails(at, "type",
			    arena_fmt(at->c->a, "%s instead of " SV_FMT, names[at->v->type],
				      SV_ARG(sv_clip_utf8(want, SCHEMA_TEXT_MAX))));
}

enum schema_result schema_rule_enum(const struct schema_at *at, const struct json *rule)
{
	if (!json_is(rule, JSON_ARRAY))
		return SCHEMA_UNKNOWN;
	json_for_each (rule, e) {
		if (!schema_spend(at->c, schema_weight(e, 0)))
			return SCHEMA_UNKNOWN;
		if (json_same(e, at->v))
			return SCHEMA_VALID;
	}
	return schema_breaks(at, "enum", rule);
}

enum schema_result schema_rule_const(const struct schema_at *at, const struct json *rule)
{
	if (!schema_spend(at->c, schema_weight(rule, 0)))
		return SCHEMA_UNKNOWN;
	return json_same(rule, at->v) ? SCHEMA_VALID : schema_breaks(at, "const", rule);
}

/* --- rules: numbers, and whatever can be counted */

/* -1, 0 or 1; whole numbers are compared as such, for a double has only 53 bits. */
static int order(const struct json *a, const struct json *b)
{
	int64_t i, j;
	double x, y;

	if (json_i64(a, &i) && json_i64(b, &j))
		return i < j ? -1 : i > j;
	if (!json_f64(a, &x) || !json_f64(b, &y))
		return 0;
	return x < y ? -1 : x > y;
}

static enum schema_result rule_bound(const struct schema_at *at, const struct json *rule, int wrong,
				     bool exclusive)
{
	int is;

	if (at->v->type != JSON_NUMBER)
		return SCHEMA_VALID;
	if (!json_is(rule, JSON_NUMBER)) /* draft 4's exclusive...: true belongs to the bound */
		return json_is(rule, JSON_BOOL) ? SCHEMA_VALID : SCHEMA_UNKNOWN;
	is = order(at->v, rule);
	if (is != wrong && (is || !exclusive))
		return SCHEMA_VALID;
	return schema_fails(at, wrong < 0 ? "minimum" : "maximum",
			    arena_fmt(at->c->a, SV_FMT " is %s %s" SV_FMT, SV_ARG(at->v->s),
				      wrong < 0 ? "below" : "above", exclusive ? "or at " : "",
				      SV_ARG(rule->s)));
}

enum schema_result schema_rule_minimum(const struct schema_at *at, const struct json *rule)
{
	return rule_bound(at, rule, -1, json_true(json_get(at->schema, "exclusiveMinimum")));
}

enum schema_result schema_rule_maximum(const struct schema_at *at, const struct json *rule)
{
	return rule_bound(at, rule, 1, json_true(json_get(at->schema, "exclusiveMaximum")));
}

enum schema_result schema_rule_exclusive_minimum(const struct schema_at *at,
						 const struct json *rule)
{
	return rule_bound(at, rule, -1, true);
}

enum schema_result schema_rule_exclusive_maximum(const struct schema_at *at,
						 const struct json *rule)
{
	return rule_bound(at, rule, 1, true);
}

enum schema_result schema_rule_multiple(const struct schema_at *at, const struct json *rule)
{
	int64_t i, j;
	double x, y;

	if (at->v->type != JSON_NUMBER)
		return SCHEMA_VALID;
	if (json_i64(at->v, &i) && json_i64(rule, &j) && j > 0)
		return i % j ? schema_breaks(at, "multipleOf", rule) : SCHEMA_VALID;
	if (!json_f64(at->v, &x) || !json_f64(rule, &y) || y <= 0)
		return SCHEMA_UNKNOWN;
	x /= y;
	/* 0.3 / 0.1 is no whole number: what may be rounding is left open */
	if (fabs(x - round(x)) < 1e-9 * fmax(1, fabs(x)))
		return x == round(x) ? SCHEMA_VALID : SCHEMA_UNKNOWN;
	return schema_breaks(at, "multipleOf", rule);
}

static size_t code_points(struct sv s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static enum schema_result rule_count(const struct schema_at *at, const struct json *rule,
				     const char *name, enum json_type of)
{
	size_t n = of == JSON_STRING ? code_points(at->v->s) : at->v->cnt;
	double bound;

	if (at->v->type != of)
		return SCHEMA_VALID;
	if (!json_f64(rule, &bound))
		return SCHEMA_UNKNOWN;
	if (sv_starts(sv(name), "min") ? (double)n >= bound : (double)n <= bound)
		return SCHEMA_VALID;
	return schema_breaks(at, name, rule);
}

enum schema_result schema_rule_min_length(const struct schema_at *at, const struct json *rule)
{
	return rule_count(at, rule, "minLength", JSON_STRING);
}

enum schema_result schema_rule_max_length(const struct schema_at *at, const struct json *rule)
{
	return rule_count(at, rule, "maxLength", JSON_STRING);
}

enum schema_result schema_rule_min_items(const struct schema_at *at, const struct json *rule)
{
	return rule_count(at, rule, "minItems", JSON_ARRAY);
}

enum schema_result schema_rule_max_items(const struct schema_at *at, const struct json *rule)
{
	return rule_count(at, rule, "maxItems", JSON_ARRAY);
}

enum schema_result schema_rule_min_properties(const struct schema_at *at, const struct json *rule)
{
	return rule_count(at, rule, "minProperties", JSON_OBJECT);
}

enum schema_result schema_rule_max_properties(const struct schema_at *at, const struct json *rule)
{
	return rule_count(at, rule, "maxProperties", JSON_OBJECT);
}
