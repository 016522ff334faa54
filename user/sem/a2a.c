// SPDX-License-Identifier: BSD-2-Clause
/*
 * The Agent2Agent protocol: JSON-RPC with the methods of 0.2, 0.3 and 1.0, its HTTP+JSON binding, and
 * agent cards.  Methods and states are told as 1.0 names them.
 */
#include "base/cleanup.h"
#include "sem/rpc.h"

/*	1.0, before, before that */
static const struct {
	const char *name, *v03, *v02;
} methods[] = {
	{ "SendMessage", "message/send", "tasks/send" },
	{ "SendStreamingMessage", "message/stream", "tasks/sendSubscribe" },
	{ "GetTask", "tasks/get", NULL },
	{ "ListTasks", "tasks/list", NULL },
	{ "CancelTask", "tasks/cancel", NULL },
	{ "SubscribeToTask", "tasks/resubscribe", NULL },
	{ "CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set",
	  "tasks/pushNotification/set" },
	{ "GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get",
	  "tasks/pushNotification/get" },
	{ "ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list", NULL },
	{ "DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete", NULL },
	{ "GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", NULL },
};

/* How a path ends, section 11.3 of 1.0.  Where `version` is set others may have it too. */
static const struct {
	const char *verb, *end, *method;
	bool version;
} paths[] = {
	{ "GET", "/.well-known/agent-card.json", "GetAgentCard", false },
	{ "GET", "/.well-known/agent.json", "GetAgentCard", false },
	{ "POST", "/message:send", "SendMessage", false },
	{ "POST", "/message:stream", "SendStreamingMessage", false },
	{ "POST", ":cancel", "CancelTask", true },
	{ "GET", ":subscribe", "SubscribeToTask", true },
	{ "POST", ":subscribe", "SubscribeToTask", true },
	{ "GET", "/tasks", "ListTasks", true },
	{ "GET", "/extendedAgentCard", "GetExtendedAgentCard", true },
};

static struct sv find_method(struct sv name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (sv_is(name, methods[i].name) || sv_is(name, methods[i].v03) ||
		    (methods[i].v02 && sv_is(name, methods[i].v02)))
			return sv(methods[i].name);
	return (struct sv){ NULL, 0 };
}

static int a2a_claim(const struct jsonrpc_msg *m, const struct http_msg *http)
{
	if (!find_method(m->method).n)
		return 0;
	if (http && http_field_get(http, "a2a-version").n)
		return 100;
	if (sv_starts(m->method,
		      "tasks/")) /* MCP has methods of these names, with another member */
		return json_get(m->params, "taskId") ? 40 : 80;
	return 80;
}

/* "input-required", of 0.x, becomes "TASK_STATE_INPUT_REQUIRED". */
static struct sv state_of(struct rpc_facts *f, const struct json *status)
{
	struct sv state = rpc_text(f, status, "state");

	if (!state.n || sv_starts(state, "TASK_STATE_"))
		return state;
	state = arena_fmt(&f->arena, "TASK_STATE_" SV_FMT, SV_ARG(state));
	for (size_t i = 0; i < state.n; i++) {
		char *ch = (char *)state.p + i;

		if (*ch >= 'a' && *ch <= 'z')
			*ch -= 'a' - 'A';
		else if (*ch == '-')
			*ch = '_';
	}
	return state;
}

static void keep(struct sv *at, struct sv v)
{
	if (v.n)
		*at = v;
}

static void read_message(struct rpc_facts *f, const struct json *message)
{
	keep(&f->message_id, rpc_text(f, message, "messageId"));
	keep(&f->context_id, rpc_text(f, message, "contextId"));
	keep(&f->task_id, rpc_text(f, message, "taskId"));
}

/* The task goes on only with an answer. */
static void read_question(struct rpc_facts *f, const struct json *task)
{
	if (sv_is(f->task_state, "TASK_STATE_INPUT_REQUIRED"))
		f->approval_mode = SV("message");
	else if (sv_is(f->task_state, "TASK_STATE_AUTH_REQUIRED"))
		f->approval_mode = SV("auth");
	else
		return;
	keep(&f->approval_message,
	     arena_dup(&f->arena, json_sv(json_path(task, "status.message.parts.0.text"))));
}

