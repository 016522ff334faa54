// SPDX-License-Identifier: BSD-2-Clause
/* A table of rules, one function each, and a budget that bounds what a schema can make us do. */
#include "base/json_schema.h"

#include <math.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"

#define TEXT_MAX 120 /* bytes of a rule that a fault quotes */
#define PATH_MAX_BYTES 512
#define PATH_STEPS 64 /* as deep as LIMIT_SCHEMA_DEPTH lets a place be */

/* A member or element on the way from the whole to the value at hand. */
struct place {
	const struct place *up;
	struct sv key;
	size_t index;
	bool is_index;
};

struct check {
	struct arena *a;
	const struct json *root;
	struct schema_fault *fault;
	size_t budget;      /* comparisons left */
	unsigned int quiet; /* inside of a rule that may fail without harm */
};

/* One value under one schema. */
struct at {
	struct check *c;
	const struct json *schema, *v;
	const struct place *place;
	unsigned int depth;
};

static enum schema_result check(const struct at *at);

static enum schema_result both(enum schema_result a, enum schema_result b)
{
	if (a == SCHEMA_INVALID || b == SCHEMA_INVALID)
		return SCHEMA_INVALID;
	return a == SCHEMA_UNKNOWN || b == SCHEMA_UNKNOWN ? SCHEMA_UNKNOWN : SCHEMA_VALID;
}

/* --- the budget */

static bool spend(struct check *c, size_t n)
{
	if (c->budget < n) {
		c->budget = 0;
		return false;
	}
	c->budget -= n;
	return true;
}

/* A member, for the price of looking; *known is false when the budget is gone. */
static const struct json *member(struct check *c, const struct json *obj, struct sv key,
				 bool *known)
{
	*known = spend(c, obj ? obj->cnt + 1 : 1);
	return *known ? json_get_sv(obj, key) : NULL;
}

static size_t weight(const struct json *v, unsigned int depth)
{
	size_t n = 1;

	if (depth < LIMIT_JSON_DEPTH)
		json_for_each (v, e)
			n += weight(e, depth + 1);
	return n;
}

/* --- faults */

static struct sv path_of(struct arena *a, const struct place *place)
{
	const struct place *steps[PATH_STEPS];
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t n = 0;

	for (; place && n < PATH_STEPS; place = place->up)
		steps[n++] = place;
	while (n-- && b.len < PATH_MAX_BYTES) {
		struct sv key = steps[n]->key;

		buf_ch(&b, '/');
		if (steps[n]->is_index)
			buf_fmt(&b, "%zu", steps[n]->index);
		for (size_t i = 0; i < key.n && b.len < PATH_MAX_BYTES; i++) {
			if (key.p[i] == '~' || key.p[i] == '/')
				buf_str(&b, key.p[i] == '~' ? "~0" : "~1");
			else
				buf_ch(&b, key.p[i]);
		}
	}
	return arena_dup(a, sv_clip_utf8(buf_view(&b), PATH_MAX_BYTES));
}

static enum schema_result fails(const struct at *at, const char *rule, struct sv text)
{
	struct check *c = at->c;

	if (!c->quiet && !c->fault->rule)
		*c->fault = (struct schema_fault){
			.rule = rule,
			.path = path_of(c->a, at->place),
			.text = text,
		};
	return SCHEMA_INVALID;
}

static enum schema_result breaks(const struct at *at, const char *rule, const struct json *value)
{
	_cleanup_arena_ struct arena scratch;
	struct sv text;

	if (at->c->quiet || at->c->fault->rule)
		return SCHEMA_INVALID;
	arena_init(&scratch, LIMIT_JSON_ARENA);
	text = sv_clip_utf8(json_text(&scratch, value), TEXT_MAX);
	return fails(at, rule, arena_fmt(at->c->a, "breaks %s " SV_FMT, rule, SV_ARG(text)));
}

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

static enum schema_result rule_type(const struct at *at, const struct json *rule)
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
	return fails(at, "type",
		     arena_fmt(at->c->a, "%s instead of " SV_FMT, names[at->v->type],
			       SV_ARG(sv_clip_utf8(want, TEXT_MAX))));
}

