/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What USAGE tells of a process, held against what the process finds out about itself: its counters
 * lie between two looks at /proc and getrusage(2), and what it was blocked is what the clock says that
 * its calls took, less its time on CPU and in run queues.  So no test depends on how busy a machine is.
 */
#include "trace.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "event/event.h"
#include "probe/feature.h"

#define TOLD_FD 40 /* of the victim: where it leaves what it measured */
#define ROUNDS 10
#define WAIT_MS 20
#define TICK 10000000ull
#define THREADS 3
#define DISK_BYTES 4096
#define SYNCS 32
#define SWITCH_NS 20000 /* what a switch may take, on which the clocks need not agree */

/* A process's counters as it sees them. */
struct look {
	uint64_t cpu_ns, run_delay_ns, nvcsw, nivcsw, min_flt, maj_flt, migrations;
	uint64_t rchar, wchar, read_bytes, write_bytes;
	uint64_t rss_bytes;
};

/* What a victim leaves behind. */
struct told {
	struct look before, after;
	uint64_t blocked_ns[EV_BLOCK_CNT]; /* by its own clocks */
	uint64_t thread_cpu_ns[THREADS];
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The number behind `key` in a file of /proc; 0 when it is not there. */
static uint64_t number_of(const char *path, const char *key)
{
	char text[8192] = "";
	int fd = open(path, O_RDONLY);
	const char *at;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key) + strspn(at + strlen(key), " \t:"), NULL, 10) : 0;
}

/* The second number of a thread's schedstat. */
static uint64_t run_delay(const char *path)
{
	unsigned long long on = 0, waited = 0;
	FILE *f = fopen(path, "re");

	if (f && fscanf(f, "%llu %llu", &on, &waited) != 2)
		waited = 0;
	if (f)
		fclose(f);
	return waited;
}

static void look_at_self(struct look *l, const pid_t *tids, size_t cnt)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	*l = (struct look){
		.nvcsw = u.ru_nvcsw,
		.nivcsw = u.ru_nivcsw,
		.min_flt = u.ru_minflt,
		.maj_flt = u.ru_majflt,
		.rchar = number_of("/proc/self/io", "rchar"),
		.wchar = number_of("/proc/self/io", "wchar"),
		.read_bytes = number_of("/proc/self/io", "read_bytes"),
		.write_bytes = number_of("/proc/self/io", "write_bytes"),
		.rss_bytes = number_of("/proc/self/status", "VmRSS") * 1024,
	};
	for (size_t i = 0; i < cnt; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tids[i]);
		l->run_delay_ns += run_delay(path);
	}
	l->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static struct told *told_map(int fd)
{
	return mmap(NULL, sizeof(struct told), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* --- victims */

struct worker {
	pthread_t thread;
	pid_t tid;
	int stop[2], ready[2];
};

/* That much time on CPU.  Seldom yields: beside busy programs each may last for as long as they are let run. */
static void compute(clockid_t clock, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 10) {
		uint64_t until = clock_ns(clock) + 10000000;

		while (clock_ns(clock) < until)
			;
		sched_yield();
	}
}

/* Takes some of everything, then waits for its end. */
static void *work(void *arg)
{
	struct worker *w = arg;
	char byte = 0;

	w->tid = (pid_t)syscall(SYS_gettid);
	for (int i = 0; i < 20; i++)
		usleep(1000);
	compute(CLOCK_THREAD_CPUTIME_ID, 20);
	if (write(w->ready[1], &byte, 1) != 1 || read(w->stop[0], &byte, 1) != 1)
		abort();
	return NULL;
}

static void touch(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, bytes);
	munmap(p, bytes);
}

static int victim_counters(struct told *told)
{
	struct worker w[THREADS];
	pid_t tids[THREADS + 1] = { getpid() };
	char byte = 0;
	pid_t child;

	for (int i = 0; i < THREADS; i++) {
		if (pipe(w[i].stop) || pipe(w[i].ready))
			return 1;
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		if (read(w[i].ready[0], &byte, 1) != 1)
			return 1;
		tids[i + 1] = w[i].tid;
	}
	touch(8 << 20);
	usleep(20000); /* the others sleep, and what was told before is old */
	look_at_self(&told->before, tids, THREADS + 1);
	child = fork();
	if (child == 0)
		_exit(0);
	look_at_self(&told->after, tids, THREADS + 1);
	waitpid(child, NULL, 0);
	for (int i = 0; i < THREADS; i++) {
		if (write(w[i].stop[1], &byte, 1) != 1)
			return 1;
		pthread_join(w[i].thread, NULL);
	}
	return 0;
}

