/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Redis' protocol, RESP2 and RESP3 (redis.io, "Redis serialization protocol specification"), incremental,
 * each direction of a connection by itself: whole values at the top, of which only the beginnings of the
 * first few texts are kept.  Commands that are sent as bare lines are not read.
 */
#ifndef RINGSPAN_PROTO_REDIS_H
#define RINGSPAN_PROTO_REDIS_H

#include <stdbool.h>
#include "base/str.h"

#define REDIS_TEXTS 16     /* kept of a value: of a command its name, what it is about, and more */
#define REDIS_TEXT_MAX 256 /* bytes of each, and of an error */
#define REDIS_DEPTH 16     /* values in values */

struct redis_value {
	uint64_t ts_first, ts_last;
	char type;    /* '*' array, '$' text, '-' error, '+' line, ':' number, '>' push ... */
	uint64_t cnt; /* of an array, map, set or push: values in it */
	unsigned int texts;
	struct sv text[REDIS_TEXTS]; /* the beginning; valid during the call */
};

typedef void (*redis_fn)(void *ctx, const struct redis_value *v);

/* One direction.  Set fn and ctx; zero the rest. */
struct redis {
	redis_fn fn;
	void *ctx;
	bool lost; /* where values begin, until bytes that are given together begin like one */
	char line[64 +
		  REDIS_TEXT_MAX]; /* type and number, or a short text; longer ones are clipped */
	unsigned int line_len;
	bool in_line;
	uint64_t bulk; /* bytes that are left of a text, with its line end */
	bool keeps;    /* that text */
	unsigned int depth;
	uint64_t open[REDIS_DEPTH]; /* values that are left in each that is not whole */
	struct redis_value value;
	char texts[REDIS_TEXTS][REDIS_TEXT_MAX];
};

void redis_feed(struct redis *r, uint64_t ts, struct sv bytes); /* that were written together */
void redis_gap(struct redis *r);                                /* some are missing */
bool redis_is_command(struct sv first); /* does a client's stream begin like this? */

#endif
