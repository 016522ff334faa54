// SPDX-License-Identifier: BSD-2-Clause
/*
 * Gemini generateContent and streamGenerateContent, on Google's own host, on Vertex, and wrapped as
 * Code Assist does ({model, request} and {response}).  A stream is server-sent events with alt=sse
 * and one JSON array without; its pieces have the shape of the whole.  Field names come in camelCase
 * and in snake_case.  Facts of the API references and of recorded traffic.
 */
#include "sem/answer.h"
#include "sem/gemini.h"
#include "sem/otel.h"
#include "sem/wire.h"

static int claim(const struct sem_route *r)
{
	return gemini_verb(r, "generateContent") || gemini_verb(r, "streamGenerateContent") ? 90
											    : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	gemini_route(c, r);
	c->stream = gemini_verb(r, "streamGenerateContent");
}

/* --- request --- */

static struct json *media_part(struct arena *a, const struct json *p)
{
	const struct json *data = sem_field(p, "inlineData"), *file = sem_field(p, "fileData");
	struct sv mime = json_sv(sem_field(data ? data : file, "mimeType")), uri;
	struct json *v;

	if (data)
		return otel_blob(a, mime, json_sv(json_get(data, "data")));
	uri = json_sv(sem_field(file, "fileUri"));
	v = otel_uri(a, otel_modality(mime), uri);
	if (mime.n)
		json_set(a, v, "mime_type", json_string(a, mime));
	return v;
}

/* A call that Google ran: code, or a search. */
static struct sv server_name(const struct json *p)
{
	return sem_field(p, "executableCode")
		       ? SV("executableCode")
		       : json_sv(sem_field(sem_field(p, "toolCall"), "toolType"));
}

static const struct json *server_call(const struct json *p)
{
	const struct json *code = sem_field(p, "executableCode");

	return code ? code : sem_field(p, "toolCall");
}

static const struct json *server_args(const struct json *call)
{
	return json_get(call, "code") ? call : json_get(call, "args");
}

static struct json *part_of(struct arena *a, const struct json *p)
{
	const struct json *call = sem_field(p, "functionCall");
	const struct json *result = sem_field(p, "functionResponse");
	const struct json *text = json_get(p, "text"), *v;

	if (text)
		return otel_text(a, json_true(json_get(p, "thought")) ? "reasoning" : "text",
				 json_sv(text));
	if (call)
		return otel_tool_call(a, json_sv(json_get(call, "id")),
				      json_sv(json_get(call, "name")),
				      json_copy(a, json_get(call, "args")));
	if (result)
		return otel_tool_response(a, json_sv(json_get(result, "id")),
					  json_get(result, "response"));
	if (sem_field(p, "inlineData") || sem_field(p, "fileData"))
		return media_part(a, p);
	v = server_call(p);
	if (v)
		return otel_server_call(a, json_sv(json_get(v, "id")), server_name(p),
					otel_generic(a, server_args(v)));
	v = sem_field(p, "codeExecutionResult");
	if (!v)
		v = sem_field(p, "toolResponse");
	return v ? otel_server_response(a, json_sv(json_get(v, "id")), v) : otel_generic(a, p);
}

/* A repeated field may come as its only element. */
static const struct json *first_of(const struct json *v)
{
	return json_is(v, JSON_ARRAY) ? v->head : v;
}

static struct json *parts_of(struct arena *a, const struct json *content)
{
	struct json *parts = json_array(a);

	if (json_is(content, JSON_STRING))
		json_push(parts, otel_text(a, "text", content->s));
	for (const struct json *p = first_of(json_get(content, "parts")); p; p = p->next) {
		json_push(parts, part_of(a, p));
		if (!json_is(json_get(content, "parts"), JSON_ARRAY))
			break;
	}
	return parts;
}

static bool only_results(const struct json *content)
{
	const struct json *parts = json_get(content, "parts");

	if (!json_is(parts, JSON_ARRAY) || !parts->cnt)
		return false;
	json_for_each (parts, p)
		if (!sem_field(p, "functionResponse"))
			return false;
	return true;
}

/*
 * By the API's own words a function answers {"output": ...}, or {"error": ...} when it failed; what has
 * neither is the output.
 */
static void take_result(struct sem_call *c, struct sem_tool_result *r, const struct json *answer)
{
	const struct json *output = json_get(answer, "output"), *error = json_get(answer, "error");
	const struct json *said = output ? output : error;

	r->has_error = said;
	r->is_error = said && !output && !json_is(error, JSON_NULL);
	if (json_is(said, JSON_STRING) && answer->cnt == 1)
		r->text = arena_dup(&c->arena, json_sv(said));
	else if (answer)
		r->text = json_text(&c->arena, answer);
}

