// SPDX-License-Identifier: BSD-2-Clause
/*
 * Lines of `ringspan top`.  Columns have fixed widths, so that nothing moves when a number grows; which
 * are there depends on the width of the screen alone, and the last one takes what is left.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "cli/top.h"
#include "sink/human.h"

#define NS_PER_S 1000000000ull
#define WIDE 400 /* columns of a line that has no bound */
#define OWN_SHOWN 3

enum column {
	PID,
	AGENT,
	STATE,
	AGE,
	TURN,
	IN,
	OUT,
	RATE,
	COST,
	CPU,
	MEM,
	NET,
	ERR,
	RETRY,
	STEP,
	COLUMN_CNT
};

static const struct {
	const char *title;
	unsigned int width, from; /* from: columns of the screen where it begins to be shown */
	bool left;
	int key; /* enum top_key that orders by it, or -1 */
} columns[COLUMN_CNT] = {
	[PID] = { "PID", 7, 0, false, TOP_BY_PID },
	[AGENT] = { "AGENT", 11, 0, true, TOP_BY_AGENT },
	[STATE] = { "STATE", 9, 0, true, TOP_BY_STATE },
	[AGE] = { "AGE", 6, 0, false, TOP_BY_AGE },
	[TURN] = { "TURN", 4, 140, false, -1 },
	[IN] = { "IN", 5, 116, false, TOP_BY_TOKENS },
	[OUT] = { "OUT", 5, 104, false, -1 },
	[RATE] = { "TOK/S", 5, 0, false, TOP_BY_RATE },
	[COST] = { "COST", 7, 0, false, TOP_BY_COST },
	[CPU] = { "CPU%", 4, 0, false, TOP_BY_CPU },
	[MEM] = { "MEM", 5, 92, false, TOP_BY_MEMORY },
	[NET] = { "NET/S", 5, 128, false, TOP_BY_NET },
	[ERR] = { "ERR", 3, 0, false, TOP_BY_ERRORS },
	[RETRY] = { "RETRY", 5, 150, false, -1 },
	[STEP] = { "STEP", 0, 0, true, -1 },
};

static unsigned int bound(const struct top_view *v)
{
	return v->columns ? v->columns : WIDE;
}

/* --- numbers */

/* What is younger than a minute moves every second at most, and its tenths only below ten. */
static struct human age(uint64_t ns)
{
	struct human h;

	if (ns >= 60 * NS_PER_S)
		return human_duration(ns);
	if (ns < 10 * NS_PER_S)
		snprintf(h.s, sizeof(h.s), "%.1fs", floor((double)ns / 1e8) / 10);
	else
		snprintf(h.s, sizeof(h.s), "%us", (unsigned int)(ns / NS_PER_S));
	return h;
}

/* At most five characters: 999 1.2k 345M */
static struct human bytes(double v)
{
	static const char units[] = " kMGTP";
	struct human h;
	size_t u = 0;

	for (; v >= 999.5 && u + 2 < sizeof(units); u++)
		v /= 1000;
	snprintf(h.s, sizeof(h.s), u && v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[u]);
	if (!u)
		h.s[strlen(h.s) - 1] = '\0';
	return h;
}

static struct human few(double v)
{
	struct human h = { "-" };

	if (!isnan(v))
		snprintf(h.s, sizeof(h.s), v < 9.95 && v >= 0.05 ? "%.1f" : "%.0f", v);
	return h;
}

static struct human none_as_nothing(int64_t n)
{
	struct human h = { "" };

	return n > 0 ? human_count((uint64_t)n) : h;
}

static uint64_t passed(const struct top_view *v, uint64_t since)
{
	return v->top->time_ns > since ? v->top->time_ns - since : 0;
}

/* --- lines */

struct line {
	struct buf *b;
	const struct top_view *v;
	size_t used;
};

static const char *dot(void)
{
	return term_utf8() ? " · " : ", ";
}

/* One more thing on the line, where it fits whole. */
__attribute__((format(printf, 3, 4))) static void item(struct line *l, enum term_style style,
						       const char *fmt, ...)
{
	size_t gap = l->used ? text_width(sv(dot()), 4) : 0, width;
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	width = text_width(sv(text), WIDE);
	if (l->used + gap + width > bound(l->v))
		return;
	if (gap)
		buf_str(l->b, dot());
	if (style)
		term_style(l->b, l->v->colour, style);
	text_put(l->b, sv(text), width);
	if (style)
		term_style(l->b, l->v->colour, STYLE_PLAIN);
	l->used += gap + width;
}

