/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel follows a traced process's forks by itself, so the order is: the process goes into the
 * table, then its children are looked for, and again until no new one is found.  What was forked
 * before a parent's entry is then in a listing, what was forked after it is in the table.
 */
#include "probe/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/map.h"
#include "probe/fact.h"

struct watch {
	struct kern *kern;
	struct files *files;
	struct buf *facts;
	struct map tree; /* {tgid, start} of what this watch put in the table */
	bool quiet;      /* as in probe_select */
	struct proc_row *rows;
	size_t cnt;
	struct buf taken; /* struct taken: those that nothing was told of yet */
};

struct taken {
	struct proc_row row;
	bool is_run; /* it begins one */
	bool is_own; /* the kernel did not follow it before */
};

static int list(struct watch *w)
{
	free(w->rows);
	w->rows = NULL;
	w->cnt = 0;
	return kern_rows(w->kern, &w->rows, &w->cnt);
}

static void fini(struct watch *w)
{
	map_fini(&w->tree);
	buf_fini(&w->taken);
	free(w->rows);
}

static const struct proc_row *row_of(const struct watch *w, pid_t pid)
{
	for (size_t i = 0; i < w->cnt; i++)
		if (w->rows[i].tgid == (__u32)pid)
			return &w->rows[i];
	return NULL;
}

static struct map_key key_of(__u32 tgid, __u64 start)
{
	return (struct map_key){ tgid, start, 0 };
}

/* 1: the kernel follows it already. */
static int take(struct watch *w, const struct proc_row *row)
{
	struct proc_state state = row->state;
	int err, followed;

	state.quiet = w->quiet;
	followed = kern_trace(w->kern, row->tgid, &state);
	if (followed < 0)
		return log_err(followed, "cannot trace process %u: %s", row->tgid,
			       followed == -E2BIG ? "too many are traced already"
						  : strerror(-followed));
	err = map_put(&w->tree, key_of(row->tgid, row->state.start), w);
	return err ? err : followed;
}

/* One that is known to have been there when its entry was. */
static int tell(struct watch *w, const struct proc_row *row)
{
	struct alive alive = kern_alive(w->kern);

	files_hook_process(w->files, row->tgid);
	return fact_proc(w->facts, row, &alive);
}

/* To be told when the next listing shows that it was there when its entry was. */
static int take_later(struct watch *w, const struct proc_row *row, bool is_run)
{
	int followed = take(w, row);
	struct taken t = { *row, is_run, !followed };

	if (followed < 0)
		return followed;
	buf_add(&w->taken, &t, sizeof(t));
	return w->taken.err;
}

/* The process of that row, as the last listing has it. */
static bool is_there(const struct watch *w, const struct proc_row *row)
{
	const struct proc_row *now = row_of(w, (pid_t)row->tgid);

	return now && now->state.start == row->state.start && !now->over;
}

/*
 * After a listing, in the order in which they were taken.  Of one that had ended before its entry was
 * there nothing is told, and nothing else would ever remove the entry.
 */
static int tell_taken(struct watch *w)
{
	const struct taken *t = (const void *)w->taken.p;
	int err = 0;

	for (size_t i = 0; i < w->taken.len / sizeof(*t) && !err; i++) {
		if (!is_there(w, &t[i].row)) {
			if (t[i].is_own)
				kern_untrace(w->kern, t[i].row.tgid, t[i].row.state.start);
			continue;
		}
		err = t[i].is_run ? fact_run(w->facts, &t[i].row, EV_RUN_ATTACH) : 0;
		if (!err)
			err = tell(w, &t[i].row);
	}
	buf_clear(&w->taken);
	return err;
}

/* Children, in the listing, of what is taken, and theirs; how many were new, or -errno. */
static int take_children(struct watch *w)
{
	int total = 0, found;

	do {
		found = 0;
		for (size_t i = 0; i < w->cnt; i++) {
			const struct proc_row *r = &w->rows[i];
			int err;

			if (r->over || map_get(&w->tree, key_of(r->tgid, r->state.start)) ||
			    !map_get(&w->tree, key_of(r->parent, r->parent_start)))
				continue;
			err = take_later(w, r, false);
			if (err)
				return err;
			found++;
		}
		total += found;
	} while (found);
	return total;
}

static int take_descendants(struct watch *w)
{
	int n;

	do {
		int err = list(w);

		if (!err)
			err = tell_taken(w);
		if (err)
			return err;
		n = take_children(w);
	} while (n > 0);
	return n;
}

static int gone(pid_t pid)
{
	return log_err(-ESRCH, "there is no process %d; `ps` lists those that run", (int)pid);
}

