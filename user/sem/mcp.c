// SPDX-License-Identifier: BSD-2-Clause
/*
 * The Model Context Protocol, both eras: with sessions that initialize (2024-11-05 to 2025-11-25), and
 * without, where every request says in _meta what initialize said once (2026-07-28).
 */
#include "base/cleanup.h"
#include "sem/rpc.h"

#define META_OWN "io.modelcontextprotocol/" /* prefix of the protocol's own members of _meta */
#define META_DEPTH 3                        /* nesting in which clients hide ids there */
#define META_IDS 16
#define ERROR_TEXT 200 /* bytes of a failed tool's text that its error quotes */

/* Methods that only MCP has.  "initialize" and tasks/... are told by their params. */
static const char *const methods[] = {
	"server/discover",
	"tools/list",
	"tools/call",
	"resources/list",
	"resources/templates/list",
	"resources/read",
	"resources/subscribe",
	"resources/unsubscribe",
	"prompts/list",
	"prompts/get",
	"completion/complete",
	"logging/setLevel",
	"sampling/createMessage",
	"elicitation/create",
	"roots/list",
	"subscriptions/listen",
	"notifications/initialized",
	"notifications/cancelled",
	"notifications/progress",
	"notifications/message",
	"notifications/tasks/status",
	"notifications/elicitation/complete",
};

static bool has_own_meta(const struct json *params)
{
	json_for_each (json_get(params, "_meta"), e) {
		if (sv_starts(e->key, META_OWN))
			return true;
	}
	return false;
}

static int mcp_claim(const struct jsonrpc_msg *m, const struct http_msg *http)
{
	if (http &&
	    (http_field_get(http, "mcp-method").n || http_field_get(http, "mcp-session-id").n ||
	     http_field_get(http, "mcp-protocol-version").n))
		return 100;
	if (has_own_meta(m->params))
		return 100;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (sv_is(m->method, methods[i]))
			return 90;
	if (sv_is(m->method, "initialize")) /* so begins a language server, too */
		return json_get(m->params, "protocolVersion") ? 90 : 0;
	if (sv_starts(m->method, "tasks/"))
		return json_get(m->params, "taskId") ? 70 : 0;
	if (sv_starts(m->method, "notifications/"))
		return 60;
	return sv_is(m->method, "ping") ? 20 : 0;
}

/* --- the request */

static void find_ids(struct rpc_facts *f, const struct json *v, unsigned int depth)
{
	json_for_each (v, e) {
		if (f->ids->cnt >= META_IDS)
			return;
		if (e->type == JSON_STRING || e->type == JSON_NUMBER)
			json_push(f->ids, json_string(&f->arena, e->s));
		else if (depth)
			find_ids(f, e, depth - 1);
	}
}

static void read_client(struct rpc_facts *f, const struct json *info)
{
	f->client_name = rpc_text(f, info, "name");
	f->client_version = rpc_text(f, info, "version");
}

static void read_server(struct rpc_facts *f, const struct json *info)
{
	if (!json_is(info, JSON_OBJECT))
		return;
	f->server_name = rpc_text(f, info, "name");
	f->server_version = rpc_text(f, info, "version");
}

static void read_meta(struct rpc_facts *f, const struct json *meta)
{
	if (!json_is(meta, JSON_OBJECT))
		return;
	f->progress_token = rpc_text(f, meta, "progressToken");
	f->traceparent = rpc_text(f, meta, "traceparent");
	f->tracestate = rpc_text(f, meta, "tracestate");
	f->protocol_version = rpc_text(f, meta, META_OWN "protocolVersion");
	read_client(f, json_get(meta, META_OWN "clientInfo"));
	f->ids = json_array(&f->arena);
	if (f->ids)
		find_ids(f, meta, META_DEPTH);
}

/* The human's word, in the answer to elicitation/create or in what a request repeats of it. */
static void read_action(struct rpc_facts *f, const struct json *result)
{
	struct sv action = rpc_text(f, result, "action");

	if (action.n)
		f->approval_action = action;
}

static void mcp_request(struct rpc_facts *f, const struct jsonrpc_msg *m)
{
	const struct json *p = m->params, *ref = json_get(p, "ref");

	read_meta(f, json_get(p, "_meta"));
	f->comes_back = sv_starts(m->method, "sampling/") || sv_starts(m->method, "elicitation/") ||
			sv_starts(m->method, "roots/");
	f->uri = rpc_text(f, p, "uri");
	f->task_id = rpc_text(f, p, "taskId");
	f->next_page = json_get(p, "cursor") != NULL;
	if (sv_is(m->method, "initialize")) {
		f->protocol_version = rpc_text(f, p, "protocolVersion");
		read_client(f, json_get(p, "clientInfo"));
	} else if (sv_is(m->method, "tools/call")) {
		f->target = f->tool = rpc_text(f, p, "name");
		f->arguments = json_copy(&f->arena, json_get(p, "arguments"));
	} else if (sv_is(m->method, "prompts/get")) {
		f->target = f->prompt = rpc_text(f, p, "name");
		f->arguments = json_copy(&f->arena, json_get(p, "arguments"));
	} else if (sv_is(m->method, "completion/complete")) {
		f->target = f->prompt = rpc_text(f, ref, "name");
		f->uri = rpc_text(f, ref, "uri");
	} else if (sv_is(m->method, "elicitation/create")) {
		f->approval_mode = rpc_text(f, p, "mode");
		if (!f->approval_mode.n)
			f->approval_mode =
				SV("form"); /* there was nothing else before 2025-11-25 */
		f->approval_message = rpc_text(f, p, "message");
	}
	json_for_each (json_get(p, "inputResponses"), e)
		read_action(f, json_get(e, "result") ? json_get(e, "result") : e);
}

