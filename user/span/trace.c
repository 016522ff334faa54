// SPDX-License-Identifier: BSD-2-Clause
/* Records in, spans out: see trace.h.  This file knows runs; the others know what happens in them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "span/engine.h"
#include "span/threads.h"

int trace_new(struct trace **out, const struct trace_cfg *cfg, trace_span_fn fn, void *ctx)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->cfg = *cfg;
	t->bodies.max = cfg->body_bytes ? cfg->body_bytes : LIMIT_BODIES;
	t->fn = fn;
	t->ctx = ctx;
	arena_init(&t->meta, EV_SIZE_MAX);
	profile_init(&t->profile);
	if (proc_table_new(&t->procs, &process_ops, t) ||
	    conn_table_new(&t->conns, &stream_conn_ops, t)) {
		trace_free(&t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

static struct map_key run_key(uint32_t tgid, uint64_t start)
{
	return (struct map_key){ tgid, start, 0 };
}

/* All that is still open in it is told. */
static void run_clear(struct run *r)
{
	uint64_t now = r->t->now;

	model_expire(r, now, true);
	dns_expire(r, now, true);
	rpc_end_all(r);
	tool_unanswered(r, now);
	approval_forget(r);
	agent_finish_all(r);
	dns_forget(r);
	model_forget(r);
}

static void run_free(struct run *r)
{
	shares_fini(r);
	buf_fini(&r->result);
	span_free(&r->root);
	free(r->agent);
	free(r);
}

static void discard(void *ctx, const struct span *s)
{
	(void)ctx;
	(void)s;
}

void trace_free(struct trace **tp)
{
	struct trace *t = *tp;

	if (!t)
		return;
	t->fn = discard; /* what trace_end() did not hand out, nobody waits for */
	if (t->conns)
		conn_close_all(t->conns, t->now);
	flow_end_all(t);
	conn_table_free(&t->conns);
	proc_table_free(&t->procs);
	map_for_each (&t->runs, e) {
		struct run *r = e->value;

		run_clear(r);
		run_free(r);
	}
	map_fini(&t->runs);
	function_forget(t);
	index_fini(&t->exchanges);
	index_fini(&t->served);
	index_fini(&t->rpc_calls);
	profile_fini(&t->profile);
	arena_fini(&t->meta);
	free(t);
	*tp = NULL;
}

void engine_id(char out[HEX64], const struct run *r, enum span_what what, const uint64_t key[4])
{
	struct {
		char trace_id[HEX128 - 1];
		uint64_t what, key[4];
	} in = { .what = what };
	uint64_t h;

	memcpy(in.trace_id, r->trace_id, sizeof(in.trace_id));
	memcpy(in.key, key, sizeof(in.key));
	h = hash64((struct sv){ (const char *)&in, sizeof(in) });
	snprintf(out, HEX64, "%016llx", (unsigned long long)(h ? h : 1)); /* all zeros is no id */
}

struct json *engine_resource(struct run *r, struct arena *a)
{
	struct json *o = json_object(a);
	struct trace *t = r->t;

	if (r->agent)
		json_set(a, o, attr_defs[ATTR_ID_SERVICE_NAME].key, json_string(a, sv(r->agent)));
	if (t->host.n)
		json_set(a, o, attr_defs[ATTR_ID_HOST_NAME].key, json_string(a, t->host));
	if (t->arch.n)
		json_set(a, o, attr_defs[ATTR_ID_HOST_ARCH].key, json_string(a, t->arch));
	json_set(a, o, attr_defs[ATTR_ID_OS_TYPE].key, json_string(a, SV("linux")));
	if (t->kernel.n)
		json_set(a, o, attr_defs[ATTR_ID_OS_VERSION].key, json_string(a, t->kernel));
	return o;
}

struct span *engine_span(struct run *r, enum span_what what, uint64_t ts_start, uint64_t ts_end)
{
	struct span *s;

	if (span_new(&s, what))
		return NULL;
	s->no_redact = r->t->cfg.no_redact;
	memcpy(s->trace_id, r->trace_id, sizeof(s->trace_id));
	memcpy(s->parent_span_id, r->span_id, sizeof(s->parent_span_id));
	s->start_ns = engine_wall(r, ts_start);
	s->end_ns = engine_wall(r, ts_end > ts_start ? ts_end : ts_start);
	s->kind = SPAN_KIND_INTERNAL;
	return s;
}

void engine_fail(struct span *s, struct sv type, struct sv message)
{
	span_set_status(s, STATUS_ERROR, message);
	span_set_str(s, ATTR_ID_ERROR_TYPE, type);
}

void engine_emit(struct run *r, struct span **s)
{
	struct trace *t = r->t;

	(*s)->resource = engine_resource(r, &(*s)->arena);
	t->totals.spans++;
	if ((*s)->status == STATUS_ERROR && span_what_fails((*s)->what)) {
		t->totals.errors++;
		r->errors++;
	}
	clock_set_suspended(r, *s);
	crash_keep(r, *s);
	t->fn(t->ctx, *s);
	span_free(s);
}

