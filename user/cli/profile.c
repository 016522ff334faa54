// SPDX-License-Identifier: BSD-2-Clause
/* profile: where the time on CPU went, of a run, a span and all below it, a capture, or a process that runs. */
#include "cli/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/live.h"
#include "cli/read.h"
#include "sink/flame.h"
#include "sink/term.h"

#define ROWS_USUAL 30

static const char *const by_names[] = {
	[PROFILE_BY_COMM] = "command",  [PROFILE_BY_SPAN] = "span",
	[PROFILE_BY_TOOL] = "tool",     [PROFILE_BY_PROCESS] = "process",
	[PROFILE_BY_THREAD] = "thread",
};

struct profile_opts {
	struct opt_common common;
	struct opt_pids pids;
	const char *by, *capture, *limit;
	uint64_t duration_ns;
	unsigned int hz;
	bool svg, table, json;
};

static const struct opt profile_options[] = {
	{ "by", 0, OPT_STR, offsetof(struct profile_opts, by), "WHAT",
	  "what stacks stand on: command (without it), span, tool, process or thread" },
	{ "svg", 0, OPT_FLAG, offsetof(struct profile_opts, svg), NULL, "a flame graph" },
	{ "table", 't', OPT_FLAG, offsetof(struct profile_opts, table), NULL,
	  "functions by their own time, and that of what they called" },
	{ "json", 0, OPT_FLAG, offsetof(struct profile_opts, json), NULL,
	  "one JSON object, with both" },
	{ "limit", 'n', OPT_STR, offsetof(struct profile_opts, limit), "N",
	  "at most N functions (30; 0: all)" },
	{ "capture", 'c', OPT_STR, offsetof(struct profile_opts, capture), "FILE",
	  "of a capture file" },
	{ "pid", 'p', OPT_PID, offsetof(struct profile_opts, pids), "PID",
	  "of a process that runs, and all that it starts: until Ctrl-C or its end" },
	{ "for", 0, OPT_DURATION, offsetof(struct profile_opts, duration_ns), "TIME",
	  "with -p: so long (5s)" },
	{ "rate", 0, OPT_UINT, offsetof(struct profile_opts, hz), "HZ",
	  "with -p: samples a second of each CPU (99)" },
	{ 0 },
};

struct gather {
	struct profile_data data;
	char title[160];
	char span_id[HEX64]; /* what is asked for; "": all */
	int err;
};

static int take_sample(void *ctx, const struct trace_sample *s)
{
	struct gather *g = ctx;

	if (!g->err)
		g->err = profile_data_sample(&g->data, s);
	return g->err;
}

static int take_span(void *ctx, const struct span *s)
{
	struct gather *g = ctx;

	if (!g->err)
		g->err = profile_data_span(&g->data, s);
	if ((g->span_id[0] && strcmp(s->span_id, g->span_id) == 0) ||
	    (!g->span_id[0] && s->what == SPAN_RUN))
		snprintf(g->title, sizeof(g->title), SV_FMT, SV_ARG(sv_clip_utf8(s->name, 120)));
	return g->err;
}

static void on_sample(void *ctx, const struct trace_sample *s)
{
	take_sample(ctx, s);
}

static void on_span(void *ctx, const struct span *s)
{
	take_span(ctx, s);
}

/* --- where they come from */

static int from_store(struct gather *g, const struct profile_opts *o, const char *spec)
{
	char trace_id[HEX128];
	struct store *s = NULL;
	int err = read_open(&s, &o->common);

	if (!err)
		err = store_find(s, spec, trace_id, g->span_id);
	if (!err)
		err = store_spans(s, trace_id, false, take_span, g);
	if (!err)
		err = store_samples(s, trace_id, take_sample, g);
	store_free(&s);
	return err;
}

static int from_capture(struct gather *g, const char *path)
{
	struct session_cfg cfg = { .watch_span = on_span,
				   .watch_sample = on_sample,
				   .watch_ctx = g };

	return session_replay(&cfg, path);
}

