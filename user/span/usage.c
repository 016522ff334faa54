// SPDX-License-Identifier: BSD-2-Clause
/* Sums of what processes take, and how they become attributes: see usage.h. */
#include "span/usage.h"

#include "base/muldiv.h"
#include "span/calls.h"

_Static_assert(USAGE_BLOCKED_DISK + EV_BLOCK_CNT - 1 == USAGE_BLOCKED_OTHER,
	       "the items of blocked time stand as enum ev_block has them");

static const enum attr_id ids[USAGE_CALLS] = {
#define X(name, id) [USAGE_##name] = id,
	USAGE_ITEMS(X)
#undef X
};

enum attr_id usage_attr(enum usage_item item)
{
	return ids[item];
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t usage_cpu_system(uint64_t cpu_ns, uint64_t utime_ns, uint64_t stime_ns)
{
	/* no sum of real ticks is near 2^63 */
	uint64_t user = min(utime_ns, INT64_MAX), system = min(stime_ns, INT64_MAX);

	return mul_div(cpu_ns, system, user + system);
}

/* As usage_cpu_system() has it, but no part ever falls. */
static void split_cpu(struct usage_totals *t, const struct ev_usage *e)
{
	uint64_t *user = &t->sum.of[USAGE_CPU_USER], *system = &t->sum.of[USAGE_CPU_SYSTEM];
	uint64_t cpu = min(e->cpu_ns, INT64_MAX), grown, wanted;

	if (cpu <= t->cpu)
		return;
	grown = cpu - t->cpu;
	t->cpu = cpu;
	wanted = usage_cpu_system(cpu, e->utime_ns, e->stime_ns);
	*system += min(wanted > *system ? wanted - *system : 0, grown);
	*user = cpu - *system;
}

static void calls_of(uint64_t now[USAGE_CNT], const struct ev_usage *e)
{
	struct sv payload = event_payload(&e->hdr);
	const struct ev_usage_calls *calls = (const void *)payload.p;

	for (size_t i = 0; payload.n >= sizeof(*calls) && i < EV_CALL_CLASSES; i++) {
		now[USAGE_CALLS + i] = calls->calls[i];
		now[USAGE_CALL_NS + i] = calls->ns[i];
	}
}

void usage_advance(struct usage_totals *t, const struct ev_usage *e, struct usage *out)
{
	uint64_t now[USAGE_CNT] = {
		[USAGE_RUN_DELAY] = e->run_delay_ns,
		[USAGE_VOLUNTARY] = e->nvcsw,
		[USAGE_INVOLUNTARY] = e->nivcsw,
		[USAGE_MIGRATIONS] = e->migrations,
		[USAGE_FLT_MINOR] = e->min_flt,
		[USAGE_FLT_MAJOR] = e->maj_flt,
		[USAGE_RCHAR] = e->rchar,
		[USAGE_WCHAR] = e->wchar,
		[USAGE_DISK_READ] = e->read_bytes,
		[USAGE_DISK_WRITE] = e->write_bytes,
		[USAGE_SOCKET_READ] = e->sock_bytes[EV_READ],
		[USAGE_SOCKET_WRITE] = e->sock_bytes[EV_WRITE],
#define X(name, id) [USAGE_BLOCKED_DISK + (id)] = e->blocked_ns[id],
		EV_BLOCKS(X)
#undef X
			[USAGE_LEADER_LOCK] = e->leader_lock_ns,
	};
	struct usage before = t->sum;

	calls_of(now, e);
	split_cpu(t, e);
	for (size_t i = 0; i < USAGE_CNT; i++) {
		t->sum.of[i] = max(t->sum.of[i], min(now[i], INT64_MAX));
		out->of[i] = t->sum.of[i] - before.of[i];
	}
	t->sum.rss_peak = max(t->sum.rss_peak, min(e->rss_peak_bytes, INT64_MAX));
	t->sum.told = true;
	out->rss_peak = t->sum.rss_peak;
	out->told = true;
	out->shared = out->of_turns = false;
}

void usage_add(struct usage *to, const struct usage *u)
{
	for (size_t i = 0; i < USAGE_CNT; i++)
		to->of[i] += u->of[i];
	to->rss_peak = max(to->rss_peak, u->rss_peak);
	to->told |= u->told;
	to->shared |= u->shared;
	to->of_turns |= u->of_turns;
}

void usage_set(struct span *s, const struct usage *u)
{
	struct call_sums calls = { .of = { { .calls = 0 } } };

	if (!u->told)
		return;
	span_set_int(s, ATTR_ID_CPU_NS, (int64_t)(u->of[USAGE_CPU_USER] + u->of[USAGE_CPU_SYSTEM]));
	for (size_t i = 0; i < USAGE_CALLS; i++)
		if (u->of[i] || i <= USAGE_RUN_DELAY) /* what is not there is none */
			span_set_int(s, ids[i], (int64_t)u->of[i]);
	if (u->of[USAGE_RUN_DELAY])
		span_set_int(s, ATTR_ID_WAIT_CPU, (int64_t)u->of[USAGE_RUN_DELAY]);
	for (size_t i = 0; i < EV_CALL_CLASSES; i++) {
		calls.of[i].calls = u->of[USAGE_CALLS + i];
		calls.of[i].total_ns = u->of[USAGE_CALL_NS + i];
	}
	calls_set_sums(s, &calls);
	if (u->rss_peak)
		span_set_int(s, ATTR_ID_MEM_PEAK, (int64_t)u->rss_peak);
	if (u->shared)
		span_set_bool(s, ATTR_ID_SHARED, true);
}
