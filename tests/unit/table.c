// SPDX-License-Identifier: BSD-2-Clause
/* Tables for the terminal: what they look like, what gives way when there is no room. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/table.h"

static const struct table_column columns[] = {
	{ .title = "RUN" },
	{ .title = "AGENT", .least = 5 },
	{ .title = "TIME", .right = true },
	{ .title = "MODELS", .least = 6, .spare = true },
};

static char *write_table(unsigned int width, bool colour)
{
	struct table t;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct table_row *row;

	assert_non_null(f);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	table_init(&t, columns, ARRAY_SIZE(columns));
	row = table_add(&t, STYLE_PLAIN);
	table_set(&t, row, 0, SV("aaaa"));
	table_set(&t, row, 1, SV("an agent\033[2J"));
	table_set(&t, row, 2, SV("1.5s"));
	table_set(&t, row, 3, SV("one, two"));
	row = table_add(&t, STYLE_RED);
	table_set(&t, row, 0, SV("bb"));
	table_set(&t, row, 2, SV("12ms"));
	assert_int_equal(table_write(&t, f, width, colour), 0);
	fclose(f);
	table_fini(&t);
	return text;
}

static void looks(unsigned int width, const char *want)
{
	_cleanup_free_ char *text = write_table(width, false);

	assert_string_equal(text, want);
}

static void gives_way(void **state)
{
	(void)state;
	looks(0, "RUN   AGENT         TIME  MODELS\n"
		 "aaaa  an agent?[2J  1.5s  one, two\n"
		 "bb                  12ms\n");
	looks(34, "RUN   AGENT         TIME  MODELS\n"
		  "aaaa  an agent?[2J  1.5s  one, two\n"
		  "bb                  12ms\n");
	/* first less space, then less of the last that can be clipped, then of those before */
	looks(31, "RUN  AGENT        TIME MODELS\n"
		  "aaaa an agent?[2J 1.5s one, two\n"
		  "bb                12ms\n");
	looks(24, "RUN  AGENT   TIME MODELS\n"
		  "aaaa an age… 1.5s one, …\n"
		  "bb           12ms\n");
	/* then without what can be spared */
	looks(20, "RUN  AGENT      TIME\n"
		  "aaaa an agent?… 1.5s\n"
		  "bb              12ms\n");
	looks(3, "RUN  AGENT TIME\n"
		 "aaaa an a… 1.5s\n"
		 "bb         12ms\n");
}

static void colours(void **state)
{
	_cleanup_free_ char *text = write_table(0, true);

	(void)state;
	assert_non_null(strstr(text, "\033[1;31mbb                  12ms\033[0m\n"));
	assert_null(strstr(text, "\033[2J"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_way),
		cmocka_unit_test(colours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
