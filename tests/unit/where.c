// SPDX-License-Identifier: BSD-2-Clause
/* The where language: what it compiles to, what SQLite makes of that, and what it says of errors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/hash.h"
#include "sink/where.h"
#include "span/embed.h"

#define NOW 1800000000000000000ull /* 2027-01-15T08:00:00Z */
#define S 1000000000ll

#define _cleanup_where_ __attribute__((cleanup(where_fini)))

static void assert_sql(const char *text, const char *sql)
{
	_cleanup_where_ struct where w;

	if (where_compile(&w, sv(text), NOW))
		fail_msg("%s: %s", text, w.error);
	assert_string_equal(buf_cstr(&w.sql), sql);
}

static void test_sql(void **state)
{
	(void)state;
	assert_sql("duration > 1s", "(((duration_ns IS NOT NULL AND duration_ns > ?1)))");
	assert_sql(
		"model=a or model=b and not tool=c",
		"(((model IS NOT NULL AND model = ?1)) OR ((model IS NOT NULL AND model = ?2) AND "
		"(NOT (tool IS NOT NULL AND tool = ?3))))");
	assert_sql("has x.y", "(((json_extract(attributes, ?1) IS NOT NULL)))");
}

static int64_t int_value(const char *text)
{
	_cleanup_where_ struct where w;

	if (where_compile(&w, sv(text), NOW))
		fail_msg("%s: %s", text, w.error);
	assert_true(w.param_cnt >= 1);
	assert_int_equal(w.params[w.param_cnt - 1].type, WHERE_INT);
	return w.params[w.param_cnt - 1].i;
}

static double float_value(const char *text)
{
	_cleanup_where_ struct where w;

	if (where_compile(&w, sv(text), NOW))
		fail_msg("%s: %s", text, w.error);
	assert_int_equal(w.params[0].type, WHERE_FLOAT);
	return w.params[0].f;
}

static void assert_text_value(const char *text, struct sv want)
{
	_cleanup_where_ struct where w;

	if (where_compile(&w, sv(text), NOW))
		fail_msg("%s: %s", text, w.error);
	assert_int_equal(w.params[w.param_cnt - 1].type, WHERE_TEXT);
	assert_true(sv_eq(w.params[w.param_cnt - 1].s, want));
}

static void test_durations(void **state)
{
	(void)state;
	assert_int_equal(int_value("duration > 10ms"), 10000000);
	assert_int_equal(int_value("duration>2s"), 2 * S);
	assert_int_equal(int_value("duration > 1m30s"), 90 * S);
	assert_int_equal(int_value("duration > 1.5h"), 5400 * S);
	assert_int_equal(int_value("duration > 100us"), 100000);
	assert_int_equal(int_value("duration > 10ns"), 10);
	assert_int_equal(int_value("duration > 1d"), 86400 * S);
	assert_int_equal(int_value("duration = 0"), 0);
	assert_int_equal(int_value("duration > -5s"), -5 * S);
	assert_int_equal(int_value("ringspan.time.server_ns > 5000"), 5000);
	assert_int_equal(int_value("ringspan.time.server_ns > 5us"), 5000);
	assert_int_equal(int_value("duration < 9223372036s"), 9223372036 * S);
}

