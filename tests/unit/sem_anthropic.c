// SPDX-License-Identifier: BSD-2-Clause
/* Anthropic messages: requests, unary answers, streams, and what goes wrong in them. */
#include "sem_test.h"

#define HOST "api.anthropic.com"
#define PATH "/v1/messages"

static void test_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->api, "anthropic.messages");
	assert_string_equal(c->operation, "chat");
	assert_sv(c->provider, "anthropic");
	send_request(
		c, "{'model':'claude-x','max_tokens':64,'temperature':0.5,'top_k':3,'stream':true,"
		   "'stop_sequences':['END'],'system':[{'type':'text','text':'Be brief'}],"
		   "'tools':[{'name':'ls','description':'list','input_schema':{'type':'object'}},"
		   "{'type':'web_search_20250305','name':'web_search'}],"
		   "'messages':[{'role':'user','content':'old'},"
		   "{'role':'assistant','content':[{'type':'thinking','thinking':'hm'},"
		   "{'type':'tool_use','id':'t0','name':'ls','input':{'d':1}}]},"
		   "{'role':'user','content':[{'type':'tool_result','tool_use_id':'t0','is_error':"
		   "true,"
		   "'content':[{'type':'text','text':'no'},{'type':'text','text':'dir'}]}]}]}");
	assert_true(c->request_seen);
	assert_false(c->request_cut);
	assert_sv(c->request_model, "claude-x");
	assert_int_equal(c->max_tokens, 64);
	assert_true(c->temperature == 0.5);
	assert_true(c->top_k == 3);
	assert_true(c->stream);
	assert_int_equal(c->seed, SEM_NONE);
	assert_int_equal(c->input_message_cnt, 3);
	assert_json(c->stop_sequences, "['END']");
	assert_json(c->system_instructions, "[{'type':'text','content':'Be brief'}]");
	assert_json(c->tool_names, "['ls','web_search']");
	assert_json(c->tool_definitions, "[{'type':'function','name':'ls','description':'list',"
					 "'parameters':{'type':'object'}},"
					 "{'type':'web_search_20250305','name':'web_search'}]");
	assert_json(c->input_messages,
		    "[{'role':'user','parts':[{'type':'text','content':'old'}]},"
		    "{'role':'assistant','parts':[{'type':'reasoning','content':'hm'},"
		    "{'type':'tool_call','id':'t0','name':'ls','arguments':{'d':1}}]},"
		    "{'role':'tool','parts':[{'type':'tool_call_response','id':'t0',"
		    "'response':[{'type':'text','text':'no'},{'type':'text','text':'dir'}]}]}]");
	assert_sv(c->results->id, "t0");
	assert_true(c->results->has_error && c->results->is_error);
	assert_sv(c->results->text, "no\ndir");
	assert_null(c->results->next);
}

static const char answer[] =
	"{'id':'msg_1','type':'message','role':'assistant','model':'claude-y','content':["
	"{'type':'text','text':'One '},{'type':'text','text':'two'},"
	"{'type':'tool_use','id':'t1','name':'ls','input':{'d':'/'}},"
	"{'type':'server_tool_use','id':'s1','name':'web_search','input':{}}],"
	"'stop_reason':'tool_use','usage':{'input_tokens':0,'cache_read_input_tokens':90,"
	"'cache_creation_input_tokens':10,'output_tokens':7,'output_tokens_details':{'thinking_"
	"tokens':2}}}";

static void test_response(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_answer(c, 200, answer);
	sem_finish(c, false);
	assert_sv(c->response_id, "msg_1");
	assert_sv(c->response_model, "claude-y");
	assert_sv(buf_view(&c->text), "One two");
	assert_json(c->finish_reasons, "['tool_use']");
	assert_true(c->has_usage);
	/* fully cached: the wire says 0 */
	assert_int_equal(c->usage.input, 100);
	assert_int_equal(c->usage.output, 7);
	assert_int_equal(c->usage.cache_read, 90);
	assert_int_equal(c->usage.cache_write, 10);
	assert_int_equal(c->usage.reasoning, 2);
	assert_sv(c->calls->id, "t1");
	assert_sv_json(c->calls->args, "{'d':'/'}");
	assert_false(c->calls->server || c->calls->args_cut);
	assert_true(c->calls->next->server);
	assert_false(c->response_cut);
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'tool_call'");
	assert_json(json_path(c->output_messages, "0.parts.2"),
		    "{'type':'tool_call','id':'t1','name':'ls','arguments':{'d':'/'}}");
	assert_every_cut(HOST, PATH, answer, "One two");
}

static void start_stream(struct sem_call *c)
{
	send_event(
		c, "message_start",
		"{'type':'message_start','message':{'id':'msg_2','model':'claude-y','content':[],"
		"'usage':{'input_tokens':690,'cache_read_input_tokens':0,'output_tokens':1}}}",
		10);
	send_event(c, "content_block_start",
		   "{'type':'content_block_start','index':0,'content_block':{'type':'text','text':'"
		   "'}}",
		   20);
	send_event(c, "ping", "{'type':'ping'}", 25);
	send_event(c, "content_block_delta",
		   "{'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'"
		   "Hel'}} ",
		   30);
	send_event(c, "content_block_delta",
		   "{'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'"
		   "lo'}}",
		   40);
	send_event(c, "content_block_stop", "{'type':'content_block_stop','index':0}", 41);
	send_event(c, "content_block_start",
		   "{'type':'content_block_start','index':1,'content_block':"
		   "{'type':'tool_use','id':'t1','name':'ls','input':{}}}",
		   50);
	send_event(c, "content_block_delta",
		   "{'type':'content_block_delta','index':1,'delta':"
		   "{'type':'input_json_delta','partial_json':'{\\'d\\':'}}",
		   60);
}

