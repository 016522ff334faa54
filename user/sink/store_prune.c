// SPDX-License-Identifier: BSD-2-Clause
/*
 * The store within its limits: see store_limit().  What is over them goes in slices, each a transaction of
 * its own that takes some ms, so that neither a recording nor another writer waits long.  A reader that
 * comes between two of them sees a part of a run.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "sink/human.h"

#define NS_PER_S 1000000000ull
#define SLICE 128                    /* spans of one transaction */
#define SLICE_ROWS 2048              /* of the tables beside them, which hold no contents */
#define SLICE_PAGES 256              /* given back to the file system */
#define PAUSE 4                      /* times what a slice took, before the next one */
#define LOOK_NS (2 * NS_PER_S)       /* between looks, where not */
#define SILENT_NS (3600 * NS_PER_S)  /* a run that is written to is so every second */
#define ORPHANS_NS (3600 * NS_PER_S) /* between looks for runs without a root */
#define ORPHAN_BATCH 64              /* runs of one look */
#define DAY_NS (86400 * NS_PER_S)
#define GAP_NS (90 * DAY_NS) /* that nothing was recorded for so long is doubted */
#define FREE_SHARE 8         /* of the file that may be free pages before some are given back */
#define FREE_MIN 1024        /* pages */

/* A run from which something has to go. */
struct victim {
	char trace_id[HEX128];
	uint64_t end_ns; /* over: of the run; else of the span that finished first */
	bool over;
};

/* ---- how much there is */

static int pragma(struct store *s, const char *sql, int64_t *out)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = store_prepare(s, sql, &st);

	if (!err && sqlite3_step(st) != SQLITE_ROW)
		err = store_fail(s);
	if (!err)
		*out = sqlite3_column_int64(st, 0);
	return err;
}

struct pages {
	int64_t cnt, free, size;
};

static int read_pages(struct store *s, struct pages *p)
{
	int err = pragma(s, "PRAGMA page_count", &p->cnt);

	if (!err)
		err = pragma(s, "PRAGMA freelist_count", &p->free);
	return err ? err : pragma(s, "PRAGMA page_size", &p->size);
}

uint64_t store_bytes(struct store *s)
{
	struct pages p = { 0 };

	return read_pages(s, &p) ? 0 : (uint64_t)((p.cnt - p.free) * p.size);
}

/* ---- which is to go */

/* 1: found, 0: none, -errno. */
static int first(struct store *s, enum store_stmt id, struct victim *v)
{
	sqlite3_stmt *st = store_stmt(s, id);
	int ret = st ? sqlite3_step(st) : SQLITE_ERROR, found = ret == SQLITE_ROW;

	if (found) {
		snprintf(v->trace_id, sizeof(v->trace_id), SV_FMT, SV_ARG(store_column_sv(st, 0)));
		v->end_ns = (uint64_t)sqlite3_column_int64(st, 1);
		v->over = id != STMT_FIRST_OPEN;
	} else if (ret != SQLITE_DONE) {
		found = store_errno(s);
	}
	sqlite3_reset(st);
	return found;
}

/*
 * The time of day, for what is older than that to be removed.  A clock that is set forward while the store
 * is open does not make what is in it old.
 */
static uint64_t careful_now(const struct store *s)
{
	uint64_t wall = store_now(CLOCK_REALTIME), kept = s->boot_wall + store_now(CLOCK_BOOTTIME);

	return wall < kept ? wall : kept;
}

/*
 * A run of which only spans were written, not that it began: its recorder was killed before that.  A part
 * of all runs in each look, since there may be many.  1 or 0, or -errno.
 */
static int find_orphan(struct store *s, int64_t silent, struct victim *v)
{
	sqlite3_stmt *st = store_stmt(s, STMT_ORPHANS);
	unsigned int batch = s->limits_once ? INT_MAX : ORPHAN_BATCH, cnt = 0;
	char last[HEX128] = "";
	int ret = SQLITE_ERROR, found = 0;

	if (store_now(CLOCK_MONOTONIC) < s->orphans_at)
		return 0;
	store_bind_sv(st, 1, sv(s->orphan_after));
	sqlite3_bind_int64(st, 2, batch);
	for (; st && (ret = sqlite3_step(st)) == SQLITE_ROW; cnt++) {
		int64_t ended = sqlite3_column_int64(st, 1);

		snprintf(last, sizeof(last), SV_FMT, SV_ARG(store_column_sv(st, 0)));
		if (sqlite3_column_type(st, 1) == SQLITE_NULL || ended >= silent ||
		    (found && (uint64_t)ended >= v->end_ns))
			continue;
		*v = (struct victim){ .end_ns = (uint64_t)ended, .over = true };
		memcpy(v->trace_id, last, sizeof(last));
		found = 1;
	}
	if (ret != SQLITE_DONE)
		found = store_errno(s);
	sqlite3_reset(st);
	if (found) /* until it is gone */
		return found;
	memcpy(s->orphan_after, cnt < batch ? "" : last, cnt < batch ? 1 : sizeof(last));
	if (cnt < batch)
		s->orphans_at = store_now(CLOCK_MONOTONIC) + ORPHANS_NS;
	return 0;
}

