// SPDX-License-Identifier: BSD-2-Clause
/*
 * gRPC in HTTP exchanges: what was called, how it ended, how many messages went each way and how big
 * they were.  Messages are counted, not read.
 */
#include <stdlib.h>
#include "base/cleanup.h"
#include "proto/grpc.h"
#include "sem/wire.h"
#include "span/engine.h"

#define GRPC_WEB_TEXT "application/grpc-web-text" /* base64 */

struct grpc_side {
	struct grpc *parser;
	uint64_t messages, bytes;
};

struct grpc_call {
	struct exchange *x;
	struct grpc_side side[2]; /* by enum http_dir */
	bool has_status;
	int64_t status;
	struct sv message; /* grpc-message, still escaped */
};

/* grpc-status; the text is what OpenTelemetry wants to see.  gRPC: doc/statuscodes.md */
static const char *const status_names[] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

static void take_status(struct grpc_call *r, struct sv name, struct sv value)
{
	if (sv_ieq(name, "grpc-status") && !sv_i64(value, &r->status))
		r->has_status = true;
	else if (sv_ieq(name, "grpc-message"))
		r->message = arena_dup(&r->x->arena, value);
}

/* gRPC-Web's trailers are the last message of the body, as header lines. */
static void take_lines(struct grpc_call *r, struct sv lines)
{
	while (lines.n) {
		struct sv value = sv_token(&lines, '\n');
		struct sv name = sv_token(&value, ':');

		if (sv_ends(value, "\r"))
			value.n--;
		take_status(r, sv_trim(name), sv_trim(value));
	}
}

static void on_request(void *ctx, const struct grpc_message *m)
{
	struct grpc_call *r = ctx;

	r->side[HTTP_REQUEST].messages++;
	r->side[HTTP_REQUEST].bytes += m->size;
}

static void on_response(void *ctx, const struct grpc_message *m)
{
	struct grpc_call *r = ctx;

	if (m->flags & GRPC_TRAILERS) {
		take_lines(r, m->data);
		return;
	}
	r->side[HTTP_RESPONSE].messages++;
	r->side[HTTP_RESPONSE].bytes += m->size;
}

static bool is_grpc(const struct http_msg *m)
{
	struct sv type = http_field_get(m, "content-type");

	return sv_istarts(type, "application/grpc") && !sv_istarts(type, GRPC_WEB_TEXT);
}

static struct grpc_call *grpc_call_new(struct exchange *x)
{
	struct grpc_call *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->x = x;
	if (grpc_new(&r->side[HTTP_REQUEST].parser, on_request, r) ||
	    grpc_new(&r->side[HTTP_RESPONSE].parser, on_response, r))
		grpc_call_free(&r);
	return r;
}

void grpc_call_free(struct grpc_call **r)
{
	if (!*r)
		return;
	grpc_free(&(*r)->side[HTTP_REQUEST].parser);
	grpc_free(&(*r)->side[HTTP_RESPONSE].parser);
	free(*r);
	*r = NULL;
}

void grpc_call_head(struct exchange *x, const struct http_msg *m)
{
	if (!x->grpc && is_grpc(m))
		x->grpc = grpc_call_new(x);
	/* an answer without a body has its trailers here */
	for (size_t i = 0; x->grpc && m->dir == HTTP_RESPONSE && i < m->field_cnt; i++)
		take_status(x->grpc, m->fields[i].name, m->fields[i].value);
}

void grpc_call_body(struct exchange *x, enum http_dir dir, uint64_t ts, struct sv bytes)
{
	if (x->grpc)
		grpc_feed(x->grpc->side[dir].parser, ts, bytes);
}

void grpc_call_hole(struct exchange *x, enum http_dir dir, uint64_t missing)
{
	if (x->grpc)
		grpc_gap(x->grpc->side[dir].parser, missing);
}

void grpc_call_done(struct exchange *x, const struct http_msg *m)
{
	if (!x->grpc)
		return;
	grpc_end(x->grpc->side[m->dir].parser);
	for (size_t i = 0; m->dir == HTTP_RESPONSE && i < m->trailer_cnt; i++)
		take_status(x->grpc, m->trailers[i].name, m->trailers[i].value);
}

/* What a server answers is its failure only when it is not the client's: OpenTelemetry, RPC spans. */
static bool is_failure(const struct exchange *x, int64_t status)
{
	static const int servers[] = { 2, 4, 12, 13, 14, 15 };

	if (x->client)
		return status != 0;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		if (status == servers[i])
			return true;
	return false;
}

static void set_status(struct span *s, const struct exchange *x)
{
	int64_t status = x->grpc->status;
	struct sv name;

	if (!x->grpc->has_status)
		return;
	if (status >= 0 && (size_t)status < ARRAY_SIZE(status_names))
		name = sv(status_names[status]);
	else
		name = arena_fmt(&s->arena, "%lld", (long long)status);
	span_set_str(s, ATTR_ID_RPC_STATUS, name);
	if (is_failure(x, status))
		engine_fail(s, name, sem_unescape(&s->arena, x->grpc->message));
}

void grpc_call_set(struct span *s, const struct exchange *x)
{
	struct sv path = x->target;
	struct sv method = sv_token(&path, '?');
	const struct grpc_call *r = x->grpc;

	if (!r)
		return;
	if (sv_starts(method, "/"))
		method = sv_sub(method, 1, method.n);
	span_set_str(s, ATTR_ID_RPC_SYSTEM, SV("grpc"));
	span_set_str(s, ATTR_ID_RPC_METHOD, method);
	if (method.n)
		span_set_name(s, method);
	span_set_int(s, ATTR_ID_RPC_REQUEST_MESSAGES, r->side[HTTP_REQUEST].messages);
	span_set_int(s, ATTR_ID_RPC_REQUEST_BYTES, r->side[HTTP_REQUEST].bytes);
	span_set_int(s, ATTR_ID_RPC_RESPONSE_MESSAGES, r->side[HTTP_RESPONSE].messages);
	span_set_int(s, ATTR_ID_RPC_RESPONSE_BYTES, r->side[HTTP_RESPONSE].bytes);
	set_status(s, x);
}
