// SPDX-License-Identifier: BSD-2-Clause
/* Patterns of names as both sides match them: they agree with fnmatch(3). */
#include "../fixture.h"
#include "probe/select.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>

#define ROUNDS 200000

static bool matches(const char *pattern, const char *name)
{
	char comm[GLOB_LEN] = "";
	struct glob g;

	assert_int_equal(glob_compile(&g, pattern), 0);
	snprintf(comm, sizeof(comm), "%s", name);
	return glob_match(&g, comm);
}

static void patterns(void **state)
{
	(void)state;
	assert_true(matches("claude", "claude"));
	assert_false(matches("claude", "claude2"));
	assert_false(matches("claude", "claud"));
	assert_true(matches("python*", "python3.11"));
	assert_true(matches("*", ""));
	assert_true(matches("", ""));
	assert_false(matches("", "a"));
	assert_true(matches("a*b*c", "aXbYbZc"));
	assert_false(matches("a*b*c", "aXbYbZ"));
	assert_true(matches("???????????????", "123456789012345"));
	assert_true(matches("*123456789012345*", "123456789012345"));
	assert_true(matches("\xff?", "\xff\xfe"));
}

static void none_and_too_long(void **state)
{
	struct glob g = { 0 };

	(void)state;
	assert_true(glob_match(&g, (char[GLOB_LEN]){ "anything" }));
	assert_int_equal(glob_compile(&g, "1234567890123456"), -EINVAL);
}

static unsigned int rnd(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

static void like_fnmatch(void **state)
{
	unsigned int seed = 1;
	size_t hits = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		char pattern[12] = "", name[12] = "";
		unsigned int p = rnd(&seed, 9), n = rnd(&seed, 9);
		bool want;

		for (unsigned int i = 0; i < p; i++)
			pattern[i] = "ab*?"[rnd(&seed, 4)];
		for (unsigned int i = 0; i < n; i++)
			name[i] = "ab"[rnd(&seed, 2)];
		want = fnmatch(pattern, name, 0) == 0;
		hits += want;
		if (matches(pattern, name) != want)
			fail_msg("'%s' and '%s'", pattern, name);
	}
	assert_true(hits > ROUNDS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(none_and_too_long),
		cmocka_unit_test(like_fnmatch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
