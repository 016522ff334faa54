/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of a process: which of them took what, as an attribute of its span. */
#ifndef RINGSPAN_SPAN_THREADS_H
#define RINGSPAN_SPAN_THREADS_H

#include "event/event.h"

struct proc;
struct span;
struct trace;

void threads_feed(struct trace *t, const struct ev_threads *e);
/* ringspan.threads of the process, which is of a run: those that took most CPU. */
void threads_describe(struct span *s, const struct proc *p);
const char *threads_block_name(enum ev_block b); /* as it is there */

#endif
