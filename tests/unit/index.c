// SPDX-License-Identifier: BSD-2-Clause
/* Things found by key and texts found in texts, against what a search of all of them finds. */
#include "../fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/phrase.h"

#define THINGS 400
#define KEYS 7
#define ROUNDS 20000

struct thing {
	struct index_link link;
	struct phrase phrase;
	unsigned int key, rank;
	uint64_t added; /* 0: it is in none */
	char text[300];
};

static struct thing things[THINGS];

static bool by_rank(const void *a, const void *b)
{
	return ((const struct thing *)a)->rank < ((const struct thing *)b)->rank;
}

/* The same sequence each time. */
static unsigned int next_random(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static struct map_key key_of(unsigned int key)
{
	return (struct map_key){ key, 0, 0 };
}

static struct thing *some_thing(void)
{
	return &things[next_random() % THINGS];
}

/* Each key has those that were added with it, in that order. */
static void check_keys(const struct index *ix)
{
	for (unsigned int key = 0; key < KEYS; key++) {
		uint64_t before = 0;
		size_t cnt = 0, want = 0;

		index_for_each (ix, key_of(key), l) {
			const struct thing *th = l->of;

			assert_int_equal(th->key, key);
			assert_true(th->added > before);
			before = th->added;
			cnt++;
		}
		for (size_t i = 0; i < THINGS; i++)
			want += things[i].added && things[i].key == key;
		assert_int_equal(cnt, want);
		assert_true(!index_last(ix, key_of(key)) == !cnt);
	}
}

static void finds_by_key(void **state)
{
	struct index ix = { 0 };

	(void)state;
	memset(things, 0, sizeof(things));
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		struct thing *th = some_thing();

		index_del(&ix, &th->link); /* also when it is in none */
		th->added = 0;
		if (next_random() % 3) {
			th->key = next_random() % KEYS;
			th->added = i;
			assert_int_equal(index_add(&ix, key_of(th->key), &th->link, th), 0);
		}
		if (i % 500 == 0)
			check_keys(&ix);
	}
	index_fini(&ix);
	for (size_t i = 0; i < THINGS; i++)
		assert_null(things[i].link.list);
}

static void keeps_an_order(void **state)
{
	struct index ix = { 0 };

	(void)state;
	memset(things, 0, sizeof(things));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct thing *th = some_thing();
		unsigned int before = 0, cnt = 0;

		th->rank = next_random() % 1000;
		if (!th->link.list) {
			assert_int_equal(index_add(&ix, key_of(0), &th->link, th), 0);
			th->added = 1;
		}
		index_sort(&th->link, by_rank);
		index_for_each (&ix, key_of(0), l) {
			assert_true(((struct thing *)l->of)->rank >= before);
			before = ((struct thing *)l->of)->rank;
			cnt++;
		}
		for (size_t k = 0; k < THINGS; k++)
			cnt -= things[k].added;
		assert_int_equal(cnt, 0);
		if (i % 50 == 0) {
			index_del(&ix, &th->link);
			th->added = 0;
		}
	}
	index_fini(&ix);
}

/* --- texts */

static void fill(char *text, size_t n, unsigned int letters)
{
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + next_random() % letters);
	text[n] = '\0';
}

struct found {
	size_t cnt;
};

static void on_found(void *ctx, struct sv text, const struct index_link *l)
{
	struct found *f = ctx;

	for (; l; l = l->next) {
		const struct thing *th = l->of;

		assert_true(sv_is(text, th->text));
		f->cnt++;
	}
}

static size_t search_all(struct sv line)
{
	size_t cnt = 0;

	for (size_t i = 0; i < THINGS; i++) {
		size_t n = strlen(things[i].text);

		for (size_t at = 0; things[i].added && at + n <= line.n; at++)
			cnt += memcmp(line.p + at, things[i].text, n) == 0;
	}
	return cnt;
}

/* Short and long ones, few letters, so that much is held, begins alike and is there twice. */
static void finds_texts(void **state)
{
	struct phrases ps = { 0 };
	char line[600];

	(void)state;
	memset(things, 0, sizeof(things));
	for (unsigned int i = 1; i <= ROUNDS / 4; i++) {
		struct thing *th = some_thing();
		struct found f = { 0 };
		size_t n;

		phrase_del(&ps, &th->phrase);
		th->added = 0;
		if (next_random() % 4) {
			const struct thing *of = some_thing();

			n = next_random() % 2 ? next_random() % 12 : next_random() % 290;
			fill(th->text, n, 2);
			if (next_random() % 2) { /* begins like another */
				n = strnlen(of->text, sizeof(of->text) - 8);
				memmove(th->text, of->text, n);
				fill(th->text + n, next_random() % 7, 2);
			}
			n = strlen(th->text);
			th->added = n >= PHRASE_MIN;
			assert_int_equal(phrase_add(&ps, &th->phrase, sv(th->text), th),
					 n < PHRASE_MIN ? -EINVAL : 0);
		}
		if (i % 10)
			continue;
		fill(line, next_random() % 250, 2);
		n = strlen(line);
		snprintf(line + n, sizeof(line) - n, "%s", some_thing()->text);
		phrases_in(&ps, sv(line), on_found, &f);
		assert_int_equal(f.cnt, search_all(sv(line)));
	}
	phrases_fini(&ps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_by_key),
		cmocka_unit_test(keeps_an_order),
		cmocka_unit_test(finds_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
