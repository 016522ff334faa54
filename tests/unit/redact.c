// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is masked and what is not, and that a text in pieces hides no less than the whole.  In the
 * examples a '~' before and behind marks what has to be masked; it is no part of the text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/redact.h"
#include "hostile.h"

#define D16 "0123456789abcdef"
#define U16 "0123456789ABCDEF"
#define X(lit)                       \
	{                            \
		lit, sizeof(lit) - 1 \
	}

static const struct sv examples[] = {
	/* header fields */
	X("GET / HTTP/1.1\r\nHost: a.b\r\nAuthorization: Bearer ~t0ps3cret~\r\nAccept: "
	  "*/*\r\n\r\n"),
	X("AUTHORIZATION:basic ~dTpw~\r\nx: y"),
	X("authorization: ~secret~\nx"),
	X("authorization:\t ~Bearer~\r\n"),
	X("authorization: ~Bearerx~\r\n"),
	X("authorization: ~Bear~\r\n"),
	X("Authorization: AWS4-HMAC-SHA256 ~Credential=A/b, SignedHeaders=c, Signature=d~\r\n"),
	X("Proxy-Authorization: Digest ~username=~\"~u~\"~, x~\r\n"),
	X("x-api-key: ~a b c~\r\nx-api-keys: abc\r\nmax-api-key: abc\r\n"),
	X("api-key: ~1~\r\nX-Goog-Api-Key: ~2~\r\nx-amz-security-token:~3~\r\n"),
	X("Cookie: ~a=b; c=~\"~d~\"~; e~\\~f~\r\nSet-Cookie: ~id=1; Path=/; HttpOnly~\r\nx: y"),
	X("\"a\" cookie: b\nx 'a' cookie: b\n"),
	X("cookie:\r\nHost: x\r\n"),
	X("> authorization: ~x~\n  cookie: ~y~\n"),
	X("the authorization: of x, cookie: monster\nno-cookie: a\ncookie : b\n"),
	/* arguments */
	X("curl\0-H\0Authorization: Bearer ~x y~\0https://h/?key=~k~\0-s"),
	X("curl\0-HAuthorization: Bearer ~x~\0-s\0-HAccept: y"),
	X("sh\0-c\0curl -H 'Authorization: Bearer ~x~' -H \"x-api-key: ~$K~\" https://h"),
	X("x\0--api-key=~abc~\0--api-key\0~OPENAI_API_KEY=abc~\0OPENAI_API_KEY=~abc~\0y"),
	X("x\0--password\0~a b~\0--token\0--next\0--secret=~a~\0--passwords\0z"),
	X("{\"cmd\":\"x --password \\\"~a~ b\\\" --token  '~c~' --access-token=~d~ -v\"}"),
	X("curl -H Authorization: Bearer ~x https://h~\ncurl --header x-api-key:~y~\nls -H x y: z"),
	X("curl\0-u\0name:~pass:word~\0--user\0name\0-u\0:~x~\0sort\0-u\0f"),
	X("curl\0-u\0m\xc3\xbcller:~x~\0--user\0a@b.c:~x~\0-u\0a.b.c d:e\0f"),
	X("curl --user sk-~proj-Zx9Qv7Kw2Lm4Np8Rt6Yb3Hd5Jf1Gc0Sa~ -u "
	  "sk-~proj-Zx9Qv7Kw2Lm4Np8Rt6Yb3~:~x~ h"),
	/* tokens of which a part is masked already */
	X("a sk-~proj-Zx9Qv7Kw2********Np8Rt6Yb~ *sk-* sk-*a *ghp_* **bold** "
	  "AKIA~ABCD********EFGH~"),
	X("eyJhbGciOiJ9.~********.c2lnbmF0dXJl~ sk-~ant-api03-****************************Zx9~"),
	/* whom a container runs as: numbers alone, of a program that has no passwords there */
	X("docker\0run\0-u\0"
	  "1000:1000\0-e\0x\0img"),
	X("/usr/bin/podman\0run\0--user=1000:100\0img\0curl\0-u\0"
	  "5:~6~\0h"),
	X("sh -c 'docker run -u 0:0 img; curl -u 1:~2~ h; docker exec -u \"1:2\" c id'"),
	X("docker\0run\0-u\0name:~1000~\0-u\0"
	  "1000:~x1000~\0-u\0"
	  "1000:~12345678901~\0i"),
	X("docker ps\nx -u 1:~2~\ndocker ps | x -u 1:~2~\nx -u 1000:~1000~"),
	X("sh -c 'curl -u name:~pass~ h; curl --proxy-user \"n:~p~\" -u n'"),
	X("PGPASSWORD=~x~ psql 'host=h password=~y~ dbname=d' AWS_SECRET_ACCESS_KEY=~z~\n"),
	/* URLs */
	X("postgres://me:~pa*s~@h:5432/d redis://:~x~@h http://h:80/a:b@c x://a@b:c@d"),
	X("{\"u\":\"https:\\/\\/me:~x~@h\\/\",\"v\":\"https://h:8080\",\"w\":\"a@b\"}"),
	X("https://[::1]:80/x@y ::://a:~b~@c ftp://a:b c@d 'x://a:b'@"),
	X("/p?token=~a~&sig=~b~&tokens=c&pass=~d~&X-Amz-Signature=~e~&k=f token=g"),
	/* JSON web tokens; base64 of JSON is none */
	X("a eyJhbGciOiJIUzI1NiJ9.~eyJzdWIiOiIxMjM0NTY3ODkwIn0.x_y-z~ eyJhbGciOiJIUzI1NiJ9eyJzdWIi "
	  "b"),
	X("{\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSJ9\",\"p\":\"eyJ0.e\"}"),
	/* private keys */
	X("-----BEGIN RSA PRIVATE KEY-----\n~MIIE/+=~\n~AB~\n-----END RSA PRIVATE KEY-----\nx"),
	X("{\"k\":\"-----BEGIN PRIVATE KEY-----\\n~MII~\\n~A~\\u000a~B~\",\"x\":\"y\"}"),
	X("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n~lQ~\n-----END PGP PRIVATE KEY BLOCK-----"),
	X("BEGIN PRIVATE KEY---, -----BEGIN CERTIFICATE-----\nMII \"BEGIN PRIVATE KEY-----\" x"),
	/* members */
	X("{\"password\":\"~x~\",\"private_key\":\"~a~\",\"Secret\":\"~y~\",\"pass\":\"z\"}"),
	X("{\"password\":{\"type\":\"string\"},\"secrets\":\"a\",\"token\":\" hello\"}"),
	/* JSON */
	X("{\"authorization\": \"Bearer ~x~\", \"a\": 1}"),
	X("{\"x-api-key\":\"~x,}~\",\"Cookie\" :\n [ \"~y~\", \"z\"]}"),
	X("{\"cookie\":{\"type\":\"string\"},\"set-cookie\":12,\"api-key\":\"\"}"),
	X("{\"api_key\":\"~x~\",\"access_token\":\"~y~\",\"apikey\": "
	  "\"~z~\",\"max_tokens\":\"5\"}"),
	X("{\"api-key\":\"~a~\\\"~b~\\/~c~\\u002B~d~\\\\\"}"),
	X("{\"command\":\"curl -H \\\"Authorization: Bearer ~x~\\\" -H 'x-api-key: ~y~' z\"}"),
	X("{\"log\":\"GET / HTTP/1.1\\r\\nAuthorization: Bearer ~x~\\r\\nHost: y\\n\\tCookie: "
	  "~z~\"}"),
	X("{\"args\":\"{\\\"authorization\\\": \\\"Bearer ~x~\\\", \\\"b\\\": "
	  "\\\"c\\\"}\",\"d\":1}"),
	X("{\"a\":\"{\\\"b\\\":\\\"{\\\\\\\"api-key\\\\\\\":\\\\\\\"~x~\\\\\\\"}\\\"}\"}"),
	X("{\"a\":\"{\\\"b\\\":\\\"x\\\\nCookie: ~x~\\\\ny: z\\\"}\"}"),
	X("{\"cookie\":\"~a~\\\\\",\"b\":\"\\\\\",\"api-key\":\"\\\\~nb~\\u0041~b~\"}"),
	X("{\"a\":\"{\\\"cookie\\\":\\\"~x~\\\\\\\\\\\",\\\"b\\\":1}\"}"),
	X("{\"text\":\"it's 'cookie: ~a~\",\"b\":\"c\"}"),
	X("{'authorization': 'Bearer ~x~', 'b': 'c'}"),
	X("{\"a\":\"'cookie':\",\"b\":\"\\\"cookie\\\":\",\"c\":\"'cookie\\\":\"}"),
	X("[\"cookie\",\"authorization\",\"x\"]"),
	/* queries */
	X("GET /v1?key=~abc~&alt=sse HTTP/1.1\r\n"),
	X("/?a=b&key=~abc~#f /?API_KEY=~x~\tapikey=~y~'access_token=~z~\"my_api_key=~w~"),
	X("key=abc monkey=abc ?keys=abc ?key =abc"),
	X("{\"url\":\"https://h/?a=1\\u0026key=~x~\\u0026alt=sse\"}"),
	X("api_key=~abc~\nx api_key=\"y\" https://h/#access_token=~t~"),
	/* tokens */
	X("sk-~" D16 "~ sk-ant-api03-x (sk-~ant-" D16 "_-~)"),
	X("sk-0123456789abcde sk-~0123456789abcdef~"),
	X("task-" D16 D16 " desk-" D16 D16 " _sk-" D16 D16 " SK-" D16 D16),
	X("k=sk-~proj-" D16 "~,sk-~" D16 "~;\"sk-~" D16 "~\""),
	X("AIza~0123456789" D16 "Abcd~ AIza0123456789" D16 "Abc"),
	X("gsk_~" D16 "0123~ xai-~" D16 "0123~ hf_~" D16 "0123~ r8_~" D16 "0123~ pplx-~" D16
	  "0123~"),
	X("gsk_" D16 "012 xai-" D16 "012 hf_" D16 "012 r8_" D16 "012 pplx-" D16 "012"),
	X("AKIA~" U16 "~ ASIA~" U16 "~ AKIA" D16 " ASIAN-DEVELOPMENT-BANKING AKIA0123456789ABCDE"),
	X("ghp_~" D16 "0123~ gho_~" D16 "0123~ ghs_~" D16 "0123~ ghu_~" D16 "0123~ ghr_~" D16
	  "0123~"),
	X("github_pat_~" D16 "_" D16 D16 D16 "~ glpat-~" D16 "~ ghx_" D16 D16),
	X("xoxb-~" D16 "~ xoxp-~" D16 "~ xoxa-~" D16 "~ xoxz-" D16),
	X("ya29.~a0AfH6SMB" D16 "~ ya29.~c.b0Aa-" D16 "~ ya29.short x.ya29 ya29\nya2.9"),
	X("{\"k\":\"a\\nsk-~" D16 "~\\tsk-~" D16 "~\\u0020sk-~" D16 "~\\\\nsk-~" D16 "~\"}"),
	X("q=%20sk-~" D16 "~%22AKIA~" U16 "~%AKIA~" U16 "~ %0"),
	X("sk-api_key=~SECRET~ sk-~" D16 "api_key~=~SECRET~ sk-~" D16 "~\xc3\xa9"),
	X("plain text; nothing: \"to\": 'see' here. \\ \\u \\u00 % %2"),
	X(""),
};