static void test_stream(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	start_stream(c);
	send_event(c, "content_block_delta",
		   "{'type':'content_block_delta','index':1,'delta':"
		   "{'type':'input_json_delta','partial_json':'[1,2]}'}}",
		   70);
	send_event(c, "content_block_stop", "{'type':'content_block_stop','index':1}", 71);
	send_event(c, "content_block_start",
		   "{'type':'content_block_start','index':2,'content_block':"
		   "{'type':'tool_use','id':'t2','name':'pwd','input':{}}}",
		   80);
	send_event(c, "content_block_stop", "{'type':'content_block_stop','index':2}", 81);
	send_event(c, "message_delta",
		   "{'type':'message_delta','delta':{'stop_reason':'tool_use'},"
		   "'usage':{'input_tokens':3042,'output_tokens':55}}",
		   90);
	send_event(c, "message_stop", "{'type':'message_stop'}", 91);
	sem_finish(c, false);
	assert_true(c->terminated);
	assert_false(c->response_cut);
	assert_sv(buf_view(&c->text), "Hello");
	/* each field's last value */
	assert_int_equal(c->usage.input, 3042);
	assert_int_equal(c->usage.cache_read, 0);
	assert_int_equal(c->usage.cache_write, SEM_NONE);
	assert_int_equal(c->usage.output, 55);
	assert_sv_json(c->usage_raw,
		       "{'input_tokens':3042,'cache_read_input_tokens':0,'output_tokens':55}");
	assert_sv_json(c->calls->args, "{'d':[1,2]}");
	assert_int_equal(c->calls->ts, 70);
	assert_json(c->calls->args_json, "{'d':[1,2]}");
	/* no fragment at all: no arguments */
	assert_sv_json(c->calls->next->args, "{}");
	assert_int_equal(c->ts_first_token, 30);
	assert_int_equal(c->content_events, 6);
	assert_int_equal(c->bad_events, 0);
}

static void test_stream_without_end(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	start_stream(c);
	sem_finish(c, true);
	assert_false(c->terminated);
	assert_true(c->response_cut);
	assert_sv(buf_view(&c->text), "Hello");
	assert_true(c->calls->args_cut);
	assert_sv_json(c->calls->args, "{'d':");
	assert_null(c->finish_reasons);
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'error'");
}

static void test_error_in_stream(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	start_stream(c);
	send_event(c, "error",
		   "{'type':'error','error':{'type':'overloaded_error','message':'Overloaded'}}",
		   65);
	sem_finish(c, false);
	assert_true(c->has_error);
	assert_sv(c->error.type, "overloaded_error");
	assert_sv(c->error.message, "Overloaded");
	assert_sv(buf_view(&c->text), "Hello");
	assert_true(c->calls->args_cut);
}

static void test_media(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	buf_str(&b, "{'messages':[{'role':'user','content':[{'type':'image','source':"
		    "{'type':'base64','media_type':'image/png','data':'");
	for (int i = 0; i < 2000; i++)
		buf_ch(&b, 'A');
	buf_str(&b, "'}},{'type':'document','source':{'type':'url','url':'https://h/a.pdf'}},"
		    "{'type':'image','source':{'type':'base64','media_type':'image/"
		    "gif','data':'QUJD'}}]}]}");
	send_request(c, buf_cstr(&b));
	assert_json(json_path(c->input_messages, "0.parts"),
		    "[{'type':'blob','modality':'image','mime_type':'image/png','content':'',"
		    "'ringspan.bytes':1500},"
		    "{'type':'uri','modality':'document','uri':'https://h/a.pdf'},"
		    "{'type':'blob','modality':'image','mime_type':'image/gif','content':'QUJD'}]");
}

static void test_wrong_types(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_request(c, "{'model':7,'messages':{'a':1},'tools':'x','system':3,'max_tokens':'9'}");
	assert_int_equal(c->max_tokens, SEM_NONE);
	assert_null(c->request_model.p);
	send_event(c, "x", "[1]", 1);
	send_event(c, "x", "{'type':'content_block_delta','index':'a','delta':[]}", 2);
	send_event(c, "x", "{'type':'content_block_start','index':-5,'content_block':null}", 3);
	send_event(c, "x", "{'type':'message_delta','usage':[],'delta':''}", 4);
	send_event(c, "x", "no json", 5);
	sem_finish(c, false);
	assert_int_equal(c->bad_events, 2);
	assert_false(c->has_usage);
	assert_int_equal(c->text.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),         cmocka_unit_test(test_response),
		cmocka_unit_test(test_stream),          cmocka_unit_test(test_stream_without_end),
		cmocka_unit_test(test_error_in_stream), cmocka_unit_test(test_media),
		cmocka_unit_test(test_wrong_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
