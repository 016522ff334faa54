// SPDX-License-Identifier: BSD-2-Clause
/* Bedrock: Converse and Invoke, whole and streamed, with the bodies of several model families. */
#include "sem_test.h"

#define HOST "bedrock-runtime.us-east-1.amazonaws.com"

static void test_paths(void **state)
{
	static const struct {
		const char *path, *api, *model;
		bool stream;
	} cases[] = {
		{ "/model/a.b-v1%3A0/converse", "bedrock.converse", "a.b-v1:0", false },
		{ "/model/a.b-v1:0/converse-stream", "bedrock.converse", "a.b-v1:0", true },
		{ "/model/arn%3Aaws%3Ax%2Fy/invoke", "bedrock.invoke", "arn:aws:x/y", false },
		{ "/model/arn:aws:x/y/invoke-with-response-stream", "bedrock.invoke", "arn:aws:x/y",
		  true },
		{ "/proxy/model/m%/invoke", "bedrock.invoke", "m%", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, cases[i].path);

		assert_string_equal(c->api, cases[i].api);
		assert_sv(c->provider, "aws.bedrock");
		assert_sv(c->request_model, cases[i].model);
		assert_int_equal(c->stream, cases[i].stream);
	}
}

static void test_converse_request(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/m/converse");

	(void)state;
	send_request(c,
		     "{'system':[{'text':'Be brief'},{'cachePoint':{'type':'default'}}],"
		     "'inferenceConfig':{'maxTokens':64,'temperature':0.5,'stopSequences':['END']},"
		     "'additionalModelRequestFields':{'top_k':3},"
		     "'toolConfig':{'tools':[{'toolSpec':{'name':'ls','description':'list',"
		     "'inputSchema':{'json':{'type':'object'}}}},{'systemTool':{'name':'code'}},"
		     "{'cachePoint':{'type':'default'}}]},"
		     "'messages':[{'role':'user','content':[{'text':'old'},"
		     "{'image':{'format':'png','source':{'bytes':'AAAA'}}}]},"
		     "{'role':'assistant','content':[{'toolUse':{'toolUseId':'t0','name':'ls',"
		     "'input':{'d':1}}}]},"
		     "{'role':'user','content':[{'toolResult':{'toolUseId':'t0','status':'error',"
		     "'content':[{'text':'no '},{'text':'dir'}]}},{'toolResult':{'toolUseId':'t1',"
		     "'content':[{'json':{'a':1}}]}}]}]}");
	assert_int_equal(c->max_tokens, 64);
	assert_true(c->top_k == 3);
	assert_int_equal(c->input_message_cnt, 3);
	assert_json(c->system_instructions, "[{'type':'text','content':'Be brief'}]");
	assert_json(c->tool_names, "['ls','code']");
	assert_json(json_at(c->input_messages, 0),
		    "{'role':'user','parts':[{'type':'text','content':'old'},{'type':'blob',"
		    "'modality':'image','mime_type':'image/png','content':'AAAA'}]}");
	assert_json(json_path(c->input_messages, "2.role"), "'tool'");
	assert_sv(c->results->id, "t0");
	assert_true(c->results->has_error && c->results->is_error);
	assert_sv(c->results->text, "no \ndir");
	assert_false(c->results->next->is_error);
	assert_sv_json(c->results->next->text, "{'a':1}");
}

static const char answer[] =
	"{'output':{'message':{'role':'assistant','content':["
	"{'reasoningContent':{'reasoningText':{'text':'hm','signature':'s'}}},"
	"{'text':'One '},{'text':'two'},"
	"{'toolUse':{'toolUseId':'t1','name':'ls','input':{'d':'/'}}},"
	"{'toolUse':{'toolUseId':'s1','name':'code','type':'server_tool_use','input':{}}}]}},"
	"'stopReason':'tool_use','usage':{'inputTokens':3,'outputTokens':7,"
	"'cacheReadInputTokens':90,'cacheWriteInputTokenCount':10,'totalTokens':110}}";

