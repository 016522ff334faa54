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
		{ "POST", "api.cohere.com", "/v1/chat", NULL },
		{ "GET", "api.openai.com", "/v1/chat/completions", NULL },
		{ "POST", "api.openai.com", "/v1/completions", NULL },
		{ "POST", "api.anthropic.com", "/v1/messages", "anthropic.messages" },
		{ "POST", "localhost", "/anthropic/v1/messages", "anthropic.messages" },
		{ "POST", "api.anthropic.com", "/v1/messages/count_tokens", NULL },
		{ "POST", "api.anthropic.com", "/v1/messages/batches", NULL },
		{ "POST", "example.org", "/messages", NULL },
		{ "POST", "api.deepseek.com", "/responses", "openai.responses" },
		{ "POST", "api.openai.com", "/v1/responses", "openai.responses" },
		{ "POST", "api.openai.com", "/v1/responses/resp_1/cancel", NULL },
		{ "POST", "api.openai.com", "/v1/responses/compact", NULL },
		{ "GET", "api.openai.com", "/v1/responses/resp_1", NULL },
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

static void test_is_stream(void **state)
{
	static const struct {
		const char *type, *first;
		bool stream;
	} cases[] = {
		{ "text/event-stream", "data: {", true },
		{ "text/event-stream; charset=utf-8", "", true },
		{ "Text/Event-Stream", "da", true },
		{ "text/event-stream", "{\"error", false },
		{ "text/event-stream", "\n\n[{", false },
		{ "application/json", "{\"id\":", false },
		{ "application/json", "event: m", true },
		{ "", ": OPENRO", true },
		{ "", "\r\ndata:", true },
		{ "text/html", "<html>", false },
		{ "", "", false },
		{ "text/plain", "database", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(sem_is_stream(sv(cases[i].type), sv(cases[i].first)),
				 cases[i].stream);
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
		cmocka_unit_test(test_is_stream),
		cmocka_unit_test(test_error_event_of_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
