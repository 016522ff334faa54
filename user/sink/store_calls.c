// SPDX-License-Identifier: BSD-2-Clause
/* Counts of system calls, into the store and out of it: see store.h. */
#include "sink/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "sink/store_row.h"

static void counts_write(struct buf *b, const struct ev_count *counts, size_t cnt)
{
	buf_ch(b, '{');
	for (size_t i = 0; i < cnt; i++)
		buf_fmt(b, "%s\"%u\":%u", i ? "," : "", counts[i].what, counts[i].cnt);
	buf_ch(b, '}');
}

struct calls_row *calls_row_new(const struct trace_calls *c, size_t *bytes)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t name, class, buckets, errnos;
	struct calls_row *r;

	buf_sv(&b, c->name);
	name = b.len;
	buf_sv(&b, c->class);
	class = b.len;
	counts_write(&b, c->buckets, c->bucket_cnt);
	buckets = b.len;
	counts_write(&b, c->errnos, c->errno_cnt);
	errnos = b.len;
	r = b.err ? NULL : malloc(sizeof(*r) + b.len);
	if (!r)
		return NULL;
	*r = (struct calls_row){ .c = *c };
	memcpy(r->text, b.p, b.len);
	r->c.name = (struct sv){ r->text, name };
	r->c.class = (struct sv){ r->text + name, class - name };
	r->buckets = (struct sv){ r->text + class, buckets - class };
	r->errnos = (struct sv){ r->text + buckets, errnos - buckets };
	*bytes = sizeof(*r) + b.len;
	return r;
}

int store_put_calls(struct store *s, const struct calls_row *r)
{
	sqlite3_stmt *st = store_stmt(s, STMT_CALLS);

	store_bind_sv(st, 1, sv(r->c.trace_id));
	store_bind_sv(st, 2, sv(r->c.span_id));
	sqlite3_bind_int64(st, 3, (sqlite3_int64)r->c.since_ns);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)r->c.time_ns);
	sqlite3_bind_int64(st, 5, r->c.pid);
	store_bind_sv(st, 6, r->c.name);
	store_bind_sv(st, 7, r->c.class);
	sqlite3_bind_int64(st, 8, (sqlite3_int64)r->c.calls);
	sqlite3_bind_int64(st, 9, (sqlite3_int64)r->c.errors);
	sqlite3_bind_int64(st, 10, (sqlite3_int64)r->c.total_ns);
	sqlite3_bind_int64(st, 11, (sqlite3_int64)r->c.max_ns);
	store_bind_sv(st, 12, r->buckets);
	store_bind_sv(st, 13, r->errnos);
	return store_do(s, STMT_CALLS, NULL);
}

/* What a store holds may be anybody's: members that are none are left out. */
static size_t counts_read(struct sv text, struct ev_count *out, size_t room)
{
	_cleanup_arena_ struct arena a;
	size_t n = 0;

	arena_init(&a, 0);
	json_for_each (json_parse(&a, text, NULL), e) {
		int64_t what, cnt;

		if (n < room && !sv_i64(e->key, &what) && what >= 0 && what <= UINT32_MAX &&
		    json_i64(e, &cnt) && cnt >= 0 && cnt <= UINT32_MAX)
			out[n++] = (struct ev_count){ (uint32_t)what, (uint32_t)cnt };
	}
	return n;
}

/* Buckets that there are none of are left out by their readers. */
static int give(sqlite3_stmt *st, const char *trace_id, store_calls_fn fn, void *ctx)
{
	struct ev_count buckets[EV_BUCKETS], errnos[256];
	struct trace_calls c = {
		.since_ns = (uint64_t)sqlite3_column_int64(st, 1),
		.time_ns = (uint64_t)sqlite3_column_int64(st, 2),
		.pid = (uint32_t)sqlite3_column_int64(st, 3),
		.name = store_column_sv(st, 4),
		.class = store_column_sv(st, 5),
		.calls = (uint64_t)sqlite3_column_int64(st, 6),
		.errors = (uint64_t)sqlite3_column_int64(st, 7),
		.total_ns = (uint64_t)sqlite3_column_int64(st, 8),
		.max_ns = (uint64_t)sqlite3_column_int64(st, 9),
		.buckets = buckets,
		.errnos = errnos,
	};

	snprintf(c.trace_id, sizeof(c.trace_id), "%s", trace_id);
	snprintf(c.span_id, sizeof(c.span_id), SV_FMT, SV_ARG(store_column_sv(st, 0)));
	c.bucket_cnt = counts_read(store_column_sv(st, 10), buckets, ARRAY_SIZE(buckets));
	c.errno_cnt = counts_read(store_column_sv(st, 11), errnos, ARRAY_SIZE(errnos));
	return fn(ctx, &c);
}

int store_calls(struct store *s, const char *trace_id, store_calls_fn fn, void *ctx)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int ret, err = store_commit(s);

	if (!err)
		err = store_prepare(s,
				    "SELECT span_id, since_ns, time_ns, pid, name, class, calls, "
				    "errors, total_ns, max_ns, buckets, errnos FROM calls "
				    "WHERE trace_id = ?1 ORDER BY id",
				    &st);
	if (err)
		return err;
	store_bind_sv(st, 1, sv(trace_id));
	while ((ret = sqlite3_step(st)) == SQLITE_ROW) {
		err = give(st, trace_id, fn, ctx);
		if (err)
			return err;
	}
	return ret == SQLITE_DONE ? 0 : store_fail(s);
}
