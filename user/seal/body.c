// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bodies, without their framing, by how they are coded.  Brotli cannot be rewritten: it is decoded as it comes,
 * and ends where it would say a secret.  A block of zstd says nothing before its end, when most of it may be
 * written already, so that is kept only where it comes as a whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "seal/seal_int.h"

#define GZIP_FIRST 0x1f

void seal_blank(struct seal_work *w, char *p, size_t n)
{
	memset(p, 0, n);
	w->lost += n;
}

/* Length of a sequence by its first byte, RFC 3629; 0: none begins so. */
static size_t utf8_len(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

bool seal_is_binary(struct sv bytes)
{
	size_t i = 0;

	while (i < bytes.n && i < 3 && ((unsigned char)bytes.p[i] & 0xc0) == 0x80)
		i++;
	while (i < bytes.n) {
		unsigned char c = (unsigned char)bytes.p[i];
		size_t len = utf8_len(c);

		if (!len || (c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f') ||
		    c == 0x7f)
			return true;
		for (size_t k = 1; k < len && i + k < bytes.n; k++)
			if (((unsigned char)bytes.p[i + k] & 0xc0) != 0x80)
				return true;
		i += len;
	}
	return false;
}

void seal_text(struct seal_work *w, struct redact *r, char *p, size_t n)
{
	while (n) {
		size_t now = n < sizeof(w->text) ? n : sizeof(w->text), end = now;

		memcpy(w->text, p, now);
		/* masked before a cut: its word goes on, and so must the mask */
		while (end && p[end - 1] == '*')
			w->text[--end] = 'x';
		redact_bytes(r, w->text, now);
		for (size_t i = 0; i < now; i++)
			if (w->text[i] == '*')
				p[i] = '*';
		p += now;
		n -= now;
	}
}

enum seal_coding seal_coding_of(const struct coding_list *l)
{
	if (l->unknown || l->cnt > 1)
		return SEAL_GUESS;
	if (!l->cnt)
		return SEAL_PLAIN;
	switch (l->coding[0]) {
	case CODING_GZIP:
		return SEAL_GZIP;
	case CODING_DEFLATE:
		return SEAL_DEFLATE;
	case CODING_BR:
		return SEAL_BR;
	case CODING_ZSTD:
		break;
	}
	return SEAL_ZSTD;
}

/* --- what cannot be rewritten */

/* A decode_fn. */
static int look(void *ctx, struct sv bytes)
{
	struct seal_looker *l = ctx;

	l->b->decoded += bytes.n;
	if (l->b->decoded > LIMIT_BODY) /* nor does anybody else decode more */
		return -EFBIG;
	while (bytes.n) {
		struct sv now = sv_sub(bytes, 0, sizeof(l->w->text));

		memcpy(l->w->text, now.p, now.n);
		redact_bytes(&l->b->redact, l->w->text, now.n);
		seal_events_feed(l->w, &l->b->events, l->w->text, now.n, false);
		seal_joined_flush(l->w);
		l->b->found |= memcmp(l->w->text, now.p, now.n) != 0;
		bytes = sv_sub(bytes, now.n, SIZE_MAX);
	}
	return 0;
}

static void feed_decode(struct seal_work *w, struct seal_body *b, char *p, size_t n)
{
	static const struct coding_list codings[] = {
		{ .coding = { CODING_BR }, .cnt = 1 },
		{ .coding = { CODING_ZSTD }, .cnt = 1 },
	};
	int err = 0;

	b->looker = (struct seal_looker){ w, b };
	if (!b->decode)
		err = decode_new(&b->decode, &codings[b->whole], look, &b->looker);
	if (!err)
		err = decode_feed(b->decode, (struct sv){ p, n });
	if (!err && b->whole)
		err = decode_end(b->decode);
	if (!err && !b->found && !(b->whole && decode_is_raw(b->decode)))
		return;
	decode_free(&b->decode);
	b->kind = KIND_BLANK;
	seal_blank(w, p, n);
}

/* --- bodies */

static void open_zip(struct seal_work *w, struct seal_body *b, bool gzip)
{
	b->zip = seal_zip_new(w, gzip);
	b->kind = b->zip ? KIND_ZIP : KIND_BLANK;
}

void seal_body_open(struct seal_work *w, struct seal_body *b, enum seal_coding coding)
{
	static const enum seal_kind kinds[] = {
		[SEAL_PLAIN] = KIND_TEXT, [SEAL_GZIP] = KIND_ZIP,    [SEAL_DEFLATE] = KIND_ZIP,
		[SEAL_BR] = KIND_DECODE,  [SEAL_ZSTD] = KIND_DECODE, [SEAL_GUESS] = KIND_GUESS,
	};

	seal_body_fini(w, b);
	b->kind = kinds[coding];
	b->whole = coding == SEAL_ZSTD;
	if (b->kind == KIND_ZIP)
		open_zip(w, b, coding == SEAL_GZIP);
}

void seal_body_fini(struct seal_work *w, struct seal_body *b)
{
	if (b->inner)
		seal_body_fini(w, b->inner);
	free(b->inner);
	seal_zip_free(w, &b->zip);
	seal_events_fini(w, &b->events);
	decode_free(&b->decode);
	memset(b, 0, sizeof(*b));
}

/* As http2_stream.c guesses: no text begins like gzip. */
static void feed_guess(struct seal_work *w, struct seal_body *b, char *p, size_t n)
{
	if (!b->begun && p[0] == GZIP_FIRST) {
		open_zip(w, b, true);
		seal_body_feed(w, b, p, n);
		return;
	}
	if (seal_is_binary((struct sv){ p, n })) {
		b->kind = KIND_BLANK;
		seal_blank(w, p, n);
		return;
	}
	seal_text(w, &b->redact, p, n);
	seal_events_feed(w, &b->events, p, n, false);
	b->begun = true;
}

static void feed_coded(struct seal_work *w, struct seal_body *b, char *p, size_t n)
{
	switch (b->kind) {
	case KIND_TEXT:
		seal_text(w, &b->redact, p, n);
		seal_events_feed(w, &b->events, p, n, false);
		break;
	case KIND_MASKED:
		seal_events_feed(w, &b->events, p, n, false);
		break;
	case KIND_GUESS:
		feed_guess(w, b, p, n);
		break;
	case KIND_ZIP:
		seal_zip_feed(w, b->zip, p, n);
		break;
	case KIND_DECODE:
		feed_decode(w, b, p, n);
		break;
	case KIND_BLANK:
		seal_blank(w, p, n);
		break;
	}
}

/* --- gRPC over HTTP/2, "Length-Prefixed-Message" */

void seal_body_grpc(struct seal_body *b, enum seal_coding coding)
{
	b->grpc = true;
	b->message = coding;
}

static void close_message(struct seal_work *w, struct seal_body *b)
{
	b->head_len = 0;
	if (!b->inner)
		return;
	seal_body_fini(w, b->inner);
	free(b->inner);
	b->inner = NULL;
}

static void open_message(struct seal_work *w, struct seal_body *b)
{
	b->left = (uint32_t)b->head[1] << 24 | (uint32_t)b->head[2] << 16 |
		  (uint32_t)b->head[3] << 8 | b->head[4];
	if (b->head[0] & 1) {
		b->inner = calloc(1, sizeof(*b->inner));
		if (!b->inner)
			b->kind = KIND_BLANK;
		else /* compressed in a way that was not told */
			seal_body_open(w, b->inner,
				       b->message == SEAL_PLAIN ? SEAL_GUESS : b->message);
	}
	if (!b->left)
		close_message(w, b);
}

static void feed_grpc(struct seal_work *w, struct seal_body *b, char *p, size_t n)
{
	while (n && b->kind != KIND_BLANK) {
		size_t now = 1;

		if (b->head_len < sizeof(b->head)) {
			b->head[b->head_len++] = (unsigned char)*p;
			if (b->head_len == sizeof(b->head))
				open_message(w, b);
		} else {
			now = n < b->left ? n : b->left;
			if (b->inner)
				seal_body_feed(w, b->inner, p, now);
			else
				seal_text(w, &b->redact, p, now);
			b->left -= (uint32_t)now;
			if (!b->left)
				close_message(w, b);
		}
		p += now;
		n -= now;
	}
	if (n)
		seal_blank(w, p, n);
}

void seal_body_feed(struct seal_work *w, struct seal_body *b, char *p, size_t n)
{
	if (b->grpc && b->kind != KIND_BLANK)
		feed_grpc(w, b, p, n);
	else if (n)
		feed_coded(w, b, p, n);
}

void seal_body_hole(struct seal_work *w, struct seal_body *b)
{
	if (b->kind == KIND_ZIP)
		seal_zip_break(b->zip);
	else if (b->kind == KIND_DECODE || (b->grpc && b->message != SEAL_PLAIN))
		b->kind = KIND_BLANK;
	decode_free(&b->decode);
	seal_events_hole(&b->events);
	(void)w;
}
