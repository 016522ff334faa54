// SPDX-License-Identifier: BSD-2-Clause
/*
 * OpenAI responses.  An output item has a place (output_index) and its parts have places inside it.
 * Deltas fill the parts; what repeats an item whole (output_item.done, the final response) replaces
 * them, so that a stream is right with or without its end, and also where a provider leaves the
 * final response's output empty.
 */
#include "base/cleanup.h"
#include "sem/answer.h"
#include "sem/openai.h"
#include "sem/retrieval.h"
#include "sem/session.h"

/* Inside a reasoning item the summary comes before the content. */
#define SUB_CONTENT (1 << 20)

static int claim(const struct sem_route *r)
{
	return sv_is(r->method, "POST") && sv_ends(r->path, "/responses") ? 80 : 0;
}

/* Calls that the client has to run.  All others that end in _call were run by the provider. */
static bool client_call(const struct json *item, struct sv type)
{
	static const char *const types[] = { "function_call",    "custom_tool_call",
					     "local_shell_call", "shell_call",
					     "apply_patch_call", "computer_call" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (sv_is(type, types[i]))
			return true;
	return sv_is(type, "tool_search_call") &&
	       json_str_is(json_get(item, "execution"), "client");
}

static struct sv item_type(const struct json *item)
{
	struct sv type = json_sv(json_get(item, "type"));

	return !type.n && json_sv(json_get(item, "role")).n ? SV("message") : type;
}

static struct sv call_name(const struct json *item, struct sv type)
{
	struct sv name = json_sv(json_get(item, "name"));

	return name.n ? name : type;
}

static const struct json *call_arguments(const struct json *item)
{
	static const char *const keys[] = { "arguments", "input",   "action", "operation",
					    "code",      "queries", "actions" };
	const struct json *v = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && (!v || v->type == JSON_NULL); i++)
		v = json_get(item, keys[i]);
	return v;
}

static struct sv call_id(const struct json *item)
{
	struct sv id = json_sv(json_get(item, "call_id"));

	return id.n ? id : json_sv(json_get(item, "id"));
}

/* --- request --- */

static struct json *item_part(struct arena *a, const struct json *item, struct sv type)
{
	struct sv args = openai_arguments(a, call_arguments(item));

	if (client_call(item, type))
		return otel_tool_call(a, call_id(item), call_name(item, type),
				      otel_arguments(a, args));
	if (sv_ends(type, "_call"))
		return otel_server_call(a, json_sv(json_get(item, "id")), call_name(item, type),
					otel_arguments(a, args));
	if (sv_ends(type, "_output"))
		return otel_tool_response(a, call_id(item), json_get(item, "output"));
	return otel_generic(a, item);
}

