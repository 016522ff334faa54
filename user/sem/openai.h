/* SPDX-License-Identifier: BSD-2-Clause */
/* What OpenAI's two APIs and their imitators have in common. */
#ifndef RINGSPAN_SEM_OPENAI_H
#define RINGSPAN_SEM_OPENAI_H

#include "sem/answer.h"
#include "sem/otel.h"
#include "sem/wire.h"

/* The state of an answer to a text completion. */
struct completions {
	struct answer answer;
	bool endless; /* Writer's stream: nothing says that it is over */
};

/* Parameters of the same name in both request bodies. */
void openai_params(struct sem_call *c, const struct json *body);
/* Last one counts; nothing happens when it is no object. */
void openai_usage(struct sem_call *c, const struct json *usage);
/* Appends the parts of a message's content: a string or a list. */
void openai_content(struct arena *a, struct json *parts, const struct json *content);
/* One element of `tools`: {type, function: {...}}, or flat. */
void openai_tool(struct sem_call *c, const struct json *tool);
/* Arguments are JSON in a string; some send the object itself. */
struct sv openai_arguments(struct arena *a, const struct json *v);
/* The messages of a chat request, and what tools answered since the model's last. */
void openai_messages(struct sem_call *c, const struct json *list);
/* A message of the answer, whole or a piece of one, becomes parts of a choice. */
void openai_take_message(struct sem_call *c, struct choice *ch, const struct json *m, uint64_t ts);
/* What the deployment's name in an Azure path says, unless the body names a model. */
void openai_route(struct sem_call *c, const struct sem_route *r);

extern const struct sem_ops sem_openai_chat, sem_openai_completions, sem_openai_responses;

#endif
