// SPDX-License-Identifier: BSD-2-Clause
/*
 * The time of day of what happened: see engine.h.  CLOCK_MONOTONIC is what the kernel stamps records with; it
 * follows NTP as CLOCK_REALTIME does, but is never set, and it stands still while the machine is suspended.
 */
#include "base/limits.h"
#include "span/engine.h"
#include "span/now.h"

#define STEP_MIN_NS 10000000 /* the clocks are read one after the other */

/* How long the machine was suspended up to then. */
static uint64_t suspended(const struct suspends *all, uint64_t ts)
{
	for (unsigned int i = all->cnt; i--;)
		if (all->of[i].ts <= ts)
			return all->of[i].sum;
	return all->forgotten;
}

/* A capture file may hold any times: what is later stays later, and no time is before 1970. */
static uint64_t unix_time(const struct suspends *all, uint64_t ts, uint64_t offset)
{
	int64_t boot, wall;

	if (__builtin_add_overflow(ts, suspended(all, ts), &boot))
		boot = INT64_MAX;
	if (__builtin_add_overflow(boot, (int64_t)offset, &wall))
		wall = INT64_MAX;
	return wall > 0 ? (uint64_t)wall : 0;
}

uint64_t engine_wall(const struct run *r, uint64_t ts)
{
	return unix_time(&r->t->suspends, ts, r->wall_offset);
}

uint64_t engine_ts(const struct run *r, uint64_t wall_ns)
{
	const struct suspends *all = &r->t->suspends;
	uint64_t boot = wall_ns - r->wall_offset;

	for (unsigned int i = all->cnt; i--;) {
		const struct suspend *x = &all->of[i];

		if (boot >= x->ts + x->sum)
			return boot - x->sum;
		if (boot >= x->ts + x->sum - x->ns)
			return x->ts;
	}
	return boot - all->forgotten;
}

/* What runs are at is told by the clock of now. */
uint64_t trace_unix(const struct trace *t, uint64_t monotonic_ns)
{
	return unix_time(&t->suspends, monotonic_ns ? monotonic_ns : t->now, t->wall_offset);
}

/* Those from before every run that goes on are of no use any more. */
static void forget_old(struct trace *t)
{
	struct suspends *all = &t->suspends;
	uint64_t first = t->now;
	unsigned int old = 0;

	map_for_each (&t->runs, e)
		if (((struct run *)e->value)->ts_start < first)
			first = ((struct run *)e->value)->ts_start;
	while (old < all->cnt && all->of[old].ts < first)
		all->forgotten = all->of[old++].sum;
	all->cnt -= old;
	memmove(all->of, all->of + old, all->cnt * sizeof(all->of[0]));
}

static void was_suspended(struct trace *t, uint64_t ts, uint64_t ns)
{
	struct suspends *all = &t->suspends;

	if (all->cnt == LIMIT_SUSPENDS)
		forget_old(t);
	if (all->cnt == LIMIT_SUSPENDS) { /* what comes is right, what was between the two is not */
		all->of[all->cnt - 1].ns += ns;
		all->of[all->cnt - 1].sum += ns;
		return;
	}
	all->of[all->cnt] =
		(struct suspend){ .ts = ts,
				  .ns = ns,
				  .sum = (all->cnt ? all->of[all->cnt - 1].sum : all->forgotten) +
					 ns };
	all->cnt++;
}

static void was_set(struct trace *t, uint64_t ts, int64_t ns)
{
	map_for_each (&t->runs, e) {
		struct run *r = e->value;

		if (r->step_cnt < LIMIT_CLOCK_STEPS)
			r->steps[r->step_cnt++] = (struct clock_step){ ts, ns };
	}
}

void clock_feed(struct trace *t, const struct ev_clock *e)
{
	struct suspends *all = &t->suspends;
	uint64_t boot = e->boottime_ns - e->hdr.ts, slept, offset;
	uint64_t last = all->cnt ? all->of[all->cnt - 1].ts : 0;
	int64_t step;

	if ((e->hdr.ts | e->boottime_ns | e->realtime_ns) > INT64_MAX)
		return;
	if (!all->known) {
		all->known = true;
		all->boot_offset = boot;
	}
	/* only forward: neither clock goes back */
	slept = boot - all->boot_offset - suspended(all, UINT64_MAX);
	if ((int64_t)slept >= STEP_MIN_NS && e->hdr.ts >= last)
		was_suspended(t, e->hdr.ts, slept);
	offset = e->realtime_ns - e->hdr.ts - suspended(all, UINT64_MAX);
	step = (int64_t)(offset - t->wall_offset);
	if (step > -STEP_MIN_NS && step < STEP_MIN_NS)
		return;
	t->wall_offset = offset;
	was_set(t, e->hdr.ts, step);
}

void clock_run_begins(struct run *r)
{
	r->wall_offset = r->t->wall_offset;
}

void clock_set_suspended(const struct run *r, struct span *s)
{
	const struct suspends *all = &r->t->suspends;
	uint64_t ns = 0;

	for (unsigned int i = all->cnt; i--;) {
		uint64_t until = all->of[i].ts + all->of[i].sum + r->wall_offset;

		if (until <= s->start_ns)
			break;
		if (until - all->of[i].ns >= s->start_ns && until <= s->end_ns)
			ns += all->of[i].ns;
	}
	if (ns)
		span_set_int(s, ATTR_ID_SUSPENDED, (int64_t)ns);
}

void clock_set_steps(const struct run *r, struct span *root)
{
	struct arena *a = &root->arena;

	for (unsigned int i = 0; i < r->step_cnt; i++) {
		struct json *attrs = json_object(a);

		if (attrs)
			json_set(a, attrs, attr_defs[ATTR_ID_CLOCK_STEP].key,
				 json_int(a, r->steps[i].ns));
		span_event(root, engine_wall(r, r->steps[i].ts), "ringspan.clock.step", attrs);
	}
	/* all of them, also those that have no event */
	if (r->step_cnt)
		span_set_int(root, ATTR_ID_CLOCK_STEP,
			     (int64_t)(r->t->wall_offset - r->wall_offset));
}
