/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of functions that the user named, as spans.  Records come as calls end, so inner ones first: that
 * the outer ones are open is known from them alone, and of the innermost when the kernel is asked.
 */
#ifndef RINGSPAN_SPAN_FUNCTION_H
#define RINGSPAN_SPAN_FUNCTION_H

#include "event/event.h"

struct trace;
struct pstate;
struct span;
struct open_walk;
struct func_calls; /* of one process */

void function_probe(struct trace *t, const struct ev_probe *p);
void function_feed(struct trace *t, const struct ev_function *f);
void function_open(struct trace *t, const struct ev_function *f); /* it goes on */
/* The process is over, or unfinished, the recording is: calls whose end was not told. */
void function_finish(struct trace *t, struct pstate *ps, uint32_t tgid, bool unfinished);
void function_each_open(struct trace *t, struct pstate *ps, uint32_t tgid,
			const struct open_walk *w);
void function_set_sums(struct span *s, int64_t calls, int64_t untold); /* nothing without calls */
void function_describe(struct span *s, const struct pstate *ps);
void function_free(struct pstate *ps);
void function_forget(struct trace *t);

#endif
