// SPDX-License-Identifier: BSD-2-Clause
/*
 * Model calls: one logical call is all attempts that sent the same request, because the one before
 * failed.  A call that failed is held back for LIMIT_RETRY_NS, in case it is tried again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/engine.h"
#include "span/now.h"

struct call {
	struct call *older, *newer; /* in its run */
	struct index_link by_key;
	struct span *span;  /* as its last attempt left it */
	struct span *first; /* the first attempt's own span, until there is a second */
	int64_t attempts;
	struct agent *agent; /* held; may be NULL */
	int64_t turn;
	struct agent *beside;       /* likewise, as of struct exchange */
	uint64_t ts_first, ts_last; /* of all attempts; ts_last: when the last one failed */
	uint64_t req_wire, resp_wire;
	struct usage used; /* by its attempts */
};

static void set_count(struct span *s, enum attr_id id, int64_t v)
{
	if (v != SEM_NONE)
		span_set_int(s, id, v);
}

static void set_request(struct span *s, const struct sem_call *c)
{
	span_set_str(s, ATTR_ID_OP, sv(c->operation));
	span_set_str(s, ATTR_ID_PROVIDER, c->provider);
	span_set_str(s, ATTR_ID_API, sv(c->api));
	if (sv_is(sv(c->api), "openai.chat"))
		span_set_str(s, ATTR_ID_OPENAI_API, SV("chat_completions"));
	else if (sv_is(sv(c->api), "openai.responses"))
		span_set_str(s, ATTR_ID_OPENAI_API, SV("responses"));
	if (sv_starts(sv(c->api), "openai.")) {
		span_set_str(s, ATTR_ID_OPENAI_REQUEST_TIER, c->service_tier);
		span_set_str(s, ATTR_ID_OPENAI_RESPONSE_TIER, c->response_service_tier);
		span_set_str(s, ATTR_ID_OPENAI_FINGERPRINT, c->system_fingerprint);
	}
	span_set_str(s, ATTR_ID_REQUEST_MODEL, c->request_model);
	if (c->stream)
		span_set_bool(s, ATTR_ID_REQUEST_STREAM, true);
	if (c->max_tokens != SEM_NONE)
		span_set_int(s, ATTR_ID_REQUEST_MAX_TOKENS, c->max_tokens);
	if (c->choice_count != SEM_NONE && c->choice_count != 1)
		span_set_int(s, ATTR_ID_REQUEST_CHOICES, c->choice_count);
	if (c->seed != SEM_NONE)
		span_set_int(s, ATTR_ID_REQUEST_SEED, c->seed);
	span_set_float(s, ATTR_ID_REQUEST_TEMPERATURE, c->temperature);
	span_set_float(s, ATTR_ID_REQUEST_TOP_P, c->top_p);
	span_set_float(s, ATTR_ID_REQUEST_TOP_K, c->top_k);
	span_set_float(s, ATTR_ID_REQUEST_FREQUENCY_PENALTY, c->frequency_penalty);
	span_set_float(s, ATTR_ID_REQUEST_PRESENCE_PENALTY, c->presence_penalty);
	span_set_json(s, ATTR_ID_REQUEST_STOP, c->stop_sequences);
	span_set_str(s, ATTR_ID_OUTPUT_TYPE, c->output_type);
	span_set_str(s, ATTR_ID_REASONING_EFFORT, c->reasoning_effort);
	span_set_str(s, ATTR_ID_CONVERSATION_ID, c->conversation_id);
	span_set_json(s, ATTR_ID_SYSTEM_INSTRUCTIONS, c->system_instructions);
	span_set_json(s, ATTR_ID_INPUT_MESSAGES, c->input_messages);
	span_set_json(s, ATTR_ID_TOOL_DEFINITIONS, c->tool_definitions);
	span_set_json(s, ATTR_ID_ENCODING_FORMATS, c->encoding_formats);
	span_set_str(s, ATTR_ID_RETRIEVAL_QUERY, c->retrieval_query);
	span_set_str(s, ATTR_ID_DATA_SOURCE, c->data_source);
	set_count(s, ATTR_ID_QUERY_DIMENSIONS, c->query_dimensions);
	if (!c->db_system.n)
		return;
	span_set_str(s, ATTR_ID_DB_SYSTEM, c->db_system);
	span_set_str(s, ATTR_ID_DB_COLLECTION, c->data_source);
	span_set_str(s, ATTR_ID_DB_NAMESPACE, c->db_namespace);
}

