// SPDX-License-Identifier: BSD-2-Clause
/* Tool calls: from the answer that asks for one to the request that carries its result. */
#include "span/tool.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/limits.h"

static void free_tool(struct tool *tool)
{
	if (tool->agent)
		agent_release(tool->agent);
	span_free(&tool->span);
	free(tool);
}

static void finish(struct run *r, struct tool *tool, const struct sem_tool_result *res)
{
	approval_of_tool(r, tool->span, &tool->approval, tool->ts_begun, res);
	shares_leave_owner(r, tool);
	share_leave(r, &tool->share);
	tool_leave(r, tool);
	waits_set(tool->span, &tool->waits);
	usage_set(tool->span, &tool->used);
	file_describe(tool->span, tool->files, true);
	file_finish(r, &tool->files, tool->span->span_id, tool->tgid);
	engine_emit(r, &tool->span);
	free_tool(tool);
}

void tool_told(const struct exchange *x, const struct sem_tool_call *tc)
{
	tools_of(x->run, TOOL_OF_EXCHANGE, x->conn_id, x->seq, l)
	{
		struct tool *tool = l->of;

		if (sv_eq(tool->id, tc->id))
			tool->invalid |= verdict_of_tool_call(x, tc, tool->span);
	}
}

/* Nobody will answer it. */
static void give_up(struct run *r, struct tool *tool, uint64_t ts)
{
	if (ts > tool->ts_start)
		tool->span->end_ns = engine_wall(r, ts);
	span_incomplete(tool->span, "unanswered");
	finish(r, tool, NULL);
}

/* It makes room for others, whoever may answer it yet. */
static void drop_oldest(struct run *r)
{
	struct tool *tool = r->tools->first;

	span_incomplete(tool->span, "cap");
	r->over_limit++;
	finish(r, tool, NULL);
}

static struct tool *tool_new(struct run *r, const struct exchange *x,
			     const struct sem_tool_call *tc, uint64_t ts)
{
	struct tool *tool = calloc(1, sizeof(*tool));
	struct arena *a;

	if (!tool)
		return NULL;
	tool->span = engine_span(r, SPAN_TOOL_CALL, ts, ts);
	if (!tool->span) {
		free(tool);
		return NULL;
	}
	a = &tool->span->arena;
	tool->conn_id = x->conn_id;
	tool->seq = x->seq;
	tool->ts_start = ts;
	tool->agent = x->agent;
	tool->turn = x->turn;
	if (tool->agent)
		agent_hold(tool->agent);
	tool->tgid = x->tgid;
	tool->proc_start = x->proc_start;
	tool->id = arena_dup(a, tc->id);
	tool->name = arena_dup(a, tc->name);
	engine_id(tool->span->span_id, r, SPAN_TOOL_CALL,
		  (uint64_t[4]){ x->conn_id, x->seq, x->tools_asked, hash64(tc->id) });
	return tool;
}

static void take(void *of, const struct usage *u)
{
	struct tool *tool = of;

	usage_add(&tool->used, u);
	if (tool->agent)
		agent_charge(tool->agent, tool->turn, u);
}

static const char *span_id_of(const void *of, char own[HEX64])
{
	(void)own;
	return ((const struct tool *)of)->span->span_id;
}

/* It takes its part of what the process that asked takes. */
static void join_crowd(struct run *r, struct tool *tool)
{
	static const struct share_ops ops = { .take = take, .span_id = span_id_of };

	share_join(r, tool->tgid, tool->proc_start, CHARGE_WORK, &tool->share, &ops, tool);
	share_into(r, &tool->share, tool->agent);
}

/* The words that led to it. */
static void set_decision(struct span *s, const struct sem_call *c)
{
	struct sv thought = buf_view(&c->reasoning), said = buf_view(&c->text);

	span_set_str(s, ATTR_ID_TOOL_DECISION,
		     thought.n && said.n ? arena_fmt(&s->arena, SV_FMT "\n" SV_FMT, SV_ARG(thought),
						     SV_ARG(said))
		     : said.n            ? said
					 : thought);
}

void tool_asked(struct run *r, struct exchange *x, const struct sem_tool_call *tc)
{
	struct tool *tool;
	struct span *s;

	if (r->tools && r->tools->cnt >= LIMIT_TOOL_CALLS)
		drop_oldest(r);
	tool = tool_new(r, x, tc, tc->ts ? tc->ts : x->resp_last);
	if (!tool)
		return;
	s = tool->span;
	if (x->parent_span[0])
		memcpy(s->parent_span_id, x->parent_span, sizeof(s->parent_span_id));
	agent_calls_tool(x);
	span_set_name(s, arena_fmt(&s->arena, "execute_tool " SV_FMT, SV_ARG(tc->name)));
	span_set_str(s, ATTR_ID_OP, SV("execute_tool"));
	span_set_str(s, ATTR_ID_TOOL_NAME, tc->name);
	span_set_str(s, ATTR_ID_TOOL_CALL_ID, tc->id);
	span_set_str(s, ATTR_ID_TOOL_TYPE, SV("function"));
	if (tc->args_json)
		span_set_json(s, ATTR_ID_TOOL_ARGUMENTS, tc->args_json);
	else
		span_set_str(s, ATTR_ID_TOOL_ARGUMENTS, tc->args);
	tool->args = span_attr(s, ATTR_ID_TOOL_ARGUMENTS);
	set_decision(s, x->call);
	if (tc->args_cut)
		span_incomplete(s, "cut");
	if (!tc->told)
		tool->invalid = verdict_of_tool_call(x, tc, s);
	if (tool_enter(r, tool)) {
		free_tool(tool);
		return;
	}
	join_crowd(r, tool);
	now_tool_asked(r, tool);
	x->tools_asked++;
	r->tool_calls++;
	r->t->totals.tool_calls++;
}

