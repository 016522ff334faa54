// SPDX-License-Identifier: BSD-2-Clause
/*
 * Cohere v1 chat: one `message` on top of a chat_history, calls without ids, and a stream of JSON
 * lines whose last repeats the whole.  Facts of the API reference and of recorded traffic.
 */
#include "base/cleanup.h"
#include "sem/cohere.h"
#include "sem/otel.h"
#include "sem/wire.h"

enum { KEY_TEXT, KEY_CALL };

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/v1/chat") ? 50 : 0;
}

/* --- request --- */

static struct sv role_of(struct sv role)
{
	static const char *const roles[][2] = { { "user", "user" },
						{ "chatbot", "assistant" },
						{ "system", "system" },
						{ "tool", "tool" } };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (sv_ieq(role, roles[i][0]))
			return sv(roles[i][1]);
	return role;
}

static void take_results(struct sem_call *c, struct json *parts, const struct json *list)
{
	struct sem_tool_result **tail = &c->results;

	json_for_each (list, e) {
		const struct json *outputs = json_get(e, "outputs");
		struct sem_tool_result *r = sem_result(c, SV(""), NULL);

		json_push(parts, otel_tool_response(&c->arena, SV(""), outputs));
		if (!r)
			return;
		sem_keep(c, &r->name, json_path(e, "call.name"));
		if (outputs)
			r->text = json_text(&c->arena, outputs);
		*tail = r;
		tail = &r->next;
	}
}

static void take_history(struct sem_call *c, const struct json *m)
{
	struct json *parts = json_array(&c->arena);

	json_push(parts, otel_text(&c->arena, "text", json_sv(json_get(m, "message"))));
	json_for_each (json_get(m, "tool_calls"), t)
		json_push(parts, otel_tool_call(&c->arena, SV(""), json_sv(json_get(t, "name")),
						json_copy(&c->arena, json_get(t, "parameters"))));
	json_for_each (json_get(m, "tool_results"), t)
		json_push(parts, otel_tool_response(&c->arena, SV(""), json_get(t, "outputs")));
	json_push(c->input_messages,
		  otel_message(&c->arena, role_of(json_sv(json_get(m, "role"))), parts));
}

static void take_message(struct sem_call *c, const struct json *body)
{
	const struct json *results = json_get(body, "tool_results");
	struct sv text = json_sv(json_get(body, "message"));
	struct json *parts = json_array(&c->arena);

	if (json_is(results, JSON_ARRAY) && results->cnt) {
		take_results(c, parts, results);
		json_push(c->input_messages, otel_message(&c->arena, SV("tool"), parts));
	}
	if (!text.n)
		return;
	parts = json_array(&c->arena);
	json_push(parts, otel_text(&c->arena, "text", text));
	json_push(c->input_messages, otel_message(&c->arena, SV("user"), parts));
}

/*
 * {name: {description, type, required}}, types as Python has them: as a JSON Schema, which is what a
 * definition's parameters are.
 */
static struct json *schema_of(struct arena *a, const struct json *definitions)
{
	static const char *const types[][2] = {
		{ "str", "string" },   { "int", "integer" }, { "float", "number" },
		{ "bool", "boolean" }, { "list", "array" },  { "dict", "object" },
	};
	struct json *schema = json_object(a), *properties = json_object(a);
	struct json *required = json_array(a);

	if (!json_is(definitions, JSON_OBJECT))
		return NULL;
	json_for_each (definitions, e) {
		const struct json *description = json_get(e, "description");
		struct json *p = json_object(a);

		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			if (sv_istarts(json_sv(json_get(e, "type")), types[i][0]))
				json_set(a, p, "type", json_string(a, sv(types[i][1])));
		if (description)
			json_set(a, p, "description", json_copy(a, description));
		json_add(a, properties, e->key, p);
		if (json_true(json_get(e, "required")))
			json_push(required, json_string(a, e->key));
	}
	json_set(a, schema, "type", json_string(a, SV("object")));
	json_set(a, schema, "properties", properties);
	json_set(a, schema, "required", required);
	if (schema)
		schema->cut = definitions->cut;
	return schema;
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *history = json_get(body, "chat_history");

