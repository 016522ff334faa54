/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WebSocket (RFC 6455) behind its handshake, both directions, incremental: frames, masks, fragments,
 * control frames between fragments, and permessage-deflate (RFC 7692) with and without context
 * takeover.  Every message is given when it is whole, control frames as messages, too.
 *
 * A hole in a frame's payload is stepped over.  Behind one that may hide where a frame begins, behind
 * what is no frame, and behind a close frame, nothing of that direction is given any more: frames have
 * nothing that tells them from other bytes.  Where the compression of a direction keeps its context
 * over messages, and a part of it is missing or broken, the compressed messages that follow are given
 * without their data.
 */
#ifndef RINGSPAN_PROTO_WEBSOCKET_H
#define RINGSPAN_PROTO_WEBSOCKET_H

#include "proto/msg.h"

enum websocket_op {
	WEBSOCKET_CONTINUATION = 0, /* of a frame, never of a message */
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8, /* data: two bytes of code, then a reason; or nothing */
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10,
};

enum websocket_flag {
	WEBSOCKET_CUT = 1 << 0,  /* over LIMIT_WS_MESSAGE, or the connection ended inside it */
	WEBSOCKET_HOLE = 1 << 1, /* bytes are missing in it */
	/* its compression is unknown, and it is as on the wire; or broke, and it is what came before */
	WEBSOCKET_UNDECODED = 1 << 2,
};

struct websocket_message {
	enum http_dir dir; /* HTTP_REQUEST: of the client */
	enum websocket_op op;
	struct sv data; /* valid during the callback */
	unsigned int flags;
	uint64_t wire; /* payload bytes on the wire, of all its frames; counts missing ones */
	uint64_t ts_first, ts_last; /* when its first and last byte were seen */
};

typedef void (*websocket_message_fn)(void *ctx, const struct websocket_message *m);

struct websocket;

/*
 * answer: the response that opened it, 101 or in HTTP/2 (RFC 8441) 200, which tells the compression;
 * used only here.  NULL: not seen; compression is then taken for the one that keeps its context.
 * 0 or -ENOMEM.
 */
int websocket_new(struct websocket **out, const struct http_msg *answer, websocket_message_fn fn,
		  void *ctx);
void websocket_free(struct websocket **w); /* calls nothing back: websocket_end() first */
/* ts: when the bytes were seen, ns.  0, or -ENOMEM (the connection is then given up). */
int websocket_feed(struct websocket *w, enum http_dir dir, uint64_t ts, struct sv bytes);
/* `missing` bytes come next in that direction, and are lost. */
void websocket_gap(struct websocket *w, enum http_dir dir, uint64_t missing);
void websocket_end(struct websocket *w); /* gives the messages that are open, marked so */
/* Frames of that direction cannot be read any more, though it has not ended. */
bool websocket_is_lost(const struct websocket *w, enum http_dir dir);

#endif
