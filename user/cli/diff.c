// SPDX-License-Identifier: BSD-2-Clause
/* diff: what two runs have in common, and what not. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "analysis/diff.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cli/read.h"
#include "sink/human.h"
#include "sink/term.h"

#define NAME_COLS 60
#define DETAIL_COLS 70

enum { EXIT_SAME = 0, EXIT_DIFFER = 1, EXIT_TROUBLE = 2 }; /* as diff(1) has them */

struct diff_opts {
	struct opt_common common;
	bool json, all;
};

static const struct opt diff_options[] = {
	{ "all", 'a', OPT_FLAG, offsetof(struct diff_opts, all), NULL,
	  "also what is the same in both" },
	{ "json", 0, OPT_FLAG, offsetof(struct diff_opts, json), NULL, "one JSON object" },
	{ 0 },
};

struct comparison {
	const struct diff_opts *opts;
	char trace_id[2][HEX128];
	struct diff_side side[2];
	bool differ, colour;
	struct buf out;
	struct arena arena; /* of JSON */
	struct json *items;
};

static void comparison_fini(struct comparison *c)
{
	diff_side_fini(&c->side[0]);
	diff_side_fini(&c->side[1]);
	buf_fini(&c->out);
	arena_fini(&c->arena);
}

static int take(void *ctx, const struct span *s)
{
	return diff_side_add(ctx, s);
}

static int load(struct comparison *c, struct store *s, const char *const runs[2])
{
	int err = 0;

	for (int i = 0; !err && i < 2; i++) {
		err = store_find_run(s, runs[i], c->trace_id[i]);
		if (!err)
			err = store_spans(s, c->trace_id[i], true, take, &c->side[i]);
	}
	return err;
}

/* ---- as text */

static void put_pair(struct buf *b, const char *a, const char *other)
{
	buf_fmt(b, strcmp(a, other) != 0 ? "  %s -> %s" : "  %s", a, other);
}

static void tokens_of(char out[80], const struct diff_item *it)
{
	if (it->input_tokens < 0 && it->output_tokens < 0)
		out[0] = '\0';
	else
		snprintf(out, 80, "%" PRId64 ">%" PRId64 " tok", it->input_tokens,
			 it->output_tokens);
}

/* Both values where they differ, one where they do not. */
static void put_facts(struct buf *b, const struct diff_item *a, const struct diff_item *other)
{
	char tok[2][80];

	tokens_of(tok[0], a);
	tokens_of(tok[1], other);
	if (tok[0][0] || tok[1][0])
		put_pair(b, tok[0], tok[1]);
	if (!isnan(a->cost_usd) || !isnan(other->cost_usd))
		put_pair(b, human_usd(a->cost_usd).s, human_usd(other->cost_usd).s);
	put_pair(b, human_duration(a->ns).s, human_duration(other->ns).s);
	if (a->failed || other->failed)
		put_pair(b, a->failed ? "error" : "fine", other->failed ? "error" : "fine");
}

static void put_item(struct comparison *c, char mark, enum term_style style,
		     const struct diff_item *a, const struct diff_item *other)
{
	struct buf *b = &c->out;

	term_style(b, style != STYLE_PLAIN && c->colour, style);
	buf_fmt(b, "%c %s", mark, a->what == SPAN_TURN ? "" : "  ");
	text_put(b, a->name, NAME_COLS);
	if (a->detail.n) {
		buf_str(b, "  ");
		text_put(b, a->detail, DETAIL_COLS);
	}
	put_facts(b, a, other);
	term_style(b, style != STYLE_PLAIN && c->colour, STYLE_PLAIN);
	buf_ch(b, '\n');
}

