// SPDX-License-Identifier: BSD-2-Clause
/*
 * seal: any records of any connection, in any order; their sizes and fields stay as they are, and nothing is
 * read or written outside of them.  Pieces: '>' and '<' bytes of that direction, behind what came before;
 * '-' and '_' a hole of as many bytes as the text has; '|' as '>', but one byte each record; '+' and '?' bytes
 * at the position that the first two bytes say, of one or the other direction.  The first byte is the source.
 *
 * packed: a secret in a text of the fuzzer's is deflated, recorded in pieces and read again by zlib: nothing of
 * the secret is left, and what is read is as long as what was sent, or was cut short and counted.
 *
 * streamed: a secret is said a few letters an event, with the fuzzer's texts in, before and behind the events,
 * recorded in pieces: no four letters of it are left where they were.
 */
#include "../zip.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/redact.h"
#include "event/event.h"
#include "seal/seal.h"

#define BYTES_MAX 16384
#define SECRET "Zx9Qv7Kw2Lm4Np8Rt6Yb3Hd5Jf1Gc0Sa"

struct feeder {
	struct seal *seal;
	uint64_t pos[2];
	uint8_t src;
	struct buf *out;
};

/* One record, in memory of its own size. */
static void record(struct feeder *f, enum ev_dir dir, uint64_t pos, struct sv bytes)
{
	struct ev_data d = { .hdr = { .kind = EV_DATA, .tgid = 1 },
			     .conn = 1,
			     .pos = pos,
			     .dir = dir,
			     .src = f->src };
	char *rec;

	bytes = sv_sub(bytes, 0, BYTES_MAX);
	d.len = (uint32_t)bytes.n;
	d.hdr.size = (uint32_t)(sizeof(d) + bytes.n);
	rec = malloc(d.hdr.size);
	if (!rec)
		fuzz_fail("out of memory");
	memcpy(rec, &d, sizeof(d));
	if (bytes.n)
		memcpy(rec + sizeof(d), bytes.p, bytes.n);
	seal_record(f->seal, (struct ev_hdr *)(void *)rec);
	fuzz_assert(!memcmp(rec, &d, sizeof(d)));
	if (f->out)
		buf_add(f->out, rec + sizeof(d), bytes.n);
	free(rec);
}

static void next(struct feeder *f, enum ev_dir dir, struct sv bytes)
{
	record(f, dir, f->pos[dir], bytes);
	f->pos[dir] += bytes.n < BYTES_MAX ? bytes.n : BYTES_MAX;
}

static void take(struct feeder *f, char what, struct sv piece)
{
	enum ev_dir dir = what == '<' || what == '_' || what == '?' ? EV_READ : EV_WRITE;
	uint64_t pos;

	switch (what) {
	case '-':
	case '_':
		f->pos[dir] += piece.n;
		break;
	case '|':
		for (size_t i = 0; i < piece.n; i++)
			next(f, dir, sv_sub(piece, i, 1));
		break;
	case '+':
	case '?':
		pos = fuzz_byte(&piece);
		pos |= (uint64_t)fuzz_byte(&piece) << 8;
		record(f, dir, pos, piece);
		break;
	default:
		next(f, dir, piece);
		break;
	}
}

static void seal_run(struct sv input)
{
	struct feeder f = { .src = (uint8_t)(fuzz_byte(&input) % (EV_SRC_STDERR + 1)) };
	struct sv piece;
	char what;

	if (seal_new(&f.seal))
		fuzz_fail("out of memory");
	while (fuzz_piece(&input, &what, &piece))
		take(&f, what, piece);
	seal_free(&f.seal);
}

const struct fuzz_target fuzz_seal = { "seal", seal_run, NULL };

/* --- packed */

/* A part of what is in the text anyway may be in the secret. */
static bool is_in(struct sv text, size_t *halves)
{
	*halves = 0;
	for (size_t at = 0; at < sizeof(SECRET) - 1; at += 16) {
		struct sv half = { &SECRET[at], 16 };

		*halves += sv_find(text, half) >= 0;
	}
	return *halves > 0;
}

