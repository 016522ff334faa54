// SPDX-License-Identifier: BSD-2-Clause
/* What runs are at right now: see now.h. */
#include "span/now.h"

#include <math.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/redact.h"
#include "span/rpc.h"
#include "span/tool.h"

#define TOLD_NS \
	20000000ull /* two USAGE records this near say nothing of what a process waits for */

/* --- what records tell */

void now_heard(struct proc *p, const struct ev_hdr *rec)
{
	const struct ev_input *in = (const void *)rec;
	struct pstate *ps = p ? p->user : NULL;
	struct now_sums *n;

	if (!ps || !ps->run)
		return;
	n = &ps->run->now;
	if (rec->kind == EV_INPUT && in->src == EV_SRC_TTY && !process_tool(p)) {
		n->input_ts = rec->ts;
		n->prompt_ts = ps->now.waits_ts = 0; /* it was answered */
	}
	if (rec->kind != EV_USAGE && rec->kind != EV_SYSCALLS && rec->kind != EV_THREADS &&
	    rec->ts > n->heard_ts)
		n->heard_ts = rec->ts;
}

/*
 * Does it wait for its terminal?  Half of the time of a process with one thread is enough: when it began
 * to, nobody told.  What it did before it waited again was told when it did it.
 */
static void look_at_terminal(struct run *r, struct proc *p, const struct ev_usage *e,
			     uint64_t waited, uint64_t passed)
{
	struct now_proc *n = &((struct pstate *)p->user)->now;
	struct now_sums *sums = &r->now;

	if (passed < TOLD_NS)
		return;
	if (waited < passed / 2)
		n->waits_ts = 0;
	else if (!n->waits_ts)
		n->waits_ts = e->hdr.ts - waited;
	if (n->waits_ts && !process_tool(p)) {
		sums->prompt_ts = n->waits_ts;
		sums->prompt_of = p->tgid;
	} else if (sums->prompt_of == p->tgid) {
		sums->prompt_ts = 0;
	}
}

/* A twentieth of the time, or bytes: what only wakes up now and then to look does nothing. */
static bool does_something(const struct usage *grown, uint64_t passed)
{
	uint64_t cpu = grown->of[USAGE_CPU_USER] + grown->of[USAGE_CPU_SYSTEM];

	return cpu > passed / 20 || grown->of[USAGE_SOCKET_READ] || grown->of[USAGE_SOCKET_WRITE] ||
	       grown->of[USAGE_DISK_READ] || grown->of[USAGE_DISK_WRITE];
}

void now_usage(struct proc *p, const struct ev_usage *e, const struct usage *grown)
{
	struct pstate *ps = p->user;
	struct now_proc *n = &ps->now;
	uint64_t passed = e->hdr.ts > n->told_ts ? e->hdr.ts - n->told_ts : 0;

	if (e->rss_bytes) {
		ps->run->now.rss += e->rss_bytes - n->rss;
		n->rss = e->rss_bytes;
	}
	if (n->told_ts) {
		look_at_terminal(ps->run, p, e, grown->of[USAGE_BLOCKED_TERMINAL], passed);
		if (does_something(grown, passed) && e->hdr.ts > ps->run->now.heard_ts)
			ps->run->now.heard_ts = e->hdr.ts;
	}
	n->told_ts = e->hdr.ts;
}

void now_process_over(struct run *r, const struct proc *p, struct pstate *ps)
{
	r->now.rss -= ps->now.rss;
	ps->now.rss = 0;
	if (r->now.prompt_of == p->tgid)
		r->now.prompt_ts = 0;
}

void now_answered(const struct exchange *x)
{
	struct now_sums *n = &x->run->now;

	if (!x->call->has_usage || x->call->usage.output <= 0 || !x->call->content_events)
		return;
	n->pieces += x->call->content_events;
	n->piece_tokens += (uint64_t)x->call->usage.output;
}

