/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that are found: by name, file and control group, when they run and when they start. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define WAIT_NS 3000000000ull

static char folder[] = "/tmp/select.XXXXXX";

static bool copied(const char *from, const char *to)
{
	char command[2 * PATH_MAX + 8];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	return system(command) == 0;
}

/* A program that waits, under that name. */
static const char *program(const char *name)
{
	static char path[PATH_MAX];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (access(path, F_OK))
		assert_true(link(self, path) == 0 || copied(self, path));
	return path;
}

static void enter(const char *cgroup)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(126);
	close(fd);
}

/* Starts a program that waits for its end, as a control group's member where one is given. */
static pid_t start(const char *name, const char *cgroup)
{
	const char *path = program(name);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cgroup)
		enter(cgroup);
	execl(path, name, "wait", NULL);
	_exit(127);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Until the kind has been seen of the process; false when it never is. */
static bool comes(struct trace *t, int kind, pid_t pid)
{
	uint64_t until = now_ns() + WAIT_NS;

	while (!trace_rec(t, kind, pid, 0) && now_ns() < until)
		trace_poll(t);
	return trace_rec(t, kind, pid, 0);
}

static bool runs_program(pid_t pid, const char *name)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = '\0';
	if (f)
		fclose(f);
	return strcmp(comm, name) == 0;
}

static void until_runs(pid_t pid, const char *name)
{
	uint64_t until = now_ns() + WAIT_NS;

	while (!runs_program(pid, name) && now_ns() < until)
		usleep(1000);
	assert_true(runs_program(pid, name));
}

static const struct ev_run *run_of(struct trace *t, pid_t pid)
{
	return trace_rec(t, EV_RUN, pid, 0);
}

/* One that runs and one that starts later are followed, each from a RUN on; others never. */
static void check(struct trace *t, const struct probe_select *sel, const char *cgroup, bool asked)
{
	pid_t before = start("rs-pick-1", cgroup), other = start("rs-other", NULL), later, last;
	size_t seen;

	until_runs(before, "rs-pick-1");
	until_runs(other, "rs-other");
	trace_clear(t);
	assert_int_equal(probe_select(t->p, sel), 1);
	assert_true(comes(t, EV_PROC, before));
	assert_non_null(run_of(t, before));
	later = start("rs-pick-2", cgroup);
	last = start("rs-other", NULL);
	assert_true(comes(t, asked ? EV_PROC : EV_EXEC, later));
	assert_non_null(run_of(t, later));
	assert_int_equal(run_of(t, later)->origin, EV_RUN_ATTACH);
	for (seen = 0; seen < t->cnt && t->recs[seen]->tgid != (__u32)later; seen++)
		;
	assert_true(seen < t->cnt);
	assert_int_equal(t->recs[seen]->kind, EV_RUN); /* the first that is told of it */
	end(before);
	end(later);
	end(other);
	end(last);
	assert_true(comes(t, EV_EXIT, before));
	assert_true(comes(t, EV_EXIT, later));
	for (size_t i = 0; i < t->cnt; i++) {
		assert_int_not_equal(t->recs[i]->tgid, other);
		assert_int_not_equal(t->recs[i]->tgid, last);
		assert_int_not_equal(t->recs[i]->tgid, getpid());
	}
}

static void by_name(void **state)
{
	check(*state, &(struct probe_select){ .comm = "rs-p?ck*" }, NULL, false);
}

static void by_file(void **state)
{
	char pattern[PATH_MAX];

	snprintf(pattern, sizeof(pattern), "%s/rs-pick-[12]", folder);
	check(*state, &(struct probe_select){ .exe = pattern }, NULL, true);
}

/* The unified hierarchy, or NULL. */
static const char *unified(void)
{
	static char dir[PATH_MAX];
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	while (f && (m = getmntent(f)))
		if (strcmp(m->mnt_type, "cgroup2") == 0)
			snprintf(dir, sizeof(dir), "%s", m->mnt_dir);
	if (f)
		endmntent(f);
	return dir[0] ? dir : NULL;
}

static void by_cgroup(void **state)
{
	char top[PATH_MAX + 32], below[PATH_MAX + 48];
	const char *dirs[] = { top };
	const char *root = unified();

	if (!root)
		skip();
	snprintf(top, sizeof(top), "%s/rs-select-%d", root, getpid());
	snprintf(below, sizeof(below), "%s/below", top);
	if (mkdir(top, 0755) || mkdir(below, 0755))
		skip();
	check(*state, &(struct probe_select){ .cgroups = dirs, .cgroup_cnt = 1 }, below, false);
	rmdir(below);
	rmdir(top);
}

/* --- quiet processes */

#define PART 200000 /* bytes that are moved before and after it is known to be an agent */
#define SHOWN 65536 /* QUIET_BYTES */

static char part[PART];

static void move_all(int fd, bool writes, size_t n)
{
	while (n) {
		ssize_t done = writes ? write(fd, part, n) : read(fd, part, n);

		if (done <= 0)
			_exit(125);
		n -= (size_t)done;
	}
}

