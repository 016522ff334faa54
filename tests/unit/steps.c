// SPDX-License-Identifier: BSD-2-Clause
/* Walking through a capture: back gives what forward gave, and every span is opened and closed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "cli/steps.h"

#define CAPTURE "tests/golden/demo.rsp" /* from the top of the tree, where tests are run */

/* All spans of that step, as text that the caller frees. */
static char *picture(struct steps *s)
{
	struct sink_cfg cfg = { 0 };
	char *text = NULL;
	size_t size = 0;

	cfg.out = open_memstream(&text, &size);
	assert_non_null(cfg.out);
	assert_int_equal(steps_show(s, sink_find(SV("ndjson")), &cfg), 0);
	fclose(cfg.out);
	return text ? text : strdup("");
}

static void back_is_what_was(void **state)
{
	struct steps *s = NULL;
	char *seen[256] = { 0 };
	uint64_t n = 0;

	(void)state;
	assert_int_equal(steps_open(&s, CAPTURE, NULL, false), 0);
	while (!steps_over(s)) {
		assert_int_equal(steps_go(s, ++n), 0);
		assert_int_equal(steps_at(s), n);
		assert_true(n < ARRAY_SIZE(seen));
		seen[n] = picture(s);
	}
	assert_null(steps_record(s));
	assert_true(sv_find(sv(seen[n]), SV("ringspan.unfinished")) < 0);
	assert_true(sv_has(sv(seen[n / 2]), "ringspan.unfinished"));
	for (uint64_t i = n; i > 0; i = i > 7 ? i - 7 : i - 1) {
		_cleanup_free_ char *again = NULL;

		assert_int_equal(steps_go(s, i), 0);
		again = picture(s);
		assert_string_equal(again, seen[i]);
	}
	/* further than there is: the end */
	assert_int_equal(steps_go(s, 100000), 0);
	assert_int_equal(steps_at(s), n);
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		free(seen[i]);
	steps_free(&s);
}

struct tally {
	struct map open; /* span id -> it was opened */
	size_t opened, changed, closed, at_once;
};

static void on_change(void *ctx, enum step_change how, const struct span *s)
{
	struct map_key key = { .a = strtoull(s->span_id, NULL, 16) };
	struct tally *t = ctx;

	if (how == STEP_OPENED) {
		assert_null(map_get(&t->open, key));
		assert_int_equal(map_put(&t->open, key, t), 0);
		t->opened++;
	} else if (how == STEP_CHANGED) {
		assert_non_null(map_get(&t->open, key));
		t->changed++;
	} else {
		t->at_once += !map_del(&t->open, key);
		t->closed++;
	}
}

static void every_change_is_told(void **state)
{
	struct tally t = { 0 };
	struct steps *s = NULL;

	(void)state;
	assert_int_equal(steps_open(&s, CAPTURE, NULL, false), 0);
	while (!steps_over(s)) {
		assert_int_equal(steps_go(s, steps_at(s) + 1), 0);
		assert_int_equal(steps_changes(s, on_change, &t), 0);
	}
	assert_int_equal(t.open.cnt, 0);
	assert_int_equal(t.closed, t.opened + t.at_once);
	assert_true(t.opened >= 10 && t.changed >= 3);
	/* a connect, and the attempts of calls */
	assert_true(t.at_once >= 1);
	/* the last step alone, come from afar, tells the same */
	assert_int_equal(steps_go(s, 1), 0);
	t.closed = 0;
	assert_int_equal(steps_go(s, 57), 0);
	assert_int_equal(steps_record(s)->kind, EV_EXIT);
	map_put(&t.open, (struct map_key){ .a = 0x2ce7a02396fcd6f8 }, &t);
	assert_int_equal(steps_changes(s, on_change, &t), 0);
	assert_int_equal(t.closed, 1);
	map_fini(&t.open);
	steps_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(back_is_what_was),
		cmocka_unit_test(every_change_is_told),
	};

	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
