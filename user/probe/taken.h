/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USAGE of processes that say nothing themselves, because they wait, or do nothing but compute, THREADS
 * of their threads, and FUNC_OPEN of calls that these are in.  What a thread took since it came to its CPU is
 * not in it, and comes with the next.
 */
#ifndef RINGSPAN_PROBE_TAKEN_H
#define RINGSPAN_PROBE_TAKEN_H

#include "base/buf.h"

struct kern;

/* Adds records of each traced process that is not quiet.  0 or -errno. */
int taken_tell(const struct kern *k, struct buf *facts);

#endif