/* A task, or an update of one, which calls its id otherwise. */
static void read_task(struct rpc_facts *f, const struct json *task)
{
	keep(&f->context_id, rpc_text(f, task, "contextId"));
	keep(&f->task_id, rpc_text(f, task, "id"));
	keep(&f->task_id, rpc_text(f, task, "taskId"));
	keep(&f->task_state, state_of(f, json_get(task, "status")));
	read_question(f, task);
	f->failed = sv_is(f->task_state, "TASK_STATE_FAILED") ||
		    sv_is(f->task_state, "TASK_STATE_REJECTED");
	if (!f->failed)
		return;
	f->error_type = f->task_state;
	f->error_message =
		arena_dup(&f->arena, json_sv(json_path(task, "status.message.parts.0.text")));
}

static void a2a_request(struct rpc_facts *f, const struct jsonrpc_msg *m)
{
	const struct json *p = m->params;
	struct sv name = find_method(m->method);

	keep(&f->method, name);
	read_message(f, json_get(p, "message"));
	keep(&f->task_id, rpc_text(f, p, "id"));
	keep(&f->task_id, rpc_text(f, p, "taskId"));
	keep(&f->context_id, rpc_text(f, p, "contextId"));
	if (sv_starts(f->method, "Send") && f->task_id.n)
		f->approval_action = SV("reply");
	else if (sv_is(f->method, "CancelTask"))
		f->approval_action = SV("cancel");
}

static void a2a_answer(struct rpc_facts *f, const struct jsonrpc_msg *m)
{
	static const char *const wraps[] = { "task", "statusUpdate", "artifactUpdate" };
	const struct json *r = m->result;

	if (sv_ends(f->method, "AgentCard")) {
		f->server_name = f->target = rpc_text(f, r, "name");
		f->server_version = rpc_text(f, r, "version");
		f->protocol_version = rpc_text(f, r, "protocolVersion");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wraps); i++)
		if (json_get(r, wraps[i]))
			read_task(f, json_get(r, wraps[i]));
	if (json_get(r, "message"))
		keep(&f->context_id, rpc_text(f, json_get(r, "message"), "contextId"));
	else if (json_str_is(json_get(r, "kind"), "message"))
		keep(&f->context_id, rpc_text(f, r, "contextId"));
	else if (json_get(r, "status") || json_get(r, "artifact"))
		read_task(f, r);
}

/* The id in "/tasks/ID", "/tasks/ID:cancel"; empty where the path has none. */
static struct sv task_of_path(struct sv path)
{
	struct sv part = { NULL, 0 }, before = part, rest = path;

	while (rest.n) {
		before = part;
		part = sv_token(&rest, '/');
	}
	return sv_is(before, "tasks") ? sv_token(&part, ':') : (struct sv){ NULL, 0 };
}

static struct sv a2a_rest(struct rpc_facts *f, const struct http_msg *http)
{
	struct sv path = rpc_path(http), version = http_field_get(http, "a2a-version");
	struct sv task = task_of_path(path);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (!sv_is(http->method, paths[i].verb) || !sv_ends(path, paths[i].end) ||
		    (paths[i].version && !version.n))
			continue;
		f->protocol_version = arena_dup(&f->arena, version);
		f->task_id = arena_dup(&f->arena, task);
		return sv(paths[i].method);
	}
	if (!version.n || !task.n || !sv_is(http->method, "GET"))
		return (struct sv){ NULL, 0 };
	f->task_id = arena_dup(&f->arena, task);
	return SV("GetTask");
}

const struct rpc_ops rpc_a2a = {
	.name = "a2a",
	.claim = a2a_claim,
	.request = a2a_request,
	.answer = a2a_answer,
	.rest = a2a_rest,
};
