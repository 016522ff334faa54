/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the first bytes of a TLS connection tell in the clear: of a ClientHello (RFC 8446 4.1.2) the name
 * that is asked for, the protocols and versions that are offered; of a ServerHello what is chosen.
 */
#ifndef RINGSPAN_PROTO_TLS_HELLO_H
#define RINGSPAN_PROTO_TLS_HELLO_H

#include "base/arena.h"

#define TLS_ALPN_MAX 8 /* protocols that are kept */

struct tls_hello {
	bool client;      /* else a ServerHello */
	bool cut;         /* the bytes end before the hello does */
	uint16_t version; /* the highest that is offered, or the chosen one: 0x0304 is TLS 1.3 */
	uint16_t cipher;  /* of a ServerHello: the suite that is chosen */
	bool retry;       /* a ServerHello that asks for another ClientHello, RFC 8446 4.1.4 */
	bool resumed;     /* a ServerHello of TLS 1.3 that goes on with an earlier session */
	struct sv sni;    /* RFC 6066 3; empty: none */
	struct sv alpn[TLS_ALPN_MAX]; /* RFC 7301 3.1 */
	size_t alpn_cnt;
};

/* Texts live in a; bytes of them that are not printable ASCII are '?'.  0, -EINVAL (no hello), -ENOMEM. */
int tls_hello_parse(struct tls_hello *h, struct arena *a, struct sv bytes);
const char *tls_version_text(uint16_t version); /* "1.3"; "" when not known */

#endif