static void end_line(struct line *l)
{
	buf_ch(l->b, '\n');
	l->used = 0;
}

static enum term_style state_style(enum top_state s)
{
	switch (s) {
	case TOP_APPROVAL:
	case TOP_THROTTLED:
	case TOP_RETRYING:
		return STYLE_YELLOW;
	case TOP_STUCK:
		return STYLE_RED;
	case TOP_STREAMING:
		return STYLE_CYAN;
	case TOP_IDLE:
	case TOP_UNKNOWN:
	case TOP_ENDED:
		return STYLE_DIM;
	default:
		return STYLE_PLAIN;
	}
}

/* --- above the table */

static void draw_states(struct line *l, const struct top_sums *sums)
{
	item(l, STYLE_BOLD, "%zu agent%s", sums->runs, sums->runs == 1 ? "" : "s");
	for (enum top_state s = 0; s < TOP_STATE_CNT; s++)
		if (sums->by_state[s])
			item(l, s == TOP_ENDED ? STYLE_DIM : state_style(s), "%zu %s",
			     sums->by_state[s], top_state_name(s));
}

static void draw_sums(struct line *l, const struct top_sums *s)
{
	item(l, 0, "%s tokens in, %s out", human_count((uint64_t)s->input_tokens).s,
	     human_count((uint64_t)s->output_tokens).s);
	if (!isnan(s->rates.tokens))
		item(l, 0, "%s tok/s", few(s->rates.tokens).s);
	if (!isnan(s->cost_usd))
		item(l, 0, "%s", human_usd(s->cost_usd).s);
	if (!isnan(s->rates.cpu))
		item(l, 0, "CPU %s%%", few(100 * s->rates.cpu).s);
	if (s->rss_bytes)
		item(l, 0, "%s", human_bytes(s->rss_bytes).s);
	if (!isnan(s->rates.net[EV_READ]))
		item(l, 0, "net %s/s in, %s/s out", human_bytes((uint64_t)s->rates.net[EV_READ]).s,
		     human_bytes((uint64_t)s->rates.net[EV_WRITE]).s);
	if (s->retries)
		item(l, STYLE_YELLOW, "%lld retries", (long long)s->retries);
	if (s->errors)
		item(l, STYLE_RED, "%lld error%s", (long long)s->errors, s->errors == 1 ? "" : "s");
}

static void draw_loss(struct line *l, const struct session_totals *t)
{
	uint64_t records = t->trace.lost_records + t->broken;
	uint64_t lost = t->trace.lost_bytes > t->trace.hole_bytes ? t->trace.lost_bytes
								  : t->trace.hole_bytes;

	if (!records && !lost)
		item(l, 0, "nothing lost");
	if (records)
		item(l, STYLE_RED, "%s records lost", human_count(records).s);
	if (lost)
		item(l, STYLE_RED, "%s lost", human_bytes(lost).s);
}

static void draw_self(struct line *l)
{
	const struct own *o = l->v->own;

	draw_loss(l, &l->v->totals);
	if (!o) {
		item(l, 0, "replay");
		return;
	}
	item(l, 0, "ringspan CPU %s%%", few(100 * o->cpu).s);
	item(l, 0, "%s", human_bytes(o->rss_bytes).s);
	if (!o->counted)
		return;
	item(l, 0, "BPF %s%%", few(100 * o->bpf).s);
	for (size_t i = 0; i < o->cnt && i < OWN_SHOWN; i++)
		if (o->programs[i].share >= 0.0005)
			item(l, STYLE_DIM, "%s %s%%", o->programs[i].name,
			     few(100 * o->programs[i].share).s);
}

