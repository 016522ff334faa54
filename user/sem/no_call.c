// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests to model providers that are no model operation: counting tokens, compaction, threads of
 * assistants, images.  They are named, so that a reader sees what an exchange was, and
 * their operation is NULL: nobody takes them for a model call.
 */
#include "base/cleanup.h"
#include "sem/answer.h"

static const struct {
	const char *method; /* NULL: any */
	const char *inside, *end;
	const char *api;
} paths[] = {
	{ "POST", "/messages/count_tokens", "/count_tokens", "anthropic.count_tokens" },
	{ "POST", "/publishers/anthropic/", "/count-tokens:rawPredict", "anthropic.count_tokens" },
	{ "POST", "/model/", "/count-tokens", "bedrock.count_tokens" },
	{ "POST", "/", ":countTokens", "gemini.count_tokens" },
	{ "POST", "/responses/", "/input_tokens", "openai.responses.count_tokens" },
	{ "POST", "/responses/", "/compact", "openai.responses.compact" },
	{ "POST", "/images/", "/generations", "openai.images" },
	{ "POST", "/images/", "/edits", "openai.images" },
	{ "POST", "/images/", "/variations", "openai.images" },
	{ NULL, "/v1/assistants", "", "openai.assistants" },
	{ NULL, "/v1/threads", "", "openai.assistants" },
};

static const char *api_of(const struct sem_route *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if ((!paths[i].method || sv_is(r->method, paths[i].method)) &&
		    sv_has(r->path, paths[i].inside) && sv_ends(r->path, paths[i].end))
			return paths[i].api;
	return NULL;
}

static int claim(const struct sem_route *r)
{
	return api_of(r) ? 40 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	c->api = api_of(r);
}

const struct sem_ops sem_no_call = {
	.api = "none",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
};
