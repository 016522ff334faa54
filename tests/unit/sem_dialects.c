// SPDX-License-Identifier: BSD-2-Clause
/*
 * What those who speak OpenAI's chat completions do differently, a line a deviation: the events of a
 * stream, one a line, and what has to come out.
 */
#include <math.h>

#include "sem_test.h"

struct expected {
	const char *text, *reasoning;  /* NULL: "" */
	const char *tool, *args;       /* the first call; NULL: none */
	const char *finish, *error;    /* the first reason; error.type */
	int64_t input, output, cached; /* 0: not judged */
	const char *upstream;
	double cost; /* 0: none */
};

static const struct {
	const char *name, *host, *path, *events;
	struct expected e;
} dialects[] = {
	{ "azure: choices come later, each with filter results",
	  "me.openai.azure.com",
	  "/openai/deployments/d/chat/completions",
	  "{'choices':[],'id':'','model':'','prompt_filter_results':[{'prompt_index':0}]}\n"
	  "{'choices':[{'content_filter_results':{},'delta':{'content':'A'},'index':0}],"
	  "'model':'m'}\n"
	  "{'choices':[{'delta':{},'finish_reason':'stop','index':0}]}\n[DONE]",
	  { .text = "A", .finish = "stop" } },
	{ "groq: usage in x_groq, thoughts in reasoning",
	  "api.groq.com",
	  "/openai/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'role':'assistant','content':'','reasoning':'R',"
	  "'channel':'analysis'}}],'x_groq':{'id':'req','seed':1}}\n"
	  "{'choices':[{'index':0,'delta':{'content':'A'}}]}\n"
	  "{'choices':[{'index':0,'delta':{},'finish_reason':'stop'}],"
	  "'x_groq':{'usage':{'queue_time':0.1,'prompt_tokens':7,'completion_tokens':2}}}\n[DONE]",
	  { .text = "A", .reasoning = "R", .finish = "stop", .input = 7, .output = 2 } },
	{ "groq: an error inside the stream",
	  "api.groq.com",
	  "/openai/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':'A'}}]}\n"
	  "{'error':{'message':'M','type':'invalid_request_error','code':'tool_use_failed',"
	  "'failed_generation':'x','status_code':400}}",
	  { .text = "A", .error = "invalid_request_error" } },
	{ "deepseek: thoughts, usage in the last chunk, cache hits",
	  "api.deepseek.com",
	  "/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':null,'reasoning_content':'R'}}]}\n"
	  "{'choices':[{'index':0,'delta':{'content':'A','reasoning_content':null}}]}\n"
	  "{'choices':[{'index':0,'delta':{'content':''},'logprobs':null,'finish_reason':'stop'}],"
	  "'usage':{'prompt_tokens':9,'completion_tokens':3,'total_tokens':12,"
	  "'prompt_cache_hit_tokens':8,'prompt_cache_miss_tokens':1}}\n[DONE]",
	  { .text = "A",
	    .reasoning = "R",
	    .finish = "stop",
	    .input = 9,
	    .output = 3,
	    .cached = 8 } },
	{ "openrouter: provider, cost, the same thoughts twice",
	  "openrouter.ai",
	  "/api/v1/chat/completions",
	  "{'provider':'Up','choices':[{'index':0,'delta':{'content':'','reasoning':'R',"
	  "'reasoning_details':[{'type':'reasoning.text','text':'R'}]}}]}\n"
	  "{'provider':'Up','choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop',"
	  "'native_finish_reason':'STOP'}]}\n"
	  "{'provider':'Up','choices':[{'index':0,'delta':{'content':''},'finish_reason':null}],"
	  "'usage':{'prompt_tokens':5,'completion_tokens':1,'total_tokens':6,'cost':0.25,"
	  "'is_byok':false,'cost_details':{'upstream_inference_cost':null}}}\n[DONE]",
	  { .text = "A",
	    .reasoning = "R",
	    .finish = "stop",
	    .input = 5,
	    .output = 1,
	    .upstream = "Up",
	    .cost = 0.25 } },
	{ "openrouter: an error with a number for a code",
	  "openrouter.ai",
	  "/api/v1/chat/completions",
	  "{'id':'x','provider':'Up','error':{'code':502,'message':'M'},'choices':[{'index':0,"
	  "'delta':{'content':''},'finish_reason':'error'}]}",
	  { .finish = "error", .error = "502", .upstream = "Up" } },
	{ "openrouter: an error in its choice",
	  "openrouter.ai",
	  "/api/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':''},'error':{'code':429,'message':'M'},"
	  "'finish_reason':'error'}]}",
	  { .finish = "error", .error = "429" } },
	{ "mistral: content in parts, cached tokens, arguments as an object",
	  "api.mistral.ai",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':[{'type':'thinking','thinking':["
	  "{'type':'text','text':'R'}]},{'type':'text','text':'A'},{'type':'reference',"
	  "'reference_ids':[1]}]}}]}\n"
	  "{'choices':[{'index':0,'delta':{'tool_calls':[{'id':'abcdefghi','index':0,"
	  "'function':{'name':'f','arguments':{'a':1}}}]},'finish_reason':'model_length'}],"
	  "'usage':{'prompt_tokens':5,'completion_tokens':1,'num_cached_tokens':4}}\n[DONE]",
	  { .text = "A",
	    .reasoning = "R",
	    .tool = "f",
	    .args = "{'a':1}",
	    .finish = "model_length",
	    .input = 5,
	    .output = 1,
	    .cached = 4 } },
	{ "together: flat cached tokens, eos",
	  "api.together.xyz",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'text':'A','logprobs':null,'delta':{'content':'A',"
	  "'token_id':1,'tool_calls':null},'finish_reason':'eos'}],'usage':{'prompt_tokens':5,"
	  "'completion_tokens':1,'cached_tokens':3}}\n[DONE]",
	  { .text = "A", .finish = "eos", .input = 5, .output = 1, .cached = 3 } },
	{ "fireworks",
	  "api.fireworks.ai",
	  "/inference/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop'}],"
	  "'usage':{'prompt_tokens':5,'completion_tokens':1,'prompt_tokens_details':"
	  "{'cached_tokens':4}}}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 5, .output = 1, .cached = 4 } },
	{ "cerebras: times",
	  "api.cerebras.ai",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop'}],"
	  "'time_info':{'total_time':0.1,'created':1},'usage':{'prompt_tokens':5,"
	  "'completion_tokens':1}}",
	  { .text = "A", .finish = "stop", .input = 5, .output = 1 } },
	{ "xai: the total says that reasoning is not in the output",
	  "api.x.ai",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'reasoning_content':'R'}}]}\n"
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop'}]}\n"
	  "{'choices':[],'usage':{'prompt_tokens':32,'completion_tokens':9,'total_tokens':135,"
	  "'completion_tokens_details':{'reasoning_tokens':94}}}\n[DONE]",
	  { .text = "A", .reasoning = "R", .finish = "stop", .input = 32, .output = 103 } },
	{ "reasoning is in the output where the total says so",
	  "api.openai.com",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop'}],"
	  "'usage':{'prompt_tokens':32,'completion_tokens':103,'total_tokens':135,"
	  "'completion_tokens_details':{'reasoning_tokens':94}}}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 32, .output = 103 } },
	{ "vllm: usage in every chunk",
	  "localhost:8000",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'role':'assistant','reasoning':'R','content':null},"
	  "'token_ids':null}],'prompt_token_ids':null,'usage':{'prompt_tokens':5,"
	  "'completion_tokens':1}}\n"
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop',"
	  "'stop_reason':null}],'usage':{'prompt_tokens':5,'completion_tokens':2}}\n[DONE]",
	  { .text = "A", .reasoning = "R", .finish = "stop", .input = 5, .output = 2 } },
	{ "llama.cpp: timings for usage",
	  "localhost:8080",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':null}],'timings':{"
	  "'cache_n':30,'prompt_n':2,'predicted_n':1}}\n"
	  "{'choices':[{'index':0,'delta':{},'finish_reason':'stop'}],'timings':{'cache_n':30,"
	  "'prompt_n':2,'prompt_ms':1.5,'predicted_n':7,'predicted_ms':9}}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 32, .output = 7, .cached = 30 } },
	{ "lm studio: its own path and statistics",
	  "localhost:1234",
	  "/api/v0/chat/completions",
	  "{'choices':[{'index':0,'logprobs':null,'delta':{'content':'A'},"
	  "'finish_reason':'stop'}],'usage':{'prompt_tokens':5,'completion_tokens':1},"
	  "'stats':{'tokens_per_second':51.4,'stop_reason':'eosFound'},'runtime':{}}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 5, .output = 1 } },
	{ "perplexity: cost as an object",
	  "api.perplexity.ai",
	  "/chat/completions",
	  "{'citations':['u'],'choices':[{'index':0,'message':{'content':'A'},'delta':{"
	  "'content':'A'},'finish_reason':'stop'}],'usage':{'prompt_tokens':5,"
	  "'completion_tokens':1,'cost':{'request_cost':0.25,'total_cost':0.5}}}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 5, .output = 1, .cost = 0.5 } },
	{ "moonshot: usage inside the choice",
	  "api.moonshot.ai",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop',"
	  "'usage':{'prompt_tokens':5,'completion_tokens':1,'cached_tokens':2}}]}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 5, .output = 1, .cached = 2 } },
	{ "an empty usage behind the real one",
	  "gateway.test",
	  "/v1/chat/completions",
	  "{'usage':{'completion_tokens':1,'prompt_tokens':5},'choices':[{'finish_reason':'stop',"
	  "'delta':{'content':'A'},'index':0}]}\n{'choices':[],'usage':{}}\n"
	  "{'choices':[],'usage':null}\n[DONE]",
	  { .text = "A", .finish = "stop", .input = 5, .output = 1 } },
	{ "nulls wherever there may be something",
	  "gateway.test",
	  "/v1/chat/completions",
	  "{'id':null,'model':null,'choices':null,'usage':null,'error':null}\n"
	  "{'choices':[null,{'index':null,'delta':null,'logprobs':null,'finish_reason':null}]}\n"
	  "{'choices':[{'index':0,'delta':{'role':null,'content':null,'refusal':null,'audio':null,"
	  "'tool_calls':null,'function_call':null,'reasoning_content':null,'annotations':null}}]}\n"
	  "{'choices':[{'index':0,'delta':{'content':'A'},'finish_reason':'stop'}]}\n[DONE]",
	  { .text = "A", .finish = "stop" } },
	{ "fields nobody knows, and a list where text should be",
	  "gateway.test",
	  "/v1/chat/completions",
	  "{'object':'x','choices':[{'delta':{'content':[{'type':'new','x':1},'A',"
	  "{'text':'B'}],'new':{}},'new':[1],'index':0}]}\n"
	  "{'choices':[{'index':0,'delta':{'content':'C'},'finish_reason':'new'}]}\n[DONE]",
	  { .text = "BC", .finish = "new" } },
	{ "a call without an index, told by its id",
	  "gateway.test",
	  "/v1/chat/completions",
	  "{'choices':[{'index':0,'delta':{'tool_calls':[{'id':'a','function':{'name':'f',"
	  "'arguments':'{'}}]}}]}\n"
	  "{'choices':[{'index':0,'delta':{'tool_calls':[{'id':'a','function':{'name':'f',"
	  "'arguments':'}'}}]},'finish_reason':'tool_calls'}]}\n[DONE]",
	  { .tool = "f", .args = "{}", .finish = "tool_calls" } },
	{ "a call without id, index and type",
	  "gateway.test",
	  "/v1/chat/completions",
	  "{'choices':[{'delta':{'tool_calls':[{'function':{'name':'f','arguments':'{'}}]}}]}\n"
	  "{'choices':[{'delta':{'tool_calls':[{'function':{'arguments':'}'}}]},"
	  "'finish_reason':'tool_calls'}]}\n[DONE]",
	  { .tool = "f", .args = "{}", .finish = "tool_calls" } },
	{ "llama.cpp's own completion",
	  "localhost:8080",
	  "/completion",
	  "{'index':0,'content':'A','tokens':[1],'stop':false,'id_slot':-1,'tokens_predicted':1,"
	  "'tokens_evaluated':4}\n"
	  "{'content':'B','stop':true,'model':'m','stop_type':'eos','tokens_predicted':2,"
	  "'tokens_evaluated':4,'timings':{'cache_n':3,'prompt_n':1,'predicted_n':2}}",
	  { .text = "AB", .finish = "stop", .input = 4, .output = 2, .cached = 3 } },
};

static void send_lines(struct sem_call *c, const char *lines)
{
	_cleanup_free_ char *text = strdup(lines);
	uint64_t ts = 1;
	char *at = text;

	for (char *line = strsep(&at, "\n"); line; line = strsep(&at, "\n"))
		send_event(c, "", line, ts++);
}

static void assert_count(int64_t got, int64_t want)
{
	if (want)
		assert_int_equal(got, want);
}

static void assert_expected(const struct sem_call *c, const struct expected *e)
{
	struct json *reason = json_at(c->finish_reasons, 0);

	assert_sv(buf_view(&c->text), e->text ? e->text : "");
	assert_sv(buf_view(&c->reasoning), e->reasoning ? e->reasoning : "");
	assert_int_equal(!!c->calls, !!e->tool);
	if (e->tool) {
		assert_sv(c->calls->name, e->tool);
		assert_sv_json(c->calls->args, e->args);
		assert_null(c->calls->next);
		assert_false(c->calls->args_cut);
	}
	assert_sv(json_sv(reason), e->finish ? e->finish : "");
	assert_int_equal(c->has_error, !!e->error);
	assert_sv(c->error.type, e->error ? e->error : "");
	assert_int_equal(c->has_usage, e->input != 0);
	assert_count(c->usage.input, e->input);
	assert_count(c->usage.output, e->output);
	assert_count(c->usage.cache_read, e->cached);
	assert_sv(c->upstream, e->upstream ? e->upstream : "");
	assert_true(e->cost ? c->reported_cost == e->cost : isnan(c->reported_cost));
	assert_false(c->response_cut);
}

static void test_dialects(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++) {
		_cleanup_call_ struct sem_call *c = call_to(dialects[i].host, dialects[i].path);

		print_message("# %s\n", dialects[i].name);
		send_request(c, "{'stream':true,'prompt':'P'}");
		send_lines(c, dialects[i].events);
		sem_finish(c, false);
		assert_expected(c, &dialects[i].e);
	}
}

/* Every event cut at every byte: what came before stays. */
static void test_cut_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++) {
		_cleanup_free_ char *text = quoted(dialects[i].events);

		for (char *line = text; line; line = strchr(line, '\n')) {
			line += *line == '\n';
			for (size_t n = 0; n < strcspn(line, "\n"); n++) {
				_cleanup_call_ struct sem_call *c =
					call_to(dialects[i].host, dialects[i].path);
				_cleanup_free_ char *part = malloc(n + 1);
				struct sse_event ev = { .data = { part, n } };

				memcpy(part, line, n);
				sem_event(c, &ev);
				sem_finish(c, true);
				assert_true(c->response_cut);
			}
		}
	}
}