void now_called(struct run *r, const struct span *call, int64_t attempts)
{
	double usd = span_attr_float(call, ATTR_ID_COST, -1);

	r->now.input += span_attr_int(call, ATTR_ID_USAGE_INPUT, 0);
	r->now.output += span_attr_int(call, ATTR_ID_USAGE_OUTPUT, 0);
	r->now.retries += attempts - 1;
	if (usd < 0)
		return;
	r->now.cost += usd;
	r->now.priced = true;
}

void now_write_args(struct buf *b, const struct json *args)
{
	if (!args || (args->type == JSON_OBJECT && !args->cnt))
		return;
	if (args->cnt == 1 && args->head->type == JSON_STRING)
		args = args->head;
	if (args->type == JSON_STRING)
		buf_sv(b, args->s);
	else
		json_write(b, args);
}

void now_tool_asked(struct run *r, const struct tool *tool)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct now_sums *n = &r->now;
	struct sv what;
	uint64_t key;

	buf_sv(&b, span_attr_sv(tool->span, ATTR_ID_TOOL_NAME));
	n->same_name_len = sv_clip_utf8(buf_view(&b), sizeof(n->same_what)).n;
	buf_ch(&b, ' ');
	now_write_args(&b, tool->args);
	key = hash64(buf_view(&b));
	n->same = key == n->same_key ? n->same + 1 : 1;
	n->same_key = key;
	what = sv_clip_utf8(buf_view(&b), sizeof(n->same_what));
	n->same_len = what.n;
	memcpy(n->same_what, what.p, what.n);
}

/* --- what is told of a run */

struct telling {
	const struct run *r;
	struct arena arena; /* of texts */
	struct buf args;    /* of the tool call */
	struct now n;
};

static uint64_t wall(const struct run *r, uint64_t ts)
{
	return ts ? trace_unix(r->t, ts) : 0;
}

static bool in_flight(const struct exchange *x)
{
	return x->client && x->call && x->request_done && !x->answered && !x->response_done &&
	       exchange_is_call(x);
}

/* A text of the wire as it may be told. */
static struct sv text(struct telling *t, struct sv v)
{
	struct sv own = arena_dup(&t->arena, v);

	if (own.n && !t->r->t->cfg.no_redact)
		redact_text((char *)own.p, own.n);
	return own;
}

static void look_at_models(struct telling *t)
{
	const struct now_sums *sums = &t->r->now;
	double ratio = sums->pieces ? (double)sums->piece_tokens / (double)sums->pieces : 1;
	struct now_model *m = &t->n.model;
	const struct exchange *best = NULL;

	for (const struct exchange *x = t->r->exchanges; x; x = x->run_next) {
		if (!in_flight(x))
			continue;
		m->cnt++;
		t->n.streamed_tokens += (double)x->call->content_events * ratio;
		if (!best || (x->call->ts_first_token && !best->call->ts_first_token) ||
		    (!!x->call->ts_first_token == !!best->call->ts_first_token &&
		     x->number > best->number))
			best = x;
	}
	if (!best)
		return;
	m->operation = sv(best->call->operation);
	m->model = text(t, best->call->request_model);
	m->asked_ns = wall(t->r, best->req_first);
	m->first_ns = wall(t->r, best->call->ts_first_token);
	m->piece_ns = best->response_seen ? wall(t->r, best->resp_last) : 0;
}

static void look_at_tools(struct telling *t)
{
	const struct tool *best = NULL;

	for (const struct tool *tool = t->r->tools ? t->r->tools->first : NULL; tool;
	     tool = tool->next) {
		t->n.tool.cnt++;
		if (!best || tool->ts_begun > best->ts_begun)
			best = tool;
	}
	if (!best)
		return;
	t->n.tool.name = span_attr_sv(best->span, ATTR_ID_TOOL_NAME);
	now_write_args(&t->args, best->args);
	t->n.tool.input = best->args;
	t->n.tool.args = buf_view(&t->args);
	t->n.tool.asked_ns = wall(t->r, best->ts_start);
	t->n.tool.begun_ns = wall(t->r, best->ts_begun);
}

static void ask_human(struct now *n, uint64_t since, const char *by, struct sv what)
{
	if (!n->human.by || since < n->human.since_ns)
		n->human = (struct now_human){ since, by, what };
}

