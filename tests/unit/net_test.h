/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of sockets, fed to a trace whose spans are kept. */
#ifndef RINGSPAN_TEST_NET_H
#define RINGSPAN_TEST_NET_H

#include "../fixture.h"
#include <arpa/inet.h>
#include "base/cleanup.h"
#include "dns_test.h"
#include "hello_test.h"
#include "proto/dns.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define ARGS(lit) lit, sizeof(lit)

struct world {
	struct trace *trace;
	struct told told;
	uint64_t pos[16][2]; /* by conn and direction */
};

static inline void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	told_add(&w->told, s);
}

static inline int setup(void **state)
{
	const struct trace_cfg cfg = { 0 };
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	return w ? trace_new(&w->trace, &cfg, on_span, w) : -1;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	told_fini(&w->told);
	free(w);
	return 0;
}

/* --- saying what happened */

static inline void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static inline void begin(struct world *w)
{
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/usr/bin/python3", ARGS("python3\0agent.py")));
}

static inline void end(struct world *w)
{
	feed(w, record_exit(900 * MS, AGENT, 0));
	trace_end(w->trace);
}

static inline struct ev_addr address(const char *text, uint16_t port, uint16_t local_port)
{
	struct ev_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET,
			     .lport = local_port,
			     .rport = port };

	assert_int_equal(inet_pton(a.family, text, a.raddr), 1);
	return a;
}

/* Socket `file` is connection `file` too. */
static inline void flow(struct world *w, uint64_t ts, uint64_t file, struct ev_addr addr,
			unsigned int src, unsigned int proto, struct sv first)
{
	struct ev_flow *f = record(EV_FLOW, sizeof(*f), ts, AGENT, first.p, first.n);

	f->conn = file;
	f->file = file;
	f->addr = addr;
	f->src = src;
	f->proto = proto;
	f->len = first.n;
	feed(w, f);
}

static inline void flow_end(struct world *w, uint64_t ts, uint64_t file, uint64_t unseen)
{
	struct ev_flow_end *e = record(EV_FLOW_END, sizeof(*e), ts, AGENT, NULL, 0);

	e->conn = file;
	e->file = file;
	e->bytes[EV_READ] = 3000;
	e->bytes[EV_WRITE] = 700;
	e->unseen[EV_WRITE] = unseen;
	e->rtt_ns = 25 * MS;
	e->rtt_min_us = 20000;
	e->retrans = 3;
	feed(w, e);
}

static inline void connected(struct world *w, uint64_t ts, uint64_t file, struct ev_addr addr,
			     int err)
{
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), ts, AGENT, NULL, 0);

	c->sock = file;
	c->enter_ts = ts - 2 * MS;
	c->addr = addr;
	c->err = err;
	feed(w, c);
}

/* A record of the socket's TLS; client: of who asks.  Here the agent asks. */
static inline void tls_record(struct world *w, uint64_t ts, uint64_t file, bool client,
			      unsigned int type, size_t size, struct sv body)
{
	struct ev_tls *t = record(EV_TLS, sizeof(*t), ts, AGENT, body.p, body.n);

	t->conn = file;
	t->file = file;
	t->enter_ts = ts;
	t->version = 0x0303;
	t->size = size;
	t->len = body.n;
	t->type = type;
	t->dir = client ? EV_WRITE : EV_READ;
	t->client = client;
	feed(w, t);
}

static inline void reset(struct world *w, uint64_t ts, uint64_t file, struct ev_addr addr,
			 unsigned int by)
{
	struct ev_reset *r = record(EV_RESET, sizeof(*r), ts, AGENT, NULL, 0);

	r->conn = file;
	r->file = file;
	r->addr = addr;
	r->by = by;
	feed(w, r);
}

/* What the library's functions, or without one the calls on the socket, moved. */
static inline void moved(struct world *w, uint64_t ts, uint64_t file, bool tls, int dir,
			 struct sv bytes)
{
	struct ev_data *d = record_data(ts, AGENT, tls ? 1000 + file : file, dir, w->pos[file][dir],
					bytes.p, bytes.n);

	w->pos[file][dir] += bytes.n;
	d->src = tls ? EV_SRC_OPENSSL : EV_SRC_STREAM;
	feed(w, d);
}

/* A TLS object of a library that is followed. */
static inline void bound(struct world *w, uint64_t ts, uint64_t file, struct ev_addr addr)
{
	struct ev_sock *s = record(EV_SOCK, sizeof(*s), ts, AGENT, NULL, 0);

	s->conn = 1000 + file;
	s->sock = file;
	s->addr = addr;
	s->how = EV_LINK_SEND;
	feed(w, s);
}

static inline void send_dns(struct world *w, uint64_t ts, uint64_t file, int dir, unsigned int src,
			    struct sv bytes)
{
	struct ev_data *d = record_data(ts, AGENT, file, dir, w->pos[file][dir], bytes.p, bytes.n);

	w->pos[file][dir] += bytes.n;
	d->src = src;
	feed(w, d);
}

static inline void udp(struct world *w, uint64_t file, const char *server)
{
	flow(w, 3 * MS, file, address(server, 53, 40000 + file), EV_SRC_DGRAM, EV_PROTO_DNS,
	     SV(""));
}

static inline void query(struct world *w, uint64_t ts, uint64_t file, unsigned int id,
			 const char *name, unsigned int type)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	put_question(&b, id, 0x0100, name, type, 0);
	send_dns(w, ts, file, EV_WRITE, EV_SRC_DGRAM, buf_view(&b));
}

/* flags: 0x8180 and the rcode; addr: NULL for an answer without. */
static inline void answer_type(struct world *w, uint64_t ts, uint64_t file, unsigned int id,
			       unsigned int flags, const char *name, unsigned int type,
			       const char *addr)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	uint8_t bytes[4];

	put_question(&b, id, flags, name, type, addr ? 2 : 0);
	if (addr) {
		assert_int_equal(inet_pton(AF_INET, addr, bytes), 1);
		put_record(&b, SV(DNS_QUESTION_AT), DNS_CNAME, SV("\4edge\3net\0"));
		put_record(&b, SV("\4edge\3net\0"), DNS_A, (struct sv){ (char *)bytes, 4 });
	}
	send_dns(w, ts, file, EV_READ, EV_SRC_DGRAM, buf_view(&b));
}

static inline void answer(struct world *w, uint64_t ts, uint64_t file, unsigned int id,
			  unsigned int flags, const char *name, const char *addr)
{
	answer_type(w, ts, file, id, flags, name, DNS_A, addr);
}

#endif
