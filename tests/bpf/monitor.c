/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe as a process of its own: what it hands over, what it refuses, and how the two of them end. */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "probe/monitor.h"

#define VICTIMS 200
#define WAIT_NS RUN_NS
#define STORM_AHEAD 500 /* children that a storm starts while nothing is taken of it */

struct seen {
	pid_t pid; /* of the victim */
	size_t execs, exits;
	bool ended;
};

static int on_record(void *ctx, const struct ev_hdr *rec)
{
	struct seen *s = ctx;

	s->execs += rec->kind == EV_EXEC;
	s->exits += rec->kind == EV_EXIT;
	s->ended |= rec->kind == EV_EXIT && rec->tgid == (__u32)s->pid;
	return 0;
}

/* Starts many programs, one after the other. */
static void victim_many(void)
{
	for (int i = 0; i < VICTIMS; i++) {
		pid_t pid = fork();

		if (!pid) {
			execl("/proc/self/exe", "/proc/self/exe", "nothing", (char *)NULL);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
}

static bool is_there(pid_t pid)
{
	return kill(pid, 0) == 0;
}

static void new_monitor(struct monitor **m)
{
	/* a ring and a queue that are filled many times */
	struct probe_cfg cfg = { .ring_bytes = 64u << 10 };

	assert_int_equal(monitor_new(m, &cfg), 0);
}

static void test_records(void **state)
{
	uint64_t end = now_ns() + WAIT_NS;
	struct monitor *m = NULL;
	struct probe_loss loss;
	struct ev_stats stats;
	struct seen seen = { 0 };
	pid_t server;
	int go;

	(void)state;
	new_monitor(&m);
	server = monitor_pid(m);
	seen.pid = trace_start((char *[]){ TRACE_SELF, "many", NULL }, &go);
	assert_int_equal(monitor_watch(m, seen.pid, EV_RUN_RECORD), 0);
	assert_int_equal(monitor_seal(m), 0);
	trace_let_go(go);
	while (!seen.ended && now_ns() < end)
		assert_true(monitor_poll(m, 20, on_record, &seen) >= 0);
	waitpid(seen.pid, NULL, 0);
	assert_true(monitor_poll(m, -1, on_record, &seen) >= 0);
	assert_true(seen.ended);
	assert_int_equal(monitor_loss(m, &loss), 0);
	probe_stats_of(&loss, &stats);
	assert_int_equal(stats.hdr.kind, EV_STATS);
	assert_true(stats.produced >= 3 * VICTIMS);
	if (!stats.lost_ring) {
		assert_int_equal(seen.execs, VICTIMS + 1);
		assert_int_equal(seen.exits, VICTIMS + 1);
	}
	assert_true(is_there(server));
	monitor_free(&m);
	assert_false(is_there(server));
}

static void test_sealed(void **state)
{
	const char *const cgroups[] = { "/sys/fs/cgroup" };
	struct probe_select sel = { .comm = "nobody", .cgroups = cgroups, .cgroup_cnt = 1 };
	struct monitor *m = NULL;
	struct seen seen = { 0 };

	(void)state;
	new_monitor(&m);
	assert_int_equal(monitor_watch(m, 0x7ffffffe, EV_RUN_ATTACH), -ESRCH);
	assert_true(monitor_hook_file(m, "/does/not/exist") < 0);
	assert_int_equal(monitor_seal(m), 0);
	assert_int_equal(monitor_watch(m, getpid(), EV_RUN_ATTACH), -EPERM);
	assert_int_equal(monitor_hook_file(m, "/proc/self/exe"), -EPERM);
	assert_int_equal(monitor_select(m, &sel), -EPERM);
	/* what is no set-up goes on */
	assert_int_equal(monitor_tell_counts(m), 0);
	assert_true(monitor_poll(m, -1, on_record, &seen) >= 0);
	monitor_free(&m);
}

/* Starts processes until it is killed. */
static pid_t start_storm(volatile uint64_t *started)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
		(*started)++;
	}
}