static void text_of(struct comparison *c, enum diff_how how, const struct diff_item *a,
		    const struct diff_item *b)
{
	switch (how) {
	case DIFF_SAME:
		if (c->opts->all)
			put_item(c, ' ', STYLE_PLAIN, a, b);
		break;
	case DIFF_CHANGED:
		if (a->content == b->content) {
			put_item(c, '~', STYLE_YELLOW, a, b);
			break;
		}
		put_item(c, '-', STYLE_RED, a, a);
		put_item(c, '+', STYLE_CYAN, b, b);
		break;
	case DIFF_ONLY_A:
		put_item(c, '-', STYLE_RED, a, a);
		break;
	case DIFF_ONLY_B:
		put_item(c, '+', STYLE_CYAN, b, b);
		break;
	}
}

static void put_row(struct buf *b, const char *name, const char *a, const char *other)
{
	buf_fmt(b, "%c %-13s %12s %12s\n", strcmp(a, other) != 0 ? '~' : ' ', name, a, other);
}

static void put_count(struct buf *b, const char *name, int64_t a, int64_t other)
{
	char text[2][24];

	snprintf(text[0], sizeof(text[0]), "%" PRId64, a);
	snprintf(text[1], sizeof(text[1]), "%" PRId64, other);
	put_row(b, name, text[0], text[1]);
}

static void put_totals(struct comparison *c, struct buf *b)
{
	const struct diff_totals *x = &c->side[0].totals, *y = &c->side[1].totals;

	buf_fmt(b, "  %-13s %12.8s %12.8s\n", "run", c->trace_id[0], c->trace_id[1]);
	put_count(b, "turns", x->turns, y->turns);
	put_count(b, "model calls", x->model_calls, y->model_calls);
	put_count(b, "tool calls", x->tool_calls, y->tool_calls);
	put_count(b, "errors", x->errors, y->errors);
	put_count(b, "tokens in", x->input_tokens, y->input_tokens);
	put_count(b, "tokens out", x->output_tokens, y->output_tokens);
	put_row(b, "cost", isnan(x->cost_usd) ? "-" : human_usd(x->cost_usd).s,
		isnan(y->cost_usd) ? "-" : human_usd(y->cost_usd).s);
	put_row(b, "time", human_duration(x->ns).s, human_duration(y->ns).s);
}

/* ---- as JSON */

static struct json *item_json(struct arena *a, const struct diff_item *it)
{
	struct json *o;

	if (!it)
		return json_null(a);
	o = json_object(a);
	json_set(a, o, "span_id", json_string(a, sv(it->span_id)));
	json_set(a, o, "name", json_string(a, it->name));
	json_set(a, o, "content", json_string(a, it->detail));
	json_set(a, o, "duration_ns", json_uint(a, it->ns));
	if (it->input_tokens >= 0)
		json_set(a, o, "input_tokens", json_int(a, it->input_tokens));
	if (it->output_tokens >= 0)
		json_set(a, o, "output_tokens", json_int(a, it->output_tokens));
	if (!isnan(it->cost_usd))
		json_set(a, o, "cost_usd", json_float(a, it->cost_usd));
	json_set(a, o, "failed", json_bool(a, it->failed));
	return o;
}

static void json_of(struct comparison *c, enum diff_how how, const struct diff_item *a,
		    const struct diff_item *b)
{
	static const char *const words[] = { [DIFF_SAME] = "same",
					     [DIFF_CHANGED] = "changed",
					     [DIFF_ONLY_A] = "only_a",
					     [DIFF_ONLY_B] = "only_b" };
	struct json *o = json_object(&c->arena);

	if (how == DIFF_SAME && !c->opts->all)
		return;
	json_set(&c->arena, o, "change", json_string(&c->arena, sv(words[how])));
	json_set(&c->arena, o, "kind",
		 json_string(&c->arena, sv(span_what_name((a ? a : b)->what))));
	json_set(&c->arena, o, "a", item_json(&c->arena, a));
	json_set(&c->arena, o, "b", item_json(&c->arena, b));
	json_push(c->items, o);
}

static struct json *side_json(struct arena *a, const char *trace_id, const struct diff_totals *t)
{
	struct json *o = json_object(a);

