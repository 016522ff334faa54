/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JSON array that is sent while it is being made (RFC 8259 5), incremental: the text of each
 * element, an object or array as soon as its last bracket is there.  Only brackets and strings are
 * understood; whether an element is JSON is for its reader to say.  An element of more than
 * LIMIT_STREAM_PIECE bytes is given cut.  Bytes behind the array are ignored.
 */
#ifndef RINGSPAN_PROTO_JSONARRAY_H
#define RINGSPAN_PROTO_JSONARRAY_H

#include "proto/msg.h"

struct jsonarray;

int jsonarray_new(struct jsonarray **out, json_piece_fn fn, void *ctx);
void jsonarray_free(struct jsonarray **j);
int jsonarray_feed(struct jsonarray *j, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
/* Bytes are missing: nothing tells any more what is inside of what, so nothing is given from here. */
void jsonarray_gap(struct jsonarray *j);
void jsonarray_end(struct jsonarray *j); /* gives an element that has no end, marked so */

#endif
