// SPDX-License-Identifier: BSD-2-Clause
/* show: one run as a tree with a waterfall. */
#include <unistd.h>
#include "cli/follow.h"
#include "sink/term.h"

struct show_opts {
	struct opt_common common;
	bool json, files, syscalls, follow;
	struct opt_payload payload;
	unsigned int depth, width;
	uint64_t min_duration_ns;
};

static const struct opt show_options[] = {
	PAYLOAD_OPT(struct show_opts),
	{ "files", 0, OPT_FLAG, offsetof(struct show_opts, files), NULL,
	  "each change of a file, not only the first of each process" },
	{ "syscalls", 0, OPT_FLAG, offsetof(struct show_opts, syscalls), NULL,
	  "with each span its system calls, how many and how long, by class" },
	{ "depth", 'd', OPT_UINT, offsetof(struct show_opts, depth), "N",
	  "only N levels below the run" },
	{ "min-duration", 'm', OPT_DURATION, offsetof(struct show_opts, min_duration_ns), "TIME",
	  "only spans that took so long, and what they hang under" },
	{ "width", 0, OPT_UINT, offsetof(struct show_opts, width), "N",
	  "columns to use, in place of the terminal's" },
	{ "follow", 'f', OPT_FLAG, offsetof(struct show_opts, follow), NULL,
	  "go on until the run is over: drawn again as it changes, or, where that is no "
	  "terminal, each span when it is finished" },
	{ "json", 0, OPT_FLAG, offsetof(struct show_opts, json), NULL, "one JSON object a span" },
	{ 0 },
};

static int run_show(void *opts, int argc, char **argv)
{
	struct show_opts *o = opts;
	struct sink_cfg cfg = {
		.out = stdout,
		.payload = o->payload.given,
		.level = o->payload.level,
		.files = o->files,
		.syscalls = o->syscalls,
		.colour = term_colour(STDOUT_FILENO),
		.columns = o->width ? o->width : term_columns(STDOUT_FILENO),
		.max_depth = o->depth,
		.min_duration_ns = o->min_duration_ns,
	};
	bool terminal = isatty(STDOUT_FILENO) && !o->json;
	const char *sink = o->json ? "ndjson" : o->follow && !terminal ? "lines" : "tree";
	struct store *s = NULL;
	const char *run;
	int code;

	if (read_run_arg(argc, argv, &run))
		return EXIT_USAGE;
	if (read_open(&s, &o->common))
		return EXIT_NOTHING;
	if (o->follow)
		code = follow_run(s, run, sink_find(sv(sink)), &cfg, terminal);
	else
		code = read_to_sink(s, run, sink_find(sv(sink)), &cfg);
	store_free(&s);
	return code;
}

const struct cmd cmd_show = {
	.name = "show",
	.args = "[RUN]",
	.help = "show a run as a tree with a waterfall",
	.more = "RUN is a run's id or its first digits; without it the newest run is shown.  One "
		"that is not\n"
		"over yet is shown as far as it is, at most a second late.\n",
	.opts = show_options,
	.opts_sz = sizeof(struct show_opts),
	.run = run_show,
};
