// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bodies under Bedrock Invoke that are their model family's own: see bedrock.h.  Each family has its
 * words for the same few things, so tables of paths say where they stand; what a family does not have
 * is not there.  Facts of Bedrock's model parameter reference and of recorded traffic.
 */
#include "sem/bedrock.h"
#include "sem/otel.h"
#include "sem/wire.h"

#define CNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct json *first_of(const struct json *v, const char *const *paths, size_t cnt)
{
	const struct json *found = NULL;

	for (size_t i = 0; i < cnt && (!found || found->type == JSON_NULL); i++)
		found = json_path(v, paths[i]);
	return found;
}

#define FIRST(v, ...)                                     \
	first_of(v, (const char *const[]){ __VA_ARGS__ }, \
		 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* --- request --- */

static bool has_any(const struct json *body, const char *const *keys, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (json_get(body, keys[i]))
			return true;
	return false;
}

static bool is_embedding(const struct sem_call *c, const struct json *body)
{
	static const char *const keys[] = { "texts",      "normalize",      "dimensions",
					    "inputImage", "embeddingTypes", "embeddingConfig",
					    "input_type" };

	return sv_has(json_sv(json_get(body, "taskType")), "EMBEDDING") ||
	       sv_has(c->request_model, "embed") || has_any(body, keys, CNT(keys));
}

static void take_config(struct sem_call *c, const struct json *body)
{
	const struct json *stop = FIRST(body, "stop", "stop_sequences", "stopSequences",
					"textGenerationConfig.stopSequences");

	c->max_tokens = sem_first_int(body, "max_tokens", "max_tokens_to_sample", "max_gen_len",
				      "maxTokens", "textGenerationConfig.maxTokenCount", NULL);
	sem_keep_float(&c->temperature,
		       FIRST(body, "temperature", "textGenerationConfig.temperature"));
	sem_keep_float(&c->top_p, FIRST(body, "top_p", "topP", "p", "textGenerationConfig.topP"));
	sem_keep_float(&c->top_k, FIRST(body, "top_k", "topK", "k"));
	sem_keep_int(&c->choice_count, json_get(body, "num_generations"));
	c->stop_sequences = sem_strings(c, stop);
}

void native_request(struct sem_call *c, const struct json *body)
{
	const struct json *query = json_get(body, "query");

	if (query && json_get(body, "documents")) {
		c->operation = "retrieval";
		sem_keep(c, &c->retrieval_query, query);
		return;
	}
	if (is_embedding(c, body)) {
		c->operation = "embeddings";
		c->embedding_dimensions =
			sem_first_int(body, "dimensions", "output_dimension",
				      "embeddingConfig.outputEmbeddingLength",
				      "singleEmbeddingParams.embeddingDimension", NULL);
		c->encoding_formats =
			sem_strings(c, FIRST(body, "embedding_types", "embeddingTypes"));
		return;
	}
	/* Command R speaks Cohere's chat: {message, chat_history} */
	c->operation = json_get(body, "message") ? "chat" : "text_completion";
	sem_prompt(c, FIRST(body, "prompt", "inputText", "message"));
	take_config(c, body);
}

/* --- answer --- */

static const char *const texts[] = { "generation", "outputText", "completion", "text",
				     "data.text" };
static const char *const reasons[] = { "stop_reason", "completionReason", "finish_reason",
				       "finishReason.reason" };

static void take_choice(struct sem_call *c, const struct json *v, int64_t index, uint64_t ts)
{
	const struct json *text = first_of(v, texts, CNT(texts));
	const struct json *reason = first_of(v, reasons, CNT(reasons));
	struct choice *ch;

	if (!json_is(text, JSON_STRING) && !json_sv(reason).n)
		return;
	ch = answer_choice(c, index);
	if (!ch)
		return;
	if (json_sv(text).n)
		part_add(c, answer_part(c, ch, PART_TEXT, 0, 0), text->s, ts);
	sem_keep(c, &ch->finish, reason);
}

/* Cohere's chat has its calls beside the text. */
static void take_calls(struct sem_call *c, const struct json *list)
{
	int64_t at = 1;

	json_for_each (list, t) {
		const struct json *args = json_get(t, "parameters");
		struct part *p = answer_part(c, answer_choice(c, 0), PART_TOOL, at++, 0);

		part_name(c, p, SV(""), json_sv(json_get(t, "name")), 0);
		if (!p)
			return;
		p->args = args ? json_text(&c->arena, args) : SV("{}");
		p->done = !t->cut;
	}
}

static void take_vectors(struct sem_call *c, const struct json *v)
{
	const struct json *one = json_get(v, "embedding"), *all = json_get(v, "embeddings");

	if (!one && !all && !json_get(v, "embeddingsByType"))
		return;
	c->operation = "embeddings";
	sem_dimensions(c, one);
	sem_dimensions(c, FIRST(v, "embeddings.0", "embeddings.float.0"));
	sem_dimensions(c, FIRST(v, "embeddings.0.embedding", "embeddingsByType.float"));
}

/* What is a list: of generations, or of documents by relevance. */
static void take_list(struct sem_call *c, const struct json *list, uint64_t ts)
{
	int64_t index = 0;

	json_for_each (list, e) {
		const struct json *score = json_get(e, "relevance_score");

		if (score)
			sem_document(c, json_get(e, "index"), "score", score);
		else
			take_choice(c, e, index++, ts);
	}
}

void native_take(struct sem_call *c, const struct json *v, uint64_t ts)
{
	const struct json *list = FIRST(v, "results", "generations", "outputs", "completions");

	if (!c->response_id.n)
		sem_keep(c, &c->response_id, FIRST(v, "id", "response_id"));
	sem_keep(c, &c->response_model, json_get(v, "model"));
	if (list)
		take_list(c, list, ts);
	else
		take_choice(c, v, 0, ts);
	take_calls(c, json_get(v, "tool_calls"));
	take_vectors(c, v);
}

void native_usage(struct bedrock_usage *u, const struct json *v)
{
	int64_t input = sem_first_int(v, "prompt_token_count", "inputTextTokenCount",
				      "meta.billed_units.input_tokens", NULL);
	int64_t output =
		sem_first_int(v, "generation_token_count", "totalOutputTextTokenCount",
			      "results.0.tokenCount", "meta.billed_units.output_tokens", NULL);

	if (input != SEM_NONE)
		u->input = input;
	if (output != SEM_NONE)
		u->output = output;
}
