/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tool call that has no answer yet: what tool.c, which follows its life, and tool_link.c, which finds
 * what did it, share.
 */
#ifndef RINGSPAN_SPAN_TOOL_H
#define RINGSPAN_SPAN_TOOL_H

#include "span/engine.h"

struct tool {
	struct tool *next;
	struct span *span;
	struct sv id, name;
	uint64_t conn_id, seq; /* of the exchange that asked for it */
	uint64_t ts_start;
	const struct json *args; /* as the span has them: redacted, like the command lines */
	bool has_process;        /* some process was tied to it by its arguments */
	bool has_ask;            /* so was an MCP call, or an HTTP request */
	bool has_agent;          /* a sub-agent does it */
	struct agent *agent;     /* held; may be NULL */
	int64_t turn;
	struct waits waits;
	struct usage used;
	uint32_t tgid; /* who asked the model */
	uint64_t proc_start;
	uint64_t ts_begun; /* the first thing that was seen to do it; 0: nothing */
	struct approval approval;
	bool invalid;         /* its arguments break its schema */
	struct ledger *files; /* what was changed for it; may be NULL */
};

/* How near a process stands to a call, by rising nearness. */
enum {
	KIN_TAKEN, /* it does the work of one, this or another */
	KIN_LOOSE, /* only the time said that it did, of one that is over */
	KIN_APART,
	KIN_ASKED, /* it asked the model for the call, or was started by who did: the nearer, the more */
};
#define KIN_DEPTH 64 /* a tree is as deep as it is long, but who asks is near */
int tool_kin(struct run *r, const struct tool *tool, const struct proc *p);

/* Something does the call from then on: what is read now answers no question about it. */
void tool_begin(struct tool *tool, uint64_t ts);
struct tool *tool_find(struct run *r, const char *span_id); /* NULL: it is over, or none */

#endif
