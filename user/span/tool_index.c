// SPDX-License-Identifier: BSD-2-Clause
/* What open tool calls are found by: see tool.h.  Whatever changes that goes through here. */
#include "span/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/limits.h"

static struct map_key key_of(enum tool_by by, uint64_t a, uint64_t b)
{
	return (struct map_key){ by, a, b };
}

static struct map_key both_key(const struct tool_class *class, uint32_t tgid, uint64_t start)
{
	return (struct map_key){ (uint64_t)tgid << 32 | TOOL_OF_BOTH, start, class->number };
}

struct index_link *tool_first(const struct run *r, enum tool_by by, uint64_t a, uint64_t b)
{
	return r->tools ? index_first(&r->tools->by, key_of(by, a, b)) : NULL;
}

struct index_link *tool_first_of_both(const struct run *r, const struct tool_class *class,
				      uint32_t tgid, uint64_t start)
{
	return index_first(&r->tools->by, both_key(class, tgid, start));
}

/* --- classes */

static bool is_empty(const struct json *args)
{
	return !args || (json_is(args, JSON_OBJECT) && !args->cnt);
}

/* Values that json_same() takes for the same have the same. */
static uint64_t hash_args(const struct json *v, unsigned int depth)
{
	uint64_t h = v ? v->type + 1 : 0;
	double n;

	if (!v || depth >= LIMIT_JSON_DEPTH)
		return h;
	if (json_is(v, JSON_STRING))
		return hash64(json_sv(v)) + h;
	if (json_is(v, JSON_NUMBER) && json_f64(v, &n)) {
		n = n == 0 ? 0 : n; /* of two zeros */
		return hash64((struct sv){ (const char *)&n, sizeof(n) }) + h;
	}
	json_for_each (v, child) {
		uint64_t e = hash_args(child, depth + 1);

		if (json_is(v, JSON_OBJECT)) /* in any order */
			h += hash64(child->key) ^ e * 0x9e3779b97f4a7c15ull;
		else
			h = h * 31 + e;
	}
	return h;
}

static struct map_key args_key(const struct json *args)
{
	return key_of(TOOL_CLASS_BY_ARGS, is_empty(args) ? 0 : hash_args(args, 0), 0);
}

struct tool_class *tool_class_of(const struct run *r, const struct json *args)
{
	struct index_link *l = r->tools ? index_first(&r->tools->by, args_key(args)) : NULL;

	for (; l; l = l->next) {
		struct tool_class *class = l->of;

		if ((is_empty(args) && is_empty(class->shown->args)) ||
		    json_same(args, class->shown->args))
			return class;
	}
	return NULL;
}

/* Secrets are all alike once they are masked: that two are so tells nothing. */
static bool is_masked(struct sv text)
{
	size_t i = 0;

	while (i < text.n && text.p[i] == '*')
		i++;
	return text.n && i == text.n;
}

static void keep_text(struct tools *all, struct tool_class *class, struct sv raw)
{
	size_t max = raw.n < TOOL_CANONICAL_MAX ? raw.n : TOOL_CANONICAL_MAX;
	struct tool_text *t = calloc(1, sizeof(*t) + max), *less;

	if (!t)
		return;
	t->class = class;
	t->raw = raw;
	t->plain = tool_canonical(raw, t->copy, max);
	if (t->plain.n == raw.n && sv_eq(t->plain, raw)) {
		t->plain = raw;
		less = realloc(t, sizeof(*t));
		t = less ? less : t;
	}
	t->next = class->texts;
	class->texts = t;
	if (raw.n > class->longest)
		class->longest = raw.n;
	/* too short, or out of memory: it is not found by that */
	phrase_add(&all->commands, &t->command, t->plain, t);
	if (sv_has(raw, "://")) {
		phrase_add(&all->urls, &t->url, raw, t);
		if (!class->with_url.list)
			index_add(&all->by, key_of(TOOL_CLASS_HAS_URL, 0, 0), &class->with_url,
				  class);
	}
	if (raw.n >= TOOL_INPUT_MIN)
		phrase_add(&all->inputs, &t->input, raw, t);
}

