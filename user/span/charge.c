// SPDX-License-Identifier: BSD-2-Clause
/* Which spans a process's USAGE is charged to: see usage.h. */
#include <string.h>
#include "span/engine.h"

/* An exchange that may stay open for as long as the process lives is no work that it does. */
static bool is_at(const struct exchange *x, const struct proc *p)
{
	return x->tgid == p->tgid && x->proc_start == p->start && !x->may_be_rpc;
}

static unsigned int exchanges_at(const struct run *r, const struct proc *p)
{
	unsigned int n = 0;

	for (const struct exchange *x = r->exchanges; x; x = x->run_next)
		n += is_at(x, p);
	return n;
}

static void charge_exchanges(struct run *r, const struct proc *p, const struct usage *u,
			     unsigned int cnt)
{
	unsigned int i = 0;

	for (struct exchange *x = r->exchanges; x; x = x->run_next) {
		struct usage part;

		if (!is_at(x, p))
			continue;
		part = usage_part(u, i++, cnt);
		usage_add(&x->used, &part);
		if (x->agent || x->beside)
			agent_charge(x->agent ? x->agent : x->beside, x->turn, &part);
		else if (x->link)
			tool_charge(r, x->parent_span, &part);
	}
}

static void charge_open(struct run *r, const struct proc *p, const struct usage *u)
{
	unsigned int exchanges = exchanges_at(r, p), cnt = exchanges + tools_at(r, p);

	if (!cnt) {
		agents_charge(r, p, u);
		return;
	}
	charge_exchanges(r, p, u, cnt);
	tools_charge(r, p, u, exchanges, cnt);
}

/*
 * What an exchange will be told as is known once its request is whole: a call of a model, or another attempt
 * at one.  Those of MCP and A2A are told by what is asked in them, and stand where they hang.
 */
static void exchange_owner(const struct exchange *x, const struct pstate *ps, char out[HEX64])
{
	if (!x->request_done || x->rpc)
		memcpy(out, x->parent_span[0] ? x->parent_span : engine_parent(ps), HEX64);
	else if (x->call)
		model_id(out, x);
	else
		exchange_id(out, x, SPAN_HTTP);
}

void usage_owner(const struct pstate *ps, const struct proc *p, uint64_t nth, char out[HEX64])
{
	const struct run *r = ps->run;
	unsigned int exchanges = exchanges_at(r, p), cnt = exchanges + tools_at(r, p);
	const char *span = NULL;

	if (!cnt) {
		span = agents_nth_span(r, p, nth);
	} else if (nth % cnt >= exchanges) {
		span = tools_nth_span(r, p, nth % cnt - exchanges);
	} else {
		nth %= cnt;
		for (const struct exchange *x = r->exchanges; x; x = x->run_next)
			if (is_at(x, p) && !nth--) {
				exchange_owner(x, ps, out);
				return;
			}
	}
	memcpy(out, span ? span : engine_parent(ps), HEX64);
}

void usage_feed(struct trace *t, const struct ev_usage *e)
{
	struct proc *p = proc_find(t->procs, e->hdr.tgid, e->hdr.start);
	struct pstate *ps = p ? p->user : NULL;
	const char *tool;
	struct usage grown;

	if (!ps)
		return;
	usage_advance(&ps->used, e, &grown);
	if (!ps->run)
		return;
	usage_add(&ps->run->used, &grown);
	now_usage(p, e, &grown);
	tool = process_tool(p);
	if (tool)
		tool_charge(ps->run, tool, &grown);
	charge_open(ps->run, p, &grown);
}
