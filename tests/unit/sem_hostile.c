// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every API of sem.def with bodies and events that have its field names, but any type of value under
 * them and at any depth: nothing crashes, nothing runs away, and what is found stays inside bounds.
 */
#include "hostile.h"
#include "sem_test.h"

#define ROUNDS 300
#define DEPTH 6

static const char *const paths[] = {
	"/v1/messages",
	"/v1/complete",
	"/v1/chat/completions",
	"/v1/responses",
	"/v1/completions",
	"/v1/embeddings",
	"/v1/models/m:generateContent",
	"/v1internal:streamGenerateContent",
	"/v1/models/m:embedContent",
	"/v1/publishers/google/models/embedding:predict",
	"/model/m/converse",
	"/model/m/converse-stream",
	"/model/m/invoke",
	"/model/m/invoke-with-response-stream",
	"/v2/chat",
	"/v1/chat",
	"/v1/generate",
	"/v1/embed",
	"/v1/rerank",
	"/api/chat",
	"/api/generate",
	"/api/embed",
	"/v1/messages/count_tokens",
	"/v1/vector_stores/v/search",
	"/knowledgebases/k/retrieve",
	"/query",
	"/records/namespaces/n/search",
	"/collections/c/points/query",
	"/api/v2/collections/c/query",
	"/v1/graphql",
	"/v2/vectordb/entities/search",
	"/i/_search",
	"/completion",
};

/* Field names of all wire formats, and the words that they are told by. */
static const char *const words[] = {
	"id",
	"type",
	"index",
	"model",
	"text",
	"content",
	"parts",
	"role",
	"name",
	"message",
	"messages",
	"delta",
	"choices",
	"usage",
	"tool_calls",
	"function",
	"arguments",
	"input",
	"output",
	"error",
	"code",
	"finish_reason",
	"finishReason",
	"stop_reason",
	"stopReason",
	"candidates",
	"contents",
	"functionCall",
	"functionResponse",
	"response",
	"request",
	"args",
	"thought",
	"executableCode",
	"toolCall",
	"toolType",
	"codeExecutionResult",
	"inlineData",
	"mimeType",
	"data",
	"promptFeedback",
	"blockReason",
	"usageMetadata",
	"promptTokenCount",
	"contentBlockIndex",
	"start",
	"toolUse",
	"toolResult",
	"reasoningContent",
	"reasoningText",
	"bytes",
	"amazon-bedrock-invocationMetrics",
	"generations",
	"results",
	"outputs",
	"completions",
	"embeddings",
	"embedding",
	"float",
	"relevance_score",
	"chat_history",
	"tool_results",
	"tool_call_delta",
	"parameters",
	"event_type",
	"stream-end",
	"tool-plan-delta",
	"content-delta",
	"tool-call-start",
	"message-end",
	"tool_plan",
	"thinking",
	"done",
	"done_reason",
	"prompt",
	"system",
	"systemInstruction",
	"tools",
	"functionDeclarations",
	"toolConfig",
	"toolSpec",
	"content_block_start",
	"content_block_delta",
	"message_delta",
	"contentBlockStart",
	"contentBlockDelta",
	"contentBlockStop",
	"messageStop",
	"metadata",
	"predictions",
	"statistics",
	"anthropic_version",
	"documents",
	"query",
	"inputText",
	"inferenceConfig",
	"eyJhIjoxfQ==",
	"source",
	"format",
	"image",
	"meta",
	"billed_units",
	"value",
	"item",
	"response.output_item.done",
	"response.completed",
	"output_index",
	"vector",
	"topK",
	"top_k",
	"limit",
	"matches",
	"hits",
	"result",
	"points",
	"groups",
	"score",
	"searches",
	"nearest",
	"query_embeddings",
	"ids",
	"distances",
	"collectionName",
	"Get nearText concepts",
	"Get",
	"_additional",
	"knn",
	"field",
	"query_vector",
	"retrievalQuery",
};

static const char *word(uint64_t *seed)
{
	return words[rnd_below(seed, ARRAY_SIZE(words))];
}

static void value(struct buf *b, uint64_t *seed, int depth)
{
	size_t n = rnd_below(seed, 5);

	switch (rnd_below(seed, depth ? 8 : 5)) {
	case 0:
		buf_str(b, rnd_below(seed, 2) ? "null" : "true");
		return;
	case 1:
		buf_fmt(b, "%lld", (long long)rnd(seed) >> rnd_below(seed, 64));
		return;
	case 2:
		buf_str(b, "1e999");
		return;
	case 3:
	case 4:
		buf_fmt(b, "\"%s\"", word(seed));
		return;
	case 5:
		buf_str(b, "[");
		for (size_t i = 0; i < n; i++) {
			buf_str(b, i ? "," : "");
			value(b, seed, depth - 1);
		}
		buf_str(b, "]");
		return;
	default:
		break;
	}
	buf_str(b, "{");
	for (size_t i = 0; i < n; i++) {
		buf_fmt(b, "%s\"%s\":", i ? "," : "", word(seed));
		value(b, seed, depth - 1);
	}
	buf_str(b, "}");
}

static struct sv object(struct buf *b, uint64_t *seed)
{
	buf_clear(b);
	buf_str(b, "{");
	for (size_t i = 0; i < 6; i++) {
		buf_fmt(b, "%s\"%s\":", i ? "," : "", word(seed));
		value(b, seed, DEPTH);
	}
	buf_str(b, "}");
	return sv_sub(buf_view(b), 0, rnd_below(seed, 4) ? b->len : rnd_below(seed, b->len));
}

static void one_call(const char *path, uint64_t *seed)
{
	_cleanup_call_ struct sem_call *c = call_to("api.cohere.com", path);
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_non_null(c);
	sem_request(c, object(&b, seed), false);
	if (rnd_below(seed, 2)) {
		sem_response(c, rnd_below(seed, 4) ? 200 : 400, object(&b, seed), false);
	} else {
		for (size_t i = rnd_below(seed, 12); i > 0; i--) {
			struct sse_event ev = { .event = sv(word(seed)),
						.data = object(&b, seed),
						.ts_last = i,
						.error = !rnd_below(seed, 20) };

			sem_event(c, &ev);
		}
	}
	sem_finish(c, rnd_below(seed, 2));
	/* both can be written, and are UTF-8 by that */
	buf_clear(&b);
	json_write(&b, c->input_messages);
	json_write(&b, c->output_messages);
	assert_int_equal(b.err, 0);
	for (const struct sem_tool_call *t = c->calls; t; t = t->next)
		assert_true(!t->args.n || t->args.p);
	for (const struct sem_tool_result *r = c->results; r; r = r->next)
		assert_true(!r->text.n || r->text.p);
}

static void test_hostile(void **state)
{
	uint64_t seed = 1234567;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (size_t k = 0; k < ROUNDS; k++)
			one_call(paths[i], &seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hostile) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
