// SPDX-License-Identifier: BSD-2-Clause
/* JSON in and out: what is read, what is left of text that is cut or broken, what is written. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"

static const char doc[] =
	"{\"model\":\"m\\u00e9\\ud83d\\ude00\\n\",\"n\":[1,-2.5e+3,0,true,false,null],"
	"\"o\":{\"k\":\"\xe2\x82\xac\",\"e\":{},\"a\":[]},\"u\":18446744073709551615}";

/* A copy that ends at the end of its allocation, so that a sanitizer sees every byte too far. */
static char *exact(const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	return n ? copy : copy + 1;
}

static void release(char *copy, size_t n)
{
	free(n ? copy : copy - 1);
}

/* Where the text ends, and what the tree then looks like; "" for no tree. */
static void reads(const char *text, const char *want, const char *flags, long offset)
{
	struct arena a;
	struct json_err err;
	char *copy = exact(text, strlen(text));
	char got[5];

	arena_init(&a, 0);
	struct json *v = json_parse(&a, (struct sv){ copy, strlen(text) }, &err);
	release(copy, strlen(text));
	struct sv out = v ? json_text(&a, v) : SV("");
	if (out.n != strlen(want) || memcmp(out.p, want, out.n) != 0)
		fail_msg("%s: got " SV_FMT ", want %s", text, SV_ARG(out), want);
	snprintf(got, sizeof(got), "%s%s%s%s", err.cut ? "c" : "", err.broken ? "b" : "",
		 err.too_deep ? "d" : "", err.too_big ? "m" : "");
	if (strcmp(got, flags) != 0)
		fail_msg("%s: got flags '%s', want '%s'", text, got, flags);
	if (offset >= 0 && err.offset != (size_t)offset)
		fail_msg("%s: got offset %zu, want %ld", text, err.offset, offset);
	arena_fini(&a);
}

static void whole_texts(void **state)
{
	(void)state;
	reads("12", "12", "", 2);
	reads(" null\r\n", "null", "", 7);
	reads("\"\"", "\"\"", "", 2);
	reads("[]", "[]", "", 2);
	reads("{ }", "{}", "", 3);
	reads("\t[ 1 , [ ] , { \"a\" : true , \"b\" : false } ] ",
	      "[1,[],{\"a\":true,\"b\":false}]", "", -1);
	reads("[1.50,-0,1E+2,123456789012345678901234567890]",
	      "[1.50,-0,1E+2,123456789012345678901234567890]", "", -1);
	reads("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}", "", -1);
}

