// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs of which the store does not hold everything, since it could not be written to: counted by run, and
 * told on the run's own span, as it is stored.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

const char *gap_reason(int err)
{
	switch (err) {
	case -ENOSPC:
		return "store_full";
	case -EBUSY:
		return "store_locked";
	case -EROFS:
	case -EACCES:
		return "store_readonly";
	}
	return "store_failed";
}

/* That of a run; of "" one that is free. */
static struct store_gap *gap_of(struct store *s, const char *trace_id)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->gaps); i++)
		if (strcmp(s->gaps[i].trace_id, trace_id) == 0)
			return &s->gaps[i];
	return NULL;
}

void gap_note(struct store *s, const char *trace_id, uint64_t spans, const char *reason)
{
	struct store_gap *g = gap_of(s, trace_id);

	if (!g)
		g = gap_of(s, "");
	if (!g) /* of more runs than that only the sum is known */
		return;
	memcpy(g->trace_id, trace_id, sizeof(g->trace_id));
	g->spans += spans;
	g->reason = reason;
}

struct span *gap_mark(struct store *s, const struct span *sp)
{
	struct store_gap *g = sp->trace_id[0] ? gap_of(s, sp->trace_id) : NULL;
	struct span *copy = NULL;

	if (!g || span_copy(&copy, sp))
		return NULL;
	span_incomplete(copy, g->reason);
	if (g->spans)
		span_set_int(copy, ATTR_ID_LOST_SPANS, (int64_t)g->spans);
	if (!json_true(span_attr(sp, ATTR_ID_UNFINISHED)))
		g->trace_id[0] = '\0'; /* told for good */
	return copy;
}
