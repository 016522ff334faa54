/* SPDX-License-Identifier: BSD-2-Clause */
/* What Ollama's own APIs have in common.  They stream unless told not to. */
#ifndef RINGSPAN_SEM_OLLAMA_H
#define RINGSPAN_SEM_OLLAMA_H

#include "sem/answer.h"

/* Whether a request is a POST to /api/VERB. */
bool ollama_verb(const struct sem_route *r, const char *verb);
void ollama_params(struct sem_call *c, const struct json *body);
/* What every object of an answer has but for its content; the choice is made. */
void ollama_take(struct sem_call *c, const struct json *v);
void ollama_finish(struct sem_call *c);

#endif
