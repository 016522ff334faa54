// SPDX-License-Identifier: BSD-2-Clause
/*
 * Anthropic messages.  A content block is a part, at its index.  Input tokens exclude what a cache
 * served or took, so the three are added; in a stream each usage field's last value counts, since
 * message_delta may raise what message_start said (facts of the API reference and recorded traffic).
 */
#include "sem/anthropic.h"
#include "sem/gemini.h"
#include "sem/otel.h"

#define USAGE_FIELDS 64 /* kept of usage objects: their merging looks each one up */

/* /projects/.../publishers/anthropic/models/{model}:rawPredict, or :streamRawPredict */
static bool on_vertex(struct sv path)
{
	return sv_has(path, "/publishers/anthropic/models/") && !sv_has(path, "/count-tokens:") &&
	       (sv_ends(path, ":rawPredict") || sv_ends(path, ":streamRawPredict"));
}

static int claim(const struct sem_route *r)
{
	if (!sv_is(r->method, "POST"))
		return 0;
	if (sv_ends(r->path, "/v1/messages") || on_vertex(r->path))
		return 90;
	/* a gateway with paths of its own */
	if (sv_ends(r->path, "/messages") && r->head &&
	    http_field_get(r->head, "anthropic-version").n)
		return 80;
	return 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	if (on_vertex(r->path))
		gemini_route(c, r);
}

/* --- request --- */

static bool is_tool_result(struct sv type)
{
	return sv_ends(type, "tool_result");
}

static struct json *media_part(struct arena *a, const struct json *block, struct sv type)
{
	const char *modality = sv_is(type, "image") ? "image" : "document";
	const struct json *source = json_get(block, "source");
	struct sv how = json_sv(json_get(source, "type"));

	if (sv_is(how, "base64"))
		return otel_blob(a, json_sv(json_get(source, "media_type")),
				 json_sv(json_get(source, "data")));
	if (sv_is(how, "url"))
		return otel_uri(a, modality, json_sv(json_get(source, "url")));
	if (sv_is(how, "file"))
		return otel_file(a, modality, json_sv(json_get(source, "file_id")));
	if (sv_is(how, "text"))
		return otel_text(a, "text", json_sv(json_get(source, "data")));
	return otel_generic(a, block);
}

static struct json *block_part(struct arena *a, const struct json *block)
{
	struct sv type = json_sv(json_get(block, "type"));
	struct sv id = json_sv(json_get(block, "id"));
	struct sv name = json_sv(json_get(block, "name"));
	const struct json *input = json_get(block, "input");

	if (sv_is(type, "text"))
		return otel_text(a, "text", json_sv(json_get(block, "text")));
	if (sv_is(type, "thinking"))
		return otel_text(a, "reasoning", json_sv(json_get(block, "thinking")));
	if (sv_is(type, "tool_use"))
		return otel_tool_call(a, id, name, json_copy(a, input));
	if (sv_ends(type, "_tool_use"))
		return otel_server_call(a, id, name, json_copy(a, input));
	id = json_sv(json_get(block, "tool_use_id"));
	if (sv_is(type, "tool_result"))
		return otel_tool_response(a, id, json_get(block, "content"));
	if (is_tool_result(type))
		return otel_server_response(a, id, block);
	if (sv_is(type, "container_upload"))
		return otel_file(a, "document", json_sv(json_get(block, "file_id")));
	if (json_is(json_get(block, "source"), JSON_OBJECT))
		return media_part(a, block, type);
	return otel_generic(a, block);
}

static struct json *content_parts(struct arena *a, const struct json *content)
{
	struct json *parts = json_array(a);

	if (json_is(content, JSON_STRING))
		json_push(parts, otel_text(a, "text", content->s));
	if (json_is(content, JSON_ARRAY))
		json_for_each (content, block)
			json_push(parts, block_part(a, block));
	return parts;
}

/* The conventions' role of a message that brings nothing but tool results. */
static bool only_results(const struct json *content)
{
	if (!json_is(content, JSON_ARRAY) || !content->cnt)
		return false;
	json_for_each (content, block)
		if (!json_str_is(json_get(block, "type"), "tool_result"))
			return false;
	return true;
}

static void add_results(struct sem_call *c, struct sem_tool_result ***tail,
			const struct json *content)
{
	json_for_each (content, block) {
		struct sem_tool_result *r;

		if (!json_str_is(json_get(block, "type"), "tool_result"))
			continue;
		r = sem_result(c, json_sv(json_get(block, "tool_use_id")),
			       json_get(block, "content"));
		if (!r)
			return;
		r->has_error = true; /* a result without is_error succeeded */
		r->is_error = json_true(json_get(block, "is_error"));
		**tail = r;
		*tail = &r->next;
	}
}

