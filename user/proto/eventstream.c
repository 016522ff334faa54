// SPDX-License-Identifier: BSD-2-Clause
/* AWS event stream messages: see eventstream.h. */
#include "proto/eventstream.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/limits.h"

#define PRELUDE 12 /* two lengths and their checksum */
#define TRAILER 4  /* the checksum of all */
#define KEEP 4096  /* bytes of a message's memory that are kept for the next */

struct eventstream {
	eventstream_fn fn;
	void *ctx;
	struct buf msg; /* of the message at hand; never more than it needs */
	size_t total;   /* its length; 0 while the prelude is not complete */
	size_t skip;    /* bytes left of a message that is too long */
	bool lost;      /* looking for a prelude: what was dropped is reported already */
	uint64_t ts_first, ts_last;
	struct eventstream_header headers[EVENTSTREAM_HEADERS];
};

int eventstream_new(struct eventstream **out, eventstream_fn fn, void *ctx)
{
	struct eventstream *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->fn = fn;
	e->ctx = ctx;
	*out = e;
	return 0;
}

void eventstream_free(struct eventstream **e)
{
	if (!*e)
		return;
	buf_fini(&(*e)->msg);
	free(*e);
	*e = NULL;
}

static uint32_t read_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint32_t checksum(const char *p, size_t n)
{
	return crc32(0, (const unsigned char *)p, n);
}

static void msg_reset(struct eventstream *e)
{
	if (e->msg.cap > KEEP)
		buf_fini(&e->msg);
	buf_clear(&e->msg);
	e->total = 0;
}

static void give_bad(struct eventstream *e)
{
	struct eventstream_msg m = { .bad = true, .ts_first = e->ts_first, .ts_last = e->ts_last };

	e->fn(e->ctx, &m);
}

/* The first n bytes of *rest; false when there are not as many. */
static bool take(struct sv *rest, size_t n, struct sv *out)
{
	if (rest->n < n)
		return false;
	*out = sv_sub(*rest, 0, n);
	*rest = sv_sub(*rest, n, SIZE_MAX);
	return true;
}

static bool take_header(struct sv *rest, struct eventstream_header *h)
{
	static const uint8_t sizes[] = {
		[EVENTSTREAM_BYTE] = 1, [EVENTSTREAM_SHORT] = 2,     [EVENTSTREAM_INT] = 4,
		[EVENTSTREAM_LONG] = 8, [EVENTSTREAM_TIMESTAMP] = 8, [EVENTSTREAM_UUID] = 16,
	};
	struct sv byte, len;
	size_t size;

	if (!take(rest, 1, &byte) || !take(rest, (uint8_t)byte.p[0], &h->name) ||
	    !take(rest, 1, &byte))
		return false;
	if ((uint8_t)byte.p[0] > EVENTSTREAM_UUID)
		return false;
	h->type = (enum eventstream_type)byte.p[0];
	size = sizes[h->type];
	if (h->type == EVENTSTREAM_BYTES || h->type == EVENTSTREAM_STRING) {
		if (!take(rest, 2, &len))
			return false;
		size = (size_t)(uint8_t)len.p[0] << 8 | (uint8_t)len.p[1];
	}
	return take(rest, size, &h->value);
}

/* The whole message is there. */
static void msg_give(struct eventstream *e)
{
	struct sv all = buf_view(&e->msg);
	size_t body = e->total - TRAILER;
	struct sv headers = sv_sub(all, PRELUDE, read_u32(all.p + 4));
	struct eventstream_msg m = {
		.headers = e->headers,
		.ts_first = e->ts_first,
		.ts_last = e->ts_last,
	};

	if (checksum(all.p, body) != read_u32(all.p + body)) {
		give_bad(e);
		return;
	}
	m.payload = sv_sub(all, PRELUDE + headers.n, body - PRELUDE - headers.n);
	while (headers.n) {
		if (m.header_cnt == EVENTSTREAM_HEADERS ||
		    !take_header(&headers, &e->headers[m.header_cnt++])) {
			give_bad(e);
			return;
		}
	}
	e->fn(e->ctx, &m);
}

/* The prelude's bytes are there: is it one? */
static bool prelude_read(struct eventstream *e)
{
	uint32_t total = read_u32(e->msg.p), headers = read_u32(e->msg.p + 4);

	if (total < PRELUDE + TRAILER || headers > total - PRELUDE - TRAILER ||
	    checksum(e->msg.p, 8) != read_u32(e->msg.p + 8))
		return false;
	e->total = total;
	if (e->lost)
		e->ts_first = e->ts_last;
	e->lost = false;
	return true;
}

/* Adds what is missing to have `want` bytes of the message, as far as it is there. */
static int fill(struct eventstream *e, uint64_t ts, struct sv *bytes, size_t want)
{
	size_t n = want - e->msg.len;
	int err;

	if (n > bytes->n)
		n = bytes->n;
	if (!e->msg.len)
		e->ts_first = ts;
	e->ts_last = ts;
	err = buf_sv(&e->msg, sv_sub(*bytes, 0, n));
	*bytes = sv_sub(*bytes, n, SIZE_MAX);
	return err;
}

static void skip_feed(struct eventstream *e, uint64_t ts, struct sv *bytes)
{
	size_t n = e->skip < bytes->n ? e->skip : bytes->n;

	*bytes = sv_sub(*bytes, n, SIZE_MAX);
	e->skip -= n;
	e->ts_last = ts;
	if (!e->skip)
		give_bad(e);
}

static void prelude_done(struct eventstream *e)
{
	if (!prelude_read(e)) {
		if (!e->lost)
			give_bad(e);
		e->lost = true;
		buf_drop(&e->msg, 1);
		return;
	}
	if (e->total <= LIMIT_STREAM_PIECE)
		return;
	e->skip = e->total - PRELUDE;
	msg_reset(e);
}

int eventstream_feed(struct eventstream *e, uint64_t ts, struct sv bytes)
{
	while (bytes.n) {
		size_t want = e->total ? e->total : PRELUDE;
		int err;

		if (e->skip) {
			skip_feed(e, ts, &bytes);
			continue;
		}
		err = fill(e, ts, &bytes, want);
		if (err)
			return err;
		if (e->msg.len < want)
			break;
		if (!e->total) {
			prelude_done(e);
			continue;
		}
		msg_give(e);
		msg_reset(e);
	}
	return 0;
}

void eventstream_gap(struct eventstream *e)
{
	if (e->skip || (e->msg.len && !e->lost))
		give_bad(e);
	msg_reset(e);
	e->skip = 0;
	e->lost = true;
}

void eventstream_end(struct eventstream *e)
{
	eventstream_gap(e);
}

struct sv eventstream_string(const struct eventstream_msg *m, const char *name)
{
	for (size_t i = 0; i < m->header_cnt; i++)
		if (m->headers[i].type == EVENTSTREAM_STRING && sv_is(m->headers[i].name, name))
			return m->headers[i].value;
	return (struct sv){ NULL, 0 };
}