static void keep_texts(struct tools *all, struct tool_class *class, const struct json *v,
		       unsigned int depth)
{
	if (json_is(v, JSON_STRING) && !is_masked(v->s))
		keep_text(all, class, json_sv(v));
	else if (depth < LIMIT_JSON_DEPTH)
		json_for_each (v, e)
			keep_texts(all, class, e, depth + 1);
}

static void keep_value(struct tools *all, struct tool_class *class, struct sv text)
{
	struct tool_value *v =
		text.n && class->value_cnt < TOOL_VALUES_MAX ? calloc(1, sizeof(*v)) : NULL;

	if (!v)
		return;
	v->class = class;
	v->text = tool_value(text, v->number);
	v->next = class->values;
	class->values = v;
	class->value_cnt++;
	index_add(&all->by, key_of(TOOL_CLASS_BY_VALUE, hash64(v->text), v->text.n), &v->by_value,
		  v);
}

static void keep_values(struct tools *all, struct tool_class *class, const struct json *v,
			unsigned int depth)
{
	if ((json_is(v, JSON_STRING) && !is_masked(v->s)) || json_is(v, JSON_NUMBER))
		keep_value(all, class, v->s);
	else if (depth < LIMIT_JSON_DEPTH)
		json_for_each (v, e)
			keep_values(all, class, e, depth + 1);
}

struct index_link *tool_first_with(const struct run *r, struct sv value)
{
	return index_first(&r->tools->by, key_of(TOOL_CLASS_BY_VALUE, hash64(value), value.n));
}

static void class_show(struct tools *all, struct tool_class *class, const struct tool *tool)
{
	class->shown = tool;
	keep_texts(all, class, tool->args, 0);
	keep_values(all, class, tool->args, 0);
	tool_names_init(class);
}

static void class_hide(struct tools *all, struct tool_class *class)
{
	struct tool_value *v;
	struct tool_text *t;

	while ((v = class->values)) {
		class->values = v->next;
		index_del(&all->by, &v->by_value);
		free(v);
	}
	class->value_cnt = 0;
	while ((t = class->texts)) {
		class->texts = t->next;
		phrase_del(&all->commands, &t->command);
		phrase_del(&all->urls, &t->url);
		phrase_del(&all->inputs, &t->input);
		free(t);
	}
	index_del(&all->by, &class->with_url);
	free(class->names);
	class->names = NULL;
	class->longest = 0;
}

static struct tool_class *class_new(struct tools *all, const struct tool *tool)
{
	struct tool_class *class = calloc(1, sizeof(*class));

	if (!class)
		return NULL;
	class->number = ++all->classes_born;
	if (index_add(&all->by, args_key(tool->args), &class->by_args, class)) {
		free(class);
		return NULL;
	}
	class->prev = all->last_class;
	*(all->last_class ? &all->last_class->next : &all->first_class) = class;
	all->last_class = class;
	class_show(all, class, tool);
	return class;
}

static void class_enter(struct tool_class *class, struct tool *tool)
{
	tool->class_prev = class->last;
	*(class->last ? &class->last->class_next : &class->first) = tool;
	class->last = tool;
}

/* A call of it is gone. */
static void class_leave(struct tools *all, struct tool_class *class, const struct tool *tool)
{
	*(tool->class_prev ? &tool->class_prev->class_next : &class->first) = tool->class_next;
	*(tool->class_next ? &tool->class_next->class_prev : &class->last) = tool->class_prev;
	if (class->shown != tool)
		return;
	class_hide(all, class);
	if (class->first) {
		class_show(all, class, class->first);
		return;
	}
	index_del(&all->by, &class->by_args);
	*(class->prev ? &class->prev->next : &all->first_class) = class->next;
	*(class->next ? &class->next->prev : &all->last_class) = class->prev;
	free(class);
}

/* --- calls */

