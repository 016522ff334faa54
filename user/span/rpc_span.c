// SPDX-License-Identifier: BSD-2-Clause
/* Spans of MCP and A2A requests, named as OpenTelemetry's conventions for MCP say. */
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/rpc.h"

static enum span_what what_of(const struct rpc_end *e)
{
	return strcmp(e->ops->name, "a2a") == 0 ? SPAN_A2A : SPAN_MCP;
}

/*
 * Not by a count of all messages: connections overtake one another, and records get lost.  Only what
 * one write said twice, as notifications may be, is counted.
 */
static void set_id(struct span *s, const struct rpc_from *from, const struct rpc_call *c)
{
	const struct rpc_end *e = from->end;
	struct rpc_latest *latest = &from->end->latest[from->dir];
	uint64_t by = from->x ? from->x->conn_id ^ (from->x->seq << 32) : e->start;
	uint64_t parts[] = { by, c->ts_first, hash64(c->id), hash64(c->facts.method), from->dir };
	uint64_t key = hash64((struct sv){ (const char *)parts, sizeof(parts) });

	if (key == latest->key)
		latest->cnt++;
	else
		*latest = (struct rpc_latest){ .key = key };
	engine_id(s->span_id, e->run, what_of(e), (uint64_t[4]){ e->tgid, key, latest->cnt });
}

struct span *rpc_span_new(const struct rpc_from *from, const struct rpc_call *c)
{
	const struct rpc_end *e = from->end;
	struct span *s = engine_span(e->run, what_of(e), c->ts_first, c->ts_last);

	if (!s)
		return NULL;
	set_id(s, from, c);
	s->kind = c->dir == EV_WRITE ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
	if (c->facts.arguments)
		span_set_json(s, ATTR_ID_TOOL_ARGUMENTS, c->facts.arguments);
	return s;
}

/* --- where it hangs */

/* The one request that the other side has asked, while this one comes back. */
static const struct rpc_call *asked_meanwhile(const struct rpc_end *e, const struct rpc_call *c)
{
	const struct rpc_call *one = NULL;

	for (const struct rpc_call *o = e->calls; o; o = o->next) {
		if (o == c || !o->asked || o->answered || o->is_note || o->dir == c->dir ||
		    !o->span)
			continue;
		if (one)
			return NULL;
		one = o;
	}
	return one;
}

static void set_parent(struct rpc_call *c, const char *span_id, const char *link)
{
	memcpy(c->span->parent_span_id, span_id, sizeof(c->span->parent_span_id));
	if (link)
		span_set_str(c->span, ATTR_ID_LINK, sv(link));
}

static bool parent_tool(const struct rpc_end *e, struct rpc_call *c, const struct proc *p)
{
	struct tool_ask ask = {
		.name = c->facts.tool,
		.args = span_attr(c->span, ATTR_ID_TOOL_ARGUMENTS),
		.ids = c->facts.ids,
		.ts = c->ts_first,
		.proc = p,
		.by_time = c->dir == EV_WRITE,
	};
	struct tool_ref ref;

	if (!tool_of_ask(e->run, &ask, &ref))
		return false;
	set_parent(c, ref.span_id, ref.link);
	if (c->x)
		flow_of_tool(c->x, &ref);
	c->invalid = ref.invalid;
	return true;
}

/*
 * last: it is over, and what was not known at its start may be known; only then it is sure that the
 * answering end's span is the only one.
 */
void rpc_span_parent(const struct rpc_end *e, struct rpc_call *c, bool last)
{
	const struct proc *p = proc_find(e->run->t->procs, e->tgid, e->start);
	const struct pstate *ps = p ? p->user : NULL;
	const struct rpc_call *outer = c->facts.comes_back && !last ? asked_meanwhile(e, c) : NULL;

	if (c->has_parent)
		return;
	if (c->facts.tool.n && (c->dir == EV_WRITE || last) && parent_tool(e, c, p)) {
		c->has_parent = true;
	} else if (outer) {
		/* of one request there is one span: that of who asked */
		if (outer->dir == EV_READ && outer->twin)
			outer = outer->twin;
		set_parent(c, outer->span->span_id, "time");
		c->has_parent = true;
	} else if (ps && ps->run) {
		set_parent(c, engine_parent(ps), NULL);
	}
}

