// SPDX-License-Identifier: BSD-2-Clause
/*
 * HTTP/2 where a case cannot say it: bounds, bombs and floods, garbage, over-reads.  Connections made
 * at random: http2_random.c.  Else: tests/case/http2.
 */
#include "http2_test.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "hostile.h"

/* --- bounds */

static struct http2 *open_fresh(struct seen *s)
{
	struct http2 *h = open_parser(s);

	feed(h, HTTP_REQUEST, sv(PREFACE));
	feed(h, HTTP_REQUEST, (struct sv){ "\0\0\0\4\0\0\0\0\0", 9 });
	return h;
}

static void finish(struct http2 *h, struct seen *s)
{
	close_parser(h, s);
	buf_fini(&s->log);
}

/* One entry of 4000 bytes, and a million references to it. */
static void test_hpack_bomb(void **state)
{
	_cleanup_buf_ struct buf block = BUF_INIT, wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_fresh(&s);

	(void)state;
	buf_add(&block, "\x82\x84\x40\x01z\x7f\xa1\x1e",
		8); /* a value of 127 + 0xf21 = 4000 bytes */
	for (size_t i = 0; i < 4000; i++)
		buf_ch(&block, 'v');
	put_frame(&wire, 1, 1, 1, buf_view(&block));
	buf_clear(&block);
	for (size_t i = 0; i < 10000; i++)
		buf_ch(&block, '\xbe');
	for (size_t i = 0; i < 100; i++)
		put_frame(&wire, 9, i == 99 ? 4 : 0, 1, buf_view(&block));
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_HEAD_CAP);
	assert_int_equal(s.field_cnt, LIMIT_HTTP_HEAD / 4001);
	finish(h, &s);
}

/* More fields than the bound, and a block in a flood of frames. */
static void test_continuation_flood(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_fresh(&s);

	(void)state;
	put_frame(&wire, 1, 1, 1, SV("\x82\x84"));
	for (size_t i = 0; i < 200000; i++)
		put_frame(&wire, 9, 0, 1, i % 2 ? SV("\x87") : SV(""));
	put_frame(&wire, 9, 4, 1, SV("\x87"));
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_HEAD_CAP);
	assert_int_equal(s.field_cnt, LIMIT_HTTP_HEADERS - 1);
	finish(h, &s);
}

/* A client that opens and resets without end, and one that only opens. */
static void test_rapid_reset(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_fresh(&s);

	(void)state;
	for (uint32_t id = 1; id < 200000; id += 2) {
		put_frame(&wire, 1, 4, id, SV("\x82\x84"));
		put_frame(&wire, 3, 0, id, (struct sv){ "\0\0\0\x08", 4 });
	}
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.dones, 100000);
	assert_int_equal(s.open_max, 1);
	assert_int_equal(s.flags, HTTP_CUT);
	finish(h, &s);
}

static void test_many_streams(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_fresh(&s);

	(void)state;
	for (uint32_t id = 1; id < 20000; id += 2)
		put_frame(&wire, 1, 4, id, SV("\x82\x84"));
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.heads, 10000);
	assert_int_equal(s.dones, 10000 - LIMIT_HTTP2_STREAMS);
	assert_int_equal(s.open_max, LIMIT_HTTP2_STREAMS);
	assert_int_equal(s.flags, HTTP_CUT);
	assert_int_equal(s.seq, 10000 - LIMIT_HTTP2_STREAMS - 1); /* the oldest went */
	finish(h, &s);
}

/* Streams without an open message give way to a new one before those that have one. */
static void test_idle_streams_go_first(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_fresh(&s);

	(void)state;
	put_frame(&wire, 1, 4, 1, SV("\x82\x84"));
	for (uint32_t id = 3; id < 2000; id += 2)
		put_frame(&wire, 1, 5, id, SV("\x82\x84"));
	put_frame(&wire, 0, 1, 1, SV("end"));
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.flags, HTTP_COMPLETE);
	assert_int_equal(s.len, 3);
	finish(h, &s);
}

/* A decoder's table that breaks again and again is given up; bodies go on. */
static void test_broken_blocks(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_fresh(&s);

	(void)state;
	for (uint32_t id = 1; id < 100000; id += 2)
		put_frame(&wire, 1, 5, id, SV("\x82\x80"));
	put_frame(&wire, 1, 4, 100001, SV("\x82\x84"));
	put_frame(&wire, 0, 1, 100001, SV("body"));
	feed(h, HTTP_REQUEST, buf_view(&wire));
	assert_int_equal(s.unknown, s.heads);
	assert_int_equal(s.len, 4);
	finish(h, &s);
}

/* --- hostile bytes */

