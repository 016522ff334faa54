// SPDX-License-Identifier: BSD-2-Clause
/* One span by its id, and the request of a model call as it was: see store.h. */
#include "sink/store_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "sink/store_row.h"

#define PREFIX_MIN 4 /* digits that name a span */

struct found {
	sqlite3_int64 seq;
	char trace_id[HEX128], span_id[HEX64];
};

/* The first rows of st, at most two; how many there are, or -errno. */
static int two_spans(struct store *s, sqlite3_stmt *st, struct found found[2])
{
	int ret = SQLITE_DONE, n = 0;

	while (n < 2 && (ret = sqlite3_step(st)) == SQLITE_ROW) {
		struct found *f = &found[n++];

		f->seq = sqlite3_column_int64(st, 0);
		snprintf(f->trace_id, sizeof(f->trace_id), SV_FMT, SV_ARG(store_column_sv(st, 1)));
		snprintf(f->span_id, sizeof(f->span_id), SV_FMT, SV_ARG(store_column_sv(st, 2)));
	}
	return ret == SQLITE_ROW || ret == SQLITE_DONE ? n : store_fail(s);
}

static int find_span(struct store *s, const char *spec, struct found *out)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	size_t len = strlen(spec);
	char prefix[HEX64];
	struct found found[2];
	int n, err;

	if (len < PREFIX_MIN || len >= HEX64 || strspn(spec, "0123456789abcdefABCDEF") != len)
		return log_err(-ENOENT,
			       "'%.40s' names no span: give %d to 16 hex digits of its id, as "
			       "`ringspan spans` lists them",
			       spec, PREFIX_MIN);
	for (size_t i = 0; i <= len; i++)
		prefix[i] = (char)tolower((unsigned char)spec[i]);
	/* 'g' sorts behind every digit */
	err = store_prepare(s,
			    "SELECT seq, trace_id, span_id FROM span "
			    "WHERE span_id >= ?1 AND span_id < ?1 || 'g' LIMIT 2",
			    &st);
	if (err)
		return err;
	store_bind_sv(st, 1, sv(prefix));
	n = two_spans(s, st, found);
	if (n < 0)
		return n;
	if (!n)
		return log_err(-ENOENT,
			       "store %s holds no span %s; `ringspan spans` lists those it has",
			       s->path, prefix);
	if (n > 1)
		return log_err(-ENOTUNIQ,
			       "more than one span begins with %s: %s, %s; give more digits",
			       prefix, found[0].span_id, found[1].span_id);
	*out = found[0];
	return 0;
}

static bool names_run(struct store *s, const char *spec)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;

	if (strlen(spec) >= HEX64)
		return true;
	if (store_prepare(s,
			  "SELECT 1 FROM span WHERE trace_id >= lower(?1) "
			  "AND trace_id < lower(?1) || 'g' LIMIT 1",
			  &st))
		return false;
	store_bind_sv(st, 1, sv(spec));
	return sqlite3_step(st) == SQLITE_ROW;
}

int store_find(struct store *s, const char *spec, char trace_id[HEX128], char span_id[HEX64])
{
	struct found f;
	int err = store_commit(s);

	span_id[0] = '\0';
	if (err)
		return err;
	if (!spec || names_run(s, spec))
		return store_find_run(s, spec, trace_id);
	err = find_span(s, spec, &f);
	if (err)
		return err;
	memcpy(trace_id, f.trace_id, HEX128);
	memcpy(span_id, f.span_id, HEX64);
	return 0;
}

/* What the span holds under that key; nothing where it holds none. */
static int read_content(struct store *s, sqlite3_int64 seq, enum attr_id id, struct buf *out)
{
	__attribute__((cleanup(contents_fini))) struct contents c = { .s = s };
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int err = store_prepare(s, "SELECT node FROM payload WHERE span = ?1 AND key = ?2", &st);

	if (err)
		return err;
	sqlite3_bind_int64(st, 1, seq);
	store_bind_sv(st, 2, sv(attr_defs[id].key));
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		out->max = LIMIT_JSON_ARENA;
		return contents_read(&c, sqlite3_column_int64(st, 0), "", out);
	case SQLITE_DONE:
		return 0;
	}
	return store_fail(s);
}

int store_request(struct store *s, const char *spec, struct buf *head, struct buf *body,
		  struct span **sp)
{
	struct found f;
	int err = store_commit(s);

	if (!err)
		err = find_span(s, spec, &f);
	if (!err)
		err = read_content(s, f.seq, ATTR_ID_REQUEST_HEAD, head);
	if (!err && !head->len)
		return log_err(-ENOENT,
			       "span %s holds no request: model calls over HTTP do; `ringspan "
			       "spans --where kind=model_call` lists them",
			       f.span_id);
	if (!err)
		err = read_content(s, f.seq, ATTR_ID_REQUEST_BODY, body);
	return err ? err : store_span(s, f.seq, sp);
}