struct stopwatch {
	uint64_t wall, cpu, delay;
};

/* Not preempted between the three: they are of one time. */
static struct stopwatch watch_now(void)
{
	struct stopwatch w;
	uint64_t again = run_delay("/proc/thread-self/schedstat");

	do {
		w.delay = again;
		w.wall = clock_ns(CLOCK_MONOTONIC);
		w.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		again = run_delay("/proc/thread-self/schedstat");
	} while (again != w.delay);
	return w;
}

/* What a thread was blocked since then. */
static uint64_t watch_stop(const struct stopwatch *from)
{
	struct stopwatch to = watch_now();
	uint64_t off = to.wall - from->wall - (to.cpu - from->cpu), delay = to.delay - from->delay;

	return off > delay ? off - delay : 0;
}

/* Both ends of a connection, and who writes a byte into one a while after it got one. */
static int answerer(int type, int sv[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int listener;

	if (type == AF_UNIX)
		return socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&a, sizeof(a)) || listen(listener, 1) ||
	    getsockname(listener, (void *)&a, &len))
		return -1;
	sv[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(sv[0], (void *)&a, sizeof(a)))
		return -1;
	sv[1] = accept(listener, NULL, NULL);
	close(listener);
	return sv[1] < 0 ? -1 : 0;
}

/* read waits on fd, which gets a byte each time that one was written to ask. */
struct other {
	int ask, fd;
};

static void *answer_all(void *arg)
{
	const struct other *o = arg;
	char byte;

	while (read(o->ask, &byte, 1) == 1) {
		usleep(WAIT_MS * 1000);
		if (write(o->fd, &byte, 1) != 1)
			break;
	}
	return NULL;
}

static uint64_t wait_read(int ask, int fd)
{
	struct stopwatch w;
	char byte = 0;

	if (write(ask, &byte, 1) != 1)
		abort();
	w = watch_now();
	if (read(fd, &byte, 1) != 1)
		abort();
	return watch_stop(&w);
}

static uint64_t wait_futex(void)
{
	struct timespec ts = { .tv_nsec = WAIT_MS * 1000000 };
	struct stopwatch w = watch_now();
	uint32_t word = 0;

	syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0);
	return watch_stop(&w);
}

static uint64_t wait_poll(int round, int epfd)
{
	struct stopwatch w = watch_now();
	struct epoll_event ev;

	if (round % 2)
		poll(NULL, 0, WAIT_MS);
	else
		epoll_wait(epfd, &ev, 1, WAIT_MS);
	return watch_stop(&w);
}

static uint64_t wait_sleep(void)
{
	struct timespec ts = { .tv_nsec = WAIT_MS * 1000000 };
	struct stopwatch w = watch_now();

	nanosleep(&ts, NULL);
	return watch_stop(&w);
}

static uint64_t wait_child(unsigned int ms)
{
	struct stopwatch w;
	pid_t pid = fork();

	if (pid == 0) {
		usleep(ms * 1000);
		_exit(0);
	}
	w = watch_now();
	waitpid(pid, NULL, 0);
	return watch_stop(&w);
}

/* Little data, so that next to nothing of it is work. */
static uint64_t wait_disk(int fd)
{
	static char block[DISK_BYTES] __attribute__((aligned(4096)));
	struct stopwatch w = watch_now();

	for (int i = 0; i < SYNCS; i++)
		if (pwrite(fd, block, sizeof(block), i * DISK_BYTES) != sizeof(block) || fsync(fd))
			return 0;
	return watch_stop(&w);
}

/* A fork makes a record, and so the totals before it, when the last ones are old. */
static uint64_t mark(void)
{
	wait_sleep();
	return wait_child(0);
}

