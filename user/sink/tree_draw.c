// SPDX-License-Identifier: BSD-2-Clause
/*
 * The lines of the tree: guides, name, facts, duration and bar.  The bars share one time axis and take
 * the columns that the text leaves; the part of a model call's bar before its first token is shaded.
 */
#include <stdio.h>
#include <string.h>
#include "sink/tree_priv.h"

#define GUIDES_MAX 24    /* levels that are indented; deeper ones tell their depth in digits */
#define DURATION_COLS 8  /* with the space before it */
#define GAP 2            /* before the bar */
#define BAR_DEFAULT 40   /* where the line has no bound */
#define TEXT_MAX 140     /* columns of text, likewise */
#define BAR_LEAST 10     /* a shorter one says nothing: there is none */
#define TICK_COLS 8      /* at least, between two labels of the axis */
#define CLIP_LEAST 24    /* a fact that is clipped shows as much: only texts are as long */
#define FLUSH (64 << 10) /* bytes */

struct drawing {
	struct tree *t;
	struct buf *b;
	size_t levels;         /* that are indented here, at most GUIDES_MAX */
	bool more[GUIDES_MAX]; /* by level: a sibling comes below */
};

/* --- text */

static const char *guide(const struct drawing *d, bool more, bool own)
{
	static const char *const shapes[2][2][2][2] = {
		/* not its own: end, more; its own: end, more */
		{ { { "  ", "| " }, { "`-", "|-" } }, { { "   ", "|  " }, { "`- ", "|- " } } },
		{ { { "  ", "│ " }, { "└─", "├─" } }, { { "   ", "│  " }, { "└─ ", "├─ " } } },
	};

	return shapes[d->t->utf8][d->t->guide == 3][own][more];
}

/* Columns taken by the guides of a span at that depth. */
static size_t indent(const struct drawing *d, unsigned int depth)
{
	return (depth < d->levels ? depth : d->levels) * d->t->guide;
}

static void draw_guides(struct drawing *d, unsigned int depth, bool own)
{
	size_t levels = depth < d->levels ? depth : d->levels;

	if (!levels)
		return;
	term_style(d->b, d->t->cfg.colour, STYLE_DIM);
	for (size_t i = 0; i < levels; i++)
		buf_str(d->b, guide(d, d->more[i], own && i == levels - 1));
	term_style(d->b, d->t->cfg.colour, STYLE_PLAIN);
}

static void set_more(struct drawing *d, unsigned int depth, bool more)
{
	if (depth)
		d->more[(depth < d->levels ? depth : d->levels) - 1] = more;
}

static enum term_style name_style(const struct node *n)
{
	if (n->failed)
		return n->what == SPAN_ATTEMPT ? STYLE_YELLOW : STYLE_RED;
	return n->what == SPAN_RUN ? STYLE_BOLD : STYLE_PLAIN;
}

static const char *name_mark(const struct tree *t, const struct node *n)
{
	if (n->orphan)
		return "? ";
	if (!n->failed)
		return "";
	return n->what == SPAN_ATTEMPT || !t->utf8 ? "! " : "✗ ";
}

/* Facts that fit into what is left; the first, and what is long, is clipped rather than left out. */
static size_t draw_facts(struct drawing *d, struct sv facts, size_t width)
{
	const char *sep = "  ", *dot = d->t->utf8 ? " · " : ", ";
	size_t used = 0;

	while (facts.n) {
		struct sv fact = sv_token(&facts, '\0');
		size_t gap = text_width(sv(sep), 4),
		       left = width > used + gap ? width - used - gap : 0;
		bool fits = text_width(fact, left) <= left;

		if (!left || (!fits && left < (used ? CLIP_LEAST : 8)))
			break;
		buf_str(d->b, sep);
		used += gap + text_put(d->b, fact, left);
		sep = dot;
		if (!fits)
			break;
	}
	return used;
}

/* Name and facts in at most `width` columns; how many they took. */
static size_t draw_text(struct drawing *d, const struct node *n, size_t width)
{
	bool colour = d->t->cfg.colour;
	enum term_style style = name_style(n);
	char depth[16] = "";
	size_t used;

	if (n->depth > d->levels)
		snprintf(depth, sizeof(depth), "[%u] ", n->depth);
	if (style)
		term_style(d->b, colour, style);
	used = text_put(d->b, sv(depth), width);
	used += text_put(d->b, sv(name_mark(d->t, n)), width - used);
	used += text_put(d->b, n->name.n ? n->name : SV("?"), width - used);
	if (style)
		term_style(d->b, colour, STYLE_PLAIN);
	term_style(d->b, colour, STYLE_DIM);
	if (n->orphan)
		used += draw_facts(d, SV("parent not seen"), width - used);
	used += draw_facts(d, n->calls, width - used);
	used += draw_facts(d, n->facts, width - used);
	term_style(d->b, colour, STYLE_PLAIN);
	return used;
}

/* --- bars */

