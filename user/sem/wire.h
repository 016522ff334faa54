/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of requests and answers that several model APIs have in common. */
#ifndef RINGSPAN_SEM_WIRE_H
#define RINGSPAN_SEM_WIRE_H

#include "sem/sem.h"

/* %XX of a path or query (RFC 3986 2.1); what is no such escape stays. */
struct sv sem_unescape(struct arena *a, struct sv s);
/* The path segment behind `before` ("/deployments/"), without escapes; {NULL, 0} without one. */
struct sv sem_path_model(struct arena *a, struct sv path, const char *before);
/* A query parameter: "sse" of "key=1&alt=sse"; {NULL, 0} without it. */
struct sv sem_query(struct sv query, const char *name);

/* A value under its camelCase name or, as protobuf's JSON allows, the snake_case one. */
const struct json *sem_field(const struct json *v, const char *camel);

/* The prompt of a text completion, one or a list of them, becomes messages of the user. */
void sem_prompt(struct sem_call *c, const struct json *prompt);
/* A system text becomes system_instructions; nothing happens when it is empty. */
void sem_system(struct sem_call *c, struct sv text);

/* The bytes of a base64 text (RFC 4648, either alphabet); the empty view when it is none. */
struct sv sem_base64(struct arena *a, struct sv text);
/*
 * The length of an embedding's vector, unless it is known: a list of numbers, or base64, which is of
 * floats where no other format was asked for besides.
 */
void sem_dimensions(struct sem_call *c, const struct json *vector);
/* One document that a reranker or a store gave back.  measure: "score", or "distance". */
void sem_document(struct sem_call *c, const struct json *id, const char *measure,
		  const struct json *value);

#endif
