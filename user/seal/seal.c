// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connections, and what each direction of them speaks: see seal.h.  What that is, is found as stream.c of span
 * finds it, in its first bytes.  Where those do not tell, and it may be a protocol that packs, its bytes are
 * kept only as far as they are text.
 */
#include "seal/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "base/limits.h"
#include "proto/http1.h"
#include "proto/http2.h"
#include "proto/mysql.h"
#include "proto/postgres.h"
#include "proto/redis.h"
#include "seal/seal_int.h"

#define FIRST_MAX 64    /* bytes that any protocol can be told by */
#define GZIP_FIRST 0x1f /* RFC 1952 2.3.1 */

enum speaks {
	SPEAKS_UNTOLD, /* its first bytes do not tell yet */
	SPEAKS_PLAIN,
	SPEAKS_HTTP1,
	SPEAKS_HTTP2,
	SPEAKS_WEBSOCKET,
	SPEAKS_GZIP,    /* a pipe or standard output that a packed file is written to */
	SPEAKS_UNKNOWN, /* and may be packed */
};

struct side {
	enum speaks speaks;
	enum http_dir dir; /* of HTTP/1 */
	bool joined;       /* its beginning is missing */
	uint64_t next;     /* position that is awaited */
	size_t first_len;
	char first[FIRST_MAX];
	struct seal_http1 *http1;
	struct seal_http2 *http2;
	struct seal_ws *ws;
	struct seal_body file;
};

struct conn {
	struct map_key key; /* (tgid, start, id) */
	struct index_link of_process;
	uint8_t src;
	uint32_t proto;       /* enum ev_proto */
	struct side sides[2]; /* by enum ev_dir */
	struct seal_asked asked;
};

struct seal {
	struct map conns;
	struct index by_process;
	struct seal_work work;
};

int seal_new(struct seal **out)
{
	struct seal *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	seal_huffman_make(&s->work.huffman);
	*out = s;
	return 0;
}

static void side_fini(struct seal_work *w, struct side *d)
{
	seal_http1_free(w, &d->http1);
	seal_http2_free(w, &d->http2);
	seal_ws_free(w, &d->ws);
	seal_body_fini(w, &d->file);
}

static void conn_free(struct seal *s, struct conn *c)
{
	if (!c)
		return;
	index_del(&s->by_process, &c->of_process);
	side_fini(&s->work, &c->sides[EV_READ]);
	side_fini(&s->work, &c->sides[EV_WRITE]);
	free(c);
}

void seal_free(struct seal **s)
{
	if (!*s)
		return;
	map_for_each (&(*s)->conns, e)
		conn_free(*s, e->value);
	map_fini(&(*s)->conns);
	index_fini(&(*s)->by_process);
	free(*s);
	*s = NULL;
}

uint64_t seal_lost(const struct seal *s)
{
	return s->work.lost;
}

static struct conn *conn_get(struct seal *s, const struct ev_hdr *rec, uint64_t id)
{
	struct map_key key = { rec->tgid, rec->start, id };
	struct conn *c = map_get(&s->conns, key);

	if (c)
		return c;
	if (s->conns.cnt >= LIMIT_CONNS)
		conn_free(s, map_del(&s->conns, s->conns.first->key));
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = key;
	if (index_add(&s->by_process, (struct map_key){ rec->tgid, rec->start, 0 }, &c->of_process,
		      c) ||
	    map_put(&s->conns, key, c)) {
		conn_free(s, c);
		return NULL;
	}
	return c;
}

static void forget(struct seal *s, const struct ev_hdr *rec, uint64_t id)
{
	conn_free(s, map_del(&s->conns, (struct map_key){ rec->tgid, rec->start, id }));
}

/* A new program, or none: whoever had the connections is gone. */
static void forget_process(struct seal *s, const struct ev_hdr *rec)
{
	index_for_each (&s->by_process, ((struct map_key){ rec->tgid, rec->start, 0 }), l) {
		struct conn *c = l->of;

		map_del(&s->conns, c->key);
		conn_free(s, c);
	}
}

/* --- what a direction speaks */

