/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: SQLite in WAL mode, schemas/store.sql.  What was finished is in it, whatever happens to
 * ringspan; a writer and any number of readers may have it open.  Attributes that are payloads are
 * kept content-addressed and zstd-compressed beside the spans, each content once, and so is each list
 * of them: what the requests of a conversation repeat takes no room.
 *
 * Failures are logged here, with what to do, and returned as: -ENOENT (no such file), -EBUSY
 * (locked by another writer), -ENOSPC (disk full), -EINVAL (not a store), -EPROTO (a store of
 * another version), -EROFS, -EACCES, -EBADMSG (damaged), -EIO.
 */
#ifndef RINGSPAN_STORE_H
#define RINGSPAN_STORE_H

#include "span/trace.h"

struct store;

/*
 * Where the store is when nobody says: $RINGSPAN_STORE, $XDG_DATA_HOME/ringspan/ringspan.db, for
 * root /var/lib/ringspan/ringspan.db, else ~/.local/share/ringspan/ringspan.db.
 */
int store_default_path(struct buf *out);

int store_open_write(struct store **out,
		     const char *path); /* makes file (0600) and folder (0700) */
int store_open_read(struct store **out, const char *path);
void store_free(struct store **s);

/*
 * Commits by itself when enough is waiting or time passed; store_commit makes it happen now, and is
 * to be called now and then while no spans come.  What waits is held in memory, so that no lock is
 * held meanwhile.  After a failure that may pass (-EBUSY, -ENOSPC, -EROFS, -EACCES, -EIO) it still waits, and
 * the next commit tries again; only when more than 64 MiB wait is the new span refused.  The first
 * run's span that is stored after that says ringspan.incomplete and how many are missing.  A span that is
 * there already is replaced.  A file that was removed or replaced meanwhile is made anew.
 */
int store_add(struct store *s, const struct span *sp);
int store_commit(struct store *s);
int store_commit_due(struct store *s); /* the same, but not when it failed a moment ago */
/* The last commit; what cannot be stored then is told, and counted by store_lost().  Nothing may be added. */
int store_close(struct store *s);
int store_add_log(struct store *s, const struct trace_log *l);     /* likewise */
int store_add_calls(struct store *s, const struct trace_calls *c); /* likewise */

int store_add_sample(struct store *s,
		     const struct trace_sample *x); /* likewise; summed by second */

/*
 * Spans that are not over: those that store_add() gets after store_unfinished(), marked
 * ringspan.unfinished, take the place of all that were there, at the next commit.  A finished span
 * takes the place of its unfinished one, never the other way round.
 */
void store_unfinished(struct store *s);

struct store_lost {
	uint64_t spans, rows, bytes; /* rows: of everything else */
};
/* What will not be in the store, since it could not be written to and no more was to be held in memory. */
void store_lost(const struct store *s, struct store_lost *out);
int store_tick(struct store *s); /* commits what has waited long enough; cheap when nothing has */

#define STORE_BYTES (4ull << 30) /* what a store may hold when nobody says */

struct store_limits {
	uint64_t bytes;  /* of the file, as far as it is used; 0: none */
	uint64_t age_ns; /* since a run's end; 0: none */
};

/*
 * From now on store_tick() removes what is over the limits, a little at a time: runs that are over, the
 * one first that ended first, each whole; of runs that go on what finished first, but never what is
 * not finished yet.  It says so once, and store_pruned() counts it.  A run that nobody has written to for
 * an hour is over.
 */
void store_limit(struct store *s, const struct store_limits *limits);

/* Does all of that at once.  0 or -errno, logged. */
int store_prune(struct store *s, const struct store_limits *limits);
/* Removes a run, and what is left of it in free pages.  0 or -errno, logged. */
int store_remove_run(struct store *s, const char *trace_id);
/* Gives room that is not used back to the file system; -EBUSY: others read it.  Logged. */
int store_shrink(struct store *s);
uint64_t store_bytes(struct store *s); /* of the file, as far as it is used; 0: failure, logged */

