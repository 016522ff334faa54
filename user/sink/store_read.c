// SPDX-License-Identifier: BSD-2-Clause
/*
 * Spans out of the store.  A row is put together as the text of a span record and read like one, so
 * that what comes out has passed the same checks as anything from outside: a store may be somebody
 * else's file.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/log.h"
#include "sink/store_row.h"
#include "sink/where.h"

#define SPAN_COLUMNS                                                                            \
	"SELECT seq, trace_id, span_id, parent_span_id, name, kind, start_ns, end_ns, status, " \
	"status_message, attributes, events, links, resource.body "                             \
	"FROM span JOIN resource ON resource.id = span.resource "

enum {
	COL_SEQ,
	COL_TRACE,
	COL_SPAN,
	COL_PARENT,
	COL_NAME,
	COL_KIND,
	COL_START,
	COL_END,
	COL_STATUS,
	COL_MESSAGE,
	COL_ATTRIBUTES,
	COL_EVENTS,
	COL_LINKS,
	COL_RESOURCE
};

/* What a walk over spans needs, beside the statement that gives them. */
struct walk {
	struct store *s;
	sqlite3_stmt *parts; /* gives what is kept apart from a span's attributes */
	struct contents contents;
	struct buf text;
	store_span_fn fn;
	void *ctx;
};

static void walk_fini(struct walk *w)
{
	sqlite3_finalize(w->parts);
	buf_fini(&w->text);
	contents_fini(&w->contents);
}

int store_damaged(struct store *s, const char *what)
{
	return log_err(-EIO,
		       "store %s is damaged (%s); `sqlite3 %s .recover` may save what is in it",
		       s->path, what, s->path);
}

static void open_key(struct buf *b, struct sv key)
{
	if (b->p[b->len - 1] != '{')
		buf_ch(b, ',');
	json_write_str(b, key);
	buf_ch(b, ':');
}

/* What is kept apart of the span, behind the others in its attribute object. */
static int add_parts(struct walk *w, sqlite3_int64 seq)
{
	struct buf *b = &w->text;
	int ret, err = 0;

	sqlite3_bind_int64(w->parts, 1, seq);
	while ((ret = sqlite3_step(w->parts)) == SQLITE_ROW) {
		bool list = sqlite3_column_int(w->parts, 1) == PART_ELEMENT;

		open_key(b, store_column_sv(w->parts, 0));
		if (list)
			buf_ch(b, '[');
		err = contents_read(&w->contents, sqlite3_column_int64(w->parts, 2), ",", b);
		if (err)
			break;
		if (list)
			buf_ch(b, ']');
	}
	sqlite3_reset(w->parts);
	if (err)
		return err;
	return ret == SQLITE_DONE ? b->err : store_fail(w->s);
}

static void add_string(struct buf *b, const char *key, sqlite3_stmt *st, int column)
{
	buf_str(b, key);
	json_write_str(b, store_column_sv(st, column));
}

static void add_json(struct buf *b, const char *key, sqlite3_stmt *st, int column)
{
	buf_str(b, key);
	buf_sv(b, store_column_sv(st, column));
}

static int add_attributes(struct walk *w, sqlite3_stmt *st)
{
	struct sv text = store_column_sv(st, COL_ATTRIBUTES);
	int err;

	if (!sv_starts(text, "{") || !sv_ends(text, "}"))
		return store_damaged(w->s, "attributes");
	buf_sv(&w->text, SV("},\"attributes\":"));
	buf_sv(&w->text, sv_sub(text, 0, text.n - 1));
	err = w->text.err;
	if (!err)
		err = add_parts(w, sqlite3_column_int64(st, COL_SEQ));
	buf_ch(&w->text, '}');
	return err;
}

static int read_row(struct walk *w, sqlite3_stmt *st, struct span **out)
{
	struct buf *b = &w->text;
	int err;

	buf_clear(b);
	add_string(b, "{\"trace_id\":", st, COL_TRACE);
	add_string(b, ",\"span_id\":", st, COL_SPAN);
	add_string(b, ",\"parent_span_id\":", st, COL_PARENT);
	add_string(b, ",\"name\":", st, COL_NAME);
	add_string(b, ",\"kind\":", st, COL_KIND);
	buf_fmt(b, ",\"start_time_unix_nano\":%" PRId64 ",\"end_time_unix_nano\":%" PRId64,
		(int64_t)sqlite3_column_int64(st, COL_START),
		(int64_t)sqlite3_column_int64(st, COL_END));
	add_string(b, ",\"status\":{\"code\":", st, COL_STATUS);
	add_string(b, ",\"message\":", st, COL_MESSAGE);
	err = add_attributes(w, st);
	if (err)
		return err;
	add_json(b, ",\"events\":", st, COL_EVENTS);
	add_json(b, ",\"links\":", st, COL_LINKS);
	add_json(b, ",\"resource\":", st, COL_RESOURCE);
	buf_ch(b, '}');
	if (b->err)
		return b->err;
	err = span_read_json(out, buf_view(b));
	return err == -EINVAL ? store_damaged(w->s, "a span") : err;
}

