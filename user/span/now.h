/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs are at right now: facts about what is open, and sums so far, of which user/analysis/top.h makes
 * a state.  Like spans these are a function of the records alone: what nobody tells of a process that
 * waits (EV_USAGE, see probe_tell_usage()) is not known here.
 *
 * Times are Unix ns, 0 for never.
 */
#ifndef RINGSPAN_SPAN_NOW_H
#define RINGSPAN_SPAN_NOW_H

#include "span/payload.h"
#include "span/rules.h"
#include "span/trace.h"

/* A model call in flight. */
struct now_model {
	unsigned int cnt; /* of them; the rest is about the latest that streams, else asked */
	struct sv operation, model; /* either may be empty */
	uint64_t asked_ns,
		first_ns;  /* first_ns: its answer's first content, or first byte of a whole one */
	uint64_t piece_ns; /* when bytes of the answer came last */
};

/* A call that failed and may be tried again. */
struct now_failed {
	unsigned int cnt; /* of them; the rest is about the latest */
	struct sv model, error;
	int64_t status, attempts;
	bool throttled;
	uint64_t failed_ns, retry_ns; /* retry_ns: not before, as the provider said */
};

/* A tool call without an answer. */
struct now_tool {
	unsigned int
		cnt; /* of them; the rest is about the latest that something does, else the first */
	struct sv name, args;     /* args: the only one as it is, else JSON text */
	const struct json *input; /* the arguments; NULL: none */
	uint64_t asked_ns, begun_ns;
};

/* What waits for a human's word. */
struct now_human {
	uint64_t since_ns;
	const char *by; /* "terminal", "elicitation", "message", "request"; NULL: nothing does */
	struct sv what; /* the tool, or the question; may be empty */
};

struct now {
	char trace_id[HEX128];
	struct sv agent, container; /* may be empty */
	uint32_t pid;
	uint64_t start_ns;
	uint64_t number; /* runs by birth */
	unsigned int processes;
	unsigned int agents; /* conversations */
	int64_t turns, model_calls, tool_calls, errors, retries;
	int64_t input_tokens, output_tokens; /* of calls that are over */
	double streamed_tokens; /* of those in flight, by the pieces of their answers: an estimate */
	double cost_usd;        /* NaN: no call had a price */
	uint64_t cpu_ns, rss_bytes, sock_bytes[2];
	uint64_t lost_records, lost_bytes;
	unsigned int
		same; /* latest tool calls in a row that have one name and the same arguments */
	struct sv same_what; /* their name and arguments, cut */
	struct sv same_name; /* their name, cut */
	uint64_t input_ns;   /* when the agent read from its terminal last */
	bool joined;         /* it ran before it was watched */
	bool turn_open;
	uint64_t answered_ns; /* when a conversation went on last */
	uint64_t heard_ns;    /* when a process of it did anything last */
	uint64_t
		prompt_ns; /* since when the agent's process reads from its terminal; 0: it does not */
	struct now_model model;
	struct now_failed failed;
	struct now_tool tool;
	struct now_human human;
};

/* Views are valid during the call. */
typedef void (*now_fn)(void *ctx, const struct now *n);

/* Calls fn with each run that is not over, the one that ends with the record at hand too, by birth. */
void trace_each_now(const struct trace *t, now_fn fn, void *ctx);
/* The same of one run; false: it is not there. */
bool trace_now(const struct trace *t, const char *trace_id, now_fn fn, void *ctx);

/* Calls fn with what of it may be told at that level and by those rules (NULL: none).  0, or -ENOMEM: not called. */
int now_keep(now_fn fn, void *ctx, const struct now *n, const struct rules *rules,
	     enum payload_level level);

struct sv trace_host(const struct trace *t); /* the host's name; may be empty */
/* Unix time of a time of CLOCK_MONOTONIC, as spans have it; of 0: of the latest record. */
uint64_t trace_unix(const struct trace *t, uint64_t monotonic_ns);

#endif
