/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit sites are guessed, in two ways, and then proven: only the proof counts. */
#include "probe/site.h"

#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "probe/flow.h"

#define ARGS_GO 0x400b /* rax, rcx, rbx, r14 */

/* Of each instruction. */
enum mark {
	MARK_RETURNS = 1, /* a return can be reached from it */
	MARK_DIRTY = 2,   /* on such a way, or by itself, it writes the result or memory */
	MARK_OPEN = 4, /* a return can be reached from it past no candidate; or it from the start */
	MARK_SITE = 8,
	MARK_PASSED0 = 16, /* a path from the start to it runs no site before it */
	MARK_PASSED1 = 32, /* one */
	MARK_PASSED2 = 64, /* more */
};

#define MARK_PASSED (MARK_PASSED0 | MARK_PASSED1 | MARK_PASSED2)

struct graph {
	struct flow flow;
	__u8 *marks;
	__u32 *pred, *pred_next; /* lists of edges into each; edge 2 * from + which, + 1; 0 ends */
	__u32 *todo;             /* an instruction is in it once for each mark it gets, at most */
	size_t todo_cnt;
	__u32 entry;
};

static bool mark(struct graph *g, __u32 at, __u8 bits)
{
	if ((g->marks[at] & bits) == bits)
		return false;
	g->marks[at] |= bits;
	g->todo[g->todo_cnt++] = at;
	return true;
}

static __u32 successor(const struct graph *g, __u32 at, int which)
{
	const struct flow_insn *i = &g->flow.insns[at];

	if (which)
		return i->jump;
	return i->falls ? at + i->len : FLOW_NONE;
}

static void link_edges(struct graph *g)
{
	for (__u32 at = 0; at < g->flow.n; at++) {
		for (int which = 0; g->flow.insns[at].known && which < 2; which++) {
			__u32 to = successor(g, at, which), edge = 2 * at + which;

			if (to == FLOW_NONE)
				continue;
			g->pred_next[edge] = g->pred[to];
			g->pred[to] = edge + 1;
		}
	}
}

/* Marks everything from which a marked instruction can be reached through `through`. */
static void spread_back(struct graph *g, __u8 bit, bool (*through)(const struct graph *g, __u32 at))
{
	while (g->todo_cnt) {
		__u32 to = g->todo[--g->todo_cnt];

		for (__u32 e = g->pred[to]; e; e = g->pred_next[e - 1])
			if (!through || through(g, (e - 1) / 2))
				mark(g, (e - 1) / 2, bit);
	}
}

static void clear(struct graph *g, __u8 bits)
{
	for (size_t at = 0; at < g->flow.n; at++)
		g->marks[at] &= (__u8)~bits;
}

static bool returns(const struct graph *g, __u32 at)
{
	return g->marks[at] & MARK_RETURNS;
}

/* Behind it the result stays as it is, and the stack pointer tells whose it is. */
static bool is_candidate(const struct graph *g, __u32 at)
{
	const struct flow_insn *i = &g->flow.insns[at];

	return i->known && i->emulated && i->sp != FLOW_LOST && at != g->entry &&
	       (g->marks[at] & (MARK_RETURNS | MARK_DIRTY)) == MARK_RETURNS;
}

static bool is_no_candidate(const struct graph *g, __u32 at)
{
	return !is_candidate(g, at);
}

static void mark_returns(struct graph *g)
{
	for (__u32 at = 0; at < g->flow.n; at++)
		if (g->flow.insns[at].known && g->flow.insns[at].ret)
			mark(g, at, MARK_RETURNS);
	spread_back(g, MARK_RETURNS, NULL);
	for (__u32 at = 0; at < g->flow.n; at++)
		if (returns(g, at) && (g->flow.insns[at].writes & FLOW_RAX ||
				       flow_writes_elsewhere(&g->flow.insns[at])))
			mark(g, at, MARK_DIRTY);
	spread_back(g, MARK_DIRTY, returns);
}

/* The last candidate on each path. */
static void guess_last(struct graph *g)
{
	for (__u32 at = 0; at < g->flow.n; at++)
		if (g->flow.insns[at].known && g->flow.insns[at].ret)
			mark(g, at, MARK_OPEN);
	spread_back(g, MARK_OPEN, is_no_candidate);
	for (__u32 at = 0; at < g->flow.n; at++) {
		for (int which = 0; is_candidate(g, at) && which < 2; which++) {
			__u32 to = successor(g, at, which);

			if (to != FLOW_NONE && (g->marks[to] & MARK_OPEN))
				g->marks[at] |= MARK_SITE;
		}
	}
}

/* The first one. */
static void guess_first(struct graph *g)
{
	mark(g, 0, MARK_OPEN);
	while (g->todo_cnt) {
		__u32 at = g->todo[--g->todo_cnt];

		for (int which = 0; is_no_candidate(g, at) && which < 2; which++)
			if (successor(g, at, which) != FLOW_NONE)
				mark(g, successor(g, at, which), MARK_OPEN);
		if (is_candidate(g, at))
			g->marks[at] |= MARK_SITE;
	}
}

/* Follows every path from the start, and counts the sites that it runs. */
static void count_passed(struct graph *g)
{
	mark(g, 0, MARK_PASSED0);
	while (g->todo_cnt) {
		__u32 at = g->todo[--g->todo_cnt];
		__u8 passed = g->marks[at] & MARK_PASSED;

		if (g->marks[at] & MARK_SITE)
			passed = (passed & MARK_PASSED0 ? MARK_PASSED1 : 0) |
				 (passed & (MARK_PASSED1 | MARK_PASSED2) ? MARK_PASSED2 : 0);
		for (int which = 0; which < 2; which++)
			if (successor(g, at, which) != FLOW_NONE)
				mark(g, successor(g, at, which), passed);
	}
}

