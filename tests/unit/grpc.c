// SPDX-License-Identifier: BSD-2-Clause
/* gRPC framing where a case cannot say it: bounds, garbage, over-reads.  Else: tests/case/grpc. */
#include "proto/grpc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "hostile.h"

struct seen {
	size_t cnt;
	size_t len; /* of the last one's data */
	uint64_t size;
	unsigned int flags;
};

static void on_message(void *ctx, const struct grpc_message *m)
{
	struct seen *s = ctx;

	assert_true(m->data.n <= LIMIT_GRPC_MESSAGE);
	assert_true(m->data.n <= m->size);
	assert_true(m->ts_first <= m->ts_last);
	s->cnt++;
	s->len = m->data.n;
	s->size = m->size;
	s->flags = m->flags;
}

static void put_prefix(struct buf *b, unsigned int flags, uint32_t n)
{
	const unsigned char p[] = { flags, n >> 24, n >> 16, n >> 8, n };

	buf_add(b, p, sizeof(p));
}

/* Longer than is kept: its size is known, and the next one is found. */
static void test_long(void **state)
{
	static char chunk[1 << 20];
	uint32_t size = LIMIT_GRPC_MESSAGE + 10 * sizeof(chunk);
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct grpc *g = NULL;
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(grpc_new(&g, on_message, &s), 0);
	put_prefix(&b, 0, size);
	grpc_feed(g, 1, buf_view(&b));
	for (size_t i = 0; i < size / sizeof(chunk); i++)
		grpc_feed(g, 2, (struct sv){ chunk, sizeof(chunk) });
	assert_int_equal(s.cnt, 1);
	assert_int_equal(s.size, size);
	assert_int_equal(s.len, LIMIT_GRPC_MESSAGE);
	assert_int_equal(s.flags, GRPC_CUT);
	buf_clear(&b);
	put_prefix(&b, 1, 0);
	grpc_feed(g, 3, buf_view(&b));
	assert_int_equal(s.cnt, 2);
	assert_int_equal(s.flags, GRPC_COMPRESSED);
	grpc_free(&g);
	grpc_free(&g);
}

/* A gap of any size, also where there is nothing, and one that says nothing. */
static void test_gaps(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct grpc *g = NULL;
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(grpc_new(&g, on_message, &s), 0);
	put_prefix(&b, 0, UINT32_MAX);
	grpc_feed(g, 1, buf_view(&b));
	grpc_gap(g, 0);
	grpc_gap(g, UINT32_MAX);
	assert_int_equal(s.cnt, 1);
	assert_int_equal(s.flags, GRPC_HOLE);
	grpc_gap(g, UINT64_MAX);
	assert_int_equal(s.cnt, 1);
	grpc_end(g);
	grpc_end(g);
	assert_int_equal(s.cnt, 1);
	assert_false(grpc_is_lost(g));
	grpc_free(&g);
}

static void test_garbage(void **state)
{
	uint64_t seed = 99;
	struct guard guard;

	(void)state;
	guard_init(&guard, 4096);
	for (size_t round = 0; round < 20000; round++) {
		struct seen s = { 0 };
		struct grpc *g = NULL;

		assert_int_equal(grpc_new(&g, on_message, &s), 0);
		for (size_t k = 0; k < 8; k++) {
			char bytes[64];
			size_t n = rnd_below(&seed, sizeof(bytes));

			for (size_t i = 0; i < n; i++)
				bytes[i] = rnd_below(&seed, 3) ? rnd_below(&seed, 4) : 0;
			grpc_feed(g, k, guard_put(&guard, (struct sv){ bytes, n }));
			if (!rnd_below(&seed, 4))
				grpc_gap(g, rnd(&seed) >> rnd_below(&seed, 64));
		}
		grpc_end(g);
		grpc_free(&g);
	}
	guard_fini(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
