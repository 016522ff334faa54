// SPDX-License-Identifier: BSD-2-Clause
/* Cohere: chat of both versions, generate, embed, and rerankers. */
#include "sem_test.h"

#define HOST "api.cohere.com"

static void test_v2_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/v2/chat");

	(void)state;
	assert_string_equal(c->api, "cohere.chat");
	assert_sv(c->provider, "cohere");
	send_request(
		c, "{'model':'command-x','stream':true,'max_tokens':64,'p':0.9,'k':3,'seed':7,"
		   "'stop_sequences':['END'],'tools':[{'type':'function','function':{'name':'ls',"
		   "'description':'list','parameters':{'type':'object'}}}],"
		   "'messages':[{'role':'system','content':'S'},{'role':'user','content':'hi'},"
		   "{'role':'assistant','tool_plan':'p','tool_calls':[{'id':'t0','type':'function',"
		   "'function':{'name':'ls','arguments':'{}'}}]},"
		   "{'role':'tool','tool_call_id':'t0','content':[{'type':'text','text':'ok'}]}]}");
	assert_sv(c->request_model, "command-x");
	assert_true(c->stream);
	assert_true(c->top_p == 0.9);
	assert_true(c->top_k == 3);
	assert_int_equal(c->seed, 7);
	assert_int_equal(c->input_message_cnt, 4);
	assert_json(c->tool_names, "['ls']");
	assert_sv(c->results->id, "t0");
	assert_sv(c->results->text, "ok");
}

static const char v2_answer[] =
	"{'id':'c1','message':{'role':'assistant','tool_plan':'I will','content':["
	"{'type':'thinking','thinking':'hm'},{'type':'text','text':'One '},"
	"{'type':'text','text':'two'}],'tool_calls':[{'id':'t1','type':'function',"
	"'function':{'name':'ls','arguments':'{\\u0022d\\u0022:1}'}}]},"
	"'finish_reason':'TOOL_CALL','usage':{'billed_units':{'input_tokens':5,"
	"'output_tokens':6},'tokens':{'input_tokens':50,'output_tokens':60},'cached_tokens':9}}";

static void assert_v2(struct sem_call *c)
{
	sem_finish(c, false);
	assert_false(c->response_cut);
	assert_sv(c->response_id, "c1");
	assert_sv(buf_view(&c->text), "One two");
	assert_sv(buf_view(&c->reasoning), "hm");
	assert_json(c->finish_reasons, "['TOOL_CALL']");
	assert_sv(c->calls->id, "t1");
	assert_sv(c->calls->name, "ls");
	assert_sv_json(c->calls->args, "{'d':1}");
	assert_false(c->calls->args_cut);
	assert_null(c->calls->next);
	/* what is billed, and nothing of the cache */
	assert_int_equal(c->usage.input, 5);
	assert_int_equal(c->usage.output, 6);
	assert_int_equal(c->usage.cache_read, SEM_NONE);
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'tool_call'");
	assert_json(json_path(c->output_messages, "0.parts.0"),
		    "{'type':'tool_plan','content':'I will'}");
}

static void test_v2_answer(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/v2/chat");

	(void)state;
	send_answer(c, 200, v2_answer);
	assert_v2(c);
	assert_every_cut(HOST, "/v2/chat", v2_answer, "One two");
}

static void test_v2_stream(void **state)
{
	static const char *const events[] = {
		"{'type':'message-start','id':'c1','delta':{'message':{'role':'assistant'}}}",
		"{'type':'tool-plan-delta','delta':{'message':{'tool_plan':'I '}}}",
		"{'type':'tool-plan-delta','delta':{'message':{'tool_plan':'will'}}}",
		"{'type':'content-start','index':0,'delta':{'message':{'content':"
		"{'type':'thinking','thinking':''}}}}",
		"{'type':'content-delta','index':0,'delta':{'message':{'content':"
		"{'thinking':'hm'}}}}",
		"{'type':'content-delta','index':1,'delta':{'message':{'content':{'text':'One "
		"'}}}}",
		"{'type':'content-delta','index':1,'delta':{'message':{'content':{'text':'two'}}}}",
		"{'type':'content-end','index':1}",
		"{'type':'tool-call-start','index':0,'delta':{'message':{'tool_calls':{'id':'t1',"
		"'type':'function','function':{'name':'ls','arguments':''}}}}}",
		"{'type':'tool-call-delta','index':0,'delta':{'message':{'tool_calls':"
		"{'function':{'arguments':'{\\u0022d\\u0022:'}}}}}",
		"{'type':'tool-call-delta','index':0,'delta':{'message':{'tool_calls':"
		"{'function':{'arguments':'1}'}}}}}",
		"{'type':'message-end','delta':{'finish_reason':'TOOL_CALL','usage':"
		"{'billed_units':{'input_tokens':5,'output_tokens':6}}}}",
	};
	_cleanup_call_ struct sem_call *whole = call_to(HOST, "/v2/chat");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		send_event(whole, "", events[i], 100 + i);
	assert_int_equal(whole->ts_first_token, 101);
	assert_v2(whole);
	for (size_t n = 1; n < ARRAY_SIZE(events); n++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, "/v2/chat");

		for (size_t i = 0; i < n; i++)
			send_event(c, "", events[i], i);
		sem_finish(c, false);
		assert_true(c->response_cut);
		assert_true(!c->calls || c->calls->args_cut);
	}
}

