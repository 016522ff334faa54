// SPDX-License-Identifier: BSD-2-Clause
/* Agents among all processes: see discover.h. */
#include "span/discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/index.h"
#include "base/limits.h"
#include "span/evidence.h"

/* A process. */
struct member {
	uint32_t tgid;
	uint64_t start, ts;
	struct map_key parent; /* zeroes: not known */
	struct index_link of_parent;
	uint64_t number; /* in order of birth */
	bool agent;
	bool given_up;
	struct buf born;    /* FORK */
	struct buf program; /* EXEC or PROC: what it runs */
	struct buf group;   /* CGROUP: its own, or its parent's in its name */
	struct buf held;    /* the rest, each padded to 8 bytes */
};

struct discover {
	const struct discover_ops *ops;
	void *ctx;
	struct map members;    /* (tgid, start) -> struct member, in order of birth */
	struct index children; /* (tgid, start) of the parent -> struct member */
	uint64_t born;
	struct conn_table *conns;
	size_t held; /* bytes, of all members */
	struct discover_totals totals;
	const struct member *hit; /* what the record that is fed proves to be an agent */
};

static struct map_key key_of(uint32_t tgid, uint64_t start)
{
	return (struct map_key){ tgid, start, 0 };
}

static struct member *find(const struct discover *d, uint32_t tgid, uint64_t start)
{
	return map_get(&d->members, key_of(tgid, start));
}

static void drop_held(struct discover *d, struct member *m)
{
	d->held -= m->held.len;
	buf_fini(&m->held);
}

static void forget(struct discover *d, struct member *m)
{
	map_del(&d->members, key_of(m->tgid, m->start));
	index_del(&d->children, &m->of_parent);
	drop_held(d, m);
	buf_fini(&m->born);
	buf_fini(&m->program);
	buf_fini(&m->group);
	free(m);
}

static struct member *get(struct discover *d, uint32_t tgid, uint64_t start, uint64_t ts)
{
	struct member *m = find(d, tgid, start);

	if (m)
		return m;
	if (d->members.cnt >= LIMIT_PROCS)
		forget(d, d->members.first->value);
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->tgid = tgid;
	m->start = start;
	m->ts = ts;
	m->number = d->born++;
	if (map_put(&d->members, key_of(tgid, start), m)) {
		free(m);
		return NULL;
	}
	d->totals.processes++;
	return m;
}

/* --- what is held back */

static int keep(struct buf *b, const struct ev_hdr *rec)
{
	static const char zero[8];
	size_t pad = (8 - rec->size % 8) % 8;
	int err = buf_reserve(b, rec->size + pad);

	if (err)
		return err;
	buf_add(b, rec, rec->size);
	return buf_add(b, zero, pad);
}

static int replace(struct buf *b, const struct ev_hdr *rec)
{
	buf_clear(b);
	return keep(b, rec);
}

/* A process begins in its parent's control groups, of which nothing is told again. */
static int inherit_group(struct member *m, const struct member *parent)
{
	struct ev_hdr *h;

	if (m->group.len || !parent->group.len)
		return 0;
	if (buf_sv(&m->group, buf_view(&parent->group)))
		return -ENOMEM;
	h = (void *)m->group.p;
	h->tgid = h->tid = m->tgid;
	h->start = m->start;
	return 0;
}

static const struct ev_hdr *next_held(const struct buf *b, size_t *off)
{
	const struct ev_hdr *h = (const void *)(b->p + *off);

	if (*off >= b->len)
		return NULL;
	*off += (h->size + 7) & ~7u;
	return h;
}

/* What it did is not told even if it should be an agent. */
static void give_up(struct discover *d, struct member *m)
{
	drop_held(d, m);
	d->totals.given_up += !m->given_up;
	m->given_up = true;
}

static void make_room(struct discover *d)
{
	map_for_each (&d->members, e) {
		if (d->held <= LIMIT_DISCOVER)
			return;
		if (((struct member *)e->value)->held.len)
			give_up(d, e->value);
	}
}

static int hold(struct discover *d, struct member *m, const struct ev_hdr *rec)
{
	size_t before;
	int err;

	if (m->held.len + rec->size > LIMIT_DISCOVER_PROC)
		give_up(d, m);
	before = m->held.len;
	err = keep(&m->held, rec);
	d->held += m->held.len - before;
	make_room(d);
	return err;
}

/* All kinds that name a connection have its name in this place. */
static bool is_of_conn(const struct ev_hdr *h, uint64_t id)
{
	switch (h->kind) {
	case EV_DATA:
	case EV_SOCK:
	case EV_JOIN:
	case EV_CLOSE:
	case EV_FLOW:
	case EV_FLOW_END:
	case EV_TLS:
	case EV_RESET:
		return ((const struct ev_close *)(const void *)h)->conn == id;
	default:
		return false;
	}
}

