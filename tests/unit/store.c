// SPDX-License-Identifier: BSD-2-Clause
/* The store when all is well: what goes in comes out, each thing once; runs and queries. */
#include "store.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>

#include "sink/body_cut.h"

/* ---- what goes in comes out */

static void test_round_trip(void **state)
{
	static const char *const messages[] = {
		"[{\"role\":\"user\",\"parts\":[1,2]},\"second\"]",
		"[]",
		"{\"a\":1}",
		"\"text\"",
		"[[]]",
		"null",
	};
	_cleanup_buf_ struct buf in = BUF_INIT, out = BUF_INIT;
	_cleanup_store_ struct store *st = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		_cleanup_span_ struct span *s = make_call(TRACE_A, 10 - i, messages[i]);
		_cleanup_arena_ struct arena a;

		arena_init(&a, 0);
		s->kind = SPAN_KIND_CLIENT;
		strcpy(s->parent_span_id, "00000000000000ff");
		span_set_name(s, SV("na\"me \xe2\x82\xac '; DROP TABLE span; --"));
		span_set_status(s, STATUS_ERROR, SV("line\nbreak"));
		span_set_float(s, ATTR_ID_COST, 0.1);
		span_incomplete(s, "hole");
		span_event(s, T0, "ev", json_parse(&a, SV("{\"error.type\":\"x\"}"), NULL));
		json_add(&s->arena, s->resource, SV("host.name"), json_string(&s->arena, SV("h")));
		collect(&in, s);
		assert_int_equal(store_add(st, s), 0);
	}
	assert_int_equal(store_spans(st, TRACE_A, true, collect, &out), 0);
	assert_string_equal(buf_cstr(&in), buf_cstr(&out));

	/* without payloads */
	buf_clear(&out);
	assert_int_equal(store_spans(st, TRACE_A, false, collect, &out), 0);
	assert_false(sv_has(buf_view(&out), "gen_ai.input.messages"));
	assert_true(sv_has(buf_view(&out), "gen_ai.request.model"));
	/* another run */
	buf_clear(&out);
	assert_int_equal(store_spans(st, TRACE_B, true, collect, &out), 0);
	assert_int_equal(out.len, 0);
}

/* Times that only a forged capture can hold are kept in bounds, so that the run stays readable. */
static void test_absurd_times(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct span *s = make(TRACE_A, 1, SPAN_RUN);
	int n = 0;

	(void)state;
	s->start_ns = UINT64_MAX - 1;
	s->end_ns = 0;
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, s);
	assert_int_equal(
		store_query(st, &(struct store_query){ .where = "duration < 0" }, count, &n), 0);
	assert_int_equal(n, 1);
}

static void test_large_payload(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT, in = BUF_INIT, out = BUF_INIT;
	_cleanup_store_ struct store *st = NULL;
	_cleanup_span_ struct span *s = NULL;
	unsigned int seed = 7;

	(void)state;
	buf_str(&b, "[\"");
	for (int i = 0; i < 3000000; i++)
		buf_ch(&b, (char)('a' + rand_r(&seed) % 26));
	buf_str(&b, "\",\"");
	for (int i = 0; i < 3000000; i++)
		buf_ch(&b, 'z');
	buf_str(&b, "\"]");
	s = make_call(TRACE_A, 1, buf_cstr(&b));
	collect(&in, s);
	assert_int_equal(store_open_write(&st, path), 0);
	assert_int_equal(store_add(st, s), 0);
	assert_int_equal(store_spans(st, TRACE_A, true, collect, &out), 0);
	assert_true(sv_eq(buf_view(&in), buf_view(&out)));
	/* 26 letters take 4.7 bits each */
	assert_true(sql_int(path, "SELECT sum(length(data)) FROM blob") < 2200000);
	assert_int_equal(sql_int(path, "SELECT sum(size) FROM blob"), 6000004);
}

static void test_contents_are_kept_once(void **state)
{
	_cleanup_store_ struct store *st = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, make_call(TRACE_A, 1, "[\"one\"]"));
	add(st, make_call(TRACE_A, 2, "[\"one\",\"two\"]"));
	add(st, make_call(TRACE_A, 3, "[\"one\",\"two\",\"one\"]"));
	add(st, make_call(TRACE_A, 4, "[\"two\"]"));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM blob"), 2);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM node"), 4);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM payload"), 4);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM resource"), 1);
}

