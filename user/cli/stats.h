/* SPDX-License-Identifier: BSD-2-Clause */
/* What was made, delivered and lost: of the recorders that run here, and of a finished run. */
#ifndef RINGSPAN_CLI_STATS_H
#define RINGSPAN_CLI_STATS_H

#include "cli/cli.h"

/* Every recorder that may be looked into.  The exit code: EXIT_NOTHING when there is none. */
int stats_running(bool json);
/* run: as store_find_run() takes it.  The exit code. */
int stats_of_run(const struct opt_common *common, const char *run, bool json);

#endif
