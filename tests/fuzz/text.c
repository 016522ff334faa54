// SPDX-License-Identifier: BSD-2-Clause
/*
 * Texts that come whole: JSON and what is read from it, the language of --where, names of control
 * groups, a DNS message's and a TLS hello's first bytes.
 */
#include "fuzz.h"

#include <string.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/json_schema.h"
#include "proc/cgroup.h"
#include "proto/tls_hello.h"
#include "sink/where.h"
#include "span/embed.h"
#include "span/price.h"
#include "span/rules.h"

/* --- json: what is read and written is the same when it is read again */

static void json_run(struct sv input)
{
	_cleanup_buf_ struct buf once = BUF_INIT, twice = BUF_INIT;
	struct json_err err = { 0 }, again = { 0 };
	_cleanup_arena_ struct arena a;
	struct json *v, *w;

	arena_init(&a, 0);
	v = json_parse(&a, input, &err);
	fuzz_assert(err.offset <= input.n);
	if (!v)
		return;
	json_write(&once, v);
	w = json_parse(&a, buf_view(&once), &again);
	fuzz_assert(w && !again.cut && !again.broken && !again.too_deep);
	json_write(&twice, w);
	fuzz_assert(sv_eq(buf_view(&once), buf_view(&twice)));
	if (!err.cut && !err.broken && !err.too_deep)
		fuzz_assert(json_same(v, w) && json_same(w, v));
	json_path(v, "a.0.b");
	json_write(&twice, json_copy(&a, v));
}

const struct fuzz_target fuzz_json = { "json", json_run, NULL };

/* --- schema: '>' a schema, '<' values */

static void schema_run(struct sv input)
{
	const struct json *schema = NULL;
	_cleanup_arena_ struct arena a;
	struct sv piece;
	char what;

	arena_init(&a, 0);
	while (fuzz_piece(&input, &what, &piece)) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct schema_fault fault = { .rule = NULL };
		const struct json *v = json_parse(&a, piece, NULL);
		enum schema_result found;

		if (what != '<') {
			schema = v;
			continue;
		}
		found = json_schema_check(schema, v, &a, &fault);
		fuzz_assert(found == SCHEMA_VALID || found == SCHEMA_INVALID ||
			    found == SCHEMA_UNKNOWN);
		if (found == SCHEMA_INVALID) {
			fuzz_assert(fault.rule);
			buf_sv(&b, fault.path);
			buf_sv(&b, fault.text);
		}
	}
}

const struct fuzz_target fuzz_schema = { "schema", schema_run, NULL };

/* --- where: what compiles is SQL that SQLite takes and can run, with every value bound */

static sqlite3 *store(void)
{
	static sqlite3 *db;

	if (db)
		return db;
	fuzz_assert(sqlite3_open(":memory:", &db) == SQLITE_OK);
	fuzz_assert(sqlite3_exec(db, embed_store_sql().p, NULL, NULL, NULL) == SQLITE_OK);
	fuzz_assert(sqlite3_exec(db,
				 "INSERT INTO resource VALUES (1, '{}');"
				 "INSERT INTO span (trace_id, span_id, parent_span_id, name, what, "
				 "kind, start_ns, end_ns, status, status_message, resource, "
				 "attributes, events, links) VALUES ('t', 's', '', 'n', 'run', "
				 "'INTERNAL', 1, 2, 'OK', '', 1, "
				 "'{\"process.pid\":7,\"a\":\"b\"}', '[]', '[]')",
				 NULL, NULL, NULL) == SQLITE_OK);
	return db;
}

static void bind(sqlite3_stmt *st, const struct where *w)
{
	fuzz_assert((size_t)sqlite3_bind_parameter_count(st) == w->param_cnt);
	for (size_t i = 0; i < w->param_cnt; i++) {
		const struct where_param *p = &w->params[i];
		int at = (int)i + 1;

		if (p->type == WHERE_INT)
			sqlite3_bind_int64(st, at, p->i);
		else if (p->type == WHERE_FLOAT)
			sqlite3_bind_double(st, at, p->f);
		else
			sqlite3_bind_text(st, at, p->s.p, (int)p->s.n, SQLITE_STATIC);
	}
}

