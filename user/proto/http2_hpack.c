// SPDX-License-Identifier: BSD-2-Clause
/*
 * HPACK by nghttp2.  Two things make it work for one who only listens.
 *
 * The size of the dynamic table is bounded by the peer's SETTINGS, which travel the other way and are
 * in force from a moment that cannot be seen; but the encoder says in the block when it takes another
 * size (RFC 7541 4.2, 6.3).  So SETTINGS are not needed: every size up to our bound is accepted.
 *
 * Where entries were added that were not seen, the table is begun full of entries without a name,
 * each of the smallest size (4.1).  Newer entries have the smaller indices (2.3.3), and what was added
 * since is therefore found where the encoder means it to be; and as there are no more entries in the
 * encoder's table than in ours, what it took from before is found to be unknown, not an error.
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>

#include "base/limits.h"
#include "proto/http2_int.h"

#define ENTRY_SIZE 32      /* of one with nothing in it (4.1) */
#define UNKNOWN_FIRST 4096 /* the size that most tables have */

static const uint8_t table_size[] = { 0x3f, 0xe1, 0xff, 0x03 }; /* 6.3: 65536 = 31 + 65505 */
static const uint8_t new_entry[] = { 0x40, 0x00, 0x00 };        /* 6.2.1: empty name and value */
static const uint8_t same_entry[] = { 0x7e, 0x00 }; /* 6.2.1: name of 62, the newest; empty value */

_Static_assert(LIMIT_HPACK_TABLE == 31 + 65505, "table_size[] tells it");

static int add(struct http2_hpack *p, const uint8_t *bytes, size_t n)
{
	int flags = 0;
	nghttp2_nv nv;

	return nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, bytes, n, 0) == (ssize_t)n
		       ? 0
		       : -ENOMEM;
}

static int add_unknown(struct http2_hpack *p)
{
	int err = p->unknown == LIMIT_HPACK_TABLE ? add(p, table_size, sizeof(table_size)) : 0;

	if (!err)
		err = add(p, new_entry, sizeof(new_entry));
	for (size_t i = 1; !err && i < p->unknown / ENTRY_SIZE; i++)
		err = add(p, same_entry, sizeof(same_entry));
	nghttp2_hd_inflate_end_headers(p->inflater);
	return err;
}

static int open_inflater(struct http2_hpack *p)
{
	int err;

	if (nghttp2_hd_inflate_new(&p->inflater))
		return -ENOMEM;
	err = nghttp2_hd_inflate_change_table_size(p->inflater, LIMIT_HPACK_TABLE);
	if (!err && p->unknown)
		err = add_unknown(p);
	if (!err)
		return 0;
	http2_hpack_fini(p);
	return -ENOMEM;
}

void http2_hpack_fini(struct http2_hpack *p)
{
	if (p->inflater)
		nghttp2_hd_inflate_del(p->inflater);
	p->inflater = NULL;
}

void http2_hpack_lose(struct http2_hpack *p)
{
	if (p->unknown && !p->inflater)
		return; /* nothing was learned since */
	http2_hpack_fini(p);
	p->lost++;
	if (!p->unknown)
		p->unknown = UNKNOWN_FIRST;
}

/* An index beyond all unknown entries, most likely: the encoder's table is larger than ours was. */
static int lose_all(struct http2_hpack *p)
{
	if (p->unknown)
		p->unknown = LIMIT_HPACK_TABLE;
	http2_hpack_lose(p);
	return -EBADMSG;
}

int http2_hpack_feed(struct http2_hpack *p, struct sv bytes, bool last, http2_field_fn fn,
		     void *ctx)
{
	bool over = !last;

	if (p->lost > LIMIT_HPACK_LOST)
		return -EBADMSG;
	if (!p->inflater && open_inflater(p))
		return -ENOMEM;
	while (bytes.n || !over) {
		const char *from = bytes.p ? bytes.p : "";
		int flags = 0;
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags, (const uint8_t *)from,
						   bytes.n, last);

		if (n == NGHTTP2_ERR_NOMEM)
			return -ENOMEM;
		if (n < 0)
			return lose_all(p);
		bytes = sv_sub(bytes, n, SIZE_MAX);
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			fn(ctx, (struct sv){ (const char *)nv.name, nv.namelen },
			   (struct sv){ (const char *)nv.value, nv.valuelen });
		over |= flags & NGHTTP2_HD_INFLATE_FINAL;
	}
	if (last)
		nghttp2_hd_inflate_end_headers(p->inflater);
	return 0;
}
