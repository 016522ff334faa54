// SPDX-License-Identifier: BSD-2-Clause
/* Bodies that are gathered: their beginning and end, to the byte, and the memory that all of them share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/limits.h"
#include "span/gather.h"

#define MAX 1000
#define END 100

static char bytes[4 * MAX];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 26);
}

/* A body of n bytes that come in pieces. */
static void gather(struct gather *k, struct gather_budget *b, size_t n, size_t piece, size_t max,
		   size_t end)
{
	for (size_t at = 0; at < n; at += piece)
		gather_add(k, b, (struct sv){ bytes + at, n - at < piece ? n - at : piece }, max,
			   end);
}

static void test_every_length(void **state)
{
	struct gather_budget b = { .max = 1 << 20 };

	(void)state;
	fill();
	for (size_t n = 0; n < 2 * MAX; n += n < MAX - 3 || n > MAX + 2 * END ? 61 : 1) {
		for (size_t piece = 1; piece <= 2 * MAX; piece = piece * 5 + 2) {
			struct gather k = { .cut = 0 };
			uint64_t cut = n > MAX ? n - MAX : 0, before = b.cut;
			char mark[64] = "";
			size_t mark_len = 0;

			gather(&k, &b, n, piece, MAX, END);
			assert_int_equal(gather_is_cut(&k), cut > 0);
			gather_close(&k, &b);
			gather_close(&k, &b);
			assert_int_equal(k.cut, cut);
			assert_int_equal(b.cut - before, cut);
			if (cut)
				mark_len = (size_t)snprintf(mark, sizeof(mark),
							    "[ringspan: %zu bytes left out]",
							    (size_t)cut);
			assert_int_equal(k.text.len, n - cut + mark_len);
			if (cut) {
				assert_memory_equal(k.text.p, bytes, MAX - END);
				assert_memory_equal(k.text.p + MAX - END, mark, mark_len);
				assert_memory_equal(k.text.p + MAX - END + mark_len,
						    bytes + n - END, END);
			} else if (n) {
				assert_memory_equal(k.text.p, bytes, n);
			}
			gather_fini(&k, &b);
			assert_int_equal(b.used, 0);
		}
	}
}

static void test_without_an_end(void **state)
{
	struct gather_budget b = { .max = 1 << 20 };
	struct gather k = { .cut = 0 };

	(void)state;
	fill();
	gather(&k, &b, MAX + 7, 50, MAX, 0);
	assert_true(gather_is_cut(&k));
	assert_int_equal(k.cut, 7);
	gather_close(&k, &b);
	assert_int_equal(k.text.len, MAX);
	assert_memory_equal(k.text.p, bytes, MAX);
	gather_fini(&k, &b);
	assert_int_equal(b.used, 0);
	assert_int_equal(b.cut, 7);
}

static void test_hole(void **state)
{
	struct gather_budget b = { .max = 1 << 20 };
	struct gather k = { .cut = 0 };

	(void)state;
	gather_add(&k, &b, SV("{\"a\":\"x"), MAX, END);
	gather_hole(&k, &b, 12);
	gather_add(&k, &b, SV("y\"}"), MAX, END);
	gather_close(&k, &b);
	assert_string_equal(buf_cstr(&k.text), "{\"a\":\"x[ringspan: 12 bytes missing]y\"}");
	assert_int_equal(k.cut, 0); /* it was not there to be left out */
	gather_fini(&k, &b);
}

/* Many at once hold no more than the budget, and a little; each has its beginning and its end. */
static void test_budget(void **state)
{
	enum { BODIES = 200, SIZE = 1 << 20 };
	static struct gather k[BODIES];
	struct gather_budget b = { .max = 16 << 20 };
	char *body = malloc(SIZE);
	uint64_t cut = 0, kept = 0;

	(void)state;
	assert_non_null(body);
	memset(body, 'm', SIZE);
	body[0] = 'F';
	body[SIZE - 1] = 'L';
	for (size_t at = 0; at < SIZE; at += 4096) /* side by side */
		for (int i = 0; i < BODIES; i++)
			gather_add(&k[i], &b, (struct sv){ body + at, 4096 }, LIMIT_BODY,
				   LIMIT_BODY_END);
	assert_in_range(b.used, b.max / 2, 2 * b.max);
	for (int i = 0; i < BODIES; i++) {
		gather_close(&k[i], &b);
		cut += k[i].cut;
		assert_int_equal(k[i].text.p[0], 'F');
		assert_int_equal(k[i].text.p[k[i].text.len - 1], 'L');
		kept += SIZE - k[i].cut;
	}
	assert_int_equal(b.cut, cut);
	assert_int_equal(cut + kept, (uint64_t)BODIES * SIZE);
	assert_true(cut > 0 && kept < b.max);
	for (int i = 0; i < BODIES; i++)
		gather_fini(&k[i], &b);
	assert_int_equal(b.used, 0);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_without_an_end),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
