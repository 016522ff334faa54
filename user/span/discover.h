/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of a host's processes are agents: a filter of the record stream.  What a process does is held
 * back until it does something that an agent does (evidence.h); then it and its children come through,
 * as a run, with what was held.  Of all others nothing comes through, whatever they do.  Pure: the same
 * records give the same answer.
 *
 * What is held is bounded (limits.h).  Of a connection it is forgotten when that ends, of a process
 * when that ends or starts another program.
 */
#ifndef RINGSPAN_SPAN_DISCOVER_H
#define RINGSPAN_SPAN_DISCOVER_H

#include "event/event.h"

struct discover;

struct discover_ops {
	/* The next record of the filtered stream; 0, or an error that discover_feed() gives back. */
	int (*pass)(void *ctx, const struct ev_hdr *rec);
	/* An agent was found, or a child of one: from here on all that it does is wanted. */
	void (*found)(void *ctx, uint32_t tgid, uint64_t start);
};

struct discover_totals {
	uint64_t agents;    /* runs that were begun */
	uint64_t processes; /* that were looked at */
	uint64_t given_up;  /* of these: more was to be held of them than there is room for */
};

int discover_new(struct discover **out, const struct discover_ops *ops, void *ctx);
void discover_free(struct discover **d);

/* The record has been checked.  0, -ENOMEM, or what pass() gave. */
int discover_feed(struct discover *d, const struct ev_hdr *rec);

void discover_totals(const struct discover *d, struct discover_totals *out);

#endif