static enum schema_result rule_enum(const struct at *at, const struct json *rule)
{
	if (!json_is(rule, JSON_ARRAY))
		return SCHEMA_UNKNOWN;
	json_for_each (rule, e) {
		if (!spend(at->c, weight(e, 0)))
			return SCHEMA_UNKNOWN;
		if (json_same(e, at->v))
			return SCHEMA_VALID;
	}
	return breaks(at, "enum", rule);
}

static enum schema_result rule_const(const struct at *at, const struct json *rule)
{
	if (!spend(at->c, weight(rule, 0)))
		return SCHEMA_UNKNOWN;
	return json_same(rule, at->v) ? SCHEMA_VALID : breaks(at, "const", rule);
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

static enum schema_result rule_bound(const struct at *at, const struct json *rule, int wrong,
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
	return fails(at, wrong < 0 ? "minimum" : "maximum",
		     arena_fmt(at->c->a, SV_FMT " is %s %s" SV_FMT, SV_ARG(at->v->s),
			       wrong < 0 ? "below" : "above", exclusive ? "or at " : "",
			       SV_ARG(rule->s)));
}

static enum schema_result rule_minimum(const struct at *at, const struct json *rule)
{
	return rule_bound(at, rule, -1, json_true(json_get(at->schema, "exclusiveMinimum")));
}

static enum schema_result rule_maximum(const struct at *at, const struct json *rule)
{
	return rule_bound(at, rule, 1, json_true(json_get(at->schema, "exclusiveMaximum")));
}

static enum schema_result rule_exclusive_minimum(const struct at *at, const struct json *rule)
{
	return rule_bound(at, rule, -1, true);
}

static enum schema_result rule_exclusive_maximum(const struct at *at, const struct json *rule)
{
	return rule_bound(at, rule, 1, true);
}

static enum schema_result rule_multiple(const struct at *at, const struct json *rule)
{
	int64_t i, j;
	double x, y;

	if (at->v->type != JSON_NUMBER)
		return SCHEMA_VALID;
	if (json_i64(at->v, &i) && json_i64(rule, &j) && j > 0)
		return i % j ? breaks(at, "multipleOf", rule) : SCHEMA_VALID;
	if (!json_f64(at->v, &x) || !json_f64(rule, &y) || y <= 0)
		return SCHEMA_UNKNOWN;
	x /= y;
	/* 0.3 / 0.1 is no whole number: what may be rounding is left open */
	if (fabs(x - round(x)) < 1e-9 * fmax(1, fabs(x)))
		return x == round(x) ? SCHEMA_VALID : SCHEMA_UNKNOWN;
	return breaks(at, "multipleOf", rule);
}

static size_t code_points(struct sv s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static enum schema_result rule_count(const struct at *at, const struct json *rule, const char *name,
				     enum json_type of)
{
	size_t n = of == JSON_STRING ? code_points(at->v->s) : at->v->cnt;
	double bound;

	if (at->v->type != of)
		return SCHEMA_VALID;
	if (!json_f64(rule, &bound))
		return SCHEMA_UNKNOWN;
	if (sv_starts(sv(name), "min") ? (double)n >= bound : (double)n <= bound)
		return SCHEMA_VALID;
	return breaks(at, name, rule);
}

#define RULE_COUNT(name, text, of)                                                          \
	static enum schema_result rule_##name(const struct at *at, const struct json *rule) \
	{                                                                                   \
		return rule_count(at, rule, text, of);                                      \
	}
RULE_COUNT(min_length, "minLength", JSON_STRING)
RULE_COUNT(max_length, "maxLength", JSON_STRING)
RULE_COUNT(min_items, "minItems", JSON_ARRAY)
RULE_COUNT(max_items, "maxItems", JSON_ARRAY)
RULE_COUNT(min_properties, "minProperties", JSON_OBJECT)
RULE_COUNT(max_properties, "maxProperties", JSON_OBJECT)

/* --- rules: objects */

static enum schema_result descend(const struct at *at, const struct json *schema,
				  const struct json *v, const struct place *place)
{
	return check(&(struct at){ at->c, schema, v, place, at->depth + 1 });
}

static enum schema_result rule_properties(const struct at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;
	bool known = true;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	if (!json_is(rule, JSON_OBJECT))
		return SCHEMA_UNKNOWN;
	json_for_each (rule, e) {
		const struct place place = { .up = at->place, .key = e->key };
		const struct json *v = member(at->c, at->v, e->key, &known);

		if (!known)
			return SCHEMA_UNKNOWN;
		if (v)
			all = both(all, descend(at, e, v, &place));
	}
	return all;
}

static enum schema_result rule_required(const struct at *at, const struct json *rule)
{
	bool known = true;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	if (!json_is(rule, JSON_ARRAY))
		return SCHEMA_UNKNOWN;
	json_for_each (rule, e) {
		if (e->type != JSON_STRING)
			return SCHEMA_UNKNOWN;
		if (member(at->c, at->v, e->s, &known))
			continue;
		if (!known)
			return SCHEMA_UNKNOWN;
		return fails(at, "required",
			     arena_fmt(at->c->a, "lacks " SV_FMT,
				       SV_ARG(sv_clip_utf8(e->s, TEXT_MAX))));
	}
	return SCHEMA_VALID;
}

static enum schema_result rule_additional(const struct at *at, const struct json *rule)
{
	const struct json *declared = json_get(at->schema, "properties");
	bool patterns = json_get(at->schema, "patternProperties") != NULL, known = true;
	enum schema_result all = SCHEMA_VALID;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		const struct place place = { .up = at->place, .key = e->key };
		const struct at there = { at->c, rule, e, &place, at->depth + 1 };

		if (member(at->c, declared, e->key, &known))
			continue;
		if (!known || patterns)
			return SCHEMA_UNKNOWN;
		if (json_is(rule, JSON_BOOL) && !rule->b)
			return fails(&there, "additionalProperties", SV("is not declared"));
		all = both(all, check(&there));
	}
	return all;
}

static enum schema_result rule_names(const struct at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		const struct place place = { .up = at->place, .key = e->key };
		const struct json name = { .type = JSON_STRING, .s = e->key };

		all = both(all, descend(at, rule, &name, &place));
	}
	return all;
}

