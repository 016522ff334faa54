// SPDX-License-Identifier: BSD-2-Clause
/* OpenAI chat completions and the ways in which others deviate from it. */
#include "sem_test.h"

#define HOST "api.openai.com"
#define PATH "/v1/chat/completions"

static void test_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_request(
		c,
		"{'model':'gpt-x','n':2,'seed':5,'stop':'END','max_tokens':1,'max_completion_"
		"tokens':9,"
		"'reasoning_effort':'low','response_format':{'type':'json_schema'},"
		"'tools':[{'type':'function','function':{'name':'f','parameters':{}}},"
		"{'type':'openrouter:web_search'},{'function':{'name':'g'}}],"
		"'functions':[{'name':'old'}],"
		"'messages':[{'role':'system','content':'S'},{'role':'tool','tool_call_id':'c0','"
		"content':'early'},"
		"{'role':'assistant','content':null,'reasoning_content':'why','tool_calls':["
		"{'id':'c1','type':'function','function':{'name':'f','arguments':'{\\'a\\':1}'}},"
		"{'id':'c2','type':'function','function':{'name':'f','arguments':'not json'}}]},"
		"{'role':'tool','tool_call_id':'c1','content':'R1'},"
		"{'role':'tool','tool_call_id':'c2','content':[{'type':'text','text':'R'},{'type':'"
		"text','text':'2'}]},"
		"{'role':'user','name':'u','content':[{'type':'text','text':'see'},"
		"{'type':'image_url','image_url':{'url':'data:image/png;base64,QUJD'}},"
		"{'type':'file','file':{'file_id':'file-1'}}]}]}");
	assert_string_equal(c->api, "openai.chat");
	assert_int_equal(c->choice_count, 2);
	assert_int_equal(c->seed, 5);
	assert_int_equal(c->max_tokens, 9);
	assert_sv(c->reasoning_effort, "low");
	assert_sv(c->output_type, "json");
	assert_json(c->stop_sequences, "['END']");
	assert_json(c->tool_names, "['f','openrouter:web_search','g','old']");
	assert_int_equal(c->input_message_cnt, 6);
	/* only what came after the model's last message */
	assert_sv(c->results->id, "c1");
	assert_sv(c->results->next->text, "R\n2");
	assert_null(c->results->next->next);
	assert_json(json_at(c->input_messages, 2),
		    "{'role':'assistant','parts':[{'type':'reasoning','content':'why'},"
		    "{'type':'tool_call','id':'c1','name':'f','arguments':{'a':1}},"
		    "{'type':'tool_call','id':'c2','name':'f','arguments':'not json'}]}");
	assert_json(json_at(c->input_messages, 3), "{'role':'tool','parts':[{'type':'tool_call_"
						   "response','id':'c1','response':'R1'}]}");
	assert_json(json_at(c->input_messages, 5),
		    "{'role':'user','parts':[{'type':'text','content':'see'},"
		    "{'type':'blob','modality':'image','mime_type':'image/png','content':'QUJD'},"
		    "{'type':'file','modality':'document','file_id':'file-1'}],'name':'u'}");
}

static const char answer[] =
	"{'id':'c-1','model':'gpt-y','system_fingerprint':'fp','service_tier':'default','choices':["
	"{'index':1,'message':{'content':'second'},'finish_reason':'length'},"
	"{'index':0,'message':{'content':'first','refusal':'no'},'finish_reason':'stop'}],"
	"'usage':{'prompt_tokens':10,'completion_tokens':4,'prompt_tokens_details':{'cached_tokens'"
	":8},"
	"'completion_tokens_details':{'reasoning_tokens':3}}}";

static void test_response(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_answer(c, 200, answer);
	sem_finish(c, false);
	assert_sv(buf_view(&c->text), "first");
	assert_sv(buf_view(&c->refusal), "no");
	assert_json(c->finish_reasons, "['stop','length']");
	assert_int_equal(c->output_messages->cnt, 2);
	assert_json(json_at(c->output_messages, 1),
		    "{'role':'assistant','parts':[{'type':'text','content':'second'}],"
		    "'finish_reason':'length'}");
	assert_int_equal(c->usage.input, 10);
	assert_int_equal(c->usage.cache_read, 8);
	assert_int_equal(c->usage.cache_write, SEM_NONE);
	assert_int_equal(c->usage.reasoning, 3);
	assert_sv(c->system_fingerprint, "fp");
	assert_sv(c->response_service_tier, "default");
}

static void test_cut_response(void **state)
{
	(void)state;
	assert_every_cut(HOST, PATH,
			 "{'choices':[{'index':0,'message':{'content':'a \\u00e9 b',"
			 "'tool_calls':[{'id':'1','function':{'name':'f','arguments':'{}'}}]},"
			 "'finish_reason':'stop'}]}",
			 "a \xc3\xa9 b");
}

