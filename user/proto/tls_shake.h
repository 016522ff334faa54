/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TLS handshake from what nobody encrypts: the types and sizes of its records (RFC 8446 5.1, RFC 5246
 * 6.2.1), the ServerHello, and alerts that come before the keys.  It is over when both sides' Finished
 * went by; of TLS 1.3, where records only say that they are encrypted, with the first of the client's.
 */
#ifndef RINGSPAN_PROTO_TLS_SHAKE_H
#define RINGSPAN_PROTO_TLS_SHAKE_H

#include "proto/tls_hello.h"

enum tls_content { TLS_CHANGE_CIPHER = 20, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

struct tls_record {
	uint64_t ts;
	bool client; /* made by who asks */
	unsigned int type, size;
	struct sv body; /* the first bytes of what it holds; may be empty */
};

enum tls_outcome { TLS_OPEN, TLS_DONE, TLS_REFUSED };

struct tls_shake {
	enum tls_outcome outcome;
	bool answered;  /* a ServerHello came */
	bool retried;   /* ... and asked for another ClientHello */
	bool resumed;   /* an earlier session goes on */
	bool by_client; /* refused by who asks */
	uint16_t version, cipher;
	struct sv alpn;      /* the protocol that is chosen; TLS 1.3 hides it */
	uint64_t ts_answer;  /* of the ServerHello */
	uint64_t ts_over;    /* when it was done or refused */
	const char *refusal; /* name of the alert, "encrypted_alert" when only its size tells */
	bool ciphered[2];    /* by `client`: ChangeCipherSpec went by */
	bool began[2];       /* ... a handshake message but the hello */
	uint64_t finished[2];
};

/* Text that is kept lives in a.  A record behind the outcome changes nothing. */
void tls_shake_feed(struct tls_shake *s, struct arena *a, const struct tls_record *r);
const char *tls_alert_text(unsigned int description); /* RFC 8446 6; "unknown_alert" for others */
/* IANA's name of a cipher suite; of those that are not in use any more "0x1234", in a. */
struct sv tls_cipher_text(struct arena *a, uint16_t cipher);

#endif
