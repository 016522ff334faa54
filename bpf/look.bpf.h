/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the first bytes of a flow look like.  Pure functions of FLOW_HEAD bytes in a room of
 * FLOW_HEAD_ROOM, with zeroes behind the n that are known.
 */
#ifndef RINGSPAN_LOOK_BPF_H
#define RINGSPAN_LOOK_BPF_H

#include "emit.bpf.h"

/* Answers beside those of enum ev_proto, where EV_PROTO_UNKNOWN is a no. */
#define LOOK_MORE 0xff /* it could become something */

/* What is looked for, as bits. */
#define LOOK_FOR(proto) (1u << (proto))
#define LOOK_DB (LOOK_FOR(EV_PROTO_POSTGRES) | LOOK_FOR(EV_PROTO_REDIS))
#define LOOK_GREETING LOOK_FOR(EV_PROTO_MYSQL) /* what a server says first */
#define LOOK_HTTP (LOOK_FOR(EV_PROTO_HTTP1) | LOOK_FOR(EV_PROTO_HTTP2))

#define TLS_HANDSHAKE 22
#define TLS_RECORD_MAX (16384 + 256) /* RFC 8446 5.2 */
#define QUIC_LONG 0xc0               /* header form and fixed bit, RFC 9000 17.2 */
#define QUIC_V1 1
#define QUIC_V2 0x6b3343cf /* RFC 9369 */

#define WORD(a, b, c, d, e, f, g, h)                                                             \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

enum word_is { WORD_OTHER, WORD_BEGINS, WORD_IS };

/* Do the n bytes in w begin with the len bytes of text, or are they its beginning? */
static __always_inline enum word_is word_is(__u64 w, __u32 n, __u64 text, __u32 len)
{
	__u64 mask = len == 8 ? ~0ULL : (1ULL << len * 8) - 1;

	if (n >= len)
		return ((w ^ text) & mask) == 0 ? WORD_IS : WORD_OTHER;
	mask = (1ULL << (n & 7) * 8) - 1;
	return ((w ^ text) & mask) == 0 ? WORD_BEGINS : WORD_OTHER;
}

/* 1 or 0 without a branch: each would double what the verifier has to follow. */
static __always_inline __u32 is_same(__u64 w, __u64 mask, __u64 text)
{
	w = (w ^ text) & mask;
	return ~((w | -w) >> 63) & 1;
}

/* In a function that has `best`. */
#define TRY_WORD(w, n, len, ...)                                          \
	do {                                                              \
		enum word_is _is = word_is(w, n, WORD(__VA_ARGS__), len); \
		if (_is > best)                                           \
			best = _is;                                       \
	} while (0)

static __always_inline __u32 look_http1(__u64 w, __u32 n)
{
	enum word_is best = WORD_OTHER;

	TRY_WORD(w, n, 4, 'G', 'E', 'T', ' ', 0, 0, 0, 0);
	TRY_WORD(w, n, 5, 'P', 'O', 'S', 'T', ' ', 0, 0, 0);
	TRY_WORD(w, n, 7, 'H', 'T', 'T', 'P', '/', '1', '.', 0);
	TRY_WORD(w, n, 8, 'C', 'O', 'N', 'N', 'E', 'C', 'T', ' ');
	TRY_WORD(w, n, 4, 'P', 'U', 'T', ' ', 0, 0, 0, 0);
	TRY_WORD(w, n, 5, 'H', 'E', 'A', 'D', ' ', 0, 0, 0);
	TRY_WORD(w, n, 6, 'P', 'A', 'T', 'C', 'H', ' ', 0, 0);
	TRY_WORD(w, n, 7, 'D', 'E', 'L', 'E', 'T', 'E', ' ', 0);
	TRY_WORD(w, n, 8, 'O', 'P', 'T', 'I', 'O', 'N', 'S', ' ');
	TRY_WORD(w, n, 6, 'T', 'R', 'A', 'C', 'E', ' ', 0, 0);
	return best == WORD_IS ? EV_PROTO_HTTP1 : best == WORD_BEGINS ? LOOK_MORE : 0;
}

