// SPDX-License-Identifier: BSD-2-Clause
/* Options: what tables accept, what they refuse, and the help that is made of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/opt.h"

struct values {
	struct opt_common common;
	bool flag;
	const char *text;
	unsigned int number, rate;
	size_t size;
	uint64_t duration;
	struct opt_pids pids;
	struct opt_strs strs;
	struct opt_payload payload;
};

static const struct opt options[] = {
	{ "flag", 'f', OPT_FLAG, offsetof(struct values, flag), NULL, "switch it on" },
	{ "text", 't', OPT_STR, offsetof(struct values, text), "TEXT", "any text" },
	{ "number", 'n', OPT_UINT, offsetof(struct values, number), "N", "how many" },
	{ "size", 0, OPT_SIZE, offsetof(struct values, size), "SIZE", "how much" },
	{ "duration", 0, OPT_DURATION, offsetof(struct values, duration), "TIME", "how long" },
	{ "pid", 'p', OPT_PID, offsetof(struct values, pids), "PID", "who" },
	{ "each", 0, OPT_STRS, offsetof(struct values, strs), "TEXT", "one more" },
	{ "payload", 'l', OPT_PAYLOAD, offsetof(struct values, payload), "[LEVEL]", "how much" },
	{ "rate", 0, OPT_RATE, offsetof(struct values, rate), "[HZ]", "how often" },
	{ "an-option-with-a-long-name", 0, OPT_FLAG, offsetof(struct values, flag), NULL, "far" },
	{ 0 },
};

static struct cmd verb = {
	.name = "verb",
	.args = "[FILE]",
	.help = "do it",
	.more = "More about it.\n",
	.opts = options,
	.opts_sz = sizeof(struct values),
};

#define ARGV(...)                                  \
	((char *[]){ "verb", __VA_ARGS__, NULL }), \
		sizeof((char *[]){ "verb", __VA_ARGS__ }) / sizeof(char *)

static int parse(struct values *v, char **argv, size_t argc, int *rest)
{
	*v = (struct values){ 0 };
	return opt_parse(&verb, v, (int)argc, argv, rest);
}

static void takes_values(void **state)
{
	struct values v;
	int rest;

	(void)state;
	assert_int_equal(parse(&v,
			       ARGV("-f", "--text=a b", "-n", "12", "--size", "8M", "--duration",
				    "1m30s", "-p", "1", "--pid", "4711", "--store", "x", "-v",
				    "--each", "one", "--each=two"),
			       &rest),
			 0);
	assert_true(v.flag);
	assert_string_equal(v.text, "a b");
	assert_int_equal(v.number, 12);
	assert_int_equal(v.size, 8 << 20);
	assert_int_equal(v.duration, 90000000000);
	assert_int_equal(v.pids.cnt, 2);
	assert_int_equal(v.pids.pid[1], 4711);
	assert_string_equal(v.common.store, "x");
	assert_true(v.common.verbose);
	assert_false(v.common.help);
	assert_int_equal(v.strs.cnt, 2);
	assert_string_equal(v.strs.of[0], "one");
	assert_string_equal(v.strs.of[1], "two");
	assert_int_equal(rest, 19);
}

/* Likewise, and alone it is full. */
static void takes_a_level(void **state)
{
	struct values v;
	int rest;

	(void)state;
	assert_int_equal(parse(&v, ARGV("7"), &rest), 0);
	assert_false(v.payload.given);
	assert_int_equal(v.payload.level, PAYLOAD_FULL);
	assert_int_equal(parse(&v, ARGV("--payload", "7f116ba1"), &rest), 0);
	assert_true(v.payload.given);
	assert_int_equal(v.payload.level, PAYLOAD_FULL);
	assert_int_equal(rest, 2);
	assert_int_equal(parse(&v, ARGV("--payload", "none", "7f116ba1"), &rest), 0);
	assert_int_equal(v.payload.level, PAYLOAD_NONE);
	assert_int_equal(rest, 3);
	assert_int_equal(parse(&v, ARGV("-l", "meta"), &rest), 0);
	assert_int_equal(v.payload.level, PAYLOAD_META);
	assert_int_equal(rest, 3);
	assert_int_equal(parse(&v, ARGV("--payload=some"), &rest), -EINVAL);
}

