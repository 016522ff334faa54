// SPDX-License-Identifier: BSD-2-Clause
/* OpenAI's search of a vector store: POST /vector_stores/{id}/search, also on Azure. */
#include "sem/retrieval.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_has(r->path, "/vector_stores/") &&
			       sv_ends(r->path, "/search")
		       ? 60
		       : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	c->data_source = sem_path_model(&c->arena, r->path, "/vector_stores/");
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *query = json_get(body, "query");

	if (!json_is(query, JSON_STRING) && !json_is(query, JSON_ARRAY))
		return;
	retrieval_is(c, "openai.vector_stores", NULL);
	retrieval_text(c, query);
	sem_keep_float(&c->top_k, json_get(body, "max_num_results"));
}

static void response(struct sem_call *c, const struct json *body)
{
	json_for_each (json_get(body, "data"), e)
		sem_document(c, json_get(e, "file_id"), "score", json_get(e, "score"));
}

const struct sem_ops sem_openai_vector_stores = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