static void packed_run(struct sv input)
{
	static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
					  Z_FIXED };
	_cleanup_buf_ struct buf text = BUF_INIT, body = BUF_INIT, out = BUF_INIT, now = BUF_INIT,
				 head = BUF_INIT;
	unsigned int how = fuzz_byte(&input), step = 1 + fuzz_byte(&input) * 8;
	struct feeder f = { .src = EV_SRC_OPENSSL, .out = &out };
	struct sv before = { NULL, 0 }, after = { NULL, 0 }, rest;
	size_t halves;
	char what;

	fuzz_piece(&input, &what, &before);
	fuzz_piece(&input, &what, &after);
	if (is_in(before, &halves) || is_in(after, &halves)) /* the fuzzer has learnt it */
		return;
	buf_sv(&text, before);
	buf_str(&text, "\n{\"password\":\"" SECRET "\"} sk-proj-" SECRET "\n");
	buf_sv(&text, after);
	redact_text(text.p, text.len);
	if (is_in(buf_view(&text), &halves)) /* what is before it makes it something else */
		return;
	buf_clear(&text);
	buf_sv(&text, before);
	buf_str(&text, "\n{\"password\":\"" SECRET "\"} sk-proj-" SECRET "\n");
	buf_sv(&text, after);
	if (!zip_pack(&body, buf_view(&text),
		      &(struct zip_how){
			      ZIP_GZIP, how % 10, strategies[how / 10 % ARRAY_SIZE(strategies)],
			      how & 64 ? Z_FULL_FLUSH : Z_NO_FLUSH, (text.len + 1) / 2 }))
		fuzz_fail("out of memory");
	if (seal_new(&f.seal))
		fuzz_fail("out of memory");
	buf_fmt(&head, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		body.len);
	next(&f, EV_READ, buf_view(&head));
	buf_clear(&out);
	for (rest = buf_view(&body); rest.n; rest = sv_sub(rest, step, SIZE_MAX))
		next(&f, EV_READ, sv_sub(rest, 0, step));
	if (!zip_unpack(&now, buf_view(&out), ZIP_GZIP))
		fuzz_assert(seal_lost(f.seal));
	else
		fuzz_assert(now.len == text.len);
	if (is_in(buf_view(&now), &halves))
		fuzz_fail("%zu halves are there: %s", halves, buf_cstr(&now));
	seal_free(&f.seal);
}

const struct fuzz_target fuzz_packed = { "packed", packed_run, NULL };

/* --- streamed */

#define SAID " sk-proj-" SECRET

static void streamed_run(struct sv input)
{
	_cleanup_buf_ struct buf text = BUF_INIT, out = BUF_INIT;
	size_t letters = 1 + fuzz_byte(&input) % 12, step = 1 + fuzz_byte(&input) * 4, cnt = 0;
	struct feeder f = { .src = EV_SRC_OPENSSL, .out = &out };
	size_t at[sizeof(SAID)], left = 0;
	struct sv before = { NULL, 0 }, beside = { NULL, 0 }, behind = { NULL, 0 }, rest;
	char what;

	fuzz_piece(&input, &what, &before);
	fuzz_piece(&input, &what, &beside);
	fuzz_piece(&input, &what, &behind);
	buf_fmt(&text, "HTTP/1.1 200 OK\r\n\r\ndata: {\"other\":\"");
	for (size_t i = 0; i < before.n; i++) /* a text of another place */
		buf_fmt(&text, "\\u%04x", (unsigned char)before.p[i]);
	buf_str(&text, "\"}\n\n");
	for (rest = SV(SAID); rest.n; rest = sv_sub(rest, letters, SIZE_MAX)) {
		struct sv now = sv_sub(rest, 0, letters);

		buf_str(&text, "data: {\"delta\":{\"text\":\"");
		for (size_t i = 0; i < now.n; i++)
			at[cnt++] = text.len + i;
		buf_sv(&text, now);
		buf_str(&text, "\"}}\n\ndata: ");
		for (size_t i = 0; i < beside.n; i++) /* what is no event of its own */
			buf_ch(&text, strchr("\"\r\n", beside.p[i]) ? ' ' : beside.p[i]);
		buf_str(&text, "\n\n");
	}
	buf_sv(&text, behind);
	if (seal_new(&f.seal))
		fuzz_fail("out of memory");
	for (rest = buf_view(&text); rest.n; rest = sv_sub(rest, step, SIZE_MAX))
		next(&f, EV_READ, sv_sub(rest, 0, step));
	fuzz_assert(out.len == text.len);
	for (size_t i = sizeof(" sk-proj-") - 1; i < cnt; i++) {
		left = out.p[at[i]] == SAID[i] ? left + 1 : 0;
		fuzz_assert(left < 4);
	}
	seal_free(&f.seal);
}

const struct fuzz_target fuzz_streamed = { "streamed", streamed_run, NULL };