static int run(struct watch *w, pid_t pid, enum ev_run_origin origin)
{
	const struct proc_row *found;
	struct proc_row row;
	int err = list(w), followed;

	if (err)
		return err;
	found = row_of(w, pid);
	if (!found || found->over)
		return gone(pid);
	row = *found;
	row.state.held = origin == EV_RUN_RECORD;
	/* a child that waits to be let go: nobody starts threads behind our back */
	if (origin == EV_RUN_RECORD && !row.state.threads)
		row.state.alive = row.state.counted = 1;
	followed = take(w, &row);
	if (followed < 0)
		return followed;
	/* it may have ended before its entry was there; then nothing would ever remove the entry */
	err = list(w);
	if (err)
		return err;
	if (!is_there(w, &row)) {
		if (!followed)
			kern_untrace(w->kern, row.tgid, row.state.start);
		return gone(pid);
	}
	err = fact_run(w->facts, &row, origin);
	if (err || origin != EV_RUN_ATTACH)
		return err;
	err = tell(w, &row);
	return err ? err : take_descendants(w);
}

int watch_start(struct kern *k, struct files *fs, struct buf *facts, pid_t pid,
		enum ev_run_origin origin)
{
	struct watch w = { .kern = k, .files = fs, .facts = facts };
	int err;

	files_begin_pass(fs);
	err = pid > 0 ? run(&w, pid, origin) : gone(pid);

	fini(&w);
	return err;
}

/* --- a selection */

static bool is_wanted(const struct watch *w, const struct selection *s, const struct proc_row *r)
{
	return !r->over && !map_get(&w->tree, key_of(r->tgid, r->state.start)) &&
	       selection_wants(s, r->tgid, r->comm);
}

/* Marks the caller, and what it descends from: they are never taken. */
static int spare_own(const struct watch *w, struct map *own)
{
	const struct proc_row *r = row_of(w, getpid());
	int err = 0;

	while (r && !err && !map_get(own, key_of(r->tgid, r->state.start))) {
		err = map_put(own, key_of(r->tgid, r->state.start), own);
		r = row_of(w, (pid_t)r->parent);
	}
	return err;
}

static bool is_below_taken(const struct watch *w, const struct proc_row *r)
{
	for (size_t i = 0; r && i < w->cnt; i++) {
		if (map_get(&w->tree, key_of(r->parent, r->parent_start)))
			return true;
		r = row_of(w, (pid_t)r->parent);
	}
	return false;
}

/* A run of its own, unless a process that it descends from is one already. */
static int select_row(struct watch *w, const struct proc_row *r)
{
	return take_later(w, r, !is_below_taken(w, r) && !w->quiet);
}

/* Parents come before their children, so that it is known of each whether it is part of a run. */
static int by_start(const void *a, const void *b)
{
	const struct proc_row *x = a, *y = b;

	return x->state.start < y->state.start ? -1 : x->state.start > y->state.start;
}

static int select_all(struct watch *w, const struct selection *s)
{
	struct map own = { 0 };
	int cnt = 0, err = list(w);

	if (!err)
		err = spare_own(w, &own);
	qsort(w->rows, w->cnt, sizeof(*w->rows), by_start);
	for (size_t i = 0; i < w->cnt && !err; i++) {
		const struct proc_row *r = &w->rows[i];
		bool spared = map_get(&own, key_of(r->tgid, r->state.start));

		if (spared || !is_wanted(w, s, r))
			continue;
		err = select_row(w, r);
		cnt++;
	}
	map_fini(&own);
	if (!err)
		err = take_descendants(w);
	return err ? err : cnt;
}

int watch_select(struct kern *k, struct files *fs, struct buf *facts, const struct selection *s)
{
	struct watch w = { .kern = k, .files = fs, .facts = facts, .quiet = selection_is_quiet(s) };
	struct watch_state state;
	int ret;

	selection_watch(s, &state);
	/* before the listing: what starts a program meanwhile is in one of the two */
	ret = kern_watch(k, &state);
	if (ret)
		return log_err(ret, "cannot watch for new programs: %s", strerror(-ret));
	files_begin_pass(fs);
	ret = select_all(&w, s);
	fini(&w);
	return ret;
}

static int seen(struct watch *w, const struct selection *s, const struct ev_seen *e)
{
	const struct proc_row *r;
	int err = list(w);

	if (err)
		return err;
	r = row_of(w, (pid_t)e->hdr.tgid);
	if (!r || r->state.start != e->hdr.start || !is_wanted(w, s, r))
		return 0;
	err = select_row(w, r);
	return err ? err : take_descendants(w);
}

int watch_seen(struct kern *k, struct files *fs, struct buf *facts, const struct selection *s,
	       const struct ev_seen *e)
{
	struct watch w = { .kern = k, .files = fs, .facts = facts, .quiet = selection_is_quiet(s) };
	int err;

	files_begin_pass(fs);
	err = seen(&w, s, e);

	fini(&w);
	return err;
}
