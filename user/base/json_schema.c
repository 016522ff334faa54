// SPDX-License-Identifier: BSD-2-Clause
/* A table of rules, one function each, and a budget that bounds what a schema can make us do. */
#include "base/json_schema_int.h"

#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"

#define PATH_MAX_BYTES 512
#define PATH_STEPS 64 /* as deep as LIMIT_SCHEMA_DEPTH lets a place be */

static enum schema_result check(const struct schema_at *at);

static enum schema_result both(enum schema_result a, enum schema_result b)
{
	if (a == SCHEMA_INVALID || b == SCHEMA_INVALID)
		return SCHEMA_INVALID;
	return a == SCHEMA_UNKNOWN || b == SCHEMA_UNKNOWN ? SCHEMA_UNKNOWN : SCHEMA_VALID;
}

/* --- the budget */

bool schema_spend(struct schema_check *c, size_t n)
{
	if (c->budget < n) {
		c->budget = 0;
		return false;
	}
	c->budget -= n;
	return true;
}

/* A member, for the price of looking; *known is false when the budget is gone. */
static const struct json *member(struct schema_check *c, const struct json *obj, struct sv key,
				 bool *known)
{
	*known = schema_spend(c, obj ? obj->cnt + 1 : 1);
	return *known ? json_get_sv(obj, key) : NULL;
}

size_t schema_weight(const struct json *v, unsigned int depth)
{
	size_t n = 1;

	if (json_is(v, JSON_OBJECT))
		n += v->cnt * v->cnt; /* each of its keys may be looked for among all */
	if (depth < LIMIT_JSON_DEPTH)
		json_for_each (v, e)
			n += schema_weight(e, depth + 1);
	return n;
}

/* --- faults */

static struct sv path_of(struct arena *a, const struct schema_place *place)
{
	const struct schema_place *steps[PATH_STEPS];
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

enum schema_result schema_fails(const struct schema_at *at, const char *rule, struct sv text)
{
	struct schema_check *c = at->c;

	if (!c->quiet && !c->fault->rule)
		*c->fault = (struct schema_fault){
			.rule = rule,
			.path = path_of(c->a, at->place),
			.text = text,
		};
	return SCHEMA_INVALID;
}

enum schema_result schema_breaks(const struct schema_at *at, const char *rule,
				 const struct json *value)
{
	_cleanup_arena_ struct arena scratch;
	struct sv text;

	if (at->c->quiet || at->c->fault->rule)
		return SCHEMA_INVALID;
	arena_init(&scratch, LIMIT_JSON_ARENA);
	text = sv_clip_utf8(json_text(&scratch, value), SCHEMA_TEXT_MAX);
	return schema_fails(at, rule, arena_fmt(at->c->a, "breaks %s " SV_FMT, rule, SV_ARG(text)));
}

/* --- rules: objects */

static enum schema_result descend(const struct schema_at *at, const struct json *schema,
				  const struct json *v, const struct schema_place *place)
{
	return check(&(struct schema_at){ at->c, schema, v, place, at->depth + 1 });
}

static enum schema_result rule_properties(const struct schema_at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;
	bool known = true;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	if (!json_is(rule, JSON_OBJECT))
		return SCHEMA_UNKNOWN;
	json_for_each (rule, e) {
		const struct schema_place place = { .up = at->place, .key = e->key };
		const struct json *v = member(at->c, at->v, e->key, &known);

		if (!known)
			return SCHEMA_UNKNOWN;
		if (v)
			all = both(all, descend(at, e, v, &place));
	}
	return all;
}

static enum schema_result rule_required(const struct schema_at *at, const struct json *rule)
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
		return schema_fails(at, "required",
				    arena_fmt(at->c->a, "lacks " SV_FMT,
					      SV_ARG(sv_clip_utf8(e->s, SCHEMA_TEXT_MAX))));
	}
	return SCHEMA_VALID;
}

static enum schema_result rule_additional(const struct schema_at *at, const struct json *rule)
{
	const struct json *declared = json_get(at->schema, "properties");
	bool patterns = json_get(at->schema, "patternProperties") != NULL, known = true;
	enum schema_result all = SCHEMA_VALID;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		const struct schema_place place = { .up = at->place, .key = e->key };
		const struct schema_at there = { at->c, rule, e, &place, at->depth + 1 };

