// SPDX-License-Identifier: BSD-2-Clause
/* Which processes a verb is about: see target.h. */
#include "cli/target.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/log.h"

bool target_has_filters(const struct target_opts *o)
{
	return o->comm || o->exe || o->cgroup || o->container;
}

bool target_is_matching(const struct target_opts *o)
{
	return o->all || target_has_filters(o);
}

int target_check(const struct target_opts *o)
{
	if (o->pids.cnt && target_is_matching(o))
		return log_err(-EINVAL, "-p names processes, the other options find them: "
					"use one of the two");
	if (o->cgroup && o->container)
		return log_err(-EINVAL, "a container is a cgroup: give one of the two");
	return 0;
}

static int open_pids(struct targets *t, const struct opt_pids *pids)
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

int targets_open(struct targets *t, const struct target_opts *o)
{
	*t = (struct targets){ .opts = o };
	return o->container ? containers_find(&t->containers, o->container)
			    : open_pids(t, &o->pids);
}

void targets_close(struct targets *t)
{
	for (size_t i = 0; i < t->cnt; i++)
		close(t->fds[i].fd);
	containers_fini(&t->containers);
}

bool targets_ended(struct targets *t)
{
	return poll(t->fds, t->cnt, 0) == (int)t->cnt;
}

/* How many are watched; those that ended meanwhile are not, and have been told. */
static int trace_pids(const struct opt_pids *pids, struct live *l)
{
	int cnt = 0;

	for (size_t i = 0; i < pids->cnt; i++)
		cnt += monitor_watch(live_monitor(l), pids->pid[i], EV_RUN_ATTACH) == 0;
	return cnt ? cnt : -ESRCH;
}

static int trace_matching(const struct targets *t, struct live *l)
{
	const struct target_opts *o = t->opts;
	struct probe_select sel = { .comm = o->comm, .exe = o->exe, .quiet = o->all };

	if (o->cgroup) {
		sel.cgroups = &o->cgroup;
		sel.cgroup_cnt = 1;
	} else if (o->container) {
		sel.cgroups = (const char *const *)t->containers.dirs;
		sel.cgroup_cnt = t->containers.cnt;
	}
	return monitor_select(live_monitor(l), &sel);
}

int targets_trace(const struct targets *t, struct live *l)
{
	int n = target_is_matching(t->opts) ? trace_matching(t, l) : trace_pids(&t->opts->pids, l);
	int err = n < 0 ? n : live_confine(l);

	return err ? err : n;
}
