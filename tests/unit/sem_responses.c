// SPDX-License-Identifier: BSD-2-Clause
/* OpenAI responses: items in and out, streams with and without their end, background answers. */
#include "sem_test.h"

#define HOST "api.openai.com"
#define PATH "/v1/responses"

/* A provider's MCP tool that waits for leave, and the word that a later request has. */
static void test_leave(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	_cleanup_call_ struct sem_call *r = call_to(HOST, PATH);
	static const char *const said[] = { "response.output_item.done", "response.completed" };

	(void)state;
	send_event(c, said[0],
		   "{'type':'response.output_item.done','output_index':0,'item':{'type':"
		   "'mcp_approval_request','id':'mcpr_1','name':'roll','arguments':'{}',"
		   "'server_label':'dice'}}",
		   1);
	send_event(
		c, said[1],
		"{'type':'response.completed','response':{'id':'r','status':'completed','output':["
		"{'type':'mcp_approval_request','id':'mcpr_1','name':'roll','arguments':'{}',"
		"'server_label':'dice'}]}}",
		2);
	sem_finish(c, false);
	assert_sv(c->asks_leave->id, "mcpr_1");
	assert_sv(c->asks_leave->name, "roll");
	assert_null(c->asks_leave->next);
	send_request(
		r, "{'model':'gpt-x','input':["
		   "{'type':'mcp_approval_response','approval_request_id':'mcpr_0','approve':true},"
		   "{'type':'mcp_approval_request','id':'mcpr_1','name':'roll','arguments':'{}'},"
		   "{'type':'mcp_approval_response','approval_request_id':'mcpr_1','approve':false,"
		   "'reason':'not now'}]}");
	assert_sv(r->leaves->id, "mcpr_1");
	assert_false(r->leaves->granted);
	assert_sv(r->leaves->reason, "not now");
	assert_null(r->leaves->next);
}

static void test_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	_cleanup_call_ struct sem_call *s = call_to(HOST, PATH);

	(void)state;
	send_request(
		c, "{'model':'gpt-x','instructions':'Be brief','max_output_tokens':5,'stream':true,"
		   "'previous_response_id':'resp_0','conversation':{'id':'conv_1'},'reasoning':{'"
		   "effort':'high'},"
		   "'text':{'format':{'type':'json_schema'}},"
		   "'tools':[{'type':'function','name':'f','parameters':{}},{'type':'web_search'},"
		   "{'type':'namespace','name':'ns','tools':[]}],"
		   "'input':[{'role':'user','content':'hi'},"
		   "{'type':'function_call_output','call_id':'old','output':'x'},"
		   "{'type':'reasoning','summary':[{'type':'summary_text','text':'sum'}],'"
		   "encrypted_content':'e'},"
		   "{'type':'function_call','call_id':'c1','name':'f','arguments':'{\\'a\\':1}'},"
		   "{'type':'web_search_call','id':'ws','action':{'type':'search'}},"
		   "{'type':'function_call_output','call_id':'c1','output':[{'type':'input_text','"
		   "text':'R'},"
		   "{'type':'input_image','image_url':'https://h/"
		   "i.png'},{'type':'input_text','text':'1'}]},"
		   "{'type':'message','role':'user','content':[{'type':'input_text','text':'and'},"
		   "{'type':'input_image','image_url':'https://h/i.png'}]}]}");
	assert_string_equal(c->api, "openai.responses");
	assert_sv(c->previous_response_id, "resp_0");
	assert_sv(c->conversation_id, "conv_1");
	assert_sv(c->reasoning_effort, "high");
	assert_sv(c->output_type, "json");
	assert_int_equal(c->max_tokens, 5);
	assert_int_equal(c->input_message_cnt, 7);
	assert_json(c->tool_names, "['f','web_search','ns']");
	assert_json(c->system_instructions, "[{'type':'text','content':'Be brief'}]");
	assert_sv(c->results->id, "c1");
	assert_sv(c->results->text, "R\n1");
	assert_false(c->results->has_error);
	assert_null(c->results->next);
	assert_json(json_at(c->input_messages, 2),
		    "{'role':'assistant','parts':[{'type':'reasoning','content':'sum'}]}");
	assert_json(json_at(c->input_messages, 3),
		    "{'role':'assistant','parts':[{'type':'tool_call','id':'c1','name':'f','"
		    "arguments':{'a':1}}]}");
	assert_json(json_path(c->input_messages, "4.parts.0.server_tool_call"),
		    "{'type':'web_search_call','arguments':{'type':'search'}}");
	assert_json(json_path(c->input_messages, "5.role"), "'tool'");
	assert_json(json_path(c->input_messages, "6.parts.1"),
		    "{'type':'uri','modality':'image','uri':'https://h/i.png'}");

	send_request(s, "{'model':'gpt-x','input':'hi','conversation':'conv_2'}");
	assert_int_equal(s->input_message_cnt, 1);
	assert_sv(s->conversation_id, "conv_2");
	assert_json(s->input_messages,
		    "[{'role':'user','parts':[{'type':'text','content':'hi'}]}]");
}

