// SPDX-License-Identifier: BSD-2-Clause
/* A list for each key, which is there while something is in it: see index.h. */
#include "base/index.h"

#include <errno.h>
#include <stdlib.h>

struct index_list {
	struct map_key key;
	struct index_link *first, *last;
};

static void unlink_one(struct index_list *list, struct index_link *link)
{
	*(link->prev ? &link->prev->next : &list->first) = link->next;
	*(link->next ? &link->next->prev : &list->last) = link->prev;
}

static void link_behind(struct index_list *list, struct index_link *link, struct index_link *behind)
{
	link->prev = behind;
	link->next = behind ? behind->next : list->first;
	*(link->prev ? &link->prev->next : &list->first) = link;
	*(link->next ? &link->next->prev : &list->last) = link;
}

void index_fini(struct index *ix)
{
	map_for_each (&ix->lists, e) {
		struct index_list *list = e->value;

		for (struct index_link *l = list->first; l; l = l->next)
			l->list = NULL;
		free(list);
	}
	map_fini(&ix->lists);
}

static struct index_list *list_of(struct index *ix, struct map_key key)
{
	struct index_list *list = map_get(&ix->lists, key);

	if (list)
		return list;
	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->key = key;
	if (map_put(&ix->lists, key, list)) {
		free(list);
		return NULL;
	}
	return list;
}

int index_add(struct index *ix, struct map_key key, struct index_link *link, void *of)
{
	struct index_list *list = list_of(ix, key);

	if (!list)
		return -ENOMEM;
	link->list = list;
	link->of = of;
	link_behind(list, link, list->last);
	return 0;
}

void index_del(struct index *ix, struct index_link *link)
{
	struct index_list *list = link->list;

	if (!list)
		return;
	unlink_one(list, link);
	link->list = NULL;
	if (list->first)
		return;
	map_del(&ix->lists, list->key);
	free(list);
}

struct index_link *index_first(const struct index *ix, struct map_key key)
{
	const struct index_list *list = map_get(&ix->lists, key);

	return list ? list->first : NULL;
}

struct index_link *index_last(const struct index *ix, struct map_key key)
{
	const struct index_list *list = map_get(&ix->lists, key);

	return list ? list->last : NULL;
}

void index_sort(struct index_link *link, bool (*is_before)(const void *a, const void *b))
{
	struct index_list *list = link->list;
	struct index_link *at;

	if (!list)
		return;
	unlink_one(list, link);
	for (at = list->last; at && is_before(link->of, at->of);)
		at = at->prev;
	link_behind(list, link, at);
}