/* What the model made, or the provider for it, as opposed to what the client brings. */
static bool is_models(const struct json *item, struct sv type)
{
	static const char *const clients[] = { "message", "additional_tools", "item_reference",
					       "mcp_approval_response" };

	if (json_str_is(json_get(item, "role"), "assistant"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		if (sv_is(type, clients[i]))
			return false;
	return type.n && !sv_ends(type, "_output");
}

static struct json *input_message(struct sem_call *c, const struct json *item, struct sv type)
{
	struct json *parts = json_array(&c->arena);
	struct sv role = json_sv(json_get(item, "role"));

	if (sv_is(type, "message") || sv_is(type, "reasoning")) {
		openai_content(&c->arena, parts, json_get(item, "summary"));
		openai_content(&c->arena, parts, json_get(item, "content"));
	} else {
		json_push(parts, item_part(&c->arena, item, type));
	}
	if (!role.n)
		role = is_models(item, type) ? SV("assistant") : SV("tool");
	return otel_message(&c->arena, role, parts);
}

/* Adds one, unless it is there: a stream tells its items again at the end. */
static struct sem_leave *add_leave(struct sem_call *c, struct sem_leave **list,
				   const struct json *id)
{
	struct sem_leave *l;

	while (*list && !sv_eq((*list)->id, json_sv(id)))
		list = &(*list)->next;
	l = *list || !json_sv(id).n ? NULL : arena_alloc(&c->arena, sizeof(*l));
	if (!l)
		return NULL;
	l->id = arena_dup(&c->arena, json_sv(id));
	*list = l;
	return l;
}

static void given_leave(struct sem_call *c, const struct json *item)
{
	struct sem_leave *l = add_leave(c, &c->leaves, json_get(item, "approval_request_id"));

	if (!l)
		return;
	l->granted = json_true(json_get(item, "approve"));
	l->reason = arena_dup(&c->arena, json_sv(json_get(item, "reason")));
}

static void input(struct sem_call *c, const struct json *list)
{
	struct sem_tool_result **tail = &c->results;

	json_for_each (list, item) {
		struct sv type = item_type(item);

		json_push(c->input_messages, input_message(c, item, type));
		if (is_models(item, type)) {
			c->results = NULL;
			c->leaves = NULL;
			tail = &c->results;
		} else if (sv_is(type, "mcp_approval_response")) {
			given_leave(c, item);
		} else if (sv_ends(type, "_output")) {
			*tail = sem_result(c, call_id(item), json_get(item, "output"));
			if (*tail)
				tail = &(*tail)->next;
		}
	}
}

static void request_input(struct sem_call *c, const struct json *v)
{
	struct json *parts;

	if (!json_is(v, JSON_STRING) && !json_is(v, JSON_ARRAY))
		return;
	c->input_messages = json_array(&c->arena);
	if (v->type == JSON_ARRAY) {
		c->input_message_cnt = (int64_t)v->cnt;
		input(c, v);
		return;
	}
	parts = json_array(&c->arena);
	openai_content(&c->arena, parts, v);
	c->input_message_cnt = 1;
	json_push(c->input_messages, otel_message(&c->arena, SV("user"), parts));
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *conversation = json_get(body, "conversation");
	const struct json *instructions = json_get(body, "instructions");
	const struct json *generate = json_get(body, "generate");
	struct sv format = json_sv(json_path(body, "text.format.type"));

	openai_params(c, body);
	sem_keep_int(&c->max_tokens, json_get(body, "max_output_tokens"));
	sem_keep(c, &c->previous_response_id, json_get(body, "previous_response_id"));
	c->prepares = json_is(generate, JSON_BOOL) && !generate->b;
	sem_keep(c, &c->conversation_id, conversation);
	sem_keep(c, &c->conversation_id, json_get(conversation, "id"));
	if (sv_starts(format, "json"))
		c->output_type = SV("json");
	else if (sv_is(format, "text"))
		c->output_type = SV("text");
	if (json_sv(instructions).n) {
		c->system_instructions = json_array(&c->arena);
		openai_content(&c->arena, c->system_instructions, instructions);
	}
	request_input(c, json_get(body, "input"));
	json_for_each (json_get(body, "tools"), t)
		openai_tool(c, t);
}

/* --- answer --- */

static void take_list(struct sem_call *c, enum part_kind kind, int64_t at, int64_t sub,
		      const struct json *list, uint64_t ts)
{
	json_for_each (list, e) {
		struct sv text = json_sv(json_get(e, "text"));
		bool refusal = json_str_is(json_get(e, "type"), "refusal");
		struct choice *ch = answer_choice(c, 0);

		if (refusal)
			text = json_sv(json_get(e, "refusal"));
		else if (!text.n)
			text = json_sv(json_get(e, "transcript")); /* of realtime's audio */
		if (text.n)
			part_set(c, answer_part(c, ch, refusal ? PART_REFUSAL : kind, at, sub),
				 text, ts);
		sub++;
	}
}

static void take_call(struct sem_call *c, int64_t at, const struct json *item, struct sv type,
		      bool done, uint64_t ts)
{
	bool client = client_call(item, type);
	const struct json *args = call_arguments(item);
	struct part *p =
		answer_part(c, answer_choice(c, 0), client ? PART_TOOL : PART_SERVER, at, 0);

	part_name(c, p, client ? call_id(item) : json_sv(json_get(item, "id")),
		  call_name(item, type), ts);
	part_set(c, p, openai_arguments(&c->arena, args), ts);
	if (!p)
		return;
	p->done |= done;
	p->cut |= args && args->cut;
}

/* Its results are there when the request asked to include them. */
static void take_file_search(struct sem_call *c, const struct json *item)
{
	retrieval_text(c, json_get(item, "queries"));
	json_for_each (json_get(item, "results"), e)
		sem_document(c, json_get(e, "file_id"), "score", json_get(e, "score"));
}

static void take_leave(struct sem_call *c, const struct json *item)
{
	struct sem_leave *l = add_leave(c, &c->asks_leave, json_get(item, "id"));

	if (l)
		l->name = arena_dup(&c->arena, json_sv(json_get(item, "name")));
}

/* An output item as far as it is there: added, done, or in the final response. */
static void take_item(struct sem_call *c, int64_t at, const struct json *item, bool done,
		      uint64_t ts)
{
	struct sv type = item_type(item);
	struct part *p;

	if (sv_is(type, "message")) {
		take_list(c, PART_TEXT, at, 0, json_get(item, "content"), ts);
	} else if (sv_is(type, "reasoning")) {
		take_list(c, PART_REASONING, at, 0, json_get(item, "summary"), ts);
		take_list(c, PART_REASONING, at, SUB_CONTENT, json_get(item, "content"), ts);
	} else if (sv_ends(type, "_call")) {
		take_call(c, at, item, type, done, ts);
		if (done && sv_is(type, "file_search_call"))
			take_file_search(c, item);
	} else if (type.n) {
		if (done && sv_is(type, "mcp_approval_request"))
			take_leave(c, item);
		p = answer_part(c, answer_choice(c, 0), PART_OTHER, at, 0);
		part_name(c, p, SV(""), type, ts);
		if (p)
			p->other = otel_generic(&c->arena, item);
	}
}

static void take_status(struct sem_call *c, const struct json *r)
{
	const struct json *reason = json_path(r, "incomplete_details.reason");
	const struct json *status = json_get(r, "status");
	struct choice *ch;

	if (!json_sv(reason).n)
		reason = status;
	if (!json_sv(reason).n || json_str_is(reason, "queued") ||
	    json_str_is(reason, "in_progress"))
		return;
	ch = answer_choice(c, 0);
	if (ch)
		sem_keep(c, &ch->finish, reason);
}

/* A response object, whole or as it is so far. */
static void take_response(struct sem_call *c, const struct json *r, uint64_t ts)
{
	const struct json *error = json_get(r, "error"), *output = json_get(r, "output");
	struct answer *ans = c->state;
	struct choice *ch = ans->cnt ? ans->choices[0] : NULL;
	int64_t at = 0;

	sem_keep(c, &c->response_id, json_get(r, "id"));
	sem_keep(c, &c->response_model, json_get(r, "model"));
	sem_keep(c, &c->response_service_tier, json_get(r, "service_tier"));
	openai_usage(c, json_get(r, "usage"));
	if (json_is(error, JSON_OBJECT) && error->cnt)
		sem_error_set(c, error);
	take_status(c, r);
	if (!json_is(output, JSON_ARRAY) || !output->cnt)
		return;
	c->retrieval_documents = NULL;
	/* parts that this has too become fresh again */
	for (size_t i = 0; ch && i < ch->cnt; i++)
		ch->parts[i]->stale = true;
	json_for_each (output, item)
		take_item(c, at++, item, !item->cut, ts);
}

static void response(struct sem_call *c, const struct json *body)
{
	take_response(c, body, 0);
}

/* Deltas and what closes them, by the middle of their name: response.NAME.delta, response.NAME.done. */
static const struct {
	const char *name, *whole; /* whole: the field of .done */
	enum part_kind kind;
	const char *sub; /* the field with the place inside the item */
	int64_t sub_base;
} streams[] = {
	{ "output_text", "text", PART_TEXT, "content_index", 0 },
	/* realtime, which also had other names once */
	{ "text", "text", PART_TEXT, "content_index", 0 },
	{ "output_audio_transcript", "transcript", PART_TEXT, "content_index", 0 },
	{ "audio_transcript", "transcript", PART_TEXT, "content_index", 0 },
	{ "refusal", "refusal", PART_REFUSAL, "content_index", 0 },
	{ "reasoning_summary_text", "text", PART_REASONING, "summary_index", 0 },
	{ "reasoning_text", "text", PART_REASONING, "content_index", SUB_CONTENT },
	{ "function_call_arguments", "arguments", PART_TOOL, NULL, 0 },
	{ "custom_tool_call_input", "input", PART_TOOL, NULL, 0 },
	{ "mcp_call_arguments", "arguments", PART_SERVER, NULL, 0 },
	{ "code_interpreter_call_code", "code", PART_SERVER, NULL, 0 },
};

static void take_delta(struct sem_call *c, struct sv name, bool done, const struct json *data,
		       uint64_t ts)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		const struct json *v = json_get(data, done ? streams[i].whole : "delta");
		int64_t at = 0, sub = 0;
		struct part *p;

		if (!sv_is(name, streams[i].name) || !json_sv(v).n)
			continue;
		sem_keep_int(&at, json_get(data, "output_index"));
		if (streams[i].sub)
			sem_keep_int(&sub, json_get(data, streams[i].sub));
		if (sub < 0 || sub >= SUB_CONTENT)
			return;
		p = answer_part(c, answer_choice(c, 0), streams[i].kind, at,
				streams[i].sub_base + sub);
		if (done)
			part_set(c, p, v->s, ts);
		else
			part_add(c, p, v->s, ts);
		if (p)
			p->cut |= v->cut;
		return;
	}
}

