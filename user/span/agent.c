// SPDX-License-Identifier: BSD-2-Clause
/*
 * Agents and turns.  A conversation (chain.h) is an agent; a turn goes from input to the next answer
 * that calls no tool, or to where the user goes on instead; model and tool calls hang under it.  An agent that begins while a tool call
 * of another runs, and whose input that call's arguments hold, is its sub-agent.  Calls that programs
 * make beside the conversation (titles, warm-ups, summaries) are told as such and are in no turn.
 */
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proc/program.h"
#include "span/engine.h"
#include "span/now.h"

struct totals {
	int64_t model_calls, tool_calls;
	int64_t input, output;
	double cost;
	bool priced;
};

struct agent {
	struct agent *prev, *next; /* in its run */
	struct run *run;
	struct index_link idle, of_process;
	struct share share, turn_share; /* turn_share: of the open turn */
	struct chain chain;
	uint32_t tgid; /* of the process that began it */
	uint64_t proc_start;
	struct span *span, *turn; /* turn: the open one, or NULL */
	int64_t turns;
	struct totals sum, turn_sum;
	struct waits turn_waits;
	struct usage used, turn_used; /* as of the last settlement of what is in it */
	uint64_t ts_beside;           /* end of the latest call beside its turns; 0: none */
	struct exchange *asks;        /* the latest, while it is there; or NULL */
	unsigned int calls;           /* exchanges and calls that point here */
	bool over; /* the latest answer called no tool: the next request begins a turn */
	bool top;  /* not a sub-agent: its answers are the run's */
};

static const struct map_key idle_key;
static const char summary[] = "summary"; /* of a conversation, which it may replace */

/* --- ends */

static void set_totals(struct span *s, const struct totals *t)
{
	span_set_int(s, ATTR_ID_MODEL_CALLS, t->model_calls);
	span_set_int(s, ATTR_ID_TOOL_CALLS, t->tool_calls);
	if (t->input)
		span_set_int(s, ATTR_ID_USAGE_INPUT, t->input);
	if (t->output)
		span_set_int(s, ATTR_ID_USAGE_OUTPUT, t->output);
	if (t->priced)
		span_set_float(s, ATTR_ID_COST, t->cost);
}

static void end_turn(struct agent *a, uint64_t ts)
{
	struct span *s = a->turn;

	if (!s)
		return;
	shares_settle_into(a->run, a);
	share_leave(a->run, &a->turn_share);
	index_del(&a->run->agents.by_process, &a->of_process);
	s->end_ns = engine_wall(a->run, ts);
	if (s->end_ns < s->start_ns)
		s->end_ns = s->start_ns;
	set_totals(s, &a->turn_sum);
	a->turn_sum = (struct totals){ 0 };
	waits_set(s, &a->turn_waits);
	a->turn_waits = (struct waits){ 0 };
	usage_set(s, &a->turn_used);
	a->turn_used = (struct usage){ 0 };
	engine_emit(a->run, &a->turn);
}

static void set_busy(struct agent *a)
{
	if (a->idle.list)
		a->run->agents.idle_cnt--;
	index_del(&a->run->agents.idle, &a->idle);
}

/* It is told and forgotten; why its turn is not over, if that is open. */
static void agent_over(struct agent *a, const char *reason)
{
	struct agents *all = &a->run->agents;
	struct span *s = a->span;

	*(a->prev ? &a->prev->next : &all->first) = a->next;
	*(a->next ? &a->next->prev : &all->last) = a->prev;
	all->cnt--;
	set_busy(a);
	chains_leave(&all->chains, &a->chain);

	if (a->turn)
		span_incomplete(a->turn, reason);
	end_turn(a, a->chain.ts_last);
	shares_leave_owner(a->run, a);
	share_leave(a->run, &a->share);
	s->end_ns = engine_wall(a->run,
				a->ts_beside > a->chain.ts_last ? a->ts_beside : a->chain.ts_last);
	span_set_int(s, ATTR_ID_TURNS, a->turns);
	set_totals(s, &a->sum);
	usage_set(s, &a->used);
	engine_emit(a->run, &a->span);
	chain_fini(&a->chain);
	free(a);
}

void agent_finish_all(struct run *r)
{
	struct agent *next;

	for (struct agent *a = r->agents.first; a; a = next) {
		next = a->next;
		agent_over(a, "unanswered");
	}
	chains_fini(&r->agents.chains);
	index_fini(&r->agents.idle);
	index_fini(&r->agents.by_process);
}

