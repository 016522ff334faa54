// SPDX-License-Identifier: BSD-2-Clause
/* Ollama generate: one prompt, one text; JSON lines. */
#include "sem/ollama.h"
#include "sem/otel.h"
#include "sem/wire.h"

enum { KEY_THOUGHTS, KEY_TEXT };

static int claim(const struct sem_route *r)
{
	return ollama_verb(r, "generate") ? 70 : 0;
}

static void request(struct sem_call *c, const struct json *body)
{
	ollama_params(c, body);
	sem_system(c, json_sv(json_get(body, "system")));
	sem_prompt(c, json_get(body, "prompt"));
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	struct sv thoughts = json_sv(json_get(v, "thinking"));
	struct sv text = json_sv(json_get(v, "response"));
	struct choice *ch = answer_choice(c, 0);

	if (thoughts.n)
		part_add(c, answer_part(c, ch, PART_REASONING, KEY_THOUGHTS, 0), thoughts, ts);
	if (text.n)
		part_add(c, answer_part(c, ch, PART_TEXT, KEY_TEXT, 0), text, ts);
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

const struct sem_ops sem_ollama_generate = {
	.api = "ollama.generate",
	.operation = "text_completion",
	.state_sz = sizeof(struct answer),
	.framing = FRAMING_LINES,
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = ollama_finish,
};
