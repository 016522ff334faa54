// SPDX-License-Identifier: BSD-2-Clause
/* TLS handshakes by their records: which of them is the last, and what alerts say. */
#include "../fixture.h"
#include <stdio.h>
#include "hello_test.h"
#include "hostile.h"
#include "proto/tls_shake.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

enum { SERVER, CLIENT };

struct step {
	int from;
	unsigned int type, size;
	struct sv body;
};

/* clang-format off */
#define HELLO(lit) { SERVER, TLS_HANDSHAKE, sizeof(lit) - 1, { lit, sizeof(lit) - 1 } }
#define MESSAGE(from, size) { from, TLS_HANDSHAKE, size, { "", 0 } }
#define CIPHER(from) { from, TLS_CHANGE_CIPHER, 1, { "", 0 } }
#define DATA(from, size) { from, TLS_DATA, size, { "", 0 } }
#define ALERT(from, lit) { from, TLS_ALERT, 2, { lit, 2 } }
/* clang-format on */

/* Each record a nanosecond after the one before; the first is at 1. */
static struct tls_shake shake(const struct step *steps, size_t cnt)
{
	struct tls_shake s = { 0 };

	for (size_t i = 0; i < cnt; i++) {
		struct tls_record r = { .ts = i + 1,
					.client = steps[i].from == CLIENT,
					.type = steps[i].type,
					.size = steps[i].size,
					.body = steps[i].body };

		tls_shake_feed(&s, &arena, &r);
	}
	return s;
}

#define SHAKE(...)                                  \
	shake((const struct step[]){ __VA_ARGS__ }, \
	      sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step))

static void is_done(const struct tls_shake *s, uint64_t ts, unsigned int version,
		    unsigned int cipher)
{
	assert_int_equal(s->outcome, TLS_DONE);
	assert_int_equal(s->ts_over, ts);
	assert_int_equal(s->version, version);
	assert_int_equal(s->cipher, cipher);
	assert_null(s->refusal);
}

static void is_refused(const struct tls_shake *s, uint64_t ts, bool by_client, const char *why)
{
	assert_int_equal(s->outcome, TLS_REFUSED);
	assert_int_equal(s->ts_over, ts);
	assert_int_equal(s->by_client, by_client);
	assert_string_equal(s->refusal, why);
}

/* The client's first record that is encrypted; a change of ciphers means nothing there. */
static void tls_1_3(void **state)
{
	struct tls_shake s = SHAKE(HELLO(SERVER_1_3(SERVER_RANDOM)), CIPHER(SERVER),
				   DATA(SERVER, 23), DATA(SERVER, 900), DATA(SERVER, 69),
				   CIPHER(CLIENT), DATA(CLIENT, 69), DATA(CLIENT, 500));

	(void)state;
	is_done(&s, 7, 0x0304, 0x1302);
	assert_int_equal(s.ts_answer, 1);
	assert_false(s.resumed || s.retried);
	s = SHAKE(HELLO(SERVER_1_3_RESUMED), DATA(SERVER, 100), DATA(CLIENT, 53));
	is_done(&s, 3, 0x0304, 0x1301);
	assert_true(s.resumed);
}

static void another_hello(void **state)
{
	struct tls_shake s = SHAKE(HELLO(SERVER_1_3(RETRY_RANDOM)), CIPHER(SERVER), CIPHER(CLIENT),
				   MESSAGE(CLIENT, 400), MESSAGE(SERVER, 155), DATA(SERVER, 900),
				   DATA(CLIENT, 69));

	(void)state;
	is_done(&s, 7, 0x0304, 0x1302);
	assert_true(s.retried);
}

/* What the client sends before the server has said anything ends nothing. */
static void early_data(void **state)
{
	struct tls_shake s = SHAKE(CIPHER(CLIENT), DATA(CLIENT, 300), HELLO(SERVER_1_3_RESUMED),
				   DATA(SERVER, 100), DATA(CLIENT, 21), DATA(CLIENT, 53));

	(void)state;
	is_done(&s, 5, 0x0304, 0x1301);
}

static void tls_1_2(void **state)
{
	struct tls_shake s =
		SHAKE(HELLO(SERVER_1_2), MESSAGE(SERVER, 900), MESSAGE(SERVER, 4),
		      MESSAGE(CLIENT, 37), CIPHER(CLIENT), MESSAGE(CLIENT, 40),
		      MESSAGE(SERVER, 200), CIPHER(SERVER), MESSAGE(SERVER, 40), DATA(CLIENT, 300));

	(void)state;
	is_done(&s, 9, 0x0303, 0xc030);
	assert_false(s.resumed);
	ASSERT_SV(s.alpn, "h2");
	s = SHAKE(HELLO(SERVER_1_2), CIPHER(SERVER), MESSAGE(SERVER, 40), CIPHER(CLIENT),
		  MESSAGE(CLIENT, 40));
	is_done(&s, 5, 0x0303, 0xc030);
	assert_true(s.resumed);
}

