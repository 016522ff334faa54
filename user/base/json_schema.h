/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a JSON value keep to a JSON Schema?  For schemas and values from the wire, so the answer has
 * three sides: what a bound, a cut text or a rule that is not judged here leaves open is UNKNOWN and
 * never INVALID.
 *
 * Judged are type, enum, const, the bounds of numbers, strings, arrays and objects, properties,
 * required, additionalProperties, propertyNames, dependentRequired, items (all drafts' ways), contains,
 * uniqueItems, allOf, anyOf, oneOf, not, if, $ref inside the document; OpenAPI's nullable and its types
 * in capitals too.  Not judged are pattern, patternProperties, unevaluated*, dependentSchemas and $ref
 * elsewhere.  Anything else is an annotation.
 *
 * Source: JSON Schema drafts 4 to 2020-12 (json-schema.org), OpenAPI 3.0.3.
 */
#ifndef RINGSPAN_JSON_SCHEMA_H
#define RINGSPAN_JSON_SCHEMA_H

#include "base/json.h"

enum schema_result { SCHEMA_VALID, SCHEMA_INVALID, SCHEMA_UNKNOWN };

/* The first rule that a value breaks. */
struct schema_fault {
	const char *rule; /* its keyword */
	struct sv path;   /* JSON pointer (RFC 6901) to the value; empty: the whole */
	struct sv text;   /* what is wrong there: "string instead of integer" */
};

/* *fault is filled when the result is INVALID; its texts are in the arena. */
enum schema_result json_schema_check(const struct json *schema, const struct json *v,
				     struct arena *a, struct schema_fault *fault);

#endif
