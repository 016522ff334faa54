/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the JSON Schema check share: json_schema.c (the budget, faults, rules of objects, of
 * arrays and of other schemas), json_schema_value.c (rules of a value by itself).  Nobody else
 * includes this.
 */
#ifndef RINGSPAN_JSON_SCHEMA_INT_H
#define RINGSPAN_JSON_SCHEMA_INT_H

#include "base/json_schema.h"

#define SCHEMA_TEXT_MAX 120 /* bytes of a rule that a fault quotes */

/* A member or element on the way from the whole to the value at hand. */
struct schema_place {
	const struct schema_place *up;
	struct sv key;
	size_t index;
	bool is_index;
};

struct schema_check {
	struct arena *a;
	const struct json *root;
	struct schema_fault *fault;
	size_t budget;      /* comparisons left */
	unsigned int quiet; /* inside of a rule that may fail without harm */
};

/* One value under one schema. */
struct schema_at {
	struct schema_check *c;
	const struct json *schema, *v;
	const struct schema_place *place;
	unsigned int depth;
};

/* json_schema.c */
bool schema_spend(struct schema_check *c, size_t n); /* comparisons; false: there are none left */
size_t schema_weight(const struct json *v,
		     unsigned int depth); /* comparisons that a value may take */
/* INVALID, with the fault: what is wrong, or which value of the rule it breaks. */
enum schema_result schema_fails(const struct schema_at *at, const char *rule, struct sv text);
enum schema_result schema_breaks(const struct schema_at *at, const char *rule,
				 const struct json *value);

/* json_schema_value.c: a keyword each */
enum schema_result schema_rule_type(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_enum(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_const(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_minimum(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_maximum(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_exclusive_minimum(const struct schema_at *at,
						 const struct json *rule);
enum schema_result schema_rule_exclusive_maximum(const struct schema_at *at,
						 const struct json *rule);
enum schema_result schema_rule_multiple(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_min_length(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_max_length(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_min_items(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_max_items(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_min_properties(const struct schema_at *at, const struct json *rule);
enum schema_result schema_rule_max_properties(const struct schema_at *at, const struct json *rule);

#endif
