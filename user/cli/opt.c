// SPDX-License-Identifier: BSD-2-Clause
/* Options: see opt.h.  Names, arguments and help are told by the tables and nowhere else. */
#include "cli/opt.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "sink/where_value.h"

#define OPTS_MAX 32 /* of one verb */
#define WORD_MAX 40 /* a longer word is no misspelling */
#define HELP_COL 26 /* where explanations begin */

static const struct opt common[] = {
	{ "store", 0, OPT_STR, offsetof(struct opt_common, store), "FILE",
	  "the store to use, in place of $RINGSPAN_STORE and the default" },
	{ "verbose", 'v', OPT_FLAG, offsetof(struct opt_common, verbose), NULL,
	  "tell what is done" },
	{ "help", 'h', OPT_FLAG, offsetof(struct opt_common, help), NULL, "show this" },
	{ 0 },
};

struct table {
	const struct opt *opts[OPTS_MAX];
	size_t cnt;
};

static void add_all(struct table *t, const struct opt *opts)
{
	for (; opts && opts->name && t->cnt < OPTS_MAX; opts++)
		t->opts[t->cnt++] = opts;
}

static struct table table_of(const struct cmd *c)
{
	struct table t = { .cnt = 0 };

	add_all(&t, c->opts);
	add_all(&t, common);
	return t;
}

/* --- values */

static int opt_uint(struct sv text, unsigned int *out)
{
	int64_t v;

	if (sv_i64(text, &v) || v < 0 || v > UINT32_MAX)
		return -EINVAL;
	*out = (unsigned int)v;
	return 0;
}

int opt_size(struct sv text, size_t *bytes)
{
	static const struct {
		const char *name;
		unsigned int shift;
	} units[] = {
		{ "", 0 },    { "B", 0 },    { "k", 10 },   { "K", 10 },  { "kB", 10 },
		{ "KB", 10 }, { "KiB", 10 }, { "M", 20 },   { "MB", 20 }, { "MiB", 20 },
		{ "G", 30 },  { "GB", 30 },  { "GiB", 30 },
	};
	size_t digits = 0;
	int64_t v;

	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	if (sv_i64(sv_sub(text, 0, digits), &v))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!sv_is(sv_sub(text, digits, text.n), units[i].name))
			continue;
		if (v > INT64_MAX >> units[i].shift)
			return -EINVAL;
		*bytes = (size_t)v << units[i].shift;
		return 0;
	}
	return -EINVAL;
}

int opt_duration(struct sv text, uint64_t *ns)
{
	int64_t v;

	if (where_duration(text, &v) || v < 0)
		return -EINVAL;
	*ns = (uint64_t)v;
	return 0;
}

static int opt_rate(struct sv text, unsigned int *out)
{
	return opt_uint(text, out) || !*out ? -EINVAL : 0;
}

static int add_pid(struct sv text, struct opt_pids *pids)
{
	unsigned int pid;

	if (opt_uint(text, &pid) || !pid || pid > INT32_MAX)
		return -EINVAL;
	if (pids->cnt == OPT_PIDS_MAX)
		return log_err(-E2BIG, "more than %d times --pid; attach to their parent instead",
			       OPT_PIDS_MAX);
	pids->pid[pids->cnt++] = (pid_t)pid;
	return 0;
}

static int add_str(const struct opt *o, const char *arg, struct opt_strs *strs)
{
	if (strs->cnt == OPT_STRS_MAX)
		return log_err(-E2BIG, "more than %d times --%s", OPT_STRS_MAX, o->name);
	strs->of[strs->cnt++] = arg;
	return 0;
}

static int read_payload(const char *arg, struct opt_payload *out)
{
	out->given = true;
	out->level = PAYLOAD_FULL;
	return arg ? payload_level(sv(arg), &out->level) : 0;
}

static int set_value(const struct opt *o, void *opts, const char *arg)
{
	static const char *const looks[] = {
		[OPT_UINT] = "a number such as 20",
		[OPT_SIZE] = "a size such as 8M or 64KiB",
		[OPT_DURATION] = "a duration such as 10ms or 1m30s",
		[OPT_RATE] = "a number of times a second such as 99",
		[OPT_PID] = "a process id such as 4711",
		[OPT_PAYLOAD] = "none, meta or full",
	};
	void *at = (char *)opts + o->offset;
	int err = 0;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		break;
	case OPT_STR:
		*(const char **)at = arg;
		break;
	case OPT_UINT:
		err = opt_uint(sv(arg), at);
		break;
	case OPT_SIZE:
		err = opt_size(sv(arg), at);
		break;
	case OPT_DURATION:
		err = opt_duration(sv(arg), at);
		break;
	case OPT_STRS:
		err = add_str(o, arg, at);
		break;
	case OPT_RATE:
		*(unsigned int *)at = OPT_RATE_USUAL;
		err = arg ? opt_rate(sv(arg), at) : 0;
		break;
	case OPT_PID:
		err = add_pid(sv(arg), at);
		break;
	case OPT_PAYLOAD:
		err = read_payload(arg, at);
		break;
	}
	if (err == -EINVAL)
		return log_err(err, "--%s %s: want %s", o->name, arg, looks[o->type]);
	return err;
}

/* --- words that are nearly right */

/* Levenshtein's distance, with two letters changing places counted once (Damerau). */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), d[WORD_MAX + 1][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++)
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
			best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[la][lb];
}