static void set_cost(struct run *r, struct span *s, const struct sem_call *c)
{
	struct sv model = c->response_model.n ? c->response_model : c->request_model;
	const struct price_table *prices = r->t->cfg.prices;
	double usd;

	/* what a second of sound costs is not in the table */
	if (c->usage.input_audio > 0 || c->usage.output_audio > 0)
		return;
	if (!prices || !price_cost(prices, c->provider, model, &c->usage, &usd))
		return;
	span_set_float(s, ATTR_ID_COST, usd);
	span_set_str(s, ATTR_ID_COST_DATE, price_table_date(prices));
}

static void set_usage(struct span *s, const struct sem_usage *u)
{
	set_count(s, ATTR_ID_USAGE_INPUT, u->input);
	set_count(s, ATTR_ID_USAGE_OUTPUT, u->output);
	set_count(s, ATTR_ID_USAGE_CACHE_READ, u->cache_read);
	set_count(s, ATTR_ID_USAGE_CACHE_WRITE, u->cache_write);
	set_count(s, ATTR_ID_USAGE_REASONING, u->reasoning);
	set_count(s, ATTR_ID_USAGE_INPUT_AUDIO, u->input_audio);
	set_count(s, ATTR_ID_USAGE_OUTPUT_AUDIO, u->output_audio);
}

static void set_answer(struct run *r, struct span *s, const struct sem_call *c)
{
	span_set_str(s, ATTR_ID_RESPONSE_ID, c->response_id);
	span_set_str(s, ATTR_ID_RESPONSE_MODEL, c->response_model);
	span_set_json(s, ATTR_ID_FINISH_REASONS, c->finish_reasons);
	span_set_json(s, ATTR_ID_OUTPUT_MESSAGES, c->output_messages);
	span_set_str(s, ATTR_ID_UPSTREAM, c->upstream);
	span_set_float(s, ATTR_ID_COST_REPORTED, c->reported_cost);
	span_set_str(s, ATTR_ID_REFUSAL, buf_view(&c->refusal));
	span_set_json(s, ATTR_ID_RETRIEVAL_DOCUMENTS, c->retrieval_documents);
	if (c->db_system.n && c->retrieval_documents)
		span_set_int(s, ATTR_ID_DB_ROWS, (int64_t)c->retrieval_documents->cnt);
	set_count(s, ATTR_ID_EMBEDDING_DIMENSIONS, c->embedding_dimensions);
	if (!c->has_usage)
		return;
	set_usage(s, &c->usage);
	set_cost(r, s, c);
}

static bool was_cut(const struct exchange *x)
{
	if (x->call->terminated)
		return false; /* the answer said that it was over */
	return !x->response_seen || (x->resp_flags & HTTP_CUT) || x->call->response_cut;
}

static double per_second(double n, uint64_t ns)
{
	return ns ? n * 1e9 / (double)ns : NAN;
}

static void set_stream_rates(struct span *s, const struct exchange *x)
{
	const struct sem_call *c = x->call;
	uint64_t streaming;

	if (!c->ts_first_token || c->ts_first_token < x->req_first)
		return;
	streaming = x->resp_last > c->ts_first_token ? x->resp_last - c->ts_first_token : 0;
	span_set_int(s, ATTR_ID_FIRST_TOKEN_NS, c->ts_first_token - x->req_first);
	span_set_float(s, ATTR_ID_TIME_TO_FIRST_CHUNK, (c->ts_first_token - x->req_first) / 1e9);
	span_set_float(s, ATTR_ID_CHUNK_RATE, per_second(c->content_events, streaming));
	/* usage comes at the end: before, it counts what is not there yet */
	if (c->has_usage && c->usage.output > 0 && !was_cut(x))
		span_set_float(s, ATTR_ID_TOKEN_RATE, per_second(c->usage.output, streaming));
}

