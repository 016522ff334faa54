/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel side has counted of system calls, told as facts (SYSCALLS): what came since the last
 * time, of every process that is followed, and the rest of one that ends.
 */
#ifndef RINGSPAN_PROBE_CALLS_H
#define RINGSPAN_PROBE_CALLS_H

#include <linux/types.h>
#include "base/buf.h"
#include "base/map.h"

struct kern;

struct calls {
	struct map told; /* {tgid, start} -> struct told */
};

void calls_fini(struct calls *c);

/* All processes at that time.  What is counted of one that is gone is removed.  0 or -errno, logged. */
int calls_tell(struct calls *c, struct kern *k, struct buf *facts, __u64 ts);
/* A process that ends at that time: nothing is counted of it any more.  0 or -errno, logged. */
int calls_end(struct calls *c, struct kern *k, struct buf *facts, __u32 tgid, __u64 start,
	      __u64 ts);

#endif
