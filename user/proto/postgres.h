/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PostgreSQL's protocol 3 (documentation, 55.7 "Message Formats"), incremental, each direction of a
 * connection by itself: messages with their type, and of those that tell of statements the text.  What
 * proves who one is (passwords, SASL) and what rows hold is never kept.
 */
#ifndef RINGSPAN_PROTO_POSTGRES_H
#define RINGSPAN_PROTO_POSTGRES_H

#include "base/buf.h"

#define POSTGRES_STARTUP 0 /* the type of a client's first messages, which have none */

struct postgres_msg {
	uint64_t ts_first, ts_last;
	char type;       /* of a client: 'Q' Query, 'P' Parse, 'B' Bind, 'E' Execute, ... */
	uint32_t len;    /* of its content */
	struct sv bytes; /* of it, as far as it is kept; valid during the call */
	bool cut;        /* some of it was not kept, or is missing */
};

typedef void (*postgres_fn)(void *ctx, const struct postgres_msg *m);

/* One direction.  Set client, fn and ctx; zero the rest. */
struct postgres {
	bool client;  /* the side that asks */
	bool started; /* its start-up message was seen, or nobody knows */
	bool lost;    /* where messages begin, until bytes that are given together begin like one */
	postgres_fn fn;
	void *ctx;
	unsigned char head[5];
	unsigned int head_len;
	uint64_t left; /* of the message's content */
	struct postgres_msg msg;
	struct buf text;
};

void postgres_fini(struct postgres *p);
/* Bytes that were written, or read, together. */
void postgres_feed(struct postgres *p, uint64_t ts, struct sv bytes);
/* Some are missing: a message that they may be of is given cut, others are not found at once. */
void postgres_gap(struct postgres *p);

/* Does a client's stream begin like this? */
bool postgres_is_startup(struct sv first);
/* A parameter's value as text; p NULL: it is NULL.  hidden: its bytes are no text that is known. */
typedef void (*postgres_param_fn)(void *ctx, unsigned int i, struct sv value, bool hidden);

/*
 * Those of Bind, behind its texts.  types: of the parameters, by object id; 0, or too few: not known.  false: it
 * was cut, or there are more of them.
 */
bool postgres_params(struct sv bind, const uint32_t *types, size_t type_cnt, postgres_param_fn fn,
		     void *ctx);
/* Those types, of Parse, behind its texts, and of ParameterDescription: how many, max at most. */
size_t postgres_types(struct sv list, uint32_t *types, size_t max);

/* Cuts a text that ends with a NUL off; what has no end is all of it. */
struct sv postgres_text(struct sv *rest);

#endif