/* What an example says, without its marks. */
struct plain {
	char text[512], want[512];
	size_t n, masked;
};

static void expand(struct sv example, struct plain *out)
{
	bool secret = false;

	out->n = out->masked = 0;
	for (size_t i = 0; i < example.n; i++) {
		if (example.p[i] == '~') {
			secret = !secret;
			continue;
		}
		out->text[out->n] = example.p[i];
		out->want[out->n++] = secret ? '*' : example.p[i];
		out->masked += secret && example.p[i] != '*';
	}
	assert_false(secret);
}

/* In memory of its own, so that a sanitizer sees what is read or written beyond. */
static size_t redact_piece(struct redact *r, char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, p, n);
	size_t masked = redact_bytes(r, copy, n);
	memcpy(p, copy, n);
	free(copy);
	return masked;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/*
 * got is text, masked in pieces that end at cuts.  It has to hide what whole hides; it may hide
 * more only in a word that one of the cuts goes through.
 */
static void check_pieces(const char *text, const char *whole, const char *got, size_t n,
			 const bool *cuts)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(got[i] == text[i] || got[i] == '*');
		if (got[i] == whole[i])
			continue;
		size_t end = i;
		while (end < n && !cuts[end] && is_word(text[end]))
			end++;
		if (got[i] != '*' || (end < n && !cuts[end]))
			fail_msg("%.*s\nis whole  %.*s\nin pieces %.*s", (int)n, text, (int)n,
				 whole, (int)n, got);
	}
}

