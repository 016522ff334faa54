// SPDX-License-Identifier: BSD-2-Clause
/* attach: records processes that run already, or that match, and all that they start. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include "base/log.h"
#include "cli/container.h"
#include "cli/live.h"

#define STEP_MS 100
#define LINGER_NS 300000000ull /* for what the processes left behind */

struct attach_opts {
	struct live_opts live;
	struct opt_pids pids;
	const char *comm, *exe, *cgroup, *container;
	bool all;
	uint64_t duration_ns;
};

static const struct opt attach_options[] = {
	{ "pid", 'p', OPT_PID, offsetof(struct attach_opts, pids), "PID",
	  "the process; may be given several times" },
	{ "all", 'a', OPT_FLAG, offsetof(struct attach_opts, all), NULL,
	  "find the agents by what they do, among all processes or those that match" },
	{ "comm", 0, OPT_STR, offsetof(struct attach_opts, comm), "PATTERN",
	  "processes of that name, as `ps -o comm` has it; * and ? are understood" },
	{ "exe", 0, OPT_STR, offsetof(struct attach_opts, exe), "PATTERN",
	  "processes that run such a file: a whole path, with * ? [...]" },
	{ "cgroup", 0, OPT_STR, offsetof(struct attach_opts, cgroup), "DIR",
	  "processes in or below a control group, a folder of /sys/fs/cgroup" },
	{ "container", 0, OPT_STR, offsetof(struct attach_opts, container), "ID",
	  "processes of a container: the first digits of its id" },
	{ "duration", 'd', OPT_DURATION, offsetof(struct attach_opts, duration_ns), "TIME",
	  "stop after so long (10s, 5m)" },
	LIVE_OPTS,
	FUNC_OPTS(struct attach_opts, live.funcs),
	{ 0 },
};

struct targets {
	struct pollfd fds[OPT_PIDS_MAX]; /* pidfds: readable when the process has ended */
	size_t cnt;
};

