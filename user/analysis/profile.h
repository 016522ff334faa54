/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the time on CPU went: samples of stacks, folded into one tree of calls and summed by function.
 * Samples and spans may come in any order; what is asked for is made of them afterwards.
 */
#ifndef RINGSPAN_ANALYSIS_PROFILE_H
#define RINGSPAN_ANALYSIS_PROFILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "span/trace.h"

/* All zero but for what profile_data_init() sets. */
struct profile_data {
	struct arena arena;
	struct map frames, stacks, rows; /* by hash: see profile.c */
	struct map spans;                /* hash of the id -> struct profile_span */
	struct map processes;            /* id -> name of the latest program, struct sv */
};

void profile_data_init(struct profile_data *d);
void profile_data_fini(struct profile_data *d);
int profile_data_sample(struct profile_data *d, const struct trace_sample *s); /* 0 or -ENOMEM */
int profile_data_span(struct profile_data *d, const struct span *s);           /* likewise */

enum profile_by {
	PROFILE_BY_COMM,
	PROFILE_BY_SPAN,
	PROFILE_BY_TOOL,
	PROFILE_BY_PROCESS,
	PROFILE_BY_THREAD
};

/*
 * A call, and those that it made.  Its name is one word of a folded stack, by the customs of flamegraph.pl:
 * _[k] behind what is the kernel's, _[j] behind what was made at run time; no ';', no control characters.
 */
struct profile_call {
	struct sv name;
	enum trace_code code; /* 0: of no code, but a name that calls are grouped by */
	uint64_t self, total; /* samples */
	struct profile_call *calls, *next;
};

struct profile_func {
	struct sv name, file;
	enum trace_code code;
	uint64_t self, total; /* samples in it; in it or in what it called, a stack once */
	uint64_t seen;        /* the last stack that was counted */
};

/* All zero to begin with. */
struct profile_sum {
	struct arena arena;
	struct profile_call root;   /* its name is empty; its calls, and theirs, by their names */
	struct profile_func *funcs; /* those of most samples of their own first */
	size_t func_cnt;
	uint64_t ns; /* that all samples stand for */
	struct map by_name;
};

/*
 * The samples of a span and of all below it ("": of all), grouped by what the calls are put below.
 * 0 or -ENOMEM.
 */
int profile_fold(struct profile_sum *p, const struct profile_data *d, enum profile_by by,
		 const char *span_id);
void profile_sum_fini(struct profile_sum *p);

#endif
