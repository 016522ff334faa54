/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much of what agents say and do is kept: what `--payload` means, for everything that is stored,
 * shown or exported.  The class in schemas/attributes.def says it of each attribute.  Spans are made of all
 * there is, so that which belongs to which does not depend on the level.
 */
#ifndef RINGSPAN_PAYLOAD_H
#define RINGSPAN_PAYLOAD_H

#include "span/span.h"

enum payload_level {
	PAYLOAD_FULL = 0, /* all, secrets masked */
	PAYLOAD_META,     /* structure: roles, keys, lengths, paths */
	PAYLOAD_NONE,     /* names, times, sizes, counts, status */
};

/* "none", "meta", "full": 0, or -EINVAL. */
int payload_level(struct sv name, enum payload_level *out);

/*
 * The span with no more than the level allows, below PAYLOAD_FULL: also its name, its status's message
 * (dropped: providers' errors quote prompts), events, links and resource.  *out is the caller's.  What was
 * taken before may be taken again: it stays as it is.  0 or -ENOMEM.
 */
int payload_keep(struct span **out, const struct span *s, enum payload_level level);

#endif
