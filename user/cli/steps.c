// SPDX-License-Identifier: BSD-2-Clause
/* Walking through a capture: see steps.h. */
#include "cli/steps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "capture/capture.h"
#include "span/trace.h"

/* Spans as text, a line each. */
struct pile {
	struct buf text;
	struct map hash; /* span id -> what it says, as a number; of those that are open */
};

struct steps {
	const char *path;
	bool no_redact;
	struct price_table *prices;
	struct capture_reader *capture;
	struct event_scrub *scrub; /* NULL: secrets are kept */
	struct trace *trace;
	uint64_t at, first_ts;
	bool over;
	struct buf finished;   /* every span that is, a line each */
	size_t finished_then;  /* as much of it was there before this step */
	struct pile then, now; /* open spans before this step and behind it, where looked at */
	bool has_record;
	int err;
	_Alignas(8) char record[EV_SIZE_MAX];
};

static void pile_fini(struct pile *p)
{
	buf_fini(&p->text);
	map_fini(&p->hash);
	*p = (struct pile){ 0 };
}

static struct map_key key_of(const struct span *s)
{
	return (struct map_key){ .a = strtoull(s->span_id, NULL, 16),
				 .b = strtoull(s->trace_id, NULL, 16) };
}

static void on_finished(void *ctx, const struct span *s)
{
	struct steps *st = ctx;

	span_write_json(&st->finished, s, false);
	if (buf_ch(&st->finished, '\n'))
		st->err = st->finished.err;
}

/* Everything but its end, which every record moves. */
static uint64_t hash_of(const struct span *s)
{
	struct buf b = BUF_INIT;
	uint64_t h;

	buf_fmt(&b, SV_FMT " %s %d ", SV_ARG(s->name), s->parent_span_id, s->status);
	span_write_attrs(&b, s->attributes, ATTRS_SHOWN);
	h = hash64(buf_view(&b));
	buf_fini(&b);
	return h | 1; /* in a map 0 is nothing */
}

static void on_open(void *ctx, const struct span *s)
{
	struct steps *st = ctx;

	span_write_json(&st->now.text, s, false);
	if (buf_ch(&st->now.text, '\n') ||
	    map_put(&st->now.hash, key_of(s), (void *)(uintptr_t)hash_of(s))) /* NOLINT: a number */
		st->err = -ENOMEM;
}

/* ---- going */

static void forget(struct steps *s)
{
	trace_free(&s->trace);
	capture_free(&s->capture);
	event_scrub_free(&s->scrub);
	buf_clear(&s->finished);
	pile_fini(&s->then);
	pile_fini(&s->now);
	s->finished_then = 0;
	s->at = s->first_ts = 0;
	s->over = s->has_record = false;
}

static int begin(struct steps *s)
{
	struct trace_cfg cfg = { .prices = s->prices, .no_redact = s->no_redact };
	int err;

	forget(s);
	err = capture_open(&s->capture, s->path);
	if (!err && !s->no_redact)
		err = event_scrub_new(&s->scrub);
	return err ? err : trace_new(&s->trace, &cfg, on_finished, s);
}

/* One record, or the end.  look: what is open before and behind it is noted. */
static int step(struct steps *s, bool look)
{
	struct ev_hdr *rec;
	int ret = capture_next(s->capture, &rec), err = 0;

	if (ret < 0)
		return ret;
	s->finished_then = s->finished.len;
	s->has_record = ret == 1;
	s->over = !ret;
	s->at++;
	if (ret) {
		memcpy(s->record, rec, rec->size);
		rec = (void *)s->record;
		if (s->scrub)
			event_scrub(s->scrub, rec);
		if (!s->first_ts)
			s->first_ts = rec->ts;
		err = trace_feed(s->trace, rec);
	} else {
		trace_end(s->trace);
	}
	pile_fini(&s->then);
	s->then = s->now;
	s->now = (struct pile){ 0 };
	if (!err && look)
		trace_each_open(s->trace, on_open, s);
	return err ? err : s->err;
}

/* The last step is told against the one before, so both are looked at. */
static int go_on(struct steps *s, uint64_t n)
{
	int err = 0;

	while (!err && !s->over && s->at < n)
		err = step(s, s->at + 2 >= n);
	return err;
}

int steps_go(struct steps *s, uint64_t n)
{
	int err = n < s->at ? begin(s) : 0;

	if (!err)
		err = go_on(s, n);
	if (err || s->at >= n)
		return err;
	n = s->at; /* it was shorter than that: once more, now that the last step is known */
	err = begin(s);
	return err ? err : go_on(s, n);
}

int steps_open(struct steps **out, const char *capture, const char *prices, bool no_redact)
{
	struct steps *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->path = capture;
	s->no_redact = no_redact;
	err = read_prices(&s->prices, prices);
	if (!err)
		err = begin(s);
	if (err) {
		steps_free(&s);
		return err;
	}
	*out = s;
	return 0;
}

void steps_free(struct steps **sp)
{
	struct steps *s = *sp;

	if (!s)
		return;
	forget(s);
	buf_fini(&s->finished);
	price_table_free(&s->prices);
	free(s);
	*sp = NULL;
}

uint64_t steps_at(const struct steps *s)
{
	return s->at;
}

bool steps_over(const struct steps *s)
{
	return s->over;
}

const struct ev_hdr *steps_record(const struct steps *s)
{
	return s->has_record ? (const void *)s->record : NULL;
}

uint64_t steps_first_ts(const struct steps *s)
{
	return s->first_ts;
}

/* ---- telling */

typedef int (*line_fn)(void *ctx, const struct span *s);

/* The spans of a text that span_write_json() made, a line each. */
static int each_line(struct sv text, line_fn fn, void *ctx)
{
	int err = 0;

	while (!err && text.n) {
		struct span *s = NULL;

		err = span_read_json(&s, sv_token(&text, '\n'));
		if (!err)
			err = fn(ctx, s);
		span_free(&s);
	}
	return err;
}

struct telling {
	const struct steps *st;
	steps_fn fn;
	void *ctx;
};

static int tell_open(void *ctx, const struct span *s)
{
	const struct telling *t = ctx;
	const void *then = map_get(&t->st->then.hash, key_of(s));

	if (!then)
		t->fn(t->ctx, STEP_OPENED, s);
	else if (then != map_get(&t->st->now.hash, key_of(s)))
		t->fn(t->ctx, STEP_CHANGED, s);
	return 0;
}

static int tell_closed(void *ctx, const struct span *s)
{
	const struct telling *t = ctx;

	t->fn(t->ctx, STEP_CLOSED, s);
	return 0;
}

int steps_changes(struct steps *s, steps_fn fn, void *ctx)
{
	struct telling t = { s, fn, ctx };
	int err = each_line(buf_view(&s->now.text), tell_open, &t);

	return err ? err
		   : each_line(sv_sub(buf_view(&s->finished), s->finished_then, s->finished.len),
			       tell_closed, &t);
}

struct showing {
	const struct sink_ops *ops;
	void *sink;
};

static int show_one(void *ctx, const struct span *s)
{
	struct showing *sh = ctx;

	return sh->ops->span(sh->sink, s);
}

int steps_show(struct steps *s, const struct sink_ops *ops, const struct sink_cfg *cfg)
{
	struct showing sh = { .ops = ops };
	int err = ops->open(&sh.sink, cfg), close_err;

	if (err)
		return err;
	err = each_line(buf_view(&s->finished), show_one, &sh);
	if (!err)
		err = each_line(buf_view(&s->now.text), show_one, &sh);
	close_err = ops->close(sh.sink);
	return err ? err : close_err;
}
