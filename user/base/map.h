/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash map from three 64-bit numbers to a pointer.  The order of iteration is the order of
 * insertion, so that nothing that is derived from a map depends on addresses or on a seed.
 */
#ifndef RINGSPAN_MAP_H
#define RINGSPAN_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_key {
	uint64_t a, b, c;
};

struct map_entry {
	struct map_key key;
	void *value;
	struct map_entry *prev, *next; /* insertion order */
	struct map_entry *chain;
};

struct map {
	struct map_entry **slots;
	struct map_entry *first, *last;
	size_t cnt, slot_cnt;
};

void map_fini(struct map *m); /* frees the entries, not the values */
void *map_get(const struct map *m, struct map_key key);
int map_put(struct map *m, struct map_key key, void *value); /* replaces; 0 or -ENOMEM */
void *map_del(struct map *m, struct map_key key);            /* the value that was there, or NULL */

#define map_for_each(m, e)                                                          \
	for (struct map_entry *e = (m)->first, *_next; e && ((_next = e->next), 1); \
	     e = _next) /* e may be deleted */

#endif
