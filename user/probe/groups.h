/* SPDX-License-Identifier: BSD-2-Clause */
/* Control groups of the processes that are traced: told where they are not inherited. */
#ifndef RINGSPAN_PROBE_GROUPS_H
#define RINGSPAN_PROBE_GROUPS_H

#include <linux/types.h>
#include "base/buf.h"
#include "base/map.h"
#include "event.h"
#include "probe/fact.h"

struct groups {
	struct alive alive;
	struct map told; /* {tgid, start} -> hash of what a reader of the records knows of it */
};

void groups_init(struct groups *g, struct alive alive);
/*
 * To be shown every record that is handed over, in that order.  Puts a CGROUP into facts where a
 * process starts a program or is met, and its groups are not those that a reader knows of.
 */
void groups_look(struct groups *g, const struct ev_hdr *rec, struct buf *facts);
void groups_fini(struct groups *g);

#endif