		if (member(at->c, declared, e->key, &known))
			continue;
		if (!known || patterns)
			return SCHEMA_UNKNOWN;
		if (json_is(rule, JSON_BOOL) && !rule->b)
			return schema_fails(&there, "additionalProperties", SV("is not declared"));
		all = both(all, check(&there));
	}
	return all;
}

static enum schema_result rule_names(const struct schema_at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;

	if (at->v->type != JSON_OBJECT)
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		const struct schema_place place = { .up = at->place, .key = e->key };
		const struct json name = { .type = JSON_STRING, .s = e->key };

		all = both(all, descend(at, rule, &name, &place));
	}
	return all;
}

static enum schema_result rule_dependent(const struct schema_at *at, const struct json *rule)
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
static enum schema_result rest(const struct schema_at *at, const struct json *schema, size_t from)
{
	enum schema_result all = SCHEMA_VALID;
	size_t i = 0;

	json_for_each (at->v, e) {
		const struct schema_place place = { .up = at->place, .index = i, .is_index = true };

		if (i++ >= from)
			all = both(all, descend(at, schema, e, &place));
	}
	return all;
}

/* A list of schemas, one for each of the first elements. */
static enum schema_result tuple(const struct schema_at *at, const struct json *list)
{
	const struct json *schema = list->head;
	enum schema_result all = SCHEMA_VALID;
	size_t i = 0;

	json_for_each (at->v, e) {
		const struct schema_place place = { .up = at->place,
						    .index = i++,
						    .is_index = true };

		if (!schema)
			break;
		all = both(all, descend(at, schema, e, &place));
		schema = schema->next;
	}
	return all;
}

static enum schema_result rule_items(const struct schema_at *at, const struct json *rule)
{
	const struct json *prefix = json_get(at->schema, "prefixItems");

	if (at->v->type != JSON_ARRAY)
		return SCHEMA_VALID;
	if (rule->type == JSON_ARRAY) /* before 2020-12 */
		return tuple(at, rule);
	return rest(at, rule, prefix ? prefix->cnt : 0);
}

static enum schema_result rule_prefix(const struct schema_at *at, const struct json *rule)
{
	if (at->v->type != JSON_ARRAY)
		return SCHEMA_VALID;
	return json_is(rule, JSON_ARRAY) ? tuple(at, rule) : SCHEMA_UNKNOWN;
}

static enum schema_result rule_additional_items(const struct schema_at *at, const struct json *rule)
{
	const struct json *first = json_get(at->schema, "items");

	if (at->v->type != JSON_ARRAY || !json_is(first, JSON_ARRAY))
		return SCHEMA_VALID;
	return rest(at, rule, first->cnt);
}

static enum schema_result rule_unique(const struct schema_at *at, const struct json *rule)
{
	if (at->v->type != JSON_ARRAY || !json_true(rule))
		return SCHEMA_VALID;
	json_for_each (at->v, e) {
		for (const struct json *o = e->next; o; o = o->next) {
			if (!schema_spend(at->c, schema_weight(o, 0)))
				return SCHEMA_UNKNOWN;
			if (json_same(e, o))
				return schema_breaks(at, "uniqueItems", rule);
		}
	}
	return SCHEMA_VALID;
}

/* --- rules: of other schemas */

/* How many of a list hold; those that are not known are counted apart. */
static size_t holding(const struct schema_at *at, const struct json *list, size_t *open)
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

static enum schema_result rule_all(const struct schema_at *at, const struct json *rule)
{
	enum schema_result all = SCHEMA_VALID;

	json_for_each (rule, e)
		all = both(all, descend(at, e, at->v, at->place));
	return json_is(rule, JSON_ARRAY) ? all : SCHEMA_UNKNOWN;
}

static enum schema_result rule_any(const struct schema_at *at, const struct json *rule)
{
	size_t open, n = holding(at, rule, &open);

	if (n)
		return SCHEMA_VALID;
	return open || !json_is(rule, JSON_ARRAY) ? SCHEMA_UNKNOWN
						  : schema_breaks(at, "anyOf", rule);
}

static enum schema_result rule_one(const struct schema_at *at, const struct json *rule)
{
	size_t open, n = holding(at, rule, &open);

	if (n > 1)
		return schema_breaks(at, "oneOf", rule);
	if (open || !json_is(rule, JSON_ARRAY))
		return SCHEMA_UNKNOWN;
	return n ? SCHEMA_VALID : schema_breaks(at, "oneOf", rule);
}

