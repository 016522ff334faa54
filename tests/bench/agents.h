/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of agents that never ran: a recorded program starts workers, and each holds conversations
 * with a model that asks for tools: commands, which run as processes, or those of an MCP server.  The
 * workers take turns, so that their records interleave; the same numbers always give the same records.
 */
#ifndef RINGSPAN_BENCH_AGENTS_H
#define RINGSPAN_BENCH_AGENTS_H

#include "event/event.h"

struct agents_cfg {
	unsigned int workers;       /* conversations at once */
	unsigned int conversations; /* of each worker, one after the other */
	unsigned int turns;         /* of each conversation; 0: one */
	unsigned int tools;         /* that each turn calls */
	/*
	 * 0: each worker is a process and connects for each conversation; else all are in one process,
	 * so many of them on each of its HTTP/2 connections.
	 */
	unsigned int streams;
	bool mcp;   /* a tool is a call of an MCP server over HTTP, else a command */
	bool usage; /* what the process took is told before each request and each answer */
};

/* Gets each record, valid during the call.  0, or what agents_generate() is to return. */
typedef int (*agents_fn)(void *ctx, const struct ev_hdr *rec);

/*
 * A whole recording, from META to END.  0, -ENOMEM or what fn returned.  Each conversation becomes an
 * agent, and a connect where it has a connection of its own; each turn becomes a turn, tools + 1 model calls,
 * and for each tool a tool call and a process or an MCP call.
 */
int agents_generate(const struct agents_cfg *cfg, agents_fn fn, void *ctx);

#endif