static void test_deployment_names_the_model(void **state)
{
	_cleanup_call_ struct sem_call *c =
		call_to("me.openai.azure.com", "/openai/deployments/my%20gpt/chat/completions");

	(void)state;
	send_request(c, "{'messages':[]}");
	assert_sv(c->request_model, "my gpt");
	assert_sv(c->provider, "azure.ai.openai");
}

/* Somebody else's /completion. */
static void test_no_completion(void **state)
{
	_cleanup_call_ struct sem_call *c = call_to("localhost", "/completion");

	(void)state;
	send_request(c, "{'prompt':'P'}");
	send_answer(c, 200, "{'content':'A'}");
	sem_finish(c, false);
	assert_null(c->operation);
	assert_null(c->api);
}

static void test_hosts(void **state)
{
	static const char *const cases[][2] = {
		{ "eu.api.openai.com", "openai" },
		{ "chatgpt.com", "openai" },
		{ "me.cognitiveservices.azure.com", "azure.ai.openai" },
		{ "api.fireworks.ai", "fireworks_ai" },
		{ "api.moonshot.cn", "moonshot_ai" },
		{ "api.individual.githubcopilot.com", "github" },
		{ "openai.com.evil.test", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_sv(sem_provider(sv(cases[i][0])), cases[i][1]);
}

static void test_gateway_header(void **state)
{
	static const struct {
		const char *value;
		double usd;
	} cases[] = { { "2.5e-05", 2.5e-05 }, { "0", 0 },      { "-1", NAN }, { "None", NAN },
		      { "1e999", NAN },       { "0.5x", NAN }, { "nan", NAN } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_field f[] = { { SV("x-litellm-response-cost"), sv(cases[i].value) },
					  { SV("x-litellm-call-id"), SV("id-1") } };
		struct http_msg m = { .fields = f, .field_cnt = ARRAY_SIZE(f) };
		_cleanup_arena_ struct arena a = { 0 };
		struct sem_headers h;

		sem_headers(&h, &a, NULL, &m);
		assert_true(isnan(cases[i].usd) ? isnan(h.cost) : h.cost == cases[i].usd);
		assert_sv(h.request_id, "id-1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_cut_events),
		cmocka_unit_test(test_deployment_names_the_model),
		cmocka_unit_test(test_no_completion),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_gateway_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
