// SPDX-License-Identifier: BSD-2-Clause
/* The span record: its text form both ways, redaction, and schemas/span.schema.json. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "span/embed.h"
#include "span/span.h"

#define TRACE "0123456789abcdef0123456789abcdef"
#define KEY "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"

static struct span *make(bool no_redact)
{
	struct span *s = NULL;

	assert_int_equal(span_new(&s, SPAN_MODEL_CALL), 0);
	s->no_redact = no_redact;
	strcpy(s->trace_id, TRACE);
	strcpy(s->span_id, "00000000000000aa");
	span_set_name(s, SV("chat m-1"));
	s->kind = SPAN_KIND_CLIENT;
	s->start_ns = 1763719200000000001;
	s->end_ns = 1763719201000000002;
	return s;
}

static void assert_text(const struct span *s, bool payload, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_int_equal(span_write_json(&b, s, payload), 0);
	assert_string_equal(buf_cstr(&b), want);
}

static struct json *object(struct arena *a, const char *text)
{
	return json_parse(a, sv(text), NULL);
}

static const char full[] =
	"{\"trace_id\":\"" TRACE "\",\"span_id\":\"00000000000000aa\",\"parent_span_id\":\"\","
	"\"name\":\"chat m-1\",\"kind\":\"CLIENT\",\"start_time_unix_nano\":1763719200000000001,"
	"\"end_time_unix_nano\":1763719201000000002,"
	"\"status\":{\"code\":\"ERROR\",\"message\":\"say \\\"no\\\"\"},"
	"\"attributes\":{\"ringspan.kind\":\"model_call\",\"ringspan.incomplete\":[\"hole\","
	"\"cut\"],"
	"\"ringspan.cost.usd\":0.1,\"gen_ai.request.model\":\"m-1\",\"gen_ai.request.stream\":true,"
	"\"gen_ai.usage.input_tokens\":9007199254740993,"
	"\"gen_ai.input.messages\":[{\"role\":\"user\"}]},"
	"\"events\":[{\"time_unix_nano\":18446744073709551615,\"name\":\"e\",\"attributes\":{}}],"
	"\"links\":[],\"resource\":{}}";

static struct span *make_full(struct arena *a)
{
	struct span *s = make(false);

	/* not in the order of the table */
	span_set_json(s, ATTR_ID_INPUT_MESSAGES, object(a, "[{\"role\":\"user\"}]"));
	span_set_int(s, ATTR_ID_USAGE_INPUT, 9007199254740993);
	span_set_bool(s, ATTR_ID_REQUEST_STREAM, true);
	span_set_str(s, ATTR_ID_REQUEST_MODEL, SV("m-0"));
	span_set_str(s, ATTR_ID_REQUEST_MODEL, SV("m-1"));
	span_set_float(s, ATTR_ID_COST, 0.1);
	span_incomplete(s, "hole");
	span_incomplete(s, "cut");
	span_incomplete(s, "hole");
	span_event(s, UINT64_MAX, "e", NULL);
	span_set_status(s, STATUS_ERROR, SV("say \"no\""));
	return s;
}

static void test_write(void **state)
{
	_cleanup_arena_ struct arena a;
	struct span *s;

	(void)state;
	arena_init(&a, 0);
	s = make_full(&a);
	assert_text(s, true, full);
	span_free(&s);
	assert_null(s);
	span_free(&s);
}

static void test_payload_is_left_out(void **state)
{
	_cleanup_arena_ struct arena a;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json *attrs;
	struct span *s;

	(void)state;
	arena_init(&a, 0);
	s = make_full(&a);
	attrs = object(&a, "{\"gen_ai.output.messages\":[1],\"error.type\":\"t\"}");
	span_event(s, 1, "e2", attrs);
	span_write_json(&b, s, false);
	assert_false(sv_has(buf_view(&b), "gen_ai.input.messages"));
	assert_false(sv_has(buf_view(&b), "gen_ai.output.messages"));
	assert_true(sv_has(buf_view(&b), "\"error.type\":\"t\""));
	span_free(&s);
}

static void test_nothing_is_set(void **state)
{
	struct span *s = make(false);
	size_t before = s->attributes->cnt;

	(void)state;
	span_set_str(s, ATTR_ID_REQUEST_MODEL, (struct sv){ NULL, 0 });
	span_set_float(s, ATTR_ID_COST, NAN);
	span_set_float(s, ATTR_ID_COST, INFINITY);
	span_set_json(s, ATTR_ID_RATE_LIMITS, NULL);
	assert_int_equal(s->attributes->cnt, before);
	assert_int_equal(span_attr_int(s, ATTR_ID_USAGE_INPUT, -7), -7);
	assert_true(isnan(span_attr_float(s, ATTR_ID_COST, NAN)));
	assert_int_equal(span_attr_sv(s, ATTR_ID_REQUEST_MODEL).n, 0);
	span_free(&s);
}

