// SPDX-License-Identifier: BSD-2-Clause
/* See clock.h. */
#include "capture/clock.h"

#include <string.h>

#define CHANGED_NS 50000000
#define TRIES 4
#define WITHIN_NS 1000000 /* the clocks are read, so that they are of one moment */

static uint64_t read_ns(const struct clock_watch *w, clockid_t clock)
{
	struct timespec ts = { 0 };

	w->gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* False: the process was held up between them each time; the next look will do. */
static bool read_clocks(const struct clock_watch *w, struct ev_clock *out)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = read_ns(w, CLOCK_MONOTONIC);

		out->realtime_ns = read_ns(w, CLOCK_REALTIME);
		out->boottime_ns = read_ns(w, CLOCK_BOOTTIME);
		out->hdr.ts = read_ns(w, CLOCK_MONOTONIC);
		if (out->hdr.ts - before < WITHIN_NS)
			return true;
	}
	return false;
}

static bool is_change(int64_t ns)
{
	return ns >= CHANGED_NS || ns <= -CHANGED_NS;
}

bool clock_watch_look(struct clock_watch *w, struct ev_clock *out)
{
	uint64_t wall, boot;

	memset(out, 0, sizeof(*out));
	if (!read_clocks(w, out) && w->began)
		return false;
	out->hdr.size = sizeof(*out);
	out->hdr.kind = EV_CLOCK;
	wall = out->realtime_ns - out->hdr.ts;
	boot = out->boottime_ns - out->hdr.ts;
	w->suspended_ns = w->stepped_ns = 0;
	if (w->began) {
		if (is_change((int64_t)(boot - w->boot)))
			w->suspended_ns = boot - w->boot;
		/* the wall clock goes on meanwhile, too */
		w->stepped_ns = (int64_t)(wall - w->wall - w->suspended_ns);
		if (!is_change(w->stepped_ns))
			w->stepped_ns = 0;
		if (!w->suspended_ns && !w->stepped_ns)
			return false;
	}
	w->began = true;
	w->wall = wall;
	w->boot = boot;
	return true;
}
