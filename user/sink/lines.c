// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sink: a line for every span as soon as it is finished, for eyes that follow a live run:
 *
 *	   +2.31s  model_call  chat claude-sonnet-4-5                      1.83s  1.2k>340 tok  $0.0123
 *	   +2.42s  process     bash                                       98.0ms  exit 1  ERROR
 *
 * The time is that of the end, counted from the start of the first span that was seen.  Files that were
 * read are left out: the programs of one command read hundreds.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "sink/human.h"
#include "sink/sink.h"
#include "sink/term.h"

#define TIME_WIDTH 9
#define KIND_WIDTH 10
#define NAME_WIDTH 40
#define DURATION_WIDTH 7
#define REST_WIDTH 30 /* for what stands behind the name */

struct lines {
	struct sink_cfg cfg;
	struct buf line;
	uint64_t zero; /* Unix ns that times count from; 0: nothing was seen yet */
};

/* Right-aligned. */
static void add_right(struct buf *b, struct human h, size_t width)
{
	size_t n = strlen(h.s);

	text_pad(b, n < width ? width - n : 0);
	buf_str(b, h.s);
}

static void add_time(struct lines *l, const struct span *s)
{
	struct buf *b = &l->line;
	bool before;
	struct human h;

	if (!l->zero)
		l->zero = s->start_ns;
	before = s->end_ns < l->zero;
	h = human_duration(before ? l->zero - s->end_ns : s->end_ns - l->zero);
	term_style(b, l->cfg.colour, STYLE_DIM);
	text_pad(b, strlen(h.s) < TIME_WIDTH ? TIME_WIDTH - strlen(h.s) : 0);
	buf_ch(b, before ? '-' : '+');
	buf_str(b, h.s);
	term_style(b, l->cfg.colour, STYLE_PLAIN);
}

static void add_usage(struct buf *b, const struct span *s)
{
	int64_t in = span_attr_int(s, ATTR_ID_USAGE_INPUT, -1);
	int64_t out = span_attr_int(s, ATTR_ID_USAGE_OUTPUT, -1);
	int64_t exit_code = span_attr_int(s, ATTR_ID_PROCESS_EXIT_CODE, 0);
	double cost = span_attr_float(s, ATTR_ID_COST, NAN);

	if (in >= 0 || out >= 0)
		buf_fmt(b, "  %s>%s tok", human_count(in < 0 ? 0 : (uint64_t)in).s,
			human_count(out < 0 ? 0 : (uint64_t)out).s);
	if (!isnan(cost))
		buf_fmt(b, "  %s", human_usd(cost).s);
	if (exit_code)
		buf_fmt(b, "  exit %" PRId64, exit_code);
}

static void add_status(struct lines *l, const struct span *s)
{
	struct sv type = span_attr_sv(s, ATTR_ID_ERROR_TYPE);
	struct buf *b = &l->line;

	if (s->status != STATUS_ERROR)
		return;
	buf_str(b, "  ");
	term_style(b, l->cfg.colour, STYLE_RED);
	buf_str(b, "ERROR");
	term_style(b, l->cfg.colour, STYLE_PLAIN);
	if (type.n) {
		buf_ch(b, ' ');
		text_put(b, type, NAME_WIDTH);
	}
}

static size_t name_width(const struct lines *l)
{
	size_t fixed = TIME_WIDTH + 2 + KIND_WIDTH + 2 + REST_WIDTH;

	if (!l->cfg.columns || l->cfg.columns >= fixed + NAME_WIDTH)
		return NAME_WIDTH;
	return l->cfg.columns > fixed + 12 ? l->cfg.columns - fixed : 12;
}

static int lines_open(void **st, const struct sink_cfg *cfg)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->cfg = *cfg;
	*st = l;
	return 0;
}

static int lines_span(void *st, const struct span *s)
{
	struct lines *l = st;
	struct buf *b = &l->line;
	size_t width = name_width(l);

	if (span_is_read(s))
		return 0;
	buf_clear(b);
	add_time(l, s);
	buf_fmt(b, "  %-*s  ", KIND_WIDTH, span_what_name(s->what));
	text_pad(b, width - text_put(b, s->name, width) + 2);
	add_right(b, human_duration(s->end_ns > s->start_ns ? s->end_ns - s->start_ns : 0),
		  DURATION_WIDTH);
	add_usage(b, s);
	add_status(l, s);
	buf_ch(b, '\n');
	if (b->err)
		return b->err;
	errno = 0;
	if (fwrite(b->p, 1, b->len, l->cfg.out) == b->len && !fflush(l->cfg.out))
		return 0;
	return errno ? -errno : -EIO;
}

static int lines_close(void *st)
{
	struct lines *l = st;

	buf_fini(&l->line);
	free(l);
	return 0;
}

const struct sink_ops sink_lines = {
	.name = "lines",
	.help = "one line of text a span, as soon as it is finished",
	.open = lines_open,
	.span = lines_span,
	.close = lines_close,
};