static void whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct plain e;
		struct redact r = { .last = true };

		expand(examples[i], &e);
		size_t masked = redact_piece(&r, e.text, e.n);
		if (memcmp(e.text, e.want, e.n) != 0)
			fail_msg("got  %.*s\nwant %.*s", (int)e.n, e.text, (int)e.n, e.want);
		assert_int_equal(masked, e.masked);
	}
}

static void cut_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct plain e;

		expand(examples[i], &e);
		for (size_t cut = 0; cut <= e.n; cut++) {
			struct redact r = REDACT_INIT;
			bool cuts[sizeof(e.text)] = { false };
			char got[sizeof(e.text)];

			memcpy(got, e.text, e.n);
			cuts[cut] = true;
			redact_piece(&r, got, cut);
			redact_piece(&r, got + cut, e.n - cut);
			check_pieces(e.text, e.want, got, e.n, cuts);
		}
	}
}

/* A text that ends anywhere: nothing behind it is read. */
static void ends_where_memory_ends(void **state)
{
	struct guard g;

	(void)state;
	guard_init(&g, sizeof(((struct plain *)NULL)->text));
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct plain e;

		expand(examples[i], &e);
		for (size_t n = 0; n <= e.n; n++) {
			struct sv put = guard_put(&g, (struct sv){ e.text, n });

			redact_text((char *)put.p, n);
		}
	}
	guard_fini(&g);
}

