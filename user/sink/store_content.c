// SPDX-License-Identifier: BSD-2-Clause
/*
 * Contents of the store, each once, and the lists that they make up: schemas/store.sql, blob and
 * node.  What a span that is replaced was the last to hold goes with it.
 */
#include "sink/store_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "sink/store_row.h"

#define ZSTD_LEVEL 3
#define PACK_MIN 64 /* shorter contents do not get shorter */

/* ---- writing */

/* The shorter one of the content and its zstd frame. */
static struct sv pack(struct store *s, struct sv content)
{
	size_t n;

	if (content.n < PACK_MIN)
		return content;
	if (!s->zstd)
		s->zstd = ZSTD_createCCtx();
	buf_clear(&s->packed);
	if (!s->zstd || buf_reserve(&s->packed, ZSTD_compressBound(content.n)))
		return content;
	n = ZSTD_compressCCtx(s->zstd, s->packed.p, s->packed.cap, content.p, content.n,
			      ZSTD_LEVEL);
	if (ZSTD_isError(n) || n >= content.n)
		return content;
	return (struct sv){ s->packed.p, n };
}

static int put_blob(struct store *s, struct sv content, sqlite3_int64 *id)
{
	char hash[HEX128];
	struct sv data;
	int err;

	hash128_hex(content, hash);
	store_bind_sv(store_stmt(s, STMT_FIND_BLOB), 1, sv(hash));
	*id = 0;
	err = store_do(s, STMT_FIND_BLOB, id);
	if (err || *id)
		return err;
	data = pack(s, content);
	store_bind_sv(store_stmt(s, STMT_BLOB), 1, sv(hash));
	sqlite3_bind_int64(store_stmt(s, STMT_BLOB), 2, (sqlite3_int64)content.n);
	sqlite3_bind_blob64(store_stmt(s, STMT_BLOB), 3, data.p, data.n, SQLITE_STATIC);
	return store_do(s, STMT_BLOB, id);
}

/* *node: the list so far, and with this content behind it. */
static int put_node(struct store *s, struct sv content, sqlite3_int64 *node)
{
	sqlite3_int64 prev = *node, blob;
	int err = put_blob(s, content, &blob);

	*node = 0;
	if (!err) {
		sqlite3_bind_int64(store_stmt(s, STMT_FIND_NODE), 1, prev);
		sqlite3_bind_int64(store_stmt(s, STMT_FIND_NODE), 2, blob);
		err = store_do(s, STMT_FIND_NODE, node);
	}
	if (err || *node)
		return err;
	sqlite3_bind_int64(store_stmt(s, STMT_NODE), 1, prev);
	sqlite3_bind_int64(store_stmt(s, STMT_NODE), 2, blob);
	return store_do(s, STMT_NODE, node);
}

static int put_payload(struct store *s, sqlite3_int64 seq, const struct row_part *p,
		       sqlite3_int64 node)
{
	sqlite3_stmt *st = store_stmt(s, STMT_PAYLOAD);

	sqlite3_bind_int64(st, 1, seq);
	store_bind_sv(st, 2, sv(p->key));
	sqlite3_bind_int(st, 3, p->shape);
	sqlite3_bind_int(st, 4, p->level);
	if (node)
		sqlite3_bind_int64(st, 5, node);
	else
		sqlite3_bind_null(st, 5);
	return store_do(s, STMT_PAYLOAD, NULL);
}

static int put_parts(struct store *s, sqlite3_int64 seq, const struct row *r)
{
	sqlite3_int64 node = 0;

	for (size_t i = 0; i < r->part_cnt; i++) {
		const struct row_part *p = &r->parts[i];
		bool last = i + 1 == r->part_cnt || r->parts[i + 1].key != p->key;
		int err = p->none ? 0 : put_node(s, p->text, &node);

		if (!err && last) {
			err = put_payload(s, seq, p, node);
			node = 0;
		}
		if (err)
			return err;
	}
	return 0;
}

/* ---- forgetting */

/* Deletes a node that nobody holds any more; *prev: the one before it, 0: that is as far as it goes. */
static int drop_node(struct store *s, sqlite3_int64 id, sqlite3_int64 *prev)
{
	sqlite3_stmt *st = store_stmt(s, STMT_DROP_NODE);
	sqlite3_int64 blob = 0;
	int ret, err;

	*prev = 0;
	if (!st)
		return store_errno(s);
	sqlite3_bind_int64(st, 1, id);
	while ((ret = sqlite3_step(st)) == SQLITE_ROW) {
		*prev = sqlite3_column_int64(st, 0);
		blob = sqlite3_column_int64(st, 1);
	}
	err = ret == SQLITE_DONE ? 0 : store_errno(s);
	sqlite3_reset(st);
	if (err || !blob)
		return err;
	sqlite3_bind_int64(store_stmt(s, STMT_DROP_BLOB), 1, blob);
	return store_do(s, STMT_DROP_BLOB, NULL);
}

static int drop_list(struct store *s, sqlite3_int64 node)
{
	int err = 0;

	while (!err && node)
		err = drop_node(s, node, &node);
	return err;
}

