// SPDX-License-Identifier: BSD-2-Clause
/* --uprobe and --usdt, as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include "cli/func_opt.h"

static int read_one(struct func_opts *o, const char *uprobe, const char *usdt)
{
	memset(o, 0, sizeof(*o));
	if (uprobe)
		o->uprobes.of[o->uprobes.cnt++] = uprobe;
	if (usdt)
		o->usdts.of[o->usdts.cnt++] = usdt;
	return func_opt(o);
}

static void functions(void **state)
{
	struct func_opts o;

	(void)state;
	assert_int_equal(read_one(&o, "libc:getaddrinfo(%s, %s) = %d", NULL), 0);
	assert_int_equal(o.cnt, 1);
	assert_string_equal(o.of[0].bin, "libc");
	assert_string_equal(o.of[0].name, "getaddrinfo");
	assert_string_equal(o.of[0].format, "(%s, %s) = %d");
	assert_null(o.of[0].provider);
	assert_false(o.of[0].place);
	assert_int_equal(read_one(&o, "/opt/a=b (c):d/x:f*  = %d", NULL), 0);
	assert_string_equal(o.of[0].bin, "/opt/a=b (c):d/x");
	assert_string_equal(o.of[0].name, "f*");
	assert_string_equal(o.of[0].format, "= %d");
	assert_int_equal(read_one(&o, "./x:main+0x1c(%d)", NULL), 0);
	assert_string_equal(o.of[0].name, "main");
	assert_true(o.of[0].place);
	assert_int_equal(o.of[0].offset, 0x1c);
}

static void built_in(void **state)
{
	struct func_opts o;

	(void)state;
	assert_int_equal(read_one(&o, "libc:puts", "python3:python:gc__start"), 0);
	assert_int_equal(o.cnt, 2);
	assert_string_equal(o.of[0].format, "");
	assert_string_equal(o.of[1].bin, "python3");
	assert_string_equal(o.of[1].provider, "python");
	assert_string_equal(o.of[1].name, "gc__start");
	assert_string_equal(o.of[1].format, "(%d) = %ld"); /* known */
	assert_int_equal(read_one(&o, NULL, "/lib/libx.so:p:n(%s)"), 0);
	assert_string_equal(o.of[0].bin, "/lib/libx.so");
	assert_string_equal(o.of[0].format, "(%s)");
}

static void what_is_refused(void **state)
{
	static const char *const uprobes[] = {
		"libc",
		"libc:",
		":puts",
		"libc:puts(%f)",
		"libc:puts(",
		"libc:puts+x",
		"libc:puts+0x10 = %d",
		"libc:puts+-3",
		"libc:puts+99999999999",
	};
	static const char *const usdts[] = { "python3:python", "python3::gc", ":a:b", "a:b:" };
	char longer[FUNC_OPT_TEXT + 16];
	struct func_opts o;

	(void)state;
	for (size_t i = 0; i < sizeof(uprobes) / sizeof(uprobes[0]); i++)
		assert_int_equal(read_one(&o, uprobes[i], NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(usdts) / sizeof(usdts[0]); i++)
		assert_int_equal(read_one(&o, NULL, usdts[i]), -EINVAL);
	memset(longer, 'x', sizeof(longer));
	longer[3] = ':';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(read_one(&o, longer, NULL), -EINVAL);
	memset(&o, 0, sizeof(o));
	for (int i = 0; i < OPT_STRS_MAX; i++)
		o.uprobes.of[o.uprobes.cnt++] = "libc:puts";
	o.usdts.of[o.usdts.cnt++] = "python3:python:line";
	assert_int_equal(func_opt(&o), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions),
		cmocka_unit_test(built_in),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests_name("func_opt", tests, NULL, NULL);
}
