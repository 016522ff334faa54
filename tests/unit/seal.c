// SPDX-License-Identifier: BSD-2-Clause
/*
 * Secrets in header fields of HTTP/2: nghttp2 reads what is left of them, and it is what was sent but for what
 * is masked; whole, in pieces, joined in the middle and behind holes.
 */
#include "seal_test.h"

#include <nghttp2/nghttp2.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SECRET_LEN 24
#define BLOCK_MAX 4096

struct made {
	struct buf wire;
	struct buf blocks; /* struct place, each of a header block */
	struct buf planted;
	nghttp2_hd_deflater *deflater;
};

/* Where the fragments of a block are. */
struct place {
	size_t at[2], n[2];
};

static struct sv plant(struct made *m, uint64_t *seed)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+";

	for (int i = 0; i < SECRET_LEN; i++)
		buf_ch(&m->planted, letters[rnd_below(seed, sizeof(letters) - 1)]);
	return sv_sub(buf_view(&m->planted), m->planted.len - SECRET_LEN, SECRET_LEN);
}

static void assert_none_planted(const struct made *m, struct sv text)
{
	for (size_t at = 0; at < m->planted.len; at += SECRET_LEN / 2)
		assert_true(sv_find(text, sv_sub(buf_view(&m->planted), at, SECRET_LEN / 2)) < 0);
	assert_no_token(text);
}

static void put_frame(struct made *m, unsigned int type, unsigned int flags, uint32_t id,
		      struct sv payload)
{
	const unsigned char head[] = { payload.n >> 16, payload.n >> 8, payload.n, type, flags,
				       id >> 24,        id >> 16,       id >> 8,   id };

	buf_add(&m->wire, head, sizeof(head));
	buf_sv(&m->wire, payload);
}

static const char *const names[] = {
	":path",      "authorization", "x-api-key",     "cookie", "set-cookie", "x-mine",
	"user-agent", "content-type",  "private-token", "x-note", "x-mine",     "cookie",
};

static void pick_value(struct made *m, struct buf *b, const char *name, uint64_t *seed)
{
	struct sv secret;

	if (sv_is(sv(name), "x-mine") || sv_is(sv(name), "user-agent") ||
	    sv_is(sv(name), "content-type") || sv_is(sv(name), "x-note")) {
		buf_fmt(b, "%s %zu; a=\"%zu\"", rnd_below(seed, 3) ? "some" : TOKEN,
			rnd_below(seed, 9), rnd_below(seed, 99999));
		return;
	}
	secret = plant(m, seed);
	if (*name == ':')
		buf_fmt(b, "/v1/models?key=" SV_FMT "&a=%zu", SV_ARG(secret), rnd_below(seed, 99));
	else
		buf_fmt(b, "%s" SV_FMT, rnd_below(seed, 2) ? "Bearer " : "", SV_ARG(secret));
}

static void put_block(struct made *m, uint32_t id, bool split, uint64_t *seed)
{
	struct buf values[ARRAY_SIZE(names)] = { 0 };
	nghttp2_nv nv[ARRAY_SIZE(names)] = { 0 };
	uint8_t block[BLOCK_MAX];
	struct place at = { 0 };
	size_t cnt = 0;
	ssize_t len, first;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (rnd_below(seed, 2))
			continue;
		pick_value(m, &values[i], names[i], seed);
		nv[cnt++] = (nghttp2_nv){
			.name = (uint8_t *)names[i],
			.namelen = strlen(names[i]),
			.value = (uint8_t *)values[i].p,
			.valuelen = values[i].len,
			.flags = rnd_below(seed, 4) ? 0 : NGHTTP2_NV_FLAG_NO_INDEX,
		};
	}
	len = nghttp2_hd_deflate_hd(m->deflater, block, sizeof(block), nv, cnt);
	assert_true(len >= 0);
	first = !split || rnd_below(seed, 4) ? len : (ssize_t)rnd_below(seed, (size_t)len + 1);
	put_frame(m, 1, first == len ? 4 : 0, id, (struct sv){ (char *)block, (size_t)first });
	at.at[0] = m->wire.len - (size_t)first;
	at.n[0] = (size_t)first;
	if (first < len) {
		put_frame(m, 9, 4, id, (struct sv){ (char *)block + first, (size_t)(len - first) });
		at.at[1] = m->wire.len - (size_t)(len - first);
		at.n[1] = (size_t)(len - first);
	}
	buf_add(&m->blocks, &at, sizeof(at));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		buf_fini(&values[i]);
}

