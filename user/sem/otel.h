/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shapes of gen_ai.input.messages, output.messages, system_instructions and tool.definitions
 * (JSON schemas of the OpenTelemetry GenAI conventions v1.41.1), and what filling a request's part of
 * a sem_call from JSON needs.  Everything is copied into the arena.
 *
 * Media: a base64 payload of more than OTEL_BLOB_MAX bytes is not kept; its blob part has an empty
 * content and "ringspan.bytes", the size of the decoded media.
 */
#ifndef RINGSPAN_SEM_OTEL_H
#define RINGSPAN_SEM_OTEL_H

#include "sem/sem.h"

#define OTEL_BLOB_MAX 1024

struct json *otel_message(struct arena *a, struct sv role, struct json *parts);

/* {type, content}: "text", "reasoning", "refusal"; NULL for an empty content. */
struct json *otel_text(struct arena *a, const char *type, struct sv content);
/* What a text of arguments holds: the JSON, else the text as a string; NULL for none. */
struct json *otel_arguments(struct arena *a, struct sv text);
/* args becomes a member, so it must be in no other container; NULL: none. */
struct json *otel_tool_call(struct arena *a, struct sv id, struct sv name, struct json *args);
struct json *otel_server_call(struct arena *a, struct sv id, struct sv name, struct json *args);
struct json *otel_tool_response(struct arena *a, struct sv id, const struct json *response);
struct json *otel_server_response(struct arena *a, struct sv id, const struct json *item);
/* mime may be empty; a "data:" uri becomes a blob. */
const char *otel_modality(struct sv mime);
struct json *otel_blob(struct arena *a, struct sv mime, struct sv base64);
struct json *otel_uri(struct arena *a, const char *modality, struct sv uri);
struct json *otel_file(struct arena *a, const char *modality, struct sv file_id);
/* A part of a type that the conventions do not name: a copy without bulky base64. */
struct json *otel_generic(struct arena *a, const struct json *v);

/* The conventions' word for a provider's finish reason; NULL for the empty view. */
const char *otel_finish_reason(struct sv word);

/* One tool of the request.  Built-in tools (type not "function") have no parameters. */
void otel_tool(struct sem_call *c, struct sv type, struct sv name, const struct json *description,
	       const struct json *parameters);

/* Copies a string that is whole and not empty, unless *dst is that already. */
void sem_keep(struct sem_call *c, struct sv *dst, const struct json *v);
/*
 * A value as its JSON text.  Streams repeat their usage with every event, so the memory is used again
 * where the new text fits.
 */
void sem_keep_json(struct sem_call *c, struct sv *dst, const struct json *v);
void sem_keep_int(int64_t *dst, const struct json *v); /* likewise, whole numbers: not cut */
void sem_keep_float(double *dst, const struct json *v);
/* The first of these dotted paths that holds a whole number, NULL behind them; SEM_NONE for none. */
__attribute__((sentinel)) int64_t sem_first_int(const struct json *v, ...);
/* Their sum, where SEM_NONE counts as nothing; SEM_NONE for two of them. */
int64_t sem_plus(int64_t a, int64_t b);
/* A string or an array of strings. */
struct json *sem_strings(struct sem_call *c, const struct json *v);
/* A string, or the `text` of a list's parts, joined. */
struct sv sem_text_of(struct arena *a, const struct json *content);

/* One result, for the caller to link.  NULL when the arena is full. */
struct sem_tool_result *sem_result(struct sem_call *c, struct sv id, const struct json *content);

/* Takes the fields of an error object; the first error of a call counts. */
void sem_error_set(struct sem_call *c, const struct json *error);

#endif