static void where_run(struct sv input)
{
	struct where w;
	int err = where_compile(&w, input, 1800000000000000000ull);

	if (err) {
		fuzz_assert(w.error[0] && memchr(w.error, '\0', sizeof(w.error)));
		fuzz_assert(w.error_at <= input.n);
	} else {
		_cleanup_buf_ struct buf sql = BUF_INIT;
		sqlite3_stmt *st = NULL;
		int got;

		buf_fmt(&sql, "SELECT seq FROM span WHERE %s", buf_cstr(&w.sql));
		got = sqlite3_prepare_v2(store(), buf_cstr(&sql), -1, &st, NULL);
		if (got != SQLITE_OK)
			fuzz_fail("%s: %s", sqlite3_errmsg(store()), buf_cstr(&sql));
		bind(st, &w);
		got = sqlite3_step(st);
		if (got != SQLITE_ROW && got != SQLITE_DONE)
			fuzz_fail("%s: %s", sqlite3_errmsg(store()), buf_cstr(&sql));
		sqlite3_finalize(st);
	}
	where_fini(&w);
}

const struct fuzz_target fuzz_where = { "where", where_run, NULL };

/* --- prices: '>' a table, '<' a model */

static void prices_run(struct sv input)
{
	static const struct sem_usage usage = { 1000, 100, 500, 10, 5, SEM_NONE, 1 };
	struct price_table *t = NULL;
	struct sv piece;
	char what;

	while (fuzz_piece(&input, &what, &piece)) {
		double usd = 0;

		if (what != '<') {
			price_table_free(&t);
			if (price_table_parse(&t, piece))
				return;
			continue;
		}
		if (t && price_cost(t, SV("openai"), piece, &usage, &usd))
			fuzz_assert(usd >= 0);
	}
	price_table_free(&t);
}

const struct fuzz_target fuzz_prices = { "prices", prices_run, NULL };

/* --- cgroup: the text of /proc/PID/cgroup */

static void cgroup_run(struct sv input)
{
	struct sv path = cgroup_path(input);
	struct cgroup_names names;

	fuzz_assert(!path.n || (path.p >= input.p && path.p + path.n <= input.p + input.n));
	cgroup_parse(path, &names);
	fuzz_assert(!names.container.n || names.container.n == CGROUP_CONTAINER_LEN);
	fuzz_assert(memchr(names.pod, '\0', sizeof(names.pod)));
}

const struct fuzz_target fuzz_cgroup = { "cgroup", cgroup_run, NULL };

/* --- tls_hello */

static void tls_hello_run(struct sv input)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_arena_ struct arena a;
	struct tls_hello h;

	arena_init(&a, 0);
	if (tls_hello_parse(&h, &a, input))
		return;
	fuzz_assert(h.alpn_cnt <= TLS_ALPN_MAX);
	buf_sv(&b, h.sni);
	for (size_t i = 0; i < h.alpn_cnt; i++)
		buf_sv(&b, h.alpn[i]);
	for (size_t i = 0; i < b.len; i++)
		fuzz_assert(b.p[i] >= ' ' && b.p[i] <= '~');
	buf_str(&b, tls_version_text(h.version));
}

const struct fuzz_target fuzz_tls_hello = { "tls_hello", tls_hello_run, NULL };

/* --- rules: what they mask becomes '*', and nothing else changes */

static void rules_run(struct sv input)
{
	struct sv text = { NULL, 0 }, value = { NULL, 0 };
	_cleanup_buf_ struct buf masked = BUF_INIT;
	_cleanup_arena_ struct arena a = { 0 };
	struct rules *rules = NULL;
	struct span *s, *k;
	char what;

	fuzz_piece(&input, &what, &text);
	fuzz_piece(&input, &what, &value);
	if (rules_parse(&rules, text, "rules"))
		return;
	buf_sv(&masked, value);
	rules_text(rules, masked.p, masked.len);
	for (size_t i = 0; i < value.n; i++)
		fuzz_assert(masked.p[i] == value.p[i] || masked.p[i] == '*');
	arena_init(&a, 0);
	if (!span_new(&s, SPAN_TOOL_CALL)) {
		span_set_json(s, ATTR_ID_TOOL_ARGUMENTS, json_parse(&a, value, NULL));
		span_set_str(s, ATTR_ID_TOOL_RESULT, value);
		fuzz_assert(!rules_apply(rules, &k, s));
		span_free(&k);
		span_free(&s);
	}
	rules_free(&rules);
}

const struct fuzz_target fuzz_rules = { "rules", rules_run, NULL };
