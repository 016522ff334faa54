/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/2 (RFC 9113) of one connection, both directions, incremental, as one who only listens: nothing
 * is enforced that need not be for reading on.  Messages come as they do from http1.h, those of many
 * streams at once; :method, :path and :status are in the message, :authority is a field "host" in
 * front, and other pseudo header fields are fields.  Pushes are consumed and not given.
 *
 * A direction that does not begin as a connection does is searched for frames which follow one
 * another, and so is one with a hole that may hide where a frame begins.  From there on bodies are
 * given again, but header fields that the sender took out of HPACK's dynamic table (RFC 7541 2.3.2)
 * are unknown, until it adds them anew: they are left out, and the message is HTTP_HEAD_UNKNOWN.  So is
 * one whose header was not seen at all; that is HTTP_JOINED, too.  A hole in the payload of a DATA
 * frame is stepped over.  One that hides frames is counted in full (hole(), missing, but not wire_body)
 * on each message that was open in that direction, since it may be any of theirs.
 *
 * The messages of a stream have the same ordinal (seq), given to streams in the order in which they
 * are first seen.  A response whose request was not seen (yet) is HTTP_UNPAIRED.
 */
#ifndef RINGSPAN_PROTO_HTTP2_H
#define RINGSPAN_PROTO_HTTP2_H

#include "proto/msg.h"

/* What a client begins a connection with: RFC 9113 3.4. */
#define HTTP2_PREFACE SV("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

struct http2;

/*
 * Score 0..100 that these bytes are HTTP/2 in that direction: 90 and more for the beginning of a
 * connection, less for the middle of one; -1: need more,
 * which 64 bytes never do.
 */
int http2_detect(enum http_dir dir, struct sv bytes);

int http2_new(struct http2 **out, const struct http_ops *ops, void *ctx);
void http2_free(struct http2 **h); /* calls nothing back: http2_end() first */
/* ts: when the bytes were seen, ns.  0, or -ENOMEM (the connection is then given up). */
int http2_feed(struct http2 *h, enum http_dir dir, uint64_t ts, struct sv bytes);
/*
 * Responses begin in these bytes, the next in their direction, to a request that was not fed yet, and not
 * lost as far as is known.
 */
bool http2_is_early(const struct http2 *h, struct sv bytes);
/* `missing` bytes come next in that direction, and are lost; ts: when the bytes behind them were seen. */
void http2_gap(struct http2 *h, enum http_dir dir, uint64_t ts, uint64_t missing);
/* The connection ended (both directions): every open message gets its done(). */
void http2_end(struct http2 *h);

#endif
