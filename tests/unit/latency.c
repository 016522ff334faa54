// SPDX-License-Identifier: BSD-2-Clause
/* Percentiles against the sorted durations themselves, order of rows, points of a heatmap. */
#include "../fixture.h"
#include <errno.h>
#include "analysis/latency.h"

#define N 5000

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Durations from 1 ns to 100 s, as many of each order of magnitude. */
static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (*seed >> 20) % (UINT64_C(10) << (*seed >> 59));
}

static void percentiles_are_at_most_a_quarter_above(void **state)
{
	static uint64_t all[N];
	static const unsigned int permille[] = { 1, 10, 500, 900, 950, 990, 999, 1000 };
	struct latency l;
	uint64_t seed = 1;

	(void)state;
	latency_init(&l, false);
	for (size_t i = 0; i < N; i++) {
		all[i] = next(&seed);
		assert_int_equal(latency_add(&l, SV("x"), i, all[i], false), 0);
	}
	qsort(all, N, sizeof(all[0]), by_value);
	assert_int_equal(latency_sort(&l), 1);
	assert_int_equal(l.rows[0]->calls, N);
	assert_int_equal(l.rows[0]->max_ns, all[N - 1]);
	for (size_t i = 0; i < sizeof(permille) / sizeof(permille[0]); i++) {
		uint64_t exact = all[(N * permille[i] + 999) / 1000 - 1];
		uint64_t got = latency_percentile(l.rows[0], permille[i]);

		assert_true(got >= exact);
		assert_true(got <= (exact < 128 ? exact + 32 : exact + exact / 4 + 1));
	}
	latency_fini(&l);
}

static void few(void **state)
{
	struct latency l;

	(void)state;
	latency_init(&l, false);
	assert_int_equal(latency_add(&l, SV("one"), 5, 1000, true), 0);
	assert_int_equal(latency_name(&l, SV("nothing"), SV("is not shown")), 0);
	assert_int_equal(latency_sort(&l), 1);
	assert_int_equal(latency_percentile(l.rows[0], 500), 1000);
	assert_int_equal(latency_percentile(l.rows[0], 990), 1000);
	assert_int_equal(latency_percentile(l.rows[1], 500), 0);
	assert_int_equal(l.rows[0]->errors, 1);
	assert_int_equal(l.point_cnt, 0);
	latency_fini(&l);
}

static void counts_are_put_together(void **state)
{
	struct ev_count buckets[] = { { 10, 4 }, { 20, 1 }, { EV_BUCKETS, 7 } }, errnos[20];
	struct trace_calls c = { .time_ns = 3,
				 .class = SV("file"),
				 .errors = 2,
				 .total_ns = 900,
				 .max_ns = 700,
				 .buckets = buckets,
				 .bucket_cnt = 3,
				 .errnos = errnos,
				 .errno_cnt = 20 };
	struct latency l;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		errnos[i] = (struct ev_count){ i + 1, 1 };
	latency_init(&l, true);
	assert_int_equal(latency_add_calls(&l, SV("read"), &c), 0);
	c.max_ns = 600;
	c.errnos = &(struct ev_count){ ENOENT, 5 };
	c.errno_cnt = 1;
	assert_int_equal(latency_add_calls(&l, SV("read"), &c), 0);
	assert_int_equal(latency_add(&l, SV("longer"), 4, 10000, false), 0);
	assert_int_equal(latency_name(&l, SV("read"), SV("called read")), 0);
	assert_int_equal(latency_sort(&l), 2);
	ASSERT_SV(l.rows[0]->name, "longer");
	ASSERT_SV(l.rows[1]->name, "called read");
	ASSERT_SV(l.rows[1]->class, "file");
	assert_int_equal(l.rows[1]->calls, 10); /* without what is no bucket */
	assert_int_equal(l.rows[1]->errors, 4);
	assert_int_equal(l.rows[1]->total_ns, 1800);
	assert_int_equal(l.rows[1]->max_ns, 700);
	assert_int_equal(l.rows[1]->errno_cnt, LATENCY_ERRNOS);
	assert_int_equal(l.rows[1]->errnos[ENOENT - 1].cnt, 6);
	assert_int_equal(l.point_cnt, 5);
	assert_int_equal(l.points[1].bucket, 20);
	assert_int_equal(l.points[4].time_ns, 4);
	latency_fini(&l);
}

/* Parts stand together, the name with most time in all of them first. */
static void parts(void **state)
{
	struct latency l;

	(void)state;
	latency_init(&l, false);
	assert_int_equal(latency_part(&l, SV("a connect"), SV("a"), 2, "connect"), 0);
	assert_int_equal(latency_add(&l, SV("a connect"), 1, 500, false), 0);
	assert_int_equal(latency_part(&l, SV("b wait"), SV("b"), 7, "wait"), 0);
	assert_int_equal(latency_add(&l, SV("b wait"), 1, 400, false), 0);
	assert_int_equal(latency_part(&l, SV("b tls"), SV("b"), 3, "tls"), 0);
	assert_int_equal(latency_add(&l, SV("b tls"), 1, 300, true), 0);
	assert_int_equal(latency_part(&l, SV("b tls"), SV("c"), 4, "again"), 0);
	assert_int_equal(latency_part(&l, SV("b dns"), SV("b"), 1, "dns"), 0); /* no call */
	assert_int_equal(latency_sort(&l), 3);
	ASSERT_SV(l.rows[0]->name, "b");
	ASSERT_SV(l.rows[0]->class, "tls");
	assert_int_equal(l.rows[0]->errors, 1);
	ASSERT_SV(l.rows[1]->class, "wait");
	ASSERT_SV(l.rows[2]->name, "a");
	assert_int_equal(l.rows[0]->parts_ns, 700);
	latency_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_at_most_a_quarter_above),
		cmocka_unit_test(few),
		cmocka_unit_test(counts_are_put_together),
		cmocka_unit_test(parts),
	};

	return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
