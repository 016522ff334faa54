// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chroma: POST /api/v1/collections/{id}/query, and in v2 below tenants and databases.  Its answer is
 * columns, each with a list a query; what it gives is a distance, not a score.
 */
#include "sem/retrieval.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_has(r->path, "/api/v") &&
			       sv_has(r->path, "/collections/") && sv_ends(r->path, "/query")
		       ? 60
		       : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	c->data_source = sem_path_model(&c->arena, r->path, "/collections/");
	c->db_namespace = sem_path_model(&c->arena, r->path, "/databases/");
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *vectors = json_get(body, "query_embeddings");
	const struct json *texts = json_get(body, "query_texts");

	if (!json_is(vectors, JSON_ARRAY) && !json_is(texts, JSON_ARRAY))
		return;
	retrieval_is(c, "chroma.query", "chroma");
	retrieval_vector(c, vectors);
	retrieval_text(c, texts);
	sem_keep_float(&c->top_k, json_get(body, "n_results"));
}

static void response(struct sem_call *c, const struct json *body)
{
	const struct json *distances = json_get(body, "distances");
	const struct json *row = distances ? distances->head : NULL;

	json_for_each (json_get(body, "ids"), ids) {
		const struct json *d = row ? row->head : NULL;

		json_for_each (ids, id) {
			sem_document(c, id, "distance", d);
			d = d ? d->next : NULL;
		}
		row = row ? row->next : NULL;
	}
}

const struct sem_ops sem_chroma = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
