// SPDX-License-Identifier: BSD-2-Clause
/* Cohere embed, v1 (a list of vectors) and v2 (lists by type). */
#include "sem/cohere.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	if (!sv_is(r->method, "POST"))
		return 0;
	return sv_ends(r->path, "/v1/embed") || sv_ends(r->path, "/v2/embed") ? 80 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
	sem_keep_int(&c->embedding_dimensions, json_get(body, "output_dimension"));
	c->encoding_formats = sem_strings(c, json_get(body, "embedding_types"));
}

static void response(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->response_id, json_get(body, "id"));
	sem_dimensions(c, json_path(body, "embeddings.0"));
	sem_dimensions(c, json_path(body, "embeddings.float.0"));
	sem_dimensions(c, json_path(body, "embeddings.int8.0"));
	sem_dimensions(c, json_path(body, "embeddings.uint8.0"));
	cohere_usage(c, json_get(body, "meta"));
}

const struct sem_ops sem_cohere_embed = {
	.api = "cohere.embed",
	.operation = "embeddings",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
};
