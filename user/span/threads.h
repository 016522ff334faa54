/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of a process that had several: which of them took what, as an attribute of its span. */
#ifndef RINGSPAN_SPAN_THREADS_H
#define RINGSPAN_SPAN_THREADS_H

#include "event/event.h"

struct span;
struct threads;
struct trace;

void threads_feed(struct trace *t, const struct ev_threads *e);
/* ringspan.threads: those that took most CPU; nothing for NULL. */
void threads_describe(struct span *s, const struct threads *threads);

#endif
