// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every API of sem.def (sem), and those that live on a WebSocket (live).
 *
 * Input of sem: a byte that chooses the API (beyond the last one: whoever claims the request), one
 * that chooses content type and status, then pieces: '>' the request's body, '<' bytes of the answer,
 * 'h' a header line of the answer, '?' the request line, "host path?query".  Of live: '?' likewise, '>'
 * and '<' messages.
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "proto/framing.h"
#include "sem/sem.h"
#include "sem/session.h"

#define TEXT_MAX (64u << 20)

static const char *const content_types[] = {
	"application/json",
	"text/event-stream",
	"application/vnd.amazon.eventstream",
	"application/x-ndjson",
	"application/json; cs",
	"text/plain",
	"",
};

struct answer {
	struct sem_call *c;
	struct framer *framer;
	struct buf body;
	enum framing how;
	bool known; /* how it comes */
};

static struct sem_route route_of(struct sv line, bool websocket)
{
	struct sem_route r = { .method = SV("POST"), .websocket = websocket };

	r.host = sv_token(&line, ' ');
	r.path = sv_token(&line, '?');
	r.query = line;
	return r;
}

static void write_all(struct buf *b, const struct sem_call *c)
{
	const struct json *const values[] = {
		c->input_messages, c->system_instructions, c->tool_definitions, c->tool_names,
		c->stop_sequences, c->finish_reasons,      c->output_messages,  c->encoding_formats,
		c->flags,          c->retrieval_documents,
	};
	const struct sv texts[] = {
		c->request_model, c->response_model,  c->response_id,   c->provider,
		c->error.type,    c->error.code,      c->error.message, c->usage_raw,
		c->output_type,   c->retrieval_query,
	};
	struct sem_verdict v;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		json_write(b, values[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		buf_sv(b, texts[i]);
	for (const struct sem_tool_call *t = c->calls; t; t = t->next) {
		buf_sv(b, t->id);
		buf_sv(b, t->name);
		buf_sv(b, t->args);
		json_write(b, t->args_json);
	}
	for (const struct sem_tool_result *t = c->results; t; t = t->next) {
		buf_sv(b, t->id);
		buf_sv(b, t->name);
		buf_sv(b, t->text);
	}
	for (const struct sem_leave *l = c->leaves; l; l = l->next)
		buf_sv(b, l->reason);
	for (const struct sem_leave *l = c->asks_leave; l; l = l->next)
		buf_sv(b, l->name);
	if (sem_verdict(c, &v)) {
		buf_str(b, v.subject);
		buf_str(b, v.type);
		buf_sv(b, v.reason);
	}
}

/* Reads all that a call tells, so that a sanitizer sees what is not there any more. */
static void look_at(const struct sem_call *c)
{
	_cleanup_buf_ struct buf b = { .max = TEXT_MAX };

	write_all(&b, c);
	buf_sv(&b, buf_view(&c->text));
	buf_sv(&b, buf_view(&c->reasoning));
	buf_sv(&b, buf_view(&c->refusal));
}

static void on_event(void *ctx, const struct sse_event *ev)
{
	struct answer *a = ctx;
	const struct sem_tool_call *t;

	sem_event(a->c, ev);
	while ((t = sem_next_call(a->c)))
		fuzz_assert(t->told);
}

static void answer_bytes(void *ctx, struct sv bytes)
{
	struct answer *a = ctx;

	if (a->how == FRAMING_WHOLE)
		buf_sv(&a->body, bytes);
	else
		fuzz_assert(!framer_feed(a->framer, 1, bytes));
}

static void answer_piece(struct answer *a, const char *type, struct sv piece)
{
	if (!a->known) {
		a->known = true;
		a->how = sem_framing(a->c, sv(type), piece);
		if (a->how != FRAMING_WHOLE)
			fuzz_assert(!framer_new(&a->framer, a->how, on_event, a));
	}
	fuzz_exact(piece, answer_bytes, a);
}

static void answer_end(struct answer *a, int status)
{
	if (a->framer)
		framer_end(a->framer, 2);
	else if (a->known)
		sem_response(a->c, status, buf_view(&a->body), false);
	framer_free(&a->framer);
	buf_fini(&a->body);
}

static void give_request(void *ctx, struct sv bytes)
{
	sem_request(ctx, bytes, false);
}

static void give_head(struct sem_call *c, struct sv line)
{
	struct http_field f = { .name = sv_token(&line, ':') };
	struct http_msg m = { .dir = HTTP_RESPONSE, .fields = &f, .field_cnt = 1 };
	struct sem_headers facts;
	struct arena a;

	f.value = sv_trim(line);
	sem_head(c, &m);
	arena_init(&a, 0);
	sem_headers(&facts, &a, &m, &m);
	arena_fini(&a);
}

static void sem_run(struct sv input)
{
	unsigned int api = fuzz_byte(&input), how = fuzz_byte(&input);
	const char *type = content_types[how % ARRAY_SIZE(content_types)];
	struct sv line = SV("api.example.com /v1/x"), piece, first = input;
	struct answer a = { .c = NULL };
	struct sem_route route;
	char what;
	int err;

	if (fuzz_piece(&first, &what, &piece) && what == '?') {
		line = piece;
		input = first;
	}
	route = route_of(line, how & 128);
	err = api < sem_api_cnt ? sem_call_of(&a.c, sem_apis[api], &route)
				: sem_call_new(&a.c, &route);
	if (err)
		return;
	while (fuzz_piece(&input, &what, &piece)) {
		if (what == 'h')
			give_head(a.c, piece);
		else if (what == '<')
			answer_piece(&a, type, piece);
		else
			fuzz_exact(piece, give_request, a.c);
	}
	answer_end(&a, how & 64 ? 429 : 200);
	sem_finish(a.c, how & 32);
	look_at(a.c);
	sem_call_free(&a.c);
}

const struct fuzz_target fuzz_sem = { "sem", sem_run, NULL };

/* --- over a WebSocket */

static void live_message(struct sem_session *s, const struct sem_route *route, enum http_dir dir,
			 struct sv text)
{
	enum sem_turn turn = sem_session_message(s, dir, text);
	struct sse_event ev = { .data = text, .ts_first = 1, .ts_last = 2 };
	struct sem_call *c = NULL;

	if (turn == SEM_TURN_NONE)
		return;
	fuzz_assert(!sem_call_new(&c, route));
	if (turn == SEM_TURN_BEGINS)
		sem_request(c, buf_view(&s->body), false);
	sem_event(c, &ev);
	sem_finish(c, false);
	look_at(c);
	sem_call_free(&c);
}

static void live_run(struct sv input)
{
	struct sv line = SV("api.openai.com /v1/realtime?model=m"), piece, first = input;
	struct sem_session *s = NULL;
	struct sem_route route;
	char what;

	if (fuzz_piece(&first, &what, &piece) && what == '?') {
		line = piece;
		input = first;
	}
	route = route_of(line, true);
	if (sem_session_new(&s, &route))
		return;
	while (fuzz_piece(&input, &what, &piece))
		live_message(s, &route, what == '<' ? HTTP_RESPONSE : HTTP_REQUEST, piece);
	sem_session_free(&s);
}

const struct fuzz_target fuzz_live = { "live", live_run, NULL };