	json_set(a, o, "trace_id", json_string(a, sv(trace_id)));
	json_set(a, o, "turns", json_int(a, t->turns));
	json_set(a, o, "model_calls", json_int(a, t->model_calls));
	json_set(a, o, "tool_calls", json_int(a, t->tool_calls));
	json_set(a, o, "errors", json_int(a, t->errors));
	json_set(a, o, "input_tokens", json_int(a, t->input_tokens));
	json_set(a, o, "output_tokens", json_int(a, t->output_tokens));
	json_set(a, o, "cost_usd", isnan(t->cost_usd) ? json_null(a) : json_float(a, t->cost_usd));
	json_set(a, o, "duration_ns", json_uint(a, t->ns));
	return o;
}

/* ---- both */

static int on_pair(void *ctx, enum diff_how how, const struct diff_item *a,
		   const struct diff_item *b)
{
	struct comparison *c = ctx;

	c->differ |= how != DIFF_SAME;
	if (c->opts->json)
		json_of(c, how, a, b);
	else
		text_of(c, how, a, b);
	return arena_failed(&c->arena) ? -ENOMEM : c->out.err;
}

static int print_json(struct comparison *c)
{
	struct arena *a = &c->arena;
	struct json *o = json_object(a);

	json_set(a, o, "same", json_bool(a, !c->differ));
	json_set(a, o, "a", side_json(a, c->trace_id[0], &c->side[0].totals));
	json_set(a, o, "b", side_json(a, c->trace_id[1], &c->side[1].totals));
	json_set(a, o, "items", c->items);
	json_write(&c->out, o);
	return buf_ch(&c->out, '\n');
}

static int print(struct comparison *c)
{
	_cleanup_buf_ struct buf head = BUF_INIT;
	int err = 0;

	if (c->opts->json) {
		err = print_json(c);
	} else {
		put_totals(c, &head);
		if (c->out.len)
			buf_ch(&head, '\n');
		err = head.err;
	}
	if (err)
		return err;
	fwrite(head.p, 1, head.len, stdout);
	fwrite(c->out.p, 1, c->out.len, stdout);
	return fflush(stdout) ? -errno : 0;
}

static int compare(struct comparison *c, struct store *s, const char *const runs[2])
{
	int err = load(c, s, runs);

	if (err)
		return err;
	c->items = json_array(&c->arena);
	c->differ = !diff_same_totals(&c->side[0].totals, &c->side[1].totals);
	err = diff_align(&c->side[0], &c->side[1], on_pair, c);
	if (!err)
		err = print(c);
	return err ? log_err(err, "the runs cannot be compared: %s", strerror(-err)) : 0;
}

static int run_diff(void *opts, int argc, char **argv)
{
	__attribute__((cleanup(comparison_fini))) struct comparison c = {
		.opts = opts, .colour = term_colour(STDOUT_FILENO)
	};
	struct diff_opts *o = opts;
	struct store *s = NULL;
	int err;

	diff_side_init(&c.side[0]);
	diff_side_init(&c.side[1]);
	arena_init(&c.arena, 0);
	if (argc != 2) {
		log_err(-EINVAL, "want two runs: ringspan diff [OPTION ...] A B");
		return EXIT_USAGE;
	}
	err = read_open(&s, &o->common);
	if (!err)
		err = compare(&c, s, (const char *const[2]){ argv[0], argv[1] });
	store_free(&s);
	if (err)
		return EXIT_TROUBLE;
	return c.differ ? EXIT_DIFFER : EXIT_SAME;
}

const struct cmd cmd_diff = {
	.name = "diff",
	.args = "A B",
	.help = "show in which turns, calls, tokens, cost and time two runs differ",
	.more = "A and B are runs' ids or their first digits.  '-' is in A alone, '+' in B alone, "
		"'~' in\n"
		"both with other numbers.  Exit codes: 0 the same but for time, 1 they differ, 2 "
		"trouble.\n",
	.opts = diff_options,
	.opts_sz = sizeof(struct diff_opts),
	.run = run_diff,
};
