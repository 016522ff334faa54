// SPDX-License-Identifier: BSD-2-Clause
/* What Cohere's APIs have in common: see cohere.h. */
#include "sem/cohere.h"

#include "sem/otel.h"

void cohere_params(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
	c->stream = json_true(json_get(body, "stream"));
	sem_keep_int(&c->max_tokens, json_get(body, "max_tokens"));
	sem_keep_int(&c->choice_count, json_get(body, "num_generations"));
	sem_keep_float(&c->temperature, json_get(body, "temperature"));
	sem_keep_float(&c->top_p, json_get(body, "p"));
	sem_keep_float(&c->top_k, json_get(body, "k"));
	sem_keep_int(&c->seed, json_get(body, "seed"));
	sem_keep_float(&c->frequency_penalty, json_get(body, "frequency_penalty"));
	sem_keep_float(&c->presence_penalty, json_get(body, "presence_penalty"));
	c->stop_sequences = sem_strings(c, json_get(body, "stop_sequences"));
	if (json_str_is(json_path(body, "response_format.type"), "json_object"))
		c->output_type = SV("json");
}

/*
 * What a cache served (cached_tokens) is counted in `tokens` and not in `billed_units`, so it is no
 * part of the input that is reported.
 */
void cohere_usage(struct sem_call *c, const struct json *u)
{
	int64_t input = sem_first_int(u, "billed_units.input_tokens", "tokens.input_tokens", NULL);
	int64_t output =
		sem_first_int(u, "billed_units.output_tokens", "tokens.output_tokens", NULL);

	if (input == SEM_NONE && output == SEM_NONE)
		return;
	c->has_usage = true;
	sem_keep_json(c, &c->usage_raw, u);
	c->usage.input = input;
	c->usage.output = output;
}
