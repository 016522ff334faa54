// SPDX-License-Identifier: BSD-2-Clause
/*
 * A chain of stages, one for each coding, the one that was applied last in front.  Each stage gives
 * its output to the next while it runs, so no stage holds more than its decoder's window.
 */
#include "proto/decode.h"

#include <brotli/decode.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/cleanup.h"

#define OUT_SIZE (16u << 10) /* on the stack, once a stage */
#define MAGIC_MAX 4
#define RATIO_FREE (1u << 20) /* a stage may give this much whatever its input */
#define ZSTD_WINDOW_LOG 23    /* RFC 9659: no more than 8 MiB for the content coding */
#define ZLIB_RAW (-MAX_WBITS) /* windowBits of inflateInit2() */
#define ZLIB_GZIP (16 + MAX_WBITS)

enum stage_state {
	STAGE_MAGIC, /* the first bytes, which tell whether this is the coding at all, are not all here */
	STAGE_RUN,
	STAGE_END, /* the coding came to its end */
	STAGE_RAW, /* this is not the coding: passed on */
};

struct stage {
	enum coding coding;
	enum stage_state state;
	char magic[MAGIC_MAX];
	size_t magic_len;
	uint64_t given;
	bool opened;
	union {
		z_stream z;
		BrotliDecoderState *br;
		ZSTD_DStream *zstd;
	} u;
};

struct decode {
	decode_fn fn;
	void *ctx;
	uint64_t wire;
	unsigned int stage_cnt;
	struct stage stages[LIMIT_CODINGS];
};

static const struct {
	const char *name;
	enum coding coding;
} coding_names[] = {
	{ "gzip", CODING_GZIP }, { "x-gzip", CODING_GZIP }, { "deflate", CODING_DEFLATE },
	{ "br", CODING_BR },     { "zstd", CODING_ZSTD },
};

void coding_add(struct coding_list *l, struct sv name)
{
	struct sv token = sv_trim(sv_token(&name, ';'));

	if (!token.n || sv_ieq(token, "identity"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(coding_names) && l->cnt < LIMIT_CODINGS; i++) {
		if (sv_ieq(token, coding_names[i].name)) {
			l->coding[l->cnt++] = coding_names[i].coding;
			return;
		}
	}
	l->unknown = true;
}

void codings_add(struct coding_list *l, struct sv names)
{
	while (names.n)
		coding_add(l, sv_trim(sv_token(&names, ',')));
}

static int stage_feed(struct decode *d, unsigned int index, struct sv in);

/* Passes a stage's output on.  Each stage is held against the bytes on the wire: see limits.h. */
static int stage_give(struct decode *d, unsigned int index, struct sv out)
{
	struct stage *st = &d->stages[index];

	if (!out.n)
		return 0;
	st->given += out.n;
	if (st->given > RATIO_FREE && st->given / LIMIT_INFLATE_RATIO > d->wire)
		return -E2BIG;
	if (index + 1 < d->stage_cnt)
		return stage_feed(d, index + 1, out);
	return d->fn(d->ctx, out);
}

/* RFC 1952 2.2: gzip members may follow one another. */
static bool next_member(struct stage *st, struct sv in)
{
	return st->coding == CODING_GZIP && in.p[0] == '\x1f' && inflateReset(&st->u.z) == Z_OK;
}

static int run_zlib(struct decode *d, unsigned int index, struct sv in)
{
	struct stage *st = &d->stages[index];
	z_stream *z = &st->u.z;
	char out[OUT_SIZE];
	int ret, err;

	do {
		/* zlib counts in unsigned int */
		uInt now = in.n > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)in.n;

		z->next_in = (Bytef *)in.p;
		z->avail_in = now;
		z->next_out = (Bytef *)out;
		z->avail_out = OUT_SIZE;
		ret = inflate(z, Z_SYNC_FLUSH);
		in = sv_sub(in, now - z->avail_in, SIZE_MAX);
		err = stage_give(d, index, (struct sv){ out, OUT_SIZE - z->avail_out });
		if (err)
			return err;
		if (ret == Z_STREAM_END) {
			if (!in.n) {
				st->state = STAGE_END;
				return 0;
			}
			if (!next_member(st, in))
				return -EBADMSG;
		} else if (ret == Z_MEM_ERROR) {
			return -ENOMEM;
		} else if (ret != Z_OK && ret != Z_BUF_ERROR) {
			return -EBADMSG;
		}
	} while (in.n || !z->avail_out);
	return 0;
}

