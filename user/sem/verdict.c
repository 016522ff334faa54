// SPDX-License-Identifier: BSD-2-Clause
/* Refusals, content filters and guardrails, by the words in which the providers tell of them. */
#include "base/cleanup.h"
#include "sem/otel.h"

/* Codes and types of errors that are a judgement on content.  Sources: the providers' references. */
static const struct {
	const char *code, *subject, *type;
} codes[] = {
	{ "content_filter", "prompt", "content_filter" }, /* Azure OpenAI */
	{ "ResponsibleAIPolicyViolation", "prompt", "content_filter" },
	{ "content_policy_violation", "prompt", "content_filter" }, /* OpenAI, LiteLLM */
	{ "moderation_blocked", "prompt", "content_filter" },
	{ "invalid_prompt", "prompt", "content_filter" },
	{ "data_inspection_failed", "prompt", "content_filter" }, /* DashScope */
	{ "DataInspectionFailed", "prompt", "content_filter" },
	{ "tool_use_failed", "answer", "invalid_tool_call" }, /* Groq */
};

static bool by_error(const struct sem_error *e, struct sem_verdict *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (!sv_is(e->code, codes[i].code) && !sv_is(e->type, codes[i].code))
			continue;
		out->subject = codes[i].subject;
		out->type = codes[i].type;
		out->reason = sv(codes[i].code);
		return true;
	}
	return false;
}

static bool by_finish(const struct sem_call *c, struct sem_verdict *out)
{
	json_for_each (c->finish_reasons, e) {
		const char *means = otel_finish_reason(json_sv(e));

		if (!means || strcmp(means, "content_filter") != 0)
			continue;
		out->subject = c->prompt_blocked ? "prompt" : "answer";
		out->type = sv_ieq(e->s, "refusal")                ? "refusal"
			    : sv_ieq(e->s, "guardrail_intervened") ? "guardrail"
								   : "content_filter";
		out->reason = e->s;
		return true;
	}
	return false;
}

bool sem_verdict(const struct sem_call *c, struct sem_verdict *out)
{
	*out = (struct sem_verdict){ 0 };
	if (c->judged) {
		out->subject = "content";
		out->type = "flagged";
		return c->flagged;
	}
	if (c->has_error)
		return by_error(&c->error, out);
	if (by_finish(c, out))
		return true;
	if (!c->refusal.len)
		return false;
	out->subject = "answer";
	out->type = "refusal";
	return true;
}

void sem_flag(struct sem_call *c, struct sv what)
{
	if (!c->flags)
		c->flags = json_array(&c->arena);
	json_for_each (c->flags, e)
		if (sv_eq(e->s, what))
			return;
	if (c->flags && c->flags->cnt < SEM_FLAGS_MAX)
		json_push(c->flags, json_string(&c->arena, what));
}
