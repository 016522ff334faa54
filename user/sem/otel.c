// SPDX-License-Identifier: BSD-2-Clause
/* OpenTelemetry's message shapes and small helpers of the model APIs: see otel.h. */
#include "sem/otel.h"

#include <stdarg.h>
#include "base/cleanup.h"

struct json *otel_message(struct arena *a, struct sv role, struct json *parts)
{
	struct json *m = json_object(a);

	json_set(a, m, "role", json_string(a, role));
	json_set(a, m, "parts", parts);
	return m;
}

static struct json *typed(struct arena *a, const char *type)
{
	struct json *v = json_object(a);

	json_set(a, v, "type", json_string(a, sv(type)));
	return v;
}

static void set_str(struct arena *a, struct json *obj, const char *key, struct sv s)
{
	if (s.n)
		json_set(a, obj, key, json_string(a, s));
}

struct json *otel_text(struct arena *a, const char *type, struct sv content)
{
	struct json *v = content.n ? typed(a, type) : NULL;

	set_str(a, v, "content", content);
	return v;
}

struct json *otel_arguments(struct arena *a, struct sv text)
{
	struct json_err err = { 0 };
	struct json *v;

	if (!text.n)
		return NULL;
	v = json_parse(a, text, &err);
	return v && !err.broken ? v : json_string(a, text);
}

struct json *otel_tool_call(struct arena *a, struct sv id, struct sv name, struct json *args)
{
	struct json *v = typed(a, "tool_call");

	set_str(a, v, "id", id);
	json_set(a, v, "name", json_string(a, name));
	json_set(a, v, "arguments", args);
	return v;
}

struct json *otel_server_call(struct arena *a, struct sv id, struct sv name, struct json *args)
{
	struct json *v = typed(a, "server_tool_call");
	struct json *call = json_object(a);

	set_str(a, v, "id", id);
	json_set(a, v, "name", json_string(a, name));
	json_set(a, call, "type", json_string(a, name));
	json_set(a, call, "arguments", args);
	json_set(a, v, "server_tool_call", call);
	return v;
}

struct json *otel_tool_response(struct arena *a, struct sv id, const struct json *response)
{
	struct json *v = typed(a, "tool_call_response");
	struct json *r = otel_generic(a, response);

	set_str(a, v, "id", id);
	json_set(a, v, "response", r ? r : json_null(a));
	return v;
}

struct json *otel_server_response(struct arena *a, struct sv id, const struct json *item)
{
	struct json *v = typed(a, "server_tool_call_response");

	set_str(a, v, "id", id);
	json_set(a, v, "server_tool_call_response", otel_generic(a, item));
	return v;
}

const char *otel_modality(struct sv mime)
{
	if (sv_istarts(mime, "image/"))
		return "image";
	if (sv_istarts(mime, "audio/"))
		return "audio";
	if (sv_istarts(mime, "video/"))
		return "video";
	return "document";
}

/* Bytes that a base64 text of this length decodes to (RFC 4648). */
static uint64_t decoded_size(struct sv base64)
{
	size_t n = base64.n;

	while (n && base64.p[n - 1] == '=')
		n--;
	return (uint64_t)n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0);
}

struct json *otel_blob(struct arena *a, struct sv mime, struct sv base64)
{
	struct json *v = typed(a, "blob");
	bool keep = base64.n <= OTEL_BLOB_MAX;

	json_set(a, v, "modality", json_string(a, sv(otel_modality(mime))));
	set_str(a, v, "mime_type", mime);
	json_set(a, v, "content", json_string(a, keep ? base64 : SV("")));
	if (!keep)
		json_set(a, v, "ringspan.bytes", json_uint(a, decoded_size(base64)));
	return v;
}

/* data:[<media type>][;params][;base64],<data> (RFC 2397) */
static struct json *data_uri(struct arena *a, struct sv uri)
{
	struct sv rest = sv_sub(uri, strlen("data:"), uri.n);
	struct sv type = sv_token(&rest, ',');
	struct sv mime = sv_token(&type, ';');

	return otel_blob(a, mime, rest);
}

struct json *otel_uri(struct arena *a, const char *modality, struct sv uri)
{
	struct json *v;

