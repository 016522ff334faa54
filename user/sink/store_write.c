// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writing to the store.  Spans wait in memory and are written in short transactions, so that two
 * writers hinder each other for milliseconds only, and a reader never.  A transaction that fails
 * changes nothing, and what was in it goes on waiting.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "sink/human.h"
#include "sink/store_row.h"

#define COMMIT_ROWS 512
#define COMMIT_BYTES (8u << 20)
#define COMMIT_NS 500000000ull
#define COMMIT_BUSY_MS 1000
#define RETRY_MAX_NS (8 * COMMIT_NS)
#define RUNS_MAX (4u << 20) /* bytes more, for runs */

static const char *const statements[STMT_CNT] = {
	[STMT_BEGIN] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
	[STMT_ROLLBACK] = "ROLLBACK",
	[STMT_SAVE] = "SAVEPOINT one",
	[STMT_UNSAVE] = "RELEASE one",
	[STMT_RESTORE] = "ROLLBACK TO one",
	/* the update that changes nothing makes an old row give its id, too */
	[STMT_RESOURCE] = ("INSERT INTO resource (body) VALUES (?1) "
			   "ON CONFLICT (body) DO UPDATE SET body = body RETURNING id"),
	[STMT_LOG] = ("INSERT INTO log (trace_id, span_id, time_ns, pid, fd, missing, body) "
		      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
	[STMT_CALLS] =
		("INSERT INTO calls (trace_id, span_id, since_ns, time_ns, pid, name, class, "
		 "calls, errors, total_ns, max_ns, buckets, errnos) "
		 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"),
	[STMT_FRAME] = ("INSERT INTO frame (name, file, code) VALUES (?1, ?2, ?3) "
			"ON CONFLICT DO UPDATE SET code = code RETURNING id"),
	[STMT_STACK] = ("INSERT INTO stack (parent, frame) VALUES (?1, ?2) "
			"ON CONFLICT DO UPDATE SET frame = frame RETURNING id"),
	[STMT_SAMPLE] =
		("INSERT INTO sample (trace_id, span_id, time_ns, period_ns, cnt, pid, tid, comm, "
		 "stack) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
	/* what is finished by now stays */
	[STMT_OPEN_SPAN] =
		("INSERT INTO span (trace_id, span_id, parent_span_id, name, what, kind, start_ns, "
		 "end_ns, status, status_message, resource, attributes, events, links) "
		 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
		 "ON CONFLICT (trace_id, span_id) DO NOTHING RETURNING seq"),
	[STMT_CLOSE_ALL] = "DELETE FROM span WHERE trace_id = ?1 AND unfinished = 1",
	/* not updated in place: seq is the order in which spans finished */
	[STMT_CLOSE_ONE] =
		"DELETE FROM span WHERE trace_id = ?1 AND span_id = ?2 AND unfinished = 1",
	[STMT_SPAN] =
		("INSERT INTO span (trace_id, span_id, parent_span_id, name, what, kind, start_ns, "
		 "end_ns, status, status_message, resource, attributes, events, links) "
		 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
		 "ON CONFLICT (trace_id, span_id) DO UPDATE SET "
		 "parent_span_id = ?3, name = ?4, what = ?5, kind = ?6, start_ns = ?7, end_ns = "
		 "?8, "
		 "status = ?9, status_message = ?10, resource = ?11, attributes = ?12, events = "
		 "?13, "
		 "links = ?14 RETURNING seq"),
	[STMT_NODES_OF] = "SELECT node FROM payload WHERE span = ?1 AND node IS NOT NULL",
	[STMT_FORGET] = "DELETE FROM payload WHERE span = ?1",
	[STMT_FIND_BLOB] = "SELECT id FROM blob WHERE hash = ?1",
	[STMT_BLOB] = "INSERT INTO blob (hash, size, data) VALUES (?1, ?2, ?3) RETURNING id",
	[STMT_FIND_NODE] = "SELECT id FROM node WHERE prev = ?1 AND blob = ?2",
	[STMT_NODE] = "INSERT INTO node (prev, blob) VALUES (?1, ?2) RETURNING id",
	[STMT_PAYLOAD] = "INSERT INTO payload VALUES (?1, ?2, ?3, ?4, ?5)",
	[STMT_DROP_NODE] = ("DELETE FROM node WHERE id = ?1 "
			    "AND NOT EXISTS (SELECT 1 FROM payload WHERE node = ?1) "
			    "AND NOT EXISTS (SELECT 1 FROM node WHERE prev = ?1) "
			    "RETURNING prev, blob"),
	[STMT_DROP_BLOB] = ("DELETE FROM blob WHERE id = ?1 "
			    "AND NOT EXISTS (SELECT 1 FROM node WHERE blob = ?1)"),
	/* over by their own word, or by nobody's having written to them since ?1 */
	[STMT_FIRST_OVER] = ("SELECT trace_id, end_ns FROM ("
			     "SELECT * FROM (SELECT trace_id, end_ns FROM span "
			     "WHERE what = 'run' AND unfinished IS NULL ORDER BY end_ns LIMIT 1) "
			     "UNION ALL "
			     "SELECT trace_id, max(end_ns) FROM span WHERE unfinished = 1 "
			     "GROUP BY trace_id HAVING max(end_ns) < ?1) ORDER BY end_ns LIMIT 1"),
	/* runs behind ?1, ?2 of them at most, by seeking and not by span; of those without a root when they ended */
	[STMT_ORPHANS] = ("WITH RECURSIVE one(id, cnt) AS (SELECT (SELECT min(trace_id) FROM span "
			  "WHERE unfinished IS NULL AND trace_id > ?1), 1 UNION ALL "
			  "SELECT (SELECT min(trace_id) FROM span WHERE unfinished IS NULL AND "
			  "trace_id > id), "
			  "cnt + 1 FROM one WHERE id IS NOT NULL AND cnt < ?2) "
			  "SELECT id, CASE WHEN NOT EXISTS (SELECT 1 FROM span WHERE trace_id = id "
			  "AND (what = 'run' OR unfinished = 1)) "
			  "THEN (SELECT max(end_ns) FROM span WHERE trace_id = id) END "
			  "FROM one WHERE id IS NOT NULL"),
	/* by the order in which they were stored */
	[STMT_FIRST_STORED] = ("SELECT trace_id, end_ns FROM span INDEXED BY span_over "
			       "WHERE what = 'run' AND unfinished IS NULL ORDER BY seq LIMIT 1"),
	[STMT_LAST_OVER] = ("SELECT '', max(end_ns) FROM span INDEXED BY span_over "
			    "WHERE what = 'run' AND unfinished IS NULL AND end_ns <= ?1"),
	[STMT_FIRST_OPEN] =
		("WITH open(id) AS (SELECT DISTINCT trace_id FROM span WHERE unfinished = 1) "
		 "SELECT s.trace_id, s.end_ns FROM open JOIN span AS s ON s.seq = "
		 "(SELECT min(seq) FROM span WHERE trace_id = open.id AND unfinished IS NULL) "
		 "ORDER BY s.end_ns LIMIT 1"),
	/* what is inside of others first: a run whose removal is cut short still has its root */
	[STMT_OLD_OF_OVER] = ("SELECT seq, end_ns FROM span WHERE trace_id = ?1 "
			      "ORDER BY start_ns DESC, seq LIMIT ?2"),
	[STMT_OLD_OF_OPEN] =
		("SELECT seq, end_ns FROM span WHERE trace_id = ?1 AND unfinished IS NULL "
		 "ORDER BY seq LIMIT ?2"),
	[STMT_DROP_SPAN] = "DELETE FROM span WHERE seq = ?1 RETURNING resource",
	[STMT_DROP_RESOURCE] = ("DELETE FROM resource WHERE id = ?1 "
				"AND NOT EXISTS (SELECT 1 FROM span WHERE resource = ?1)"),
	[STMT_DROP_LOGS] =
		("DELETE FROM log WHERE id IN (SELECT id FROM log "
		 "WHERE trace_id = ?1 AND time_ns <= ?2 ORDER BY id LIMIT ?3) RETURNING 1"),
	[STMT_DROP_CALLS] =
		("DELETE FROM calls WHERE id IN (SELECT id FROM calls "
		 "WHERE trace_id = ?1 AND time_ns <= ?2 ORDER BY id LIMIT ?3) RETURNING 1"),
	/* stacks stay: other runs share them, and there are no more than there is code */
	[STMT_DROP_SAMPLES] =
		("DELETE FROM sample WHERE id IN (SELECT id FROM sample "
		 "WHERE trace_id = ?1 AND time_ns <= ?2 ORDER BY id LIMIT ?3) RETURNING 1"),
	[STMT_NOTE_PRUNED] =
		("INSERT INTO pruned VALUES (?1, ?2, ?3, ?4) ON CONFLICT (trace_id) DO UPDATE SET "
		 "runs = runs + ?2, spans = spans + ?3, until_ns = max(until_ns, ?4)"),
	[STMT_FORGET_PRUNED] = "DELETE FROM pruned WHERE trace_id = ?1 RETURNING spans",
};

void store_forget_stmts(struct store *s)
{
	for (size_t i = 0; i < STMT_CNT; i++) {
		sqlite3_finalize(s->stmts[i]);
		s->stmts[i] = NULL;
	}
}

uint64_t store_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

sqlite3_stmt *store_stmt(struct store *s, enum store_stmt id)
{
	if (!s->stmts[id])
		sqlite3_prepare_v3(s->db, statements[id], -1, SQLITE_PREPARE_PERSISTENT,
				   &s->stmts[id], NULL);
	return s->stmts[id]; /* binding to NULL and stepping it fail, and the caller sees that */
}

int store_do(struct store *s, enum store_stmt id, sqlite3_int64 *out)
{
	sqlite3_stmt *st = store_stmt(s, id);
	int ret, err = 0;

	if (!st)
		return store_errno(s);
	while ((ret = sqlite3_step(st)) == SQLITE_ROW)
		if (out)
			*out = sqlite3_column_int64(st, 0);
	if (ret != SQLITE_DONE)
		err = store_errno(s);
	sqlite3_reset(st);
	return err;
}

static int put_resource(struct store *s, struct sv body)
{
	sqlite3_stmt *st = store_stmt(s, STMT_RESOURCE);
	int err;

	if (s->resource_id && sv_eq(buf_view(&s->resource), body))
		return 0;
	store_bind_sv(st, 1, body);
	s->resource_id = 0;
	err = store_do(s, STMT_RESOURCE, &s->resource_id);
	buf_clear(&s->resource);
	if (!err && buf_sv(&s->resource, body))
		s->resource_id = 0;
	return err;
}

static int put_span(struct store *s, const struct row *r, enum store_stmt how, sqlite3_int64 *seq)
{
	sqlite3_stmt *st = store_stmt(s, how);

	store_bind_sv(st, 1, sv(r->trace_id));
	store_bind_sv(st, 2, sv(r->span_id));
	store_bind_sv(st, 3, sv(r->parent_span_id));
	store_bind_sv(st, 4, r->name);
	store_bind_sv(st, 5, sv(r->what));
	store_bind_sv(st, 6, sv(r->kind));
	sqlite3_bind_int64(st, 7, (sqlite3_int64)r->start_ns);
	sqlite3_bind_int64(st, 8, (sqlite3_int64)r->end_ns);
	store_bind_sv(st, 9, sv(r->status));
	store_bind_sv(st, 10, r->status_message);
	sqlite3_bind_int64(st, 11, s->resource_id);
	store_bind_sv(st, 12, r->attributes);
	store_bind_sv(st, 13, r->events);
	store_bind_sv(st, 14, r->links);
	return store_do(s, how, seq);
}

static int put_row(struct store *s, const struct row *r)
{
	sqlite3_int64 seq = 0;
	int err = put_resource(s, r->resource);

	if (!err && r->unfinished)
		return put_span(s, r, STMT_OPEN_SPAN, NULL);
	if (!err) {
		store_bind_sv(store_stmt(s, STMT_CLOSE_ONE), 1, sv(r->trace_id));
		store_bind_sv(store_stmt(s, STMT_CLOSE_ONE), 2, sv(r->span_id));
		err = store_do(s, STMT_CLOSE_ONE, NULL);
	}
	if (!err)
		err = put_span(s, r, STMT_SPAN, &seq);
	return err ? err : store_put_contents(s, seq, r);
}

/* What is wrong with the row, and will be the next time, too. */
static bool is_fault_of_row(struct store *s)
{
	int code = sqlite3_errcode(s->db) & 0xff;

	return code == SQLITE_ERROR || code == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG ||
	       code == SQLITE_MISMATCH;
}

/* A row that can never be written is left out, so that it does not hold up the others. */
static int put_row_or_skip(struct store *s, const struct row *r)
{
	int err = store_do(s, STMT_SAVE, NULL), undo;

	if (err)
		return err;
	err = put_row(s, r);
	if (!err)
		return store_do(s, STMT_UNSAVE, NULL);
	if (!is_fault_of_row(s) || sqlite3_get_autocommit(s->db))
		return err;
	log_warn("store %s: span %s is left out: %s", s->path, r->span_id, sqlite3_errmsg(s->db));
	s->lost.spans++;
	s->lost.bytes += row_bytes(r);
	s->resource_id = 0;
	undo = store_do(s, STMT_RESTORE, NULL);
	return undo ? undo : store_do(s, STMT_UNSAVE, NULL);
}

static int put_log(struct store *s, const struct trace_log *l)
{
	sqlite3_stmt *st = store_stmt(s, STMT_LOG);

	store_bind_sv(st, 1, sv(l->trace_id));
	store_bind_sv(st, 2, sv(l->span_id));
	sqlite3_bind_int64(st, 3, (sqlite3_int64)l->time_ns);
	sqlite3_bind_int64(st, 4, l->pid);
	sqlite3_bind_int(st, 5, l->fd);
	sqlite3_bind_int64(st, 6, (sqlite3_int64)l->missing);
	sqlite3_bind_blob64(st, 7, l->text.n ? l->text.p : "", l->text.n, SQLITE_STATIC);
	return store_do(s, STMT_LOG, NULL);
}

/* The unfinished spans that this writer put there. */
static int close_opened(struct store *s)
{
	int err = 0;

	for (size_t at = 0; !err && at < s->opened.len; at += HEX128) {
		store_bind_sv(store_stmt(s, STMT_CLOSE_ALL), 1, sv(s->opened.p + at));
		err = store_do(s, STMT_CLOSE_ALL, NULL);
	}
	return err;
}

static int write_all(struct store *s)
{
	int err = store_do(s, STMT_BEGIN, NULL);

	s->resource_id = 0; /* somebody may have pruned it since */
	if (!err && s->open_changed)
		err = close_opened(s);
	for (const struct row *r = s->head; !err && r; r = r->next)
		err = put_row_or_skip(s, r);
	for (const struct log_row *r = s->logs; !err && r; r = r->next)
		err = put_log(s, &r->log);
	for (const struct calls_row *r = s->calls; !err && r; r = r->next)
		err = store_put_calls(s, r);
	if (!err)
		err = store_put_samples(s);
	for (const struct row *r = s->open; !err && s->open_changed && r; r = r->next)
		err = put_row_or_skip(s, r);
	return err ? err : store_do(s, STMT_COMMIT, NULL);
}

static void free_rows(struct row **head)
{
	while (*head) {
		struct row *next = (*head)->next;

		row_free(*head);
		*head = next;
	}
}

static void forget_all(struct store *s)
{
	free_rows(&s->head);
	while (s->logs) {
		struct log_row *next = s->logs->next;

		free(s->logs);
		s->logs = next;
	}
	while (s->calls) {
		struct calls_row *next = s->calls->next;

		free(s->calls);
		s->calls = next;
	}
	samples_written(s);
	s->calls_tail = &s->calls;
	s->logs_tail = &s->logs;
	s->tail = &s->head;
	s->waiting = s->waiting_bytes = 0;
}

void store_unfinished(struct store *s)
{
	free_rows(&s->open);
	s->open_tail = &s->open;
	s->open_changed = true;
}

/* The file knows the unfinished spans now; of which runs they are is remembered. */
static void note_opened(struct store *s)
{
	const char *last = "";

	if (!s->open_changed)
		return;
	buf_clear(&s->opened);
	for (const struct row *r = s->open; r; r = r->next) {
		if (strcmp(last, r->trace_id) != 0)
			buf_add(&s->opened, r->trace_id, sizeof(r->trace_id));
		last = r->trace_id;
	}
	store_unfinished(s);
	s->open_changed = false;
}

void store_lost(const struct store *s, struct store_lost *out)
{
	*out = s->lost;
}

/* "3 spans and 5 other rows (1.2 MB)" */
static void lost_text(struct buf *b, const struct store_lost *now, const struct store_lost *before)
{
	uint64_t spans = now->spans - before->spans, rows = now->rows - before->rows;

	buf_fmt(b, "%" PRIu64 " span%s", spans, spans == 1 ? "" : "s");
	if (rows)
		buf_fmt(b, " and %" PRIu64 " other row%s", rows, rows == 1 ? "" : "s");
	buf_fmt(b, " (%s)", human_bytes(now->bytes - before->bytes).s);
}

/* It failed before. */
static void tell_back(struct store *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	lost_text(&b, &s->lost, &s->told);
	if (s->lost.spans != s->told.spans || s->lost.rows != s->told.rows)
		log_warn("store %s can be written to again; %s found no room in memory meanwhile, "
			 "which the runs say that miss them",
			 s->path, buf_cstr(&b));
	else
		log_warn("store %s can be written to again; nothing that waited is lost", s->path);
	s->told = s->lost;
}

static void put_off(struct store *s, int err)
{
	if (err != s->last_err) {
		store_fail(s);
		s->retry_ns = COMMIT_NS;
	} else if (s->retry_ns < RETRY_MAX_NS) {
		s->retry_ns *= 2; /* a try may write until the disk is full again */
	}
	s->last_err = err;
	if (!sqlite3_get_autocommit(s->db))
		store_do(s, STMT_ROLLBACK, NULL);
	samples_undone(s);
	s->commit_at = store_now(CLOCK_MONOTONIC) + s->retry_ns;
}

static int commit(struct store *s, int busy_ms)
{
	int err;

	if (!s->waiting_bytes && !s->open_changed)
		return 0;
	if (!store_is_there(s)) {
		err = store_reopen(s);
		if (err)
			return err;
	}
	sqlite3_busy_timeout(s->db, busy_ms);
	err = write_all(s);
	if (err) {
		put_off(s, err);
		return err;
	}
	if (s->last_err)
		tell_back(s);
	s->last_err = 0;
	note_opened(s);
	forget_all(s);
	return 0;
}

int store_commit(struct store *s)
{
	/* who records cannot wait for long, and not each time */
	return commit(s, s->last_err == -EBUSY ? 0 : COMMIT_BUSY_MS);
}

int store_commit_due(struct store *s)
{
	if (s->last_err && store_now(CLOCK_MONOTONIC) < s->commit_at)
		return s->last_err;
	return store_commit(s);
}

static bool is_due(const struct store *s)
{
	if (store_now(CLOCK_MONOTONIC) >= s->commit_at)
		return true;
	return !s->last_err && (s->waiting >= COMMIT_ROWS || s->waiting_bytes >= COMMIT_BYTES);
}

/* That many bytes more wait. */
static int waits(struct store *s, size_t bytes)
{
	if (!s->waiting_bytes && !s->last_err)
		s->commit_at = store_now(CLOCK_MONOTONIC) + COMMIT_NS;
	s->waiting_bytes += bytes;
	return is_due(s) ? store_commit(s) : 0;
}

/* No more is held; what the store says, 0 when it has room again. */
static int has_room(struct store *s, size_t limit)
{
	return s->waiting_bytes < limit ? 0 : store_commit_due(s);
}

static int add_row(struct store *s, struct row *r)
{
	/* a run's own row says what is missing of it, so there is some room for those */
	bool run = strcmp(r->what, span_what_name(SPAN_RUN)) == 0;
	int err = has_room(s, run ? STORE_WAITING + RUNS_MAX : STORE_WAITING);

	if (err) {
		s->lost.spans++;
		s->lost.bytes += row_bytes(r);
		gap_note(s, r->trace_id, 1, gap_reason(err));
		row_free(r);
		return err;
	}
	if (r->unfinished) {
		*s->open_tail = r;
		s->open_tail = &r->next;
		s->open_changed = true;
		return 0;
	}
	*s->tail = r;
	s->tail = &r->next;
	s->waiting++;
	return waits(s, row_bytes(r));
}

int store_add(struct store *s, const struct span *sp)
{
	struct span *marked = NULL;
	struct row *r;
	int err = 0;

	if (sp->what == SPAN_RUN) {
		err = store_is_there(s) ? 0 : store_reopen(s); /* which the run has to say, too */
		marked = gap_mark(s, sp);
	}
	if (!err)
		err = row_new(&r, marked ? marked : sp);
	span_free(&marked);
	if (err) {
		s->lost.spans++;
		return err;
	}
	return add_row(s, r);
}

/* What is no span cannot be taken. */
static int refuse(struct store *s, int err, size_t bytes)
{
	s->lost.rows++;
	s->lost.bytes += bytes;
	return err;
}

int store_add_log(struct store *s, const struct trace_log *l)
{
	size_t bytes = sizeof(struct log_row) + l->text.n;
	int err = has_room(s, STORE_WAITING);
	struct log_row *r = err ? NULL : malloc(bytes);

	if (!r)
		return refuse(s, err ? err : -ENOMEM, bytes);
	*r = (struct log_row){ .log = *l };
	if (l->text.n)
		memcpy(r + 1, l->text.p, l->text.n);
	r->log.text.p = (const char *)(r + 1);
	*s->logs_tail = r;
	s->logs_tail = &r->next;
	return waits(s, bytes);
}

int store_add_calls(struct store *s, const struct trace_calls *c)
{
	size_t bytes = 0;
	int err = has_room(s, STORE_WAITING);
	struct calls_row *r = err ? NULL : calls_row_new(c, &bytes);

	if (!r)
		return refuse(s, err ? err : -ENOMEM, sizeof(*r));
	*s->calls_tail = r;
	s->calls_tail = &r->next;
	return waits(s, bytes);
}

int store_add_sample(struct store *s, const struct trace_sample *x)
{
	size_t bytes = 0;
	int err = has_room(s, STORE_WAITING);

	if (!err)
		err = samples_take(s, x, &bytes);
	return err ? refuse(s, err, 0) : waits(s, bytes);
}

int store_tick(struct store *s)
{
	int err = s->waiting_bytes && is_due(s) ? store_commit(s) : 0;

	return err ? err : store_keep_limits(s);
}

/* What still waits will not be stored. */
static void lose_rest(struct store *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	s->lost.spans += s->waiting;
	s->lost.bytes += s->waiting_bytes;
	for (const struct log_row *r = s->logs; r; r = r->next)
		s->lost.rows++;
	for (const struct calls_row *r = s->calls; r; r = r->next)
		s->lost.rows++;
	if (!s->lost.spans && !s->lost.rows)
		return;
	lost_text(&b, &s->lost, &(struct store_lost){ 0 });
	log_line(LOG_ERR, "store %s: %s could not be stored", s->path, buf_cstr(&b));
}

int store_close(struct store *s)
{
	int err;

	if (!s->writable)
		return 0;
	err = commit(s, STORE_BUSY_MS); /* now there is time to wait */
	lose_rest(s);
	forget_all(s);
	store_unfinished(s);
	s->open_changed = false;
	s->writable = false;
	return err;
}

void store_writer_fini(struct store *s)
{
	store_close(s);
	forget_all(s);
	samples_fini(s);
	free_rows(&s->open);
	buf_fini(&s->opened);
	store_forget_stmts(s);
	ZSTD_freeCCtx(s->zstd);
	buf_fini(&s->packed);
	buf_fini(&s->resource);
}
