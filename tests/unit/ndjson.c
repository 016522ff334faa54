// SPDX-License-Identifier: BSD-2-Clause
/* Lines of JSON and elements of a streamed array: whole, in every cut, behind holes, over bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "hostile.h"
#include "proto/jsonarray.h"
#include "proto/ndjson.h"

/* What was given, as text: each piece in <>, with a mark for what is wrong with it. */
struct log {
	struct buf text;
	uint64_t ts_first, ts_last; /* of the last piece */
	size_t longest;
};

static void on_piece(void *ctx, const struct json_piece *p)
{
	struct log *l = ctx;

	l->longest = p->text.n > l->longest ? p->text.n : l->longest;
	buf_str(&l->text, "<");
	buf_sv(&l->text, sv_sub(p->text, 0, 64));
	buf_str(&l->text, p->cut ? "!cut" : "");
	buf_str(&l->text, p->unterminated ? "!end>" : ">");
	l->ts_first = p->ts_first;
	l->ts_last = p->ts_last;
}

/* Both splitters behind one set of functions, since they are held to the same. */
struct splitter {
	struct ndjson *lines;
	struct jsonarray *array;
};

static void start(struct splitter *s, bool array, struct log *l)
{
	*s = (struct splitter){ 0 };
	assert_int_equal(array ? jsonarray_new(&s->array, on_piece, l)
			       : ndjson_new(&s->lines, on_piece, l),
			 0);
}

static void feed(struct splitter *s, uint64_t ts, struct sv bytes)
{
	assert_int_equal(s->array ? jsonarray_feed(s->array, ts, bytes)
				  : ndjson_feed(s->lines, ts, bytes),
			 0);
}

static void gap(struct splitter *s)
{
	if (s->array)
		jsonarray_gap(s->array);
	else
		ndjson_gap(s->lines);
}

static void stop(struct splitter *s)
{
	if (s->array)
		jsonarray_end(s->array);
	else
		ndjson_end(s->lines);
	jsonarray_free(&s->array);
	ndjson_free(&s->lines);
}

static const struct {
	bool array;
	const char *stream, *pieces;
} cases[] = {
	{ false, "", "" },
	{ false, "{\"a\":1}\n{\"b\":2}\r\n", "<{\"a\":1}><{\"b\":2}>" },
	{ false, "\n \t\r\n{}\n\n", "<{}>" },
	{ false, "{}\n{\"cut", "<{}><{\"cut!end>" },
	{ false, "a\rb\n", "<a\rb>" },
	{ false, "x", "<x!end>" },
	{ true, "", "" },
	{ true, "[]", "" },
	{ true, " [ {\"a\":[1,{}]} ,\r\n{\"b\":\"]},[\\\"\\\\\"}\n] junk",
	  "<{\"a\":[1,{}]}><{\"b\":\"]},[\\\"\\\\\"}>" },
	{ true, "[1,\"a,]\",[2],null]", "<1><\"a,]\"><[2]><null>" },
	{ true, "[{\"a\":1},{\"b", "<{\"a\":1}><{\"b!end>" },
	{ true, "{\"error\":{}}", "" },
	{ true, "[,,}]", "<}>" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sv all = sv(cases[i].stream);

		/* cut into pieces of each length: of one byte, up to whole */
		for (size_t n = 1; n <= all.n + 1; n++) {
			struct log l = { 0 };
			struct splitter s;

			start(&s, cases[i].array, &l);
			for (size_t at = 0; at < all.n; at += n)
				feed(&s, at, sv_sub(all, at, n));
			stop(&s);
			assert_string_equal(buf_cstr(&l.text), cases[i].pieces);
			buf_fini(&l.text);
		}
	}
}

static void test_times(void **state)
{
	struct log l = { 0 };
	struct splitter s;

	(void)state;
	start(&s, false, &l);
	feed(&s, 10, SV("{\"a\""));
	feed(&s, 20, SV(":1}"));
	feed(&s, 30, SV("\n"));
	assert_int_equal(l.ts_first, 10);
	assert_int_equal(l.ts_last, 20);
	stop(&s);
	start(&s, true, &l);
	feed(&s, 10, SV("[\n"));
	feed(&s, 20, SV("{\"a\""));
	feed(&s, 30, SV(":1}"));
	/* given at its last bracket, without waiting for what comes behind */
	assert_int_equal(l.ts_first, 20);
	assert_int_equal(l.ts_last, 30);
	stop(&s);
	buf_fini(&l.text);
}

static void test_gaps(void **state)
{
	struct log l = { 0 };
	struct splitter s;

	(void)state;
	start(&s, false, &l);
	feed(&s, 1, SV("{\"a\":1}\n{\"b"));
	gap(&s);
	feed(&s, 2, SV("\":2}\n{\"c\":3}\n"));
	stop(&s);
	start(&s, true, &l);
	feed(&s, 1, SV("[{\"a\":1},{\"b"));
	gap(&s);
	feed(&s, 2, SV("\":2},{\"c\":3}]"));
	stop(&s);
	assert_string_equal(buf_cstr(&l.text), "<{\"a\":1}><{\"c\":3}><{\"a\":1}>");
	buf_fini(&l.text);
}

static void test_too_long(void **state)
{
	size_t size = 1 << 20;
	_cleanup_free_ char *block = malloc(size);

	(void)state;
	memset(block, 'x', size);
	for (int array = 0; array < 2; array++) {
		struct log l = { 0 };
		struct splitter s;

		start(&s, array, &l);
		feed(&s, 1, array ? SV("[\"") : SV("\""));
		for (size_t at = 0; at < LIMIT_STREAM_PIECE + size; at += size)
			feed(&s, 2, (struct sv){ block, size });
		feed(&s, 3, array ? SV("\",{}]") : SV("\"\n{}\n"));
		stop(&s);
		assert_int_equal(l.longest, LIMIT_STREAM_PIECE);
		/* the one behind it is whole */
		assert_true(sv_ends(buf_view(&l.text), "!cut><{}>"));
		buf_fini(&l.text);
	}
}

static void test_hostile(void **state)
{
	static const char alphabet[] = "[]{}\",\\\n\r a1";
	uint64_t seed = 42;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (int round = 0; round < 2000; round++) {
		struct log l = { 0 };
		struct splitter s;

		start(&s, round % 2, &l);
		for (size_t k = rnd_below(&seed, 8); k > 0; k--) {
			char bytes[64];
			size_t n = rnd_below(&seed, sizeof(bytes));

			for (size_t i = 0; i < n; i++)
				bytes[i] = alphabet[rnd_below(&seed, sizeof(alphabet))];
			feed(&s, k, guard_put(&g, (struct sv){ bytes, n }));
			if (rnd_below(&seed, 16) == 0)
				gap(&s);
		}
		stop(&s);
		buf_fini(&l.text);
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),   cmocka_unit_test(test_times),
		cmocka_unit_test(test_gaps),    cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
