// SPDX-License-Identifier: BSD-2-Clause
/* TLS handshakes: see tls_shake.h. */
#include "proto/tls_shake.h"

#define TLS_1_3 0x0304
#define RECORD_HEAD 5
#define ALERT_SIZE 2
#define ALERT_WARNING 1
#define CCM_8 0x1305 /* the only suite of TLS 1.3 whose tag has 8 bytes, RFC 8446 B.4 */

/* RFC 8446 6, and of those that it drops the ones of RFC 5246 7.2. */
static const struct {
	unsigned int id;
	const char *text;
} alerts[] = {
	{ 0, "close_notify" },
	{ 10, "unexpected_message" },
	{ 20, "bad_record_mac" },
	{ 21, "decryption_failed" },
	{ 22, "record_overflow" },
	{ 40, "handshake_failure" },
	{ 41, "no_certificate" },
	{ 42, "bad_certificate" },
	{ 43, "unsupported_certificate" },
	{ 44, "certificate_revoked" },
	{ 45, "certificate_expired" },
	{ 46, "certificate_unknown" },
	{ 47, "illegal_parameter" },
	{ 48, "unknown_ca" },
	{ 49, "access_denied" },
	{ 50, "decode_error" },
	{ 51, "decrypt_error" },
	{ 70, "protocol_version" },
	{ 71, "insufficient_security" },
	{ 80, "internal_error" },
	{ 86, "inappropriate_fallback" },
	{ 90, "user_canceled" },
	{ 100, "no_renegotiation" },
	{ 109, "missing_extension" },
	{ 110, "unsupported_extension" },
	{ 112, "unrecognized_name" },
	{ 113, "bad_certificate_status_response" },
	{ 115, "unknown_psk_identity" },
	{ 116, "certificate_required" },
	{ 120, "no_application_protocol" },
};

/* https://www.iana.org/assignments/tls-parameters: what clients of today offer. */
static const struct {
	uint16_t id;
	const char *text;
} ciphers[] = {
	{ 0x1301, "TLS_AES_128_GCM_SHA256" },
	{ 0x1302, "TLS_AES_256_GCM_SHA384" },
	{ 0x1303, "TLS_CHACHA20_POLY1305_SHA256" },
	{ 0x1304, "TLS_AES_128_CCM_SHA256" },
	{ 0x1305, "TLS_AES_128_CCM_8_SHA256" },
	{ 0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ 0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" },
	{ 0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
	{ 0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" },
	{ 0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" },
	{ 0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
	{ 0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA" },
	{ 0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA" },
	{ 0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256" },
};

const char *tls_alert_text(unsigned int description)
{
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
		if (alerts[i].id == description)
			return alerts[i].text;
	return "unknown_alert";
}

struct sv tls_cipher_text(struct arena *a, uint16_t cipher)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (ciphers[i].id == cipher)
			return sv(ciphers[i].text);
	return arena_fmt(a, "0x%04x", cipher);
}

static void done(struct tls_shake *s, uint64_t ts)
{
	s->outcome = TLS_DONE;
	s->ts_over = ts;
}

static void refused(struct tls_shake *s, const struct tls_record *r, const char *why)
{
	s->outcome = TLS_REFUSED;
	s->ts_over = r->ts;
	s->by_client = r->client;
	s->refusal = why;
}

static void feed_alert(struct tls_shake *s, const struct tls_record *r)
{
	const unsigned char *body = (const void *)r->body.p;

	if (s->ciphered[r->client] || r->size != ALERT_SIZE) {
		refused(s, r, "encrypted_alert");
		return;
	}
	if (r->body.n < ALERT_SIZE)
		refused(s, r, "unknown_alert");
	else if (body[0] != ALERT_WARNING || !body[1]) /* a close_notify that early gives up */
		refused(s, r, tls_alert_text(body[1]));
}

/* The record's header goes before the body: the two were one. */
static void feed_answer(struct tls_shake *s, struct arena *a, const struct tls_record *r)
{
	char *whole = arena_alloc(a, RECORD_HEAD + r->body.n);
	struct tls_hello h;

	s->answered = true;
	s->ts_answer = r->ts;
	if (!whole || !r->body.n)
		return;
	memcpy(whole, (char[]){ TLS_HANDSHAKE, 3, 3, (char)(r->size >> 8), (char)r->size },
	       RECORD_HEAD);
	memcpy(whole + RECORD_HEAD, r->body.p, r->body.n);
	if (tls_hello_parse(&h, a, (struct sv){ whole, RECORD_HEAD + r->body.n }) || h.client)
		return;
	s->version = h.version;
	s->cipher = h.cipher;
	s->retried = h.retry;
	s->resumed = h.resumed;
	if (h.alpn_cnt)
		s->alpn = h.alpn[0];
}

/* Up to TLS 1.2, where what comes behind ChangeCipherSpec is Finished. */
static void feed_message(struct tls_shake *s, const struct tls_record *r)
{
	if (!s->ciphered[r->client] || s->version >= TLS_1_3) {
		s->began[r->client] = true;
		return;
	}
	s->finished[r->client] = r->ts;
	if (s->finished[!r->client])
		done(s, r->ts);
}

/*
 * Of TLS 1.3 all is `data` behind the hellos.  Nothing but an alert is as short as that: two bytes, their
 * type and the tag.
 */
static bool is_hidden_alert(const struct tls_shake *s, const struct tls_record *r)
{
	return s->version >= TLS_1_3 && r->size == ALERT_SIZE + 1 + (s->cipher == CCM_8 ? 8 : 16);
}

static void feed_data(struct tls_shake *s, const struct tls_record *r)
{
	if (!s->answered)
		return; /* early data */
	if (is_hidden_alert(s, r))
		refused(s, r, "encrypted_alert");
	else if (r->client) /* up to 1.2: it does not wait for the server's Finished, RFC 7918 */
		done(s, s->finished[true] ? s->finished[true] : r->ts);
}

void tls_shake_feed(struct tls_shake *s, struct arena *a, const struct tls_record *r)
{
	if (s->outcome != TLS_OPEN)
		return;
	switch (r->type) {
	case TLS_ALERT:
		feed_alert(s, r);
		break;
	case TLS_CHANGE_CIPHER:
		s->ciphered[r->client] = s->version < TLS_1_3; /* 1.3 sends it for show, D.4 */
		if (!r->client && s->ciphered[false] && !s->began[true])
			s->resumed = true; /* without an exchange of keys, RFC 5246 7.3 */
		break;
	case TLS_HANDSHAKE:
		if (!r->client && !s->answered)
			feed_answer(s, a, r);
		else
			feed_message(s, r);
		break;
	case TLS_DATA:
		feed_data(s, r);
		break;
	default:
		break;
	}
}
