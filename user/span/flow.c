// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sockets as wholes: how a connection was made, what moved over it and what of that was not seen.  A
 * connect is handed out when its socket is done with, because only then its bytes, round trips and
 * retransmissions are known; at once where nobody will tell them.  A connection whose content was not
 * seen is told as such, with the reason: TLS and QUIC as a span of kind `tls`, all else on the connect.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/limits.h"
#include "span/flow.h"

#define ADDR_LEN 46 /* INET6_ADDRSTRLEN */

/* Why content was not seen.	ringspan.content.reason, what to do about it */
static const struct reason {
	const char *text, *advice;
} reasons[] = {
#define TLS_UNKNOWN 0
	{ "tls_library_unknown",
	  "no TLS functions were found in the program; record -v tells which files were searched" },
#define QUIC 1
	{ "quic", "QUIC is encrypted inside the program; without HTTP/3 it falls back to TLS" },
#define UNFOLLOWED 2
	{ "io_uring_or_sendfile",
	  "io_uring, sendfile or splice moved bytes, which are counted but not read" },
#define PROTOCOL 3
	{ "protocol_unknown", "its first bytes are of no protocol that ringspan reads" },
};

/* --- addresses */

static struct sv addr_text(struct arena *a, uint16_t family, const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[ADDR_LEN] = "";

	/* IPv4 through an IPv6 socket (RFC 4291 2.5.5.2) is told as what it is */
	if (family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, bytes + 12, text, sizeof(text));
	else if (family)
		inet_ntop(family, bytes, text, sizeof(text));
	return arena_dup(a, sv(text));
}

void flow_addr(const struct run *r, struct span *s, const struct ev_addr *a)
{
	if (a->family != AF_INET && a->family != AF_INET6)
		return;
	/* many names may share an address, so this is not server.address */
	if (s->kind == SPAN_KIND_CLIENT)
		span_set_str(s, ATTR_ID_PEER_NAME, dns_name_of(r, a));
	span_set_str(s, ATTR_ID_NET_PEER_ADDRESS, addr_text(&s->arena, a->family, a->raddr));
	span_set_int(s, ATTR_ID_NET_PEER_PORT, a->rport);
	if (a->lport) {
		span_set_str(s, ATTR_ID_NET_LOCAL_ADDRESS,
			     addr_text(&s->arena, a->family, a->laddr));
		span_set_int(s, ATTR_ID_NET_LOCAL_PORT, a->lport);
	}
	span_set_str(s, ATTR_ID_NET_TYPE, a->family == AF_INET ? SV("ipv4") : SV("ipv6"));
}

/* --- spans */

static struct span *flow_span(struct run *r, const struct pstate *ps, const struct flow *f,
			      enum span_what what, uint64_t ts_end)
{
	struct span *s = engine_span(r, what, f->ts, ts_end);

	if (!s)
		return NULL;
	/* not what a connect that was seen is made of, however sockets are numbered */
	engine_id(s->span_id, r, what, (uint64_t[4]){ f->tgid, f->start, ~f->conn, f->ts });
	memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	span_set_str(s, ATTR_ID_NET_TRANSPORT, f->src == EV_SRC_DGRAM ? SV("udp") : SV("tcp"));
	span_set_int(s, ATTR_ID_PROCESS_PID, f->tgid);
	if (r->t->ending)
		span_incomplete(s, "unfinished");
	return s;
}

/* The connection of f, of which no connect was seen. */
static struct span *joined_span(struct run *r, const struct pstate *ps, const struct flow *f,
				uint64_t ts_end)
{
	struct span *s = flow_span(r, ps, f, SPAN_CONNECT, ts_end);

	if (!s)
		return NULL;
	span_set_name(s, SV("connection"));
	flow_addr(r, s, &f->addr);
	return s;
}

