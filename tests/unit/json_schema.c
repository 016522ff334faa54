// SPDX-License-Identifier: BSD-2-Clause
/* JSON Schema: what is valid, what is not and why, and what nobody can know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/json_schema.h"
#include "base/limits.h"

static const char *const names[] = { "valid", "invalid", "unknown" };

/* want: "valid", "unknown", or "PATH RULE: TEXT" of a fault. */
static void check(const char *schema, const char *value, const char *want)
{
	struct schema_fault f;
	struct arena a;
	char got[400];
	enum schema_result is;

	arena_init(&a, 0);
	is = json_schema_check(json_parse(&a, sv(schema), NULL), json_parse(&a, sv(value), NULL),
			       &a, &f);
	if (is == SCHEMA_INVALID)
		snprintf(got, sizeof(got), SV_FMT " %s: " SV_FMT, SV_ARG(f.path), f.rule,
			 SV_ARG(f.text));
	else
		snprintf(got, sizeof(got), "%s", names[is]);
	if (strcmp(got, want) != 0)
		fail_msg("%s under %s: got '%s', want '%s'", value, schema, got, want);
	arena_fini(&a);
}

static void types(void **state)
{
	(void)state;
	check("{\"type\":\"string\"}", "\"a\"", "valid");
	check("{\"type\":\"string\"}", "1", " type: number instead of string");
	check("{\"type\":\"integer\"}", "3.0", "valid");
	check("{\"type\":\"integer\"}", "18446744073709551615", "valid");
	check("{\"type\":\"integer\"}", "3.5", " type: number instead of integer");
	check("{\"type\":[\"string\",\"null\"]}", "null", "valid");
	check("{\"type\":[\"string\",\"null\"]}", "[]",
	      " type: array instead of [\"string\",\"null\"]");
	check("{\"type\":\"STRING\"}", "\"a\"", "valid");
	check("{\"type\":\"STRING\"}", "true", " type: boolean instead of STRING");
	check("{\"type\":\"STRING\",\"nullable\":true}", "null", "valid");
	check("{\"type\":\"STRING\",\"nullable\":false}", "null", " type: null instead of STRING");
	check("{\"type\":\"float\"}", "\"a\"", "unknown");
	check("{\"type\":[\"float\",\"null\"]}", "\"a\"", "unknown");
	check("{\"type\":7}", "\"a\"", "unknown");
	check("true", "1", "valid");
	check("false", "1", " false: breaks false false");
	check("{}", "1", "valid");
	check("[]", "1", "unknown");
	check("{\"strict\":true,\"x-y\":{\"type\":\"string\"},\"format\":\"date\"}", "1", "valid");
}

static void values(void **state)
{
	(void)state;
	check("{\"enum\":[1,\"a\",{\"x\":1,\"y\":2}]}", "{\"y\":2.0,\"x\":1}", "valid");
	check("{\"enum\":[1,\"a\"]}", "\"b\"", " enum: breaks enum [1,\"a\"]");
	check("{\"const\":null}", "null", "valid");
	check("{\"const\":null}", "0", " const: breaks const null");
	check("{\"minimum\":3}", "3", "valid");
	check("{\"minimum\":3}", "2.5", " minimum: 2.5 is below 3");
	check("{\"maximum\":9007199254740992}", "9007199254740993",
	      " maximum: 9007199254740993 is above 9007199254740992");
	check("{\"exclusiveMinimum\":3}", "3", " minimum: 3 is below or at 3");
	check("{\"minimum\":3,\"exclusiveMinimum\":true}", "3", " minimum: 3 is below or at 3");
	check("{\"exclusiveMaximum\":3}", "2", "valid");
	check("{\"multipleOf\":5}", "7", " multipleOf: breaks multipleOf 5");
	check("{\"multipleOf\":0.5}", "1.5", "valid");
	check("{\"multipleOf\":0.1}", "0.3", "unknown");
	check("{\"multipleOf\":0.1}", "0.35", " multipleOf: breaks multipleOf 0.1");
	check("{\"minimum\":3}", "\"a\"", "valid");
	check("{\"minLength\":2}", "\"\xc3\xa4\"", " minLength: breaks minLength 2");
	check("{\"maxLength\":2}", "\"\xc3\xa4\xc3\xa4\"", "valid");
	check("{\"maxLength\":1}", "[1,2]", "valid");
	check("{\"pattern\":\"^a\"}", "\"b\"", "unknown");
}