static const char answer[] =
	"{'id':'resp_1','model':'gpt-y','status':'completed','error':null,'incomplete_details':"
	"null,'output':["
	"{'type':'reasoning','summary':[{'type':'summary_text','text':'s1'}],'content':[{'type':'"
	"reasoning_text','text':'c1'}]},"
	"{'type':'web_search_call','id':'ws_1','action':{'type':'search'}},"
	"{'type':'message','role':'assistant','content':[{'type':'output_text','text':'One "
	"'},{'type':'output_text','text':'two'}]},"
	"{'type':'function_call','id':'fc_1','call_id':'call_1','name':'f','arguments':'{}'},"
	"{'type':'custom_tool_call','call_id':'call_2','name':'g','input':'raw text'},"
	"{'type':'tool_search_call','execution':'server','id':'ts_1','call_id':null,'arguments':{'"
	"q':1}}],"
	"'usage':{'input_tokens':9,'input_tokens_details':{'cached_tokens':4,'cache_write_tokens':"
	"1},"
	"'output_tokens':3,'output_tokens_details':{'reasoning_tokens':2}}}";

static void assert_answer(const struct sem_call *c)
{
	const struct sem_tool_call *t = c->calls;

	assert_sv(c->response_id, "resp_1");
	assert_sv(c->response_model, "gpt-y");
	assert_sv(buf_view(&c->text), "One two");
	assert_sv(buf_view(&c->reasoning), "s1c1");
	assert_json(c->finish_reasons, "['completed']");
	assert_sv(t->id, "ws_1");
	assert_sv(t->name, "web_search_call");
	assert_true(t->server);
	t = t->next;
	assert_sv(t->id, "call_1");
	assert_sv_json(t->args, "{}");
	assert_false(t->server);
	t = t->next;
	assert_sv(t->args, "raw text");
	assert_null(t->args_json);
	t = t->next;
	assert_sv(t->id, "ts_1");
	assert_true(t->server);
	assert_null(t->next);
	assert_int_equal(c->usage.input, 9);
	assert_int_equal(c->usage.cache_read, 4);
	assert_int_equal(c->usage.cache_write, 1);
	assert_int_equal(c->usage.reasoning, 2);
	assert_json(json_path(c->output_messages, "0.finish_reason"), "'tool_call'");
	assert_false(c->has_error);
}

static void test_response(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	send_answer(c, 200, answer);
	sem_finish(c, false);
	assert_answer(c);
	assert_every_cut(HOST, PATH, answer, "One two");
}

/* The final response alone, behind events that were streamed under other places. */
static void test_final_response_counts(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	send_event(c, "",
		   "{'type':'response.output_text.delta','output_index':7,'content_index':0,'delta'"
		   ":'stale'}",
		   1);
	buf_fmt(&b, "{'type':'response.completed','response':%s}", answer);
	send_event(c, "response.completed", buf_cstr(&b), 2);
	sem_finish(c, false);
	assert_answer(c);
	assert_true(c->terminated);
	assert_false(c->response_cut);
}

static void stream(struct sem_call *c)
{
	send_event(c, "",
		   "{'type':'response.created','response':{'id':'resp_2','model':'m','status':'in_"
		   "progress','output':[]}}",
		   1);
	send_event(c, "",
		   "{'type':'response.output_item.added','output_index':0,'item':{'type':'"
		   "reasoning','summary':[]}}",
		   2);
	send_event(c, "",
		   "{'type':'response.reasoning_summary_text.delta','output_index':0,'summary_"
		   "index':0,'delta':'th'}",
		   3);
	send_event(c, "",
		   "{'type':'response.reasoning_summary_text.done','output_index':0,'summary_index'"
		   ":0,'text':'think'}",
		   4);
	send_event(c, "",
		   "{'type':'response.output_item.added','output_index':2,'item':{'type':'function_"
		   "call','call_id':'k','name':'f','arguments':''}}",
		   5);
	send_event(c, "",
		   "{'type':'response.function_call_arguments.delta','output_index':2,'delta':'{\\'"
		   "a\\''}",
		   6);
	send_event(c, "",
		   "{'type':'response.output_item.added','output_index':1,'item':{'type':'message',"
		   "'role':'assistant','content':[]}}",
		   7);
	send_event(c, "",
		   "{'type':'response.output_text.delta','output_index':1,'content_index':0,'delta'"
		   ":'He'}",
		   8);
	send_event(c, "",
		   "{'type':'response.output_text.delta','output_index':1,'content_index':0,'delta'"
		   ":'llo'}",
		   9);
	send_event(c, "",
		   "{'type':'response.output_text.done','output_index':1,'content_index':0,'text':'"
		   "Hello'}",
		   10);
	send_event(
		c, "",
		"{'type':'response.function_call_arguments.delta','output_index':2,'delta':':1}'}",
		11);
}

