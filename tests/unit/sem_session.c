// SPDX-License-Identifier: BSD-2-Clause
/* Calls over a WebSocket: what its messages begin, what they ask, and what is answered. */
#include <errno.h>

#include "hostile.h"
#include "sem/session.h"
#include "sem_test.h"

#define REALTIME "/v1/realtime"
#define LIVE "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"

#define _cleanup_session_ __attribute__((cleanup(sem_session_free)))

static const struct sem_route routes[] = {
	{ .path = SV(REALTIME), .query = SV("model=gpt-rt"), .host = SV("api.openai.com") },
	{ .path = SV("/openai/realtime"),
	  .query = SV("api-version=x&deployment=my%20rt"),
	  .host = SV("me.openai.azure.com") },
	{ .path = SV(LIVE), .query = SV("key=x"), .host = SV("generativelanguage.googleapis.com") },
	{ .path = SV("/v1/responses"), .host = SV("api.openai.com") },
};

static struct sem_route route(size_t i)
{
	struct sem_route r = routes[i];

	r.method = SV("POST");
	r.websocket = true;
	return r;
}

static struct sem_session *session(size_t i)
{
	struct sem_route r = route(i);
	struct sem_session *s = NULL;

	assert_int_equal(sem_session_new(&s, &r), 0);
	return s;
}

static enum sem_turn say(struct sem_session *s, enum http_dir dir, const char *text)
{
	_cleanup_free_ char *json = quoted(text);

	return sem_session_message(s, dir, sv(json));
}

#define client(s, text) say(s, HTTP_REQUEST, text)
#define server(s, text) say(s, HTTP_RESPONSE, text)

/* The call that a session's message began. */
static struct sem_call *begun(struct sem_session *s, size_t i)
{
	struct sem_route r = route(i);
	struct sem_call *c = NULL;

	assert_int_equal(sem_call_new(&c, &r), 0);
	sem_request(c, buf_view(&s->body), false);
	return c;
}

static void test_realtime(void **state)
{
	_cleanup_session_ struct sem_session *s = session(0);
	_cleanup_call_ struct sem_call *c = NULL, *next = NULL;

	(void)state;
	assert_int_equal(server(s, "{'type':'session.created','session':{'model':'gpt-rt-1',"
				   "'instructions':'I','output_modalities':['audio'],'tools':["
				   "{'type':'function','name':'f','parameters':{}}]}}"),
			 SEM_TURN_NONE);
	assert_int_equal(client(s, "{'type':'conversation.item.create','item':{'type':'message',"
				   "'role':'user','content':[{'type':'input_text','text':'hi'}]}}"),
			 SEM_TURN_NONE);
	assert_int_equal(client(s, "{'type':'input_audio_buffer.append','audio':'QUJDREVG'}"),
			 SEM_TURN_NONE);
	assert_int_equal(client(s, "{'type':'response.create'}"), SEM_TURN_BEGINS);
	c = begun(s, 0);
	assert_string_equal(c->api, "openai.realtime");
	assert_sv(c->provider, "openai");
	assert_sv(c->request_model, "gpt-rt-1");
	assert_sv(c->output_type, "speech");
	assert_json(c->tool_names, "['f']");
	assert_json(c->system_instructions, "[{'type':'text','content':'I'}]");
	assert_json(c->input_messages, "[{'role':'user','parts':[{'type':'text','content':'hi'}]},"
				       "{'role':'user','parts':[{'type':'blob','modality':'audio',"
				       "'mime_type':'audio/*','content':'','ringspan.bytes':6}]}]");
	assert_int_equal(server(s, "{'type':'response.created','response':{'id':'r'}}"),
			 SEM_TURN_ANSWER);
	send_event(c, "", "{'type':'response.created','response':{'id':'r','output':[]}}", 1);
	send_event(c, "",
		   "{'type':'response.output_audio.delta','delta':'QUJDREVG','output_index':0}", 5);
	send_event(
		c, "",
		"{'type':'response.output_audio_transcript.delta','delta':'Hel','output_index':0,"
		"'content_index':0}",
		6);
	send_event(c, "",
		   "{'type':'response.function_call_arguments.delta','delta':'{','output_index':1}",
		   7);
	assert_int_equal(server(s, "{'type':'response.done','response':{}}"), SEM_TURN_ANSWER);
	send_event(c, "",
		   "{'type':'response.done','response':{'id':'r','conversation_id':'conv',"
		   "'status':'completed','output':[{'type':'message','role':'assistant','content':["
		   "{'type':'output_audio','transcript':'Hello'}]},{'type':'function_call',"
		   "'call_id':'c1','name':'f','arguments':'{}'}],'usage':{'total_tokens':30,"
		   "'input_tokens':20,'output_tokens':10,'input_token_details':{'text_tokens':8,"
		   "'audio_tokens':12,'cached_tokens':4},'output_token_details':{'text_tokens':3,"
		   "'audio_tokens':7}}}}",
		   8);
	sem_finish(c, false);
	assert_true(c->terminated);
	assert_int_equal(c->ts_first_token, 5);
	assert_sv(buf_view(&c->text), "Hello");
	assert_sv(c->conversation_id, "conv");
	assert_sv(c->calls->id, "c1");
	assert_sv(c->calls->args, "{}");
	assert_int_equal(c->usage.input, 20);
	assert_int_equal(c->usage.cache_read, 4);
	assert_int_equal(c->usage.input_audio, 12);
	assert_int_equal(c->usage.output_audio, 7);
	assert_json(json_path(c->output_messages, "0.parts.2"),
		    "{'type':'blob','modality':'audio','mime_type':'audio/*','content':'',"
		    "'ringspan.bytes':6}");
	/* what was said is not said twice; the tool's result is */
	client(s, "{'type':'conversation.item.create','item':{'type':'function_call_output',"
		  "'call_id':'c1','output':'done'}}");
	assert_int_equal(client(s, "{'type':'response.create','response':{'instructions':'J'}}"),
			 SEM_TURN_BEGINS);
	next = begun(s, 0);
	assert_int_equal(next->input_message_cnt, 1);
	assert_sv(next->results->id, "c1");
	assert_sv(next->results->text, "done");
	assert_json(next->system_instructions, "[{'type':'text','content':'J'}]");
}

