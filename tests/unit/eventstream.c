// SPDX-License-Identifier: BSD-2-Clause
/* AWS event stream messages: whole, in every cut, damaged, behind holes, over bounds; and the framer. */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "hostile.h"
#include "proto/eventstream.h"
#include "proto/framing.h"

static void put_u32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static void put_string(struct buf *b, const char *name, const char *value)
{
	buf_ch(b, (char)strlen(name));
	buf_str(b, name);
	buf_ch(b, EVENTSTREAM_STRING);
	buf_ch(b, 0);
	buf_ch(b, (char)strlen(value));
	buf_str(b, value);
}

/* A message around header bytes and a payload. */
static void put_msg(struct buf *b, struct sv headers, struct sv payload)
{
	size_t at = b->len;

	put_u32(b, 12 + headers.n + payload.n + 4);
	put_u32(b, headers.n);
	put_u32(b, crc32(0, (unsigned char *)b->p + at, 8));
	buf_sv(b, headers);
	buf_sv(b, payload);
	put_u32(b, crc32(0, (unsigned char *)b->p + at, b->len - at));
}

static void put_event(struct buf *b, const char *type, const char *payload)
{
	_cleanup_buf_ struct buf headers = BUF_INIT;

	put_string(&headers, ":event-type", type);
	put_string(&headers, ":message-type", "event");
	put_msg(b, buf_view(&headers), sv(payload));
}

/* What was given, as text: <type:payload>, or <bad>. */
struct log {
	struct buf text;
	uint64_t ts_first, ts_last;
};

static void on_msg(void *ctx, const struct eventstream_msg *m)
{
	struct sv type = eventstream_string(m, ":event-type");
	struct log *l = ctx;

	buf_fmt(&l->text, "<" SV_FMT "%s" SV_FMT ">", SV_ARG(type), m->bad ? "bad" : ":",
		SV_ARG(m->payload));
	l->ts_first = m->ts_first;
	l->ts_last = m->ts_last;
}

static void run(struct log *l, struct sv bytes, size_t piece)
{
	struct eventstream *e = NULL;

	assert_int_equal(eventstream_new(&e, on_msg, l), 0);
	for (size_t at = 0; at < bytes.n; at += piece)
		assert_int_equal(eventstream_feed(e, at + 1, sv_sub(bytes, at, piece)), 0);
	eventstream_end(e);
	eventstream_free(&e);
	assert_null(e);
	eventstream_free(&e);
}

static void assert_given(struct sv bytes, size_t piece, const char *want)
{
	struct log l = { 0 };

	run(&l, bytes, piece);
	assert_string_equal(buf_cstr(&l.text), want);
	buf_fini(&l.text);
}

static void test_every_cut(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	put_event(&b, "a", "{}");
	put_event(&b, "b", "");
	put_event(&b, "c", "{\"text\":1}");
	for (size_t piece = 1; piece <= b.len; piece++)
		assert_given(buf_view(&b), piece, "<a:{}><b:><c:{\"text\":1}>");
}

static void test_every_end(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	put_event(&b, "a", "{}");
	assert_given((struct sv){ NULL, 0 }, 1, "");
	for (size_t n = 1; n < b.len; n++)
		assert_given(sv_sub(buf_view(&b), 0, n), n, "<bad>");
}

static void test_header_types(void **state)
{
	static const char headers[] = "\1a\0"
				      "\1b\1"
				      "\1c\2\x7f"
				      "\1d\3\1\2"
				      "\1e\4\1\2\3\4"
				      "\1f\5\1\2\3\4\5\6\7\10"
				      "\1g\6\0\2hi"
				      "\1h\10\1\2\3\4\5\6\7\10"
				      "\1i\11"
				      "0123456789abcdef"
				      "\13:event-type\7\0\1x";
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	put_msg(&b, SV(headers), SV("p"));
	assert_given(buf_view(&b), b.len, "<x:p>");
}

static void test_bad_headers(void **state)
{
	static const struct sv cases[] = {
		SV("\1"),               /* no name */
		SV("\1a"),              /* no type */
		SV("\1a\12"),           /* no such type */
		SV("\1a\xff"),          /* nor that */
		SV("\1a\4\1\2\3"),      /* too short */
		SV("\1a\7\0"),          /* no length */
		SV("\1a\7\377\377abc"), /* longer than the headers */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		put_msg(&b, cases[i], SV("p"));
		put_event(&b, "next", "");
		assert_given(buf_view(&b), b.len, "<bad><next:>");
	}
}

