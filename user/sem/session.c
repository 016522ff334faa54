// SPDX-License-Identifier: BSD-2-Clause
/* Model calls over a WebSocket: see session.h. */
#include "sem/session.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "sem/otel.h"

int sem_session_new(struct sem_session **out, const struct sem_route *r)
{
	const struct sem_ops *ops = sem_find(r);
	struct sem_session *s;

	if (!ops || !ops->live)
		return -ENOENT;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ops = ops;
	arena_init(&s->settings_arena, LIMIT_WS_SESSION);
	arena_init(&s->pending_arena, LIMIT_WS_SESSION);
	*out = s;
	return 0;
}

void sem_session_free(struct sem_session **s)
{
	if (!*s)
		return;
	arena_fini(&(*s)->settings_arena);
	arena_fini(&(*s)->pending_arena);
	buf_fini(&(*s)->body);
	free(*s);
	*s = NULL;
}

enum sem_turn sem_session_message(struct sem_session *s, enum http_dir dir, struct sv text)
{
	_cleanup_arena_ struct arena scratch;
	const struct json *v;

	arena_init(&scratch, LIMIT_JSON_ARENA);
	buf_clear(&s->body);
	v = json_parse(&scratch, text, NULL);
	if (!json_is(v, JSON_OBJECT))
		return SEM_TURN_NONE;
	return dir == HTTP_REQUEST ? s->ops->live->client(s, v) : s->ops->live->server(s, v);
}

void sem_session_settings(struct sem_session *s, const struct json *v)
{
	if (!json_is(v, JSON_OBJECT))
		return;
	arena_fini(&s->settings_arena);
	arena_init(&s->settings_arena, LIMIT_WS_SESSION);
	s->settings = otel_generic(&s->settings_arena, v);
}

void sem_session_say(struct sem_session *s, const struct json *v)
{
	if (!s->pending)
		s->pending = json_array(&s->pending_arena);
	json_push(s->pending, otel_generic(&s->pending_arena, v));
}

uint64_t sem_audio_size(struct sv base64)
{
	return base64.n / 4 * 3;
}

enum sem_turn sem_session_begin(struct sem_session *s, const struct json *request)
{
	buf_clear(&s->body);
	json_write(&s->body, request);
	arena_fini(&s->pending_arena);
	arena_init(&s->pending_arena, LIMIT_WS_SESSION);
	s->pending = NULL;
	s->audio = 0;
	return SEM_TURN_BEGINS;
}

struct json *sem_audio_part(struct arena *a, uint64_t bytes)
{
	struct json *v = otel_blob(a, SV("audio/*"), SV(""));

	json_set(a, v, "ringspan.bytes", json_uint(a, bytes));
	return v;
}
