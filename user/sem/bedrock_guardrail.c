// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bedrock's ApplyGuardrail: a guardrail asked about a text, without a model.
 * Source: Amazon Bedrock Runtime API reference, ApplyGuardrail.
 */
#include "sem/answer.h"
#include "sem/otel.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_starts(r->path, "/guardrail/") &&
			       sv_has(r->path, "/version/") && sv_ends(r->path, "/apply")
		       ? 90
		       : 0;
}

/* What a policy found: {name or type or match, action}. */
static void take_finding(struct sem_call *c, const struct json *e)
{
	struct sv what = json_sv(json_get(e, "name"));

	if (!json_sv(json_get(e, "action")).n || json_str_is(json_get(e, "action"), "NONE"))
		return;
	if (!what.n)
		what = json_sv(json_get(e, "type"));
	sem_flag(c, what.n ? what : SV("word")); /* a word of the customer's is not repeated */
}

/* A policy: lists of findings, by kind. */
static void take_policy(struct sem_call *c, const struct json *policy)
{
	json_for_each (policy, list)
		json_for_each (list, finding)
			take_finding(c, finding);
}

static void response(struct sem_call *c, const struct json *body)
{
	const struct json *action = json_get(body, "action");

	c->judged = c->confirmed = json_sv(action).n;
	c->flagged = json_str_is(action, "GUARDRAIL_INTERVENED");
	json_for_each (json_get(body, "assessments"), assessment)
		json_for_each (assessment, policy)
			take_policy(c, policy);
}

const struct sem_ops sem_bedrock_guardrail = {
	.api = "bedrock.guardrail",
	.operation = "moderation",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.response = response,
};
