/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records in, and everything that is made of them: capture file, spans, store, sink.  What record,
 * attach and replay share; where the records come from is theirs.
 */
#ifndef RINGSPAN_SESSION_H
#define RINGSPAN_SESSION_H

#include "event/event.h"
#include "sink/sink.h"
#include "sink/store.h"
#include "span/discover.h"
#include "span/now.h"
#include "span/payload.h"
#include "span/trace.h"

struct session_cfg {
	const char *store; /* path; NULL: none */
	struct store_limits store_limits;
	const char *capture; /* path; NULL: none */
	const char *prices;  /* path; NULL: the built-in table */
	bool no_redact;
	const char *redact_rules; /* path; NULL: none; of all that payload is of */
	enum payload_level
		payload; /* what store, sink, watch_span and looks get; not the capture */
	/* The records are of all processes: only agents are taken in, each told of.  NULL: all are. */
	void (*found)(void *ctx, uint32_t tgid, uint64_t start);
	void *found_ctx;
	const struct sink_ops *sink; /* NULL: none */
	struct sink_cfg sink_cfg;
	/* Who else is told, with watch_ctx; NULL: nobody. */
	trace_span_fn watch_span;
	trace_calls_fn watch_calls;
	trace_sample_fn watch_sample;
	void *watch_ctx;
};

struct session;

/* Opens everything, so that what cannot work is known before something starts.  0 or -errno, logged. */
int session_new(struct session **out, const struct session_cfg *cfg);
void session_free(struct session **s);

/*
 * Takes one record, which is copied, checked and scrubbed; one that is broken is counted and left
 * out.  0, or -ENOMEM: only that cannot be gone on from.  A capture file, a store or a sink that
 * fails has said so; the session goes on without it.
 */
int session_feed(struct session *s, const struct ev_hdr *rec);

/* Is it the end of the last process of a run? */
bool session_ends_run(const struct session *s, const struct ev_hdr *rec);

struct trace *session_trace(struct session *s); /* to look at what it is at */

/* trace_each_now(), trace_now() and trace_each_open(), with no more than may be kept. */
void session_each_now(struct session *s, now_fn fn, void *ctx);
bool session_now(struct session *s, const char *trace_id, now_fn fn, void *ctx);
void session_each_open(struct session *s, trace_span_fn fn, void *ctx);

/* Puts what is not over yet into the store, as it is now.  Its failures are the session's. */
void session_show_open(struct session *s);

/* No more records will come.  0, or the first failure of capture file, store or sink. */
int session_end(struct session *s);

/*
 * A session of its own for all records of a capture file, to its end, by a process that confine()s itself.  0 or the first error, logged; what was
 * read before it counts.
 */
int session_replay(const struct session_cfg *cfg, const char *path);

struct session_totals {
	struct trace_totals trace;
	uint64_t broken;                 /* records that failed their check */
	uint64_t samples;                /* of stacks */
	struct store_lost unstored;      /* of all that was for the store; known at the end */
	const char *run;                 /* trace id of the first run, "" for none */
	struct discover_totals discover; /* zero without cfg.found */
};
void session_totals(const struct session *s, struct session_totals *out);

#endif
