/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What searches in document and vector stores have in common.  Their hosts tell nothing and their
 * paths may be anybody's, so an API names itself only when the request's body has its shape: its
 * sem_ops has neither api nor operation.
 */
#ifndef RINGSPAN_SEM_RETRIEVAL_H
#define RINGSPAN_SEM_RETRIEVAL_H

#include "sem/answer.h"
#include "sem/otel.h"
#include "sem/wire.h"

/* The body has the shape: from here on it is a retrieval.  system: db.system.name, may be NULL. */
void retrieval_is(struct sem_call *c, const char *api, const char *system);
/* What was searched: a collection, an index, a store; a copy is kept. */
void retrieval_source(struct sem_call *c, struct sv name);
/* The query as text (a string or a list of them), and as a vector (a list of numbers, or of such). */
void retrieval_text(struct sem_call *c, const struct json *v);
void retrieval_vector(struct sem_call *c, const struct json *v);
/* Copies of strings of the path; {NULL, 0} sets nothing. */
void retrieval_namespace(struct sem_call *c, struct sv name);

#endif