/* --- what it tells */

static void add_event(struct json *attrs, struct arena *a, enum attr_id id, struct sv text)
{
	if (text.n)
		json_set(a, attrs, attr_defs[id].key, json_string(a, text));
}

static void add_number(struct json *attrs, struct arena *a, enum attr_id id, const struct json *v)
{
	double number;

	if (json_f64(v, &number))
		json_set(a, attrs, attr_defs[id].key, json_float(a, number));
}

void rpc_span_note(struct rpc_end *e, struct rpc_call *c, const struct mcp_note *n, uint64_t ts)
{
	static const char *const names[] = { [MCP_NOTE_PROGRESS] = "progress",
					     [MCP_NOTE_LOG] = "log",
					     [MCP_NOTE_CANCELLED] = "cancelled" };
	struct arena *a = &c->span->arena;
	struct json *attrs = json_object(a);

	if (!attrs || c->events++ >= LIMIT_RPC_EVENTS) {
		span_incomplete(c->span, "cap");
		return;
	}
	add_number(attrs, a, ATTR_ID_PROGRESS, n->progress);
	add_number(attrs, a, ATTR_ID_PROGRESS_TOTAL, n->total);
	add_event(attrs, a, ATTR_ID_EVENT_MESSAGE, n->text);
	add_event(attrs, a, ATTR_ID_LOG_LEVEL, n->level);
	add_event(attrs, a, ATTR_ID_LOG_NAME, n->logger);
	span_event(c->span, engine_wall(e->run, ts), names[n->what], attrs);
}

static void set_mcp(struct span *s, const struct rpc_end *e, const struct rpc_facts *f)
{
	span_set_str(s, ATTR_ID_MCP_METHOD, f->method);
	span_set_str(s, ATTR_ID_MCP_PROTOCOL,
		     f->protocol_version.n ? f->protocol_version : e->version);
	span_set_str(s, ATTR_ID_MCP_SESSION, e->session);
	span_set_str(s, ATTR_ID_MCP_URI, f->uri);
	span_set_str(s, ATTR_ID_PROMPT_NAME, f->prompt);
	span_set_str(s, ATTR_ID_MCP_TASK_ID, f->task_id);
	span_set_str(s, ATTR_ID_MCP_TASK_STATUS, f->task_state);
	span_set_str(s, ATTR_ID_MCP_RESULT_TYPE, f->result_type);
	if (f->tool.n) {
		span_set_str(s, ATTR_ID_OP, SV("execute_tool"));
		span_set_str(s, ATTR_ID_TOOL_NAME, f->tool);
	}
	if (f->result)
		span_set_json(s, ATTR_ID_TOOL_RESULT, f->result);
	if (f->tools)
		span_set_json(s, ATTR_ID_MCP_TOOLS, f->tools);
	span_set_str(s, ATTR_ID_RESPONSE_MODEL, f->model);
	span_set_str(s, ATTR_ID_APPROVAL_MODE, f->approval_mode);
	span_set_str(s, ATTR_ID_APPROVAL_MESSAGE, f->approval_message);
	span_set_str(s, ATTR_ID_APPROVAL_ACTION, f->approval_action);
}

static void set_a2a(struct span *s, const struct rpc_end *e, const struct rpc_facts *f)
{
	(void)e;
	span_set_str(s, ATTR_ID_A2A_METHOD, f->method);
	span_set_str(s, ATTR_ID_A2A_PROTOCOL, f->protocol_version);
	span_set_str(s, ATTR_ID_A2A_TASK_ID, f->task_id);
	span_set_str(s, ATTR_ID_A2A_TASK_STATE, f->task_state);
	span_set_str(s, ATTR_ID_A2A_MESSAGE_ID, f->message_id);
	span_set_str(s, ATTR_ID_CONVERSATION_ID, f->context_id);
	span_set_str(s, ATTR_ID_APPROVAL_MODE, f->approval_mode);
	span_set_str(s, ATTR_ID_APPROVAL_MESSAGE, f->approval_message);
}

