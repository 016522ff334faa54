// SPDX-License-Identifier: BSD-2-Clause
/* What each level of --payload keeps of a span. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "span/payload.h"

/* Messages, and what is kept apart from the span's own text, are never kept whole. */
static void what_is_kept_apart_is_payload(void **state)
{
	struct span *s, *k;

	(void)state;
	for (enum attr_id id = 0; id < ATTR_ID_CNT; id++) {
		if (!attr_is_apart(&attr_defs[id]))
			continue;
		assert_int_equal(span_new(&s, SPAN_MODEL_CALL), 0);
		span_set_str(s, id, SV("what was said"));
		assert_int_equal(payload_keep(&k, s, PAYLOAD_NONE), 0);
		assert_null(span_attr(k, id));
		span_free(&k);
		assert_int_equal(payload_keep(&k, s, PAYLOAD_META), 0);
		if (span_attr(k, id))
			assert_true(sv_is(span_attr_sv(k, id), "<13 bytes>"));
		span_free(&k);
		span_free(&s);
	}
}

/* The attribute as it is kept; taking it again must change nothing. */
static void check(enum payload_level level, enum attr_id id, const char *value, const char *want)
{
	_cleanup_arena_ struct arena a;
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct span *s, *once, *twice;

	arena_init(&a, 0);
	assert_int_equal(span_new(&s, SPAN_MODEL_CALL), 0);
	span_set_json(s, id, json_parse(&a, sv(value), NULL));
	assert_int_equal(payload_keep(&once, s, level), 0);
	assert_int_equal(payload_keep(&twice, once, level), 0);
	assert_int_equal(span_attr(once, id) != NULL, want != NULL);
	if (want) {
		json_write(&b, span_attr(once, id));
		assert_string_equal(buf_cstr(&b), want);
		assert_true(json_same(span_attr(once, id), span_attr(twice, id)));
	}
	span_free(&s);
	span_free(&once);
	span_free(&twice);
}

static void keeps_structure(void **state)
{
	(void)state;
	check(PAYLOAD_META, ATTR_ID_INPUT_MESSAGES,
	      "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"hush\"},"
	      "{\"type\":\"tool_call\",\"name\":\"f\",\"id\":\"c1\",\"arguments\":{\"name\":"
	      "\"Ann\","
	      "\"age\":7,\"ok\":true,\"of\":null,\"list\":[\"ab\"]}}]}]",
	      "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"<4 bytes>\"},"
	      "{\"type\":\"tool_call\",\"name\":\"f\",\"id\":\"c1\",\"arguments\":{\"name\":"
	      "\"<3 bytes>\",\"age\":\"<number>\",\"ok\":\"<boolean>\",\"of\":null,"
	      "\"list\":[\"<2 bytes>\"]}}]}]");
	check(PAYLOAD_META, ATTR_ID_TOOL_ARGUMENTS, "{\"type\":\"hush\",\"n\":1}",
	      "{\"type\":\"<4 bytes>\",\"n\":\"<number>\"}");
	check(PAYLOAD_META, ATTR_ID_TOOL_RESULT, "\"hush\"", "\"<4 bytes>\"");
	check(PAYLOAD_META, ATTR_ID_PROCESS_ARGS, "[\"git\",\"push\",\"\"]",
	      "[\"git\",\"<4 bytes>\",\"<0 bytes>\"]");
	check(PAYLOAD_META, ATTR_ID_FILE_PATH, "\"/etc/motd\"", "\"/etc/motd\"");
	check(PAYLOAD_META, ATTR_ID_DB_QUERY, "\"SELECT 1\"", NULL);
	check(PAYLOAD_META, ATTR_ID_DB_PARAMETERS, "{\"0\":\"hush\"}", NULL);
	check(PAYLOAD_META, ATTR_ID_EXCEPTION_MESSAGE, "\"no\"", NULL);
}

