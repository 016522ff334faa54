/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A capture, record by record: what each one did to the spans, and all spans as they were then.  Going
 * back reads the file again from its start: the trace is a pure function of the records, so the spans
 * are the same.
 */
#ifndef RINGSPAN_STEPS_H
#define RINGSPAN_STEPS_H

#include "cli/read.h"
#include "event/event.h"
#include "sink/sink.h"

struct steps;

/* 0 or -errno, logged.  Stands before the first record. */
int steps_open(struct steps **out, const char *capture, const char *prices, bool no_redact);
void steps_free(struct steps **s);

/*
 * Goes to record n, from 1; where the capture is shorter, to its end, which is a step of its own
 * behind the last record: what was open then is finished.  0 or -errno, logged.
 */
int steps_go(struct steps *s, uint64_t n);
uint64_t steps_at(const struct steps *s);
bool steps_over(const struct steps *s); /* it stands at the end */

/* The record of this step, scrubbed; NULL before the first and at the end.  Valid until steps_go(). */
const struct ev_hdr *steps_record(const struct steps *s);
uint64_t steps_first_ts(const struct steps *s); /* of the first record that has a time */

enum step_change { STEP_OPENED, STEP_CHANGED, STEP_CLOSED };
typedef void (*steps_fn)(void *ctx, enum step_change how, const struct span *s);
/* What this step did, in the order in which spans were opened, those that it closed last. */
int steps_changes(struct steps *s, steps_fn fn, void *ctx);

/* All spans as they are now, finished or not, to a sink.  0 or -errno. */
int steps_show(struct steps *s, const struct sink_ops *ops, const struct sink_cfg *cfg);

#endif