/* All are found before anything is done, so that a slip of the pen changes nothing. */
static int open_targets(struct targets *t, const struct opt_pids *pids)
{
	for (size_t i = 0; i < pids->cnt; i++) {
		int pid = pids->pid[i], fd = (int)syscall(SYS_pidfd_open, pid, 0);

		if (fd < 0 && errno == ESRCH)
			return log_err(-ESRCH, "no process %d; `ps -e` lists those that run", pid);
		if (fd < 0 && errno == EINVAL)
			return log_err(-EINVAL, "%d is a thread, not a process", pid);
		if (fd < 0)
			return log_err(-errno, "process %d: %s", pid, strerror(errno));
		t->fds[t->cnt++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	return 0;
}

static void close_targets(struct targets *t)
{
	for (size_t i = 0; i < t->cnt; i++)
		close(t->fds[i].fd);
}

static bool all_ended(struct targets *t)
{
	return poll(t->fds, t->cnt, 0) == (int)t->cnt;
}

/* How many are watched; those that ended meanwhile are not, and have been told. */
static size_t watch(struct live *l, const struct opt_pids *pids)
{
	size_t cnt = 0;

	for (size_t i = 0; i < pids->cnt; i++)
		cnt += monitor_watch(live_monitor(l), pids->pid[i], EV_RUN_ATTACH) == 0;
	return cnt;
}

/* Until a signal or the end of the time: what matches may start at any moment. */
static int follow_matching(struct live *l, const struct attach_opts *o)
{
	uint64_t began = live_now();
	struct signalfd_siginfo sig;

	for (;;) {
		int ret = live_step(l, STEP_MS, &sig);

		if (ret < 0)
			return ret;
		if (ret && sig.ssi_signo != SIGCHLD)
			return 0;
		if (o->duration_ns && live_now() - began >= o->duration_ns)
			return 0;
	}
}

/* Until a signal, the end of the time, or that of the processes and of what they left behind. */
static int follow(struct live *l, struct targets *t, const struct attach_opts *o, size_t runs)
{
	uint64_t began = live_now(), ended = 0;
	struct signalfd_siginfo sig;

	for (;;) {
		int ret = live_step(l, STEP_MS, &sig);
		uint64_t now = live_now();

		if (ret < 0)
			return ret;
		if (ret && sig.ssi_signo != SIGCHLD)
			return 0;
		if (o->duration_ns && now - began >= o->duration_ns)
			return 0;
		if (live_over(l, runs))
			return 0;
		if (!ended && all_ended(t))
			ended = now;
		if (ended && now - ended >= LINGER_NS)
			return 0;
	}
}

static int record_targets(struct live *l, struct targets *t, const struct attach_opts *o)
{
	size_t runs = watch(l, &o->pids);
	int err;

	if (!runs || live_confine(l))
		return EXIT_NOTHING;
	fprintf(stderr, "attached to %zu process%s; Ctrl-C ends it\n", runs, runs == 1 ? "" : "es");
	err = follow(l, t, o, runs);
	return live_end(l) || err ? EXIT_NOTHING : EXIT_FINE;
}

static bool has_filters(const struct attach_opts *o)
{
	return o->comm || o->exe || o->cgroup || o->container;
}

static bool is_matching(const struct attach_opts *o)
{
	return o->all || has_filters(o);
}

static int record_matching(struct live *l, const struct attach_opts *o, const struct containers *c)
{
	struct probe_select sel = { .comm = o->comm, .exe = o->exe, .quiet = o->all };
	int n, err;

	if (o->cgroup) {
		sel.cgroups = &o->cgroup;
		sel.cgroup_cnt = 1;
	} else if (o->container) {
		sel.cgroups = (const char *const *)c->dirs;
		sel.cgroup_cnt = c->cnt;
	}
	n = monitor_select(live_monitor(l), &sel);
	if (n < 0 || live_confine(l))
		return EXIT_NOTHING;
	fprintf(stderr, "%s %d process%s, and %sthose that will %s; Ctrl-C ends it\n",
		o->all ? "looking for agents among" : "attached to", n, n == 1 ? "" : "es",
		o->all ? "" : "to ", has_filters(o) ? "match" : "start");
	err = follow_matching(l, o);
	return live_end(l) || err ? EXIT_NOTHING : EXIT_FINE;
}

static int attach_matching(struct attach_opts *o)
{
	struct containers c = { .cnt = 0 };
	struct live *l = NULL;
	int code = EXIT_NOTHING;

	if (o->pids.cnt || (o->cgroup && o->container)) {
		log_err(-EINVAL, "%s",
			o->pids.cnt ? "-p names processes, the other options find them: "
				      "use one of the two"
				    : "a container is a cgroup: give one of the two");
		return EXIT_USAGE;
	}
	o->live.discover = o->all;
	if ((!o->container || !containers_find(&c, o->container)) && !live_new(&l, &o->live))
		code = record_matching(l, o, &c);
	live_free(&l);
	containers_fini(&c);
	return code;
}

static int run_attach(void *opts, int argc, char **argv)
{
	struct attach_opts *o = opts;
	struct targets t = { .cnt = 0 };
	struct live *l = NULL;
	int code = EXIT_NOTHING;

	if (argc || (!o->pids.cnt && !is_matching(o))) {
		log_err(-EINVAL, "%s%swant -p PID, --all, or a pattern such as --comm claude",
			argc ? argv[0] : "", argc ? ": " : "");
		return EXIT_USAGE;
	}
	if (live_read_opts(&o->live))
		return EXIT_USAGE;
	if (is_matching(o))
		return attach_matching(o);
	if (!open_targets(&t, &o->pids) && !live_new(&l, &o->live))
		code = record_targets(l, &t, o);
	live_free(&l);
	close_targets(&t);
	return code;
}

const struct cmd cmd_attach = {
	.name = "attach",
	.args = "-p PID ... | --all | --comm PATTERN | --exe PATTERN | --cgroup DIR | --container "
		"ID",
	.help = "record processes that run already, and all that they start",
	.more = "A process must match all the options that are given but -p.  Each that does is a "
		"run of its\n"
		"own, unless it descends from another one.  With --all only those become runs "
		"which call a\n"
		"model API or are clients of MCP or A2A, with all that they start; nothing is kept "
		"of others.\n",
	.opts = attach_options,
	.opts_sz = sizeof(struct attach_opts),
	.run = run_attach,
};
