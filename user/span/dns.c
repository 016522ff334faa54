// SPDX-License-Identifier: BSD-2-Clause
/*
 * DNS: a query and its answer are one span, of kind `dns`.  They are paired within a process by id and
 * question, whatever socket they went by: a resolver asks again by another server's socket, and by TCP
 * when the answer did not fit into a datagram.  Answers also tell later spans of the run the name that
 * an address was asked for by.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/limits.h"
#include "proto/dns.h"
#include "span/engine.h"

struct dns_query {
	struct dns_query *next;
	uint32_t tgid;
	uint64_t start;
	uint64_t conn; /* that it went by last */
	struct ev_addr addr;
	uint16_t id, type;
	bool client, tcp, truncated;
	unsigned int attempts;
	uint64_t ts_first, ts_last; /* of the query */
	uint64_t ts_over; /* an answer that was cut, or the end of its socket; 0: neither */
	char *name;
};

/* A connection that carries DNS. */
struct dns_conn {
	struct stream *stream;
	struct dns_tcp tcp[2]; /* by enum ev_dir */
	/* of the message that is being taken in */
	enum ev_dir dir;
	uint64_t ts, ts_first[2]; /* of a message in pieces: when the first came, 0 when none did */
};

/* --- lookups */

/*
 * What a process waited for a name: of all queries for it, each type once, the time in which any was
 * open.  Whoever asks for a type again looks up anew.
 */
struct lookup {
	uint64_t from, until, ns;
	unsigned int types; /* as bits */
	bool used;          /* a connection was made */
};

static struct map_key lookup_key(struct sv name, uint32_t tgid, uint64_t start)
{
	return (struct map_key){ hash64(name), tgid, start };
}

static unsigned int type_bit(uint16_t type)
{
	return type == DNS_A ? 1 : type == DNS_AAAA ? 2 : 4;
}

/* The query is over. */
static void lookup_add(struct run *r, const struct dns_query *q, uint64_t from, uint64_t until)
{
	struct map_key key = lookup_key(sv(q->name), q->tgid, q->start);
	struct lookup *l = map_get(&r->lookups, key);

	if (!l) {
		if (r->lookups.cnt >= LIMIT_DNS_NAMES)
			free(map_del(&r->lookups, r->lookups.first->key));
		l = calloc(1, sizeof(*l));
		if (!l || map_put(&r->lookups, key, l)) {
			free(l);
			return;
		}
	}
	if (l->used || l->types & type_bit(q->type) || !l->types)
		*l = (struct lookup){ .from = from, .until = from };
	l->types |= type_bit(q->type);
	if (from <
	    l->from) { /* it was asked first, and answered last: queries are told by their ends */
		l->ns = until > l->until ? until - from : l->until - from;
		l->from = from;
	} else if (until > l->until) {
		l->ns += until - (from > l->until ? from : l->until);
	}
	l->until = until > l->until ? until : l->until;
}

bool dns_lookup_of(struct run *r, const struct ev_connect *e, uint64_t *ns)
{
	struct sv name = dns_name_of(r, &e->addr);
	struct lookup *l;

	if (!name.n)
		return false;
	l = map_get(&r->lookups, lookup_key(name, e->hdr.tgid, e->hdr.start));
	if (!l || l->used || l->until > e->enter_ts)
		return false;
	l->used = true;
	*ns = l->ns;
	return true;
}

/* --- names of addresses */

static struct map_key addr_key(const uint8_t addr[16])
{
	struct map_key key = { 0 };

	memcpy(&key.a, addr, sizeof(key.a));
	memcpy(&key.b, addr + 8, sizeof(key.b));
	return key;
}

static void learn(struct run *r, struct sv name, const struct dns_record *rec)
{
	struct map_key key = addr_key(rec->addr);
	char *text = strndup(name.p, name.n);

	if (!text)
		return;
	free(map_del(&r->names, key)); /* the latest come last, the oldest is given up */
	if (r->names.cnt >= LIMIT_DNS_NAMES)
		free(map_del(&r->names, r->names.first->key));
	if (map_put(&r->names, key, text))
		free(text);
}

struct sv dns_name_of(const struct run *r, const struct ev_addr *addr)
{
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

	if (addr->family == AF_INET6)
		memcpy(mapped, addr->raddr, sizeof(mapped));
	else if (addr->family == AF_INET)
		memcpy(mapped + 12, addr->raddr, 4);
	else
		return (struct sv){ NULL, 0 };
	return sv(map_get(&r->names, addr_key(mapped)));
}

/* --- spans */

static bool is_addr(const struct dns_record *rec)
{
	return rec->type == DNS_A || rec->type == DNS_AAAA;
}

