// SPDX-License-Identifier: BSD-2-Clause
/* Costs of tokens, by small tables and by the one that is built in. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "span/embed.h"
#include "span/price.h"

#define HEAD                                                                    \
	"{\"date\":\"2026-01-02\",\"currency\":\"USD\",\"unit\":\"per million " \
	"tokens\",\"models\":["
#define TAIL "]}"
#define EUROS "{\"date\":\"d\",\"currency\":\"EUR\",\"unit\":\"per million tokens\",\"models\":[]}"
#define ANY ((struct sv){ NULL, 0 })

static const struct sem_usage one_of_each = {
	.input = 1000000,
	.output = 1000000,
	.cache_read = SEM_NONE,
	.cache_write = SEM_NONE,
	.reasoning = SEM_NONE,
};

static struct price_table *parse(const char *text)
{
	struct price_table *t = NULL;

	assert_int_equal(price_table_parse(&t, sv(text)), 0);
	return t;
}

/* Price of a million tokens of input and of output; -1: none. */
static double price(const struct price_table *t, const char *provider, const char *model)
{
	double usd = NAN;

	if (!price_cost(t, sv(provider), sv(model), &one_of_each, &usd))
		return -1;
	return usd;
}

static void test_match(void **state)
{
	struct price_table *t =
		parse(HEAD "{\"match\":\"m-4*\",\"provider\":\"p\",\"input\":1,\"output\":0},"
			   "{\"match\":\"m-4-5\",\"provider\":\"p\",\"input\":2,\"output\":0},"
			   "{\"match\":\"m-4-5-mini\",\"provider\":\"p\",\"input\":3,\"output\":0},"
			   "{\"match\":\"free\",\"input\":0,\"output\":0}" TAIL);

	(void)state;
	assert_true(sv_is(price_table_date(t), "2026-01-02"));
	assert_true(price(t, "p", "m-4") == 1);
	assert_true(price(t, "p", "m-4-20250514") == 1);
	assert_true(price(t, "p", "m-4-5") == 2);
	assert_true(price(t, "p", "m-4-5-20250514") == 2);
	assert_true(price(t, "p", "m-4-5-2025-08-07") == 2);
	assert_true(price(t, "p", "m-4-5@20250514") == 2);
	assert_true(price(t, "p", "m-4-5-latest") == 2);
	assert_true(price(t, "p", "m-4-5-mini") == 3);
	/* no release: the name of another model, which only the glob knows */
	assert_true(price(t, "p", "m-4-5-max") == 1);
	assert_true(price(t, "p", "m-4-5-2025") == 1);
	assert_true(price(t, "p", "m-4-5-2025051") == 1);
	assert_true(price(t, "p", "m-5") == -1);
	assert_true(price(t, "p", "m-") == -1);
	assert_true(price(t, "p", "") == -1);
	assert_true(price(t, "p", NULL) == -1);
	assert_true(price(t, "other", "m-4") == -1);
	assert_true(price(t, NULL, "m-4") == 1);
	assert_true(price(t, "other", "free") == 0);
	price_table_free(&t);
	assert_null(t);
	price_table_free(&t);
}

static void test_cache(void **state)
{
	struct price_table *t = parse(HEAD "{\"match\":\"m\",\"input\":3,\"output\":15,\"cache_"
					   "read\":0.3,\"cache_write\":3.75},"
					   "{\"match\":\"n\",\"input\":3,\"output\":15}" TAIL);
	struct sem_usage u = {
		.input = 1000, .output = 100, .cache_read = 600, .cache_write = 300
	};
	double usd;

	(void)state;
	assert_true(price_cost(t, ANY, SV("m"), &u, &usd));
	assert_float_equal(usd, (100 * 3 + 600 * 0.3 + 300 * 3.75 + 100 * 15) / 1e6, 1e-12);
	assert_true(price_cost(t, ANY, SV("n"), &u, &usd));
	assert_float_equal(usd, (1000 * 3 + 100 * 15) / 1e6, 1e-12);
	u.input = 10; /* less than its parts */
	assert_true(price_cost(t, ANY, SV("m"), &u, &usd));
	assert_float_equal(usd, (600 * 0.3 + 300 * 3.75 + 100 * 15) / 1e6, 1e-12);
	u =
		(struct sem_usage){ SEM_NONE, SEM_NONE, SEM_NONE, SEM_NONE,
				    SEM_NONE, SEM_NONE, SEM_NONE };
	assert_false(price_cost(t, ANY, SV("m"), &u, &usd));
	assert_false(price_cost(NULL, ANY, SV("m"), &one_of_each, &usd));
	u.output = 1000000;
	assert_true(price_cost(t, ANY, SV("m"), &u, &usd));
	assert_float_equal(usd, 15, 1e-12);
	price_table_free(&t);
}

