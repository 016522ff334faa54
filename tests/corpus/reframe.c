// SPDX-License-Identifier: BSD-2-Clause
/* Another framing of the same answer: see reframe.h. */
#include "reframe.h"

#include <string.h>

#include "../zip.h"

#define CHUNK_MAX 8192

/* Header lines but for those that tell how the body is framed. */
static void put_head(struct buf *out, struct sv head)
{
	while (head.n) {
		struct sv line = sv_token(&head, '\n');

		if (sv_istarts(line, "content-length:") || !line.n || line.p[0] == '\r')
			continue;
		buf_sv(out, line);
		buf_ch(out, '\n');
	}
}

static void put_chunks(struct buf *out, struct sv body, uint64_t seed)
{
	while (body.n) {
		size_t n;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull; /* Knuth, MMIX */
		n = 1 + (seed >> 33) % CHUNK_MAX;
		n = n < body.n ? n : body.n;
		buf_fmt(out, "%zx\r\n", n);
		buf_sv(out, sv_sub(body, 0, n));
		buf_str(out, "\r\n");
		body = sv_sub(body, n, SIZE_MAX);
	}
	buf_str(out, "0\r\n\r\n");
}

bool reframe(struct buf *out, struct sv response, bool gzip, uint64_t seed)
{
	long at = sv_find(response, SV("\r\n\r\n"));
	struct buf packed = BUF_INIT;
	struct sv body;

	if (at < 0)
		return false;
	body = sv_sub(response, (size_t)at + 4, SIZE_MAX);
	if (!body.n)
		return false;
	if (gzip && !zip_pack_all(&packed, body, ZIP_GZIP)) {
		buf_fini(&packed);
		return false;
	}
	put_head(out, sv_sub(response, 0, (size_t)at + 2));
	buf_str(out, "transfer-encoding: chunked\r\n");
	buf_str(out, gzip ? "content-encoding: gzip\r\n\r\n" : "\r\n");
	put_chunks(out, gzip ? buf_view(&packed) : body, seed);
	buf_fini(&packed);
	return true;
}
