/* SPDX-License-Identifier: BSD-2-Clause */
/* What jsonrpc.c (a stream's texts) and jsonrpc_read.c (what a text holds) share; nobody else. */
#ifndef RINGSPAN_PROTO_JSONRPC_INT_H
#define RINGSPAN_PROTO_JSONRPC_INT_H

#include "proto/jsonrpc.h"

/* A message of which the middle is not known. */
struct jsonrpc_parts {
	struct sv head, tail;
	uint64_t wire;
	uint64_t ts_first, ts_last;
};

/* Gives it, cut; false: it does not look like a message. */
bool jsonrpc_give_parts(const struct jsonrpc_parts *p, jsonrpc_fn fn, void *ctx);
bool jsonrpc_is_start(struct sv text);         /* it begins like a message or a batch */
bool jsonrpc_is_message(const struct json *v); /* or a batch */
bool jsonrpc_is_space(char ch);
int jsonrpc_detect_object(struct sv first); /* jsonrpc_detect() behind the brace */

#endif
