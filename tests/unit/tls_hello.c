// SPDX-License-Identifier: BSD-2-Clause
/* TLS hellos: whole, cut at every byte, in several records, and made up. */
#include "../fixture.h"
#include <errno.h>
#include "base/buf.h"
#include "hello_test.h"
#include "hostile.h"
#include "proto/tls_hello.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 4 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void check_client(const struct tls_hello *h)
{
	assert_true(h->client);
	assert_int_equal(h->version, 0x0304);
	ASSERT_SV(h->sni, "api.example.com");
	assert_int_equal(h->alpn_cnt, 2);
	ASSERT_SV(h->alpn[0], "h2");
	ASSERT_SV(h->alpn[1], "http/1.1");
}

static void a_client(void **state)
{
	struct tls_hello h;

	(void)state;
	assert_int_equal(tls_hello_parse(&h, &arena, SV(CLIENT_HELLO)), 0);
	check_client(&h);
	assert_false(h.cut);
	assert_string_equal(tls_version_text(h.version), "1.3");
}

static void a_server(void **state)
{
	static const char hello[] = "\x16\3\3\0\x36\2\0\0\x32\3\3"
				    "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
				    "\0\x13\2\0\0\x0a\0\x2b\0\2\3\4\0\x33\0\0";
	struct tls_hello h;

	(void)state;
	assert_int_equal(tls_hello_parse(&h, &arena, (struct sv){ hello, sizeof(hello) - 1 }), 0);
	assert_false(h.client);
	assert_int_equal(h.version, 0x0304);
	assert_int_equal(h.sni.n, 0);
}

static void what_a_server_chooses(void **state)
{
	struct tls_hello h;

	(void)state;
	assert_int_equal(
		tls_hello_parse(&h, &arena, SV("\x16\3\3\0\x32" SERVER_1_3(SERVER_RANDOM))), 0);
	assert_int_equal(h.version, 0x0304);
	assert_int_equal(h.cipher, 0x1302);
	assert_false(h.retry || h.resumed || h.cut);
	assert_int_equal(tls_hello_parse(&h, &arena, SV("\x16\3\3\0\x32" SERVER_1_3(RETRY_RANDOM))),
			 0);
	assert_true(h.retry);
	assert_int_equal(tls_hello_parse(&h, &arena, SV("\x16\3\3\0\x38" SERVER_1_3_RESUMED)), 0);
	assert_int_equal(h.cipher, 0x1301);
	assert_true(h.resumed && !h.retry && !h.cut);
	assert_int_equal(tls_hello_parse(&h, &arena, SV("\x16\3\3\0\x35" SERVER_1_2)), 0);
	assert_int_equal(h.version, 0x0303);
	assert_int_equal(h.cipher, 0xc030);
	assert_int_equal(h.alpn_cnt, 1);
	ASSERT_SV(h.alpn[0], "h2");
	assert_false(h.cut);
}

/* A record may hold as little as one byte of a handshake message, RFC 8446 5.1. */
static void in_many_records(void **state)
{
	struct sv whole = sv_sub(SV(CLIENT_HELLO), 5, SIZE_MAX);

	(void)state;
	for (size_t n = 1; n < whole.n; n++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct tls_hello h;

		for (size_t at = 0; at < whole.n; at += n) {
			struct sv part = sv_sub(whole, at, n);

			buf_add(&b, "\x16\3\1\0", 4);
			buf_ch(&b, (char)part.n);
			buf_sv(&b, part);
		}
		assert_int_equal(tls_hello_parse(&h, &arena, buf_view(&b)), 0);
		check_client(&h);
	}
}

static void cut_at_every_byte(void **state)
{
	struct sv whole = SV(CLIENT_HELLO);
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (size_t n = 0; n < whole.n; n++) {
		struct tls_hello h;
		int err = tls_hello_parse(&h, &arena, guard_put(&g, sv_sub(whole, 0, n)));

		assert_int_equal(err, n > 5 ? 0 : -EINVAL);
		if (err)
			continue;
		assert_true(h.cut);
		/* what came before the cut is there, and nothing by halves */
		assert_int_equal(h.sni.n, n >= 5 + 4 + 53 + 24 - 4 ? 15 : 0);
		if (n >= whole.n - 16)
			check_client(&h);
	}
	guard_fini(&g);
}

static void no_hello(void **state)
{
	struct tls_hello h;

	(void)state;
	assert_int_equal(tls_hello_parse(&h, &arena, SV("GET / HTTP/1.1\r\n\r\n")), -EINVAL);
	assert_int_equal(tls_hello_parse(&h, &arena, SV("\x17\3\3\0\5hello")), -EINVAL);
	assert_int_equal(tls_hello_parse(&h, &arena, SV("\x16\3\1\0\5\x0bhello")), -EINVAL);
}

static void damaged_and_made_up(void **state)
{
	char bytes[sizeof(CLIENT_HELLO) - 1];
	uint64_t seed = 11;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (int round = 0; round < 50000; round++) {
		struct arena a = { 0 };
		struct tls_hello h;

		arena_init(&a, 1 << 16);
		memcpy(bytes, CLIENT_HELLO, sizeof(bytes));
		for (size_t i = 0; i <= rnd_below(&seed, 6); i++)
			bytes[rnd_below(&seed, sizeof(bytes))] = (char)rnd(&seed);
		if (rnd_below(&seed, 2))
			for (size_t i = 43; i < sizeof(bytes); i++)
				bytes[i] = (char)(rnd_below(&seed, 2) ? 0 : rnd(&seed));
		if (!tls_hello_parse(&h, &a, guard_put(&g, (struct sv){ bytes, sizeof(bytes) }))) {
			assert_true(h.alpn_cnt <= TLS_ALPN_MAX);
			for (size_t i = 0; i < h.sni.n; i++)
				assert_true(h.sni.p[i] > ' ' && h.sni.p[i] <= '~');
		}
		arena_fini(&a);
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client, setup, teardown),
		cmocka_unit_test_setup_teardown(a_server, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_server_chooses, setup, teardown),
		cmocka_unit_test_setup_teardown(in_many_records, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_at_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(no_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_and_made_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
