// SPDX-License-Identifier: BSD-2-Clause
/* Content decoding: big bodies in random cuts, flushes, bombs, windows, garbage, over-reads. */
#include "proto/decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

#include "../zip.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "hostile.h"

/* brotli's own encoder, quality 9: 64 MiB of zeros */
static const unsigned char br_bomb[] = {
	0xcb, 0xff, 0xff, 0x3f, 0x00, 0x24, 0x00, 0xe2, 0xb1, 0x40, 0x72, 0xef, 0xff, 0xf8, 0xff,
	0xff, 0x07, 0x80, 0x04, 0x40, 0x1c, 0x16, 0x80, 0xee, 0xfd, 0x1f, 0xff, 0xff, 0xff, 0x00,
	0x90, 0x00, 0x88, 0xc3, 0x02, 0xd0, 0xbd, 0xff, 0xe3, 0xff, 0xff, 0x1f, 0x00, 0x12, 0x00,
	0x71, 0x58, 0x00, 0xba, 0xf7, 0x7f, 0xfc, 0xff, 0xff, 0x03, 0x40, 0x02, 0x20, 0x0e, 0x0b,
	0x40, 0xf7, 0xfe, 0x8f, 0xff, 0xff, 0x7f, 0x00, 0x48, 0x00, 0xc4, 0x61, 0x01, 0xe8, 0xde,
	0xff, 0xf1, 0xff, 0xff, 0x0f, 0x00, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xdd, 0xfb, 0xbf, 0xfc,
	0xff, 0xff, 0x03, 0x20, 0x01, 0x10, 0x87, 0x05, 0xa0, 0x7b, 0xff, 0x07,
};

struct sink {
	struct buf bytes;
	uint64_t given;
	uint64_t stop_at; /* 0: never */
	bool keep;
};

static int take(void *ctx, struct sv bytes)
{
	struct sink *s = ctx;

	assert_true(bytes.n > 0);
	s->given += bytes.n;
	if (s->keep)
		assert_int_equal(buf_sv(&s->bytes, bytes), 0);
	return s->stop_at && s->given >= s->stop_at ? -EFBIG : 0;
}

static struct coding_list list_of(const char *names)
{
	struct coding_list l = { 0 };
	struct sv rest = sv(names);

	while (rest.n)
		coding_add(&l, sv_trim(sv_token(&rest, ',')));
	return l;
}

static struct decode *open_decoder(const char *names, struct sink *s)
{
	struct coding_list l = list_of(names);
	struct decode *d = NULL;

	assert_int_equal(decode_new(&d, &l, take, s), 0);
	return d;
}

/* --- encoders */

static void encode_zstd(struct buf *to, struct sv in)
{
	size_t n;

	buf_reserve(to, ZSTD_compressBound(in.n));
	n = ZSTD_compress(to->p + to->len, to->cap - to->len, in.p, in.n, 3);
	assert_false(ZSTD_isError(n));
	to->len += n;
}

static void encode(struct buf *to, struct sv in, const char *name)
{
	if (!strcmp(name, "gzip"))
		assert_true(zip_pack_all(to, in, ZIP_GZIP));
	else if (!strcmp(name, "zlib"))
		assert_true(zip_pack_all(to, in, ZIP_ZLIB));
	else if (!strcmp(name, "raw"))
		assert_true(zip_pack_all(to, in, ZIP_RAW));
	else
		encode_zstd(to, in);
}

/* Text that packs neither too well nor not at all. */
static void fill(struct buf *b, size_t n, uint64_t seed)
{
	while (b->len < n) {
		uint64_t v = rnd(&seed);

		if (v & 1)
			buf_fmt(b, "{\"delta\":{\"text\":\"%llx\"}}\n", (unsigned long long)v);
		else
			buf_str(b, "event: content_block_delta\n");
	}
	b->len = n;
}

static int feed_cut(struct decode *d, struct sv in, uint64_t seed, size_t max)
{
	while (in.n) {
		size_t n = 1 + rnd_below(&seed, max);
		int err = decode_feed(d, sv_sub(in, 0, n));

		if (err)
			return err;
		in = sv_sub(in, n, SIZE_MAX);
	}
	return decode_end(d);
}

static void check_round_trip(const char *encoder, const char *coding, size_t size)
{
	_cleanup_buf_ struct buf plain = BUF_INIT, coded = BUF_INIT;
	static const size_t cuts[] = { 1, 7, 1000, 100000, SIZE_MAX >> 17 };

	fill(&plain, size, 1);
	encode(&coded, buf_view(&plain), encoder);
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		struct sink s = { .keep = true };
		struct decode *d = open_decoder(coding, &s);

		assert_int_equal(feed_cut(d, buf_view(&coded), i + 1, cuts[i]), 0);
		assert_false(decode_is_raw(d));
		assert_int_equal(s.bytes.len, plain.len);
		assert_memory_equal(s.bytes.p, plain.p, plain.len);
		decode_free(&d);
		buf_fini(&s.bytes);
	}
}