static enum term_style bar_style(const struct node *n)
{
	if (n->what == SPAN_RUN) /* long, and said to have failed elsewhere */
		return STYLE_DIM;
	if (n->failed)
		return n->what == SPAN_ATTEMPT ? STYLE_YELLOW : STYLE_RED;
	if (n->what == SPAN_MODEL_CALL || n->what == SPAN_ATTEMPT)
		return STYLE_CYAN;
	return n->what == SPAN_TOOL_CALL ? STYLE_YELLOW : STYLE_DIM;
}

/* A cell of which the eighths from lo to hi are taken. */
static const char *block(unsigned int lo, unsigned int hi)
{
	static const char *const left[] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" };
	unsigned int width = hi - lo;

	if (lo == 0)
		return left[hi];
	if (hi == 8) /* of the right-hand blocks there are only two */
		return width > 5 ? "█" : width > 2 ? "▐" : "▕";
	if (lo + hi < 8)
		return width > 2 ? "▌" : "▏";
	return width > 2 ? "▐" : "▕";
}

/* Where a time lies on the axis, in eighths of a cell. */
static size_t eighths(const struct tree *t, uint64_t time)
{
	uint64_t since = time > t->from ? time - t->from : 0;

	if (since >= t->span_ns)
		return t->bar * 8;
	return (size_t)((double)since / (double)t->span_ns * (double)(t->bar * 8));
}

static void draw_bar(struct drawing *d, const struct node *n)
{
	size_t a = eighths(d->t, n->start), z = eighths(d->t, n->end);
	size_t first = n->first_token ? eighths(d->t, n->first_token) : 0;

	if (a >= d->t->bar * 8)
		a = d->t->bar * 8 - 1;
	if (z <= a)
		z = a + 1;
	text_pad(d->b, a / 8);
	term_style(d->b, d->t->cfg.colour, bar_style(n));
	for (size_t i = a / 8; i * 8 < z; i++) {
		unsigned int lo = a > i * 8 ? a - i * 8 : 0, hi = z < i * 8 + 8 ? z - i * 8 : 8;
		bool waiting = i * 8 + 4 < first;

		if (d->t->utf8)
			buf_str(d->b, waiting ? "░" : block(lo, hi));
		else
			buf_ch(d->b, waiting ? '-' : z - a < 8 ? '|' : '=');
	}
	term_style(d->b, d->t->cfg.colour, STYLE_PLAIN);
}

static const struct {
	uint64_t ns;
	const char *name;
} units[] = {
	{ 86400000000000, "d" }, { 3600000000000, "h" }, { 60000000000, "m" }, { 1000000000, "s" },
	{ 1000000, "ms" },       { 1000, "us" },         { 1, "ns" },
};

/* The shortest of 1 2 5 10 ... ns, 1 2 5 10 15 30 s, ... that leaves room for the labels. */
static uint64_t tick_step(const struct tree *t)
{
	static const unsigned int seconds[] = { 1,   2,   5,   10,   15,   30,   60,    120,
						300, 600, 900, 1800, 3600, 7200, 21600, 43200 };
	uint64_t least = t->span_ns / (t->bar / TICK_COLS ? t->bar / TICK_COLS : 1), step = 1;

	if (!least)
		return 1;
	if (least <= 1000000000)
		while (step < least) { /* 1 2 5 10: a 2 before a 5 is times 2.5 */
			uint64_t lead = step;

			while (lead >= 10)
				lead /= 10;
			step = lead == 2 ? step / 2 * 5 : step * 2;
		}
	if (least <= 1000000000)
		return step;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		if (seconds[i] * 1000000000ull >= least)
			return seconds[i] * 1000000000ull;
	return (least / units[0].ns + 1) * units[0].ns;
}

/* 0, 500ms, 2s, 1m30s */
static struct human tick_label(uint64_t ns)
{
	struct human h = { "0" };
	size_t at = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && ns && at < HUMAN_LEN / 2; i++) {
		if (ns < units[i].ns)
			continue;
		at += (size_t)snprintf(h.s + at, sizeof(h.s) - at, "%llu%s",
				       (unsigned long long)(ns / units[i].ns), units[i].name);
		ns %= units[i].ns;
	}
	return h;
}

static void draw_axis(struct drawing *d)
{
	struct tree *t = d->t;
	const char *legend = t->utf8 ? "░ until the first token" : "- until the first token";
	uint64_t step = tick_step(t);
	size_t at = 0, left;

	if (!t->bar)
		return;
	term_style(d->b, t->cfg.colour, STYLE_DIM);
	left = t->text + DURATION_COLS + GAP;
	text_pad(d->b, left - (t->waits ? text_put(d->b, sv(legend), t->text) : 0));
	for (uint64_t ns = 0; ns <= t->span_ns; ns += step) {
		struct human label = tick_label(ns);
		size_t cell = eighths(t, t->from + ns) / 8, len = strlen(label.s);

		/* room for the mark and the label inside the bar's columns */
		if (cell + 1 + len > t->bar || (at && cell <= at))
			break;
		text_pad(d->b, cell - at);
		buf_str(d->b, t->utf8 ? "╷" : "|");
		buf_str(d->b, label.s);
		at = cell + 1 + len;
	}
	term_style(d->b, t->cfg.colour, STYLE_PLAIN);
	buf_ch(d->b, '\n');
}