/* A message of that size, all letters, another one each time. */
static void add_message(struct buf *messages, unsigned int *seed, size_t size)
{
	buf_fmt(messages, "%s{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"",
		messages->len ? "," : "");
	while (size--)
		buf_ch(messages, (char)('a' + rand_r(seed) % 26));
	buf_str(messages, "\"}]}");
}

static sqlite3_int64 bytes_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

static int take_77th(void *ctx, const struct span *sp)
{
	return sv_is(sv(sp->span_id), "000000000000004d") ? collect(ctx, sp) : 0;
}

/* Every request repeats the whole history; 200 of them are 100 MB. */
static void test_a_long_conversation(void **state)
{
	enum { TURNS = 200, MESSAGE = 5000 };
	_cleanup_buf_ struct buf messages = BUF_INIT, head = BUF_INIT, body = BUF_INIT;
	_cleanup_buf_ struct buf want = BUF_INIT, in = BUF_INIT, out = BUF_INIT;
	_cleanup_span_ struct span *found = NULL;
	_cleanup_store_ struct store *st = NULL;
	sqlite3_int64 sent = 0, stored;
	unsigned int seed = 7;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (unsigned int turn = 1; turn <= TURNS; turn++) {
		_cleanup_buf_ struct buf list = BUF_INIT, request = BUF_INIT;
		struct span *s;

		add_message(&messages, &seed, MESSAGE);
		buf_fmt(&list, "[" SV_FMT "]", SV_ARG(buf_view(&messages)));
		buf_fmt(&request, "{\"model\":\"m-1\",\"messages\":" SV_FMT ",\"seed\":%u}",
			SV_ARG(buf_view(&list)), turn);
		sent += (sqlite3_int64)request.len;
		s = make_call(TRACE_A, turn, buf_cstr(&list));
		span_set_str(s, ATTR_ID_REQUEST_HEAD, SV("POST /v1 HTTP\n"));
		span_set_str(s, ATTR_ID_REQUEST_BODY, buf_view(&request));
		if (turn == 77) {
			collect(&in, s);
			buf_sv(&want, buf_view(&request));
		}
		add(st, s);
	}
	assert_int_equal(store_commit(st), 0);
	/* what was sent comes out as it was */
	assert_int_equal(store_request(st, "000000000000004d", &head, &body, &found), 0);
	assert_true(sv_eq(buf_view(&body), buf_view(&want)));
	assert_true(sv_is(buf_view(&head), "POST /v1 HTTP\n"));
	assert_int_equal(store_spans(st, TRACE_A, true, take_77th, &out), 0);
	assert_true(sv_eq(buf_view(&out), buf_view(&in)));
	store_free(&st);
	stored = bytes_of(path);
	assert_true(sent > 100000000);
	print_message("# %lld bytes of requests, %zu of messages: the store has %lld\n",
		      (long long)sent, messages.len, (long long)stored);
	/* each message is there as it was sent and as it was understood, 26 letters in 4.7 bits */
	assert_true(stored < 2 * (sqlite3_int64)messages.len);
}

static void test_same_span_replaces(void **state)
{
	_cleanup_buf_ struct buf first = BUF_INIT, out = BUF_INIT;
	_cleanup_store_ struct store *st = NULL;
	_cleanup_span_ struct span *changed = make_call(TRACE_A, 2, "[\"three\"]");

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	for (int i = 0; i < 3; i++) {
		add(st, make_call(TRACE_A, 1, "[\"one\",\"two\"]"));
		add(st, make_call(TRACE_A, 2, "[\"one\"]"));
		add(st, make(TRACE_B, 1, SPAN_RUN));
		assert_int_equal(store_commit(st), 0);
	}
	assert_int_equal(store_spans(st, TRACE_A, true, collect, &first), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span"), 3);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM payload"), 2);
	/* other content, same place in the order */
	span_set_str(changed, ATTR_ID_REQUEST_MODEL, SV("m-2"));
	assert_int_equal(store_add(st, changed), 0);
	add(st, make(TRACE_A, 3, SPAN_RUN));
	assert_int_equal(store_spans(st, TRACE_A, true, collect, &out), 0);
	assert_true(sv_find(buf_view(&out), SV("\"three\"")) >
		    sv_find(buf_view(&out), SV("\"two\"")));
	assert_true(sv_find(buf_view(&out), SV("\"run\"")) > sv_find(buf_view(&out), SV("m-2")));
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span WHERE model = 'm-2'"), 1);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM payload"), 2);
}

