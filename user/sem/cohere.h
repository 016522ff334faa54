/* SPDX-License-Identifier: BSD-2-Clause */
/* What Cohere's APIs have in common. */
#ifndef RINGSPAN_SEM_COHERE_H
#define RINGSPAN_SEM_COHERE_H

#include "sem/answer.h"

/* Parameters of the same name in every request body that makes text. */
void cohere_params(struct sem_call *c, const struct json *body);
/* {billed_units, tokens}: what is billed counts. */
void cohere_usage(struct sem_call *c, const struct json *usage);

#endif