/* Of what is over; silent: what nobody has written to since then is. */
static int find_over(struct store *s, int64_t silent, struct victim *v)
{
	struct victim orphan = { 0 };
	int over, lost;

	sqlite3_bind_int64(store_stmt(s, STMT_FIRST_OVER), 1, silent);
	over = first(s, STMT_FIRST_OVER, v);
	lost = over < 0 ? 0 : find_orphan(s, silent, &orphan);
	if (over < 0 || lost < 0)
		return over < 0 ? over : lost;
	if (lost && (!over || orphan.end_ns < v->end_ns))
		*v = orphan;
	return over || lost;
}

/* The end of the last run that was over by then; 0: there is none; -errno. */
static int64_t last_over(struct store *s, uint64_t ns)
{
	struct victim last = { 0 };
	int found;

	sqlite3_bind_int64(store_stmt(s, STMT_LAST_OVER), 1, (sqlite3_int64)ns);
	found = first(s, STMT_LAST_OVER, &last);
	return found < 0 ? found : (int64_t)last.end_ns;
}

/* Whatever ended first.  1: found, 0: none, -errno. */
static int find_oldest(struct store *s, uint64_t now, struct victim *v)
{
	struct victim open = { 0 };
	int over = find_over(s, now > SILENT_NS ? (int64_t)(now - SILENT_NS) : 0, v), opened;

	opened = over < 0 ? 0 : first(s, STMT_FIRST_OPEN, &open);
	if (over < 0 || opened < 0)
		return over < 0 ? over : opened;
	/* a silent run is found by both, and goes whole */
	if (opened &&
	    (!over || (open.end_ns < v->end_ns && !sv_is(sv(open.trace_id), v->trace_id))))
		*v = open;
	return over || opened;
}

/*
 * What is to make room.  A run that ended in the future was recorded while the clock was ahead, or it is
 * behind now: then not times but the order in which runs were stored says which is oldest.
 */
static int find_for_size(struct store *s, uint64_t now, struct victim *v)
{
	int64_t last = last_over(s, INT64_MAX);

	if (last < 0)
		return (int)last;
	return (uint64_t)last > now + DAY_NS ? first(s, STMT_FIRST_STORED, v)
					     : find_oldest(s, now, v);
}

/* ---- removing */

struct slice {
	int64_t spans;     /* that were removed */
	uint64_t until_ns; /* when the latest of them ended */
	bool last;         /* nothing of the run is left */
};

static int drop_span(struct store *s, sqlite3_int64 seq)
{
	sqlite3_int64 resource = 0;
	int err = store_drop_contents(s, seq);

	if (!err) {
		sqlite3_bind_int64(store_stmt(s, STMT_DROP_SPAN), 1, seq);
		err = store_do(s, STMT_DROP_SPAN, &resource);
	}
	if (err || !resource)
		return err;
	sqlite3_bind_int64(store_stmt(s, STMT_DROP_RESOURCE), 1, resource);
	return store_do(s, STMT_DROP_RESOURCE, NULL);
}

/* What ended behind before_ns stays; where nothing else is left, the slice has no spans. */
static int drop_spans(struct store *s, const struct victim *v, uint64_t before_ns,
		      struct slice *out)
{
	sqlite3_stmt *st = store_stmt(s, v->over ? STMT_OLD_OF_OVER : STMT_OLD_OF_OPEN);
	struct {
		sqlite3_int64 seq;
		uint64_t end_ns;
	} old[SLICE];
	size_t cnt = 0;
	int ret = SQLITE_ERROR, err;