void top_draw_head(struct buf *b, const struct top_view *v)
{
	struct line l = { .b = b, .v = v };
	struct top_sums sums;

	top_sum(v->top, &sums);
	item(&l, STYLE_BOLD, "ringspan top");
	if (v->host.n)
		item(&l, 0, SV_FMT, SV_ARG(v->host));
	item(&l, 0, "%s", human_time(v->top->time_ns).s);
	item(&l, STYLE_DIM, "by %s%s", top_key_name(v->key), v->reverse ? ", least first" : "");
	if (v->filter[0])
		item(&l, STYLE_YELLOW, "only: %s", v->filter);
	end_line(&l);
	draw_states(&l, &sums);
	end_line(&l);
	draw_sums(&l, &sums);
	end_line(&l);
	draw_self(&l);
	end_line(&l);
}

/* --- the table */

static bool is_shown(const struct top_view *v, enum column c)
{
	return bound(v) >= columns[c].from;
}

static unsigned int width_of(const struct top_view *v, enum column c)
{
	unsigned int used = 0;

	if (c != STEP)
		return columns[c].width;
	for (enum column i = 0; i < STEP; i++)
		used += is_shown(v, i) ? columns[i].width + 1 : 0;
	return bound(v) > used ? bound(v) - used : 0;
}

/* owed: spaces that are only written before something, so that no line ends with them. */
static void cell(struct buf *b, const struct top_view *v, enum column c, struct sv text,
		 enum term_style style, size_t *owed)
{
	unsigned int width = width_of(v, c);
	size_t used = text_width(text, width);

	if (!is_shown(v, c) || !width)
		return;
	used = used < width ? used : width;
	if (!columns[c].left)
		*owed += width - used;
	if (text.n) {
		text_pad(b, *owed);
		*owed = 0;
		if (style)
			term_style(b, v->colour, style);
		text_put(b, text, width);
		if (style)
			term_style(b, v->colour, STYLE_PLAIN);
	} else {
		*owed += used;
	}
	*owed += (columns[c].left ? width - used : 0) + 1;
}

void top_draw_titles(struct buf *b, const struct top_view *v)
{
	size_t owed = 0;

	for (enum column c = 0; c < COLUMN_CNT; c++)
		cell(b, v, c, sv(columns[c].title),
		     columns[c].key == (int)v->key ? STYLE_BOLD : STYLE_DIM, &owed);
	buf_ch(b, '\n');
}

/* What tells the state stands first: it is what somebody looks for. */
static void step_text(struct buf *b, const struct top_view *v, const struct top_row *r)
{
	const struct now_failed *f = &r->now.failed;

	buf_str(b, r->why);
	if (r->state == TOP_THROTTLED && f->retry_ns > v->top->time_ns)
		buf_fmt(b, ", again in %s", age(f->retry_ns - v->top->time_ns).s);
	if (b->len && r->step[0])
		buf_str(b, ": ");
	buf_str(b, r->step);
}

static void row_cells(struct buf *b, const struct top_view *v, const struct top_row *r,
		      size_t *owed)
{
	bool gone = state_style(r->state) == STYLE_DIM;
	enum term_style plain = gone ? STYLE_DIM : STYLE_PLAIN;
	double net = r->rates.net[EV_READ] + r->rates.net[EV_WRITE];
	const struct now *n = &r->now;
	char text[32];

	snprintf(text, sizeof(text), "%u", n->pid);
	cell(b, v, PID, sv(text), plain, owed);
	cell(b, v, AGENT, sv(r->agent), gone ? STYLE_DIM : STYLE_BOLD, owed);
	snprintf(text, sizeof(text), "%s%s", top_state_name(r->state), r->sure ? "" : "?");
	cell(b, v, STATE, sv(text), state_style(r->state), owed);
	cell(b, v, AGE, sv(age(passed(v, r->since_ns)).s), plain, owed);
	cell(b, v, TURN, sv(none_as_nothing(n->turns).s), plain, owed);
	cell(b, v, IN, sv(none_as_nothing(n->input_tokens).s), plain, owed);
	cell(b, v, OUT, sv(none_as_nothing(n->output_tokens).s), plain, owed);
	cell(b, v, RATE, r->rates.tokens > 0 ? sv(few(r->rates.tokens).s) : SV(""), plain, owed);
	cell(b, v, COST, sv(human_usd(n->cost_usd).s), plain, owed);
	cell(b, v, CPU, sv(few(100 * r->rates.cpu).s), plain, owed);
	cell(b, v, MEM, n->rss_bytes ? sv(bytes((double)n->rss_bytes).s) : SV(""), plain, owed);
	cell(b, v, NET, net > 0 ? sv(bytes(net).s) : SV(""), plain, owed);
	cell(b, v, ERR, sv(none_as_nothing(n->errors).s), STYLE_RED, owed);
	cell(b, v, RETRY, sv(none_as_nothing(n->retries).s), STYLE_YELLOW, owed);
}