static enum schema_result quietly(const struct schema_at *at, const struct json *schema,
				  const struct json *v)
{
	enum schema_result is;

	at->c->quiet++;
	is = descend(at, schema, v, at->place);
	at->c->quiet--;
	return is;
}

static enum schema_result rule_not(const struct schema_at *at, const struct json *rule)
{
	enum schema_result is = quietly(at, rule, at->v);

	if (is == SCHEMA_UNKNOWN)
		return is;
	return is == SCHEMA_VALID ? schema_breaks(at, "not", rule) : SCHEMA_VALID;
}

static enum schema_result rule_if(const struct schema_at *at, const struct json *rule)
{
	enum schema_result is = quietly(at, rule, at->v);
	const struct json *next = json_get(at->schema, is == SCHEMA_VALID ? "then" : "else");

	if (is == SCHEMA_UNKNOWN)
		return is;
	return next ? descend(at, next, at->v, at->place) : SCHEMA_VALID;
}

static enum schema_result rule_contains(const struct schema_at *at, const struct json *rule)
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
	return open ? SCHEMA_UNKNOWN : schema_breaks(at, "contains", rule);
}

/* One step of a JSON pointer; the escapes of URIs (%24defs) are not used by anyone who writes refs. */
static const struct json *step(struct schema_check *c, const struct json *v, struct sv part)
{
	char key[256];
	size_t n = 0;
	int64_t index;
	bool known;

	if (json_is(v, JSON_ARRAY))
		return !sv_i64(part, &index) && index >= 0 && schema_spend(c, v->cnt)
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

static enum schema_result rule_ref(const struct schema_at *at, const struct json *rule)
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

static enum schema_result rule_open(const struct schema_at *at, const struct json *rule)
{
	(void)at;
	(void)rule;
	return SCHEMA_UNKNOWN;
}

/* --- the schema */

static const struct {
	const char *name;
	enum schema_result (*fn)(const struct schema_at *at, const struct json *rule);
} rules[] = {
	{ "$ref", rule_ref },
	{ "type", schema_rule_type },
	{ "enum", schema_rule_enum },
	{ "const", schema_rule_const },
	{ "minimum", schema_rule_minimum },
	{ "maximum", schema_rule_maximum },
	{ "exclusiveMinimum", schema_rule_exclusive_minimum },
	{ "exclusiveMaximum", schema_rule_exclusive_maximum },
	{ "multipleOf", schema_rule_multiple },
	{ "minLength", schema_rule_min_length },
	{ "maxLength", schema_rule_max_length },
	{ "pattern", rule_open },
	{ "required", rule_required },
	{ "properties", rule_properties },
	{ "patternProperties", rule_open },
	{ "additionalProperties", rule_additional },
	{ "propertyNames", rule_names },
	{ "minProperties", schema_rule_min_properties },
	{ "maxProperties", schema_rule_max_properties },
	{ "dependentRequired", rule_dependent },
	{ "dependentSchemas", rule_open },
	{ "dependencies", rule_open },
	{ "prefixItems", rule_prefix },
	{ "items", rule_items },
	{ "additionalItems", rule_additional_items },
	{ "minItems", schema_rule_min_items },
	{ "maxItems", schema_rule_max_items },
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

static enum schema_result check(const struct schema_at *at)
{
	const struct json *schema = at->schema;
	enum schema_result all = SCHEMA_VALID;

	if (at->depth > LIMIT_SCHEMA_DEPTH || at->v->cut || schema->cut || !schema_spend(at->c, 1))
		return SCHEMA_UNKNOWN;
	if (schema->type == JSON_BOOL)
		return schema->b ? SCHEMA_VALID : schema_breaks(at, "false", schema);
	if (schema->type != JSON_OBJECT)
		return SCHEMA_UNKNOWN;
	if (at->v->type == JSON_NULL && json_true(json_get(schema, "nullable")))
		return SCHEMA_VALID;
	/* in the table's order: of several broken rules the plainest is told */
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct json *rule;

		if (!schema_spend(at->c, schema->cnt))
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
	struct schema_check c = {
		.a = a, .root = schema, .fault = fault, .budget = LIMIT_SCHEMA_STEPS
	};

	*fault = (struct schema_fault){ 0 };
	if (!schema || !v)
		return SCHEMA_UNKNOWN;
	return check(&(struct schema_at){ .c = &c, .schema = schema, .v = v });
}
