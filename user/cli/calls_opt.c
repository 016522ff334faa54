// SPDX-License-Identifier: BSD-2-Clause
#include "cli/calls_opt.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "cli/opt.h"
#include "event/syscall.h"

#define ERRNO_NAMED 134 /* the last that has a name is below */

/* Waiting is what the calls of these classes are for. */
static bool waits(unsigned int class)
{
	return class == EV_CALL_POLL || class == EV_CALL_FUTEX;
}

static int slow_one(struct probe_calls *c, struct sv item)
{
	struct sv value = item, name = sv_token(&value, '=');
	bool named = sv_has(item, "=");
	enum ev_call_class class = 0;
	uint64_t ns;

	if (named && !syscall_class_named(name, &class))
		return log_err(-EINVAL,
			       "--slow " SV_FMT
			       ": classes are file, network, poll, futex, process, "
			       "memory, other",
			       SV_ARG(item));
	if (opt_duration(named ? value : item, &ns) || !ns)
		return log_err(-EINVAL, "--slow " SV_FMT ": want a duration such as 10ms",
			       SV_ARG(item));
	for (unsigned int i = 0; i < EV_CALL_CLASSES; i++)
		if (named ? i == class : !waits(i))
			c->slow_ns[i] = ns;
	return 0;
}

static int failed_one(struct probe_calls *c, struct sv item)
{
	for (int err = 1; err < ERRNO_NAMED; err++) {
		const char *name = strerrorname_np(err);

		if (!name || !sv_is(item, name))
			continue;
		if (c->errno_cnt == PROBE_ERRNOS_MAX)
			return log_err(-EINVAL, "--failed: at most %d errnos", PROBE_ERRNOS_MAX);
		c->errnos[c->errno_cnt++] = err;
		return 0;
	}
	return log_err(-EINVAL,
		       "--failed " SV_FMT ": no such errno; want for instance EACCES,EPERM",
		       SV_ARG(item));
}

static int which_one(struct probe_calls *c, struct sv item)
{
	enum syscall_machine m = syscall_machine();
	enum ev_call_class class = 0;
	bool all = sv_is(item, "all"), named = syscall_class_named(item, &class);
	int nr = all || named ? 0 : syscall_number(m, item);

	if (nr < 0)
		return log_err(-EINVAL,
			       "--syscalls " SV_FMT ": no system call of this machine, no class, "
			       "not all",
			       SV_ARG(item));
	if (!all && !named)
		c->asked[nr] = true;
	for (unsigned int i = 0; (all || named) && i < PROBE_CALLS; i++)
		c->asked[i] |= all || syscall_class(m, i) == class;
	return 0;
}

static int each(struct probe_calls *c, const char *list,
		int (*one)(struct probe_calls *c, struct sv item))
{
	struct sv rest = sv(list);
	int err = 0;

	while (rest.n && !err)
		err = one(c, sv_token(&rest, ','));
	return err;
}

int calls_opt(struct probe_calls *out, const char *slow, const char *failed, const char *which)
{
	int err = each(out, slow, slow_one);

	if (!err)
		err = each(out, failed, failed_one);
	return err ? err : each(out, which, which_one);
}