static void test_v1_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/v1/chat");

	(void)state;
	assert_string_equal(c->api, "cohere.chat_v1");
	send_request(c, "{'model':'command','message':'now','preamble':'Be brief',"
			"'chat_history':[{'role':'User','message':'old'},"
			"{'role':'CHATBOT','message':'yes','tool_calls':[{'name':'ls',"
			"'parameters':{'d':1}}]}],'tools':[{'name':'ls','description':'list',"
			"'parameter_definitions':{'d':{'type':'int'}}}],"
			"'tool_results':[{'call':{'name':'ls','parameters':{'d':1}},"
			"'outputs':[{'a':2}]}]}");
	assert_int_equal(c->input_message_cnt, 3);
	assert_json(c->system_instructions, "[{'type':'text','content':'Be brief'}]");
	assert_json(c->tool_names, "['ls']");
	assert_json(c->input_messages,
		    "[{'role':'user','parts':[{'type':'text','content':'old'}]},"
		    "{'role':'assistant','parts':[{'type':'text','content':'yes'},"
		    "{'type':'tool_call','name':'ls','arguments':{'d':1}}]},"
		    "{'role':'tool','parts':[{'type':'tool_call_response','response':[{'a':2}]}]},"
		    "{'role':'user','parts':[{'type':'text','content':'now'}]}]");
	assert_sv(c->results->name, "ls");
	assert_sv_json(c->results->text, "[{'a':2}]");
}

static const char v1_answer[] =
	"{'response_id':'r1','text':'One two','generation_id':'g1','finish_reason':'COMPLETE',"
	"'tool_calls':[{'name':'ls','parameters':{'d':1}}],"
	"'meta':{'billed_units':{'input_tokens':5,'output_tokens':6}}}";

static void assert_v1(struct sem_call *c)
{
	sem_finish(c, false);
	assert_false(c->response_cut);
	assert_sv(c->response_id, "r1");
	assert_sv(buf_view(&c->text), "One two");
	assert_json(c->finish_reasons, "['COMPLETE']");
	assert_sv(c->calls->name, "ls");
	assert_sv(c->calls->id, "");
	assert_sv_json(c->calls->args, "{'d':1}");
	assert_null(c->calls->next);
	assert_int_equal(c->usage.input, 5);
	assert_int_equal(c->usage.output, 6);
}

static void test_v1_answer(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/v1/chat");

	(void)state;
	send_answer(c, 200, v1_answer);
	assert_v1(c);
	assert_every_cut(HOST, "/v1/chat", v1_answer, "One two");
}

static void test_v1_stream(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/v1/chat");
	_cleanup_call_ struct sem_call *cut = call_to(HOST, "/v1/chat");
	_cleanup_buf_ struct buf end = BUF_INIT;

	(void)state;
	send_event(c, "", "{'event_type':'stream-start','generation_id':'g1'}", 1);
	send_event(c, "", "{'event_type':'text-generation','text':'One '}", 2);
	send_event(c, "", "{'event_type':'text-generation','text':'two'}", 3);
	send_event(c, "",
		   "{'event_type':'tool-calls-chunk','tool_call_delta':{'index':0,"
		   "'name':'ls'}}",
		   4);
	send_event(c, "",
		   "{'event_type':'tool-calls-chunk','tool_call_delta':{'index':0,"
		   "'parameters':'{\\u0022d'}}",
		   5);
	buf_fmt(&end,
		"{'event_type':'stream-end','is_finished':true,'finish_reason':'COMPLETE',"
		"'response':%s}",
		v1_answer);
	send_event(c, "", buf_cstr(&end), 6);
	assert_int_equal(c->ts_first_token, 2);
	/* the last event repeats everything, which is no content */
	assert_int_equal(c->content_events, 4);
	assert_v1(c);
	send_event(cut, "text-generation", "{'text':'One '}", 1);
	sem_finish(cut, false);
	assert_true(cut->response_cut);
	assert_sv(buf_view(&cut->text), "One ");
}

