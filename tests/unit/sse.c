// SPDX-License-Identifier: BSD-2-Clause
/* Server-sent events: bounds, random cuts, holes anywhere, garbage, over-reads.  Else: tests/case/sse. */
#include "proto/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "hostile.h"

struct seen {
	struct buf log;
	size_t cnt;
	size_t data_len, name_len;
	bool cut, unterminated;
};

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct seen *s = ctx;

	s->cnt++;
	s->data_len = ev->data.n;
	s->name_len = ev->event.n;
	s->cut = ev->cut;
	s->unterminated = ev->unterminated;
	assert_true(ev->ts_first <= ev->ts_last);
	if (ev->data.n < 1000)
		buf_fmt(&s->log, "%d [" SV_FMT "] [" SV_FMT "] [" SV_FMT "]\n", ev->unterminated,
			SV_ARG(ev->event), SV_ARG(ev->id), SV_ARG(ev->data));
}

static void feed(struct sse *s, struct sv bytes)
{
	assert_int_equal(sse_feed(s, 1, bytes), 0);
}

static void feed_cut(struct sse *s, struct sv in, uint64_t seed, size_t max)
{
	while (in.n) {
		size_t n = 1 + rnd_below(&seed, max);

		feed(s, sv_sub(in, 0, n));
		in = sv_sub(in, n, SIZE_MAX);
	}
}

static void test_event_bound(void **state)
{
	struct seen seen = { 0 };
	struct sse *s = NULL;
	char line[4096];

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(sse_new(&s, on_event, &seen), 0);
	feed(s, SV("data: "));
	for (size_t n = 0; n < LIMIT_SSE_EVENT; n += sizeof(line))
		feed(s, (struct sv){ line, sizeof(line) });
	feed(s, SV("\n\n"));
	assert_int_equal(seen.cnt, 1);
	assert_int_equal(seen.data_len, LIMIT_SSE_EVENT);
	assert_false(seen.cut);

	feed(s, SV("data: "));
	for (size_t n = 0; n < LIMIT_SSE_EVENT; n += sizeof(line))
		feed(s, (struct sv){ line, sizeof(line) });
	feed(s, SV("y\ndata: z\n\n"));
	assert_int_equal(seen.cnt, 2);
	assert_int_equal(seen.data_len, LIMIT_SSE_EVENT);
	assert_true(seen.cut);

	feed(s, SV("data: small\n\n"));
	assert_int_equal(seen.cnt, 3);
	assert_int_equal(seen.data_len, 5);
	assert_false(seen.cut);
	sse_free(&s);
	assert_null(s);
	buf_fini(&seen.log);
}

static void test_name_bound(void **state)
{
	struct seen seen = { 0 };
	struct sse *s = NULL;

	(void)state;
	assert_int_equal(sse_new(&s, on_event, &seen), 0);
	feed(s, SV("event: "));
	for (size_t n = 0; n <= LIMIT_SSE_NAME; n++)
		feed(s, SV("x"));
	feed(s, SV("\ndata: a\n\n"));
	assert_int_equal(seen.cnt, 1);
	assert_int_equal(seen.name_len, LIMIT_SSE_NAME);
	assert_true(seen.cut);
	sse_free(&s);
	buf_fini(&seen.log);
}

/* A stream of the bytes that matter most. */
static void make_stream(struct buf *b, uint64_t *seed, size_t parts)
{
	static const char *const part[] = { "data", "data: ", "data:",       "event: e", "id: 7",
					    "id",   ":",      "retry",       "\r",       "\n",
					    "\r\n", "\n",     "\n\n",        "\r\n\r\n", " ",
					    "x",    "{}",     "\xef\xbb\xbf" };

	for (size_t i = 0; i < parts; i++)
		buf_str(b, part[rnd_below(seed, sizeof(part) / sizeof(part[0]))]);
}

static void test_random_cuts(void **state)
{
	uint64_t seed = 1;
	size_t events = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		_cleanup_buf_ struct buf in = BUF_INIT;
		struct seen whole = { 0 }, cut = { 0 };
		struct sse *s = NULL;

		make_stream(&in, &seed, 60);
		assert_int_equal(sse_new(&s, on_event, &whole), 0);
		feed(s, buf_view(&in));
		sse_end(s, 2);
		sse_free(&s);
		assert_int_equal(sse_new(&s, on_event, &cut), 0);
		feed_cut(s, buf_view(&in), seed, 1 + round % 9);
		sse_end(s, 2);
		sse_free(&s);
		assert_string_equal(buf_cstr(&whole.log), buf_cstr(&cut.log));
		events += whole.cnt;
		buf_fini(&whole.log);
		buf_fini(&cut.log);
	}
	assert_true(events > 1000);
}

/* Wherever a hole is, every event behind it that is given was sent like that. */
static void test_holes(void **state)
{
	static const char stream[] =
		"event: a\r\ndata: 0\r\n\r\nid: 1\ndata: 1\n\n: c\n\ndata: 2\r\rdata: 3\n\n";
	struct sv in = { stream, sizeof(stream) - 1 };

	(void)state;
	for (size_t from = 0; from < in.n; from++) {
		for (size_t to = from + 1; to <= in.n; to++) {
			struct seen seen = { 0 };
			struct sse *s = NULL;
			struct sv log, line;

			assert_int_equal(sse_new(&s, on_event, &seen), 0);
			feed(s, sv_sub(in, 0, from));
			sse_gap(s);
			feed(s, sv_sub(in, to, SIZE_MAX));
			sse_end(s, 2);
			sse_free(&s);
			log = buf_view(&seen.log);
			while (log.n) {
				line = sv_token(&log, '\n');
				assert_true(sv_is(line, "0 [a] [] [0]") ||
					    sv_is(line, "0 [] [1] [1]") || sv_ends(line, " [2]") ||
					    sv_ends(line, " [3]"));
			}
			buf_fini(&seen.log);
		}
	}
}

static void test_guard_page(void **state)
{
	uint64_t seed = 9;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (int round = 0; round < 2000; round++) {
		_cleanup_buf_ struct buf in = BUF_INIT;
		struct seen seen = { 0 };
		struct sse *s = NULL;

		make_stream(&in, &seed, 20);
		assert_int_equal(sse_new(&s, on_event, &seen), 0);
		feed(s, guard_put(&g, buf_view(&in)));
		feed(s, guard_put(&g, sv_sub(buf_view(&in), 0, 7)));
		sse_end(s, 2);
		sse_free(&s);
		buf_fini(&seen.log);
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_bound), cmocka_unit_test(test_name_bound),
		cmocka_unit_test(test_random_cuts), cmocka_unit_test(test_holes),
		cmocka_unit_test(test_guard_page),
	};

	return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
