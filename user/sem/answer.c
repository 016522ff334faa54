// SPDX-License-Identifier: BSD-2-Clause
/*
 * Putting an answer together: see answer.h.  Choices and parts are looked up by binary search in
 * bounded arrays, so a stream that jumps between many of them stays cheap.
 */
#include "sem/answer.h"

#include "sem/otel.h"

struct part_piece {
	struct part_piece *next;
	struct sv s;
};

struct choice *answer_choice(struct sem_call *c, int64_t index)
{
	struct answer *ans = c->state;
	size_t lo = 0, hi = ans->cnt;
	struct choice *ch;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ans->choices[mid]->index == index)
			return ans->choices[mid];
		if (ans->choices[mid]->index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	ch = ans->cnt < ANSWER_CHOICES ? arena_alloc(&c->arena, sizeof(*ch)) : NULL;
	if (!ch) {
		c->response_cut = true;
		return NULL;
	}
	ch->index = index;
	for (size_t i = ans->cnt++; i > lo; i--)
		ans->choices[i] = ans->choices[i - 1];
	ans->choices[lo] = ch;
	return ch;
}

static int part_order(const struct part *p, int64_t key, int64_t sub)
{
	if (p->key != key)
		return p->key < key ? -1 : 1;
	if (p->sub != sub)
		return p->sub < sub ? -1 : 1;
	return 0;
}

