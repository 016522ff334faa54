/* SPDX-License-Identifier: BSD-2-Clause */
/* The process tree: who started whom with what, how each ended, and what it took. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define BURN_NS 200000000ull
#define TOUCH (64u << 20)
#define TICK 10000000ull /* sum_exec_runtime is up to a tick old, for each thread */
#define RACERS 4

static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void *burn(void *arg)
{
	while (thread_cpu_ns() < BURN_NS)
		for (volatile int i = 0; i < 10000;)
			i++;
	return arg;
}

static int victim_burn(void)
{
	pthread_t other;
	char *p = mmap(NULL, TOUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, TOUCH);
	pthread_create(&other, NULL, burn, NULL);
	burn(NULL);
	pthread_join(other, NULL);
	return 7;
}

/* Runs a small program in a process that was large. */
static int victim_shrink(void)
{
	char *p = mmap(NULL, TOUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, TOUCH);
	execl("/bin/true", "true", NULL);
	return 127;
}

/* Ends while its other threads burn: they all end at the same time. */
static int victim_race(void)
{
	pthread_t other;

	for (int i = 0; i < RACERS; i++)
		pthread_create(&other, NULL, burn, NULL);
	usleep(60000);
	_exit(0);
}

static int victim_signal(void)
{
	raise(SIGKILL);
	return 0;
}

