/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the trace engine keeps for now.h beside what it has anyway, and where it is told.  For engine.h alone.
 */
#ifndef RINGSPAN_SPAN_NOW_INT_H
#define RINGSPAN_SPAN_NOW_INT_H

#include "base/buf.h"
#include "base/json.h"
#include "span/usage.h"

#define NOW_WHAT_MAX 80

struct exchange;
struct now;
struct proc;
struct pstate;
struct run;
struct tool;

/* Of a run. */
struct now_sums {
	int64_t input, output, retries; /* of calls that are over */
	double cost;
	bool priced;
	uint64_t pieces, piece_tokens; /* of answers that were streamed and counted, both */
	uint64_t rss;                  /* of its processes, as each told last */
	uint64_t heard_ts;
	uint64_t same_key;            /* the latest tool call: its name and arguments */
	char same_what[NOW_WHAT_MAX]; /* its name and arguments, as far as they fit */
	size_t same_len, same_name_len;
	unsigned int same; /* so many in a row */
	uint64_t
		input_ts; /* when a process that no tool call started read from its terminal last */
	uint64_t prompt_ts; /* since when such a one waits for its terminal; 0: it does not */
	uint32_t prompt_of; /* which */
};

/* Of a process. */
struct now_proc {
	uint64_t rss;
	uint64_t told_ts;  /* of its latest USAGE */
	uint64_t waits_ts; /* since when it waits for its terminal; 0: it does not */
};

/* A record of the process, which may be of no run. */
void now_heard(struct proc *p, const struct ev_hdr *rec);
/* Its USAGE: what its totals grew by. */
void now_usage(struct proc *p, const struct ev_usage *e, const struct usage *grown);
void now_process_over(struct run *r, const struct proc *p, struct pstate *ps);
/* An answer is whole. */
void now_answered(const struct exchange *x);
/* A call is over for good, after so many attempts. */
void now_called(struct run *r, const struct span *call, int64_t attempts);
void now_tool_asked(struct run *r, const struct tool *tool);

/* Arguments of a tool call as `show` has them: the only one as it is, else JSON text; NULL: nothing. */
void now_write_args(struct buf *b, const struct json *args);

/* What only their own files know; each fills its part. */
void agent_now(const struct run *r, struct now *n);
void model_now(const struct run *r, struct now *n);
void approval_now(const struct run *r, struct now *n);

#endif