static void strings(void **state)
{
	(void)state;
	reads("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"", "", -1);
	reads("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"",
	      "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "", -1);
	reads("\"\\u0000\\u001f\x7f\\u2028\"", "\"\\u0000\\u001f\\u007f\\u2028\"", "", -1);
	/* lone surrogates: high, low, high before another escape or character */
	reads("\"\\ud83d\"", "\"\xef\xbf\xbd\"", "", -1);
	reads("\"\\ude00x\"", "\"\xef\xbf\xbdx\"", "", -1);
	reads("\"\\ud83d\\u0041\"",
	      "\"\xef\xbf\xbd"
	      "A\"",
	      "", -1);
	reads("\"\\ud83d\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"", "", -1);
	reads("\"\\ud83d\\ue000\"", "\"\xef\xbf\xbd\xee\x80\x80\"", "", -1);
	reads("\"\\ud83d\\n\"", "\"\xef\xbf\xbd\\n\"", "", -1);
	/* bytes that are no UTF-8: stray, overlong, surrogate, too large, unfinished */
	reads("\"a\x80z\"", "\"a\xef\xbf\xbdz\"", "", -1);
	reads("\"\xc0\xaf\"", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "", -1);
	reads("\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "", -1);
	reads("\"\xf4\x90\x80\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "",
	      -1);
	reads("\"\xf0\x9f\x98\"", "\"\xef\xbf\xbd\"", "", -1);
	reads("\"\xef\xbf\xbd\"", "\"\xef\xbf\xbd\"", "", -1);
}

static void cut_texts(void **state)
{
	(void)state;
	reads("", "", "c", 0);
	reads(" \n", "", "c", 2);
	reads("tru", "", "c", 3);
	reads("-", "", "c", 1);
	reads("1e", "1", "c", 2);
	reads("1.", "1", "c", 2);
	reads("[1e", "[1]", "c", 3);
	reads("[1,12", "[1,12]", "c", 5);
	reads("[1,-", "[1]", "c", 4);
	reads("[true,fals", "[true]", "c", 10);
	reads("{", "{}", "c", 1);
	reads("{\"a", "{}", "c", 3);
	reads("{\"a\"", "{}", "c", 4);
	reads("{\"a\":", "{}", "c", 5);
	reads("{\"a\":nul", "{}", "c", 8);
	reads("{\"a\":1,", "{\"a\":1}", "c", 7);
	reads("{\"a\":[{\"b\":\"x", "{\"a\":[{\"b\":\"x\"}]}", "c", 13);
	reads("{\"a\":\"x\\u12", "{\"a\":\"x\"}", "c", -1);
	reads("{\"a\":\"x\\", "{\"a\":\"x\"}", "c", -1);
	reads("\"x\\ud83d", "\"x\"", "c", -1);
	reads("\"x\\ud83d\\", "\"x\"", "c", -1);
	reads("\"x\\ud83d\\ude0", "\"x\"", "c", -1);
	reads("\"x\xf0\x9f\x98", "\"x\"", "c", -1);
	reads("\"x\xc3", "\"x\"", "c", -1);
}

static void broken_texts(void **state)
{
	(void)state;
	reads("<html>", "", "b", 0);
	reads("12x", "12", "b", 2);
	reads("{} {}", "{}", "b", 3);
	reads("[1 2]", "[1]", "b", 3);
	reads("[1,]", "[1]", "b", 3);
	reads("[,1]", "[]", "b", 1);
	reads("[1}", "[1]", "b", 2);
	reads("{\"a\":1]", "{\"a\":1}", "b", 6);
	reads("{\"a\" 1}", "{}", "b", 5);
	reads("{\"a\":1,}", "{\"a\":1}", "b", 7);
	reads("{a:1}", "{}", "b", 1);
	reads("{1:1}", "{}", "b", 1);
	reads("[tru]", "[]", "b", 4);
	reads("[truex]", "[true]", "b", 5);
	reads("[01]", "[0]", "b", 2);
	reads("[-x]", "[]", "b", 2);
	reads("[.5]", "[]", "b", 1);
	reads("[+1]", "[]", "b", 1);
	reads("[1.x]", "[1]", "b", 3);
	reads("[1e+]", "[1]", "b", 4);
	reads("[NaN]", "[]", "b", 1);
	reads("[\"a\nb\"]", "[\"a\"]", "b", 3);
	reads("[\"a\\x\"]", "[\"a\"]", "b", 3);
	reads("[\"a\\u12g4\"]", "[\"a\"]", "b", 3);
	reads("{\"a\":1,\"b\\q\":2}", "{\"a\":1}", "b", 9);
	reads("\xef\xbb\xbf{}", "", "b", 0);
}

static void cut_marks(void **state)
{
	struct arena a;
	struct json_err err;

	(void)state;
	arena_init(&a, 0);
	struct json *v = json_parse(&a, SV("{\"done\":[1],\"open\":[\"a\",{\"k\":12"), &err);
	assert_true(v->cut);
	assert_false(json_get(v, "done")->cut);
	assert_true(json_get(v, "open")->cut);
	assert_false(json_path(v, "open.0")->cut);
	assert_true(json_path(v, "open.1")->cut);
	assert_true(json_path(v, "open.1.k")->cut);
	assert_int_equal(json_get(v, "open")->cnt, 2);

	v = json_parse(&a, SV("[\"a\",\"b"), NULL);
	assert_false(json_at(v, 0)->cut);
	assert_true(json_at(v, 1)->cut);
	v = json_parse(&a, SV("[1,2 x"), NULL);
	assert_true(v->cut);
	assert_false(json_at(v, 1)->cut);
	assert_false(json_parse(&a, SV("12"), NULL)->cut);
	assert_false(json_parse(&a, SV("[12]"), NULL)->cut);
	assert_true(json_parse(&a, SV("1."), NULL)->cut);
	arena_fini(&a);
}

/* What is read of a cut text must be the beginning of what is read of the whole. */
static void is_beginning(const struct json *part, const struct json *whole)
{
	assert_int_equal(part->type, whole->type);
	assert_int_equal(part->b, whole->b);
	assert_true(part->cnt <= whole->cnt);
	assert_int_equal(part->key.n, whole->key.n);
	if (part->key.n)
		assert_memory_equal(part->key.p, whole->key.p, part->key.n);
	assert_true(part->s.n <= whole->s.n);
	if (part->s.n)
		assert_memory_equal(part->s.p, whole->s.p, part->s.n);
	if (!part->cut)
		assert_true(part->s.n == whole->s.n && part->cnt == whole->cnt);
	const struct json *w = whole->head;
	json_for_each (part, e) {
		assert_true(!e->cut || (part->cut && !e->next));
		is_beginning(e, w);
		w = w->next;
	}
}

static void cut_everywhere(void **state)
{
	size_t n = sizeof(doc) - 1;

	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		struct arena a;
		struct json_err err;
		char *copy = exact(doc, cut);

		arena_init(&a, 0);
		struct json *whole = json_parse(&a, (struct sv){ doc, n }, NULL);
		struct json *part = json_parse(&a, (struct sv){ copy, cut }, &err);
		release(copy, cut);
		assert_int_equal(part != NULL, cut > 0);
		assert_int_equal(err.cut, cut < n);
		assert_false(err.broken);
		assert_int_equal(err.offset, cut);
		if (part) {
			assert_int_equal(part->cut, cut < n);
			is_beginning(part, whole);
		}
		arena_fini(&a);
	}
}

static char *repeat(const char *unit, size_t cnt)
{
	size_t n = strlen(unit);
	char *s = malloc(n * cnt + 1);

	assert_non_null(s);
	for (size_t i = 0; i < cnt; i++)
		memcpy(s + i * n, unit, n);
	s[n * cnt] = '\0';
	return s;
}

static size_t depth_of(const struct json *v)
{
	size_t depth = 0;

	for (; v && v->type == JSON_ARRAY; v = v->head)
		depth++;
	return depth;
}

static void deep_texts(void **state)
{
	struct arena a;
	struct json_err err;

	(void)state;
	arena_init(&a, 0);
	char *open = repeat("[", LIMIT_JSON_DEPTH), *close = repeat("]", LIMIT_JSON_DEPTH);
	struct sv text = arena_fmt(&a, "%s%s", open, close);
	assert_int_equal(depth_of(json_parse(&a, text, &err)), LIMIT_JSON_DEPTH);
	assert_false(err.too_deep || err.cut || err.broken);

	text = arena_fmt(&a, "%s[{\"]\\\"\":[]}],7%s", open, close);
	struct json *v = json_parse(&a, text, &err);
	assert_int_equal(depth_of(v), LIMIT_JSON_DEPTH);
	assert_true(err.too_deep);
	assert_false(err.cut || err.broken);
	while (v->type == JSON_ARRAY && v->head->type == JSON_ARRAY)
		v = v->head;
	assert_string_equal(json_text(&a, v).p, "[null,7]");
	free(open);
	free(close);

	open = repeat("[{\"a\":", 200000);
	v = json_parse(&a, sv(open), &err);
	assert_true(v && v->cut && err.too_deep && err.cut);
	free(open);
	arena_fini(&a);
}

static void small_arena(void **state)
{
	(void)state;
	for (size_t max = 1; max < 2000; max += 7) {
		struct arena a;
		struct json_err err;

		arena_init(&a, max);
		struct json *v = json_parse(&a, (struct sv){ doc, sizeof(doc) - 1 }, &err);
		assert_int_equal(err.too_big, arena_failed(&a));
		assert_false(err.broken || err.cut);
		if (v)
			assert_int_equal(v->cut, err.too_big);
		arena_fini(&a);
	}
}

static void looking(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	struct json *v =
		json_parse(&a,
			   SV("{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"k\":1,\"k\":2,\"\":3,\"t\":true,"
			      "\"a.b\":4,\"z\\u0000y\":5}"),
			   NULL);
	assert_true(json_str_is(json_path(v, "a.b.1.c"), "x"));
	assert_null(json_path(v, "a.b.2"));
	assert_null(json_path(v, "a.b.-1"));
	assert_null(json_path(v, "a.b.x"));
	assert_null(json_path(v, "a.b.0.c"));
	assert_null(json_path(NULL, "a"));
	assert_string_equal(json_text(&a, json_get(v, "k")).p, "2");
	assert_string_equal(json_text(&a, json_get(v, "")).p, "3");
	assert_string_equal(json_text(&a, json_get(v, "a.b")).p, "4");
	assert_string_equal(json_text(&a, json_get_sv(v, SV("z\0y"))).p, "5");
	assert_null(json_get(v, "z"));
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(json_path(v, "a.b"), "a"));
	assert_null(json_at(v, 0));
	assert_null(json_at(json_path(v, "a.b"), 2));
	assert_true(json_true(json_get(v, "t")));
	assert_false(json_true(json_get(v, "k")));
	assert_false(json_true(NULL));
	assert_null(json_sv(json_get(v, "k")).p);
	assert_false(json_str_is(NULL, ""));
	assert_true(json_is(v, JSON_OBJECT));
	assert_false(json_is(NULL, JSON_NULL));
	json_for_each (json_get(v, "t"), e)
		fail_msg("a child of a scalar");
	arena_fini(&a);
}

static void is_i64(const char *text, bool ok, int64_t want)
{
	struct arena a;
	int64_t got = 77;

	arena_init(&a, 0);
	struct json *v = json_parse(&a, sv(text), NULL);
	if (json_i64(v, &got) != ok || got != (ok ? want : 77))
		fail_msg("%s: got %lld", text, (long long)got);
	arena_fini(&a);
}

static void integers(void **state)
{
	(void)state;
	is_i64("0", true, 0);
	is_i64("-0", true, 0);
	is_i64("0.000e-5", true, 0);
	is_i64("0e999999999999999999999", true, 0);
	is_i64("42", true, 42);
	is_i64("3.0", true, 3);
	is_i64("3e0", true, 3);
	is_i64("1.5e1", true, 15);
	is_i64("12E+2", true, 1200);
	is_i64("1200e-2", true, 12);
	is_i64("10000000000000000000000e-22", true, 1);
	is_i64("0.00000012e8", true, 12);
	is_i64("9007199254740993", true, 9007199254740993);
	is_i64("9007199254740993.0", true, 9007199254740993);
	is_i64("9223372036854775807", true, INT64_MAX);
	is_i64("-9223372036854775808", true, INT64_MIN);
	is_i64("-9223372036854775808.000", true, INT64_MIN);
	is_i64("9223372036854775808", false, 0);
	is_i64("-9223372036854775809", false, 0);
	is_i64("1e19", false, 0);
	is_i64("1e99999999999999999999", false, 0);
	is_i64("1e-99999999999999999999", false, 0);
	is_i64("1.5", false, 0);
	is_i64("15e-1", false, 0);
	is_i64("\"3\"", false, 0);
	is_i64("true", false, 0);
}

static void doubles(void **state)
{
	struct arena a;
	double d = 0;

	(void)state;
	arena_init(&a, 0);
	assert_true(json_f64(json_parse(&a, SV("-2.5e3"), NULL), &d));
	assert_true(d == -2500.0);
	assert_false(json_f64(json_parse(&a, SV("1e999"), NULL), &d));
	assert_false(json_f64(json_parse(&a, SV("\"1\""), NULL), &d));
	assert_false(json_f64(NULL, &d));

	assert_string_equal(json_text(&a, json_float(&a, 0.1)).p, "0.1");
	assert_string_equal(json_text(&a, json_float(&a, 0.1 + 0.2)).p, "0.30000000000000004");
	assert_string_equal(json_text(&a, json_float(&a, 3)).p, "3");
	assert_string_equal(json_text(&a, json_float(&a, -0.0)).p, "-0");
	assert_string_equal(json_text(&a, json_float(&a, NAN)).p, "null");
	assert_string_equal(json_text(&a, json_float(&a, -INFINITY)).p, "null");
	static const double hard[] = { DBL_MAX, -DBL_MIN,      5e-324,  1e22,
				       1e23,    123456789.123, 1.0 / 3, 9007199254740993.0 };
	for (size_t i = 0; i < ARRAY_SIZE(hard); i++) {
		struct json *v = json_parse(&a, json_text(&a, json_float(&a, hard[i])), NULL);
		assert_true(json_f64(v, &d));
		assert_true(d == hard[i]);
	}
	arena_fini(&a);
}

static void making(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	struct json *o = json_object(&a), *arr = json_array(&a);
	json_set(&a, o, "a", json_int(&a, INT64_MIN));
	json_set(&a, o, "b", json_uint(&a, UINT64_MAX));
	json_set(&a, o, "c", arr);
	json_push(arr, json_bool(&a, true));
	json_push(arr, json_null(&a));
	json_push(arr, NULL);
	json_push(o, json_null(&a));
	json_push(NULL, json_null(&a));
	json_add(&a, o, SV("k\n"), json_string(&a, SV("\"\x01\xff")));
	json_add(&a, arr, SV("k"), json_null(&a));
	assert_string_equal(json_text(&a, o).p,
			    "{\"a\":-9223372036854775808,\"b\":18446744073709551615,"
			    "\"c\":[true,null],\"k\\n\":\"\\\"\\u0001\xef\xbf\xbd\"}");

	json_set(&a, o, "a", json_int(&a, 1)); /* the first, one in the middle, the last */
	json_set(&a, o, "b", json_int(&a, 2));
	json_set(&a, o, "k\n", json_int(&a, 3));
	json_set(&a, o, "b", NULL);
	json_set(&a, o, "d", json_int(&a, 4));
	assert_string_equal(json_text(&a, o).p,
			    "{\"a\":1,\"b\":2,\"c\":[true,null],\"k\\n\":3,\"d\":4}");
	assert_int_equal(o->cnt, 5);

	struct json *c = json_copy(&a, arr);
	assert_null(c->key.p);
	assert_null(c->next);
	json_push(c, json_int(&a, 9));
	assert_string_equal(json_text(&a, c).p, "[true,null,9]");
	assert_string_equal(json_text(&a, arr).p, "[true,null]");
	c = json_parse(&a, SV("{\"x\":[{\"y\":\"cut"), NULL);
	c = json_copy(&a, c);
	assert_true(json_path(c, "x.0.y")->cut);
	assert_string_equal(json_text(&a, c).p, "{\"x\":[{\"y\":\"cut\"}]}");
	assert_null(json_copy(&a, NULL));
	arena_fini(&a);
}

static void full_arena(void **state)
{
	struct arena a, small;

	(void)state;
	arena_init(&a, 0);
	arena_init(&small, 8);
	struct json *o = json_object(&a);
	assert_null(json_object(&small));
	assert_null(json_string(&small, SV("x")));
	assert_null(json_float(&small, 1.5));
	assert_null(json_copy(&small, o));
	json_set(&small, o, "a key that is longer", json_null(&a));
	assert_null(o->head);
	assert_null(json_text(&small, json_string(&a, SV("longer than it may be"))).p);
	arena_fini(&small);
	arena_fini(&a);
}

static void writing(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct json odd = { .type = JSON_NUMBER, .s = SV("1,2") };

	(void)state;
	assert_int_equal(json_write(&b, NULL), 0);
	json_write(&b, &odd);
	odd.s = SV("1e");
	json_write(&b, &odd);
	odd.s = SV("-1.5e-3");
	json_write(&b, &odd);
	assert_string_equal(buf_cstr(&b), "nullnullnull-1.5e-3");
	buf_clear(&b);
	json_write_str(&b, SV("\b\f\n\r\t\x1f/\x7f\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xe2\x80"));
	assert_string_equal(
		buf_cstr(&b),
		"\"\\b\\f\\n\\r\\t\\u001f/\\u007f\\u2028\\u2029\xe2\x80\xaa\xef\xbf\xbd\"");
	buf_clear(&b);
	json_write_str(&b, (struct sv){ NULL, 0 });
	assert_string_equal(buf_cstr(&b), "\"\"");

	_cleanup_buf_ struct buf bounded = { .max = 3 };
	assert_true(json_write_str(&bounded, SV("abcdef")) < 0);
}

static void deep_trees(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	struct json *v = json_array(&a);
	for (int i = 0; i < 3000; i++) {
		struct json *outer = json_array(&a);
		json_push(outer, v);
		v = outer;
	}
	struct json_err err;
	struct sv text = json_text(&a, v);
	assert_int_equal(text.n, 2 * 2 * LIMIT_JSON_DEPTH + 4);
	json_parse(&a, text, &err);
	assert_false(err.broken || err.cut);
	assert_int_equal(depth_of(json_copy(&a, v)), 2 * LIMIT_JSON_DEPTH + 1);
	arena_fini(&a);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Whatever comes in, the tree can be written, and what is written reads back to the same text. */
static void fuzz(void **state)
{
	static const char *const bits[] = { "{",       "}",    "[",   "]",        ":",
					    ",",       "\"",   "\\",  "\\u",      "d83d",
					    "\\ude00", "true", "nul", "-1",       "0.5",
					    "e9",      " ",    "\n",  "\xf0\x9f", "\x98\x80",
					    "a",       "\x01" };
	uint32_t seed = 1;
	clock_t end = clock() + CLOCKS_PER_SEC;

	(void)state;
	while (clock() < end) {
		char text[256];
		size_t n = 0;
		bool mutate = next_random(&seed) % 2;

		if (mutate) {
			n = sizeof(doc) - 1;
			memcpy(text, doc, n);
			for (uint32_t i = next_random(&seed) % 4; i > 0; i--)
				text[next_random(&seed) % n] = (char)next_random(&seed);
			n -= next_random(&seed) % n;
		}
		while (!mutate && n < sizeof(text) - 8 && next_random(&seed) % 40) {
			struct sv bit = sv(bits[next_random(&seed) % ARRAY_SIZE(bits)]);
			memcpy(text + n, bit.p, bit.n);
			n += bit.n;
		}

		struct arena a;
		struct json_err err;
		char *copy = exact(text, n);
		arena_init(&a, 0);
		struct json *v = json_parse(&a, (struct sv){ copy, n }, &err);
		release(copy, n);
		assert_true(err.offset <= n);
		assert_false(err.cut && err.broken);
		struct sv once = json_text(&a, v);
		struct sv again = json_text(&a, json_parse(&a, once, &err));
		assert_false(err.cut || err.broken || err.too_big);
		assert_int_equal(once.n, again.n);
		assert_memory_equal(once.p, again.p, once.n);
		struct sv copied = json_text(&a, json_copy(&a, v));
		assert_string_equal(copied.p, once.p);
		arena_fini(&a);
	}
}

/* Hostile sizes must cost time in proportion: quadratic behaviour would take minutes here. */
static void linear_time(void **state)
{
	static const char *const units[] = { "\\u0000", "\xff",    "\\ud83d",
					     "[",       "{\"a\":", "1",
					     "1,",      "\"\\",    "\xf0\x9f\x98\x80" };
	clock_t end = clock() + 20 * CLOCKS_PER_SEC;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(units); i++) {
		_cleanup_buf_ struct buf out = BUF_INIT;
		char *body = repeat(units[i / 2], 200000);
		struct arena a;

		arena_init(&a, LIMIT_JSON_ARENA);
		struct sv text = arena_fmt(&a, "%s%s", i % 2 ? "[\"" : "[", body);
		json_write(&out, json_parse(&a, text, NULL));
		arena_fini(&a);
		free(body);
	}
	assert_true(clock() < end);
}

static bool same(struct arena *a, const char *x, const char *y)
{
	return json_same(json_parse(a, sv(x), NULL), json_parse(a, sv(y), NULL));
}

static void sameness(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	assert_true(same(&a, "{\"a\":1,\"b\":[2.0]}", "{\"b\":[2],\"a\":1}"));
	assert_false(same(&a, "{\"a\":1}", "{\"a\":1,\"b\":1}"));
	assert_false(same(&a, "{\"a\":1,\"b\":1}", "{\"a\":1}"));
	assert_false(same(&a, "[1]", "[1,2]"));
	/* of equal keys the last one counts, on either side */
	assert_true(same(&a, "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"));
	assert_true(same(&a, "{\"a\":1,\"a\":2}", "{\"a\":2}"));
	assert_false(same(&a, "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2}"));
	assert_false(same(&a, "{\"a\":1,\"b\":2}", "{\"a\":1,\"a\":1}"));
	arena_fini(&a);
}

/* 100,000 keys in another order: whoever looks for each among all is at it for minutes. */
static void sameness_is_bounded(void **state)
{
	_cleanup_buf_ struct buf up = BUF_INIT, down = BUF_INIT;
	const int keys = 100000;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	for (int i = 0; i < keys; i++) {
		buf_fmt(&up, "%c\"%d\":0", i ? ',' : '{', i);
		buf_fmt(&down, "%c\"%d\":0", i ? ',' : '{', keys - 1 - i);
	}
	buf_ch(&up, '}');
	buf_ch(&down, '}');
	assert_true(same(&a, buf_cstr(&up), buf_cstr(&up)));
	assert_false(same(&a, buf_cstr(&up), buf_cstr(&down)));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_texts),
		cmocka_unit_test(strings),
		cmocka_unit_test(cut_texts),
		cmocka_unit_test(broken_texts),
		cmocka_unit_test(cut_marks),
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(deep_texts),
		cmocka_unit_test(small_arena),
		cmocka_unit_test(looking),
		cmocka_unit_test(integers),
		cmocka_unit_test(doubles),
		cmocka_unit_test(making),
		cmocka_unit_test(full_arena),
		cmocka_unit_test(writing),
		cmocka_unit_test(deep_trees),
		cmocka_unit_test(fuzz),
		cmocka_unit_test(linear_time),
		cmocka_unit_test(sameness),
		cmocka_unit_test(sameness_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