static void give_open(const struct agent *a, const struct open_walk *w, const struct span *of,
		      const struct totals *sum, const struct usage *used)
{
	struct span *s = open_copy(a->run, of);

	if (s) {
		set_totals(s, sum);
		usage_set(s, used);
	}
	open_give(w, a->run, &s);
}

void agent_each_open(struct run *r, const struct open_walk *w)
{
	for (const struct agent *a = r->agents.first; a; a = a->next) {
		give_open(a, w, a->span, &a->sum, &a->used);
		if (a->turn)
			give_open(a, w, a->turn, &a->turn_sum, &a->turn_used);
	}
}

/* Makes room: the one that was idle longest. */
static void drop_idle(struct run *r)
{
	struct index_link *l = index_first(&r->agents.idle, idle_key);
	struct agent *a = l ? ((struct chain *)l->of)->of : NULL;

	if (!a)
		return;
	r->agents.forgot = true;
	if (a->turn)
		r->over_limit++;
	agent_over(a, "cap");
}

/* Something was heard of it. */
static void touch(struct agent *a, uint64_t ts)
{
	chains_touch(&a->chain, ts);
	index_sort(&a->idle, chains_before);
}

static void set_idle(struct agent *a)
{
	/* or it stays until its run is over, when memory is out */
	if (index_add(&a->run->agents.idle, idle_key, &a->idle, &a->chain))
		return;
	a->run->agents.idle_cnt++;
	index_sort(&a->idle, chains_before);
}

/* --- whose request it is */

/* Its own question is still to be answered: what begins alike is another conversation. */
static bool waits_for_its_own(void *ctx, const struct chain *ch)
{
	const struct agent *a = ch->of;
	const struct exchange *x = ctx, *e = a->asks;

	return e && e != x && !e->answered && !exchange_may_retry(x, e);
}

/* What the program is called that asks. */
static struct sv name_of_program(const struct exchange *x)
{
	const struct proc *p = proc_find(x->run->t->procs, x->tgid, x->proc_start);
	struct sv args;

	if (!p || (p->tgid == x->run->tgid && p->start == x->run->start))
		return sv(x->run->agent);
	args = (struct sv){ p->args, p->args_len };
	return program_name(proc_exe_name(p), args, &args);
}

/* Under the request, tool call or process that began it, else under the run; and by what name. */
static void set_place(struct agent *a, const struct exchange *x)
{
	struct pstate *ps = engine_pstate(a->run->t, x->tgid, x->proc_start);
	struct sv name = name_of_program(x);
	struct span *s = a->span;
	struct served served;
	struct tool_ref ref;

	a->top = !tool_of_input(x, !ps || ps->is_root, &ref);
	if (!a->top && ref.agent.n)
		name = ref.agent;
	if (served_for(x, &served) && (served.exact || a->top)) {
		memcpy(s->parent_span_id, served.span_id, sizeof(s->parent_span_id));
		span_set_str(s, ATTR_ID_LINK, served.exact ? SV("exact") : SV("time"));
	} else if (!a->top) {
		memcpy(s->parent_span_id, ref.span_id, sizeof(s->parent_span_id));
		span_set_str(s, ATTR_ID_LINK, sv(ref.link));
	} else if (ps) {
		memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	}
	span_set_str(s, ATTR_ID_AGENT_NAME, name);
	span_set_name(s, arena_fmt(&s->arena, "invoke_agent " SV_FMT, SV_ARG(name)));
}

static void set_instructions(struct span *s, const struct sem_call *c)
{
	struct json *parts = json_array(&s->arena);

	json_for_each (c->input_messages, m)
		if (chain_is_system(m))
			json_for_each (json_get(m, "parts"), part)
				json_push(parts, json_copy(&s->arena, part));
	if (c->system_instructions)
		span_set_json(s, ATTR_ID_SYSTEM_INSTRUCTIONS, c->system_instructions);
	else if (parts && parts->cnt)
		span_set_json(s, ATTR_ID_SYSTEM_INSTRUCTIONS, parts);
}

/* A part of what the process took is no part to a turn that was the only one, and had all of it. */
void agent_charge(struct agent *a, int64_t turn, const struct usage *u)
{
	struct usage own = *u;

	own.shared = u->of_turns;
	usage_add(&a->used, &own);
	if (a->turn && turn == a->turns)
		usage_add(&a->turn_used, &own);
}

static void turn_take(void *of, const struct usage *part)
{
	struct agent *a = of;

	agent_charge(a, a->turns, part);
}

/* Taken while no turn of its process was open; it may be told when the next one is. */
static void take(void *of, const struct usage *part)
{
	agent_charge(of, 0, part);
}