static int victim_family(void)
{
	char *const argv[] = { "/bin/sh", "-c", "exit 3", NULL };
	int status;

	if (fork() == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	wait(&status);
	return WEXITSTATUS(status);
}

static int victim_wait(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	pause();
	return 0;
}

static int run_victim(const char *name)
{
	if (strcmp(name, "burn") == 0)
		return victim_burn();
	if (strcmp(name, "shrink") == 0)
		return victim_shrink();
	if (strcmp(name, "race") == 0)
		return victim_race();
	if (strcmp(name, "signal") == 0)
		return victim_signal();
	if (strcmp(name, "family") == 0)
		return victim_family();
	if (strcmp(name, "wait") == 0)
		return victim_wait();
	return 0;
}

static uint64_t rusage_cpu_ns(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000ull +
	       (u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000ull;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void long_arguments(void **state)
{
	struct trace *t = *state;
	static char big[6000];
	char *argv[] = { "/proc/self/exe", "args", big, "last", NULL };
	const struct ev_exec *e;
	const char *args;

	trace_clear(t);
	memset(big, 'a', sizeof(big) - 1);
	trace_run(t, argv);
	e = trace_rec(t, EV_EXEC, t->pid, 0);
	assert_non_null(e);
	assert_string_equal((const char *)(e + 1), argv[0]);
	assert_int_equal(e->path_len, strlen(argv[0]) + 1);
	assert_int_equal(e->args_total, strlen(argv[0]) + 1 + 5 + sizeof(big) + 5);
	assert_int_equal(e->args_len, e->args_total);
	assert_int_equal(e->hdr.size, sizeof(*e) + e->path_len + e->args_len);
	assert_int_equal(e->hdr.flags, 0);
	args = (const char *)(e + 1) + e->path_len;
	assert_string_equal(args, argv[0]);
	assert_memory_equal(args + strlen(argv[0]) + 1 + 5, big, sizeof(big));
	assert_string_equal(args + e->args_len - 5, "last");
	assert_int_equal(e->parent, getpid());
	assert_int_equal(e->uid, getuid());
}

static void arguments_over_the_cap(void **state)
{
	struct trace *t = *state;
	static char big[3 * EV_ARGS_MAX];
	char *argv[] = { "/proc/self/exe", "args", big, NULL };
	const struct ev_exec *e;

	trace_clear(t);
	memset(big, 'b', sizeof(big) - 1);
	trace_run(t, argv);
	e = trace_rec(t, EV_EXEC, t->pid, 0);
	assert_non_null(e);
	assert_int_equal(e->args_len, EV_ARGS_MAX);
	assert_int_equal(e->args_total, strlen(argv[0]) + 1 + 5 + sizeof(big));
	assert_int_equal(e->hdr.flags, EVF_TRUNC);
}

static void usage_is_that_of_wait4(void **state)
{
	struct trace *t = *state;
	const struct ev_exit *e;

	trace_clear(t);
	trace_victim(t, "burn", NULL);
	e = trace_rec(t, EV_EXIT, t->pid, 0);
	assert_non_null(e);
	assert_int_equal(e->status, t->status);
	assert_int_equal(WEXITSTATUS(e->status), 7);
	assert_int_equal(e->threads, 1);
	assert_in_range(distance(e->cpu_ns, rusage_cpu_ns(&t->used)), 0, 2 * TICK);
	assert_true(e->cpu_ns + 2 * TICK >= 2 * BURN_NS);
	assert_in_range(distance(e->rss_peak_bytes, t->used.ru_maxrss * 1024ull), 0, 1 << 20);
	assert_true(e->rss_peak_bytes >= TOUCH);
	assert_in_range(distance(e->min_flt, t->used.ru_minflt), 0, 16);
	assert_in_range(distance(e->nvcsw, t->used.ru_nvcsw), 0, 4);
}

static void peak_is_of_the_last_program(void **state)
{
	struct trace *t = *state;
	const struct ev_exit *e;

	trace_clear(t);
	trace_victim(t, "shrink", NULL);
	e = trace_rec(t, EV_EXIT, t->pid, 0);
	assert_non_null(e);
	assert_int_equal(e->status, 0);
	assert_true(t->used.ru_maxrss * 1024ull >= TOUCH); /* getrusage remembers */
	assert_true(e->rss_peak_bytes < TOUCH / 2);
}

static void usage_of_threads_that_end_together(void **state)
{
	struct trace *t = *state;
	const struct ev_exit *e;

	for (int i = 0; i < 10; i++) {
		trace_clear(t);
		trace_victim(t, "race", NULL);
		e = trace_rec(t, EV_EXIT, t->pid, 0);
		assert_non_null(e);
		assert_int_equal(trace_count(t, EV_EXIT), 1);
		assert_int_equal(e->threads, RACERS);
		assert_in_range(distance(e->cpu_ns, rusage_cpu_ns(&t->used)), 0,
				(RACERS + 1) * TICK);
	}
}

static void ended_by_a_signal(void **state)
{
	struct trace *t = *state;
	const struct ev_exit *e;

	trace_clear(t);
	trace_victim(t, "signal", NULL);
	e = trace_rec(t, EV_EXIT, t->pid, 0);
	assert_non_null(e);
	assert_true(WIFSIGNALED(e->status));
	assert_int_equal(WTERMSIG(e->status), SIGKILL);
	assert_int_equal(e->status, t->status);
}

static void child_is_followed(void **state)
{
	struct trace *t = *state;
	const struct ev_fork *f;
	const struct ev_exec *e;
	const struct ev_exit *x;

	trace_clear(t);
	trace_victim(t, "family", NULL);
	f = trace_rec(t, EV_FORK, t->pid, 0);
	assert_non_null(f);
	e = trace_rec(t, EV_EXEC, f->child, 0);
	assert_non_null(e);
	assert_string_equal((const char *)(e + 1), "/bin/sh");
	assert_int_equal(e->hdr.start, f->child_start);
	assert_int_equal(e->parent, t->pid);
	assert_int_equal(e->parent_start, f->hdr.start);
	x = trace_rec(t, EV_EXIT, f->child, 0);
	assert_non_null(x);
	assert_int_equal(WEXITSTATUS(x->status), 3);
	assert_int_equal(x->hdr.start, f->child_start);
	assert_true(f->child_start <= e->hdr.ts && e->hdr.ts <= x->hdr.ts);
}

static void run_comes_first(void **state)
{
	struct trace *t = *state;
	const struct ev_run *r;

	trace_clear(t);
	trace_victim(t, "nothing", NULL);
	r = trace_rec(t, EV_RUN, t->pid, 0);
	assert_non_null(r);
	assert_int_equal(r->origin, EV_RUN_RECORD);
	for (size_t i = 0; t->recs[i] != &r->hdr; i++)
		assert_int_not_equal(t->recs[i]->tgid, t->pid);
	assert_int_equal(((const struct ev_hdr *)trace_rec(t, EV_EXEC, t->pid, 0))->start,
			 r->hdr.start);
}

/* The child that a running victim has started; polls /proc until it is there. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	FILE *f;
	int child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	for (int i = 0; i < 200 && !child; i++) {
		usleep(10000);
		f = fopen(path, "re");
		if (f && fscanf(f, "%d", &child) != 1)
			child = 0;
		if (f)
			fclose(f);
	}
	return child;
}

static void running_tree_is_found(void **state)
{
	char *argv[] = { "/proc/self/exe", "wait", NULL };
	struct trace *t = *state;
	const struct ev_exec *a, *b;
	const struct ev_run *r;
	pid_t pid = fork(), child;

	trace_clear(t);
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	child = child_of(pid);
	assert_true(child > 0);
	assert_int_equal(probe_watch(t->p, pid, EV_RUN_ATTACH), 0);
	trace_poll(t);
	r = trace_rec(t, EV_RUN, pid, 0);
	a = trace_rec(t, EV_PROC, pid, 0);
	b = trace_rec(t, EV_PROC, child, 0);
	assert_true(r && a && b);
	assert_int_equal(r->origin, EV_RUN_ATTACH);
	assert_int_equal(a->hdr.start, r->hdr.start);
	assert_int_equal(a->parent, getpid());
	assert_int_equal(b->parent, pid);
	assert_int_equal(b->parent_start, a->hdr.start);
	assert_memory_equal((const char *)(a + 1) + a->path_len, "/proc/self/exe\0wait", 20);
	kill(child, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 50 && !trace_rec(t, EV_EXIT, pid, 0); i++)
		trace_poll(t);
	assert_non_null(trace_rec(t, EV_EXIT, child, 0));
	assert_int_equal(((const struct ev_exit *)trace_rec(t, EV_EXIT, pid, 0))->status, SIGKILL);
}

static void no_such_process(void **state)
{
	struct trace *t = *state;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(probe_watch(t->p, pid, EV_RUN_ATTACH), -ESRCH);
	assert_int_equal(probe_watch(t->p, -1, EV_RUN_ATTACH), -ESRCH);
}

/* Whose parent has not asked yet how it ended: its end was before, and is not told any more. */
static void ended_process(void **state)
{
	struct trace *t = *state;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(probe_watch(t->p, pid, EV_RUN_ATTACH), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void *stay(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pause();
	return arg;
}

static void leave_thread(void)
{
	pthread_t other;

	pthread_create(&other, NULL, stay, NULL);
	syscall(SYS_exit, 0);
}

static int state_of(pid_t pid)
{
	char path[64], letter = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &letter) != 1)
		letter = 0;
	if (f)
		fclose(f);
	return letter;
}

/* ... is not one of which only the first thread has ended. */
static void process_without_its_first_thread(void **state)
{
	struct trace *t = *state;
	pid_t pid = fork();

	if (pid == 0)
		leave_thread();
	for (int i = 0; i < 200 && state_of(pid) != 'Z'; i++)
		usleep(10000);
	assert_int_equal(state_of(pid), 'Z');
	trace_clear(t);
	assert_int_equal(probe_watch(t->p, pid, EV_RUN_ATTACH), 0);
	trace_poll(t);
	assert_non_null(trace_rec(t, EV_PROC, pid, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 50 && !trace_rec(t, EV_EXIT, pid, 0); i++)
		trace_poll(t);
	assert_non_null(trace_rec(t, EV_EXIT, pid, 0));
}

static void others_are_not_seen(void **state)
{
	struct trace *t = *state;
	pid_t pid;

	trace_clear(t);
	pid = fork();
	if (pid == 0)
		execl("/bin/true", "true", NULL);
	waitpid(pid, NULL, 0);
	trace_poll(t);
	assert_null(trace_rec(t, EV_FORK, 0, 0));
	assert_null(trace_rec(t, EV_EXEC, 0, 0));
	assert_null(trace_rec(t, EV_EXIT, 0, 0));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_arguments),
		cmocka_unit_test(arguments_over_the_cap),
		cmocka_unit_test(usage_is_that_of_wait4),
		cmocka_unit_test(peak_is_of_the_last_program),
		cmocka_unit_test(usage_of_threads_that_end_together),
		cmocka_unit_test(ended_by_a_signal),
		cmocka_unit_test(child_is_followed),
		cmocka_unit_test(run_comes_first),
		cmocka_unit_test(running_tree_is_found),
		cmocka_unit_test(no_such_process),
		cmocka_unit_test(ended_process),
		cmocka_unit_test(process_without_its_first_thread),
		cmocka_unit_test(others_are_not_seen),
	};

	if (argc > 1)
		_exit(run_victim(argv[1])); /* no leak check: it would fork */
	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, trace_setup, trace_teardown);
}