static int run_br(struct decode *d, unsigned int index, struct sv in)
{
	struct stage *st = &d->stages[index];
	const uint8_t *p = (const uint8_t *)in.p;
	size_t left = in.n;
	BrotliDecoderResult ret;
	char out[OUT_SIZE];

	do {
		uint8_t *to = (uint8_t *)out;
		size_t room = OUT_SIZE;
		int err;

		ret = BrotliDecoderDecompressStream(st->u.br, &left, &p, &room, &to, NULL);
		err = stage_give(d, index, (struct sv){ out, OUT_SIZE - room });
		if (err)
			return err;
	} while (ret == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	if (ret == BROTLI_DECODER_RESULT_ERROR || left)
		return -EBADMSG;
	if (ret == BROTLI_DECODER_RESULT_SUCCESS)
		st->state = STAGE_END;
	return 0;
}

static int run_zstd(struct decode *d, unsigned int index, struct sv in)
{
	struct stage *st = &d->stages[index];
	ZSTD_inBuffer from = { in.p, in.n, 0 };
	ZSTD_outBuffer to;
	char out[OUT_SIZE];
	size_t ret;

	do {
		int err;

		to = (ZSTD_outBuffer){ out, OUT_SIZE, 0 };
		ret = ZSTD_decompressStream(st->u.zstd, &to, &from);
		err = stage_give(d, index, (struct sv){ out, to.pos });
		if (err)
			return err;
		if (ZSTD_isError(ret))
			return -EBADMSG;
	} while (from.pos < from.size || (ret && to.pos == to.size));
	/* 0: a frame ended just here; another one may follow (RFC 8878 3) */
	st->state = ret ? STAGE_RUN : STAGE_END;
	return 0;
}

static size_t magic_size(enum coding c)
{
	switch (c) {
	case CODING_GZIP:
	case CODING_DEFLATE:
		return 2;
	case CODING_ZSTD:
		return 4;
	case CODING_BR:
		break;
	}
	return 0; /* brotli has none */
}

/* RFC 1950 2.2: method 8, and the first two bytes are a multiple of 31.  Servers send both kinds. */
static bool is_zlib(const unsigned char *m)
{
	return (m[0] & 0x0f) == Z_DEFLATED && (m[0] << 8 | m[1]) % 31 == 0;
}

static bool is_zstd(const unsigned char *m)
{
	uint32_t v = m[0] | m[1] << 8 | m[2] << 16 | (uint32_t)m[3] << 24;

	return v == ZSTD_MAGICNUMBER ||
	       (v & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

static int open_zlib(struct stage *st, int window_bits)
{
	if (inflateInit2(&st->u.z, window_bits) != Z_OK)
		return -ENOMEM;
	st->opened = true;
	return 0;
}

static int open_br(struct stage *st)
{
	st->u.br = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	if (!st->u.br)
		return -ENOMEM;
	st->opened = true;
	return 0;
}

static int open_zstd(struct stage *st)
{
	st->u.zstd = ZSTD_createDStream();
	if (!st->u.zstd)
		return -ENOMEM;
	st->opened = true;
	ZSTD_DCtx_setParameter(st->u.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	return 0;
}

/* The first bytes are here: opens the decoder, or finds that there is nothing to decode. */
static int stage_open(struct stage *st)
{
	const unsigned char *m = (const unsigned char *)st->magic;

	st->state = STAGE_RUN;
	switch (st->coding) {
	case CODING_GZIP:
		if (m[0] == 0x1f && m[1] == 0x8b)
			return open_zlib(st, ZLIB_GZIP);
		break;
	case CODING_DEFLATE:
		return open_zlib(st, is_zlib(m) ? MAX_WBITS : ZLIB_RAW);
	case CODING_BR:
		return open_br(st);
	case CODING_ZSTD:
		if (is_zstd(m))
			return open_zstd(st);
		break;
	}
	st->state = STAGE_RAW;
	return 0;
}

static int stage_run(struct decode *d, unsigned int index, struct sv in)
{
	struct stage *st = &d->stages[index];

	if (!in.n)
		return 0;
	if (st->state == STAGE_RAW)
		return stage_give(d, index, in);
	if (st->coding == CODING_ZSTD)
		return run_zstd(d, index, in);
	if (st->state == STAGE_END && !next_member(st, in))
		return -EBADMSG;
	st->state = STAGE_RUN;
	return st->coding == CODING_BR ? run_br(d, index, in) : run_zlib(d, index, in);
}

/* Calls itself through stage_give(), at most LIMIT_CODINGS deep. */
static int stage_feed(struct decode *d, unsigned int index, struct sv in)
{
	struct stage *st = &d->stages[index];

	if (st->state == STAGE_MAGIC) {
		struct sv head = sv_sub(in, 0, magic_size(st->coding) - st->magic_len);
		int err;

		if (head.n)
			memcpy(st->magic + st->magic_len, head.p, head.n);
		st->magic_len += head.n;
		in = sv_sub(in, head.n, SIZE_MAX);
		if (st->magic_len < magic_size(st->coding))
			return 0;
		err = stage_open(st);
		if (!err)
			err = stage_run(d, index, (struct sv){ st->magic, st->magic_len });
		if (err)
			return err;
	}
	return stage_run(d, index, in);
}

static void stage_fini(struct stage *st)
{
	if (!st->opened)
		return;
	if (st->coding == CODING_BR)
		BrotliDecoderDestroyInstance(st->u.br);
	else if (st->coding == CODING_ZSTD)
		ZSTD_freeDStream(st->u.zstd);
	else
		inflateEnd(&st->u.z);
}

int decode_new(struct decode **out, const struct coding_list *codings, decode_fn fn, void *ctx)
{
	struct decode *d;

	if (codings->unknown || !codings->cnt)
		return -ENOTSUP;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->fn = fn;
	d->ctx = ctx;
	d->stage_cnt = codings->cnt;
	for (unsigned int i = 0; i < codings->cnt; i++)
		d->stages[i].coding = codings->coding[codings->cnt - 1 - i];
	*out = d;
	return 0;
}

void decode_free(struct decode **d)
{
	if (!*d)
		return;
	for (unsigned int i = 0; i < (*d)->stage_cnt; i++)
		stage_fini(&(*d)->stages[i]);
	free(*d);
	*d = NULL;
}

int decode_feed(struct decode *d, struct sv bytes)
{
	d->wire += bytes.n;
	return bytes.n ? stage_feed(d, 0, bytes) : 0;
}

int decode_end(struct decode *d)
{
	bool ended = true;

	if (!d->wire)
		return 0;
	for (unsigned int i = 0; i < d->stage_cnt; i++) {
		struct stage *st = &d->stages[i];

		/* too short to be the coding */
		if (st->state == STAGE_MAGIC && st->magic_len) {
			int err;

			st->state = STAGE_RAW;
			err = stage_give(d, i, (struct sv){ st->magic, st->magic_len });
			if (err)
				return err;
		}
		ended &= st->state != STAGE_RUN;
	}
	return ended ? 0 : -EBADMSG;
}

bool decode_is_raw(const struct decode *d)
{
	for (unsigned int i = 0; i < d->stage_cnt; i++) {
		if (d->stages[i].state == STAGE_RAW)
			return true;
	}
	return false;
}
