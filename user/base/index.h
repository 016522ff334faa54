/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds things by a key that several of them may have; those of one key in the order in which they
 * were added.  A thing holds one link for each index that it is in, and whoever frees it takes it out
 * before.
 */
#ifndef RINGSPAN_INDEX_H
#define RINGSPAN_INDEX_H

#include <stdbool.h>
#include "base/map.h"

struct index_list;

/* Zeroed: in no index. */
struct index_link {
	struct index_link *prev, *next; /* of the same key */
	struct index_list *list;
	void *of; /* the thing */
};

struct index {
	struct map lists;
};

void index_fini(struct index *ix); /* whatever is still in it is taken out */
/* Behind the others of that key; it was in none.  0 or -ENOMEM. */
int index_add(struct index *ix, struct map_key key, struct index_link *link, void *of);
void index_del(struct index *ix, struct index_link *link); /* nothing when it is in none */
/* The first and the last of that key; NULL: there is none. */
struct index_link *index_first(const struct index *ix, struct map_key key);
struct index_link *index_last(const struct index *ix, struct map_key key);
/*
 * Takes its place among those of its key, which are in that order; looked for from the end.  Of each
 * two things tells whether the first one is before the second.
 */
void index_sort(struct index_link *link, bool (*is_before)(const void *a, const void *b));

#define index_for_each(ix, key, l)                                                             \
	for (struct index_link *l = index_first(ix, key), *_next; l && ((_next = l->next), 1); \
	     l = _next) /* l may be taken out */

#endif
