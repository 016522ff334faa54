// SPDX-License-Identifier: BSD-2-Clause
/*
 * JSON-RPC on streams: messages out of them, and which streams belong together.
 *
 * A TCP socket carries both directions.  A pipe carries one, so a process has two of them for each peer:
 * those at descriptors 0 and 1 are a server's; a client's are told by the server's where that is traced
 * (both ends of a pipe have one inode), else by the first answer.  What is joined stays so.  A socket
 * of AF_UNIX may carry both, or be one of two that a runtime makes in the place of pipes, as libuv
 * and Bun do for a child's descriptors: it is one way until something goes the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "span/rpc.h"

static const struct conn *conn_of(const struct rpc_stream *rs)
{
	return rs->stream->conn;
}

static bool is_half(const struct rpc_end *e)
{
	return !e->whole && !e->in != !e->out;
}

static bool is_unix(const struct conn *c)
{
	return c->src == EV_SRC_STREAM && !c->addr.family;
}

static bool is_one_way(const struct conn *c)
{
	return c->src == EV_SRC_PIPE || is_unix(c);
}

static bool same_process(const struct rpc_end *a, const struct rpc_end *b)
{
	return a->tgid == b->tgid && a->start == b->start;
}

static bool complement(const struct rpc_end *a, const struct rpc_end *b)
{
	return a != b && is_half(a) && is_half(b) && !a->in != !b->in && same_process(a, b);
}

static void set_peer(struct rpc_end *a, struct rpc_end *b)
{
	if (a->peer)
		a->peer->peer = NULL;
	if (b->peer)
		b->peer->peer = NULL;
	a->peer = b;
	b->peer = a;
	rpc_link_twins(a, b);
}

/* Both halves are `to` then. */
static void merge(struct rpc_end *to, struct rpc_end *from)
{
	struct rpc_end *peer = from->peer;

	if (from->in) {
		to->in = from->in;
		to->in->end = to;
	} else {
		to->out = from->out;
		to->out->end = to;
	}
	rpc_calls_move(to, from);
	if (!to->ops)
		to->ops = from->ops;
	if (!to->version.n)
		to->version = arena_dup(&to->arena, from->version);
	to->whole = true;
	rpc_end_free(from);
	if (peer && !to->peer)
		set_peer(to, peer);
	else if (peer && complement(to->peer, peer))
		merge(to->peer, peer);
}

/* Is what `a` writes what `b` reads? */
static bool feeds(const struct rpc_end *a, const struct rpc_end *b)
{
	const struct conn *w = a->out ? conn_of(a->out) : NULL, *r = b->in ? conn_of(b->in) : NULL;
	const struct ev_addr *wa, *ra;

	if (!w || !r || w->src != r->src)
		return false;
	if (w->src == EV_SRC_PIPE)
		return w->file && w->file == r->file;
	if (w->src != EV_SRC_STREAM && w->src != EV_SRC_TTY)
		return false;
	wa = &w->addr;
	ra = &r->addr;
	if (w->peer || r->peer)
		return (w->peer && w->peer == r->file) || (r->peer && r->peer == w->file);
	return wa->lport && wa->family == ra->family && wa->lport == ra->rport &&
	       wa->rport == ra->lport && memcmp(wa->laddr, ra->raddr, sizeof(wa->laddr)) == 0;
}

/* What two ends of one process have in common with one end of another belongs together. */
static bool join_through(struct rpc_end *e, struct rpc_end *peer)
{
	struct rpc_end *other = peer->peer;

	if (!other || !complement(e, other))
		return false;
	merge(other, e);
	return true;
}

static void find_peer(struct rpc_end *e)
{
	for (struct rpc_end *o = e->run->rpc_ends; o; o = o->next) {
		if (o == e || o->peer == e || same_process(e, o) || !(feeds(e, o) || feeds(o, e)))
			continue;
		if (join_through(e, o))
			return; /* e is part of another now, whose peer is known */
		if (e->peer && complement(o, e->peer)) {
			merge(e->peer, o);
			return;
		}
		if (!o->peer && !e->peer)
			set_peer(e, o);
	}
}

/* Descriptors 0 and 1 of one process: a server's two sides. */
static struct rpc_end *join_standard(struct rpc_end *e)
{
	const struct conn *c = conn_of(e->in ? e->in : e->out);

	if (!is_one_way(c) || c->fd != (e->in ? 0 : 1))
		return e;
	for (struct rpc_end *o = e->run->rpc_ends; o; o = o->next) {
		const struct conn *oc;

		if (!complement(e, o))
			continue;
		oc = conn_of(o->in ? o->in : o->out);
		if (oc->src != c->src || oc->fd != (o->in ? 0 : 1))
			continue;
		merge(o, e);
		return o;
	}
	return e;
}

