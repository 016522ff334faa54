// SPDX-License-Identifier: BSD-2-Clause
/* The time of day of what happened: see engine.h. */
#include "span/engine.h"
#include "span/now.h"

uint64_t engine_wall(const struct run *r, uint64_t ts)
{
	return ts + (uint64_t)r->t->wall_offset;
}

uint64_t engine_ts(const struct run *r, uint64_t wall_ns)
{
	return wall_ns - (uint64_t)r->t->wall_offset;
}

uint64_t trace_unix(const struct trace *t, uint64_t monotonic_ns)
{
	return (monotonic_ns ? monotonic_ns : t->now) + (uint64_t)t->wall_offset;
}
