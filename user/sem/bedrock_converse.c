// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bedrock Converse and ConverseStream.  A content block is a part, at its index.  A stream is AWS
 * messages named by their event; text blocks come without a start.  Facts of the API reference and of
 * recorded traffic.
 */
#include "sem/bedrock.h"
#include "sem/otel.h"

static int claim(const struct sem_route *r)
{
	return bedrock_verb(r, "converse") || bedrock_verb(r, "converse-stream") ? 90 : 0;
}

static void route(struct sem_call *c, const struct sem_route *r)
{
	bedrock_route(c, r);
	c->stream = bedrock_verb(r, "converse-stream");
}

/* --- request --- */

static struct json *media_part(struct arena *a, const struct json *media, const char *kind)
{
	struct sv format = json_sv(json_get(media, "format"));
	struct sv bytes = json_sv(json_path(media, "source.bytes"));
	struct sv uri = json_sv(json_path(media, "source.s3Location.uri"));
	const char *family = strcmp(kind, "document") ? kind : "application";

	if (uri.n)
		return otel_uri(a, kind, uri);
	return otel_blob(a, arena_fmt(a, "%s/" SV_FMT, family, SV_ARG(format)), bytes);
}

static bool is_server(const struct json *use)
{
	return json_str_is(json_get(use, "type"), "server_tool_use");
}

static struct json *block_part(struct arena *a, const struct json *block)
{
	static const char *const media[] = { "image", "video", "audio", "document" };
	const struct json *v = json_get(block, "toolUse");
	struct sv id = json_sv(json_get(v, "toolUseId"));
	struct sv name = json_sv(json_get(v, "name"));