static void messages(struct sem_call *c, const struct json *list)
{
	struct sem_tool_result **tail = &c->results;

	if (!json_is(list, JSON_ARRAY))
		return;
	c->input_message_cnt = (int64_t)list->cnt;
	c->input_messages = json_array(&c->arena);
	json_for_each (list, m) {
		const struct json *content = json_get(m, "content");
		struct sv role = json_sv(json_get(m, "role"));

		json_push(c->input_messages,
			  otel_message(&c->arena, only_results(content) ? SV("tool") : role,
				       content_parts(&c->arena, content)));
		if (sv_is(role, "assistant")) {
			c->results = NULL;
			tail = &c->results;
		} else if (json_is(content, JSON_ARRAY)) {
			add_results(c, &tail, content);
		}
	}
}

/* A tool of the client has type "custom" or none. */
static void tool(struct sem_call *c, const struct json *t)
{
	struct sv type = json_sv(json_get(t, "type"));
	bool built_in = type.n && !sv_is(type, "custom");

	otel_tool(c, built_in ? type : SV("function"), json_sv(json_get(t, "name")),
		  json_get(t, "description"), built_in ? NULL : json_get(t, "input_schema"));
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *system = json_get(body, "system");

	sem_keep(c, &c->request_model, json_get(body, "model"));
	sem_keep(c, &c->service_tier, json_get(body, "service_tier"));
	sem_keep(c, &c->reasoning_effort, json_path(body, "output_config.effort"));
	c->stream = json_true(json_get(body, "stream"));
	sem_keep_int(&c->max_tokens, json_get(body, "max_tokens"));
	sem_keep_float(&c->temperature, json_get(body, "temperature"));
	sem_keep_float(&c->top_p, json_get(body, "top_p"));
	sem_keep_float(&c->top_k, json_get(body, "top_k"));
	c->stop_sequences = sem_strings(c, json_get(body, "stop_sequences"));
	if (json_is(json_path(body, "output_config.format"), JSON_OBJECT) ||
	    json_is(json_get(body, "output_format"), JSON_OBJECT))
		c->output_type = SV("json");
	if (json_is(system, JSON_STRING) || json_is(system, JSON_ARRAY))
		c->system_instructions = content_parts(&c->arena, system);
	messages(c, json_get(body, "messages"));
	json_for_each (json_get(body, "tools"), t)
		tool(c, t);
}

/* --- answer --- */

static void merge_field(struct sem_call *c, struct json *usage, const struct json *field)
{
	struct sv key = field->key;

	if (!usage || field->type == JSON_NULL)
		return;
	if (!json_get_sv(usage, key) && usage->cnt >= USAGE_FIELDS)
		return;
	key = arena_dup(&c->arena, key);
	if (key.p)
		json_set(&c->arena, usage, key.p, json_copy(&c->arena, field));
}

static void take_usage(struct sem_call *c, const struct json *u)
{
	struct anthropic *st = c->state;

	if (!json_is(u, JSON_OBJECT))
		return;
	if (!c->has_usage) {
		st->input = st->cache_read = st->cache_write = SEM_NONE;
		st->usage = json_object(&c->arena);
	}
	c->has_usage = true;
	sem_keep_int(&st->input, json_get(u, "input_tokens"));
	sem_keep_int(&st->cache_read, json_get(u, "cache_read_input_tokens"));
	sem_keep_int(&st->cache_write, json_get(u, "cache_creation_input_tokens"));
	sem_keep_int(&c->usage.output, json_get(u, "output_tokens"));
	sem_keep_int(&c->usage.reasoning, json_path(u, "output_tokens_details.thinking_tokens"));
	c->usage.cache_read = st->cache_read;
	c->usage.cache_write = st->cache_write;
	if (st->input != SEM_NONE)
		c->usage.input = sem_plus(sem_plus(st->input, st->cache_read), st->cache_write);
	json_for_each (u, field)
		merge_field(c, st->usage, field);
}

