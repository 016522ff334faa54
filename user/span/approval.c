// SPDX-License-Identifier: BSD-2-Clause
/*
 * Waits for a human: between a tool call and its start, while the agent reads a terminal or a pipe, and
 * of MCP's elicitations.  Who reads by poll reads keys that may have been meant for something else, so
 * that alone proves nothing: the tool must have run after it, or its result must tell of the denial.
 */
#include <string.h>
#include "base/cleanup.h"
#include "span/engine.h"

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

	if (tool_span)
		tool_waited(r, tool_span, WAIT_HUMAN, a->ts_from, a->ts_to);
	if (!s)
		return;
	engine_id(s->span_id, r, SPAN_APPROVAL,
		  (uint64_t[4]){ hash64(sv(parent)), a->ts_from, a->ts_to });
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

void approval_elicited(struct run *r, const char *parent, struct sv tool, const char *tool_span,
		       struct approval *a)
{
	a->by = "elicitation";
	a->decision = sv_is(a->action, "accept")    ? "approved"
		      : sv_is(a->action, "decline") ? "denied"
		      : sv_is(a->action, "cancel")  ? "cancelled"
						    : NULL;
	emit(r, parent, tool, tool_span, a);
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