static void assert_answer(struct sem_call *c)
{
	sem_finish(c, false);
	assert_false(c->response_cut);
	assert_json(c->finish_reasons, "['tool_use']");
	assert_sv(buf_view(&c->text), "One two");
	assert_sv(buf_view(&c->reasoning), "hm");
	assert_sv(c->calls->id, "t1");
	assert_sv(c->calls->name, "ls");
	assert_sv_json(c->calls->args, "{'d':'/'}");
	assert_false(c->calls->server || c->calls->args_cut);
	assert_true(c->calls->next->server);
	assert_sv_json(c->calls->next->args, "{}");
	assert_int_equal(c->usage.input, 103);
	assert_int_equal(c->usage.output, 7);
	assert_int_equal(c->usage.cache_read, 90);
	assert_int_equal(c->usage.cache_write, 10);
	assert_sv(c->response_id, "");
}

static void test_converse_answer(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/m/converse");

	(void)state;
	send_answer(c, 200, answer);
	assert_answer(c);
}

static const struct {
	const char *name, *data;
} events[] = {
	{ "messageStart", "{'role':'assistant','p':'abc'}" },
	{ "contentBlockDelta",
	  "{'contentBlockIndex':0,'delta':{'reasoningContent':{'text':'hm'}}}" },
	{ "contentBlockDelta",
	  "{'contentBlockIndex':0,'delta':{'reasoningContent':{'signature':'s'}}}" },
	{ "contentBlockStop", "{'contentBlockIndex':0}" },
	{ "contentBlockDelta", "{'contentBlockIndex':1,'delta':{'text':'One '}}" },
	{ "contentBlockDelta", "{'contentBlockIndex':1,'delta':{'text':'two'}}" },
	{ "contentBlockStart",
	  "{'contentBlockIndex':2,'start':{'toolUse':{'toolUseId':'t1','name':'ls'}}}" },
	{ "contentBlockDelta",
	  "{'contentBlockIndex':2,'delta':{'toolUse':{'input':'{\\u0022d\\u0022:'}}}" },
	{ "contentBlockDelta",
	  "{'contentBlockIndex':2,'delta':{'toolUse':{'input':'\\u0022/\\u0022}'}}}" },
	{ "contentBlockStop", "{'contentBlockIndex':2}" },
	{ "contentBlockStart", "{'contentBlockIndex':3,'start':{'toolUse':{'toolUseId':'s1',"
			       "'name':'code','type':'server_tool_use'}}}" },
	{ "messageStop", "{'stopReason':'tool_use'}" },
	{ "metadata", "{'usage':{'inputTokens':3,'outputTokens':7,'cacheReadInputTokens':90,"
		      "'cacheWriteInputTokens':10}}" },
};

static void test_converse_stream(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/m/converse-stream");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		send_event(c, events[i].name, events[i].data, 100 + i);
	assert_int_equal(c->ts_first_token, 101);
	assert_answer(c);
	assert_int_equal(c->calls->ts, 108);
}

static void test_converse_stream_cut(void **state)
{
	(void)state;
	for (size_t n = 1; n < ARRAY_SIZE(events) - 1; n++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/m/converse-stream");

		for (size_t i = 0; i < n; i++)
			send_event(c, events[i].name, events[i].data, i);
		sem_finish(c, false);
		/* what comes behind the stop is about tokens only */
		assert_int_equal(c->response_cut, n < ARRAY_SIZE(events) - 1);
		if (c->calls)
			assert_int_equal(c->calls->args_cut, n < 10);
	}
}

static void test_every_cut(void **state)
{
	(void)state;
	assert_every_cut(HOST, "/model/m/converse", answer, "One two");
}

static void send_head(struct sem_call *c, const char *input, const char *output, const char *read)
{
	struct http_field fields[] = {
		{ SV("x-amzn-bedrock-input-token-count"), sv(input) },
		{ SV("x-amzn-bedrock-output-token-count"), sv(output) },
		{ SV("x-amzn-bedrock-cache-read-input-token-count"), sv(read) },
	};
	struct http_msg head = { .fields = fields, .field_cnt = ARRAY_SIZE(fields) };

	sem_head(c, &head);
}

