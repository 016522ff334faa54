// SPDX-License-Identifier: BSD-2-Clause
/* Lines of output, out of the store: see store.h. */
#include "sink/store_priv.h"

#include <errno.h>
#include <stdio.h>

static void read_log(sqlite3_stmt *st, const char *trace_id, struct trace_log *l)
{
	*l = (struct trace_log){
		.time_ns = (uint64_t)sqlite3_column_int64(st, 2),
		.pid = (uint32_t)sqlite3_column_int64(st, 3),
		.fd = sqlite3_column_int(st, 4),
		.missing = (uint64_t)sqlite3_column_int64(st, 5),
	};
	snprintf(l->trace_id, sizeof(l->trace_id), "%s", trace_id);
	snprintf(l->span_id, sizeof(l->span_id), SV_FMT, SV_ARG(store_column_sv(st, 1)));
	l->text.p = sqlite3_column_blob(st, 6);
	l->text.n = (size_t)sqlite3_column_bytes(st, 6);
}

static int read_resource(struct store *s, const char *trace_id, struct arena *a,
			 const struct json **out)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err =
		store_prepare(s,
			      "SELECT body FROM resource JOIN span ON span.resource = resource.id "
			      "WHERE trace_id = ?1 LIMIT 1",
			      &st);

	if (err)
		return err;
	store_bind_sv(st, 1, sv(trace_id));
	if (sqlite3_step(st) == SQLITE_ROW)
		*out = json_parse(a, store_column_sv(st, 0), NULL);
	return 0;
}

int store_logs(struct store *s, const char *trace_id, int64_t *after, store_log_fn fn, void *ctx)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	_cleanup_arena_ struct arena a;
	const struct json *resource = NULL;
	struct trace_log l;
	int ret, err = store_commit(s);

	arena_init(&a, 0);
	if (!err)
		err = read_resource(s, trace_id, &a, &resource);
	if (!err)
		err = store_prepare(s,
				    "SELECT id, span_id, time_ns, pid, fd, missing, body FROM log "
				    "WHERE trace_id = ?1 AND id > ?2 ORDER BY id",
				    &st);
	if (err)
		return err;
	store_bind_sv(st, 1, sv(trace_id));
	sqlite3_bind_int64(st, 2, *after);
	while ((ret = sqlite3_step(st)) == SQLITE_ROW) {
		read_log(st, trace_id, &l);
		err = fn(ctx, &l, resource);
		if (err)
			return err;
		*after = sqlite3_column_int64(st, 0);
	}
	return ret == SQLITE_DONE ? 0 : store_fail(s);
}

bool store_run_over(struct store *s, const char *trace_id)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;

	if (store_prepare(s,
			  "SELECT 1 FROM span WHERE trace_id = ?1 AND what = 'run' "
			  "AND unfinished IS NULL LIMIT 1",
			  &st))
		return true;
	store_bind_sv(st, 1, sv(trace_id));
	return sqlite3_step(st) == SQLITE_ROW;
}
