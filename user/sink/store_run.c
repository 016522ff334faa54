// SPDX-License-Identifier: BSD-2-Clause
/* Runs: which there are, and which one is meant. */
#include "sink/store_priv.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "base/log.h"

#define PREFIX_MIN 4 /* digits that name a run */

static void read_run(sqlite3_stmt *st, struct store_run *r)
{
	struct sv id = store_column_sv(st, 0);

	*r = (struct store_run){
		.name = store_column_sv(st, 1),
		.agent = store_column_sv(st, 2),
		.start_ns = (uint64_t)sqlite3_column_int64(st, 3),
		.end_ns = (uint64_t)sqlite3_column_int64(st, 4),
		.finished = sqlite3_column_int(st, 5),
		.span_cnt = sqlite3_column_int64(st, 6),
		.model_calls = sqlite3_column_int64(st, 7),
		.tool_calls = sqlite3_column_int64(st, 8),
		.errors = sqlite3_column_int64(st, 9),
		.attempts = sqlite3_column_int64(st, 10),
		.input_tokens = sqlite3_column_int64(st, 11),
		.output_tokens = sqlite3_column_int64(st, 12),
		.cost_usd = sqlite3_column_type(st, 13) == SQLITE_NULL
				    ? NAN
				    : sqlite3_column_double(st, 13),
		.unpriced_calls = sqlite3_column_int64(st, 14),
		.exit_code = sqlite3_column_int64(st, 15),
		.models = store_column_sv(st, 16),
	};
	id = sv_sub(id, 0, HEX128 - 1);
	if (id.n)
		memcpy(r->trace_id, id.p, id.n);
}

static int one_run(struct store *s, sqlite3_stmt *st, struct sv trace_id, store_run_fn fn,
		   void *ctx)
{
	struct store_run r;
	int err = 0;

	store_bind_sv(st, 1, trace_id);
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		read_run(st, &r);
		err = fn(ctx, &r);
		break;
	case SQLITE_DONE:
		break;
	default:
		err = store_fail(s);
	}
	sqlite3_reset(st);
	return err;
}

/* Which runs are the newest is found in an index alone; only those are summed up. */
int store_runs(struct store *s, unsigned int limit, store_run_fn fn, void *ctx)
{
	_cleanup_stmt_ sqlite3_stmt *ids = NULL, *run = NULL;
	int ret, err = store_commit(s);

	if (!err)
		err = store_prepare(s,
				    "SELECT trace_id FROM span GROUP BY trace_id "
				    "ORDER BY min(start_ns) DESC, trace_id LIMIT ?1",
				    &ids);
	if (!err)
		err = store_prepare(s,
				    "SELECT trace_id, name, agent, start_ns, end_ns, finished, "
				    "span_cnt, model_calls, tool_calls, errors, attempts, "
				    "input_tokens, output_tokens, cost_usd, unpriced_calls, "
				    "exit_code, models FROM run WHERE trace_id = ?1",
				    &run);
	if (err)
		return err;
	sqlite3_bind_int64(ids, 1, limit ? (sqlite3_int64)limit : -1);
	while ((ret = sqlite3_step(ids)) == SQLITE_ROW) {
		err = one_run(s, run, store_column_sv(ids, 0), fn, ctx);
		if (err)
			return err;
	}
	return ret == SQLITE_DONE ? 0 : store_fail(s);
}

/* The first column of the first rows of st, at most two; how many there are, or -errno. */
static int two_ids(struct store *s, sqlite3_stmt *st, char ids[2][HEX128])
{
	int ret = SQLITE_DONE, n = 0;

	while (n < 2 && (ret = sqlite3_step(st)) == SQLITE_ROW) {
		struct sv id = store_column_sv(st, 0);

		if (id.n != HEX128 - 1)
			continue;
		memcpy(ids[n], id.p, id.n);
		ids[n++][HEX128 - 1] = '\0';
	}
	return ret == SQLITE_ROW || ret == SQLITE_DONE ? n : store_fail(s);
}

static int newest_run(struct store *s, char trace_id[HEX128])
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	char ids[2][HEX128];
	int n, err = store_prepare(s,
				   "SELECT trace_id FROM span GROUP BY trace_id "
				   "ORDER BY min(start_ns) DESC, trace_id LIMIT 1",
				   &st);

	if (err)
		return err;
	n = two_ids(s, st, ids);
	if (n < 0)
		return n;
	if (!n)
		return log_err(-ENOENT, "store %s holds no run yet; `ringspan record` adds one",
			       s->path);
	memcpy(trace_id, ids[0], HEX128);
	return 0;
}

int store_find_run(struct store *s, const char *spec, char trace_id[HEX128])
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	char prefix[HEX128], ids[2][HEX128];
	size_t len = spec ? strlen(spec) : 0;
	int n, err = store_commit(s);

	if (err)
		return err;
	if (!spec)
		return newest_run(s, trace_id);
	if (len < PREFIX_MIN || len >= HEX128 || strspn(spec, "0123456789abcdefABCDEF") != len)
		return log_err(-ENOENT,
			       "'%.40s' names no run: give %d to 32 hex digits of its trace id, as "
			       "`ringspan runs` lists them",
			       spec, PREFIX_MIN);
	for (size_t i = 0; i <= len; i++)
		prefix[i] = (char)tolower((unsigned char)spec[i]);
	/* 'g' sorts behind every digit */
	err = store_prepare(s,
			    "SELECT DISTINCT trace_id FROM span "
			    "WHERE trace_id >= ?1 AND trace_id < ?1 || 'g' LIMIT 2",
			    &st);
	if (err)
		return err;
	store_bind_sv(st, 1, sv(prefix));
	n = two_ids(s, st, ids);
	if (n < 0)
		return n;
	if (!n)
		return log_err(-ENOENT,
			       "store %s holds no run %s; `ringspan runs` lists those it has",
			       s->path, prefix);
	if (n > 1)
		return log_err(-ENOTUNIQ,
			       "more than one run begins with %s: %s, %s; give more digits", prefix,
			       ids[0], ids[1]);
	memcpy(trace_id, ids[0], HEX128);
	return 0;
}
