/* SPDX-License-Identifier: BSD-2-Clause */
/* Deflated texts for tests: zlib writes them, and reads them again. */
#ifndef RINGSPAN_TEST_ZIP_H
#define RINGSPAN_TEST_ZIP_H

#include <stdbool.h>
#include <zlib.h>

#include "base/buf.h"

#define ZIP_RAW (-15) /* window bits as of deflateInit2() */
#define ZIP_ZLIB 15
#define ZIP_GZIP 31

struct zip_how {
	int bits, level, strategy;
	int flush;    /* behind each piece but the last */
	size_t piece; /* bytes; 0: all in one */
};

/* False: there is no memory. */
static inline bool zip_pack(struct buf *out, struct sv text, const struct zip_how *how)
{
	z_stream z = { 0 };

	if (deflateInit2(&z, how->level, Z_DEFLATED, how->bits, 8, how->strategy) != Z_OK)
		return false;
	do {
		struct sv now = sv_sub(text, 0, how->piece ? how->piece : SIZE_MAX);

		text = sv_sub(text, now.n, SIZE_MAX);
		z.next_in = (Bytef *)now.p;
		z.avail_in = (uInt)now.n;
		do {
			char some[8192];

			z.next_out = (Bytef *)some;
			z.avail_out = sizeof(some);
			deflate(&z, text.n ? how->flush : Z_FINISH);
			buf_add(out, some, sizeof(some) - z.avail_out);
		} while (!z.avail_out);
	} while (text.n);
	deflateEnd(&z);
	return !out->err;
}

static inline bool zip_pack_all(struct buf *out, struct sv text, int bits)
{
	return zip_pack(out, text,
			&(struct zip_how){ bits, Z_DEFAULT_COMPRESSION, Z_DEFAULT_STRATEGY, 0, 0 });
}

/* True: to its end, with the right check value, and nothing is behind it. */
static inline bool zip_unpack(struct buf *out, struct sv bytes, int bits)
{
	z_stream z = { .next_in = (Bytef *)bytes.p, .avail_in = (uInt)bytes.n };
	int ret;

	if (inflateInit2(&z, bits) != Z_OK)
		return false;
	do {
		char some[8192];

		z.next_out = (Bytef *)some;
		z.avail_out = sizeof(some);
		ret = inflate(&z, Z_NO_FLUSH);
		buf_add(out, some, sizeof(some) - z.avail_out);
	} while (ret == Z_OK);
	inflateEnd(&z);
	return ret == Z_STREAM_END && !z.avail_in;
}

#endif
