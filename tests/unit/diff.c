// SPDX-License-Identifier: BSD-2-Clause
/* Aligning two runs: what has a partner, what has none, and what time may not change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analysis/diff.h"
#include "base/buf.h"

static uint64_t clock_ns;

/* t: turn, m: model call, other letters: calls of the tool of that name, a digit behind: arguments. */
static void add(struct diff_side *side, char kind, char arg, int64_t tokens)
{
	struct arena a;
	struct span *s = NULL;
	enum span_what what = kind == 't'   ? SPAN_TURN
			      : kind == 'm' ? SPAN_MODEL_CALL
					    : SPAN_TOOL_CALL;

	arena_init(&a, 0);
	assert_int_equal(span_new(&s, what), 0);
	s->start_ns = clock_ns += 10;
	s->end_ns = s->start_ns + (uint64_t)(rand() % 5); /* NOLINT: any number will do */
	snprintf(s->span_id, sizeof(s->span_id), "%016llx", (unsigned long long)clock_ns);
	span_set_name(s, arena_fmt(&a, "%c", kind));
	span_set_json(s, kind == 't' ? ATTR_ID_INPUT_MESSAGES : ATTR_ID_TOOL_ARGUMENTS,
		      json_string(&a, arena_fmt(&a, "%c", arg)));
	if (tokens)
		span_set_int(s, ATTR_ID_USAGE_INPUT, tokens);
	assert_int_equal(diff_side_add(side, s), 0);
	span_free(&s);
	arena_fini(&a);
}

static void fill(struct diff_side *side, const char *text)
{
	diff_side_init(side);
	for (const char *p = text; *p; p += 2)
		add(side, p[0], p[1], 0);
}

static int note(void *ctx, enum diff_how how, const struct diff_item *a, const struct diff_item *b)
{
	static const char marks[] = {
		[DIFF_SAME] = '=', [DIFF_CHANGED] = '~', [DIFF_ONLY_A] = '-', [DIFF_ONLY_B] = '+'
	};

	buf_ch(ctx, marks[how]);
	return buf_sv(ctx, (a ? a : b)->name);
}

static void assert_diff(const char *a, const char *b, const char *want)
{
	struct diff_side x, y;
	struct buf got = BUF_INIT;

	fill(&x, a);
	fill(&y, b);
	assert_int_equal(diff_align(&x, &y, note, &got), 0);
	assert_string_equal(buf_cstr(&got), want);
	buf_fini(&got);
	diff_side_fini(&x);
	diff_side_fini(&y);
}

static void test_align(void **state)
{
	(void)state;
	assert_diff("", "", "");
	assert_diff("t1m.s1m.", "t1m.s1m.", "=t=m=s=m");
	assert_diff("t1m.s1m.", "", "-t-m-s-m");
	assert_diff("", "t1m.", "+t+m");
	/* one more, at either end and in the middle */
	assert_diff("t1m.s1m.", "t1m.s1s2m.", "=t=m=s+s=m");
	assert_diff("m.s1", "t1m.s1", "+t=m=s");
	assert_diff("m.s1", "m.s1w1", "=m=s+w");
	/* other arguments, other input, another tool */
	assert_diff("t1m.s1m.", "t1m.s2m.", "=t=m~s=m");
	assert_diff("t1m.", "t2m.", "~t=m");
	assert_diff("m.s1m.", "m.w1m.", "=m-s+w=m");
	/* what is the same weighs more than what is merely alike */
	assert_diff("s1s2s3", "s2s3s4", "-s=s=s+s");
	assert_diff("s1s2", "s2", "-s=s");
}

static void test_numbers(void **state)
{
	struct diff_side x, y;
	struct buf got = BUF_INIT;

	(void)state;
	diff_side_init(&x);
	diff_side_init(&y);
	add(&x, 'm', '.', 100);
	add(&y, 'm', '.', 101);
	assert_false(diff_same_totals(&x.totals, &y.totals));
	assert_int_equal(diff_align(&x, &y, note, &got), 0);
	assert_string_equal(buf_cstr(&got), "~m");
	assert_int_equal(y.totals.model_calls, 1);
	assert_int_equal(y.totals.input_tokens, 101);
	buf_fini(&got);
	diff_side_fini(&x);
	diff_side_fini(&y);
}

/* Too long for a table: by position, and still every one is told once. */
static void test_long(void **state)
{
	struct diff_side x, y;
	struct buf got = BUF_INIT;
	size_t n = 3000;

	(void)state;
	diff_side_init(&x);
	diff_side_init(&y);
	for (size_t i = 0; i < n; i++) {
		add(&x, 's', (char)('a' + i % 20), 0);
		add(&y, 's', (char)('A' + i % 20), 0);
	}
	add(&y, 'w', '1', 0);
	assert_int_equal(diff_align(&x, &y, note, &got), 0);
	assert_int_equal(got.len, 2 * (n + 1));
	assert_memory_equal(got.p, "~s~s", 4);
	assert_memory_equal(got.p + got.len - 2, "+w", 2);
	buf_fini(&got);
	diff_side_fini(&x);
	diff_side_fini(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_align),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
