// SPDX-License-Identifier: BSD-2-Clause
/* attach: records processes that run already, or that match, and all that they start. */
#include <errno.h>
#include <signal.h>
#include "base/log.h"
#include "cli/target.h"

#define STEP_MS 100
#define LINGER_NS 300000000ull /* for what the processes left behind */

struct attach_opts {
	struct live_opts live;
	struct target_opts target;
	uint64_t duration_ns;
};

static const struct opt attach_options[] = {
	TARGET_OPTS(offsetof(struct attach_opts, target)),
	{ "duration", 'd', OPT_DURATION, offsetof(struct attach_opts, duration_ns), "TIME",
	  "stop after so long (10s, 5m)" },
	LIVE_OPTS,
	FUNC_OPTS(struct attach_opts, live.funcs),
	{ 0 },
};

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
		if (!ended && targets_ended(t))
			ended = now;
		if (ended && now - ended >= LINGER_NS)
			return 0;
	}
}

static void say(const struct target_opts *o, int n)
{
	const char *plural = n == 1 ? "" : "es";

	if (target_is_matching(o))
		fprintf(stderr, "%s %d process%s, and %sthose that will %s; Ctrl-C ends it\n",
			o->all ? "looking for agents among" : "attached to", n, plural,
			o->all ? "" : "to ", target_has_filters(o) ? "match" : "start");
	else
		fprintf(stderr, "attached to %d process%s; Ctrl-C ends it\n", n, plural);
}

static int record_targets(struct live *l, struct targets *t, const struct attach_opts *o)
{
	int n = targets_trace(t, l), err;

	if (n < 0)
		return EXIT_NOTHING;
	say(&o->target, n);
	err = target_is_matching(&o->target) ? follow_matching(l, o) : follow(l, t, o, (size_t)n);
	return live_end(l) || err ? EXIT_NOTHING : EXIT_FINE;
}

static int run_attach(void *opts, int argc, char **argv)
{
	struct attach_opts *o = opts;
	struct live *l = NULL;
	int code = EXIT_NOTHING;
	struct targets t;

	if (argc || (!o->target.pids.cnt && !target_is_matching(&o->target))) {
		log_err(-EINVAL, "%s%swant -p PID, --all, or a pattern such as --comm claude",
			argc ? argv[0] : "", argc ? ": " : "");
		return EXIT_USAGE;
	}
	if (target_check(&o->target) || live_read_opts(&o->live))
		return EXIT_USAGE;
	o->live.discover = o->target.all;
	if (!targets_open(&t, &o->target) && !live_new(&l, &o->live))
		code = record_targets(l, &t, o);
	live_free(&l);
	targets_close(&t);
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