static void test_round_trip(void **state)
{
	/* 16 KiB is what a stage gives at once: the end may coincide with that */
	static const size_t sizes[] = { 1, 16384, 65536, 300000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		check_round_trip("gzip", "gzip", sizes[i]);
		check_round_trip("gzip", "x-gzip", sizes[i]);
		check_round_trip("zlib", "deflate", sizes[i]);
		check_round_trip("raw", "deflate", sizes[i]);
		check_round_trip("zstd", "zstd", sizes[i]);
	}
}

static void test_stacked(void **state)
{
	_cleanup_buf_ struct buf plain = BUF_INIT, one = BUF_INIT, two = BUF_INIT, three = BUF_INIT;
	struct sink s = { .keep = true };
	struct decode *d;

	(void)state;
	fill(&plain, 100000, 2);
	encode(&one, buf_view(&plain), "zstd");
	encode(&two, buf_view(&one), "zlib");
	encode(&three, buf_view(&two), "gzip");
	d = open_decoder("zstd, identity, deflate, gzip", &s);
	assert_int_equal(feed_cut(d, buf_view(&three), 3, 100), 0);
	assert_int_equal(s.bytes.len, plain.len);
	assert_memory_equal(s.bytes.p, plain.p, plain.len);
	decode_free(&d);
	buf_fini(&s.bytes);
}

/* What was flushed is given at once. */
static void test_flush(void **state)
{
	ZSTD_CStream *enc = ZSTD_createCStream();
	struct sink s = { .keep = true };
	struct decode *d = open_decoder("zstd", &s);
	char out[256];

	(void)state;
	for (size_t i = 1; i <= 100; i++) {
		ZSTD_inBuffer in = { "data: x\n\n", 9, 0 };
		ZSTD_outBuffer to = { out, sizeof(out), 0 };

		assert_int_equal(ZSTD_compressStream2(enc, &to, &in, ZSTD_e_flush), 0);
		assert_int_equal(decode_feed(d, (struct sv){ out, to.pos }), 0);
		assert_int_equal(s.given, 9 * i);
	}
	assert_int_equal(decode_end(d), -EBADMSG);
	decode_free(&d);
	buf_fini(&s.bytes);
	ZSTD_freeCStream(enc);
}

/* Whatever the cut, all that the bytes so far decode to is given. */
static void test_nothing_held(void **state)
{
	_cleanup_buf_ struct buf zeros = BUF_INIT, coded = BUF_INIT;
	struct sink byte_wise = { 0 };
	struct decode *one = open_decoder("gzip", &byte_wise);

	(void)state;
	buf_reserve(&zeros, 1u << 20);
	zeros.len = 1u << 20;
	memset(zeros.p, 0, zeros.len);
	encode(&coded, buf_view(&zeros), "gzip");
	for (size_t n = 0; n < coded.len; n++) {
		struct sink whole = { 0 };
		struct decode *d = open_decoder("gzip", &whole);

		assert_int_equal(decode_feed(one, sv_sub(buf_view(&coded), n, 1)), 0);
		assert_int_equal(decode_feed(d, sv_sub(buf_view(&coded), 0, n + 1)), 0);
		assert_int_equal(whole.given, byte_wise.given);
		decode_free(&d);
	}
	decode_free(&one);
}

static void test_list(void **state)
{
	static const char *const bad[] = { "", "identity", "gzip, rot13", "compress",
					   "br, br, br, br, br" };
	struct decode *d = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct coding_list l = list_of(bad[i]);

		assert_int_equal(decode_new(&d, &l, take, NULL), -ENOTSUP);
		assert_null(d);
	}
	decode_free(&d);
}

/* A bomb may give RATIO_FREE and the ratio, and then what one step of a decoder gives. */
static void check_bomb(const char *codings, struct sv coded)
{
	struct sink s = { 0 };
	struct decode *d = open_decoder(codings, &s);

	assert_int_equal(decode_feed(d, coded), -E2BIG);
	assert_true(s.given <= (1u << 20) + (LIMIT_INFLATE_RATIO + 1) * coded.n + (64u << 10));
	decode_free(&d);
}

static void test_bombs(void **state)
{
	_cleanup_buf_ struct buf zeros = BUF_INIT, zstd = BUF_INIT, once = BUF_INIT,
				 twice = BUF_INIT;

	(void)state;
	buf_reserve(&zeros, 64u << 20);
	zeros.len = 64u << 20;
	memset(zeros.p, 0, zeros.len);
	encode(&zstd, buf_view(&zeros), "zstd");
	encode(&once, buf_view(&zeros), "gzip");
	encode(&twice, buf_view(&once), "gzip");
	check_bomb("zstd", buf_view(&zstd));
	check_bomb("gzip, gzip", buf_view(&twice));
	check_bomb("br", (struct sv){ (const char *)br_bomb, sizeof(br_bomb) });
}

