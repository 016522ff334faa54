/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AWS event stream messages (Smithy, "Amazon Event Stream" specification), incremental.
 *
 *	total length u32 | headers length u32 | CRC-32 of these 8 bytes | headers | payload |
 *	CRC-32 of all before			(big endian; the lengths count everything)
 *
 * Both checksums are checked.  A message whose own is wrong, whose headers make no sense, or that is
 * longer than LIMIT_STREAM_PIECE, is given as bad, without content.  Where no message can begin, the
 * next place is looked for that a prelude's checksum confirms.
 */
#ifndef RINGSPAN_PROTO_EVENTSTREAM_H
#define RINGSPAN_PROTO_EVENTSTREAM_H

#include "proto/msg.h"

#define EVENTSTREAM_HEADERS 64 /* kept of one message; with more it is bad */

enum eventstream_type {
	EVENTSTREAM_TRUE,
	EVENTSTREAM_FALSE,
	EVENTSTREAM_BYTE,
	EVENTSTREAM_SHORT,
	EVENTSTREAM_INT,
	EVENTSTREAM_LONG,
	EVENTSTREAM_BYTES,
	EVENTSTREAM_STRING,
	EVENTSTREAM_TIMESTAMP, /* ms since 1970 */
	EVENTSTREAM_UUID,
};

struct eventstream_header {
	struct sv name;
	enum eventstream_type type;
	struct sv value; /* the bytes as on the wire, without a length in front; empty for a bool */
};

/* Views are valid during the callback. */
struct eventstream_msg {
	const struct eventstream_header *headers;
	size_t header_cnt;
	struct sv payload;
	bool bad;
	uint64_t ts_first, ts_last; /* when its first and last byte were seen */
};

struct eventstream;

typedef void (*eventstream_fn)(void *ctx, const struct eventstream_msg *m);

int eventstream_new(struct eventstream **out, eventstream_fn fn, void *ctx);
void eventstream_free(struct eventstream **e);
int eventstream_feed(struct eventstream *e, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
void eventstream_gap(struct eventstream *e); /* bytes are missing: looks for the next message */
void eventstream_end(struct eventstream *e); /* a message that is not all there is given as bad */

/* The string of that name; {NULL, 0} without one. */
struct sv eventstream_string(const struct eventstream_msg *m, const char *name);

#endif
