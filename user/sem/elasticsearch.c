// SPDX-License-Identifier: BSD-2-Clause
/*
 * Elasticsearch and OpenSearch: /{index}/_search that searches by vector.  Elasticsearch has `knn`
 * beside the query, inside it or in a retriever, with its field in "field"; OpenSearch has the field
 * as a key.  A search by words alone is left to be a request like any other.
 */
#include "base/cleanup.h"
#include "sem/retrieval.h"

#define DEPTH 8 /* of queries inside queries */

static int claim(const struct sem_route *r)
{
	bool method = sv_is(r->method, "POST") || sv_is(r->method, "GET");

	return method && sv_ends(r->path, "/_search") ? 30 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	struct sv rest = sv_sub(r->path, 1, r->path.n);
	struct sv index = sv_token(&rest, '/');

	if (!sv_is(index, "_search"))
		c->data_source = sem_unescape(&c->arena, index);
}

static bool elastic_knn(struct sem_call *c, const struct json *knn)
{
	const struct json *vector = json_get(knn, "query_vector");
	const struct json *builder = json_path(knn, "query_vector_builder.text_embedding");

	if (json_is(knn, JSON_ARRAY))
		return elastic_knn(c, knn->head);
	if (!json_sv(json_get(knn, "field")).n || (!vector && !builder))
		return false;
	retrieval_is(c, "elasticsearch.search", "elasticsearch");
	retrieval_vector(c, vector);
	retrieval_text(c, json_get(builder, "model_text"));
	sem_keep(c, &c->request_model, json_get(builder, "model_id"));
	sem_keep_float(&c->top_k, json_get(knn, "k"));
	return true;
}

/* {knn: {FIELD: {vector, k}}}, {neural: {FIELD: {query_text, model_id, k}}} */
static bool opensearch_knn(struct sem_call *c, const struct json *knn)
{
	const struct json *field = json_is(knn, JSON_OBJECT) ? knn->head : NULL;
	const struct json *vector = json_get(field, "vector");
	const struct json *text = json_get(field, "query_text");

	if (!json_is(vector, JSON_ARRAY) && !json_is(text, JSON_STRING))
		return false;
	retrieval_is(c, "opensearch.search", "opensearch");
	retrieval_vector(c, vector);
	retrieval_text(c, text);
	sem_keep(c, &c->request_model, json_get(field, "model_id"));
	sem_keep_float(&c->top_k, json_get(field, "k"));
	return true;
}

static bool find_knn(struct sem_call *c, const struct json *v, int depth)
{
	const struct json *knn = json_get(v, "knn");

	if (elastic_knn(c, knn) || opensearch_knn(c, knn) ||
	    opensearch_knn(c, json_get(v, "neural")))
		return true;
	if (depth)
		json_for_each (v, e)
			if (find_knn(c, e, depth - 1))
				return true;
	return false;
}

static void request(struct sem_call *c, const struct json *body)
{
	if (elastic_knn(c, json_get(body, "knn")) || find_knn(c, json_get(body, "query"), DEPTH) ||
	    find_knn(c, json_get(body, "retriever"), DEPTH))
		sem_keep_float(&c->top_k, json_get(body, "size"));
}

static void response(struct sem_call *c, const struct json *body)
{
	json_for_each (json_path(body, "hits.hits"), e)
		sem_document(c, json_get(e, "_id"), "score", json_get(e, "_score"));
}

const struct sem_ops sem_elasticsearch = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
