// SPDX-License-Identifier: BSD-2-Clause
/* Reassembly: order, holes, overlaps, stragglers, ends. */
#include "../fixture.h"
#include "base/buf.h"
#include "base/limits.h"
#include "conn/conn.h"

struct seen {
	struct conn_table *table;
	struct buf log;
};

static void on_open(void *ctx, struct conn *c)
{
	struct seen *s = ctx;

	buf_fmt(&s->log, "open %d;", (int)c->id);
}

static void on_data(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct seen *s = ctx;

	(void)c;
	buf_fmt(&s->log, "%s@%d " SV_FMT ";", dir == EV_WRITE ? "w" : "r", (int)ts, SV_ARG(bytes));
}

static void on_gap(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct seen *s = ctx;

	(void)c;
	(void)ts;
	buf_fmt(&s->log, "%s gap %d;", dir == EV_WRITE ? "w" : "r", (int)missing);
}

static void on_close(void *ctx, struct conn *c, uint64_t ts)
{
	struct seen *s = ctx;

	(void)ts;
	buf_fmt(&s->log, "close %d;", (int)c->id);
}

static const struct conn_ops ops = { on_open, on_data, on_gap, on_close };

static int setup(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));

	*state = s;
	return s ? conn_table_new(&s->table, &ops, s) : -1;
}

static int teardown(void **state)
{
	struct seen *s = *state;

	conn_table_free(&s->table);
	buf_fini(&s->log);
	free(s);
	return 0;
}

static void feed(struct seen *s, uint64_t ts, int dir, uint64_t pos, const char *text)
{
	struct ev_data *d = record_data(ts, 7, 1, dir, pos, text, strlen(text));

	assert_int_equal(conn_feed(s->table, &d->hdr), 0);
	free(d);
}

static void feed_close(struct seen *s, uint64_t ts)
{
	struct ev_close *c = record(EV_CLOSE, sizeof(*c), ts, 7, NULL, 0);

	c->conn = 1;
	assert_int_equal(conn_feed(s->table, &c->hdr), 0);
	free(c);
}

static void in_order(void **state)
{
	struct seen *s = *state;

	feed(s, 1, EV_WRITE, 0, "ab");
	feed(s, 2, EV_READ, 0, "xy");
	feed(s, 3, EV_WRITE, 2, "cd");
	feed_close(s, 4);
	assert_string_equal(buf_cstr(&s->log), "open 1;w@1 ab;r@2 xy;w@3 cd;close 1;");
}

static void overtaking_is_mended(void **state)
{
	struct seen *s = *state;

	feed(s, 1, EV_READ, 0, "a");
	feed(s, 2, EV_READ, 3, "d");
	feed(s, 3, EV_READ, 2, "c");
	feed(s, 4, EV_READ, 1, "b");
	assert_string_equal(buf_cstr(&s->log), "open 1;r@1 a;r@4 b;r@3 c;r@2 d;");
}

static void hole_is_told_with_its_size(void **state)
{
	struct seen *s = *state;

	feed(s, 1, EV_READ, 0, "a");
	feed(s, 2, EV_READ, 11, "l");
	feed_close(s, 3);
	assert_string_equal(buf_cstr(&s->log), "open 1;r@1 a;r gap 10;r@2 l;close 1;");
}

static void straggler_is_not_waited_for_for_ever(void **state)
{
	struct seen *s = *state;

	feed(s, 1, EV_READ, 5, "f");
	feed(s, 2, EV_WRITE, 0, "w");
	assert_string_equal(buf_cstr(&s->log), "open 1;w@2 w;");
	feed(s, 2 + 2 * LIMIT_REORDER_NS, EV_WRITE, 1, "v");
	assert_non_null(strstr(buf_cstr(&s->log), "r gap 5;r@1 f;"));
}

static void waiting_is_bounded(void **state)
{
	struct seen *s = *state;

	for (int i = 0; i <= LIMIT_REORDER_RECORDS; i++)
		feed(s, 1, EV_READ, 1 + i, "x");
	assert_non_null(strstr(buf_cstr(&s->log), "r gap 1;"));
}

static void overlap_is_given_once(void **state)
{
	struct seen *s = *state;

	feed(s, 1, EV_READ, 0, "abc");
	feed(s, 2, EV_READ, 1, "bcde");
	feed(s, 3, EV_READ, 0, "abc");
	assert_string_equal(buf_cstr(&s->log), "open 1;r@1 abc;r@2 de;");
}

static void capped_call_tells_what_is_missing(void **state)
{
	struct seen *s = *state;
	struct ev_data *d = record_data(1, 7, 1, EV_READ, 0, "head", 4);

	d->missing = 100;
	assert_int_equal(conn_feed(s->table, &d->hdr), 0);
	free(d);
	feed(s, 2, EV_READ, 104, "tail");
	assert_string_equal(buf_cstr(&s->log), "open 1;r@1 head;r gap 100;r@2 tail;");
}

static void process_end_closes(void **state)
{
	struct seen *s = *state;
	struct ev_exit *e = record_exit(5, 7, 0), *other = record_exit(5, 8, 0);

	feed(s, 1, EV_READ, 0, "a");
	conn_feed(s->table, &other->hdr);
	assert_null(strstr(buf_cstr(&s->log), "close"));
	conn_feed(s->table, &e->hdr);
	assert_non_null(strstr(buf_cstr(&s->log), "close 1;"));
	free(e);
	free(other);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order),
		TEST(overtaking_is_mended),
		TEST(hole_is_told_with_its_size),
		TEST(straggler_is_not_waited_for_for_ever),
		TEST(waiting_is_bounded),
		TEST(overlap_is_given_once),
		TEST(capped_call_tells_what_is_missing),
		TEST(process_end_closes),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
