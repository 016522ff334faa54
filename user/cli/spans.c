// SPDX-License-Identifier: BSD-2-Clause
/* spans: the spans of all runs, or of one, that meet a condition. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/read.h"
#include "cli/table.h"
#include "sink/human.h"

struct spans_opts {
	struct opt_common common;
	const char *where, *sort;
	unsigned int limit;
	bool ascending, json;
	struct opt_payload payload;
};

static const struct opt spans_options[] = {
	{ "where", 0, OPT_STR, offsetof(struct spans_opts, where), "EXPR",
	  "only spans that meet a condition, see below" },
	{ "sort", 0, OPT_STR, offsetof(struct spans_opts, sort), "FIELD",
	  "largest first; without it by start" },
	{ "asc", 0, OPT_FLAG, offsetof(struct spans_opts, ascending), NULL,
	  "with --sort: smallest first" },
	{ "limit", 'n', OPT_UINT, offsetof(struct spans_opts, limit), "N", "at most N spans" },
	{ "json", 0, OPT_FLAG, offsetof(struct spans_opts, json), NULL, "one JSON object a span" },
	PAYLOAD_OPT(struct spans_opts),
	{ 0 },
};

enum { START, RUN, SPAN, KIND, NAME, TIME, TOKENS, COST, STATUS };

static const struct table_column columns[] = {
	[START] = { .title = "START" },
	[RUN] = { .title = "RUN" },
	[SPAN] = { .title = "SPAN", .spare = true },
	[KIND] = { .title = "KIND" },
	[NAME] = { .title = "NAME", .least = 16 },
	[TIME] = { .title = "TIME", .right = true },
	[TOKENS] = { .title = "TOKENS", .right = true },
	[COST] = { .title = "COST", .right = true },
	[STATUS] = { .title = "STATUS", .least = 8 },
};

struct listing {
	size_t cnt;
	bool one_run;
	struct table_column columns[ARRAY_SIZE(columns)];
	struct table table;
	enum payload_level level;
	const struct sink_ops *ndjson; /* NULL: a table */
	void *st;
};

static struct sv status_text(struct arena *a, const struct span *s)
{
	struct sv type = span_attr_sv(s, ATTR_ID_ERROR_TYPE);

	if (s->status != STATUS_ERROR && json_true(span_attr(s, ATTR_ID_UNFINISHED)))
		return SV("unfinished");
	if (s->status != STATUS_ERROR)
		return s->status == STATUS_OK ? SV("ok") : SV("-");
	if (!type.n)
		return SV("error");
	return arena_fmt(a, "error " SV_FMT, SV_ARG(sv_clip_utf8(type, 60)));
}

static int add_row(struct listing *l, const struct span *s)
{
	struct table_row *row =
		table_add(&l->table, s->status == STATUS_ERROR ? STYLE_RED : STYLE_PLAIN);
	int64_t in = span_attr_int(s, ATTR_ID_USAGE_INPUT, 0);
	int64_t out = span_attr_int(s, ATTR_ID_USAGE_OUTPUT, 0);
	uint64_t tokens = (uint64_t)(in > 0 ? in : 0) + (uint64_t)(out > 0 ? out : 0);
	uint64_t ns = s->end_ns > s->start_ns ? s->end_ns - s->start_ns : 0;

	if (!row)
		return -ENOMEM;
	table_set(&l->table, row, START, sv_sub(sv(human_time(s->start_ns).s), 5, 14));
	if (!l->one_run)
		table_set(&l->table, row, RUN, sv_sub(sv(s->trace_id), 0, 8));
	table_set(&l->table, row, SPAN, sv(s->span_id));
	table_set(&l->table, row, KIND, sv(span_what_name(s->what)));
	table_set(&l->table, row, NAME, sv_clip_utf8(s->name, 200));
	table_set(&l->table, row, TIME, sv(human_duration(ns).s));
	if (tokens)
		table_set(&l->table, row, TOKENS, sv(human_count(tokens).s));
	table_set(&l->table, row, COST, sv(human_usd(span_attr_float(s, ATTR_ID_COST, NAN)).s));
	table_set(&l->table, row, STATUS, status_text(&l->table.arena, s));
	return 0;
}

static int give(void *ctx, const struct span *s)
{
	struct listing *l = ctx;

	return l->ndjson ? l->ndjson->span(l->st, s) : add_row(l, s);
}

static int on_span(void *ctx, const struct span *s)
{
	struct listing *l = ctx;

	l->cnt++;
	return read_kept(s, l->level, give, l);
}

static int list(struct store *s, struct listing *l, const struct store_query *q)
{
	struct sink_cfg cfg = { .out = stdout, .payload = q->payload };
	int err = l->ndjson ? l->ndjson->open(&l->st, &cfg) : 0, close_err = 0;

	if (err)
		return err;
	err = store_query(s, q, on_span, l);
	if (l->ndjson)
		close_err = l->ndjson->close(l->st);
	else if (!err && l->cnt)
		close_err = table_write(&l->table, stdout, term_columns(STDOUT_FILENO),
					term_colour(STDOUT_FILENO));
	return err ? err : close_err;
}

/* The exit code: a condition that cannot be read is a wrong usage. */
static int query(struct store *s, const struct spans_opts *o, const char *run)
{
	struct listing l = { .level = o->payload.level,
			     .ndjson = o->json ? sink_find(SV("ndjson")) : NULL };
	struct store_query q = { .where = o->where,
				 .sort = o->sort,
				 .ascending = o->ascending,
				 .limit = o->limit,
				 .payload = o->payload.given && o->json };
	char trace_id[HEX128];
	int err;

	if (run && store_find_run(s, run, trace_id))
		return EXIT_NOTHING;
	q.trace_id = run ? trace_id : NULL;
	memcpy(l.columns, columns, sizeof(columns));
	if (run) /* the same everywhere: no column */
		l.columns[RUN].title = "";
	table_init(&l.table, l.columns, ARRAY_SIZE(columns));
	l.one_run = run;
	err = list(s, &l, &q);
	table_fini(&l.table);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_NOTHING;
	return l.cnt ? EXIT_FINE : EXIT_NOTHING;
}

static int run_spans(void *opts, int argc, char **argv)
{
	struct spans_opts *o = opts;
	struct store *s = NULL;
	const char *run;
	int code;

	if (read_run_arg(argc, argv, &run))
		return EXIT_USAGE;
	if (read_open(&s, &o->common))
		return EXIT_NOTHING;
	code = query(s, o, run);
	store_free(&s);
	return code;
}

const struct cmd cmd_spans = {
	.name = "spans",
	.args = "[RUN]",
	.help = "list spans, of one run or of all, that meet a condition",
	.more = "  ringspan spans --where 'status=error and duration>2s' --sort duration\n"
		"  ringspan spans --where 'kind=model_call and model~sonnet' --sort tokens -n 10\n"
		"  ringspan spans --where 'kind in (tool_call, process) and start > -1h'\n\n"
		"Fields: name kind status duration start end trace span parent model provider "
		"tool\n"
		"error tokens input_tokens output_tokens cost exit pid host attempts, or any\n"
		"attribute's key.  Operators: = != < <= > >= ~ (holds) !~ in (...) has FIELD, "
		"and,\n"
		"or, not, ( ).  The exit code is 1 when no span meets the condition.\n",
	.opts = spans_options,
	.opts_sz = sizeof(struct spans_opts),
	.run = run_spans,
};
