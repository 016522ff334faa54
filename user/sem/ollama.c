// SPDX-License-Identifier: BSD-2-Clause
/* What Ollama's own APIs have in common: see ollama.h. */
#include "sem/ollama.h"

#include "sem/otel.h"

#define API "/api/"

bool ollama_verb(const struct sem_route *r, const char *verb)
{
	size_t n = strlen(verb);
	struct sv rest = r->path;

	if (!sv_is(r->method, "POST") || !sv_ends(rest, verb))
		return false;
	rest.n -= n;
	return sv_ends(rest, API);
}

void ollama_params(struct sem_call *c, const struct json *body)
{
	const struct json *o = json_get(body, "options"), *format = json_get(body, "format");
	const struct json *stream = json_get(body, "stream");

	sem_keep(c, &c->request_model, json_get(body, "model"));
	c->stream = !json_is(stream, JSON_BOOL) || stream->b;
	sem_keep_int(&c->max_tokens, json_get(o, "num_predict"));
	sem_keep_float(&c->temperature, json_get(o, "temperature"));
	sem_keep_float(&c->top_p, json_get(o, "top_p"));
	sem_keep_float(&c->top_k, json_get(o, "top_k"));
	sem_keep_int(&c->seed, json_get(o, "seed"));
	sem_keep_float(&c->frequency_penalty, json_get(o, "frequency_penalty"));
	sem_keep_float(&c->presence_penalty, json_get(o, "presence_penalty"));
	c->stop_sequences = sem_strings(c, json_get(o, "stop"));
	sem_keep(c, &c->reasoning_effort, json_get(body, "think"));
	if (json_is(format, JSON_OBJECT) || json_str_is(format, "json"))
		c->output_type = SV("json");
}

void ollama_take(struct sem_call *c, const struct json *v)
{
	int64_t input = sem_first_int(v, "prompt_eval_count", NULL);
	int64_t output = sem_first_int(v, "eval_count", NULL);
	struct choice *ch = answer_choice(c, 0);

	sem_keep(c, &c->response_model, json_get(v, "model"));
	if (ch)
		sem_keep(c, &ch->finish, json_get(v, "done_reason"));
	c->terminated |= json_true(json_get(v, "done"));
	if (input == SEM_NONE && output == SEM_NONE)
		return;
	c->has_usage = true;
	c->usage.input = input; /* absent when the whole prompt was in the cache */
	c->usage.output = output;
}

void ollama_finish(struct sem_call *c)
{
	struct answer *ans = c->state;
	struct choice *ch = ans->cnt ? ans->choices[0] : NULL;

	for (size_t i = 0; ch && i < ch->cnt; i++)
		ch->parts[i]->done |= c->terminated;
	c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
}
