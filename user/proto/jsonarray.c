// SPDX-License-Identifier: BSD-2-Clause
/* The elements of a JSON array that is streamed: see jsonarray.h. */
#include "proto/jsonarray.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"

#define KEEP 4096 /* bytes of an element's memory that are kept for the next */

enum place {
	BEFORE,  /* of the array's own bracket */
	BETWEEN, /* elements */
	INSIDE,  /* an element */
	BEHIND,  /* the array, a hole, or what is no array */
};

struct jsonarray {
	json_piece_fn fn;
	void *ctx;
	enum place place;
	size_t depth; /* brackets open inside the element */
	bool in_string, escaped;
	struct buf element;
	bool cut;
	uint64_t ts_first, ts_last;
};

int jsonarray_new(struct jsonarray **out, json_piece_fn fn, void *ctx)
{
	struct jsonarray *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->fn = fn;
	j->ctx = ctx;
	*out = j;
	return 0;
}

void jsonarray_free(struct jsonarray **j)
{
	if (!*j)
		return;
	buf_fini(&(*j)->element);
	free(*j);
	*j = NULL;
}

static void element_reset(struct jsonarray *j)
{
	if (j->element.cap > KEEP)
		buf_fini(&j->element);
	buf_clear(&j->element);
	j->depth = 0;
	j->in_string = j->escaped = j->cut = false;
}

static void element_give(struct jsonarray *j, bool unterminated)
{
	struct json_piece piece = {
		.text = buf_view(&j->element),
		.ts_first = j->ts_first,
		.ts_last = j->ts_last,
		.unterminated = unterminated,
		.cut = j->cut,
	};

	j->fn(j->ctx, &piece);
	element_reset(j);
}

static int element_add(struct jsonarray *j, uint64_t ts, struct sv bytes)
{
	size_t room = LIMIT_STREAM_PIECE - j->element.len;

	if (!bytes.n)
		return 0;
	j->ts_last = ts;
	if (bytes.n > room) {
		bytes.n = room;
		j->cut = true;
	}
	return buf_sv(&j->element, bytes);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte outside of elements: false when it is the first of one. */
static bool skip_byte(struct jsonarray *j, char c)
{
	if (is_space(c))
		return true;
	if (j->place == BEFORE) {
		j->place = c == '[' ? BETWEEN : BEHIND;
		return true;
	}
	if (c == ',')
		return true;
	if (c == ']') {
		j->place = BEHIND;
		return true;
	}
	return false;
}

/* What a byte of an element does to it: 0 = goes on, 1 = is its last, -1 = is behind it. */
static int element_byte(struct jsonarray *j, char c)
{
	if (j->in_string) {
		if (j->escaped)
			j->escaped = false;
		else if (c == '\\')
			j->escaped = true;
		else if (c == '"')
			j->in_string = false;
		return 0;
	}
	if (c == '"')
		j->in_string = true;
	else if (c == '{' || c == '[')
		j->depth++;
	else if (!j->depth && (c == ',' || c == ']'))
		return -1;
	else if (j->depth && (c == '}' || c == ']'))
		return --j->depth ? 0 : 1;
	return 0;
}

/* Takes the part of the bytes that belongs to the element; there is at least one byte. */
static int element_feed(struct jsonarray *j, uint64_t ts, struct sv *bytes)
{
	size_t n = 0;
	int over = 0, err;

	while (n < bytes->n && !over) {
		over = element_byte(j, bytes->p[n]);
		n += over >= 0;
	}
	err = element_add(j, ts, sv_sub(*bytes, 0, n));
	if (err)
		return err;
	if (over) {
		element_give(j, false);
		j->place = BETWEEN;
	}
	*bytes = sv_sub(*bytes, n, SIZE_MAX);
	return 0;
}

int jsonarray_feed(struct jsonarray *j, uint64_t ts, struct sv bytes)
{
	while (bytes.n && j->place != BEHIND) {
		int err;

		if (j->place != INSIDE && skip_byte(j, bytes.p[0])) {
			bytes = sv_sub(bytes, 1, SIZE_MAX);
			continue;
		}
		if (j->place != INSIDE) {
			j->place = INSIDE;
			j->ts_first = ts;
		}
		err = element_feed(j, ts, &bytes);
		if (err)
			return err;
	}
	return 0;
}

void jsonarray_gap(struct jsonarray *j)
{
	element_reset(j);
	j->place = BEHIND;
}

void jsonarray_end(struct jsonarray *j)
{
	if (j->place == INSIDE)
		element_give(j, true);
	j->place = BEHIND;
}
