// SPDX-License-Identifier: BSD-2-Clause
/* OpenAI embeddings, and those who speak it: Azure, Mistral, Voyage, Jina, vLLM ... */
#include "sem/answer.h"
#include "sem/openai.h"

static int claim(const struct sem_route *r)
{
	if (!sv_is(r->method, "POST"))
		return 0;
	return sv_ends(r->path, "/embeddings") || sv_ends(r->path, "/multimodalembeddings") ? 60
											    : 0;
}

static void dialect(struct sem_call *c)
{
	if (sv_is(c->provider, "mistral_ai"))
		c->api = "mistral.embeddings";
	else if (sv_is(c->provider, "voyageai"))
		c->api = "voyage.embeddings";
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *dtype = json_get(body, "output_dtype"); /* Voyage */

	dialect(c);
	sem_keep(c, &c->request_model, json_get(body, "model"));
	c->embedding_dimensions = sem_first_int(body, "dimensions", "output_dimension", NULL);
	c->encoding_formats = sem_strings(c, json_get(body, "encoding_format"));
	if (json_sv(dtype).n && !json_str_is(dtype, "float"))
		json_push(c->encoding_formats, json_copy(&c->arena, dtype));
}

static void response(struct sem_call *c, const struct json *body)
{
	const struct json *usage = json_get(body, "usage");

	sem_keep(c, &c->response_id, json_get(body, "id"));
	sem_keep(c, &c->response_model, json_get(body, "model"));
	sem_dimensions(c, json_path(body, "data.0.embedding"));
	openai_usage(c, usage);
	/* Voyage: there is nothing but input */
	if (c->has_usage && c->usage.input == SEM_NONE)
		c->usage.input = sem_first_int(usage, "total_tokens", NULL);
}

const struct sem_ops sem_openai_embeddings = {
	.api = "openai.embeddings",
	.operation = "embeddings",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = openai_route,
	.request = request,
	.response = response,
};
