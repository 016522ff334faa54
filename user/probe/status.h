/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recorder tells of itself while it runs, for `ringspan doctor --stats` in another process: a piece of
 * memory (memfd_create(2)) that its two processes write to and that /proc/PID/fd leads to.  So there is no
 * file that could be left behind or be in the way, and who may not look into the process may not read it.
 *
 * Each process has a part of its own: when one of them hangs, the other one's numbers go on.
 */
#ifndef RINGSPAN_PROBE_STATUS_H
#define RINGSPAN_PROBE_STATUS_H

#include <stdint.h>
#include <sys/types.h>
#include "probe/probe.h"

/* What the process has done that makes spans of records.  Since it began. */
struct status_fed {
	uint64_t ts;             /* when this was told: CLOCK_MONOTONIC, ns */
	uint64_t records, bytes; /* records taken in, of all kinds; content in them */
	uint64_t broken;         /* records that failed their check */
	uint64_t spans, runs;
	uint64_t hole_bytes;   /* missing in streams that were followed */
	uint64_t budget_bytes; /* of bodies that went over what is kept of them */
	uint64_t kept_bytes;   /* of bodies that are held now */
};

struct status;

/* What one of them says. */
struct status_told {
	pid_t pid, monitor; /* the two processes */
	__u64 began_ts;
	struct probe_loss loss;
	struct status_fed fed;
};

/* 0 or -errno.  Before the fork: both processes have it then. */
int status_new(struct status **out);
void status_free(struct status **s);
int *status_fd(struct status *s); /* for who closes all others; -1 when closed */

void status_monitor(struct status *s, pid_t monitor);                  /* by who forked it */
void status_set_loss(struct status *s, const struct probe_loss *loss); /* by the monitor alone */
void status_set_fed(struct status *s, const struct status_fed *fed);   /* by the other one alone */

typedef void (*status_fn)(void *ctx, const struct status_told *t);
/*
 * Those of all recorders that run here and that the caller may look into; how many, or -errno.  *hidden:
 * processes called ringspan that it may not look into.
 */
int status_each(status_fn fn, void *ctx, size_t *hidden);

#endif