static void byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct plain e;
		struct redact r = REDACT_INIT;
		char got[sizeof(e.text)];

		expand(examples[i], &e);
		memcpy(got, e.text, e.n);
		for (size_t at = 0; at < e.n; at++)
			redact_piece(&r, got + at, 1);
		for (size_t at = 0; at < e.n; at++)
			assert_true(e.want[at] != '*' || got[at] == '*');
	}
}

/* The next piece of a stream, which has to become want. */
static void piece_becomes(struct redact *r, const char *piece, const char *want)
{
	char got[64];
	size_t n = strlen(piece), masked = 0;

	assert_true(n < sizeof(got));
	memcpy(got, piece, n + 1);
	size_t said = redact_bytes(r, got, n);
	assert_string_equal(got, want);
	for (size_t i = 0; i < n; i++)
		masked += got[i] != piece[i];
	assert_int_equal(said, masked);
}

/* What is cut off from a token stays hidden however long it is, and an empty piece is nothing. */
static void long_token(void **state)
{
	struct redact r = REDACT_INIT;

	(void)state;
	piece_becomes(&r, "x sk", "x sk");
	piece_becomes(&r, "", "");
	piece_becomes(&r, "-ab", "-**");
	for (int i = 0; i < 1000; i++)
		piece_becomes(&r, D16 D16, "********************************");
	piece_becomes(&r, "end of it", "*** of it");

	/* too short after all: only what was before the cut is gone */
	r = (struct redact)REDACT_INIT;
	piece_becomes(&r, "sk-learn", "sk-*****");
	piece_becomes(&r, "ing is fun", "ing is fun");
}

static void cut_scheme(void **state)
{
	struct redact r = REDACT_INIT;

	(void)state;
	piece_becomes(&r, "authorization: Bea", "authorization: ***");
	piece_becomes(&r, "rer abc", "rer ***");
	piece_becomes(&r, "def\r\nHost: x", "***\r\nHost: x");
}

/* A whole text is told from a piece only by what is behind its last word. */
static void text_alone(void **state)
{
	char key[] = "sk-" D16, name[] = "the sk-learn", header[] = "x-api-key: abc";

	(void)state;
	assert_int_equal(redact_text(key, sizeof(key) - 1), 16);
	assert_string_equal(key, "sk-****************");
	assert_int_equal(redact_text(name, sizeof(name) - 1), 0);
	assert_int_equal(redact_text(header, sizeof(header) - 1), 3);
	assert_int_equal(redact_text(NULL, 0), 0);
}