void tool_broken_off(const struct exchange *x)
{
	struct index_link *next;

	for (struct index_link *l = tool_first(x->run, TOOL_OF_EXCHANGE, x->conn_id, x->seq); l;
	     l = next) {
		struct tool *tool = l->of;

		next = l->next;
		if (!tool->ts_begun) /* what was begun may still be answered */
			give_up(x->run, tool, x->resp_last);
	}
}

void tool_dropped(struct run *r, const struct agent *a, uint64_t ts)
{
	struct index_link *l;

	while ((l = tool_first(r, TOOL_OF_AGENT, (uintptr_t)a, 0)))
		give_up(r, l->of, ts);
}

/* Does the history tell of another call by the same id? */
static bool is_another(const struct tool *tool, const struct json *messages)
{
	json_for_each (messages, m) {
		json_for_each (json_get(m, "parts"), part) {
			if (json_str_is(json_get(part, "type"), "tool_call") &&
			    sv_eq(json_sv(json_get(part, "id")), tool->id))
				return !sv_eq(json_sv(json_get(part, "name")), tool->name) ||
				       !json_same(json_get(part, "arguments"), tool->args);
		}
	}
	return false;
}

/*
 * A conversation's own call, or one of whom it took over from.  Ids may be the same in many
 * ("functions.shell:0"), with the same arguments too, so another's is meant only by a conversation of
 * which nothing is known, and when there is but one.
 */
static struct tool *find_by_id(const struct exchange *x, struct sv id)
{
	const struct agent *own = x->agent ? x->agent : x->beside;
	struct tool *handed = NULL, *other = NULL;
	size_t others = 0;

	if (!id.n)
		return NULL;
	tools_of(x->run, TOOL_BY_ID, hash64(id), 0, l)
	{
		struct tool *tool = l->of;

		if (!sv_eq(tool->id, id))
			continue;
		if (tool->agent == own)
			return tool;
		if (x->from && tool->agent == x->from && !handed)
			handed = tool;
		if ((own && !x->begins) || others > 1 || is_another(tool, x->call->input_messages))
			continue;
		other = tool;
		others++;
	}
	return handed ? handed : others == 1 ? other : NULL;
}

void tool_answered(const struct exchange *x, const struct sem_tool_result *res)
{
	struct tool *tool = find_by_id(x, res->id);
	struct run *r = x->run;
	struct span *s;

	if (!tool)
		return; /* answered before: a request that is sent again repeats it */
	s = tool->span;
	if (x->req_first > tool->ts_start)
		s->end_ns = engine_wall(r, x->req_first);
	span_set_str(s, ATTR_ID_TOOL_RESULT, res->text);
	if (x->begins && tool->agent != x->agent) /* it may as well be another's */
		span_set_str(s, ATTR_ID_LINK, SV("time"));
	if (res->has_error && res->is_error)
		engine_fail(s, SV("tool_error"), sv_clip_utf8(res->text, 200));
	finish(r, tool, res);
}

void tool_unanswered(struct run *r, uint64_t now)
{
	while (r->tools && r->tools->first)
		give_up(r, r->tools->first, now);
	tools_free(r);
}

void tool_waited(struct run *r, const char *span_id, enum wait_cause cause, uint64_t from,
		 uint64_t to)
{
	struct tool *tool = tool_find(r, span_id);

	wait_add(&r->waits.by[cause], from, to);
	if (!tool)
		return;
	wait_add(&tool->waits.by[cause], from, to);
	if (tool->agent)
		agent_waited(tool->agent, tool->turn, cause, from, to);
}

void tool_charge(struct run *r, const char *span_id, const struct usage *u)
{
	struct tool *tool = tool_find(r, span_id);

	if (tool)
		take(tool, u);
}

void tool_has_exchange(struct exchange *x, const char *span_id)
{
	struct tool *tool = tool_find(x->run, span_id);

	share_settle(&x->share);
	if (!tool)
		return;
	take(tool, &x->used);
	share_into(x->run, &x->share, tool);
}

void tool_each_open(struct run *r, const struct open_walk *w)
{
	for (const struct tool *tool = r->tools ? r->tools->first : NULL; tool; tool = tool->next) {
		struct span *s = open_copy(r, tool->span);

		if (s)
			usage_set(s, &tool->used);
		open_give(w, r, &s);
	}
}

struct ledger **tool_ledger(struct run *r, const char *span_id)
{
	struct tool *tool = tool_find(r, span_id);

	return tool ? &tool->files : NULL;
}
