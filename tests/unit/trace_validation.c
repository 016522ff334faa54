// SPDX-License-Identifier: BSD-2-Clause
/* Validations in the trace: arguments under schemas, refusals and filters, test runners. */
#include "rpc_test.h"

#define TOOLS                                                                                  \
	"[{\"name\":\"read\",\"input_schema\":{\"type\":\"object\",\"properties\":{\"path\":{" \
	"\"type\":\"string\"},\"n\":{\"type\":\"integer\",\"minimum\":1}},"                    \
	"\"required\":[\"path\"],\"additionalProperties\":false}}]"
#define USE(id, name, input) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":" input "}"

/* A POST of the agent and its answer. */
static void exchange(struct world *w, uint64_t ts, const char *host_and_path, const char *ask,
		     int status, const char *answer)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	const char *path = strchr(host_and_path, '/');

	buf_fmt(&b, "POST %s HTTP/1.1\r\nHost: %.*s\r\nContent-Length: %zu\r\n\r\n%s", path,
		(int)(path - host_and_path), host_and_path, strlen(ask), ask);
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
	buf_clear(&b);
	buf_fmt(&b,
		"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(answer), answer);
	bytes(w, ts + MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

static void claude(struct world *w, uint64_t ts, const char *blocks, const char *stop)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\","
		"\"content\":[%s],\"stop_reason\":\"%s\"}",
		blocks, stop);
	exchange(w, ts, "api.anthropic.com/v1/messages",
		 "{\"model\":\"claude-x\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"}],"
		 "\"tools\":" TOOLS "}",
		 200, buf_cstr(&b));
}

static void arguments(void **state)
{
	struct world *w = *state;
	const struct span *s, *tool;

	claude(w, 5 * MS,
	       USE("a", "read", "{\"path\":\"x\",\"n\":2}") "," USE(
		       "b", "read", "{\"path\":\"x\",\"n\":0}") "," USE("c", "write",
									"{}") "," USE("d", "read",
										      "{}"),
	       "tool_use");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 4);
	assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 3);
	s = told_nth(&w->told, SPAN_VALIDATION, 0);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 1);
	ASSERT_SV(s->name, "validate arguments");
	assert_string_equal(s->parent_span_id, tool->span_id);
	ASSERT_SV(span_attr_sv(tool, ATTR_ID_TOOL_CALL_ID), "b");
	ASSERT_SV(span_attr_sv(tool, ATTR_ID_VALIDATION_OUTCOME), "failed");
	assert_int_equal(tool->status, STATUS_UNSET);
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "invalid_arguments");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_BY), "request");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_RULE), "minimum");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_PATH), "/n");
	ASSERT_SV(s->status_message, "/n: 0 is below 1");
	assert_null(span_attr(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_VALIDATION_OUTCOME));
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_VALIDATION, 1), ATTR_ID_ERROR_TYPE),
		  "unknown_tool");
	ASSERT_SV(told_nth(&w->told, SPAN_VALIDATION, 2)->status_message, "arguments: lacks path");
}

/* A stream whose middle was not seen, and one that ends inside the arguments. */
static void half_seen(void **state)
{
	static const char head[] =
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
		"data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\"}}\n\n"
		"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
		"\"tool_use\",\"id\":\"a\",\"name\":\"read\",\"input\":{}}}\n\n"
		"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
		"\"input_json_delta\",\"partial_json\":\"{\\\"n\\\":0\"}}\n\n";
	static const char tail[] =
		"\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
		"\"input_json_delta\",\"partial_json\":\"}\"}}\n\n"
		"data: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
		"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n"
		"data: {\"type\":\"message_stop\"}\n\n";
	static const char ask[] =
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: "
		"%zu\r\n\r\n%s";
	static const char body[] =
		"{\"model\":\"c\",\"stream\":true,\"messages\":[],\"tools\":" TOOLS "}";

	for (int hole = 0; hole < 3; hole++) {
		_cleanup_buf_ struct buf b = BUF_INIT;
		struct world *w;
		void *own = NULL;

		(void)state;
		assert_int_equal(setup(&own), 0);
		w = own;
		buf_fmt(&b, ask, strlen(body), body);
		bytes(w, 5 * MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
		bytes(w, 6 * MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, head);
		if (hole == 1)
			w->pos[MODEL][EV_READ] += 70;
		if (hole != 2)
			bytes(w, 7 * MS, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, tail);
		end(w);
		assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 1);
		assert_int_equal(told_count(&w->told, SPAN_VALIDATION), hole ? 0 : 1);
		teardown(&own);
	}
}

