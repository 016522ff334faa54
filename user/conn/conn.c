// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reassembly: see conn.h.  A record that comes early is held until its turn, for a bounded time and
 * number of bytes; then the bytes before it count as missing.
 */
#include "conn/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/map.h"

struct held {
	struct held *next; /* by position */
	uint64_t pos, ts;
	size_t len;
	uint32_t missing; /* bytes behind the payload that nobody has */
	char bytes[];
};

struct conn_dir {
	uint64_t next; /* position that is awaited */
	struct held *held;
	size_t held_bytes, held_cnt;
};

struct conn_table {
	struct map conns; /* (tgid, start, id) -> struct conn */
	const struct conn_ops *ops;
	void *ctx;
	size_t held_cnt; /* over all connections: nothing to look for when 0 */
	uint64_t due;    /* nor before that time, ns */
};

int conn_table_new(struct conn_table **out, const struct conn_ops *ops, void *ctx)
{
	struct conn_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->ops = ops;
	t->ctx = ctx;
	*out = t;
	return 0;
}

static void drop_first(struct conn_table *t, struct conn_dir *d)
{
	struct held *h = d->held;

	d->held = h->next;
	d->held_cnt--;
	d->held_bytes -= h->len;
	t->held_cnt--;
	free(h);
}

static void conn_free(struct conn_table *t, struct conn *c)
{
	for (int dir = 0; dir < 2; dir++)
		while (c->dirs[dir].held)
			drop_first(t, &c->dirs[dir]);
	free(c->dirs);
	free(c);
}

void conn_table_free(struct conn_table **t)
{
	if (!*t)
		return;
	map_for_each (&(*t)->conns, e)
		conn_free(*t, e->value);
	map_fini(&(*t)->conns);
	free(*t);
	*t = NULL;
}

static void tell_gap(struct conn_table *t, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t n)
{
	c->dirs[dir].next += n;
	t->ops->gap(t->ctx, c, dir, ts, n);
}

/* Gives out bytes at or behind the awaited position; what was given before is left out. */
static void give(struct conn_table *t, struct conn *c, enum ev_dir dir, uint64_t pos, uint64_t ts,
		 struct sv bytes, uint32_t missing)
{
	struct conn_dir *d = &c->dirs[dir];
	uint64_t end = pos + bytes.n;

	if (pos > d->next)
		tell_gap(t, c, dir, ts, pos - d->next);
	if (end > d->next) {
		bytes = sv_sub(bytes, d->next - pos, bytes.n);
		d->next = end;
		t->ops->data(t->ctx, c, dir, ts, bytes);
	}
	if (end + missing > d->next)
		tell_gap(t, c, dir, ts, end + missing - d->next);
}

/* Gives out what has become due: everything up to the next hole, or all of it. */
static void give_held(struct conn_table *t, struct conn *c, enum ev_dir dir, bool all)
{
	struct conn_dir *d = &c->dirs[dir];

	while (d->held && (all || d->held->pos <= d->next)) {
		struct held *h = d->held;

		give(t, c, dir, h->pos, h->ts, (struct sv){ h->bytes, h->len }, h->missing);
		drop_first(t, d);
	}
}

static void insert(struct conn_table *t, struct conn_dir *d, struct held *h)
{
	struct held **at = &d->held;

	if (!t->held_cnt || t->due > h->ts + LIMIT_REORDER_NS)
		t->due = h->ts + LIMIT_REORDER_NS; /* or later, which looking will tell */

	while (*at && (*at)->pos <= h->pos)
		at = &(*at)->next;
	h->next = *at;
	*at = h;
	d->held_cnt++;
	d->held_bytes += h->len;
	t->held_cnt++;
}

static int hold(struct conn_table *t, struct conn_dir *d, const struct ev_data *rec, uint64_t ts)
{
	struct held *h = malloc(sizeof(*h) + rec->len);

	if (!h)
		return -ENOMEM;
	h->pos = rec->pos;
	h->ts = ts;
	h->len = rec->len;
	h->missing = rec->missing;
	memcpy(h->bytes, event_payload(&rec->hdr).p, rec->len);
	insert(t, d, h);
	return 0;
}