static const char *span_id_of(const void *of, char own[HEX64])
{
	const struct agent *a = of;

	(void)own;
	return a->turn ? a->turn->span_id : a->span->span_id;
}

static const struct share_ops share_ops = { .take = take, .span_id = span_id_of };
static const struct share_ops turn_share_ops = { .take = turn_take, .span_id = span_id_of };

static void enter(struct agent *a)
{
	struct agents *all = &a->run->agents;

	a->prev = all->last;
	*(all->last ? &all->last->next : &all->first) = a;
	all->last = a;
	all->cnt++;
	share_join(a->run, a->tgid, a->proc_start, CHARGE_AGENTS, &a->share, &share_ops, a);
	chains_enter(&all->chains, &a->chain, a);
	set_idle(a);
}

static struct agent *agent_new(struct run *r, const struct exchange *x)
{
	struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->run = r;
	a->tgid = x->tgid;
	a->proc_start = x->proc_start;
	a->chain.ts_last = x->req_first;
	a->span = engine_span(r, SPAN_AGENT, x->req_first, x->req_first);
	if (!a->span) {
		free(a);
		return NULL;
	}
	engine_id(a->span->span_id, r, SPAN_AGENT,
		  (uint64_t[4]){ x->tgid, x->proc_start, x->conn_id, x->seq });
	set_place(a, x);
	span_set_str(a->span, ATTR_ID_OP, SV("invoke_agent"));
	span_set_str(a->span, ATTR_ID_CONVERSATION_ID,
		     x->call->conversation_id.n ? x->call->conversation_id : sv(a->span->span_id));
	set_instructions(a->span, x->call);
	if (r->agents.idle_cnt >= LIMIT_AGENTS)
		drop_idle(r);
	enter(a);
	return a;
}

/* The agent whose instructions these are, and which knows the history up to where it handed off. */
static struct agent *handed_back(const struct agent *from, const struct chain_request *q)
{
	enum chain_step how;

	for (struct agent *a = from->run->agents.first; a; a = a->next)
		if (a != from && chain_match(&a->chain, q, &how) && how == CHAIN_NEXT)
			return a;
	return NULL;
}

static void link_once(struct span *s, const struct span *to, const char *relation)
{
	json_for_each (s->links, link)
		if (json_str_is(json_get(link, "span_id"), to->span_id))
			return;
	span_link(s, to->trace_id, to->span_id, relation);
}

/* The same history under other instructions: another agent, at the same place. */
static struct agent *hand_over(struct agent *from, const struct exchange *x,
			       const struct chain_request *q)
{
	struct agent *a = handed_back(from, q);

	if (!a) {
		a = agent_new(from->run, x);
		if (!a)
			return NULL;
		memcpy(a->span->parent_span_id, from->span->parent_span_id,
		       sizeof(a->span->parent_span_id));
		a->top = from->top;
	}
	if (!from->over)
		touch(from, x->req_first);
	end_turn(from, from->chain.ts_last);
	link_once(a->span, from->span, "handed_off_from");
	return a;
}

static void begin_turn(struct agent *a, const struct exchange *x)
{
	const struct json *list = x->call->input_messages;
	struct served served;
	struct json *input;

	a->turn = engine_span(a->run, SPAN_TURN, x->req_first, x->req_first);
	if (!a->turn)
		return;
	index_add(&a->run->agents.by_process, (struct map_key){ a->tgid, a->proc_start, 0 },
		  &a->of_process, a);
	share_join(a->run, a->tgid, a->proc_start, CHARGE_TURNS, &a->turn_share, &turn_share_ops,
		   a);
	a->turns++;
	engine_id(a->turn->span_id, a->run, SPAN_TURN,
		  (uint64_t[4]){ hash64(sv(a->span->span_id)), (uint64_t)a->turns });
	memcpy(a->turn->parent_span_id, a->span->span_id, sizeof(a->turn->parent_span_id));
	span_set_name(a->turn, arena_fmt(&a->turn->arena, "turn %lld", (long long)a->turns));
	span_set_int(a->turn, ATTR_ID_TURN, a->turns);
	if (served_for(x, &served) && strcmp(served.span_id, a->span->parent_span_id) != 0)
		span_link(a->turn, a->run->trace_id, served.span_id, "request");
	if (!list || !list->tail)
		return;
	input = json_array(&a->turn->arena);
	json_push(input, json_copy(&a->turn->arena, list->tail));
	span_set_json(a->turn, ATTR_ID_INPUT_MESSAGES, input);
}

