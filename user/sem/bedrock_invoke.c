// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bedrock InvokeModel and InvokeModelWithResponseStream: the model's own body goes through as it is.
 * Its shape, not the model's name (which may be an ARN), tells whose it is: Anthropic's messages,
 * Converse's (Nova), OpenAI's chat or completions, else bedrock_native.c.  A stream is AWS messages
 * "chunk" that hold the model's own event in base64.
 *
 * Tokens are counted, field by field, by the body, by the last chunk's invocation metrics, or by the
 * answer's header, whichever has the field first.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "sem/anthropic.h"
#include "sem/bedrock.h"
#include "sem/openai.h"
#include "sem/otel.h"
#include "sem/wire.h"

struct invoke {
	union { /* each begins with the answer */
		struct answer answer;
		struct anthropic anthropic;
		struct converse converse;
		struct completions completions;
	} state;
	const struct sem_ops *native; /* NULL: bedrock_native.c */
	bool known;                   /* native is settled */
	struct bedrock_usage body, metrics, head;
};

static int claim(const struct sem_route *r)
{
	return bedrock_verb(r, "invoke") || bedrock_verb(r, "invoke-with-response-stream") ? 90 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	static const struct bedrock_usage none = { SEM_NONE, SEM_NONE, SEM_NONE, SEM_NONE };
	struct invoke *st = c->state;

	bedrock_route(c, r);
	c->stream = bedrock_verb(r, "invoke-with-response-stream");
	st->body = st->metrics = st->head = none;
}

/* Nova's content blocks have no type. */
static const struct sem_ops *of_messages(const struct json *body)
{
	const struct json *block = json_path(body, "messages.0.content.0");

	if (json_get(body, "anthropic_version"))
		return &sem_anthropic_messages;
	if (json_get(body, "inferenceConfig") || json_get(body, "schemaVersion") ||
	    (json_is(block, JSON_OBJECT) && !json_get(block, "type")))
		return &sem_bedrock_converse;
	return &sem_openai_chat;
}

/* For when the request was not seen. */
static const struct sem_ops *of_answer(const struct json *v)
{
	const struct json *choice = json_path(v, "choices.0");
	struct sv type = json_sv(json_get(v, "type"));

	if (sv_starts(type, "message") || sv_starts(type, "content_block"))
		return &sem_anthropic_messages;
	if (json_get(v, "output") || json_get(v, "messageStart") ||
	    json_get(v, "contentBlockDelta"))
		return &sem_bedrock_converse;
	if (!choice)
		return NULL;
	return json_get(choice, "text") ? &sem_openai_completions : &sem_openai_chat;
}

static void request(struct sem_call *c, const struct json *body)
{
	struct invoke *st = c->state;
	struct sv model = c->request_model;
	bool stream = c->stream;

	if (!json_is(json_get(body, "messages"), JSON_ARRAY)) {
		native_request(c, body);
		return;
	}
	st->known = true;
	st->native = of_messages(body);
	st->native->request(c, body);
	/* the path is what Bedrock goes by */
	c->request_model = model;
	c->stream = stream;
}

static void take_head(struct sem_call *c, const struct http_msg *head)
{
	struct invoke *st = c->state;
	const struct {
		const char *name;
		int64_t *to;
	} counts[] = {
		{ "x-amzn-bedrock-input-token-count", &st->head.input },
		{ "x-amzn-bedrock-output-token-count", &st->head.output },
		{ "x-amzn-bedrock-cache-read-input-token-count", &st->head.cache_read },
		{ "x-amzn-bedrock-cache-write-input-token-count", &st->head.cache_write },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int64_t n;

		if (!sv_i64(http_field_get(head, counts[i].name), &n) && n >= 0)
			*counts[i].to = n;
	}
}

static void settle(struct sem_call *c, const struct json *v)
{
	struct invoke *st = c->state;
	const struct sem_ops *native;

	if (st->known)
		return;
	native = of_answer(v);
	/* a text completion's request is the same in several families */
	st->known = native || !c->stream;
	st->native = native;
}