static bool may_be_packed(const struct conn *c)
{
	return c->src < EV_SRC_FLOW || c->proto == EV_PROTO_HTTP1 || c->proto == EV_PROTO_HTTP2;
}

static void set_http1(struct conn *c, struct side *d, enum http_dir dir)
{
	d->dir = dir;
	d->http1 = seal_http1_new(dir, &c->asked, d->joined);
	d->speaks = d->http1 ? SPEAKS_HTTP1 : SPEAKS_UNKNOWN;
}

static void pair(struct conn *c)
{
	for (int dir = EV_READ; dir <= EV_WRITE; dir++)
		if (c->sides[dir].http2)
			seal_http2_pair(c->sides[dir].http2, c->sides[!dir].http2);
}

static void set_http2(struct conn *c, struct side *d, bool preface, bool lost)
{
	d->http2 = seal_http2_new(preface, lost);
	d->speaks = d->http2 ? SPEAKS_HTTP2 : SPEAKS_UNKNOWN;
	pair(c);
}

/* HTTP/2 by its first bytes; false: it is none, or *wait for more. */
static bool find_http2(struct conn *c, struct side *d, struct sv first, bool *wait)
{
	const struct side *other = &c->sides[d == &c->sides[EV_READ]];
	struct sv preface = HTTP2_PREFACE;
	struct http2_frame f;
	size_t at = 0;

	if (sv_eq(sv_sub(first, 0, preface.n), sv_sub(preface, 0, first.n))) {
		*wait = first.n < preface.n;
		if (!*wait)
			set_http2(c, d, true, false);
		return !*wait;
	}
	if (first.n < HTTP2_FRAME_HEAD && !first.p[0]) {
		*wait = true;
		return false;
	}
	if (first.n >= HTTP2_FRAME_HEAD) {
		f = http2_frame_read(first.p);
		if (http2_frame_first(&f)) {
			/* of a client whose preface was not seen this is the beginning, too */
			set_http2(c, d, false, false);
			return true;
		}
	}
	if (other->speaks != SPEAKS_HTTP2 && !(seal_http2_find(first, &at) && !at))
		return false;
	set_http2(c, d, false, true);
	return true;
}

static bool find_http1(struct conn *c, struct side *d, struct sv first, bool *wait)
{
	const struct side *other = &c->sides[d == &c->sides[EV_READ]];
	int request = http1_detect(HTTP_REQUEST, first);
	int response = http1_detect(HTTP_RESPONSE, first);

	if (request > 0 || response > 0) {
		set_http1(c, d, request > response ? HTTP_REQUEST : HTTP_RESPONSE);
		return true;
	}
	if (first.n < FIRST_MAX && (request < 0 || response < 0)) {
		*wait = true;
		return false;
	}
	if (other->speaks != SPEAKS_HTTP1 && other->speaks != SPEAKS_WEBSOCKET)
		return false;
	d->joined = true;
	set_http1(c, d, other->dir == HTTP_REQUEST ? HTTP_RESPONSE : HTTP_REQUEST);
	return true;
}

static bool is_connection(uint8_t src)
{
	return src < EV_SRC_FLOW || src == EV_SRC_STREAM;
}

/* Their texts event_scrub() has masked. */
static bool is_database(const struct conn *c, struct sv first)
{
	return c->proto == EV_PROTO_POSTGRES || c->proto == EV_PROTO_REDIS ||
	       c->proto == EV_PROTO_MYSQL || postgres_is_startup(first) ||
	       redis_is_command(first) || mysql_is_greeting(first) || mysql_is_login(first) ||
	       mysql_is_command(first);
}

/* Finds it where the bytes, the first ones, tell it. */
static void find(struct seal *s, struct conn *c, struct side *d, struct sv first)
{
	const struct side *other = &c->sides[d == &c->sides[EV_READ]];
	bool wait = false;

	if (!is_connection(c->src)) {
		d->speaks = SPEAKS_PLAIN;
		if (first.p[0] != GZIP_FIRST)
			return;
		d->speaks = SPEAKS_GZIP;
		seal_body_open(&s->work, &d->file, SEAL_GZIP);
		return;
	}
	if (other->speaks == SPEAKS_PLAIN || c->proto == EV_PROTO_DNS || is_database(c, first)) {
		d->speaks = SPEAKS_PLAIN;
		return;
	}
	if (find_http2(c, d, first, &wait) || wait || find_http1(c, d, first, &wait) || wait)
		return;
	d->speaks = may_be_packed(c) ? SPEAKS_UNKNOWN : SPEAKS_PLAIN;
}

