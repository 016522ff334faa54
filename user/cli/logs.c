// SPDX-License-Identifier: BSD-2-Clause
/* logs: what the processes of a run wrote to stdout and stderr. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/read.h"
#include "sink/human.h"
#include "sink/term.h"

#define WAIT_NS 200000000 /* between two looks at whether the store has changed */

struct logs_opts {
	struct opt_common common;
	bool json, follow;
};

static const struct opt logs_options[] = {
	{ "follow", 'f', OPT_FLAG, offsetof(struct logs_opts, follow), NULL,
	  "go on until the run is over" },
	{ "json", 0, OPT_FLAG, offsetof(struct logs_opts, json), NULL, "one JSON object a line" },
	{ 0 },
};

struct printer {
	bool json, colour;
	struct buf line;
	uint64_t cnt;
};

static void as_json(struct buf *b, const struct trace_log *l)
{
	buf_fmt(b,
		"{\"time_unix_nano\":%" PRIu64
		",\"trace_id\":\"%s\",\"span_id\":\"%s\",\"pid\":%" PRIu32
		",\"stream\":\"%s\",\"missing_bytes\":%" PRIu64 ",\"text\":",
		l->time_ns, l->trace_id, l->span_id, l->pid, l->fd == 2 ? "stderr" : "stdout",
		l->missing);
	json_write_str(b, l->text);
	buf_str(b, "}\n");
}

static void as_text(struct buf *b, const struct trace_log *l, bool colour)
{
	struct human time = human_time(l->time_ns);

	if (l->missing)
		buf_fmt(b, "... %s were not kept\n", human_bytes(l->missing).s);
	buf_fmt(b, "%s.%03u  %7" PRIu32 "  %s  ", time.s + 11,
		(unsigned int)(l->time_ns / 1000000 % 1000), l->pid, l->span_id);
	term_style(b, colour && l->fd == 2, STYLE_RED);
	buf_str(b, l->fd == 2 ? "err  " : "out  ");
	text_put(b, l->text, SIZE_MAX / 2);
	term_style(b, colour && l->fd == 2, STYLE_PLAIN);
	buf_ch(b, '\n');
}

static int on_log(void *ctx, const struct trace_log *l, const struct json *resource)
{
	struct printer *p = ctx;

	(void)resource;
	p->cnt++;
	buf_clear(&p->line);
	if (p->json)
		as_json(&p->line, l);
	else
		as_text(&p->line, l, p->colour);
	if (p->line.err)
		return p->line.err;
	return fwrite(p->line.p, 1, p->line.len, stdout) == p->line.len ? 0 : -EIO;
}

static int print(struct store *s, const char *trace_id, bool follow, struct printer *p)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	int64_t after = 0, seen = -1;
	bool over = false;
	int err = 0;

	while (!err && !over) {
		int64_t version = store_version(s);

		if (version != seen) {
			over = !follow ||
			       store_run_over(s, trace_id); /* asked before: all is there */
			err = store_logs(s, trace_id, &after, on_log, p);
			if (!err && fflush(stdout))
				err = -errno;
		}
		seen = version;
		if (!err && !over)
			nanosleep(&wait, NULL);
	}
	return err;
}

static int run_logs(void *opts, int argc, char **argv)
{
	struct printer p = { .colour = term_colour(STDOUT_FILENO) };
	struct logs_opts *o = opts;
	char trace_id[HEX128];
	struct store *s = NULL;
	const char *run;
	int err;

	if (read_run_arg(argc, argv, &run))
		return EXIT_USAGE;
	p.json = o->json;
	err = read_open(&s, &o->common);
	if (!err)
		err = store_find_run(s, run, trace_id);
	if (!err)
		err = print(s, trace_id, o->follow, &p);
	if (!err && !p.cnt && !o->json)
		log_warn("run %.8s has no output: `ringspan record --logs` keeps it", trace_id);
	buf_fini(&p.line);
	store_free(&s);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_logs = {
	.name = "logs",
	.args = "[RUN]",
	.help = "print what the processes of a run wrote to stdout and stderr",
	.more = "A line each: time, process, the span that it belongs to, stream, text.  It is "
		"kept where the\n"
		"run was recorded with --logs.  `ringspan export --logs` writes it as OTLP.\n",
	.opts = logs_options,
	.opts_sz = sizeof(struct logs_opts),
	.run = run_logs,
};
