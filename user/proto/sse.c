// SPDX-License-Identifier: BSD-2-Clause
/*
 * WHATWG HTML 9.2.6 as a machine over bytes.  A line's value is appended to what it belongs to as it
 * comes, so nothing is held twice and the end of a line may be any of its three kinds in any cut.
 */
#include "proto/sse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

#define NAME_MAX_LEN 5 /* "event" */
#define BOM "\xef\xbb\xbf"

enum line_part {
	LINE_START,
	LINE_NAME,
	LINE_SPACE, /* behind the colon: one space does not count */
	LINE_VALUE,
	LINE_SKIP, /* a comment, a field that is not known, or what a hole left */
};

struct sse {
	sse_event_fn fn;
	void *ctx;
	enum line_part part;
	size_t bom;    /* bytes of it that were seen; BOM_DONE when that is over */
	bool after_cr; /* a LF now belongs to the CR before it */
	bool lost;     /* behind a hole: wait for an empty line */
	bool open;     /* a field of the event was seen */
	bool has_data;
	bool cut;
	char name[NAME_MAX_LEN];
	size_t name_len;
	struct buf *value; /* where LINE_VALUE goes, bounded by value_max */
	size_t value_max;
	struct buf data, event, id, new_id; /* id stays for the events that follow */
	uint64_t ts_first, ts_last, ts_line;
};

#define BOM_DONE SIZE_MAX

int sse_new(struct sse **out, sse_event_fn fn, void *ctx)
{
	struct sse *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->ctx = ctx;
	*out = s;
	return 0;
}

void sse_free(struct sse **s)
{
	if (!*s)
		return;
	buf_fini(&(*s)->data);
	buf_fini(&(*s)->event);
	buf_fini(&(*s)->id);
	buf_fini(&(*s)->new_id);
	free(*s);
	*s = NULL;
}

static void event_reset(struct sse *s)
{
	/* the memory of one big event is not kept for all the small ones behind it */
	if (s->data.cap > LIMIT_SSE_NAME)
		buf_fini(&s->data);
	buf_clear(&s->data);
	buf_clear(&s->event);
	s->open = s->has_data = s->cut = false;
}

static void event_give(struct sse *s, bool unterminated)
{
	if (s->has_data) {
		struct sse_event ev = {
			.event = buf_view(&s->event),
			.data = buf_view(&s->data),
			.id = buf_view(&s->id),
			.ts_first = s->ts_first,
			.ts_last = s->ts_last,
			.unterminated = unterminated,
			.cut = s->cut,
		};

		s->fn(s->ctx, &ev);
	}
	event_reset(s);
}

static int value_add(struct sse *s, struct sv bytes)
{
	size_t room = s->value_max - s->value->len;

	if (bytes.n > room) {
		bytes.n = room;
		s->cut = true;
	}
	return buf_sv(s->value, bytes);
}

static void value_to(struct sse *s, struct buf *to, size_t max)
{
	s->value = to;
	s->value_max = max;
	if (!s->open)
		s->ts_first = s->ts_line;
	s->open = true;
	s->part = LINE_SPACE;
}

/* The name of a field is complete; what follows it on the line is its value. */
static int field_open(struct sse *s)
{
	struct sv name = { s->name, s->name_len };

	if (sv_is(name, "data")) {
		value_to(s, &s->data, LIMIT_SSE_EVENT);
		if (s->has_data)
			return value_add(s, SV("\n"));
		s->has_data = true;
	} else if (sv_is(name, "event")) {
		value_to(s, &s->event, LIMIT_SSE_NAME);
		buf_clear(&s->event);
	} else if (sv_is(name, "id")) {
		value_to(s, &s->new_id, LIMIT_SSE_NAME);
		buf_clear(&s->new_id);
	} else {
		s->part = LINE_SKIP;
	}
	return 0;
}

/* An id that holds NUL is ignored. */
static void id_take(struct sse *s)
{
	struct buf old = s->id;

	if (s->new_id.len && memchr(s->new_id.p, '\0', s->new_id.len))
		return;
	s->id = s->new_id;
	s->new_id = old;
}

