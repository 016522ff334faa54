// SPDX-License-Identifier: BSD-2-Clause
/* Bodies that are gathered: see gather.h. */
#include "span/gather.h"

#include <stdio.h>
#include <string.h>

#define END_SPARE 16384 /* of a body's end, and of its beginning, when the budget is spent */

/* What is held has changed. */
static void charge(struct gather *k, struct gather_budget *b)
{
	uint64_t now = k->text.cap + k->end.cap;

	b->used += now - k->charged;
	k->charged = now;
}

/* The end has begun: nothing more goes to the beginning. */
static bool has_end(const struct gather *k)
{
	return k->end_max || k->cut;
}

static size_t room(const struct gather *k, const struct gather_budget *b, size_t max)
{
	size_t all = max > k->text.len ? max - k->text.len : 0;
	uint64_t left = b->used < b->max ? b->max - b->used + (k->text.cap - k->text.len) : 0;

	if (has_end(k))
		return 0;
	if (left < END_SPARE && k->text.len < END_SPARE && b->used < 2 * b->max)
		left = END_SPARE - k->text.len;
	return left < all ? left : all;
}

static void end_add(struct gather *k, struct sv bytes)
{
	if (bytes.n > k->end_max) {
		k->end_at += bytes.n - k->end_max;
		bytes = sv_sub(bytes, bytes.n - k->end_max, k->end_max);
	}
	while (bytes.n) {
		size_t at = k->end_at % k->end_max;
		struct sv piece = sv_sub(bytes, 0, k->end_max - at);

		memcpy(k->end.p + at, piece.p, piece.n);
		k->end_at += piece.n;
		bytes = sv_sub(bytes, piece.n, bytes.n);
	}
}

static void end_begin(struct gather *k, const struct gather_budget *b, size_t end)
{
	bool spent = b->used + end > b->max;

	if (!end || k->cut || b->used >= 2 * b->max)
		return;
	k->end_max = spent && end > END_SPARE ? END_SPARE : end;
	if (buf_reserve(&k->end, k->end_max))
		k->end_max = 0;
}

void gather_add(struct gather *k, struct gather_budget *b, struct sv bytes, size_t max, size_t end)
{
	struct sv head = sv_sub(bytes, 0, room(k, b, max - end));

	if (head.n && buf_sv(&k->text, head))
		head.n = 0;
	bytes = sv_sub(bytes, head.n, bytes.n);
	if (bytes.n && !has_end(k))
		end_begin(k, b, end);
	if (bytes.n && k->end_max)
		end_add(k, bytes);
	else
		k->cut += bytes.n;
	charge(k, b);
}

void gather_hole(struct gather *k, struct gather_budget *b, uint64_t n)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "[ringspan: %llu bytes missing]",
			   (unsigned long long)n);

	if (k->end_max)
		end_add(k, (struct sv){ text, (size_t)len });
	else if (!has_end(k))
		buf_add(&k->text, text, (size_t)len);
	charge(k, b);
}

void gather_close(struct gather *k, struct gather_budget *b)
{
	size_t at = k->end_max ? k->end_at % k->end_max : 0;

	if (k->closed)
		return;
	k->closed = true;
	if (k->end_at > k->end_max) {
		k->cut += k->end_at - k->end_max;
		buf_fmt(&k->text, "[ringspan: %llu bytes left out]", (unsigned long long)k->cut);
		buf_add(&k->text, k->end.p + at, k->end_max - at);
		buf_add(&k->text, k->end.p, at);
	} else if (k->end_at) {
		buf_add(&k->text, k->end.p, k->end_at);
	}
	buf_fini(&k->end);
	k->end_max = 0;
	k->end_at = 0;
	b->cut += k->cut;
	charge(k, b);
}

bool gather_is_cut(const struct gather *k)
{
	return k->cut || k->end_at > k->end_max || k->text.err;
}

void gather_fini(struct gather *k, struct gather_budget *b)
{
	gather_close(k, b);
	buf_fini(&k->text);
	charge(k, b);
}