static enum schema_result rule_dependent(const struct at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;
	bool known = true;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	json_for_each (rule, e) {
		if (member(at->c, at->v, e->key, &known))
			all = both(all, rule_required(at, e));
		if (!known)
			return SCHEMA_UNKNOWN;
	}
	return all;
}

/* --- rules: arrays */

/* Elements from the n-th on keep to one schema. */
static enum schema_result rest(const struct at *at, const struct json *schema, size_t from)
{
	enum schema_result all = SCHEMA_VALID;
	size_t i = 0;

	json_for_each (at->v, e) {
		const struct place place = { .up = at->place, .index = i, .is_index = true };

		if (i++ >= from)
			all = both(all, descend(at, schema, e, &place));
	}
	return all;
}

/* A list of schemas, one for each of the first elements. */
static enum schema_result tuple(const struct at *at, const struct json *list)
{
	const struct json *schema = list->head;
	enum schema_result all = SCHEMA_VALID;
	size_t i = 0;

	json_for_each (at->v, e) {
		const struct place place = { .up = at->place, .index = i++, .is_index = true };

		if (!schema)
			break;
		all = both(all, descend(at, schema, e, &place));
		schema = schema->next;
	}
	return all;
}

static enum schema_result rule_items(const struct at *at, const struct json *rule)
{
	const struct json *prefix = json_get(at->schema, "prefixItems");

	if (at->v->type != JSON_ARRAY)
		return SCHEMA_VALID;
	if (rule->type == JSON_ARRAY) /* before 2020-12 */
		return tuple(at, rule);
	return rest(at, rule, prefix ? prefix->cnt : 0);
}

static enum schema_result rule_prefix(const struct at *at, const struct json *rule)
{
	if (at->v->type != JSON_ARRAY)
		return SCHEMA_VALID;
	return json_is(rule, JSON_ARRAY) ? tuple(at, rule) : SCHEMA_UNKNOWN;
}

static enum schema_result rule_additional_items(const struct at *at, const struct json *rule)
{
	const struct json *first = json_get(at->schema, "items");