static void make(struct made *m, uint64_t seed, size_t blocks, bool data, bool split)
{
	*m = (struct made){ 0 };
	buf_reserve(&m->planted, blocks * ARRAY_SIZE(names) * SECRET_LEN);
	assert_int_equal(nghttp2_hd_deflate_new(&m->deflater, 65536), 0);
	nghttp2_hd_deflate_change_table_size(m->deflater, rnd_below(&seed, 2) ? 4096 : 300);
	buf_str(&m->wire, PREFACE);
	put_frame(m, 4, 0, 0, SV(""));
	for (size_t i = 0; i < blocks; i++) {
		put_block(m, (uint32_t)(2 * i + 1), split, &seed);
		if (!data) {
			put_frame(m, 0, 1, (uint32_t)(2 * i + 1), SV("{\"model\":\"m\"}"));
			continue;
		}
		put_frame(m, 0, 0, (uint32_t)(2 * i + 1),
			  SV("{\"model\":\"m\",\"text\":\"sk-proj-"));
		put_frame(m, 8, 0, 0, SV("\0\1\0\0"));
		/* the rest of what the frame before it began with */
		put_frame(m, 0, 1, (uint32_t)(2 * i + 1),
			  SV("Zx9Qv7Kw2Lm4Np8Rt6Yb3Hd5Jf1Gc0SaQq and \"}"));
	}
}

static void made_fini(struct made *m)
{
	nghttp2_hd_deflate_del(m->deflater);
	buf_fini(&m->wire);
	buf_fini(&m->blocks);
	buf_fini(&m->planted);
}

/* Appends the fields of a block, a line each; false: it is no block. */
static bool read_block(nghttp2_hd_inflater *in, struct sv bytes, struct buf *out)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(in, &nv, &flags, (const uint8_t *)bytes.p,
						   bytes.n, 1);

		if (n < 0)
			return false;
		bytes = sv_sub(bytes, (size_t)n, SIZE_MAX);
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_fmt(out, "%.*s: %.*s\n", (int)nv.namelen, nv.name, (int)nv.valuelen,
				nv.value);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(in);
	return true;
}

static void take_block(struct buf *out, struct sv wire, const struct place *of)
{
	buf_clear(out);
	buf_sv(out, sv_sub(wire, of->at[0], of->n[0]));
	buf_sv(out, sv_sub(wire, of->at[1], of->n[1]));
}

static nghttp2_hd_inflater *open_inflater(void)
{
	nghttp2_hd_inflater *in;

	assert_int_equal(nghttp2_hd_inflate_new(&in), 0);
	nghttp2_hd_inflate_change_table_size(in, 65536);
	return in;
}

/* Fields without a secret are as they were sent; all of them are as long. */
static void assert_same_fields(struct sv sent, struct sv now)
{
	while (sent.n) {
		_cleanup_buf_ struct buf text = BUF_INIT;
		struct sv a = sv_token(&sent, '\n'), b = sv_token(&now, '\n');

		assert_int_equal(a.n, b.n);
		buf_sv(&text, a);
		if (!redact_text(text.p, text.len))
			assert_memory_equal(a.p, b.p, a.n);
	}
	assert_int_equal(now.n, 0);
}