static void forget_conn(struct discover *d, struct member *m, uint64_t id)
{
	const struct ev_hdr *h;
	size_t from = 0, to = 0, at = 0;

	while ((h = next_held(&m->held, &from))) {
		if (!is_of_conn(h, id)) {
			memmove(m->held.p + to, m->held.p + at, from - at);
			to += from - at;
		}
		at = from;
	}
	d->held -= m->held.len - to;
	m->held.len = to;
}

/* --- what comes through */

static int pass_all(struct discover *d, const struct buf *b)
{
	const struct ev_hdr *h;
	size_t off = 0;
	int err = 0;

	while (!err && (h = next_held(b, &off)))
		err = d->ops->pass(d->ctx, h);
	return err;
}

static int begin_run(struct discover *d, const struct member *m)
{
	struct ev_run run = { .hdr = { .size = sizeof(run), .kind = EV_RUN, .ts = m->ts },
			      .origin = EV_RUN_ATTACH };

	run.hdr.tgid = run.hdr.tid = m->tgid;
	run.hdr.start = m->start;
	d->totals.agents++;
	return d->ops->pass(d->ctx, &run.hdr);
}

/* From here on it comes through; its fork only where its parent does, too. */
static int join(struct discover *d, struct member *m, bool is_root)
{
	int err = is_root ? begin_run(d, m) : pass_all(d, &m->born);

	m->agent = true;
	d->ops->found(d->ctx, m->tgid, m->start);
	if (!err)
		err = pass_all(d, &m->program);
	if (!err)
		err = pass_all(d, &m->group);
	if (!err)
		err = pass_all(d, &m->held);
	drop_held(d, m);
	buf_fini(&m->born);
	buf_fini(&m->program);
	buf_fini(&m->group);
	return err;
}

static bool parent_is_agent(const struct discover *d, const struct member *m)
{
	const struct member *parent = map_get(&d->members, m->parent);

	return parent && parent->agent;
}