static int from_live(struct gather *g, const struct profile_opts *o)
{
	struct live_opts live = { .no_store = true,
				  .quiet = true,
				  .profile_hz = o->hz ? o->hz : OPT_RATE_USUAL,
				  .watch_span = on_span,
				  .watch_sample = on_sample,
				  .watch_ctx = g };
	int err = live_read_opts(&live);

	return err ? err : live_watch_pids(&live, &o->pids, o->duration_ns);
}

/* --- the verb */

static int read_by(const char *name, enum profile_by *by)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(by_names); i++) {
		if (strcmp(name, by_names[i]) != 0)
			continue;
		*by = i;
		return 0;
	}
	return log_err(-EINVAL, "--by %s: want command, span, tool, process or thread", name);
}

static int read_limit(const char *text, unsigned int *rows)
{
	int64_t n;

	if (sv_i64(sv(text), &n) || n < 0 || n > UINT32_MAX)
		return log_err(-EINVAL, "--limit %s: want a number such as 20", text);
	*rows = (unsigned int)n;
	return 0;
}

static int check(const struct profile_opts *o, int argc)
{
	if ((argc > 0) + (o->pids.cnt > 0) + (o->capture != NULL) > 1)
		return log_err(-EINVAL,
			       "want a run or span, -p PID or --capture FILE: one of the three");
	if (o->svg + o->table + o->json > 1)
		return log_err(-EINVAL, "want --svg, --table or --json: one of the three");
	if ((o->duration_ns || o->hz) && !o->pids.cnt)
		return log_err(-EINVAL, "--for and --rate are for a process that runs: -p PID");
	if (o->limit && !o->table && !o->json)
		return log_err(-EINVAL, "--limit is for --table and --json");
	return argc > 1 ? log_err(-EINVAL, "%s: one run or span at a time", "profile") : 0;
}

static int print(const struct gather *g, const struct profile_opts *o, enum profile_by by,
		 unsigned int rows)
{
	struct profile_sum sum = { .ns = 0 };
	int err = profile_fold(&sum, &g->data, by, g->span_id);

	if (!err && !sum.root.total) {
		log_warn("no samples%s; `ringspan record --profile -- CMD` takes some",
			 g->span_id[0] ? " of that span" : "");
		err = -ENOENT;
	} else if (!err && o->svg) {
		err = flame_svg(&sum, sv(g->title), stdout);
	} else if (!err && o->table) {
		err = profile_print_table(&sum, rows, term_columns(STDOUT_FILENO),
					  term_colour(STDOUT_FILENO), stdout);
	} else if (!err && o->json) {
		err = profile_print_json(&sum, by_names[by], o->limit ? rows : 0, stdout);
	} else if (!err) {
		err = profile_print_folded(&sum, stdout);
	}
	profile_sum_fini(&sum);
	return err;
}

static int run_profile(void *opts, int argc, char **argv)
{
	enum profile_by by = PROFILE_BY_COMM;
	struct gather g = { .title = "CPU profile" };
	unsigned int rows = ROWS_USUAL;
	struct profile_opts *o = opts;
	int err;

	if (check(o, argc) || (o->by && read_by(o->by, &by)) ||
	    (o->limit && read_limit(o->limit, &rows)))
		return EXIT_USAGE;
	profile_data_init(&g.data);
	if (o->pids.cnt)
		err = from_live(&g, o);
	else if (o->capture)
		err = from_capture(&g, o->capture);
	else
		err = from_store(&g, o, argc > 0 ? argv[0] : NULL);
	err = err ? err : g.err;
	if (!err)
		err = print(&g, o, by, rows);
	profile_data_fini(&g.data);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_profile = {
	.name = "profile",
	.args = "[RUN|SPAN]",
	.help = "what ran on the CPUs: folded stacks, a flame graph, or a table",
	.more = "Samples are taken where they were asked for: `record --profile`, `attach "
		"--profile`.  "
		"Each belongs to\n"
		"one span; a span's profile is that of all below it.  Without an option stacks "
		"are folded, a line\n"
		"each, as flamegraph.pl and its like read them; _[k] is behind names of the "
		"kernel, _[j] behind\n"
		"code that was made at run time.\n",
	.opts = profile_options,
	.opts_sz = sizeof(struct profile_opts),
	.run = run_profile,
};
