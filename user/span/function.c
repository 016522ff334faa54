// SPDX-License-Identifier: BSD-2-Clause
#include "span/function.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "event/function.h"
#include "span/engine.h"

/* A PROBE. */
struct named {
	uint32_t kind; /* enum ev_probe_kind */
	char *path, *name;
	struct func_format format;
};

/* A call that others were made in, or that was seen to go on, and whose own end was not told yet. */
struct func_open {
	struct func_open *next;
	uint32_t tid, probe;
	uint64_t frame, ts;
	struct ev_function *seen; /* FUNC_OPEN; NULL: it is known from calls that it made */
};

struct func_calls {
	struct func_open *open; /* latest first */
	size_t open_cnt;
	int64_t calls, untold;
};

/* --- what was named */

static struct map_key probe_key(uint32_t id)
{
	return (struct map_key){ id, 0, 0 };
}

static void named_free(struct named *n)
{
	if (!n)
		return;
	free(n->path);
	free(n->name);
	free(n);
}

void function_probe(struct trace *t, const struct ev_probe *p)
{
	struct sv path = event_probe_text(p, 0), name = event_probe_text(p, 1);
	struct named *n;
	const char *why;
	size_t at;

	named_free(map_del(&t->probes, probe_key(p->id)));
	n = t->probes.cnt < LIMIT_FUNCTIONS ? calloc(1, sizeof(*n)) : NULL;
	if (!n)
		return;
	n->kind = p->kind;
	n->path = strndup(path.p, path.n);
	n->name = strndup(name.p, name.n);
	if (func_format_read(&n->format, event_probe_text(p, 2), &at, &why))
		n->format = (struct func_format){ .arg_cnt = 0 };
	if (!n->path || !n->name || map_put(&t->probes, probe_key(p->id), n))
		named_free(n);
}

void function_forget(struct trace *t)
{
	map_for_each (&t->probes, e)
		named_free(e->value);
	map_fini(&t->probes);
}

static const struct named *named_of(const struct trace *t, uint32_t id)
{
	return map_get(&t->probes, probe_key(id));
}

/* --- values */

/* json NULL: the pointer is NULL; a text that could not be read is told by where it would have been. */
static struct json *value_json(struct span *s, const struct ev_function *e, unsigned int which,
			       struct func_type type, uint64_t reg)
{
	struct arena *a = &s->arena;
	uint64_t v = func_value(type, reg);
	struct sv text;

	switch (type.conv) {
	case FUNC_TEXT:
		if (func_text(e, which, &text))
			return json_string(a, text);
		if (!v)
			return json_null(a);
		span_incomplete(s, "unreadable");
		return json_string(a, arena_fmt(a, "%#" PRIx64, v));
	case FUNC_INT:
		return json_int(a, (int64_t)v);
	case FUNC_UINT:
		return json_uint(a, v);
	default:
		return json_string(a, arena_fmt(a, "%#" PRIx64, v));
	}
}

static void set_values(struct span *s, const struct ev_function *e, const struct func_format *f)
{
	bool returned = e->hdr.kind == EV_FUNCTION && e->end == EV_FUNC_RETURNED;
	struct json *args = json_array(&s->arena);

	for (unsigned int i = 0; i < f->arg_cnt; i++)
		if (f->args[i].conv)
			json_push(args, value_json(s, e, i, f->args[i], e->args[i]));
	if (args->cnt)
		span_set_json(s, ATTR_ID_FUNC_ARGS, args);
	if (f->ret.conv && returned)
		span_set_json(s, ATTR_ID_FUNC_RETURN,
			      value_json(s, e, EV_FUNC_RET, f->ret, e->ret));
}

/* Python's own probes tell which function of the program it is: file, name, line. */
static bool set_python(struct span *s, const struct ev_function *e, const struct named *n)
{
	struct sv file, name;

	if (strcmp(n->name, "python:function__entry") != 0 &&
	    strcmp(n->name, "python:function__return") != 0 && strcmp(n->name, "python:line") != 0)
		return false;
	if (!func_text(e, 0, &file) || !func_text(e, 1, &name) || !name.n ||
	    n->format.args[2].conv != FUNC_INT)
		return false;
	span_set_name(s, name);
	span_set_str(s, ATTR_ID_CODE_FUNCTION, name);
	span_set_str(s, ATTR_ID_CODE_FILE, file);
	span_set_int(s, ATTR_ID_CODE_LINE, (int64_t)func_value(n->format.args[2], e->args[2]));
	return true;
}

