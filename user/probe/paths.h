/* SPDX-License-Identifier: BSD-2-Clause */
/* Which system calls take paths, where, and what they do to them. */
#ifndef RINGSPAN_PROBE_PATHS_H
#define RINGSPAN_PROBE_PATHS_H

#include <linux/types.h>
#include "state.bpf.h"

/* Fills a table by a call's number: `what` is 0 of what takes no path. */
void paths_of_calls(struct path_call table[SYS_CALLS]);

#endif
