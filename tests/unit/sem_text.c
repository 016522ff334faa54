// SPDX-License-Identifier: BSD-2-Clause
/* Text completions and embeddings of OpenAI's kind, Anthropic's completions, Ollama, kept responses. */
#include "sem_test.h"

static void test_completions(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("api.openai.com", "/v1/completions");

	(void)state;
	assert_string_equal(c->operation, "text_completion");
	send_request(c, "{'model':'m','prompt':['a','b'],'n':2,'max_tokens':5,'stop':'END'}");
	assert_int_equal(c->input_message_cnt, 2);
	assert_json(c->input_messages, "[{'role':'user','parts':[{'type':'text','content':'a'}]},"
				       "{'role':'user','parts':[{'type':'text','content':'b'}]}]");
	send_answer(c, 200,
		    "{'id':'cmpl-1','model':'m-1','choices':[{'index':1,'text':'two',"
		    "'finish_reason':'length'},{'index':0,'text':'one','finish_reason':'stop'}],"
		    "'usage':{'prompt_tokens':3,'completion_tokens':4}}");
	sem_finish(c, false);
	assert_sv(buf_view(&c->text), "one");
	assert_json(c->finish_reasons, "['stop','length']");
	assert_sv(c->response_id, "cmpl-1");
	assert_sv(c->response_model, "m-1");
	assert_int_equal(c->usage.input, 3);
	assert_int_equal(c->usage.output, 4);
}