static void test_stream(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	/* Azure: a first chunk without choices */
	send_event(c, "", "{'id':'','model':'','choices':[],'prompt_filter_results':[{}]}", 5);
	send_event(c, "",
		   "{'id':'c-2','model':'m','choices':[{'index':0,'delta':{'role':'assistant','"
		   "content':''}}],'usage':null}",
		   10);
	send_event(c, "",
		   "{'id':'c-2','choices':[{'index':1,'delta':{'content':'B'}},{'index':0,'delta':{"
		   "'content':'A'}}]}",
		   20);
	send_event(c, "",
		   "{'id':'c-2','choices':[{'index':0,'delta':{'tool_calls':["
		   "{'index':1,'id':'y','function':{'name':'g','arguments':''}},"
		   "{'index':0,'id':'x','function':{'name':'f','arguments':'{\\'k\\''}}]}}]}",
		   30);
	send_event(c, "",
		   "{'id':'c-2','choices':[{'index':0,'delta':{'tool_calls':["
		   "{'index':0,'function':{'arguments':':1}'}},{'index':1,'id':null,'function':{'"
		   "name':null,'arguments':'{}'}}]}}]}",
		   40);
	send_event(c, "",
		   "{'id':'c-2','choices':[{'index':0,'delta':{},'finish_reason':'tool_calls'},{'"
		   "index':1,'delta':{},'finish_reason':'stop'}]}",
		   50);
	send_event(c, "",
		   "{'id':'c-2','choices':[],'usage':{'prompt_tokens':3,'completion_tokens':2}}",
		   60);
	send_event(c, "", "[DONE]", 70);
	sem_finish(c, false);
	assert_true(c->terminated);
	assert_false(c->response_cut);
	assert_sv(c->response_id, "c-2");
	assert_sv(c->response_model, "m");
	assert_sv(buf_view(&c->text), "A");
	assert_json(c->finish_reasons, "['tool_calls','stop']");
	assert_sv(c->calls->name, "g");
	assert_sv(c->calls->next->id, "x");
	assert_sv_json(c->calls->next->args, "{'k':1}");
	assert_int_equal(c->calls->next->ts, 40);
	assert_null(c->calls->next->next);
	assert_int_equal(c->usage.input, 3);
	assert_int_equal(c->ts_first_token, 20);
	assert_int_equal(c->content_events, 3);
}

static void test_stream_without_done(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	_cleanup_call_ struct sem_call *d = call_to(HOST, PATH);

	(void)state;
	send_event(c, "",
		   "{'choices':[{'index':0,'delta':{'content':'x'},'finish_reason':'stop'}]}", 1);
	sem_finish(c, false);
	assert_false(c->terminated);
	assert_false(c->response_cut);
	send_event(d, "", "{'choices':[{'index':0,'delta':{'content':'x'}}]}", 1);
	sem_finish(d, false);
	assert_true(d->response_cut);
}