/* An inner stage that gives much while nothing comes out of the chain is a bomb as well. */
static void test_silent_bomb(void **state)
{
	_cleanup_buf_ struct buf skip = BUF_INIT, zstd = BUF_INIT, gzip = BUF_INIT;
	struct sink s = { 0 };
	struct decode *d;

	(void)state;
	/* skippable frames of zeros: each is 8 bytes of header and as many zeros as it likes */
	for (int i = 0; i < 8; i++) {
		buf_add(&skip, "\x50\x2a\x4d\x18\x00\x00\x80\x00", 8);
		buf_reserve(&skip, 0x800000);
		memset(skip.p + skip.len, 0, 0x800000);
		skip.len += 0x800000;
	}
	encode(&zstd, buf_view(&skip), "zstd");
	encode(&gzip, buf_view(&zstd), "gzip");
	d = open_decoder("zstd, zstd, gzip", &s);
	assert_int_equal(decode_feed(d, buf_view(&gzip)), -E2BIG);
	assert_int_equal(s.given, 0);
	decode_free(&d);
}

/* RFC 9659: what needs a window over 8 MiB is not decoded, for the memory that it would take. */
static void test_zstd_window(void **state)
{
	ZSTD_CCtx *enc = ZSTD_createCCtx();
	_cleanup_buf_ struct buf coded = BUF_INIT;

	(void)state;
	for (int log = 23; log <= 24; log++) {
		ZSTD_inBuffer in = { "hello", 5, 0 };
		ZSTD_outBuffer to;
		struct sink s = { 0 };
		struct decode *d = open_decoder("zstd", &s);

		buf_clear(&coded);
		buf_reserve(&coded, 1000);
		to = (ZSTD_outBuffer){ coded.p, 1000, 0 };
		ZSTD_CCtx_reset(enc, ZSTD_reset_session_and_parameters);
		ZSTD_CCtx_setParameter(enc, ZSTD_c_windowLog, log);
		ZSTD_compressStream2(enc, &to, &in, ZSTD_e_flush);
		assert_int_equal(decode_feed(d, (struct sv){ coded.p, to.pos }),
				 log == 23 ? 0 : -EBADMSG);
		assert_int_equal(s.given, log == 23 ? 5 : 0);
		decode_free(&d);
	}
	ZSTD_freeCCtx(enc);
}

static void test_stop(void **state)
{
	_cleanup_buf_ struct buf plain = BUF_INIT, coded = BUF_INIT;
	struct sink s = { .stop_at = 1000 };
	struct decode *d = open_decoder("gzip", &s);

	(void)state;
	fill(&plain, 1000000, 4);
	encode(&coded, buf_view(&plain), "gzip");
	assert_int_equal(decode_feed(d, buf_view(&coded)), -EFBIG);
	assert_true(s.given < 100000);
	decode_free(&d);
}

/* Every prefix ends at a guard page; none of them is complete. */
static void test_prefixes(void **state)
{
	static const char *const names[][2] = {
		{ "gzip", "gzip" }, { "zlib", "deflate" }, { "raw", "deflate" }, { "zstd", "zstd" }
	};
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_buf_ struct buf plain = BUF_INIT, coded = BUF_INIT;

		fill(&plain, 500, 5);
		encode(&coded, buf_view(&plain), names[i][0]);
		for (size_t n = 5; n <= coded.len; n++) {
			struct sink s = { 0 };
			struct decode *d = open_decoder(names[i][1], &s);

			assert_int_equal(
				decode_feed(d, guard_put(&g, sv_sub(buf_view(&coded), 0, n))), 0);
			assert_int_equal(decode_end(d), n == coded.len ? 0 : -EBADMSG);
			decode_free(&d);
		}
	}
	guard_fini(&g);
}

/* Damaged input ends with an error or not, but ends, and gives no more than its length allows. */
static void test_damage(void **state)
{
	static const char *const names[] = { "gzip", "deflate",    "zstd",
					     "br",   "gzip, zstd", "zstd, gzip" };
	_cleanup_buf_ struct buf plain = BUF_INIT;
	uint64_t seed = 6;

	(void)state;
	fill(&plain, 3000, 6);
	for (int round = 0; round < 600; round++) {
		_cleanup_buf_ struct buf coded = BUF_INIT;
		const char *name = names[round % ARRAY_SIZE(names)];
		struct sink s = { 0 };
		struct decode *d = open_decoder(name, &s);

		if (sv_ends(sv(name), "gzip"))
			encode(&coded, buf_view(&plain), "gzip");
		else if (sv_is(sv(name), "br"))
			buf_add(&coded, br_bomb, sizeof(br_bomb));
		else
			encode(&coded, buf_view(&plain),
			       sv_is(sv(name), "deflate") ? "zlib" : "zstd");
		for (int i = 0; i <= round % 5; i++)
			coded.p[rnd_below(&seed, coded.len)] ^= 1 << (rnd(&seed) & 7);
		(void)feed_cut(d, buf_view(&coded), seed, 1 + coded.len / (1 + round % 3));
		assert_true(s.given <=
			    (1u << 20) + (LIMIT_INFLATE_RATIO + 1) * coded.len + (64u << 10));
		decode_free(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_stacked),
		cmocka_unit_test(test_flush),        cmocka_unit_test(test_list),
		cmocka_unit_test(test_nothing_held), cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_silent_bomb),  cmocka_unit_test(test_zstd_window),
		cmocka_unit_test(test_stop),         cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