void engine_join(struct run *r, const struct proc *p, struct pstate *ps)
{
	ps->run = r;
	r->live++;
	engine_id(ps->span_id, r, SPAN_PROCESS, (uint64_t[4]){ p->tgid, p->start });
}

struct pstate *engine_pstate(struct trace *t, uint32_t tgid, uint64_t start)
{
	struct proc *p = proc_find(t->procs, tgid, start);
	struct pstate *ps = p ? p->user : NULL;

	if (!ps)
		return NULL;
	/* its fork was lost; where only one run is watched there is no doubt whose it is */
	if (!ps->run && t->runs.cnt == 1)
		engine_join(t->runs.first->value, p, ps);
	return ps->run ? ps : NULL;
}

const char *engine_parent(const struct pstate *p)
{
	return p->is_root ? p->run->span_id : p->span_id;
}

static void feed_meta(struct trace *t, const struct ev_meta *m)
{
	if (t->boot_id.p)
		return; /* one capture, one boot */
	t->wall_offset = (uint64_t)m->wall_offset_ns;
	t->boot_id = arena_dup(&t->meta, event_meta_get(m, "boot_id"));
	t->host = arena_dup(&t->meta, event_meta_get(m, "host"));
	t->kernel = arena_dup(&t->meta, event_meta_get(m, "kernel"));
	t->arch = arena_dup(&t->meta, event_meta_get(m, "arch"));
}

static void name_run(struct run *r)
{
	struct {
		char boot_id[40];
		uint64_t tgid, start;
	} in = { .tgid = r->tgid, .start = r->start };
	struct sv boot = sv_sub(r->t->boot_id, 0, sizeof(in.boot_id));

	if (boot.n)
		memcpy(in.boot_id, boot.p, boot.n);
	hash128_hex((struct sv){ (const char *)&in, sizeof(in) }, r->trace_id);
	engine_id(r->span_id, r, SPAN_RUN, (uint64_t[4]){ r->tgid, r->start });
}

/* Children that were heard of before their root was named. */
static void adopt(struct run *r, const struct proc *root)
{
	const struct proc *p = root;

	for (;;) {
		struct pstate *ps = p->user;

		if (p->children && ps && ps->run == r) {
			p = p->children;
		} else {
			while (p != root && !p->next_sibling)
				p = p->parent;
			if (p == root)
				return;
			p = p->next_sibling;
		}
		ps = p->user;
		if (ps && !ps->run && !p->ts_exit)
			engine_join(r, p, ps);
	}
}

static int feed_run(struct trace *t, const struct ev_run *e)
{
	struct proc *p = proc_find(t->procs, e->hdr.tgid, e->hdr.start);
	struct pstate *ps = p ? p->user : NULL;
	struct run *r;

	if (!ps || ps->run) /* part of a run that is there already */
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r || map_put(&t->runs, run_key(e->hdr.tgid, e->hdr.start), r)) {
		free(r);
		return -ENOMEM;
	}
	r->t = t;
	r->number = t->born++;
	r->tgid = e->hdr.tgid;
	r->start = e->hdr.start;
	r->origin = e->origin;
	r->ts_start = e->hdr.ts;
	clock_run_begins(r);
	r->live = 1;
	loss_begin(r);
	name_run(r);
	ps->run = r;
	ps->is_root = true;
	adopt(r, p);
	if (!t->first_run[0])
		memcpy(t->first_run, r->trace_id, sizeof(t->first_run));
	return 0;
}

/* What came out: the last answer that called no tool. */
static void set_result(struct run *r)
{
	struct arena *a = &r->root->arena;

	if (r->result.len)
		span_set_json(r->root, ATTR_ID_OUTPUT_MESSAGES,
			      json_parse(a, buf_view(&r->result), NULL));
}

static void run_finish(struct run *r)
{
	struct trace *t = r->t;

	run_clear(r);
	span_set_int(r->root, ATTR_ID_MODEL_CALLS, r->model_calls);
	span_set_int(r->root, ATTR_ID_TOOL_CALLS, r->tool_calls);
	span_set_int(r->root, ATTR_ID_ERRORS, r->errors);
	waits_set(r->root, &r->waits);
	usage_set(r->root, &r->used);
	file_set_sums(r->root, &r->files);
	calls_set_sums(r->root, &r->calls_made);
	function_set_sums(r->root, r->func_calls, r->func_untold);
	clock_set_steps(r, r->root);
	peer_run_links(r);
	set_result(r);
	if (r->over_limit) {
		span_incomplete(r->root, "cap");
		span_set_int(r->root, ATTR_ID_OVER_LIMIT, r->over_limit);
	}
	if (r->not_seen)
		span_set_int(r->root, ATTR_ID_NOT_SEEN, r->not_seen);
	loss_set(r);
	t->totals.runs++;
	engine_emit(r, &r->root);
}