static void set_names(struct span *s, const struct rpc_end *e, const struct rpc_facts *f)
{
	/* names stand in the first answer; who asks the other way round is the server */
	span_set_str(s, ATTR_ID_MCP_SERVER_NAME,
		     f->server_name.n ? f->server_name : e->server_name);
	if (f->server_version.n)
		span_set_str(s, ATTR_ID_MCP_SERVER_VERSION, f->server_version);
	span_set_str(s, ATTR_ID_MCP_CLIENT_NAME, f->client_name);
	span_set_str(s, ATTR_ID_MCP_CLIENT_VERSION, f->client_version);
	peer_context(e->run, s, f->traceparent, f->tracestate);
}

static void set_transport(struct span *s, const struct rpc_end *e, const struct rpc_call *c)
{
	const struct rpc_stream *rs = e->out ? e->out : e->in;

	if (c->http) {
		span_set_str(s, ATTR_ID_NET_TRANSPORT, SV("tcp"));
		return;
	}
	if (rs && rs->stream->conn->addr.family) {
		flow_addr(rs->stream->run, s, &rs->stream->conn->addr);
		span_set_str(s, ATTR_ID_NET_TRANSPORT, SV("tcp"));
	} else {
		span_set_str(s, ATTR_ID_NET_TRANSPORT, SV("pipe"));
	}
	span_set_int(s, ATTR_ID_PROCESS_PID, e->tgid);
}

static void set_rpc(struct span *s, const struct rpc_call *c)
{
	span_set_str(s, ATTR_ID_JSONRPC_ID, c->id);
	span_set_str(s, ATTR_ID_RPC_STATUS, c->facts.status_code);
	span_set_int(s, ATTR_ID_JSONRPC_REQUEST_BYTES, c->req_wire);
	if (c->resp_wire)
		span_set_int(s, ATTR_ID_JSONRPC_RESPONSE_BYTES, c->resp_wire);
	if (c->handling)
		span_set_int(s, ATTR_ID_RPC_HANDLING_NS, c->handling);
	if (c->peer_tgid)
		span_set_int(s, ATTR_ID_RPC_PEER_PID, c->peer_tgid);
}

/* --- what a human is asked */

/* The same when it is sent again with the human's word, of A2A in any message to the task. */
static uint64_t request_key(const struct rpc_facts *f, bool a2a)
{
	_cleanup_buf_ struct buf text = BUF_INIT;
	uint64_t key;

	if (a2a)
		buf_sv(&text, f->task_id);
	else
		buf_fmt(&text, SV_FMT " " SV_FMT " ", SV_ARG(f->method), SV_ARG(f->target));
	if (f->arguments)
		json_write(&text, f->arguments);
	key = hash64(buf_view(&text));
	return key ? key : 1;
}

static void forget_asked(struct rpc_asked *q)
{
	free(q->mode);
	free(q->message);
	*q = (struct rpc_asked){ 0 };
}

void rpc_span_asked(struct rpc_end *e, const struct rpc_call *c)
{
	uint64_t key = request_key(&c->facts, c->span->what == SPAN_A2A);
	struct sv mode = c->facts.approval_mode, message = c->facts.approval_message;
	struct rpc_asked *q = e->asked, *end = e->asked + RPC_ASKED;

	while (q < end && (q->key != key || q->ts < c->ts_first))
		q++;
	if (q == end) /* else a stream says so again */
		q = &e->asked[e->asked_cnt++ % RPC_ASKED];
	forget_asked(q);
	*q = (struct rpc_asked){
		.key = key,
		.ts = c->ts_last,
		.mode = mode.n ? strndup(mode.p, mode.n) : NULL,
		.message = message.n ? strndup(message.p, message.n) : NULL,
	};
}

void rpc_span_forget(struct rpc_end *e)
{
	for (size_t i = 0; i < RPC_ASKED; i++)
		forget_asked(&e->asked[i]);
}

/* The request, as who asked saw it, that c came back from; NULL: none, or it is over. */
static const struct rpc_call *outer_call(const struct rpc_end *e, const struct rpc_call *c)
{
	for (const struct rpc_call *o = e->calls; o; o = o->next) {
		const struct rpc_call *asks = o->dir == EV_READ && o->twin ? o->twin : o;

		if (o != c && asks->span &&
		    strcmp(asks->span->span_id, c->span->parent_span_id) == 0)
			return asks;
	}
	return NULL;
}