/* --- spans */

/* "gc__start", which has its end, is told as "gc". */
static struct sv name_of(const struct named *n)
{
	struct sv name = sv(n->name);

	if (n->kind == EV_PROBE_PAIR)
		for (size_t i = name.n; i > 2; i--)
			if (name.p[i - 2] == '_' && name.p[i - 1] == '_')
				return sv_sub(name, 0, i - 2);
	return name;
}

static void set_id(char id[HEX64], const struct run *r, uint32_t tgid, uint32_t tid, uint64_t frame,
		   uint64_t ts)
{
	engine_id(id, r, SPAN_FUNCTION, (uint64_t[4]){ tgid, tid, frame, ts });
}

/* What is known of a call before it ends. */
static struct span *call_span(struct trace *t, struct pstate *ps, uint32_t tgid,
			      const struct func_open *o, uint64_t end)
{
	struct span *s = engine_span(ps->run, SPAN_FUNCTION, o->ts, end);
	const struct named *n = named_of(t, o->probe);

	if (!s)
		return NULL;
	set_id(s->span_id, ps->run, tgid, o->tid, o->frame, o->ts);
	memcpy(s->parent_span_id, engine_parent(ps), sizeof(s->parent_span_id));
	span_set_int(s, ATTR_ID_PROCESS_PID, tgid);
	span_set_int(s, ATTR_ID_THREAD_ID, o->tid);
	if (!n) {
		span_set_name(s, SV("?"));
		span_incomplete(s, "lost");
		return s;
	}
	span_set_name(s, name_of(n));
	span_set_str(s, ATTR_ID_FUNC_PROBE, sv(n->name));
	span_set_str(s, ATTR_ID_FUNC_BINARY, sv(n->path));
	if (n->kind == EV_PROBE_CALL)
		span_set_str(s, ATTR_ID_CODE_FUNCTION, sv(n->name));
	return s;
}

static void set_end(struct span *s, const struct ev_function *e)
{
	static const char *const ends[EV_FUNC_ENDS] = {
		[EV_FUNC_LEFT] = "left", [EV_FUNC_EXIT] = "exit", [EV_FUNC_EXEC] = "exec"
	};

	if (ends[e->end])
		span_set_str(s, ATTR_ID_FUNC_END, sv(ends[e->end]));
	if (e->end == EV_FUNC_LEFT) /* its end is when that was seen */
		span_incomplete(s, "left");
	if (e->over) {
		span_set_int(s, ATTR_ID_FUNC_UNTOLD, e->over);
		span_incomplete(s, "budget");
	}
	if (e->cut)
		span_incomplete(s, "cap");
}

static void set_record(struct span *s, const struct run *r, const struct ev_function *e,
		       const struct named *n)
{
	if (e->parent)
		set_id(s->parent_span_id, r, e->hdr.tgid, e->hdr.tid, e->parent, e->parent_ts);
	if (n && !set_python(s, e, n))
		set_values(s, e, &n->format);
}

/* The same of one that goes on, with what was seen of it. */
static struct span *open_span(struct trace *t, struct pstate *ps, uint32_t tgid,
			      const struct func_open *o)
{
	struct span *s = call_span(t, ps, tgid, o, t->now);

	if (s && o->seen)
		set_record(s, ps->run, o->seen, named_of(t, o->probe));
	return s;
}

static void tell_call(struct trace *t, struct pstate *ps, const struct ev_function *e)
{
	struct func_open self = {
		.tid = e->hdr.tid, .probe = e->probe, .frame = e->frame, .ts = e->enter_ts
	};
	const struct named *n = named_of(t, e->probe);
	struct span *s = call_span(t, ps, e->hdr.tgid, &self, e->hdr.ts);

	if (!s)
		return;
	set_record(s, ps->run, e, n);
	set_end(s, e);
	engine_emit(ps->run, &s);
}

