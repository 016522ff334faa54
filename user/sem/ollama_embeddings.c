// SPDX-License-Identifier: BSD-2-Clause
/* Ollama embed (a list of vectors) and embeddings (one, the older). */
#include "sem/ollama.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return ollama_verb(r, "embed") || ollama_verb(r, "embeddings") ? 70 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
	sem_keep_int(&c->embedding_dimensions, json_get(body, "dimensions"));
}

static void response(struct sem_call *c, const struct json *body)
{
	int64_t input = sem_first_int(body, "prompt_eval_count", NULL);

	sem_keep(c, &c->response_model, json_get(body, "model"));
	sem_dimensions(c, json_get(body, "embedding"));
	sem_dimensions(c, json_path(body, "embeddings.0"));
	c->has_usage = input != SEM_NONE;
	c->usage.input = input;
}

const struct sem_ops sem_ollama_embeddings = {
	.api = "ollama.embeddings",
	.operation = "embeddings",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
};
