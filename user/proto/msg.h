/* SPDX-License-Identifier: BSD-2-Clause */
/* What the protocol parsers give: HTTP messages and the messages of a stream.  Plain data. */
#ifndef RINGSPAN_PROTO_MSG_H
#define RINGSPAN_PROTO_MSG_H

#include "base/json.h"

enum http_dir { HTTP_REQUEST = 0, HTTP_RESPONSE = 1 };

enum http_flag {
	HTTP_COMPLETE = 1 << 0,        /* the message ended where its framing says it does */
	HTTP_HOLE = 1 << 1,            /* bytes are missing in the middle */
	HTTP_CUT = 1 << 2,             /* the connection or its framing broke inside it */
	HTTP_JOINED = 1 << 3,          /* the parser had to search for its start */
	HTTP_UNDECODED = 1 << 4,       /* see below */
	HTTP_BODY_CAP = 1 << 5,        /* a bound cut the body where codings were undone */
	HTTP_CLOSE_DELIMITED = 1 << 6, /* ended by the end of the connection, as its framing says */
	HTTP_UNPAIRED = 1 << 7,        /* a response to a request that was not seen */
	HTTP_HEAD_CAP = 1 << 8,        /* a bound cut the header or the trailers */
	HTTP_HEAD_UNKNOWN = 1 << 9, /* HTTP/2: fields of the header or trailers cannot be known */
};

/*
 * HTTP_UNDECODED: a coding is unknown, or the body does not begin as its coding does: it is given as
 * on the wire.  Or the coding broke, ended early or has a hole: nothing is given from there on.
 */

struct http_field {
	struct sv name, value; /* value without the white space around it */
};

/* Lives from its head() to the end of its done(); strings are in `arena`. */
struct http_msg {
	enum http_dir dir;
	uint64_t seq;       /* of the exchange on its connection: response n answers request n */
	unsigned int flags; /* enum http_flag; final in done() */
	int major, minor;   /* of the HTTP version */
	struct sv method, target; /* request */
	int status;               /* response; 1xx but 101 are given to interim() alone */
	struct sv reason;
	struct http_field *fields;
	size_t field_cnt;
	struct http_field *trailers;
	size_t trailer_cnt;
	uint64_t pos;      /* stream position of its first byte */
	uint64_t ts_first; /* when its first byte was seen, ns */
	uint64_t ts_head;  /* when its header was complete; 0 when it never was */
	uint64_t ts_body;  /* when the first byte of its body was seen; 0 without one */
	uint64_t ts_last;  /* when its last byte was seen */
	uint64_t
		wire_body; /* of the body, undecoded and without chunk framing; counts missing ones */
	uint64_t body_len; /* decoded body bytes given out */
	uint64_t over;     /* of a coded body, as it travelled: bytes behind the bound, not given */
	uint64_t missing;  /* bytes known to be missing */
	struct arena arena;
	void *user; /* the caller's */
};

/* What an HTTP parser calls; none of it may call the parser. */
struct http_ops {
	void (*head)(void *ctx, struct http_msg *m);    /* header complete */
	void (*interim)(void *ctx, struct http_msg *m); /* a 1xx answer; may be NULL */
	/* decoded body bytes; ts is when they were seen */
	void (*body)(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes);
	/* n body bytes are missing here; may be NULL */
	void (*hole)(void *ctx, struct http_msg *m, uint64_t n);
	void (*done)(void *ctx, struct http_msg *m); /* always comes after head(), last */
};

/* The value of the first field of that name, case ignored; {NULL, 0} without one. */
struct sv http_field_get(const struct http_msg *m, const char *name);

/* One server-sent event (WHATWG HTML 9.2).  Views are valid during the callback. */
struct sse_event {
	struct sv event; /* "message" is given as the empty view when the stream named none */
	struct sv data;  /* data lines joined with LF */
	struct sv id;
	uint64_t ts_first, ts_last; /* when its first and last byte were seen */
	bool unterminated;          /* the stream ended before the empty line */
	bool cut;                   /* over a bound: the rest of it was left out */
	bool error;                 /* AWS: an exception; `event` is its type */
};

/* A line of NDJSON, or an element of a JSON array that is streamed.  Valid during the callback. */
struct json_piece {
	struct sv text;
	uint64_t ts_first, ts_last; /* when its first and last byte were seen */
	bool unterminated;          /* the stream ended inside it */
	bool cut;                   /* over a bound: the rest of it was left out */
};

typedef void (*json_piece_fn)(void *ctx, const struct json_piece *p);

enum jsonrpc_kind { JSONRPC_REQUEST, JSONRPC_NOTIFICATION, JSONRPC_RESULT, JSONRPC_ERROR };

/* A JSON-RPC message (2.0, sections 4 to 6).  Valid during the callback. */
struct jsonrpc_msg {
	enum jsonrpc_kind kind;
	struct sv version;                          /* its member "jsonrpc" */
	struct sv id;                               /* a number as it is spelled */
	bool id_is_string;                          /* "1" and 1 are two ids */
	struct sv method;                           /* of a request or notification */
	const struct json *params, *result, *error; /* NULL where it has none */
	uint64_t wire;              /* its bytes, without framing; of a batch the batch's */
	uint64_t ts_first, ts_last; /* when its first and last byte were seen */
	bool batch;                 /* one of several in an array */
	bool cut;                   /* it is not whole: over a bound, a hole, or the end came */
};

typedef void (*jsonrpc_fn)(void *ctx, const struct jsonrpc_msg *m);

/* How an answer comes: as one text, or cut into messages while it is being made. */
enum framing {
	FRAMING_WHOLE,
	FRAMING_SSE,         /* server-sent events */
	FRAMING_LINES,       /* a JSON text a line */
	FRAMING_ARRAY,       /* the elements of one JSON array */
	FRAMING_EVENTSTREAM, /* AWS */
};

#endif