/* Begins with that text, or reads; waits for a byte in between. */
static int victim_talk(const char *port, const char *begin)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = strlen(begin);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 1;
	if (n && write(fd, begin, n) != (ssize_t)n)
		return 1;
	move_all(fd, n, PART);
	if (n)
		move_all(fd, false, 1);
	move_all(fd, n, PART);
	return 0;
}

static int listen_here(char port[8])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(port, 8, "%d", ntohs(at.sin_port));
	return fd;
}

static uint64_t shown(const struct trace *t, pid_t pid, int dir)
{
	const struct ev_data *d;
	uint64_t sum = 0;

	for (size_t i = 0; (d = trace_rec(t, EV_DATA, pid, i)); i++)
		sum += d->dir == dir ? d->len : 0;
	return sum;
}

/* Starts rs-quiet, quiet from its exec on, which connects to *fd. */
static pid_t start_quiet(struct trace *t, const char *begin, int *fd)
{
	const struct probe_select sel = { .comm = "rs-quiet", .quiet = true };
	const char *path = program("rs-quiet");
	char port[8];
	int at = listen_here(port);
	pid_t pid;

	trace_clear(t);
	assert_int_equal(probe_select(t->p, &sel), 0);
	pid = fork();
	if (pid == 0) {
		execl(path, "rs-quiet", "talk", port, begin, NULL);
		_exit(127);
	}
	*fd = accept(at, NULL, NULL);
	close(at);
	return pid;
}

static void until_ended(struct trace *t, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(comes(t, EV_EXIT, pid));
	assert_null(run_of(t, pid));
}

static void first_bytes_of_a_client(void **state)
{
	const char *begin =
		"POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n";
	struct trace *t = *state;
	const struct ev_exec *e;
	int fd;
	pid_t pid = start_quiet(t, begin, &fd);

	move_all(fd, false, strlen(begin) + PART);
	for (int i = 0; i < 10; i++)
		trace_poll(t);
	assert_int_equal(shown(t, pid, EV_WRITE), SHOWN);
	e = trace_rec(t, EV_EXEC, pid, 0);
	assert_non_null(e);
	assert_int_equal(probe_tell_counts(t->p), 0);
	trace_poll(t);
	assert_null(trace_rec(t, EV_SYSCALLS, pid, 0)); /* nor are its calls counted */
	assert_int_equal(probe_loud(t->p, pid, e->hdr.start), 0);
	move_all(fd, true, 1);
	move_all(fd, false, PART);
	close(fd);
	until_ended(t, pid);
	assert_non_null(trace_rec(t, EV_SYSCALLS, pid, 0));
	assert_int_equal(shown(t, pid, EV_WRITE), SHOWN + PART);
	assert_int_equal(shown(t, pid, EV_READ), 1);
}

static void nothing_of_others(void **state)
{
	const char *begin = "\x16\x17 no protocol that is known";
	struct trace *t = *state;
	int fd;
	pid_t pid = start_quiet(t, begin, &fd);

	move_all(fd, false, strlen(begin) + PART);
	move_all(fd, true, 1);
	move_all(fd, false, PART);
	close(fd);
	until_ended(t, pid);
	assert_int_equal(shown(t, pid, EV_WRITE) + shown(t, pid, EV_READ), 0);
	assert_null(trace_rec(t, EV_SYSCALLS, pid, 0));
}

static void nothing_of_servers(void **state)
{
	static const char begin[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n";
	struct trace *t = *state;
	int fd;
	pid_t pid = start_quiet(t, "", &fd);

	assert_int_equal(write(fd, begin, sizeof(begin) - 1), sizeof(begin) - 1);
	move_all(fd, true, PART);
	move_all(fd, true, PART);
	close(fd);
	until_ended(t, pid);
	assert_int_equal(shown(t, pid, EV_WRITE) + shown(t, pid, EV_READ), 0);
}

static void what_cannot_be(void **state)
{
	const char *dirs[] = { "/tmp" }, *none[] = { "/sys/fs/cgroup/rs-there-is-none" };
	struct trace *t = *state;

	assert_int_equal(probe_select(t->p, &(struct probe_select){ .comm = "abcdefghijklmnop" }),
			 -EINVAL);
	assert_int_equal(probe_select(t->p,
				      &(struct probe_select){ .cgroups = dirs, .cgroup_cnt = 1 }),
			 -EINVAL);
	assert_int_equal(probe_select(t->p,
				      &(struct probe_select){ .cgroups = none, .cgroup_cnt = 1 }),
			 -ENOENT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),           cmocka_unit_test(by_file),
		cmocka_unit_test(by_cgroup),         cmocka_unit_test(first_bytes_of_a_client),
		cmocka_unit_test(nothing_of_others), cmocka_unit_test(nothing_of_servers),
		cmocka_unit_test(what_cannot_be),
	};
	char command[PATH_MAX];
	int failed;

	if (argc > 1 && strcmp(argv[1], "wait") == 0) {
		pause();
		_exit(0);
	}
	if (argc > 3 && strcmp(argv[1], "talk") == 0)
		_exit(victim_talk(argv[2], argv[3]));
	if (trace_skip())
		return SKIP;
	assert_non_null(mkdtemp(folder));
	failed = cmocka_run_group_tests(tests, trace_setup, trace_teardown);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) ? 1 : failed;
}
