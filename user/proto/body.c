// SPDX-License-Identifier: BSD-2-Clause
/* Undoes the codings of a body and holds its bounds: see body.h. */
#include "proto/body.h"

#include <errno.h>

#include "base/limits.h"

/* A decode_fn: what little bytes become may be endless. */
static int give(void *ctx, struct sv bytes)
{
	struct http_body *b = ctx;
	struct http_msg *m = b->m;
	uint64_t room = LIMIT_BODY - m->body_len;

	if (b->decode && bytes.n > room) {
		bytes.n = room;
		m->flags |= HTTP_BODY_CAP;
	}
	if (bytes.n) {
		m->body_len += bytes.n;
		b->ops->body(b->ctx, m, b->ts, bytes);
	}
	return m->flags & HTTP_BODY_CAP ? -EFBIG : 0;
}

static void mute(struct http_body *b, unsigned int why)
{
	b->m->flags |= why;
	b->mute = true;
	decode_free(&b->decode);
}

int http_body_open(struct http_body *b, struct http_msg *m, const struct coding_list *codings)
{
	int err;

	b->m = m;
	b->mute = false;
	if (!codings->cnt && !codings->unknown)
		return 0;
	err = decode_new(&b->decode, codings, give, b);
	if (err != -ENOTSUP)
		return err;
	m->flags |= HTTP_UNDECODED;
	return 0;
}

int http_body_feed(struct http_body *b, uint64_t ts, struct sv bytes)
{
	int err;

	if (!b->m->ts_body)
		b->m->ts_body = ts;
	b->m->wire_body += bytes.n;
	if (b->mute) {
		b->m->over += b->m->flags & HTTP_BODY_CAP ? bytes.n : 0;
		return 0;
	}
	b->ts = ts;
	err = b->decode ? decode_feed(b->decode, bytes) : give(b, bytes);
	if (err == -ENOMEM)
		return err;
	if (err)
		mute(b, err == -EBADMSG ? HTTP_UNDECODED : HTTP_BODY_CAP);
	return 0;
}

void http_body_hole(struct http_body *b, uint64_t n)
{
	b->m->wire_body += n;
	http_body_doubt(b, n);
}

void http_body_doubt(struct http_body *b, uint64_t n)
{
	b->m->flags |= HTTP_HOLE;
	b->m->missing += n;
	if (b->decode)
		mute(b, HTTP_UNDECODED);
	if (b->ops->hole)
		b->ops->hole(b->ctx, b->m, n);
}

void http_body_close(struct http_body *b, bool complete)
{
	if (b->decode) {
		int err = decode_end(b->decode);

		if (decode_is_raw(b->decode) || (err == -EBADMSG && complete))
			b->m->flags |= HTTP_UNDECODED;
	}
	decode_free(&b->decode);
	b->m = NULL;
}
