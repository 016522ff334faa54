// SPDX-License-Identifier: BSD-2-Clause
/*
 * OpenAI chat completions, and the many that speak it: Azure, Groq, DeepSeek, Mistral, OpenRouter,
 * Together, Cerebras, vLLM, Ollama ... with what each does differently (facts of their API references
 * and of recorded traffic).  A unary message and a stream's delta are taken by the same code.
 */
#include "base/cleanup.h"
#include "sem/answer.h"
#include "sem/openai.h"

/* Where a choice's parts stand in its message. */
enum { KEY_REASONING, KEY_TEXT, KEY_REFUSAL, KEY_MEDIA, KEY_SERVER, KEY_TOOL };

/* The same thoughts come under several names at once; the lowest that has any counts. */
enum { THOUGHT_CONTENT, THOUGHT_PLAIN, THOUGHT_PART, THOUGHT_DETAIL, THOUGHT_CNT };

static int claim(const struct sem_route *r)
{
	if (!sv_is(r->method, "POST"))
		return 0;
	if (sv_ends(r->path, "/chat/completions"))
		return 90;
	/* Writer's own path; elsewhere /v1/chat is another API */
	if (sv_is(r->path, "/v1/chat") && sv_is(r->host, "api.writer.com"))
		return 90;
	return 0;
}

/* --- request --- */

static void output_type(struct sem_call *c, const struct json *body)
{
	struct sv format = json_sv(json_path(body, "response_format.type"));

	if (sv_starts(format, "json"))
		c->output_type = SV("json");
	else if (sv_is(format, "text"))
		c->output_type = SV("text");
	json_for_each (json_get(body, "modalities"), m)
		if (json_str_is(m, "audio"))
			c->output_type = SV("speech");
}

static struct sv details_text(struct arena *a, const struct json *details)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_for_each (details, d) {
		buf_sv(&b, json_sv(json_get(d, "text")));
		buf_sv(&b, json_sv(json_get(d, "summary")));
	}
	return b.len ? arena_dup(a, buf_view(&b)) : (struct sv){ NULL, 0 };
}

/* The thoughts of a message but for those that are parts of its content. */
static struct sv thoughts_of(struct arena *a, const struct json *m)
{
	struct sv s = json_sv(json_get(m, "reasoning_content"));

	if (!s.n)
		s = json_sv(json_get(m, "reasoning"));
	if (!s.n)
		s = json_sv(json_get(m, "thinking")); /* Ollama */
	return s.n ? s : details_text(a, json_get(m, "reasoning_details"));
}

static void push_call(struct arena *a, struct json *parts, struct sv id, const struct json *f,
		      const char *args)
{
	struct sv text = openai_arguments(a, json_get(f, args));

	json_push(parts,
		  otel_tool_call(a, id, json_sv(json_get(f, "name")), otel_arguments(a, text)));
}

static void call_parts(struct arena *a, struct json *parts, const struct json *m)
{
	const struct json *f = json_get(m, "function_call");

	json_for_each (json_get(m, "tool_calls"), t) {
		const struct json *call = json_get(t, "function");
		struct sv id = json_sv(json_get(t, "id"));

		if (call)
			push_call(a, parts, id, call, "arguments");
		else
			push_call(a, parts, id, json_get(t, "custom"), "input");
	}
	if (json_sv(json_get(f, "name")).n)
		push_call(a, parts, SV(""), f, "arguments");
}

static struct json *message(struct sem_call *c, const struct json *m, struct sv role)
{
	struct json *parts = json_array(&c->arena);
	struct json *msg = otel_message(&c->arena, role, parts);
	const struct json *content = json_get(m, "content");
	struct sv name = json_sv(json_get(m, "name"));

	if (name.n)
		json_set(&c->arena, msg, "name", json_string(&c->arena, name));
	if (sv_is(role, "tool") || sv_is(role, "function")) {
		struct sv id = json_sv(json_get(m, "tool_call_id"));

		json_push(parts, otel_tool_response(&c->arena, id, content));
		return msg;
	}
	json_push(parts, otel_text(&c->arena, "reasoning", thoughts_of(&c->arena, m)));
	openai_content(&c->arena, parts, content);
	json_push(parts, otel_text(&c->arena, "refusal", json_sv(json_get(m, "refusal"))));
	call_parts(&c->arena, parts, m);
	return msg;
}

