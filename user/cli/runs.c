// SPDX-License-Identifier: BSD-2-Clause
/* runs: what was recorded, newest first. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/read.h"
#include "cli/table.h"
#include "sink/human.h"

#define LIMIT_DEFAULT 20 /* of a table; --json has all by default */

struct runs_opts {
	struct opt_common common;
	unsigned int limit;
	bool json;
};

static const struct opt runs_options[] = {
	{ "limit", 'n', OPT_UINT, offsetof(struct runs_opts, limit), "N",
	  "show the newest N (20; with --json all)" },
	{ "json", 0, OPT_FLAG, offsetof(struct runs_opts, json), NULL, "one JSON object a line" },
	{ 0 },
};

enum { START, RUN, AGENT, TIME, CALLS, TOOLS, IN, OUT, COST, ERRORS, EXIT, MODELS };

static const struct table_column columns[] = {
	[START] = { .title = "START" },
	[RUN] = { .title = "RUN" },
	[AGENT] = { .title = "AGENT", .least = 8 },
	[TIME] = { .title = "TIME", .right = true },
	[CALLS] = { .title = "LLM", .right = true },
	[TOOLS] = { .title = "TOOL", .right = true },
	[IN] = { .title = "IN", .right = true },
	[OUT] = { .title = "OUT", .right = true },
	[COST] = { .title = "COST", .right = true },
	[ERRORS] = { .title = "ERR", .right = true },
	[EXIT] = { .title = "EXIT", .right = true },
	[MODELS] = { .title = "MODELS", .least = 10, .spare = true },
};

struct listing {
	bool json;
	size_t cnt;
	struct table table;
};

static void set_count(struct listing *l, struct table_row *row, size_t column, int64_t n)
{
	table_set(&l->table, row, column, sv(human_count(n < 0 ? 0 : (uint64_t)n).s));
}

static struct sv label(const struct store_run *r)
{
	if (r->agent.n)
		return r->agent;
	return r->name.n ? r->name : SV("?");
}

static int add_row(struct listing *l, const struct store_run *r)
{
	enum term_style style = r->exit_code > 0 ? STYLE_RED
				: r->errors      ? STYLE_YELLOW
						 : STYLE_PLAIN;
	struct table_row *row = table_add(&l->table, style);
	struct human start = human_time(r->start_ns), cost = human_usd(r->cost_usd);
	char code[24] = "?";

	/* year and seconds are of no use in a list */
	table_set(&l->table, row, START, sv_sub(sv(start.s), 5, 11));
	table_set(&l->table, row, RUN, sv_sub(sv(r->trace_id), 0, 8));
	table_set(&l->table, row, AGENT, label(r));
	table_set(&l->table, row, TIME, sv(human_duration(r->end_ns - r->start_ns).s));
	set_count(l, row, CALLS, r->model_calls);
	set_count(l, row, TOOLS, r->tool_calls);
	set_count(l, row, IN, r->input_tokens);
	set_count(l, row, OUT, r->output_tokens);
	if (cost.s[0] && r->unpriced_calls) /* some calls have no price: it is at least so much */
		strncat(cost.s, "+", sizeof(cost.s) - strlen(cost.s) - 1);
	table_set(&l->table, row, COST, sv(cost.s[0] ? cost.s : "-"));
	set_count(l, row, ERRORS, r->errors);
	if (r->exit_code >= 0)
		snprintf(code, sizeof(code), "%" PRId64, r->exit_code);
	table_set(&l->table, row, EXIT, r->finished ? sv(code) : SV("unfinished"));
	table_set(&l->table, row, MODELS, r->models);
	return row ? 0 : -ENOMEM;
}

static int print_json(const struct store_run *r)
{
	struct arena a;
	struct json *o;
	struct sv text;

	arena_init(&a, 0);
	o = json_object(&a);
	json_set(&a, o, "trace_id", json_string(&a, sv(r->trace_id)));
	json_set(&a, o, "name", json_string(&a, r->name));
	json_set(&a, o, "agent", json_string(&a, r->agent));
	json_set(&a, o, "start_time_unix_nano", json_uint(&a, r->start_ns));
	json_set(&a, o, "end_time_unix_nano", json_uint(&a, r->end_ns));
	json_set(&a, o, "finished", json_bool(&a, r->finished));
	json_set(&a, o, "spans", json_int(&a, r->span_cnt));
	json_set(&a, o, "model_calls", json_int(&a, r->model_calls));
	json_set(&a, o, "attempts", json_int(&a, r->attempts));
	json_set(&a, o, "tool_calls", json_int(&a, r->tool_calls));
	json_set(&a, o, "errors", json_int(&a, r->errors));
	json_set(&a, o, "input_tokens", json_int(&a, r->input_tokens));
	json_set(&a, o, "output_tokens", json_int(&a, r->output_tokens));
	json_set(&a, o, "cost_usd", json_float(&a, r->cost_usd));
	json_set(&a, o, "calls_without_price", json_int(&a, r->unpriced_calls));
	json_set(&a, o, "exit_code", r->exit_code < 0 ? json_null(&a) : json_int(&a, r->exit_code));
	json_set(&a, o, "models", json_string(&a, r->models));
	text = json_text(&a, o);
	printf(SV_FMT "\n", SV_ARG(text));
	arena_fini(&a);
	return 0;
}

static int on_run(void *ctx, const struct store_run *r)
{
	struct listing *l = ctx;

	l->cnt++;
	return l->json ? print_json(r) : add_row(l, r);
}

/* What a listing lacks is said below it. */
static int tell_pruned(struct store *s)
{
	struct store_pruned p;
	int err = store_pruned(s, NULL, &p);

	if (!err && p.runs)
		printf("\n%s older run%s removed to keep the store within its limits, the latest "
		       "of %s\n",
		       human_count((uint64_t)p.runs).s, p.runs == 1 ? " was" : "s were",
		       human_time(p.until_ns).s);
	return err;
}

static int run_runs(void *opts, int argc, char **argv)
{
	struct runs_opts *o = opts;
	struct listing l = { .json = o->json };
	struct store *s = NULL;
	unsigned int limit = o->limit ? o->limit : o->json ? 0 : LIMIT_DEFAULT;
	int err;

	if (argc) {
		log_err(-EINVAL, "%s: takes no arguments; `ringspan show %s` shows one run",
			argv[0], argv[0]);
		return EXIT_USAGE;
	}
	if (read_open(&s, &o->common))
		return EXIT_NOTHING;
	table_init(&l.table, columns, ARRAY_SIZE(columns));
	err = store_runs(s, limit, on_run, &l);
	if (!err && !l.json && l.cnt)
		err = table_write(&l.table, stdout, term_columns(STDOUT_FILENO),
				  term_colour(STDOUT_FILENO));
	if (!err && !l.json)
		err = tell_pruned(s);
	if (!err && !l.cnt)
		err = log_err(-ENOENT, "no runs yet; `ringspan record -- CMD` makes one");
	table_fini(&l.table);
	store_free(&s);
	return err ? EXIT_NOTHING : EXIT_FINE;
}

const struct cmd cmd_runs = {
	.name = "runs",
	.help = "list what was recorded, newest first",
	.opts = runs_options,
	.opts_sz = sizeof(struct runs_opts),
	.run = run_runs,
};