static uint64_t distance(const struct rpc_end *a, const struct rpc_end *b)
{
	uint64_t x = conn_of(a->in ? a->in : a->out)->file;
	uint64_t y = conn_of(b->in ? b->in : b->out)->file;

	return x > y ? x - y : y - x;
}

/*
 * Clients number their requests alike with every server, so several may have asked this.  Pipes
 * and socketpairs that were made for one server were made one after the other: their inode numbers
 * are neighbours (get_next_ino(), fs/inode.c).
 */
bool rpc_join_by_id(struct rpc_end *e, enum ev_dir dir, const struct jsonrpc_msg *m, bool asked)
{
	struct rpc_end *best = NULL;

	if (!is_half(e))
		return false;
	for (struct rpc_end *o = e->run->rpc_ends; o; o = o->next)
		if (complement(e, o) && rpc_call_find(o, dir, m, asked) &&
		    (!best || distance(e, o) < distance(e, best)))
			best = o;
	if (!best)
		return false;
	merge(e, best);
	find_peer(e);
	return true;
}

void rpc_join_by_note(struct rpc_end *e, struct sv token)
{
	struct rpc_end *one = NULL;

	if (!is_half(e))
		return;
	for (struct rpc_end *o = e->run->rpc_ends; o; o = o->next) {
		if (!complement(e, o) || !o->calls || (token.n && !rpc_call_by_token(o, token)))
			continue;
		if (one)
			return;
		one = o;
	}
	if (!one)
		return;
	merge(e, one);
	find_peer(e);
}

/* --- messages out of a stream */

static void on_message(void *ctx, const struct jsonrpc_msg *m)
{
	const struct rpc_reader *r = ctx;

	rpc_message(&(struct rpc_from){ .end = r->rs->end, .dir = r->dir }, m);
}

static int rpc_detect(const struct conn *c, enum ev_dir dir, struct sv first)
{
	(void)dir;
	if (c->src < EV_SRC_FLOW)
		return 0;
	return c->proto == EV_PROTO_JSONRPC ? 100 : jsonrpc_detect(first);
}

static int rpc_open(struct stream *s, enum ev_dir dir, struct sv first)
{
	struct rpc_stream *rs = calloc(1, sizeof(*rs));
	bool one_way = is_one_way(s->conn);
	struct rpc_end *e;

	(void)first;
	if (!rs)
		return -ENOMEM;
	e = rpc_end_new(s->run, s->conn->tgid, s->conn->start);
	if (!e) {
		free(rs);
		return -ENOSPC;
	}
	rs->stream = s;
	rs->end = e;
	if (!one_way || dir == EV_READ)
		e->in = rs;
	if (!one_way || dir == EV_WRITE)
		e->out = rs;
	e->whole = !one_way;
	s->state = rs;
	if (one_way)
		e = join_standard(e);
	find_peer(e);
	return 0;
}

/* Something goes the other way: no half of two, unless it was joined with another already. */
static void becomes_whole(struct rpc_stream *rs)
{
	struct rpc_end *e = rs->end;

	if (!is_half(e))
		return;
	e->in = e->out = rs;
	e->whole = true;
	if (!e->peer)
		find_peer(e);
}

static void rpc_data(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct rpc_stream *rs = s->state;
	struct rpc_reader *r = &rs->readers[dir];

	if (rs != (dir == EV_READ ? rs->end->in : rs->end->out))
		becomes_whole(rs);
	r->rs = rs;
	r->dir = dir;
	if (r->parser || jsonrpc_new(&r->parser, on_message, r) == 0)
		jsonrpc_feed(r->parser, ts, bytes);
}

static void rpc_gap(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct rpc_stream *rs = s->state;

	(void)ts;
	if (rs->readers[dir].parser)
		jsonrpc_gap(rs->readers[dir].parser, missing);
}

static void rpc_close(struct stream *s, uint64_t ts)
{
	struct rpc_stream *rs = s->state;
	struct rpc_end *e;

	(void)ts;
	for (int dir = 0; dir < 2; dir++)
		if (rs->readers[dir].parser)
			jsonrpc_end(rs->readers[dir].parser);
	e = rs->end;
	if (e->in == rs)
		e->in = NULL;
	if (e->out == rs)
		e->out = NULL;
	if (!e->in && !e->out)
		rpc_end_free(e);
	for (int dir = 0; dir < 2; dir++)
		jsonrpc_free(&rs->readers[dir].parser);
	free(rs);
}

const struct stream_ops stream_jsonrpc = {
	.name = "jsonrpc",
	.detect = rpc_detect,
	.open = rpc_open,
	.data = rpc_data,
	.gap = rpc_gap,
	.close = rpc_close,
};

void rpc_tick(struct run *r, uint64_t now)
{
	for (struct rpc_end *e = r->rpc_ends; e; e = e->next)
		rpc_flush(e, now);
}

void rpc_end_all(struct run *r)
{
	while (r->rpc_ends)
		rpc_end_free(r->rpc_ends);
	index_fini(&r->rpc);
}