static void test_many_headers(void **state)
{
	_cleanup_buf_ struct buf headers = BUF_INIT, b = BUF_INIT;

	(void)state;
	for (int i = 0; i < EVENTSTREAM_HEADERS; i++)
		buf_add(&headers, "\1a\0", 3);
	put_msg(&b, buf_view(&headers), SV("p"));
	buf_add(&headers, "\1a\0", 3);
	put_msg(&b, buf_view(&headers), SV("p"));
	assert_given(buf_view(&b), b.len, "<:p><bad>");
}

/* Any one byte is wrong: what is damaged is said, and the messages around it are whole. */
static void test_damage(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	size_t from, to;

	(void)state;
	put_event(&b, "a", "{}");
	from = b.len;
	put_event(&b, "b", "{}");
	to = b.len;
	put_event(&b, "c", "{}");
	for (size_t i = from; i < to; i++) {
		b.p[i] ^= 0x10;
		assert_given(buf_view(&b), 7, "<a:{}><bad><c:{}>");
		b.p[i] ^= 0x10;
	}
}

static void test_gap(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct eventstream *e = NULL;
	struct log l = { 0 };
	size_t second;

	(void)state;
	put_event(&b, "a", "{}");
	second = b.len;
	put_event(&b, "b", "{\"long\":\"enough\"}");
	put_event(&b, "c", "{}");
	assert_int_equal(eventstream_new(&e, on_msg, &l), 0);
	eventstream_feed(e, 1, sv_sub(buf_view(&b), 0, second + 20));
	eventstream_gap(e);
	eventstream_feed(e, 2, sv_sub(buf_view(&b), second + 30, SIZE_MAX));
	assert_string_equal(buf_cstr(&l.text), "<a:{}><bad><c:{}>");
	assert_int_equal(l.ts_first, 2);
	eventstream_free(&e);
	buf_fini(&l.text);
}

static void test_times(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct eventstream *e = NULL;
	struct log l = { 0 };

	(void)state;
	put_event(&b, "a", "{}");
	assert_int_equal(eventstream_new(&e, on_msg, &l), 0);
	eventstream_feed(e, 10, sv_sub(buf_view(&b), 0, 3));
	eventstream_feed(e, 20, sv_sub(buf_view(&b), 3, 20));
	eventstream_feed(e, 30, sv_sub(buf_view(&b), 23, SIZE_MAX));
	assert_int_equal(l.ts_first, 10);
	assert_int_equal(l.ts_last, 30);
	eventstream_free(&e);
	buf_fini(&l.text);
}

/* A message over the bound is skipped by its length, which its checksum vouches for. */
static void test_too_long(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_free_ char *block = calloc(1, 1 << 20);
	struct eventstream *e = NULL;
	struct log l = { 0 };
	size_t left;

	(void)state;
	put_u32(&b, LIMIT_STREAM_PIECE + 1);
	put_u32(&b, 0);
	put_u32(&b, crc32(0, (unsigned char *)b.p, 8));
	assert_int_equal(eventstream_new(&e, on_msg, &l), 0);
	eventstream_feed(e, 1, buf_view(&b));
	for (left = LIMIT_STREAM_PIECE + 1 - 12; left > 1 << 20; left -= 1 << 20)
		eventstream_feed(e, 2, (struct sv){ block, 1 << 20 });
	eventstream_feed(e, 3, (struct sv){ block, left });
	buf_clear(&b);
	put_event(&b, "next", "");
	eventstream_feed(e, 4, buf_view(&b));
	assert_string_equal(buf_cstr(&l.text), "<bad><next:>");
	eventstream_free(&e);
	buf_fini(&l.text);
}

