// SPDX-License-Identifier: BSD-2-Clause
/* Which protocol claims a JSON-RPC message, and what requests and answers of MCP and A2A tell. */
#include "../fixture.h"
#include "base/cleanup.h"
#include "proto/jsonrpc.h"
#include "sem/rpc.h"

struct told {
	struct rpc_facts facts;
	const struct rpc_ops *ops;
};

static void on_message(void *ctx, const struct jsonrpc_msg *m)
{
	struct told *t = ctx;

	if (m->method.n) {
		t->ops = rpc_claim(m, NULL);
		if (t->ops)
			rpc_request(t->ops, &t->facts, m);
	} else {
		rpc_answer(t->ops, &t->facts, m);
	}
}

/* A request and its answer (NULL: none). */
static void tell(struct told *t, const char *method, const char *params, const char *answer)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct jsonrpc_text text = { 0 };

	rpc_facts_init(&t->facts);
	buf_fmt(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
		params);
	if (answer)
		buf_fmt(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,%s}", answer);
	text.text = buf_view(&b);
	assert_int_equal(jsonrpc_read(&text, on_message, t), answer ? 2 : 1);
}

static void claims(void **state)
{
	static const struct {
		const char *method, *params, *name;
	} cases[] = {
		{ "initialize", "{\"protocolVersion\":\"2025-06-18\"}", "mcp" },
		{ "initialize", "{\"processId\":1}", NULL },
		{ "server/discover", "{}", "mcp" },
		{ "ping", "{}", "mcp" },
		{ "vendor/x", "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"x\"}}",
		  "mcp" },
		{ "tasks/get", "{\"taskId\":\"1\"}", "mcp" },
		{ "tasks/get", "{\"id\":\"1\"}", "a2a" },
		{ "message/send", "{}", "a2a" },
		{ "SendMessage", "{}", "a2a" },
		{ "tasks/sendSubscribe", "{}", "a2a" },
		{ "textDocument/hover", "{}", NULL },
		{ "eth_call", "[]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct told t = { 0 };

		tell(&t, cases[i].method, cases[i].params, NULL);
		if (cases[i].name)
			assert_string_equal(t.ops->name, cases[i].name);
		else
			assert_null(t.ops);
		rpc_facts_fini(&t.facts);
	}
}

static void tools(void **state)
{
	struct told t = { 0 };

	(void)state;
	tell(&t, "tools/list", "{}", "\"result\":{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");
	assert_int_equal(t.facts.tools->cnt, 2);
	ASSERT_SV(json_sv(json_at(t.facts.tools, 1)), "b");
	rpc_facts_fini(&t.facts);
	tell(&t, "tools/call",
	     "{\"name\":\"a\",\"_meta\":{\"progressToken\":5,\"x\":{\"y\":\"toolu\"}}}",
	     "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"1\"},"
	     "{\"type\":\"text\",\"text\":\"2\"}]}");
	ASSERT_SV(t.facts.progress_token, "5");
	ASSERT_SV(json_sv(json_at(t.facts.ids, 1)), "toolu");
	ASSERT_SV(json_sv(t.facts.result), "1\n2");
	rpc_facts_fini(&t.facts);
	tell(&t, "tools/call", "{\"name\":\"a\"}",
	     "\"result\":{\"content\":[],\"structuredContent\":{\"n\":1}}");
	assert_true(json_is(json_path(t.facts.result, "structuredContent.n"), JSON_NUMBER));
	rpc_facts_fini(&t.facts);
}

static void others(void **state)
{
	struct told t = { 0 };

	(void)state;
	tell(&t, "resources/read", "{\"uri\":\"file:///x\"}", NULL);
	ASSERT_SV(t.facts.uri, "file:///x");
	rpc_facts_fini(&t.facts);
	tell(&t, "prompts/get", "{\"name\":\"p\",\"arguments\":{\"a\":\"1\"}}", NULL);
	ASSERT_SV(t.facts.prompt, "p");
	ASSERT_SV(t.facts.target, "p");
	rpc_facts_fini(&t.facts);
	tell(&t, "sampling/createMessage", "{\"messages\":[]}", "\"result\":{\"model\":\"m\"}");
	ASSERT_SV(t.facts.model, "m");
	assert_true(t.facts.comes_back);
	rpc_facts_fini(&t.facts);
	tell(&t, "tools/call",
	     "{\"name\":\"a\",\"inputResponses\":{\"q\":{\"action\":\"decline\"}}}",
	     "\"result\":{\"task\":{\"taskId\":\"t\",\"status\":\"working\"}}");
	ASSERT_SV(t.facts.approval_action, "decline");
	ASSERT_SV(t.facts.task_id, "t");
	ASSERT_SV(t.facts.task_state, "working");
	rpc_facts_fini(&t.facts);
	tell(&t, "server/discover", "{}",
	     "\"result\":{\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"s\"}}}");
	ASSERT_SV(t.facts.server_name, "s");
	rpc_facts_fini(&t.facts);
	tell(&t, "GetTask", "{\"id\":\"1\"}", "\"error\":{\"code\":-32001,\"message\":\"gone\"}");
	ASSERT_SV(t.facts.status_code, "-32001");
	ASSERT_SV(t.facts.error_message, "gone");
	rpc_facts_fini(&t.facts);
}

/* Members of the wrong type are as if they were not there. */
static void wrong_types(void **state)
{
	static const char *const methods[] = { "initialize",  "tools/call",   "tools/list",
					       "prompts/get", "message/send", "tasks/get" };
	static const char *const values[] = {
		"[]",
		"{}",
		"7",
		"\"x\"",
		"null",
		"{\"taskId\":[]}",
		"{\"name\":{},\"_meta\":3,\"message\":[1],\"id\":{}}"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			_cleanup_buf_ struct buf b = BUF_INIT;
			struct told t = { 0 };

			buf_fmt(&b, "\"result\":%s", values[j]);
			tell(&t, methods[i], values[j], NULL);
			if (t.ops) {
				rpc_facts_fini(&t.facts);
				tell(&t, methods[i], values[j], buf_cstr(&b));
				assert_int_equal(t.facts.tool.n, 0);
			}
			rpc_facts_fini(&t.facts);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims),
		cmocka_unit_test(tools),
		cmocka_unit_test(others),
		cmocka_unit_test(wrong_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
