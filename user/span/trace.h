/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records in, finished spans out: the process tree, the connections, HTTP, the model APIs and the
 * tree of spans, wired together.  A pure function of the record stream and the configuration: no
 * clock, no file, no global; a replay of the same records gives the same spans with the same ids, in
 * the same order.
 */
#ifndef RINGSPAN_TRACE_H
#define RINGSPAN_TRACE_H

#include "event/event.h"
#include "span/loss.h"
#include "span/price.h"
#include "span/span.h"

/* A line that a process wrote to stdout or stderr.  Valid during the call. */
struct trace_log {
	char trace_id[HEX128], span_id[HEX64]; /* the process's span, or the run's */
	uint64_t time_ns;                      /* Unix time of the write that began it */
	uint32_t pid;
	int fd;           /* 1 or 2 */
	struct sv text;   /* without its line end; redacted */
	uint64_t missing; /* bytes before it that went over the kernel's budget */
};
typedef void (*trace_log_fn)(void *ctx, const struct trace_log *l);

/*
 * What was counted of one system call in a process, from since_ns to time_ns (Unix time).  Valid during
 * the call.
 */
struct trace_calls {
	char trace_id[HEX128], span_id[HEX64]; /* the process's span, or the run's */
	uint64_t since_ns, time_ns;
	uint32_t pid;
	struct sv name, class; /* a call without a name has its number */
	uint64_t calls, errors, total_ns;
	uint64_t max_ns;                /* of the process's longest one so far */
	const struct ev_count *buckets; /* calls, by ev_bucket() */
	const struct ev_count *errnos;
	size_t bucket_cnt, errno_cnt;
};
typedef void (*trace_calls_fn)(void *ctx, const struct trace_calls *c);

enum trace_code {
	TRACE_CODE_NONE = 0,  /* in no sample's stack */
	TRACE_CODE_FILE = 1,  /* of a program or library */
	TRACE_CODE_GENERATED, /* made at run time */
	TRACE_CODE_KERNEL,
	TRACE_CODE_UNKNOWN, /* what it is was not found out: its name is the address */
	TRACE_CODE_CUT,     /* no frame: the stack goes on outside of what was read */
};

/* Interned: two that are alike are one while the trace lives. */
struct trace_frame {
	struct sv name; /* empty: not known */
	struct sv file; /* path, of the kernel's a module; empty: none, or not known */
	enum trace_code code;
};

#define TRACE_FRAMES_MAX (EV_SAMPLE_USER + EV_SAMPLE_KERNEL + 1)

/*
 * A thread was seen on a CPU `cnt` times with that stack; each stands for period_ns.  Valid during the
 * call.  span_id: what it did that for, by the rules of span/usage.h; what is not of one thing alone is
 * each of them's in turn.
 */
struct trace_sample {
	char trace_id[HEX128], span_id[HEX64];
	uint64_t time_ns, period_ns, cnt;
	uint32_t pid, tid;
	struct sv comm;                          /* of the thread */
	const struct trace_frame *const *frames; /* outermost first */
	size_t frame_cnt;
};
typedef void (*trace_sample_fn)(void *ctx, const struct trace_sample *s);

struct trace_cfg {
	const struct price_table *prices; /* NULL: no costs; outlives the trace */
	trace_log_fn log;                 /* NULL: nobody wants them; with the ctx of the spans */
	trace_calls_fn calls;             /* likewise */
	trace_sample_fn sample;           /* likewise */
	uint64_t body_bytes; /* of memory for bodies that are gathered, in all; 0: LIMIT_BODIES */
	bool no_redact;
};

/* Called for each finished span, parents mostly behind their children, a run's root last. */
typedef void (*trace_span_fn)(void *ctx, const struct span *s);

struct trace;

int trace_new(struct trace **out, const struct trace_cfg *cfg, trace_span_fn fn, void *ctx);
void trace_free(struct trace **t);

/* The record has been checked and scrubbed.  0 or -ENOMEM. */
int trace_feed(struct trace *t, const struct ev_hdr *rec);
/* No more records will come: everything that is open is finished, marked unfinished. */
void trace_end(struct trace *t);

/*
 * Calls fn with each span that is not over, as it is now: ringspan.unfinished is true, its end is the
 * latest record's time, payloads are left out.  Parents come first.  Changes nothing.
 */
void trace_each_open(struct trace *t, trace_span_fn fn, void *ctx);

/* Sums over all that was fed, for the closing line of `record`. */
struct trace_totals {
	uint64_t records, data_bytes;
	uint64_t spans, runs, model_calls, tool_calls, errors;
	uint64_t input_tokens, output_tokens;
	double cost_usd;                   /* NaN when no call had a price */
	uint64_t lost_records, lost_bytes; /* by the kernel side, all causes */
	uint64_t not_seen;                 /* connections whose content was not */
	uint64_t hole_bytes;               /* missing in streams that were followed */
	uint64_t budget_bytes;             /* of bodies: left out, as they went over what is kept */
	uint64_t kept_bytes;               /* memory that bodies take now */
	struct loss_sums loss;             /* the latest that the kernel side told */
};
void trace_totals(const struct trace *t, struct trace_totals *out);
/* Is it the end of the last process of a run? */
bool trace_ends_run(const struct trace *t, const struct ev_hdr *rec);
/* Trace id of the first run that was seen, "" when none was. */
const char *trace_first_run(const struct trace *t);

#endif
