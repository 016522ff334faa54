// SPDX-License-Identifier: BSD-2-Clause
/*
 * Gemini Live, on Google's host and Vertex: BidiGenerateContent over a WebSocket, whose messages are
 * JSON in binary frames, too.  A call is a turn of the model: until turnComplete, or until it asks for
 * tools, since what they give begins the next.  Its parts are those of generateContent.
 */
#include "base/cleanup.h"
#include "base/limits.h"
#include "sem/answer.h"
#include "sem/gemini.h"
#include "sem/otel.h"
#include "sem/session.h"
#include "sem/wire.h"

struct live_state {
	struct answer answer;
	uint64_t audio; /* bytes of sound in the answer */
};

extern const struct sem_ops sem_gemini_generate;

static int claim(const struct sem_route *r)
{
	return r->websocket && (sv_ends(r->path, "BidiGenerateContent") ||
				sv_ends(r->path, "BidiGenerateContentConstrained"))
		       ? 90
		       : 0;
}

/* --- the session --- */

static enum sem_turn begin(struct sem_session *s)
{
	static const char *const keys[] = { "model", "systemInstruction", "tools",
					    "generationConfig" };
	_cleanup_arena_ struct arena a;
	struct json *body, *contents, *turn, *parts, *sound;

	arena_init(&a, LIMIT_JSON_ARENA);
	body = json_object(&a);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (sem_field(s->settings, keys[i]))
			json_set(&a, body, keys[i], json_copy(&a, sem_field(s->settings, keys[i])));
	contents = s->pending ? json_copy(&a, s->pending) : json_array(&a);
	if (s->audio) {
		turn = json_object(&a);
		parts = json_array(&a);
		sound = json_object(&a);
		json_set(&a, sound, "text",
			 json_string(&a, arena_fmt(&a, "[%llu bytes of audio]",
						   (unsigned long long)s->audio)));
		json_push(parts, sound);
		json_set(&a, turn, "role", json_string(&a, SV("user")));
		json_set(&a, turn, "parts", parts);
		json_push(contents, turn);
	}
	json_set(&a, body, "contents", contents);
	return sem_session_begin(s, body);
}

static void say_results(struct sem_session *s, const struct json *results)
{
	_cleanup_arena_ struct arena a;
	struct json *turn, *parts;

	arena_init(&a, LIMIT_JSON_ARENA);
	turn = json_object(&a);
	parts = json_array(&a);
	json_for_each (results, r) {
		struct json *p = json_object(&a);

		json_set(&a, p, "functionResponse", json_copy(&a, r));
		json_push(parts, p);
	}
	json_set(&a, turn, "role", json_string(&a, SV("user")));
	json_set(&a, turn, "parts", parts);
	sem_session_say(s, turn);
}

static void hear(struct sem_session *s, const struct json *input)
{
	s->audio += sem_audio_size(json_sv(json_path(input, "audio.data")));
	json_for_each (sem_field(input, "mediaChunks"), m)
		s->audio += sem_audio_size(json_sv(json_get(m, "data")));
}

static enum sem_turn client(struct sem_session *s, const struct json *v)
{
	const struct json *content = sem_field(v, "clientContent");
	const struct json *results = sem_field(v, "toolResponse");

	sem_session_settings(s, json_get(v, "setup"));
	hear(s, sem_field(v, "realtimeInput"));
	json_for_each (json_get(content, "turns"), turn)
		sem_session_say(s, turn);
	if (results)
		say_results(s, sem_field(results, "functionResponses"));
	if (!results && !json_true(sem_field(content, "turnComplete")))
		return SEM_TURN_NONE;
	if (s->active || s->asked)
		return SEM_TURN_NONE; /* the same turn goes on */
	s->asked = 1;
	return begin(s);
}

static bool is_over(const struct json *v)
{
	return sem_field(v, "toolCall") ||
	       json_true(sem_field(sem_field(v, "serverContent"), "turnComplete"));
}