static void test_times(void **state)
{
	(void)state;
	assert_int_equal(int_value("start > 2027-01-15T08:00:00Z"), NOW);
	assert_int_equal(int_value("start > 2027-01-15T08:00"), NOW);
	assert_int_equal(int_value("start > '2027-01-15 08:00:00'"), NOW);
	assert_int_equal(int_value("start > 2027-01-15T09:30:00+01:30"), NOW);
	assert_int_equal(int_value("start > 2027-01-15T07:00:00-01:00"), NOW);
	assert_int_equal(int_value("start > 2027-01-15T08:00:00.25Z"), NOW + S / 4);
	assert_int_equal(int_value("end < 2027-01-15"), NOW - 8 * 3600 * S);
	assert_int_equal(int_value("end < 1970-01-01"), 0);
	assert_int_equal(int_value("end < 2024-03-01"), 1709251200 * S);
	assert_int_equal(int_value("start > -15m"), NOW - 900 * S);
	assert_int_equal(int_value("start > 1800000000000000000"), NOW);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(int_value("tokens > 1000"), 1000);
	assert_int_equal(int_value("tokens > 10k"), 10000);
	assert_int_equal(int_value("tokens > 1e3"), 1000);
	assert_int_equal(int_value("exit = -1"), -1);
	assert_int_equal(int_value("http.request.body.size > 10kB"), 10000);
	assert_int_equal(int_value("http.request.body.size > 4MiB"), 4 << 20);
	assert_int_equal(int_value("pid = 9007199254740993"), 9007199254740993);
	assert_true(float_value("cost > 0.25") == 0.25);
	assert_true(float_value("cost > .5") == 0.5);
	assert_true(float_value("cost > 2.5e-2") == 2.5e-2);
	assert_int_equal(int_value("gen_ai.request.stream = true"), 1);
	assert_int_equal(int_value("my.number = 7"), 7);
}

static void test_texts(void **state)
{
	(void)state;
	assert_text_value("model = claude-sonnet-4-5", SV("claude-sonnet-4-5"));
	assert_text_value("name = 'say \\'hi\\' \\\\ \\n'", SV("say 'hi' \\ \\n"));
	assert_text_value("name = \"a b\"", SV("a b"));
	assert_text_value("name = ''", SV(""));
	assert_text_value("status = eRRor", SV("ERROR"));
	assert_text_value("kind = Tool_Call", SV("tool_call"));
	assert_text_value("has 'any key at all'", SV("$.\"any key at all\""));
	assert_text_value("my.number = '7'", SV("7"));
	assert_text_value("model = and", SV("and"));
}

static void assert_error(const char *text, size_t at, const char *error)
{
	_cleanup_where_ struct where w;

	if (where_compile(&w, sv(text), NOW) != -EINVAL)
		fail_msg("was taken: %s", text);
	assert_string_equal(w.error, error);
	assert_int_equal(w.error_at, at);
}

static void test_errors(void **state)
{
	(void)state;
	assert_error("a =", 0, "unknown field 'a' at 1; attribute keys have a dot in them");
	assert_error("  modl = x", 2, "unknown field 'modl' at 3; did you mean 'model'?");
	assert_error("dur > 1s", 0, "unknown field 'dur' at 1; did you mean 'duration'?");
	assert_error("", 0, "nothing to look for; write for instance: duration > 1s");
	assert_error("model", 5, "an operator is missing at 6; there are = != < <= > >= ~ !~ in");
	assert_error("model =", 7, "a value is missing at 8");
	assert_error("model = a b", 10, "'b' at 11 is too much; join comparisons with and, or");
	assert_error("model = a and", 13, "a field is missing at 14");
	assert_error("(model = a", 10, "`)` is missing at 11 for the `(` at 1");
	assert_error("model = a)", 9, "')' at 10 is too much; join comparisons with and, or");
	assert_error("model = 'a", 8, "at 9: the quote is not closed");
	assert_error("model ! a", 6, "at 7: '!' is no operator; there are != and !~, and `not`");
	assert_error("duration > 5", 11, "'5' at 12 is no duration; write 10ms, 2s or 1m30s");
	assert_error("duration > 5parsecs", 11,
		     "'5parsecs' at 12 is no duration; write 10ms, 2s or 1m30s");
	assert_error("tokens > many", 9, "'many' at 10 is no number");
	assert_error(
		"start > noon", 8,
		"'noon' at 9 is no time; write 2026-11-21T10:00:00Z, or -15m for 15 minutes ago");
	assert_error("status = bad", 9, "'bad' at 10 is no status; there are ok, error and unset");
	assert_error("kind = toolcall", 7,
		     "'toolcall' at 8 is no kind of span; did you mean "
		     "'tool_call'?");
	assert_error("tokens ~ 5", 7, "`~` at 8 is for texts only");
	assert_error("ringspan.incomplete < a", 20,
		     "`<` at 21: the field is a list; use =, !=, ~ or in");
	assert_error("gen_ai.input.messages ~ x", 0,
		     "'gen_ai.input.messages' at 1 is a payload; payloads are stored packed and "
		     "cannot be searched");
	assert_error("model in a", 9, "`(` is missing behind `in` at 10");
	assert_error("model in (a", 11, "`,` or `)` is missing at 12");
	assert_error("model in ()", 10, "a value is missing at 11");
	assert_error("has", 3, "a field is missing at 4");
	assert_error("'a\"b' = 1", 0, "an attribute key at 1 cannot be empty or hold a quote");
	assert_error("gen_ai.request.stream = 2", 24, "'2' at 25 is neither true nor false");
	assert_error("m\x1b[31m = 2", 0,
		     "unknown field 'm?[31m' at 1; attribute keys have a dot in them");
	for (const char *const *t =
		     (const char *const[]){
			     "start > 2027-13-01", "start > 2027-02-32",
			     "start > 2027-01-15T25:00:00Z", "start > 2027-01-15T08:00:00Zzz",
			     "start > 9999-01-01", "start > 12", "start > 2027-01-15T08:00:00.Z",
			     "duration > 9999999999999s", "duration > 1.2.3s", "duration > s",
			     "cost > 1e999", "cost > 0x10", "cost > inf", "cost > nan", NULL };
	     *t; t++) {
		_cleanup_where_ struct where w;

		if (where_compile(&w, sv(*t), NOW) != -EINVAL)
			fail_msg("was taken: %s", *t);
	}
}

