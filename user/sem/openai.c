// SPDX-License-Identifier: BSD-2-Clause
/* What OpenAI's two APIs and their imitators have in common: see openai.h. */
#include "sem/openai.h"

#include "base/cleanup.h"

void openai_params(struct sem_call *c, const struct json *body)
{
	const struct json *stop = json_get(body, "stop");

	sem_keep(c, &c->request_model, json_get(body, "model"));
	sem_keep(c, &c->service_tier, json_get(body, "service_tier"));
	c->stream = json_true(json_get(body, "stream"));
	sem_keep_float(&c->temperature, json_get(body, "temperature"));
	sem_keep_float(&c->top_p, json_get(body, "top_p"));
	sem_keep_float(&c->top_k, json_get(body, "top_k"));
	sem_keep_float(&c->frequency_penalty, json_get(body, "frequency_penalty"));
	sem_keep_float(&c->presence_penalty, json_get(body, "presence_penalty"));
	sem_keep_int(&c->seed, json_get(body, "seed"));
	c->stop_sequences = sem_strings(c, stop);
	sem_keep(c, &c->reasoning_effort, json_get(body, "reasoning_effort"));
	sem_keep(c, &c->reasoning_effort, json_path(body, "reasoning.effort"));
}

/* OpenRouter says a number, Perplexity an object. */
static void take_cost(struct sem_call *c, const struct json *cost)
{
	if (json_is(cost, JSON_OBJECT))
		cost = json_get(cost, "total_cost");
	sem_keep_float(&c->reported_cost, cost);
}

/* xAI leaves reasoning out of completion_tokens: its total is the sum of all three. */
static void add_reasoning(struct sem_usage *u, const struct json *v)
{
	int64_t total = sem_first_int(v, "total_tokens", NULL);

	if (u->reasoning > 0 && u->input >= 0 && u->output >= 0 && u->input <= total &&
	    u->output <= total - u->input && total - u->input - u->output == u->reasoning)
		u->output += u->reasoning;
}

void openai_usage(struct sem_call *c, const struct json *u)
{
	if (!json_is(u, JSON_OBJECT) || !u->cnt)
		return; /* some end with an empty one */
	c->has_usage = true;
	sem_keep_json(c, &c->usage_raw, u);
	c->usage.input = sem_first_int(u, "prompt_tokens", "input_tokens", NULL);
	c->usage.output = sem_first_int(u, "completion_tokens", "output_tokens", NULL);
	/* Writer and the realtime API write token_details; DeepSeek, Mistral and Together have flat fields */
	c->usage.cache_read = sem_first_int(
		u, "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens",
		"prompt_token_details.cached_tokens", "input_token_details.cached_tokens",
		"prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens", NULL);
	c->usage.cache_write = sem_first_int(u, "prompt_tokens_details.cache_write_tokens",
					     "input_tokens_details.cache_write_tokens", NULL);
	c->usage.reasoning = sem_first_int(u, "completion_tokens_details.reasoning_tokens",
					   "output_tokens_details.reasoning_tokens",
					   "completion_token_details.reasoning_tokens", NULL);
	c->usage.input_audio = sem_first_int(u, "prompt_tokens_details.audio_tokens",
					     "input_token_details.audio_tokens", NULL);
	c->usage.output_audio = sem_first_int(u, "completion_tokens_details.audio_tokens",
					      "output_token_details.audio_tokens", NULL);
	add_reasoning(&c->usage, u);
	take_cost(c, json_get(u, "cost"));
}

/* The string at key, or that of its member "url" ({"image_url": "..."} and {"image_url": {"url"}}). */
static struct sv url_of(const struct json *part, const char *key)
{
	const struct json *v = json_get(part, key);

	return json_is(v, JSON_OBJECT) ? json_sv(json_get(v, "url")) : json_sv(v);
}

static struct json *audio_part(struct arena *a, const struct json *audio)
{
	struct sv format = json_sv(json_get(audio, "format"));
	struct sv mime = arena_fmt(a, "audio/" SV_FMT, SV_ARG(format));