static void set_answer(struct span *s, const struct dns_msg *m)
{
	struct arena *a = &s->arena;
	struct json *addrs = json_array(a), *others = json_array(a);
	char buf[DNS_TEXT_LEN];

	for (size_t i = 0; addrs && others && i < m->answer_cnt; i++) {
		const struct dns_record *rec = &m->answers[i];

		if (is_addr(rec))
			json_push(addrs, json_string(a, rec->text));
		else
			json_push(others, json_string(a, arena_fmt(a, "%s " SV_FMT,
								   dns_type_text(rec->type, buf),
								   SV_ARG(rec->text))));
	}
	if (addrs && addrs->cnt)
		span_set_json(s, ATTR_ID_DNS_ANSWERS, addrs);
	if (others && others->cnt)
		span_set_json(s, ATTR_ID_DNS_RECORDS, others);
	span_set_str(s, ATTR_ID_DNS_RCODE, sv(dns_rcode_text(m->rcode, buf)));
	if (m->rcode)
		engine_fail(s, sv(dns_rcode_text(m->rcode, buf)), SV(""));
	if (m->flags & DNS_CUT)
		span_incomplete(s, "cut");
	if (m->flags & DNS_CAP)
		span_incomplete(s, "cap");
}

static void set_silence(struct span *s, const struct dns_query *q, const struct run *r)
{
	if (q->truncated) { /* the client made do with what it got */
		span_incomplete(s, "cut");
		return;
	}
	span_incomplete(s, r->t->ending ? "unfinished" : "unanswered");
	engine_fail(s, SV("timeout"),
		    arena_fmt(&s->arena, "no answer to %u quer%s", q->attempts,
			      q->attempts == 1 ? "y" : "ies"));
}

/* m: the answer, NULL when none came. */
static void emit(struct run *r, const struct dns_query *q, const struct dns_msg *m, uint64_t ts_end)
{
	struct pstate *ps = engine_pstate(r->t, q->tgid, q->start);
	struct span *s = engine_span(r, SPAN_DNS, q->ts_first, ts_end);
	char buf[DNS_TEXT_LEN];

	if (q->client && ts_end >= q->ts_first)
		lookup_add(r, q, q->ts_first, ts_end);
	if (q->client)
		wait_of_process(r, proc_find(r->t->procs, q->tgid, q->start), q->ts_first, ts_end);
	if (!s)
		return;
	engine_id(s->span_id, r, SPAN_DNS,
		  (uint64_t[4]){ q->tgid, q->start, q->ts_first,
				 (uint64_t)!q->client << 32 | (uint64_t)q->type << 16 | q->id });
	if (ps)
		memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	s->kind = q->client ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
	span_set_name(s, arena_fmt(&s->arena, "dns %s", q->name));
	span_set_str(s, ATTR_ID_DNS_NAME, sv(q->name));
	span_set_str(s, ATTR_ID_DNS_TYPE, sv(dns_type_text(q->type, buf)));
	span_set_int(s, ATTR_ID_ATTEMPTS, q->attempts);
	if (q->truncated)
		span_set_bool(s, ATTR_ID_DNS_TRUNCATED, true);
	span_set_str(s, ATTR_ID_NET_PROTOCOL, SV("dns"));
	span_set_str(s, ATTR_ID_NET_TRANSPORT, q->tcp ? SV("tcp") : SV("udp"));
	flow_addr(r, s, &q->addr);
	span_set_int(s, ATTR_ID_PROCESS_PID, q->tgid);
	if (m)
		set_answer(s, m);
	else
		set_silence(s, q, r);
	engine_emit(r, &s);
}

/* --- queries */

static void query_drop(struct run *r, struct dns_query **at)
{
	struct dns_query *q = *at;

	*at = q->next;
	r->query_cnt--;
	free(q->name);
	free(q);
}

static void give_up(struct run *r, struct dns_query **at, uint64_t now)
{
	const struct dns_query *q = *at;

	emit(r, q, NULL, q->ts_over ? q->ts_over : now);
	query_drop(r, at);
}

void dns_expire(struct run *r, uint64_t now, bool all)
{
	struct dns_query **at = &r->queries;

	while (*at) {
		uint64_t last = (*at)->ts_last;

		if (all || (now > last && now - last > LIMIT_DNS_NS))
			give_up(r, at, now);
		else
			at = &(*at)->next;
	}
}

void dns_process_over(struct run *r, const struct proc *p, uint64_t ts)
{
	struct dns_query **at = &r->queries;

	while (*at) {
		if ((*at)->tgid == p->tgid && (*at)->start == p->start)
			give_up(r, at, ts);
		else
			at = &(*at)->next;
	}
}

void dns_forget(struct run *r)
{
	map_for_each (&r->names, e)
		free(e->value);
	map_fini(&r->names);
	map_for_each (&r->lookups, e)
		free(e->value);
	map_fini(&r->lookups);
}

/* The query that m is the answer to, or asks again; at its end when there is none. */
static struct dns_query **find(struct dns_conn *d, const struct dns_msg *m, bool client)
{
	const struct conn *c = d->stream->conn;
	struct dns_query **at = &d->stream->run->queries;

	for (; *at; at = &(*at)->next) {
		const struct dns_query *q = *at;
		/* the answer that did not fit may be asked for by a new id */
		bool same = q->id == m->id || (q->truncated && !m->response);

		if (!same || q->tgid != c->tgid || q->start != c->start || q->client != client)
			continue;
		/* a server that cannot read the question does not repeat it: RFC 1035 4.1.1, FORMERR */
		if (m->asks ? q->type == m->type && sv_is(m->name, q->name) : q->conn == c->id)
			break;
	}
	return at;
}

