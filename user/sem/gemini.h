/* SPDX-License-Identifier: BSD-2-Clause */
/* What Google's APIs have in common, on their own host and on Vertex: {model}:{verb} ends the path. */
#ifndef RINGSPAN_SEM_GEMINI_H
#define RINGSPAN_SEM_GEMINI_H

#include "sem/sem.h"

/* Whether a request is a POST to this verb. */
bool gemini_verb(const struct sem_route *r, const char *verb);
/* The model that the path names. */
void gemini_route(struct sem_call *c, const struct sem_route *r);
/* Last one counts; an object without a single count is none. */
void gemini_usage(struct sem_call *c, const struct json *usage);

#endif
