// SPDX-License-Identifier: BSD-2-Clause
/* Gemini embedContent and batchEmbedContents, on Google's own host and on Vertex. */
#include "sem/answer.h"
#include "sem/gemini.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return gemini_verb(r, "embedContent") || gemini_verb(r, "batchEmbedContents") ? 90 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *one = json_at(json_get(body, "requests"), 0);

	if (!one)
		one = body;
	sem_keep_int(&c->embedding_dimensions, sem_field(one, "outputDimensionality"));
	/* Vertex */
	sem_keep_int(&c->embedding_dimensions,
		     sem_field(sem_field(one, "embedContentConfig"), "outputDimensionality"));
}

static void response(struct sem_call *c, const struct json *body)
{
	sem_dimensions(c, json_path(body, "embedding.values"));
	sem_dimensions(c, json_path(body, "embeddings.0.values"));
	gemini_usage(c, json_get(body, "usageMetadata"));
}

const struct sem_ops sem_gemini_embed = {
	.api = "gemini.embed",
	.operation = "embeddings",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = gemini_route,
	.request = request,
	.response = response,
};
