// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is not over yet, as spans: see trace_each_open() in trace.h.  They have the ids that they will
 * have when they are over, and nothing of the trace is changed by looking.
 */
#include <string.h>
#include "span/engine.h"

void open_give(const struct open_walk *w, struct run *r, struct span **s)
{
	if (!*s)
		return;
	(*s)->end_ns = engine_wall(r, r->t->now);
	if ((*s)->end_ns < (*s)->start_ns)
		(*s)->end_ns = (*s)->start_ns;
	clock_set_suspended(r, *s);
	span_set_bool(*s, ATTR_ID_UNFINISHED, true);
	(*s)->resource = engine_resource(r, &(*s)->arena);
	w->fn(w->ctx, *s);
	span_free(s);
}

static void copy_attr(void *ctx, const struct json *member)
{
	struct span *s = ctx;

	json_set(&s->arena, s->attributes, attr_find(member->key)->key,
		 json_copy(&s->arena, member));
}

struct span *open_copy(struct run *r, const struct span *of)
{
	struct span *s = engine_span(r, of->what, 0, 0);

	if (!s)
		return NULL;
	memcpy(s->span_id, of->span_id, sizeof(s->span_id));
	memcpy(s->parent_span_id, of->parent_span_id, sizeof(s->parent_span_id));
	s->kind = of->kind;
	s->start_ns = of->start_ns;
	s->status = of->status;
	s->status_message = arena_dup(&s->arena, of->status_message);
	s->links = json_copy(&s->arena, of->links);
	s->name = arena_dup(&s->arena, of->name);
	span_each_attr(of->attributes, ATTRS_INLINE, copy_attr, s);
	return s;
}

void trace_each_open(struct trace *t, trace_span_fn fn, void *ctx)
{
	struct open_walk w = { fn, ctx };

	map_for_each (&t->runs, e)
		shares_settle_all(e->value);
	process_each_open(t, &w);
	map_for_each (&t->runs, e) {
		struct run *r = e->value;

		agent_each_open(r, &w);
		model_each_open(r, &w);
		tool_each_open(r, &w);
		rpc_each_open(r, &w);
		exchange_each_open(r, &w);
	}
}