static struct span *tls_span(struct run *r, const struct pstate *ps, const struct flow *f,
			     uint64_t ts_end)
{
	struct span *s = flow_span(r, ps, f, SPAN_TLS, ts_end);
	const char *protocol = f->proto == EV_PROTO_QUIC ? "quic" : "tls";
	const struct tls_hello *h = &f->hello;
	struct json *alpn;
	struct sv name;

	if (!s)
		return NULL;
	if (f->proto == EV_PROTO_QUIC || f->connected)
		s->kind = SPAN_KIND_CLIENT;
	else if (h->client) /* somebody else connected */
		s->kind = SPAN_KIND_SERVER;
	flow_addr(r, s, &f->addr);
	alpn = json_array(&s->arena);
	for (size_t i = 0; alpn && i < h->alpn_cnt; i++)
		json_push(alpn, json_string(&s->arena, h->alpn[i]));
	if (alpn && alpn->cnt)
		span_set_json(s, ATTR_ID_TLS_ALPN, alpn);
	span_set_str(s, ATTR_ID_TLS_VERSION, sv(tls_version_text(h->version)));
	span_set_str(s, ATTR_ID_NET_PROTOCOL, sv(protocol));
	name = h->sni.n ? h->sni : span_attr_sv(s, ATTR_ID_PEER_NAME);
	if (!name.n)
		name = span_attr_sv(s, ATTR_ID_NET_PEER_ADDRESS);
	span_set_name(s, arena_fmt(&s->arena, "%s " SV_FMT, protocol, SV_ARG(name)));
	span_set_str(s, ATTR_ID_SERVER_ADDRESS, h->sni);
	span_set_int(s, ATTR_ID_SERVER_PORT,
		     s->kind == SPAN_KIND_SERVER ? f->addr.lport : f->addr.rport);
	return s;
}

static void set_totals(struct span *s, const struct ev_flow_end *e)
{
	uint64_t unseen = e->unseen[EV_READ] + e->unseen[EV_WRITE];

	span_set_int(s, ATTR_ID_SENT_BYTES, e->bytes[EV_WRITE]);
	span_set_int(s, ATTR_ID_RECEIVED_BYTES, e->bytes[EV_READ]);
	if (unseen)
		span_set_int(s, ATTR_ID_UNSEEN_BYTES, unseen);
	if (e->rtt_ns)
		span_set_int(s, ATTR_ID_RTT, e->rtt_ns);
	if (e->rtt_min_us &&
	    e->rtt_min_us != UINT32_MAX) /* nothing was measured, include/linux/win_minmax.h */
		span_set_int(s, ATTR_ID_RTT_MIN, e->rtt_min_us * INT64_C(1000));
	if (e->retrans)
		span_set_int(s, ATTR_ID_RETRANSMITS, e->retrans);
}

/* Who broke it off, and when. */
static void set_reset(struct span *s, const struct run *r, const struct flow *f)
{
	const char *by = f->reset_by == EV_RESET_PEER ? "peer" : "self";
	struct json *attrs = json_object(&s->arena);

	if (!f->reset_by)
		return;
	span_set_str(s, ATTR_ID_RESET, sv(by));
	if (attrs)
		json_set(&s->arena, attrs, attr_defs[ATTR_ID_RESET].key,
			 json_string(&s->arena, sv(by)));
	span_event(s, engine_wall(r, f->reset_ts), "reset", attrs);
}

static void set_not_seen(struct run *r, struct span *s, const struct flow *f,
			 const struct ev_flow_end *e)
{
	const struct reason *why = &reasons[PROTOCOL];

	if (f->proto == EV_PROTO_TLS)
		why = &reasons[TLS_UNKNOWN];
	else if (f->proto == EV_PROTO_QUIC)
		why = &reasons[QUIC];
	else if (e && e->unseen[EV_READ] + e->unseen[EV_WRITE])
		why = &reasons[UNFOLLOWED];
	span_set_str(s, ATTR_ID_CONTENT, SV("not_seen"));
	span_set_str(s, ATTR_ID_CONTENT_REASON, sv(why->text));
	if (s->status == STATUS_UNSET)
		span_set_status(s, STATUS_UNSET, sv(why->advice));
	r->not_seen++;
	r->t->totals.not_seen++;
}

/* --- sockets */

