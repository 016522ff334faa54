/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of the processes that run could be traced, and which not and why.  Nothing is loaded and no
 * probe is set in any of them.
 */
#ifndef RINGSPAN_PROBE_PS_H
#define RINGSPAN_PROBE_PS_H

#include <sys/types.h>
#include "base/str.h"
#include "probe/locate.h"

/* A TLS library that a process has mapped, or that its program holds. */
struct ps_tls {
	const struct located_lib *lib;
	const char *path;    /* as the process maps it */
	const char *summary; /* where its probes would be; "" when it was refused */
};

#define PS_TLS_MAX 8

/* All text is valid during the call only. */
struct ps_process {
	pid_t pid;
	const char *comm;
	const char *exe;     /* path, as the process sees it; "" unknown */
	struct sv args;      /* argv, NUL-separated */
	struct sv cgroup;    /* what /proc/PID/cgroup holds */
	const char *runtime; /* node, python, go ...; "": not known */
	struct ps_tls tls[PS_TLS_MAX];
	size_t tls_cnt;
	bool traced; /* by a ringspan that runs now */
	bool tcp443; /* has a connection to port 443 */
	bool udp443; /* ... by UDP, which is QUIC's */
};

/* Non-zero ends the listing and is what ps_each() returns. */
typedef int (*ps_fn)(void *ctx, const struct ps_process *p);

/*
 * In the order of their numbers; only: one process, 0 all.  Processes that may not be looked at, or
 * end meanwhile, are left out.  -ESRCH: there is no process `only`.
 */
int ps_each(pid_t only, ps_fn fn, void *ctx);

#endif