struct store_pruned {
	int64_t runs, spans;
	uint64_t until_ns; /* when the latest of it ended */
};
/* What was removed for the limits, ever: of a run that goes on, or (trace_id NULL) whole runs. */
int store_pruned(struct store *s, const char *trace_id, struct store_pruned *out);

struct store_run {
	char trace_id[HEX128];
	struct sv name, agent;
	uint64_t start_ns, end_ns;
	bool finished; /* its root span is there */
	int64_t span_cnt, model_calls, tool_calls, errors, attempts;
	int64_t input_tokens, output_tokens; /* sums over model calls only */
	double cost_usd;                     /* NaN when no call has a price */
	int64_t unpriced_calls;
	int64_t exit_code; /* -1 unknown */
	struct sv models;  /* names joined with ", " */
};

typedef int (*store_run_fn)(void *ctx, const struct store_run *r);               /* not 0 stops */
int store_runs(struct store *s, unsigned int limit, store_run_fn fn, void *ctx); /* newest first */

/*
 * Finds one run: NULL is the newest; else a prefix of a trace id, at least 4 digits, that is unique.
 * 0, -ENOENT, -ENOTUNIQ; logged with what to do.
 */
int store_find_run(struct store *s, const char *spec, char trace_id[HEX128]);

/*
 * The same of a run or a span: a prefix of either's id, the run where it is of both.  span_id: "" of a
 * run.
 */
int store_find(struct store *s, const char *spec, char trace_id[HEX128], char span_id[HEX64]);

typedef int (*store_span_fn)(void *ctx, const struct span *sp); /* not 0 stops and is returned */
/* The spans of a run in the order in which they finished. */
int store_spans(struct store *s, const char *trace_id, bool payload, store_span_fn fn, void *ctx);

/* Changes whenever somebody else has written to the store; -errno, logged. */
int64_t store_version(struct store *s);

/* Not 0 stops and is returned.  resource: that of the run's spans, an object; NULL: none is known. */
typedef int (*store_log_fn)(void *ctx, const struct trace_log *l, const struct json *resource);
/*
 * What the processes of a run wrote, in order.  *after: ids up to that are left out; then the last
 * one that was given; 0 to begin.
 */
int store_logs(struct store *s, const char *trace_id, int64_t *after, store_log_fn fn, void *ctx);

typedef int (*store_calls_fn)(void *ctx, const struct trace_calls *c); /* not 0 stops */
/* What was counted of the system calls of a run, in order. */
int store_calls(struct store *s, const char *trace_id, store_calls_fn fn, void *ctx);
typedef int (*store_sample_fn)(void *ctx, const struct trace_sample *x); /* not 0 stops */
/* The samples of a run, in order; frames live until the end of the call. */
int store_samples(struct store *s, const char *trace_id, store_sample_fn fn, void *ctx);
bool store_run_over(struct store *s, const char *trace_id); /* its root span is finished */

struct store_query {
	const char *where; /* see where.h; NULL = all */
	const char
		*sort;  /* duration, start, cost, tokens ... as where.h names them; NULL = start */
	bool ascending; /* default: largest first; start: oldest first */
	unsigned int limit;   /* 0 = all */
	const char *trace_id; /* NULL = all runs */
	bool payload;
};
int store_query(struct store *s, const struct store_query *q, store_span_fn fn,
		void *ctx); /* -EINVAL: where or sort, logged */

/*
 * The request of a model call as it was sent, secrets masked.  spec: a prefix of its span's id, at
 * least 4 digits, that is unique.  head: the request line and header fields, a line each, without
 * those that say how the body travels; body: decoded, else byte for byte.  *sp: the span without
 * payloads, the caller's.  0, -ENOENT (no such span, or it holds none), -ENOTUNIQ; logged.
 */
int store_request(struct store *s, const char *spec, struct buf *head, struct buf *body,
		  struct span **sp);

#endif