	if (at->v->type != JSON_ARRAY || !json_is(first, JSON_ARRAY))
		return SCHEMA_VALID;
	return rest(at, rule, first->cnt);
}

static enum schema_result rule_unique(const struct at *at, const struct json *rule)
{
	if (at->v->type != JSON_ARRAY || !json_true(rule))
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		for (const struct json *o = e->next; o; o = o->next) {
			if (!spend(at->c, weight(o, 0)))
				return SCHEMA_UNKNOWN;
			if (json_same(e, o))
				return breaks(at, "uniqueItems", rule);
		}
	}
	return SCHEMA_VALID;
}

/* --- rules: of other schemas */

/* How many of a list hold; those that are not known are counted apart. */
static size_t holding(const struct at *at, const struct json *list, size_t *open)
{
	size_t n = 0;

	at->c->quiet++;
	*open = 0;
	json_for_each (list, e) {
		enum schema_result one = descend(at, e, at->v, at->place);

		n += one == SCHEMA_VALID;
		*open += one == SCHEMA_UNKNOWN;
	}
	at->c->quiet--;
	return n;
}

static enum schema_result rule_all(const struct at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;

	json_for_each (rule, e)
		all = both(all, descend(at, e, at->v, at->place));
	return json_is(rule, JSON_ARRAY) ? all : SCHEMA_UNKNOWN;
}

static enum schema_result rule_any(const struct at *at, const struct json *rule)
{
	size_t open, n = holding(at, rule, &open);

	if (n)
		return SCHEMA_VALID;
	return open || !json_is(rule, JSON_ARRAY) ? SCHEMA_UNKNOWN : breaks(at, "anyOf", rule);
}

static enum schema_result rule_one(const struct at *at, const struct json *rule)
{
	size_t open, n = holding(at, rule, &open);

	if (n > 1)
		return breaks(at, "oneOf", rule);
	if (open || !json_is(rule, JSON_ARRAY))
		return SCHEMA_UNKNOWN;
	return n ? SCHEMA_VALID : breaks(at, "oneOf", rule);
}

static enum schema_result quietly(const struct at *at, const struct json *schema,
				  const struct json *v)
{
	enum schema_result is;

	at->c->quiet++;
	is = descend(at, schema, v, at->place);
	at->c->quiet--;
	return is;
}

static enum schema_result rule_not(const struct at *at, const struct json *rule)
{
	enum schema_result is = quietly(at, rule, at->v);

	if (is == SCHEMA_UNKNOWN)
		return is;
	return is == SCHEMA_VALID ? breaks(at, "not", rule) : SCHEMA_VALID;
}

static enum schema_result rule_if(const struct at *at, const struct json *rule)
{
	enum schema_result is = quietly(at, rule, at->v);
	const struct json *next = json_get(at->schema, is == SCHEMA_VALID ? "then" : "else");

	if (is == SCHEMA_UNKNOWN)
		return is;
	return next ? descend(at, next, at->v, at->place) : SCHEMA_VALID;
}

static enum schema_result rule_contains(const struct at *at, const struct json *rule)
{
	bool open = json_get(at->schema, "minContains") || json_get(at->schema, "maxContains");

	if (at->v->type != JSON_ARRAY)
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		enum schema_result one = open ? SCHEMA_UNKNOWN : quietly(at, rule, e);

		if (one == SCHEMA_VALID)
			return SCHEMA_VALID;
		open |= one == SCHEMA_UNKNOWN;
	}
	return open ? SCHEMA_UNKNOWN : breaks(at, "contains", rule);
}

/* One step of a JSON pointer; the escapes of URIs (%24defs) are not used by anyone who writes refs. */
static const struct json *step(struct check *c, const struct json *v, struct sv part)
{
	char key[256];
	size_t n = 0;
	int64_t index;
	bool known;

	if (json_is(v, JSON_ARRAY))
		return !sv_i64(part, &index) && index >= 0 && spend(c, v->cnt)
			       ? json_at(v, (size_t)index)
			       : NULL;
	for (size_t i = 0; i < part.n; i++) {
		if (n == sizeof(key) || part.p[i] == '%')
			return NULL;
		if (part.p[i] == '~' && i + 1 < part.n)
			key[n++] = part.p[++i] == '1' ? '/' : '~';
		else
			key[n++] = part.p[i];
	}
	return member(c, v, (struct sv){ key, n }, &known);
}

