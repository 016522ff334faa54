/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flame graph (Brendan Gregg, "The Flame Graph", CACM 59(6)) as one SVG file without scripts: a box for
 * each call, as wide as its share of the samples, on the call that made it; by name from left to right.
 * What a box cannot show is its tooltip.  The same profile gives the same bytes.
 */
#ifndef RINGSPAN_FLAME_H
#define RINGSPAN_FLAME_H

#include <stdio.h>
#include "analysis/profile.h"

/* title: plain text.  0, -ENOMEM or -EIO. */
int flame_svg(const struct profile_sum *p, struct sv title, FILE *out);

#endif
