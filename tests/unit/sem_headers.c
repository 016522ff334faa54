// SPDX-License-Identifier: BSD-2-Clause
/* Facts of the HTTP header: request ids, the provider's own time, waits, rate limits. */
#include "sem_test.h"

#define MS 1000000ull
#define S 1000000000ull

/* One answer with one header field, and a second one unless name2 is NULL. */
static struct sem_headers answer(struct arena *a, const char *name, const char *value,
				 const char *name2, const char *value2)
{
	struct http_field f[] = { { sv(name), sv(value) }, { sv(name2), sv(value2) } };
	struct http_msg m = { .fields = f, .field_cnt = name2 ? 2 : 1 };
	struct sem_headers h;

	sem_headers(&h, a, NULL, &m);
	return h;
}

static void test_server_time(void **state)
{
	static const struct {
		const char *name, *value;
		uint64_t ns;
	} cases[] = {
		{ "OpenAI-Processing-Ms", "1234", 1234 * MS },
		{ "x-envoy-upstream-service-time", "7", 7 * MS },
		{ "server-timing", "total;dur=12.5", 12500000 },
		{ "server-timing", "cache;desc=\"x\", a;dur=3, b; dur=9.25;desc=y", 9250000 },
		{ "server-timing", "miss", 0 },
		{ "openai-processing-ms", "-5", 0 },
		{ "openai-processing-ms", "1e9", 0 },
		{ "openai-processing-ms", "99999999999999999999", 0 },
		{ "openai-processing-ms", "999999999999", 86400 * S },
		{ "openai-processing-ms", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena a = { 0 };
		struct sem_headers h = answer(&a, cases[i].name, cases[i].value, NULL, NULL);

		assert_int_equal(h.server_ns, cases[i].ns);
	}
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *name, *value, *name2, *value2;
		uint64_t ns;
	} cases[] = {
		{ "retry-after", "20", NULL, NULL, 20 * S },
		{ "retry-after", "0.5", NULL, NULL, 500 * MS },
		{ "retry-after", "2", "retry-after-ms", "1500", 1500 * MS },
		{ "retry-after", "Wed, 21 Oct 2015 07:28:10 GMT", "date",
		  "Wed, 21 Oct 2015 07:28:00 GMT", 10 * S },
		{ "retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", "date",
		  "Wed, 21 Oct 2015 07:28:10 GMT", 0 },
		{ "retry-after", "Wed, 21 Oct 2015 07:28:10 GMT", NULL, NULL, 0 },
		{ "retry-after", "soon", NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena a = { 0 };
		struct sem_headers h =
			answer(&a, cases[i].name, cases[i].value, cases[i].name2, cases[i].value2);

		assert_int_equal(h.retry_after_ns, cases[i].ns);
	}
}

static void test_ids_and_limits(void **state)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct sem_headers h;

	(void)state;
	h = answer(&a, "Request-Id", "req_1", "X-RateLimit-Remaining-Tokens", "10");
	assert_sv(h.request_id, "req_1");
	assert_json(h.rate_limits, "{'x-ratelimit-remaining-tokens':'10'}");
	assert_int_equal(h.attempt, SEM_NONE);
	h = answer(&a, "anthropic-ratelimit-requests-limit", "1",
		   "anthropic-ratelimit-requests-limit", "2");
	assert_json(h.rate_limits, "{'anthropic-ratelimit-requests-limit':'1'}");
	h = answer(&a, "content-type", "text/plain", NULL, NULL);
	assert_null(h.rate_limits);
	assert_null(h.request_id.p);
}

static void test_attempt(void **state)
{
	static const struct {
		const char *value;
		int64_t attempt;
	} cases[] = { { "0", 1 }, { "2", 3 }, { "-1", SEM_NONE }, { "x", SEM_NONE } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_field f = { SV("X-Stainless-Retry-Count"), sv(cases[i].value) };
		struct http_msg m = { .fields = &f, .field_cnt = 1 };
		_cleanup_arena_ struct arena a = { 0 };
		struct sem_headers h;

		sem_headers(&h, &a, &m, NULL);
		assert_int_equal(h.attempt, cases[i].attempt);
		assert_int_equal(h.server_ns, 0);
	}
}

static void test_aws_attempt(void **state)
{
	static const struct {
		const char *value;
		int64_t attempt;
	} cases[] = { { "attempt=1", 1 },        { "ttl=20260101T000000Z; attempt=2; max=3", 2 },
		      { "attempt=0", SEM_NONE }, { "max=3", SEM_NONE },
		      { "attempt=", SEM_NONE },  { ";;", SEM_NONE } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_field f = { SV("amz-sdk-request"), sv(cases[i].value) };
		struct http_msg m = { .fields = &f, .field_cnt = 1 };
		_cleanup_arena_ struct arena a = { 0 };
		struct sem_headers h;

		sem_headers(&h, &a, &m, NULL);
		assert_int_equal(h.attempt, cases[i].attempt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_time),    cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_ids_and_limits), cmocka_unit_test(test_attempt),
		cmocka_unit_test(test_aws_attempt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
