/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS messages (RFC 1035; EDNS: RFC 6891; AAAA: RFC 3596; SRV: RFC 2782; SVCB and HTTPS: RFC 9460) and
 * their framing in a TCP stream (RFC 1035 4.2.2).  Pure and bounded: a compression pointer must lead
 * backwards, a name has at most 255 bytes, LIMIT_DNS_RECORDS answers are kept.
 */
#ifndef RINGSPAN_PROTO_DNS_H
#define RINGSPAN_PROTO_DNS_H

#include "base/arena.h"
#include "base/buf.h"

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_NAPTR = 35,
	DNS_DNAME = 39,
	DNS_OPT = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_ANY = 255,
};

enum dns_flag {
	DNS_TRUNCATED = 1 << 0, /* TC: there is more, ask by TCP */
	DNS_CUT = 1 << 1,       /* the message ends before its records do */
	DNS_CAP = 1 << 2,       /* more answers than are kept */
};

struct dns_record {
	uint16_t type; /* enum dns_type */
	uint32_t ttl;  /* s */
	struct sv text;
	uint8_t addr
		[16]; /* of A mapped into IPv6 (RFC 4291 2.5.5.2); of other types than A and AAAA zeros */
};

struct dns_msg {
	uint16_t id;
	bool response;
	unsigned int rcode; /* with the upper bits of EDNS */
	unsigned int flags; /* enum dns_flag */
	bool asks;          /* name, type and class are there */
	struct sv name; /* lower case, without the last dot; bytes that are no letters as \DDD */
	uint16_t type, class;
	struct dns_record *answers;
	size_t answer_cnt;
};

/* Texts live in a.  0, -EINVAL (no DNS message), -ENOMEM. */
int dns_parse(struct dns_msg *m, struct arena *a, struct sv bytes);

#define DNS_TEXT_LEN 16
const char *dns_type_text(unsigned int type, char buf[DNS_TEXT_LEN]); /* "AAAA", "TYPE4711" */
const char *dns_rcode_text(unsigned int rcode,
			   char buf[DNS_TEXT_LEN]); /* "NXDOMAIN", "RCODE4711" */

/* One direction of a TCP connection. */
struct dns_tcp {
	struct buf msg; /* its length and what there is of it */
	size_t skip;    /* bytes to its end, when some are missing */
	bool lost;      /* nothing tells any more where a message begins */
};

typedef void (*dns_tcp_fn)(void *ctx, struct sv msg);

int dns_tcp_feed(struct dns_tcp *t, struct sv bytes, dns_tcp_fn fn, void *ctx); /* 0 or -ENOMEM */
void dns_tcp_gap(struct dns_tcp *t, uint64_t missing);
void dns_tcp_fini(struct dns_tcp *t);

#endif
