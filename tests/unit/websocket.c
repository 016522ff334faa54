// SPDX-License-Identifier: BSD-2-Clause
/*
 * WebSocket where a case cannot say it: long conversations made with zlib, cut anywhere; bounds and
 * bombs; garbage, over-reads.  Else: tests/case/websocket.
 */
#include "proto/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "hostile.h"

struct seen {
	size_t cnt, controls;
	struct buf data; /* of all text and binary messages */
	/* of the last one */
	unsigned int flags;
	size_t len;
	uint64_t wire;
};

static void on_message(void *ctx, const struct websocket_message *m)
{
	struct seen *s = ctx;

	assert_true(m->data.n <= LIMIT_WS_MESSAGE);
	assert_true(m->ts_first <= m->ts_last);
	if (m->op >= WEBSOCKET_CLOSE) {
		assert_true(m->data.n <= 125);
		s->controls++;
		return;
	}
	assert_true(m->op == WEBSOCKET_TEXT || m->op == WEBSOCKET_BINARY);
	s->cnt++;
	s->flags = m->flags;
	s->len = m->data.n;
	s->wire = m->wire;
	if (m->data.n < 100000)
		buf_sv(&s->data, m->data);
}

static struct websocket *open_parser(struct seen *s, const char *accepted)
{
	struct http_field f[] = {
		{ SV("Upgrade"), SV("websocket") },
		{ SV("sec-websocket-EXTENSIONS"), sv(accepted) },
	};
	struct http_msg answer = { .fields = f, .field_cnt = ARRAY_SIZE(f) };
	struct websocket *w = NULL;

	*s = (struct seen){ 0 };
	assert_int_equal(websocket_new(&w, accepted ? &answer : NULL, on_message, s), 0);
	return w;
}

static void close_parser(struct websocket *w, struct seen *s)
{
	websocket_end(w);
	websocket_free(&w);
	assert_null(w);
	buf_fini(&s->data);
}

static void feed(struct websocket *w, enum http_dir dir, struct sv bytes)
{
	assert_int_equal(websocket_feed(w, dir, 1, bytes), 0);
}

/* --- a sender */

struct sender {
	z_stream z;
	bool takeover, deflate;
	uint64_t seed;
	struct buf wire, sent;
};

static void sender_init(struct sender *se, uint64_t seed, bool takeover, int window_bits)
{
	*se = (struct sender){ .takeover = takeover, .deflate = window_bits, .seed = seed };
	if (window_bits)
		assert_int_equal(deflateInit2(&se->z, 6, Z_DEFLATED, -window_bits, 8, 0), Z_OK);
}

static void sender_fini(struct sender *se)
{
	if (se->deflate)
		deflateEnd(&se->z);
	buf_fini(&se->wire);
	buf_fini(&se->sent);
}

static void put_frame(struct sender *se, unsigned int first, struct sv payload)
{
	uint64_t key = rnd(&se->seed);
	bool masked = rnd_below(&se->seed, 2);
	unsigned char head[10] = { first };
	size_t len_size = payload.n < 126 ? 0 : payload.n < 65536 ? 2 : 8;
	size_t at;

	head[1] = len_size ? len_size == 2 ? 126 : 127 : payload.n;
	for (size_t i = 0; i < len_size; i++)
		head[2 + i] = (unsigned char)((uint64_t)payload.n >> 8 * (len_size - 1 - i));
	head[1] |= masked ? 0x80 : 0;
	buf_add(&se->wire, head, 2 + len_size);
	if (masked)
		buf_add(&se->wire, &key, 4);
	at = se->wire.len;
	buf_sv(&se->wire, payload);
	for (size_t i = 0; masked && i < payload.n; i++)
		se->wire.p[at + i] ^= ((char *)&key)[i % 4];
}

static void pack(struct sender *se, struct buf *to, struct sv in)
{
	if (!in.n) { /* 7.2.3.6 of RFC 7692: zlib flushes nothing when there is nothing to flush */
		buf_ch(to, 0);
		return;
	}
	if (!se->takeover)
		deflateReset(&se->z);
	buf_reserve(to, deflateBound(&se->z, in.n) + 64);
	se->z.next_in = (Bytef *)in.p;
	se->z.avail_in = in.n;
	se->z.next_out = (Bytef *)to->p;
	se->z.avail_out = to->cap;
	assert_int_equal(deflate(&se->z, Z_SYNC_FLUSH), Z_OK);
	to->len = to->cap - se->z.avail_out - 4;
}

