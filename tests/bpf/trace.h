/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests that trace a victim: each test program is its own victim, started again with a name
 * (main calls trace_main), so that nothing outside has to exist.  Records of one run are kept whole.
 */
#ifndef RINGSPAN_TESTS_BPF_TRACE_H
#define RINGSPAN_TESTS_BPF_TRACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "probe/probe.h"

#define SKIP 77
#define RUN_NS 120000000000ull /* no victim runs longer, also where CPUs are emulated */

struct trace {
	struct probe *p;
	pid_t pid;
	struct ev_hdr **recs;
	size_t cnt;
	bool ended;
	int status; /* as wait4 gave it */
	struct rusage used;
};

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline int trace_keep(void *ctx, const struct ev_hdr *rec)
{
	struct trace *t = ctx;
	struct ev_hdr *copy = malloc(rec->size);

	assert_non_null(copy);
	memcpy(copy, rec, rec->size);
	t->recs = realloc(t->recs, (t->cnt + 1) * sizeof(*t->recs));
	assert_non_null(t->recs);
	t->recs[t->cnt++] = copy;
	if (rec->kind == EV_EXIT && rec->tgid == (__u32)t->pid)
		t->ended = true;
	return 0;
}

static inline void trace_poll(struct trace *t)
{
	assert_true(probe_poll(t->p, 20, trace_keep, t) >= 0);
}

#define TRACE_SELF "/proc/self/exe"

/* A child that waits to be let go, and then becomes that program; *go is what to let it go by. */
static inline pid_t trace_start(char *const argv[], int *go)
{
	int line[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(line), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(line[1]);
		if (read(line[0], &byte, 1) == 1)
			execv(argv[0], argv);
		_exit(127);
	}
	close(line[0]);
	*go = line[1];
	return pid;
}

static inline void trace_let_go(int go)
{
	assert_int_equal(write(go, "", 1), 1);
	close(go);
}

/* Runs argv from its exec to its end; t->p must be there. */
static inline void trace_run(struct trace *t, char *const argv[])
{
	uint64_t end = now_ns() + RUN_NS;
	int go;

	t->pid = trace_start(argv, &go);
	assert_int_equal(probe_watch(t->p, t->pid, EV_RUN_RECORD), 0);
	trace_let_go(go);
	while (!t->ended && now_ns() < end)
		trace_poll(t);
	assert_true(t->ended);
	assert_int_equal(wait4(t->pid, &t->status, 0, &t->used), t->pid);
	trace_poll(t);
}

static inline void trace_victim(struct trace *t, const char *name, const char *arg)
{
	char *argv[] = { TRACE_SELF, (char *)name, (char *)arg, NULL };

	trace_run(t, argv);
}

static inline void trace_clear(struct trace *t)
{
	for (size_t i = 0; i < t->cnt; i++)
		free(t->recs[i]);
	free(t->recs);
	t->recs = NULL;
	t->cnt = 0;
	t->ended = false;
}

/* The nth record of a kind (from 0) of a process (0: any), or NULL. */
static inline const void *trace_rec(const struct trace *t, int kind, pid_t tgid, size_t nth)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (t->recs[i]->kind == kind && (!tgid || t->recs[i]->tgid == (__u32)tgid) &&
		    nth-- == 0)
			return t->recs[i];
	return NULL;
}

static inline size_t trace_count(const struct trace *t, int kind)
{
	size_t n = 0;

	while (trace_rec(t, kind, 0, n))
		n++;
	return n;
}

static inline int trace_setup_cfg(void **state, const struct probe_cfg *cfg)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		fail_msg("out of memory");
	*state = t; /* also for what frees it */
	return probe_new(&t->p, cfg) ? -1 : 0;
}

static inline int trace_setup(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ 0 });
}

static inline int trace_teardown(void **state)
{
	struct trace *t = *state;

	if (!t)
		return 0;
	trace_clear(t);
	probe_free(&t->p);
	free(t);
	return 0;
}

struct need {
	const char *missing;
	const char *reason;
};

static inline void need_feature(void *ctx, const struct probe_feature *f)
{
	struct need *n = ctx;
	static char reason[256];

	if (f->on || n->missing || f->name[0] == '/')
		return;
	if (strcmp(f->name, "privilege") && strcmp(f->name, "BTF") &&
	    strcmp(f->name, "ring buffer") && strcmp(f->name, "raw tracepoints"))
		return;
	snprintf(reason, sizeof(reason), "%s", f->reason);
	n->missing = f->name;
	n->reason = reason;
}

/* 0 when this machine can run BPF tests; else says why not. */
static inline int trace_skip(void)
{
	struct need n = { 0 };

	probe_features(need_feature, &n);
	if (!n.missing)
		return 0;
	printf("skipped: %s: %s\n", n.missing, n.reason);
	return SKIP;
}

#endif
