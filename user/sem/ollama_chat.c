// SPDX-License-Identifier: BSD-2-Clause
/* Ollama chat: OpenAI's messages, but calls without ids whose arguments are objects; JSON lines. */
#include "sem/ollama.h"
#include "sem/openai.h"

#define KEY_THOUGHTS (-1) /* in front of what openai_take_message() makes */

static int claim(const struct sem_route *r)
{
	return ollama_verb(r, "chat") ? 70 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	ollama_params(c, body);
	openai_messages(c, json_get(body, "messages"));
	json_for_each (json_get(body, "tools"), t)
		openai_tool(c, t);
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	const struct json *m = json_get(v, "message");
	struct sv thoughts = json_sv(json_get(m, "thinking"));
	struct choice *ch = answer_choice(c, 0);

	if (ch && thoughts.n)
		part_add(c, answer_part(c, ch, PART_REASONING, KEY_THOUGHTS, 0), thoughts, ts);
	if (ch)
		openai_take_message(c, ch, m, ts);
	ollama_take(c, v);
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

const struct sem_ops sem_ollama_chat = {
	.api = "ollama.chat",
	.operation = "chat",
	.state_sz = sizeof(struct answer),
	.framing = FRAMING_LINES,
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = ollama_finish,
};
