// SPDX-License-Identifier: BSD-2-Clause
/*
 * OpenAI realtime over a WebSocket, also on Azure: events as in Responses, with sound.  A call is what
 * the server does from response.created to response.done: because the client said response.create, or
 * because it heard that the user stopped speaking.  The server's session event has all settings.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "sem/answer.h"
#include "sem/openai.h"
#include "sem/session.h"

struct realtime {
	struct answer answer;
	uint64_t audio; /* bytes of sound in the answer */
};

static int claim(const struct sem_route *r)
{
	return r->websocket && sv_ends(r->path, "/realtime") ? 90 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	struct sv model = sem_query(r->query, "model");

	if (!model.n)
		model = sem_query(r->query, "deployment"); /* Azure */
	c->request_model = sem_unescape(&c->arena, model);
}

/* --- the session --- */

static void copy_all(struct arena *a, struct json *to, const struct json *from)
{
	json_for_each (from, e) {
		struct sv key = arena_dup(a, e->key);

		if (key.p && e->type != JSON_NULL)
			json_set(a, to, key.p, json_copy(a, e));
	}
}

/* The settings, what one call sets otherwise, and what was said. */
static enum sem_turn begin(struct sem_session *s, const struct json *own)
{
	_cleanup_arena_ struct arena a;
	struct json *body, *input, *message, *content;

	arena_init(&a, LIMIT_JSON_ARENA);
	body = json_object(&a);
	copy_all(&a, body, s->settings);
	copy_all(&a, body, own);
	if (json_get(own, "input"))
		return sem_session_begin(s, body);
	input = s->pending ? json_copy(&a, s->pending) : json_array(&a);
	if (s->audio) {
		message = json_object(&a);
		content = json_array(&a);
		json_push(content, sem_audio_part(&a, s->audio));
		json_set(&a, message, "type", json_string(&a, SV("message")));
		json_set(&a, message, "role", json_string(&a, SV("user")));
		json_set(&a, message, "content", content);
		json_push(input, message);
	}
	json_set(&a, body, "input", input);
	return sem_session_begin(s, body);
}

static enum sem_turn client(struct sem_session *s, const struct json *v)
{
	struct sv type = json_sv(json_get(v, "type"));

	if (sv_is(type, "conversation.item.create"))
		sem_session_say(s, json_get(v, "item"));
	else if (sv_is(type, "input_audio_buffer.append"))
		s->audio += sem_audio_size(json_sv(json_get(v, "audio")));
	else if (sv_is(type, "input_audio_buffer.clear"))
		s->audio = 0;
	if (!sv_is(type, "response.create"))
		return SEM_TURN_NONE;
	s->asked++;
	return begin(s, json_get(v, "response"));
}

static enum sem_turn created(struct sem_session *s)
{
	bool was_asked = s->asked > 0;

	s->active = true;
	s->asked -= was_asked;
	return was_asked ? SEM_TURN_ANSWER : begin(s, NULL);
}

/* An error is the call's when one waits to be begun; a session has errors of its own. */
static enum sem_turn error(struct sem_session *s)
{
	if (!s->asked)
		return SEM_TURN_NONE;
	s->asked--;
	return s->active ? SEM_TURN_REFUSED : SEM_TURN_ANSWER;
}

static enum sem_turn server(struct sem_session *s, const struct json *v)
{
	struct sv type = json_sv(json_get(v, "type"));
	bool was_active = s->active;

	if (sv_starts(type, "session."))
		sem_session_settings(s, json_get(v, "session"));
	if (sv_is(type, "error"))
		return error(s);
	if (sv_is(type, "response.created"))
		return created(s);
	if (!sv_starts(type, "response."))
		return SEM_TURN_NONE;
	if (!sv_is(type, "response.done"))
		return was_active ? SEM_TURN_ANSWER : SEM_TURN_NONE;
	if (!was_active) /* its beginning was not seen */
		created(s);
	s->active = false;
	return was_active || !s->body.len ? SEM_TURN_ANSWER : SEM_TURN_BEGINS;
}

static const struct sem_live live = { .client = client, .server = server };

/* --- a call --- */

static void request(struct sem_call *c, const struct json *body)
{
	sem_openai_responses.request(c, body);
	sem_keep_int(&c->max_tokens, json_get(body, "max_response_output_tokens"));
	json_for_each (json_get(body, json_get(body, "output_modalities") ? "output_modalities"
									  : "modalities"),
		       m)
		c->output_type = json_str_is(m, "audio") ? SV("speech")
				 : c->output_type.n      ? c->output_type
							 : SV("text");
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	const struct json *response = json_get(data, "response");
	const struct json *failed = json_path(response, "status_details.error");
	struct sv type = json_sv(json_get(data, "type"));
	struct realtime *st = c->state;

	sem_keep(c, &c->conversation_id, json_get(response, "conversation_id"));
	if (json_is(failed, JSON_OBJECT))
		sem_error_set(c, failed);
	if (!sv_is(type, "response.output_audio.delta") && !sv_is(type, "response.audio.delta")) {
		sem_openai_responses.event(c, name, data, ts);
		return;
	}
	st->audio += sem_audio_size(json_sv(json_get(data, "delta")));
	st->answer.content = true;
}

static void finish(struct sem_call *c)
{
	struct realtime *st = c->state;
	struct part *p = NULL;

	if (st->audio)
		p = answer_part(c, answer_choice(c, 0), PART_OTHER, INT64_MAX, 0);
	if (p)
		p->other = sem_audio_part(&c->arena, st->audio);
	sem_openai_responses.finish(c);
}

const struct sem_ops sem_openai_realtime = {
	.api = "openai.realtime",
	.operation = "chat",
	.state_sz = sizeof(struct realtime),
	.claim = claim,
	.live = &live,
	.route = route,
	.request = request,
	.event = event,
	.finish = finish,
};
