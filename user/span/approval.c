// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waits for a human: between a tool call and its start, while the agent reads a terminal or a pipe; of
 * MCP's elicitations and A2A's tasks that want input; and of tools that a provider runs only with leave,
 * until a request has the word.  Who reads by poll reads keys that may have been meant for something else, so
 * that alone proves nothing: the tool must have run after it, or its result must tell of the denial.
 */
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/engine.h"
#include "span/now.h"

#define BLOCKED_NS 1000000 /* a read that waited so long had nothing to read when it began */
#define DENIAL_BYTES 400   /* of a result in which a denial is looked for */

/* How agents tell the model that the user said no. */
static const char *const denials[] = {
	"user denied",   "denied by",     "user declined",  "declined by",  "user rejected",
	"rejected by",   "was rejected",  "user refused",   "refused by",   "not approved",
	"doesn't want",  "does not want", "did not want",   "not approve",  "not allow",
	"user canceled", "canceled by",   "user cancelled", "cancelled by", "interrupted by user",
};

static bool says_no(struct sv result)
{
	struct sv text = sv_sub(result, 0, DENIAL_BYTES);

	while (text.n) {
		for (size_t i = 0; i < ARRAY_SIZE(denials); i++)
			if (sv_istarts(text, denials[i]))
				return true;
		text = sv_sub(text, 1, text.n);
	}
	return false;
}

static void emit(struct run *r, const char *parent, struct sv tool, const char *tool_span,
		 const struct approval *a)
{
	struct span *s = engine_span(r, SPAN_APPROVAL, a->ts_from, a->ts_to);

	if (!a->counted)
		tool_waited(r, tool_span, WAIT_HUMAN, a->ts_from, a->ts_to);
	if (!s)
		return;
	engine_id(s->span_id, r, SPAN_APPROVAL,
		  (uint64_t[4]){ hash64(sv(parent)), a->ts_from, a->ts_to, a->key });
	memcpy(s->parent_span_id, parent, sizeof(s->parent_span_id));
	span_set_name(s, tool.n ? arena_fmt(&s->arena, "approval " SV_FMT, SV_ARG(tool))
				: SV("approval"));
	span_set_str(s, ATTR_ID_TOOL_NAME, tool);
	span_set_str(s, ATTR_ID_APPROVAL_BY, sv(a->by));
	span_set_str(s, ATTR_ID_APPROVAL_DECISION, sv(a->decision));
	span_set_str(s, ATTR_ID_APPROVAL_ACTION, a->action);
	span_set_str(s, ATTR_ID_APPROVAL_MODE, a->mode);
	span_set_str(s, ATTR_ID_APPROVAL_MESSAGE, a->message);
	engine_emit(r, &s);
}

/* --- MCP and A2A */

void approval_elicited(struct run *r, const char *parent, struct sv tool, const char *tool_span,
		       struct approval *a)
{
	a->decision = sv_is(a->action, "accept")    ? "approved"
		      : sv_is(a->action, "decline") ? "denied"
		      : sv_is(a->action, "cancel")  ? "cancelled"
						    : NULL;
	emit(r, parent, tool, tool_span, a);
}

/* --- tools that a provider runs only with leave */

struct leave {
	struct leave *next;
	char *id, *tool;
	uint64_t ts; /* it was asked for */
	struct agent *agent;
	int64_t turn;
	char parent[HEX64];
};

static void leave_free(struct leave *l)
{
	if (l->agent)
		agent_release(l->agent);
	free(l->id);
	free(l->tool);
	free(l);
}

static void drop_oldest(struct run *r)
{
	struct leave *l = r->leaves;

	r->leaves = l->next;
	r->leave_cnt--;
	leave_free(l);
}

static void asked_leave(struct exchange *x, const struct sem_leave *asked)
{
	struct leave *l = calloc(1, sizeof(*l)), **at = &x->run->leaves;

	if (!l)
		return;
	l->id = strndup(asked->id.p, asked->id.n);
	l->tool = strndup(asked->name.n ? asked->name.p : "", asked->name.n);
	l->ts = x->resp_last;
	l->agent = x->agent;
	l->turn = x->turn;
	memcpy(l->parent, x->parent_span[0] ? x->parent_span : x->run->span_id, sizeof(l->parent));
	if (l->agent)
		agent_hold(l->agent);
	if (x->run->leave_cnt >= LIMIT_LEAVES)
		drop_oldest(x->run);
	while (*at)
		at = &(*at)->next;
	*at = l;
	x->run->leave_cnt++;
}

void approval_of_answer(struct exchange *x)
{
	for (const struct sem_leave *l = x->call->asks_leave; l; l = l->next)
		asked_leave(x, l);
}

static void given_leave(struct exchange *x, struct leave **at, const struct sem_leave *word)
{
	struct leave *l = *at;
	struct approval a = {
		.ts_from = l->ts,
		.ts_to = x->req_first > l->ts ? x->req_first : l->ts,
		.by = "request",
		.decision = word->granted ? "approved" : "denied",
		.message = word->reason,
		.key = hash64(word->id),
		.counted = true,
	};

	*at = l->next;
	x->run->leave_cnt--;
	wait_add(&x->run->waits.by[WAIT_HUMAN], a.ts_from, a.ts_to);
	if (l->agent)
		agent_waited(l->agent, l->turn, WAIT_HUMAN, a.ts_from, a.ts_to);
	emit(x->run, l->parent, sv(l->tool), l->parent, &a);
	leave_free(l);
}

void approval_of_request(struct exchange *x)
{
	for (const struct sem_leave *word = x->call->leaves; word; word = word->next) {
		struct leave **at = &x->run->leaves;

		while (*at && !sv_is(word->id, (*at)->id))
			at = &(*at)->next;
		if (*at)
			given_leave(x, at, word);
	}
}

void approval_forget(struct run *r)
{
	while (r->leaves)
		drop_oldest(r);
}

/* --- terminals and pipes */

void approval_feed(struct trace *t, const struct ev_input *in)
{
	struct proc *p = proc_find(t->procs, in->hdr.tgid, in->hdr.start);
	struct pstate *ps = p ? p->user : NULL;

	if (ps && ps->run)
		tool_input(ps->run, p, in);
}

void approval_input(struct approval *a, const struct ev_input *in, uint64_t asked, bool own)
{
	bool blocked = in->enter_ts >= asked && in->hdr.ts > in->enter_ts + BLOCKED_NS;

	/* others only pass on what it is told: a terminal's program, the parent that holds the pipe */
	if (a->own && !own)
		return;
	if (own && !a->own)
		*a = (struct approval){ .own = true };
	if (!a->ts_to) {
		a->ts_from = blocked ? in->enter_ts : asked;
		a->by = in->src == EV_SRC_TTY ? "terminal" : "pipe";
	}
	a->blocked |= blocked;
	a->ts_to = in->hdr.ts;
}

void approval_of_tool(struct run *r, const struct span *tool, struct approval *a, bool ran,
		      const struct sem_tool_result *res)
{
	if (!a->ts_to)
		return;
	if (ran)
		a->decision = "approved";
	else if (res && says_no(res->text))
		a->decision = "denied";
	else if (a->blocked && res && !res->is_error)
		a->decision = "approved";
	if (a->decision || a->blocked)
		emit(r, tool->span_id, span_attr_sv(tool, ATTR_ID_TOOL_NAME), tool->span_id, a);
}

void approval_now(const struct run *r, struct now *n)
{
	const struct leave *l = r->leaves;

	if (l)
		n->human = (struct now_human){ trace_unix(r->t, l->ts), "request", sv(l->tool) };
}