/* Its value may be joined to it, follow it, or be left out: what is no number is an argument. */
static void takes_a_rate(void **state)
{
	struct values v;
	int rest;

	(void)state;
	assert_int_equal(parse(&v, ARGV("--rate"), &rest), 0);
	assert_int_equal(v.rate, OPT_RATE_USUAL);
	assert_int_equal(parse(&v, ARGV("--rate=49", "x"), &rest), 0);
	assert_int_equal(v.rate, 49);
	assert_int_equal(rest, 2);
	assert_int_equal(parse(&v, ARGV("--rate", "199", "-f", "x"), &rest), 0);
	assert_int_equal(v.rate, 199);
	assert_true(v.flag);
	assert_int_equal(rest, 4);
	assert_int_equal(parse(&v, ARGV("--rate", "cmd", "7"), &rest), 0);
	assert_int_equal(v.rate, OPT_RATE_USUAL);
	assert_int_equal(rest, 2);
	assert_int_equal(parse(&v, ARGV("--rate", "--", "99"), &rest), 0);
	assert_int_equal(v.rate, OPT_RATE_USUAL);
	verb.foreign = true;
	assert_int_equal(parse(&v, ARGV("--rate", "99", "cmd", "-n"), &rest), 0);
	assert_int_equal(v.rate, 99);
	assert_int_equal(rest, 3);
	verb.foreign = false;
	assert_int_equal(parse(&v, ARGV("--rate=0"), &rest), -EINVAL);
	assert_int_equal(parse(&v, ARGV("--rate=x"), &rest), -EINVAL);
}

/* Arguments may stand between the options, unless the rest is somebody else's. */
static void tells_arguments(void **state)
{
	struct values v;
	char *mixed[] = { "verb", "run", "-f", "--", "-n", NULL };
	char *foreign[] = { "verb", "-f", "cmd", "-n", "x", NULL };
	char *dashed[] = { "verb", "--", "cmd", "--flag", NULL };
	int rest;

	(void)state;
	assert_int_equal(parse(&v, mixed, 5, &rest), 0);
	assert_true(v.flag);
	assert_int_equal(rest, 3);
	assert_string_equal(mixed[3], "run");
	assert_string_equal(mixed[4], "-n");
	verb.foreign = true;
	assert_int_equal(parse(&v, foreign, 5, &rest), 0);
	assert_true(v.flag);
	assert_int_equal(rest, 2);
	assert_string_equal(foreign[3], "-n");
	assert_int_equal(parse(&v, dashed, 4, &rest), 0);
	assert_false(v.flag);
	assert_int_equal(rest, 2);
	verb.foreign = false;
}

static void refuses(void **state)
{
	static char *const bad[][3] = {
		{ "--nosuch" },
		{ "-x" },
		{ "--number", "-1" },
		{ "--number", "1x" },
		{ "--number", "" },
		{ "--number", "4294967296" },
		{ "--size", "M" },
		{ "--size", "8Q" },
		{ "--size", "-1" },
		{ "--duration", "10" },
		{ "--duration", "-1s" },
		{ "--duration", "" },
		{ "--pid", "0" },
		{ "--pid", "4294967295" },
		{ "--text" },
		{ "--flag=yes" },
		{ "--size", "9223372036854775807G" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *argv[] = { "verb", bad[i][0], bad[i][1], NULL };
		struct values v;
		int rest;

		if (!parse(&v, argv, bad[i][1] ? 3 : 2, &rest))
			fail_msg("%s %s is taken", bad[i][0], bad[i][1] ? bad[i][1] : "");
	}
}

static void bounds_pids(void **state)
{
	char *argv[2 * OPT_PIDS_MAX + 4] = { "verb" };
	struct values v;
	int rest;

	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(argv) - 1; i += 2) {
		argv[i] = "-p";
		argv[i + 1] = "7";
	}
	assert_int_equal(parse(&v, argv, 2 * OPT_PIDS_MAX + 1, &rest), 0);
	assert_int_equal(v.pids.cnt, OPT_PIDS_MAX);
	assert_int_not_equal(parse(&v, argv, 2 * OPT_PIDS_MAX + 3, &rest), 0);
}