static enum schema_result rule_ref(const struct at *at, const struct json *rule)
{
	struct sv ref = json_sv(rule);
	const struct json *to = at->c->root;

	if (!sv_is(ref, "#") && !sv_starts(ref, "#/"))
		return SCHEMA_UNKNOWN;
	ref = sv_sub(ref, 2, ref.n);
	while (to && ref.n)
		to = step(at->c, to, sv_token(&ref, '/'));
	return to ? descend(at, to, at->v, at->place) : SCHEMA_UNKNOWN;
}

static enum schema_result rule_open(const struct at *at, const struct json *rule)
{
	(void)at;
	(void)rule;
	return SCHEMA_UNKNOWN;
}

/* --- the schema */

static const struct {
	const char *name;
	enum schema_result (*fn)(const struct at *at, const struct json *rule);
} rules[] = {
	{ "$ref", rule_ref },
	{ "type", rule_type },
	{ "enum", rule_enum },
	{ "const", rule_const },
	{ "minimum", rule_minimum },
	{ "maximum", rule_maximum },
	{ "exclusiveMinimum", rule_exclusive_minimum },
	{ "exclusiveMaximum", rule_exclusive_maximum },
	{ "multipleOf", rule_multiple },
	{ "minLength", rule_min_length },
	{ "maxLength", rule_max_length },
	{ "pattern", rule_open },
	{ "required", rule_required },
	{ "properties", rule_properties },
	{ "patternProperties", rule_open },
	{ "additionalProperties", rule_additional },
	{ "propertyNames", rule_names },
	{ "minProperties", rule_min_properties },
	{ "maxProperties", rule_max_properties },
	{ "dependentRequired", rule_dependent },
	{ "dependentSchemas", rule_open },
	{ "dependencies", rule_open },
	{ "prefixItems", rule_prefix },
	{ "items", rule_items },
	{ "additionalItems", rule_additional_items },
	{ "minItems", rule_min_items },
	{ "maxItems", rule_max_items },
	{ "uniqueItems", rule_unique },
	{ "contains", rule_contains },
	{ "allOf", rule_all },
	{ "anyOf", rule_any },
	{ "oneOf", rule_one },
	{ "not", rule_not },
	{ "if", rule_if },
	{ "unevaluatedItems", rule_open },
	{ "unevaluatedProperties", rule_open },
	{ "$dynamicRef", rule_open },
	{ "$recursiveRef", rule_open },
};

static enum schema_result check(const struct at *at)
{
	const struct json *schema = at->schema;
	enum schema_result all = SCHEMA_VALID;

	if (at->depth > LIMIT_SCHEMA_DEPTH || at->v->cut || schema->cut || !spend(at->c, 1))
		return SCHEMA_UNKNOWN;
	if (schema->type == JSON_BOOL)
		return schema->b ? SCHEMA_VALID : breaks(at, "false", schema);
	if (schema->type != JSON_OBJECT)
		return SCHEMA_UNKNOWN;
	if (at->v->type == JSON_NULL && json_true(json_get(schema, "nullable")))
		return SCHEMA_VALID;
	/* in the table's order: of several broken rules the plainest is told */
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct json *rule;

		if (!spend(at->c, schema->cnt))
			return both(all, SCHEMA_UNKNOWN);
		rule = json_get(schema, rules[i].name);
		if (rule)
			all = both(all, rules[i].fn(at, rule));
		if (all == SCHEMA_INVALID)
			break;
	}
	return all;
}

enum schema_result json_schema_check(const struct json *schema, const struct json *v,
				     struct arena *a, struct schema_fault *fault)
{
	struct check c = { .a = a, .root = schema, .fault = fault, .budget = LIMIT_SCHEMA_STEPS };

	*fault = (struct schema_fault){ 0 };
	if (!schema || !v)
		return SCHEMA_UNKNOWN;
	return check(&(struct at){ .c = &c, .schema = schema, .v = v });
}
