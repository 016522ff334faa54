/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Content codings undone as a stream: gzip, deflate (zlib-wrapped or raw), br and zstd, alone or
 * stacked (RFC 9110 8.4.1, RFC 1950-1952, 7932, 8878).  What a piece of input decodes to is given
 * before decode_feed() returns, so that events which a server flushed one by one keep their times.
 *
 * Input is hostile: windows are those that the RFCs allow for HTTP, and a bomb ends with -E2BIG.
 * Where a bomb is stopped, and how much a broken br or zstd stream still gives before its break, may
 * depend on how the input is cut.  Nothing else does.
 */
#ifndef RINGSPAN_PROTO_DECODE_H
#define RINGSPAN_PROTO_DECODE_H

#include "base/limits.h"
#include "base/str.h"

enum coding { CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD };

/* Codings in the order in which they were applied.  Starts as { 0 }. */
struct coding_list {
	enum coding coding[LIMIT_CODINGS];
	unsigned int cnt;
	bool unknown; /* holds a coding that is not known, or too many */
};

/* Adds one coding by its name, parameters ignored; identity and the empty name add nothing. */
void coding_add(struct coding_list *l, struct sv name);
void codings_add(struct coding_list *l, struct sv names); /* likewise, separated by commas */

struct decode;

/* Takes decoded bytes; anything but 0 stops decoding, and decode_feed() returns it. */
typedef int (*decode_fn)(void *ctx, struct sv bytes);

/* 0, -ENOTSUP (the list is empty or holds something unknown), or -ENOMEM. */
int decode_new(struct decode **out, const struct coding_list *codings, decode_fn fn, void *ctx);
void decode_free(struct decode **d);

/*
 * 0, -EBADMSG (the coding is broken, or goes on behind its end), -E2BIG (a bomb), -ENOMEM, or what fn
 * returned.  After an error only decode_free() may follow.
 */
int decode_feed(struct decode *d, struct sv bytes);

/* The input is complete.  0, -EBADMSG (it ends inside its coding), or what fn returned. */
int decode_end(struct decode *d);

/* The input did not begin as its coding does, and is passed on as it is. */
bool decode_is_raw(const struct decode *d);

#endif