/* Where its time went, as far as its header and its pieces tell: the rest is phase.c's. */
static void set_times(struct span *s, const struct exchange *x)
{
	const struct sem_headers *f = &x->facts;
	uint64_t wait;

	span_set_str(s, ATTR_ID_REQUEST_ID, f->request_id);
	span_set_json(s, ATTR_ID_RATE_LIMITS, f->rate_limits);
	span_set_float(s, ATTR_ID_COST_REPORTED, f->cost);
	if (f->retry_after_ns)
		span_set_int(s, ATTR_ID_RETRY_AFTER, f->retry_after_ns);
	if (!x->response_seen || x->resp_first < x->req_first)
		return;
	span_set_int(s, ATTR_ID_CHUNKS, x->chunks.cnt);
	span_set_int(s, ATTR_ID_CHUNK_GAP_MAX, x->chunks.max_gap);
	wait = x->resp_first > x->req_last ? x->resp_first - x->req_last : 0;
	if (f->server_ns) {
		span_set_int(s, ATTR_ID_SERVER_NS, f->server_ns);
		if (f->server_ns < wait)
			span_set_int(s, ATTR_ID_NETWORK_NS, wait - f->server_ns);
	}
	set_stream_rates(s, x);
}

/* What the recording lacks of an answer that came whole is no failure of who gave it. */
static bool is_our_cut(const struct exchange *x)
{
	const unsigned int ours = HTTP_HOLE | HTTP_BODY_CAP | HTTP_UNDECODED;

	return x->response_seen && !(x->resp_flags & HTTP_CUT) && x->resp_flags & ours;
}

static void set_failure(struct span *s, const struct exchange *x)
{
	const struct sem_error *e = &x->call->error;
	bool reset;

	if (x->call->has_error || x->status >= 400) {
		struct sv type = e->type.n ? e->type : e->code;

		if (!type.n)
			type = x->status >= 400 ? arena_fmt(&s->arena, "%d", x->status)
						: SV("_OTHER");
		engine_fail(s, type, e->message);
		return;
	}
	if (!was_cut(x) || x->run->t->ending || exchange_answer_is_lost(x) || is_our_cut(x))
		return;
	reset = span_attr(s, ATTR_ID_RESET);
	if (x->response_seen)
		engine_fail(s, SV("stream_cut"),
			    reset ? SV("the answer broke off: the connection was reset")
				  : SV("the answer broke off"));
	else
		engine_fail(s, SV("no_response"),
			    reset ? SV("the connection was reset without an answer")
				  : SV("the connection ended without an answer"));
}

/* A refusal of the request itself will not be mended by sending it again. */
static bool may_retry(const struct exchange *x, const struct span *s)
{
	static const int final[] = { 400, 401, 402, 403, 404, 405, 413, 415, 422 };

	if (exchange_answer_is_lost(x))
		return true; /* it may have failed */
	if (s->status != STATUS_ERROR)
		return false;
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++)
		if (x->status == final[i])
			return false;
	return true;
}

static enum span_what what_of(const struct sem_call *c)
{
	if (!strcmp(c->operation, "embeddings"))
		return SPAN_EMBEDDING;
	if (!strcmp(c->operation, "moderation"))
		return SPAN_VALIDATION;
	return strcmp(c->operation, "retrieval") ? SPAN_MODEL_CALL : SPAN_RETRIEVAL;
}

static struct map_key key_of(const struct exchange *x)
{
	return (struct map_key){ .a = x->key };
}

