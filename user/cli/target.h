/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes of the machine a verb is about: options for that, and beginning to trace them. */
#ifndef RINGSPAN_CLI_TARGET_H
#define RINGSPAN_CLI_TARGET_H

#include <poll.h>
#include "cli/container.h"
#include "cli/live.h"

struct target_opts {
	struct opt_pids pids;
	const char *comm, *exe, *cgroup, *container;
	bool all; /* the agents among them: live_opts.discover is to be the same */
};

/* For the option table of a verb whose option struct has a target_opts at `at`. */
#define TARGET_OPTS(at)                                                                            \
	{ "pid",   'p',                                                                            \
	  OPT_PID, (at) + offsetof(struct target_opts, pids),                                      \
	  "PID",   "the process; may be given several times" },                                    \
		{ "all",                                                                           \
		  'a',                                                                             \
		  OPT_FLAG,                                                                        \
		  (at) + offsetof(struct target_opts, all),                                        \
		  NULL,                                                                            \
		  "find the agents by what they do, among all processes or those that match" },    \
		{ "comm",                                                                          \
		  0,                                                                               \
		  OPT_STR,                                                                         \
		  (at) + offsetof(struct target_opts, comm),                                       \
		  "PATTERN",                                                                       \
		  "processes of that name, as `ps -o comm` has it; * and ? are understood" },      \
		{ "exe",     0,                                                                    \
		  OPT_STR,   (at) + offsetof(struct target_opts, exe),                             \
		  "PATTERN", "processes that run such a file: a whole path, with * ? [...]" },     \
		{ "cgroup", 0,                                                                     \
		  OPT_STR,  (at) + offsetof(struct target_opts, cgroup),                           \
		  "DIR",    "processes in or below a control group, a folder of /sys/fs/cgroup" }, \
	{                                                                                          \
		"container", 0, OPT_STR, (at) + offsetof(struct target_opts, container), "ID",     \
			"processes of a container: the first digits of its id"                     \
	}

bool target_has_filters(const struct target_opts *o);
bool target_is_matching(const struct target_opts *o); /* else by pid, or nothing was said */
int target_check(const struct target_opts *o);        /* -EINVAL, logged: they contradict */

struct targets {
	const struct target_opts *opts;
	struct pollfd fds[OPT_PIDS_MAX]; /* pidfds: readable when the process has ended */
	size_t cnt;
	struct containers containers;
};

/*
 * All are found before anything is done, so that a slip of the pen changes nothing.  0 or -errno, logged;
 * to be closed in any case.
 */
int targets_open(struct targets *t, const struct target_opts *o);
void targets_close(struct targets *t);
/* How many processes are traced from now on, by what has confined itself; or -errno, logged. */
int targets_trace(const struct targets *t, struct live *l);
bool targets_ended(struct targets *t); /* all that were named by their pids */

#endif
