// SPDX-License-Identifier: BSD-2-Clause
/*
 * OpenAI completions (text, not chat), and those who speak it: vLLM, llama.cpp, Together, Writer.
 * Writer's stream is bare {"value"} pieces that nothing ends.
 */
#include "sem/answer.h"
#include "sem/openai.h"

static int claim(const struct sem_route *r)
{
	/* /chat/completions is another API's, which is surer of it */
	return sv_is(r->method, "POST") && sv_ends(r->path, "/completions") ? 60 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	if (sv_is(c->provider, "writer"))
		c->api = "writer.completions";
	openai_params(c, body);
	sem_keep_int(&c->max_tokens, json_get(body, "max_tokens"));
	sem_keep_int(&c->choice_count, json_get(body, "n"));
	sem_prompt(c, json_get(body, "prompt"));
}

/* Mistral's fill-in-the-middle answers with messages. */
static struct sv text_of(const struct json *choice)
{
	struct sv s = json_sv(json_get(choice, "text"));

	if (!s.n)
		s = json_sv(json_path(choice, "message.content"));
	return s.n ? s : json_sv(json_path(choice, "delta.content"));
}

static void take_choices(struct sem_call *c, const struct json *list, uint64_t ts)
{
	int64_t at = 0;

	json_for_each (list, e) {
		int64_t index = at++;
		struct choice *ch;

		sem_keep_int(&index, json_get(e, "index"));
		ch = answer_choice(c, index);
		if (!ch)
			return;
		part_add(c, answer_part(c, ch, PART_TEXT, 0, 0), text_of(e), ts);
		sem_keep(c, &ch->finish, json_get(e, "finish_reason"));
	}
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	if (!c->response_id.n)
		sem_keep(c, &c->response_id, json_get(v, "id"));
	sem_keep(c, &c->response_model, json_get(v, "model"));
	sem_keep(c, &c->system_fingerprint, json_get(v, "system_fingerprint"));
	take_choices(c, json_get(v, "choices"), ts);
	openai_usage(c, json_get(v, "usage"));
}

static void response(struct sem_call *c, const struct json *body)
{
	take(c, body, 0);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	const struct json *value = json_get(data, "value");
	struct completions *st = c->state;

	(void)name;
	if (json_is(value, JSON_STRING) && !json_get(data, "choices")) {
		st->endless = true;
		part_add(c, answer_part(c, answer_choice(c, 0), PART_TEXT, 0, 0), value->s, ts);
		return;
	}
	take(c, data, ts);
}

static void finish(struct sem_call *c)
{
	struct completions *st = c->state;
	bool open = !st->answer.cnt;

	for (size_t i = 0; i < st->answer.cnt; i++)
		open |= !st->answer.choices[i]->finish.n;
	c->response_cut |=
		st->answer.streamed && open && !st->endless && !c->terminated && !c->has_error;
}

const struct sem_ops sem_openai_completions = {
	.api = "openai.completions",
	.operation = "text_completion",
	.state_sz = sizeof(struct completions),
	.claim = claim,
	.route = openai_route,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
