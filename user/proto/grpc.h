/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of a gRPC body (gRPC over HTTP/2, "Length-Prefixed-Message"; gRPC-Web's PROTOCOL-WEB),
 * one direction of one call, incremental:
 *
 *	flags u8: 1 compressed, 0x80 trailers (gRPC-Web) | length u32, big endian | message
 *
 * A hole in a message is stepped over.  Behind one that hides a prefix, a message begins at once or,
 * where no prefix can be, nothing is given any more: a message has nothing to be found by.
 */
#ifndef RINGSPAN_PROTO_GRPC_H
#define RINGSPAN_PROTO_GRPC_H

#include "proto/msg.h"

enum grpc_flag {
	GRPC_COMPRESSED = 1 << 0, /* data is as on the wire */
	GRPC_TRAILERS = 1 << 1,   /* data is header lines, the last of a gRPC-Web answer */
	GRPC_CUT = 1 << 2,        /* over LIMIT_GRPC_MESSAGE, or the body ended inside it */
	GRPC_HOLE = 1 << 3,       /* bytes are missing in it */
	GRPC_JOINED = 1 << 4,     /* the first behind a hole that may have hidden others */
};

struct grpc_message {
	struct sv data;             /* valid during the callback */
	uint64_t size;              /* as its prefix says */
	unsigned int flags;         /* enum grpc_flag */
	uint64_t ts_first, ts_last; /* when its first and last byte were seen */
};

typedef void (*grpc_message_fn)(void *ctx, const struct grpc_message *m);

struct grpc;

int grpc_new(struct grpc **out, grpc_message_fn fn, void *ctx); /* 0 or -ENOMEM */
void grpc_free(struct grpc **g); /* calls nothing back: grpc_end() first */
/* ts: when the bytes were seen, ns. */
void grpc_feed(struct grpc *g, uint64_t ts, struct sv bytes);
void grpc_gap(struct grpc *g, uint64_t missing); /* bytes come next, and are lost */
void grpc_end(struct grpc *g);                   /* what is open is given, cut */
bool grpc_is_lost(const struct grpc *g);         /* messages cannot be told any more */

#endif