/* Ollama's own API says tool_name */
static void take_result_name(struct sem_call *c, struct sem_tool_result *r, const struct json *m)
{
	sem_keep(c, &r->name, json_get(m, "tool_name"));
	sem_keep(c, &r->name, json_get(m, "name"));
}

void openai_messages(struct sem_call *c, const struct json *list)
{
	struct sem_tool_result **tail = &c->results;

	if (!json_is(list, JSON_ARRAY))
		return;
	c->input_message_cnt = (int64_t)list->cnt;
	c->input_messages = json_array(&c->arena);
	json_for_each (list, m) {
		struct sv role = json_sv(json_get(m, "role"));

		json_push(c->input_messages, message(c, m, role));
		if (sv_is(role, "assistant")) {
			c->results = NULL;
			tail = &c->results;
		} else if (sv_is(role, "tool") || sv_is(role, "function")) {
			*tail = sem_result(c, json_sv(json_get(m, "tool_call_id")),
					   json_get(m, "content"));
			if (*tail)
				take_result_name(c, *tail, m);
			if (*tail)
				tail = &(*tail)->next;
		}
	}
}

/* Two deviate enough to be told apart by who reads the spans. */
static void dialect(struct sem_call *c)
{
	if (sv_is(c->provider, "mistral_ai"))
		c->api = "mistral.chat";
	else if (sv_is(c->provider, "writer"))
		c->api = "writer.chat";
}

static void request(struct sem_call *c, const struct json *body)
{
	dialect(c);
	openai_params(c, body);
	sem_keep_int(&c->max_tokens, json_get(body, "max_tokens"));
	sem_keep_int(&c->max_tokens, json_get(body, "max_completion_tokens"));
	sem_keep_int(&c->choice_count, json_get(body, "n"));
	output_type(c, body);
	openai_messages(c, json_get(body, "messages"));
	json_for_each (json_get(body, "tools"), t)
		openai_tool(c, t);
	json_for_each (json_get(body, "functions"), f)
		otel_tool(c, SV("function"), json_sv(json_get(f, "name")),
			  json_get(f, "description"), json_get(f, "parameters"));
}

/* --- answer --- */

/*
 * The call that a fragment continues.  Fragments of one call share an index, and only its first has
 * a name; but Gemini gives several whole calls one index, or none, and some repeat id and name, or
 * have the id alone to tell fragments by.
 */
static struct part *tool_part(struct sem_call *c, struct choice *ch, int64_t index, struct sv id,
			      struct sv name)
{
	struct part *p = NULL, *last = ch->cnt ? ch->parts[ch->cnt - 1] : NULL;
	int64_t next = last && last->key == KEY_TOOL ? last->sub + 1 : 0;
	bool same;

	for (size_t i = ch->cnt; !p && i-- > 0 && ch->parts[i]->key == KEY_TOOL;)
		if (index == SEM_NONE ? !id.n || sv_eq(ch->parts[i]->id, id)
				      : ch->parts[i]->index == index)
			p = ch->parts[i];
	same = p && id.n && sv_eq(id, p->id);
	if (p && name.n && p->name.n && !same && (index == SEM_NONE || id.n))
		p = NULL;
	if (!p)
		p = answer_part(c, ch, PART_TOOL, KEY_TOOL, next);
	if (p)
		p->index = index;
	return p;
}

static void take_tool_call(struct sem_call *c, struct choice *ch, const struct json *t, uint64_t ts)
{
	const struct json *f = json_get(t, "function"), *args = json_get(f, "arguments");
	const struct json *custom = json_get(t, "custom");
	struct sv id = json_sv(json_get(t, "id"));
	struct sv name = json_sv(json_get(f, "name"));
	int64_t index = SEM_NONE;
	struct part *p;

	/* Snowflake sends both, one of them empty */
	if (!name.n && json_sv(json_get(custom, "name")).n) {
		name = json_sv(json_get(custom, "name"));
		args = json_get(custom, "input");
	} else if (!f && custom) {
		args = json_get(custom, "input");
	}
	sem_keep_int(&index, json_get(t, "index"));
	p = tool_part(c, ch, index, id, name);
	part_name(c, p, id, name, ts);
	part_add(c, p, openai_arguments(&c->arena, args), ts);
	if (p && args && args->cut)
		p->cut = true;
}

