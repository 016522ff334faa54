// SPDX-License-Identifier: BSD-2-Clause
/* What `ringspan top` shows, for machines: a number that is not known is null. */
#include <math.h>
#include <stdlib.h>
#include "base/json.h"
#include "cli/top.h"

static struct json *number(struct arena *a, double v)
{
	return isnan(v) ? json_null(a) : json_float(a, v);
}

static void set(struct arena *a, struct json *o, const char *key, struct json *v)
{
	json_set(a, o, key, v);
}

static void set_rates(struct arena *a, struct json *o, const struct top_rates *r)
{
	set(a, o, "tokens_per_second", number(a, r->tokens));
	set(a, o, "cpu", number(a, r->cpu));
	set(a, o, "net_read_bytes_per_second", number(a, r->net[EV_READ]));
	set(a, o, "net_write_bytes_per_second", number(a, r->net[EV_WRITE]));
}

static struct json *row_json(struct arena *a, const struct top_view *v, const struct top_row *r)
{
	struct json *o = json_object(a);
	const struct now *n = &r->now;

	set(a, o, "run", json_string(a, sv(n->trace_id)));
	set(a, o, "pid", json_int(a, n->pid));
	set(a, o, "agent", json_string(a, sv(r->agent)));
	set(a, o, "container_id", json_string(a, sv(r->container)));
	set(a, o, "state", json_string(a, sv(top_state_name(r->state))));
	set(a, o, "sure", json_bool(a, r->sure));
	set(a, o, "since_unix_nano", json_uint(a, r->since_ns));
	set(a, o, "age_ns",
	    json_uint(a, v->top->time_ns > r->since_ns ? v->top->time_ns - r->since_ns : 0));
	set(a, o, "step", json_string(a, sv(r->step)));
	set(a, o, "why", json_string(a, sv(r->why)));
	set(a, o, "more_open", json_int(a, r->more));
	set(a, o, "retry_unix_nano",
	    r->state == TOP_THROTTLED || r->state == TOP_RETRYING ? json_uint(a, n->failed.retry_ns)
								  : json_null(a));
	set(a, o, "turns", json_int(a, n->turns));
	set(a, o, "model_calls", json_int(a, n->model_calls));
	set(a, o, "tool_calls", json_int(a, n->tool_calls));
	set(a, o, "input_tokens", json_int(a, n->input_tokens));
	set(a, o, "output_tokens", json_int(a, n->output_tokens));
	set(a, o, "streamed_tokens", number(a, n->streamed_tokens));
	set(a, o, "cost_usd", number(a, n->cost_usd));
	set_rates(a, o, &r->rates);
	set(a, o, "rss_bytes", json_uint(a, n->rss_bytes));
	set(a, o, "processes", json_int(a, n->processes));
	set(a, o, "errors", json_int(a, n->errors));
	set(a, o, "retries", json_int(a, n->retries));
	set(a, o, "lost_records", json_uint(a, n->lost_records));
	set(a, o, "lost_bytes", json_uint(a, n->lost_bytes));
	return o;
}

static struct json *own_json(struct arena *a, const struct own *own)
{
	struct json *o = json_object(a), *all = json_array(a);

	set(a, o, "cpu", number(a, own->cpu));
	set(a, o, "rss_bytes", json_uint(a, own->rss_bytes));
	if (!own->counted)
		return o;
	set(a, o, "bpf_cpu", number(a, own->bpf));
	for (size_t i = 0; i < own->cnt; i++) {
		const struct own_program *p = &own->programs[i];
		struct json *one = json_object(a);

		set(a, one, "name", json_string(a, sv(p->name)));
		set(a, one, "runs", json_uint(a, p->runs));
		set(a, one, "run_ns", json_uint(a, p->run_ns));
		set(a, one, "cpu", number(a, p->share));
		json_push(all, one);
	}
	set(a, o, "bpf_programs", all);
	return o;
}

static struct json *lost_json(struct arena *a, const struct session_totals *t)
{
	struct json *o = json_object(a);

	set(a, o, "records", json_uint(a, t->trace.lost_records + t->broken));
	set(a, o, "bytes", json_uint(a, t->trace.lost_bytes));
	set(a, o, "hole_bytes", json_uint(a, t->trace.hole_bytes));
	return o;
}

int top_write_json(struct buf *b, const struct top_view *v, uint64_t interval_ns)
{
	const struct top_row **rows = NULL;
	struct json *o, *agents;
	struct arena a;
	size_t cnt = 0;
	int err = top_order(v->top, v->key, v->reverse, v->filter, &rows, &cnt);

	if (err)
		return err;
	arena_init(&a, 0);
	o = json_object(&a);
	agents = json_array(&a);
	set(&a, o, "time_unix_nano", json_uint(&a, v->top->time_ns));
	set(&a, o, "interval_ns", json_uint(&a, interval_ns));
	set(&a, o, "host", json_string(&a, v->host));
	for (size_t i = 0; i < cnt; i++)
		json_push(agents, row_json(&a, v, rows[i]));
	set(&a, o, "agents", agents);
	set(&a, o, "lost", lost_json(&a, &v->totals));
	if (v->own)
		set(&a, o, "ringspan", own_json(&a, v->own));
	err = json_write(b, o);
	buf_ch(b, '\n');
	free(rows);
	arena_fini(&a);
	return err ? err : b->err;
}
