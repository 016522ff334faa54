// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prompts, answers, arguments and results below the spans they belong to: wrapped, each clipped to a
 * bound and saying so, and each message once, for every request repeats those before it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/limits.h"
#include "sink/tree_priv.h"

#define TEXT_KEPT 800     /* bytes of one message that are shown */
#define WIDTH_DEFAULT 100 /* where the terminal has no bound */
#define WIDTH_LEAST 20

/* --- taking in */

/* The message with that content, which is kept once; role and text are copied. */
static struct message *message_of(struct tree *t, struct sv role, struct sv text)
{
	struct map_key key = { .a = hash64(text), .b = hash64(role), .c = text.n };
	struct message *m = map_get(&t->messages, key);
	struct sv kept;

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	kept = text.n > TEXT_KEPT + TEXT_KEPT / 4 ? sv_clip_utf8(text, TEXT_KEPT) : text;
	m->role = arena_dup(&t->arena, sv_clip_utf8(role, 40));
	m->text = arena_dup(&t->arena, kept);
	m->clipped = text.n - kept.n;
	if (map_put(&t->messages, key, m)) {
		free(m);
		return NULL;
	}
	return m;
}

struct intake {
	struct tree *t;
	struct message **list;
	size_t cnt, cap;
};

static void take(struct intake *in, struct sv role, struct sv text)
{
	if (in->cnt == in->cap || !text.n)
		return;
	in->list[in->cnt] = message_of(in->t, role, text);
	if (in->list[in->cnt])
		in->cnt++;
}

static void write_value(struct buf *b, const struct json *v)
{
	if (json_is(v, JSON_STRING))
		buf_sv(b, v->s);
	else if (v)
		json_write(b, v);
}

/* One part of a message, as gen_ai.input.messages has them. */
static void write_part(struct buf *b, const struct json *part)
{
	struct sv type = json_sv(json_get(part, "type"));

	if (b->len)
		buf_ch(b, '\n');
	if (sv_is(type, "text")) {
		buf_sv(b, json_sv(json_get(part, "content")));
	} else if (sv_is(type, "tool_call")) {
		buf_fmt(b, "calls " SV_FMT " ", SV_ARG(json_sv(json_get(part, "name"))));
		write_value(b, json_get(part, "arguments"));
	} else if (sv_is(type, "tool_call_response")) {
		write_value(b, json_get(part, "response"));
	} else if (json_is(json_get(part, "content"), JSON_STRING)) {
		buf_fmt(b, "(" SV_FMT ") ", SV_ARG(type));
		buf_sv(b, json_sv(json_get(part, "content")));
	} else {
		json_write(b, part);
	}
}

static void take_messages(struct intake *in, const struct json *list)
{
	json_for_each (list, m) {
		_cleanup_buf_ struct buf b = BUF_INIT;

		json_for_each (json_get(m, "parts"), part)
			write_part(&b, part);
		take(in, json_sv(json_get(m, "role")), buf_view(&b));
	}
}

static void take_parts(struct intake *in, const char *role, const struct json *parts)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	json_for_each (parts, part)
		write_part(&b, part);
	take(in, sv(role), buf_view(&b));
}

static void take_value(struct intake *in, const char *role, const struct json *v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	write_value(&b, v);
	take(in, sv(role), buf_view(&b));
}

void tree_messages(struct tree *t, struct node *n, const struct span *s)
{
	const struct json *asked = span_attr(s, ATTR_ID_INPUT_MESSAGES);
	const struct json *said = span_attr(s, ATTR_ID_OUTPUT_MESSAGES);
	struct intake in = { .t = t, .cap = 4 };

	if (s->what != SPAN_MODEL_CALL && s->what != SPAN_TOOL_CALL)
		return;
	in.cap += (asked ? asked->cnt : 0) + (said ? said->cnt : 0);
	in.list = arena_alloc(&t->arena, in.cap * sizeof(struct message *));
	if (!in.list)
		return;
	take_parts(&in, "system", span_attr(s, ATTR_ID_SYSTEM_INSTRUCTIONS));
	take_messages(&in, asked);
	take_messages(&in, said);
	take_value(&in, "refusal", span_attr(s, ATTR_ID_REFUSAL));
	take_value(&in, "arguments", span_attr(s, ATTR_ID_TOOL_ARGUMENTS));
	take_value(&in, "result", span_attr(s, ATTR_ID_TOOL_RESULT));
	n->messages = in.list;
	n->message_cnt = in.cnt;
}