/* Waits in every way there is; the main thread alone does, others' waits would be in the sum. */
static int wait_all(struct told *told, const struct other *pipe_to, const struct other *net_to)
{
	char name[] = "/var/tmp/ringspan-sched-XXXXXX";
	int epfd = epoll_create1(0), file = mkostemp(name, O_DIRECT);
	uint64_t marked = 0;

	unlink(name);
	for (int i = 0; i <= ROUNDS; i++) {
		if (i == 1) { /* what the first round needs from the disk is there */
			memset(told, 0, sizeof(*told));
			marked = mark();
		}
		told->blocked_ns[EV_BLOCK_PIPE] += wait_read(pipe_to->ask, pipe_to->fd);
		told->blocked_ns[EV_BLOCK_NETWORK] += wait_read(net_to->ask, net_to->fd);
		told->blocked_ns[EV_BLOCK_LOCK] += wait_futex();
		told->blocked_ns[EV_BLOCK_POLL] += wait_poll(i, epfd);
		told->blocked_ns[EV_BLOCK_SLEEP] += wait_sleep();
		told->blocked_ns[EV_BLOCK_CHILD] += wait_child(WAIT_MS);
		if (file >= 0)
			told->blocked_ns[EV_BLOCK_DISK] += wait_disk(file);
	}
	told->blocked_ns[EV_BLOCK_SLEEP] += wait_sleep();
	told->blocked_ns[EV_BLOCK_CHILD] += marked;
	wait_child(0);
	return 0;
}

/* Who answers is a process of its own. */
static int victim_blocks(struct told *told)
{
	int ask_pipe[2], ask_net[2], to[2], net[2];
	struct other pipe_to, net_to;

	if (pipe(ask_pipe) || pipe(ask_net) || pipe(to) || answerer(AF_INET, net))
		return 1;
	for (int i = 0; i < 2; i++) {
		struct other o = i ? (struct other){ ask_net[0], net[1] }
				   : (struct other){ ask_pipe[0], to[1] };

		if (fork())
			continue;
		close(ask_pipe[1]);
		close(ask_net[1]);
		answer_all(&o);
		_exit(0);
	}
	pipe_to = (struct other){ ask_pipe[1], to[0] };
	net_to = (struct other){ ask_net[1], net[0] };
	return wait_all(told, &pipe_to, &net_to);
}

/* A thread that waits all the time, while the other one tells. */
static void *wait_long(void *arg)
{
	poll(NULL, 0, 10 * WAIT_MS);
	return arg;
}

static int victim_goes_on(void)
{
	pthread_t other;

	pthread_create(&other, NULL, wait_long, NULL);
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
		usleep(WAIT_MS * 1000);
	}
	pthread_join(other, NULL);
	return 0;
}

static int victim_burn(void)
{
	compute(CLOCK_PROCESS_CPUTIME_ID, 300);
	return 0;
}

struct burner {
	uint64_t *cpu_ns;
	int i;
};

static void *burn_and_sleep(void *arg)
{
	struct timespec nap = { 0, 2 * WAIT_MS * 1000000 };
	struct burner *b = arg;
	char name[16];

	snprintf(name, sizeof(name), "burn%d", b->i);
	pthread_setname_np(pthread_self(), name);
	nanosleep(&nap, NULL);
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < (uint64_t)(b->i + 1) * 30 * 1000000)
		continue;
	b->cpu_ns[b->i] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static int victim_threads(struct told *told)
{
	struct burner b[THREADS];
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++) {
		b[i] = (struct burner){ told->thread_cpu_ns, i };
		if (pthread_create(&t[i], NULL, burn_and_sleep, &b[i]))
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return 0;
}

static int run_victim(const char *name)
{
	struct told *told = told_map(TOLD_FD);

	if (strcmp(name, "counters") == 0)
		return victim_counters(told);
	if (strcmp(name, "blocks") == 0)
		return victim_blocks(told);
	if (strcmp(name, "goes_on") == 0)
		return victim_goes_on();
	if (strcmp(name, "burn") == 0)
		return victim_burn();
	if (strcmp(name, "threads") == 0)
		return victim_threads(told);
	return 2;
}

/* --- tests */

