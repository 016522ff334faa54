/* SPDX-License-Identifier: BSD-2-Clause */
/* Begins to trace a process, and those that it has started already. */
#ifndef RINGSPAN_PROBE_WATCH_H
#define RINGSPAN_PROBE_WATCH_H

#include <sys/types.h>
#include "base/buf.h"
#include "probe/file.h"
#include "probe/kern.h"
#include "probe/select.h"

int watch_start(struct kern *k, struct files *fs, struct buf *facts, pid_t pid,
		enum ev_run_origin origin);
/* What is selected of what runs, and from now on of what is started.  How many run, or -errno. */
int watch_select(struct kern *k, struct files *fs, struct buf *facts, const struct selection *s);
/* A program was started about which the kernel does not decide. */
int watch_seen(struct kern *k, struct files *fs, struct buf *facts, const struct selection *s,
	       const struct ev_seen *e);

#endif
