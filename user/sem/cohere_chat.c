// SPDX-License-Identifier: BSD-2-Clause
/*
 * Cohere v2 chat.  Messages and calls have OpenAI's shape; the stream is Cohere's own.  A tool plan is
 * neither answer nor thought, so it is a part of its own.  Facts of the API reference and of recorded
 * traffic.
 */
#include "sem/cohere.h"
#include "sem/openai.h"

/* Where parts stand: the plan, content by its index, calls behind all content. */
#define KEY_PLAN (-1)
#define KEY_CALL (1 << 20)

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/v2/chat") ? 80 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	cohere_params(c, body);
	openai_messages(c, json_get(body, "messages"));
	json_for_each (json_get(body, "tools"), t)
		openai_tool(c, t);
}

static void take_plan(struct sem_call *c, const struct json *plan, uint64_t ts)
{
	struct part *p;

	if (!json_sv(plan).n)
		return;
	p = answer_part(c, answer_choice(c, 0), PART_OTHER, KEY_PLAN, 0);
	part_name(c, p, SV(""), SV("tool_plan"), ts);
	part_add(c, p, plan->s, ts);
}

/* A content part, whole or a piece of one. */
static void take_content(struct sem_call *c, int64_t index, const struct json *v, uint64_t ts)
{
	struct choice *ch = answer_choice(c, 0);
	struct sv text = json_sv(json_get(v, "text"));
	struct sv thought = json_sv(json_get(v, "thinking"));

	if (index < 0 || index >= KEY_CALL)
		return;
	if (thought.n)
		part_add(c, answer_part(c, ch, PART_REASONING, index, 0), thought, ts);
	if (text.n)
		part_add(c, answer_part(c, ch, PART_TEXT, index, 0), text, ts);
}

static void take_call(struct sem_call *c, int64_t index, const struct json *v, uint64_t ts)
{
	const struct json *args = json_path(v, "function.arguments");
	struct part *p;

	if (index < 0 || index >= KEY_CALL)
		return;
	p = answer_part(c, answer_choice(c, 0), PART_TOOL, KEY_CALL + index, 0);
	part_name(c, p, json_sv(json_get(v, "id")), json_sv(json_path(v, "function.name")), ts);
	part_add(c, p, openai_arguments(&c->arena, args), ts);
	if (p)
		p->cut |= args && args->cut;
}

static void take_end(struct sem_call *c, const struct json *v)
{
	struct choice *ch = answer_choice(c, 0);

	if (ch)
		sem_keep(c, &ch->finish, json_get(v, "finish_reason"));
	cohere_usage(c, json_get(v, "usage"));
	if (json_sv(json_get(v, "error")).n)
		sem_error_set(c, json_get(v, "error"));
}

static void response(struct sem_call *c, const struct json *body)
{
	const struct json *m = json_get(body, "message"), *content = json_get(m, "content");
	int64_t index = 0;

	sem_keep(c, &c->response_id, json_get(body, "id"));
	take_plan(c, json_get(m, "tool_plan"), 0);
	if (json_sv(content).n)
		part_add(c, answer_part(c, answer_choice(c, 0), PART_TEXT, 0, 0), content->s, 0);
	if (json_is(content, JSON_ARRAY))
		json_for_each (content, e)
			take_content(c, index++, e, 0);
	index = 0;
	json_for_each (json_get(m, "tool_calls"), t)
		take_call(c, index++, t, 0);
	take_end(c, body);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	const struct json *delta = json_get(data, "delta"), *m = json_get(delta, "message");
	struct sv type = json_sv(json_get(data, "type"));
	int64_t index = 0;

	if (!type.n)
		type = name;
	sem_keep_int(&index, json_get(data, "index"));
	if (sv_is(type, "message-start")) {
		sem_keep(c, &c->response_id, json_get(data, "id"));
	} else if (sv_is(type, "content-start") || sv_is(type, "content-delta")) {
		take_content(c, index, json_get(m, "content"), ts);
	} else if (sv_is(type, "tool-plan-delta")) {
		take_plan(c, json_get(m, "tool_plan"), ts);
	} else if (sv_is(type, "tool-call-start") || sv_is(type, "tool-call-delta")) {
		take_call(c, index, json_get(m, "tool_calls"), ts);
	} else if (sv_is(type, "message-end")) {
		take_end(c, delta);
		c->terminated = true;
	}
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;
	struct choice *ch = ans->cnt ? ans->choices[0] : NULL;

	for (size_t i = 0; ch && i < ch->cnt; i++)
		ch->parts[i]->done |= c->terminated || ch->finish.n;
	c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
}

const struct sem_ops sem_cohere_chat = {
	.api = "cohere.chat",
	.operation = "chat",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