/* What it is, is known, or will not be. */
static void stop_waiting(struct conn_table *t, struct conn *c)
{
	if (!c->waits)
		return;
	c->waits = false;
	t->due = 0; /* what is held waits less long now */
	t->ops->open(t->ctx, c);
	give_held(t, c, EV_WRITE, false);
	give_held(t, c, EV_READ, false);
}

static void close_conn(struct conn_table *t, struct conn *c, uint64_t ts)
{
	stop_waiting(t, c);
	give_held(t, c, EV_WRITE, true);
	give_held(t, c, EV_READ, true);
	t->ops->close(t->ctx, c, ts);
	map_del(&t->conns, (struct map_key){ c->tgid, c->start, c->id });
	conn_free(t, c);
}

void conn_close_all(struct conn_table *t, uint64_t ts)
{
	while (t->conns.first)
		close_conn(t, t->conns.first->value, ts);
}

static struct conn *conn_new(const struct ev_hdr *rec, uint64_t id)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct conn_dir *dirs = calloc(2, sizeof(*dirs));

	if (!c || !dirs) {
		free(c);
		free(dirs);
		return NULL;
	}
	c->id = id;
	c->tgid = rec->tgid;
	c->start = rec->start;
	c->ts_first = rec->ts;
	c->fd = -1;
	c->dirs = dirs;
	return c;
}

/* waits: if it is new. */
static struct conn *conn_get(struct conn_table *t, const struct ev_hdr *rec, uint64_t id,
			     bool waits)
{
	struct map_key key = { rec->tgid, rec->start, id };
	struct conn *c = map_get(&t->conns, key);

	if (c)
		return c;
	if (t->conns.cnt >= LIMIT_CONNS)
		close_conn(t, t->conns.first->value, rec->ts);
	c = conn_new(rec, id);
	if (!c)
		return NULL;
	if (map_put(&t->conns, key, c)) {
		conn_free(t, c);
		return NULL;
	}
	c->waits = waits;
	if (!waits)
		t->ops->open(t->ctx, c);
	return c;
}

static bool holds_too_much(const struct conn_dir *d)
{
	return d->held_cnt > LIMIT_REORDER_RECORDS || d->held_bytes > LIMIT_REORDER_BYTES;
}

static void mend(struct conn_table *t, struct conn *c, enum ev_dir dir)
{
	struct conn_dir *d = &c->dirs[dir];

	if (c->waits) {
		if (holds_too_much(d))
			stop_waiting(t, c);
		return;
	}
	give_held(t, c, dir, false);
	if (d->held && holds_too_much(d)) {
		tell_gap(t, c, dir, d->held->ts, d->held->pos - d->next);
		give_held(t, c, dir, false);
	}
}

static int feed_data(struct conn_table *t, const struct ev_data *rec)
{
	struct conn *c = conn_get(t, &rec->hdr, rec->conn, rec->src == EV_SRC_RUSTLS);
	/* what is written exists when the call begins, what is read when it ends */
	uint64_t ts = rec->dir == EV_WRITE && rec->enter_ts ? rec->enter_ts : rec->hdr.ts;
	struct conn_dir *d;

	if (!c)
		return -ENOMEM;
	c->src = rec->src;
	d = &c->dirs[rec->dir];
	if (rec->pos <= d->next && !c->waits)
		give(t, c, rec->dir, rec->pos, ts, event_payload(&rec->hdr), rec->missing);
	else if (hold(t, d, rec, ts))
		return -ENOMEM;
	mend(t, c, rec->dir);
	return 0;
}

/* The bytes of one name become those of another one from a position on. */
static int feed_join(struct conn_table *t, const struct ev_join *rec)
{
	struct map_key key = { rec->hdr.tgid, rec->hdr.start, rec->conn };
	struct conn *into = conn_get(t, &rec->hdr, rec->into, false);
	struct conn *from = map_get(&t->conns, key);
	struct held *h;

	if (!into)
		return -ENOMEM;
	if (!from || from == into || !from->waits)
		return 0; /* lost, or not waited for any longer */
	while ((h = from->dirs[rec->dir].held)) {
		from->dirs[rec->dir].held = h->next;
		t->held_cnt--;
		h->pos += rec->pos;
		insert(t, &into->dirs[rec->dir], h);
	}
	if (!into->src)
		into->src = from->src;
	map_del(&t->conns, key);
	conn_free(t, from);
	mend(t, into, rec->dir);
	return 0;
}

