/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of several open tool calls is meant: the one with most in common, then the one nearest to who
 * did it, then one for which nothing was found yet, then the oldest.  Only those are looked at that
 * have something in common; of those with the same arguments, a few.
 */
#ifndef RINGSPAN_SPAN_TOOL_PICK_H
#define RINGSPAN_SPAN_TOOL_PICK_H

#include "span/tool.h"

/* How near a process stands to a call, by rising nearness. */
enum {
	KIN_TAKEN, /* it does the work of one, this or another */
	KIN_LOOSE, /* only the time said that it did, of one that is over */
	KIN_APART,
	KIN_ASKED, /* it asked the model for the call, or was started by who did: the nearer, the more */
};
#define KIN_DEPTH 64 /* a tree is as deep as it is long, but who asks is near */

/* Whose calls are near a process: its own, then those of what it was started by, in that order. */
struct kin {
	const struct proc *up[KIN_DEPTH];
	int depth;
	int others; /* the nearness of all others' */
};

struct kin tool_kin_of(struct run *r, const struct proc *p); /* p may be NULL */
int tool_kin_at(int depth);                                  /* of who is that far up */
int tool_kin_to(const struct kin *k, const struct tool *tool);

/* Something else was found to do it already. */
typedef bool (*taken_fn)(const struct tool *tool);

/* The best of the calls that were considered. */
struct pick {
	const struct kin *kin_of;
	uint64_t ts; /* calls that were asked for later are not meant */
	taken_fn is_taken;
	struct sv name; /* of what calls a tool; empty: whatever they call is meant */
	struct tool *tool;
	size_t n; /* how much of its arguments was found */
	int kin;
	bool taken;
	bool alike; /* others fit as well */
};

/* n of the arguments that these calls have fits: which of them is meant, if n is as much as was found before. */
void tool_consider(struct run *r, struct pick *pick, const struct tool_class *class, size_t n);
/* What fits several calls alike tells only that it is one of them: ringspan.link. */
const char *tool_pick_link(const struct pick *pick);
/* The same name, or with the server's before or behind it: mcp__server__tool, server.tool. */
bool tool_same_name(struct sv offered, struct sv tool);

/* Classes of which a text was found. */
struct hits {
	struct tools *all;
	struct tool_class *first;
	size_t (*match)(struct tool_class *class, const void *of);
	const void *of;
	uint64_t search, line;
};

struct hits tool_hits_new(struct run *r, size_t (*match)(struct tool_class *, const void *));
void tool_hit(struct hits *h, struct tool_class *class);
/* A phrase_fn, of tool_texts; ctx: struct hits. */
void tool_hit_text(void *ctx, struct sv text, const struct index_link *l);
/* Each class that has a text in it, by how much of it; for several lines by the best. */
void tool_look_in(struct hits *h, const struct phrases *ps, struct sv line, const void *of);
void tool_consider_hits(struct run *r, struct pick *pick, const struct hits *h);

#endif