/* The server answers by itself when it heard the user stop speaking. */
static void test_realtime_heard(void **state)
{
	_cleanup_session_ struct sem_session *s = session(1);
	_cleanup_call_ struct sem_call *c = NULL;

	(void)state;
	client(s, "{'type':'input_audio_buffer.append','audio':'QUJD'}");
	assert_int_equal(server(s, "{'type':'response.created','response':{}}"), SEM_TURN_BEGINS);
	c = begun(s, 1);
	assert_sv(c->provider, "azure.ai.openai");
	assert_sv(c->request_model, "my rt");
	assert_int_equal(server(s, "{'type':'response.audio.delta','delta':'QUJD'}"),
			 SEM_TURN_ANSWER);
	assert_int_equal(server(s, "{'type':'rate_limits.updated'}"), SEM_TURN_NONE);
	assert_int_equal(server(s, "{'type':'error','error':{}}"), SEM_TURN_NONE);
	assert_int_equal(server(s, "{'type':'response.done','response':{}}"), SEM_TURN_ANSWER);
	assert_int_equal(server(s, "{'type':'response.text.delta','delta':'x'}"), SEM_TURN_NONE);
	/* joined half way */
	assert_int_equal(server(s, "{'type':'response.done','response':{}}"), SEM_TURN_BEGINS);
	assert_int_equal(server(s, "{'type':'response.done','response':{}}"), SEM_TURN_BEGINS);
}

static void test_realtime_failures(void **state)
{
	_cleanup_session_ struct sem_session *s = session(0);
	_cleanup_call_ struct sem_call *c = NULL;

	(void)state;
	assert_int_equal(client(s, "{'type':'response.create'}"), SEM_TURN_BEGINS);
	c = begun(s, 0);
	assert_sv(c->request_model, "gpt-rt");
	assert_int_equal(server(s, "{'type':'error','error':{}}"), SEM_TURN_ANSWER);
	/* one more is asked for while one is being answered */
	client(s, "{'type':'response.create'}");
	server(s, "{'type':'response.created'}");
	assert_int_equal(client(s, "{'type':'response.create'}"), SEM_TURN_BEGINS);
	assert_int_equal(server(s, "{'type':'error','error':{}}"), SEM_TURN_REFUSED);
	assert_int_equal(server(s, "{'type':'response.done'}"), SEM_TURN_ANSWER);
	send_event(c, "",
		   "{'type':'response.done','response':{'status':'failed','status_details':{"
		   "'type':'failed','error':{'type':'server_error','code':'x'}},'output':[]}}",
		   1);
	sem_finish(c, false);
	assert_sv(c->error.type, "server_error");
	assert_json(c->finish_reasons, "['failed']");
}

