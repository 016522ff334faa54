// SPDX-License-Identifier: BSD-2-Clause
/*
 * For which request a process asks something in turn, while it answers many: the one that names the same
 * trace (W3C Trace Context), and of several of that trace the one that names the same span; where no
 * trace tells, the only one that the process is answering.
 */
#include <string.h>
#include "base/hash.h"
#include "sem/context.h"
#include "span/engine.h"

/* trace_id: ""; of all traces. */
static struct map_key key_of(uint32_t tgid, uint64_t start, const char *trace_id)
{
	return (struct map_key){ tgid, start, trace_id[0] ? hash64(sv(trace_id)) : 0 };
}

static bool context_of(const struct exchange *x, struct context *out)
{
	return sem_traceparent(x->traceparent, out->trace_id, out->span_id);
}

void served_begin(struct exchange *x)
{
	struct index *served = &x->run->t->served;
	struct context c;

	/* or it is not found, when memory is out */
	index_add(served, key_of(x->tgid, x->proc_start, ""), &x->served, x);
	if (context_of(x, &c))
		index_add(served, key_of(x->tgid, x->proc_start, c.trace_id), &x->served_trace, x);
}

void served_end(struct exchange *x)
{
	index_del(&x->run->t->served, &x->served);
	index_del(&x->run->t->served, &x->served_trace);
}

/* MCP and A2A have spans of their own; and what was asked before was not asked for it. */
static bool may_ask(const struct exchange *server, const struct exchange *x)
{
	return !server->rpc && server->req_first <= x->req_first;
}

static const struct exchange *find_by_trace(const struct exchange *x, const struct context *c)
{
	const struct exchange *found = NULL, *named = NULL;
	size_t cnt = 0, names = 0;

	index_for_each (&x->run->t->served, key_of(x->tgid, x->proc_start, c->trace_id), l) {
		const struct exchange *e = l->of;
		struct context of;

		if (!may_ask(e, x) || !context_of(e, &of) || strcmp(of.trace_id, c->trace_id) != 0)
			continue;
		found = e;
		cnt++;
		if (strcmp(of.span_id, c->span_id) != 0)
			continue;
		named = e;
		names++;
	}
	if (cnt == 1)
		return found;
	return names == 1 ? named : NULL;
}

static const struct exchange *find_by_time(const struct exchange *x)
{
	const struct exchange *found = NULL;

	index_for_each (&x->run->t->served, key_of(x->tgid, x->proc_start, ""), l) {
		if (!may_ask(l->of, x))
			continue;
		if (found)
			return NULL;
		found = l->of;
	}
	return found;
}

bool served_for(const struct exchange *x, struct served *out)
{
	const struct exchange *found;
	struct context c;
	bool exact = x->client && context_of(x, &c);

	found = exact ? find_by_trace(x, &c) : NULL;
	if (!found) {
		exact = false;
		found = x->client ? find_by_time(x) : NULL;
	}
	if (!found)
		return false;
	exchange_id(out->span_id, found, SPAN_HTTP);
	out->exact = exact;
	return true;
}
