/* SPDX-License-Identifier: BSD-2-Clause */
/* What flow.c, shake.c and phase.c share: a socket of a process.  Nobody else includes this. */
#ifndef RINGSPAN_SPAN_FLOW_H
#define RINGSPAN_SPAN_FLOW_H

#include "proto/tls_shake.h"
#include "span/engine.h"

struct flow {
	uint32_t tgid;
	uint64_t start, file;
	struct index_link of_process;
	struct ev_addr addr;
	struct span *connect; /* or accept; not handed out yet */
	bool connected;       /* by this process; else it was accepted, inherited or there before */
	bool bound;           /* a TLS object that is followed sits on it */
	bool told;            /* by FLOW: what follows is of that */
	uint64_t conn, ts;
	unsigned int src, proto;
	struct arena arena; /* of host, hello and shake */
	struct sv host;     /* that the first request names; may be empty */
	struct tls_hello hello;
	struct tls_shake shake;
	struct span *tls;       /* the handshake; not handed out yet */
	unsigned int shake_cnt; /* records of it */
	bool shake_asks;        /* this side sent the ClientHello */
	uint64_t shake_ts;      /* of the ClientHello; 0: none was seen */
	uint64_t shake_lost;    /* records that were lost before it */
	uint64_t connect_ts,
		connected_ts; /* connect was entered, and came to its end; 0: not seen */
	bool dns_known, accepted, queue_known;
	uint64_t dns_ns;   /* to look up the name that it was made for */
	uint64_t queue_ns; /* in the listener's backlog */
	uint64_t reset_ts;
	unsigned int reset_by; /* enum ev_reset_by; 0: nobody broke it off */
};

struct flow *flow_find(const struct trace *t, uint32_t tgid, uint64_t start, uint64_t file);

/* shake.c */
void shake_begin(struct trace *t, struct flow *f); /* FLOW told of TLS */
void shake_feed(struct trace *t, struct flow *f, const struct ev_tls *e);
/* The connection is over: so is a handshake that goes on.  e: NULL when nobody counted. */
void shake_over(struct flow *f, struct pstate *ps, const struct ev_flow_end *e, uint64_t ts);

#endif