static void add_times(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_str(b, text);
}

static int compile(struct buf *text)
{
	_cleanup_where_ struct where w;
	int err = where_compile(&w, buf_view(text), NOW);

	if (err == -EINVAL)
		assert_true(w.error[0]);
	return err;
}

static void test_bounds(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	add_times(&b, "(", 64);
	buf_str(&b, "pid=1");
	add_times(&b, ")", 64);
	assert_int_equal(compile(&b), 0);
	buf_clear(&b);
	add_times(&b, "(", 8000);
	assert_int_equal(compile(&b), -EINVAL);
	buf_clear(&b);
	add_times(&b, "not ", 4000);
	assert_int_equal(compile(&b), -EINVAL);
	buf_clear(&b);
	add_times(&b, "pid=1 or ", 1000);
	buf_str(&b, "pid=1");
	assert_int_equal(compile(&b), -EINVAL);
	buf_clear(&b);
	buf_str(&b, "pid in (1");
	add_times(&b, ",1", 4000);
	buf_str(&b, ")");
	assert_int_equal(compile(&b), -EINVAL);
	buf_clear(&b);
	buf_str(&b, "name = '");
	add_times(&b, "\\'", 20000);
	buf_str(&b, "'");
	assert_int_equal(compile(&b), -EINVAL);
	buf_clear(&b);
	buf_add(&b, "name = '\0a'", 11);
	assert_int_equal(compile(&b), 0);
}

/* ---- what SQLite makes of it */

static sqlite3 *db;

static int open_db(void **state)
{
	(void)state;
	return sqlite3_open(":memory:", &db) ||
	       sqlite3_exec(db, embed_store_sql().p, NULL, NULL, NULL) ||
	       sqlite3_exec(
		       db,
		       "INSERT INTO resource VALUES (1, '{}');"
		       "INSERT INTO span (trace_id, span_id, parent_span_id, name, what, kind, "
		       "start_ns,"
		       " end_ns, status, status_message, resource, attributes, events, links) "
		       "VALUES"
		       "('t', '1', '', 'chat A', 'model_call', 'CLIENT', 100, 1000000100, 'OK', "
		       "'', 1,"
		       " '{\"gen_ai.request.model\":\"A\",\"gen_ai.usage.input_tokens\":10,"
		       "\"ringspan.incomplete\":[\"hole\",\"cut\"],\"x.y\":7,\"gen_ai.request."
		       "stream\":true}',"
		       " '[]', '[]'),"
		       "('t', '2', '1', 'bash', 'process', 'INTERNAL', 200, 300, 'ERROR', '', 1,"
		       " '{\"process.exit.code\":2,\"process.pid\":42,\"x.y\":\"seven''\"}', '[]', "
		       "'[]'),"
		       "('t', '3', '1', '100%', 'tool_call', 'INTERNAL', 300, 400, 'UNSET', '', 1,"
		       " '{\"gen_ai.tool.name\":\"Read\",\"ringspan.incomplete\":[\"lost\"]}', "
		       "'[]', '[]')",
		       NULL, NULL, NULL);
}

