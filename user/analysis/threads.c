// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/threads.h"

#include <errno.h>
#include <stdlib.h>
#include "span/threads.h"
#include "span/usage.h"

void thread_rows_fini(struct thread_rows *t)
{
	free(t->of);
	arena_fini(&t->arena);
}

static struct thread_row *row_new(struct thread_rows *t)
{
	size_t cap = t->cap ? 2 * t->cap : 64;
	struct thread_row *grown;

	if (t->cnt == t->cap) {
		grown = reallocarray(t->of, cap, sizeof(*grown));
		if (!grown)
			return NULL;
		t->of = grown;
		t->cap = cap;
	}
	t->of[t->cnt] = (struct thread_row){ .pid = 0 };
	return &t->of[t->cnt++];
}

static void read_listed(struct thread_row *r, struct thread_rows *t, const struct json *v)
{
	const struct json *blocked = json_get(v, "blocked_ns");

	r->tid = json_count(json_get(v, "tid"));
	r->name = arena_dup(&t->arena, json_sv(json_get(v, "name")));
	r->time_ns = json_count(json_get(v, "time_ns"));
	r->cpu_ns = json_count(json_get(v, "cpu_ns"));
	r->system_ns = json_count(json_get(v, "cpu_system_ns"));
	r->run_queue_ns = json_count(json_get(v, "run_queue_ns"));
	r->voluntary = json_count(json_get(v, "voluntary_switches"));
	r->involuntary = json_count(json_get(v, "involuntary_switches"));
	r->migrations = json_count(json_get(v, "migrations"));
	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		r->blocked_ns[i] = json_count(json_get(blocked, threads_block_name(i)));
}

/* The process's own numbers. */
static void read_process(struct thread_row *r, const struct span *s)
{
	r->tid = r->pid;
	r->name = r->process;
	r->time_ns = s->end_ns - s->start_ns;
	r->cpu_ns = json_count(span_attr(s, ATTR_ID_CPU_NS));
	r->system_ns = json_count(span_attr(s, ATTR_ID_CPU_SYSTEM_NS));
	r->run_queue_ns = json_count(span_attr(s, ATTR_ID_RUN_DELAY_NS));
	r->voluntary = json_count(span_attr(s, ATTR_ID_CTX_VOLUNTARY));
	r->involuntary = json_count(span_attr(s, ATTR_ID_CTX_INVOLUNTARY));
	r->migrations = json_count(span_attr(s, ATTR_ID_MIGRATIONS));
	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		r->blocked_ns[i] = json_count(span_attr(s, usage_attr(USAGE_BLOCKED_DISK + i)));
}

static struct thread_row *row_of(struct thread_rows *t, const struct span *s)
{
	struct thread_row *r = row_new(t);

	if (!r)
		return NULL;
	r->pid = json_count(span_attr(s, ATTR_ID_PROCESS_PID));
	r->process = arena_dup(&t->arena, s->name);
	return r;
}

int thread_rows_add(struct thread_rows *t, const struct span *s)
{
	const struct json *list = span_attr(s, ATTR_ID_THREADS);
	struct thread_row *r;

	if (s->what != SPAN_PROCESS && s->what != SPAN_RUN)
		return 0;
	json_for_each (list, v) {
		r = row_of(t, s);
		if (!r)
			return -ENOMEM;
		read_listed(r, t, v);
	}
	if (list || s->what == SPAN_RUN || !span_attr(s, ATTR_ID_CPU_NS))
		return arena_failed(&t->arena) ? -ENOMEM : 0;
	r = row_of(t, s);
	if (!r)
		return -ENOMEM;
	read_process(r, s);
	return arena_failed(&t->arena) ? -ENOMEM : 0;
}

/* Most CPU first; what is alike as it came to be. */
static int by_cpu(const void *a, const void *b)
{
	const struct thread_row *x = a, *y = b;

	if (x->cpu_ns != y->cpu_ns)
		return x->cpu_ns < y->cpu_ns ? 1 : -1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->tid == y->tid ? 0 : x->tid < y->tid ? -1 : 1;
}

void thread_rows_sort(struct thread_rows *t)
{
	if (t->cnt)
		qsort(t->of, t->cnt, sizeof(*t->of), by_cpu);
}
