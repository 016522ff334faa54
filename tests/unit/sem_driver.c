// SPDX-License-Identifier: BSD-2-Clause
/* The driver of user/sem: who claims what, providers, errors of every shape, what is a stream. */
#include <errno.h>

#include "sem_test.h"

static void test_claims(void **state)
{
	static const struct {
		const char *method, *host, *path, *api; /* api NULL: nobody's */
	} cases[] = {
		{ "POST", "api.openai.com", "/v1/chat/completions", "openai.chat" },
		{ "POST", "localhost", "/any/prefix/chat/completions", "openai.chat" },
		{ "POST", "x.openai.azure.com", "/openai/deployments/d/chat/completions",
		  "openai.chat" },
		{ "POST", "api.writer.com", "/v1/chat", "openai.chat" },
		{ "POST", "api.cohere.com", "/v1/chat", "cohere.chat_v1" },
		{ "POST", "api.cohere.com", "/v2/chat", "cohere.chat" },
		{ "POST", "api.cohere.com", "/v2/embed", "cohere.embed" },
		{ "POST", "api.cohere.com", "/v1/generate", "cohere.generate" },
		{ "POST", "api.cohere.com", "/v1/tokenize", NULL },
		{ "POST", "api.cohere.com", "/v2/rerank", "rerank" },
		{ "POST", "example.org", "/v1/generate", NULL },
		{ "GET", "api.openai.com", "/v1/chat/completions", NULL },
		{ "POST", "api.openai.com", "/v1/completions", "openai.completions" },
		{ "POST", "api.openai.com", "/v1/embeddings", "openai.embeddings" },
		{ "POST", "x.openai.azure.com", "/openai/deployments/d/embeddings",
		  "openai.embeddings" },
		{ "POST", "api.anthropic.com", "/v1/messages", "anthropic.messages" },
		{ "POST", "localhost", "/anthropic/v1/messages", "anthropic.messages" },
		{ "POST", "x-aiplatform.googleapis.com",
		  "/v1/projects/p/locations/l/publishers/anthropic/models/m@1:streamRawPredict",
		  "anthropic.messages" },
		{ "POST", "api.anthropic.com", "/v1/complete", "anthropic.complete" },
		{ "POST", "api.aleph-alpha.com", "/complete", NULL },
		{ "POST", "api.anthropic.com", "/v1/messages/batches", NULL },
		{ "POST", "example.org", "/messages", NULL },
		{ "POST", "api.deepseek.com", "/responses", "openai.responses" },
		{ "POST", "api.openai.com", "/v1/responses", "openai.responses" },
		{ "POST", "api.openai.com", "/v1/responses/resp_1/cancel", NULL },
		{ "GET", "api.openai.com", "/v1/responses/resp_1", "openai.responses.get" },
		{ "GET", "api.openai.com", "/v1/responses/resp_1/input_items", NULL },
		{ "POST", "generativelanguage.googleapis.com",
		  "/v1beta/models/gemini-2.5-pro:generateContent", "gemini.generate" },
		{ "POST", "cloudcode-pa.googleapis.com", "/v1internal:streamGenerateContent",
		  "gemini.generate" },
		{ "POST", "h.test", "/v1beta/models/m:batchEmbedContents", "gemini.embed" },
		{ "POST", "h.test", "/v1/projects/p/publishers/google/models/m:predict",
		  "vertex.predict" },
		{ "POST", "h.test", "/v1beta/fileSearchStores/x:uploadToFileSearchStore", NULL },
		{ "POST", "h.test", "/model/m/converse", "bedrock.converse" },
		{ "POST", "h.test", "/model/arn:aws:x/y/converse-stream", "bedrock.converse" },
		{ "POST", "h.test", "/model/m/invoke-with-response-stream", "bedrock.invoke" },
		{ "POST", "h.test", "/model/invoke", NULL },
		{ "POST", "h.test", "/api/chat", "ollama.chat" },
		{ "POST", "h.test", "/api/generate", "ollama.generate" },
		{ "POST", "h.test", "/api/embed", "ollama.embeddings" },
		{ "POST", "h.test", "/api/embeddings", "ollama.embeddings" },
		{ "GET", "h.test", "/api/tags", NULL },
		/* no model operation, but known */
		{ "POST", "api.anthropic.com", "/v1/messages/count_tokens",
		  "anthropic.count_tokens" },
		{ "POST", "h.test",
		  "/v1/projects/p/publishers/anthropic/models/count-tokens:rawPredict",
		  "anthropic.count_tokens" },
		{ "POST", "h.test", "/model/m/count-tokens", "bedrock.count_tokens" },
		{ "POST", "h.test", "/v1beta/models/m:countTokens", "gemini.count_tokens" },
		{ "POST", "api.openai.com", "/v1/responses/input_tokens",
		  "openai.responses.count_tokens" },
		{ "POST", "api.openai.com", "/v1/responses/compact", "openai.responses.compact" },
		{ "POST", "api.openai.com", "/v1/images/generations", "openai.images" },
		{ "POST", "api.openai.com", "/v1/moderations", "openai.moderations" },
		{ "POST", "h.test", "/guardrail/g/version/1/apply", "bedrock.guardrail" },
		{ "GET", "api.openai.com", "/v1/threads/t/runs/r", "openai.assistants" },
		{ "POST", "example.org", "/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sem_route r = { .method = sv(cases[i].method),
				       .host = sv(cases[i].host),
				       .path = sv(cases[i].path) };
		struct sem_call *const untouched = (struct sem_call *)&r;
		struct sem_call *c = untouched;
		int err = sem_call_new(&c, &r);

		if (!cases[i].api) {
			assert_int_equal(err, -ENOENT);
			assert_ptr_equal(c, untouched);
			continue;
		}
		assert_int_equal(err, 0);
		assert_string_equal(c->api, cases[i].api);
		sem_call_free(&c);
		assert_null(c);
		sem_call_free(&c);
	}
}