static struct map_key process_key(uint32_t tgid, uint64_t start)
{
	return (struct map_key){ tgid, start, 0 };
}

static struct map_key key_of(const struct flow *f)
{
	return (struct map_key){ (uint64_t)f->tgid, f->start, f->file };
}

/* What is handed out at the end of a socket; s may be NULL, and is gone afterwards. */
static void give(struct pstate *ps, const struct flow *f, struct span **s)
{
	if (*s && !span_attr(*s, ATTR_ID_SERVER_ADDRESS))
		span_set_str(*s, ATTR_ID_SERVER_ADDRESS, f->hello.sni.n ? f->hello.sni : f->host);
	if (*s && ps && (*s)->what == SPAN_CONNECT)
		set_reset(*s, ps->run, f);
	if (*s && ps)
		engine_emit(ps->run, s);
	span_free(s); /* of a run that is over */
}

/* The socket is done with: all that is to be said of it is said.  e: NULL when nobody counted. */
static void flow_over(struct trace *t, struct flow *f, const struct ev_flow_end *e, uint64_t ts)
{
	struct pstate *ps = engine_pstate(t, f->tgid, f->start);
	bool encrypted = f->proto == EV_PROTO_TLS || f->proto == EV_PROTO_QUIC;
	bool not_seen = f->told && !f->bound && (encrypted || f->proto == EV_PROTO_UNKNOWN);
	struct span *s = f->connect, *tls = NULL;

	map_del(&t->flows, key_of(f));
	index_del(&t->flows_of, &f->of_process);
	f->connect = NULL;
	if (ps)
		shake_over(f, ps, e, ts);
	if (f->tls && f->tls->status == STATUS_ERROR)
		not_seen = false; /* nothing was said but that */
	if (ps && not_seen && encrypted)
		tls = tls_span(ps->run, ps, f, ts);
	else if (ps && not_seen && !s)
		s = joined_span(ps->run, ps, f, ts);
	if (s && e && !tls)
		set_totals(s, e);
	if (s && ps && not_seen && !tls)
		set_not_seen(ps->run, s, f, e);
	give(ps, f, &s);
	give(ps, f, &f->tls);
	if (tls && e)
		set_totals(tls, e);
	if (tls)
		set_not_seen(ps->run, tls, f, e);
	give(ps, f, &tls);
	arena_fini(&f->arena);
	free(f);
}

/* Inode numbers are used again; the ports tell that it is another socket. */
static bool same_socket(const struct ev_addr *a, const struct ev_addr *b)
{
	return !a->family || !b->family || (a->lport == b->lport && a->rport == b->rport) ||
	       !a->lport || !b->lport;
}

struct flow *flow_find(const struct trace *t, uint32_t tgid, uint64_t start, uint64_t file)
{
	return file ? map_get(&t->flows, (struct map_key){ tgid, start, file }) : NULL;
}

static struct flow *flow_get(struct trace *t, const struct ev_hdr *rec, uint64_t file,
			     const struct ev_addr *addr)
{
	struct map_key key = { (uint64_t)rec->tgid, rec->start, file };
	struct flow *f = map_get(&t->flows, key);

	if (f && same_socket(&f->addr, addr))
		return f;
	if (f)
		flow_over(t, f, NULL, rec->ts);
	if (!engine_pstate(t, rec->tgid, rec->start))
		return NULL;
	if (t->flows.cnt >= LIMIT_CONNS)
		flow_over(t, t->flows.first->value, NULL, rec->ts);
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->tgid = rec->tgid;
	f->start = rec->start;
	f->file = file;
	f->addr = *addr;
	f->ts = rec->ts;
	arena_init(&f->arena, EV_SIZE_MAX);
	if (index_add(&t->flows_of, process_key(f->tgid, f->start), &f->of_process, f) ||
	    map_put(&t->flows, key, f)) {
		index_del(&t->flows_of, &f->of_process);
		free(f);
		return NULL;
	}
	return f;
}