/* Gemini: each whole call in a chunk of its own, all with one index or with none. */
static void test_calls_of_one_index(void **state)
{
	static const char *const chunks[][2] = {
		{ "{'choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'a','function':{'"
		  "name':'f','arguments':'{}'}}]}}]}",
		  "{'choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'b','function':{'"
		  "name':'f','arguments':'{}'}}]}}]}" },
		{ "{'choices':[{'index':0,'delta':{'tool_calls':[{'function':{'name':'f','"
		  "arguments':'{}'}}]}}]}",
		  "{'choices':[{'index':0,'delta':{'tool_calls':[{'function':{'name':'f','"
		  "arguments':'{}'}}]}}]}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

		send_event(c, "", chunks[i][0], 1);
		send_event(c, "", chunks[i][1], 2);
		sem_finish(c, false);
		assert_sv_json(c->calls->args, "{}");
		assert_sv_json(c->calls->next->args, "{}");
		assert_null(c->calls->next->next);
	}
}

/* vLLM of old: a fresh id in every fragment, the name in the first alone */
static void test_fresh_ids(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_event(c, "",
		   "{'choices':[{'delta':{'tool_calls':[{'index':0,'id':'a','function':{'name':'f',"
		   "'arguments':'{'}}]}}]}",
		   1);
	send_event(c, "",
		   "{'choices':[{'delta':{'tool_calls':[{'index':0,'id':'b','function':{'arguments'"
		   ":'}'}}]}}]}",
		   2);
	sem_finish(c, false);
	assert_sv(c->calls->id, "a");
	assert_sv_json(c->calls->args, "{}");
	assert_null(c->calls->next);
}

static void test_thoughts(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("openrouter.ai", "/api/v1/chat/completions");
	_cleanup_call_ struct sem_call *m = call_to("api.mistral.ai", PATH);

	(void)state;
	/* the same under two names: once */
	send_event(c, "",
		   "{'choices':[{'delta':{'reasoning':'R1','reasoning_details':[{'type':'reasoning."
		   "text','text':'R1'}]}}]}",
		   1);
	send_event(c, "",
		   "{'choices':[{'delta':{'reasoning':'R2','reasoning_details':[{'type':'reasoning."
		   "summary','summary':'R2'}]}}]}",
		   2);
	send_event(c, "", "{'choices':[{'delta':{'content':'T'},'finish_reason':'stop'}]}", 3);
	sem_finish(c, false);
	assert_sv(c->provider, "openrouter");
	assert_sv(buf_view(&c->reasoning), "R1R2");
	assert_json(json_path(c->output_messages, "0.parts"),
		    "[{'type':'reasoning','content':'R1R2'},{'type':'text','content':'T'}]");

	send_request(m, "{'model':'magistral'}");
	send_answer(
		m, 200,
		"{'choices':[{'message':{'content':[{'type':'thinking','thinking':[{'type':'text','"
		"text':'th'}]},"
		"{'type':'text','text':'an'},{'type':'text','text':'swer'}],"
		"'tool_calls':[{'id':'abcdefghi','function':{'name':'f','arguments':{'x':1}}}]}}],"
		"'usage':{'prompt_tokens':5,'completion_tokens':1,'num_cached_tokens':4}}");
	sem_finish(m, false);
	assert_string_equal(m->api, "mistral.chat");
	assert_sv(buf_view(&m->reasoning), "th");
	assert_sv(buf_view(&m->text), "answer");
	assert_sv_json(m->calls->args, "{'x':1}");
	assert_int_equal(m->usage.cache_read, 4);
}

static void test_groq(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("api.groq.com", "/openai/v1/chat/completions");

	(void)state;
	send_event(c, "",
		   "{'choices':[{'index':0,'delta':{'executed_tools':[{'index':0,'type':'search','"
		   "arguments':'{}'}]}}],'x_groq':{'id':'r'}}",
		   1);
	send_event(c, "",
		   "{'choices':[{'index':0,'delta':{'executed_tools':[{'index':0,'type':'search','"
		   "arguments':'{}','output':'o'}]}}]}",
		   2);
	send_event(c, "",
		   "{'choices':[{'index':0,'delta':{'content':'may'}}],'x_groq':{'usage':{'prompt_"
		   "tokens':1,'completion_tokens':2}}}",
		   3);
	send_event(
		c, "error",
		"{'error':{'message':'bad "
		"tool','type':'invalid_request_error','code':'tool_use_failed','status_code':400}}",
		4);
	sem_finish(c, false);
	assert_true(c->calls->server);
	assert_sv(c->calls->name, "search");
	assert_null(c->calls->next);
	assert_int_equal(c->usage.output, 2);
	assert_sv(buf_view(&c->text), "may");
	assert_sv(c->error.type, "invalid_request_error");
	assert_sv(c->error.code, "tool_use_failed");
	assert_null(c->finish_reasons);
}

static void test_legacy_function_call(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_event(c, "", "{'choices':[{'delta':{'function_call':{'name':'f','arguments':''}}}]}",
		   1);
	send_event(c, "",
		   "{'choices':[{'delta':{'function_call':{'arguments':'{}'}},'finish_reason':'"
		   "function_call'}]}",
		   2);
	sem_finish(c, false);
	assert_null(c->calls->id.p);
	assert_sv(c->calls->name, "f");
	assert_sv_json(c->calls->args, "{}");
	assert_null(c->calls->next);
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'tool_call'");
}

/* Neither many choices nor many calls make it hold more than its bounds. */
static void test_bounds(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	size_t calls = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		buf_fmt(&b,
			"{'choices':[{'index':%d,'delta':{'content':'x'}},"
			"{'index':0,'delta':{'tool_calls':[{'index':%d,'id':'i%d','function':{'"
			"name':'f'}}]}}]}",
			i, i, i);
		send_event(c, "", buf_cstr(&b), 1);
	}
	sem_finish(c, false);
	for (struct sem_tool_call *t = c->calls; t; t = t->next)
		calls++;
	assert_in_range(calls, 100, 1024);
	assert_in_range(c->output_messages->cnt, 2, 128);
	assert_true(c->response_cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_cut_response),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_without_done),
		cmocka_unit_test(test_calls_of_one_index),
		cmocka_unit_test(test_fresh_ids),
		cmocka_unit_test(test_thoughts),
		cmocka_unit_test(test_groq),
		cmocka_unit_test(test_legacy_function_call),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
