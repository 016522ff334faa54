/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was produced, delivered and lost while a run was open, by cause, as attributes of its root.  What a
 * cause has no number for is not set, so that a run that lost nothing has the four sums alone.
 */
#ifndef RINGSPAN_SPAN_LOSS_H
#define RINGSPAN_SPAN_LOSS_H

#include "event/event.h"

struct run;
struct trace;

/* So far; records of all kinds together. */
struct loss_sums {
	bool known; /* recordings of earlier versions do not tell */
	uint64_t produced, delivered, lost_ring, lost_rate; /* records */
	uint64_t bytes, bytes_delivered;                    /* of content */
	uint64_t bytes_sent;                                /* into the ring */
	uint64_t bytes_lost[EV_LOST_CAUSES];
	uint64_t calls_lost;
};

void loss_feed(struct trace *t, const struct ev_loss *e);
void loss_begin(struct run *r);
void loss_set(struct run *r); /* its root has them, and is marked where something was lost */

/* Records, and bytes, that were lost so far, as the statistics and the records' own counts say. */
uint64_t engine_lost(const struct trace *t);
uint64_t engine_lost_bytes(const struct trace *t);

#endif