static int by_birth(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static size_t count(const struct buf *members)
{
	return members->len / sizeof(struct member *);
}

static struct member *at(const struct buf *members, size_t i)
{
	return ((struct member **)(void *)members->p)[i];
}

/* All that the process has started, and what that has; struct member *, by birth. */
static int find_tree(const struct discover *d, const struct member *root, struct buf *tree)
{
	const struct member *m = root;

	/* each has one parent, so none is met twice */
	for (size_t i = 0; m; i++) {
		index_for_each (&d->children, key_of(m->tgid, m->start), l) {
			const struct member *child = l->of;

			if (child != root && buf_add(tree, &child, sizeof(struct member *)))
				return tree->err;
		}
		m = i < count(tree) ? at(tree, i) : NULL;
	}
	if (tree->len)
		qsort(tree->p, count(tree), sizeof(struct member *), by_birth);
	return 0;
}

/* An agent and what it has started, parents first. */
static int promote(struct discover *d, struct member *root)
{
	_cleanup_buf_ struct buf tree = BUF_INIT;
	int err = join(d, root, true);
	bool more = true;

	if (!err)
		err = find_tree(d, root, &tree);
	while (more && !err) {
		more = false;
		for (size_t i = 0; i < count(&tree) && !err; i++) {
			struct member *m = at(&tree, i);

			if (m->agent || !parent_is_agent(d, m))
				continue;
			err = join(d, m, false);
			more = true;
		}
	}
	return err;
}

/* --- connections of those that are not agents yet */

static void on_open(void *ctx, struct conn *c)
{
	(void)ctx;
	(void)c;
}

static void prove(struct discover *d, const struct conn *c, bool found)
{
	if (found)
		d->hit = find(d, c->tgid, c->start);
}

static void on_data(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct evidence *e = c->user;

	if (dir != EV_WRITE || (!e && evidence_new(&e, c)))
		return;
	c->user = e;
	prove(ctx, c, evidence_wrote(e, ts, bytes));
}

static void on_gap(void *ctx, struct conn *c, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	if (c->user && dir == EV_WRITE)
		prove(ctx, c, evidence_gap(c->user, ts, missing));
}

static void on_close(void *ctx, struct conn *c, uint64_t ts)
{
	struct discover *d = ctx;
	struct evidence *e = c->user;
	struct member *m = find(d, c->tgid, c->start);

	(void)ts;
	evidence_free(&e);
	c->user = NULL;
	if (m && !m->agent && d->hit != m)
		forget_conn(d, m, c->id);
}

static const struct conn_ops conn_ops = {
	.open = on_open,
	.data = on_data,
	.gap = on_gap,
	.close = on_close,
};

/* A connection that the process made itself: not one that it hands on for others. */
static bool has_connected(const struct member *m, uint64_t sock)
{
	const struct ev_hdr *h;
	size_t off = 0;

	while ((h = next_held(&m->held, &off)))
		if (h->kind == EV_CONNECT &&
		    ((const struct ev_connect *)(const void *)h)->sock == sock)
			return true;
	return false;
}

static void look_at_flow(struct discover *d, const struct member *m, const struct ev_flow *f)
{
	if (f->proto == EV_PROTO_TLS && has_connected(m, f->file) &&
	    evidence_of_hello(event_payload(&f->hdr)))
		d->hit = m;
}

/* --- records */

static int set_parent(struct discover *d, struct member *m, uint32_t tgid, uint64_t start)
{
	index_del(&d->children, &m->of_parent);
	m->parent = key_of(tgid, start);
	return index_add(&d->children, m->parent, &m->of_parent, m);
}

/* What is held of an agent's child was told before its fork: see feed_fork() in proc/proc.c. */
static int feed_fork(struct discover *d, struct member *m, const struct ev_fork *f)
{
	struct member *child = get(d, f->child, f->child_start, f->hdr.ts);
	int err;

	if (!child)
		return -ENOMEM;
	if (set_parent(d, child, m->tgid, m->start))
		return -ENOMEM;
	if (!m->agent)
		return inherit_group(child, m) ? -ENOMEM : replace(&child->born, &f->hdr);
	child->agent = true;
	err = d->ops->pass(d->ctx, &f->hdr);
	if (!err)
		err = pass_all(d, &child->held);
	drop_held(d, child);
	return err;
}

/* Also of an agent's child that was there before: its fork is not known. */
static int feed_program(struct discover *d, struct member *m, const struct ev_exec *e)
{
	const struct member *parent = find(d, e->parent, e->parent_start);

	if (set_parent(d, m, e->parent, e->parent_start))
		return -ENOMEM;
	if (m->agent)
		return d->ops->pass(d->ctx, &e->hdr);
	if (parent && inherit_group(m, parent))
		return -ENOMEM;
	if (e->hdr.kind == EV_EXEC)
		drop_held(d, m);
	if (replace(&m->program, &e->hdr))
		return -ENOMEM;
	return parent_is_agent(d, m) ? join(d, m, false) : 0;
}

static int feed_other(struct discover *d, struct member *m, const struct ev_hdr *rec)
{
	int err;

	if (m->agent)
		return d->ops->pass(d->ctx, rec);
	if (rec->kind == EV_CGROUP)
		return replace(&m->group, rec);
	if (rec->kind == EV_MAP || rec->kind == EV_EXIT)
		return 0;
	err = hold(d, m, rec);
	if (!err && rec->kind == EV_FLOW)
		look_at_flow(d, m, (const void *)rec);
	return err;
}

/* An agent's connections are followed elsewhere; those that it had before must end here, too. */
static bool conn_wants(const struct member *m, const struct ev_hdr *rec)
{
	return !m->agent || rec->kind == EV_CLOSE || rec->kind == EV_FLOW_END ||
	       rec->kind == EV_EXEC || rec->kind == EV_EXIT;
}

static int feed_member(struct discover *d, struct member *m, const struct ev_hdr *rec)
{
	int err;

	if (rec->kind == EV_FORK)
		err = feed_fork(d, m, (const void *)rec);
	else if (rec->kind == EV_EXEC || rec->kind == EV_PROC)
		err = feed_program(d, m, (const void *)rec);
	else
		err = feed_other(d, m, rec);
	if (!err && conn_wants(m, rec))
		err = conn_feed(d->conns, rec);
	return err;
}

int discover_feed(struct discover *d, const struct ev_hdr *rec)
{
	struct member *m, *hit;
	int err;

	if (!rec->tgid) /* about all: META, HOOKED, STATS, TICK, END */
		return d->ops->pass(d->ctx, rec);
	m = get(d, rec->tgid, rec->start, rec->ts);
	if (!m)
		return -ENOMEM;
	err = feed_member(d, m, rec);
	/* bytes that waited for others may tell of another process than the record's */
	hit = d->hit ? find(d, d->hit->tgid, d->hit->start) : NULL;
	d->hit = NULL;
	if (!err && hit && !hit->agent)
		err = promote(d, hit);
	if (rec->kind == EV_EXIT)
		forget(d, m);
	return err;
}

int discover_new(struct discover **out, const struct discover_ops *ops, void *ctx)
{
	struct discover *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->ops = ops;
	d->ctx = ctx;
	if (conn_table_new(&d->conns, &conn_ops, d)) {
		free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void discover_free(struct discover **dp)
{
	struct discover *d = *dp;

	if (!d)
		return;
	conn_close_all(d->conns, 0);
	conn_table_free(&d->conns);
	while (d->members.first)
		forget(d, d->members.first->value);
	map_fini(&d->members);
	index_fini(&d->children);
	free(d);
	*dp = NULL;
}

void discover_totals(const struct discover *d, struct discover_totals *out)
{
	*out = d->totals;
}
