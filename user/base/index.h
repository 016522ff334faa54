/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds things by a key that several of them may have; those of one key in the order in which they
 * were added.  A thing holds one link for each index that it is in, and whoever frees it takes it out
 * before.
 */
#ifndef RINGSPAN_INDEX_H
#define RINGSPAN_INDEX_H

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
/* It takes its place behind another of the same key; NULL: before all. */
void index_move(struct index_link *link, struct index_link *behind);

#define index_for_each(ix, key, l)                                                             \
	for (struct index_link *l = index_first(ix, key), *_next; l && ((_next = l->next), 1); \
	     l = _next) /* l may be taken out */

#endif