static void runs_tick(struct trace *t, uint64_t now)
{
	map_for_each (&t->runs, e) {
		model_expire(e->value, now, false);
		dns_expire(e->value, now, false);
		rpc_tick(e->value, now);
	}
}

/* Its last process is over, or the recording. */
static void run_over(struct run *r)
{
	if (!r->root)
		return;
	stream_close_all(r, r->t->now);
	run_finish(r);
	map_del(&r->t->runs, run_key(r->tgid, r->start));
	run_free(r);
}

/* What processes and connections make of it.  *p: who does something now; NULL: nobody that is known. */
static int feed_rooms(struct trace *t, const struct ev_hdr *rec, struct proc **p)
{
	int err;

	if (log_takes(rec)) {
		log_feed(t, (const void *)rec);
		return 0;
	}
	if (rec->kind == EV_EXIT) { /* its connections end first: their spans belong to it */
		err = conn_feed(t->conns, rec);
		flow_feed(t, rec);
		proc_feed(t->procs, rec);
		return err;
	}
	*p = proc_feed(t->procs, rec);
	err = conn_feed(t->conns, rec);
	flow_feed(t, rec);
	return err;
}

static int feed_kind(struct trace *t, const struct ev_hdr *rec)
{
	switch (rec->kind) {
	case EV_META:
		feed_meta(t, (const void *)rec);
		break;
	case EV_CLOCK:
		clock_feed(t, (const void *)rec);
		break;
	case EV_RUN:
		return feed_run(t, (const void *)rec);
	case EV_DATA:
		t->totals.data_bytes += ((const struct ev_data *)(const void *)rec)->len;
		break;
	case EV_STATS:
		memcpy(&t->stats, rec, sizeof(t->stats));
		break;
	case EV_LOSS:
		loss_feed(t, (const void *)rec);
		break;
	case EV_SAMPLE:
		profile_sample(t, (const void *)rec);
		break;
	case EV_FRAMES:
		profile_names(&t->profile, (const void *)rec);
		break;
	case EV_EXIT:
		profile_process_over(&t->profile, rec->tgid, rec->start);
		if (t->over)
			run_over(t->over);
		t->over = NULL;
		break;
	case EV_THREADS:
		threads_feed(t, (const void *)rec);
		break;
	case EV_USAGE:
		usage_feed(t, (const void *)rec);
		break;
	case EV_SIGNAL:
		crash_signal(t, (const void *)rec);
		break;
	case EV_STACK:
		crash_stack(t, (const void *)rec);
		break;
	case EV_SYSCALL:
		calls_feed_one(t, (const void *)rec);
		break;
	case EV_SYSCALLS:
		calls_feed(t, (const void *)rec);
		break;
	case EV_PROBE:
		function_probe(t, (const void *)rec);
		break;
	case EV_FUNCTION:
		function_feed(t, (const void *)rec);
		break;
	case EV_FUNC_OPEN:
		function_open(t, (const void *)rec);
		break;
	case EV_FILE:
		file_feed(t, (const void *)rec);
		break;
	case EV_OPEN:
		file_feed_open(t, (const void *)rec);
		break;
	case EV_INPUT:
		approval_feed(t, (const void *)rec);
		break;
	case EV_TICK:
		runs_tick(t, rec->ts);
		break;
	default:
		break;
	}
	return 0;
}

int trace_feed(struct trace *t, const struct ev_hdr *rec)
{
	struct proc *p = NULL;
	int err, kind_err;

	t->totals.records++;
	t->hdr_lost += rec->lost;
	if (rec->ts > t->now)
		t->now = rec->ts;
	err = feed_rooms(t, rec, &p);
	now_heard(p, rec);
	kind_err = feed_kind(t, rec);
	return err ? err : kind_err;
}

void trace_end(struct trace *t)
{
	t->ending = true;
	conn_close_all(t->conns, t->now);
	flow_end_all(t);
	process_unfinished(t);
	map_for_each (&t->runs, e)
		run_over(e->value);
	t->over = NULL;
}

void trace_totals(const struct trace *t, struct trace_totals *out)
{
	*out = t->totals;
	if (!t->priced)
		out->cost_usd = NAN;
	out->lost_records = engine_lost(t);
	out->lost_bytes = engine_lost_bytes(t);
	out->budget_bytes = t->bodies.cut;
	out->kept_bytes = t->bodies.used;
	out->loss = t->loss;
}

bool trace_ends_run(const struct trace *t, const struct ev_hdr *rec)
{
	const struct proc *p = proc_find(t->procs, rec->tgid, rec->start);
	const struct pstate *ps = p ? p->user : NULL;

	return rec->kind == EV_EXIT && ps && ps->run && ps->run->live == 1;
}

const char *trace_first_run(const struct trace *t)
{
	return t->first_run;
}