/* The bodies of the model families, as short as they can be. */
static const struct {
	const char *request, *answer, *operation, *text, *reasons;
	int64_t input, output, cache_read;
} natives[] = {
	/* Anthropic: messages, and the completions of before */
	{ "{'anthropic_version':'x','messages':[{'role':'user','content':'hi'}]}",
	  "{'id':'m','type':'message','content':[{'type':'text','text':'yo'}],'stop_reason':"
	  "'end_turn','usage':{'input_tokens':1,'output_tokens':2,'cache_read_input_tokens':4}}",
	  "chat", "yo", "['end_turn']", 5, 2, 4 },
	{ "{'prompt':'Human: hi','max_tokens_to_sample':5}",
	  "{'type':'completion','completion':'yo','stop_reason':'stop_sequence'}",
	  "text_completion", "yo", "['stop_sequence']", 130, 20, 30 },
	/* Nova: Converse's, of which half the usage is in the header */
	{ "{'messages':[{'role':'user','content':[{'text':'hi'}]}],'inferenceConfig':{}}",
	  "{'output':{'message':{'content':[{'text':'yo'}]}},'stopReason':'end_turn',"
	  "'usage':{'inputTokens':1}}",
	  "chat", "yo", "['end_turn']", 31, 20, 30 },
	/* Titan, Llama, Mistral, Cohere, AI21 */
	{ "{'inputText':'hi','textGenerationConfig':{'maxTokenCount':5}}",
	  "{'inputTextTokenCount':1,'results':[{'tokenCount':2,'outputText':'yo',"
	  "'completionReason':'FINISH'}]}",
	  "text_completion", "yo", "['FINISH']", 31, 2, 30 },
	{ "{'prompt':'hi','max_gen_len':5}",
	  "{'generation':'yo','prompt_token_count':1,'generation_token_count':2,"
	  "'stop_reason':'length'}",
	  "text_completion", "yo", "['length']", 31, 2, 30 },
	{ "{'prompt':'hi'}", "{'outputs':[{'text':'yo','stop_reason':'stop'}]}", "text_completion",
	  "yo", "['stop']", 130, 20, 30 },
	{ "{'prompt':'hi'}",
	  "{'id':'g','generations':[{'id':'x','text':'yo','finish_reason':'COMPLETE'}]}",
	  "text_completion", "yo", "['COMPLETE']", 130, 20, 30 },
	{ "{'message':'hi','chat_history':[]}", "{'text':'yo','finish_reason':'COMPLETE'}", "chat",
	  "yo", "['COMPLETE']", 130, 20, 30 },
	{ "{'prompt':'hi','maxTokens':5}",
	  "{'id':12,'completions':[{'data':{'text':'yo'},'finishReason':{'reason':'length'}}]}",
	  "text_completion", "yo", "['length']", 130, 20, 30 },
	/* OpenAI's two shapes: what a cache served is part of their input */
	{ "{'prompt':'hi'}",
	  "{'model':'/opt/ml','choices':[{'index':0,'text':'yo','finish_reason':'length'}],"
	  "'usage':{'prompt_tokens':6,'completion_tokens':1}}",
	  "text_completion", "yo", "['length']", 6, 1, 30 },
	{ "{'messages':[{'role':'user','content':'hi'}]}",
	  "{'choices':[{'index':0,'message':{'content':'yo'},'stop_reason':'stop'}]}", "chat", "yo",
	  "['stop']", 100, 20, 30 },
};

