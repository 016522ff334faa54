// SPDX-License-Identifier: BSD-2-Clause
/* Chained hash map with insertion order: see map.h. */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS_MIN 16

static size_t slot_of(const struct map *m, const struct map_key *key)
{
	return XXH3_64bits(key, sizeof(*key)) & (m->slot_cnt - 1);
}

static struct map_entry **find(const struct map *m, const struct map_key *key)
{
	struct map_entry **e = &m->slots[slot_of(m, key)];

	while (*e && memcmp(&(*e)->key, key, sizeof(*key)) != 0)
		e = &(*e)->chain;
	return e;
}

static int grow(struct map *m)
{
	size_t cnt = m->slot_cnt ? m->slot_cnt * 2 : SLOTS_MIN;
	struct map_entry **slots = calloc(cnt, sizeof(struct map_entry *));

	if (!slots)
		return -ENOMEM;
	free(m->slots);
	m->slots = slots;
	m->slot_cnt = cnt;
	for (struct map_entry *e = m->first; e; e = e->next) {
		struct map_entry **slot = &slots[slot_of(m, &e->key)];

		e->chain = *slot;
		*slot = e;
	}
	return 0;
}

void map_fini(struct map *m)
{
	map_for_each (m, e)
		free(e);
	free(m->slots);
	*m = (struct map){ 0 };
}

void *map_get(const struct map *m, struct map_key key)
{
	struct map_entry *e = m->slot_cnt ? *find(m, &key) : NULL;

	return e ? e->value : NULL;
}

int map_put(struct map *m, struct map_key key, void *value)
{
	struct map_entry **slot, *e;

	if (m->cnt >= m->slot_cnt && grow(m) && !m->slot_cnt)
		return -ENOMEM;
	slot = find(m, &key);
	if (*slot) {
		(*slot)->value = value;
		return 0;
	}
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = (struct map_entry){ .key = key, .value = value, .prev = m->last };
	*slot = e;
	*(m->last ? &m->last->next : &m->first) = e;
	m->last = e;
	m->cnt++;
	return 0;
}

void *map_del(struct map *m, struct map_key key)
{
	struct map_entry **slot, *e;
	void *value;

	if (!m->slot_cnt)
		return NULL;
	slot = find(m, &key);
	e = *slot;
	if (!e)
		return NULL;
	*slot = e->chain;
	*(e->prev ? &e->prev->next : &m->first) = e->next;
	*(e->next ? &e->next->prev : &m->last) = e->prev;
	m->cnt--;
	value = e->value;
	free(e);
	return value;
}