void top_draw_row(struct buf *b, const struct top_view *v, const struct top_row *r)
{
	_cleanup_buf_ struct buf step = BUF_INIT;
	size_t owed = 0;

	row_cells(b, v, r, &owed);
	step_text(&step, v, r);
	cell(b, v, STEP, buf_view(&step), top_state_is_urgent(r->state) ? state_style(r->state) : 0,
	     &owed);
	buf_ch(b, '\n');
}

/* --- what is told beside the table */

/* Of the selected row: the whole step, and what the table has no room for. */
void top_draw_detail(struct buf *b, const struct top_view *v, const struct top_row *r)
{
	_cleanup_buf_ struct buf step = BUF_INIT;
	struct line l = { .b = b, .v = v };
	const struct now *n = &r->now;

	step_text(&step, v, r);
	text_put(b, buf_view(&step), bound(v));
	buf_ch(b, '\n');
	item(&l, STYLE_DIM, "turn %lld", (long long)n->turns);
	if (r->more)
		item(&l, STYLE_PLAIN, "%u more open", r->more);
	item(&l, STYLE_DIM, "%s in %s out", human_count((uint64_t)n->input_tokens).s,
	     human_count((uint64_t)n->output_tokens).s);
	item(&l, STYLE_DIM, "%lld model, %lld tool calls", (long long)n->model_calls,
	     (long long)n->tool_calls);
	item(&l, STYLE_DIM, "%s in %u process%s", human_bytes(n->rss_bytes).s, n->processes,
	     n->processes == 1 ? "" : "es");
	if (n->agents > 1)
		item(&l, STYLE_DIM, "%u conversations", n->agents);
	if (n->retries)
		item(&l, STYLE_YELLOW, "%lld retries", (long long)n->retries);
	if (n->lost_records || n->lost_bytes)
		item(&l, STYLE_RED, "%s records, %s lost since it began",
		     human_count(n->lost_records).s, human_bytes(n->lost_bytes).s);
	if (r->container[0])
		item(&l, STYLE_DIM, "container %.12s", r->container);
	item(&l, STYLE_DIM, "run %.8s", n->trace_id);
	end_line(&l);
}

void top_draw_own(struct buf *b, const struct top_view *v)
{
	const struct own *o = v->own;

	buf_fmt(b, "%-24s %8s %8s %14s\n", "BPF PROGRAM", "CPU%", "NS/RUN", "RUNS");
	for (size_t i = 0; o && i < o->cnt; i++) {
		const struct own_program *p = &o->programs[i];

		if (p->runs)
			buf_fmt(b, "%-24.24s %8.3f %8s %14llu\n", p->name,
				isnan(p->share) ? 0 : 100 * p->share, few(p->run_mean_ns).s,
				(unsigned long long)p->runs);
	}
	buf_str(b, "\nCounting costs each run some 60 ns itself; the kernel does it while top "
		   "runs.\n");
}

void top_draw_help(struct buf *b, const struct top_view *v)
{
	static const char keys[] =
		"up down PgUp PgDn Home End    select        enter   the tree of that run, live\n"
		"/       only rows with these words      b       what ringspan itself takes\n"
		"r       turn the order around           q       leave; in a tree: back, like esc\n"
		"order:  S state  A age  P pid  N name  T tok/s  K tokens  $ cost\n"
		"        C CPU  M memory  W network  E errors\n\n";

	(void)v;
	buf_str(b, keys);
	for (enum top_state s = 0; s < TOP_STATE_CNT; s++)
		buf_fmt(b, "%-10s %s\n", top_state_name(s), top_state_help(s));
	buf_str(b,
		"\n\"approval?\": a tool call that nothing does, of an agent at a terminal.\n"
		"TOK/S, while an answer comes in, counts its pieces.  MEM counts shared pages in\n"
		"each process.\n");
}
