/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to the clocks while records are stamped with CLOCK_MONOTONIC: CLOCK_REALTIME is set
 * (settimeofday(2), NTP that steps), the machine is suspended (CLOCK_BOOTTIME goes on, CLOCK_MONOTONIC
 * does not).  Slewing, as adjtime(3) and NTP do it, is in both and needs nothing.
 */
#ifndef RINGSPAN_CAPTURE_CLOCK_H
#define RINGSPAN_CAPTURE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "event/event.h"

struct clock_watch {
	int (*gettime)(clockid_t clock, struct timespec *out); /* clock_gettime(2) or a test's */
	bool began;
	uint64_t wall, boot; /* less CLOCK_MONOTONIC, as the last record says */
	int64_t stepped_ns; /* by the last record: how far CLOCK_REALTIME was set; negative: back */
	uint64_t suspended_ns; /* likewise: how long the machine was suspended */
};

/*
 * Looks at the clocks; takes less than a microsecond.  True at the first look, and when one was set or stood
 * still by 50 ms or more since the last time that it was: *out is the record of it.
 */
bool clock_watch_look(struct clock_watch *w, struct ev_clock *out);

#endif
