// SPDX-License-Identifier: BSD-2-Clause
/* Cohere generate, its text completion of before chat.  A stream is JSON lines; the last repeats all. */
#include "sem/cohere.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	bool own_host = sv_is(r->host, "api.cohere.com") || sv_is(r->host, "api.cohere.ai");

	/* the path alone is too common a name */
	return own_host && sv_is(r->method, "POST") && sv_is(r->path, "/v1/generate") ? 90 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	cohere_params(c, body);
	sem_prompt(c, json_get(body, "prompt"));
}

static void response(struct sem_call *c, const struct json *body)
{
	int64_t index = 0;

	sem_keep(c, &c->response_id, json_get(body, "id"));
	json_for_each (json_get(body, "generations"), g) {
		struct choice *ch = answer_choice(c, index++);

		part_set(c, answer_part(c, ch, PART_TEXT, 0, 0), json_sv(json_get(g, "text")), 0);
		if (ch)
			sem_keep(c, &ch->finish, json_get(g, "finish_reason"));
	}
	cohere_usage(c, json_get(body, "meta"));
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	int64_t index = 0;

	(void)name;
	sem_keep_int(&index, json_get(data, "index"));
	part_add(c, answer_part(c, answer_choice(c, index), PART_TEXT, 0, 0),
		 json_sv(json_get(data, "text")), ts);
	if (!json_true(json_get(data, "is_finished")))
		return;
	c->terminated = true;
	response(c, json_get(data, "response"));
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;

	c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
}

const struct sem_ops sem_cohere_generate = {
	.api = "cohere.generate",
	.operation = "text_completion",
	.state_sz = sizeof(struct answer),
	.framing = FRAMING_LINES,
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