/* RFC 7918: the client sends data before the server's Finished. */
static void false_start(void **state)
{
	struct tls_shake s =
		SHAKE(HELLO(SERVER_1_2), MESSAGE(SERVER, 900), MESSAGE(CLIENT, 37), CIPHER(CLIENT),
		      MESSAGE(CLIENT, 40), DATA(CLIENT, 300), CIPHER(SERVER), MESSAGE(SERVER, 40));

	(void)state;
	is_done(&s, 5, 0x0303, 0xc030);
}

static void alerts(void **state)
{
	struct tls_shake s = SHAKE(ALERT(SERVER, "\2\x28"));

	(void)state;
	is_refused(&s, 1, false, "handshake_failure");
	s = SHAKE(HELLO(SERVER_1_2), ALERT(CLIENT, "\2\x30"), ALERT(SERVER, "\2\x28"));
	is_refused(&s, 2, true, "unknown_ca");
	s = SHAKE(ALERT(SERVER, "\1\x70"), ALERT(SERVER, "\2\x46"));
	is_refused(&s, 2, false, "protocol_version"); /* the first was a warning */
	s = SHAKE(ALERT(CLIENT, "\1\0"));
	is_refused(&s, 1, true, "close_notify");
	s = SHAKE(ALERT(SERVER, "\2\xee"));
	is_refused(&s, 1, false, "unknown_alert");
	s = SHAKE({ SERVER, TLS_ALERT, 2, { "\2", 1 } });
	is_refused(&s, 1, false, "unknown_alert");
}

static void alerts_behind_keys(void **state)
{
	struct tls_shake s = SHAKE(HELLO(SERVER_1_2), CIPHER(CLIENT), MESSAGE(CLIENT, 40),
				   { SERVER, TLS_ALERT, 26, { "\x11\x22", 2 } });

	(void)state;
	is_refused(&s, 4, false, "encrypted_alert");
	s = SHAKE(HELLO(SERVER_1_2), CIPHER(CLIENT), MESSAGE(CLIENT, 40), ALERT(CLIENT, "\2\x28"));
	is_refused(&s, 4, true, "encrypted_alert"); /* what looks like a name is cipher */
	s = SHAKE(HELLO(SERVER_1_3(SERVER_RANDOM)), DATA(SERVER, 900), DATA(CLIENT, 19));
	is_refused(&s, 3, true, "encrypted_alert");
	s = SHAKE(HELLO(SERVER_1_3(SERVER_RANDOM)), DATA(SERVER, 900), DATA(CLIENT, 69),
		  DATA(SERVER, 19));
	is_done(&s, 3, 0x0304, 0x1302); /* it was over by then */
}

/* Without what the ServerHello says, the first data of the client is the end. */
static void a_hello_that_cannot_be_read(void **state)
{
	struct tls_shake s =
		SHAKE(MESSAGE(SERVER, 122), CIPHER(SERVER), DATA(SERVER, 900), DATA(CLIENT, 19));

	(void)state;
	is_done(&s, 4, 0, 0);
	s = SHAKE({ SERVER, TLS_HANDSHAKE, 100, { "\2\0", 2 } }, DATA(CLIENT, 300));
	assert_int_equal(s.outcome, TLS_DONE);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(tls_alert_text(0), "close_notify");
	assert_string_equal(tls_alert_text(120), "no_application_protocol");
	assert_string_equal(tls_alert_text(255), "unknown_alert");
	ASSERT_SV(tls_cipher_text(&arena, 0x1303), "TLS_CHACHA20_POLY1305_SHA256");
	ASSERT_SV(tls_cipher_text(&arena, 0x0a0b), "0x0a0b");
}

/* Any records in any order: an outcome stays once it is there, and nothing is read behind a body. */
static void made_up(void **state)
{
	static const char hello[] = SERVER_1_2;
	uint64_t seed = 7;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (int round = 0; round < 20000; round++) {
		struct tls_shake s = { 0 }, before;
		struct arena a = { 0 };

		arena_init(&a, 1 << 16);
		for (int i = 0; i < 12; i++) {
			char body[sizeof(hello)];
			size_t n = rnd_below(&seed, sizeof(body));
			struct tls_record r = { .ts = i + 1,
						.client = rnd(&seed) >> 40 & 1,
						.type = 18 + rnd_below(&seed, 8),
						.size = n + rnd_below(&seed, 3) };

			memcpy(body, hello, sizeof(hello));
			body[rnd_below(&seed, sizeof(body))] = (char)(rnd(&seed) >> 30);
			r.body = guard_put(&g, (struct sv){ body, n });
			before = s;
			tls_shake_feed(&s, &a, &r);
			if (before.outcome == TLS_OPEN)
				continue;
			assert_int_equal(s.outcome, before.outcome);
			assert_int_equal(s.ts_over, before.ts_over);
		}
		if (s.outcome == TLS_REFUSED)
			assert_non_null(s.refusal);
		if (s.outcome != TLS_OPEN)
			assert_in_range(s.ts_over, 1, 12);
		arena_fini(&a);
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_1_3),
		cmocka_unit_test(another_hello),
		cmocka_unit_test(early_data),
		cmocka_unit_test(tls_1_2),
		cmocka_unit_test(false_start),
		cmocka_unit_test(alerts),
		cmocka_unit_test(alerts_behind_keys),
		cmocka_unit_test(a_hello_that_cannot_be_read),
		cmocka_unit_test(names),
		cmocka_unit_test(made_up),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
