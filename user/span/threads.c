// SPDX-License-Identifier: BSD-2-Clause
#include "span/threads.h"

#include <stdlib.h>
#include <string.h>
#include "span/engine.h"

#define THREADS_KEPT 16

/* The ones that took most, in no order. */
struct threads {
	struct ev_threads of[THREADS_KEPT];
	size_t cnt;
};

static struct ev_threads *least(struct threads *all)
{
	struct ev_threads *min = &all->of[0];

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
	place = least(ps->threads);
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

static struct json *blocked_json(struct arena *a, const struct ev_threads *e)
{
	static const char *const names[EV_BLOCK_CNT] = { "disk",     "network", "pipe",
							 "terminal", "lock",    "poll",
							 "child",    "sleep",   "other" };
	struct json *o = json_object(a);

	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		set_ns(a, o, names[i], e->blocked_ns[i]);
	return o;
}

static struct json *one_json(struct arena *a, const struct ev_threads *e)
{
	double ticks = (double)e->utime_ns + (double)e->stime_ns;
	uint64_t system =
		ticks > 0 ? (uint64_t)((double)e->cpu_ns * ((double)e->stime_ns / ticks)) : 0;
	struct json *o = json_object(a);

	json_set(a, o, "tid", json_uint(a, e->hdr.tid));
	json_set(a, o, "name",
		 json_string(a, (struct sv){ e->comm, strnlen(e->comm, EV_COMM_LEN) }));
	set_ns(a, o, "time_ns", e->hdr.ts > e->begin_ts ? e->hdr.ts - e->begin_ts : 0);
	json_set(a, o, "cpu_ns", json_uint(a, e->cpu_ns));
	set_ns(a, o, "cpu_system_ns", system < e->cpu_ns ? system : e->cpu_ns);
	set_ns(a, o, "run_queue_ns", e->run_delay_ns);
	set_ns(a, o, "voluntary_switches", e->nvcsw);
	set_ns(a, o, "involuntary_switches", e->nivcsw);
	set_ns(a, o, "migrations", e->migrations);
	json_set(a, o, "blocked_ns", blocked_json(a, e));
	return o;
}

void threads_describe(struct span *s, const struct threads *threads)
{
	struct json *list;
	struct threads sorted;

	if (!threads)
		return;
	sorted = *threads;
	qsort(sorted.of, sorted.cnt, sizeof(*sorted.of), by_cpu);
	list = json_array(&s->arena);
	for (size_t i = 0; i < sorted.cnt; i++)
		json_push(list, one_json(&s->arena, &sorted.of[i]));
	span_set_json(s, ATTR_ID_THREADS, list);
}