static void test_read_gives_the_same(void **state)
{
	struct span *s = NULL;
	/* time of an event is 63 bits when it is read by SQL, 64 in the record */
	(void)state;
	assert_int_equal(span_read_json(&s, sv(full)), 0);
	assert_int_equal(s->what, SPAN_MODEL_CALL);
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	assert_int_equal(s->status, STATUS_ERROR);
	assert_true(s->start_ns == 1763719200000000001ull);
	assert_true(sv_is(s->status_message, "say \"no\""));
	assert_int_equal(span_attr_int(s, ATTR_ID_USAGE_INPUT, 0), 9007199254740993);
	assert_text(s, true, full);
	span_free(&s);
}

/* One member of the record changed, or taken away where text is NULL. */
static void assert_refused(const char *key, const char *text)
{
	_cleanup_arena_ struct arena a;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json *root, *copy;
	struct span *s = NULL;

	arena_init(&a, 0);
	root = json_parse(&a, sv(full), NULL);
	copy = json_object(&a);
	json_for_each (root, m) {
		if (!sv_is(m->key, key))
			json_add(&a, copy, m->key, json_copy(&a, m));
		else if (text)
			json_add(&a, copy, m->key, json_parse(&a, sv(text), NULL));
	}
	json_write(&b, copy);
	if (span_read_json(&s, buf_view(&b)) != -EINVAL)
		fail_msg("%s: %s was taken", key, text ? text : "(missing)");
	assert_null(s);
}

static void test_read_refuses(void **state)
{
	static const char *const keys[] = {
		"trace_id",
		"span_id",
		"parent_span_id",
		"name",
		"kind",
		"start_time_unix_nano",
		"end_time_unix_nano",
		"status",
		"attributes",
		"events",
		"links",
		"resource",
	};
	struct span *s = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_refused(keys[i], NULL);
		assert_refused(keys[i], "null");
	}
	assert_refused("trace_id", "\"0123\"");
	assert_refused("trace_id", "\"0123456789ABCDEF0123456789abcdef\"");
	assert_refused("span_id", "\"\"");
	assert_refused("start_time_unix_nano", "-1");
	assert_refused("start_time_unix_nano", "\"1\"");
	assert_refused("kind", "\"PRODUCER\"");
	assert_refused("status", "{\"code\":\"FINE\",\"message\":\"\"}");
	assert_refused("attributes", "{\"ringspan.kind\":\"dream\"}");
	assert_refused("events", "[1]");
	assert_int_equal(span_read_json(&s, SV("")), -EINVAL);
	assert_int_equal(span_read_json(&s, SV("[]")), -EINVAL);
	for (size_t n = 0; n < sizeof(full) - 1; n++)
		assert_int_equal(span_read_json(&s, (struct sv){ full, n }), -EINVAL);
}

static void fill_secrets(struct span *s, struct arena *a)
{
	span_set_str(s, ATTR_ID_ERROR_TYPE, SV("bad key " KEY));
	span_set_json(s, ATTR_ID_TOOL_ARGUMENTS,
		      object(a, "{\"cmd\":[\"curl\",\"-H\",\"Authorization: Bearer tok-12345678\"],"
				"\"headers\":{\"x-api-key\":\"hunter2hunter2\"},\"n\":\"" KEY "\","
				"\"Password\":\"hunter2 \\\"so\\\"\",\"url\":\"http://a:8080\"}"));
	span_event(s, 1, "e", object(a, "{\"error.type\":\"" KEY "\"}"));
	span_set_status(s, STATUS_ERROR, SV("Incorrect API key provided: " KEY));
	span_set_name(s, SV("chat " KEY));
}

static size_t count(struct sv text, const char *what)
{
	size_t n = 0;
	long at;

	while ((at = sv_find(text, sv(what))) >= 0) {
		text = sv_sub(text, (size_t)at + 1, text.n);
		n++;
	}
	return n;
}

static void test_redaction(void **state)
{
	_cleanup_arena_ struct arena a;
	_cleanup_buf_ struct buf hidden = BUF_INIT, shown = BUF_INIT;
	struct span *s = make(false), *open = make(true);

	(void)state;
	arena_init(&a, 0);
	fill_secrets(s, &a);
	fill_secrets(open, &a);
	span_write_json(&hidden, s, true);
	span_write_json(&shown, open, true);
	assert_int_equal(count(buf_view(&hidden), KEY), 0);
	assert_int_equal(count(buf_view(&hidden), "tok-12345678"), 0);
	assert_int_equal(count(buf_view(&hidden), "hunter2"), 0);
	assert_int_equal(count(buf_view(&shown), KEY), 5);
	assert_int_equal(count(buf_view(&shown), "tok-12345678"), 1);
	assert_int_equal(count(buf_view(&shown), "hunter2"), 3);
	/* lengths stay, and what is no secret, too */
	assert_int_equal(hidden.len, shown.len);
	assert_int_equal(count(buf_view(&hidden), "\"bad key "), 1);
	assert_int_equal(count(buf_view(&hidden), "\"curl\",\"-H\""), 1);
	assert_int_equal(count(buf_view(&hidden), "\"Password\":\"*******"), 1);
	assert_int_equal(count(buf_view(&hidden), "\"url\":\"http://a:8080\""), 1);
	span_free(&s);
	span_free(&open);
}

