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

void gap_note(struct store *s, const char *trace_id, uint64_t spans, const char *reason)
{
	struct store_gap *g = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(s->gaps); i++) {
		struct store_gap *at = &s->gaps[i];

		if (strcmp(at->trace_id, trace_id) == 0)
			g = at;
		else if (!g && !at->trace_id[0])
			g = at;
		if (g && g->trace_id[0])
			break;
	}
	if (!g) /* of more runs than that only the sum is known */
		return;
	memcpy(g->trace_id, trace_id, sizeof(g->trace_id));
	g->spans += spans;
	g->reason = reason;
}

/* A span as it can be changed; its texts are as they would be stored. */
static int copy_span(struct span **out, const struct span *sp)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int err = span_write_json(&b, sp, true);

	return err ? err : span_read_json(out, buf_view(&b));
}

struct span *gap_mark(struct store *s, const struct span *sp)
{
	struct span *copy = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(s->gaps); i++) {
		struct store_gap *g = &s->gaps[i];

		if (!g->trace_id[0] || strcmp(g->trace_id, sp->trace_id) != 0)
			continue;
		if (copy_span(&copy, sp))
			return NULL;
		span_incomplete(copy, g->reason);
		if (g->spans)
			span_set_int(copy, ATTR_ID_LOST_SPANS, (int64_t)g->spans);
		if (!json_true(span_attr(sp, ATTR_ID_UNFINISHED)))
			g->trace_id[0] = '\0'; /* told for good */
		return copy;
	}
	return NULL;
}