/* --- lines */

static void draw_line(struct drawing *d, const struct node *n)
{
	struct tree *t = d->t;
	size_t used = indent(d, n->depth);

	draw_guides(d, n->depth, true);
	used += draw_text(d, n, t->text > used ? t->text - used : 0);
	text_pad(d->b, t->text > used ? t->text - used : 0);
	buf_fmt(d->b, "%*s", DURATION_COLS, human_duration(n->end - n->start).s);
	if (t->bar) {
		text_pad(d->b, GAP);
		draw_bar(d, n);
	}
	buf_ch(d->b, '\n');
}

static void draw_hidden(struct drawing *d, const struct node *n)
{
	set_more(d, n->depth + 1, false);
	draw_guides(d, n->depth + 1, true);
	term_style(d->b, d->t->cfg.colour, STYLE_DIM);
	buf_fmt(d->b, "%s %zu more", d->t->utf8 ? "…" : "..", n->hidden);
	if (n->folded == n->hidden)
		buf_str(d->b, " changes of files");
	term_style(d->b, d->t->cfg.colour, STYLE_PLAIN);
	buf_ch(d->b, '\n');
}

static void draw_messages(struct drawing *d, const struct node *n, bool children)
{
	struct buf prefix = BUF_INIT, *b = d->b;

	if (!n->message_cnt)
		return;
	set_more(d, n->depth + 1, children);
	d->b = &prefix;
	draw_guides(d, n->depth + 1, false);
	d->b = b;
	tree_draw_messages(d->t, n, buf_view(&prefix), indent(d, n->depth + 1));
	buf_fini(&prefix);
}

/* Calls fn for every span that is shown, in their order; `closed` when all under one was. */
static void each_shown(struct tree *t, struct node *root, void *ctx,
		       void (*fn)(void *ctx, struct node *n),
		       void (*closed)(void *ctx, struct node *n))
{
	struct node *n = root, *next;

	for (;;) {
		fn(ctx, n);
		next = tree_first_shown(t, n->child);
		while (!next) {
			closed(ctx, n);
			if (n == root)
				return;
			next = tree_first_shown(t, n->next);
			if (!next)
				n = n->parent;
		}
		n = next;
	}
}

static void shown(void *ctx, struct node *n)
{
	struct drawing *d = ctx;
	bool children = tree_first_shown(d->t, n->child) || n->hidden;

	if (n->parent)
		set_more(d, n->depth, tree_first_shown(d->t, n->next) || n->parent->hidden);
	draw_line(d, n);
	draw_messages(d, n, children);
	tree_flush(d->t, FLUSH);
}

static void closed(void *ctx, struct node *n)
{
	if (n->hidden)
		draw_hidden(ctx, n);
}

/* --- columns */

struct measure {
	struct drawing d;
	struct buf scratch;
	size_t widest;
};

static void measure_line(void *ctx, struct node *n)
{
	struct measure *m = ctx;
	size_t width = indent(&m->d, n->depth) + draw_text(&m->d, n, TEXT_MAX);

	buf_clear(&m->scratch);
	if (width > m->widest)
		m->widest = width;
	if (n->first_token)
		m->d.t->waits = true;
}

static void measured(void *ctx, struct node *n)
{
	(void)ctx;
	(void)n;
}

/* The text gets what it needs as long as a quarter of the line, of a wide one a third, is left. */
static void set_columns(struct tree *t, struct tree_run *r, size_t levels)
{
	size_t columns = t->cfg.columns, fixed = DURATION_COLS + GAP, least;
	struct measure m = { .d = { .t = t, .levels = levels } };

	t->waits = false;
	m.d.b = &m.scratch;
	each_shown(t, r->root, &m, measure_line, measured);
	buf_fini(&m.scratch);
	t->text = m.widest;
	t->bar = BAR_DEFAULT;
	if (!columns)
		return;
	least = columns < 120 ? columns / 4 : columns / 3;
	if (least < BAR_LEAST) {
		t->bar = 0;
		t->text = columns > DURATION_COLS ? columns - DURATION_COLS : 1;
		return;
	}
	if (t->text > columns - fixed - least)
		t->text = columns - fixed - least;
	t->bar = columns - fixed - t->text;
}

void tree_draw(struct tree *t, struct tree_run *r)
{
	struct drawing d = { .t = t, .b = &t->out, .levels = GUIDES_MAX };

	t->guide = !t->cfg.columns || t->cfg.columns >= 100 ? 3 : 2;
	/* names keep half of the text's columns, however deep they stand */
	if (t->cfg.columns && t->cfg.columns * 3 / 8 / t->guide < d.levels)
		d.levels = t->cfg.columns * 3 / 8 / t->guide;
	if (!d.levels)
		d.levels = 1;
	t->from = r->start;
	t->span_ns = r->end > r->start ? r->end - r->start : 1;
	set_columns(t, r, d.levels);
	draw_axis(&d);
	each_shown(t, r->root, &d, shown, closed);
}