/* Of OpenAI: arguments are a text, and definitions have another shape. */
static void of_openai(void **state)
{
	struct world *w = *state;

	exchange(w, 5 * MS, "api.openai.com/v1/chat/completions",
		 "{\"model\":\"gpt\",\"messages\":[],\"tools\":[{\"type\":\"function\","
		 "\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","
		 "\"required\":[\"x\"]}}}]}",
		 200,
		 "{\"id\":\"c\",\"model\":\"gpt\",\"choices\":[{\"index\":0,\"message\":{"
		 "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
		 "\"arguments\":\"x = 1\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{"
		 "\"name\":\"f\",\"arguments\":\"\"}},{\"id\":\"3\",\"type\":\"function\","
		 "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"4\","
		 "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":"
		 "1\"}}]},"
		 "\"finish_reason\":\"tool_calls\"}]}");
	end(w);
	/* no text at all may be one that was cut; half a one in a whole answer is the model's own */
	assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 2);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 3), ATTR_ID_TOOL_ARGUMENTS),
		  "{\"x\":1");
	assert_false(says(told_nth(&w->told, SPAN_TOOL_CALL, 3), "cut"));
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_VALIDATION, 0), ATTR_ID_ERROR_TYPE),
		  "malformed_arguments");
}

#define MCP_LIST                                                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"read\","              \
	"\"inputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}}," \
	"\"required\":[\"path\"]}}]}}\n"

static void of_mcp(void **state)
{
	struct world *w = *state;
	const struct span *s;

	pipe_end(w, 3 * MS, AGENT, 1, 501, 5);
	pipe_end(w, 3 * MS, AGENT, 2, 502, 6);
	on_pipe(w, 4 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n");
	on_pipe(w, 5 * MS, AGENT, 2, EV_READ, MCP_LIST);
	on_pipe(w, 6 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"read\",\"arguments\":{\"path\":\"a\"}}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"read\",\"arguments\":{\"path\":1}}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"other\",\"arguments\":{\"path\":1}}}\n");
	on_pipe(w, 7 * MS, AGENT, 2, EV_READ,
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}\n");
	/* the model's own call was found to be wrong already */
	claude(w, 10 * MS, USE("toolu_1", "read", "{\"n\":7}"), "tool_use");
	on_pipe(w, 12 * MS, AGENT, 1, EV_WRITE,
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"read\",\"arguments\":{\"n\":7}}}\n");
	on_pipe(w, 13 * MS, AGENT, 2, EV_READ, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MCP), 5);
	assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 2);
	s = told_nth(&w->told, SPAN_VALIDATION, 0);
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_MCP, 2)->span_id);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MCP, 2), ATTR_ID_JSONRPC_ID), "3");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_BY), "mcp");
	ASSERT_SV(s->status_message, "/path: number instead of string");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_VALIDATION, 1), ATTR_ID_VALIDATION_BY),
		  "request");
}

static void is_verdict(const struct world *w, const char *subject, const char *type,
		       const char *reason)
{
	const struct span *s = told_nth(&w->told, SPAN_VALIDATION, 0);

	assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 1);
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_SUBJECT), subject);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), type);
	ASSERT_SV(json_sv(json_at(span_attr(s, ATTR_ID_VALIDATION_REASONS), 0)), reason);
}

static void out_of_tokens(void **state)
{
	struct world *w = *state;

	claude(w, 5 * MS, USE("a", "read", "{}"), "max_tokens");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 1);
	assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 0);
}

static void refusal(void **state)
{
	struct world *w = *state;

	claude(w, 5 * MS, "{\"type\":\"text\",\"text\":\"I won't.\"}", "refusal");
	end(w);
	is_verdict(w, "answer", "refusal", "refusal");
	assert_string_equal(told_nth(&w->told, SPAN_VALIDATION, 0)->parent_span_id,
			    told_nth(&w->told, SPAN_MODEL_CALL, 0)->span_id);
	assert_int_equal(told_nth(&w->told, SPAN_MODEL_CALL, 0)->status, STATUS_UNSET);
}

static void prompt_blocked(void **state)
{
	struct world *w = *state;

	exchange(w, 5 * MS,
		 "generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent",
		 "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"x\"}]}]}", 200,
		 "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},"
		 "\"modelVersion\":\"gemini-x\"}");
	end(w);
	is_verdict(w, "prompt", "content_filter", "PROHIBITED_CONTENT");
}

static void filtered(void **state)
{
	struct world *w = *state;

	exchange(w, 5 * MS, "x.openai.azure.com/openai/deployments/d/chat/completions",
		 "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400,
		 "{\"error\":{\"message\":\"filtered\",\"type\":null,\"code\":\"content_filter\","
		 "\"status\":400}}");
	end(w);
	is_verdict(w, "prompt", "content_filter", "content_filter");
	ASSERT_SV(told_nth(&w->told, SPAN_VALIDATION, 0)->status_message, "filtered");
}