	return otel_blob(a, format.n ? mime : SV("audio/*"), json_sv(json_get(audio, "data")));
}

/* file_data is a data: URL or bare base64 */
static struct json *file_part(struct arena *a, const struct json *f)
{
	struct sv id = json_sv(json_get(f, "file_id"));
	struct sv data = json_sv(json_get(f, "file_data"));
	struct sv url = json_sv(json_get(f, "file_url"));

	if (url.n)
		return otel_uri(a, "document", url);
	if (sv_istarts(data, "data:"))
		return otel_uri(a, "document", data);
	return data.n ? otel_blob(a, SV(""), data) : otel_file(a, "document", id);
}

static struct json *media_part(struct arena *a, const struct json *p, struct sv type)
{
	static const struct {
		const char *type, *key, *modality;
	} urls[] = {
		{ "image_url", "image_url", "image" },
		{ "input_image", "image_url", "image" },
		{ "video_url", "video_url", "video" },
		{ "document_url", "document_url", "document" },
	};
	const struct json *inner;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct sv url = sv_is(type, urls[i].type) ? url_of(p, urls[i].key) : SV("");

		if (url.n)
			return otel_uri(a, urls[i].modality, url);
	}
	if (sv_is(type, "input_image"))
		return otel_file(a, "image", json_sv(json_get(p, "file_id")));
	if (sv_is(type, "input_audio") && json_get(p, "input_audio"))
		return audio_part(a, json_get(p, "input_audio"));
	if (sv_is(type, "input_file"))
		return file_part(a, p);
	inner = json_get(p, "file");
	if (sv_is(type, "file") && json_is(inner, JSON_OBJECT))
		return file_part(a, inner);
	return otel_generic(a, p);
}

static struct json *content_part(struct arena *a, const struct json *p)
{
	struct sv type = json_sv(json_get(p, "type"));
	const struct json *text = json_get(p, "text");

	if (sv_is(type, "refusal"))
		return otel_text(a, "refusal", json_sv(json_get(p, "refusal")));
	if (sv_is(type, "thinking"))
		return otel_text(a, "reasoning", sem_text_of(a, json_get(p, "thinking")));
	if (sv_is(type, "reasoning_text") || sv_is(type, "summary_text"))
		return otel_text(a, "reasoning", json_sv(text));
	if (!type.n || sv_ends(type, "text"))
		return otel_text(a, "text", json_sv(text));
	return media_part(a, p, type);
}

void openai_content(struct arena *a, struct json *parts, const struct json *content)
{
	if (json_is(content, JSON_STRING))
		json_push(parts, otel_text(a, "text", content->s));
	if (!json_is(content, JSON_ARRAY))
		return;
	json_for_each (content, p)
		json_push(parts, content_part(a, p));
}

void openai_tool(struct sem_call *c, const struct json *tool)
{
	const struct json *f = json_get(tool, "function");
	struct sv type = json_sv(json_get(tool, "type"));

	if (!json_is(f, JSON_OBJECT))
		f = json_get(tool, "custom");
	if (!json_is(f, JSON_OBJECT))
		f = tool;
	/* Mistral's client leaves the type out */
	if (!type.n)
		type = SV("function");
	otel_tool(c, type, json_sv(json_get(f, "name")), json_get(f, "description"),
		  sv_is(type, "function") ? json_get(f, "parameters") : NULL);
}

void openai_route(struct sem_call *c, const struct sem_route *r)
{
	/* Azure: /openai/deployments/{deployment}/chat/completions */
	c->request_model = sem_path_model(&c->arena, r->path, "/deployments/");
}

struct sv openai_arguments(struct arena *a, const struct json *v)
{
	if (!v || v->type == JSON_NULL)
		return (struct sv){ NULL, 0 };
	return v->type == JSON_STRING ? v->s : json_text(a, v);
}
