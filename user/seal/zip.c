// SPDX-License-Identifier: BSD-2-Clause
/*
 * What stands around a deflate stream: gzip's header and trailer (RFC 1952 2.3), zlib's (RFC 1950 2.2), or
 * nothing.  The check value of what was changed is made anew.  As decode.c has it, a body that does not begin
 * like gzip is given as it is, which here is for text alone; and the coding "deflate" is either kind.
 */
#include <stdlib.h>
#include <string.h>

#include "seal/seal_int.h"

#define GZIP_HEAD 10
#define GZIP_TRAILER 8
#define ZLIB_TRAILER 4
#define DICT 0x20 /* RFC 1950, FLG: a dictionary that nobody can know */

enum gzip_flag { GZIP_CRC = 2, GZIP_EXTRA = 4, GZIP_NAME = 8, GZIP_COMMENT = 16 };

enum zip_state {
	AT_HEAD,
	AT_EXTRA_LEN,
	AT_EXTRA,
	AT_NAME,
	AT_COMMENT,
	AT_CRC,
	IN_STREAM,
	AT_TRAILER,
	BEHIND,
	AS_TEXT,
	BROKEN,
};

struct seal_zip {
	bool gzip;
	enum zip_state state;
	unsigned char head[GZIP_HEAD];
	uint32_t at;   /* bytes of this state that are done with */
	uint32_t left; /* of the extra field */
	unsigned int members;
	struct redact redact; /* of what is no coding */
	struct seal_inflate *stream;
};

struct seal_zip *seal_zip_new(struct seal_work *w, bool gzip)
{
	struct seal_zip *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->gzip = gzip;
	z->stream = seal_inflate_new(w, gzip ? CHECK_CRC32 : CHECK_ADLER32);
	if (!z->stream) {
		free(z);
		return NULL;
	}
	return z;
}

void seal_zip_free(struct seal_work *w, struct seal_zip **z)
{
	if (!*z)
		return;
	seal_inflate_free(w, &(*z)->stream);
	free(*z);
	*z = NULL;
}

void seal_zip_break(struct seal_zip *z)
{
	z->state = z->state == AS_TEXT ? AS_TEXT : BROKEN;
}

static void go(struct seal_zip *z, enum zip_state state)
{
	z->state = state;
	z->at = 0;
}

/* The next part of the header that there is. */
static void next_part(struct seal_zip *z, enum zip_state done)
{
	static const struct {
		enum zip_state state;
		unsigned char flag;
	} parts[] = { { AT_EXTRA_LEN, GZIP_EXTRA },
		      { AT_NAME, GZIP_NAME },
		      { AT_COMMENT, GZIP_COMMENT },
		      { AT_CRC, GZIP_CRC } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].state > done && z->head[3] & parts[i].flag) {
			go(z, parts[i].state);
			return;
		}
	go(z, IN_STREAM);
}

/* Where zlib's two bytes are none, they are of the stream, and may have been written before. */
static void raw(struct seal_work *w, struct seal_zip *z, char *p, size_t n)
{
	enum seal_zstate state;
	char first = (char)z->head[0];

	z->stream->check = CHECK_NONE;
	z->state = IN_STREAM;
	if (n == 2) {
		seal_inflate_feed(w, z->stream, p, 2, &state);
	} else {
		seal_inflate_feed(w, z->stream, &first, 1, &state);
		if (state == ZIP_MORE)
			seal_inflate_feed(w, z->stream, p, 1, &state);
	}
	if (state == ZIP_END)
		z->state = BEHIND;
}

/* One byte of the header, at p; of those of the same piece `before` are in front of it. */
static void head_byte(struct seal_work *w, struct seal_zip *z, char *p, size_t before)
{
	z->head[z->at++] = (unsigned char)*p;
	if (z->gzip) {
		bool magic = z->head[0] == 0x1f && (z->at < 2 || z->head[1] == 0x8b);

		if (!magic)
			z->state = z->members ? BROKEN : AS_TEXT;
		else if (z->at == 3 && z->head[2] != 8)
			z->state = BROKEN;
		else if (z->at == GZIP_HEAD)
			next_part(z, AT_HEAD);
	} else if (z->at == 2) {
		if ((z->head[0] & 15) != 8 || (z->head[0] << 8 | z->head[1]) % 31)
			raw(w, z, p - (before ? 1 : 0), before ? 2 : 1);
		else
			go(z, z->head[1] & DICT ? BROKEN : IN_STREAM);
	}
}

static size_t skip_extra(struct seal_zip *z, size_t n)
{
	size_t now = n < z->left - z->at ? n : z->left - z->at;

	z->at += (uint32_t)now;
	if (z->at == z->left)
		next_part(z, AT_EXTRA);
	return now;
}

static void part_byte(struct seal_zip *z, unsigned char c)
{
	z->at++;
	if (z->state == AT_EXTRA_LEN) {
		z->left = z->at == 1 ? c : z->left | (uint32_t)c << 8;
		if (z->at == 2)
			go(z, AT_EXTRA);
		if (z->state == AT_EXTRA && !z->left)
			next_part(z, AT_EXTRA);
	} else if (z->state == AT_CRC) {
		if (z->at == 2)
			go(z, IN_STREAM);
	} else if (!c) {
		next_part(z, z->state);
	}
}

static void trailer_byte(struct seal_zip *z, char *p)
{
	unsigned int at = z->at++, shift = z->gzip ? 8 * at : 24 - 8 * at;

	if (at < 4 && z->stream->altered)
		*p = (char)(z->stream->sum >> shift);
	if (z->at == (z->gzip ? GZIP_TRAILER : ZLIB_TRAILER))
		go(z, BEHIND);
}

static size_t take_stream(struct seal_work *w, struct seal_zip *z, char *p, size_t n)
{
	enum seal_zstate state;
	size_t taken = seal_inflate_feed(w, z->stream, p, n, &state);

	if (state == ZIP_END)
		go(z, z->stream->check == CHECK_NONE ? BEHIND : AT_TRAILER);
	return taken;
}

/* 2.2: members may follow one another. */
static void member(struct seal_zip *z, char c)
{
	if (!z->gzip || c != 0x1f) {
		z->state = BROKEN;
		return;
	}
	z->members++;
	seal_inflate_next(z->stream);
	go(z, AT_HEAD);
}

static size_t take(struct seal_work *w, struct seal_zip *z, char *p, size_t n, size_t before)
{
	switch (z->state) {
	case AT_HEAD:
		head_byte(w, z, p, before);
		return z->state == AS_TEXT ? 0 : 1;
	case AT_EXTRA:
		return skip_extra(z, n);
	case AT_EXTRA_LEN:
	case AT_NAME:
	case AT_COMMENT:
	case AT_CRC:
		part_byte(z, (unsigned char)*p);
		return 1;
	case IN_STREAM:
		return take_stream(w, z, p, n);
	case AT_TRAILER:
		trailer_byte(z, p);
		return 1;
	case BEHIND:
		member(z, *p);
		return 0;
	case AS_TEXT:
		if (seal_is_binary((struct sv){ p, n }))
			break;
		seal_text(w, &z->redact, p, n);
		seal_events_feed(w, &z->stream->events, p, n, false);
		return n;
	case BROKEN:
		break;
	}
	seal_blank(w, p, n);
	return n;
}

void seal_zip_feed(struct seal_work *w, struct seal_zip *z, char *p, size_t n)
{
	size_t at = 0;

	while (at < n)
		at += take(w, z, p + at, n - at, at);
}
