/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1.0 and HTTP/1.1 (RFC 9110, 9112): one connection, both directions, as a pure incremental
 * parser.  Bytes may come in any cut; the callbacks' content does not depend on it, but that body()
 * gives a body in as many pieces as it arrived in.
 *
 * Understood: keep-alive, pipelining, content-length, chunked with extensions and trailers, bodies
 * that end with the connection, 1xx, bodiless answers (HEAD, 204, 304, 2xx to CONNECT, 101), gzip,
 * deflate (zlib-wrapped and raw), br and zstd, alone or stacked, each chunk decoded as soon as it is
 * there.  Tolerated: bare LF line ends, white space around names, obs-fold, a wrong or double
 * content-length (first wins), HTTP/1.0 without a reason.
 *
 * A parser that joins in the middle of a connection, or finds a hole, searches for the next start
 * line and marks what it touched.  As a body need not end with a line end, that may stand behind
 * other bytes of its line.  A hole inside a body of known length, or of one that ends with the
 * connection, is stepped over.
 *
 * Every request takes the next ordinal (seq), and a response takes that of the oldest request which
 * waits for one.  A response for which none waits takes the next ordinal for itself and is marked
 * HTTP_UNPAIRED; should the next request turn out to be older than it (two threads' records changed
 * places), that request gets the same ordinal.  Behind a hole between responses the newest waiting
 * request is the one that is answered, and older ones stay without: nobody pipelines, and so one
 * lost response does not shift all that follow.
 */
#ifndef RINGSPAN_PROTO_HTTP1_H
#define RINGSPAN_PROTO_HTTP1_H

#include "proto/msg.h"

struct http1;

/* Score 0..100 that these are the first bytes of HTTP/1 in that direction; -1: need more. */
int http1_detect(enum http_dir dir, struct sv bytes);

int http1_new(struct http1 **out, const struct http_ops *ops, void *ctx);
void http1_free(struct http1 **h); /* calls nothing back: http1_end() first */
/* ts: when the bytes were seen, ns.  0, or -ENOMEM (the connection is then given up). */
int http1_feed(struct http1 *h, enum http_dir dir, uint64_t ts, struct sv bytes);
/* `missing` bytes come next in that direction, and are lost; ts: when the bytes behind them were seen. */
void http1_gap(struct http1 *h, enum http_dir dir, uint64_t ts, uint64_t missing);
/* The connection ended (both directions): every open message gets its done(). */
void http1_end(struct http1 *h, uint64_t ts);
/* A response that began now would be to a request that was not fed yet, and not lost as far as is known. */
bool http1_is_early(const struct http1 *h);
/* 101 or 2xx to CONNECT was seen: the bytes that follow are no HTTP. */
bool http1_upgraded(const struct http1 *h);
/*
 * Bytes of that direction that were taken, missing ones too.  Once upgraded, and behind the feed that
 * did it, this is where the other protocol begins.
 */
uint64_t http1_pos(const struct http1 *h, enum http_dir dir);

#endif