	cohere_params(c, body);
	sem_system(c, json_sv(json_get(body, "preamble")));
	c->input_messages = json_array(&c->arena);
	c->input_message_cnt = json_is(history, JSON_ARRAY) ? (int64_t)history->cnt + 1 : 1;
	if (json_is(history, JSON_ARRAY))
		json_for_each (history, m)
			take_history(c, m);
	take_message(c, body);
	json_for_each (json_get(body, "tools"), t)
		otel_tool(c, SV("function"), json_sv(json_get(t, "name")),
			  json_get(t, "description"),
			  schema_of(&c->arena, json_get(t, "parameter_definitions")));
}

/* --- answer --- */

static void take_calls(struct sem_call *c, const struct json *list, uint64_t ts)
{
	int64_t at = 0;

	json_for_each (list, t) {
		const struct json *args = json_get(t, "parameters");
		struct part *p = answer_part(c, answer_choice(c, 0), PART_TOOL, KEY_CALL, at++);

		part_name(c, p, SV(""), json_sv(json_get(t, "name")), ts);
		if (!p)
			return;
		/* the whole is repeated: it counts, and the pieces do not */
		part_set(c, p, args ? json_text(&c->arena, args) : SV("{}"), ts);
		p->done = !t->cut;
	}
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	struct choice *ch = answer_choice(c, 0);
	struct sv text = json_sv(json_get(v, "text"));

	sem_keep(c, &c->response_id, json_get(v, "response_id"));
	if (text.n)
		part_set(c, answer_part(c, ch, PART_TEXT, KEY_TEXT, 0), text, ts);
	take_calls(c, json_get(v, "tool_calls"), ts);
	if (ch)
		sem_keep(c, &ch->finish, json_get(v, "finish_reason"));
	cohere_usage(c, json_get(v, "meta"));
}

static void response(struct sem_call *c, const struct json *body)
{
	take(c, body, 0);
}

static void take_chunk(struct sem_call *c, const struct json *delta, uint64_t ts)
{
	const struct json *args = json_get(delta, "parameters");
	int64_t index = 0;
	struct part *p;

	sem_keep_int(&index, json_get(delta, "index"));
	p = answer_part(c, answer_choice(c, 0), PART_TOOL, KEY_CALL, index);
	part_name(c, p, SV(""), json_sv(json_get(delta, "name")), ts);
	part_add(c, p, json_sv(args), ts);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	struct sv type = json_sv(json_get(data, "event_type"));

	if (!type.n)
		type = name;
	if (sv_is(type, "text-generation")) {
		part_add(c, answer_part(c, answer_choice(c, 0), PART_TEXT, KEY_TEXT, 0),
			 json_sv(json_get(data, "text")), ts);
	} else if (sv_is(type, "tool-calls-chunk")) {
		const struct json *delta = json_get(data, "tool_call_delta");

		if (delta)
			take_chunk(c, delta, ts);
		/* without a call it is the plan that precedes them */
	} else if (sv_is(type, "tool-calls-generation")) {
		take_calls(c, json_get(data, "tool_calls"), ts);
	} else if (sv_is(type, "stream-end")) {
		struct choice *ch = answer_choice(c, 0);

		take(c, json_get(data, "response"), ts);
		if (ch)
			sem_keep(c, &ch->finish, json_get(data, "finish_reason"));
		c->terminated = true;
	}
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;

	c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
}

const struct sem_ops sem_cohere_chat_v1 = {
	.api = "cohere.chat_v1",
	.operation = "chat",
	.state_sz = sizeof(struct answer),
	.framing = FRAMING_LINES,
	.claim = claim,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
