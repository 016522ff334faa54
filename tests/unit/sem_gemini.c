// SPDX-License-Identifier: BSD-2-Clause
/* Gemini and Vertex: requests, answers, streams of both kinds, embeddings, and what goes wrong. */
#include "sem_test.h"

#define HOST "generativelanguage.googleapis.com"
#define PATH "/v1beta/models/gemini-x:generateContent"
#define STREAM "/v1beta/models/gemini-x:streamGenerateContent"

static void test_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	assert_string_equal(c->api, "gemini.generate");
	assert_string_equal(c->operation, "generate_content");
	assert_sv(c->provider, "gcp.gemini");
	assert_sv(c->request_model, "gemini-x");
	assert_false(c->stream);
	send_request(
		c, "{'systemInstruction':{'parts':[{'text':'Be brief'}]},"
		   "'generationConfig':{'temperature':0.5,'topP':0.9,'topK':3,'maxOutputTokens':64,"
		   "'stopSequences':['END'],'responseMimeType':'application/json',"
		   "'thinkingConfig':{'thinkingLevel':'low'}},"
		   "'tools':[{'functionDeclarations':[{'name':'ls','description':'list',"
		   "'parametersJsonSchema':{'type':'object'}}]},{'googleSearch':{}}],"
		   "'contents':[{'role':'user','parts':[{'text':'old'}]},"
		   "{'role':'model','parts':[{'text':'hm','thought':true},"
		   "{'functionCall':{'id':'f0','name':'ls','args':{'d':1}}}]},"
		   "{'role':'user','parts':[{'functionResponse':{'id':'f0','name':'ls',"
		   "'response':{'out':[1]}}}]}]}");
	assert_int_equal(c->max_tokens, 64);
	assert_true(c->temperature == 0.5);
	assert_true(c->top_k == 3);
	assert_sv(c->output_type, "json");
	assert_sv(c->reasoning_effort, "low");
	assert_int_equal(c->input_message_cnt, 3);
	assert_json(c->stop_sequences, "['END']");
	assert_json(c->system_instructions, "[{'type':'text','content':'Be brief'}]");
	assert_json(c->tool_names, "['ls','googleSearch']");
	assert_json(c->input_messages,
		    "[{'role':'user','parts':[{'type':'text','content':'old'}]},"
		    "{'role':'assistant','parts':[{'type':'reasoning','content':'hm'},"
		    "{'type':'tool_call','id':'f0','name':'ls','arguments':{'d':1}}]},"
		    "{'role':'tool','parts':[{'type':'tool_call_response','id':'f0',"
		    "'response':{'out':[1]}}]}]");
	assert_sv(c->results->id, "f0");
	assert_sv(c->results->name, "ls");
	assert_sv_json(c->results->text, "{'out':[1]}");
	assert_false(c->results->has_error);
	assert_null(c->results->next);
}

/* What the API calls output and error. */
static void test_results(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	const struct sem_tool_result *r;

	(void)state;
	send_request(c, "{'contents':[{'role':'model','parts':[{'functionCall':{'name':'f'}}]},"
			"{'role':'user','parts':["
			"{'functionResponse':{'id':'a','response':{'output':'done'}}},"
			"{'functionResponse':{'id':'b','response':{'error':'no such file'}}},"
			"{'functionResponse':{'id':'c','response':{'output':[1],'error':'late'}}},"
			"{'functionResponse':{'id':'d','response':{'error':null}}}]}]}");
	r = c->results;
	assert_true(r->has_error && !r->is_error);
	assert_sv(r->text, "done");
	r = r->next;
	assert_true(r->has_error && r->is_error);
	assert_sv(r->text, "no such file");
	r = r->next;
	assert_true(r->has_error && !r->is_error);
	assert_sv_json(r->text, "{'output':[1],'error':'late'}");
	assert_false(r->next->is_error);
}

/* protobuf's JSON takes both spellings, and a list's only element without the list. */
static void test_other_spelling(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_request(c,
		     "{'system_instruction':{'parts':{'text':'S'}},"
		     "'generation_config':{'max_output_tokens':7},"
		     "'tools':{'function_declarations':[{'name':'a'},{'name':'b'}]},"
		     "'contents':{'parts':[{'inline_data':{'mime_type':'image/png','data':'AAAA'}},"
		     "{'file_data':{'mime_type':'video/mp4','file_uri':'gs://v'}}]}}");
	assert_int_equal(c->max_tokens, 7);
	assert_int_equal(c->input_message_cnt, 1);
	assert_json(c->system_instructions, "[{'type':'text','content':'S'}]");
	assert_json(c->tool_names, "['a','b']");
	assert_json(c->input_messages,
		    "[{'role':'user','parts':[{'type':'blob','modality':'image',"
		    "'mime_type':'image/png','content':'AAAA'},{'type':'uri','modality':'video',"
		    "'uri':'gs://v','mime_type':'video/mp4'}]}]");
}

