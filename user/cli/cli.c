// SPDX-License-Identifier: BSD-2-Clause
/* From argv to a verb: what stands before the verb, and help about all of them. */
#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/opt.h"
#include "span/span.h"

static void help(FILE *out)
{
	fprintf(out, "Usage: ringspan VERB [OPTION ...]\n\n"
		     "Traces AI agents from outside: model calls, tool calls and processes as "
		     "spans.\n\n");
	for (size_t i = 0; i < cmd_cnt; i++)
		fprintf(out, "  %-9s %s\n", cmds[i]->name, cmds[i]->help);
	fprintf(out,
		"\n`ringspan VERB --help` tells more about each; `ringspan --version` which this "
		"is.\n");
}

static const char *name_at(const void *of, size_t i)
{
	(void)of;
	return cmds[i]->name;
}

static const struct cmd *cmd_find(const char *name)
{
	for (size_t i = 0; i < cmd_cnt; i++)
		if (strcmp(cmds[i]->name, name) == 0)
			return cmds[i];
	return NULL;
}

/* Whoever says nothing about the locale has a terminal that knows UTF-8. */
static void set_locale(void)
{
	const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	bool said = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *v = getenv(names[i]);

		said |= v && v[0];
	}
	setlocale(LC_CTYPE, said ? "" : "C.UTF-8"); /* numbers keep their point */
}

static int run_cmd(const struct cmd *c, int argc, char **argv)
{
	_cleanup_free_ void *opts = calloc(1, c->opts_sz);
	const struct opt_common *common = opts;
	int rest;

	if (!opts)
		return EXIT_NOTHING;
	if (opt_parse(c, opts, argc, argv, &rest))
		return EXIT_USAGE;
	if (common->verbose)
		log_set_level(LOG_DEBUG);
	if (common->help) {
		opt_help(stdout, c);
		return EXIT_FINE;
	}
	return c->run(opts, argc - rest, argv + rest);
}

static int unknown(const char *word)
{
	const char *near = opt_nearest(word, cmd_cnt, name_at, NULL);

	if (near)
		log_err(-EINVAL, "%s: no such verb; did you mean `ringspan %s`?", word, near);
	else
		log_err(-EINVAL, "%s: no such verb; `ringspan --help` lists them", word);
	return EXIT_USAGE;
}

/* What was written must have arrived: a full disk is no success. */
static int finish(int code)
{
	if (fflush(stdout) || ferror(stdout)) {
		log_err(-errno, "cannot write the output: %s", strerror(errno));
		return code ? code : EXIT_NOTHING;
	}
	return code;
}

int cli_main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct cmd *c;

	set_locale();
	if (!word) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("ringspan %s\n", RINGSPAN_VERSION);
		return finish(EXIT_FINE);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		c = argc > 2 ? cmd_find(argv[2]) : NULL;
		if (c)
			opt_help(stdout, c);
		else
			help(stdout);
		return finish(EXIT_FINE);
	}
	c = cmd_find(word);
	return c ? finish(run_cmd(c, argc - 1, argv + 1)) : unknown(word);
}
