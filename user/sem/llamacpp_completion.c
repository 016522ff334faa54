// SPDX-License-Identifier: BSD-2-Clause
/*
 * llama.cpp's own completion: POST /completion with a prompt.  Anybody may have that path, so the
 * answer has to agree: content and stop, in each event of a stream, too.  Its stream has no [DONE];
 * the event whose stop is true is the last.
 */
#include "sem/answer.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/completion") ? 20 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
	c->stream = json_true(json_get(body, "stream"));
	sem_keep_int(&c->max_tokens, json_get(body, "n_predict"));
	sem_keep_float(&c->temperature, json_get(body, "temperature"));
	sem_keep_float(&c->top_p, json_get(body, "top_p"));
	sem_keep_float(&c->top_k, json_get(body, "top_k"));
	sem_keep_int(&c->seed, json_get(body, "seed"));
	c->stop_sequences = sem_strings(c, json_get(body, "stop"));
	sem_prompt(c, json_get(body, "prompt"));
}

/* tokens_evaluated counts what the cache served, too. */
static void take_usage(struct sem_call *c, const struct json *v)
{
	int64_t input = sem_first_int(v, "tokens_evaluated", NULL);
	int64_t output = sem_first_int(v, "tokens_predicted", NULL);

	if (input == SEM_NONE || output == SEM_NONE)
		return;
	c->has_usage = true;
	c->usage.input = input;
	c->usage.output = output;
	c->usage.cache_read = sem_first_int(v, "timings.cache_n", NULL);
}

static void take_finish(struct sem_call *c, struct choice *ch, const struct json *v)
{
	struct sv type = json_sv(json_get(v, "stop_type")); /* eos, word, limit */

	c->terminated = true;
	if (ch && type.n)
		ch->finish = sv_is(type, "limit") ? SV("length") : SV("stop");
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	const struct json *content = json_get(v, "content"), *stop = json_get(v, "stop");
	struct choice *ch;

	if (!json_is(content, JSON_STRING) || !json_is(stop, JSON_BOOL))
		return;
	c->api = "llamacpp.completion";
	c->operation = "text_completion";
	c->confirmed = true;
	sem_keep(c, &c->response_model, json_get(v, "model"));
	ch = answer_choice(c, 0);
	part_add(c, answer_part(c, ch, PART_TEXT, 0, 0), content->s, ts);
	if (!stop->b)
		return;
	take_usage(c, v);
	take_finish(c, ch, v);
}

static void response(struct sem_call *c, const struct json *body)
{
	take(c, body, 0);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	(void)name;
	take(c, data, ts);
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;

	c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
}

const struct sem_ops sem_llamacpp_completion = {
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
