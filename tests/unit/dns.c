// SPDX-License-Identifier: BSD-2-Clause
/* DNS messages: each type of record, names, framing over TCP, and everything cut, damaged or made up. */
#include "../fixture.h"
#include <errno.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "dns_test.h"
#include "hostile.h"
#include "proto/dns.h"

#define WIRE(lit)                    \
	{                            \
		lit, sizeof(lit) - 1 \
	}

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

static struct dns_msg parse(const struct buf *b)
{
	struct dns_msg m;

	assert_int_equal(dns_parse(&m, &arena, buf_view(b)), 0);
	return m;
}

static void a_question(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct dns_msg m;

	(void)state;
	put_question(&b, 0xbeef, 0x0100, "API.Example.com", DNS_AAAA, 0);
	m = parse(&b);
	assert_int_equal(m.id, 0xbeef);
	assert_false(m.response);
	assert_true(m.asks);
	ASSERT_SV(m.name, "api.example.com");
	assert_int_equal(m.type, DNS_AAAA);
	assert_int_equal(m.class, 1);
	assert_int_equal(m.flags, 0);
}

/* Every type whose data is told, behind a chain of aliases that point into one another. */
static void an_answer(void **state)
{
	static const struct {
		unsigned int type;
		struct sv data;
		const char *text;
	} records[] = {
		{ DNS_CNAME, WIRE("\3edg\xc0\x10"), "edg.example.com" },
		{ DNS_A, WIRE("\x0a\0\0\x07"), "10.0.0.7" },
		{ DNS_AAAA, WIRE("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), "fd00::1" },
		{ DNS_SRV, WIRE("\0\1\0\2\x01\xbb\1h\0"), "1 2 443 h" },
		{ DNS_MX, WIRE("\0\x0a\1m\xc0\x10"), "10 m.example.com" },
		{ DNS_TXT, WIRE("\3a\"b\1c"), "\"a\\034b\" \"c\"" },
		{ DNS_HTTPS,
		  WIRE("\0\1\0\0\1\0\6\2h2\2h3\0\3\0\2\x20\xfb\0\4\0\4\1\2\3\4\0\6\0\x10\xfd\0\0\0"
		       "\0\0"
		       "\0\0\0\0\0\0\0\0\0\2\0\5\0\1x\0\7\0\0"),
		  "1 . alpn=h2,h3 port=8443 ipv4hint=1.2.3.4 ipv6hint=fd00::2 ech key7" },
		{ DNS_SOA, WIRE("xyz"), "3 bytes" },
		{ 4711, WIRE(""), "0 bytes" },
	};
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct dns_msg m;

	(void)state;
	put_question(&b, 1, 0x8180, "api.example.com", DNS_A, ARRAY_SIZE(records));
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		put_record(&b, SV(DNS_QUESTION_AT), records[i].type, records[i].data);
	m = parse(&b);
	assert_true(m.response);
	assert_int_equal(m.flags, 0);
	assert_int_equal(m.answer_cnt, ARRAY_SIZE(records));
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		assert_int_equal(m.answers[i].type, records[i].type);
		assert_int_equal(m.answers[i].ttl, 300);
		ASSERT_SV(m.answers[i].text, records[i].text);
	}
	assert_memory_equal(m.answers[1].addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\7", 16);
	assert_memory_equal(m.answers[2].addr, records[2].data.p, 16);
}

static void rcodes(void **state)
{
	static const uint8_t opt[] = { 0, 0, 41, 4, 0xd0, 1, 0, 0, 0, 0, 0 }; /* BADVERS: 1 << 4 */
	_cleanup_buf_ struct buf b = BUF_INIT;
	char text[DNS_TEXT_LEN];

	(void)state;
	put_question(&b, 1, 0x8183, "x", DNS_A, 0);
	assert_string_equal(dns_rcode_text(parse(&b).rcode, text), "NXDOMAIN");
	b.p[3] = (char)0x80;
	b.p[11] = 1;
	buf_add(&b, opt, sizeof(opt));
	assert_string_equal(dns_rcode_text(parse(&b).rcode, text), "BADVERS");
	assert_string_equal(dns_rcode_text(4095, text), "RCODE4095");
	assert_string_equal(dns_type_text(65535, text), "TYPE65535");
	assert_string_equal(dns_type_text(DNS_HTTPS, text), "HTTPS");
	b.p[2] |= 2;
	assert_int_equal(parse(&b).flags, DNS_TRUNCATED);
}

static void names(void **state)
{
	static const struct {
		struct sv wire;   /* behind a header, which holds no labels */
		const char *text; /* NULL: refused */
	} cases[] = {
		{ WIRE("\0"), "." },
		{ WIRE("\4a.\\\"\1\0\0"), "a\\.\\\\\\\".\\000" },
		{ WIRE("\3\xe4 b\0"), "\\228\\032b" },
		{ WIRE("\xc0\x0c"), NULL },      /* itself */
		{ WIRE("\1a\xc0\x0c"), NULL },   /* the same, by way of a label */
		{ WIRE("\xc0\x0e\1a\0"), NULL }, /* forward */
		{ WIRE("\xc0\xff"), NULL },      /* outside */
		{ WIRE("\x40"), NULL },          /* a label of a kind that is no more, RFC 6891 5 */
		{ WIRE("\2a"), NULL },           /* cut */
		{ WIRE(""), NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct dns_msg m;
		int err;

		buf_add(&b, "\0\1\1\0\0\1\0\0\0\0\0\0", 12);
		buf_sv(&b, cases[i].wire);
		put16(&b, DNS_A);
		put16(&b, 1);
		err = dns_parse(&m, &arena, buf_view(&b));
		assert_int_equal(err, cases[i].text ? 0 : -EINVAL);
		if (!err)
			ASSERT_SV(m.name, cases[i].text);
	}
}

/* 255 bytes on the wire are a name, 257 are none. */
static void the_longest_name(void **state)
{
	_cleanup_buf_ struct buf name = BUF_INIT, b = BUF_INIT;
	struct dns_msg m;

	(void)state;
	for (size_t i = 0; i < 127; i++)
		buf_str(&name, i ? ".a" : "a");
	put_question(&b, 1, 0x0100, buf_cstr(&name), DNS_A, 0);
	ASSERT_SV(parse(&b).name, buf_cstr(&name));
	buf_str(&name, ".a");
	buf_clear(&b);
	put_question(&b, 1, 0x0100, buf_cstr(&name), DNS_A, 0);
	assert_int_equal(dns_parse(&m, &arena, buf_view(&b)), -EINVAL);
}

/* Pointers to pointers, as many as a message holds: each is followed once, and the work is bounded. */
static void chains_of_pointers(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct dns_msg m;

	(void)state;
	put_question(&b, 1, 0x8180, "a", DNS_CNAME, 64);
	for (unsigned int i = 0; i < 64; i++) {
		unsigned int before = i ? (unsigned int)b.len - 2 : 12;
		char data[2] = { (char)(0xc0 | before >> 8), (char)before };

		put_record(&b, SV(DNS_QUESTION_AT), DNS_CNAME, (struct sv){ data, 2 });
	}
	m = parse(&b);
	assert_int_equal(m.answer_cnt, 64);
	ASSERT_SV(m.answers[63].text, "a");
}

static void more_answers_than_are_kept(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct dns_msg m;

	(void)state;
	put_question(&b, 1, 0x8180, "a", DNS_A, LIMIT_DNS_RECORDS + 1);
	for (size_t i = 0; i <= LIMIT_DNS_RECORDS; i++)
		put_record(&b, SV(DNS_QUESTION_AT), DNS_A, SV("abcd"));
	m = parse(&b);
	assert_int_equal(m.answer_cnt, LIMIT_DNS_RECORDS);
	assert_int_equal(m.flags, DNS_CAP);
}

/* --- TCP */

struct taken {
	size_t cnt, bytes;
};

static void take(void *ctx, struct sv msg)
{
	struct taken *t = ctx;

	t->cnt++;
	t->bytes += msg.n;
}

static void tcp_in_every_cut(void **state)
{
	static const char wire[] =
		"\0\3abc\0\0\0\1x"; /* 3, 0 and 1 bytes; with the literal's NUL */

	(void)state;
	for (size_t cut = 0; cut < sizeof(wire); cut++) {
		struct dns_tcp t = { 0 };
		struct taken got = { 0 };

		dns_tcp_feed(&t, (struct sv){ wire, cut }, take, &got);
		dns_tcp_feed(&t, (struct sv){ wire + cut, sizeof(wire) - 1 - cut }, take, &got);
		assert_int_equal(got.cnt, 3);
		assert_int_equal(got.bytes, 4);
		dns_tcp_fini(&t);
	}
}

static void tcp_with_holes(void **state)
{
	struct dns_tcp t = { 0 };
	struct taken got = { 0 };

	(void)state;
	dns_tcp_feed(&t, (struct sv){ "\0\x05xx", 4 }, take, &got);
	dns_tcp_gap(&t, 2); /* inside of the message: its end is known */
	dns_tcp_feed(&t, (struct sv){ "x\0\1y", 4 }, take, &got);
	assert_int_equal(got.cnt, 1);
	assert_int_equal(got.bytes, 1);
	dns_tcp_gap(&t, 1); /* between messages: nothing is known any more */
	dns_tcp_feed(&t, (struct sv){ "\0\1y\0\1y", 6 }, take, &got);
	assert_int_equal(got.cnt, 1);
	dns_tcp_fini(&t);
}

/* --- hostile */

static void parse_hostile(struct guard *g, struct sv bytes)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct dns_msg m;

	arena_init(&a, 1 << 20);
	if (dns_parse(&m, &a, guard_put(g, bytes)))
		return;
	assert_true(m.answer_cnt <= LIMIT_DNS_RECORDS);
	assert_true(m.name.n <= 4 * 255);
	for (size_t i = 0; i < m.name.n; i++)
		assert_true(m.name.p[i] > ' ' && m.name.p[i] <= '~');
}

static void cut_damaged_and_made_up(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	uint64_t seed = 7;
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	put_question(&b, 1, 0x8180, "api.example.com", DNS_HTTPS, 3);
	put_record(&b, SV(DNS_QUESTION_AT), DNS_CNAME, SV("\1e\xc0\x10"));
	put_record(&b, SV("\xc0\x2d"), DNS_HTTPS,
		   (struct sv){ "\0\1\0\0\1\0\6\2h2\2h3\0\4\0\4\1\2\3\4", 21 });
	put_record(&b, SV("\xc0\x2d"), DNS_TXT, SV("\2ab"));
	for (size_t n = 0; n <= b.len; n++) {
		struct dns_msg m;
		int err;

		parse_hostile(&g, sv_sub(buf_view(&b), 0, n));
		err = dns_parse(&m, &arena, sv_sub(buf_view(&b), 0, n));
		if (!err) /* behind the question, what came before the cut is there */
			assert_int_equal(m.flags, n < b.len ? DNS_CUT : 0);
		else
			assert_true(n < 33);
	}
	for (int round = 0; round < 20000; round++) {
		char copy[256];

		memcpy(copy, b.p, b.len);
		for (size_t i = 0; i <= rnd_below(&seed, 4); i++)
			copy[rnd_below(&seed, b.len)] = (char)rnd(&seed);
		parse_hostile(&g, (struct sv){ copy, b.len });
		for (size_t i = 12; i < sizeof(copy); i++)
			copy[i] = (char)(rnd_below(&seed, 3) ? rnd_below(&seed, 4) : rnd(&seed));
		parse_hostile(&g, (struct sv){ copy, rnd_below(&seed, sizeof(copy)) });
	}
	guard_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_question, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(rcodes, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(the_longest_name, setup, teardown),
		cmocka_unit_test_setup_teardown(chains_of_pointers, setup, teardown),
		cmocka_unit_test_setup_teardown(more_answers_than_are_kept, setup, teardown),
		cmocka_unit_test(tcp_in_every_cut),
		cmocka_unit_test(tcp_with_holes),
		cmocka_unit_test_setup_teardown(cut_damaged_and_made_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