static bool is_final(struct sv name)
{
	return sv_is(name, "completed") || sv_is(name, "incomplete") || sv_is(name, "failed") ||
	       sv_is(name, "cancelled") || sv_is(name, "done"); /* realtime */
}

static void event(struct sem_call *c, struct sv event_name, const struct json *data, uint64_t ts)
{
	struct sv name = json_sv(json_get(data, "type"));
	struct sv first, last;
	int64_t at = 0;

	if (!name.n)
		name = event_name;
	if (!sv_starts(name, "response."))
		return;
	name = sv_sub(name, strlen("response."), name.n);
	sem_keep_int(&at, json_get(data, "output_index"));
	last = name;
	first = sv_token(&last, '.');
	if (is_final(name) && json_is(json_get(data, "response"), JSON_OBJECT))
		c->terminated = true;
	if (json_is(json_get(data, "response"), JSON_OBJECT))
		take_response(c, json_get(data, "response"), ts);
	else if (sv_is(first, "output_item"))
		take_item(c, at, json_get(data, "item"), sv_is(last, "done"), ts);
	else if (sv_is(last, "delta") || sv_is(last, "done"))
		take_delta(c, first, sv_is(last, "done"), data, ts);
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;

	c->response_cut |= ans->streamed && !c->terminated && !c->has_error;
}

