// SPDX-License-Identifier: BSD-2-Clause
#include "cli/func_opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "event/function.h"

/* Arguments of probes that are known, for who gives no format.  Python's: Doc/howto/instrumentation.rst. */
static const struct known {
	const char *provider, *name, *format;
} known[] = {
	{ "python", "function__entry", "(%s, %s, %d)" },
	{ "python", "function__return", "(%s, %s, %d)" },
	{ "python", "line", "(%s, %s, %d)" },
	{ "python", "gc__start", "(%d) = %ld" },
	{ "python", "gc__done", "(%ld)" },
	{ "python", "import__find__load__start", "(%s)" },
	{ "python", "import__find__load__done", "(%s, %d)" },
	{ "python", "audit", "(%s, %p)" },
};

static const char *usual_format(const struct probe_func *f)
{
	for (size_t i = 0; f->provider && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].provider, f->provider) == 0 &&
		    strcmp(known[i].name, f->name) == 0)
			return known[i].format;
	return "";
}

/* Cuts what stands behind the last colon off text; NULL: there is none. */
static char *cut_last(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static int read_offset(struct probe_func *f, char *name)
{
	char *plus = strchr(name, '+'), *end;

	if (!plus)
		return 0;
	*plus = '\0';
	f->offset = strtoull(plus + 1, &end, 0);
	f->place = true;
	if (plus[1] < '0' || plus[1] > '9' || *end || f->offset > UINT32_MAX)
		return log_err(-EINVAL, "--uprobe %s: want an offset such as +0x1c", f->asked);
	return 0;
}

static int check_format(const struct probe_func *f, const char *option)
{
	struct func_format format;
	const char *why;
	size_t at;

	if (!func_format_read(&format, sv(f->format), &at, &why))
		return 0;
	return log_err(-EINVAL, "--%s %s: %s (at \"%s\")", option, f->asked, why, f->format + at);
}

/* Where the format begins: behind the last colon, for a path may hold anything. */
static const char *find_format(const char *arg)
{
	const char *colon = strrchr(arg, ':');

	return colon ? colon + strcspn(colon, "(=") : arg + strlen(arg);
}

static int read_one(struct probe_func *f, char *text, const char *option)
{
	bool usdt = strcmp(option, "usdt") == 0;
	const char *format = find_format(f->asked);
	size_t n = (size_t)(format - f->asked);
	int err = 0;

	while (n && f->asked[n - 1] == ' ')
		n--;
	if (n >= FUNC_OPT_TEXT)
		return log_err(-EINVAL, "--%s %.32s...: is too long", option, f->asked);
	memcpy(text, f->asked, n);
	f->format = format;
	f->bin = text;
	f->name = cut_last(text);
	if (usdt && f->name)
		f->provider = cut_last(text);
	if (!f->name || !*f->name || !*f->bin || (usdt && (!f->provider || !*f->provider)))
		return log_err(-EINVAL, "--%s %s: want %s", option, f->asked,
			       usdt ? "BIN:PROVIDER:NAME, such as python3:python:gc__start"
				    : "BIN:FUNCTION, such as 'libc:getaddrinfo(%s, %s) = %d'");
	if (!usdt)
		err = read_offset(f, (char *)f->name);
	if (!err && f->place && strchr(format, '='))
		err = log_err(-EINVAL, "--uprobe %s: an instruction has no result", f->asked);
	if (!err)
		err = check_format(f, option);
	if (!*f->format)
		f->format = usual_format(f);
	return err;
}

static int read_all(struct func_opts *o, const struct opt_strs *list, const char *option)
{
	for (size_t i = 0; i < list->cnt; i++) {
		struct probe_func *f = &o->of[o->cnt];
		int err;

		if (o->cnt == PROBE_FUNCS_MAX)
			return log_err(-EINVAL,
				       "more than %d of --uprobe and --usdt; a pattern such as "
				       "libc:*addrinfo* names several functions",
				       PROBE_FUNCS_MAX);
		f->asked = list->of[i];
		err = read_one(f, o->text[o->cnt], option);
		if (err)
			return err;
		o->cnt++;
	}
	return 0;
}

int func_opt(struct func_opts *o)
{
	int err = read_all(o, &o->uprobes, "uprobe");

	return err ? err : read_all(o, &o->usdts, "usdt");
}
