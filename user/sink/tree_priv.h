/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the tree sink share: tree.c (collects, builds, decides what is shown), tree_facts.c
 * (what a span's line says), tree_files.c (of files), tree_calls.c (of system calls), tree_draw.c (lines
 * and bars), tree_head.c (what stands above), tree_text.c (prompts and answers).  Nobody else includes this.
 */
#ifndef RINGSPAN_TREE_PRIV_H
#define RINGSPAN_TREE_PRIV_H

#include "base/map.h"
#include "sink/human.h"
#include "sink/sink.h"
#include "sink/term.h"

#define FILES_SHOWN 3 /* changes of files that a tool call's line lists, and lines of a process */

/* One prompt or answer.  Requests repeat the history, so each content is kept and shown once. */
struct message {
	struct sv role, text; /* text is clipped */
	size_t clipped;       /* bytes of it that are not here */
	bool shown;
};

struct node {
	uint64_t id, parent_id;
	uint64_t start, end, first_token; /* Unix ns; first_token 0: unknown */
	struct sv name;
	struct sv
		calls; /* one fact, that stands before the others; empty: none, or not asked for */
	struct sv facts; /* most important first, a NUL behind each */
	struct sv error; /* what went wrong, for the list of errors */
	struct message **messages;
	size_t message_cnt;
	struct node *parent, *child, *last, *next;
	uint64_t longest; /* duration in its subtree */
	size_t below;     /* spans in its subtree, itself too */
	size_t files;     /* changes of files right under it */
	size_t folded;    /* ... that are not shown, because there are more than a few */
	size_t hidden;    /* spans under it that are not shown, but not under a child that is */
	unsigned int depth;
	enum span_what what;
	struct sv not_seen; /* why its connection's content is not there; empty: it is */
	bool failed, orphan, reached, unfinished;
	bool in_call; /* below a tool call */
	bool fold;    /* one of more changes of files than are shown */
	bool read;    /* a file that was read: its parent's line tells of it */
};

/* Where the time of a run went.	attribute, what it is called */
#define TREE_TIMES_OF(X)                       \
	X(ATTR_ID_WAIT_PROVIDER, "provider")   \
	X(ATTR_ID_WAIT_STREAM, "stream")       \
	X(ATTR_ID_WAIT_NETWORK, "network")     \
	X(ATTR_ID_CPU_NS, "CPU")               \
	X(ATTR_ID_WAIT_CPU, "run queue")       \
	X(ATTR_ID_BLOCKED_DISK, "disk")        \
	X(ATTR_ID_WAIT_LOCK, "lock")           \
	X(ATTR_ID_WAIT_HUMAN, "human")         \
	X(ATTR_ID_WAIT_THROTTLED, "throttled") \
	X(ATTR_ID_WAIT_RETRY, "retries")
enum {
#define X(id, name) TREE_TIME_##id,
	TREE_TIMES_OF(X)
#undef X
		TREE_TIMES
};

struct tree_run {
	struct tree_run *next;
	char trace_id[HEX128];
	struct map ids;      /* span id -> node */
	struct node **nodes; /* as they came; then by start */
	size_t cnt, cap;
	struct node *root; /* NULL until its root span came */
	uint64_t start, end;
	size_t model_calls, attempts, tool_calls, processes, errors, unpriced, not_seen;
	size_t aside; /* errors that are neither the agent's own nor below its tool calls */
	uint64_t input_tokens, output_tokens;
	double cost; /* NaN: none */
	int64_t exit_code;
	struct sv incomplete; /* reasons of the root, joined */
	int64_t lost_records, lost_bytes, lost_spans;
	int64_t suspended_ns, step_ns; /* what was done to the clocks */
	int64_t went[TREE_TIMES];      /* ns of the root, as tree_times has them */
};

struct tree {
	struct sink_cfg cfg;
	bool utf8;
	struct arena arena; /* nodes and their texts */
	struct map runs;    /* trace id -> struct tree_run */
	struct map messages;
	struct buf out;
	/* columns of the run that is being drawn */
	size_t guide, text, bar;
	uint64_t from, span_ns;
	bool waits; /* some bar shows the time before its first token */
	int err;
};

/* tree_facts.c: fills name, facts, error and first_token. */
void tree_describe(struct tree *t, struct node *n, const struct span *s);

/* tree_files.c: facts, each with a NUL behind it */
void tree_file_facts(struct buf *b, const struct span *s); /* of a tool call */
void tree_read_sums(struct buf *b, const struct span *s);  /* of a process or run */

/* tree_calls.c: a fact of its own; empty without any */
struct sv tree_call_fact(struct tree *t, const struct span *s);

/* tree_text.c */
void tree_messages(struct tree *t, struct node *n, const struct span *s);
/* Lines below a span's; prefix is what stands left of each, `columns` wide. */
void tree_draw_messages(struct tree *t, const struct node *n, struct sv prefix, size_t columns);

/* tree_head.c */
bool tree_is_aside(const struct node *n); /* what programs did on the side; in_call is known */
void tree_draw_head(struct tree *t, const struct tree_run *r);

/* tree_draw.c */
void tree_draw(struct tree *t, struct tree_run *r);

/* tree.c: which spans are shown. */
struct node *tree_first_shown(const struct tree *t, struct node *n); /* n or a later sibling */
void tree_flush(struct tree *t, size_t above); /* writes out when more than that is waiting */

#endif