static void put_message(struct sender *se, struct sv text)
{
	_cleanup_buf_ struct buf packed = BUF_INIT;
	bool deflate = se->deflate && rnd_below(&se->seed, 4);
	unsigned int op = 1 + rnd_below(&se->seed, 2);
	struct sv rest = text;

	if (text.n < 100000)
		buf_sv(&se->sent, text);
	if (deflate) {
		pack(se, &packed, text);
		rest = buf_view(&packed);
	}
	for (;;) {
		size_t n = rnd_below(&se->seed, 3) ? rest.n : rnd_below(&se->seed, rest.n + 1);

		put_frame(se, op | (n == rest.n ? 0x80 : 0) | (deflate ? 0x40 : 0),
			  sv_sub(rest, 0, n));
		op = 0;
		deflate = false;
		if (n == rest.n)
			return;
		rest = sv_sub(rest, n, SIZE_MAX);
		if (!rnd_below(&se->seed, 3))
			put_frame(se, 0x89 + rnd_below(&se->seed, 2), SV("ping"));
	}
}

static void put_random(struct sender *se, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT;
		size_t lines = rnd_below(&se->seed, 20) ? rnd_below(&se->seed, 20) : 3000;

		while (lines--)
			buf_fmt(&text, "{\"delta\":\"%llx\"}",
				(unsigned long long)rnd(&se->seed) >> 44);
		put_message(se, buf_view(&text));
	}
}

static void check_conversation(const char *accepted, bool takeover, int window_bits)
{
	static const size_t cuts[] = { 1, 10, 1000, 100000 };
	struct guard g;

	guard_init(&g, 100000);
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sender se;
		struct seen s;
		struct websocket *w = open_parser(&s, accepted);
		struct sv rest;

		sender_init(&se, seed, takeover, window_bits);
		put_random(&se, 100);
		rest = buf_view(&se.wire);
		while (rest.n) {
			size_t n = 1 + rnd_below(&se.seed, cuts[seed - 1]);

			feed(w, HTTP_REQUEST, guard_put(&g, sv_sub(rest, 0, n)));
			rest = sv_sub(rest, n, SIZE_MAX);
		}
		assert_int_equal(s.cnt, 100);
		assert_true(s.controls > 0);
		assert_int_equal(s.data.len, se.sent.len);
		assert_memory_equal(s.data.p, se.sent.p, s.data.len);
		close_parser(w, &s);
		sender_fini(&se);
	}
	guard_fini(&g);
}

static void test_conversation(void **state)
{
	(void)state;
	check_conversation("", true, 0);
	check_conversation("permessage-deflate", true, 15);
	check_conversation("permessage-deflate; client_max_window_bits=9", true, 9);
	check_conversation("permessage-deflate;client_no_context_takeover", false, 15);
	check_conversation(NULL, true, 15);
}

/* With a context every message behind a hole is told to be undecoded, without one none but the one. */
static void check_hole(const char *accepted, bool takeover)
{
	struct sender se;
	struct seen s;
	struct websocket *w = open_parser(&s, accepted);
	size_t first;

	sender_init(&se, 1, takeover, 15);
	for (size_t i = 0; i < 10; i++) {
		_cleanup_buf_ struct buf packed = BUF_INIT;

		pack(&se, &packed, SV("the same words in every message"));
		put_frame(&se, 0xc1, buf_view(&packed));
		if (!i)
			first = se.wire.len;
	}
	feed(w, HTTP_RESPONSE, sv_sub(buf_view(&se.wire), 0, first - 8));
	websocket_gap(w, HTTP_RESPONSE, 4);
	feed(w, HTTP_RESPONSE, sv_sub(buf_view(&se.wire), first - 4, SIZE_MAX));
	assert_int_equal(s.cnt, 10);
	assert_int_equal(s.flags, takeover ? WEBSOCKET_UNDECODED : 0);
	assert_int_equal(s.len, takeover ? 0 : 31);
	assert_false(websocket_is_lost(w, HTTP_RESPONSE));
	close_parser(w, &s);
	sender_fini(&se);
}

static void test_hole(void **state)
{
	(void)state;
	check_hole("permessage-deflate", true);
	check_hole("permessage-deflate; client_no_context_takeover", true);
	check_hole("permessage-deflate; server_no_context_takeover", false);
}

/* --- bounds */

static void test_long_message(void **state)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	struct sender se;
	struct seen s;
	struct websocket *w = open_parser(&s, "");

	(void)state;
	sender_init(&se, 1, true, 0);
	buf_reserve(&text, LIMIT_WS_MESSAGE + 1);
	memset(text.p, 'x', LIMIT_WS_MESSAGE + 1);
	text.len = LIMIT_WS_MESSAGE;
	put_frame(&se, 0x81, buf_view(&text));
	text.len++;
	put_frame(&se, 0x81, buf_view(&text));
	put_frame(&se, 0x81, SV("next"));
	feed(w, HTTP_REQUEST, sv_sub(buf_view(&se.wire), 0, se.wire.len - 100));
	assert_int_equal(s.cnt, 1);
	assert_int_equal(s.flags, 0);
	assert_int_equal(s.len, LIMIT_WS_MESSAGE);
	feed(w, HTTP_REQUEST, sv_sub(buf_view(&se.wire), se.wire.len - 100, SIZE_MAX));
	assert_int_equal(s.cnt, 3);
	assert_int_equal(s.flags, 0);
	close_parser(w, &s);
	sender_fini(&se);
}

