/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Server-sent events (WHATWG HTML 9.2.6), incremental.  Lines end at CR LF, LF or CR and at nothing
 * else (U+2028 is data).  A leading BOM and comments are skipped.  Events without data are not given,
 * but an event of more than LIMIT_SSE_EVENT bytes is given cut.
 */
#ifndef RINGSPAN_PROTO_SSE_H
#define RINGSPAN_PROTO_SSE_H

#include "proto/msg.h"

struct sse;

typedef void (*sse_event_fn)(void *ctx, const struct sse_event *ev);

int sse_new(struct sse **out, sse_event_fn fn, void *ctx);
void sse_free(struct sse **s);
int sse_feed(struct sse *s, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
void sse_gap(
	struct sse *
		s); /* bytes are missing: what is open is dropped, goes on at the next empty line */
void sse_end(struct sse *s, uint64_t ts); /* gives an event that was not terminated, marked so */

#endif
