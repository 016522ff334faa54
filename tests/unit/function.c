// SPDX-License-Identifier: BSD-2-Clause
/* Formats of functions, values as they say, and the texts of a record. */
#include "../fixture.h"
#include <errno.h>
#include "base/cleanup.h"
#include "event/function.h"

static int read_text(const char *text, struct func_format *f, size_t *at)
{
	const char *why = NULL;
	int err = func_format_read(f, sv(text), at, &why);

	assert_int_equal(err != 0, why != NULL);
	return err;
}

static void formats(void **state)
{
	struct func_format f;
	size_t at;

	(void)state;
	assert_int_equal(read_text("(%s, _ %zu,%hhx) = %ld", &f, &at), 0);
	assert_int_equal(f.arg_cnt, 4);
	assert_int_equal(f.args[0].conv, FUNC_TEXT);
	assert_int_equal(f.args[1].conv, FUNC_NONE);
	assert_int_equal(f.args[2].conv, FUNC_UINT);
	assert_int_equal(f.args[2].bits, 64);
	assert_int_equal(f.args[3].conv, FUNC_HEX);
	assert_int_equal(f.args[3].bits, 8);
	assert_int_equal(f.ret.conv, FUNC_INT);
	assert_int_equal(f.ret.bits, 64);
	assert_int_equal(func_format_texts(&f), 1);
	assert_int_equal(read_text("=%s", &f, &at), 0);
	assert_int_equal(f.arg_cnt, 0);
	assert_int_equal(func_format_texts(&f), 1 << EV_FUNC_RET);
	assert_int_equal(read_text("", &f, &at), 0);
	assert_int_equal(f.ret.conv, FUNC_NONE);
	assert_int_equal(read_text(" ( ) ", &f, &at), 0);
	assert_int_equal(read_text("(_, _)", &f, &at), 0);
	assert_int_equal(f.arg_cnt, 0);
	assert_int_equal(read_text("(%d %d %d %d %d %p)", &f, &at), 0);
	assert_int_equal(f.arg_cnt, 6);
}

static void broken_formats(void **state)
{
	static const struct {
		const char *text;
		size_t at;
	} broken[] = {
		{ "(%f)", 2 },         { "(%d", 3 },     { "(%d) %d", 5 },
		{ "%d", 0 },           { "(%ls)", 4 },   { "(%", 2 },
		{ "(d)", 1 },          { "(%d) =", 6 },  { "(,)", 1 },
		{ "(%d) = %d x", 10 }, { "(%llld)", 4 }, { "(%d %d %d %d %d %d %d)", 21 },
	};
	struct func_format f;
	size_t at;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		assert_int_equal(read_text(broken[i].text, &f, &at), -EINVAL);
		assert_int_equal(at, broken[i].at);
	}
}

/* The upper halves of registers are whatever was there. */
static void values(void **state)
{
	(void)state;
	assert_int_equal((int64_t)func_value((struct func_type){ FUNC_INT, 32 }, 0x5ffffffffu), -1);
	assert_int_equal(func_value((struct func_type){ FUNC_UINT, 32 }, 0x5ffffffffu), 0xffffffff);
	assert_int_equal((int64_t)func_value((struct func_type){ FUNC_INT, 8 }, 0x1280), -128);
	assert_int_equal(func_value((struct func_type){ FUNC_HEX, 16 }, 0x12345), 0x2345);
	assert_true((int64_t)func_value((struct func_type){ FUNC_INT, 64 }, UINT64_MAX) == -1);
	assert_int_equal(func_value((struct func_type){ FUNC_NONE, 0 }, 7), 7);
}

static void texts(void **state)
{
	static const char payload[] = "second\0fourth\0first\0result";
	_cleanup_free_ struct ev_function *e =
		record(EV_FUNCTION, sizeof(*e), 1, 7, payload, sizeof(payload));
	struct sv text;

	(void)state;
	e->texts = 1 << 1 | 1 << 3;
	e->late = 1 << 0 | 1 << EV_FUNC_RET;
	assert_int_equal(event_check(e, e->hdr.size), 0);
	assert_true(func_text(e, 0, &text));
	ASSERT_SV(text, "first");
	assert_true(func_text(e, 1, &text));
	ASSERT_SV(text, "second");
	assert_true(func_text(e, 3, &text));
	ASSERT_SV(text, "fourth");
	assert_true(func_text(e, EV_FUNC_RET, &text));
	ASSERT_SV(text, "result");
	assert_false(func_text(e, 2, &text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(broken_formats),
		cmocka_unit_test(values),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests_name("function", tests, NULL, NULL);
}
