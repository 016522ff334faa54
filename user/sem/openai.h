/* SPDX-License-Identifier: BSD-2-Clause */
/* What OpenAI's two APIs and their imitators have in common. */
#ifndef RINGSPAN_SEM_OPENAI_H
#define RINGSPAN_SEM_OPENAI_H

#include "sem/otel.h"

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
#endif
