/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of one HTTP message, from its bytes on the wire, without any framing, to those that are
 * given out: undoes the codings, holds the bounds, keeps the message's numbers and flags.
 */
#ifndef RINGSPAN_PROTO_BODY_H
#define RINGSPAN_PROTO_BODY_H

#include "proto/decode.h"
#include "proto/msg.h"

struct http_body {
	const struct http_ops *ops;
	void *ctx;
	struct http_msg *m;
	struct decode *decode; /* NULL: given as on the wire */
	uint64_t ts;
	bool mute; /* followed, but not given any more */
};

/* ops and ctx are set before.  codings may be empty, or hold what is not known.  0 or -ENOMEM. */
int http_body_open(struct http_body *b, struct http_msg *m, const struct coding_list *codings);
int http_body_feed(struct http_body *b, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
void http_body_hole(struct http_body *b, uint64_t n); /* n bytes of the body are missing */
/* n bytes of the connection are missing, and any of them may be of this body. */
void http_body_doubt(struct http_body *b, uint64_t n);
void http_body_close(struct http_body *b, bool complete); /* m's flags are final then */

#endif
