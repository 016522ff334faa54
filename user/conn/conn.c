// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reassembly: see conn.h.  A record that comes early is held until its turn, for a bounded time and
 * number of bytes; then the bytes before it count as missing.
 */
#include "conn/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/index.h"
#include "base/limits.h"

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

struct conn_state {
	struct conn_dir dirs[2];
	uint64_t number; /* in order of birth */
	struct index_link of_process, at_addr;
	/* in a queue while something is held */
	struct queue *queue;
	struct conn *prev, *next;
	uint64_t due; /* when the first of what is held waits no longer */
};

/* Connections that hold something, by the time when they are due. */
struct queue {
	struct conn *first, *last;
};

struct conn_table {
	struct map conns;        /* (tgid, start, id) -> struct conn */
	struct index by_process; /* (tgid, start) */
	struct index by_addr;    /* addr_key() */
	struct queue reorder;    /* for stragglers */
	struct queue place;      /* to be told where they belong */
	struct buf late;         /* struct conn *: whose wait is over with the record that is fed */
	const struct conn_ops *ops;
	void *ctx;
	uint64_t born;
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

/* --- what is held */

static void drop_first(struct conn_dir *d)
{
	struct held *h = d->held;

	d->held = h->next;
	d->held_cnt--;
	d->held_bytes -= h->len;
	free(h);
}

static void leave_queue(struct conn *c)
{
	struct conn_state *s = c->state;
	struct queue *q = s->queue;

	if (!q)
		return;
	*(s->prev ? &s->prev->state->next : &q->first) = s->next;
	*(s->next ? &s->next->state->prev : &q->last) = s->prev;
	s->queue = NULL;
}

static uint64_t due_of(const struct conn *c)
{
	uint64_t patience = c->waits ? LIMIT_PLACE_NS : LIMIT_REORDER_NS, due = UINT64_MAX;

	for (int dir = 0; dir < 2; dir++) {
		const struct held *h = c->state->dirs[dir].held;

		if (h && h->ts + patience < due)
			due = h->ts + patience;
	}
	return due;
}

/* What it holds has changed: it takes its place among those that are due. */
static void queue_up(struct conn_table *t, struct conn *c)
{
	struct conn_state *s = c->state;
	struct queue *q = c->waits ? &t->place : &t->reorder;
	struct conn *at;

	leave_queue(c);
	s->due = due_of(c);
	if (s->due == UINT64_MAX)
		return;
	for (at = q->last; at && at->state->due > s->due;)
		at = at->state->prev; /* few: time goes on from record to record */
	s->queue = q;
	s->prev = at;
	s->next = at ? at->state->next : q->first;
	*(s->prev ? &s->prev->state->next : &q->first) = c;
	*(s->next ? &s->next->state->prev : &q->last) = c;
}

static void conn_free(struct conn_table *t, struct conn *c)
{
	struct conn_state *s = c->state;

	leave_queue(c);
	index_del(&t->by_process, &s->of_process);
	index_del(&t->by_addr, &s->at_addr);
	for (int dir = 0; dir < 2; dir++)
		while (s->dirs[dir].held)
			drop_first(&s->dirs[dir]);
	free(s);
	free(c);
}

void conn_table_free(struct conn_table **t)
{
	if (!*t)
		return;
	map_for_each (&(*t)->conns, e)
		conn_free(*t, e->value);
	map_fini(&(*t)->conns);
	index_fini(&(*t)->by_process);
	index_fini(&(*t)->by_addr);
	buf_fini(&(*t)->late);
	free(*t);
	*t = NULL;
}

static void tell_gap(struct conn_table *t, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t n)
{
	c->state->dirs[dir].next += n;
	t->ops->gap(t->ctx, c, dir, ts, n);
}

/* Gives out bytes at or behind the awaited position; what was given before is left out. */
static void give(struct conn_table *t, struct conn *c, enum ev_dir dir, uint64_t pos, uint64_t ts,
		 struct sv bytes, uint32_t missing)
{
	struct conn_dir *d = &c->state->dirs[dir];
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
	struct conn_dir *d = &c->state->dirs[dir];