static void test_native_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(natives); i++) {
		_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/arn:x/invoke");

		send_request(c, natives[i].request);
		send_head(c, "100", "20", "30");
		send_answer(c, 200, natives[i].answer);
		sem_finish(c, false);
		assert_string_equal(c->operation, natives[i].operation);
		assert_sv(c->request_model, "arn:x");
		assert_sv(buf_view(&c->text), natives[i].text);
		assert_json(c->finish_reasons, natives[i].reasons);
		assert_int_equal(c->usage.input, natives[i].input);
		assert_int_equal(c->usage.output, natives[i].output);
		assert_int_equal(c->usage.cache_read, natives[i].cache_read);
		assert_int_equal(c->input_message_cnt, 1);
		assert_false(c->response_cut);
	}
}

static void test_native_embeddings(void **state)
{
	static const struct {
		const char *model, *request, *answer;
		int64_t dimensions;
	} cases[] = {
		{ "x", "{'inputText':'hi','normalize':true}",
		  "{'embedding':[1,2,3],'inputTextTokenCount':5}", 3 },
		{ "amazon.titan-embed-text-v1", "{'inputText':'hi'}", "{'embedding':[1,2]}", 2 },
		{ "x", "{'inputText':'hi'}", "{'embedding':[1,2]}", 2 },
		{ "x", "{'texts':['hi'],'input_type':'search_query'}",
		  "{'id':'e','embeddings':[[1,2,3,4]]}", 4 },
		{ "x", "{'texts':['hi']}", "{'embeddings':{'float':[[1,2]]}}", 2 },
		{ "x", "{'taskType':'SINGLE_EMBEDDING','singleEmbeddingParams':{}}",
		  "{'embeddings':[{'embedding':[1],'embeddingType':'TEXT'}]}", 1 },
		{ "x", "{'inputText':'hi','dimensions':256}", "{'embedding':[1]}", 256 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char path[64];
		struct sem_call *c;

		snprintf(path, sizeof(path), "/model/%s/invoke", cases[i].model);
		c = call_to(HOST, path);
		send_request(c, cases[i].request);
		send_head(c, "5", "", "");
		send_answer(c, 200, cases[i].answer);
		sem_finish(c, false);
		assert_string_equal(c->operation, "embeddings");
		assert_int_equal(c->embedding_dimensions, cases[i].dimensions);
		assert_int_equal(c->usage.input, 5);
		assert_int_equal(c->usage.output, SEM_NONE);
		assert_null(c->output_messages);
		sem_call_free(&c);
	}
}

static void test_native_rerank(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/r/invoke");

	(void)state;
	send_request(c, "{'query':'who','documents':['a','b'],'api_version':2}");
	send_answer(c, 200,
		    "{'results':[{'index':1,'relevance_score':0.9},"
		    "{'index':0,'relevance_score':0.1}]}");
	sem_finish(c, false);
	assert_string_equal(c->operation, "retrieval");
	assert_sv(c->retrieval_query, "who");
	assert_json(c->retrieval_documents, "[{'id':'1','score':0.9},{'id':'0','score':0.1}]");
	assert_false(c->has_usage);
}

/* base64 of what a chunk holds, by hand so that the parser's own decoder is not its judge */
static void test_invoke_stream(void **state)
{
	static const struct {
		const char *request, *chunks[4];
		const char *reasons;
		int64_t input, output;
	} cases[] = {
		/* {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"yo"}}
		 * {"type":"message_delta","delta":{"stop_reason":"end_turn"}}
		 * {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,
		 * "outputTokenCount":4}} */
		{ "{'anthropic_version':'x','messages':[]}",
		  { "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJkZWx0YSI6eyJ0eXBlIjoidG"
		    "V4dF9kZWx0YSIsInRleHQiOiJ5byJ9fQ==",
		    "eyJ0eXBlIjoibWVzc2FnZV9kZWx0YSIsImRlbHRhIjp7InN0b3BfcmVhc29uIjoiZW5kX3R1cm4ifX"
		    "0=",
		    "eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiwiYW1hem9uLWJlZHJvY2staW52b2NhdGlvbk1ldHJpY3MiOn"
		    "si"
		    "aW5wdXRUb2tlbkNvdW50IjozLCJvdXRwdXRUb2tlbkNvdW50Ijo0fX0=" },
		  "['end_turn']",
		  3,
		  4 },
		/* {"contentBlockDelta":{"delta":{"text":"yo"},"contentBlockIndex":0}}
		 * {"messageStop":{"stopReason":"end_turn"}}
		 * {"metadata":{"usage":{"inputTokens":3,"outputTokens":4}}} */
		{ "{'messages':[{'role':'user','content':[{'text':'hi'}]}]}",
		  { "eyJjb250ZW50QmxvY2tEZWx0YSI6eyJkZWx0YSI6eyJ0ZXh0IjoieW8ifSwiY29udGVudEJsb2NrSW"
		    "5k"
		    "ZXgiOjB9fQ==",
		    "eyJtZXNzYWdlU3RvcCI6eyJzdG9wUmVhc29uIjoiZW5kX3R1cm4ifX0=",
		    "eyJtZXRhZGF0YSI6eyJ1c2FnZSI6eyJpbnB1dFRva2VucyI6Mywib3V0cHV0VG9rZW5zIjo0fX1"
		    "9" },
		  "['end_turn']",
		  3,
		  4 },
		/* {"outputText":"y","index":0,"inputTextTokenCount":3}
		 * {"outputText":"o","totalOutputTextTokenCount":4,"completionReason":"FINISH",
		 * "inputTextTokenCount":null,"amazon-bedrock-invocationMetrics":{"inputTokenCount":9}} */
		{ "{'inputText':'hi','textGenerationConfig':{}}",
		  { "eyJvdXRwdXRUZXh0IjoieSIsImluZGV4IjowLCJpbnB1dFRleHRUb2tlbkNvdW50IjozfQ==",
		    "eyJvdXRwdXRUZXh0IjoibyIsInRvdGFsT3V0cHV0VGV4dFRva2VuQ291bnQiOjQsImNvbXBsZXRpb2"
		    "5S"
		    "ZWFzb24iOiJGSU5JU0giLCJpbnB1dFRleHRUb2tlbkNvdW50IjpudWxsLCJhbWF6b24tYmVkcm9jay"
		    "1p"
		    "bnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQiOjl9fQ==" },
		  "['FINISH']",
		  3,
		  4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_call_ struct sem_call *c =
			call_to(HOST, "/model/m/invoke-with-response-stream");

		send_request(c, cases[i].request);
		assert_true(c->stream);
		for (size_t k = 0; cases[i].chunks[k]; k++) {
			char data[512];

			snprintf(data, sizeof(data), "{'bytes':'%s','p':'ab'}", cases[i].chunks[k]);
			send_event(c, "chunk", data, k + 1);
		}
		sem_finish(c, false);
		assert_false(c->response_cut);
		assert_int_equal(c->bad_events, 0);
		assert_int_equal(c->ts_first_token, 1);
		assert_sv(buf_view(&c->text), "yo");
		assert_json(c->finish_reasons, cases[i].reasons);
		assert_int_equal(c->usage.input, cases[i].input);
		assert_int_equal(c->usage.output, cases[i].output);
	}
}

static void test_bad_chunks(void **state)
{
	static const char *const chunks[] = { "{'bytes':'!!!!'}", "{'bytes':''}", "{'bytes':7}",
					      "{}", "{'bytes':'e30'}" };
	_cleanup_call_ struct sem_call *c = call_to(HOST, "/model/m/invoke-with-response-stream");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++)
		send_event(c, "chunk", chunks[i], i);
	sem_finish(c, false);
	/* the last is {} without padding */
	assert_int_equal(c->bad_events, ARRAY_SIZE(chunks) - 1);
	assert_true(c->response_cut);
	assert_false(c->has_usage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_converse_request),
		cmocka_unit_test(test_converse_answer),
		cmocka_unit_test(test_converse_stream),
		cmocka_unit_test(test_converse_stream_cut),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_native_bodies),
		cmocka_unit_test(test_native_embeddings),
		cmocka_unit_test(test_native_rerank),
		cmocka_unit_test(test_invoke_stream),
		cmocka_unit_test(test_bad_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
