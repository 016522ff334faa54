// SPDX-License-Identifier: BSD-2-Clause
/* Bedrock's knowledge bases: POST /knowledgebases/{id}/retrieve. */
#include "sem/retrieval.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_starts(r->path, "/knowledgebases/") &&
			       sv_ends(r->path, "/retrieve")
		       ? 60
		       : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	c->data_source = sem_path_model(&c->arena, r->path, "/knowledgebases/");
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *query = json_get(body, "retrievalQuery");

	if (!json_is(query, JSON_OBJECT))
		return;
	retrieval_is(c, "bedrock.retrieve", NULL);
	retrieval_text(c, json_get(query, "text"));
	sem_keep_float(&c->top_k, json_path(body, "retrievalConfiguration.vectorSearchConfiguration"
						  ".numberOfResults"));
}

/* A passage has no id of its own: where it comes from tells it apart best. */
static void response(struct sem_call *c, const struct json *body)
{
	json_for_each (json_get(body, "retrievalResults"), e) {
		const struct json *id = json_path(e, "location.s3Location.uri");

		if (!id)
			id = json_path(e, "location.webLocation.url");
		sem_document(c, id, "score", json_get(e, "score"));
	}
}

const struct sem_ops sem_bedrock_knowledge = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