static void response(struct sem_call *c, const struct json *body)
{
	struct invoke *st = c->state;

	settle(c, body);
	if (st->native)
		st->native->response(c, body);
	else
		native_take(c, body, 0);
	native_usage(&st->body, body);
}

/* Nova: {"contentBlockDelta": {...}}; the name is a member's. */
static void converse_events(struct sem_call *c, const struct json *v, uint64_t ts)
{
	json_for_each (v, e)
		converse_event(c, e->key, e, ts);
}

static void take_chunk(struct sem_call *c, const struct json *v, uint64_t ts)
{
	struct invoke *st = c->state;
	const struct json *m = json_get(v, "amazon-bedrock-invocationMetrics");
	const struct json *error = json_get(v, "error");

	if (json_is(error, JSON_OBJECT))
		sem_error_set(c, error);
	settle(c, v);
	if (st->native == &sem_bedrock_converse)
		converse_events(c, v, ts);
	else if (st->native)
		st->native->event(c, json_sv(json_get(v, "type")), v, ts);
	else
		native_take(c, v, ts);
	native_usage(&st->body, v);
	if (!json_is(m, JSON_OBJECT))
		return;
	c->terminated = true;
	st->metrics.input = sem_first_int(m, "inputTokenCount", NULL);
	st->metrics.output = sem_first_int(m, "outputTokenCount", NULL);
	st->metrics.cache_read = sem_first_int(m, "cacheReadInputTokenCount", NULL);
	st->metrics.cache_write = sem_first_int(m, "cacheWriteInputTokenCount", NULL);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	_cleanup_arena_ struct arena scratch;
	struct json *v;

	(void)name;
	arena_init(&scratch, LIMIT_JSON_ARENA);
	v = json_parse(&scratch, sem_base64(&scratch, json_sv(json_get(data, "bytes"))), NULL);
	if (json_is(v, JSON_OBJECT))
		take_chunk(c, v, ts);
	else
		c->bad_events++;
}

static int64_t either(int64_t a, int64_t b, int64_t otherwise)
{
	if (a == SEM_NONE)
		a = b;
	return a == SEM_NONE ? otherwise : a;
}

/* OpenAI's shapes count what a cache served as input, the others do not. */
static void take_usage(struct sem_call *c)
{
	struct invoke *st = c->state;
	struct sem_usage *u = &c->usage;
	bool counted_cache =
		st->native == &sem_openai_chat || st->native == &sem_openai_completions;
	int64_t cache_read = either(u->cache_read, st->metrics.cache_read, st->head.cache_read);
	int64_t cache_write = either(u->cache_write, st->metrics.cache_write, st->head.cache_write);
	int64_t input = either(st->body.input, st->metrics.input, st->head.input);

	if (u->input == SEM_NONE && input != SEM_NONE)
		u->input =
			counted_cache ? input : sem_plus(sem_plus(input, cache_read), cache_write);
	else if (u->input != SEM_NONE && !counted_cache)
		u->input = sem_plus(sem_plus(u->input,
					     u->cache_read == SEM_NONE ? cache_read : SEM_NONE),
				    u->cache_write == SEM_NONE ? cache_write : SEM_NONE);
	if (u->output == SEM_NONE)
		u->output = either(st->body.output, st->metrics.output, st->head.output);
	u->cache_read = cache_read;
	u->cache_write = cache_write;
	c->has_usage = u->input != SEM_NONE || u->output != SEM_NONE;
}

static void finish(struct sem_call *c)
{
	struct invoke *st = c->state;
	struct answer *ans = &st->state.answer;

	if (st->native)
		st->native->finish(c);
	else
		c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
	take_usage(c);
}

const struct sem_ops sem_bedrock_invoke = {
	.api = "bedrock.invoke",
	.operation = "chat",
	.state_sz = sizeof(struct invoke),
	.claim = claim,
	.route = route,
	.request = request,
	.head = take_head,
	.response = response,
	.event = event,
	.finish = finish,
};