/* --- bytes */

static void feed(struct seal *s, struct conn *c, struct side *d, char *p, size_t n);

static size_t feed_http1(struct seal *s, struct side *d, char *p, size_t n)
{
	enum seal_upgrade next;
	size_t took = seal_http1_feed(&s->work, d->http1, p, n, &next);

	if (next == UPGRADE_NONE)
		return n;
	seal_http1_free(&s->work, &d->http1);
	d->speaks = SPEAKS_UNTOLD;
	d->first_len = 0;
	if (next == UPGRADE_WEBSOCKET) {
		d->ws = seal_ws_new();
		d->speaks = d->ws ? SPEAKS_WEBSOCKET : SPEAKS_UNKNOWN;
	}
	return took;
}

/* What cannot be told yet is text, or the head of a frame. */
static size_t feed_untold(struct seal *s, struct conn *c, struct side *d, char *p, size_t n)
{
	char first[FIRST_MAX];
	size_t kept = d->first_len, now = n < FIRST_MAX - kept ? n : FIRST_MAX - kept;

	if (!kept) {
		find(s, c, d, (struct sv){ p, n });
	} else {
		memcpy(d->first + kept, p, now);
		find(s, c, d, (struct sv){ d->first, kept + now });
	}
	if (d->speaks == SPEAKS_UNTOLD) {
		memcpy(d->first + kept, p, now);
		d->first_len = kept + now;
		return n;
	}
	/* what was seen before is written already */
	memcpy(first, d->first, kept);
	d->first_len = 0;
	feed(s, c, d, first, kept);
	seal_joined_flush(&s->work); /* these are gone then */
	return 0;
}

static size_t feed_unknown(struct seal *s, struct conn *c, struct side *d, char *p, size_t n)
{
	size_t at = n;

	d->joined = true;
	if (seal_http2_find((struct sv){ p, n }, &at))
		set_http2(c, d, false, true);
	else if (http1_detect(HTTP_REQUEST, (struct sv){ p, n }) >= 90)
		set_http1(c, d, HTTP_REQUEST);
	else if (http1_detect(HTTP_RESPONSE, (struct sv){ p, n }) >= 90)
		set_http1(c, d, HTTP_RESPONSE);
	if (d->speaks != SPEAKS_UNKNOWN)
		return 0;
	if (seal_is_binary((struct sv){ p, n }))
		seal_blank(&s->work, p, n);
	return n;
}

/* How many bytes it took; less than n, and it speaks something else. */
static size_t feed_some(struct seal *s, struct conn *c, struct side *d, char *p, size_t n)
{
	switch (d->speaks) {
	case SPEAKS_UNTOLD:
		return feed_untold(s, c, d, p, n);
	case SPEAKS_PLAIN:
		break;
	case SPEAKS_HTTP1:
		return feed_http1(s, d, p, n);
	case SPEAKS_HTTP2:
		seal_http2_feed(&s->work, d->http2, p, n);
		break;
	case SPEAKS_WEBSOCKET:
		seal_ws_feed(&s->work, d->ws, p, n);
		break;
	case SPEAKS_GZIP:
		seal_body_feed(&s->work, &d->file, p, n);
		break;
	case SPEAKS_UNKNOWN:
		return feed_unknown(s, c, d, p, n);
	}
	return n;
}

static void feed(struct seal *s, struct conn *c, struct side *d, char *p, size_t n)
{
	while (n) {
		size_t took = feed_some(s, c, d, p, n);

		p += took;
		n -= took;
	}
}