static int walk(struct walk *w, sqlite3_stmt *st)
{
	int ret;

	while ((ret = sqlite3_step(st)) == SQLITE_ROW) {
		struct span *sp = NULL;
		int err = read_row(w, st, &sp);

		if (!err)
			err = w->fn(w->ctx, sp);
		span_free(&sp);
		if (err)
			return err;
	}
	return ret == SQLITE_DONE ? 0 : store_fail(w->s);
}

static int walk_new(struct walk *w, bool payload)
{
	int err = store_prepare(w->s,
				"SELECT key, shape, node FROM payload "
				"WHERE span = ?1 AND level <= ?2 ORDER BY key",
				&w->parts);

	w->contents.s = w->s;
	w->text.max = LIMIT_JSON_ARENA;
	if (!err)
		sqlite3_bind_int(w->parts, 2, payload ? LEVEL_PAYLOAD : LEVEL_SHOWN);
	return err;
}

int store_spans(struct store *s, const char *trace_id, bool payload, store_span_fn fn, void *ctx)
{
	__attribute__((cleanup(walk_fini))) struct walk w = { .s = s, .fn = fn, .ctx = ctx };
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = store_commit(s); /* a writer sees what it has added */

	if (!err)
		err = walk_new(&w, payload);
	if (!err)
		err = store_prepare(s, SPAN_COLUMNS "WHERE trace_id = ?1 ORDER BY seq", &st);
	if (err)
		return err;
	store_bind_sv(st, 1, sv(trace_id));
	return walk(&w, st);
}

int store_span(struct store *s, sqlite3_int64 seq, struct span **out)
{
	__attribute__((cleanup(walk_fini))) struct walk w = { .s = s };
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = walk_new(&w, false);

	if (!err)
		err = store_prepare(s, SPAN_COLUMNS "WHERE seq = ?1", &st);
	if (err)
		return err;
	sqlite3_bind_int64(st, 1, seq);
	if (sqlite3_step(st) != SQLITE_ROW)
		return store_fail(s);
	return read_row(&w, st, out);
}

static void bind_params(sqlite3_stmt *st, const struct where *w)
{
	for (size_t i = 0; i < w->param_cnt; i++) {
		const struct where_param *p = &w->params[i];
		int index = (int)i + 1;

		switch (p->type) {
		case WHERE_INT:
			sqlite3_bind_int64(st, index, p->i);
			break;
		case WHERE_FLOAT:
			sqlite3_bind_double(st, index, p->f);
			break;
		case WHERE_TEXT:
			store_bind_sv(st, index, p->s);
			break;
		}
	}
}

static int compile(struct where *w, const char *text)
{
	struct timespec now;
	int err;

	clock_gettime(CLOCK_REALTIME, &now);
	err = where_compile(w, sv(text),
			    (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec);
	return err == -EINVAL ? log_err(err, "where: %s", w->error) : err;
}

/* By time it is oldest first unless asked; by anything else largest first. */
static int add_order(struct buf *sql, const struct store_query *q)
{
	const char *sort = q->sort ? q->sort : "start", *column = where_column(sv(sort));
	bool up = q->ascending || sv_is(sv(sort), "start");

	if (!column)
		return log_err(-EINVAL,
			       "sort: unknown field '%.40s'; there are duration, start, end, "
			       "cost, tokens, input_tokens, output_tokens, name, kind, model, "
			       "tool ...",
			       sort);
	buf_fmt(sql, " ORDER BY %s %s NULLS LAST, seq", column, up ? "ASC" : "DESC");
	return 0;
}

static int build(struct buf *sql, const struct store_query *q, const struct where *w)
{
	int err;

	buf_str(sql, SPAN_COLUMNS "WHERE ");
	if (q->where)
		buf_sv(sql, buf_view(&w->sql));
	else
		buf_str(sql, "1");
	if (q->trace_id)
		buf_fmt(sql, " AND trace_id = ?%zu", w->param_cnt + 1);
	err = add_order(sql, q);
	if (err)
		return err;
	if (q->limit)
		buf_fmt(sql, " LIMIT %u", q->limit);
	return sql->err;
}

int store_query(struct store *s, const struct store_query *q, store_span_fn fn, void *ctx)
{
	__attribute__((cleanup(walk_fini))) struct walk wk = { .s = s, .fn = fn, .ctx = ctx };
	__attribute__((cleanup(where_fini))) struct where w = { 0 };
	_cleanup_buf_ struct buf sql = BUF_INIT;
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = q->where ? compile(&w, q->where) : 0;

	if (!err)
		err = build(&sql, q, &w);
	if (!err)
		err = store_commit(s);
	if (!err)
		err = walk_new(&wk, q->payload);
	if (!err)
		err = store_prepare(s, buf_cstr(&sql), &st);
	if (err)
		return err;
	bind_params(st, &w);
	if (q->trace_id)
		store_bind_sv(st, (int)w.param_cnt + 1, sv(q->trace_id));
	return walk(&wk, st);
}

int64_t store_version(struct store *s)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = store_prepare(s, "PRAGMA data_version", &st);

	if (err)
		return err;
	return sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : store_fail(s);
}
