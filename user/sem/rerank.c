// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rerankers: Cohere v1 and v2, Voyage, Jina, and servers that speak like them.  The documents of the
 * answer are those of the request, by their index.
 */
#include "sem/cohere.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/rerank") ? 70 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
	sem_keep(c, &c->retrieval_query, json_get(body, "query"));
}

static void take_usage(struct sem_call *c, const struct json *u)
{
	int64_t tokens = sem_first_int(u, "prompt_tokens", "total_tokens", NULL);

	if (tokens == SEM_NONE)
		return;
	c->has_usage = true;
	sem_keep_json(c, &c->usage_raw, u);
	c->usage.input = tokens;
}

static void response(struct sem_call *c, const struct json *body)
{
	const struct json *list = json_get(body, "results");

	sem_keep(c, &c->response_id, json_get(body, "id"));
	sem_keep(c, &c->response_model, json_get(body, "model"));
	if (!list)
		list = json_get(body, "data");
	json_for_each (list, e)
		sem_document(c, json_get(e, "index"), "score", json_get(e, "relevance_score"));
	cohere_usage(c, json_get(body, "meta"));
	take_usage(c, json_get(body, "usage"));
}

const struct sem_ops sem_rerank = {
	.api = "rerank",
	.operation = "retrieval",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
};
