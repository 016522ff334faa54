// SPDX-License-Identifier: BSD-2-Clause
/* Anthropic complete, its text completion of before messages. */
#include "sem/answer.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/v1/complete") ? 80 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	sem_keep(c, &c->request_model, json_get(body, "model"));
	c->stream = json_true(json_get(body, "stream"));
	sem_keep_int(&c->max_tokens, json_get(body, "max_tokens_to_sample"));
	sem_keep_float(&c->temperature, json_get(body, "temperature"));
	sem_keep_float(&c->top_p, json_get(body, "top_p"));
	sem_keep_float(&c->top_k, json_get(body, "top_k"));
	c->stop_sequences = sem_strings(c, json_get(body, "stop_sequences"));
	sem_prompt(c, json_get(body, "prompt"));
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	struct choice *ch = answer_choice(c, 0);

	sem_keep(c, &c->response_id, json_get(v, "id"));
	sem_keep(c, &c->response_model, json_get(v, "model"));
	if (!ch)
		return;
	part_add(c, answer_part(c, ch, PART_TEXT, 0, 0), json_sv(json_get(v, "completion")), ts);
	sem_keep(c, &ch->finish, json_get(v, "stop_reason"));
}

static void response(struct sem_call *c, const struct json *body)
{
	take(c, body, 0);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	(void)name;
	if (json_get(data, "completion"))
		take(c, data, ts);
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;
	bool over = ans->cnt && ans->choices[0]->finish.n;

	c->response_cut |= ans->streamed && !over && !c->has_error;
}

const struct sem_ops sem_anthropic_complete = {
	.api = "anthropic.complete",
	.operation = "text_completion",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