static void test_claim_by_header(void **state)
{
	struct http_field fields[] = { { SV("host"), SV("gateway.test:11434") },
				       { SV("Anthropic-Version"), SV("2023-06-01") } };
	struct http_msg head = { .fields = fields, .field_cnt = ARRAY_SIZE(fields) };
	struct sem_route r = { .method = SV("POST"),
			       .host = SV("gateway.test"),
			       .path = SV("/claude/messages"),
			       .head = &head };
	_cleanup_call_ struct sem_call *c = NULL;

	(void)state;
	assert_int_equal(sem_call_new(&c, &r), 0);
	assert_string_equal(c->api, "anthropic.messages");
	/* only the header has the port */
	assert_sv(c->provider, "ollama");
}

static void test_providers(void **state)
{
	static const char *const cases[][2] = {
		{ "API.OpenAI.com:443", "openai" },
		{ "me.openai.azure.com", "azure.ai.openai" },
		{ "us-east5-aiplatform.googleapis.com", "gcp.vertex_ai" },
		{ "bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock" },
		{ "bedrock-mantle.us-east-1.api.aws", "aws.bedrock" },
		{ "bedrock-runtime-fips.us-east-1.amazonaws.com", "aws.bedrock" },
		{ "cloudcode-pa.googleapis.com", "gcp.gen_ai" },
		{ "org-account.snowflakecomputing.com", "snowflake" },
		{ "[::1]:11434", "ollama" },
		{ "api.openai.com.evil.test", "" },
		{ "notapi.openai.com", "" },
		{ "localhost:8000", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_sv(sem_provider(sv(cases[i][0])), cases[i][1]);
}

static void test_http_errors(void **state)
{
	static const struct {
		const char *body, *type, *code, *message;
	} cases[] = {
		{ "{'error':{'type':'invalid_request_error','code':'bad','message':'no'}}",
		  "invalid_request_error", "bad", "no" },
		{ "{'type':'error','error':{'type':'not_found_error','message':'no'}}",
		  "not_found_error", "", "no" },
		{ "{'error':{'type':null,'code':429,'message':'no','status':503}}", "429", "429",
		  "no" },
		{ "[{'error':{'code':400,'status':'INVALID_ARGUMENT','message':'no'}}]",
		  "INVALID_ARGUMENT", "400", "no" },
		{ "{'error':'no'}", "", "", "no" },
		{ "{'object':'error','message':'no','type':'BadRequestError','code':400}",
		  "BadRequestError", "400", "no" },
		{ "{'message':'no','request_id':'1'}", "", "", "no" },
		{ "{'detail':[{'msg':'no'}]}", "", "", "[{\"msg\":\"no\"}]" },
		{ "{'some':'thing'}", "", "", "" },
		{ "<html>Bad gateway</html>", "", "", "" },
		{ "upstream timed out", "", "", "upstream timed out" },
		{ "", "", "", "" },
		{ "{'error':{'type':'x_error','message':'cut he", "x_error", "", "cut he" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t api = 0; api < 3; api++) {
			static const char *const paths[] = { "/v1/messages", "/v1/responses",
							     "/v1/chat/completions" };
			_cleanup_call_ struct sem_call *c = call_to("h.test", paths[api]);

			send_answer(c, 400, cases[i].body);
			sem_finish(c, false);
			assert_true(c->has_error);
			assert_sv(c->error.type, cases[i].type);
			assert_sv(c->error.code, cases[i].code);
			assert_sv(c->error.message, cases[i].message);
			assert_false(c->has_usage);
			assert_null(c->output_messages);
			assert_null(c->response_id.p);
		}
}

/* An error with status 200 has the error and what came besides. */
static void test_error_in_success(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("h.test", "/v1/chat/completions");
	_cleanup_call_ struct sem_call *none = call_to("h.test", "/v1/responses");

	(void)state;
	send_answer(c, 200,
		    "{'id':'x','error':{'code':'content_filter','message':'no'},"
		    "'choices':[{'message':{'content':'so far'}}]}");
	sem_finish(c, false);
	assert_sv(c->error.type, "content_filter");
	assert_sv(buf_view(&c->text), "so far");
	send_answer(none, 200, "{'id':'x','error':null,'status':'completed'}");
	assert_false(none->has_error);
}

/* What is answered in no known shape gives nothing, and no error either. */
static void test_foreign_answers(void **state)
{
	static const char *const bodies[] = {
		"{'hello':'world'}", "[]", "null", "3", "''", "<p>", "", "{"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_call_ struct sem_call *c = call_to("h.test", "/v1/messages");

		send_request(c, bodies[i]);
		send_answer(c, 200, bodies[i]);
		sem_finish(c, false);
		sem_finish(c, false); /* twice is once */
		assert_false(c->has_error);
		assert_null(c->calls);
		assert_int_equal(c->text.len, 0);
		assert_int_equal(c->request_seen, bodies[i][0] == '{');
	}
}

static void test_cut_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("h.test", "/v1/messages");

	(void)state;
	send_request(c, "{'model':'m','stream':true,'max_tokens':1024,'messages':[{'role':'user','"
			"content':'a'},{'role':'user','cont");
	assert_true(c->request_seen);
	assert_true(c->request_cut);
	assert_sv(c->request_model, "m");
	assert_true(c->stream);
	assert_int_equal(c->input_message_cnt, 2);
}

static void test_framing(void **state)
{
	static const struct {
		const char *path; /* what the API streams as decides, where nothing else does */
		const char *type, *first;
		enum framing how;
	} cases[] = {
		{ "/v1/messages", "text/event-stream", "data: {", FRAMING_SSE },
		{ "/v1/messages", "text/event-stream; charset=utf-8", "", FRAMING_SSE },
		{ "/v1/messages", "Text/Event-Stream", "da", FRAMING_SSE },
		{ "/v1/messages", "text/event-stream", "{\"error", FRAMING_WHOLE },
		{ "/v1/messages", "text/event-stream", "\n\n[{", FRAMING_WHOLE },
		{ "/v1/messages", "application/json", "{\"id\":", FRAMING_WHOLE },
		{ "/v1/messages", "application/json", "event: m", FRAMING_SSE },
		{ "/v1/messages", "", ": OPENRO", FRAMING_SSE },
		{ "/v1/messages", "", "\r\ndata:", FRAMING_SSE },
		{ "/v1/messages", "text/html", "<html>", FRAMING_WHOLE },
		{ "/v1/messages", "", "", FRAMING_WHOLE },
		{ "/v1/messages", "text/plain", "database", FRAMING_WHOLE },
		{ "/v1/messages", "application/x-ndjson", "{\"a\"", FRAMING_LINES },
		{ "/api/chat", "application/x-ndjson", "{\"model\"", FRAMING_LINES },
		{ "/api/chat", "text/plain", "{\"model\"", FRAMING_LINES },
		{ "/api/chat", "application/json; charset=utf-8", "{\"model\"", FRAMING_WHOLE },
		{ "/api/chat", "text/html", "<html>", FRAMING_WHOLE },
		{ "/v1/chat", "application/stream+json", "{\"is_fin", FRAMING_LINES },
		{ "/v1/chat", "text/event-stream", "event: t", FRAMING_SSE },
		{ "/v1/models/m:streamGenerateContent", "application/json", "[{\n", FRAMING_ARRAY },
		{ "/v1/models/m:streamGenerateContent", "application/json", "{\"err",
		  FRAMING_WHOLE },
		{ "/v1/models/m:streamGenerateContent", "text/event-stream", "data: {",
		  FRAMING_SSE },
		{ "/v1/models/m:generateContent", "application/json", "[{", FRAMING_WHOLE },
		{ "/model/m/converse-stream", "application/vnd.amazon.eventstream", "\1\2",
		  FRAMING_EVENTSTREAM },
		{ "/model/m/converse-stream", "application/vnd.amazon.eventstream", "{\"mes",
		  FRAMING_WHOLE },
		{ "/model/m/converse-stream", "application/json", "{\"mess", FRAMING_WHOLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to("h.test", cases[i].path);

		/* Cohere streams when asked, Ollama unless asked not to */
		send_request(c, sv_is(sv(cases[i].path), "/v1/chat") ? "{'stream':true}" : "{}");
		assert_int_equal(sem_framing(c, sv(cases[i].type), sv(cases[i].first)),
				 cases[i].how);
	}
}

/* The length of an AWS message begins with a byte that is 0. */
static void test_framing_of_binary(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("h.test", "/model/m/converse-stream");
	struct sv first = { "\0\0\0\x80\0\0\0\x40", 8 };

	(void)state;
	assert_int_equal(sem_framing(c, SV("application/vnd.amazon.eventstream"), first),
			 FRAMING_EVENTSTREAM);
	assert_int_equal(sem_framing(c, SV("application/octet-stream"), first), FRAMING_WHOLE);
}

static void test_framed_error(void **state)
{
	static const struct {
		const char *data, *message;
	} cases[] = {
		{ "{'message':'slow down'}", "slow down" },
		{ "no json", "no json" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to("h.test", "/model/m/converse-stream");
		_cleanup_free_ char *data = quoted(cases[i].data);
		struct sse_event ev = { .event = SV("throttlingException"),
					.data = sv(data),
					.error = true };

		sem_event(c, &ev);
		sem_finish(c, false);
		assert_true(c->has_error);
		assert_false(c->response_cut);
		assert_sv(c->error.type, "throttlingException");
		assert_sv(c->error.message, cases[i].message);
	}
}

static void test_error_type_by_header(void **state)
{
	struct http_field fields[] = { { SV("x-amzn-ErrorType"),
					 SV("ValidationException:http://internal/") } };
	struct http_msg head = { .fields = fields, .field_cnt = 1 };
	_cleanup_call_ struct sem_call *c = call_to("h.test", "/model/m/converse");

	(void)state;
	sem_head(c, &head);
	assert_false(c->has_error);
	send_answer(c, 400, "{'message':'no'}");
	sem_finish(c, false);
	assert_true(c->has_error);
	assert_sv(c->error.type, "ValidationException");
	assert_sv(c->error.message, "no");
}

static void test_error_event_of_text(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("h.test", "/v1/chat/completions");

	(void)state;
	send_event(c, "error", "worker died", 1);
	sem_finish(c, false);
	assert_true(c->has_error);
	assert_sv(c->error.message, "worker died");
	assert_int_equal(c->bad_events, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_claim_by_header),
		cmocka_unit_test(test_providers),
		cmocka_unit_test(test_http_errors),
		cmocka_unit_test(test_error_in_success),
		cmocka_unit_test(test_foreign_answers),
		cmocka_unit_test(test_cut_request),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_framing_of_binary),
		cmocka_unit_test(test_framed_error),
		cmocka_unit_test(test_error_type_by_header),
		cmocka_unit_test(test_error_event_of_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