static int line_end(struct sse *s)
{
	int err = 0;

	if (s->part == LINE_START) {
		s->lost = false;
		event_give(s, false);
		return 0;
	}
	if (s->part == LINE_NAME)
		err = field_open(s); /* a field without a colon has the empty value */
	if ((s->part == LINE_SPACE || s->part == LINE_VALUE) && s->value == &s->new_id)
		id_take(s);
	s->part = LINE_START;
	return err;
}

static void name_add(struct sse *s, char c)
{
	if (s->name_len == NAME_MAX_LEN)
		s->part = LINE_SKIP;
	else
		s->name[s->name_len++] = c;
}

/* One byte that ends no line, where single bytes matter. */
static int byte_feed(struct sse *s, uint64_t ts, char c)
{
	switch (s->part) {
	case LINE_START:
		s->ts_line = ts;
		s->name_len = 0;
		s->part = c == ':' || s->lost ? LINE_SKIP : LINE_NAME;
		if (s->part == LINE_NAME)
			name_add(s, c);
		return 0;
	case LINE_NAME:
		if (c == ':')
			return field_open(s);
		name_add(s, c);
		return 0;
	case LINE_SPACE:
		s->part = LINE_VALUE;
		return c == ' ' ? 0 : value_add(s, (struct sv){ &c, 1 });
	default:
		return 0;
	}
}

static size_t to_line_end(struct sv bytes)
{
	size_t n = 0;

	while (n < bytes.n && bytes.p[n] != '\n' && bytes.p[n] != '\r')
		n++;
	return n;
}

/* Skips a byte order mark at the start of the stream, where it may come in parts. */
static int bom_feed(struct sse *s, uint64_t ts, struct sv *bytes)
{
	size_t seen = s->bom;

	while (seen < 3 && bytes->n && bytes->p[0] == BOM[seen]) {
		*bytes = sv_sub(*bytes, 1, SIZE_MAX);
		seen++;
	}
	s->bom = seen;
	if (seen < 3 && !bytes->n)
		return 0;
	s->bom = BOM_DONE;
	for (size_t i = 0; seen < 3 && i < seen; i++) { /* it was none */
		int err = byte_feed(s, ts, BOM[i]);

		if (err)
			return err;
	}
	return 0;
}

/* Takes as many bytes as belong to one step; there is at least one. */
static int step(struct sse *s, uint64_t ts, struct sv *bytes)
{
	char c = bytes->p[0];
	size_t n = 1;
	int err = 0;

	if (c == '\n' && s->after_cr) {
		s->after_cr = false;
	} else if (c == '\n' || c == '\r') {
		s->after_cr = c == '\r';
		s->ts_last = ts;
		err = line_end(s);
	} else {
		s->after_cr = false;
		s->ts_last = ts;
		if (s->part == LINE_VALUE || s->part == LINE_SKIP)
			n = to_line_end(*bytes);
		if (s->part == LINE_VALUE)
			err = value_add(s, sv_sub(*bytes, 0, n));
		else
			err = byte_feed(s, ts, c);
	}
	*bytes = sv_sub(*bytes, n, SIZE_MAX);
	return err;
}

int sse_feed(struct sse *s, uint64_t ts, struct sv bytes)
{
	if (s->bom != BOM_DONE) {
		int err = bom_feed(s, ts, &bytes);

		if (err)
			return err;
	}
	while (bytes.n) {
		int err = step(s, ts, &bytes);

		if (err)
			return err;
	}
	return 0;
}

void sse_gap(struct sse *s)
{
	event_reset(s);
	s->bom = BOM_DONE;
	s->after_cr = false;
	s->lost = true;
	s->part = LINE_SKIP;
}

void sse_end(struct sse *s, uint64_t ts)
{
	(void)ts; /* an event ended with its last byte, however long the stream stayed open behind it */
	event_give(s, true);
	s->part = LINE_SKIP;
	s->lost = true;
}
