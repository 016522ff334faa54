/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ringspan tells of a process that does nothing, and of its own programs.  Truth is /proc: what the
 * process waits for, its memory, and the kernel's count of runs in a program's fdinfo.
 */
#include "trace.h"

#include <fcntl.h>
#include <pty.h>

static const struct ev_usage *latest(const struct trace *t, pid_t pid)
{
	const struct ev_usage *last = NULL, *e;

	for (size_t i = 0; (e = trace_rec(t, EV_USAGE, pid, i)); i++)
		last = e;
	return last;
}

static uint64_t resident(pid_t pid)
{
	char path[64];
	unsigned long pages = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Is it asleep, in a read? */
static bool sleeps(pid_t pid)
{
	char path[64], text[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strncmp(text, "0 0x0 ", 6) == 0;
}

/* A shell that waits at a terminal is told to wait there, though it tells nothing itself. */
static void who_waits(void **state)
{
	struct trace *t = *state;
	uint64_t end = now_ns() + RUN_NS, before, waited = 0;
	int terminal, go[2];
	char byte = 0;

	assert_int_equal(pipe(go), 0);
	t->pid = forkpty(&terminal, NULL, NULL, NULL);
	assert_true(t->pid >= 0);
	if (t->pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			execl("/bin/sh", "sh", "-c", "read line", NULL);
		_exit(127);
	}
	assert_int_equal(probe_watch(t->p, t->pid, EV_RUN_RECORD), 0);
	assert_int_equal(write(go[1], &byte, 1), 1);
	while (!sleeps(t->pid) && now_ns() < end)
		trace_poll(t);
	assert_int_equal(probe_tell_usage(t->p), 0);
	trace_poll(t);
	assert_non_null(latest(t, t->pid));
	before = latest(t, t->pid)->blocked_ns[EV_BLOCK_TERMINAL];
	usleep(300000);
	assert_int_equal(probe_tell_usage(t->p), 0);
	trace_poll(t);
	waited = latest(t, t->pid)->blocked_ns[EV_BLOCK_TERMINAL] - before;
	assert_in_range(waited, 290000000, RUN_NS);
	assert_int_equal(latest(t, t->pid)->rss_bytes, resident(t->pid));
	assert_int_equal(write(terminal, "\n", 1), 1);
	while (!t->ended && now_ns() < end)
		trace_poll(t);
	assert_true(t->ended);
	waitpid(t->pid, NULL, 0);
	close(terminal);
	close(go[0]);
	close(go[1]);
}

struct counted {
	uint64_t runs, run_ns;
};

static void on_cost(void *ctx, const struct probe_cost *c)
{
	struct counted *sum = ctx;

	if (strcmp(c->name, "sys_exit") != 0)
		return;
	sum->runs += c->runs;
	sum->run_ns += c->run_ns;
}

/* The program at system calls runs at least once for each of ours, and takes time for it. */
static void what_programs_take(void **state)
{
	struct trace *t = *state;
	struct counted before = { 0 }, after = { 0 };

	assert_int_equal(probe_count_cost(t->p), 0);
	assert_int_equal(probe_cost(t->p, on_cost, &before), 0);
	trace_victim(t, "calls", NULL);
	assert_int_equal(probe_cost(t->p, on_cost, &after), 0);
	assert_true(after.runs - before.runs >= 10000);
	assert_true(after.run_ns > before.run_ns);
}

static int victim(void)
{
	for (int i = 0; i < 10000; i++)
		getppid();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_waits, trace_setup, trace_teardown),
		cmocka_unit_test_setup_teardown(what_programs_take, trace_setup, trace_teardown),
	};

	(void)argv;
	if (argc > 1)
		return victim();
	if (trace_skip())
		return SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
