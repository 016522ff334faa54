// SPDX-License-Identifier: BSD-2-Clause
/* Rules that say what to mask: what is read, what is refused, and what they do to spans. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "span/rules.h"

static struct rules *rules_of(const char *text)
{
	struct rules *r = NULL;

	assert_int_equal(rules_parse(&r, sv(text), "rules"), 0);
	return r;
}

static void refuses(void **state)
{
	static const char *const wrong[] = {
		"mask header x",
		"redact",
		"redact header",
		"redact header a b",
		"redact body x",
		"redact json",
		"redact json a.b",
		"redact json $x",
		"redact json $.",
		"redact json $...a",
		"redact json $[",
		"redact json $['a]",
		"redact json $['a'",
		"redact json $['a\\'b']",
		"redact json $[-1]",
		"redact json $[1:2]",
		"redact json $[?@.a]",
		"redact json $.a b",
		"redact pattern",
		"redact pattern (",
		"redact pattern a{1,65}",
		"redact pattern a{9999999999999999999999}",
		"redact pattern (a)\\1",
		"redact pattern ((a{64}){64}){2}",
		"redact pattern a+++++++++++++",
		"redact pattern ((((((a+b)+{9})+)+)+{9})+{9})",
	};
	_cleanup_buf_ struct buf many = BUF_INIT;
	struct rules *r = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (rules_parse(&r, sv(wrong[i]), "rules") != -EINVAL)
			fail_msg("%s", wrong[i]);
	for (unsigned int i = 0; i <= RULES_MAX; i++)
		buf_str(&many, "redact header x\n");
	assert_int_equal(rules_parse(&r, buf_view(&many), "rules"), -EINVAL);
	buf_clear(&many);
	buf_str(&many, "redact json $");
	for (unsigned int i = 0; i < 17; i++)
		buf_str(&many, ".a");
	assert_int_equal(rules_parse(&r, buf_view(&many), "rules"), -EINVAL);
	assert_null(r);
}

static void takes_empty_lines(void **state)
{
	struct rules *r =
		rules_of("\n# redact nothing\r\n  redact   header   x-a  \r\n\tredact json $\n");

	(void)state;
	rules_free(&r);
	r = rules_of("");
	rules_free(&r);
	rules_free(&r);
}

static void check_text(const char *rule, const char *text, const char *want)
{
	struct rules *r = rules_of(rule);
	char *copy = strdup(text);

	assert_non_null(copy);
	rules_text(r, copy, strlen(copy));
	assert_string_equal(copy, want);
	free(copy);
	rules_free(&r);
}

static void masks_texts(void **state)
{
	(void)state;
	check_text("redact header X-Who", "GET /\r\nx-who: me \r\nX-Whom: me\nX-WHO:",
		   "GET /\r\nx-who: ** \r\nX-Whom: me\nX-WHO:");
	check_text("redact pattern [0-9]{3}-[0-9]{2}", "a 123-45 678-90b 12-34",
		   "a ****** ******b 12-34");
	check_text("redact pattern ^a", "aaa", "*aa");
	check_text("redact pattern x*", "axxb", "a**b");
	check_text("redact pattern [}{\\1]+", "a{}1b", "a***b");
	check_text("redact pattern b\nredact pattern a", "abc", "**c");
}

/* A match is found wherever it is in a long text, and a NUL ends nothing. */
static void masks_long_texts(void **state)
{
	struct rules *s = rules_of("redact pattern needle");
	static char text[3 * RULES_SLICE];

	(void)state;
	for (size_t at = 0; at + 6 <= sizeof(text); at += 61) {
		memset(text, 0, sizeof(text));
		memcpy(text + at, "needle", 6);
		assert_int_equal(rules_text(s, text, sizeof(text)), 6);
		assert_memory_equal(text + at, "******", 6);
	}
	rules_free(&s);
}

static void check(const char *rule, enum attr_id id, const char *value, const char *want)
{
	_cleanup_arena_ struct arena a;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct rules *r = rules_of(rule);
	struct span *s, *k;

	arena_init(&a, 0);
	assert_int_equal(span_new(&s, SPAN_TOOL_CALL), 0);
	span_set_json(s, id, json_parse(&a, sv(value), NULL));
	assert_int_equal(rules_apply(r, &k, s), 0);
	json_write(&b, span_attr(k, id));
	assert_string_equal(buf_cstr(&b), want);
	buf_clear(&b);
	json_write(&b, span_attr(s, id));
	assert_string_equal(buf_cstr(&b), value); /* the span itself stays */
	assert_true(sv_is(span_attr_sv(k, ATTR_ID_KIND), "tool_call"));
	span_free(&s);
	span_free(&k);
	rules_free(&r);
}

