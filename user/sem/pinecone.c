// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pinecone: POST /query by vector, and POST /records/namespaces/{namespace}/search by text, where the
 * service makes the vector.  The host is the index: {index}-{project}.svc.{environment}.pinecone.io.
 */
#include "sem/retrieval.h"

static bool is_records(struct sv path)
{
	return sv_starts(path, "/records/namespaces/") && sv_ends(path, "/search");
}

static int claim(const struct sem_route *r)
{
	if (!sv_is(r->method, "POST"))
		return 0;
	return is_records(r->path) ? 60 : sv_is(r->path, "/query") ? 20 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	struct sv host = r->host;

	if (sv_ends(host, ".pinecone.io"))
		retrieval_source(c, sv_token(&host, '.'));
	c->db_namespace = sem_path_model(&c->arena, r->path, "/records/namespaces/");
}

static void request(struct sem_call *c, const struct json *body)
{
	static const char *const asked[] = { "vector", "sparseVector", "id", "queries" };
	const struct json *query = json_get(body, "query");
	bool by_vector = false;

	if (json_is(query, JSON_OBJECT) && json_is(json_get(query, "top_k"), JSON_NUMBER)) {
		retrieval_is(c, "pinecone.search", "pinecone");
		retrieval_text(c, json_path(query, "inputs.text"));
		retrieval_vector(c, json_path(query, "vector.values"));
		sem_keep_float(&c->top_k, json_get(query, "top_k"));
		sem_keep(c, &c->request_model, json_path(body, "rerank.model"));
		return;
	}
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		by_vector |= json_get(body, asked[i]) != NULL;
	if (!by_vector || !json_is(json_get(body, "topK"), JSON_NUMBER))
		return;
	retrieval_is(c, "pinecone.query", "pinecone");
	retrieval_vector(c, json_get(body, "vector"));
	retrieval_namespace(c, json_sv(json_get(body, "namespace")));
	sem_keep_float(&c->top_k, json_get(body, "topK"));
}

static void response(struct sem_call *c, const struct json *body)
{
	json_for_each (json_get(body, "matches"), e)
		sem_document(c, json_get(e, "id"), "score", json_get(e, "score"));
	json_for_each (json_path(body, "result.hits"), e)
		sem_document(c, json_get(e, "_id"), "score", json_get(e, "_score"));
}

const struct sem_ops sem_pinecone = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
