/* SPDX-License-Identifier: BSD-2-Clause */
/* What `ringspan latency --by thread` prints: a row for each thread, not for durations. */
#ifndef RINGSPAN_CLI_LATENCY_THREADS_H
#define RINGSPAN_CLI_LATENCY_THREADS_H

#include "analysis/threads.h"
#include "cli/latency.h"

/* As a table or JSON, at most how->rows of them.  0, -ENOMEM or what writing gave.  Sorts the rows. */
int latency_print_threads(struct thread_rows *t, const struct latency_how *how, FILE *out);

#endif