static void test_above(void **state)
{
	struct price_table *t =
		parse(HEAD "{\"match\":\"m\",\"input\":1,\"output\":2,"
			   "\"above\":{\"input_tokens\":1000,\"input\":10,\"output\":20}}" TAIL);
	struct sem_usage u = { .input = 1000, .output = 1000 };
	double usd;

	(void)state;
	assert_true(price_cost(t, ANY, SV("m"), &u, &usd));
	assert_float_equal(usd, 3000 / 1e6, 1e-12);
	u.input = 1001;
	assert_true(price_cost(t, ANY, SV("m"), &u, &usd));
	assert_float_equal(usd, (1001 * 10 + 1000 * 20) / 1e6, 1e-12);
	price_table_free(&t);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		HEAD "{\"match\":\"m\",\"input\":1,\"output\":1}",
		HEAD TAIL " x",
		HEAD "{\"match\":\"m\",\"input\":1}" TAIL,
		HEAD "{\"match\":\"m\",\"input\":\"1\",\"output\":1}" TAIL,
		HEAD "{\"match\":\"m\",\"input\":-1,\"output\":1}" TAIL,
		HEAD "{\"match\":\"*\",\"input\":1,\"output\":1}" TAIL,
		HEAD "{\"input\":1,\"output\":1}" TAIL,
		HEAD "{\"match\":\"m\",\"input\":1,\"output\":1,\"above\":{\"input\":1,\"output\":"
		     "1}}" TAIL,
		HEAD "7" TAIL,
		EUROS,
	};
	struct price_table *t = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (price_table_parse(&t, sv(bad[i])) != -EINVAL)
			fail_msg("was taken: %s", bad[i]);
		assert_null(t);
	}
}

static void test_built_in(void **state)
{
	struct price_table *t = NULL;

	(void)state;
	assert_int_equal(price_table_default(&t), 0);
	assert_int_equal(price_table_date(t).n, 10);
	assert_true(price(t, "anthropic", "claude-sonnet-4-5-20250929") > 0);
	assert_float_equal(price(t, "anthropic", "claude-opus-4-20250514"), 90, 1e-9);
	assert_float_equal(price(t, "anthropic", "claude-opus-4-5-20251101"), 30, 1e-9);
	assert_float_equal(price(t, "anthropic", "claude-3-5-haiku-20241022"), 4.8, 1e-9);
	assert_float_equal(price(t, "openai", "gpt-4o-2024-08-06"), 12.5, 1e-9);
	assert_float_equal(price(t, "openai", "gpt-4o-mini"), 0.75, 1e-9);
	assert_float_equal(price(t, NULL, "gpt-5-nano"), 0.45, 1e-9);
	/* other models whose names begin alike */
	assert_true(price(t, "openai", "gpt-4o-audio-preview") == -1);
	assert_true(price(t, "openai", "gpt-5-turbo") == -1);
	/* another provider has prices of its own */
	assert_true(price(t, "azure.ai.openai", "gpt-4o") == -1);
	price_table_free(&t);
}

/* Every entry can be met: none hides behind another, and no price is out of all reason. */
static void test_built_in_entries(void **state)
{
	_cleanup_arena_ struct arena a;
	struct price_table *t = NULL;
	const struct json *models;

	(void)state;
	arena_init(&a, 0);
	assert_int_equal(price_table_default(&t), 0);
	models = json_get(json_parse(&a, embed_prices(), NULL), "models");
	assert_true(models->cnt > 20);
	json_for_each (models, m) {
		double in = 0, out = 0, read = 0, usd = 0;
		struct sem_usage u = { .input = 1000, .output = 1000 };

		assert_true(json_f64(json_get(m, "input"), &in));
		assert_true(json_f64(json_get(m, "output"), &out));
		assert_true(price_cost(t, json_sv(json_get(m, "provider")),
				       json_sv(json_get(m, "match")), &u, &usd));
		assert_float_equal(usd, (in + out) / 1e3, 1e-9);
		assert_true(in > 0 && in < out && out <= 200);
		if (json_f64(json_get(m, "cache_read"), &read))
			assert_true(read > 0 && read < in);
	}
	price_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),    cmocka_unit_test(test_cache),
		cmocka_unit_test(test_above),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_built_in), cmocka_unit_test(test_built_in_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