/* The failed call that this may be another attempt of: the same was asked, after the failure. */
static struct call *find_call(const struct exchange *x)
{
	struct index_link *l = index_last(&x->run->calls_by, key_of(x));

	for (; l; l = l->prev) {
		struct call *call = l->of;

		if (call->ts_last <= x->req_first)
			return call;
	}
	return NULL;
}

void model_id(char out[HEX64], const struct exchange *x)
{
	const struct call *call = find_call(x);

	if (call)
		memcpy(out, call->span->span_id, HEX64);
	else
		exchange_id(out, x, what_of(x->call));
}

/* The request as it was, where it was one: over a WebSocket it is said in more than one message. */
static void set_snapshot(struct span *s, const struct exchange *x)
{
	if (!x->req_head.n || !x->request_done)
		return;
	span_set_str(s, ATTR_ID_REQUEST_HEAD, x->req_head);
	span_set_str(s, ATTR_ID_REQUEST_BODY, buf_view(&x->req_body.text));
}

/* Its name, and where it hangs. */
static void set_place(struct span *s, const struct exchange *x)
{
	const struct sem_call *c = x->call;
	struct sv of = c->request_model;

	if (what_of(c) == SPAN_RETRIEVAL && c->data_source.n)
		of = c->data_source;
	span_set_name(s, of.n ? arena_fmt(&s->arena, "%s " SV_FMT, c->operation, SV_ARG(of))
			      : sv(c->operation));
	if (x->parent_span[0])
		memcpy(s->parent_span_id, x->parent_span, sizeof(s->parent_span_id));
	span_set_str(s, ATTR_ID_LINK, sv(x->link));
	span_set_str(s, ATTR_ID_CONTEXT, sv(x->context));
	span_set_str(s, ATTR_ID_PURPOSE, sv(x->purpose));
	peer_set(s, x);
}

static struct span *model_span(struct exchange *x)
{
	const struct sem_call *c = x->call;
	struct span *s = exchange_span(x, what_of(c));

	if (!s)
		return NULL;
	set_place(s, x);
	set_request(s, c);
	set_snapshot(s, x);
	set_answer(x->run, s, c);
	set_times(s, x);
	set_failure(s, x);
	if (c->request_cut || !c->request_seen)
		span_incomplete(s, "request_cut");
	return s;
}

/*
 * What the recording lacks of an attempt, the call lacks, too, and when the attempt ended is not sure.
 * to may be NULL.
 */
static bool keep_holes(struct span *to, const struct span *attempt)
{
	static const char *const reasons[] = { "hole", "joined" };
	bool any = false;

	json_for_each (span_attr(attempt, ATTR_ID_INCOMPLETE), e) {
		for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
			if (!json_str_is(e, reasons[i]))
				continue;
			any = true;
			if (to)
				span_incomplete(to, reasons[i]);
		}
	}
	return any;
}

static struct span *attempt_span(struct exchange *x, int64_t ordinal, const struct call *call)
{
	struct span *s = exchange_span(x, SPAN_ATTEMPT);
	struct sv path = x->target;

	if (!s)
		return NULL;
	path = sv_token(&path, '?');
	span_set_name(s, arena_fmt(&s->arena, SV_FMT " " SV_FMT, SV_ARG(x->method), SV_ARG(path)));
	span_set_int(s, ATTR_ID_ATTEMPT, ordinal);
	if (ordinal > 1) {
		span_set_int(s, ATTR_ID_HTTP_RESEND, ordinal - 1);
		if (x->req_first > call->ts_last && !keep_holes(NULL, call->span))
			span_set_int(s, ATTR_ID_RETRY_WAIT, x->req_first - call->ts_last);
	}
	set_times(s, x);
	set_failure(s, x);
	/* the call has that of its last attempt; what broke off was read, and may be billed */
	if (s->status == STATUS_ERROR && x->call->has_usage)
		set_usage(s, &x->call->usage);
	usage_set(s, &x->used);
	return s;
}