static const char answer[] =
	"{'candidates':[{'content':{'role':'model','parts':[{'thought':true,'text':'I think'},"
	"{'text':'One '},{'text':'two'},{'functionCall':{'name':'ls','args':{'d':'/'}}},"
	"{'executableCode':{'id':'x1','language':'PYTHON','code':'1+1'}},"
	"{'codeExecutionResult':{'id':'x1','outcome':'OUTCOME_OK','output':'2'}}]},"
	"'finishReason':'STOP'},"
	"{'index':1,'content':{'parts':[{'text':'other'}]},'finishReason':'SAFETY'}],"
	"'usageMetadata':{'promptTokenCount':10,'toolUsePromptTokenCount':5,"
	"'candidatesTokenCount':7,'thoughtsTokenCount':3,'cachedContentTokenCount':4,"
	"'totalTokenCount':25},'modelVersion':'gemini-y','responseId':'r1'}";

static void assert_answer(struct sem_call *c)
{
	sem_finish(c, false);
	assert_false(c->response_cut);
	assert_sv(c->response_id, "r1");
	assert_sv(c->response_model, "gemini-y");
	assert_json(c->finish_reasons, "['STOP','SAFETY']");
	assert_sv(buf_view(&c->text), "One two");
	assert_sv(buf_view(&c->reasoning), "I think");
	assert_sv(c->calls->name, "ls");
	assert_sv(c->calls->id, "");
	assert_sv_json(c->calls->args, "{'d':'/'}");
	assert_false(c->calls->server || c->calls->args_cut);
	assert_true(c->calls->next->server);
	assert_sv(c->calls->next->id, "x1");
	assert_sv(c->calls->next->name, "executableCode");
	assert_null(c->calls->next->next);
	assert_true(c->has_usage);
	assert_int_equal(c->usage.input, 15);
	assert_int_equal(c->usage.output, 10);
	assert_int_equal(c->usage.reasoning, 3);
	assert_int_equal(c->usage.cache_read, 4);
	assert_int_equal(c->usage.cache_write, SEM_NONE);
}

static void test_answer(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_answer(c, 200, answer);
	assert_answer(c);
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'tool_call'");
	assert_json(json_path(c->output_messages, "1.finish_reason"), "'content_filter'");
	assert_json(json_path(c->output_messages, "0.parts.4"),
		    "{'type':'server_tool_call_response','id':'x1',"
		    "'server_tool_call_response':{'id':'x1','outcome':'OUTCOME_OK','output':'2'}}");
}

static void test_stream(void **state)
{
	static const char *const events[] = {
		"{'candidates':[{'content':{'parts':[{'text':'I ','thought':true}]}}],"
		"'responseId':'r1','usageMetadata':{'promptTokenCount':10}}",
		"{'candidates':[{'content':{'parts':[{'text':'think','thought':true},"
		"{'text':'On'}]}}]}",
		"{'candidates':[{'content':{'parts':[{'text':'e two'}]}},"
		"{'index':1,'content':{'parts':[{'text':'other'}]},'finishReason':'SAFETY'}]}",
		"{'candidates':[{'content':{'parts':[{'text':'','thoughtSignature':'s'},"
		"{'functionCall':{'name':'ls','args':{'d':'/'}}},"
		"{'executableCode':{'id':'x1','code':'1+1'}}]},'finishReason':'STOP'}],"
		"'modelVersion':'gemini-y','usageMetadata':{'promptTokenCount':10,"
		"'toolUsePromptTokenCount':5,'candidatesTokenCount':7,'thoughtsTokenCount':3,"
		"'cachedContentTokenCount':4}}",
	};
	_cleanup_call_ struct sem_call *c = call_to(HOST, STREAM);

	(void)state;
	assert_true(c->stream);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		send_event(c, "", events[i], 100 * (i + 1));
	assert_int_equal(c->ts_first_token, 100);
	assert_int_equal(c->content_events, 4);
	assert_answer(c);
	assert_int_equal(c->calls->ts, 400);
}

static void test_stream_that_breaks_off(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, STREAM);

	(void)state;
	send_event(c, "", "{'candidates':[{'content':{'parts':[{'text':'On'}]}}]}", 1);
	send_event(c, "", "{'candidates':[{'content':{'parts':[{'te", 2);
	sem_finish(c, false);
	assert_true(c->response_cut);
	assert_sv(buf_view(&c->text), "On");
	assert_int_equal(c->bad_events, 1);
	assert_false(c->has_usage);
}