static enum sem_turn server(struct sem_session *s, const struct json *v)
{
	bool speaks =
		sem_field(sem_field(v, "serverContent"), "modelTurn") || sem_field(v, "toolCall");
	bool open = s->active || s->asked;

	if (!open && !speaks)
		return SEM_TURN_NONE;
	s->asked = 0;
	s->active = !is_over(v);
	return open ? SEM_TURN_ANSWER : begin(s);
}

static const struct sem_live live = { .client = client, .server = server };

/* --- a call --- */

static void request(struct sem_call *c, const struct json *body)
{
	struct sv model = json_sv(json_get(body, "model"));
	long at = sv_find(model, SV("models/"));

	sem_gemini_generate.request(c, body);
	if (at >= 0)
		model = sv_sub(model, (size_t)at + strlen("models/"), model.n);
	if (model.n)
		c->request_model = arena_dup(&c->arena, model);
}

/* The parts without their sound. */
static void take_parts(struct sem_call *c, struct arena *a, struct json *parts,
		       const struct json *list)
{
	struct live_state *st = c->state;

	json_for_each (list, p) {
		const struct json *data = sem_field(p, "inlineData");

		if (!data) {
			json_push(parts, json_copy(a, p));
			continue;
		}
		st->audio += sem_audio_size(json_sv(json_get(data, "data")));
		st->answer.content = true;
	}
}

static void take_calls(struct arena *a, struct json *parts, const struct json *list)
{
	json_for_each (list, call) {
		struct json *p = json_object(a);

		json_set(a, p, "functionCall", json_copy(a, call));
		json_push(parts, p);
	}
}

/* The message in generateContent's shape. */
static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	const struct json *content = sem_field(data, "serverContent");
	const struct json *said = json_get(sem_field(content, "outputTranscription"), "text");
	const struct json *usage = sem_field(data, "usageMetadata");
	_cleanup_arena_ struct arena a;
	struct json *chunk, *list, *candidate, *turn, *parts, *counts;

	arena_init(&a, LIMIT_JSON_ARENA);
	chunk = json_object(&a);
	list = json_array(&a);
	candidate = json_object(&a);
	turn = json_object(&a);
	parts = json_array(&a);
	take_parts(c, &a, parts, json_get(sem_field(content, "modelTurn"), "parts"));
	take_calls(&a, parts, sem_field(sem_field(data, "toolCall"), "functionCalls"));
	if (json_sv(said).n) {
		struct json *p = json_object(&a);

		json_set(&a, p, "text", json_copy(&a, said));
		json_push(parts, p);
	}
	json_set(&a, turn, "parts", parts);
	json_set(&a, candidate, "content", turn);
	if (is_over(data))
		json_set(&a, candidate, "finishReason", json_string(&a, SV("STOP")));
	json_push(list, candidate);
	json_set(&a, chunk, "candidates", list);
	counts = json_is(usage, JSON_OBJECT) ? json_copy(&a, usage) : NULL;
	if (sem_field(usage, "responseTokenCount"))
		json_set(&a, counts, "candidatesTokenCount",
			 json_copy(&a, sem_field(usage, "responseTokenCount")));
	json_set(&a, chunk, "usageMetadata", counts);
	sem_gemini_generate.event(c, name, chunk, ts);
	c->terminated |= is_over(data);
}

static void finish(struct sem_call *c)
{
	struct live_state *st = c->state;
	struct part *p = NULL;

	if (st->audio)
		p = answer_part(c, answer_choice(c, 0), PART_OTHER, INT64_MAX, 0);
	if (p)
		p->other = sem_audio_part(&c->arena, st->audio);
	sem_gemini_generate.finish(c);
}

const struct sem_ops sem_gemini_live = {
	.api = "gemini.live",
	.operation = "generate_content",
	.state_sz = sizeof(struct live_state),
	.claim = claim,
	.live = &live,
	.request = request,
	.event = event,
	.finish = finish,
};