static void reads_sizes(void **state)
{
	size_t n;

	(void)state;
	assert_int_equal(opt_size(SV("4096"), &n), 0);
	assert_int_equal(n, 4096);
	assert_int_equal(opt_size(SV("64KiB"), &n), 0);
	assert_int_equal(n, 64 << 10);
	assert_int_equal(opt_size(SV("64k"), &n), 0);
	assert_int_equal(n, 64 << 10);
	assert_int_equal(opt_size(SV("2G"), &n), 0);
	assert_int_equal(n, 2ull << 30);
	assert_int_not_equal(opt_size(SV(""), &n), 0);
}

static const char *word_at(const void *of, size_t i)
{
	return ((const char *const *)of)[i];
}

static const char *nearest(const char *word)
{
	static const char *const words[] = { "record", "replay", "runs", "show", "min-duration" };

	return opt_nearest(word, ARRAY_SIZE(words), word_at, words);
}

static void finds_the_nearest(void **state)
{
	char longer[4096];

	(void)state;
	assert_string_equal(nearest("recrod"), "record");
	assert_string_equal(nearest("rerecord"), "record");
	assert_string_equal(nearest("sohw"), "show");
	assert_string_equal(nearest("run"), "runs");
	assert_string_equal(nearest("min-d"), "min-duration");
	assert_null(nearest("x"));
	assert_null(nearest("elephant"));
	assert_null(nearest(""));
	memset(longer, 'r', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(nearest(longer));
}

/* Help is made of the table: every name, in columns. */
static void helps(void **state)
{
	static const char *const want = "Usage: ringspan verb [OPTION ...] [FILE]\n"
					"\n"
					"Do it.\n"
					"\n"
					"  -f, --flag              switch it on\n"
					"  -t, --text TEXT         any text\n"
					"  -n, --number N          how many\n"
					"      --size SIZE         how much\n"
					"      --duration TIME     how long\n"
					"  -p, --pid PID           who\n"
					"      --each TEXT         one more\n"
					"  -l, --payload [LEVEL]   how much\n"
					"      --rate [HZ]         how often\n"
					"      --an-option-with-a-long-name\n"
					"                          far\n";
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	opt_help(f, &verb);
	fclose(f);
	assert_memory_equal(text, want, strlen(want));
	assert_non_null(strstr(text, "  -v, --verbose           "));
	assert_non_null(strstr(text, "      --store FILE        "));
	assert_non_null(strstr(text, "\n\nMore about it.\n"));
	free(text);
}

static void every_verb_begins_with_common(void **state)
{
	(void)state;
	for (size_t i = 0; i < cmd_cnt; i++) {
		assert_true(cmds[i]->opts_sz >= sizeof(struct opt_common));
		assert_non_null(cmds[i]->run);
		assert_true(strlen(cmds[i]->help) < 68); /* one line of `ringspan --help` */
		for (const struct opt *o = cmds[i]->opts; o && o->name; o++) {
			assert_true(o->offset >= sizeof(struct opt_common));
			assert_true(o->offset < cmds[i]->opts_sz);
			assert_int_equal(o->type == OPT_FLAG, o->arg == NULL);
			for (const struct opt *p = cmds[i]->opts; p != o; p++) {
				assert_string_not_equal(o->name, p->name);
				assert_false(o->letter && o->letter == p->letter);
			}
		}
	}
}

static void exit_codes(void **state)
{
	char *none[] = { "ringspan", NULL }, *unknown[] = { "ringspan", "recrod", NULL };
	char *option[] = { "ringspan", "show", "--depht", "1", NULL };
	char *command[] = { "ringspan", "record", NULL };
	char *store[] = { "ringspan", "runs", "--store", "/nonexistent/ringspan.db", NULL };

	(void)state;
	assert_int_equal(cli_main(1, none), EXIT_USAGE);
	assert_int_equal(cli_main(2, unknown), EXIT_USAGE);
	assert_int_equal(cli_main(4, option), EXIT_USAGE);
	assert_int_equal(cli_main(2, command), EXIT_USAGE);
	assert_int_equal(cli_main(4, store), EXIT_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_values),  cmocka_unit_test(takes_a_rate),
		cmocka_unit_test(takes_a_level), cmocka_unit_test(tells_arguments),
		cmocka_unit_test(refuses),       cmocka_unit_test(bounds_pids),
		cmocka_unit_test(reads_sizes),   cmocka_unit_test(finds_the_nearest),
		cmocka_unit_test(helps),         cmocka_unit_test(every_verb_begins_with_common),
		cmocka_unit_test(exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