/* --- the answer */

static void read_tools(struct rpc_facts *f, const struct json *tools)
{
	f->tools = json_array(&f->arena);
	f->schemas = json_object(&f->arena);
	json_for_each (tools, e) {
		struct sv name = json_sv(json_get(e, "name"));

		json_push(f->tools, json_string(&f->arena, name));
		json_add(&f->arena, f->schemas, name,
			 json_copy(&f->arena, json_get(e, "inputSchema")));
	}
}

/* The text of a result that has nothing else, else all of it. */
static struct json *tool_result(struct rpc_facts *f, const struct json *result)
{
	const struct json *content = json_get(result, "content");
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (json_get(result, "structuredContent"))
		return json_copy(&f->arena, result);
	json_for_each (content, e) {
		if (!json_str_is(json_get(e, "type"), "text"))
			return json_copy(&f->arena, result);
		buf_str(&text, text.len ? "\n" : "");
		buf_sv(&text, json_sv(json_get(e, "text")));
	}
	return json_is(content, JSON_ARRAY) ? json_string(&f->arena, buf_view(&text))
					    : json_copy(&f->arena, result);
}

static void read_tool_result(struct rpc_facts *f, const struct json *result)
{
	const struct json *first = json_at(json_get(result, "content"), 0);

	f->result = tool_result(f, result);
	if (!json_true(json_get(result, "isError")))
		return;
	f->failed = true;
	f->error_type = SV("tool_error");
	f->error_message = sv_clip_utf8(rpc_text(f, first, "text"), ERROR_TEXT);
}

/* What a request that needs a human's word asks for, 2026-07-28. */
static void read_input_requests(struct rpc_facts *f, const struct json *requests)
{
	json_for_each (requests, e) {
		const struct json *p = json_get(e, "params");

		if (!json_str_is(json_get(e, "method"), "elicitation/create"))
			continue;
		f->approval_mode = rpc_text(f, p, "mode");
		if (!f->approval_mode.n)
			f->approval_mode = SV("form");
		f->approval_message = rpc_text(f, p, "message");
		return;
	}
}

static void mcp_answer(struct rpc_facts *f, const struct jsonrpc_msg *m)
{
	const struct json *r = m->result, *task = json_get(r, "task");
	struct sv version = rpc_text(f, r, "protocolVersion"), id, state;

	read_server(f, json_path(r, "serverInfo"));
	read_server(f, json_get(json_get(r, "_meta"), META_OWN "serverInfo"));
	if (version.n)
		f->protocol_version = version;
	f->result_type = rpc_text(f, r, "resultType");
	read_input_requests(f, json_get(r, "inputRequests"));
	if (!json_is(task, JSON_OBJECT))
		task = r;
	id = rpc_text(f, task, "taskId");
	state = rpc_text(f, task, "status");
	if (id.n) {
		f->task_id = id;
		f->task_state = state;
	}
	if (sv_is(f->method, "tools/list"))
		read_tools(f, json_get(r, "tools"));
	else if (sv_is(f->method, "tools/call") && !sv_is(f->result_type, "input_required"))
		read_tool_result(f, r);
	else if (sv_is(f->method, "sampling/createMessage"))
		f->model = rpc_text(f, r, "model");
	else if (sv_is(f->method, "elicitation/create"))
		read_action(f, r);
}

/* --- notifications */

static struct sv any_text(struct arena *a, const struct json *v)
{
	if (!v)
		return (struct sv){ NULL, 0 };
	return json_is(v, JSON_STRING) ? v->s : json_text(a, v);
}

void mcp_note(struct mcp_note *out, struct arena *a, const struct jsonrpc_msg *m)
{
	const struct json *p = m->params, *token = json_get(p, "progressToken");
	const struct json *id = json_get(p, "requestId");

	*out = (struct mcp_note){ .what = MCP_NOTE_OTHER };
	if (sv_is(m->method, "notifications/progress")) {
		out->what = MCP_NOTE_PROGRESS;
		if (token)
			out->token = token->s;
		out->progress = json_get(p, "progress");
		out->total = json_get(p, "total");
		out->text = json_sv(json_get(p, "message"));
	} else if (sv_is(m->method, "notifications/message")) {
		out->what = MCP_NOTE_LOG;
		out->level = json_sv(json_get(p, "level"));
		out->logger = json_sv(json_get(p, "logger"));
		out->text = any_text(a, json_get(p, "data"));
	} else if (sv_is(m->method, "notifications/cancelled") && id) {
		out->what = MCP_NOTE_CANCELLED;
		out->request_id = id->s;
		out->request_id_is_string = id->type == JSON_STRING;
		out->text = json_sv(json_get(p, "reason"));
	}
}

const struct rpc_ops rpc_mcp = {
	.name = "mcp",
	.claim = mcp_claim,
	.request = mcp_request,
	.answer = mcp_answer,
};