static const char *const step_names[] = {
	[CHAIN_EDITED] = "edited",
	[CHAIN_REPLACED] = "replaced",
	[CHAIN_HANDED] = "handed_off",
};

/* What its request took so far is the agent's, too. */
static void take_request(struct exchange *x, struct agent *a)
{
	share_settle(&x->share);
	agent_charge(a, x->turn, &x->used);
	share_into(x->run, &x->share, a);
}

/* A call of its own: under the agent that it is made for, where that is known. */
static void set_aside(struct exchange *x, struct agent *a, const char *purpose)
{
	x->purpose = purpose;
	if (!a)
		return;
	memcpy(x->parent_span, a->span->span_id, sizeof(x->parent_span));
	agent_hold(a);
	take_request(x, a);
	x->beside = a;
}

static void join(struct exchange *x, struct agent *a, struct chain_request *q, enum chain_step step)
{
	struct chains *chains = &a->run->agents.chains;

	if (step == CHAIN_AGAIN && a->chain.answered)
		tool_dropped(a->run, a, x->req_first);
	if (a->turn && !a->over && step == CHAIN_NEXT && chain_interrupted(&a->chain, q)) {
		model_given_up(a->run, a);
		span_incomplete(a->turn, "unanswered");
		a->over = true;
		touch(a, x->req_first);
	}
	chains_hide(chains, &a->chain);
	chain_advance(&a->chain, q);
	chains_show(chains, &a->chain);
	if (a->over && step != CHAIN_AGAIN)
		end_turn(a, a->chain.ts_last);
	a->over = false;
	if (!a->turn)
		begin_turn(a, x);
	touch(a, x->req_first);
	agent_hold(a);
	a->asks = x;
	x->turn = a->turns;
	take_request(x, a);
	x->agent = a;
	x->context = step < ARRAY_SIZE(step_names) ? step_names[step] : NULL;
	memcpy(x->parent_span, a->turn ? a->turn->span_id : a->span->span_id,
	       sizeof(x->parent_span));
}

/* It goes on from what is not known, and may have been known. */
static void tell_forgotten(struct agent *a, const struct chain_request *q)
{
	if (!a->run->agents.forgot || (!q->said_cnt && !q->call->previous_response_id.n))
		return;
	span_incomplete(a->span, "cap");
	a->run->over_limit++;
}

static void converse(struct exchange *x, struct agent *a, struct chain_request *q,
		     enum chain_step step)
{
	x->begins = !a;
	if (a && step == CHAIN_HANDED) {
		x->from = a;
		a = hand_over(a, x, q);
	} else if (!a) {
		a = agent_new(x->run, x);
		if (a)
			tell_forgotten(a, q);
	}
	if (a)
		join(x, a, q, step);
}

/*
 * Attempts of one call ask the same, whatever they say of how the answer is to come: a client whose
 * stream broke may ask for the whole in one piece, and of some APIs the path tells which.
 */
static uint64_t attempt_key(const struct exchange *x, const struct chain_request *q)
{
	const struct sem_call *c = x->call;
	uint64_t parts[] = { chain_request_hash(q),
			     hash64(x->host),
			     hash64(sv(c->api)),
			     hash64(c->request_model),
			     hash64(c->previous_response_id),
			     (uint64_t)c->seed,
			     (uint64_t)c->choice_count,
			     0 };

	memcpy(&parts[7], &c->temperature, sizeof(c->temperature));
	return hash64((struct sv){ (const char *)parts, sizeof(parts) });
}

void agent_asked(struct exchange *x)
{
	const char *purpose = call_purpose(x->call);
	enum chain_step step = CHAIN_NEW;
	struct chain_request q;
	struct chain *found;
	struct agent *a;

	if (!x->call->operation || !x->call->input_messages || chain_request_init(&q, x->call))
		return;
	x->key = attempt_key(x, &q);
	found = chains_find(&x->run->agents.chains, &q, waits_for_its_own, x, &step);
	a = found ? found->of : NULL;
	if (purpose)
		set_aside(x, a, purpose);
	else if (a && a->chain.tools && !q.tools && step != CHAIN_AGAIN)
		set_aside(x, a, summary);
	else
		converse(x, a, &q, step);
	chain_request_fini(&q);
}

/* --- answers */

static void add_usage(struct totals *t, const struct span *s)
{
	double cost = span_attr_float(s, ATTR_ID_COST, -1);

	t->model_calls++;
	t->input += span_attr_int(s, ATTR_ID_USAGE_INPUT, 0);
	t->output += span_attr_int(s, ATTR_ID_USAGE_OUTPUT, 0);
	if (cost >= 0) {
		t->cost += cost;
		t->priced = true;
	}
}