	store_bind_sv(st, 1, sv(v->trace_id));
	sqlite3_bind_int(st, 2, SLICE);
	while (st && cnt < SLICE && (ret = sqlite3_step(st)) == SQLITE_ROW) {
		old[cnt].seq = sqlite3_column_int64(st, 0);
		old[cnt++].end_ns = (uint64_t)sqlite3_column_int64(st, 1);
	}
	err = ret == SQLITE_ROW || ret == SQLITE_DONE ? 0 : store_errno(s);
	sqlite3_reset(st);
	for (size_t i = 0; !err && i < cnt; i++) {
		if (!v->over && old[i].end_ns >= before_ns)
			continue;
		err = drop_span(s, old[i].seq);
		out->spans++;
		if (old[i].end_ns > out->until_ns)
			out->until_ns = old[i].end_ns;
	}
	out->last = v->over && cnt < SLICE;
	return err;
}

/* What a table that holds no contents has of the run; *cnt: rows that were removed. */
static int drop_rows(struct store *s, enum store_stmt id, const struct victim *v, uint64_t until_ns,
		     int *cnt)
{
	sqlite3_stmt *st = store_stmt(s, id);
	int ret = SQLITE_ERROR, err;

	store_bind_sv(st, 1, sv(v->trace_id));
	sqlite3_bind_int64(st, 2, v->over ? INT64_MAX : (sqlite3_int64)until_ns);
	sqlite3_bind_int(st, 3, SLICE_ROWS);
	*cnt = 0;
	while (st && (ret = sqlite3_step(st)) == SQLITE_ROW)
		++*cnt;
	err = ret == SQLITE_DONE ? 0 : store_errno(s);
	sqlite3_reset(st);
	return err;
}

static int note(struct store *s, const char *trace_id, int64_t runs, int64_t spans,
		uint64_t until_ns)
{
	sqlite3_stmt *st = store_stmt(s, STMT_NOTE_PRUNED);

	store_bind_sv(st, 1, sv(trace_id));
	sqlite3_bind_int64(st, 2, runs);
	sqlite3_bind_int64(st, 3, spans);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)until_ns);
	return store_do(s, STMT_NOTE_PRUNED, NULL);
}

/* A run that is gone is told of in the row of all that are. */
static int note_slice(struct store *s, const struct victim *v, const struct slice *done)
{
	sqlite3_int64 before = 0;
	int err;

	if (!v->over)
		return done->spans ? note(s, v->trace_id, 0, done->spans, done->until_ns) : 0;
	store_bind_sv(store_stmt(s, STMT_FORGET_PRUNED), 1, sv(v->trace_id));
	err = store_do(s, STMT_FORGET_PRUNED, &before);
	return err ? err : note(s, "", done->last, done->spans + before, v->end_ns);
}

static int drop_slice(struct store *s, const struct victim *v, uint64_t before_ns, bool counted,
		      struct slice *out)
{
	static const enum store_stmt tables[] = { STMT_DROP_LOGS, STMT_DROP_CALLS,
						  STMT_DROP_SAMPLES };
	int err = drop_spans(s, v, before_ns, out), cnt;

	for (size_t i = 0; !err && i < ARRAY_SIZE(tables); i++) {
		err = drop_rows(s, tables[i], v, out->until_ns, &cnt);
		out->last = out->last && cnt < SLICE_ROWS;
	}
	return !err && counted ? note_slice(s, v, out) : err;
}

/* Logged once for as long as it goes on: the next look may be a second away. */
static int fail_once(struct store *s, int err)
{
	if (err != s->prune_err)
		store_fail(s);
	s->prune_err = err;
	return err;
}

/* Removes some of it in one transaction; counted: for the limits. */
static int remove_slice(struct store *s, const struct victim *v, uint64_t before_ns, bool counted,
			struct slice *out)
{
	int err = store_do(s, STMT_BEGIN, NULL);

	*out = (struct slice){ 0 };
	if (!err)
		err = drop_slice(s, v, before_ns, counted, out);
	if (!err)
		err = store_do(s, STMT_COMMIT, NULL);
	if (!err)
		return 0;
	fail_once(s, err);
	if (!sqlite3_get_autocommit(s->db))
		store_do(s, STMT_ROLLBACK, NULL);
	return err;
}

/* ---- keeping the limits */

static void tell_once(struct store *s, const struct store_limits *l, bool size)
{
	if (s->pruned)
		return;
	s->pruned = true;
	if (size)
		log_warn("store %s: what is oldest is removed, to keep it below %s (--store-size)",
			 s->path, human_bytes(l->bytes).s);
	else
		log_warn("store %s: what ended %s ago is removed (--store-age)", s->path,
			 human_duration(l->age_ns).s);
}

/*
 * A clock that jumped by years makes every run old.  Only a machine that was not used for so long looks the
 * same, and it can wait for a day: until there is something that the same clock says ended a day ago.
 * 1 or 0, or -errno.
 */