	if (json_get(block, "text"))
		return otel_text(a, "text", json_sv(json_get(block, "text")));
	if (v && is_server(v))
		return otel_server_call(a, id, name, json_copy(a, json_get(v, "input")));
	if (v)
		return otel_tool_call(a, id, name, json_copy(a, json_get(v, "input")));
	v = json_get(block, "toolResult");
	if (v && json_get(v, "type")) /* of a tool that Bedrock ran */
		return otel_server_response(a, json_sv(json_get(v, "toolUseId")), v);
	if (v)
		return otel_tool_response(a, json_sv(json_get(v, "toolUseId")),
					  json_get(v, "content"));
	if (json_get(block, "reasoningContent"))
		return otel_text(a, "reasoning",
				 json_sv(json_path(block, "reasoningContent.reasoningText.text")));
	if (json_get(block, "guardContent"))
		return otel_text(a, "text", json_sv(json_path(block, "guardContent.text.text")));
	if (json_get(block, "cachePoint"))
		return NULL;
	for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
		if (json_get(block, media[i]))
			return media_part(a, json_get(block, media[i]), media[i]);
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

static bool only_results(const struct json *content)
{
	if (!json_is(content, JSON_ARRAY) || !content->cnt)
		return false;
	json_for_each (content, block)
		if (!json_get(block, "toolResult"))
			return false;
	return true;
}

static void add_results(struct sem_call *c, struct sem_tool_result ***tail,
			const struct json *content)
{
	json_for_each (content, block) {
		const struct json *v = json_get(block, "toolResult");
		const struct json *parts = json_get(v, "content");
		struct sem_tool_result *r;

		if (!v)
			continue;
		r = sem_result(c, json_sv(json_get(v, "toolUseId")), parts);
		if (!r)
			return;
		json_for_each (parts, p)
			if (!r->text.n && json_get(p, "json"))
				r->text = json_text(&c->arena, json_get(p, "json"));
		r->has_error = true; /* without a status it succeeded */
		r->is_error = json_str_is(json_get(v, "status"), "error");
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

static void tool(struct sem_call *c, const struct json *t)
{
	const struct json *spec = json_get(t, "toolSpec");
	struct sv built_in = json_sv(json_path(t, "systemTool.name"));

	if (spec)
		otel_tool(c, SV("function"), json_sv(json_get(spec, "name")),
			  json_get(spec, "description"), json_path(spec, "inputSchema.json"));
	else if (built_in.n)
		otel_tool(c, built_in, built_in, NULL, NULL);
}

static void take_config(struct sem_call *c, const struct json *body)
{
	const struct json *config = json_get(body, "inferenceConfig");
	const struct json *more = json_get(body, "additionalModelRequestFields");
	int64_t top_k;

	sem_keep_int(&c->max_tokens, json_get(config, "maxTokens"));
	sem_keep_float(&c->temperature, json_get(config, "temperature"));
	sem_keep_float(&c->top_p, json_get(config, "topP"));
	top_k = sem_first_int(body, "inferenceConfig.topK", "additionalModelRequestFields.top_k",
			      "additionalModelRequestFields.inferenceConfig.topK", NULL);
	if (top_k != SEM_NONE)
		c->top_k = (double)top_k;
	c->stop_sequences = sem_strings(c, json_get(config, "stopSequences"));
	sem_keep(c, &c->service_tier, json_path(body, "serviceTier.type"));
	sem_keep(c, &c->reasoning_effort, json_get(more, "reasoning_effort"));
	sem_keep(c, &c->reasoning_effort, json_path(more, "output_config.effort"));
	if (json_str_is(json_path(body, "outputConfig.textFormat.type"), "json_schema"))
		c->output_type = SV("json");
}

static void request(struct sem_call *c, const struct json *body)
{
	const struct json *system = json_get(body, "system");

	if (json_is(system, JSON_ARRAY) && system->cnt)
		c->system_instructions = content_parts(&c->arena, system);
	messages(c, json_get(body, "messages"));
	take_config(c, body);
	json_for_each (json_path(body, "toolConfig.tools"), t)
		tool(c, t);
}

/* --- answer --- */

static void take_usage(struct sem_call *c, const struct json *u)
{
	int64_t input = sem_first_int(u, "inputTokens", NULL);

	if (!json_is(u, JSON_OBJECT) || !u->cnt)
		return;
	c->has_usage = true;
	sem_keep_json(c, &c->usage_raw, u);
	c->usage.output = sem_first_int(u, "outputTokens", NULL);
	c->usage.cache_read =
		sem_first_int(u, "cacheReadInputTokens", "cacheReadInputTokenCount", NULL);
	c->usage.cache_write =
		sem_first_int(u, "cacheWriteInputTokens", "cacheWriteInputTokenCount", NULL);
	if (input != SEM_NONE)
		c->usage.input =
			sem_plus(sem_plus(input, c->usage.cache_read), c->usage.cache_write);
}

static void take_stop(struct sem_call *c, const struct json *reason)
{
	struct choice *ch = json_sv(reason).n ? answer_choice(c, 0) : NULL;

	if (ch)
		sem_keep(c, &ch->finish, reason);
}

/* A call begins: its input is here in a whole answer, and follows in a stream. */
static struct part *take_use(struct sem_call *c, int64_t index, const struct json *use, uint64_t ts)
{
	const struct json *input = json_get(use, "input");
	struct part *p = answer_part(c, answer_choice(c, 0),
				     is_server(use) ? PART_SERVER : PART_TOOL, index, 0);

	part_name(c, p, json_sv(json_get(use, "toolUseId")), json_sv(json_get(use, "name")), ts);
	if (!p)
		return NULL;
	p->args = input && input->cnt ? json_text(&c->arena, input) : SV("{}");
	p->cut |= input && input->cut;
	return p;
}

static void take_block(struct sem_call *c, int64_t index, const struct json *block)
{
	struct choice *ch = answer_choice(c, 0);
	struct sv thought = json_sv(json_path(block, "reasoningContent.reasoningText.text"));
	struct sv text = json_sv(json_get(block, "text"));
	struct part *p = NULL;

	if (json_get(block, "toolUse"))
		p = take_use(c, index, json_get(block, "toolUse"), 0);
	else if (thought.n)
		part_add(c, answer_part(c, ch, PART_REASONING, index, 0), thought, 0);
	else if (text.n)
		part_add(c, answer_part(c, ch, PART_TEXT, index, 0), text, 0);
	else if (json_is(block, JSON_OBJECT) && !json_get(block, "text") &&
		 !json_get(block, "reasoningContent"))
		p = answer_part(c, ch, PART_OTHER, index, 0);
	if (p)
		p->done = !block->cut;
	if (p && p->kind == PART_OTHER)
		p->other = block_part(&c->arena, block);
}

static void response(struct sem_call *c, const struct json *body)
{
	int64_t index = 0;

	json_for_each (json_path(body, "output.message.content"), block)
		take_block(c, index++, block);
	take_stop(c, json_get(body, "stopReason"));
	take_usage(c, json_get(body, "usage"));
}

static void take_delta(struct sem_call *c, int64_t index, const struct json *d, uint64_t ts)
{
	static const struct {
		const char *path;
		enum part_kind kind;
	} deltas[] = {
		{ "text", PART_TEXT },
		{ "reasoningContent.text", PART_REASONING },
		{ "toolUse.input", PART_TOOL },
	};
	struct choice *ch = answer_choice(c, 0);

	for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
		const struct json *v = json_path(d, deltas[i].path);
		struct part *p;

		if (!json_sv(v).n)
			continue;
		p = answer_part(c, ch, deltas[i].kind, index, 0);
		part_add(c, p, v->s, ts);
		if (p)
			p->cut |= v->cut;
	}
}

void converse_event(struct sem_call *c, struct sv name, const struct json *data, uint64_t ts)
{
	struct converse *st = c->state;
	int64_t index = 0;

	sem_keep_int(&index, json_get(data, "contentBlockIndex"));
	if (sv_is(name, "contentBlockStart")) {
		const struct json *use = json_path(data, "start.toolUse");

		if (use)
			take_use(c, index, use, ts);
	} else if (sv_is(name, "contentBlockDelta")) {
		take_delta(c, index, json_get(data, "delta"), ts);
	} else if (sv_is(name, "contentBlockStop")) {
		struct choice *ch = answer_choice(c, 0);

		for (size_t i = 0; ch && i < ch->cnt; i++)
			ch->parts[i]->done |= ch->parts[i]->key == index;
	} else if (sv_is(name, "messageStop")) {
		take_stop(c, json_get(data, "stopReason"));
		st->stopped = true;
	} else if (sv_is(name, "metadata")) {
		take_usage(c, json_get(data, "usage"));
		c->terminated = true;
	}
}

static void finish(struct sem_call *c)
{
	struct converse *st = c->state;

	c->response_cut |= st->answer.streamed && !st->stopped && !c->terminated && !c->has_error;
}

const struct sem_ops sem_bedrock_converse = {
	.api = "bedrock.converse",
	.operation = "chat",
	.state_sz = sizeof(struct converse),
	.claim = claim,
	.route = route,
	.request = request,
	.response = response,
	.event = converse_event,
	.finish = finish,
};