static void check_hostile(struct sv bytes, uint64_t seed, struct guard *g, bool holes)
{
	struct seen s;
	struct http2 *h = open_parser(&s);

	while (bytes.n) {
		size_t n = 1 + rnd_below(&seed, 300);
		enum http_dir dir = rnd_below(&seed, 2) ? HTTP_REQUEST : HTTP_RESPONSE;

		feed(h, dir, guard_put(g, sv_sub(bytes, 0, n)));
		bytes = sv_sub(bytes, n, SIZE_MAX);
		if (holes && !rnd_below(&seed, 20))
			http2_gap(h, dir, 1, 1 + rnd_below(&seed, 1000));
	}
	finish(h, &s);
}

static void test_garbage(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t r = seed;

		buf_clear(&wire);
		for (size_t i = 0; i < 3000; i++)
			buf_ch(&wire, seed % 2 ? (char)rnd(&r) : (char)rnd_below(&r, 10));
		check_hostile(buf_view(&wire), seed, &g, seed % 3);
	}
	guard_fini(&g);
}

/* Frames of any kind with any flags and any payload, on a few streams. */
static void test_odd_frames(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint64_t r = seed;

		buf_clear(&wire);
		for (size_t i = 0; i < 200; i++) {
			char payload[40];

			for (size_t k = 0; k < sizeof(payload); k++)
				payload[k] = (char)(rnd(&r) >> 7);
			put_frame(&wire, rnd_below(&r, 11), rnd(&r) & 0x2d, rnd_below(&r, 8),
				  (struct sv){ payload, rnd_below(&r, sizeof(payload)) });
		}
		check_hostile(buf_view(&wire), seed, &g, seed % 3);
	}
	guard_fini(&g);
}

/* Bytes that were held while they were searched keep the times at which they were seen. */
static void test_times_of_search(void **state)
{
	_cleanup_buf_ struct buf wire = BUF_INIT;
	struct seen s;
	struct http2 *h = open_parser(&s);

	(void)state;
	for (size_t i = 0; i < 50000; i++)
		buf_ch(&wire, 'x');
	put_frame(&wire, 0, 0, 1, SV("abcdef"));
	put_frame(&wire, 0, 0, 1, SV("ghi"));
	put_frame(&wire, 0, 1, 1, SV("jkl"));
	assert_int_equal(http2_feed(h, HTTP_REQUEST, 5, sv_sub(buf_view(&wire), 0, 50003)), 0);
	assert_int_equal(http2_feed(h, HTTP_REQUEST, 7, sv_sub(buf_view(&wire), 50003, 10)), 0);
	assert_int_equal(http2_feed(h, HTTP_REQUEST, 9, sv_sub(buf_view(&wire), 50013, 99)), 0);
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.len, 12);
	assert_int_equal(s.ts_first, 5);
	assert_int_equal(s.ts_body, 7);
	assert_int_equal(s.ts_last, 9);
	close_parser(h, &s);
	buf_fini(&s.log);
}

static void test_detect(void **state)
{
	struct sv preface = SV(PREFACE);
	static const char settings[] = "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x80";
	static const char middle[] = "tail\0\0\3\0\0\0\0\0\1abc\0\0\4\x8\0\0\0\0\0\0\1\0\0";

	char inside[200] = "\0\0\xf0\0\0\0\0\0\1"
			   "event: response.output_text.delta";

	(void)state;
	for (size_t n = 0; n < preface.n; n++)
		assert_int_equal(http2_detect(HTTP_REQUEST, sv_sub(preface, 0, n)), -1);
	assert_int_equal(http2_detect(HTTP_REQUEST, preface), 100);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ settings, 8 }), -1);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ settings, 15 }), 90);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ middle, 25 }), 60);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ middle + 4, 12 }), -1);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ middle + 4, 21 }), 80);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ inside, 63 }), -1);
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ inside, 64 }), 40);
	inside[3] = 42; /* no type of frame */
	assert_int_equal(http2_detect(HTTP_RESPONSE, (struct sv){ inside, 64 }), 0);
	assert_int_equal(http2_detect(HTTP_REQUEST, SV("GET / HTTP/1.1\r\n")), 0);
	assert_int_equal(http2_detect(HTTP_REQUEST, SV("PRI * HTTP/1.1\r\n")), 0);
	assert_int_equal(http2_detect(HTTP_RESPONSE, SV("HTTP/1.1 200 OK\r\n")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hpack_bomb),
		cmocka_unit_test(test_continuation_flood),
		cmocka_unit_test(test_rapid_reset),
		cmocka_unit_test(test_many_streams),
		cmocka_unit_test(test_idle_streams_go_first),
		cmocka_unit_test(test_broken_blocks),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_odd_frames),
		cmocka_unit_test(test_times_of_search),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
