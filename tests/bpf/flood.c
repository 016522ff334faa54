/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More records than the ring has room for, from one CPU and from each, while nobody reads them: of every
 * kind, and of the bytes, what was made is exactly what came and what was lost by cause.
 */
#include "trace.h"
#include "victim.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include "probe/monitor.h"
#include "probe/status.h"

#define PIECES 4000
#define PIECE 200
#define LARGE 300000 /* over the cap of a call */
#define CALL_CAP 100000
#define CPUS_MAX 4
#define WAIT_NS RUN_NS

static const char head[] =
	"POST /flood HTTP/1.1\r\nHost: flood\r\nContent-Length: 1000000000\r\n\r\n";

/* --- the victims */

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	need(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static void pass_on(const int ends[2], const void *bytes, size_t n)
{
	static char got[LARGE];
	size_t sent = 0;

	while (sent < n) {
		ssize_t w = write(ends[0], (const char *)bytes + sent, n - sent), r;

		need(w > 0);
		sent += (size_t)w;
		for (ssize_t left = w; left; left -= r) {
			r = read(ends[1], got, (size_t)left);
			need(r > 0);
		}
	}
}

/* The bytes of each, in both directions, are known: see MOVED. */
static void victim_flood(const char *cpu)
{
	static char piece[LARGE];
	int ends[2];

	pin(atoi(cpu));
	memset(piece, 'x', sizeof(piece));
	tcp_pair(ends);
	pass_on(ends, head, sizeof(head) - 1);
	for (int i = 0; i < PIECES; i++)
		pass_on(ends, piece, PIECE);
}

#define MOVED (2ull * (sizeof(head) - 1 + PIECES * PIECE))

/* One write over the cap of a call, of which all goes at once. */
static void victim_cap(const char *cpu)
{
	static char bytes[LARGE], got[LARGE];
	int ends[2], room = 4 * LARGE;
	size_t n = 0;

	pin(atoi(cpu));
	memset(bytes, 'y', sizeof(bytes));
	tcp_pair(ends);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(ends[1], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	pass_on(ends, head, sizeof(head) - 1);
	need(send(ends[0], bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	while (n < sizeof(bytes)) {
		ssize_t r = read(ends[1], got, sizeof(got));

		need(r > 0);
		n += (size_t)r;
	}
}

/* Starts all that it is told by "cpu" arguments, at once. */
static void victim_start(char **cpus)
{
	for (; *cpus; cpus++) {
		if (fork() == 0)
			execl("/proc/self/exe", "/proc/self/exe", "flood", *cpus, (char *)NULL);
	}
	while (wait(NULL) > 0)
		;
}

/* --- the test */

struct got {
	uint64_t cnt[EV_KERNEL_KINDS], bytes, said_lost;
	pid_t pid;
	bool ended;
};

static int count(void *ctx, const struct ev_hdr *rec)
{
	struct got *g = ctx;

	/* user space makes USAGE and SYSCALLS, too: those are held against nothing here */
	if (rec->kind < EV_KERNEL_KINDS)
		g->cnt[rec->kind]++;
	if (rec->kind == EV_DATA)
		g->bytes += ((const struct ev_data *)(const void *)rec)->len;
	g->said_lost += rec->lost;
	g->ended |= rec->kind == EV_EXIT && rec->tgid == (__u32)g->pid;
	return 0;
}

static bool is_made_by_kernel_alone(__u32 kind)
{
	return kind != EV_USAGE && kind != EV_SYSCALLS && kind != EV_SEEN;
}

static uint64_t bytes_lost(const struct probe_loss *l)
{
	uint64_t sum = 0;

	for (int i = 0; i < EV_LOST_CAUSES; i++)
		sum += l->e.bytes_lost[i];
	return sum;
}

/* made = delivered + lost, of each kind and of bytes; what came is what is said to have come. */
static void check_sums(const struct probe_loss *l, const struct got *g)
{
	uint64_t lost = 0;

	for (__u32 i = 0; i < l->e.kinds; i++) {
		const struct ev_kind_counts *k = &l->kinds[i];

		if (k->produced != k->delivered + k->lost_ring + k->lost_rate)
			fail_msg("kind %u: %llu made, %llu came, %llu and %llu lost", k->kind,
				 k->produced, k->delivered, k->lost_ring, k->lost_rate);
		if (is_made_by_kernel_alone(k->kind))
			assert_int_equal(k->delivered, g->cnt[k->kind]);
		lost += k->lost_ring;
	}
	assert_int_equal(l->e.ring_used, 0);
	assert_int_equal(l->e.bytes_sent, l->e.bytes_delivered);
	assert_int_equal(l->e.bytes_delivered, g->bytes);
	assert_int_equal(l->e.bytes, l->e.bytes_delivered + bytes_lost(l));
	/* what is lost last is told by no record */
	assert_true(g->said_lost <= lost);
}

static uint64_t lost_of(const struct probe_loss *l, __u32 kind)
{
	for (__u32 i = 0; i < l->e.kinds; i++)
		if (l->kinds[i].kind == kind)
			return l->kinds[i].lost_ring;
	return 0;
}

/* CPUs of this process's own set, as texts. */
static size_t cpus_of(char texts[CPUS_MAX][8])
{
	cpu_set_t set;
	size_t n = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int i = 0; i < CPU_SETSIZE && n < CPUS_MAX; i++)
		if (CPU_ISSET(i, &set))
			snprintf(texts[n++], 8, "%d", i);
	return n;
}

/* Records that victim, lets nobody read until all is over, and holds the sums against each other. */
static void record(char *const argv[], const struct probe_cfg *cfg, struct probe_loss *l)
{
	struct probe *p = NULL;
	struct got g = { 0 };
	int go, status;

	assert_int_equal(probe_new(&p, cfg), 0);
	g.pid = trace_start(argv, &go);
	assert_int_equal(probe_watch(p, g.pid, EV_RUN_RECORD), 0);
	trace_let_go(go);
	assert_int_equal(waitpid(g.pid, &status, 0), g.pid);
	assert_int_equal(status, 0);
	while (probe_poll(p, 0, count, &g) > 0)
		;
	assert_int_equal(probe_loss(p, l), 0);
	check_sums(l, &g);
	probe_free(&p);
}

static void flood(size_t cpu_cnt, char texts[CPUS_MAX][8], size_t ring)
{
	char *argv[3 + CPUS_MAX] = { TRACE_SELF, "start" };
	struct probe_loss l;

	for (size_t i = 0; i < cpu_cnt; i++)
		argv[2 + i] = texts[i];
	record(argv, &(struct probe_cfg){ .ring_bytes = ring }, &l);
	assert_int_equal(l.e.bytes, cpu_cnt * MOVED);
	assert_int_equal(l.e.ring_bytes, ring);
	assert_true(l.e.ring_peak > 0 && l.e.ring_peak <= ring);
	assert_true(lost_of(&l, EV_DATA) > PIECES / 2);
	assert_true(l.e.bytes_lost[EV_LOST_RING_FULL] >= lost_of(&l, EV_DATA) * PIECE / 2);
	assert_true(l.e.ring_peak > ring / 2);
}

static void from_one_cpu(void **state)
{
	char texts[CPUS_MAX][8];

	(void)state;
	cpus_of(texts);
	flood(1, texts, 64u << 10);
}

static void from_each_cpu(void **state)
{
	char texts[CPUS_MAX][8];
	size_t n = cpus_of(texts);

	(void)state;
	flood(n, texts, 64u << 10);
}

static void calls_over_the_cap(void **state)
{
	char texts[CPUS_MAX][8], *argv[] = { TRACE_SELF, "cap", texts[0], NULL };
	struct probe_loss l;

	(void)state;
	cpus_of(texts);
	record(argv, &(struct probe_cfg){ .call_cap_bytes = CALL_CAP }, &l);
	assert_int_equal(l.e.bytes, 2 * (sizeof(head) - 1 + LARGE));
	/* the write is one call; reads may be several, below the cap or not */
	assert_true(l.e.bytes_lost[EV_LOST_CAP] >= LARGE - CALL_CAP);
	assert_int_equal(bytes_lost(&l), l.e.bytes_lost[EV_LOST_CAP]);
}

/* --- a reader that hangs */

struct told {
	pid_t wanted;
	struct status_told of;
	bool found;
};

static void on_status(void *ctx, const struct status_told *t)
{
	struct told *w = ctx;

	if (t->pid != w->wanted)
		return;
	w->of = *t;
	w->found = true;
}

/* In a process of its own, which looks at the one that hangs until it is told of a loss. */
static void look_at(pid_t recorder)
{
	uint64_t end = now_ns() + WAIT_NS;
	size_t hidden;

	while (now_ns() < end) {
		struct told w = { .wanted = recorder };

		need(status_each(on_status, &w, &hidden) >= 0);
		if (w.found && lost_of(&w.of.loss, EV_DATA) > 0 && w.of.fed.records == 7)
			_exit(0);
		usleep(50000);
	}
	_exit(2);
}

/* Its channel fills, then the ring; the monitor goes on to say so. */
static void to_a_reader_that_hangs(void **state)
{
	char texts[CPUS_MAX][8], *argv[3 + CPUS_MAX] = { TRACE_SELF, "start" };
	struct probe_cfg cfg = { .ring_bytes = 64u << 10 };
	uint64_t end = now_ns() + WAIT_NS;
	size_t n = cpus_of(texts);
	struct monitor *m = NULL;
	struct probe_loss l;
	struct got g = { 0 };
	int go, status;
	pid_t looker;

	(void)state;
	for (size_t i = 0; i < n; i++)
		argv[2 + i] = texts[i];
	assert_int_equal(monitor_new(&m, &cfg), 0);
	monitor_fed(m, &(struct status_fed){ .records = 7 });
	g.pid = trace_start(argv, &go);
	assert_int_equal(monitor_watch(m, g.pid, EV_RUN_RECORD), 0);
	looker = fork();
	assert_true(looker >= 0);
	if (!looker)
		look_at(getppid());
	trace_let_go(go);
	assert_int_equal(waitpid(g.pid, &status, 0), g.pid);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(looker, &status, 0), looker);
	assert_int_equal(status, 0);
	while (now_ns() < end && monitor_poll(m, -1, count, &g) > 0)
		;
	assert_int_equal(monitor_loss(m, &l), 0);
	check_sums(&l, &g);
	assert_int_equal(l.e.bytes, n * MOVED);
	assert_true(lost_of(&l, EV_DATA) > 0);
	monitor_free(&m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_one_cpu),
		cmocka_unit_test(from_each_cpu),
		cmocka_unit_test(calls_over_the_cap),
		cmocka_unit_test(to_a_reader_that_hangs),
	};

	if (argc > 2 && strcmp(argv[1], "start") == 0)
		victim_start(argv + 2);
	else if (argc == 3 && strcmp(argv[1], "flood") == 0)
		victim_flood(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "cap") == 0)
		victim_cap(argv[2]);
	else
		return trace_skip() ? SKIP : cmocka_run_group_tests(tests, NULL, NULL);
	return 0;
}
