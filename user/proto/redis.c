// SPDX-License-Identifier: BSD-2-Clause
/* Redis' values: see redis.h. */
#include "proto/redis.h"

#include <string.h>

#define TYPES "+-:$*_#,(!=%~>|"
#define BULK_MAX (1ull << 30) /* more than the server takes (proto-max-bulk-len, 512 MB) */
#define COUNT_MAX (1ull << 30)

bool redis_is_command(struct sv first)
{
	size_t i = 1;

	if (first.n < 8 || first.p[0] != '*' || first.p[1] < '1' || first.p[1] > '9')
		return false;
	while (i < 4 && first.p[i] >= '0' && first.p[i] <= '9')
		i++;
	return first.p[i] == '\r' && first.p[i + 1] == '\n' && first.p[i + 2] == '$';
}

static void lose(struct redis *r)
{
	r->lost = true;
	r->in_line = r->keeps = false;
	r->bulk = r->line_len = r->depth = 0;
	r->value = (struct redis_value){ 0 };
}

/* A value within those that are open is whole, and so may they be. */
static void value_done(struct redis *r)
{
	while (r->depth && !--r->open[r->depth - 1])
		r->depth--;
	if (r->depth)
		return;
	r->fn(r->ctx, &r->value);
	r->value = (struct redis_value){ 0 };
}

static void keep(struct redis *r, struct sv bytes)
{
	struct sv *text;
	size_t room;

	if (!r->value.texts)
		return;
	text = &r->value.text[r->value.texts - 1];
	room = REDIS_TEXT_MAX - text->n;
	bytes = sv_sub(bytes, 0, room);
	memcpy(r->texts[r->value.texts - 1] + text->n, bytes.p, bytes.n);
	text->n += bytes.n;
}

/* A text begins, if it is one of the first. */
static bool keep_next(struct redis *r)
{
	unsigned int i = r->value.texts;

	if (i == REDIS_TEXTS)
		return false;
	r->value.text[i] = (struct sv){ r->texts[i], 0 };
	r->value.texts++;
	return true;
}

static void open_values(struct redis *r, uint64_t cnt)
{
	if (r->depth == REDIS_DEPTH || cnt > COUNT_MAX) {
		lose(r);
		return;
	}
	if (cnt)
		r->open[r->depth++] = cnt;
	else
		value_done(r);
}

/* An attribute (|) precedes the value that it is about, which is counted as one more. */
static void line_done(struct redis *r)
{
	struct sv line = { r->line, r->line_len }, rest = sv_sub(line, 1, line.n);
	char type = line.n ? line.p[0] : '\0';
	int64_t n = 0;

	r->in_line = false;
	r->line_len = 0;
	if (!type || !strchr(TYPES, type) || (strchr("$*!=%~>|", type) && sv_i64(rest, &n)) ||
	    n < -1 || n > (int64_t)BULK_MAX) {
		lose(r);
		return;
	}
	if (!r->value.type) {
		r->value.type = type;
		r->value.cnt = n > 0 ? (uint64_t)n : 0;
	}
	if (n >= 0 && strchr("*%~>|", type)) {
		open_values(r, (uint64_t)n * (strchr("%|", type) ? 2 : 1) + (type == '|'));
	} else if (n >= 0 && strchr("$!=", type)) {
		r->bulk = (uint64_t)n + 2;
		r->keeps = keep_next(r);
	} else {
		if (strchr("+-", type) && keep_next(r))
			keep(r, rest);
		value_done(r);
	}
}

static void take_line(struct redis *r, struct sv *bytes)
{
	const char *end = memchr(bytes->p, '\n', bytes->n);
	struct sv part = sv_sub(*bytes, 0, end ? (size_t)(end - bytes->p) : bytes->n);
	struct sv kept = sv_sub(part, 0, sizeof(r->line) - r->line_len);

	memcpy(r->line + r->line_len, kept.p, kept.n);
	r->line_len += kept.n;
	*bytes = sv_sub(*bytes, part.n + !!end, bytes->n);
	if (!end)
		return;
	if (r->line_len && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	line_done(r);
}

static void take_bulk(struct redis *r, struct sv *bytes)
{
	struct sv part = sv_sub(*bytes, 0, r->bulk), text = part;

	if (r->bulk < part.n + 2) /* its line end is no part of it */
		text = sv_sub(part, 0, r->bulk > 2 ? r->bulk - 2 : 0);
	if (r->keeps)
		keep(r, text);
	r->bulk -= part.n;
	*bytes = sv_sub(*bytes, part.n, bytes->n);
	if (!r->bulk)
		value_done(r);
}

void redis_feed(struct redis *r, uint64_t ts, struct sv bytes)
{
	if (r->lost && (!bytes.n || !bytes.p[0] || !strchr(TYPES, bytes.p[0])))
		return;
	r->lost = false;
	while (bytes.n && !r->lost) {
		if (!r->value.type && !r->in_line)
			r->value.ts_first = ts;
		r->value.ts_last = ts;
		r->in_line |= !r->bulk;
		if (r->bulk)
			take_bulk(r, &bytes);
		else
			take_line(r, &bytes);
	}
}

void redis_gap(struct redis *r)
{
	lose(r);
}
