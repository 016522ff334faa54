// SPDX-License-Identifier: BSD-2-Clause
/*
 * Milvus and Zilliz: POST /v2/vectordb/entities/search and hybrid_search, /v1/vector/search.  An error
 * comes with status 200 and a code that is not 0.
 */
#include "sem/retrieval.h"

static int claim(const struct sem_route *r)
{
	if (!sv_is(r->method, "POST"))
		return 0;
	return sv_ends(r->path, "/v2/vectordb/entities/search") ||
			       sv_ends(r->path, "/v2/vectordb/entities/hybrid_search") ||
			       sv_ends(r->path, "/v1/vector/search")
		       ? 60
		       : 0;
}

/* Text is searched for where a function of the collection makes the vector. */
static void take_data(struct sem_call *c, const struct json *data)
{
	if (json_is(json_at(data, 0), JSON_STRING))
		retrieval_text(c, data);
	else
		retrieval_vector(c, data);
}

static void request(struct sem_call *c, const struct json *body)
{
	struct sv collection = json_sv(json_get(body, "collectionName"));

	if (!collection.n)
		return;
	retrieval_is(c, "milvus.search", "milvus");
	retrieval_source(c, collection);
	retrieval_namespace(c, json_sv(json_get(body, "dbName")));
	take_data(c, json_path(body, "search.0.data"));
	take_data(c, json_get(body, "vector"));
	take_data(c, json_get(body, "data"));
	sem_keep_float(&c->top_k, json_get(body, "limit"));
}

static void response(struct sem_call *c, const struct json *body)
{
	int64_t code = 0;

	sem_keep_int(&code, json_get(body, "code"));
	if (code && code != 200) { /* v1 says 200 */
		sem_error_set(c, body);
		return;
	}
	json_for_each (json_get(body, "data"), e)
		sem_document(c, json_get(e, "id"), "distance", json_get(e, "distance"));
}

const struct sem_ops sem_milvus = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
};
