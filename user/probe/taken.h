/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USAGE of processes that say nothing themselves, because they wait, or do nothing but compute.  What a
 * thread took since it came to its CPU is not in it, and comes with the next one.
 */
#ifndef RINGSPAN_PROBE_TAKEN_H
#define RINGSPAN_PROBE_TAKEN_H

#include "base/buf.h"

struct kern;

/* Adds a record for each traced process that is not quiet.  0 or -ENOMEM. */
int taken_tell(const struct kern *k, struct buf *facts);

#endif