static void keeps_nothing(void **state)
{
	(void)state;
	check(PAYLOAD_NONE, ATTR_ID_INPUT_MESSAGES, "[{\"role\":\"user\"}]", NULL);
	check(PAYLOAD_NONE, ATTR_ID_TOOL_ARGUMENTS, "{\"a\":1}", NULL);
	check(PAYLOAD_NONE, ATTR_ID_FILE_PATH, "\"/etc/motd\"", NULL);
	check(PAYLOAD_NONE, ATTR_ID_PROCESS_ARGS, "[\"git\",\"push\"]", "[\"git\"]");
	check(PAYLOAD_NONE, ATTR_ID_USAGE_INPUT, "7", "7");
	check(PAYLOAD_NONE, ATTR_ID_REQUEST_MODEL, "\"m-1\"", "\"m-1\"");
}

static void cuts_urls(void **state)
{
	static const struct {
		const char *url, *meta, *none;
	} urls[] = {
		{ "\"https://h:1/a/b?q=1#f\"", "\"https://h:1/a/b\"", "\"https://h:1\"" },
		{ "\"https://h?q=/x\"", "\"https://h\"", "\"https://h\"" },
		{ "\"/a?q\"", "\"/a\"", "\"\"" },
		{ "\"http://h\"", "\"http://h\"", "\"http://h\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		check(PAYLOAD_META, ATTR_ID_URL_FULL, urls[i].url, urls[i].meta);
		check(PAYLOAD_NONE, ATTR_ID_URL_FULL, urls[i].url, urls[i].none);
	}
}

static void check_name(enum span_what what, const char *name, const char *meta, const char *none)
{
	struct span *s, *k;

	assert_int_equal(span_new(&s, what), 0);
	span_set_name(s, sv(name));
	span_set_status(s, STATUS_ERROR, SV("it said hush"));
	assert_int_equal(payload_keep(&k, s, PAYLOAD_META), 0);
	assert_true(sv_is(k->name, meta));
	assert_int_equal(k->status_message.n, 0);
	assert_int_equal(k->status, STATUS_ERROR);
	span_free(&k);
	assert_int_equal(payload_keep(&k, s, PAYLOAD_NONE), 0);
	assert_true(sv_is(k->name, none));
	span_free(&k);
	span_free(&s);
}

static void cuts_names(void **state)
{
	(void)state;
	check_name(SPAN_MODEL_CALL, "chat m-1", "chat m-1", "chat m-1");
	check_name(SPAN_TOOL_CALL, "execute_tool sh", "execute_tool sh", "execute_tool sh");
	check_name(SPAN_FILE, "read my plans.txt", "read my plans.txt", "read");
	check_name(SPAN_ATTEMPT, "POST /v1/x", "POST /v1/x", "POST");
	check_name(SPAN_SYSCALL, "openat /etc/x", "openat /etc/x", "openat");
}

/* Events carry what spans do, and an attribute that is in no table is payload. */
static void looks_into_events(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_arena_ struct arena a;
	struct span *s, *k;

	(void)state;
	arena_init(&a, 0);
	assert_int_equal(span_new(&s, SPAN_MCP), 0);
	span_event(s, 5, "log",
		   json_parse(&a,
			      SV("{\"ringspan.event.message\":\"hush\",\"ringspan.log.level\":"
				 "\"info\",\"my.own\":\"hush\"}"),
			      NULL));
	assert_int_equal(payload_keep(&k, s, PAYLOAD_META), 0);
	json_write(&b, k->events);
	assert_string_equal(buf_cstr(&b), "[{\"time_unix_nano\":5,\"name\":\"log\",\"attributes\":"
					  "{\"ringspan.log.level\":\"info\"}}]");
	span_free(&k);
	span_free(&s);
}

static void knows_its_levels(void **state)
{
	enum payload_level level = PAYLOAD_FULL;

	(void)state;
	assert_int_equal(payload_level(SV("none"), &level), 0);
	assert_int_equal(level, PAYLOAD_NONE);
	assert_int_equal(payload_level(SV("meta"), &level), 0);
	assert_int_equal(level, PAYLOAD_META);
	assert_int_equal(payload_level(SV("Full"), &level), -EINVAL);
	assert_int_equal(payload_level(SV(""), &level), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_apart_is_payload),
		cmocka_unit_test(keeps_structure),
		cmocka_unit_test(keeps_nothing),
		cmocka_unit_test(cuts_urls),
		cmocka_unit_test(cuts_names),
		cmocka_unit_test(looks_into_events),
		cmocka_unit_test(knows_its_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
