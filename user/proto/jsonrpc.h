/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON-RPC on a byte stream, incremental: a message a line (MCP's stdio transport), or behind a
 * Content-Length header (LSP 3.17, base protocol); either may begin at any line.  A line that holds no
 * message, like a log on standard output, is skipped and counted.  A batch gives its messages one by
 * one.  Of a message over LIMIT_RPC_TEXT, and of one with a hole, head and end are kept: it is given
 * cut, with the id and method that they hold.  Which way the bytes go is the caller's affair: one
 * reader a direction.
 */
#ifndef RINGSPAN_PROTO_JSONRPC_H
#define RINGSPAN_PROTO_JSONRPC_H

#include "proto/msg.h"

struct jsonrpc;

int jsonrpc_new(struct jsonrpc **out, jsonrpc_fn fn, void *ctx); /* 0 or -ENOMEM */
void jsonrpc_free(struct jsonrpc **j);
int jsonrpc_feed(struct jsonrpc *j, uint64_t ts, struct sv bytes); /* 0 or -ENOMEM */
void jsonrpc_gap(struct jsonrpc *j, uint64_t missing);             /* that many bytes are missing */
void jsonrpc_end(struct jsonrpc *j); /* gives what is open, cut where it is not whole */
uint64_t jsonrpc_skipped(const struct jsonrpc *j); /* lines that held no message */

/* Score 0..100 that a direction which begins so carries JSON-RPC; -1: more bytes are needed. */
int jsonrpc_detect(struct sv first);

/* A text that should be a message or a batch, as HTTP has it. */
struct jsonrpc_text {
	struct sv text;
	uint64_t ts_first, ts_last;
	bool cut; /* text is not all of it */
};

/* Gives the messages of it; how many there were. */
size_t jsonrpc_read(const struct jsonrpc_text *t, jsonrpc_fn fn, void *ctx);

#endif