/* Code Assist wraps both sides and names the model in the body. */
static void test_wrapped(void **state)
{
	_cleanup_call_ struct sem_call *c =
		call_to("cloudcode-pa.googleapis.com", "/v1internal:streamGenerateContent");

	(void)state;
	assert_sv(c->request_model, "");
	send_request(c, "{'model':'gemini-z','project':'p','request':{'contents':["
			"{'role':'user','parts':[{'text':'hi'}]}]}}");
	assert_sv(c->request_model, "gemini-z");
	assert_int_equal(c->input_message_cnt, 1);
	send_event(c, "",
		   "{'response':{'candidates':[{'content':{'parts':[{'text':'yo'}]},"
		   "'finishReason':'STOP'}],'modelVersion':'gemini-z-1',"
		   "'usageMetadata':{'promptTokenCount':2}}}",
		   1);
	sem_finish(c, false);
	assert_false(c->response_cut);
	assert_sv(buf_view(&c->text), "yo");
	assert_sv(c->response_model, "gemini-z-1");
	assert_int_equal(c->usage.input, 2);
}

static void test_blocked_prompt(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_answer(c, 200,
		    "{'promptFeedback':{'blockReason':'PROHIBITED_CONTENT'},"
		    "'usageMetadata':{'trafficType':'ON_DEMAND'}}");
	sem_finish(c, false);
	assert_false(c->has_usage);
	assert_json(c->finish_reasons, "['PROHIBITED_CONTENT']");
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'content_filter'");
}

static void test_errors(void **state)
{
	static const char *const bodies[] = {
		"{'error':{'code':404,'message':'no','status':'NOT_FOUND'}}",
		"[{'error':{'code':404,'message':'no','status':'NOT_FOUND'}}]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, STREAM);

		send_answer(c, 404, bodies[i]);
		sem_finish(c, false);
		assert_true(c->has_error);
		assert_false(c->response_cut);
		assert_sv(c->error.type, "NOT_FOUND");
		assert_sv(c->error.code, "404");
		assert_sv(c->error.message, "no");
	}
}

static void test_every_cut(void **state)
{
	(void)state;
	assert_every_cut(HOST, PATH, answer, "One two");
}

static void test_embeddings(void **state)
{
	static const struct {
		const char *path, *request, *answer;
		int64_t dimensions, input;
	} cases[] = {
		{ "/v1beta/models/e:batchEmbedContents", "{'requests':[{'model':'models/e'}]}",
		  "{'embeddings':[{'values':[0.1,0.2,0.3]}]}", 3, SEM_NONE },
		{ "/v1beta/models/e:batchEmbedContents",
		  "{'requests':[{'outputDimensionality':256}]}",
		  "{'embeddings':[{'values':[0.1]}],'usageMetadata':{'promptTokenCount':4}}", 256,
		  4 },
		{ "/v1beta1/projects/p/locations/l/publishers/google/models/e:embedContent", "{}",
		  "{'embedding':{'values':[1,2]},'usageMetadata':{'promptTokenCount':5}}", 2, 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, cases[i].path);

		send_request(c, cases[i].request);
		send_answer(c, 200, cases[i].answer);
		sem_finish(c, false);
		assert_string_equal(c->operation, "embeddings");
		assert_sv(c->request_model, "e");
		assert_int_equal(c->embedding_dimensions, cases[i].dimensions);
		assert_int_equal(c->usage.input, cases[i].input);
		assert_null(c->output_messages);
	}
}

static void test_predict(void **state)
{
	_cleanup_call_ struct sem_call *embed =
		call_to(HOST, "/v1/projects/p/publishers/google/models/text-embedding-005:predict");
	_cleanup_call_ struct sem_call *image =
		call_to(HOST, "/v1/projects/p/publishers/google/models/imagen-4:predict");

	(void)state;
	send_answer(embed, 200,
		    "{'predictions':[{'embeddings':{'values':[1,2],"
		    "'statistics':{'token_count':4}}},{'embeddings':{'values':[3,4],"
		    "'statistics':{'token_count':2}}}]}");
	sem_finish(embed, false);
	assert_string_equal(embed->operation, "embeddings");
	assert_int_equal(embed->usage.input, 6);
	assert_int_equal(embed->embedding_dimensions, 2);
	assert_null(image->operation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_other_spelling),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_that_breaks_off),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_blocked_prompt),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_embeddings),
		cmocka_unit_test(test_predict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