/* What a call made of several attempts hands out: the attempts hang under it. */
static void emit_attempt(struct run *r, const struct call *call, struct span **s)
{
	memcpy((*s)->parent_span_id, call->span->span_id, sizeof((*s)->parent_span_id));
	engine_emit(r, s);
}

/* Of calls, not of attempts, as everything that reads spans counts them. */
static void count_usage(struct trace *t, const struct span *call)
{
	double usd = span_attr_float(call, ATTR_ID_COST, -1);

	t->totals.input_tokens += span_attr_int(call, ATTR_ID_USAGE_INPUT, 0);
	t->totals.output_tokens += span_attr_int(call, ATTR_ID_USAGE_OUTPUT, 0);
	if (usd < 0)
		return;
	t->totals.cost_usd += usd;
	t->priced = true;
}

static void finish_call(struct run *r, struct call *call)
{
	span_set_int(call->span, ATTR_ID_ATTEMPTS, call->attempts);
	usage_set(call->span, &call->used);
	count_usage(r->t, call->span);
	now_called(r, call->span, call->attempts);
	if (call->span->what == SPAN_MODEL_CALL) {
		r->model_calls++;
		r->t->totals.model_calls++;
	}
	if (call->agent) {
		agent_called(call->agent, call->span, call->turn, call->ts_last);
		agent_release(call->agent);
	}
	if (call->beside) {
		agent_called_beside(call->beside, call->span, call->ts_last);
		agent_release(call->beside);
	}
	engine_emit(r, &call->span);
	span_free(&call->first);
	free(call);
}

/* Other attempts of it may come.  -ENOMEM. */
static int keep_call(struct run *r, struct call *call, const struct exchange *x)
{
	int err = index_add(&r->calls_by, key_of(x), &call->by_key, call);

	if (err)
		return err;
	call->older = r->calls;
	call->newer = NULL;
	if (r->calls)
		r->calls->newer = call;
	r->calls = call;
	return 0;
}

static void take_call(struct run *r, struct call *call)
{
	index_del(&r->calls_by, &call->by_key);
	*(call->newer ? &call->newer->older : &r->calls) = call->older;
	if (call->older)
		call->older->newer = call->newer;
}

static void waited(struct exchange *x, enum wait_cause cause, uint64_t from, uint64_t to)
{
	wait_add(&x->run->waits.by[cause], from, to);
	if (x->agent)
		agent_waited(x->agent, x->turn, cause, from, to);
}

static bool is_throttled(const struct span *failed)
{
	int64_t status = span_attr_int(failed, ATTR_ID_HTTP_STATUS, 0);

	/* 529: Anthropic's overloaded_error */
	return status == 429 || status == 529 || span_attr(failed, ATTR_ID_RETRY_AFTER);
}

/* What passed between the failed attempt, whose span the call still has, and this one. */
static void emit_wait(struct exchange *x, const struct call *call)
{
	const struct span *failed = call->span;
	bool throttled = is_throttled(failed);
	struct span *s;

	if (x->req_first <= call->ts_last)
		return;
	waited(x, throttled ? WAIT_THROTTLED : WAIT_RETRY, call->ts_last, x->req_first);
	s = engine_span(x->run, SPAN_WAIT, call->ts_last, x->req_first);
	if (!s)
		return;
	engine_id(s->span_id, x->run, SPAN_WAIT,
		  (uint64_t[4]){ hash64(sv(failed->span_id)), (uint64_t)call->attempts });
	memcpy(s->parent_span_id, failed->span_id, sizeof(s->parent_span_id));
	span_set_name(s, throttled ? SV("wait throttled") : SV("wait retry"));
	span_set_str(s, ATTR_ID_WAIT_REASON, throttled ? SV("throttled") : SV("retry"));
	span_set_json(s, ATTR_ID_RETRY_AFTER, span_attr(failed, ATTR_ID_RETRY_AFTER));
	keep_holes(s, failed);
	engine_emit(x->run, &s);
}