static int is_doubtful(struct store *s, const struct store_limits *l, uint64_t now)
{
	uint64_t wanted = l->age_ns > GAP_NS ? l->age_ns : GAP_NS;
	int64_t last = last_over(s, now > DAY_NS ? now - DAY_NS : 0);

	if (last <= 0 || now - (uint64_t)last < wanted)
		return last < 0 ? (int)last : 0;
	if (!s->doubted)
		log_warn("store %s: by the clock nothing was recorded for %s; if it is right, what "
			 "is older than --store-age is removed from tomorrow on, and "
			 "`ringspan prune RUN` removes it now",
			 s->path, human_duration(now - (uint64_t)last).s);
	s->doubted = true;
	return 1;
}

/* One slice.  1: there may be more, 0: nothing is over the limits; -errno. */
static int prune_some(struct store *s, const struct store_limits *l)
{
	uint64_t now = careful_now(s), before;
	bool size = l->bytes && store_bytes(s) > l->bytes, aged;
	struct victim v = { 0 };
	struct slice done;
	int ret;

	if (!size && !l->age_ns)
		return 0;
	ret = size ? find_for_size(s, now, &v) : find_oldest(s, now, &v);
	if (ret <= 0)
		return ret ? fail_once(s, ret) : 0;
	before = l->age_ns && now > l->age_ns ? now - l->age_ns : 0;
	aged = v.end_ns < before;
	if (!size && !aged)
		return 0;
	ret = size ? 0 : is_doubtful(s, l, now);
	if (ret)
		return ret < 0 ? fail_once(s, ret) : 0;
	tell_once(s, l, size);
	ret = remove_slice(s, &v, size ? UINT64_MAX : before, true, &done);
	return ret ? ret : done.spans || v.over;
}

/* Some free pages are given back where there are many.  They are used again otherwise. */
static int shrink_some(struct store *s)
{
	char sql[64];
	struct pages p = { 0 };
	int err = read_pages(s, &p);

	if (err || p.free < FREE_MIN || p.free < p.cnt / FREE_SHARE)
		return err;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", SLICE_PAGES);
	err = store_exec(s, sql);
	return err ? fail_once(s, err) : 0;
}

void store_limit(struct store *s, const struct store_limits *limits)
{
	s->limits = *limits;
	s->prune_at = 0;
}

int store_keep_limits(struct store *s)
{
	uint64_t began, now;
	int more, err;

	if (!s->limits.bytes && !s->limits.age_ns)
		return 0;
	began = store_now(CLOCK_MONOTONIC);
	if (s->last_err || began < s->prune_at)
		return 0;
	more = prune_some(s, &s->limits);
	err = more < 0 ? more : shrink_some(s);
	if (!err)
		s->prune_err = 0;
	now = store_now(CLOCK_MONOTONIC);
	s->prune_at = now + (more > 0 ? PAUSE * (now - began) : LOOK_NS);
	return err;
}

int store_prune(struct store *s, const struct store_limits *limits)
{
	int more, err = store_commit(s);

	if (err)
		return err;
	s->orphans_at = 0;
	s->limits_once = true;
	s->pruned = true; /* who asks for it need not be told */
	do {
		more = prune_some(s, limits);
	} while (more > 0);
	return more;
}

int store_remove_run(struct store *s, const char *trace_id)
{
	struct victim v = { .over = true };
	struct slice done = { 0 };
	int err = store_commit(s);

	snprintf(v.trace_id, sizeof(v.trace_id), "%s", trace_id);
	if (!err && store_exec(s, "PRAGMA secure_delete = ON"))
		err = store_fail(s);
	while (!err && !done.last)
		err = remove_slice(s, &v, UINT64_MAX, false, &done);
	return err;
}

int store_shrink(struct store *s)
{
	int err = store_commit(s);

	if (!err && (store_exec(s, "PRAGMA incremental_vacuum") ||
		     store_exec(s, "PRAGMA wal_checkpoint(TRUNCATE)")))
		err = store_fail(s);
	return err;
}

int store_pruned(struct store *s, const char *trace_id, struct store_pruned *out)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = store_prepare(s, "SELECT runs, spans, until_ns FROM pruned WHERE trace_id = ?1",
				&st);

	*out = (struct store_pruned){ 0 };
	if (err)
		return err;
	store_bind_sv(st, 1, sv(trace_id ? trace_id : ""));
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		out->runs = sqlite3_column_int64(st, 0);
		out->spans = sqlite3_column_int64(st, 1);
		out->until_ns = (uint64_t)sqlite3_column_int64(st, 2);
		return 0;
	case SQLITE_DONE:
		return 0;
	}
	return store_fail(s);
}
