// SPDX-License-Identifier: BSD-2-Clause
/*
 * redact: what is masked in a text is masked in its pieces too, and nothing but bytes become '*'.
 *
 * planted: a secret stands in a text that is well formed, wherever redact.h says that it finds one;
 * what else is in the text is the fuzzer's.  Not a piece of the secret may be left.
 */
#include "fuzz.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/redact.h"

static size_t mask_cut(struct buf *text, uint64_t seed)
{
	struct redact r = REDACT_INIT;
	size_t at = 0, masked = 0;

	while (at < text->len) {
		size_t n;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		n = 1 + (seed >> 33) % 40;
		if (n > text->len - at)
			n = text->len - at;
		masked += redact_bytes(&r, text->p + at, n);
		at += n;
	}
	return masked;
}

/* whole: a copy of the input, of its own size. */
static void compare(void *input, struct sv whole)
{
	_cleanup_buf_ struct buf cut = BUF_INIT;
	const struct sv *in = input;
	size_t masked, changed = 0;

	buf_sv(&cut, *in);
	masked = redact_text((char *)whole.p, whole.n);
	mask_cut(&cut, hash64(*in));
	fuzz_assert(masked <= in->n);
	for (size_t i = 0; i < in->n; i++) {
		fuzz_assert(whole.p[i] == in->p[i] || whole.p[i] == '*');
		fuzz_assert(cut.p[i] == in->p[i] || cut.p[i] == '*');
		changed += whole.p[i] != in->p[i];
		if (whole.p[i] == '*' && in->p[i] != '*' && cut.p[i] != '*')
			fuzz_fail("byte %zu is masked in the whole and not in pieces:\n" SV_FMT
				  "\n%s",
				  i, SV_ARG(whole), buf_cstr(&cut));
	}
	fuzz_assert(changed <= masked);
}

static void redact_run(struct sv input)
{
	fuzz_exact(input, compare, &input);
}

const struct fuzz_target fuzz_redact = { "redact", redact_run, NULL };

/* --- planted */

#define SECRET "Zx9Qv7Kw2Lm4Np8Rt6Yb3Hd5Jf1Gc0Sa"
#define TOKEN "sk-proj-" SECRET

static const char *const fields[] = {
	"authorization", "proxy-authorization", "x-api-key",  "api-key",
	"cookie",        "x-goog-api-key",      "set-cookie", "x-amz-security-token",
};

static const char *const members[] = { "api_key",   "apikey",   "access_token",  "authorization",
				       "x-api-key", "password", "client_secret", "private_key" };

static const char *const queries[] = { "key",          "api_key",  "apikey", "api-key",
				       "access_token", "password", "token",  "sig" };

/* What of the fuzzer's bytes can stand in a header field's value, or in a query. */
static void add_plain(struct buf *b, struct sv bytes, bool query)
{
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (query ? isalnum(c) || strchr("-._~%", c) : c >= ' ' && c < 127)
			buf_ch(b, (char)c);
	}
}

static void make_head(struct buf *b, unsigned int which, struct sv before, struct sv after)
{
	buf_str(b, "GET / HTTP/1.1\r\nX-Before: ");
	add_plain(b, before, false);
	buf_fmt(b, "\r\n%s: %s%s\r\nX-After: ", fields[which % ARRAY_SIZE(fields)],
		which & 16 ? "Bearer " : "", SECRET);
	add_plain(b, after, false);
	buf_str(b, "\r\n\r\n");
}

static void make_query(struct buf *b, unsigned int which, struct sv before, struct sv after)
{
	buf_str(b, "GET /p?a=");
	add_plain(b, before, true);
	buf_fmt(b, "&%s=%s&b=", queries[which % ARRAY_SIZE(queries)], SECRET);
	add_plain(b, after, true);
	buf_str(b, " HTTP/1.1\r\n\r\n");
}

/* A JSON text, inside of so many strings of others. */
static void make_json(struct buf *b, unsigned int which, struct sv before, struct sv after)
{
	_cleanup_buf_ struct buf inner = BUF_INIT;

	buf_str(&inner, "{\"a\":");
	json_write_str(&inner, before);
	buf_fmt(&inner, ",\"%s\":\"%s\",\"b\":", members[which % ARRAY_SIZE(members)], SECRET);
	json_write_str(&inner, after);
	buf_ch(&inner, '}');
	for (unsigned int depth = which / 16 % 3; depth; depth--) {
		_cleanup_buf_ struct buf outer = BUF_INIT;

		buf_str(&outer, "{\"text\":");
		json_write_str(&outer, buf_view(&inner));
		buf_ch(&outer, '}');
		buf_clear(&inner);
		buf_sv(&inner, buf_view(&outer));
	}
	buf_sv(b, buf_view(&inner));
}

/* A provider's key as a word of a text. */
static void make_token(struct buf *b, unsigned int which, struct sv before, struct sv after)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	buf_sv(&text, before);
	buf_fmt(&text, " %s ", TOKEN);
	buf_sv(&text, after);
	if (which & 16)
		json_write_str(b, buf_view(&text));
	else
		buf_sv(b, buf_view(&text));
}

static size_t copies(struct sv text)
{
	size_t n = 0;
	long at;

	for (; (at = sv_find(text, SV(SECRET))) >= 0; n++)
		text = sv_sub(text, (size_t)at + 1, SIZE_MAX);
	return n;
}

static void planted_run(struct sv input)
{
	static void (*const make[])(struct buf *, unsigned int, struct sv,
				    struct sv) = { make_head, make_query, make_json, make_token };
	unsigned int how = fuzz_byte(&input), which = fuzz_byte(&input);
	_cleanup_buf_ struct buf text = BUF_INIT, cut = BUF_INIT;
	struct sv before = { NULL, 0 }, after = { NULL, 0 };
	char what;

	fuzz_piece(&input, &what, &before);
	fuzz_piece(&input, &what, &after);
	make[how % ARRAY_SIZE(make)](&text, which, before, after);
	if (copies(buf_view(&text)) > 1) /* the fuzzer has learnt it */
		return;
	buf_sv(&cut, buf_view(&text));
	redact_text(text.p, text.len);
	mask_cut(&cut, hash64(buf_view(&cut)));
	if (sv_has(buf_view(&text), SECRET))
		fuzz_fail("the secret is there: %s", buf_cstr(&text));
	if (sv_has(buf_view(&cut), SECRET))
		fuzz_fail("the secret is there in pieces: %s", buf_cstr(&cut));
}

const struct fuzz_target fuzz_planted = { "planted", planted_run, NULL };