static int close_db(void **state)
{
	(void)state;
	return sqlite3_close(db);
}

/* Span ids that a condition holds for, one digit each. */
static void assert_finds(const char *text, const char *want)
{
	_cleanup_where_ struct where w;
	_cleanup_buf_ struct buf sql = BUF_INIT, found = BUF_INIT;
	sqlite3_stmt *st = NULL;
	int ret;

	if (where_compile(&w, sv(text), NOW))
		fail_msg("%s: %s", text, w.error);
	buf_str(&sql, "SELECT span_id FROM span WHERE ");
	buf_sv(&sql, buf_view(&w.sql));
	buf_str(&sql, " ORDER BY span_id");
	if (sqlite3_prepare_v2(db, buf_cstr(&sql), -1, &st, NULL))
		fail_msg("%s: %s: %s", text, sql.p, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_bind_parameter_count(st), w.param_cnt);
	for (size_t i = 0; i < w.param_cnt; i++) {
		const struct where_param *p = &w.params[i];

		if (p->type == WHERE_INT)
			sqlite3_bind_int64(st, (int)i + 1, p->i);
		else if (p->type == WHERE_FLOAT)
			sqlite3_bind_double(st, (int)i + 1, p->f);
		else
			sqlite3_bind_text64(st, (int)i + 1, p->s.p, p->s.n, SQLITE_STATIC,
					    SQLITE_UTF8);
	}
	while ((ret = sqlite3_step(st)) == SQLITE_ROW)
		buf_str(&found, (const char *)sqlite3_column_text(st, 0));
	if (ret != SQLITE_DONE)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_finalize(st);
	if (strcmp(buf_cstr(&found), want) != 0)
		fail_msg("%s: found %s, not %s", text, buf_cstr(&found), want);
}

static void test_finds(void **state)
{
	(void)state;
	assert_finds("duration >= 1s", "1");
	assert_finds("duration < 1s", "23");
	assert_finds("kind = process", "2");
	assert_finds("kind in (process, tool_call)", "23");
	assert_finds("kind ~ call", "13");
	assert_finds("status = error", "2");
	assert_finds("status != error", "13");
	assert_finds("name ~ A", "12");
	assert_finds("name ~ '0%'", "3");
	assert_finds("name !~ bash", "13");
	assert_finds("span = 2 or span = 3", "23");
	assert_finds("not (span = 2 or span = 3)", "1");
	assert_finds("not span = 2 and not span = 3", "1");
	assert_finds("tokens = 10", "1");
	assert_finds("tokens < 10.5", "1");
	assert_finds("start > 0000000200 or model = A", "13");
	assert_finds("has parent", "23");
	assert_finds("not has parent", "1");
	assert_finds("parent = 1", "23");
}

/* What is not there: no comparison holds, so `not` of one does. */
static void test_absent(void **state)
{
	(void)state;
	assert_finds("exit != 0", "2");
	assert_finds("exit = 0", "");
	assert_finds("not exit = 0", "123");
	assert_finds("not exit != 2", "123");
	assert_finds("tool !~ x", "3");
	assert_finds("not (tool in (Read))", "12");
	assert_finds("has exit or has tool", "23");
}