/* When the next of what is held here waits no longer; UINT64_MAX: nothing is. */
static uint64_t due_of(const struct conn *c)
{
	uint64_t patience = c->waits ? LIMIT_PLACE_NS : LIMIT_REORDER_NS, due = UINT64_MAX;

	for (int dir = 0; dir < 2; dir++)
		for (const struct held *h = c->dirs[dir].held; h; h = h->next)
			if (h->ts + patience < due)
				due = h->ts + patience;
	return due;
}

static void give_up_on(struct conn_table *t, struct conn *c, uint64_t now)
{
	for (int dir = 0; dir < 2; dir++) {
		struct held *h = c->dirs[dir].held;
		uint64_t waited = h && now > h->ts ? now - h->ts : 0;

		if (c->waits && waited > LIMIT_PLACE_NS)
			stop_waiting(t, c);
		else if (!c->waits && waited > LIMIT_REORDER_NS)
			give_held(t, c, dir, true);
	}
}

/* Stragglers that did not come in time will not come. */
static void give_up_waiting(struct conn_table *t, uint64_t now)
{
	if (now <= t->due)
		return;
	t->due = UINT64_MAX;
	map_for_each (&t->conns, e) {
		struct conn *c = e->value;
		uint64_t due;

		give_up_on(t, c, now);
		due = due_of(c);
		if (due < t->due)
			t->due = due;
	}
}

static void close_of_process(struct conn_table *t, const struct ev_hdr *rec)
{
	map_for_each (&t->conns, e) {
		struct conn *c = e->value;

		if (c->tgid == rec->tgid && c->start == rec->start)
			close_conn(t, c, rec->ts);
	}
}

/* Only what carries content is a connection here: TLS is one at its library, and QUIC is none. */
static int feed_flow(struct conn_table *t, const struct ev_flow *rec)
{
	struct conn *c;

	if (rec->proto == EV_PROTO_TLS || rec->proto == EV_PROTO_QUIC ||
	    rec->proto == EV_PROTO_UNKNOWN)
		return 0;
	c = conn_get(t, &rec->hdr, rec->conn, false);
	if (!c)
		return -ENOMEM;
	c->src = rec->src;
	c->proto = rec->proto;
	c->file = rec->file;
	c->peer = rec->peer;
	c->fd = rec->fd;
	c->addr = rec->addr;
	return 0;
}

static void close_id(struct conn_table *t, const struct ev_hdr *rec, uint64_t id)
{
	struct conn *c = map_get(&t->conns, (struct map_key){ rec->tgid, rec->start, id });

	if (c)
		close_conn(t, c, rec->ts);
}

int conn_feed(struct conn_table *t, const struct ev_hdr *rec)
{
	struct conn *c;

	if (t->held_cnt)
		give_up_waiting(t, rec->ts);
	switch (rec->kind) {
	case EV_DATA:
		return feed_data(t, (const void *)rec);
	case EV_SOCK: {
		const struct ev_sock *s = (const void *)rec;

		c = conn_get(t, rec, s->conn, false);
		if (!c)
			return -ENOMEM;
		c->addr = s->addr;
		c->file = s->sock;
		stop_waiting(t, c);
		return 0;
	}
	case EV_JOIN:
		return feed_join(t, (const void *)rec);
	case EV_FLOW:
		return feed_flow(t, (const void *)rec);
	case EV_CLOSE:
		close_id(t, rec, ((const struct ev_close *)(const void *)rec)->conn);
		return 0;
	case EV_FLOW_END:
		close_id(t, rec, ((const struct ev_flow_end *)(const void *)rec)->conn);
		return 0;
	case EV_EXEC: /* a new program: the old one's TLS objects are gone, whoever freed them */
	case EV_EXIT:
		close_of_process(t, rec);
		return 0;
	default:
		return 0;
	}
}