void agent_calls_tool(struct exchange *x)
{
	if (!x->agent)
		return;
	x->agent->sum.tool_calls++;
	x->agent->turn_sum.tool_calls++;
}

static bool wants_tools(const struct sem_call *c)
{
	if (c->asks_leave)
		return true;
	for (const struct sem_tool_call *tc = c->calls; tc; tc = tc->next)
		if (!tc->server)
			return true;
	return false;
}

/* flags: of the answer that they are; what it lacks, they lack. */
static void set_result(struct span *s, const struct json *messages, unsigned int flags)
{
	span_set_json(s, ATTR_ID_OUTPUT_MESSAGES, messages);
	if (flags & HTTP_HOLE)
		span_incomplete(s, "hole");
	if (flags & HTTP_BODY_CAP)
		span_incomplete(s, "cap");
}

static void keep_result(struct agent *a, const struct json *messages, unsigned int flags)
{
	_cleanup_buf_ struct buf text = BUF_INIT;

	if (!messages)
		return;
	if (a->turn)
		set_result(a->turn, messages, flags);
	set_result(a->span, messages, flags);
	/* agents end at the same time, and then the order of records says nothing */
	if (!a->top || a->chain.ts_last < a->run->result_ts || json_write(&text, messages))
		return;
	a->run->result_ts = a->chain.ts_last;
	buf_fini(&a->run->result);
	a->run->result = text;
	text = (struct buf)BUF_INIT;
}

void agent_answered(struct exchange *x)
{
	struct agent *a = x->agent;

	/* it may take the history's place */
	if (x->beside && x->purpose == summary && x->call) {
		chains_hide(&x->beside->run->agents.chains, &x->beside->chain);
		chain_summary(&x->beside->chain, x->call);
		chains_show(&x->beside->run->agents.chains, &x->beside->chain);
	}
	if (!a || !x->call)
		return;
	chains_hide(&a->run->agents.chains, &a->chain);
	chain_answer(&a->chain, x->call);
	chains_show(&a->run->agents.chains, &a->chain);
	touch(a, x->resp_last);
	a->over = !wants_tools(x->call);
	if (a->over)
		keep_result(a, x->call->output_messages, x->resp_flags);
}

void agent_called(struct agent *a, const struct span *call, int64_t turn, uint64_t ts)
{
	add_usage(&a->sum, call);
	add_usage(&a->turn_sum, call);
	if (ts > a->chain.ts_last)
		touch(a, ts);
	if (!a->turn || turn != a->turns)
		return; /* the next turn has begun before this call's connection was done */
	if (call->status == STATUS_ERROR)
		span_set_status(a->turn, STATUS_ERROR, call->status_message);
	else
		span_set_status(a->turn, STATUS_UNSET, SV(""));
	if (a->over)
		end_turn(a, ts);
}

void agent_called_beside(struct agent *a, const struct span *call, uint64_t ts)
{
	add_usage(&a->sum, call);
	if (ts > a->ts_beside)
		a->ts_beside = ts;
}

void agent_waited(struct agent *a, int64_t turn, enum wait_cause cause, uint64_t from, uint64_t to)
{
	if (a->turn && turn == a->turns)
		wait_add(&a->turn_waits.by[cause], from, to);
}

void agent_process_waited(struct run *r, const struct proc *p, enum wait_cause cause, uint64_t from,
			  uint64_t to)
{
	if (!p)
		return;
	index_for_each (&r->agents.by_process, ((struct map_key){ p->tgid, p->start, 0 }), l) {
		struct agent *a = l->of;

		if (engine_wall(r, from) >= a->turn->start_ns)
			wait_add(&a->turn_waits.by[cause], from, to);
	}
}

void agent_hold(struct agent *a)
{
	set_busy(a);
	a->calls++;
}

void agent_leave(struct exchange *x)
{
	if (x->agent && x->agent->asks == x)
		x->agent->asks = NULL;
	if (x->agent)
		agent_release(x->agent);
	if (x->beside)
		agent_release(x->beside);
}

void agent_release(struct agent *a)
{
	if (!--a->calls)
		set_idle(a);
}

void agent_now(const struct run *r, struct now *n)
{
	for (const struct agent *a = r->agents.first; a; a = a->next) {
		uint64_t last = trace_unix(r->t, a->chain.ts_last);

		n->agents++;
		n->turns += a->turns;
		n->turn_open |= a->turn && !a->over;
		if (last > n->answered_ns)
			n->answered_ns = last;
	}
}