	if (sv_istarts(uri, "data:"))
		return data_uri(a, uri);
	v = typed(a, "uri");
	json_set(a, v, "modality", json_string(a, sv(modality)));
	json_set(a, v, "uri", json_string(a, uri));
	return v;
}

struct json *otel_file(struct arena *a, const char *modality, struct sv file_id)
{
	struct json *v = typed(a, "file");

	json_set(a, v, "modality", json_string(a, sv(modality)));
	json_set(a, v, "file_id", json_string(a, file_id));
	return v;
}

/* Long and without a character that prose, code or markup would have. */
static bool is_bulk(struct sv s)
{
	if (s.n <= OTEL_BLOB_MAX)
		return false;
	if (sv_istarts(s, "data:"))
		return true;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
			continue;
		if ((ch >= '0' && ch <= '9') || ch == '+' || ch == '/' || ch == '-' || ch == '_' ||
		    ch == '=')
			continue;
		return false;
	}
	return true;
}

/* As deep as the parser lets a text be (LIMIT_JSON_DEPTH). */
struct json *otel_generic(struct arena *a, const struct json *v)
{
	struct json *copy;

	if (!v)
		return NULL;
	if (v->type == JSON_STRING && is_bulk(v->s))
		return json_string(a, arena_fmt(a, "[%zu bytes of base64]", v->s.n));
	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
		return json_copy(a, v);
	copy = v->type == JSON_ARRAY ? json_array(a) : json_object(a);
	json_for_each (v, e) {
		if (v->type == JSON_ARRAY)
			json_push(copy, otel_generic(a, e));
		else
			json_add(a, copy, e->key, otel_generic(a, e));
	}
	return copy;
}

const char *otel_finish_reason(struct sv word)
{
	static const struct {
		const char *word, *means;
	} words[] = {
		{ "length", "length" },
		{ "max_tokens", "length" },
		{ "model_length", "length" },
		{ "max_output_tokens", "length" },
		{ "incomplete", "length" },
		{ "model_context_window_exceeded", "length" },
		{ "tool_calls", "tool_call" },
		{ "tool_use", "tool_call" },
		{ "function_call", "tool_call" },
		{ "tool_call", "tool_call" },
		{ "error_limit", "length" },
		{ "content_filter", "content_filter" },
		{ "content_filtered", "content_filter" },
		{ "guardrail_intervened", "content_filter" },
		{ "refusal", "content_filter" },
		{ "error_toxic", "content_filter" },
		{ "safety", "content_filter" },
		{ "image_safety", "content_filter" },
		{ "recitation", "content_filter" },
		{ "blocklist", "content_filter" },
		{ "prohibited_content", "content_filter" },
		{ "spii", "content_filter" },
		{ "model_armor", "content_filter" },
		{ "malformed_function_call", "error" },
		{ "unexpected_tool_call", "error" },
		{ "user_cancel", "error" },
		{ "error", "error" },
		{ "failed", "error" },
		{ "cancelled", "error" },
	};

	if (!word.n)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (sv_ieq(word, words[i].word))
			return words[i].means;
	return "stop"; /* stop, end_turn, stop_sequence, pause_turn, eos, completed ... */
}

void otel_tool(struct sem_call *c, struct sv type, struct sv name, const struct json *description,
	       const struct json *parameters)
{
	struct json *def = json_object(&c->arena);

	if (!c->tool_definitions)
		c->tool_definitions = json_array(&c->arena);
	if (!c->tool_names)
		c->tool_names = json_array(&c->arena);
	if (!name.n)
		name = type;
	json_push(c->tool_names, json_string(&c->arena, name));
	json_set(&c->arena, def, "type", json_string(&c->arena, type));
	json_set(&c->arena, def, "name", json_string(&c->arena, name));
	if (json_is(description, JSON_STRING))
		json_set(&c->arena, def, "description", json_copy(&c->arena, description));
	if (json_is(parameters, JSON_OBJECT))
		json_set(&c->arena, def, "parameters", json_copy(&c->arena, parameters));
	json_push(c->tool_definitions, def);
}