/* A question of an MCP server or A2A agent that nobody has answered. */
static void look_at_questions(struct telling *t)
{
	for (const struct rpc_end *e = t->r->rpc_ends; e; e = e->next) {
		for (const struct rpc_call *c = e->calls; c; c = c->next)
			if (c->asked && !c->answered &&
			    sv_is(c->facts.method, "elicitation/create"))
				ask_human(&t->n, wall(t->r, c->ts_asked), "elicitation",
					  text(t, c->facts.approval_message));
		for (size_t i = 0; i < RPC_ASKED; i++)
			if (e->asked[i].key && t->n.tool.cnt)
				ask_human(&t->n, wall(t->r, e->asked[i].ts), "elicitation",
					  text(t, sv(e->asked[i].message)));
	}
}

static void look_at_human(struct telling *t)
{
	struct now *n = &t->n;

	n->prompt_ns = wall(t->r, t->r->now.prompt_ts);
	approval_now(t->r, n);
	look_at_questions(t);
	/* a call that something does already needs no word */
	if (n->prompt_ns && n->tool.cnt && !n->tool.begun_ns)
		ask_human(n, n->prompt_ns > n->tool.asked_ns ? n->prompt_ns : n->tool.asked_ns,
			  "terminal", n->tool.name);
}

static void set_sums(struct now *n, const struct run *r)
{
	n->processes = r->live;
	n->model_calls = r->model_calls;
	n->tool_calls = r->tool_calls;
	n->errors = r->errors;
	n->retries = r->now.retries;
	n->input_tokens = r->now.input;
	n->output_tokens = r->now.output;
	n->cost_usd = r->now.priced ? r->now.cost : NAN;
	n->cpu_ns = r->used.of[USAGE_CPU_USER] + r->used.of[USAGE_CPU_SYSTEM];
	n->rss_bytes = r->now.rss;
	n->sock_bytes[EV_READ] = r->used.of[USAGE_SOCKET_READ];
	n->sock_bytes[EV_WRITE] = r->used.of[USAGE_SOCKET_WRITE];
	n->lost_records = engine_lost(r->t) - r->lost_records;
	n->lost_bytes = engine_lost_bytes(r->t) - r->lost_bytes;
	n->same = r->now.same;
	n->same_what = (struct sv){ r->now.same_what, r->now.same_len };
	n->same_name = (struct sv){ r->now.same_what, r->now.same_name_len };
	n->input_ns = wall(r, r->now.input_ts);
	n->heard_ns = wall(r, r->now.heard_ts);
}

static void tell(const struct run *r, now_fn fn, void *ctx)
{
	const struct proc *p = proc_find(r->t->procs, r->tgid, r->start);
	struct telling t = { .r = r };

	arena_init(&t.arena, LIMIT_JSON_ARENA);
	memcpy(t.n.trace_id, r->trace_id, sizeof(t.n.trace_id));
	t.n.agent = sv(r->agent);
	t.n.container = sv(p ? p->container : NULL);
	t.n.pid = r->tgid;
	t.n.number = r->number;
	t.n.joined = r->origin == EV_RUN_ATTACH;
	t.n.start_ns = wall(r, r->ts_start);
	set_sums(&t.n, r);
	agent_now(r, &t.n);
	look_at_models(&t);
	model_now(r, &t.n);
	look_at_tools(&t);
	look_at_human(&t);
	fn(ctx, &t.n);
	arena_fini(&t.arena);
	buf_fini(&t.args);
}

void trace_each_now(const struct trace *t, now_fn fn, void *ctx)
{
	map_for_each (&t->runs, e)
		tell(e->value, fn, ctx);
}

bool trace_now(const struct trace *t, const char *trace_id, now_fn fn, void *ctx)
{
	map_for_each (&t->runs, e) {
		const struct run *r = e->value;

		if (strcmp(r->trace_id, trace_id) == 0) {
			tell(r, fn, ctx);
			return true;
		}
	}
	return false;
}

struct sv trace_host(const struct trace *t)
{
	return t->host;
}