static struct told *run(struct trace *t, const char *name)
{
	struct told *told = told_map(TOLD_FD);

	memset(told, 0, sizeof(*told));
	trace_clear(t);
	trace_victim(t, name, NULL);
	assert_true(WIFEXITED(t->status));
	assert_int_equal(WEXITSTATUS(t->status), 0);
	return told;
}

/* The last USAGE of the victim before that record. */
static const struct ev_usage *usage_before(const struct trace *t, const void *rec)
{
	const struct ev_usage *last = NULL;

	for (size_t i = 0; i < t->cnt && (const void *)t->recs[i] != rec; i++)
		if (t->recs[i]->kind == EV_USAGE && t->recs[i]->tgid == (__u32)t->pid)
			last = (const void *)t->recs[i];
	assert_non_null(last);
	return last;
}

static void counters_are_those_of_proc(void **state)
{
	struct trace *t = *state;
	const struct told *told = run(t, "counters");
	const struct ev_usage *u = usage_before(t, trace_rec(t, EV_FORK, t->pid, 0));
	const struct look *a = &told->before, *b = &told->after;

	printf("# nvcsw %llu in %lu..%lu, min_flt %llu in %lu..%lu, rchar %llu in %lu..%lu\n",
	       u->nvcsw, a->nvcsw, b->nvcsw, u->min_flt, a->min_flt, b->min_flt, u->rchar, a->rchar,
	       b->rchar);
	printf("# cpu %llu in %lu..%lu, run delay %llu in %lu..%lu, rss %llu, %lu\n", u->cpu_ns,
	       a->cpu_ns, b->cpu_ns, u->run_delay_ns, a->run_delay_ns, b->run_delay_ns,
	       u->rss_bytes, a->rss_bytes);
	assert_in_range(u->nvcsw, a->nvcsw, b->nvcsw);
	assert_in_range(u->nivcsw, a->nivcsw, b->nivcsw);
	assert_in_range(u->min_flt, a->min_flt, b->min_flt);
	assert_in_range(u->maj_flt, a->maj_flt, b->maj_flt);
	assert_in_range(u->rchar, a->rchar, b->rchar);
	assert_in_range(u->wchar, a->wchar, b->wchar);
	assert_in_range(u->read_bytes, a->read_bytes, b->read_bytes);
	assert_in_range(u->write_bytes, a->write_bytes, b->write_bytes);
	assert_in_range(u->run_delay_ns, a->run_delay_ns, b->run_delay_ns);
	assert_in_range(u->cpu_ns, a->cpu_ns, b->cpu_ns + TICK);
	assert_in_range(u->rss_bytes, a->rss_bytes - a->rss_bytes / 4, b->rss_bytes + (1 << 20));
	assert_true(u->rss_peak_bytes >= 8 << 20);
}

/* What a hypervisor took of all CPUs: to a thread's clocks that looks like a wait. */
static uint64_t stolen_ns(void)
{
	unsigned long long of[8] = { 0 };
	FILE *f = fopen("/proc/stat", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &of[0], &of[1],
				&of[2], &of[3], &of[4], &of[5], &of[6], &of[7]),
			 8);
	fclose(f);
	return of[7] * TICK;
}

static void blocked_by_cause(void **state)
{
	static const char *const names[] = {
#define X(name, id) [id] = #name,
		EV_BLOCKS(X)
#undef X
	};
	struct trace *t = *state;
	uint64_t stolen = stolen_ns();
	const struct told *told = run(t, "blocks");
	const void *from = trace_rec(t, EV_FORK, t->pid, 3), *to = from;
	const struct ev_usage *a, *b;

	for (size_t n = 4; trace_rec(t, EV_FORK, t->pid, n); n++)
		to = trace_rec(t, EV_FORK, t->pid, n);
	a = usage_before(t, from);
	b = usage_before(t, to);
	stolen = stolen_ns() - stolen;
	for (int i = 0; i < EV_BLOCK_CNT; i++) {
		printf("# %-8s %9.3f ms, own clocks %9.3f ms\n", names[i],
		       (b->blocked_ns[i] - a->blocked_ns[i]) / 1e6, told->blocked_ns[i] / 1e6);
	}
	for (int i = 0; i < EV_BLOCK_CNT; i++) {
		uint64_t own = told->blocked_ns[i], least = own - own / 20;
		uint64_t most = own + own / 20 + 2000000;

		if (i == EV_BLOCK_DISK)
			most += 2ull * SYNCS * ROUNDS * SWITCH_NS;
		if (i == EV_BLOCK_OTHER || i == EV_BLOCK_TERMINAL)
			continue;
		least = least > stolen + 2000000 ? least - stolen - 2000000 : 0;
		assert_in_range(b->blocked_ns[i] - a->blocked_ns[i], least, most);
	}
}

