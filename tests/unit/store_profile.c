// SPDX-License-Identifier: BSD-2-Clause
/* Samples in the store: what goes in comes out, summed by second, stacks each once. */
#include "store.h"

#include <errno.h>

static const struct trace_frame main_ = { { "main", 4 }, { "/bin/a", 6 }, TRACE_CODE_FILE };
static const struct trace_frame work = { { "work", 4 }, { "/bin/a", 6 }, TRACE_CODE_FILE };
static const struct trace_frame other = { { "work", 4 }, { "/bin/b", 6 }, TRACE_CODE_FILE };
static const struct trace_frame kern = { { "vfs_read", 8 }, { NULL, 0 }, TRACE_CODE_KERNEL };
static const struct trace_frame cut = { { NULL, 0 }, { NULL, 0 }, TRACE_CODE_CUT };

static void take(struct store *st, const char *trace, uint64_t ns, uint32_t tid, size_t cnt,
		 const struct trace_frame *const *frames)
{
	struct trace_sample s = { .span_id = "00000000000000aa",
				  .time_ns = T0 + ns,
				  .period_ns = 10101010,
				  .cnt = 1,
				  .pid = 7,
				  .tid = tid,
				  .comm = SV("worker"),
				  .frames = frames,
				  .frame_cnt = cnt };

	snprintf(s.trace_id, sizeof(s.trace_id), "%s", trace);
	assert_int_equal(store_add_sample(st, &s), 0);
}

static int on_sample(void *ctx, const struct trace_sample *s)
{
	struct buf *b = ctx;

	buf_fmt(b, "%s %llu %llu x%llu %u/%u " SV_FMT, s->span_id + 14,
		(unsigned long long)((s->time_ns - T0) / 1000000000),
		(unsigned long long)s->period_ns, (unsigned long long)s->cnt, s->pid, s->tid,
		SV_ARG(s->comm));
	for (size_t i = 0; i < s->frame_cnt; i++)
		buf_fmt(b, ";" SV_FMT "@" SV_FMT ":%d", SV_ARG(s->frames[i]->name),
			SV_ARG(s->frames[i]->file), s->frames[i]->code);
	return buf_ch(b, '\n');
}

