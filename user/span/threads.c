// SPDX-License-Identifier: BSD-2-Clause
#include "span/threads.h"

#include <stdlib.h>
#include <string.h>
#include "span/engine.h"
#include "span/usage.h"

#define THREADS_KEPT 16

/* The ones that took most, in no order, each as it was told last. */
struct threads {
	struct ev_threads of[THREADS_KEPT];
	size_t cnt;
};

/* Where it was told, or else a free place or that of the one that took least. */
static struct ev_threads *place_of(struct threads *all, const struct ev_threads *e)
{
	struct ev_threads *min = &all->of[0];

	for (size_t i = 0; i < all->cnt; i++)
		if (all->of[i].hdr.tid == e->hdr.tid && all->of[i].begin_ts == e->begin_ts)
			return &all->of[i];
	if (all->cnt < THREADS_KEPT)
		return &all->of[all->cnt++];
	for (size_t i = 1; i < all->cnt; i++)
		if (all->of[i].cpu_ns < min->cpu_ns)
			min = &all->of[i];
	return min;
}

void threads_feed(struct trace *t, const struct ev_threads *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct ev_threads *place;

	if (!ps)
		return;
	if (!ps->threads)
		ps->threads = calloc(1, sizeof(*ps->threads));
	if (!ps->threads)
		return;
	place = place_of(ps->threads, e);
	if (e->cpu_ns >= place->cpu_ns) /* a place that is new has none */
		*place = *e;
}

static int by_cpu(const void *a, const void *b)
{
	const struct ev_threads *x = a, *y = b;

	if (x->cpu_ns != y->cpu_ns)
		return x->cpu_ns < y->cpu_ns ? 1 : -1;
	return x->hdr.tid < y->hdr.tid ? -1 : 1;
}

static void set_ns(struct arena *a, struct json *o, const char *key, uint64_t v)
{
	if (v)
		json_set(a, o, key, json_uint(a, v));
}

const char *threads_block_name(enum ev_block b)
{
	static const char *const names[EV_BLOCK_CNT] = { "disk",     "network", "pipe",
							 "terminal", "lock",    "poll",
							 "child",    "sleep",   "other" };

	return names[b];
}

static struct json *blocked_json(struct arena *a, const struct ev_threads *e)
{
	struct json *o = json_object(a);

	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		set_ns(a, o, threads_block_name(i), e->blocked_ns[i]);
	return o;
}

static struct json *one_json(struct arena *a, const struct ev_threads *e)
{
	struct json *o = json_object(a);

	json_set(a, o, "tid", json_uint(a, e->hdr.tid));
	json_set(a, o, "name",
		 json_string(a, (struct sv){ e->comm, strnlen(e->comm, EV_COMM_LEN) }));
	set_ns(a, o, "time_ns", e->hdr.ts > e->begin_ts ? e->hdr.ts - e->begin_ts : 0);
	json_set(a, o, "cpu_ns", json_uint(a, e->cpu_ns));
	set_ns(a, o, "cpu_system_ns", usage_cpu_system(e->cpu_ns, e->utime_ns, e->stime_ns));
	set_ns(a, o, "run_queue_ns", e->run_delay_ns);
	set_ns(a, o, "voluntary_switches", e->nvcsw);
	set_ns(a, o, "involuntary_switches", e->nivcsw);
	set_ns(a, o, "migrations", e->migrations);
	json_set(a, o, "blocked_ns", blocked_json(a, e));
	return o;
}

/* The one that a process has had that told of none. */
static struct ev_threads only_thread(const struct proc *p, const struct pstate *ps)
{
	const struct usage *u = &ps->used.sum;
	struct sv name = proc_exe_name(p);
	struct ev_threads e = {
		.hdr = { .tid = p->tgid, .ts = p->ts_exit ? p->ts_exit : ps->run->t->now },
		.begin_ts = p->ts_first,
		.cpu_ns = u->of[USAGE_CPU_USER] + u->of[USAGE_CPU_SYSTEM],
		.utime_ns = u->of[USAGE_CPU_USER],
		.stime_ns = u->of[USAGE_CPU_SYSTEM],
		.run_delay_ns = u->of[USAGE_RUN_DELAY],
		.nvcsw = u->of[USAGE_VOLUNTARY],
		.nivcsw = u->of[USAGE_INVOLUNTARY],
		.migrations = u->of[USAGE_MIGRATIONS],
	};

	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		e.blocked_ns[i] = u->of[USAGE_BLOCKED_DISK + i];
	memcpy(e.comm, name.p, name.n < EV_COMM_LEN ? name.n : EV_COMM_LEN);
	return e;
}

void threads_describe(struct span *s, const struct proc *p)
{
	const struct pstate *ps = p->user;
	struct threads sorted = { .cnt = 0 };
	struct json *list;

	if (ps->threads)
		sorted = *ps->threads;
	else if (ps->is_root && ps->used.sum.told) /* a run's sums are those of all its processes */
		sorted = (struct threads){ .of = { only_thread(p, ps) }, .cnt = 1 };
	if (!sorted.cnt)
		return;
	qsort(sorted.of, sorted.cnt, sizeof(*sorted.of), by_cpu);
	list = json_array(&s->arena);
	for (size_t i = 0; i < sorted.cnt; i++)
		json_push(list, one_json(&s->arena, &sorted.of[i]));
	span_set_json(s, ATTR_ID_THREADS, list);
}