static void test_gemini_live(void **state)
{
	_cleanup_session_ struct sem_session *s = session(2);
	_cleanup_call_ struct sem_call *c = NULL, *next = NULL;

	(void)state;
	assert_int_equal(client(s, "{'setup':{'model':'models/live-1','systemInstruction':{"
				   "'parts':[{'text':'I'}]}}}"),
			 SEM_TURN_NONE);
	assert_int_equal(server(s, "{'setupComplete':{}}"), SEM_TURN_NONE);
	assert_int_equal(client(s, "{'clientContent':{'turns':[{'role':'user','parts':["
				   "{'text':'hi'}]}],'turnComplete':true}}"),
			 SEM_TURN_BEGINS);
	c = begun(s, 2);
	assert_string_equal(c->api, "gemini.live");
	assert_sv(c->request_model, "live-1");
	assert_json(c->input_messages,
		    "[{'role':'user','parts':[{'type':'text','content':'hi'}]}]");
	assert_int_equal(server(s, "{'serverContent':{'modelTurn':{'parts':[]}}}"),
			 SEM_TURN_ANSWER);
	send_event(c, "",
		   "{'serverContent':{'modelTurn':{'parts':[{'text':'yo'},{'inlineData':{"
		   "'mimeType':'audio/pcm','data':'QUJD'}}]}}}",
		   3);
	assert_int_equal(server(s, "{'toolCall':{'functionCalls':[]}}"), SEM_TURN_ANSWER);
	send_event(c, "",
		   "{'toolCall':{'functionCalls':[{'id':'c1','name':'f','args':{'a':1}}]},"
		   "'usageMetadata':{'promptTokenCount':5,'responseTokenCount':2}}",
		   4);
	sem_finish(c, false);
	assert_true(c->terminated);
	assert_sv(buf_view(&c->text), "yo");
	assert_sv(c->calls->name, "f");
	assert_sv(c->calls->id, "c1");
	assert_int_equal(c->usage.input, 5);
	assert_int_equal(c->usage.output, 2);
	assert_false(c->response_cut);
	/* the tool's result begins the next; sound heard alone is begun by the server */
	assert_int_equal(client(s, "{'toolResponse':{'functionResponses':[{'id':'c1','name':'f',"
				   "'response':{'r':1}}]}}"),
			 SEM_TURN_BEGINS);
	next = begun(s, 2);
	assert_sv(next->results->name, "f");
	assert_int_equal(server(s, "{'serverContent':{'turnComplete':true}}"), SEM_TURN_ANSWER);
	assert_int_equal(server(s, "{'serverContent':{'generationComplete':true}}"), SEM_TURN_NONE);
	assert_int_equal(client(s, "{'realtimeInput':{'audio':{'data':'QUJD'}}}"), SEM_TURN_NONE);
	assert_int_equal(server(s, "{'serverContent':{'modelTurn':{'parts':[]}}}"),
			 SEM_TURN_BEGINS);
}

static void test_no_session(void **state)
{
	struct sem_session *s = NULL;
	struct sem_route r = route(0);

	(void)state;
	r.path = SV("/v1/chat/completions"); /* an API, but not over a WebSocket */
	assert_int_equal(sem_session_new(&s, &r), -ENOENT);
	r.path = SV("/socket");
	assert_int_equal(sem_session_new(&s, &r), -ENOENT);
	r = route(0);
	r.websocket = false; /* POST /v1/realtime sets up WebRTC */
	assert_int_equal(sem_session_new(&s, &r), -ENOENT);
}

/* What nobody answers does not add up for ever. */
static void test_bounded(void **state)
{
	_cleanup_session_ struct sem_session *s = session(0);
	_cleanup_buf_ struct buf b = BUF_INIT;

	(void)state;
	buf_str(&b, "{'type':'conversation.item.create','item':{'type':'message','content':'");
	for (size_t i = 0; i < 10000; i++)
		buf_str(&b, "words and ");
	buf_str(&b, "'}}");
	for (size_t i = 0; i < 200; i++)
		client(s, buf_cstr(&b));
	assert_int_equal(client(s, "{'type':'response.create'}"), SEM_TURN_BEGINS);
	assert_true(s->body.len > 100000 && s->body.len <= 4 << 20);
}

static void test_hostile(void **state)
{
	static const char *const messages[] = {
		"{'type':'session.updated','session':{'tools':[{}],'model':1,'input':{}}}",
		"{'type':'conversation.item.create','item':[{'content':{'audio':1}}]}",
		"{'type':'response.create','response':{'input':[{'role':'user'}],'x':{}}}",
		"{'type':'response.created','response':[]}",
		"{'type':'response.done','response':{'output':{'a':[{}]},'usage':[]}}",
		"{'type':'response.output_audio.delta','delta':{}}",
		"{'type':'error','error':'x'}",
		"{'setup':[1],'clientContent':{'turns':{'a':1},'turnComplete':true}}",
		"{'toolResponse':{'functionResponses':[1,{}]},'realtimeInput':{'mediaChunks':1}}",
		"{'serverContent':{'modelTurn':{'parts':[1,{'inlineData':1}]}},'usageMetadata':1}",
		"{'toolCall':{'functionCalls':{}},'usageMetadata':{'responseTokenCount':'x'}}",
		"[]",
	};
	uint64_t seed = 4711;

	(void)state;
	for (size_t round = 0; round < 4000; round++) {
		size_t i = rnd_below(&seed, ARRAY_SIZE(routes));
		_cleanup_session_ struct sem_session *s = session(i);

		for (size_t k = 0; k < 6; k++) {
			_cleanup_free_ char *text =
				quoted(messages[rnd_below(&seed, ARRAY_SIZE(messages))]);
			size_t n = strlen(text) - (rnd_below(&seed, 3) ? 0 : rnd_below(&seed, 20));
			struct sse_event ev = { .data = { text, n }, .ts_last = k };
			_cleanup_call_ struct sem_call *c = NULL;

			if (sem_session_message(s, rnd_below(&seed, 2), ev.data) != SEM_TURN_BEGINS)
				continue;
			c = begun(s, i);
			sem_event(c, &ev);
			sem_finish(c, false);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_realtime),          cmocka_unit_test(test_realtime_heard),
		cmocka_unit_test(test_realtime_failures), cmocka_unit_test(test_gemini_live),
		cmocka_unit_test(test_no_session),        cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