static void feed_connect(struct trace *t, const struct ev_connect *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct flow *f = NULL;
	struct span *s;

	if (!ps)
		return;
	wait_of_process(ps->run, proc_find(t->procs, e->hdr.tgid, e->hdr.start), e->enter_ts,
			e->hdr.ts);
	s = engine_span(ps->run, SPAN_CONNECT, e->enter_ts, e->hdr.ts);
	if (!s)
		return;
	engine_id(s->span_id, ps->run, SPAN_CONNECT,
		  (uint64_t[4]){ e->hdr.tgid, e->hdr.start, e->sock, e->enter_ts });
	memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	span_set_name(s, SV("connect"));
	s->kind = SPAN_KIND_CLIENT;
	span_set_str(s, ATTR_ID_NET_TRANSPORT, SV("tcp"));
	flow_addr(ps->run, s, &e->addr);
	span_set_int(s, ATTR_ID_PROCESS_PID, e->hdr.tgid);
	if (e->err) {
		const char *name = strerrorname_np(-e->err);

		engine_fail(s, name ? sv(name) : SV("_OTHER"), sv(strerror(-e->err)));
	} else {
		f = flow_get(t, &e->hdr, e->sock, &e->addr);
	}
	if (!f) {
		engine_emit(ps->run, &s);
		return;
	}
	if (f->connect) /* it was connected before, elsewhere */
		engine_emit(ps->run, &f->connect);
	f->connect = s;
	f->connected = true;
	f->connect_ts = e->enter_ts;
	f->connected_ts = e->hdr.ts;
	f->dns_known = dns_lookup_of(ps->run, e, &f->dns_ns);
}

/* A connection that was waiting in a listener's backlog: as long as that lasted, where it is known. */
static void feed_accept(struct trace *t, const struct ev_accept *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	bool known = e->established_ts && e->established_ts <= e->hdr.ts;
	struct flow *f = ps ? flow_get(t, &e->hdr, e->sock, &e->addr) : NULL;
	struct span *s;

	if (!f)
		return;
	f->accepted = true;
	f->queue_known = known;
	f->queue_ns = known ? e->hdr.ts - e->established_ts : 0;
	s = engine_span(ps->run, SPAN_CONNECT, known ? e->established_ts : e->hdr.ts, e->hdr.ts);
	if (!s)
		return;
	engine_id(s->span_id, ps->run, SPAN_CONNECT,
		  (uint64_t[4]){ e->hdr.tgid, e->hdr.start, e->sock, e->hdr.ts });
	memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	span_set_name(s, SV("accept"));
	s->kind = SPAN_KIND_SERVER;
	span_set_str(s, ATTR_ID_NET_TRANSPORT, SV("tcp"));
	flow_addr(ps->run, s, &e->addr);
	span_set_int(s, ATTR_ID_PROCESS_PID, e->hdr.tgid);
	if (known)
		span_set_int(s, ATTR_ID_QUEUE_NS, f->queue_ns);
	span_set_int(s, ATTR_ID_BACKLOG, e->backlog);
	span_set_int(s, ATTR_ID_BACKLOG_MAX, e->backlog_max);
	if (e->drops)
		span_set_int(s, ATTR_ID_BACKLOG_DROPS, e->drops);
	if (f->connect)
		engine_emit(ps->run, &f->connect);
	f->connect = s;
}

static void feed_reset(struct trace *t, const struct ev_reset *e)
{
	struct flow *f = flow_find(t, e->hdr.tgid, e->hdr.start, e->file);

	if (!f || f->reset_by || !same_socket(&f->addr, &e->addr))
		return;
	f->reset_ts = e->hdr.ts;
	f->reset_by = e->by == EV_RESET_PEER ? EV_RESET_PEER : EV_RESET_SELF;
}

static void feed_tls(struct trace *t, const struct ev_tls *e)
{
	struct flow *f = flow_find(t, e->hdr.tgid, e->hdr.start, e->file);

	if (f)
		shake_feed(t, f, e);
}

void flow_named(const struct exchange *x)
{
	const struct conn *c = x->http->stream->conn;
	struct flow *f = flow_find(x->run->t, c->tgid, c->start, c->file);
	struct sv port;

	/* a proxy is asked for another host */
	if (f && !f->host.n && !sv_is(x->method, "CONNECT"))
		f->host = arena_dup(&f->arena, exchange_server(x, &port));
}