/* A query that was not asked before, behind the others. */
static struct dns_query *query_new(struct dns_conn *d, const struct dns_msg *m, bool client,
				   uint64_t ts)
{
	const struct conn *c = d->stream->conn;
	struct run *r = d->stream->run;
	struct dns_query *q = calloc(1, sizeof(*q)), **at = &r->queries;
	char *name = strndup(m->name.p, m->name.n);

	if (!q || !name) {
		free(q);
		free(name);
		return NULL;
	}
	q->name = name;
	q->tgid = c->tgid;
	q->start = c->start;
	q->client = client;
	q->type = m->type;
	q->ts_first = ts;
	if (*at && r->query_cnt >= LIMIT_DNS_QUERIES)
		give_up(r, at, ts);
	while (*at)
		at = &(*at)->next;
	*at = q;
	r->query_cnt++;
	return q;
}

static void ask(struct dns_conn *d, const struct dns_msg *m, bool client, uint64_t ts)
{
	const struct conn *c = d->stream->conn;
	struct dns_query *q;

	if (!m->asks)
		return;
	q = *find(d, m, client);
	if (!q)
		q = query_new(d, m, client, ts);
	if (!q)
		return;
	q->id = m->id;
	q->conn = c->id;
	q->addr = c->addr;
	q->tcp = c->src == EV_SRC_STREAM;
	q->ts_last = ts;
	q->ts_over = 0;
	q->attempts++;
}

static void answered(struct dns_conn *d, const struct dns_msg *m, bool client, uint64_t ts)
{
	const struct conn *c = d->stream->conn;
	struct run *r = d->stream->run;
	struct dns_query **at = find(d, m, client);

	if (!*at)
		return; /* of one that was asked before it was watched, or a second server's */
	for (size_t i = 0; client && i < m->answer_cnt; i++)
		if (is_addr(&m->answers[i]))
			learn(r, sv((*at)->name), &m->answers[i]);
	if (m->flags & DNS_TRUNCATED && c->src == EV_SRC_DGRAM) {
		(*at)->truncated = true;
		(*at)->ts_over = ts;
		return;
	}
	emit(r, *at, m, ts);
	query_drop(r, at);
}

static void message(void *ctx, struct sv bytes)
{
	_cleanup_arena_ struct arena a = { 0 };
	struct dns_conn *d = ctx;
	struct dns_msg m;
	uint64_t ts = d->ts_first[d->dir] ? d->ts_first[d->dir] : d->ts;
	bool client;

	d->ts_first[d->dir] = 0; /* it is this message's alone */
	arena_init(&a, 4 * EV_SIZE_MAX);
	if (dns_parse(&m, &a, bytes))
		return;
	client = m.response == (d->dir == EV_READ);
	if (m.response)
		answered(d, &m, client, d->ts);
	else
		ask(d, &m, client, ts);
}

/* --- connections */

static int dns_detect(const struct conn *c, enum ev_dir dir, struct sv first)
{
	(void)dir;
	(void)first;
	return c->proto == EV_PROTO_DNS ? 100 : 0;
}

static int dns_open(struct stream *s, enum ev_dir dir, struct sv first)
{
	struct dns_conn *d = calloc(1, sizeof(*d));

	(void)dir;
	(void)first;
	if (!d)
		return -ENOMEM;
	d->stream = s;
	s->state = d;
	return 0;
}

static void dns_data(struct stream *s, enum ev_dir dir, uint64_t ts, struct sv bytes)
{
	struct dns_conn *d = s->state;

	d->dir = dir;
	d->ts = ts;
	if (s->conn->src == EV_SRC_DGRAM) {
		message(d, bytes);
		return;
	}
	dns_tcp_feed(&d->tcp[dir], bytes, message, d);
	/* what waits for its rest began here at the latest */
	if (!d->tcp[dir].msg.len)
		d->ts_first[dir] = 0;
	else if (!d->ts_first[dir])
		d->ts_first[dir] = ts;
}

static void dns_gap(struct stream *s, enum ev_dir dir, uint64_t ts, uint64_t missing)
{
	struct dns_conn *d = s->state;

	(void)ts;
	dns_tcp_gap(&d->tcp[dir], missing);
}

static void dns_close(struct stream *s, uint64_t ts)
{
	struct dns_conn *d = s->state;

	/* no answer comes by this socket any more, but one may by another */
	for (struct dns_query *q = s->run->queries; q; q = q->next)
		if (q->conn == s->conn->id && !q->truncated)
			q->ts_over = ts;
	dns_tcp_fini(&d->tcp[EV_READ]);
	dns_tcp_fini(&d->tcp[EV_WRITE]);
	free(d);
}

const struct stream_ops stream_dns = {
	.name = "dns",
	.detect = dns_detect,
	.open = dns_open,
	.data = dns_data,
	.gap = dns_gap,
	.close = dns_close,
};