static const char *const bits[] = {
	"authorization",
	"x-api-key",
	"Cookie",
	"api_key",
	"key",
	"access_token",
	"sk-",
	"AKIA",
	"ya29.",
	"ghp_",
	D16,
	U16,
	"abc",
	"Bearer",
	"basic",
	": ",
	":",
	"=",
	"\"",
	"'",
	"\\",
	"\\\"",
	"\\n",
	"\\u0026",
	"%20",
	"?",
	"&",
	" ",
	"\r\n",
	"\n",
	"\t",
	",",
	"{",
	"}",
	"[",
	"]",
	".",
	"n",
	"u00",
	"-H",
	"\\\\",
	"> ",
	"",
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static size_t random_text(uint32_t *seed, char *text, size_t max)
{
	size_t n = 0;

	do {
		struct sv bit = sv(bits[next_random(seed) % ARRAY_SIZE(bits)]);
		memcpy(text + n, bit.p, bit.n);
		n += bit.n;
	} while (n + 32 < max && next_random(seed) % 24);
	return n;
}

static void fuzz_pieces(void **state)
{
	uint32_t seed = 7;
	clock_t end = clock() + CLOCKS_PER_SEC;

	(void)state;
	while (clock() < end) {
		char text[400], want[400], got[400];
		bool cuts[401] = { false };
		size_t n = random_text(&seed, text, sizeof(text) - 1);
		struct redact r = REDACT_INIT;

		text[n++] = ' '; /* so that the end is no cut */
		memcpy(want, text, n);
		redact_piece(&r, want, n);
		memcpy(got, text, n);
		r = (struct redact)REDACT_INIT;
		for (size_t at = 0; at < n;) {
			size_t piece = 1 + next_random(&seed) % (1 + next_random(&seed) % 60);
			piece = piece < n - at ? piece : n - at;
			redact_piece(&r, got + at, piece);
			at += piece;
			cuts[at] = at < n;
		}
		check_pieces(text, want, got, n, cuts);
	}
}

static bool same_shape(const struct json *a, const struct json *b)
{
	const struct json *f = b->head;

	if (a->type != b->type || a->cnt != b->cnt || a->cut != b->cut)
		return false;
	json_for_each (a, e) {
		if (!same_shape(e, f))
			return false;
		f = f->next;
	}
	return true;
}

/* An object with members that look like secrets; some hold in a string what there was before. */
static struct json *random_object(struct arena *a, uint32_t *seed)
{
	struct json *v = json_object(a);

	for (uint32_t i = 1 + next_random(seed) % 5; i > 0; i--) {
		char part[200];
		struct sv s = { part, random_text(seed, part, sizeof(part)) };
		struct sv key = sv(bits[next_random(seed) % 14]);

		if (next_random(seed) % 3 == 0)
			s = json_text(a, v);
		struct json *e = json_string(a, s), *list = json_array(a);
		json_push(list, next_random(seed) % 4 ? NULL : json_string(a, key));
		json_push(list, e);
		json_add(a, v, key, next_random(seed) % 2 ? json_copy(a, e) : list);
	}
	return v;
}

/* JSON, and JSON in a string of JSON, is as it was but for the letters in it. */
static void fuzz_json(void **state)
{
	uint32_t seed = 9;
	clock_t end = clock() + CLOCKS_PER_SEC / 2;

	(void)state;
	while (clock() < end) {
		struct redact r = REDACT_INIT;
		struct json_err err;
		struct arena a;

		arena_init(&a, 0);
		struct json *v = random_object(&a, &seed);
		struct sv text = json_text(&a, v), copy = arena_dup(&a, text);
		for (size_t at = 0, piece; at < copy.n; at += piece) {
			piece = 1 + next_random(&seed) % 100;
			piece = piece < copy.n - at ? piece : copy.n - at;
			redact_bytes(&r, (char *)copy.p + at, piece);
		}
		struct json *w = json_parse(&a, copy, &err);
		if (err.broken || err.cut || !same_shape(v, w))
			fail_msg(SV_FMT "\n" SV_FMT, SV_ARG(text), SV_ARG(copy));
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(cut_once),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(long_token),
		cmocka_unit_test(cut_scheme),
		cmocka_unit_test(text_alone),
		cmocka_unit_test(fuzz_pieces),
		cmocka_unit_test(fuzz_json),
		cmocka_unit_test(ends_where_memory_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
