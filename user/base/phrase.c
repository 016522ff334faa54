// SPDX-License-Identifier: BSD-2-Clause
/*
 * Many texts in one: see phrase.h.  The beginnings of a class, which all have the same length, are
 * looked for by a hash that rolls over the text; a filter sorts out most places at once.
 */
#include "base/phrase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

#define BASE 0x9e3779b97f4a7c15ull /* of the rolling hash, modulo 2^64 */

/* What begins alike: how many there are of each length. */
struct head {
	size_t cnt, max;
	struct length {
		size_t n, phrases;
	} * lengths;
};

static size_t class_len(unsigned int class)
{
	return (size_t)PHRASE_MIN << class;
}

static unsigned int class_of(size_t n)
{
	unsigned int class = 0;

	while (class + 1 < PHRASE_CLASSES && class_len(class + 1) <= n)
		class ++;
	return class;
}

static uint64_t roll(uint64_t h, char in)
{
	return h * BASE + (unsigned char)in + 1;
}

static uint64_t hash_head(struct sv text, size_t n)
{
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		h = roll(h, text.p[i]);
	return h;
}

static size_t filter_slot(uint64_t h)
{
	return (h ^ h >> 32) * BASE >> 32 & (PHRASE_FILTER - 1);
}

static struct map_key head_key(size_t n, uint64_t h)
{
	return (struct map_key){ n, h, 0 };
}

static struct map_key whole_key(struct sv text)
{
	return (struct map_key){ text.n, hash64(text), 0 };
}

static void head_free(struct head *h)
{
	free(h->lengths);
	free(h);
}

void phrases_fini(struct phrases *ps)
{
	map_for_each (&ps->heads, e)
		head_free(e->value);
	map_fini(&ps->heads);
	index_fini(&ps->whole);
	for (unsigned int i = 0; i < PHRASE_CLASSES; i++)
		free(ps->classes[i].filter);
	*ps = (struct phrases){ 0 };
}

static struct head *head_get(struct phrases *ps, struct map_key key)
{
	struct head *h = map_get(&ps->heads, key);

	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	if (map_put(&ps->heads, key, h)) {
		free(h);
		return NULL;
	}
	return h;
}

static struct length *length_of(const struct head *h, size_t n)
{
	for (size_t i = 0; i < h->cnt; i++)
		if (h->lengths[i].n == n)
			return &h->lengths[i];
	return NULL;
}

static int count_length(struct head *h, size_t n)
{
	struct length *l = length_of(h, n);

	if (l) {
		l->phrases++;
		return 0;
	}
	if (h->cnt == h->max) {
		size_t max = h->max ? 2 * h->max : 1;

		l = realloc(h->lengths, max * sizeof(*l));
		if (!l)
			return -ENOMEM;
		h->lengths = l;
		h->max = max;
	}
	h->lengths[h->cnt++] = (struct length){ n, 1 };
	return 0;
}

static void drop_head(struct phrases *ps, struct map_key key, struct head *h)
{
	if (h->cnt)
		return;
	map_del(&ps->heads, key);
	head_free(h);
}

int phrase_add(struct phrases *ps, struct phrase *p, struct sv text, void *of)
{
	unsigned int class = class_of(text.n);
	struct phrase_class *c = &ps->classes[class];
	uint64_t hash;
	struct map_key key;
	struct head *h;

	if (text.n < PHRASE_MIN)
		return -EINVAL;
	if (!c->filter)
		c->filter = calloc(PHRASE_FILTER, sizeof(*c->filter));
	hash = hash_head(text, class_len(class));
	key = head_key(class_len(class), hash);
	h = c->filter ? head_get(ps, key) : NULL;
	if (!h)
		return -ENOMEM;
	if (index_add(&ps->whole, whole_key(text), &p->link, of) || count_length(h, text.n)) {
		index_del(&ps->whole, &p->link);
		drop_head(ps, key, h);
		return -ENOMEM;
	}
	if (c->filter[filter_slot(hash)] < UINT16_MAX) /* then it stays */
		c->filter[filter_slot(hash)]++;
	c->cnt++;
	p->text = text;
	return 0;
}

void phrase_del(struct phrases *ps, struct phrase *p)
{
	unsigned int class = class_of(p->text.n);
	struct phrase_class *c = &ps->classes[class];
	struct length *l;
	struct map_key key;
	struct head *h;
	uint64_t hash;

	if (!p->link.list)
		return;
	hash = hash_head(p->text, class_len(class));
	key = head_key(class_len(class), hash);
	h = map_get(&ps->heads, key);
	l = length_of(h, p->text.n);
	if (!--l->phrases)
		*l = h->lengths[--h->cnt];
	drop_head(ps, key, h);
	if (c->filter[filter_slot(hash)] < UINT16_MAX)
		c->filter[filter_slot(hash)]--;
	c->cnt--;
	index_del(&ps->whole, &p->link);
}

/* Those that begin with what the text begins with. */
static void begins(const struct phrases *ps, const struct head *h, struct sv text, phrase_fn fn,
		   void *ctx)
{
	for (size_t i = 0; i < h->cnt; i++) {
		struct sv whole = sv_sub(text, 0, h->lengths[i].n);
		struct index_link *l;

		if (whole.n < h->lengths[i].n)
			continue;
		l = index_first(&ps->whole, whole_key(whole));
		if (l && sv_eq(((const struct phrase *)(const void *)l)->text, whole))
			fn(ctx, whole, l);
	}
}

static void find_class(const struct phrases *ps, unsigned int class, struct sv text, phrase_fn fn,
		       void *ctx)
{
	const uint16_t *filter = ps->classes[class].filter;
	size_t n = class_len(class);
	uint64_t h = hash_head(text, n), out = 1;

	for (size_t i = 0; i < n; i++)
		out *= BASE; /* what the byte that is left behind stands for */
	for (size_t i = 0;; i++) {
		const struct head *head = NULL;

		if (filter[filter_slot(h)])
			head = map_get(&ps->heads, head_key(n, h));
		if (head)
			begins(ps, head, sv_sub(text, i, text.n), fn, ctx);
		if (i + n >= text.n)
			return;
		h = roll(h, text.p[i + n]) - ((unsigned char)text.p[i] + 1) * out;
	}
}

void phrases_in(const struct phrases *ps, struct sv text, phrase_fn fn, void *ctx)
{
	for (unsigned int i = 0; i < PHRASE_CLASSES; i++)
		if (ps->classes[i].cnt && class_len(i) <= text.n)
			find_class(ps, i, text, fn, ctx);
}