/* The API of before tools: one call, without an id. */
static void take_function_call(struct sem_call *c, struct choice *ch, const struct json *f,
			       uint64_t ts)
{
	struct sv name = json_sv(json_get(f, "name"));
	const struct json *args = json_get(f, "arguments");
	struct part *p;

	if (!name.n && !json_sv(args).n)
		return;
	p = answer_part(c, ch, PART_TOOL, KEY_TOOL, -1);
	part_name(c, p, SV(""), name, ts);
	part_add(c, p, openai_arguments(&c->arena, args), ts);
	if (p && args && args->cut)
		p->cut = true;
}

/* Groq: tools that it ran; each comes twice in a stream, without and with its output. */
static void take_executed(struct sem_call *c, struct choice *ch, const struct json *tools,
			  uint64_t ts)
{
	int64_t at = 0;

	json_for_each (tools, t) {
		int64_t index = at++;
		struct sv name = json_sv(json_get(t, "name"));
		struct part *p;

		sem_keep_int(&index, json_get(t, "index"));
		p = answer_part(c, ch, PART_SERVER, KEY_SERVER, index);
		part_name(c, p, json_sv(json_get(t, "id")),
			  name.n ? name : json_sv(json_get(t, "type")), ts);
		part_set(c, p, openai_arguments(&c->arena, json_get(t, "arguments")), ts);
		if (p)
			p->done = true;
	}
}

static void take_content(struct sem_call *c, struct choice *ch, const struct json *content,
			 uint64_t ts)
{
	if (json_sv(content).n)
		part_add(c, answer_part(c, ch, PART_TEXT, KEY_TEXT, 0), content->s, ts);
	if (!json_is(content, JSON_ARRAY))
		return;
	/* Mistral: a list of parts */
	json_for_each (content, e) {
		struct sv type = json_sv(json_get(e, "type"));
		struct sv text = json_sv(json_get(e, "text"));

		if (sv_is(type, "thinking"))
			part_add(c, answer_part(c, ch, PART_REASONING, KEY_REASONING, THOUGHT_PART),
				 sem_text_of(&c->arena, json_get(e, "thinking")), ts);
		else if (text.n && (!type.n || sv_ends(type, "text")))
			part_add(c, answer_part(c, ch, PART_TEXT, KEY_TEXT, 0), text, ts);
	}
}

static void take_thoughts(struct sem_call *c, struct choice *ch, const struct json *m, uint64_t ts)
{
	const struct sv by_name[] = {
		[THOUGHT_CONTENT] = json_sv(json_get(m, "reasoning_content")),
		[THOUGHT_PLAIN] = json_sv(json_get(m, "reasoning")),
		[THOUGHT_DETAIL] = details_text(&c->arena, json_get(m, "reasoning_details")),
	};

	for (size_t i = 0; i < ARRAY_SIZE(by_name); i++)
		if (by_name[i].n)
			part_add(c, answer_part(c, ch, PART_REASONING, KEY_REASONING, (int64_t)i),
				 by_name[i], ts);
}

static void take_audio(struct sem_call *c, struct choice *ch, const struct json *audio)
{
	struct sv data = json_sv(json_get(audio, "data"));
	struct part *p = data.n ? answer_part(c, ch, PART_OTHER, KEY_MEDIA, 0) : NULL;

	if (p)
		p->other = otel_blob(&c->arena, SV("audio/*"), data);
}