static void until_started(volatile const uint64_t *started, uint64_t more)
{
	uint64_t want = *started + more, end = now_ns() + WAIT_NS;

	while (*started < want && now_ns() < end)
		usleep(1000);
	assert_true(*started >= want);
}

struct slow {
	volatile const uint64_t *started;
	uint64_t records;
};

/* Slower than what is traced, always. */
static int on_record_slowly(void *ctx, const struct ev_hdr *rec)
{
	struct slow *s = ctx;

	(void)rec;
	until_started(s->started, 1); /* which is two records at least */
	s->records++;
	return 0;
}

static __u64 produced(struct monitor *m)
{
	struct probe_loss loss;
	struct ev_stats stats;

	assert_int_equal(monitor_loss(m, &loss), 0);
	probe_stats_of(&loss, &stats);
	return stats.produced;
}

/*
 * Who records faster than is parsed leaves time for other things, is let go all the same, and what it
 * recorded by then is told.
 */
static void test_detach(void **state)
{
	volatile uint64_t *started = mmap(NULL, sizeof(*started), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct probe_cfg cfg = { .ring_bytes = 16u << 10 };
	struct slow slow = { .started = started };
	struct monitor *m = NULL;
	__u64 before;
	pid_t storm;

	(void)state;
	assert_ptr_not_equal(started, MAP_FAILED);
	alarm(120); /* where it never ends */
	assert_int_equal(monitor_new(&m, &cfg), 0);
	storm = start_storm(started);
	assert_int_equal(monitor_watch(m, storm, EV_RUN_ATTACH), 0);
	until_started(started, STORM_AHEAD); /* ring and queue are full */
	assert_true(monitor_poll(m, 50, on_record_slowly, &slow) > 0);
	assert_true(monitor_poll(m, 50, on_record_slowly, &slow) > 0); /* there is always more */
	assert_int_equal(monitor_detach(m), 0);
	before = produced(m);
	assert_true(monitor_poll(m, -1, on_record_slowly, &slow) >= 0);
	assert_true(slow.records > 0);
	until_started(started, STORM_AHEAD / 10);
	assert_int_equal(produced(m), before);
	kill(storm, SIGKILL);
	waitpid(storm, NULL, 0);
	monitor_free(&m);
	alarm(0);
	munmap((void *)started, sizeof(*started));
}

static void test_one_of_them_ends(void **state)
{
	struct monitor *m = NULL;
	struct seen seen = { 0 };
	int line[2], status;
	pid_t owner, server;

	(void)state;
	new_monitor(&m);
	kill(monitor_pid(m), SIGKILL);
	assert_int_equal(monitor_poll(m, -1, on_record, &seen), -EPIPE);
	assert_int_equal(monitor_seal(m), -EPIPE);
	monitor_free(&m);
	/* the other way round: an owner that is killed */
	assert_int_equal(pipe(line), 0);
	owner = fork();
	if (!owner) {
		struct probe_cfg cfg = { 0 };

		if (monitor_new(&m, &cfg))
			_exit(1);
		server = monitor_pid(m);
		if (write(line[1], &server, sizeof(server)) != sizeof(server))
			_exit(1);
		pause();
	}
	close(line[1]);
	assert_int_equal(read(line[0], &server, sizeof(server)), sizeof(server));
	kill(owner, SIGKILL);
	assert_int_equal(waitpid(owner, &status, 0), owner);
	for (uint64_t end = now_ns() + WAIT_NS; is_there(server) && now_ns() < end;)
		usleep(1000);
	assert_false(is_there(server));
	close(line[0]);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_one_of_them_ends),
	};
	int skipped;

	if (argc == 2) {
		if (strcmp(argv[1], "many") == 0)
			victim_many();
		return 0;
	}
	skipped = trace_skip();
	return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
