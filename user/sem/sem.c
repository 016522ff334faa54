// SPDX-License-Identifier: BSD-2-Clause
/*
 * The driver of the model APIs: picks one by request line and header, parses JSON for it, and does
 * what all have in common (errors, marks of what is cut).  It knows no wire format.
 *
 * JSON texts are parsed into an arena of their own that is freed at once: what an API keeps, it
 * copies, so a stream of a hundred thousand events holds its content and not its JSON.
 */
#include "sem/sem.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "sem/answer.h"
#include "sem/otel.h"

#define PLAIN_ERROR_MAX 512 /* bytes kept of an error body that is no JSON */

#define SEM(name) extern const struct sem_ops sem_##name;
#include "sem/sem.def"
#undef SEM

const struct sem_ops *const sem_apis[] = {
#define SEM(name) &sem_##name,
#include "sem/sem.def"
#undef SEM
};
const size_t sem_api_cnt = ARRAY_SIZE(sem_apis);

static void set_absent(struct sem_call *c)
{
	c->max_tokens = c->choice_count = c->seed = SEM_NONE;
	c->temperature = c->top_p = c->top_k = NAN;
	c->frequency_penalty = c->presence_penalty = NAN;
	c->input_message_cnt = c->embedding_dimensions = c->query_dimensions = SEM_NONE;
	c->reported_cost = NAN;
	c->usage = (struct sem_usage){ SEM_NONE, SEM_NONE, SEM_NONE, SEM_NONE,
				       SEM_NONE, SEM_NONE, SEM_NONE };
}

/* The header's host has the port, which tells one provider. */
static struct sv provider_of(const struct sem_route *r)
{
	struct sv host = r->head ? http_field_get(r->head, "host") : (struct sv){ NULL, 0 };

	return sem_provider(host.n ? host : r->host);
}

const struct sem_ops *sem_find(const struct sem_route *r)
{
	const struct sem_ops *best = NULL;
	int score = 0;

	for (size_t i = 0; i < sem_api_cnt; i++) {
		int s = sem_apis[i]->claim(r);

		if (s > score) {
			score = s;
			best = sem_apis[i];
		}
	}
	return best;
}

int sem_call_new(struct sem_call **out, const struct sem_route *r)
{
	const struct sem_ops *best = sem_find(r);

	return best ? sem_call_of(out, best, r) : -ENOENT;
}

int sem_call_of(struct sem_call **out, const struct sem_ops *api, const struct sem_route *r)
{
	struct sem_call *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	arena_init(&c->arena, LIMIT_JSON_ARENA);
	c->state = arena_alloc(&c->arena, api->state_sz);
	if (!c->state) {
		sem_call_free(&c);
		return -ENOMEM;
	}
	set_absent(c);
	c->ops = api;
	c->api = api->api;
	c->operation = api->operation;
	c->provider = provider_of(r);
	if (api->route)
		api->route(c, r);
	*out = c;
	return 0;
}

void sem_call_free(struct sem_call **c)
{
	if (!*c)
		return;
	buf_fini(&(*c)->text);
	buf_fini(&(*c)->reasoning);
	buf_fini(&(*c)->refusal);
	arena_fini(&(*c)->arena);
	free(*c);
	*c = NULL;
}

void sem_request(struct sem_call *c, struct sv body, bool cut)
{
	_cleanup_arena_ struct arena scratch;
	struct json_err err = { 0 };
	struct json *v;

	arena_init(&scratch, LIMIT_JSON_ARENA);
	v = json_parse(&scratch, body, &err);
	c->request_seen = json_is(v, JSON_OBJECT);
	c->request_cut = cut || err.cut || err.broken || err.too_big;
	if (c->request_seen && c->ops->request)
		c->ops->request(c, v);
	c->request_cut |= arena_failed(&c->arena);
}

/*
 * The error object of an answer: {"error": {...}} or {"error": "text"}, also as the only element of
 * an array; with `bare`, which is for answers known to be errors, the object itself.
 */
static const struct json *error_object(const struct json *v, bool bare)
{
	const struct json *e;

	if (json_is(v, JSON_ARRAY))
		v = json_at(v, 0);
	if (!json_is(v, JSON_OBJECT))
		return NULL;
	e = json_get(v, "error");
	if (json_is(e, JSON_OBJECT) && e->cnt)
		return e;
	if (json_is(e, JSON_STRING) && e->s.n)
		return bare && json_get(v, "message") ? v : e;
	if (bare || json_str_is(json_get(v, "object"), "error"))
		return v;
	return NULL;
}

/* An error page or a proxy's line of text; markup says nothing to a reader. */
static void plain_error(struct sem_call *c, struct sv body)
{
	struct sv text = sv_trim(body);

	if (c->has_error)
		return;
	c->has_error = true;
	if (text.n && text.p[0] != '<')
		c->error.message = arena_dup(&c->arena, sv_clip_utf8(text, PLAIN_ERROR_MAX));
}

