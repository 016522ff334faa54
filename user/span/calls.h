/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: counts of each process, as attributes and handed on; single ones as spans. */
#ifndef RINGSPAN_SPAN_CALLS_H
#define RINGSPAN_SPAN_CALLS_H

#include <stdbool.h>
#include "event/event.h"

struct trace;
struct span;

/* Of a process or a run; of other spans only how many calls there were and the time in them. */
struct call_sums {
	struct {
		uint64_t calls, errors, total_ns, max_ns;
	} of[EV_CALL_CLASSES];
	bool whole; /* the other two are known */
};

void calls_feed(struct trace *t, const struct ev_syscalls *s);
void calls_feed_one(struct trace *t, const struct ev_syscall *s);
void calls_set_sums(struct span *s, const struct call_sums *sums); /* nothing when there are none */

#endif
