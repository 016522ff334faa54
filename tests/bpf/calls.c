/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls: each is counted once, with its time and its errno, whichever thread made it; those that
 * are asked for become records.  A victim knows what it does beside libc's own calls.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include "event/event.h"
#include "event/syscall.h"

#define PPIDS 1000
#define THREADS 4
#define TIDS 2000
#define NAP_NS 20000000
#define NAPS 3

static void victim_known(void)
{
	struct timespec nap = { 0, NAP_NS };

	for (int i = 0; i < PPIDS; i++)
		syscall(SYS_getppid);
	for (int i = 0; i < 5; i++)
		syscall(SYS_openat, AT_FDCWD, "/does/not/exist", O_RDONLY);
	for (int i = 0; i < 2; i++)
		syscall(SYS_openat, AT_FDCWD, "/dev/null/x", O_RDONLY);
	for (int i = 0; i < 7; i++)
		syscall(SYS_fdatasync, -1);
	for (int i = 0; i < NAPS; i++)
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
}

static void *many(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIDS; i++)
		syscall(SYS_gettid);
	return NULL;
}

static void victim_threads(void)
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, many, NULL))
			_exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* Longer than the counts are told in between; then it ends inside a call. */
static void victim_killed(void)
{
	struct timespec nap = { 2, 500000000 };

	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
	syscall(SYS_getppid);
	if (fork() == 0) {
		nap.tv_sec = 0;
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
		kill(getppid(), SIGKILL);
		_exit(0);
	}
	ppoll(NULL, 0, NULL, NULL);
}

static const struct victim {
	const char *name;
	void (*run)(void);
} victims[] = {
	{ "known", victim_known },
	{ "threads", victim_threads },
	{ "killed", victim_killed },
};

/* What all records tell of one call in the victim. */
struct sum {
	uint64_t calls, errors, total_ns, max_ns;
	size_t records;
};

static const struct ev_count *counts_of(const struct ev_syscalls *s)
{
	return (const void *)(s + 1);
}

/* What the last USAGE of a process tells by class is what its rows add up to. */
static void usage_agrees(const struct trace *t)
{
	struct ev_usage_calls sum = { .calls = { 0 } };
	const struct ev_usage_calls *told = NULL;
	const struct ev_syscalls *s;
	const struct ev_usage *u;

	for (size_t i = 0; (u = trace_rec(t, EV_USAGE, t->pid, i)); i++) {
		assert_int_equal(event_payload(&u->hdr).n, sizeof(*told));
		told = (const void *)event_payload(&u->hdr).p;
	}
	for (size_t i = 0; (s = trace_rec(t, EV_SYSCALLS, t->pid, i)); i++) {
		enum ev_call_class class = syscall_class(syscall_machine(), s->nr);

		for (__u32 k = 0; k < s->buckets; k++)
			sum.calls[class] += counts_of(s)[k].cnt;
		sum.ns[class] += s->total_ns;
	}
	assert_non_null(told);
	for (size_t i = 0; i < EV_CALL_CLASSES; i++) {
		assert_int_equal(told->calls[i], sum.calls[i]);
		if (i == EV_CALL_PROCESS) /* it is in exit_group */
			assert_true(told->ns[i] >= sum.ns[i]);
		else
			assert_int_equal(told->ns[i], sum.ns[i]);
	}
}

static const struct ev_syscalls *nth(const struct trace *t, __u32 nr, size_t n)
{
	const struct ev_syscalls *s;

	for (size_t i = 0; (s = trace_rec(t, EV_SYSCALLS, t->pid, i)); i++)
		if (s->nr == nr && !n--)
			return s;
	return NULL;
}

static struct sum sum_of(const struct trace *t, __u32 nr)
{
	const struct ev_syscalls *s;
	struct sum sum = { 0 };

	while ((s = nth(t, nr, sum.records))) {
		assert_int_equal(event_check(s, s->hdr.size), 0);
		assert_true(s->since_ts <= s->hdr.ts);
		for (__u32 i = 0; i < s->buckets; i++)
			sum.calls += counts_of(s)[i].cnt;
		sum.errors += s->errors;
		sum.total_ns += s->total_ns;
		sum.max_ns = s->max_ns;
		sum.records++;
	}
	return sum;
}

static uint64_t errno_of(const struct trace *t, __u32 nr, __u32 err)
{
	const struct ev_syscalls *s;
	uint64_t cnt = 0;

	for (size_t n = 0; (s = nth(t, nr, n)); n++)
		for (__u32 i = 0; i < s->errnos; i++)
			if (counts_of(s)[s->buckets + i].what == err)
				cnt += counts_of(s)[s->buckets + i].cnt;
	return cnt;
}

static void counts_and_times(void **state)
{
	const struct ev_syscalls *naps;
	struct trace *t = *state;
	struct sum s;

	trace_victim(t, "known", "");
	assert_true(WIFEXITED(t->status));
	s = sum_of(t, SYS_getppid);
	assert_int_equal(s.calls, PPIDS);
	assert_int_equal(s.errors, 0);
	assert_true(s.max_ns && s.max_ns <= s.total_ns);
	assert_int_equal(errno_of(t, SYS_openat, ENOENT), 5);
	assert_int_equal(errno_of(t, SYS_openat, ENOTDIR), 2);
	assert_int_equal(sum_of(t, SYS_openat).errors, 7);
	s = sum_of(t, SYS_fdatasync);
	assert_int_equal(s.calls, 7);
	assert_int_equal(s.errors, 7);
	assert_int_equal(errno_of(t, SYS_fdatasync, EBADF), 7);
	s = sum_of(t, SYS_clock_nanosleep);
	assert_int_equal(s.calls, NAPS);
	assert_true(s.max_ns >= NAP_NS && s.total_ns >= (uint64_t)NAPS * NAP_NS);
	naps = nth(t, SYS_clock_nanosleep, 0);
	assert_true(counts_of(naps)[0].what >= ev_bucket(NAP_NS));
	assert_true(counts_of(naps)[naps->buckets - 1].what <= ev_bucket(s.max_ns));
	/* the exec that began it was entered before; what ends it does not return */
	assert_int_equal(sum_of(t, SYS_exit_group).records, 0);
	assert_null(trace_rec(t, EV_SYSCALL, 0, 0));
	usage_agrees(t);
}