/* Fetching an answer that is kept, or made in the background: the POST was the operation. */
static int claim_get(const struct sem_route *r)
{
	long at = sv_find(r->path, SV("/responses/"));
	struct sv id =
		at < 0 ? SV("") : sv_sub(r->path, (size_t)at + strlen("/responses/"), r->path.n);

	return sv_is(r->method, "GET") && sv_starts(id, "resp") && sv_find(id, SV("/")) < 0 ? 80
											    : 0;
}

static void route_get(struct sem_call *c, const struct sem_route *r)
{
	c->stream = sv_is(sem_query(r->query, "stream"), "true");
}

const struct sem_ops sem_openai_responses_get = {
	.api = "openai.responses.get",
	.state_sz = sizeof(struct answer),
	.claim = claim_get,
	.route = route_get,
	.response = response,
	.event = event,
	.finish = finish,
};

/* Over a WebSocket: response.create begins a call, with the request beside its type or inside. */
static enum sem_turn client(struct sem_session *s, const struct json *v)
{
	const struct json *inner = json_get(v, "response");

	if (!json_str_is(json_get(v, "type"), "response.create"))
		return SEM_TURN_NONE;
	return sem_session_begin(s, json_is(inner, JSON_OBJECT) ? inner : v);
}

static enum sem_turn server(struct sem_session *s, const struct json *v)
{
	(void)s;
	(void)v;
	return SEM_TURN_ANSWER;
}

static const struct sem_live live = { .client = client, .server = server };

const struct sem_ops sem_openai_responses = {
	.api = "openai.responses",
	.operation = "chat",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.live = &live,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