/* A whole message, or a piece of one. */
void openai_take_message(struct sem_call *c, struct choice *ch, const struct json *m, uint64_t ts)
{
	struct sv refusal = json_sv(json_get(m, "refusal"));

	take_thoughts(c, ch, m, ts);
	take_content(c, ch, json_get(m, "content"), ts);
	if (refusal.n)
		part_add(c, answer_part(c, ch, PART_REFUSAL, KEY_REFUSAL, 0), refusal, ts);
	take_audio(c, ch, json_get(m, "audio"));
	take_executed(c, ch, json_get(m, "executed_tools"), ts);
	json_for_each (json_get(m, "tool_calls"), t)
		take_tool_call(c, ch, t, ts);
	take_function_call(c, ch, json_get(m, "function_call"), ts);
}

static void take_choices(struct sem_call *c, const struct json *list, uint64_t ts)
{
	int64_t at = 0;

	if (!json_is(list, JSON_ARRAY))
		return;
	json_for_each (list, e) {
		const struct json *m = json_get(e, "delta");
		int64_t index = at++;
		struct choice *ch;

		if (!json_is(m, JSON_OBJECT))
			m = json_get(e, "message");
		sem_keep_int(&index, json_get(e, "index"));
		ch = answer_choice(c, index);
		if (!ch)
			return;
		openai_take_message(c, ch, m, ts);
		/* Mistral's models on Bedrock have the other name; vLLM has both */
		openai_usage(c, json_get(e, "usage"));          /* Moonshot */
		if (json_is(json_get(e, "error"), JSON_OBJECT)) /* OpenRouter */
			sem_error_set(c, json_get(e, "error"));
		sem_keep(c, &ch->finish,
			 json_get(e,
				  json_get(e, "finish_reason") ? "finish_reason" : "stop_reason"));
	}
}

/* llama.cpp counts here, always; its usage in a stream comes only when it is asked for. */
static void take_timings(struct sem_call *c, const struct json *t)
{
	int64_t cached = sem_first_int(t, "cache_n", NULL);
	int64_t prompt = sem_first_int(t, "prompt_n", NULL);

	if (c->usage_raw.n || !json_is(t, JSON_OBJECT))
		return; /* real usage has come; of timings, which each chunk may have, the last count */
	c->usage.output = sem_first_int(t, "predicted_n", NULL);
	c->has_usage = c->usage.output != SEM_NONE;
	if (cached < 0 || prompt < 0) /* what a cache served is not in prompt_n */
		return;
	c->usage.input = sem_plus(prompt, cached);
	c->usage.cache_read = cached;
}

static void take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	if (!c->response_id.n)
		sem_keep(c, &c->response_id, json_get(v, "id"));
	sem_keep(c, &c->response_model, json_get(v, "model"));
	sem_keep(c, &c->response_service_tier, json_get(v, "service_tier"));
	sem_keep(c, &c->system_fingerprint, json_get(v, "system_fingerprint"));
	take_choices(c, json_get(v, "choices"), ts);
	openai_usage(c, json_path(v, "x_groq.usage"));
	openai_usage(c, json_get(v, "usage"));
	take_timings(c, json_get(v, "timings"));
	sem_keep(c, &c->upstream, json_get(v, "provider")); /* OpenRouter */
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

static void drop_repeated_thoughts(struct choice *ch)
{
	bool have = false;

	for (size_t i = 0; i < ch->cnt && ch->parts[i]->key == KEY_REASONING; i++) {
		ch->parts[i]->stale = have;
		have = true;
	}
}

static void finish(struct sem_call *c)
{
	struct answer *ans = c->state;
	bool open = !ans->cnt;

	for (size_t i = 0; i < ans->cnt; i++) {
		struct choice *ch = ans->choices[i];

		drop_repeated_thoughts(ch);
		open |= !ch->finish.n;
		for (size_t k = 0; k < ch->cnt; k++)
			ch->parts[k]->done |= c->terminated || ch->finish.n;
	}
	/* some end a stream without [DONE], but not without a finish reason */
	c->response_cut |= open && ans->streamed && !c->terminated && !c->has_error;
}

const struct sem_ops sem_openai_chat = {
	.api = "openai.chat",
	.operation = "chat",
	.state_sz = sizeof(struct answer),
	.claim = claim,
	.route = openai_route,
	.request = request,
	.response = response,
	.event = event,
	.finish = finish,
};
