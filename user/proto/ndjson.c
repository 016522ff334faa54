// SPDX-License-Identifier: BSD-2-Clause
/* Newline-delimited JSON: see ndjson.h. */
#include "proto/ndjson.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

#define KEEP 4096 /* bytes of a line's memory that are kept for the next */

struct ndjson {
	json_piece_fn fn;
	void *ctx;
	struct buf line;
	bool cut;
	bool lost; /* behind a hole: wait for the end of the line */
	uint64_t ts_first, ts_last;
};

int ndjson_new(struct ndjson **out, json_piece_fn fn, void *ctx)
{
	struct ndjson *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->fn = fn;
	n->ctx = ctx;
	*out = n;
	return 0;
}

void ndjson_free(struct ndjson **n)
{
	if (!*n)
		return;
	buf_fini(&(*n)->line);
	free(*n);
	*n = NULL;
}

static void line_reset(struct ndjson *n)
{
	if (n->line.cap > KEEP)
		buf_fini(&n->line);
	buf_clear(&n->line);
	n->cut = false;
}

static bool is_blank(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r')
			return false;
	return true;
}

static void line_give(struct ndjson *n, bool unterminated)
{
	struct json_piece piece = {
		.text = buf_view(&n->line),
		.ts_first = n->ts_first,
		.ts_last = n->ts_last,
		.unterminated = unterminated,
		.cut = n->cut,
	};

	if (piece.text.n && piece.text.p[piece.text.n - 1] == '\r')
		piece.text.n--;
	if (!n->lost && !is_blank(piece.text))
		n->fn(n->ctx, &piece);
	n->lost = false;
	line_reset(n);
}

static int line_add(struct ndjson *n, uint64_t ts, struct sv bytes)
{
	size_t room = LIMIT_STREAM_PIECE - n->line.len;

	if (!bytes.n || n->lost)
		return 0;
	if (!n->line.len)
		n->ts_first = ts;
	n->ts_last = ts;
	if (bytes.n > room) {
		bytes.n = room;
		n->cut = true;
	}
	return buf_sv(&n->line, bytes);
}

int ndjson_feed(struct ndjson *n, uint64_t ts, struct sv bytes)
{
	while (bytes.n) {
		const char *lf = memchr(bytes.p, '\n', bytes.n);
		size_t len = lf ? (size_t)(lf - bytes.p) : bytes.n;
		int err = line_add(n, ts, sv_sub(bytes, 0, len));

		if (err)
			return err;
		if (lf)
			line_give(n, false);
		bytes = sv_sub(bytes, lf ? len + 1 : len, SIZE_MAX);
	}
	return 0;
}

void ndjson_gap(struct ndjson *n)
{
	line_reset(n);
	n->lost = true;
}

void ndjson_end(struct ndjson *n)
{
	line_give(n, true);
	n->lost = true;
}
