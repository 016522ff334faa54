/* SPDX-License-Identifier: BSD-2-Clause */
/* A run of the store while it is being written: drawn again at each change, or a line a span. */
#ifndef RINGSPAN_FOLLOW_H
#define RINGSPAN_FOLLOW_H

#include "cli/read.h"

/*
 * Follows a run (as store_find_run() takes it) until its root span is finished.  On a terminal the
 * sink's picture replaces the one before, cut to the terminal's height until the last one, which is
 * whole; elsewhere the sink gets each span once, when it is finished.  The exit code.
 */
int follow_run(struct store *s, const char *run, const struct sink_ops *ops,
	       const struct sink_cfg *cfg, bool terminal);

#endif