/* What only a span that was replaced held is gone; what another one holds is not. */
static void test_replaced_contents_go(void **state)
{
	_cleanup_buf_ struct buf before = BUF_INIT, after = BUF_INIT;
	_cleanup_store_ struct store *st = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, make_call(TRACE_B, 1, "[\"one\",\"two\"]"));
	assert_int_equal(store_spans(st, TRACE_B, true, collect, &before), 0);
	add(st, make_call(TRACE_A, 1, "[\"one\",\"two\",\"three\",\"four\"]"));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM blob"), 4);
	add(st, make_call(TRACE_A, 1, "[\"one\",\"two\",\"three\"]"));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM blob"), 3);
	add(st, make_call(TRACE_A, 1, "[\"five\"]"));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM blob"), 3);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM node"), 3);
	assert_int_equal(store_spans(st, TRACE_B, true, collect, &after), 0);
	assert_true(sv_eq(buf_view(&before), buf_view(&after)));
	add(st, make(TRACE_A, 1, SPAN_RUN));
	add(st, make(TRACE_B, 1, SPAN_RUN));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT (SELECT count(*) FROM blob) + "
				       "(SELECT count(*) FROM node)"),
			 0);
}

static void add_open(struct store *st, const char *trace, unsigned int id, enum span_what what)
{
	struct span *s = make(trace, id, what);

	span_set_bool(s, ATTR_ID_UNFINISHED, true);
	add(st, s);
}

/* Unfinished spans are those of the last look; a finished one takes its place in the order. */
static void test_unfinished(void **state)
{
	_cleanup_store_ struct store *st = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	store_unfinished(st);
	add_open(st, TRACE_A, 1, SPAN_RUN);
	add_open(st, TRACE_A, 2, SPAN_TOOL_CALL);
	add_open(st, TRACE_B, 1, SPAN_RUN);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span WHERE unfinished = 1"), 3);
	assert_int_equal(sql_int(path, "SELECT sum(finished) FROM run"), 0);
	/* finished between two looks */
	add(st, make(TRACE_A, 3, SPAN_PROCESS));
	add(st, make(TRACE_A, 2, SPAN_TOOL_CALL));
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span"), 4);
	assert_int_equal(sql_int(path, "SELECT (SELECT seq FROM span WHERE span_id LIKE '%2') > "
				       "(SELECT seq FROM span WHERE span_id LIKE '%3')"),
			 1);
	/* a look that was older than that */
	store_unfinished(st);
	add_open(st, TRACE_A, 1, SPAN_RUN);
	add_open(st, TRACE_A, 2, SPAN_TOOL_CALL);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span WHERE unfinished = 1"), 1);
	add(st, make(TRACE_A, 1, SPAN_RUN));
	store_unfinished(st);
	store_free(&st);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span"), 3);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM span WHERE unfinished = 1"), 0);
	assert_int_equal(sql_int(path, "SELECT sum(finished) FROM run"), 1);
}

/* The pieces are the text, whatever it is, and what begins alike is cut alike. */
static void test_request_pieces(void **state)
{
	static const char *const odd[] = { "", "x", "}}}]]],,,[[[", "{\"a\":\"\\\"],\",\"b\":[",
					   "\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT, out = BUF_INIT;
		struct body_cut cut = { 0 };
		struct sv piece;

		for (size_t n = 0; n < 400; n++)
			buf_str(&text, odd[i]);
		cut.text = buf_view(&text);
		while (body_cut_next(&cut, &piece)) {
			assert_true(piece.n >= BODY_PIECE_MIN || cut.at == text.len);
			buf_sv(&out, piece);
		}
		assert_true(sv_eq(buf_view(&text), buf_view(&out)));
	}
}

static void test_request(void **state)
{
	_cleanup_buf_ struct buf head = BUF_INIT, body = BUF_INIT;
	_cleanup_store_ struct store *st = NULL;
	struct span *found = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, make_call(TRACE_A, 0x11, "[]"));
	add(st, make_call(TRACE_A, 0x12, "[]"));
	assert_int_equal(store_request(st, "0000000000000011", &head, &body, &found), -ENOENT);
	assert_int_equal(store_request(st, "000000000000001", &head, &body, &found), -ENOTUNIQ);
	assert_int_equal(store_request(st, "ffff", &head, &body, &found), -ENOENT);
	assert_int_equal(store_request(st, "0x1", &head, &body, &found), -ENOENT);
	assert_null(found);
}

