// SPDX-License-Identifier: BSD-2-Clause
/* Tokens of the where language: see where_lex.h.  A backslash in a string escapes its quote or itself. */
#include "sink/where_lex.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return is_space(c) || (c && strchr("()'\",=!<>~", c));
}

static struct where_token bad(struct where_token t, const char *why)
{
	t.type = TOK_BAD;
	t.s = sv(why);
	return t;
}

static bool is_escape(struct sv text, size_t i, char quote)
{
	return text.p[i] == '\\' && i + 1 < text.n &&
	       (text.p[i + 1] == quote || text.p[i + 1] == '\\');
}

static struct where_token string_token(struct arena *a, struct sv text, struct where_token t)
{
	char quote = text.p[t.at], *copy;
	size_t end = t.at + 1, n = 0;

	while (end < text.n && text.p[end] != quote)
		end += is_escape(text, end, quote) ? 2 : 1;
	if (end >= text.n)
		return bad(t, "the quote is not closed");
	copy = arena_alloc(a, end - t.at);
	if (!copy)
		return bad(t, "out of memory");
	for (size_t i = t.at + 1; i < end; i++) {
		i += is_escape(text, i, quote);
		copy[n++] = text.p[i];
	}
	t.type = TOK_STRING;
	t.s = (struct sv){ copy, n };
	t.end = end + 1;
	return t;
}

static struct where_token op_token(struct sv text, struct where_token t)
{
	static const struct {
		const char *text;
		enum where_op op;
	} ops[] = {
		{ "==", OP_EQ }, { "!=", OP_NE }, { "!~", OP_HOLDS_NOT },
		{ "<=", OP_LE }, { ">=", OP_GE }, { "=", OP_EQ },
		{ "<", OP_LT },  { ">", OP_GT },  { "~", OP_HOLDS },
	};
	struct sv rest = sv_sub(text, t.at, text.n);

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!sv_starts(rest, ops[i].text))
			continue;
		t.type = TOK_OP;
		t.op = ops[i].op;
		t.s = sv_sub(rest, 0, strlen(ops[i].text));
		t.end = t.at + t.s.n;
		return t;
	}
	return bad(t, "'!' is no operator; there are != and !~, and `not`");
}

static struct where_token word_token(struct sv text, struct where_token t)
{
	size_t i = t.at;

	while (i < text.n && !ends_word(text.p[i]))
		i++;
	t.type = TOK_WORD;
	t.s = sv_sub(text, t.at, i - t.at);
	t.end = i;
	return t;
}

struct where_token where_next(struct arena *a, struct sv text, size_t from)
{
	struct where_token t = { .at = from };

	while (t.at < text.n && is_space(text.p[t.at]))
		t.at++;
	t.end = t.at + 1;
	if (t.at >= text.n) {
		t.type = TOK_END;
		t.end = t.at;
		return t;
	}
	switch (text.p[t.at]) {
	case '(':
		t.type = TOK_OPEN;
		break;
	case ')':
		t.type = TOK_CLOSE;
		break;
	case ',':
		t.type = TOK_COMMA;
		break;
	case '\'':
	case '"':
		return string_token(a, text, t);
	case '=':
	case '!':
	case '<':
	case '>':
	case '~':
		return op_token(text, t);
	default:
		return word_token(text, t);
	}
	t.s = sv_sub(text, t.at, 1);
	return t;
}