struct part *answer_part(struct sem_call *c, struct choice *ch, enum part_kind kind, int64_t key,
			 int64_t sub)
{
	size_t lo = 0, hi = ch ? ch->cnt : 0;
	struct part *p;

	if (!ch)
		return NULL;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int order = part_order(ch->parts[mid], key, sub);

		if (!order) {
			p = ch->parts[mid];
			p->stale = false;
			return p;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	p = ch->cnt < ANSWER_PARTS ? arena_alloc(&c->arena, sizeof(*p)) : NULL;
	if (!p) {
		c->response_cut = true;
		return NULL;
	}
	p->kind = kind;
	p->key = key;
	p->sub = sub;
	p->index = SEM_NONE;
	for (size_t i = ch->cnt++; i > lo; i--)
		ch->parts[i] = ch->parts[i - 1];
	ch->parts[lo] = p;
	return p;
}

void part_add(struct sem_call *c, struct part *p, struct sv piece, uint64_t ts)
{
	struct answer *ans = c->state;
	struct part_piece *f;

	if (!p || !piece.n)
		return;
	f = arena_alloc(&c->arena, sizeof(*f));
	if (!f)
		return;
	f->s = arena_dup(&c->arena, piece);
	if (p->text.tail)
		p->text.tail->next = f;
	else
		p->text.head = f;
	p->text.tail = f;
	p->text.n += f->s.n;
	p->ts = ts;
	ans->content = true;
}

void part_set(struct sem_call *c, struct part *p, struct sv whole, uint64_t ts)
{
	struct answer *ans = c->state;
	bool content = ans->content;
	uint64_t seen;

	if (!p || !whole.n)
		return;
	seen = p->text.n ? p->ts : ts;
	if (p->text.n)
		p->text = (struct part_text){ 0 };
	else
		content = true;
	part_add(c, p, whole, seen);
	ans->content = content; /* a repetition of what was streamed is no new content */
}

void part_name(struct sem_call *c, struct part *p, struct sv id, struct sv name, uint64_t ts)
{
	struct answer *ans = c->state;

	if (!p)
		return;
	if (!p->id.n && id.n)
		p->id = arena_dup(&c->arena, id);
	if (p->name.n || !name.n)
		return;
	p->name = arena_dup(&c->arena, name);
	p->ts = ts;
	ans->content |= p->kind != PART_OTHER;
}

/* The pieces become one, so that asking twice costs nothing. */
static struct sv part_join(struct sem_call *c, struct part *p)
{
	struct part_piece *first = p->text.head;
	size_t at = 0;
	char *bytes;

	if (!p->text.n)
		return p->args;
	if (!first->next)
		return first->s;
	bytes = arena_alloc(&c->arena, p->text.n + 1);
	if (!bytes)
		return (struct sv){ NULL, 0 };
	for (const struct part_piece *f = first; f; f = f->next) {
		if (f->s.n)
			memcpy(bytes + at, f->s.p, f->s.n);
		at += f->s.n;
	}
	first->s = (struct sv){ bytes, at };
	first->next = NULL;
	p->text.tail = first;
	return first->s;
}

/* The model ran into its bound, maybe inside of what it said last. */
static bool out_of_tokens(const struct choice *ch)
{
	const char *word = otel_finish_reason(ch->finish);

	return word && strcmp(word, "length") == 0;
}

static struct sem_tool_call *tool_call(struct sem_call *c, const struct choice *ch, struct part *p)
{
	struct sem_tool_call *t = p->call ? p->call : arena_alloc(&c->arena, sizeof(*t));
	struct json_err err = { 0 };

	if (!t || p->call)
		return t;
	p->call = t;
	t->id = p->id;
	t->name = p->name;
	t->args = part_join(c, p);
	t->server = p->kind == PART_SERVER;
	t->args_cut = p->cut || (!p->done && (c->response_cut || c->has_error));
	t->ts = p->ts;
	t->args_json = json_parse(&c->arena, t->args, &err);
	if (err.cut && (!p->done || out_of_tokens(ch) || !sv_trim(t->args).n))
		t->args_cut = true;
	else if (err.cut || err.broken)
		t->args_json = NULL;
	return t;
}

static struct json *other_part(struct sem_call *c, struct part *p)
{
	struct json *v;

	if (p->other || !p->name.n)
		return p->other;
	v = json_object(&c->arena);
	json_set(&c->arena, v, "type", json_string(&c->arena, p->name));
	if (p->text.n)
		json_set(&c->arena, v, "content", json_string(&c->arena, part_join(c, p)));
	return v;
}

static struct json *arguments(struct sem_call *c, const struct sem_tool_call *t)
{
	if (t->args_json)
		return json_copy(&c->arena, t->args_json);
	return t->args.n ? json_string(&c->arena, t->args) : NULL;
}

static struct json *output_part(struct sem_call *c, const struct choice *ch, struct part *p)
{
	struct sem_tool_call *t;

	switch (p->kind) {
	case PART_TEXT:
		return p->text.n ? otel_text(&c->arena, "text", part_join(c, p)) : NULL;
	case PART_REASONING:
		return p->text.n ? otel_text(&c->arena, "reasoning", part_join(c, p)) : NULL;
	case PART_REFUSAL:
		return p->text.n ? otel_text(&c->arena, "refusal", part_join(c, p)) : NULL;
	case PART_TOOL:
		t = tool_call(c, ch, p);
		return t ? otel_tool_call(&c->arena, t->id, t->name, arguments(c, t)) : NULL;
	case PART_SERVER:
		t = tool_call(c, ch, p);
		return t ? otel_server_call(&c->arena, t->id, t->name, arguments(c, t)) : NULL;
	case PART_OTHER:
		break;
	}
	return other_part(c, p);
}

static const char *finish_reason(const struct sem_call *c, const struct choice *ch, bool called)
{
	const char *word = otel_finish_reason(ch->finish);

	if (word)
		return called && !strcmp(word, "stop") ? "tool_call" : word;
	if (c->has_error || c->response_cut)
		return "error";
	return called ? "tool_call" : "stop";
}

static void output_message(struct sem_call *c, const struct choice *ch)
{
	struct json *m, *parts = json_array(&c->arena);
	bool called = false;

	for (size_t i = 0; i < ch->cnt; i++) {
		if (ch->parts[i]->stale)
			continue;
		called |= ch->parts[i]->kind == PART_TOOL;
		json_push(parts, output_part(c, ch, ch->parts[i]));
	}
	if (!parts || (!parts->cnt && !ch->finish.n))
		return;
	m = otel_message(&c->arena, SV("assistant"), parts);
	json_set(&c->arena, m, "finish_reason",
		 json_string(&c->arena, sv(finish_reason(c, ch, called))));
	if (!c->output_messages)
		c->output_messages = json_array(&c->arena);
	json_push(c->output_messages, m);
}

static bool is_call(const struct part *p)
{
	return p->kind == PART_TOOL || p->kind == PART_SERVER;
}

static void take_words(struct sem_call *c, struct part *p)
{
	if (p->kind == PART_TEXT)
		buf_sv(&c->text, part_join(c, p));
	else if (p->kind == PART_REASONING)
		buf_sv(&c->reasoning, part_join(c, p));
	else if (p->kind == PART_REFUSAL)
		buf_sv(&c->refusal, part_join(c, p));
}

/* A part that comes late and belongs before those that were passed is told at the end. */
struct sem_tool_call *answer_next_call(struct sem_call *c)
{
	struct answer *ans = c->state;
	const struct choice *ch = ans->cnt ? ans->choices[0] : NULL;
	struct sem_tool_call *t;
	struct part *p = NULL;

	while (ch && ans->looked < ch->cnt && !is_call(ch->parts[ans->looked]))
		ans->looked++;
	if (ch && ans->looked < ch->cnt)
		p = ch->parts[ans->looked];
	if (!p || !p->done || p->stale || p->call)
		return NULL;
	while (ans->passed < ans->looked)
		take_words(c, ch->parts[ans->passed++]);
	ans->passed = ++ans->looked;
	t = tool_call(c, ch, p);
	if (t && !t->args_json && t->args.n) {
		p->call = NULL; /* nobody can run it; whether the bound cut it, the end will tell */
		return NULL;
	}
	if (t)
		t->told = true;
	return t;
}

static void first_choice(struct sem_call *c, const struct choice *ch)
{
	struct sem_tool_call **tail = &c->calls;

	buf_clear(&c->text); /* of these answer_next_call() took some */
	buf_clear(&c->reasoning);
	buf_clear(&c->refusal);
	for (size_t i = 0; i < ch->cnt; i++) {
		struct part *p = ch->parts[i];

		if (p->stale)
			continue;
		take_words(c, p);
		if (is_call(p))
			*tail = tool_call(c, ch, p);
		if (*tail)
			tail = &(*tail)->next;
	}
}

void answer_finish(struct sem_call *c)
{
	struct answer *ans = c->state;

	for (size_t i = 0; i < ans->cnt; i++) {
		const struct choice *ch = ans->choices[i];

		if (ch->finish.n) {
			if (!c->finish_reasons)
				c->finish_reasons = json_array(&c->arena);
			json_push(c->finish_reasons, json_string(&c->arena, ch->finish));
		}
		output_message(c, ch);
	}
	if (ans->cnt)
		first_choice(c, ans->choices[0]);
}