static void objects(void **state)
{
	static const char strict[] = "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":"
				     "\"string\"},\"n\":{\"type\":\"integer\",\"minimum\":1}},"
				     "\"required\":[\"path\"],\"additionalProperties\":false}";

	(void)state;
	check(strict, "{\"path\":\"a\",\"n\":1}", "valid");
	check(strict, "{\"n\":1}", " required: lacks path");
	check(strict, "{\"path\":7}", "/path type: number instead of string");
	check(strict, "{\"path\":\"a\",\"n\":0}", "/n minimum: 0 is below 1");
	check(strict, "{\"path\":\"a\",\"a/b~\":0}",
	      "/a~1b~0 additionalProperties: is not declared");
	check(strict, "[]", " type: array instead of object");
	check("{\"additionalProperties\":{\"type\":\"string\"},\"properties\":{\"n\":{}}}",
	      "{\"n\":1,\"m\":2}", "/m type: number instead of string");
	check("{\"additionalProperties\":false,\"patternProperties\":{\"^x\":{}}}", "{\"y\":1}",
	      "unknown");
	check("{\"propertyNames\":{\"maxLength\":1}}", "{\"ab\":1}",
	      "/ab maxLength: breaks maxLength 1");
	check("{\"minProperties\":1}", "{}", " minProperties: breaks minProperties 1");
	check("{\"maxProperties\":0}", "{\"a\":1}", " maxProperties: breaks maxProperties 0");
	check("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", " required: lacks b");
	check("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"c\":1}", "valid");
	check("{\"required\":true}", "{}", "unknown");
	check("{\"properties\":[]}", "{}", "unknown");
}

static void arrays(void **state)
{
	(void)state;
	check("{\"items\":{\"type\":\"string\"}}", "[\"a\",[\"b\"]]",
	      "/1 type: array instead of string");
	check("{\"items\":{\"properties\":{\"k\":{\"enum\":[1]}}}}", "[{},{\"k\":2}]",
	      "/1/k enum: breaks enum [1]");
	check("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\"]", "valid");
	check("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]",
	      "/1 false: breaks false false");
	check("{\"items\":[{\"type\":\"string\"}],\"additionalItems\":false}", "[\"a\",1]",
	      "/1 false: breaks false false");
	check("{\"items\":[{\"type\":\"string\"}]}", "[1]", "/0 type: number instead of string");
	check("{\"minItems\":1}", "[]", " minItems: breaks minItems 1");
	check("{\"maxItems\":1}", "[1,2]", " maxItems: breaks maxItems 1");
	check("{\"uniqueItems\":true}", "[1,2,1.0]", " uniqueItems: breaks uniqueItems true");
	check("{\"contains\":{\"type\":\"string\"}}", "[1]",
	      " contains: breaks contains {\"type\":\"string\"}");
	check("{\"contains\":{\"type\":\"string\"}}", "[1,\"a\"]", "valid");
	check("{\"contains\":{},\"minContains\":2}", "[1]", "unknown");
}

