// SPDX-License-Identifier: BSD-2-Clause
/* What ringspan's two processes take, by getrusage(2), /proc and the kernel's count of its programs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "cli/top.h"

struct asking {
	struct own *own;
	uint64_t passed_ns; /* since the look before; 0: there was none */
	struct own_program *now;
	size_t cnt, cap;
	int err;
};

static struct own_program *find(struct own_program *of, size_t cnt, const char *name)
{
	for (size_t i = 0; i < cnt; i++)
		if (strcmp(of[i].name, name) == 0)
			return &of[i];
	return NULL;
}

static struct own_program *add(struct asking *a, const char *name)
{
	struct own_program *p = find(a->now, a->cnt, name);

	if (p)
		return p;
	if (a->cnt == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;
		struct own_program *grown = reallocarray(a->now, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		a->now = grown;
		a->cap = cap;
	}
	p = &a->now[a->cnt++];
	*p = (struct own_program){ .share = NAN, .run_mean_ns = NAN };
	snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

static void on_cost(void *ctx, const struct probe_cost *c)
{
	struct asking *a = ctx;
	char name[sizeof(a->now->name)];
	struct own_program *p;

	snprintf(name, sizeof(name), "%s", c->name);
	p = add(a, name);
	if (!p) {
		a->err = -ENOMEM;
		return;
	}
	p->runs += c->runs;
	p->run_ns += c->run_ns;
}

static int by_share(const void *a, const void *b)
{
	const struct own_program *pa = a, *pb = b;

	if (pa->share != pb->share)
		return pa->share < pb->share || isnan(pa->share) ? 1 : -1;
	return strcmp(pa->name, pb->name);
}

static void set_shares(struct asking *a)
{
	struct own *o = a->own;

	o->bpf = a->passed_ns ? 0 : NAN;
	for (size_t i = 0; i < a->cnt; i++) {
		struct own_program *p = &a->now[i], *then = find(o->programs, o->cnt, p->name);

		if (!then || !a->passed_ns)
			continue;
		p->share = (double)(p->run_ns - then->run_ns) / (double)a->passed_ns;
		if (p->runs > then->runs)
			p->run_mean_ns =
				(double)(p->run_ns - then->run_ns) / (double)(p->runs - then->runs);
		o->bpf += p->share;
	}
	qsort(a->now, a->cnt, sizeof(*a->now), by_share);
}

/* *cpu_ns: of the probe's process. */
static int ask_programs(struct own *o, struct monitor *m, uint64_t passed_ns, __u64 *cpu_ns)
{
	struct asking a = { .own = o, .passed_ns = passed_ns };
	int err = monitor_cost(m, on_cost, &a, cpu_ns);

	err = err ? err : a.err;
	if (err) {
		free(a.now);
		return err;
	}
	set_shares(&a);
	free(o->programs);
	o->programs = a.now;
	o->cnt = a.cnt;
	return 0;
}

static uint64_t ns_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_usec * 1000;
}

static uint64_t resident(pid_t pid)
{
	unsigned long pages = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int own_look(struct own *o, struct monitor *m, uint64_t now_ns)
{
	uint64_t passed = o->time_ns ? now_ns - o->time_ns : 0, cpu;
	__u64 probe_ns = 0;
	struct rusage u;
	int err = o->counted ? ask_programs(o, m, passed, &probe_ns) : 0;

	getrusage(RUSAGE_SELF, &u);
	cpu = ns_of(&u.ru_utime) + ns_of(&u.ru_stime) + probe_ns;
	o->cpu = passed ? (double)(cpu - o->cpu_ns) / (double)passed : NAN;
	o->cpu_ns = cpu;
	o->time_ns = now_ns;
	o->rss_bytes = resident(getpid()) + resident(monitor_pid(m));
	return err;
}

void own_fini(struct own *o)
{
	free(o->programs);
}
