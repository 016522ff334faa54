// SPDX-License-Identifier: BSD-2-Clause
/* attach: records processes that run already, and all that they start. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include "base/log.h"
#include "cli/live.h"

#define STEP_MS 100
#define LINGER_NS 300000000ull /* for what the processes left behind */

struct attach_opts {
	struct live_opts live;
	struct opt_pids pids;
	uint64_t duration_ns;
};

static const struct opt attach_options[] = {
	{ "pid", 'p', OPT_PID, offsetof(struct attach_opts, pids), "PID",
	  "the process; may be given several times" },
	{ "duration", 'd', OPT_DURATION, offsetof(struct attach_opts, duration_ns), "TIME",
	  "stop after so long (10s, 5m)" },
	LIVE_OPTS,
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
		cnt += probe_watch(live_probe(l), pids->pid[i], EV_RUN_ATTACH) == 0;
	return cnt;
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

	if (!runs)
		return EXIT_NOTHING;
	fprintf(stderr, "attached to %zu process%s; Ctrl-C ends it\n", runs, runs == 1 ? "" : "es");
	err = follow(l, t, o, runs);
	return live_end(l) || err ? EXIT_NOTHING : EXIT_FINE;
}

static int run_attach(void *opts, int argc, char **argv)
{
	struct attach_opts *o = opts;
	struct targets t = { .cnt = 0 };
	struct live *l = NULL;
	int code = EXIT_NOTHING;

	if (argc || !o->pids.cnt) {
		log_err(-EINVAL, "%s%swant -p PID", argc ? argv[0] : "", argc ? ": " : "");
		return EXIT_USAGE;
	}
	if (!open_targets(&t, &o->pids) && !live_new(&l, &o->live))
		code = record_targets(l, &t, o);
	live_free(&l);
	close_targets(&t);
	return code;
}

const struct cmd cmd_attach = {
	.name = "attach",
	.args = "-p PID [-p PID ...]",
	.help = "record processes that run already, and all that they start",
	.opts = attach_options,
	.opts_sz = sizeof(struct attach_opts),
	.run = run_attach,
};
