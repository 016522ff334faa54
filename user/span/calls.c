// SPDX-License-Identifier: BSD-2-Clause
#include "span/calls.h"

#include <stdio.h>
#include <string.h>
#include "event/syscall.h"
#include "span/engine.h"

/* A name, or for what has none its number. */
static struct sv name_of(const struct trace *t, uint32_t nr, char room[static 16])
{
	enum syscall_machine m;
	const char *name = syscall_machine_named(t->arch, &m) ? syscall_name(m, nr) : NULL;

	if (name)
		return sv(name);
	snprintf(room, 16, "%u", nr);
	return sv(room);
}

static enum ev_call_class class_of(const struct trace *t, uint32_t nr)
{
	enum syscall_machine m;

	return syscall_machine_named(t->arch, &m) ? syscall_class(m, nr) : EV_CALL_OTHER;
}

static uint64_t calls_in(const struct ev_syscalls *s)
{
	const struct ev_count *c = (const void *)(s + 1);
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->buckets; i++)
		n += c[i].cnt;
	return n;
}

static void sums_add(struct call_sums *sums, enum ev_call_class class, const struct ev_syscalls *s)
{
	sums->whole = true;
	sums->of[class].calls += calls_in(s);
	sums->of[class].errors += s->errors;
	sums->of[class].total_ns += s->total_ns;
	if (s->max_ns > sums->of[class].max_ns)
		sums->of[class].max_ns = s->max_ns;
}

void calls_feed(struct trace *t, const struct ev_syscalls *s)
{
	struct pstate *ps = engine_pstate(t, s->hdr.tgid, s->hdr.start);
	const struct ev_count *counts = (const void *)(s + 1);
	char room[16];
	struct trace_calls c = {
		.pid = s->hdr.tgid,
		.name = name_of(t, s->nr, room),
		.class = sv(syscall_class_name(class_of(t, s->nr))),
		.calls = calls_in(s),
		.errors = s->errors,
		.total_ns = s->total_ns,
		.max_ns = s->max_ns,
		.buckets = counts,
		.bucket_cnt = s->buckets,
		.errnos = counts + s->buckets,
		.errno_cnt = s->errnos,
	};

	if (!ps)
		return;
	sums_add(&ps->calls, class_of(t, s->nr), s);
	sums_add(&ps->run->calls_made, class_of(t, s->nr), s);
	if (!t->cfg.calls)
		return;
	c.since_ns = engine_wall(ps->run, s->since_ts);
	c.time_ns = engine_wall(ps->run, s->hdr.ts);
	memcpy(c.trace_id, ps->run->trace_id, sizeof(c.trace_id));
	memcpy(c.span_id, engine_parent(ps), sizeof(c.span_id));
	t->cfg.calls(t->ctx, &c);
}

static struct json *class_json(struct arena *a, const struct call_sums *sums, unsigned int class)
{
	struct json *o = json_object(a);

	json_set(a, o, "calls", json_uint(a, sums->of[class].calls));
	if (sums->whole)
		json_set(a, o, "errors", json_uint(a, sums->of[class].errors));
	json_set(a, o, "time_ns", json_uint(a, sums->of[class].total_ns));
	if (sums->whole)
		json_set(a, o, "max_ns", json_uint(a, sums->of[class].max_ns));
	return o;
}

void calls_set_sums(struct span *s, const struct call_sums *sums)
{
	struct json *classes = json_object(&s->arena);
	uint64_t calls = 0, errors = 0, total_ns = 0;

	for (unsigned int i = 0; i < EV_CALL_CLASSES; i++) {
		if (!sums->of[i].calls && !sums->of[i].total_ns)
			continue;
		calls += sums->of[i].calls;
		errors += sums->of[i].errors;
		total_ns += sums->of[i].total_ns;
		json_set(&s->arena, classes, syscall_class_name(i), class_json(&s->arena, sums, i));
	}
	if (!calls && !total_ns)
		return;
	span_set_int(s, ATTR_ID_SYSCALLS_CALLS, (int64_t)calls);
	if (sums->whole)
		span_set_int(s, ATTR_ID_SYSCALLS_ERRORS, (int64_t)errors);
	span_set_int(s, ATTR_ID_SYSCALLS_TIME_NS, (int64_t)total_ns);
	span_set_json(s, ATTR_ID_SYSCALLS_CLASSES, classes);
}

static struct sv errno_name(int64_t ret)
{
	const char *name = strerrorname_np((int)-ret);

	return name ? sv(name) : SV("?");
}

static const char *why_of(uint32_t why)
{
	if (why & EV_WHY_ASKED)
		return "asked";
	return why & EV_WHY_SLOW ? "slow" : "failed";
}

static struct json *args_of(struct arena *a, const struct ev_syscall *e)
{
	struct json *list = json_array(a);

	for (size_t i = 0; i < sizeof(e->args) / sizeof(e->args[0]); i++)
		json_push(list,
			  json_string(a, arena_fmt(a, "%#llx", (unsigned long long)e->args[i])));
	return list;
}

static void describe_one(struct span *s, const struct trace *t, const struct ev_syscall *e)
{
	struct sv path = event_payload(&e->hdr), name;
	char room[16];

	name = name_of(t, e->nr, room);
	if (path.n)
		span_set_name(s,
			      arena_fmt(&s->arena, SV_FMT " " SV_FMT, SV_ARG(name), SV_ARG(path)));
	else
		span_set_name(s, name);
	span_set_int(s, ATTR_ID_PROCESS_PID, e->hdr.tgid);
	span_set_int(s, ATTR_ID_THREAD_ID, e->hdr.tid);
	span_set_str(s, ATTR_ID_SYSCALL_NAME, name);
	span_set_str(s, ATTR_ID_SYSCALL_CLASS, sv(syscall_class_name(class_of(t, e->nr))));
	span_set_str(s, ATTR_ID_SYSCALL_WHY, sv(why_of(e->why)));
	span_set_json(s, ATTR_ID_SYSCALL_ARGS, args_of(&s->arena, e));
	span_set_int(s, ATTR_ID_SYSCALL_RESULT, e->ret);
	span_set_str(s, ATTR_ID_FILE_PATH, path);
	if (e->hdr.flags & EVF_TRUNC)
		span_incomplete(s, "cap");
	if (e->ret < 0 && e->ret >= -4095)
		engine_fail(s, errno_name(e->ret), sv(strerrordesc_np((int)-e->ret)));
}

void calls_feed_one(struct trace *t, const struct ev_syscall *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct span *s = ps ? engine_span(ps->run, SPAN_SYSCALL, e->enter_ts, e->hdr.ts) : NULL;

	if (!s)
		return;
	engine_id(s->span_id, ps->run, SPAN_SYSCALL,
		  (uint64_t[4]){ e->hdr.tgid, e->hdr.tid, e->enter_ts, e->nr });
	memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	describe_one(s, t, e);
	engine_emit(ps->run, &s);
}