/* --- calls that are open */

static struct func_calls *calls_of(struct pstate *ps)
{
	if (!ps->functions)
		ps->functions = calloc(1, sizeof(*ps->functions));
	return ps->functions;
}

static struct func_open **find_open(struct func_calls *c, uint32_t tid, uint64_t frame)
{
	struct func_open **at = &c->open;

	while (*at && ((*at)->tid != tid || (*at)->frame != frame))
		at = &(*at)->next;
	return at;
}

static void open_free(struct func_open *o)
{
	free(o->seen);
	free(o);
}

static void close_call(struct func_calls *c, uint32_t tid, uint64_t frame)
{
	struct func_open **at = find_open(c, tid, frame), *o = *at;

	if (!o)
		return;
	*at = o->next;
	open_free(o);
	c->open_cnt--;
}

static struct func_open *open_add(struct func_calls *c, const struct func_open *call)
{
	struct func_open *o = *find_open(c, call->tid, call->frame);

	if (o || c->open_cnt >= LIMIT_FUNCTION_DEPTH)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	*o = *call;
	o->next = c->open;
	c->open = o;
	c->open_cnt++;
	return o;
}

void function_open(struct trace *t, const struct ev_function *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct func_calls *c = ps ? calls_of(ps) : NULL;
	struct func_open call = {
		.tid = e->hdr.tid, .probe = e->probe, .frame = e->frame, .ts = e->enter_ts
	};
	struct func_open *o = c ? open_add(c, &call) : NULL;

	if (!o || o->seen)
		return;
	o->seen = malloc(e->hdr.size);
	if (o->seen)
		memcpy(o->seen, e, e->hdr.size);
}

void function_feed(struct trace *t, const struct ev_function *e)
{
	struct pstate *ps = engine_pstate(t, e->hdr.tgid, e->hdr.start);
	struct func_calls *c = ps ? calls_of(ps) : NULL;

	if (!c)
		return;
	c->untold += e->over_thread;
	ps->run->func_untold += e->over_thread;
	if (e->end == EV_FUNC_OVER)
		return;
	c->calls++;
	ps->run->func_calls++;
	close_call(c, e->hdr.tid, e->frame);
	if (e->parent)
		open_add(c, &(struct func_open){ .tid = e->hdr.tid,
						 .probe = e->parent_probe,
						 .frame = e->parent,
						 .ts = e->parent_ts });
	tell_call(t, ps, e);
}

void function_finish(struct trace *t, struct pstate *ps, uint32_t tgid, bool unfinished)
{
	while (ps->functions && ps->functions->open) {
		struct func_open *o = ps->functions->open;
		struct span *s = open_span(t, ps, tgid, o);

		/* the kernel tells the end of every call before that of its thread */
		if (s) {
			span_incomplete(s, unfinished ? "unfinished" : "lost");
			engine_emit(ps->run, &s);
		}
		ps->functions->open = o->next;
		open_free(o);
	}
}

void function_each_open(struct trace *t, struct pstate *ps, uint32_t tgid,
			const struct open_walk *w)
{
	const struct func_open *o = ps->functions ? ps->functions->open : NULL;

	for (; o; o = o->next) {
		struct span *s = open_span(t, ps, tgid, o);

		open_give(w, ps->run, &s);
	}
}

/* --- sums */

void function_set_sums(struct span *s, int64_t calls, int64_t untold)
{
	if (calls || untold)
		span_set_int(s, ATTR_ID_FUNCS_CALLS, calls);
	if (untold)
		span_set_int(s, ATTR_ID_FUNCS_UNTOLD, untold);
}

void function_describe(struct span *s, const struct pstate *ps)
{
	if (ps->functions)
		function_set_sums(s, ps->functions->calls, ps->functions->untold);
}

void function_free(struct pstate *ps)
{
	while (ps->functions && ps->functions->open) {
		struct func_open *next = ps->functions->open->next;

		open_free(ps->functions->open);
		ps->functions->open = next;
	}
	free(ps->functions);
	ps->functions = NULL;
}
