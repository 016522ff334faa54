// SPDX-License-Identifier: BSD-2-Clause
/* The messages that a JSON-RPC text holds, whole or not: see jsonrpc.h. */
#include "base/limits.h"
#include "proto/jsonrpc_int.h"

#define TEXTS_MAX 1024 /* messages that follow one another without a line end */

/* Members by which an object is told to be a message, JSON-RPC 2.0, 4 and 5. */
static const char *const members[] = { "jsonrpc", "method", "id", "params", "result", "error" };

/* What is cut may lack the member that names the protocol, where it stands last. */
static bool is_object_message(const struct json *v)
{
	if (!v || v->type != JSON_OBJECT)
		return false;
	if (!v->cut && !json_is(json_get(v, "jsonrpc"), JSON_STRING))
		return false;
	return json_is(json_get(v, "method"), JSON_STRING) ||
	       (json_get(v, "id") && (json_get(v, "result") || json_get(v, "error")));
}

bool jsonrpc_is_message(const struct json *v)
{
	return is_object_message(json_is(v, JSON_ARRAY) ? v->head : v);
}

bool jsonrpc_is_start(struct sv text)
{
	text = sv_trim(text);
	return text.n && (text.p[0] == '{' || text.p[0] == '[');
}

bool jsonrpc_is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static void set_id(struct jsonrpc_msg *m, const struct json *id)
{
	if (!json_is(id, JSON_STRING) && !json_is(id, JSON_NUMBER))
		return;
	m->id = id->s;
	m->id_is_string = id->type == JSON_STRING;
}

/* env: what the text around it says of times and sizes. */
static bool give_object(const struct json *v, const struct jsonrpc_msg *env, jsonrpc_fn fn,
			void *ctx)
{
	struct jsonrpc_msg m = *env;

	if (!is_object_message(v))
		return false;
	m.version = json_sv(json_get(v, "jsonrpc"));
	m.method = json_sv(json_get(v, "method"));
	m.params = json_get(v, "params");
	m.result = json_get(v, "result");
	m.error = json_get(v, "error");
	m.cut |= v->cut;
	if (!m.id.n)
		set_id(&m, json_get(v, "id"));
	if (m.method.n)
		m.kind = m.id.n ? JSONRPC_REQUEST : JSONRPC_NOTIFICATION;
	else
		m.kind = json_is(m.error, JSON_OBJECT) ? JSONRPC_ERROR : JSONRPC_RESULT;
	fn(ctx, &m);
	return true;
}

static size_t give_value(const struct json *v, struct jsonrpc_msg *env, jsonrpc_fn fn, void *ctx)
{
	size_t n = 0;

	if (!json_is(v, JSON_ARRAY))
		return give_object(v, env, fn, ctx);
	env->batch = true;
	json_for_each (v, e) {
		if (n == LIMIT_RPC_BATCH)
			break;
		n += give_object(e, env, fn, ctx);
	}
	return n;
}

size_t jsonrpc_read(const struct jsonrpc_text *t, jsonrpc_fn fn, void *ctx)
{
	struct sv rest = t->text;
	size_t n = 0;

	for (int i = 0; i < TEXTS_MAX && jsonrpc_is_start(rest); i++) {
		struct jsonrpc_msg env = { .ts_first = t->ts_first, .ts_last = t->ts_last };
		_cleanup_arena_ struct arena a;
		struct json_err err = { 0 };
		const struct json *v;

		arena_init(&a, LIMIT_JSON_ARENA);
		v = json_parse(&a, rest, &err);
		/* a text that breaks behind a whole value: the next one begins there */
		env.wire = err.broken && v && !v->cut ? err.offset : rest.n;
		env.cut = v && v->cut;
		if (v && v->cut && !t->cut && !err.too_big)
			return n; /* it only looked like JSON */
		n += give_value(v, &env, fn, ctx);
		if (!err.broken || !err.offset)
			return n;
		rest = sv_sub(rest, err.offset, SIZE_MAX);
	}
	return n;
}

/* The id in the end of a message: `"id":7}`, or `"id":"x","jsonrpc":"2.0"}`, members of it alone. */
static const struct json *id_of_tail(struct arena *a, struct sv tail)
{
	static const char name[] = "\"id\"";
	const size_t n = sizeof(name) - 1;

	for (size_t i = tail.n; i-- > 0;) {
		struct sv at = sv_sub(tail, i, SIZE_MAX), text;
		struct json_err err = { 0 };
		struct json *v;

		if (!sv_starts(at, name) || (i && tail.p[i - 1] != ',' && tail.p[i - 1] != '{'))
			continue;
		at = sv_trim(sv_sub(at, n, SIZE_MAX));
		if (!at.n || at.p[0] != ':')
			continue;
		text = arena_fmt(a, "{\"id\"" SV_FMT, SV_ARG(at));
		v = json_parse(a, text, &err);
		/* only a member of the outermost object is followed by the end of the text */
		return v && !v->cut && !err.broken ? json_get(v, "id") : NULL;
	}
	return NULL;
}

bool jsonrpc_give_parts(const struct jsonrpc_parts *p, jsonrpc_fn fn, void *ctx)
{
	struct jsonrpc_msg env = {
		.wire = p->wire, .ts_first = p->ts_first, .ts_last = p->ts_last, .cut = true
	};
	_cleanup_arena_ struct arena a;
	const struct json *id;
	struct json *v;

	arena_init(&a, LIMIT_JSON_ARENA);
	v = jsonrpc_is_start(p->head) ? json_parse(&a, p->head, NULL) : NULL;
	if (!json_is(v, JSON_OBJECT))
		return v && give_value(v, &env, fn, ctx);
	id = json_get(v, "id") ? NULL : id_of_tail(&a, p->tail);
	if (id)
		json_set(&a, v, "id", json_copy(&a, id));
	return give_object(v, &env, fn, ctx);
}

int jsonrpc_detect_object(struct sv first)
{
	while (first.n && jsonrpc_is_space(first.p[0]))
		first = sv_sub(first, 1, SIZE_MAX);
	if (!first.n)
		return -1;
	if (first.p[0] != '"')
		return 0;
	first = sv_sub(first, 1, SIZE_MAX);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct sv name = sv(members[i]);

		if (first.n <= name.n && memcmp(name.p, first.p, first.n) == 0)
			return -1;
		if (sv_starts(first, members[i]) && first.p[name.n] == '"')
			return 70;
	}
	return 0;
}
