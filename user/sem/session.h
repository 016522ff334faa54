/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model calls over a WebSocket: one connection carries call after call, and what its sides say before
 * one begins (settings, messages, sound, results of tools) is that call's request.  Of sound only the
 * size is kept.  Pure, and bounded: what does not fit is left out of the next request.
 */
#ifndef RINGSPAN_SEM_SESSION_H
#define RINGSPAN_SEM_SESSION_H

#include "sem/sem.h"

enum sem_turn {
	SEM_TURN_NONE,   /* nothing of a call */
	SEM_TURN_BEGINS, /* a call; a server's message that begins one is part of its answer, too */
	SEM_TURN_ANSWER, /* of the oldest call that is open */
	SEM_TURN_REFUSED, /* the latest call, while others go on */
};

struct sem_session {
	const struct sem_ops *ops;
	struct arena settings_arena, pending_arena;
	const struct json *settings; /* the latest, whole; may be NULL */
	struct json *pending;        /* array: what was said since the last call began */
	uint64_t audio;              /* bytes of sound, likewise */
	unsigned int asked; /* calls that the client asked for and the server did not begin */
	bool active;        /* the server is answering */
	struct buf body;    /* the request of the call that begins, JSON */
};

/* How an API has its calls over a WebSocket.  v is one message, a JSON object. */
struct sem_live {
	enum sem_turn (*client)(struct sem_session *s, const struct json *v);
	enum sem_turn (*server)(struct sem_session *s, const struct json *v);
};

/* 0, -ENOENT (the route is of no API that has calls over a WebSocket), -ENOMEM. */
int sem_session_new(struct sem_session **out, const struct sem_route *r);
void sem_session_free(struct sem_session **s);
/* After SEM_TURN_BEGINS s->body is for sem_request(), until the next message. */
enum sem_turn sem_session_message(struct sem_session *s, enum http_dir dir, struct sv text);

/* For the APIs.  Copies, without bulky base64. */
void sem_session_settings(struct sem_session *s, const struct json *v);
void sem_session_say(struct sem_session *s, const struct json *v);
/* base64 of sound, of which the size counts */
uint64_t sem_audio_size(struct sv base64);
/* Writes s->body and forgets what was said. */
enum sem_turn sem_session_begin(struct sem_session *s, const struct json *request);
/* The part of a message that stands for sound. */
struct json *sem_audio_part(struct arena *a, uint64_t bytes);

#endif