static void holds(struct store *st, const char *trace, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_int_equal(store_samples(st, trace, on_sample, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
}

#define STACK(...)                                                              \
	sizeof((const struct trace_frame *[]){ __VA_ARGS__ }) / sizeof(void *), \
		(const struct trace_frame *const[])                             \
	{                                                                       \
		__VA_ARGS__                                                     \
	}

static void round_trip(void **state)
{
	_cleanup_store_ struct store *st = NULL, *reader = NULL;
	static const char want[] = "aa 0 10101010 x2 7/8 worker;main@/bin/a:1;work@/bin/a:1\n"
				   "aa 0 10101010 x1 7/9 worker;main@/bin/a:1;work@/bin/a:1\n"
				   "aa 0 10101010 x1 7/8 worker;main@/bin/a:1;work@/bin/b:1\n"
				   "aa 1 10101010 x1 7/8 worker;main@/bin/a:1;vfs_read@:3\n"
				   "aa 1 10101010 x1 7/8 worker;@:5\n"
				   "aa 1 10101010 x1 7/8 worker\n";

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	take(st, TRACE_A, 0, 8, STACK(&main_, &work));
	take(st, TRACE_A, 1, 9, STACK(&main_, &work));
	take(st, TRACE_A, 999999999, 8, STACK(&main_, &work));
	take(st, TRACE_A, 5, 8, STACK(&main_, &other));
	take(st, TRACE_A, 1000000000, 8, STACK(&main_, &kern));
	take(st, TRACE_A, 1000000001, 8, STACK(&cut));
	take(st, TRACE_A, 1000000002, 8, 0, NULL);
	holds(st, TRACE_A, want);
	holds(st, TRACE_B, "");
	/* what was written is known the next time */
	take(st, TRACE_B, 0, 8, STACK(&main_, &work));
	assert_int_equal(store_commit(st), 0);
	store_free(&st);
	assert_int_equal(store_open_write(&st, path), 0);
	take(st, TRACE_B, 0, 8, STACK(&main_, &work));
	holds(st, TRACE_B,
	      "aa 0 10101010 x1 7/8 worker;main@/bin/a:1;work@/bin/a:1\n"
	      "aa 0 10101010 x1 7/8 worker;main@/bin/a:1;work@/bin/a:1\n");
	assert_int_equal(sql_int(path, "SELECT count(*) FROM stack"), 5);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM frame"), 5);
	assert_int_equal(store_open_read(&reader, path), 0);
	holds(reader, TRACE_A, want);
}

/* A commit that fails is undone; what was in it comes with the next one, stacks too. */
static void a_commit_that_fails(void **state)
{
	_cleanup_store_ struct store *st = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	take(st, TRACE_A, 0, 8, STACK(&main_, &work));
	assert_int_equal(store_commit(st), 0);
	sql_run(path,
		"CREATE TRIGGER no BEFORE INSERT ON sample BEGIN SELECT raise(ABORT, 'no'); END");
	take(st, TRACE_A, 0, 8, STACK(&main_, &work));
	take(st, TRACE_A, 0, 8, STACK(&main_, &kern));
	assert_int_not_equal(store_commit(st), 0);
	assert_int_equal(sql_int(path, "SELECT count(*) FROM stack"), 2);
	sql_run(path, "DROP TRIGGER no");
	assert_int_equal(store_commit(st), 0);
	holds(st, TRACE_A,
	      "aa 0 10101010 x1 7/8 worker;main@/bin/a:1;work@/bin/a:1\n"
	      "aa 0 10101010 x1 7/8 worker;main@/bin/a:1;work@/bin/a:1\n"
	      "aa 0 10101010 x1 7/8 worker;main@/bin/a:1;vfs_read@:3\n");
}

/* A file may hold a chain without an end, codes that are none, and links to nothing. */
static void a_store_of_lies(void **state)
{
	_cleanup_store_ struct store *st = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	take(st, TRACE_A, 0, 8, STACK(&main_, &work));
	take(st, TRACE_B, 0, 8, STACK(&main_));
	assert_int_equal(store_commit(st), 0);
	sql_run(path, "UPDATE stack SET parent = 2 WHERE id = 1; UPDATE frame SET code = 'x'");
	assert_int_equal(store_samples(st, TRACE_A, on_sample, &b), 0);
	assert_true(b.len > 100 * strlen(";main@/bin/a:4"));
	sql_run(path, "DELETE FROM stack");
	holds(st, TRACE_B, "aa 0 10101010 x1 7/8 worker\n");
}

static void runs_and_spans_by_their_ids(void **state)
{
	char trace_id[HEX128], span_id[HEX64];
	_cleanup_store_ struct store *st = NULL;

	(void)state;
	assert_int_equal(store_open_write(&st, path), 0);
	add(st, make(TRACE_A, 0xabc, SPAN_RUN));
	add(st, make(TRACE_B, 0xdef0, SPAN_RUN));
	assert_int_equal(store_find(st, NULL, trace_id, span_id), 0);
	assert_string_equal(trace_id, TRACE_B); /* the newest */
	assert_string_equal(span_id, "");
	assert_int_equal(store_find(st, "AAAA00", trace_id, span_id), 0);
	assert_string_equal(trace_id, TRACE_A);
	assert_string_equal(span_id, "");
	assert_int_equal(store_find(st, "0000000000000abc", trace_id, span_id), 0);
	assert_string_equal(trace_id, TRACE_A);
	assert_string_equal(span_id, "0000000000000abc");
	assert_int_equal(store_find(st, "ffff", trace_id, span_id), -ENOENT);
	assert_int_equal(store_find(st, "0000", trace_id, span_id), -ENOTUNIQ);
	assert_int_equal(store_find(st, "aaaa", trace_id, span_id), -ENOTUNIQ);
	assert_int_equal(store_find(st, "x", trace_id, span_id), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(round_trip, fresh),
		cmocka_unit_test_setup(a_commit_that_fails, fresh),
		cmocka_unit_test_setup(a_store_of_lies, fresh),
		cmocka_unit_test_setup(runs_and_spans_by_their_ids, fresh),
	};

	return cmocka_run_group_tests_name("store_profile", tests, open_folder, close_folder);
}
