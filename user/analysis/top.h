/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What agents are at, from one look to the next: facts (span/now.h) become a state, and sums become rates.
 * A pure function of what it is told and of the time that it is told with.  Times are Unix ns.
 */
#ifndef RINGSPAN_TOP_H
#define RINGSPAN_TOP_H

#include "base/map.h"
#include "span/now.h"

/*
 * What waits for somebody first.	C name, text, what it means
 */
#define TOP_STATES(X)                                                             \
	X(APPROVAL, "approval", "a human is asked and has not answered")          \
	X(STUCK, "stuck", "nothing goes on, or the same is done again and again") \
	X(THROTTLED, "throttled",                                                 \
	  "a provider said that it is too much; it is not yet asked again")       \
	X(RETRYING, "retrying", "a call failed; it is not yet asked again")       \
	X(STREAMING, "streaming", "an answer of the model comes in")              \
	X(WAITING, "waiting", "the model was asked and has not begun to answer")  \
	X(TOOL, "tool", "a tool runs")                                            \
	X(WORKING, "working", "the agent itself is at work, between calls")       \
	X(UNKNOWN, "unknown",                                                     \
	  "it ran before it was watched, and has done nothing since that tells")  \
	X(IDLE, "idle", "it waits for input")                                     \
	X(ENDED, "ended", "its processes are over")

enum top_state {
#define X(name, text, help) TOP_##name,
	TOP_STATES(X)
#undef X
		TOP_STATE_CNT
};
const char *top_state_name(enum top_state s);
const char *top_state_help(enum top_state s);
bool top_state_is_urgent(enum top_state s); /* somebody should look */

#define TOP_SAME 5                  /* equal calls in a row from which on an agent is stuck */
#define TOP_ENDED_NS 30000000000ull /* a run that is over stays so long */
#define TOP_STEP_MAX 240
#define TOP_NAME_MAX 64

struct top_rates {
	double cpu;    /* of one CPU */
	double tokens; /* output tokens a second; those in flight are an estimate */
	double net[2]; /* bytes a second, by enum ev_dir */
};

struct top_row {
	struct now now; /* its views are empty: what they said is below */
	char agent[TOP_NAME_MAX], container[TOP_NAME_MAX];
	enum top_state state;
	bool sure;               /* false: nothing else explains that nothing happens */
	uint64_t since_ns;       /* in this state */
	char step[TOP_STEP_MAX]; /* model, tool with arguments, question; bytes of the wire */
	char why[80];            /* stuck, throttled, retrying: what tells so */
	unsigned int more;       /* other calls that are open */
	struct top_rates rates;  /* over the latest interval; NaN: not known yet */
	uint64_t ended_ns;
	uint64_t seen; /* the look in which it was told of last */
};

struct top {
	struct map rows;             /* trace id -> struct top_row */
	uint64_t stuck_ns;           /* so long nothing, and an agent is stuck */
	uint64_t time_ns, before_ns; /* of the latest look, and the one before; 0: there was none */
	uint64_t look;
};

void top_init(struct top *t, uint64_t stuck_ns);
void top_fini(struct top *t);

/* A look begins: time_ns is not before that of the last one. */
void top_begin(struct top *t, uint64_t time_ns);
int top_take(struct top *t, const struct now *n); /* a run as it is now; 0 or -ENOMEM */
/* The look is whole: who was not told of has ended; those that did so long ago are forgotten. */
void top_end(struct top *t);

enum top_key {
	TOP_BY_STATE, /* urgent ones first, then those that do something; by birth */
	TOP_BY_AGE,
	TOP_BY_PID,
	TOP_BY_AGENT,
	TOP_BY_RATE,
	TOP_BY_TOKENS,
	TOP_BY_COST,
	TOP_BY_CPU,
	TOP_BY_MEMORY,
	TOP_BY_NET,
	TOP_BY_ERRORS,
	TOP_KEY_CNT
};
const char *top_key_name(enum top_key k); /* "state", "age" ... */

/*
 * Rows that the filter lets through, in order; the array is the caller's to free.  A filter is words, each
 * of which is found in agent, state, step, container or pid, in whatever case; "" lets all through.
 */
int top_order(const struct top *t, enum top_key key, bool reverse, const char *filter,
	      const struct top_row ***out, size_t *cnt);

struct top_sums {
	size_t runs, by_state[TOP_STATE_CNT];
	int64_t input_tokens, output_tokens, errors, retries;
	double cost_usd; /* NaN: nothing had a price */
	uint64_t rss_bytes;
	struct top_rates rates;
};
/* Of those that have not ended. */
void top_sum(const struct top *t, struct top_sums *out);

#endif