static void test_completion_streams(void **state)
{
	static const struct {
		const char *host, *api, *events[4];
		bool cut;
	} cases[] = {
		{ "api.openai.com",
		  "openai.completions",
		  { "{'choices':[{'index':0,'text':'yo'}]}",
		    "{'choices':[{'index':0,'text':'','finish_reason':'stop'}]}", "[DONE]" },
		  false },
		/* some end without [DONE] */
		{ "h.test",
		  "openai.completions",
		  { "{'choices':[{'index':0,'text':'yo','finish_reason':'stop'}]}" },
		  false },
		{ "h.test",
		  "openai.completions",
		  { "{'choices':[{'index':0,'text':'yo'}]}" },
		  true },
		{ "api.writer.com",
		  "writer.completions",
		  { "{'value':'y'}", "{'value':'o'}" },
		  false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to(cases[i].host, "/v1/completions");

		send_request(c, "{'model':'m','prompt':'hi','stream':true}");
		for (size_t k = 0; cases[i].events[k]; k++)
			send_event(c, "", cases[i].events[k], k + 1);
		sem_finish(c, false);
		assert_string_equal(c->api, cases[i].api);
		assert_sv(buf_view(&c->text), "yo");
		assert_int_equal(c->ts_first_token, 1);
		assert_int_equal(c->response_cut, cases[i].cut);
	}
}

static void test_embeddings(void **state)
{
	static const struct {
		const char *host, *path, *request, *answer, *api, *model, *formats;
		int64_t dimensions, input;
	} cases[] = {
		{ "api.openai.com", "/v1/embeddings",
		  "{'model':'e','input':'hi','encoding_format':'float'}",
		  "{'model':'e','data':[{'index':0,'embedding':[1,2,3]}],"
		  "'usage':{'prompt_tokens':4,'total_tokens':4}}",
		  "openai.embeddings", "e", "['float']", 3, 4 },
		/* base64 of two floats */
		{ "api.openai.com", "/v1/embeddings",
		  "{'model':'e','input':'hi','encoding_format':'base64'}",
		  "{'data':[{'embedding':'AACAPwAAAEA='}]}", "openai.embeddings", "e", "['base64']",
		  2, SEM_NONE },
		{ "x.openai.azure.com", "/openai/deployments/my%20d/embeddings",
		  "{'input':'hi','dimensions':64}", "{'data':[{'embedding':[1]}]}",
		  "openai.embeddings", "my d", "null", 64, SEM_NONE },
		{ "api.mistral.ai", "/v1/embeddings", "{'model':'mistral-embed','input':['a']}",
		  "{'id':'x','data':[{'embedding':[1,2]}],'usage':{'prompt_tokens':4,"
		  "'completion_tokens':0}}",
		  "mistral.embeddings", "mistral-embed", "null", 2, 4 },
		{ "api.voyageai.com", "/v1/embeddings", "{'model':'voyage-3','input':['a']}",
		  "{'data':[{'embedding':[1,2]}],'usage':{'total_tokens':12}}", "voyage.embeddings",
		  "voyage-3", "null", 2, 12 },
		{ "api.voyageai.com", "/v1/embeddings",
		  "{'model':'v','input':['a'],'encoding_format':'base64','output_dtype':'int8'}",
		  "{'data':[{'embedding':'AAAAAAAA'}]}", "voyage.embeddings", "v",
		  "['base64','int8']", SEM_NONE, SEM_NONE },
		{ "h.test:11434", "/api/embed", "{'model':'e','input':'hi'}",
		  "{'model':'e','embeddings':[[1,2]],'prompt_eval_count':3}", "ollama.embeddings",
		  "e", "null", 2, 3 },
		{ "h.test:11434", "/api/embeddings", "{'model':'e','prompt':'hi'}",
		  "{'embedding':[1,2]}", "ollama.embeddings", "e", "null", 2, SEM_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to(cases[i].host, cases[i].path);

		send_request(c, cases[i].request);
		send_answer(c, 200, cases[i].answer);
		sem_finish(c, false);
		assert_string_equal(c->api, cases[i].api);
		assert_string_equal(c->operation, "embeddings");
		assert_sv(c->request_model, cases[i].model);
		assert_json(c->encoding_formats, cases[i].formats);
		assert_int_equal(c->embedding_dimensions, cases[i].dimensions);
		assert_int_equal(c->usage.input, cases[i].input);
	}
}

static void test_anthropic_complete(void **state)
{
	_cleanup_call_ struct sem_call *whole = call_to("api.anthropic.com", "/v1/complete");
	_cleanup_call_ struct sem_call *stream = call_to("api.anthropic.com", "/v1/complete");

	(void)state;
	send_request(whole, "{'model':'claude-1','prompt':'Human: hi','max_tokens_to_sample':9}");
	assert_int_equal(whole->max_tokens, 9);
	assert_int_equal(whole->input_message_cnt, 1);
	send_answer(whole, 200,
		    "{'type':'completion','id':'compl_1','completion':' yo',"
		    "'stop_reason':'stop_sequence','model':'claude-1.3'}");
	sem_finish(whole, false);
	assert_sv(buf_view(&whole->text), " yo");
	assert_sv(whole->response_id, "compl_1");
	assert_sv(whole->response_model, "claude-1.3");
	assert_false(whole->has_usage);
	send_event(stream, "completion", "{'completion':' y','stop_reason':null}", 1);
	send_event(stream, "ping", "{}", 2);
	send_event(stream, "completion", "{'completion':'o','stop_reason':'stop_sequence'}", 3);
	sem_finish(stream, false);
	assert_sv(buf_view(&stream->text), " yo");
	assert_false(stream->response_cut);
}

static void test_ollama_chat(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("localhost", "/api/chat");

	(void)state;
	send_request(c,
		     "{'model':'llama','think':'high','format':{'type':'object'},"
		     "'options':{'temperature':0.5,'num_predict':9,'stop':['END']},"
		     "'tools':[{'type':'function','function':{'name':'ls'}}],"
		     "'messages':[{'role':'user','content':'hi'},{'role':'assistant',"
		     "'thinking':'hm','tool_calls':[{'function':{'name':'ls',"
		     "'arguments':{'d':1}}}]},{'role':'tool','tool_name':'ls','content':'ok'}]}");
	assert_true(c->stream);
	assert_int_equal(c->max_tokens, 9);
	assert_sv(c->output_type, "json");
	assert_sv(c->reasoning_effort, "high");
	assert_json(c->tool_names, "['ls']");
	assert_json(json_at(c->input_messages, 1),
		    "{'role':'assistant','parts':[{'type':'reasoning','content':'hm'},"
		    "{'type':'tool_call','name':'ls','arguments':{'d':1}}]}");
	assert_sv(c->results->name, "ls");
	assert_sv(c->results->text, "ok");
	send_event(c, "", "{'model':'llama','message':{'thinking':'hm'},'done':false}", 1);
	send_event(c, "", "{'model':'llama','message':{'content':'On'},'done':false}", 2);
	send_event(c, "",
		   "{'message':{'content':'e','tool_calls':[{'function':{'name':'ls',"
		   "'arguments':{'d':'/'}}},{'function':{'name':'pwd','arguments':{}}}]},"
		   "'done':false}",
		   3);
	assert_false(c->terminated);
	send_event(c, "",
		   "{'model':'llama','message':{'content':''},'done':true,"
		   "'done_reason':'stop','eval_count':7}",
		   4);
	sem_finish(c, false);
	assert_false(c->response_cut);
	assert_sv(c->response_model, "llama");
	assert_sv(buf_view(&c->text), "One");
	assert_sv(buf_view(&c->reasoning), "hm");
	assert_sv_json(c->calls->args, "{'d':'/'}");
	assert_sv(c->calls->next->name, "pwd");
	assert_false(c->calls->next->args_cut);
	assert_json(c->finish_reasons, "['stop']");
	/* the prompt was in the cache */
	assert_int_equal(c->usage.input, SEM_NONE);
	assert_int_equal(c->usage.output, 7);
}

static const char generated[] =
	"{'model':'llama','thinking':'hm','response':'One','done':true,'done_reason':'length',"
	"'prompt_eval_count':3,'eval_count':4,'context':[1,2]}";

static void test_ollama_generate(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("localhost", "/api/generate");
	_cleanup_call_ struct sem_call *cut = call_to("localhost", "/api/generate");

	(void)state;
	send_request(c, "{'model':'llama','prompt':'hi','system':'S','stream':false}");
	assert_false(c->stream);
	assert_int_equal(c->input_message_cnt, 1);
	assert_json(c->system_instructions, "[{'type':'text','content':'S'}]");
	send_answer(c, 200, generated);
	sem_finish(c, false);
	assert_sv(buf_view(&c->text), "One");
	assert_sv(buf_view(&c->reasoning), "hm");
	assert_int_equal(c->usage.input, 3);
	assert_int_equal(c->usage.output, 4);
	assert_every_cut("localhost", "/api/generate", generated, "One");
	send_event(cut, "", "{'response':'On','done':false}", 1);
	send_event(cut, "", "{'error':'out of memory'}", 2);
	sem_finish(cut, true);
	assert_true(cut->has_error);
	assert_sv(cut->error.message, "out of memory");
	assert_sv(buf_view(&cut->text), "On");
}

static void test_kept_response(void **state)
{
	struct sem_route r = { .method = SV("GET"),
			       .host = SV("api.openai.com"),
			       .path = SV("/v1/responses/resp_1"),
			       .query = SV("starting_after=3&stream=true") };
	_cleanup_call_ struct sem_call *c = NULL;

	(void)state;
	assert_int_equal(sem_call_new(&c, &r), 0);
	assert_string_equal(c->api, "openai.responses.get");
	assert_null(c->operation);
	assert_true(c->stream);
	send_event(c, "response.completed",
		   "{'type':'response.completed','response':{'id':'resp_1','status':'completed',"
		   "'output':[{'type':'message','content':[{'type':'output_text','text':'yo'}]}]}}",
		   1);
	sem_finish(c, false);
	assert_sv(buf_view(&c->text), "yo");
	assert_json(c->finish_reasons, "['completed']");
}

static void test_no_call(void **state)
{
	_cleanup_call_ struct sem_call *c =
		call_to("api.anthropic.com", "/v1/messages/count_tokens");

	(void)state;
	assert_string_equal(c->api, "anthropic.count_tokens");
	assert_null(c->operation);
	send_request(c, "{'model':'m','messages':[]}");
	send_answer(c, 404, "{'error':{'type':'not_found_error','message':'no'}}");
	send_event(c, "", "{}", 1);
	sem_finish(c, false);
	assert_true(c->has_error);
	assert_sv(c->error.type, "not_found_error");
	assert_null(c->output_messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_completions),   cmocka_unit_test(test_completion_streams),
		cmocka_unit_test(test_embeddings),    cmocka_unit_test(test_anthropic_complete),
		cmocka_unit_test(test_ollama_chat),   cmocka_unit_test(test_ollama_generate),
		cmocka_unit_test(test_kept_response), cmocka_unit_test(test_no_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
