/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who shares what a process takes.  What is open in it forms crowds; what a USAGE record tells goes, in
 * equal parts, to those of one crowd: to work (exchanges and tool calls), or without any to turns, or
 * without these to agents.  A crowd counts what each of it got so far, as fair queueing counts virtual
 * time, and a share is the difference since it joined or was settled: so a record costs the same
 * whoever shares it, and so does joining or leaving.  What does not divide waits for more, and is the
 * oldest one's when the next joins or leaves: the parts of all are the whole.
 */
#ifndef RINGSPAN_SPAN_CHARGE_H
#define RINGSPAN_SPAN_CHARGE_H

#include "base/index.h"
#include "span/usage.h"

struct crowd;
struct run;

enum charge_crowd { CHARGE_WORK, CHARGE_TURNS, CHARGE_AGENTS, CHARGE_CROWDS };

struct share_ops {
	void (*take)(void *of, const struct usage *part); /* it is its owner's, and whose that is */
	const char *(*span_id)(const void *of,
			       char own[HEX64]); /* of of, maybe in own; NULL: none */
};

/* What each of a crowd got; and how often something was told, more than one had it, more than one turn had. */
struct charge_sum {
	uint64_t of[USAGE_CNT];
	uint64_t told, divided, of_turns;
};

/* Zeroed: of no crowd. */
struct share {
	struct share *prev, *next; /* by when they joined */
	struct crowd *crowd;       /* NULL: none */
	const struct share_ops *ops;
	void *of;
	struct charge_sum had;
	struct index_link into;
};

/* From now on, of what that process takes; nothing when it is in a crowd.  ops stays. */
void share_join(struct run *r, uint32_t tgid, uint64_t start, enum charge_crowd which,
		struct share *s, const struct share_ops *ops, void *of);
void share_settle(struct share *s);               /* hands over what it got */
void share_leave(struct run *r, struct share *s); /* likewise, and is nobody's any more */
/*
 * What it takes is in the sums of `owner`, a tool call or an agent, too: whoever tells these settles
 * all that are.  NULL: of nobody any more.
 */
void share_into(struct run *r, struct share *s, const void *owner);
void shares_settle_into(struct run *r, const void *owner); /* those of its own, too */
void shares_leave_owner(struct run *r, const void *owner); /* likewise; it is over */
void shares_settle_all(struct run *r);
void shares_fini(struct run *r);
/* What a process took since it was told last. */
void charge_process(struct run *r, uint32_t tgid, uint64_t start, const struct usage *u);

#endif