static void threads_share_a_row(void **state)
{
	struct trace *t = *state;

	trace_victim(t, "threads", "");
	assert_int_equal(sum_of(t, SYS_gettid).calls, THREADS * TIDS);
	usage_agrees(t);
}

/* The counts of a process come before its end; and the call that a signal ended is among them. */
static void told_while_it_runs(void **state)
{
	const struct ev_hdr *last = NULL;
	struct trace *t = *state;

	trace_victim(t, "killed", "");
	assert_true(WIFSIGNALED(t->status));
	assert_int_equal(sum_of(t, SYS_getppid).calls, 1);
	assert_int_equal(sum_of(t, SYS_clock_nanosleep).calls, 1);
	assert_int_equal(sum_of(t, SYS_ppoll).calls, 1);
	assert_int_equal(errno_of(t, SYS_ppoll, 514), 1); /* ERESTARTNOHAND */
	assert_true(nth(t, SYS_getppid, 0)->since_ts > nth(t, SYS_brk, 0)->since_ts);
	for (size_t i = 0; i < t->cnt; i++)
		if (t->recs[i]->tgid == (__u32)t->pid && t->recs[i]->kind != EV_FLOW_END)
			last = t->recs[i];
	assert_non_null(last);
	assert_int_equal(last->kind, EV_EXIT);
}

static int setup_asked(void **state)
{
	struct probe_cfg cfg = { .calls = { .errnos = { ENOTDIR }, .errno_cnt = 1 } };

	cfg.calls.slow_ns[EV_CALL_POLL] = NAP_NS;
	cfg.calls.asked[SYS_fdatasync] = true;
	return trace_setup_cfg(state, &cfg);
}

static void what_is_asked_for(void **state)
{
	struct trace *t = *state;
	const struct ev_syscall *e;
	size_t cnt[8] = { 0 };

	trace_victim(t, "known", "");
	for (size_t i = 0; (e = trace_rec(t, EV_SYSCALL, t->pid, i)); i++) {
		assert_int_equal(event_check(e, e->hdr.size), 0);
		cnt[e->why & 7]++;
		if (e->why == EV_WHY_ASKED) {
			assert_int_equal(e->nr, SYS_fdatasync);
			assert_int_equal(e->ret, -EBADF);
			assert_int_equal((int)e->args[0], -1);
		} else if (e->why == EV_WHY_SLOW) {
			assert_int_equal(e->nr, SYS_clock_nanosleep);
			assert_true(e->hdr.ts - e->enter_ts >= NAP_NS);
			assert_int_equal(e->args[0], CLOCK_MONOTONIC);
		} else {
			assert_int_equal(e->why, EV_WHY_FAILED);
			assert_int_equal(e->ret, -ENOTDIR);
			assert_true(sv_is(event_payload(&e->hdr), "/dev/null/x"));
		}
	}
	assert_int_equal(cnt[EV_WHY_ASKED], 7);
	assert_int_equal(cnt[EV_WHY_SLOW], NAPS);
	assert_int_equal(cnt[EV_WHY_FAILED], 2);
	assert_int_equal(sum_of(t, SYS_fdatasync).calls, 7);
}

static int setup_old(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_no_task_storage = true });
}

static int setup_no_regs(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_no_task_regs = true });
}

static int setup_small(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_small_tables = true });
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_and_times, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(threads_share_a_row, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(told_while_it_runs, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_is_asked_for, setup_asked, trace_teardown),
	};
	static const struct CMUnitTest old[] = {
		cmocka_unit_test_setup_teardown(counts_and_times, setup_old, trace_teardown),
		cmocka_unit_test_setup_teardown(threads_share_a_row, setup_old, trace_teardown),
	};
	static const struct CMUnitTest by_task[] = {
		cmocka_unit_test_setup_teardown(counts_and_times, setup_no_regs, trace_teardown),
		cmocka_unit_test_setup_teardown(threads_share_a_row, setup_no_regs, trace_teardown),
	};
	static const struct CMUnitTest small[] = {
		cmocka_unit_test_setup_teardown(counts_and_times, setup_small, trace_teardown),
		cmocka_unit_test_setup_teardown(threads_share_a_row, setup_small, trace_teardown),
		cmocka_unit_test_setup_teardown(told_while_it_runs, setup_small, trace_teardown),
	};
	int failed;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(victims); i++) {
		if (strcmp(argv[1], victims[i].name) == 0) {
			victims[i].run();
			return 0;
		}
	}
	failed = trace_skip();
	if (failed)
		return failed;
	failed = cmocka_run_group_tests_name("registers", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("registers, little room", small, NULL, NULL);
	failed += cmocka_run_group_tests_name("task storage, no registers", by_task, NULL, NULL);
	failed += cmocka_run_group_tests_name("hash", old, NULL, NULL);
	return failed;
}