/*
 * Holds what is left against what was sent.  exact: what is to be masked is, and nothing else, as no
 * field was cut.
 */
static void compare(const struct made *m, struct sv left, bool exact)
{
	_cleanup_buf_ struct buf a = BUF_INIT, b = BUF_INIT, sent = BUF_INIT, now = BUF_INIT;
	nghttp2_hd_inflater *truth = open_inflater(), *in = open_inflater();
	const struct place *of = (const void *)m->blocks.p;

	assert_int_equal(left.n, m->wire.len);
	for (size_t i = 0; i < m->blocks.len / sizeof(*of); i++) {
		take_block(&a, buf_view(&m->wire), &of[i]);
		take_block(&b, left, &of[i]);
		buf_clear(&sent);
		buf_clear(&now);
		assert_true(read_block(truth, buf_view(&a), &sent));
		assert_true(read_block(in, buf_view(&b), &now));
		assert_none_planted(m, buf_view(&now));
		assert_same_fields(buf_view(&sent), buf_view(&now));
		if (exact)
			assert_same_redacted(buf_view(&sent), buf_view(&now));
	}
	nghttp2_hd_inflate_del(truth);
	nghttp2_hd_inflate_del(in);
}

/* What DATA holds beside secrets is there, and of those that frames cut nothing. */
static void check_data(struct sv left)
{
	assert_false(sv_has(left, "Zx9Qv7K"));
	assert_true(sv_has(left, "{\"model\":\"m\",\"text\":\"sk-"));
	assert_true(sv_has(left, " and \"}"));
}

static void fields_at_random(void **state)
{
	static const size_t pieces[] = { 16384, 16384, 400, 20, 1 };

	(void)state;
	for (uint64_t i = 1; i <= 100; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15u;
		struct made m;
		struct wire w;
		size_t max;

		max = pieces[i % ARRAY_SIZE(pieces)];
		make(&m, seed, 12, true, i % 5);
		wire_init(&w);
		if (max > m.wire.len)
			wire_feed(&w, EV_WRITE, buf_view(&m.wire));
		else
			wire_cut(&w, EV_WRITE, buf_view(&m.wire), &seed, max);
		compare(&m, buf_view(&w.out[EV_WRITE]), !(i % 5));
		check_data(buf_view(&w.out[EV_WRITE]));
		assert_int_equal(seal_lost(w.seal), 0);
		wire_fini(&w);
		made_fini(&m);
	}
}

static void fields_cut_anywhere(void **state)
{
	struct made m;

	(void)state;
	make(&m, 3, 3, true, true);
	for (size_t at = 1; at < m.wire.len; at++) {
		struct wire w;

		wire_init(&w);
		wire_feed(&w, EV_WRITE, sv_sub(buf_view(&m.wire), 0, at));
		wire_feed(&w, EV_WRITE, sv_sub(buf_view(&m.wire), at, SIZE_MAX));
		compare(&m, buf_view(&w.out[EV_WRITE]), false);
		check_data(buf_view(&w.out[EV_WRITE]));
		wire_fini(&w);
	}
	made_fini(&m);
}