void sem_response(struct sem_call *c, int status, struct sv body, bool cut)
{
	_cleanup_arena_ struct arena scratch;
	struct json_err err = { 0 };
	const struct json *v, *e;

	arena_init(&scratch, LIMIT_JSON_ARENA);
	v = json_parse(&scratch, body, &err);
	c->response_cut |= cut || err.cut || err.too_big;
	e = error_object(v, status >= 400);
	if (e)
		sem_error_set(c, e);
	else if (status >= 400)
		plain_error(c, body);
	else
		c->response_cut |= err.broken;
	if (status < 400 && json_is(v, JSON_OBJECT) && c->ops->response)
		c->ops->response(c, v);
}

/* AWS names an error in the header alone, with a namespace behind it: "ThrottlingException:http://". */
static void head_error(struct sem_call *c, const struct http_msg *head)
{
	struct sv type = http_field_get(head, "x-amzn-errortype");

	type = sv_token(&type, ':');
	if (type.n && !c->error.type.n)
		c->error.type = arena_dup(&c->arena, type);
}

void sem_head(struct sem_call *c, const struct http_msg *response)
{
	head_error(c, response);
	if (c->ops->head)
		c->ops->head(c, response);
}

/* What a framing itself calls an error: its type is a name, its data says more, if anything. */
static void framed_error(struct sem_call *c, const struct sse_event *ev, const struct json *v)
{
	if (c->has_error)
		return;
	if (v)
		sem_error_set(c, v);
	else
		plain_error(c, ev->data);
	if (!c->error.type.n && ev->event.n)
		c->error.type = arena_dup(&c->arena, ev->event);
}

void sem_event(struct sem_call *c, const struct sse_event *ev)
{
	_cleanup_arena_ struct arena scratch;
	bool is_error = sv_is(ev->event, "error");
	struct answer *ans = c->state;
	struct json_err err = { 0 };
	const struct json *v, *e;

	arena_init(&scratch, LIMIT_JSON_ARENA);
	ans->streamed = true;
	ans->content = false;
	if (sv_is(sv_trim(ev->data), "[DONE]")) {
		c->terminated = true;
		return;
	}
	v = json_parse(&scratch, ev->data, &err);
	if (ev->error) {
		framed_error(c, ev, json_is(v, JSON_OBJECT) ? v : NULL);
		return;
	}
	if (err.broken || err.cut || !json_is(v, JSON_OBJECT)) {
		c->bad_events++;
		if (is_error && !json_is(v, JSON_OBJECT))
			plain_error(c, ev->data);
	}
	if (!json_is(v, JSON_OBJECT))
		return;
	e = error_object(v, is_error || json_str_is(json_get(v, "type"), "error"));
	if (e)
		sem_error_set(c, e);
	if (c->ops->event)
		c->ops->event(c, ev->event, v, ev->ts_last);
	if (!ans->content)
		return;
	c->content_events++;
	if (!c->ts_first_token)
		c->ts_first_token = ev->ts_last;
}

struct sem_tool_call *sem_next_call(struct sem_call *c)
{
	return answer_next_call(c);
}

void sem_finish(struct sem_call *c, bool cut)
{
	struct answer *ans = c->state;

	if (ans->finished)
		return;
	ans->finished = true;
	c->response_cut |= cut;
	if (c->ops->finish)
		c->ops->finish(c);
	answer_finish(c);
	c->response_cut |= arena_failed(&c->arena);
}

static bool is_lines(struct sv content_type)
{
	static const char *const types[] = { "application/x-ndjson", "application/ndjson",
					     "application/jsonl", "application/x-jsonlines",
					     "application/stream+json" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (sv_istarts(content_type, types[i]))
			return true;
	return false;
}

static bool begins(struct sv s, const char *any)
{
	for (; s.n && *any; any++)
		if (s.p[0] == *any)
			return true;
	return false;
}

enum framing sem_framing(const struct sem_call *c, struct sv content_type, struct sv first)
{
	static const char *const fields[] = { "data:", "event:", "id:", "retry:", ":" };
	enum framing own = c->stream ? c->ops->framing : FRAMING_WHOLE;

	/* an AWS message begins with its length, and none is as long as a bracket would make it */
	if (sv_istarts(content_type, "application/vnd.amazon.eventstream") && !begins(first, "{[<"))
		return FRAMING_EVENTSTREAM;
	while (begins(first, " \n\r"))
		first = sv_sub(first, 1, first.n);
	if (begins(first, "[") && own == FRAMING_ARRAY)
		return FRAMING_ARRAY;
	if (begins(first, "{") && is_lines(content_type))
		return FRAMING_LINES;
	if (begins(first, "{") && own == FRAMING_LINES &&
	    !sv_istarts(content_type, "application/json"))
		return FRAMING_LINES;
	if (begins(first, "{[<"))
		return FRAMING_WHOLE;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (sv_starts(first, fields[i]))
			return FRAMING_SSE;
	return sv_istarts(content_type, "text/event-stream") ? FRAMING_SSE : FRAMING_WHOLE;
}
