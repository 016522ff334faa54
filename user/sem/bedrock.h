/* SPDX-License-Identifier: BSD-2-Clause */
/* What Amazon Bedrock's runtime APIs have in common: POST /model/{id}/{verb}. */
#ifndef RINGSPAN_SEM_BEDROCK_H
#define RINGSPAN_SEM_BEDROCK_H

#include "sem/answer.h"

/* A count of tokens as on the wire: Bedrock's input excludes what a cache served or took. */
struct bedrock_usage {
	int64_t input, output, cache_read, cache_write;
};

struct converse {
	struct answer answer;
	bool stopped; /* the message ended; what follows is metadata */
};

extern const struct sem_ops sem_bedrock_converse;

/* Whether a request is a POST to this verb. */
bool bedrock_verb(const struct sem_route *r, const char *verb);
/* The model that the path names. */
void bedrock_route(struct sem_call *c, const struct sem_route *r);
/* One message of a Converse stream; Nova's own stream has the same under Invoke. */
void converse_event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts);

/*
 * The bodies of models that have no API of their own elsewhere (Titan, Llama, Mistral, Cohere's and
 * Anthropic's text completions, AI21, embeddings): told by their fields, not by the model's name.
 */
void native_request(struct sem_call *c, const struct json *body);
void native_take(struct sem_call *c, const struct json *v, uint64_t ts);
void native_usage(struct bedrock_usage *u, const struct json *v);

#endif