/* A connection that was made for the tool call, and for nothing before it. */
static bool made_for(const struct flow *f, const struct exchange *x, uint64_t asked)
{
	const struct ev_addr *a = &x->http->stream->conn->addr;

	if (!f->connect || !f->connected || f->connect->start_ns < engine_wall(x->run, asked))
		return false;
	return f->conn == x->conn_id ||
	       (a->lport && a->lport == f->addr.lport && a->rport == f->addr.rport);
}

static void is_for_tool(struct run *r, struct span *s, const struct tool_ref *ref)
{
	memcpy(s->parent_span_id, ref->span_id, HEX64);
	span_set_str(s, ATTR_ID_LINK, sv(ref->link));
	tool_waited(r, ref->span_id, WAIT_NETWORK, engine_ts(r, s->start_ns),
		    engine_ts(r, s->end_ns));
}

void flow_of_tool(const struct exchange *x, const struct tool_ref *ref)
{
	struct trace *t = x->run->t;

	index_for_each (&t->flows_of, process_key(x->tgid, x->proc_start), l) {
		const struct flow *f = l->of;

		if (!made_for(f, x, ref->asked))
			continue;
		is_for_tool(x->run, f->connect, ref);
		if (f->tls)
			is_for_tool(x->run, f->tls, ref);
		return;
	}
}

/* No FLOW_END tells of a socket that only a TLS library uses, so there is nothing to wait for. */
static void feed_sock(struct trace *t, const struct ev_sock *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct flow *f = ps ? flow_get(t, &e->hdr, e->sock, &e->addr) : NULL;

	if (!f)
		return;
	f->bound = true;
	if (f->connect && !f->told)
		engine_emit(ps->run, &f->connect);
}

static void feed_flow(struct trace *t, const struct ev_flow *e)
{
	struct flow *f;

	if (e->addr.family != AF_INET && e->addr.family != AF_INET6)
		return; /* a pipe, a terminal, AF_UNIX: told only when it is read */
	f = flow_get(t, &e->hdr, e->file, &e->addr);
	if (!f)
		return;
	f->addr = e->addr;
	f->told = true;
	f->conn = e->conn;
	f->ts = e->hdr.ts;
	f->src = e->src;
	f->proto = e->proto;
	if (e->proto == EV_PROTO_TLS)
		tls_hello_parse(&f->hello, &f->arena, event_payload(&e->hdr));
	if (e->proto == EV_PROTO_TLS)
		shake_begin(t, f);
}

static void feed_flow_end(struct trace *t, const struct ev_flow_end *e)
{
	struct flow *f = map_get(&t->flows,
				 (struct map_key){ (uint64_t)e->hdr.tgid, e->hdr.start, e->file });

	if (f)
		flow_over(t, f, e, e->hdr.ts);
}

void flow_feed(struct trace *t, const struct ev_hdr *rec)
{
	switch (rec->kind) {
	case EV_CONNECT:
		feed_connect(t, (const void *)rec);
		break;
	case EV_SOCK:
		feed_sock(t, (const void *)rec);
		break;
	case EV_FLOW:
		feed_flow(t, (const void *)rec);
		break;
	case EV_ACCEPT:
		feed_accept(t, (const void *)rec);
		break;
	case EV_TLS:
		feed_tls(t, (const void *)rec);
		break;
	case EV_RESET:
		feed_reset(t, (const void *)rec);
		break;
	case EV_FLOW_END:
		feed_flow_end(t, (const void *)rec);
		break;
	case EV_EXIT:
		index_for_each (&t->flows_of, process_key(rec->tgid, rec->start), l)
			flow_over(t, l->of, NULL, rec->ts);
		break;
	default:
		break;
	}
}

void flow_end_all(struct trace *t)
{
	while (t->flows.first)
		flow_over(t, t->flows.first->value, NULL, t->now);
	map_fini(&t->flows);
	index_fini(&t->flows_of);
}