static void moderation(void **state)
{
	struct world *w = *state;
	const struct span *s;

	exchange(w, 5 * MS, "api.openai.com/v1/moderations", "{\"model\":\"omni\",\"input\":\"a\"}",
		 200,
		 "{\"id\":\"modr-1\",\"model\":\"omni\",\"results\":[{\"flagged\":false,"
		 "\"categories\":{\"hate\":false}}]}");
	exchange(w, 15 * MS, "api.openai.com/v1/moderations",
		 "{\"model\":\"omni\",\"input\":\"b\"}", 200,
		 "{\"id\":\"modr-2\",\"model\":\"omni\",\"results\":[{\"flagged\":true,"
		 "\"categories\":{\"hate\":false,\"violence\":true}}]}");
	exchange(w, 25 * MS, "bedrock-runtime.us-east-1.amazonaws.com/guardrail/g1/version/2/apply",
		 "{\"source\":\"INPUT\",\"content\":[{\"text\":{\"text\":\"b\"}}]}", 200,
		 "{\"action\":\"GUARDRAIL_INTERVENED\",\"assessments\":[{\"topicPolicy\":{"
		 "\"topics\":[{\"name\":\"money\",\"type\":\"DENY\",\"action\":\"BLOCKED\"}]},"
		 "\"contentPolicy\":{\"filters\":[{\"type\":\"HATE\",\"action\":\"NONE\"}]}}]}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_VALIDATION), 3);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 0);
	s = told_nth(&w->told, SPAN_VALIDATION, 0);
	ASSERT_SV(s->name, "moderation omni");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_OUTCOME), "passed");
	assert_int_equal(s->status, STATUS_UNSET);
	s = told_nth(&w->told, SPAN_VALIDATION, 1);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_OUTCOME), "failed");
	ASSERT_SV(json_sv(json_at(span_attr(s, ATTR_ID_VALIDATION_REASONS), 0)), "violence");
	assert_int_equal(s->status, STATUS_ERROR);
	s = told_nth(&w->told, SPAN_VALIDATION, 2);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_API), "bedrock.guardrail");
	assert_int_equal(span_attr(s, ATTR_ID_VALIDATION_REASONS)->cnt, 1);
	ASSERT_SV(json_sv(json_at(span_attr(s, ATTR_ID_VALIDATION_REASONS), 0)), "money");
}

static void test_runners(void **state)
{
	static const struct {
		const char *path, *args;
		size_t n;
		int status;
		const char *by, *outcome;
	} cases[] = {
#define CASE(path, args, status, by, outcome) { path, args, sizeof(args), status, by, outcome }
		CASE("/usr/bin/python3", "python3\0/usr/bin/pytest\0-q", 1 << 8, "pytest",
		     "failed"),
		CASE("/usr/bin/python3", "python3\0-m\0pytest\0-q", 0, "pytest", "passed"),
		CASE("/usr/bin/pytest", "pytest", 5 << 8, "pytest", "error"),
		CASE("/usr/bin/go", "go\0test\0./...", 1 << 8, "go", "failed"),
		CASE("/usr/bin/go", "go\0build", 1 << 8, NULL, NULL),
		CASE("/usr/bin/cargo", "cargo\0test", 101 << 8, "cargo", "failed"),
		CASE("/usr/bin/make", "make\0-j2\0test", 2 << 8, "make", "failed"),
		CASE("/usr/bin/make", "make\0-j2\0test", 9, "make", "error"),
		CASE("/usr/bin/node", "node\0/usr/bin/npm\0run\0test:unit", 3 << 8, "npm",
		     "failed"),
		CASE("/usr/bin/node", "node\0--test", 0, "node", "passed"),
		CASE("/usr/bin/node", "node\0server.js\0--test", 0, NULL, NULL),
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		feed(w, record_fork((10 + i) * MS, AGENT, 100 + i));
		feed(w, record_exec((10 + i) * MS, 100 + i, AGENT, cases[i].path, cases[i].args,
				    cases[i].n));
		/* a worker that it forks is no runner of its own */
		feed(w, record_fork((10 + i) * MS, 100 + i, 200 + i));
		feed(w, record_exit((10 + i) * MS + 1, 200 + i, 1 << 8));
		feed(w, record_exit((10 + i) * MS + 2, 100 + i, cases[i].status));
	}
	end(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct span *s = told_nth(&w->told, SPAN_PROCESS, 2 * i + 1);

		assert_null(span_attr(told_nth(&w->told, SPAN_PROCESS, 2 * i),
				      ATTR_ID_VALIDATION_OUTCOME));
		if (!cases[i].by) {
			assert_null(span_attr(s, ATTR_ID_VALIDATION_OUTCOME));
			continue;
		}
		ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_SUBJECT), "tests");
		ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_BY), cases[i].by);
		ASSERT_SV(span_attr_sv(s, ATTR_ID_VALIDATION_OUTCOME), cases[i].outcome);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments),      cmocka_unit_test(half_seen),
		TEST(of_openai),      TEST(of_mcp),
		TEST(out_of_tokens),  TEST(refusal),
		TEST(prompt_blocked), TEST(filtered),
		TEST(moderation),     TEST(test_runners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