	while (d->held && (all || d->held->pos <= d->next)) {
		struct held *h = d->held;

		give(t, c, dir, h->pos, h->ts, (struct sv){ h->bytes, h->len }, h->missing);
		drop_first(d);
	}
}

static void insert(struct conn_dir *d, struct held *h)
{
	struct held **at = &d->held;

	while (*at && (*at)->pos <= h->pos)
		at = &(*at)->next;
	h->next = *at;
	*at = h;
	d->held_cnt++;
	d->held_bytes += h->len;
}

static int hold(struct conn_dir *d, const struct ev_data *rec, uint64_t ts)
{
	struct held *h = malloc(sizeof(*h) + rec->len);

	if (!h)
		return -ENOMEM;
	h->pos = rec->pos;
	h->ts = ts;
	h->len = rec->len;
	h->missing = rec->missing;
	memcpy(h->bytes, event_payload(&rec->hdr).p, rec->len);
	insert(d, h);
	return 0;
}

/* What it is, is known, or will not be. */
static void stop_waiting(struct conn_table *t, struct conn *c)
{
	if (!c->waits)
		return;
	c->waits = false;
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
	struct conn_state *state = calloc(1, sizeof(*state));

	if (!c || !state) {
		free(c);
		free(state);
		return NULL;
	}
	c->id = id;
	c->tgid = rec->tgid;
	c->start = rec->start;
	c->ts_first = rec->ts;
	c->fd = -1;
	c->state = state;
	return c;
}

static int enter(struct conn_table *t, struct conn *c)
{
	struct map_key of = { c->tgid, c->start, 0 };

	c->state->number = t->born++;
	if (index_add(&t->by_process, of, &c->state->of_process, c))
		return -ENOMEM;
	return map_put(&t->conns, (struct map_key){ c->tgid, c->start, c->id }, c);
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
	if (enter(t, c)) {
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
	struct conn_dir *d = &c->state->dirs[dir];

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
	d = &c->state->dirs[rec->dir];
	if (rec->pos <= d->next && !c->waits)
		give(t, c, rec->dir, rec->pos, ts, event_payload(&rec->hdr), rec->missing);
	else if (hold(d, rec, ts))
		return -ENOMEM;
	mend(t, c, rec->dir);
	queue_up(t, c);
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
	while ((h = from->state->dirs[rec->dir].held)) {
		from->state->dirs[rec->dir].held = h->next;
		h->pos += rec->pos;
		insert(&into->state->dirs[rec->dir], h);
	}
	if (!into->src)
		into->src = from->src;
	map_del(&t->conns, key);
	conn_free(t, from);
	mend(t, into, rec->dir);
	queue_up(t, into);
	return 0;
}

static void give_up_on(struct conn_table *t, struct conn *c, uint64_t now)
{
	for (int dir = 0; dir < 2; dir++) {
		struct held *h = c->state->dirs[dir].held;
		uint64_t waited = h && now > h->ts ? now - h->ts : 0;

		if (c->waits && waited > LIMIT_PLACE_NS)
			stop_waiting(t, c);
		else if (!c->waits && waited > LIMIT_REORDER_NS)
			give_held(t, c, dir, true);
	}
}

static void take_due(struct conn_table *t, const struct queue *q, uint64_t now)
{
	struct conn *c;

	while ((c = q->first) && c->state->due < now &&
	       !buf_add(&t->late, &c, sizeof(struct conn *)))
		leave_queue(c);
}

static int by_birth(const void *a, const void *b)
{
	const struct conn *const *x = a, *const *y = b;
	uint64_t i = (*x)->state->number, k = (*y)->state->number;

	return (i > k) - (i < k);
}

/* Stragglers that did not come in time will not come. */
static void give_up_waiting(struct conn_table *t, uint64_t now)
{
	struct conn **late;
	size_t cnt;

	buf_clear(&t->late);
	take_due(t, &t->reorder, now);
	take_due(t, &t->place, now);
	late = (void *)t->late.p;
	cnt = t->late.len / sizeof(struct conn *);
	if (cnt > 1)
		qsort(late, cnt, sizeof(struct conn *), by_birth);
	for (size_t i = 0; i < cnt; i++) {
		give_up_on(t, late[i], now);
		queue_up(t, late[i]);
	}
}

static void close_of_process(struct conn_table *t, const struct ev_hdr *rec)
{
	index_for_each (&t->by_process, ((struct map_key){ rec->tgid, rec->start, 0 }), l)
		close_conn(t, l->of, rec->ts);
}

/* --- addresses */

static struct map_key addr_key(const struct ev_addr *a, uint16_t lport, uint16_t rport,
			       const uint8_t raddr[16])
{
	struct map_key key = { .a = (uint64_t)a->family << 32 | (uint64_t)lport << 16 | rport };

	memcpy(&key.b, raddr, sizeof(key.b));
	memcpy(&key.c, raddr + sizeof(key.b), sizeof(key.c));
	return key;
}

static int set_addr(struct conn_table *t, struct conn *c, const struct ev_addr *addr)
{
	struct map_key key = addr_key(addr, addr->lport, addr->rport, addr->raddr);

	index_del(&t->by_addr, &c->state->at_addr);
	c->addr = *addr;
	return addr->rport ? index_add(&t->by_addr, key, &c->state->at_addr, c) : 0;
}

void conn_each_peer(const struct conn_table *t, const struct ev_addr *addr, conn_fn fn, void *ctx)
{
	struct map_key key = addr_key(addr, addr->rport, addr->lport, addr->laddr);

	index_for_each (&t->by_addr, key, l)
		fn(ctx, l->of);
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
	return set_addr(t, c, &rec->addr);
}

/* payload: where its streams end, if the record tells: what did not come before that will not. */
static void close_id(struct conn_table *t, const struct ev_hdr *rec, uint64_t id)
{
	struct conn *c = map_get(&t->conns, (struct map_key){ rec->tgid, rec->start, id });
	struct sv payload = event_payload(rec);
	const struct ev_ends *ends = (const void *)payload.p;

	if (!c)
		return;
	for (int dir = EV_WRITE; payload.n >= sizeof(*ends) && dir >= EV_READ; dir--) {
		struct conn_dir *d = &c->state->dirs[dir];

		stop_waiting(t, c);
		give_held(t, c, (enum ev_dir)dir, true);
		if (ends->pos[dir] > d->next)
			tell_gap(t, c, (enum ev_dir)dir, rec->ts, ends->pos[dir] - d->next);
	}
	close_conn(t, c, rec->ts);
}

static int feed_sock(struct conn_table *t, const struct ev_sock *rec)
{
	struct conn *c = conn_get(t, &rec->hdr, rec->conn, false);
	int err;

	if (!c)
		return -ENOMEM;
	err = set_addr(t, c, &rec->addr);
	c->file = rec->sock;
	stop_waiting(t, c);
	queue_up(t, c);
	return err;
}

int conn_feed(struct conn_table *t, const struct ev_hdr *rec)
{
	uint64_t id;

	give_up_waiting(t, rec->ts);
	switch (rec->kind) {
	case EV_DATA:
		return feed_data(t, (const void *)rec);
	case EV_SOCK:
		return feed_sock(t, (const void *)rec);
	case EV_JOIN:
		return feed_join(t, (const void *)rec);
	case EV_FLOW:
		return feed_flow(t, (const void *)rec);
	case EV_EXEC: /* a new program: the old one's TLS objects are gone, whoever freed them */
	case EV_EXIT:
		close_of_process(t, rec);
		return 0;
	default:
		if (event_ends_conn(rec, &id))
			close_id(t, rec, id);
		return 0;
	}
}