static void masks_paths(void **state)
{
	const char *value =
		"{\"a\":{\"b\":[{\"c\":\"xy\"},{\"c\":7},{\"d\":{\"c\":null}}]},\"c\":\"z\"}";

	(void)state;
	check("redact json $.c", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":{\"b\":[{\"c\":\"xy\"},{\"c\":7},{\"d\":{\"c\":null}}]},\"c\":\"*\"}");
	check("redact json $.a.b[*].c", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":{\"b\":[{\"c\":\"**\"},{\"c\":\"*\"},{\"d\":{\"c\":null}}]},\"c\":\"z\"}");
	check("redact json $['a']['b'][1]", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":{\"b\":[{\"c\":\"xy\"},\"*\",{\"d\":{\"c\":null}}]},\"c\":\"z\"}");
	check("redact json $..c", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":{\"b\":[{\"c\":\"**\"},{\"c\":\"*\"},{\"d\":{\"c\":\"*\"}}]},\"c\":\"*\"}");
	check("redact json $.a.*[2]..*", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":{\"b\":[{\"c\":\"xy\"},{\"c\":7},{\"d\":\"*\"}]},\"c\":\"z\"}");
	check("redact json $", ATTR_ID_TOOL_ARGUMENTS, value, "\"*\"");
	check("redact json $.a\nredact pattern [*]+", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":\"*\",\"c\":\"z\"}");
	check("redact json $.d", ATTR_ID_TOOL_ARGUMENTS, value, value);
	check("redact header C", ATTR_ID_TOOL_ARGUMENTS, value,
	      "{\"a\":{\"b\":[{\"c\":\"**\"},{\"c\":7},{\"d\":{\"c\":null}}]},\"c\":\"*\"}");
}

/* A result is often JSON in a text, and that in another. */
static void masks_paths_in_texts(void **state)
{
	(void)state;
	check("redact json $..who", ATTR_ID_TOOL_RESULT,
	      "\"{\\\"who\\\": \\\"me\\\", \\\"n\\\": 1}\"",
	      "\"{\\\"who\\\":\\\"**\\\",\\\"n\\\":1}\"");
	check("redact json $.who", ATTR_ID_TOOL_RESULT,
	      "[\"{\\\"a\\\":\\\"{\\\\\\\"who\\\\\\\":1}\\\"}\"]",
	      "[\"{\\\"a\\\":\\\"{\\\\\\\"who\\\\\\\":\\\\\\\"*\\\\\\\"}\\\"}\"]");
	check("redact json $.who", ATTR_ID_TOOL_RESULT, "\"{ \\\"b\\\": 1}\"",
	      "\"{ \\\"b\\\": 1}\"");
}

/* Many ".." over much JSON: all of it is masked rather than that it takes for ever. */
static void ends_in_time(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_arena_ struct arena a;
	struct rules *r = rules_of("redact json $..*..*..*..*..*..*..x");
	struct span *s, *k;

	(void)state;
	arena_init(&a, 0);
	for (int i = 0; i < 100; i++)
		buf_str(&b, "[1,");
	buf_str(&b, "2");
	for (int i = 0; i < 100; i++)
		buf_str(&b, "]");
	assert_int_equal(span_new(&s, SPAN_TOOL_CALL), 0);
	span_set_json(s, ATTR_ID_TOOL_RESULT, json_parse(&a, buf_view(&b), NULL));
	assert_int_equal(rules_apply(r, &k, s), 0);
	assert_true(json_str_is(span_attr(k, ATTR_ID_TOOL_RESULT), "*"));
	span_free(&s);
	span_free(&k);
	rules_free(&r);
}

static void masks_the_rest_of_a_span(void **state)
{
	struct rules *r = rules_of("redact pattern hush");
	struct span *s, *k;
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_arena_ struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_int_equal(span_new(&s, SPAN_MCP), 0);
	span_set_name(s, SV("call hush"));
	span_set_status(s, STATUS_ERROR, SV("hush!"));
	span_event(s, 1, "log",
		   json_parse(&a, SV("{\"ringspan.event.message\":\"a hush\"}"), NULL));
	assert_int_equal(rules_apply(r, &k, s), 0);
	assert_true(sv_is(k->name, "call ****"));
	assert_true(sv_is(k->status_message, "****!"));
	json_write(&b, k->events);
	assert_non_null(strstr(buf_cstr(&b), "\"a ****\""));
	span_free(&s);
	span_free(&k);
	rules_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),      cmocka_unit_test(takes_empty_lines),
		cmocka_unit_test(masks_texts),  cmocka_unit_test(masks_long_texts),
		cmocka_unit_test(masks_paths),  cmocka_unit_test(masks_paths_in_texts),
		cmocka_unit_test(ends_in_time), cmocka_unit_test(masks_the_rest_of_a_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
