// SPDX-License-Identifier: BSD-2-Clause
/*
 * Secrets in bodies that are deflated: zlib reads what is left of them, and it is what was sent but for
 * what is masked.
 */
#include "../zip.h"
#include "seal_test.h"

#define SECRET_LEN 32
/* letters that are in nothing else: no part of such a secret is a copy of what is none */
#define OWN "BCDEFGHIJKLMNOPRTUVWXYZ_"
#define ANY "abcdefghijklmnopqrstuvwxyz0123456789"

static void put_head(struct buf *b, int bits, size_t len)
{
	buf_fmt(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: %s\r\n",
		bits == ZIP_GZIP ? "gzip" : "deflate");
	if (len)
		buf_fmt(b, "Content-Length: %zu\r\n\r\n", len);
	else
		buf_str(b, "Transfer-Encoding: chunked\r\n\r\n");
}

/* Chunks of random sizes. */
static void put_chunks(struct buf *b, struct sv body, uint64_t *seed)
{
	while (body.n) {
		struct sv now = sv_sub(body, 0, 1 + rnd_below(seed, 900));

		put_chunk(b, now);
		body = sv_sub(body, now.n, SIZE_MAX);
	}
	buf_str(b, "0\r\n\r\n");
}

static struct buf planted; /* all secrets of a text */

static void put_secret(struct buf *b, const char *letters, uint64_t *seed)
{
	for (int i = 0; i < SECRET_LEN; i++)
		buf_ch(b, letters[rnd_below(seed, strlen(letters))]);
	buf_add(&planted, b->p + b->len - SECRET_LEN, SECRET_LEN);
}

/* Not a half of any. */
static void assert_none_planted(struct sv text)
{
	for (size_t at = 0; at < planted.len; at += SECRET_LEN / 2)
		assert_true(sv_find(text, sv_sub(buf_view(&planted), at, SECRET_LEN / 2)) < 0);
	assert_no_token(text);
}

/* What becomes of a text; false: it was cut short, and nothing of a secret is in what is left. */
static bool seal_packed(struct sv text, const struct zip_how *how, bool chunked, uint64_t *seed,
			size_t max, bool exact)
{
	_cleanup_buf_ struct buf packed = BUF_INIT, sent = BUF_INIT, body = BUF_INIT,
				 now = BUF_INIT;
	struct wire w;
	size_t head;
	bool whole;

	wire_init(&w);
	assert_true(zip_pack(&packed, text, how));
	put_head(&sent, how->bits, chunked ? 0 : packed.len);
	head = sent.len;
	if (chunked)
		put_chunks(&sent, buf_view(&packed), seed);
	else
		buf_sv(&sent, buf_view(&packed));
	/* another one behind it: it was read to its end */
	buf_str(&sent, "HTTP/1.1 204 No Content\r\n\r\n");
	wire_cut(&w, EV_READ, buf_view(&sent), seed, max);
	assert_int_equal(w.out[EV_READ].len, sent.len);
	assert_memory_equal(w.out[EV_READ].p, sent.p, head);
	if (chunked)
		take_chunks(&body, sv_sub(buf_view(&w.out[EV_READ]), head, SIZE_MAX));
	else
		buf_sv(&body, sv_sub(buf_view(&w.out[EV_READ]), head, packed.len));
	whole = zip_unpack(&now, buf_view(&body), how->bits);
	assert_none_planted(buf_view(&now));
	assert_int_equal(whole, seal_lost(w.seal) == 0);
	assert_true(whole ? now.len == text.n : now.len <= text.n);
	if (exact)
		assert_same_redacted(buf_view(&now), sv_sub(text, 0, now.len));
	wire_fini(&w);
	return whole;
}

/* Words, and now and then a secret, which may have been there before. */
static void make_text(struct buf *b, uint64_t *seed, size_t cnt, const char *letters)
{
	static const char *const words[] = { "the",      "model",  "answers", "with",    "content",
					     "tool",     "call",   "\\n",     "index",   "and",
					     "a choice", "system", "user",    "function" };

	buf_str(b, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
	for (size_t i = 0; i < cnt; i++) {
		switch (rnd_below(seed, 40)) {
		case 0:
			buf_str(b, " " TOKEN " ");
			break;
		case 1:
			buf_str(b, "\"},{\"password\":\"");
			put_secret(b, letters, seed);
			buf_str(b, "\",\"content\":\"");
			break;
		case 2:
			buf_str(b, " sk-ant-api03-");
			put_secret(b, letters, seed);
			buf_ch(b, ' ');
			break;
		case 3:
			buf_fmt(b, " %llu ", (unsigned long long)rnd(seed));
			break;
		default:
			buf_fmt(b, "%s ", words[rnd_below(seed, ARRAY_SIZE(words))]);
			break;
		}
	}
	buf_str(b, "\"}]}");
}

/* How many of cnt bodies were cut short. */
static size_t many(size_t cnt, const char *letters)
{
	static const int bits[] = { ZIP_RAW, ZIP_ZLIB, ZIP_GZIP };
	static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
					  Z_FIXED };
	size_t cut = 0;

	for (size_t i = 1; i <= cnt; i++) {
		_cleanup_buf_ struct buf text = BUF_INIT;
		uint64_t seed = i * 0x9e3779b97f4a7c15u;
		struct zip_how how = {
			.bits = bits[rnd_below(&seed, ARRAY_SIZE(bits))],
			.level = (int)rnd_below(&seed, 10),
			.strategy = strategies[rnd_below(&seed, ARRAY_SIZE(strategies))],
			.flush = Z_SYNC_FLUSH,
			.piece = rnd_below(&seed, 3) ? 0 : 1 + rnd_below(&seed, 3000),
		};
		size_t max = rnd_below(&seed, 4) ? 16384 : 1 + rnd_below(&seed, 300);

		buf_clear(&planted);
		make_text(&text, &seed, 1 + rnd_below(&seed, i % 20 ? 400 : 20000), letters);
		cut += !seal_packed(buf_view(&text), &how, rnd_below(&seed, 2), &seed, max,
				    max > 1000 && sv_is(sv(letters), OWN));
	}
	buf_fini(&planted);
	print_message("%zu of %zu bodies were cut short\n", cut, cnt);
	return cut;
}

static void at_random(void **state)
{
	(void)state;
	assert_true(many(600, OWN) < 12); /* where pieces of a few bytes cut codes */
}

/* Three letters of a secret may be a copy of such letters elsewhere. */
static void with_common_letters(void **state)
{
	(void)state;
	assert_true(many(300, ANY) < 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(at_random),
					    cmocka_unit_test(with_common_letters) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
