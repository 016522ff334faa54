/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the HTTP/2 parser share and nobody else needs: http2.c moves each direction from
 * frame to frame, http2_sync.c tells frames from other bytes and holds what is not told yet,
 * http2_hpack.c decodes header blocks, http2_stream.c makes messages of what frames say.
 */
#ifndef RINGSPAN_PROTO_HTTP2_INT_H
#define RINGSPAN_PROTO_HTTP2_INT_H

#include "base/buf.h"
#include "base/map.h"
#include "proto/body.h"
#include "proto/http2.h"

/* --- http2_sync.c: RFC 9113 4.1, 6 */

#define HTTP2_FRAME_HEAD 9

enum http2_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
};

enum http2_frame_flag {
	FRAME_ACK = 0x1, /* SETTINGS and PING */
	FRAME_END_STREAM = 0x1,
	FRAME_END_HEADERS = 0x4,
	FRAME_PADDED = 0x8,
	FRAME_WITH_PRIORITY = 0x20,
};

struct http2_frame {
	uint32_t len, id;
	uint8_t type, flags;
};

struct http2_frame http2_frame_read(const char head[HTTP2_FRAME_HEAD]);
/* Can be the next frame. */
bool http2_frame_ok(const struct http2_frame *f, enum http_dir dir);
/* Is how a server's side of a connection begins. */
bool http2_frame_first(const struct http2_frame *f);
/* Bytes of the payload in front of what matters: pad length, priority, promised stream. */
uint32_t http2_frame_prefix(const struct http2_frame *f);

enum http2_found { FOUND_NONE, FOUND_MAYBE, FOUND_FRAMES };

/*
 * Searches for frames that follow one another; *at is where they begin or may begin, or the end.
 * last: nothing comes behind the bytes, so frames that end with them will do.
 */
enum http2_found http2_search(struct sv bytes, enum http_dir dir, bool last, size_t *at);

/* Bytes that wait until it is clear what they are, with the times at which they were seen. */
struct http2_held {
	struct buf bytes, pieces;
	size_t at;    /* all before are done with */
	size_t piece; /* the one that `at` is in */
};

int http2_held_add(struct http2_held *b, uint64_t ts, struct sv bytes);
struct sv http2_held_view(const struct http2_held *b);
/* The first of them that were seen at one time; empty without any. */
struct sv http2_held_next(const struct http2_held *b, uint64_t *ts);
void http2_held_take(struct http2_held *b, size_t n);
void http2_held_fini(struct http2_held *b);

/* --- http2_hpack.c: RFC 7541 */

struct nghttp2_hd_inflater;

struct http2_hpack {
	struct nghttp2_hd_inflater *inflater; /* made when it is needed */
	size_t unknown;                       /* bytes of unknown entries that it begins with */
	unsigned int lost;                    /* how often its table was */
};

/* name is empty where it cannot be known; the value is of no use then. */
typedef void (*http2_field_fn)(void *ctx, struct sv name, struct sv value);

/* Decodes a piece of a header block.  0, -EBADMSG (and its table is lost), -ENOMEM. */
int http2_hpack_feed(struct http2_hpack *p, struct sv bytes, bool last, http2_field_fn fn,
		     void *ctx);
void http2_hpack_lose(struct http2_hpack *p); /* entries may have been added that were not seen */
void http2_hpack_fini(struct http2_hpack *p);

/* --- http2_stream.c */

struct http2_half {
	struct http_msg *m; /* NULL: not open */
	struct http_body body;
	bool closed;
};

struct http2_stream {
	uint32_t id;
	uint64_t seq;
	struct http2_half half[2]; /* by enum http_dir */
};

struct http2_streams {
	struct http_ops ops;
	void *ctx;
	struct map map; /* id -> struct http2_stream */
	uint64_t next_seq;
};

/* A header block (RFC 9113 4.3) that is being read, in its own arena until it has a message. */
struct http2_block {
	bool open;
	bool push;       /* of a promise: decoded for the table's sake only */
	bool end_stream; /* the message ends with it */
	bool broken;     /* the rest of it is not decoded */
	bool any, head;  /* has fields; the first is not what trailers begin with */
	unsigned int flags;
	int err;
	uint32_t id;
	uint64_t pos, ts, missing;
	size_t size;
	struct buf fields; /* of struct http_field; the first is for the host */
	struct sv method, path, authority;
	int status;
	struct arena arena;
};

int http2_block_open(struct http2_block *b, const struct http2_frame *f, uint64_t pos, uint64_t ts);
int http2_block_feed(struct http2_block *b, struct http2_hpack *p, struct sv bytes, bool last);
void http2_block_break(struct http2_block *b, struct http2_hpack *p, uint64_t missing);
void http2_block_fini(struct http2_block *b);

/* The block is over, and becomes a header, trailers or nothing.  0 or -ENOMEM, as all of these. */
int http2_stream_head(struct http2_streams *ss, enum http_dir dir, struct http2_block *b,
		      uint64_t ts);
/* A DATA frame begins; pos, ts: of its first byte. */
int http2_stream_data(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t pos,
		      uint64_t ts);
int http2_stream_body(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t ts,
		      struct sv bytes);
void http2_stream_hole(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t ts,
		       uint64_t n);
void http2_stream_end(struct http2_streams *ss, enum http_dir dir, uint32_t id, uint64_t ts);
void http2_stream_reset(struct http2_streams *ss, uint32_t id);
/* n bytes are missing that may be of any message. */
void http2_streams_doubt(struct http2_streams *ss, enum http_dir dir, uint64_t n);
void http2_streams_close(struct http2_streams *ss); /* every open message gets its done() */
void http2_streams_free(struct http2_streams *ss);

#endif