const char *opt_nearest(const char *word, size_t cnt,
			const char *(*name_at)(const void *of, size_t i), const void *of)
{
	size_t len = strlen(word), least = len <= 3 ? 2 : 3; /* so many changes are another word */
	const char *nearest = NULL;

	for (size_t i = 0; i < cnt; i++) {
		const char *name = name_at(of, i);
		size_t n = len > 2 && strncmp(word, name, len) == 0 ? 1 : distance(word, name);

		if (n < least) {
			least = n;
			nearest = name;
		}
	}
	return nearest;
}

static const char *opt_at(const void *of, size_t i)
{
	return ((const struct table *)of)->opts[i]->name;
}

/* --- parsing */

struct longs {
	struct option of[OPTS_MAX + 1];
	char letters[3 * OPTS_MAX + 3];
};

static bool may_stand_alone(const struct opt *o)
{
	return o->type == OPT_RATE || o->type == OPT_PAYLOAD;
}

/* Long options get the numbers behind all characters. */
static void make_longs(const struct table *t, bool foreign, struct longs *l)
{
	size_t n = 0;

	*l = (struct longs){ 0 };
	if (foreign)
		l->letters[n++] = '+';
	l->letters[n++] = ':';
	for (size_t i = 0; i < t->cnt; i++) {
		const struct opt *o = t->opts[i];

		l->of[i].name = o->name;
		l->of[i].has_arg = o->type == OPT_FLAG  ? no_argument
				   : may_stand_alone(o) ? optional_argument
							: required_argument;
		l->of[i].val = 256 + (int)i;
		if (!o->letter)
			continue;
		l->letters[n++] = o->letter;
		if (o->type != OPT_FLAG)
			l->letters[n++] = ':';
		if (may_stand_alone(o))
			l->letters[n++] = ':';
	}
}

static int unknown(const struct cmd *c, const struct table *t, const char *arg)
{
	char word[WORD_MAX + 1] = "";
	const char *near;

	if (optopt >= 256) /* a flag that was given a value */
		return log_err(-EINVAL, "--%s takes no value", t->opts[optopt - 256]->name);
	if (optopt)
		return log_err(-EINVAL, "-%c: no such option; see `ringspan %s --help`", optopt,
			       c->name);
	strncat(word, arg + 2, strcspn(arg + 2, "=") < WORD_MAX ? strcspn(arg + 2, "=") : WORD_MAX);
	near = opt_nearest(word, t->cnt, opt_at, t);
	if (near)
		return log_err(-EINVAL, "--%s: no such option; did you mean --%s?", word, near);
	return log_err(-EINVAL, "--%s: no such option; see `ringspan %s --help`", word, c->name);
}

static const struct opt *opt_of(const struct table *t, int code)
{
	if (code >= 256)
		return t->opts[code - 256];
	for (size_t i = 0; i < t->cnt; i++)
		if (t->opts[i]->letter == code)
			return t->opts[i];
	return NULL;
}

/* getopt leaves a value that may be missing where it is, unless it is joined by '='. */
static const char *next_value(const struct opt *o, int argc, char **argv)
{
	const char *next = may_stand_alone(o) && optind < argc ? argv[optind] : "";
	enum payload_level level;
	bool is_value = o->type == OPT_PAYLOAD
				? !payload_level(sv(next), &level)
				: *next && strspn(next, "0123456789") == strlen(next);

	if (!is_value)
		return NULL;
	optind++;
	return next;
}

int opt_parse(const struct cmd *c, void *opts, int argc, char **argv, int *rest)
{
	struct table t = table_of(c);
	struct longs l;
	int code, err;

	make_longs(&t, c->foreign, &l);
	opterr = 0;
	optind = 0; /* glibc's way to begin anew */
	while ((code = getopt_long(argc, argv, l.letters, l.of, NULL)) != -1) {
		const struct opt *o;

		if (code == '?')
			return unknown(c, &t, argv[optind - 1]);
		o = opt_of(&t, code == ':' ? optopt : code);
		if (code == ':')
			return log_err(-EINVAL, "--%s: needs %s", o->name, o->arg);
		err = set_value(o, opts, optarg ? optarg : next_value(o, argc, argv));
		if (err)
			return err;
	}
	*rest = optind;
	return 0;
}

/* --- help */

static void help_opt(FILE *out, const struct opt *o)
{
	char left[64];
	int n;

	n = snprintf(left, sizeof(left), o->letter ? "  -%c, --%s%s%s" : "  %c   --%s%s%s",
		     o->letter ? o->letter : ' ', o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	if (n < HELP_COL - 1)
		fprintf(out, "%-*s%s\n", HELP_COL, left, o->help);
	else
		fprintf(out, "%s\n%-*s%s\n", left, HELP_COL, "", o->help);
}

void opt_help(FILE *out, const struct cmd *c)
{
	struct table t = table_of(c);

	fprintf(out, "Usage: ringspan %s [OPTION ...]%s%s\n\n%c%s.\n\n", c->name,
		c->args ? " " : "", c->args ? c->args : "", toupper(c->help[0]), c->help + 1);
	for (size_t i = 0; i < t.cnt; i++)
		help_opt(out, t.opts[i]);
	if (c->more)
		fprintf(out, "\n%s", c->more);
}