static void of_schemas(void **state)
{
	(void)state;
	check("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", "valid");
	check("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "1",
	      " anyOf: breaks anyOf [{\"type\":\"string\"},{\"type\":\"null\"}]");
	check("{\"anyOf\":[{\"type\":\"string\"},{\"pattern\":\"x\"}]}", "1", "unknown");
	check("{\"oneOf\":[{\"type\":\"number\"},{\"minimum\":0}]}", "1",
	      " oneOf: breaks oneOf [{\"type\":\"number\"},{\"minimum\":0}]");
	check("{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"null\"}]}", "1", "valid");
	check("{\"oneOf\":[{\"type\":\"number\"},{\"pattern\":\"a\"}]}", "1", "unknown");
	check("{\"allOf\":[{\"type\":\"number\"},{\"minimum\":2}]}", "1", " minimum: 1 is below 2");
	check("{\"allOf\":[{\"pattern\":\"a\"},{\"minimum\":2}]}", "1", " minimum: 1 is below 2");
	check("{\"not\":{\"type\":\"number\"}}", "1", " not: breaks not {\"type\":\"number\"}");
	check("{\"not\":{\"pattern\":\"a\"}}", "\"a\"", "unknown");
	check("{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},"
	      "\"else\":{\"required\":[\"c\"]}}",
	      "{\"a\":1}", " required: lacks b");
	check("{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},"
	      "\"else\":{\"required\":[\"c\"]}}",
	      "{}", " required: lacks c");
}

static void references(void **state)
{
	static const char tree[] =
		"{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"properties\":{"
		"\"name\":{\"type\":\"string\"},\"next\":{\"$ref\":\"#/$defs/node\"}}}}}";

	(void)state;
	check(tree, "{\"next\":{\"next\":{\"name\":1}}}",
	      "/next/next/name type: number instead of string");
	check(tree, "{\"next\":{\"name\":\"a\"}}", "valid");
	check("{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"maxProperties\":1}",
	      "{\"a\":{\"b\":1,\"c\":2}}", "/a maxProperties: breaks maxProperties 1");
	check("{\"$ref\":\"#/a~1b/1\",\"a/b\":[false,{\"type\":\"null\"}]}", "1",
	      " type: number instead of null");
	check("{\"$ref\":\"#/$defs/none\"}", "1", "unknown");
	check("{\"$ref\":\"other.json\"}", "1", "unknown");
	check("{\"$ref\":\"#\"}", "1", "unknown");
}

/* The text of a cut value or schema is the beginning of many: none of them is judged. */
static void cut(void **state)
{
	static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
				     "\"string\",\"minLength\":9}},\"required\":[\"a\",\"b\"]}";
	static const char value[] = "{\"a\":\"short\",\"c\":[1,2,{\"d\":true}]}";
	char part[200];

	(void)state;
	check(schema, value, " required: lacks b");
	for (size_t i = 1; i + 1 < sizeof(value) - 1; i++) {
		snprintf(part, sizeof(part), "%.*s", (int)i, value);
		check(schema, part, "unknown");
	}
	for (size_t i = 1; i + 1 < sizeof(schema) - 1; i++) {
		snprintf(part, sizeof(part), "%.*s", (int)i, schema);
		check(part, value, "unknown");
	}
}

/* Schemas that would take for ever, or all of the stack. */
static void hostile(void **state)
{
	struct buf deep = BUF_INIT, wide = BUF_INIT;

	(void)state;
	check("{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"},{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
	      "1", "unknown");
	for (size_t i = 0; i < 100; i++)
		buf_str(&deep, "{\"not\":");
	buf_str(&deep, "{}");
	for (size_t i = 0; i < 100; i++)
		buf_str(&deep, "}");
	check(buf_cstr(&deep), "1", "unknown");
	buf_str(&wide, "[");
	for (size_t i = 0; i < 20000; i++)
		buf_fmt(&wide, "%s%zu", i ? "," : "", i);
	buf_str(&wide, "]");
	check("{\"uniqueItems\":true}", buf_cstr(&wide), "unknown");
	buf_fini(&deep);
	buf_fini(&wide);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),      cmocka_unit_test(values),
		cmocka_unit_test(objects),    cmocka_unit_test(arrays),
		cmocka_unit_test(of_schemas), cmocka_unit_test(references),
		cmocka_unit_test(cut),        cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