/* Out of memory: it is not found by that. */
static void set_link(struct tools *all, struct tool *tool, enum tool_by by, uint64_t a, uint64_t b)
{
	index_add(&all->by, key_of(by, a, b), &tool->links[by], tool);
}

static void drop_link(struct run *r, struct tool *tool, enum tool_by by)
{
	index_del(&r->tools->by, &tool->links[by]);
}

static bool names_agent(struct sv name)
{
	return sv_has(name, "agent") || sv_has(name, "Agent") || sv_has(name, "task") ||
	       sv_has(name, "Task") || sv_has(name, "delegate");
}

static void set_links(struct tools *all, struct tool *tool)
{
	if (tool->id.n)
		set_link(all, tool, TOOL_BY_ID, hash64(tool->id), 0);
	set_link(all, tool, TOOL_BY_SPAN, hash64(sv(tool->span->span_id)), 0);
	set_link(all, tool, TOOL_OF_EXCHANGE, tool->conn_id, tool->seq);
	if (tool->agent)
		set_link(all, tool, TOOL_OF_AGENT, (uintptr_t)tool->agent, 0);
	set_link(all, tool, TOOL_OF_ASKER, tool->tgid, tool->proc_start);
	set_link(all, tool, TOOL_FREE_OF_ASKER, tool->tgid, tool->proc_start);
	index_add(&all->by, both_key(tool->class, tool->tgid, tool->proc_start),
		  &tool->links[TOOL_OF_BOTH], tool);
	set_link(all, tool, TOOL_NOBODYS, 0, 0);
	set_link(all, tool, TOOL_NOT_BEGUN, 0, 0);
	if (names_agent(tool->name))
		set_link(all, tool, TOOL_NAMES_AGENT, 0, 0);
}

int tool_enter(struct run *r, struct tool *tool)
{
	struct tools *all = r->tools ? r->tools : calloc(1, sizeof(*all));

	r->tools = all;
	if (!all)
		return -ENOMEM;
	tool->class = tool_class_of(r, tool->args);
	if (!tool->class)
		tool->class = class_new(all, tool);
	if (!tool->class)
		return -ENOMEM;
	class_enter(tool->class, tool);
	tool->number = all->born++;
	tool->prev = all->last;
	*(all->last ? &all->last->next : &all->first) = tool;
	all->last = tool;
	all->cnt++;
	set_links(all, tool);
	return 0;
}

void tool_leave(struct run *r, struct tool *tool)
{
	struct tools *all = r->tools;

	*(tool->prev ? &tool->prev->next : &all->first) = tool->next;
	*(tool->next ? &tool->next->prev : &all->last) = tool->prev;
	all->cnt--;
	for (unsigned int by = 0; by < TOOL_LINKS; by++)
		drop_link(r, tool, by);
	class_leave(all, tool->class, tool);
}

void tools_free(struct run *r)
{
	if (!r->tools)
		return;
	index_fini(&r->tools->by);
	phrases_fini(&r->tools->commands);
	phrases_fini(&r->tools->urls);
	phrases_fini(&r->tools->inputs);
	free(r->tools);
	r->tools = NULL;
}

struct tool *tool_find(struct run *r, const char *span_id)
{
	tools_of(r, TOOL_BY_SPAN, hash64(sv(span_id)), 0, l)
	{
		struct tool *tool = l->of;

		if (strcmp(tool->span->span_id, span_id) == 0)
			return tool;
	}
	return NULL;
}

void tool_begin(struct run *r, struct tool *tool, uint64_t ts)
{
	if (!tool->ts_begun || ts < tool->ts_begun)
		tool->ts_begun = ts;
	if (tool->ts_begun)
		drop_link(r, tool, TOOL_NOT_BEGUN);
}

void tool_had_process(struct run *r, struct tool *tool)
{
	tool->has_process = true;
	drop_link(r, tool, TOOL_FREE_OF_ASKER);
	drop_link(r, tool, TOOL_NOBODYS);
}

void tool_had_ask(struct run *r, struct tool *tool)
{
	tool->has_ask = true;
	drop_link(r, tool, TOOL_NOBODYS);
}