static void add_results(struct sem_call *c, struct sem_tool_result ***tail,
			const struct json *parts)
{
	json_for_each (parts, p) {
		const struct json *v = sem_field(p, "functionResponse");
		struct sem_tool_result *r;

		if (!v)
			continue;
		r = sem_result(c, json_sv(json_get(v, "id")), NULL);
		if (!r)
			return;
		sem_keep(c, &r->name, json_get(v, "name"));
		take_result(c, r, json_get(v, "response"));
		**tail = r;
		*tail = &r->next;
	}
}

static void take_content(struct sem_call *c, struct sem_tool_result ***tail,
			 const struct json *content)
{
	struct sv role = json_sv(json_get(content, "role"));
	bool model = sv_is(role, "model");

	if (model)
		role = SV("assistant");
	else if (only_results(content))
		role = SV("tool");
	else if (!role.n)
		role = SV("user");
	json_push(c->input_messages, otel_message(&c->arena, role, parts_of(&c->arena, content)));
	if (model) {
		c->results = NULL;
		*tail = &c->results;
	} else {
		add_results(c, tail, json_get(content, "parts"));
	}
}

static void contents(struct sem_call *c, const struct json *v)
{
	struct sem_tool_result **tail = &c->results;

	if (!json_is(v, JSON_ARRAY) && !json_is(v, JSON_OBJECT))
		return;
	c->input_message_cnt = v->type == JSON_ARRAY ? (int64_t)v->cnt : 1;
	c->input_messages = json_array(&c->arena);
	if (v->type == JSON_OBJECT) {
		take_content(c, &tail, v);
		return;
	}
	json_for_each (v, content)
		take_content(c, &tail, content);
}

static void take_functions(struct sem_call *c, const struct json *list)
{
	for (const struct json *f = first_of(list); f; f = f->next) {
		const struct json *schema = json_get(f, "parameters");

		if (!schema)
			schema = sem_field(f, "parametersJsonSchema");
		otel_tool(c, SV("function"), json_sv(json_get(f, "name")),
			  json_get(f, "description"), schema);
		if (!json_is(list, JSON_ARRAY))
			return;
	}
}

/* A tool object holds functions, or a built-in tool under its name, or several of them. */
static void take_tool(struct sem_call *c, const struct json *tool)
{
	const struct json *functions = sem_field(tool, "functionDeclarations");

	if (!json_is(tool, JSON_OBJECT))
		return;
	json_for_each (tool, e) {
		if (e == functions)
			take_functions(c, e);
		else if (e->type != JSON_NULL)
			otel_tool(c, e->key, e->key, NULL, NULL);
	}
}

static void take_config(struct sem_call *c, const struct json *g)
{
	struct sv mime = json_sv(sem_field(g, "responseMimeType"));

	sem_keep_float(&c->temperature, json_get(g, "temperature"));
	sem_keep_float(&c->top_p, sem_field(g, "topP"));
	sem_keep_float(&c->top_k, sem_field(g, "topK"));
	sem_keep_int(&c->max_tokens, sem_field(g, "maxOutputTokens"));
	sem_keep_int(&c->choice_count, sem_field(g, "candidateCount"));
	sem_keep_int(&c->seed, json_get(g, "seed"));
	sem_keep_float(&c->presence_penalty, sem_field(g, "presencePenalty"));
	sem_keep_float(&c->frequency_penalty, sem_field(g, "frequencyPenalty"));
	c->stop_sequences = sem_strings(c, sem_field(g, "stopSequences"));
	sem_keep(c, &c->reasoning_effort,
		 sem_field(sem_field(g, "thinkingConfig"), "thinkingLevel"));
	if (sv_is(mime, "application/json"))
		c->output_type = SV("json");
	else if (sv_is(mime, "text/plain"))
		c->output_type = SV("text");
	json_for_each (sem_field(g, "responseModalities"), m) {
		if (sv_ieq(json_sv(m), "image"))
			c->output_type = SV("image");
		else if (sv_ieq(json_sv(m), "audio"))
			c->output_type = SV("speech");
	}
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *inner = json_get(body, "request"), *system, *tools;

	if (json_is(inner, JSON_OBJECT)) {
		sem_keep(c, &c->request_model, json_get(body, "model"));
		body = inner;
	}
	system = sem_field(body, "systemInstruction");
	if (json_is(system, JSON_STRING) || json_is(system, JSON_OBJECT))
		c->system_instructions = parts_of(&c->arena, system);
	contents(c, json_get(body, "contents"));
	take_config(c, sem_field(body, "generationConfig"));
	tools = json_get(body, "tools");
	if (json_is(tools, JSON_OBJECT))
		take_tool(c, tools);
	else
		json_for_each (tools, t)
			take_tool(c, t);
}

