/* SPDX-License-Identifier: BSD-2-Clause */
/* --slow, --failed and --syscalls: which system calls become spans. */
#ifndef RINGSPAN_CALLS_OPT_H
#define RINGSPAN_CALLS_OPT_H

#include "probe/probe.h"

/*
 * slow: durations, each of all classes but poll and futex or of the CLASS= before it; failed: names of
 * errnos; which: names of system calls or classes, or "all".  Lists are separated by commas; NULL: none.
 * 0 or -EINVAL, logged.
 */
int calls_opt(struct probe_calls *out, const char *slow, const char *failed, const char *which);

#endif