static void test_attributes(void **state)
{
	(void)state;
	assert_finds("x.y = 7", "1");
	assert_finds("x.y = '7'", "");
	assert_finds("x.y = \"seven'\"", "2");
	assert_finds("has x.y", "12");
	assert_finds("\"x.y\" ~ SEVEN", "2");
	assert_finds("gen_ai.request.model = A", "1");
	assert_finds("gen_ai.request.stream = true", "1");
	assert_finds("gen_ai.request.stream != true", "");
	assert_finds("process.exit.code >= 2", "2");
	assert_finds("ringspan.incomplete = hole", "1");
	assert_finds("ringspan.incomplete = cut", "1");
	assert_finds("ringspan.incomplete != hole", "3");
	assert_finds("ringspan.incomplete ~ O", "13");
	assert_finds("ringspan.incomplete !~ le", "3");
	assert_finds("ringspan.incomplete in (lost, cut)", "13");
	assert_finds("not ringspan.incomplete = hole", "23");
	assert_finds("has no.such.key", "");
}

static void test_injection(void **state)
{
	(void)state;
	assert_finds("name = \"' or 1=1 --\"", "");
	assert_finds("name = ';DROP' or span = 1", "1");
	assert_finds("has \"x') or 1=1 --\"", "");
	assert_finds("has \"x'\"", "");
	assert_finds("has 'a.b\\\\'", "");
	assert_finds("has '$.x'", "");
	assert_finds("x.y in (\"a') or (1=1\", '7')", "");
	assert_finds("name = ?1", "");
	assert_finds("name = $name", "");
	assert_finds("name ~ '%'", "3");
	assert_finds("name ~ _", "");
}

static void test_every_field(void **state)
{
	static const char *const fields[] = {
		"name",         "kind",          "status", "duration", "start", "end",   "trace",
		"span",         "parent",        "model",  "provider", "tool",  "error", "tokens",
		"input_tokens", "output_tokens", "cost",   "exit",     "pid",   "host",  "attempts",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		sqlite3_stmt *st = NULL;

		buf_fmt(&b, "has %s and not has %s", fields[i], fields[i]);
		assert_finds(buf_cstr(&b), "");
		assert_non_null(where_column(sv(fields[i])));
		buf_clear(&b);
		buf_fmt(&b, "SELECT 1 FROM span ORDER BY %s", where_column(sv(fields[i])));
		assert_int_equal(sqlite3_prepare_v2(db, buf_cstr(&b), -1, &st, NULL), SQLITE_OK);
		sqlite3_finalize(st);
	}
	assert_null(where_column(SV("1; DROP TABLE span")));
	assert_null(where_column((struct sv){ NULL, 0 }));
}

/* Whatever the bytes are: an error or SQL that SQLite takes. */
static void test_garbage(void **state)
{
	static const char *const pieces[] = {
		"model", "=",
		"(",     ")",
		"'a'",   "\"b.c\"",
		" and ", " or ",
		" not ", " has ",
		" in ",  ",",
		"5s",    "1e9",
		"~",     "!=",
		"x.y",   "-1m",
		"\xff",  "duration",
		"start", "\\",
		"'\\''", "kind",
		"run",   "ringspan.incomplete",
	};
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		_cleanup_where_ struct where w;
		_cleanup_buf_ struct buf b = BUF_INIT, sql = BUF_INIT;
		sqlite3_stmt *st = NULL;
		int n = 1 + rand_r(&seed) % 9;

		while (n--)
			buf_fmt(&b, "%s ",
				pieces[(size_t)rand_r(&seed) %
				       (sizeof(pieces) / sizeof(pieces[0]))]);
		if (where_compile(&w, buf_view(&b), NOW)) {
			assert_true(w.error[0] && w.error_at <= b.len);
			continue;
		}
		buf_str(&sql, "SELECT 1 FROM span WHERE ");
		buf_sv(&sql, buf_view(&w.sql));
		if (sqlite3_prepare_v2(db, buf_cstr(&sql), -1, &st, NULL))
			fail_msg("%s: %s", b.p, sql.p);
		sqlite3_finalize(st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sql),       cmocka_unit_test(test_durations),
		cmocka_unit_test(test_times),     cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),     cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bounds),    cmocka_unit_test(test_finds),
		cmocka_unit_test(test_absent),    cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_injection), cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, open_db, close_db);
}