static void hole(struct seal *s, struct conn *c, struct side *d, uint64_t n)
{
	d->joined = true;
	switch (d->speaks) {
	case SPEAKS_UNTOLD:
		if (d->first_len) /* they were text, and of what will not be known */
			d->speaks = may_be_packed(c) ? SPEAKS_UNKNOWN : SPEAKS_PLAIN;
		d->first_len = 0;
		break;
	case SPEAKS_HTTP1:
		seal_http1_hole(&s->work, d->http1, n);
		break;
	case SPEAKS_HTTP2:
		seal_http2_hole(&s->work, d->http2, n);
		break;
	case SPEAKS_WEBSOCKET:
		seal_ws_hole(&s->work, d->ws, n);
		break;
	case SPEAKS_GZIP:
		seal_body_hole(&s->work, &d->file);
		break;
	case SPEAKS_PLAIN:
	case SPEAKS_UNKNOWN:
		break;
	}
	d->next += n;
}

/* Bytes that come behind later ones: what they are a part of has been given up. */
static void late(struct seal *s, const struct side *d, char *p, size_t n)
{
	bool text = d->speaks == SPEAKS_HTTP1 || d->speaks == SPEAKS_UNKNOWN ||
		    d->speaks == SPEAKS_UNTOLD;

	if (d->speaks != SPEAKS_PLAIN && (!text || seal_is_binary((struct sv){ p, n })))
		seal_blank(&s->work, p, n);
}

static void seal_data(struct seal *s, struct ev_data *rec)
{
	struct sv bytes = event_payload(&rec->hdr);
	char *p = (char *)rec + (bytes.p - (const char *)rec);
	size_t n = bytes.n, again = 0;
	struct conn *c;
	struct side *d;

	if (rec->src == EV_SRC_DGRAM || rec->src == EV_SRC_TTY)
		return;
	c = conn_get(s, &rec->hdr, rec->conn);
	if (!c) {
		seal_blank(&s->work, p, n);
		return;
	}
	c->src = rec->src;
	d = &c->sides[rec->dir];
	if (rec->pos > d->next)
		hole(s, c, d, rec->pos - d->next);
	if (rec->pos < d->next)
		again = d->next - rec->pos < n ? (size_t)(d->next - rec->pos) : n;
	if (again)
		late(s, d, p, again);
	feed(s, c, d, p + again, n - again);
	seal_joined_flush(&s->work);
	d->next += n - again;
	if (rec->missing && rec->pos + n == d->next)
		hole(s, c, d, rec->missing);
}

/* What was followed under another name is this stream's, if it begins where that one is. */
static void join(struct seal *s, const struct ev_join *rec)
{
	struct conn *into = conn_get(s, &rec->hdr, rec->into), *from;
	struct side *to;

	from = map_get(&s->conns, (struct map_key){ rec->hdr.tgid, rec->hdr.start, rec->conn });
	if (!into || !from || into == from)
		return;
	to = &into->sides[rec->dir];
	if (to->next == rec->pos && !to->joined && !rec->pos) {
		side_fini(&s->work, to);
		*to = from->sides[rec->dir];
		memset(&from->sides[rec->dir], 0, sizeof(*to));
		if (to->http1)
			seal_http1_move(to->http1, &into->asked);
		if (to->http2)
			pair(into);
	} else if (to->next == rec->pos) {
		hole(s, into, to, from->sides[rec->dir].next);
	}
	into->src = from->src;
	forget(s, &rec->hdr, rec->conn);
}

void seal_record(struct seal *s, struct ev_hdr *rec)
{
	struct conn *c;
	uint64_t id;

	switch (rec->kind) {
	case EV_DATA:
		seal_data(s, (struct ev_data *)(void *)rec);
		break;
	case EV_FLOW: {
		const struct ev_flow *f = (const struct ev_flow *)(const void *)rec;

		c = f->src == EV_SRC_STREAM ? conn_get(s, rec, f->conn) : NULL;
		if (c)
			c->proto = f->proto;
		break;
	}
	case EV_JOIN:
		join(s, (const struct ev_join *)(const void *)rec);
		break;
	case EV_EXEC:
	case EV_EXIT:
		forget_process(s, rec);
		break;
	default:
		if (event_ends_conn(rec, &id))
			forget(s, rec, id);
		break;
	}
}
