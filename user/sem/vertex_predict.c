// SPDX-License-Identifier: BSD-2-Clause
/*
 * Vertex predict: one verb for Google's models of every kind.  Those that embed say so in their name;
 * what else it is used for (images, classifiers) is no model operation here.
 */
#include "sem/answer.h"
#include "sem/gemini.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return gemini_verb(r, "predict") && sv_has(r->path, "/publishers/") ? 80 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	gemini_route(c, r);
	if (sv_has(c->request_model, "embedding"))
		c->operation = "embeddings";
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep_int(&c->embedding_dimensions,
		     sem_field(json_get(body, "parameters"), "outputDimensionality"));
}

static void response(struct sem_call *c, const struct json *body)
{
	int64_t tokens = SEM_NONE;

	json_for_each (json_get(body, "predictions"), p) {
		const struct json *e = json_get(p, "embeddings");

		if (!json_is(json_get(e, "values"), JSON_ARRAY))
			continue;
		sem_dimensions(c, json_get(e, "values"));
		tokens = sem_plus(tokens, sem_first_int(e, "statistics.token_count", NULL));
	}
	c->has_usage = tokens != SEM_NONE;
	c->usage.input = tokens;
}

const struct sem_ops sem_vertex_predict = {
	.api = "vertex.predict",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
};