void sem_keep(struct sem_call *c, struct sv *dst, const struct json *v)
{
	struct sv s = json_sv(v);

	if (s.n && !v->cut && !sv_eq(s, *dst))
		*dst = arena_dup(&c->arena, s);
}

void sem_keep_json(struct sem_call *c, struct sv *dst, const struct json *v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (json_write(&b, v) || !b.len)
		return;
	if (b.len > dst->n) {
		*dst = arena_dup(&c->arena, buf_view(&b));
		return;
	}
	memcpy((char *)dst->p, b.p, b.len);
	dst->n = b.len;
}

void sem_keep_int(int64_t *dst, const struct json *v)
{
	int64_t n;

	if (json_i64(v, &n) && !v->cut)
		*dst = n;
}

void sem_keep_float(double *dst, const struct json *v)
{
	double d;

	if (json_f64(v, &d) && !v->cut)
		*dst = d;
}

int64_t sem_first_int(const struct json *v, ...)
{
	int64_t n = SEM_NONE;
	const char *path;
	va_list paths;

	va_start(paths, v);
	while (n == SEM_NONE && (path = va_arg(paths, const char *)))
		sem_keep_int(&n, json_path(v, path));
	va_end(paths);
	return n;
}

int64_t sem_plus(int64_t a, int64_t b)
{
	int64_t sum;

	if (a == SEM_NONE || b == SEM_NONE)
		return a == SEM_NONE ? b : a;
	return __builtin_add_overflow(a, b, &sum) ? a : sum;
}

struct json *sem_strings(struct sem_call *c, const struct json *v)
{
	struct json *out;

	if (!json_is(v, JSON_STRING) && !json_is(v, JSON_ARRAY))
		return NULL;
	out = json_array(&c->arena);
	if (v->type == JSON_STRING)
		json_push(out, json_copy(&c->arena, v));
	json_for_each (v, e)
		if (e->type == JSON_STRING)
			json_push(out, json_copy(&c->arena, e));
	return out;
}

static struct sv join_texts(struct arena *a, const struct json *content, struct sv between)
{
	struct buf b = BUF_INIT;
	struct sv out = { NULL, 0 };

	if (json_is(content, JSON_STRING))
		return arena_dup(a, content->s);
	json_for_each (content, e) {
		struct sv text = json_sv(json_get(e, "text"));

		if (text.n && b.len)
			buf_sv(&b, between);
		buf_sv(&b, text);
	}
	if (b.len && !b.err)
		out = arena_dup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

struct sv sem_text_of(struct arena *a, const struct json *content)
{
	return join_texts(a, content, SV(""));
}

struct sem_tool_result *sem_result(struct sem_call *c, struct sv id, const struct json *content)
{
	struct sem_tool_result *r = arena_alloc(&c->arena, sizeof(*r));

	if (!r)
		return NULL;
	r->id = id.n ? arena_dup(&c->arena, id) : (struct sv){ NULL, 0 };
	r->text = join_texts(&c->arena, content, SV("\n"));
	return r;
}

void sem_error_set(struct sem_call *c, const struct json *error)
{
	static const char *const messages[] = { "message", "detail", "msg", "error_description" };
	const struct json *code = json_get(error, "code");

	if (c->has_error)
		return;
	c->has_error = true;
	if (json_is(error, JSON_STRING)) {
		c->error.message = arena_dup(&c->arena, error->s);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(messages) && !c->error.message.n; i++) {
		const struct json *m = json_get(error, messages[i]);

		if (json_is(m, JSON_OBJECT) || json_is(m, JSON_ARRAY))
			c->error.message = json_text(&c->arena, m);
		else if (json_sv(m).n)
			c->error.message = arena_dup(&c->arena, m->s);
	}
	if (json_is(code, JSON_STRING) || json_is(code, JSON_NUMBER))
		c->error.code = arena_dup(&c->arena, code->s);
	/* an object that calls itself "error" says nothing by that */
	if (!json_str_is(json_get(error, "type"), "error"))
		sem_keep(c, &c->error.type, json_get(error, "type"));
	if (!c->error.type.n)
		sem_keep(c, &c->error.type, json_get(error, "status"));
	if (!c->error.type.n)
		c->error.type = c->error.code;
}