/* ---- runs */

struct runs {
	int cnt;
	struct store_run r[4];
	char name[4][32], models[4][64];
};

static int take_run(void *ctx, const struct store_run *r)
{
	struct runs *runs = ctx;
	int i = runs->cnt++;

	runs->r[i] = *r;
	snprintf(runs->name[i], sizeof(runs->name[i]), SV_FMT, SV_ARG(r->name));
	snprintf(runs->models[i], sizeof(runs->models[i]), SV_FMT, SV_ARG(r->models));
	return runs->cnt == 4;
}

static void fill_runs(struct store *st)
{
	_cleanup_span_ struct span *root = make(TRACE_A, 9, SPAN_RUN);
	_cleanup_span_ struct span *failed = make(TRACE_A, 8, SPAN_TOOL_CALL);
	_cleanup_span_ struct span *priced = make_call(TRACE_A, 2, "[]");
	_cleanup_span_ struct span *attempt = make(TRACE_A, 3, SPAN_ATTEMPT);

	span_set_status(failed, STATUS_ERROR, SV("no"));
	span_set_str(priced, ATTR_ID_REQUEST_MODEL, SV("a-model"));
	span_set_float(priced, ATTR_ID_COST, 0.5);
	span_set_int(attempt, ATTR_ID_USAGE_INPUT, 100); /* must not count twice */
	root->end_ns = T0 + 5000;
	span_set_name(root, SV("agent --fast"));
	span_set_status(root, STATUS_ERROR, SV("exit 3"));
	span_set_int(root, ATTR_ID_PROCESS_EXIT_CODE, 3);
	add(st, make_call(TRACE_A, 1, "[]"));
	assert_int_equal(store_add(st, priced), 0);
	assert_int_equal(store_add(st, attempt), 0);
	assert_int_equal(store_add(st, failed), 0);
	assert_int_equal(store_add(st, root), 0);
	add(st, make(TRACE_B, 20, SPAN_PROCESS));
}

static void test_runs(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	struct runs runs = { 0 };
	const struct store_run *r = &runs.r[1];

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	fill_runs(st);
	assert_int_equal(store_runs(st, 0, take_run, &runs), 0);
	assert_int_equal(runs.cnt, 2);
	assert_string_equal(runs.r[0].trace_id, TRACE_B);
	assert_false(runs.r[0].finished);
	assert_true(isnan(runs.r[0].cost_usd));
	assert_int_equal(runs.r[0].exit_code, -1);
	assert_int_equal(runs.r[0].span_cnt, 1);
	assert_string_equal(r->trace_id, TRACE_A);
	assert_string_equal(runs.name[1], "agent --fast");
	assert_string_equal(runs.models[1], "a-model, m-1");
	assert_true(r->finished);
	assert_true(r->start_ns == T0 + 1 && r->end_ns == T0 + 5000);
	assert_int_equal(r->span_cnt, 5);
	assert_int_equal(r->model_calls, 2);
	assert_int_equal(r->tool_calls, 1);
	assert_int_equal(r->errors, 1);
	assert_int_equal(r->attempts, 4);
	assert_int_equal(r->input_tokens, 200);
	assert_int_equal(r->output_tokens, 20);
	assert_true(r->cost_usd == 0.5);
	assert_int_equal(r->unpriced_calls, 1);
	assert_int_equal(r->exit_code, 3);

	runs.cnt = 0;
	assert_int_equal(store_runs(st, 1, take_run, &runs), 0);
	assert_int_equal(runs.cnt, 1);
	runs.cnt = 3; /* the function asks to stop */
	assert_int_equal(store_runs(st, 0, take_run, &runs), 1);
	assert_int_equal(runs.cnt, 4);
}

static void test_find_run(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	char id[HEX128] = "";

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	assert_int_equal(store_find_run(st, NULL, id), -ENOENT);
	fill_runs(st);
	assert_int_equal(store_find_run(st, NULL, id), 0);
	assert_string_equal(id, TRACE_B);
	assert_int_equal(store_find_run(st, "aaaa0", id), 0);
	assert_string_equal(id, TRACE_A);
	assert_int_equal(store_find_run(st, "AAAA1111", id), 0);
	assert_string_equal(id, TRACE_B);
	assert_int_equal(store_find_run(st, TRACE_A, id), 0);
	assert_string_equal(id, TRACE_A);
	assert_int_equal(store_find_run(st, "aaaa", id), -ENOTUNIQ);
	assert_int_equal(store_find_run(st, "bbbb", id), -ENOENT);
	assert_int_equal(store_find_run(st, "aaa", id), -ENOENT);
	assert_int_equal(store_find_run(st, "aaaa%", id), -ENOENT);
	assert_int_equal(store_find_run(st, TRACE_A "0", id), -ENOENT);
	assert_int_equal(store_find_run(st, "", id), -ENOENT);
	assert_string_equal(id, TRACE_A);
}

