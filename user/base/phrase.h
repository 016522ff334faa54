/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of many texts a longer one holds, in one pass over it however many they are: each is known by
 * the hash of its beginning, and what begins alike by length and hash of the whole.
 */
#ifndef RINGSPAN_PHRASE_H
#define RINGSPAN_PHRASE_H

#include "base/index.h"
#include "base/str.h"

#define PHRASE_MIN 2       /* bytes of the shortest */
#define PHRASE_CLASSES 7   /* beginnings have 2, 4 ... 128 bytes */
#define PHRASE_FILTER 1024 /* counters: does any beginning have such a hash? */

/* One of the texts.  Zeroed: in no set. */
struct phrase {
	struct index_link link; /* with others of the same text, oldest first */
	struct sv text;         /* the owner's */
};

struct phrases {
	struct index whole; /* (length, hash) -> struct phrase */
	struct map heads;   /* (bytes, hash) -> what begins like that */
	struct phrase_class {
		size_t cnt;
		uint16_t *filter;
	} classes[PHRASE_CLASSES];
};

void phrases_fini(struct phrases *ps); /* whatever is still in it is taken out */
/* The text stays as it is while it is in.  0, -ENOMEM, or -EINVAL: it is too short. */
int phrase_add(struct phrases *ps, struct phrase *p, struct sv text, void *of);
void phrase_del(struct phrases *ps, struct phrase *p); /* nothing when it is in none */

/* Gets the first of those that have the same text, which link->of and link->next tell of. */
typedef void (*phrase_fn)(void *ctx, struct sv text, const struct index_link *link);
/* For each that the text holds, for each time that it does. */
void phrases_in(const struct phrases *ps, struct sv text, phrase_fn fn, void *ctx);

#endif