void rpc_span_answered(struct rpc_end *e, struct rpc_call *c)
{
	const struct rpc_call *outer;

	if (!c->span || !c->facts.approval_action.n ||
	    !sv_is(c->facts.method, "elicitation/create"))
		return;
	outer = outer_call(e, c);
	if (outer)
		c->asked_for = arena_dup(&c->facts.arena, outer->facts.tool);
	/* now: its own span may be told only when the tool call is over; and once, by who asked */
	if (c->dir == EV_WRITE || !c->twin)
		tool_waited(e->run, outer ? outer->span->parent_span_id : c->span->parent_span_id,
			    WAIT_HUMAN, c->ts_asked, c->ts_last);
}

/*
 * The wait between question and answer: of elicitation/create the request itself, since 2026-07-28 the
 * time until the request is sent again, with the human's word.
 */
static void tell_approval(struct rpc_end *e, const struct rpc_call *c)
{
	const struct rpc_facts *f = &c->facts;
	bool a2a = c->span->what == SPAN_A2A;
	struct approval a = {
		.by = a2a ? "message" : "elicitation",
		.ts_from = c->ts_asked,
		.ts_to = c->ts_last,
		.action = f->approval_action,
		.mode = f->approval_mode,
		.message = f->approval_message,
	};

	if (!f->approval_action.n)
		return;
	if (sv_is(f->method, "elicitation/create")) {
		a.counted = true;
		approval_elicited(e->run, c->span->span_id, c->asked_for, c->span->span_id, &a);
		return;
	}
	for (size_t i = 0; i < RPC_ASKED; i++) {
		struct rpc_asked *q = &e->asked[i];

		if (q->key != request_key(f, a2a) || q->ts > c->ts_first)
			continue;
		a.ts_from = q->ts;
		a.ts_to = c->ts_first;
		a.mode = sv(q->mode);
		a.message = sv(q->message);
		approval_elicited(e->run, c->span->parent_span_id, f->tool, c->span->parent_span_id,
				  &a);
		forget_asked(q);
		return;
	}
}

static void set_name(struct span *s, const struct rpc_facts *f)
{
	span_set_name(s, f->target.n ? arena_fmt(&s->arena, SV_FMT " " SV_FMT, SV_ARG(f->method),
						 SV_ARG(f->target))
				     : f->method);
}

void rpc_span_emit(struct rpc_end *e, struct rpc_call *c)
{
	const struct rpc_facts *f = &c->facts;
	struct span *s = c->span;

	rpc_span_parent(e, c, true);
	s->end_ns = engine_wall(e->run, c->ts_last);
	set_name(s, f);
	if (s->what == SPAN_A2A)
		set_a2a(s, e, f);
	else
		set_mcp(s, e, f);
	set_names(s, e, f);
	set_transport(s, e, c);
	set_rpc(s, c);
	if (c->cut)
		span_incomplete(s, "cut");
	if (c->unanswered)
		span_incomplete(s, "unanswered");
	if (f->failed)
		engine_fail(s, f->error_type, f->error_message);
	tell_approval(e, c);
	/* what was told of the model's call already is told once */
	if (f->tool.n && !c->cut && !c->invalid)
		verdict_of_schema(e->run, s, json_get_sv(e->schemas, f->tool), f->arguments,
				  SV("mcp"));
	engine_emit(e->run, &c->span);
}

/* Of a request that both ends saw the one who asked tells. */
static bool is_open(const struct rpc_call *c)
{
	return c->asked && c->span && !c->answered && !c->is_note && !c->told && !c->linked &&
	       (c->dir == EV_WRITE || !c->twin);
}

void rpc_each_open(struct run *r, const struct open_walk *w)
{
	for (const struct rpc_end *e = r->rpc_ends; e; e = e->next) {
		for (const struct rpc_call *c = e->calls; c; c = c->next) {
			struct span *s = is_open(c) ? open_copy(r, c->span) : NULL;

			if (s) {
				set_name(s, &c->facts);
				if (s->what == SPAN_A2A)
					set_a2a(s, e, &c->facts);
				else
					set_mcp(s, e, &c->facts);
				set_transport(s, e, c);
			}
			open_give(w, r, &s);
		}
	}
}