/* A wait that goes on counts up to the time when it is told. */
static void waits_that_go_on(void **state)
{
	struct trace *t = *state;
	uint64_t last = 0, began = 0;
	const struct ev_usage *u;
	int grew = 0;

	run(t, "goes_on");
	for (size_t n = 0; (u = trace_rec(t, EV_USAGE, t->pid, n)); n++) {
		uint64_t now = u->blocked_ns[EV_BLOCK_POLL];

		assert_true(now >= last);
		if (!began)
			began = u->hdr.ts;
		assert_true(now <= u->hdr.ts - began + 1000000); /* one thread does */
		if (now > last)
			grew++;
		last = now;
	}
	assert_true(grew >= 4);
	assert_true(last >= 9ull * WAIT_MS * 1000000);
}

static void told_while_it_computes(void **state)
{
	struct trace *t = *state;
	const struct ev_usage *last;
	const struct ev_exit *e;
	size_t n = 0;

	run(t, "burn");
	while (trace_rec(t, EV_USAGE, t->pid, n))
		n++;
	e = trace_rec(t, EV_EXIT, t->pid, 0);
	assert_non_null(e);
	last = usage_before(t, e);
	printf("# %zu records, cpu %llu, at exit %llu\n", n, last->cpu_ns, e->cpu_ns);
	assert_true(last->hdr.ts <= e->hdr.ts);
	assert_int_equal(last->nvcsw, e->nvcsw);
	assert_int_equal(last->rchar, e->rchar);
	assert_int_equal(last->min_flt, e->min_flt);
	assert_in_range(last->cpu_ns, 300000000, e->cpu_ns + TICK);
}

/* Each by its own clock; the time on CPU since the last tick is not in the record. */
static void threads_tell_what_they_took(void **state)
{
	struct trace *t = *state;
	const struct told *told = run(t, "threads");
	const struct ev_threads *e;
	int i, seen = 0;

	for (size_t n = 0; (e = trace_rec(t, EV_THREADS, t->pid, n)); n++) {
		assert_int_equal(event_check(e, e->hdr.size), 0);
		assert_true(e->cpu_ns <= e->hdr.ts - e->begin_ts);
		if (sscanf(e->comm, "burn%d", &i) != 1)
			continue;
		seen++;
		assert_int_not_equal(e->hdr.tid, e->hdr.tgid);
		assert_true(e->cpu_ns + TICK >= told->thread_cpu_ns[i]);
		assert_true(e->cpu_ns <= told->thread_cpu_ns[i] + TICK);
		assert_in_range(e->blocked_ns[EV_BLOCK_SLEEP], (2 * WAIT_MS - 1) * 1000000ull,
				e->hdr.ts - e->begin_ts);
	}
	assert_int_equal(seen, THREADS);
}

static int setup_old(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_no_task_storage = true });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_are_those_of_proc),
		cmocka_unit_test(blocked_by_cause),
		cmocka_unit_test(waits_that_go_on),
		cmocka_unit_test(told_while_it_computes),
		cmocka_unit_test(threads_tell_what_they_took),
	};
	int fd, failed;

	if (argc > 1)
		return run_victim(argv[1]);
	if (trace_skip())
		return SKIP;
	fd = memfd_create("told", 0);
	if (fd < 0 || ftruncate(fd, sizeof(struct told)) || dup2(fd, TOLD_FD) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("task storage", tests, trace_setup, trace_teardown);
	return failed + cmocka_run_group_tests_name("a table", tests, setup_old, trace_teardown);
}