/* The proof: at every return exactly one site has been run, and the stack is as at the entry. */
static bool prove(struct graph *g)
{
	size_t rets = 0;

	count_passed(g);
	for (__u32 at = 0; at < g->flow.n; at++) {
		const struct flow_insn *i = &g->flow.insns[at];

		if (!i->known || !i->ret)
			continue;
		if (i->sp || (g->marks[at] & MARK_PASSED) != MARK_PASSED1)
			return false;
		rets++;
	}
	return rets > 0;
}

static bool take_exits(const struct graph *g, struct site_plan *plan)
{
	plan->exit_cnt = 0;
	for (__u32 at = 0; at < g->flow.n; at++) {
		if (!(g->marks[at] & MARK_SITE))
			continue;
		if (plan->exit_cnt == SITE_EXITS)
			return false;
		plan->exits[plan->exit_cnt++] = (struct site_at){ at, (__u32)g->flow.insns[at].sp };
	}
	return true;
}

static bool find_exits(struct graph *g, struct site_plan *plan)
{
	static void (*const guesses[])(struct graph *) = { guess_last, guess_first };

	link_edges(g);
	mark_returns(g);
	for (size_t i = 0; i < ARRAY_SIZE(guesses); i++) {
		clear(g, MARK_OPEN | MARK_SITE | MARK_PASSED);
		guesses[i](g);
		if (prove(g) && take_exits(g, plan))
			return true;
	}
	plan->exit_cnt = 0;
	return false;
}

static enum site_doubt find_entry(struct graph *g, enum site_abi abi, struct site_plan *plan)
{
	__u16 args = abi == SITE_GO ? ARGS_GO : FLOW_ARGS_SYSV;
	const struct flow_insn *i = g->flow.insns;
	__u32 first = abi == SITE_GO ? 1 : 0; /* that a jump must not lead to */

	while (!i->emulated) {
		if ((i->writes & args) || flow_writes_elsewhere(i) || i->call || !i->falls ||
		    i->jump != FLOW_NONE)
			return SITE_DOUBT_ARGS;
		i += i->len;
	}
	if (i->sp == FLOW_LOST)
		return SITE_DOUBT_ARGS;
	g->entry = (__u32)(i - g->flow.insns);
	for (size_t at = 0; at < g->flow.n; at++) {
		__u32 to = g->flow.insns[at].known ? g->flow.insns[at].jump : FLOW_NONE;

		if (to != FLOW_NONE && to >= first && to <= g->entry)
			return SITE_DOUBT_LOOP;
	}
	plan->entry = (struct site_at){ g->entry, (__u32)i->sp };
	return SITE_DOUBT_NONE;
}

static enum site_doubt find(struct graph *g, enum site_abi abi, bool exits, struct site_plan *plan)
{
	size_t n = g->flow.n + 1;
	enum site_doubt doubt = find_entry(g, abi, plan);

	if (doubt)
		return doubt;
	if (!plan->entry.depth)
		plan->kind = SITE_RETURN;
	if (!exits) {
		plan->kind = SITE_FULL;
		return SITE_DOUBT_NONE;
	}
	if (g->flow.leaves)
		return SITE_DOUBT_TAIL;
	g->marks = calloc(n, sizeof(*g->marks));
	g->pred = calloc(n, sizeof(*g->pred));
	g->pred_next = calloc(n, 2 * sizeof(*g->pred_next));
	g->todo = calloc(n, 8 * sizeof(*g->todo));
	if (!g->marks || !g->pred || !g->pred_next || !g->todo || !find_exits(g, plan))
		return SITE_DOUBT_EXIT;
	plan->kind = SITE_FULL;
	return SITE_DOUBT_NONE;
}

static bool first_is_emulated(const unsigned char *p)
{
	return flow_emulated(p, 1) || flow_emulated(p, 2) || flow_emulated(p, 5) ||
	       flow_emulated(p, 6);
}

void site_choose(struct site_plan *plan, const unsigned char *code, size_t size, enum site_abi abi,
		 bool exits)
{
	static const enum site_doubt doubts[] = {
		[FLOW_UNKNOWN] = SITE_DOUBT_CODE,
		[FLOW_INDIRECT] = SITE_DOUBT_INDIRECT,
		[FLOW_NOMEM] = SITE_DOUBT_CODE,
	};
	struct graph g = { 0 };
	enum flow_result res;

	*plan = (struct site_plan){ .doubt = SITE_DOUBT_RANGE };
	if (first_is_emulated(code))
		plan->kind = SITE_RETURN;
	if (!size)
		return;
	res = flow_init(&g.flow, code, size);
	plan->doubt = res ? doubts[res] : find(&g, abi, exits, plan);
	if (plan->kind == SITE_STEPPED)
		plan->entry = (struct site_at){ 0, 0 };
	flow_fini(&g.flow);
	free(g.marks);
	free(g.pred);
	free(g.pred_next);
	free(g.todo);
}

const char *site_doubt_text(enum site_doubt doubt)
{
	static const char *const texts[] = {
#define X(id, text) [SITE_DOUBT_##id] = text,
		SITE_DOUBTS(X)
#undef X
	};

	return texts[doubt];
}