/* The call goes on with this attempt: the later span stands for the whole. */
static void join(struct run *r, struct call *call, struct exchange *x, struct span *s,
		 struct span *attempt)
{
	emit_wait(x, call);
	memcpy(s->span_id, call->span->span_id, sizeof(s->span_id));
	s->start_ns = engine_wall(r, call->ts_first);
	call->req_wire += x->req_wire;
	call->resp_wire += x->resp_wire;
	span_set_int(s, ATTR_ID_HTTP_REQUEST_BODY, call->req_wire);
	span_set_int(s, ATTR_ID_HTTP_RESPONSE_BODY, call->resp_wire);
	keep_holes(s, call->span);
	span_free(&call->span);
	call->span = s;
	if (call->first)
		emit_attempt(r, call, &call->first);
	emit_attempt(r, call, &attempt);
}

static struct call *begin(struct exchange *x, struct span *s, struct span *attempt)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		span_free(&attempt);
		span_free(&s);
		return NULL;
	}
	call->span = s;
	call->first = attempt;
	call->agent = x->agent;
	if (x->agent)
		agent_hold(x->agent);
	call->turn = x->turn;
	call->beside = x->beside;
	if (x->beside)
		agent_hold(x->beside);
	call->ts_first = x->req_first;
	call->req_wire = x->req_wire;
	call->resp_wire = x->resp_wire;
	return call;
}

/*
 * An earlier exchange that sent the same and whose answer stopped in the middle before this one
 * began was given up by the client, even if its connection is not known to be closed yet.
 */
static void abandon_stalled(const struct exchange *x)
{
	struct exchange *stalled;

	do {
		stalled = NULL;
		for (struct index_link *l = exchange_of_call(x); l; l = l->next) {
			struct exchange *e = l->of;

			if (e != x && e->response_seen && e->resp_last < x->req_first &&
			    exchange_may_retry(x, e) && (!stalled || e->number > stalled->number))
				stalled = e;
		}
		if (stalled)
			exchange_abandon(stalled); /* that may free more than one */
	} while (stalled);
}

void model_calls_tools(struct exchange *x)
{
	struct sem_tool_call *tc;

	while (!x->answered && !x->call->has_error && (tc = sem_next_call(x->call)))
		if (!tc->server)
			tool_asked(x->run, x, tc);
}

void model_answered(struct exchange *x)
{
	if (x->answered || x->call->has_error)
		return;
	x->answered = true;
	agent_answered(x);
	approval_of_answer(x);
	for (struct sem_tool_call *tc = x->call->calls; tc; tc = tc->next)
		if (tc->told)
			tool_told(x, tc);
		else if (!tc->server)
			tool_asked(x->run, x, tc);
}

void model_attempt(struct exchange *x)
{
	struct run *r = x->run;
	struct span *s, *attempt;
	struct call *call;
	bool retry;

	if (!x->run->t->ending)
		abandon_stalled(x);
	call = find_call(x);
	if (call)
		take_call(r, call);
	s = model_span(x);
	attempt = s ? attempt_span(x, call ? call->attempts + 1 : 1, call) : NULL;
	if (!attempt) {
		span_free(&s);
		if (call)
			finish_call(r, call);
		return;
	}
	/* one that nobody answered was waited for until it was given up */
	waited(x, WAIT_PROVIDER, x->req_last, x->response_seen ? x->resp_first : r->t->now);
	if (x->response_seen)
		waited(x, WAIT_STREAM, x->resp_first, x->resp_last);
	if (s->status == STATUS_ERROR)
		tool_broken_off(x);
	retry = may_retry(x, s) && !r->t->ending;
	if (call)
		join(r, call, x, s, attempt);
	else
		call = begin(x, s, attempt);
	if (!call)
		return;
	call->attempts++;
	usage_add(&call->used, &x->used);
	now_answered(x);
	call->ts_last = x->response_seen ? x->resp_last : x->req_last;
	if (retry && !keep_call(r, call, x))
		return;
	if (call->span->status != STATUS_ERROR)
		model_answered(x);
	verdict_of_call(x, call->span);
	finish_call(r, call);
}

