/* SPDX-License-Identifier: BSD-2-Clause */
/* Begins to trace a process, and those that it has started already. */
#ifndef RINGSPAN_PROBE_WATCH_H
#define RINGSPAN_PROBE_WATCH_H

#include <sys/types.h>
#include "base/buf.h"
#include "probe/file.h"
#include "probe/kern.h"

int watch_start(struct kern *k, struct files *fs, struct buf *facts, pid_t pid,
		enum ev_run_origin origin);

#endif
