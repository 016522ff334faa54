// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the cases in tests/case/jsonrpc cannot say: messages over the bounds, detection, and bytes of
 * any kind.
 */
#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "proto/jsonrpc.h"

struct got {
	size_t cnt;
	char id[16], method[16];
	uint64_t wire;
	bool cut;
};

static void on_message(void *ctx, const struct jsonrpc_msg *m)
{
	struct got *g = ctx;

	g->cnt++;
	snprintf(g->id, sizeof(g->id), SV_FMT, SV_ARG(m->id));
	snprintf(g->method, sizeof(g->method), SV_FMT, SV_ARG(m->method));
	g->wire = m->wire;
	g->cut = m->cut;
}

static void feed(struct jsonrpc *j, const char *text)
{
	assert_int_equal(jsonrpc_feed(j, 1, sv(text)), 0);
}

static void fill(struct jsonrpc *j, size_t n)
{
	_cleanup_free_ char *x = malloc(n);

	memset(x, 'x', n);
	assert_int_equal(jsonrpc_feed(j, 1, (struct sv){ x, n }), 0);
}

/* Of a message that is too long, head and end tell method and id. */
static void over_the_bound(void **state)
{
	static const char head[] = "{\"method\":\"big\",\"params\":{\"a\":\"";
	static const char end[] = "\"},\"jsonrpc\":\"2.0\",\"id\":77}\n";
	struct got g = { 0 };
	struct jsonrpc *j;

	(void)state;
	assert_int_equal(jsonrpc_new(&j, on_message, &g), 0);
	for (size_t i = 1; i <= 2; i++) {
		feed(j, head);
		fill(j, LIMIT_RPC_TEXT + 12345);
		feed(j, end);
		assert_int_equal(g.cnt, i);
		assert_string_equal(g.id, "77");
		assert_string_equal(g.method, "big");
		assert_true(g.cut);
		assert_int_equal(g.wire, LIMIT_RPC_TEXT + 12345 + sizeof(head) + sizeof(end) - 3);
	}
	feed(j, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"next\"}\n");
	assert_string_equal(g.method, "next");
	assert_false(g.cut);
	jsonrpc_free(&j);
}

/* A whole message behind a hole may be longer than the end that is kept of others. */
static void long_behind_a_hole(void **state)
{
	struct got g = { 0 };
	struct jsonrpc *j;

	(void)state;
	assert_int_equal(jsonrpc_new(&j, on_message, &g), 0);
	jsonrpc_gap(j, 5);
	feed(j, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"m\",\"params\":{\"a\":\"");
	fill(j, 10 * LIMIT_RPC_TAIL);
	feed(j, "\"}}\n");
	assert_int_equal(g.cnt, 1);
	assert_string_equal(g.id, "3");
	assert_false(g.cut);
	jsonrpc_free(&j);
}

static void a_large_batch(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct got g = { 0 };
	struct jsonrpc_text t = { 0 };

	(void)state;
	for (size_t i = 0; i < 2 * LIMIT_RPC_BATCH; i++)
		buf_fmt(&b, "%c{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"m\"}", i ? ',' : '[',
			i);
	buf_ch(&b, ']');
	t.text = buf_view(&b);
	assert_int_equal(jsonrpc_read(&t, on_message, &g), LIMIT_RPC_BATCH);
	assert_int_equal(g.cnt, LIMIT_RPC_BATCH);
}

static void detection(void **state)
{
	static const struct {
		const char *first;
		int score;
	} cases[] = {
		{ "{\"jsonrpc\":\"2.0\"", 70 },
		{ " \r\n[ { \"method\" :", 70 },
		{ "{\"jsonr", -1 },
		{ "{\"id", -1 },
		{ "{", -1 },
		{ "", -1 },
		{ "{\"ident\":1", 0 },
		{ "{\"type\":\"x\"}", 0 },
		{ "{'jsonrpc':", 0 },
		{ "Content-Length: 12\r\n", 80 },
		{ "content-len", -1 },
		{ "content-type", 0 },
		{ "GET / HTTP/1.1\r\n", 0 },
		{ "[[[[", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(jsonrpc_detect(sv(cases[i].first)), cases[i].score);
}

static void any_bytes(void **state)
{
	static const char *const parts[] = { "{\"jsonrpc\":\"2.0\",",
					     "\"id\":1,",
					     "\"method\":\"m\"",
					     "}",
					     "\n",
					     "[",
					     "]",
					     "{",
					     "\"",
					     "Content-Length: 9\r\n",
					     "\r\n",
					     "\\",
					     "\"result\":{}",
					     "\xff",
					     "x" };
	struct got g = { 0 };
	unsigned int seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct jsonrpc *j;

		assert_int_equal(jsonrpc_new(&j, on_message, &g), 0);
		for (int i = 0; i < 40; i++) {
			unsigned int r = rand_r(&seed);

			if (r % 16 == 15)
				jsonrpc_gap(j, 1 + r / 16 % 12);
			else
				feed(j, parts[r % 16 % ARRAY_SIZE(parts)]);
		}
		jsonrpc_end(j);
		jsonrpc_free(&j);
	}
	assert_true(g.cnt > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_the_bound), cmocka_unit_test(long_behind_a_hole),
		cmocka_unit_test(a_large_batch),  cmocka_unit_test(detection),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