/* ---- queries */

static int take_id(void *ctx, const struct span *sp)
{
	return buf_ch(ctx, sp->span_id[HEX64 - 2]);
}

static void assert_query(struct store *st, const struct store_query *q, const char *want)
{
	_cleanup_buf_ struct buf ids = BUF_INIT;

	assert_int_equal(store_query(st, q, take_id, &ids), 0);
	assert_string_equal(buf_cstr(&ids), want);
}

static void test_query(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	_cleanup_span_ struct span *slow = make(TRACE_B, 5, SPAN_TOOL_CALL);
	_cleanup_buf_ struct buf ids = BUF_INIT;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	fill_runs(st);
	slow->end_ns = T0 + 7000;
	assert_int_equal(store_add(st, slow), 0);
	/* 20 is 14 in hex */
	assert_query(st, &(struct store_query){ 0 }, "1235894");
	assert_query(st, &(struct store_query){ .limit = 2 }, "12");
	assert_query(st, &(struct store_query){ .sort = "duration", .limit = 2 }, "59");
	assert_query(st, &(struct store_query){ .sort = "duration", .ascending = true, .limit = 2 },
		     "12");
	assert_query(st, &(struct store_query){ .sort = "cost", .limit = 1 }, "2");
	assert_query(st, &(struct store_query){ .sort = "cost", .limit = 1, .ascending = true },
		     "2");
	assert_query(st, &(struct store_query){ .where = "kind = tool_call" }, "58");
	assert_query(st,
		     &(struct store_query){ .where = "kind = tool_call or kind = run",
					    .trace_id = TRACE_A },
		     "89");
	assert_query(st, &(struct store_query){ .where = "tokens = 110 and model ~ M-" }, "1");
	assert_query(st, &(struct store_query){ .where = "start > -15m" }, "");
	assert_int_equal(store_query(st, &(struct store_query){ .where = "modl = 1" }, take_id,
				     &ids),
			 -EINVAL);
	assert_int_equal(store_query(st, &(struct store_query){ .sort = "seq; --" }, take_id, &ids),
			 -EINVAL);
	assert_int_equal(ids.len, 0);
}

static void set_env(const char *store, const char *data, const char *home)
{
	const char *const names[] = { "RINGSPAN_STORE", "XDG_DATA_HOME", "HOME" };
	const char *const values[] = { store, data, home };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (values[i])
			setenv(names[i], values[i], 1);
		else
			unsetenv(names[i]);
	}
}

static void assert_default(const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_int_equal(store_default_path(&b), 0);
	assert_string_equal(buf_cstr(&b), want);
}

static void test_default_path(void **state)
{
	bool root = geteuid() == 0;

	(void)state;
	set_env("x.db", "/data", "/home/u");
	assert_default("x.db");
	set_env("", "/data", "/home/u");
	assert_default("/data/ringspan/ringspan.db");
	set_env(NULL, "relative", "/home/u");
	assert_default(root ? "/var/lib/ringspan/ringspan.db"
			    : "/home/u/.local/share/ringspan/ringspan.db");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_round_trip, fresh),
		cmocka_unit_test_setup(test_absurd_times, fresh),
		cmocka_unit_test_setup(test_large_payload, fresh),
		cmocka_unit_test_setup(test_contents_are_kept_once, fresh),
		cmocka_unit_test_setup(test_a_long_conversation, fresh),
		cmocka_unit_test_setup(test_replaced_contents_go, fresh),
		cmocka_unit_test_setup(test_unfinished, fresh),
		cmocka_unit_test(test_request_pieces),
		cmocka_unit_test_setup(test_request, fresh),
		cmocka_unit_test_setup(test_same_span_replaces, fresh),
		cmocka_unit_test_setup(test_runs, fresh),
		cmocka_unit_test_setup(test_find_run, fresh),
		cmocka_unit_test_setup(test_query, fresh),
		cmocka_unit_test(test_default_path),
	};

	return cmocka_run_group_tests(tests, open_folder, close_folder);
}
