/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes are wanted: what the kernel decides by at an exec, and what user space does. */
#ifndef RINGSPAN_PROBE_SELECT_H
#define RINGSPAN_PROBE_SELECT_H

#include "probe/probe.h"
#include "state.bpf.h"

struct selection;

/* Copies what it needs.  0 or -errno, logged: a pattern that nothing matches, no such cgroup. */
int selection_new(struct selection **out, const struct probe_select *sel);
void selection_free(struct selection **s);

/* For the kernel side; `on` is set. */
void selection_watch(const struct selection *s, struct watch_state *out);
bool selection_is_quiet(const struct selection *s);

/* Asks /proc; false for kernel threads and for what has ended. */
bool selection_wants(const struct selection *s, __u32 tgid, const char comm[EV_COMM_LEN]);

/* 0, or -EINVAL when no name can match. */
int glob_compile(struct glob *g, const char *pattern);

#endif