/* The client's connection preface, RFC 9113 3.4: its first 16 bytes. */
static __always_inline __u32 look_http2(const __u64 *w, __u32 n)
{
	enum word_is first = word_is(w[0], n, WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T'), 8);
	enum word_is second;

	if (first != WORD_IS)
		return first == WORD_BEGINS ? LOOK_MORE : 0;
	second = word_is(w[1], n - 8, WORD('T', 'P', '/', '2', '.', '0', '\r', '\n'), 8);
	return second == WORD_IS ? EV_PROTO_HTTP2 : second == WORD_BEGINS ? LOOK_MORE : 0;
}

/* A handshake record that carries a ClientHello or a ServerHello. */
static __always_inline __u32 look_tls(const __u8 *h, __u32 n)
{
	__u32 len = h[3] << 8 | h[4];

	if (h[0] != TLS_HANDSHAKE || (n > 1 && h[1] != 3) || (n > 2 && h[2] > 4))
		return 0;
	if (n < 6)
		return LOOK_MORE;
	return len >= 4 && len <= TLS_RECORD_MAX && (h[5] == 1 || h[5] == 2) ? EV_PROTO_TLS : 0;
}

static __always_inline __u32 look_quic(const __u8 *h, __u32 n)
{
	__u32 version = (__u32)h[1] << 24 | h[2] << 16 | h[3] << 8 | h[4];

	if (n < 5 || (h[0] & QUIC_LONG) != QUIC_LONG)
		return 0;
	return version == QUIC_V1 || version == QUIC_V2 ? EV_PROTO_QUIC : 0;
}

static __always_inline __u32 is_space(__u8 c)
{
	const __u64 spaces = 1ULL << ' ' | 1ULL << '\t' | 1ULL << '\n' | 1ULL << '\r';

	return (spaces >> (c & 63)) & ~(c >> 6 | c >> 7) & 1;
}

static __always_inline __u32 is_letter(__u64 w, __u32 at)
{
	return (((((w >> at * 8) | ' ') - 'a') & 0xff) - 26U) >> 31;
}

/* 1 or 0 without a branch: it is more than that. */
static __always_inline __u32 is_over(__u32 n, __u32 limit)
{
	return ((__u64)limit - n) >> 63 & 1;
}

/*
 * A connection that was joined half way: COM_QUERY or COM_STMT_PREPARE of less than 64 KiB, and the letters
 * that a statement begins with, also behind the two bytes of a query without attributes.
 */
static __always_inline __u32 is_mysql_command(__u64 w)
{
	__u32 command =
		is_same(w, WORD(0, 0, 0xff, 0xff, 0xff, 0, 0, 0), WORD(0, 0, 0, 0, 3, 0, 0, 0)) |
		is_same(w, WORD(0, 0, 0xff, 0xff, 0xff, 0, 0, 0), WORD(0, 0, 0, 0, 0x16, 0, 0, 0));
	__u32 bare = is_letter(w, 5) & is_letter(w, 6);

	return command & is_letter(w, 7) &
	       (bare |
		is_same(w, WORD(0, 0, 0, 0, 0, 0xff, 0xff, 0), WORD(0, 0, 0, 0, 0, 0, 1, 0)));
}

/*
 * MySQL's "Protocol::HandshakeV10": the first packet, shorter than 256 bytes, of version 10, and a number with
 * a point.  Clients may read its header by itself.
 */
static __always_inline __u32 look_greeting(__u64 w, __u32 n)
{
	__u32 head = is_same(w, WORD(0, 0xff, 0xff, 0xff, 0, 0, 0, 0), 0) & is_over(w & 0xff, 31);
	__u32 text = is_same(w, WORD(0, 0, 0, 0, 0xff, 0xf0, 0xf0, 0),
			     WORD(0, 0, 0, 0, 10, '0', '0', 0)) |
		     is_same(w, WORD(0, 0, 0, 0, 0xff, 0xf0, 0xff, 0),
			     WORD(0, 0, 0, 0, 10, '0', '.', 0));

	return head * ((text & is_over(n, 6)) * EV_PROTO_MYSQL | is_same(n, ~0ULL, 4) * LOOK_MORE);
}

/*
 * What a client sends first, in its first 8 bytes.  PostgreSQL: a StartupMessage of protocol 3, behind its
 * length (55.7); what comes before that only asks for TLS.  Redis: an array of strings, "*2\r\n$3".
 */
static __always_inline __u32 look_db(__u64 w, __u32 n)
{
	__u32 digit = ((w >> 8) - '1') & 0xff, redis;

	redis = is_same(w, WORD(0xff, 0, 0xff, 0xff, 0xff, 0, 0, 0),
			WORD('*', 0, '\r', '\n', '$', 0, 0, 0)) |
		is_same(w, WORD(0xff, 0, 0xf0, 0xff, 0xff, 0xff, 0, 0),
			WORD('*', 0, '0', '\r', '\n', '$', 0, 0));
	redis &= (digit - 9) >> 31;
	return is_over(n, 8) *
	       (redis * EV_PROTO_REDIS | is_mysql_command(w) * EV_PROTO_MYSQL |
		is_same(w, WORD(0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xfc), 3ULL << 40) *
			EV_PROTO_POSTGRES);
}

/* What look() leaves out: databases. */
static __always_inline __u32 look_database(__u64 w, __u32 n, __u32 what)
{
	return look_db(w, n) * (what >> EV_PROTO_POSTGRES & 1) |
	       look_greeting(w, n) * (what >> EV_PROTO_MYSQL & 1);
}

static __always_inline __u32 skip_space(const __u8 *h, __u32 pos)
{
	int i;

	for (i = 0; i < 8; i++) {
		barrier_var(pos);
		pos += is_space(h[pos & 31]);
	}
	return pos;
}

/* The name of an object's first member, behind its quotation mark. */
static __always_inline __u32 look_member(const __u8 *h, __u32 pos, __u32 n)
{
	enum word_is best = WORD_OTHER;
	__u64 w = 0;

	barrier_var(pos);
	__builtin_memcpy(&w, h + (pos & 31), sizeof(w));
	n = n > pos ? n - pos : 0;
	TRY_WORD(w, n, 8, 'j', 's', 'o', 'n', 'r', 'p', 'c', '"');
	TRY_WORD(w, n, 3, 'i', 'd', '"', 0, 0, 0, 0, 0);
	TRY_WORD(w, n, 7, 'm', 'e', 't', 'h', 'o', 'd', '"', 0);
	TRY_WORD(w, n, 7, 'p', 'a', 'r', 'a', 'm', 's', '"', 0);
	TRY_WORD(w, n, 7, 'r', 'e', 's', 'u', 'l', 't', '"', 0);
	TRY_WORD(w, n, 6, 'e', 'r', 'r', 'o', 'r', '"', 0, 0);
	return best == WORD_IS ? EV_PROTO_JSONRPC : best == WORD_BEGINS ? LOOK_MORE : 0;
}

/* A JSON-RPC 2.0 object, or a batch of them. */
static __always_inline __u32 look_json(const __u8 *h, __u32 n)
{
	__u32 pos = h[0] == '[' ? skip_space(h, 1) : 0;

	if (pos >= n)
		return LOOK_MORE;
	if (h[pos & 31] != '{')
		return 0;
	pos = skip_space(h, pos + 1);
	if (pos >= n)
		return LOOK_MORE;
	return h[pos & 31] == '"' ? look_member(h, pos + 1, n) : 0;
}

/* The header that stands before a message where messages are not lines. */
static __always_inline __u32 look_framed(const __u64 *w, __u32 n)
{
	enum word_is first = word_is(w[0], n, WORD('C', 'o', 'n', 't', 'e', 'n', 't', '-'), 8);
	enum word_is second;

	if (first != WORD_IS)
		return first == WORD_BEGINS ? LOOK_MORE : 0;
	second = word_is(w[1], n - 8, WORD('L', 'e', 'n', 'g', 't', 'h', ':', 0), 7);
	return second == WORD_IS ? EV_PROTO_JSONRPC : second == WORD_BEGINS ? LOOK_MORE : 0;
}

/* One answer of several: something, else perhaps something, else no. */
static __always_inline __u32 look_better(__u32 a, __u32 b)
{
	return !a || (a == LOOK_MORE && b) ? b : a;
}

/* The first n of head, n > 0; what: LOOK_FOR bits.  An ev_proto, or LOOK_MORE; of databases see above. */
static __always_inline __u32 look(const __u8 *head, __u32 n, __u32 what)
{
	const __u64 *w = (const __u64 *)head;
	__u32 found = 0;

	if (what & LOOK_FOR(EV_PROTO_QUIC))
		return look_quic(head, n);
	if (what & LOOK_FOR(EV_PROTO_TLS))
		found = look_tls(head, n);
	if (!found && what & LOOK_HTTP)
		found = look_better(look_http1(w[0], n), look_http2(w, n));
	if (!found && what & LOOK_FOR(EV_PROTO_JSONRPC))
		found = look_better(look_json(head, n), look_framed(w, n));
	return found == LOOK_MORE && n >= FLOW_HEAD ? 0 : found;
}

#endif