/* 64 MiB of zeros in 64 KiB; then a message that needs what was not unpacked. */
static void check_bomb(const char *accepted, bool takeover)
{
	_cleanup_buf_ struct buf zeros = BUF_INIT, bomb = BUF_INIT, packed = BUF_INIT;
	struct sender se;
	struct seen s;
	struct websocket *w = open_parser(&s, accepted);

	sender_init(&se, 1, takeover, 15);
	buf_reserve(&zeros, 64u << 20);
	zeros.len = 64u << 20;
	memset(zeros.p, 0, zeros.len);
	pack(&se, &bomb, buf_view(&zeros));
	put_frame(&se, 0xc1, buf_view(&bomb));
	feed(w, HTTP_REQUEST, buf_view(&se.wire));
	assert_int_equal(s.cnt, 1);
	assert_int_equal(s.flags, WEBSOCKET_CUT);
	assert_int_equal(s.len, LIMIT_WS_MESSAGE);
	assert_int_equal(s.wire, bomb.len);
	buf_clear(&se.wire);
	pack(&se, &packed, SV("next"));
	put_frame(&se, 0xc1, buf_view(&packed));
	feed(w, HTTP_REQUEST, buf_view(&se.wire));
	assert_int_equal(s.cnt, 2);
	assert_int_equal(s.flags, takeover ? WEBSOCKET_UNDECODED : 0);
	close_parser(w, &s);
	sender_fini(&se);
}

static void test_bomb(void **state)
{
	(void)state;
	check_bomb("permessage-deflate", true);
	check_bomb("permessage-deflate; client_no_context_takeover", false);
}

/* A frame that claims more bytes than there are in the world. */
static void test_huge_length(void **state)
{
	struct seen s;
	struct websocket *w = open_parser(&s, "");

	(void)state;
	feed(w, HTTP_REQUEST,
	     (struct sv){ "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"
			  "abc",
			  13 });
	websocket_gap(w, HTTP_REQUEST, 1ull << 62);
	assert_int_equal(s.cnt, 0);
	feed(w, HTTP_RESPONSE, (struct sv){ "\x81\x7f\x80\0\0\0\0\0\0\0", 10 });
	assert_true(websocket_is_lost(w, HTTP_RESPONSE));
	assert_false(websocket_is_lost(w, HTTP_REQUEST));
	websocket_end(w);
	assert_int_equal(s.cnt, 1);
	assert_int_equal(s.flags, WEBSOCKET_CUT | WEBSOCKET_HOLE);
	assert_int_equal(s.len, 3);
	close_parser(w, &s);
}

/* Frames with any first byte and any payload, cut and holed; damage to good ones. */
static void test_garbage(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct sender se;
		struct seen s;
		struct websocket *w = open_parser(&s, "permessage-deflate");
		struct sv rest;

		sender_init(&se, seed, true, 15);
		for (size_t i = 0; i < 50; i++) {
			char payload[140];

			for (size_t k = 0; k < sizeof(payload); k++)
				payload[k] = (char)(rnd(&se.seed) >> 9);
			put_frame(&se, rnd(&se.seed) & (rnd_below(&se.seed, 10) ? 0xca : 0xff),
				  (struct sv){ payload, rnd_below(&se.seed, sizeof(payload)) });
		}
		put_random(&se, 5);
		for (size_t i = 0; i < 5; i++)
			se.wire.p[rnd_below(&se.seed, se.wire.len)] ^= 0x40;
		rest = buf_view(&se.wire);
		while (rest.n) {
			size_t n = 1 + rnd_below(&se.seed, 200);

			feed(w, rnd_below(&se.seed, 30) ? HTTP_REQUEST : HTTP_RESPONSE,
			     guard_put(&g, sv_sub(rest, 0, n)));
			rest = sv_sub(rest, n, SIZE_MAX);
			if (!rnd_below(&se.seed, 20))
				websocket_gap(w, HTTP_REQUEST, rnd_below(&se.seed, 300));
		}
		close_parser(w, &s);
		sender_fini(&se);
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversation), cmocka_unit_test(test_hole),
		cmocka_unit_test(test_long_message), cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_huge_length),  cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