static void test_hostile(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	uint64_t seed = 7;
	struct guard g;

	(void)state;
	put_event(&b, "a", "{}");
	put_event(&b, "b", "{\"x\":1}");
	guard_init(&g, 4096);
	for (int round = 0; round < 3000; round++) {
		struct eventstream *e = NULL;
		struct log l = { 0 };

		assert_int_equal(eventstream_new(&e, on_msg, &l), 0);
		for (size_t k = rnd_below(&seed, 6); k > 0; k--) {
			size_t from = rnd_below(&seed, b.len), n = rnd_below(&seed, b.len);
			char *p = (char *)guard_put(&g, sv_sub(buf_view(&b), from, n)).p;

			n = n < b.len - from ? n : b.len - from;
			if (n)
				p[rnd_below(&seed, n)] ^= (char)rnd(&seed);
			assert_int_equal(eventstream_feed(e, k, (struct sv){ p, n }), 0);
			if (rnd_below(&seed, 8) == 0)
				eventstream_gap(e);
		}
		eventstream_end(e);
		eventstream_free(&e);
		buf_fini(&l.text);
	}
	guard_fini(&g);
}

/* --- the framer: every way of cutting gives messages of one shape */

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct log *l = ctx;

	buf_fmt(&l->text, "<" SV_FMT ":" SV_FMT "%s%s%s>", SV_ARG(ev->event), SV_ARG(ev->data),
		ev->error ? "!error" : "", ev->cut ? "!cut" : "", ev->unterminated ? "!end" : "");
}

static void assert_framed(enum framing how, struct sv bytes, const char *want)
{
	struct framer *f = NULL;
	struct log l = { 0 };

	assert_int_equal(framer_new(&f, how, on_event, &l), 0);
	for (size_t i = 0; i < bytes.n; i++)
		assert_int_equal(framer_feed(f, i, sv_sub(bytes, i, 1)), 0);
	framer_end(f, bytes.n);
	framer_free(&f);
	assert_null(f);
	assert_string_equal(buf_cstr(&l.text), want);
	buf_fini(&l.text);
}

static void test_framer(void **state)
{
	_cleanup_buf_ struct buf headers = BUF_INIT, b = BUF_INIT;
	struct framer *f = NULL;

	(void)state;
	assert_int_equal(framer_new(&f, FRAMING_WHOLE, on_event, NULL), -EINVAL);
	assert_null(f);
	assert_framed(FRAMING_SSE, SV("event: a\ndata: {}\n\ndata: x\n"), "<a:{}><:x!end>");
	assert_framed(FRAMING_LINES, SV("{}\n{\"a"), "<:{}><:{\"a!end>");
	assert_framed(FRAMING_ARRAY, SV("[{},{\"a"), "<:{}><:{\"a!end>");
	put_event(&b, "a", "{}");
	put_string(&headers, ":message-type", "exception");
	put_string(&headers, ":exception-type", "throttlingException");
	put_msg(&b, buf_view(&headers), SV("{\"message\":\"slow\"}"));
	buf_clear(&headers);
	put_string(&headers, ":message-type", "error");
	put_string(&headers, ":error-code", "InternalError");
	put_string(&headers, ":error-message", "oops");
	put_msg(&b, buf_view(&headers), SV(""));
	buf_ch(&b, 0);
	assert_framed(FRAMING_EVENTSTREAM, buf_view(&b),
		      "<a:{}><throttlingException:{\"message\":\"slow\"}!error>"
		      "<InternalError:oops!error><:!cut>");
}

static void test_framer_gaps(void **state)
{
	static const struct {
		enum framing how;
		const char *before, *behind, *want;
	} cases[] = {
		{ FRAMING_SSE, "data: 1\n\ndata: ", "2\n\ndata: 3\n\n", "<:1><:3>" },
		{ FRAMING_LINES, "1\n", "2\n3\n", "<:1><:3>" },
		{ FRAMING_ARRAY, "[1,", "2,3]", "<:1>" },
		{ FRAMING_EVENTSTREAM, "", "??", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct framer *f = NULL;
		struct log l = { 0 };

		assert_int_equal(framer_new(&f, cases[i].how, on_event, &l), 0);
		framer_feed(f, 1, sv(cases[i].before));
		framer_gap(f);
		framer_feed(f, 2, sv(cases[i].behind));
		framer_end(f, 3);
		framer_free(&f);
		assert_string_equal(buf_cstr(&l.text), cases[i].want);
		buf_fini(&l.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),    cmocka_unit_test(test_every_end),
		cmocka_unit_test(test_header_types), cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_many_headers), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_gap),          cmocka_unit_test(test_times),
		cmocka_unit_test(test_too_long),     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_framer),       cmocka_unit_test(test_framer_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