void model_expire(struct run *r, uint64_t now, bool all)
{
	struct call *older;

	for (struct call *call = r->calls; call; call = older) {
		older = call->older;
		if (!all && now < call->ts_last + LIMIT_RETRY_NS)
			continue;
		take_call(r, call);
		finish_call(r, call);
	}
}

void model_given_up(struct run *r, const struct agent *a)
{
	struct call *older;

	for (struct call *call = r->calls; call; call = older) {
		older = call->older;
		if (call->agent != a)
			continue;
		take_call(r, call);
		finish_call(r, call);
	}
}

void model_forget(struct run *r)
{
	index_fini(&r->calls_by);
}

/* What is known of a call before its answer is whole; no messages: this is asked for again and again. */
static struct span *in_flight(const struct exchange *x)
{
	struct span *s = engine_span(x->run, what_of(x->call), x->req_first, x->run->t->now);

	if (!s)
		return NULL;
	engine_id(s->span_id, x->run, what_of(x->call),
		  (uint64_t[4]){ x->tgid, x->proc_start, x->conn_id, x->seq });
	s->kind = SPAN_KIND_CLIENT;
	set_place(s, x);
	span_set_str(s, ATTR_ID_OP, sv(x->call->operation));
	span_set_str(s, ATTR_ID_PROVIDER, x->call->provider);
	span_set_str(s, ATTR_ID_API, sv(x->call->api));
	span_set_str(s, ATTR_ID_REQUEST_MODEL, x->call->request_model);
	span_set_int(s, ATTR_ID_PROCESS_PID, x->tgid);
	if (x->call->stream)
		span_set_bool(s, ATTR_ID_REQUEST_STREAM, true);
	if (x->call->ts_first_token > x->req_first)
		span_set_int(s, ATTR_ID_FIRST_TOKEN_NS, x->call->ts_first_token - x->req_first);
	if (x->response_seen && x->resp_first >= x->req_first)
		span_set_int(s, ATTR_ID_FIRST_BYTE_NS, x->resp_first - x->req_first);
	usage_set(s, &x->used);
	return s;
}

void model_each_open(struct run *r, const struct open_walk *w)
{
	for (const struct call *call = r->calls; call; call = call->older) {
		struct span *s = open_copy(r, call->span);

		if (s)
			span_set_int(s, ATTR_ID_ATTEMPTS, call->attempts);
		if (s)
			usage_set(s, &call->used);
		open_give(w, r, &s);
	}
	for (const struct exchange *x = r->exchanges; x; x = x->run_next) {
		struct span *s = NULL;

		if (x->call && x->request_done && exchange_is_call(x) && !find_call(x))
			s = in_flight(x);
		open_give(w, r, &s);
	}
}

void model_now(const struct run *r, struct now *n)
{
	const struct call *last = r->calls;

	for (const struct call *call = r->calls; call; call = call->older) {
		n->failed.cnt++;
		if (call->ts_last > last->ts_last)
			last = call;
	}
	if (!last)
		return;
	n->failed.model = span_attr_sv(last->span, ATTR_ID_REQUEST_MODEL);
	n->failed.error = span_attr_sv(last->span, ATTR_ID_ERROR_TYPE);
	n->failed.status = span_attr_int(last->span, ATTR_ID_HTTP_STATUS, 0);
	n->failed.attempts = last->attempts;
	n->failed.throttled = is_throttled(last->span);
	n->failed.failed_ns = trace_unix(r->t, last->ts_last);
	n->failed.retry_ns =
		n->failed.failed_ns + (uint64_t)span_attr_int(last->span, ATTR_ID_RETRY_AFTER, 0);
}
