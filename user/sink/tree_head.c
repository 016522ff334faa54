// SPDX-License-Identifier: BSD-2-Clause
/* What stands above the tree: which run, its totals, what failed and what is missing. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "sink/tree_priv.h"

#define ERRORS_SHOWN 3
#define NOT_SEEN_SHOWN 3
#define ERROR_COLS 240 /* of one error where the line has no bound */

/* A line of items with dots between them, broken where the terminal ends. */
struct line {
	struct tree *t;
	size_t used;
};

static size_t columns(const struct tree *t)
{
	return t->cfg.columns ? t->cfg.columns : SIZE_MAX / 2;
}

static void item_sv(struct line *l, struct sv text)
{
	const char *dot = l->t->utf8 ? " · " : ", ";
	size_t gap = l->used ? text_width(sv(dot), 4) : 0;
	size_t width = text_width(text, columns(l->t));

	if (l->used && l->used + gap + width > columns(l->t)) {
		buf_ch(&l->t->out, '\n');
		l->used = gap = 0;
	}
	if (gap)
		buf_str(&l->t->out, dot);
	l->used += gap + text_put(&l->t->out, text, columns(l->t));
}

__attribute__((format(printf, 2, 3))) static void item(struct line *l, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	item_sv(l, sv(text));
}

static void end_line(struct line *l)
{
	if (l->used)
		buf_ch(&l->t->out, '\n');
	l->used = 0;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void draw_run(struct line *l, const struct tree_run *r)
{
	const struct node *root = r->root;

	item(l, "run %s", r->trace_id);
	item(l, "%s", human_time(root->start).s);
	item(l, "%s%s", human_duration(root->end - root->start).s,
	     root->unfinished ? " so far" : "");
	if (r->exit_code >= 0)
		item(l, "exit %lld", (long long)r->exit_code);
	end_line(l);
}

static void draw_totals(struct line *l, const struct tree_run *r)
{
	if (r->attempts > r->model_calls)
		item(l, "%zu model call%s in %zu attempts", r->model_calls, plural(r->model_calls),
		     r->attempts);
	else
		item(l, "%zu model call%s", r->model_calls, plural(r->model_calls));
	item(l, "%zu tool call%s", r->tool_calls, plural(r->tool_calls));
	item(l, "%zu process%s", r->processes, r->processes == 1 ? "" : "es");
	if (r->model_calls)
		item(l, "%s tokens in, %s out", human_count(r->input_tokens).s,
		     human_count(r->output_tokens).s);
	if (!isnan(r->cost) && r->unpriced)
		item(l, "%s and %zu call%s without a price", human_usd(r->cost).s, r->unpriced,
		     plural(r->unpriced));
	else if (!isnan(r->cost))
		item(l, "%s", human_usd(r->cost).s);
	if (r->errors) {
		term_style(&l->t->out, l->t->cfg.colour, STYLE_RED);
		if (r->aside && r->tool_calls)
			item(l, "%zu error%s, %zu beside the calls", r->errors, plural(r->errors),
			     r->aside);
		else
			item(l, "%zu error%s", r->errors, plural(r->errors));
		term_style(&l->t->out, l->t->cfg.colour, STYLE_PLAIN);
	}
	end_line(l);
}

/*
 * What the run waited for and what it computed: the two overlap, and so do processes, so this is no sum.
 * What is less than a thousandth of the run is left out.
 */
static void draw_times(struct line *l, const struct tree_run *r)
{
	static const char *const names[TREE_TIMES] = {
#define X(id, name) [TREE_TIME_##id] = name,
		TREE_TIMES_OF(X)
#undef X
	};
	uint64_t least = (r->root->end - r->root->start) / 1000;
	bool first = true;

	for (size_t i = 0; i < TREE_TIMES; i++) {
		if (r->went[i] <= 0 || (uint64_t)r->went[i] < least)
			continue;
		item(l, "%s%s %s", first ? "time: " : "", names[i],
		     human_duration((uint64_t)r->went[i]).s);
		first = false;
	}
	end_line(l);
}

static bool is_error(const struct node *n)
{
	return n->failed && span_what_fails(n->what);
}

/*
 * A shell ends as the command did that it ends with (POSIX, 2.8.2): what failed in it otherwise is not
 * why.  Other programs have codes of their own for what failed in them.
 */
static bool may_be_cause(const struct node *n, const struct node *child)
{
	static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ash", "ksh" };

	for (size_t i = 0; n->what == SPAN_PROCESS && i < ARRAY_SIZE(shells); i++)
		if (sv_is(n->name, shells[i]))
			return sv_eq(child->error, n->error);
	return true;
}

static const struct node *failed_child(const struct node *n)
{
	const struct node *child = n->child;

	while (child && !(is_error(child) && may_be_cause(n, child)))
		child = child->next;
	return child;
}

/* Which one: the fact behind the error, of what many have the same name. */
static struct sv which(const struct node *n)
{
	struct sv facts = n->facts;

	if (n->what != SPAN_PROCESS && n->what != SPAN_HTTP && n->what != SPAN_TOOL_CALL)
		return (struct sv){ 0 };
	sv_token(&facts, '\0');
	return sv_token(&facts, '\0');
}

/* "name  what went wrong" and, where a failure below it was the first, "<- name  what". */
static void draw_error(struct tree *t, const struct node *n, size_t times)
{
	size_t room = t->cfg.columns ? t->cfg.columns : ERROR_COLS, used, last;
	const struct node *cause = n, *next = failed_child(n);
	_cleanup_buf_ struct buf tail = BUF_INIT;

	for (; next; next = failed_child(next))
		cause = next;
	if (cause != n) {
		buf_str(&tail, t->utf8 ? "  ← " : "  <- ");
		buf_sv(&tail, cause->name);
		buf_str(&tail, "  ");
		buf_sv(&tail, cause->error);
	} else if (which(n).n) {
		buf_str(&tail, t->utf8 ? " · " : ", ");
		buf_sv(&tail, which(n));
	}
	if (times > 1)
		buf_fmt(&tail, " (%zu times)", times);
	term_style(&t->out, t->cfg.colour, STYLE_RED);
	used = text_put(&t->out, t->utf8 ? SV("✗ ") : SV("! "), room);
	used += text_put(&t->out, n->name, room - used);
	term_style(&t->out, t->cfg.colour, STYLE_PLAIN);
	if (room > used + 2) {
		used += text_put(&t->out, SV("  "), 2);
		/* both are clipped rather than one left out */
		last = text_width(buf_view(&tail), room);
		if (last > (room - used) / 2)
			last = (room - used) / 2;
		used += text_put(&t->out, n->error, room - used - last);
		text_put(&t->out, buf_view(&tail), room - used);
	}
	buf_ch(&t->out, '\n');
}

/* What the agent does itself, and not its programs. */
static bool is_agents(const struct node *n)
{
	return n->what != SPAN_PROCESS && n->what != SPAN_HTTP && n->what != SPAN_CONNECT &&
	       n->what != SPAN_DNS && n->what != SPAN_TLS && n->what != SPAN_FILE &&
	       n->what != SPAN_DB;
}

bool tree_is_aside(const struct node *n)
{
	return !is_agents(n) && !n->in_call;
}

/* What the agent did comes first, then what was done for its calls, then what was beside them. */
static int rank(const struct node *n)
{
	return is_agents(n) ? 0 : n->in_call ? 1 : 2;
}

static bool reads_like(const struct node *a, const struct node *b)
{
	return sv_eq(a->name, b->name) && sv_eq(a->error, b->error) && sv_eq(which(a), which(b)) &&
	       !failed_child(a) && !failed_child(b);
}

/* The first failures that no other failure holds, one a line; what reads the same is told once. */
static void draw_errors(struct tree *t, const struct tree_run *r)
{
	const struct node *shown[ERRORS_SHOWN];
	size_t times[ERRORS_SHOWN], cnt = 0, more = 0, at;

	for (int pass = 0; pass <= 2; pass++) {
		for (size_t i = 0; i < r->cnt; i++) {
			const struct node *n = r->nodes[i];

			if (rank(n) != pass || !is_error(n) || (n->parent && is_error(n->parent)))
				continue;
			for (at = 0; at < cnt && !reads_like(shown[at], n); at++)
				;
			if (at == ERRORS_SHOWN) {
				more++;
				continue;
			}
			if (at == cnt) {
				shown[cnt] = n;
				times[cnt++] = 0;
			}
			times[at]++;
		}
	}
	for (size_t i = 0; i < cnt; i++)
		draw_error(t, shown[i], times[i]);
	if (more)
		buf_fmt(&t->out, "%s %zu more like these below\n", t->utf8 ? "…" : "..", more);
}

static void draw_missing(struct line *l, const struct tree_run *r)
{
	struct tree *t = l->t;

	if (!r->incomplete.n && !r->lost_records && !r->lost_bytes && !r->lost_spans)
		return;
	term_style(&t->out, t->cfg.colour, STYLE_YELLOW);
	item(l, "incomplete: " SV_FMT, SV_ARG(sv_clip_utf8(r->incomplete, 100)));
	if (r->lost_records > 0)
		item(l, "%lld record%s lost", (long long)r->lost_records,
		     plural((size_t)r->lost_records));
	if (r->lost_spans > 0)
		item(l, "%lld span%s not stored", (long long)r->lost_spans,
		     plural((size_t)r->lost_spans));
	if (r->lost_bytes > 0)
		item(l, "%s not seen", human_bytes((uint64_t)r->lost_bytes).s);
	term_style(&t->out, t->cfg.colour, STYLE_PLAIN);
	end_line(l);
}

static void draw_clocks(struct line *l, const struct tree_run *r)
{
	uint64_t step = r->step_ns < 0 ? -(uint64_t)r->step_ns : (uint64_t)r->step_ns;

	if (r->suspended_ns <= 0 && !r->step_ns)
		return;
	term_style(&l->t->out, l->t->cfg.colour, STYLE_YELLOW);
	if (r->suspended_ns > 0)
		item(l, "the machine was suspended for %s",
		     human_duration((uint64_t)r->suspended_ns).s);
	if (r->step_ns)
		item(l, "the wall clock was set %s by %s: times are by the clock of its beginning",
		     r->step_ns < 0 ? "back" : "forward", human_duration(step).s);
	term_style(&l->t->out, l->t->cfg.colour, STYLE_PLAIN);
	end_line(l);
}

/* Connections whose content was not seen: how many, and the first of them by name. */
static void draw_not_seen(struct line *l, const struct tree_run *r)
{
	char before[80];
	size_t shown = 0;

	snprintf(before, sizeof(before),
		 "%zu connection%s whose content was not seen: ", r->not_seen, plural(r->not_seen));
	term_style(&l->t->out, l->t->cfg.colour, STYLE_YELLOW);
	for (size_t i = 0; i < r->cnt && shown < NOT_SEEN_SHOWN; i++) {
		const struct node *n = r->nodes[i];
		struct sv facts = n->facts, name = sv_token(&facts, '\0');

		if (!n->not_seen.n)
			continue;
		name = sv_clip_utf8(n->what == SPAN_TLS ? n->name : name, 60);
		item(l, "%s" SV_FMT " (" SV_FMT ")", shown ? "" : before, SV_ARG(name),
		     SV_ARG(sv_clip_utf8(n->not_seen, 30)));
		shown++;
	}
	if (r->not_seen > shown)
		item(l, "%zu more", r->not_seen - shown);
	term_style(&l->t->out, l->t->cfg.colour, STYLE_PLAIN);
	end_line(l);
}

void tree_draw_head(struct tree *t, const struct tree_run *r)
{
	struct line l = { .t = t };

	term_style(&t->out, t->cfg.colour, STYLE_BOLD);
	item_sv(&l, r->root->name.n ? r->root->name : SV("?"));
	term_style(&t->out, t->cfg.colour, STYLE_PLAIN);
	end_line(&l);
	draw_run(&l, r);
	draw_totals(&l, r);
	draw_times(&l, r);
	draw_errors(t, r);
	draw_missing(&l, r);
	draw_clocks(&l, r);
	if (r->not_seen)
		draw_not_seen(&l, r);
	buf_ch(&t->out, '\n');
}