static void test_stream(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	stream(c);
	send_event(c, "",
		   "{'type':'response.output_item.done','output_index':2,'item':{'type':'function_"
		   "call','call_id':'k','name':'f','arguments':'{\\'a\\':1}'}}",
		   12);
	/* some leave the output of the final response empty */
	send_event(c, "",
		   "{'type':'response.completed','response':{'id':'resp_2','model':'m-1','status':'"
		   "completed','output':[],'usage':{'input_tokens':1,'output_tokens':2}}}",
		   13);
	sem_finish(c, false);
	assert_sv(buf_view(&c->text), "Hello");
	assert_sv(buf_view(&c->reasoning), "think");
	assert_sv(c->response_model, "m-1");
	assert_sv(c->calls->id, "k");
	assert_sv_json(c->calls->args, "{'a':1}");
	assert_int_equal(c->calls->ts, 11);
	assert_false(c->calls->args_cut);
	assert_null(c->calls->next);
	assert_int_equal(c->usage.output, 2);
	assert_int_equal(c->ts_first_token, 3);
	/* what repeats is no content: 3, 5, 6, 8, 9, 11 */
	assert_int_equal(c->content_events, 6);
}

static void test_stream_without_end(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);

	(void)state;
	stream(c);
	sem_finish(c, false);
	assert_true(c->response_cut);
	assert_sv(buf_view(&c->text), "Hello");
	assert_true(c->calls->args_cut);
	assert_null(c->finish_reasons);
	assert_false(c->has_usage);
}

static void test_failures(void **state)
{
	_cleanup_call_ struct sem_call *failed = call_to(HOST, PATH);
	_cleanup_call_ struct sem_call *flat = call_to(HOST, PATH);
	_cleanup_call_ struct sem_call *incomplete = call_to(HOST, PATH);
	_cleanup_call_ struct sem_call *queued = call_to(HOST, PATH);

	(void)state;
	send_event(failed, "",
		   "{'type':'response.failed','response':{'id':'r','status':'failed','error':{'"
		   "code':'server_error','message':'boom'}}}",
		   1);
	sem_finish(failed, false);
	assert_sv(failed->error.type, "server_error");
	assert_sv(failed->error.message, "boom");
	assert_json(failed->finish_reasons, "['failed']");
	assert_true(failed->terminated);

	send_event(
		flat, "error",
		"{'type':'error','code':'rate_limit_exceeded','message':'slow down','param':null}",
		1);
	sem_finish(flat, false);
	assert_sv(flat->error.type, "rate_limit_exceeded");

	send_answer(incomplete, 200,
		    "{'id':'r','status':'incomplete','incomplete_details':{'reason':'max_output_"
		    "tokens'},'output':[]}");
	sem_finish(incomplete, false);
	assert_json(incomplete->finish_reasons, "['max_output_tokens']");
	assert_json(json_path(incomplete->output_messages, "0.finish_reason"), "'length'");

	send_answer(queued, 200, "{'id':'r','status':'queued','output':[],'usage':null}");
	sem_finish(queued, false);
	assert_null(queued->finish_reasons);
	assert_null(queued->output_messages);
	assert_false(queued->has_usage);
}

/* Results come with the item and again with the final response, and count once. */
static void test_file_search(void **state)
{
	static const char item[] =
		"{'type':'file_search_call','id':'fs','queries':['who','where'],'results':["
		"{'file_id':'f-1','score':0.5,'text':'t'}]}";
	_cleanup_call_ struct sem_call *c = call_to(HOST, PATH);
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	send_event(c, "",
		   "{'type':'response.output_item.added','output_index':0,'item':"
		   "{'type':'file_search_call','id':'fs','queries':[],'results':null}}",
		   1);
	buf_fmt(&b, "{'type':'response.output_item.done','output_index':0,'item':%s}", item);
	send_event(c, "", buf_cstr(&b), 2);
	buf_clear(&b);
	buf_fmt(&b, "{'type':'response.completed','response':{'status':'completed','output':[%s]}}",
		item);
	send_event(c, "", buf_cstr(&b), 3);
	sem_finish(c, false);
	assert_sv(c->retrieval_query, "who\nwhere");
	assert_json(c->retrieval_documents, "[{'id':'f-1','score':0.5}]");
	assert_true(c->calls->server);
	assert_sv(c->calls->name, "file_search_call");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_search),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_final_response_counts),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_without_end),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
