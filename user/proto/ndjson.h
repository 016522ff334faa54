/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Newline-delimited JSON, incremental: the text of each line, without the LF and a CR before it.
 * Lines of nothing but white space are not given.  A line of more than LIMIT_STREAM_PIECE bytes is
 * given cut.  What a line holds is not looked at.
 */
#ifndef RINGSPAN_PROTO_NDJSON_H
#define RINGSPAN_PROTO_NDJSON_H

#include "proto/msg.h"

struct ndjson;

int ndjson_new(struct ndjson **out, json_piece_fn fn, void *ctx);
void ndjson_free(struct ndjson **n);
int ndjson_feed(struct ndjson *n, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
void ndjson_gap(struct ndjson *n); /* bytes are missing: goes on behind the next LF */
void ndjson_end(struct ndjson *n); /* gives a line that has no end, marked so */

#endif
