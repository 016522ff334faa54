/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the store share: spans to put in, and a folder of their own. */
#ifndef RINGSPAN_TEST_STORE_H
#define RINGSPAN_TEST_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "sink/store.h"

#define TRACE_A "aaaa0000000000000000000000000001"
#define TRACE_B "aaaa1111111111111111111111111112"
#define T0 1700000000000000000ull

#define _cleanup_store_ __attribute__((cleanup(store_free)))
#define _cleanup_span_ __attribute__((cleanup(span_free)))

static char folder[] = "/tmp/ringspan-store-XXXXXX";
static char path[64];

/* ---- spans */

static inline struct span *make(const char *trace, unsigned int id, enum span_what what)
{
	struct span *s = NULL;

	assert_int_equal(span_new(&s, what), 0);
	snprintf(s->trace_id, sizeof(s->trace_id), "%s", trace);
	snprintf(s->span_id, sizeof(s->span_id), "%016x", id);
	s->start_ns = T0 + id;
	s->end_ns = T0 + id + 1000;
	span_set_name(s, sv(span_what_name(what)));
	return s;
}

static inline void add(struct store *st, struct span *s)
{
	_cleanup_span_ struct span *owned = s;

	assert_int_equal(store_add(st, owned), 0);
}

static inline struct span *make_call(const char *trace, unsigned int id, const char *messages)
{
	_cleanup_arena_ struct arena a;
	struct span *s = make(trace, id, SPAN_MODEL_CALL);

	arena_init(&a, 0);
	span_set_str(s, ATTR_ID_REQUEST_MODEL, SV("m-1"));
	span_set_int(s, ATTR_ID_USAGE_INPUT, 100);
	span_set_int(s, ATTR_ID_USAGE_OUTPUT, 10);
	span_set_int(s, ATTR_ID_ATTEMPTS, 2);
	span_set_json(s, ATTR_ID_INPUT_MESSAGES, json_parse(&a, sv(messages), NULL));
	return s;
}

static inline int collect(void *ctx, const struct span *sp)
{
	struct buf *b = ctx;

	span_write_json(b, sp, true);
	return buf_ch(b, '\n');
}

static inline int count(void *ctx, const struct span *sp)
{
	(void)sp;
	++*(int *)ctx;
	return 0;
}

static inline int count_spans(const char *file, const char *trace)
{
	_cleanup_store_ struct store *st = NULL;
	int n = 0;

	assert_int_equal(store_open_read(&st, file), 0);
	assert_int_equal(store_spans(st, trace, false, count, &n), 0);
	return n;
}

static inline sqlite3_int64 sql_int(const char *file, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	sqlite3_int64 v;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static inline void sql_run(const char *file, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static inline void remove_store(const char *file)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char name[256];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", file, suffixes[i]);
		unlink(name);
	}
}

static inline int fresh(void **state)
{
	(void)state;
	remove_store(path);
	return 0;
}

static inline int open_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/ringspan.db", folder);
	return 0;
}

static inline int close_folder(void **state)
{
	fresh(state);
	return rmdir(folder);
}

#endif
