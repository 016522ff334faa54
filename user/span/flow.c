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
#include "proto/tls_hello.h"
#include "span/engine.h"

#define ADDR_LEN 46 /* INET6_ADDRSTRLEN */

/* A socket of a process. */
struct flow {
	uint32_t tgid;
	uint64_t start, file;
	struct index_link of_process;
	struct ev_addr addr;
	struct span *connect; /* not handed out yet */
	bool connected;       /* by this process; else it was accepted, inherited or there before */
	bool bound;           /* a TLS object that is followed sits on it */
	bool told;            /* by FLOW: what follows is of that */
	uint64_t conn, ts;
	unsigned int src, proto;
	struct arena arena; /* of hello */
	struct tls_hello hello;
};

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
	if (e->retrans)
		span_set_int(s, ATTR_ID_RETRANSMITS, e->retrans);
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
	if (ps && not_seen && encrypted)
		tls = tls_span(ps->run, ps, f, ts);
	else if (ps && not_seen && !s)
		s = joined_span(ps->run, ps, f, ts);
	if (s && e && !tls)
		set_totals(s, e);
	if (s && ps && not_seen && !tls)
		set_not_seen(ps->run, s, f, e);
	if (s && ps)
		engine_emit(ps->run, &s);
	if (tls && e)
		set_totals(tls, e);
	if (tls) {
		set_not_seen(ps->run, tls, f, e);
		engine_emit(ps->run, &tls);
	}
	span_free(&s); /* of a run that is over */
	arena_fini(&f->arena);
	free(f);
}

/* Inode numbers are used again; the ports tell that it is another socket. */
static bool same_socket(const struct ev_addr *a, const struct ev_addr *b)
{
	return !a->family || !b->family || (a->lport == b->lport && a->rport == b->rport) ||
	       !a->lport || !b->lport;
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
}

/* A connection that was made for the tool call, and for nothing before it. */
static bool made_for(const struct flow *f, const struct exchange *x, uint64_t asked)
{
	const struct ev_addr *a = &x->http->stream->conn->addr;

	if (!f->connect || f->connect->start_ns < asked + x->run->t->wall_offset)
		return false;
	return f->conn == x->conn_id ||
	       (a->lport && a->lport == f->addr.lport && a->rport == f->addr.rport);
}

void flow_of_tool(const struct exchange *x, const struct tool_ref *ref)
{
	struct trace *t = x->run->t;
	uint64_t offset = (uint64_t)t->wall_offset;

	index_for_each (&t->flows_of, process_key(x->tgid, x->proc_start), l) {
		const struct flow *f = l->of;

		if (!made_for(f, x, ref->asked))
			continue;
		memcpy(f->connect->parent_span_id, ref->span_id, HEX64);
		span_set_str(f->connect, ATTR_ID_LINK, sv(ref->link));
		tool_waited(x->run, ref->span_id, WAIT_NETWORK, f->connect->start_ns - offset,
			    f->connect->end_ns - offset);
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