/* From a frame on; names in the table are not known, nor is which values are secrets. */
static void joined_and_holed(void **state)
{
	size_t kept = 0;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++) {
		uint64_t seed = i * 0x9e3779b97f4a7c15u;
		_cleanup_buf_ struct buf left = BUF_INIT;
		struct sv rest;
		struct made m;
		struct wire w;
		size_t from, gap = i % 2 ? 0 : 1 + rnd_below(&seed, 300);
		bool begun = i % 4;

		make(&m, seed, 12, false, true);
		from = 200 + rnd_below(&seed, m.wire.len / 2);
		wire_init(&w);
		if (begun) {
			wire_cut(&w, EV_WRITE, sv_sub(buf_view(&m.wire), 0, from), &seed, 500);
			w.pos[EV_WRITE] += gap;
		}
		rest = sv_sub(buf_view(&m.wire), from + gap, SIZE_MAX);
		/* as it is recorded: in calls that write frames */
		while (rest.n) {
			struct sv now = sv_sub(rest, 0, 60 + rnd_below(&seed, 900));

			wire_feed(&w, EV_WRITE, now);
			rest = sv_sub(rest, now.n, SIZE_MAX);
		}
		if (begun)
			buf_sv(&left, sv_sub(buf_view(&w.out[EV_WRITE]), 0, from));
		else
			for (size_t k = 0; k < from; k++)
				buf_ch(&left, 0);
		for (size_t k = 0; k < gap; k++)
			buf_ch(&left, 0);
		buf_sv(&left, sv_sub(buf_view(&w.out[EV_WRITE]), begun ? from : 0, SIZE_MAX));
		assert_none_planted(&m, buf_view(&left));
		kept += seal_lost(w.seal) < m.wire.len / 2;
		wire_fini(&w);
		made_fini(&m);
	}
	assert_true(kept > 50);
}

/* Behind it the table is unknown: what it was sent for cannot be told, so all is masked. */
static void names_that_are_not_known(void **state)
{
	struct made m = { 0 };
	struct wire w;
	nghttp2_nv nv = { (uint8_t *)"private-token", (uint8_t *)"hunter2-hunter2", 13, 15, 0 };
	uint8_t block[256];
	ssize_t n;

	(void)state;
	assert_int_equal(nghttp2_hd_deflate_new(&m.deflater, 4096), 0);
	nghttp2_hd_deflate_hd(m.deflater, block, sizeof(block), &nv, 1);
	nv.value = (uint8_t *)"sesame-sesame-s";
	n = nghttp2_hd_deflate_hd(m.deflater, block, sizeof(block), &nv, 1);
	put_frame(&m, 4, 0, 0, SV(""));
	put_frame(&m, 1, 5, 3, (struct sv){ (char *)block, (size_t)n });
	wire_init(&w);
	wire_record(&w, EV_WRITE, 1000, buf_view(&m.wire));
	assert_int_equal(w.out[EV_WRITE].len, m.wire.len);
	assert_memory_equal(w.out[EV_WRITE].p, m.wire.p, m.wire.len - (size_t)n + 2);
	assert_memory_not_equal(w.out[EV_WRITE].p, m.wire.p, m.wire.len);
	assert_int_equal(seal_lost(w.seal), 0);
	wire_fini(&w);
	made_fini(&m);
}

/* What is no HTTP is left alone where nothing can be packed, and else where it is text. */
static void other_bytes(void **state)
{
	static const struct sv databases[][2] = {
		{ SV("*1\r\n$4\r\nPING\r\n\x01\x02"), SV("+PONG\r\n\xff\xfe") },
		{ SV("\x12\0\0\0\x03select 1 from cats"), SV("\x01\0\0\x01\x02\xff\xfe") },
	};
	struct sv some = SV("\x9c\x12 \x01\x02 some");
	struct wire w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(databases); i++) {
		struct sv asked = databases[i][0];

		wire_init(&w);
		wire_feed(&w, EV_WRITE, asked);
		assert_memory_equal(w.out[EV_WRITE].p, asked.p, asked.n);
		wire_feed(&w, EV_READ, databases[i][1]);
		assert_int_equal(seal_lost(w.seal), 0);
		wire_fini(&w);
	}
	wire_init(&w);
	wire_feed(&w, EV_READ, some);
	assert_int_equal(seal_lost(w.seal), some.n);
	wire_feed(&w, EV_READ, SV("but a text goes on, as any log may"));
	assert_int_equal(seal_lost(w.seal), some.n);
	wire_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_at_random), cmocka_unit_test(fields_cut_anywhere),
		cmocka_unit_test(joined_and_holed), cmocka_unit_test(names_that_are_not_known),
		cmocka_unit_test(other_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