static void test_generate(void **state)
{
	_cleanup_call_ struct sem_call *whole = call_to(HOST, "/v1/generate");
	_cleanup_call_ struct sem_call *stream = call_to(HOST, "/v1/generate");

	(void)state;
	assert_string_equal(whole->operation, "text_completion");
	send_request(whole, "{'model':'command','prompt':'hi','num_generations':2}");
	assert_int_equal(whole->input_message_cnt, 1);
	assert_int_equal(whole->choice_count, 2);
	send_answer(whole, 200,
		    "{'id':'g1','generations':[{'text':'One','finish_reason':'COMPLETE'},"
		    "{'text':'Two','finish_reason':'MAX_TOKENS'}],"
		    "'meta':{'billed_units':{'input_tokens':5,'output_tokens':6}}}");
	sem_finish(whole, false);
	assert_sv(buf_view(&whole->text), "One");
	assert_json(whole->finish_reasons, "['COMPLETE','MAX_TOKENS']");
	assert_int_equal(whole->usage.output, 6);
	send_event(stream, "", "{'text':'O','is_finished':false}", 1);
	send_event(stream, "", "{'text':'ne','is_finished':false}", 2);
	send_event(stream, "",
		   "{'is_finished':true,'finish_reason':'COMPLETE','response':"
		   "{'id':'g1','generations':[{'text':'One','finish_reason':"
		   "'COMPLETE'}]}}",
		   3);
	sem_finish(stream, false);
	assert_sv(buf_view(&stream->text), "One");
	assert_false(stream->response_cut);
}

static void test_embed(void **state)
{
	static const struct {
		const char *path, *answer;
	} cases[] = {
		{ "/v1/embed", "{'id':'e','embeddings':[[1,2,3]],"
			       "'meta':{'billed_units':{'input_tokens':5}}}" },
		{ "/v2/embed", "{'id':'e','embeddings':{'float':[[1,2,3]]},"
			       "'meta':{'billed_units':{'input_tokens':5}}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, cases[i].path);

		send_request(c, "{'model':'embed-x','texts':['a'],'embedding_types':['float']}");
		send_answer(c, 200, cases[i].answer);
		sem_finish(c, false);
		assert_string_equal(c->operation, "embeddings");
		assert_sv(c->request_model, "embed-x");
		assert_json(c->encoding_formats, "['float']");
		assert_int_equal(c->embedding_dimensions, 3);
		assert_int_equal(c->usage.input, 5);
	}
}

static void test_rerank(void **state)
{
	static const struct {
		const char *answer;
		int64_t input;
	} cases[] = {
		{ "{'id':'r','results':[{'index':3,'relevance_score':0.9},"
		  "{'index':1,'relevance_score':0.25}],'meta':{'billed_units':"
		  "{'search_units':1}}}",
		  SEM_NONE },
		{ "{'object':'list','data':[{'relevance_score':0.9,'index':3},"
		  "{'relevance_score':0.25,'index':1}],'model':'rerank-y',"
		  "'usage':{'total_tokens':26}}",
		  26 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to("h.test", "/v1/rerank");

		send_request(c, "{'model':'rerank-x','query':'who','documents':['a','b']}");
		send_answer(c, 200, cases[i].answer);
		sem_finish(c, false);
		assert_string_equal(c->operation, "retrieval");
		assert_sv(c->retrieval_query, "who");
		assert_json(c->retrieval_documents,
			    "[{'id':'3','score':0.9},{'id':'1','score':0.25}]");
		assert_int_equal(c->usage.input, cases[i].input);
		assert_int_equal(c->has_usage, cases[i].input != SEM_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v2_request), cmocka_unit_test(test_v2_answer),
		cmocka_unit_test(test_v2_stream),  cmocka_unit_test(test_v1_request),
		cmocka_unit_test(test_v1_answer),  cmocka_unit_test(test_v1_stream),
		cmocka_unit_test(test_generate),   cmocka_unit_test(test_embed),
		cmocka_unit_test(test_rerank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
