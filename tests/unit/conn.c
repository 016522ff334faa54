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

/* The end of a stream that no record tells of: CLOSE says how long it was. */
static void a_lost_end_is_a_hole(void **state)
{
	struct ev_ends ends = { .pos = { [EV_READ] = 7, [EV_WRITE] = 5 } };
	struct seen *s = *state;
	struct ev_close *c = record(EV_CLOSE, sizeof(*c), 30, 7, &ends, sizeof(ends));

	feed(s, 10, EV_WRITE, 0, "hello");
	feed(s, 20, EV_READ, 3, "you");
	c->conn = 1;
	assert_int_equal(conn_feed(s->table, &c->hdr), 0);
	free(c);
	assert_string_equal(buf_cstr(&s->log),
			    "open 1;w@10 hello;r gap 3;r@20 you;r gap 1;close 1;");
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

/* One direction of rustls, named or not. */
static void feed_rustls(struct seen *s, uint64_t ts, uint64_t id, int dir, uint64_t pos,
			const char *text)
{
	struct ev_data *d = record_data(ts, 7, id, dir, pos, text, strlen(text));

	d->src = EV_SRC_RUSTLS;
	assert_int_equal(conn_feed(s->table, &d->hdr), 0);
	free(d);
}

static void feed_sock(struct seen *s, uint64_t ts, uint64_t id)
{
	struct ev_sock *r = record(EV_SOCK, sizeof(*r), ts, 7, NULL, 0);

	r->conn = id;
	assert_int_equal(conn_feed(s->table, &r->hdr), 0);
	free(r);
}

static void feed_join(struct seen *s, uint64_t ts, uint64_t id, uint64_t into, int dir,
		      uint64_t pos)
{
	struct ev_join *j = record(EV_JOIN, sizeof(*j), ts, 7, NULL, 0);

	j->conn = id;
	j->into = into;
	j->dir = dir;
	j->pos = pos;
	assert_int_equal(event_check(&j->hdr, j->hdr.size), 0);
	assert_int_equal(conn_feed(s->table, &j->hdr), 0);
	free(j);
}

static void bytes_wait_for_their_socket(void **state)
{
	struct seen *s = *state;

	feed_rustls(s, 1, 1, EV_WRITE, 0, "ab");
	feed_rustls(s, 2, 1, EV_WRITE, 2, "cd");
	assert_string_equal(buf_cstr(&s->log), "");
	feed_sock(s, 3, 1);
	feed_rustls(s, 4, 1, EV_READ, 0, "xy");
	feed_rustls(s, 5, 1, EV_WRITE, 4, "ef");
	assert_string_equal(buf_cstr(&s->log), "open 1;w@1 ab;w@2 cd;r@4 xy;w@5 ef;");
}

static void a_known_socket_is_not_waited_for(void **state)
{
	struct seen *s = *state;

	feed_sock(s, 1, 1);
	feed_rustls(s, 2, 1, EV_READ, 0, "xy");
	assert_string_equal(buf_cstr(&s->log), "open 1;r@2 xy;");
}

static void directions_become_one(void **state)
{
	struct seen *s = *state;

	feed_sock(s, 1, 1);
	feed_rustls(s, 2, 1, EV_READ, 0, "xy");
	feed_rustls(s, 3, 2, EV_WRITE, 0, "ab");
	feed_rustls(s, 4, 2, EV_WRITE, 2, "cd");
	feed_join(s, 5, 2, 1, EV_WRITE, 0);
	feed_rustls(s, 6, 1, EV_WRITE, 4, "ef");
	feed_rustls(s, 7, 3, EV_WRITE, 0, "gh"); /* new keys */
	feed_join(s, 8, 3, 1, EV_WRITE, 6);
	feed_rustls(s, 9, 1, EV_WRITE, 8, "ij");
	feed_close(s, 10);
	assert_string_equal(buf_cstr(&s->log), "open 1;r@2 xy;w@3 ab;w@4 cd;w@6 ef;w@7 gh;w@9 ij;"
					       "close 1;");
}

static void a_hole_in_what_joins_is_told(void **state)
{
	struct seen *s = *state;

	feed_sock(s, 1, 1);
	feed_rustls(s, 2, 2, EV_WRITE, 2, "cd");
	feed_join(s, 3, 2, 1, EV_WRITE, 10);
	feed_close(s, 4);
	assert_string_equal(buf_cstr(&s->log), "open 1;w gap 12;w@2 cd;close 1;");
}

static void a_join_that_comes_alone_changes_nothing(void **state)
{
	struct seen *s = *state;

	feed_sock(s, 1, 1);
	feed_join(s, 2, 2, 1, EV_WRITE, 0); /* of which nothing came */
	feed_join(s, 3, 1, 1, EV_WRITE, 0); /* of itself */
	feed_rustls(s, 4, 2, EV_WRITE, 0, "ab");
	feed_join(s, 5, 2, 2, EV_WRITE, 0);
	feed_sock(s, 6, 2);
	feed_join(s, 7, 2, 1, EV_WRITE, 0); /* it is known as one of its own */
	assert_string_equal(buf_cstr(&s->log), "open 1;open 2;w@4 ab;");
}

static void no_socket_is_waited_for_for_ever(void **state)
{
	struct seen *s = *state;

	feed_rustls(s, 1, 1, EV_WRITE, 0, "ab");
	feed_rustls(s, 2 + LIMIT_PLACE_NS, 1, EV_WRITE, 2, "cd");
	assert_string_equal(buf_cstr(&s->log), "open 1;w@1 ab;w@2000000002 cd;");
	for (int i = 0; i <= LIMIT_REORDER_RECORDS; i++)
		feed_rustls(s, 3 + LIMIT_PLACE_NS, 2, EV_WRITE, i, "x");
	assert_non_null(strstr(buf_cstr(&s->log), "open 2;w@2000000003 x;"));
}

static void what_waits_is_given_at_the_end(void **state)
{
	struct seen *s = *state;

	feed_rustls(s, 1, 1, EV_WRITE, 0, "ab");
	conn_close_all(s->table, 2);
	assert_string_equal(buf_cstr(&s->log), "open 1;w@1 ab;close 1;");
	feed_rustls(s, 3, 2, EV_WRITE, 0, "cd"); /* and freed, if not */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order),
		TEST(overtaking_is_mended),
		TEST(hole_is_told_with_its_size),
		TEST(a_lost_end_is_a_hole),
		TEST(straggler_is_not_waited_for_for_ever),
		TEST(waiting_is_bounded),
		TEST(overlap_is_given_once),
		TEST(capped_call_tells_what_is_missing),
		TEST(process_end_closes),
		TEST(bytes_wait_for_their_socket),
		TEST(a_known_socket_is_not_waited_for),
		TEST(directions_become_one),
		TEST(a_hole_in_what_joins_is_told),
		TEST(a_join_that_comes_alone_changes_nothing),
		TEST(no_socket_is_waited_for_for_ever),
		TEST(what_waits_is_given_at_the_end),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