/* --- answer --- */

/* The part that a text continues, else a new one behind all others. */
static struct part *text_part(struct sem_call *c, struct choice *ch, enum part_kind kind)
{
	struct part *last = ch->cnt ? ch->parts[ch->cnt - 1] : NULL;

	return last && last->kind == kind ? last : answer_part(c, ch, kind, (int64_t)ch->cnt, 0);
}

static void take_call(struct sem_call *c, struct choice *ch, enum part_kind kind, struct sv name,
		      const struct json *call, const struct json *args, uint64_t ts)
{
	struct part *p;

	if (!name.n)
		return;
	p = answer_part(c, ch, kind, (int64_t)ch->cnt, 0);
	part_name(c, p, json_sv(json_get(call, "id")), name, ts);
	if (json_is(args, JSON_OBJECT))
		part_add(c, p, json_text(&c->arena, args), ts);
	if (!p)
		return;
	p->cut = call->cut;
	p->done = !call->cut;
}

static void take_part(struct sem_call *c, struct choice *ch, const struct json *v, uint64_t ts)
{
	const struct json *call = sem_field(v, "functionCall"), *ran = server_call(v);
	struct sv text = json_sv(json_get(v, "text"));
	struct part *p;

	if (json_get(v, "text")) {
		bool thought = json_true(json_get(v, "thought"));

		if (text.n)
			part_add(c, text_part(c, ch, thought ? PART_REASONING : PART_TEXT), text,
				 ts);
	} else if (call) {
		take_call(c, ch, PART_TOOL, json_sv(json_get(call, "name")), call,
			  json_get(call, "args"), ts);
	} else if (ran) {
		take_call(c, ch, PART_SERVER, server_name(v), ran, server_args(ran), ts);
	} else if (json_is(v, JSON_OBJECT) && v->cnt) {
		p = answer_part(c, ch, PART_OTHER, (int64_t)ch->cnt, 0);
		if (p)
			p->other = part_of(&c->arena, v);
	}
}

static void take_candidate(struct sem_call *c, const struct json *v, int64_t index, uint64_t ts)
{
	struct choice *ch;

	sem_keep_int(&index, json_get(v, "index"));
	ch = answer_choice(c, index);
	if (!ch)
		return;
	json_for_each (json_path(v, "content.parts"), p)
		take_part(c, ch, p, ts);
	sem_keep(c, &ch->finish, json_get(v, "finishReason"));
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	const struct json *inner = json_get(v, "response"), *blocked;
	struct choice *ch;
	int64_t index = 0;

	if (json_is(inner, JSON_OBJECT))
		v = inner;
	sem_keep(c, &c->response_id, json_get(v, "responseId"));
	sem_keep(c, &c->response_model, json_get(v, "modelVersion"));
	sem_keep(c, &c->response_service_tier, json_path(v, "usageMetadata.serviceTier"));
	json_for_each (json_get(v, "candidates"), e)
		take_candidate(c, e, index++, ts);
	gemini_usage(c, json_get(v, "usageMetadata"));
	/* the prompt was refused, so there is no candidate to say why it ended */
	blocked = json_path(v, "promptFeedback.blockReason");
	ch = json_sv(blocked).n ? answer_choice(c, 0) : NULL;
	if (!ch || ch->finish.n)
		return;
	sem_keep(c, &ch->finish, blocked);
	c->prompt_blocked = true;
}

static void response(struct sem_call *c, const struct json *body)
{
	take(c, body, 0);
}

static void event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	(void)name;
	take(c, data, ts);
}

/* Nothing but the finish reasons tells that a stream is complete. */
static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;
	bool open_choice = !ans->cnt;

	for (size_t i = 0; i < ans->cnt; i++)
		open_choice |= !ans->choices[i]->finish.n;
	c->response_cut |= ans->streamed && open_choice && !c->has_error;
}

const struct sem_ops sem_gemini_generate = {
	.api = "gemini.generate",
	.operation = "generate_content",
	.state_sz = sizeof(struct answer),
	.framing = FRAMING_ARRAY,
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
