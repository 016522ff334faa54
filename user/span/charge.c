// SPDX-License-Identifier: BSD-2-Clause
/* Which spans a process's USAGE is charged to: see usage.h. */
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
	tool = process_tool(p);
	if (tool)
		tool_charge(ps->run, tool, &grown);
	charge_open(ps->run, p, &grown);
}