static void test_unknown_attributes_stay(void **state)
{
	static const char text[] =
		"{\"trace_id\":\"" TRACE
		"\",\"span_id\":\"00000000000000aa\",\"parent_span_id\":\"\","
		"\"name\":\"\",\"kind\":\"INTERNAL\",\"start_time_unix_nano\":0,"
		"\"end_time_unix_nano\":0,\"status\":{\"code\":\"UNSET\",\"message\":\"\"},"
		"\"attributes\":{\"ringspan.kind\":\"run\",\"x.y\":1.50,\"a\":null},\"events\":[],"
		"\"links\":[],\"resource\":{\"b\":{}}}";
	struct span *s = NULL;

	(void)state;
	assert_int_equal(span_read_json(&s, sv(text)), 0);
	assert_text(s, false, text);
	span_free(&s);
}

static void test_attr_table(void **state)
{
	(void)state;
	assert_ptr_equal(attr_find(SV("error.type")), &attr_defs[ATTR_ID_ERROR_TYPE]);
	assert_null(attr_find(SV("error.typ")));
	assert_null(attr_find((struct sv){ NULL, 0 }));
	for (size_t i = 0; i < ATTR_ID_CNT; i++)
		assert_ptr_equal(attr_find(sv(attr_defs[i].key)), &attr_defs[i]);
	assert_string_equal(span_what_name(SPAN_TOOL_CALL), "tool_call");
	assert_string_equal(span_what_name(SPAN_WHAT_CNT), "");
	assert_string_equal(span_kind_name(SPAN_KIND_SERVER), "SERVER");
	assert_string_equal(span_kind_name(0), "");
	assert_string_equal(span_status_name(STATUS_OK), "OK");
}

/* The schema's property for an attribute must be of the table's type. */
static void assert_schema_type(const struct json *prop, const struct attr_def *def)
{
	static const char *const types[] = {
		[ATTR_STR] = "string",   [ATTR_INT] = "integer", [ATTR_FLOAT] = "number",
		[ATTR_BOOL] = "boolean", [ATTR_STRS] = "array",
	};

	if (!prop)
		fail_msg("schema lacks %s", def->key);
	if (def->type == ATTR_ANY) {
		assert_null(json_get(prop, "type"));
		return;
	}
	if (!json_str_is(json_get(prop, "type"), types[def->type]))
		fail_msg("schema has another type for %s", def->key);
	if (def->type == ATTR_STRS)
		assert_true(json_str_is(json_path(prop, "items.type"), "string"));
}

static void test_schema_has_the_attributes(void **state)
{
	_cleanup_arena_ struct arena a;
	const struct json *schema, *attrs, *props, *kinds;
	struct json_err err;
	size_t i = 0;

	(void)state;
	arena_init(&a, 0);
	schema = json_parse(&a, embed_span_schema(), &err);
	assert_false(err.cut || err.broken);
	attrs = json_path(schema, "$defs.attributes");
	props = json_get(attrs, "properties");
	assert_true(json_is(json_get(attrs, "additionalProperties"), JSON_BOOL));
	assert_false(json_true(json_get(attrs, "additionalProperties")));
	assert_int_equal(props->cnt, ATTR_ID_CNT);
	for (size_t id = 0; id < ATTR_ID_CNT; id++)
		assert_schema_type(json_get(props, attr_defs[id].key), &attr_defs[id]);
	kinds = json_get(json_get(props, "ringspan.kind"), "enum");
	assert_int_equal(kinds->cnt, SPAN_WHAT_CNT);
	json_for_each (kinds, k) {
		assert_true(json_str_is(k, span_what_name(i++)));
	}
}

/* Every member that is written is one that the schema requires, in its order, and no other. */
static void test_schema_has_the_members(void **state)
{
	_cleanup_arena_ struct arena a;
	const struct json *schema, *record, *want;

	(void)state;
	arena_init(&a, 0);
	schema = json_parse(&a, embed_span_schema(), NULL);
	record = json_parse(&a, sv(full), NULL);
	want = json_at(json_get(schema, "required"), 0);
	json_for_each (record, m) {
		assert_non_null(want);
		assert_true(sv_eq(json_sv(want), m->key));
		assert_non_null(json_get_sv(json_get(schema, "properties"), m->key));
		want = want->next;
	}
	assert_null(want);
	assert_int_equal(json_get(schema, "properties")->cnt, record->cnt);
	assert_false(json_true(json_get(schema, "additionalProperties")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_payload_is_left_out),
		cmocka_unit_test(test_nothing_is_set),
		cmocka_unit_test(test_read_gives_the_same),
		cmocka_unit_test(test_read_refuses),
		cmocka_unit_test(test_redaction),
		cmocka_unit_test(test_unknown_attributes_stay),
		cmocka_unit_test(test_attr_table),
		cmocka_unit_test(test_schema_has_the_attributes),
		cmocka_unit_test(test_schema_has_the_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