/* --- showing */

struct writer {
	struct tree *t;
	struct sv prefix;
	size_t width; /* columns right of the prefix */
};

static void start_line(struct writer *w, struct sv head, size_t indent)
{
	struct buf *b = &w->t->out;

	buf_sv(b, w->prefix);
	term_style(b, w->t->cfg.colour, STYLE_DIM);
	text_pad(b, indent - text_put(b, head, indent));
	term_style(b, w->t->cfg.colour, STYLE_PLAIN);
}

/* How many bytes of s go on a line of that width: up to a line end, else to the last space. */
static size_t line_len(struct sv s, size_t width)
{
	size_t columns = 0, space = 0;
	struct sv rest = s;

	while (rest.n && rest.p[0] != '\n') {
		size_t at = s.n - rest.n;
		bool is_space = rest.p[0] == ' ';
		unsigned int w;

		text_next(&rest, &w);
		columns += w;
		if (columns > width) /* one character is taken even where it does not fit */
			return is_space ? at : space ? space : at ? at : s.n - rest.n;
		if (is_space)
			space = at;
	}
	return s.n - rest.n;
}

static void write_wrapped(struct writer *w, struct sv head, size_t indent, struct sv text)
{
	while (text.n) {
		size_t n = line_len(text, w->width - indent);

		start_line(w, head, indent);
		text_put(&w->t->out, sv_sub(text, 0, n), w->width - indent);
		buf_ch(&w->t->out, '\n');
		text = sv_sub(text, n, text.n);
		if (text.n && (text.p[0] == '\n' || text.p[0] == ' '))
			text = sv_sub(text, 1, text.n);
		head.n = 0;
	}
}

static void note(struct writer *w, size_t indent, const char *text)
{
	struct buf *b = &w->t->out;

	start_line(w, SV(""), indent);
	term_style(b, w->t->cfg.colour, STYLE_DIM);
	text_put(b, sv(text), w->width - indent);
	term_style(b, w->t->cfg.colour, STYLE_PLAIN);
	buf_ch(b, '\n');
}

static void write_message(struct writer *w, struct message *m)
{
	const char *dots = w->t->utf8 ? "…" : "..";
	size_t indent = 11; /* "assistant" and two spaces */
	char text[80];

	write_wrapped(w, m->role, indent, m->text);
	if (m->clipped) {
		snprintf(text, sizeof(text), "%s %s more; export has all of it", dots,
			 human_bytes(m->clipped).s);
		note(w, indent, text);
	}
	m->shown = true;
}

void tree_draw_messages(struct tree *t, const struct node *n, struct sv prefix, size_t columns)
{
	size_t width = t->cfg.columns ? t->cfg.columns : WIDTH_DEFAULT;
	struct writer w = { .t = t, .prefix = prefix };
	bool call = n->what == SPAN_MODEL_CALL;
	size_t repeated = 0;
	char text[64];

	w.width = width > columns + WIDTH_LEAST ? width - columns : WIDTH_LEAST;
	while (call && repeated < n->message_cnt && n->messages[repeated]->shown)
		repeated++;
	if (repeated) {
		snprintf(text, sizeof(text), "(%zu message%s shown before)", repeated,
			 repeated == 1 ? "" : "s");
		note(&w, 0, text);
	}
	for (size_t i = repeated; i < n->message_cnt; i++)
		write_message(&w, n->messages[i]);
}