/* A block as it starts in a stream, or the whole of one. */
static struct part *take_block(struct sem_call *c, int64_t index, const struct json *block,
			       uint64_t ts)
{
	struct choice *ch = answer_choice(c, 0);
	struct sv type = json_sv(json_get(block, "type"));
	const struct json *input = json_get(block, "input");
	struct part *p;

	if (sv_is(type, "text")) {
		p = answer_part(c, ch, PART_TEXT, index, 0);
		part_add(c, p, json_sv(json_get(block, "text")), ts);
		return p;
	}
	if (sv_is(type, "thinking")) {
		p = answer_part(c, ch, PART_REASONING, index, 0);
		part_add(c, p, json_sv(json_get(block, "thinking")), ts);
		return p;
	}
	if (!sv_is(type, "tool_use") && !sv_ends(type, "_tool_use")) {
		p = answer_part(c, ch, PART_OTHER, index, 0);
		part_name(c, p, SV(""), type, ts);
		if (p && !sv_is(type, "compaction"))
			p->other = block_part(&c->arena, block);
		part_add(c, p, json_sv(json_get(block, "content")), ts);
		return p;
	}
	p = answer_part(c, ch, sv_is(type, "tool_use") ? PART_TOOL : PART_SERVER, index, 0);
	part_name(c, p, json_sv(json_get(block, "id")), json_sv(json_get(block, "name")), ts);
	if (p)
		p->args = input && input->cnt ? json_text(&c->arena, input) : SV("{}");
	if (p && input && input->cut)
		p->cut = true;
	return p;
}

static void take_delta(struct sem_call *c, int64_t index, const struct json *d, uint64_t ts)
{
	static const struct {
		const char *type, *field;
		enum part_kind kind;
	} deltas[] = {
		{ "text_delta", "text", PART_TEXT },
		{ "thinking_delta", "thinking", PART_REASONING },
		{ "input_json_delta", "partial_json", PART_TOOL },
		{ "compaction_delta", "content", PART_OTHER },
	};
	struct sv type = json_sv(json_get(d, "type"));
	struct choice *ch = answer_choice(c, 0);

	for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		const struct json *v = json_get(d, deltas[i].field);
		struct part *p;

		if (!sv_is(type, deltas[i].type) || !json_sv(v).n)
			continue;
		p = answer_part(c, ch, deltas[i].kind, index, 0);
		part_add(c, p, v->s, ts);
		if (p && v->cut)
			p->cut = true;
	}
}

static void take_head(struct sem_call *c, const struct json *m)
{
	sem_keep(c, &c->response_id, json_get(m, "id"));
	sem_keep(c, &c->response_model, json_get(m, "model"));
	sem_keep(c, &c->response_service_tier, json_path(m, "usage.service_tier"));
	take_usage(c, json_get(m, "usage"));
}

static void take_stop(struct sem_call *c, const struct json *reason)
{
	struct choice *ch = json_sv(reason).n ? answer_choice(c, 0) : NULL;

	if (ch)
		sem_keep(c, &ch->finish, reason);
}

static void response(struct sem_call *c, const struct json *body)
{
	int64_t index = 0;

	take_head(c, body);
	json_for_each (json_get(body, "content"), block) {
		struct part *p = take_block(c, index++, block, 0);

		if (p)
			p->done = !block->cut;
	}
	take_stop(c, json_get(body, "stop_reason"));
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	struct sv type = json_sv(json_get(data, "type"));
	int64_t index = 0;

	if (!type.n)
		type = name;
	sem_keep_int(&index, json_get(data, "index"));
	if (sv_is(type, "message_start")) {
		take_head(c, json_get(data, "message"));
	} else if (sv_is(type, "content_block_start")) {
		take_block(c, index, json_get(data, "content_block"), ts);
	} else if (sv_is(type, "content_block_delta")) {
		take_delta(c, index, json_get(data, "delta"), ts);
	} else if (sv_is(type, "content_block_stop")) {
		struct part *p = answer_part(c, answer_choice(c, 0), PART_OTHER, index, 0);

		if (p)
			p->done = true;
	} else if (sv_is(type, "message_delta")) {
		take_stop(c, json_path(data, "delta.stop_reason"));
		take_usage(c, json_get(data, "usage"));
	} else if (sv_is(type, "message_stop")) {
		c->terminated = true;
	}
}

static void finish(struct sem_call *c)
{
	struct anthropic *st = c->state;

	if (st->usage)
		c->usage_raw = json_text(&c->arena, st->usage);
	c->response_cut |= st->answer.streamed && !c->terminated && !c->has_error;
}

const struct sem_ops sem_anthropic_messages = {
	.api = "anthropic.messages",
	.operation = "chat",
	.state_sz = sizeof(struct anthropic),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