/* The lists that the span holds; there are no more than attributes. */
static int held_by(struct store *s, sqlite3_int64 seq, sqlite3_int64 nodes[ATTR_ID_CNT],
		   size_t *cnt)
{
	sqlite3_stmt *st = store_stmt(s, STMT_NODES_OF);
	int ret, err;

	*cnt = 0;
	if (!st)
		return store_errno(s);
	sqlite3_bind_int64(st, 1, seq);
	while ((ret = sqlite3_step(st)) == SQLITE_ROW)
		if (*cnt < ATTR_ID_CNT)
			nodes[(*cnt)++] = sqlite3_column_int64(st, 0);
	err = ret == SQLITE_DONE ? 0 : store_errno(s);
	sqlite3_reset(st);
	return err;
}

/* r: what takes the place of it; NULL: nothing. */
static int replace(struct store *s, sqlite3_int64 seq, const struct row *r)
{
	sqlite3_int64 old[ATTR_ID_CNT];
	size_t cnt;
	int err = held_by(s, seq, old, &cnt);

	if (!err) {
		sqlite3_bind_int64(store_stmt(s, STMT_FORGET), 1, seq);
		err = store_do(s, STMT_FORGET, NULL);
	}
	if (!err && r)
		err = put_parts(s, seq, r);
	for (size_t i = 0; !err && i < cnt; i++)
		err = drop_list(s, old[i]);
	return err;
}

int store_put_contents(struct store *s, sqlite3_int64 seq, const struct row *r)
{
	return replace(s, seq, r);
}

int store_drop_contents(struct store *s, sqlite3_int64 seq)
{
	return replace(s, seq, NULL);
}

/* ---- reading */

void contents_fini(struct contents *c)
{
	sqlite3_finalize(c->node);
	sqlite3_finalize(c->blob);
	buf_fini(&c->unpacked);
	free(c->blobs);
}

static int prepare(struct contents *c)
{
	int err = 0;

	if (!c->node)
		err = store_prepare(c->s, "SELECT prev, blob FROM node WHERE id = ?1", &c->node);
	if (!err && !c->blob)
		err = store_prepare(c->s, "SELECT size, data FROM blob WHERE id = ?1", &c->blob);
	return err;
}

/* The one row of a bound statement: 0 or -errno, logged.  The caller resets it. */
static int one_row(struct contents *c, sqlite3_stmt *st, sqlite3_int64 id)
{
	sqlite3_reset(st);
	sqlite3_bind_int64(st, 1, id);
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		return 0;
	case SQLITE_DONE:
		return store_damaged(c->s, "a list of contents");
	}
	return store_fail(c->s);
}

static int note_blob(struct contents *c, sqlite3_int64 id)
{
	if (c->blob_cnt == LIMIT_STORE_LIST)
		return store_damaged(c->s, "a list of contents without end");
	if (c->blob_cnt == c->blob_cap) {
		size_t cap = c->blob_cap ? 2 * c->blob_cap : 64;
		sqlite3_int64 *more = realloc(c->blobs, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->blobs = more;
		c->blob_cap = cap;
	}
	c->blobs[c->blob_cnt++] = id;
	return 0;
}

static int read_list(struct contents *c, sqlite3_int64 node)
{
	int err = 0;

	c->blob_cnt = 0;
	while (!err && node) {
		err = one_row(c, c->node, node);
		if (!err)
			err = note_blob(c, sqlite3_column_int64(c->node, 1));
		node = sqlite3_column_int64(c->node, 0);
	}
	sqlite3_reset(c->node);
	return err;
}

/* The content of the row that c->blob stands on, valid until it is stepped or reset. */
static int unpack(struct contents *c, struct sv *out)
{
	const void *data = sqlite3_column_blob(c->blob, 1);
	size_t n = (size_t)sqlite3_column_bytes(c->blob, 1), got;
	sqlite3_int64 size = sqlite3_column_int64(c->blob, 0);

	if (size < 0 || size > LIMIT_JSON_ARENA || (sqlite3_int64)n > size)
		return store_damaged(c->s, "size of a payload");
	*out = (struct sv){ data, n };
	if ((sqlite3_int64)n == size)
		return 0;
	buf_clear(&c->unpacked);
	if (buf_reserve(&c->unpacked, (size_t)size))
		return -ENOMEM;
	got = ZSTD_decompress(c->unpacked.p, (size_t)size, data, n);
	if (ZSTD_isError(got) || got != (size_t)size)
		return store_damaged(c->s, "compression of a payload");
	*out = (struct sv){ c->unpacked.p, got };
	return 0;
}

int contents_read(struct contents *c, sqlite3_int64 node, const char *between, struct buf *out)
{
	struct sv content = { NULL, 0 };
	int err = prepare(c);

	if (!err)
		err = read_list(c, node);
	for (size_t i = c->blob_cnt; !err && i--;) {
		err = one_row(c, c->blob, c->blobs[i]);
		if (!err)
			err = unpack(c, &content);
		if (!err && buf_sv(out, content) == -E2BIG)
			err = store_damaged(c->s, "size of a list of contents");
		if (!err && i)
			buf_str(out, between);
		sqlite3_reset(c->blob);
	}
	return err ? err : out->err;
}
