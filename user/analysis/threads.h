/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What threads took, from the spans of their processes: rows of ringspan.threads, and a row for each process
 * that has none, which then had one thread.  A pure function of what was added, in its order.
 */
#ifndef RINGSPAN_ANALYSIS_THREADS_H
#define RINGSPAN_ANALYSIS_THREADS_H

#include "event/event.h"
#include "span/span.h"

struct thread_row {
	struct sv name, process; /* process: its span's name */
	uint64_t pid, tid;
	uint64_t
		time_ns; /* from its beginning to its end, or when it was asked last; 0: not known */
	uint64_t cpu_ns, system_ns, run_queue_ns;
	uint64_t voluntary, involuntary, migrations;
	uint64_t blocked_ns[EV_BLOCK_CNT];
};

/* Zeroed to begin with. */
struct thread_rows {
	struct arena arena; /* texts of the rows */
	struct thread_row *of;
	size_t cnt, cap;
};

void thread_rows_fini(struct thread_rows *t);
/* Takes those of a process or a run; nothing of another span.  0 or -ENOMEM. */
int thread_rows_add(struct thread_rows *t, const struct span *s);
void thread_rows_sort(struct thread_rows *t); /* most CPU first */

#endif
