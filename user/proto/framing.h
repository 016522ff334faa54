/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One door to every way in which a streamed answer is cut into messages (enum framing): whoever holds
 * the bytes need not know which it is.  Messages are given in the shape of a server-sent event: lines
 * and array elements are its data; of an AWS message the payload is its data and the event's or
 * exception's type its name, and a bad one is a cut event without data.
 */
#ifndef RINGSPAN_PROTO_FRAMING_H
#define RINGSPAN_PROTO_FRAMING_H

#include "proto/sse.h"

struct framer;

/* how: not FRAMING_WHOLE.  0, -EINVAL, -ENOMEM. */
int framer_new(struct framer **out, enum framing how, sse_event_fn fn, void *ctx);
void framer_free(struct framer **f);
int framer_feed(struct framer *f, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
void framer_gap(struct framer *f);                               /* bytes are missing */
void framer_end(struct framer *f, uint64_t ts); /* gives what is open, marked unterminated */

#endif
