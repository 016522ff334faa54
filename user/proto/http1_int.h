/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the HTTP/1 parser share and nobody else needs: http1.c moves one direction from
 * state to state, http1_start.c finds start lines, http1_head.c reads headers.
 */
#ifndef RINGSPAN_PROTO_HTTP1_INT_H
#define RINGSPAN_PROTO_HTTP1_INT_H

#include "base/buf.h"
#include "proto/body.h"
#include "proto/http1.h"

/* --- http1_start.c: recognizes a start line byte by byte */

enum start_part {
	START_NONE,
	START_METHOD,
	START_TARGET,
	START_VERSION,
	START_STATUS,
	START_REASON,
	START_LF, /* behind CR */
};

struct start_match {
	enum start_part part;
	unsigned int n; /* bytes of this part, as far as they matter */
};

enum start_result {
	START_NO,    /* neither this byte nor what came before it */
	START_FIRST, /* what came before is none, but this byte may begin one */
	START_MORE,
	START_YES, /* the LF that ends it */
};

/* strict: what surrounds it is not known, so only accept what can hardly be part of a text. */
enum start_result http1_start_match(struct start_match *m, enum http_dir dir, bool strict, char c);

/* --- http1_head.c: start line and fields */

struct http1_framing {
	bool has_length;
	uint64_t length;
	bool transfer; /* there is a transfer-encoding ... */
	bool chunked;  /* ... which ends with this */
	struct coding_list content, coded_transfer;
};

/* Both kinds of coding in the order in which they were applied. */
struct coding_list http1_codings(const struct http1_framing *f);

/* Reads a start line and the field lines behind it into m.  0 or -ENOMEM. */
int http1_head_read(struct http_msg *m, struct sv text, struct http1_framing *f);
int http1_trailers_read(struct http_msg *m, struct sv text); /* likewise */
/* The size that a chunk-size line (without its LF) tells; -EBADMSG. */
int http1_chunk_size(struct sv line, uint64_t *out);

#endif
