/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the store share: the handle and how a failure of SQLite is told. */
#ifndef RINGSPAN_STORE_PRIV_H
#define RINGSPAN_STORE_PRIV_H

#include <sqlite3.h>
#include <sys/types.h>
#include <time.h>
#include <zstd.h>

#include "base/map.h"
#include "sink/store.h"

struct row;

/* Statements that a writer keeps. */
enum store_stmt {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_SAVE,
	STMT_UNSAVE,
	STMT_RESTORE,
	STMT_RESOURCE,
	STMT_LOG,
	STMT_CALLS,
	STMT_FRAME,
	STMT_STACK,
	STMT_SAMPLE,
	STMT_SPAN,
	STMT_OPEN_SPAN,
	STMT_CLOSE_ALL,
	STMT_CLOSE_ONE,
	STMT_NODES_OF,
	STMT_FORGET,
	STMT_FIND_BLOB,
	STMT_BLOB,
	STMT_FIND_NODE,
	STMT_NODE,
	STMT_PAYLOAD,
	STMT_DROP_NODE,
	STMT_DROP_BLOB,
	STMT_FIRST_OVER,
	STMT_ORPHANS,
	STMT_FIRST_STORED,
	STMT_LAST_OVER,
	STMT_FIRST_OPEN,
	STMT_OLD_OF_OVER,
	STMT_OLD_OF_OPEN,
	STMT_DROP_SPAN,
	STMT_DROP_RESOURCE,
	STMT_DROP_LOGS,
	STMT_DROP_CALLS,
	STMT_DROP_SAMPLES,
	STMT_NOTE_PRUNED,
	STMT_FORGET_PRUNED,
	STMT_CNT
};

#define STORE_GAPS 64

/* A run of which something could not be stored; trace_id "": none. */
struct store_gap {
	char trace_id[HEX128];
	uint64_t spans;
	const char *reason; /* ringspan.incomplete */
};

struct store {
	sqlite3 *db;
	char *path; /* as the user named it */
	dev_t dev;  /* of the file, once it is open for writing */
	ino_t ino;

	/* writer */
	sqlite3_stmt *stmts[STMT_CNT];
	ZSTD_CCtx *zstd;
	struct buf packed;        /* compressor's output */
	struct row *head, **tail; /* what waits */
	size_t waiting, waiting_bytes;
	struct log_row *logs, **logs_tail;
	struct calls_row *calls, **calls_tail;
	struct sample_row *samples, **samples_tail;
	struct map samples_by;         /* the same by what they are of */
	struct map stacks;             /* hash of the frames -> struct stack_row */
	struct row *open, **open_tail; /* unfinished spans, as they are now */
	struct buf opened;             /* ids of the runs whose unfinished spans are in the file */
	uint64_t commit_at;            /* monotonic ns when it has waited long enough */
	uint64_t retry_ns;             /* between two tries of what failed */
	struct store_lost lost;        /* what could not be taken */
	struct store_lost told;        /* ... and was told when the store came back */
	struct store_gap gaps[STORE_GAPS];
	struct store_limits limits;
	uint64_t prune_at;   /* monotonic ns when to look at them again */
	uint64_t orphans_at; /* monotonic ns when to look for runs without a root again */
	uint64_t boot_wall;  /* CLOCK_REALTIME - CLOCK_BOOTTIME when it was opened */
	struct buf resource; /* the last one and its id */
	sqlite3_int64 resource_id;
	int last_err;  /* of commits; a failure that goes on is logged once */
	int prune_err; /* likewise */
	bool writable;
	bool gone;                 /* its file is, and no other could be made */
	bool open_changed;         /* the file does not know what is in `open` */
	bool limits_once;          /* all of what is over them goes now, in one call */
	bool pruned;               /* it was told that something is removed */
	bool doubted;              /* it was told that the clock may be wrong */
	char orphan_after[HEX128]; /* runs up to that were looked at, by rising id */
};

#define _cleanup_stmt_ __attribute__((cleanup(store_stmt_fini)))

static inline void store_stmt_fini(sqlite3_stmt **st)
{
	sqlite3_finalize(*st);
}

/*
 * The file that was opened is not at its path any more: opens what is there, or makes it.  Logged.  0, or
 * -ESTALE: that cannot be.
 */
int store_reopen(struct store *s);
bool store_is_there(const struct store *s);
void store_forget_stmts(struct store *s);
#define STORE_WAITING (64u << 20) /* bytes that wait while the store cannot be written to */
#define STORE_BUSY_MS 5000        /* to wait for another writer where nothing else is to be done */

int store_errno(struct store *s); /* of the last failure of SQLite, as store.h lists them */
int store_fail(struct store *s);  /* the same, logged with what to do */
int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out); /* logged */
int store_exec(struct store *s, const char *sql);                        /* not logged */
int store_bind_sv(sqlite3_stmt *st, int index, struct sv text); /* SQLite's result; not copied */
struct sv store_column_sv(sqlite3_stmt *st, int column);
int store_span(struct store *s, sqlite3_int64 seq,
	       struct span **out);                    /* without payloads; logged */
int store_damaged(struct store *s, const char *what); /* -EIO, logged */

/* A writer's statement, made at its first use; NULL when it cannot be: binding and stepping fail. */
sqlite3_stmt *store_stmt(struct store *s, enum store_stmt id);
/*
 * Runs a bound statement of a writer to its end.  out: its one integer, where it gives one; may be
 * NULL.  Not logged.
 */
int store_do(struct store *s, enum store_stmt id, sqlite3_int64 *out);
void store_writer_fini(struct store *s); /* commits what waits; tells what could not be */
uint64_t store_now(clockid_t clock);     /* ns */
/* Removes some of what is over the limits, when it is time to: see store_limit(). */
int store_keep_limits(struct store *s);

/* ---- what could not be stored: store_gap.c */

const char *gap_reason(int err);
void gap_note(struct store *s, const char *trace_id, uint64_t spans, const char *reason);
/* A run of which something is missing: a copy that says so, the caller's; NULL: as it is. */
struct span *gap_mark(struct store *s, const struct span *sp);

/* ---- counts of system calls: store_calls.c */

/* The row as it will be written, allocated in one piece; NULL: out of memory.  *bytes: its size. */
struct calls_row *calls_row_new(const struct trace_calls *c, size_t *bytes);
int store_put_calls(struct store *s, const struct calls_row *r);

/* ---- samples of stacks: store_profile.c */

/* Takes one in, in the row of its like where there is one; *bytes: what was added.  0 or -ENOMEM. */
int samples_take(struct store *s, const struct trace_sample *x, size_t *bytes);
int store_put_samples(struct store *s); /* all that wait */
void samples_written(struct store *s);  /* nothing waits any more */
void samples_undone(struct store *s);   /* what was put is not in the file */
void samples_fini(struct store *s);

/* ---- contents: store_content.c */

/* Puts the row's parts in place of those that the span has; what nobody else holds of these goes. */
int store_put_contents(struct store *s, sqlite3_int64 seq, const struct row *r);
/* The span's contents go, and with them what it alone held. */
int store_drop_contents(struct store *s, sqlite3_int64 seq);

/* Reads contents back; all zero but for s is a new one. */
struct contents {
	struct store *s;
	sqlite3_stmt *node, *blob;
	struct buf unpacked;
	sqlite3_int64 *blobs; /* of a list, the last one first */
	size_t blob_cnt, blob_cap;
};

void contents_fini(struct contents *c);
/* Adds the contents that end at that node to out, `between` put between them; 0 or -errno, logged. */
int contents_read(struct contents *c, sqlite3_int64 node, const char *between, struct buf *out);

#endif
