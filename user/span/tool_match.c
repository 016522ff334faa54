// SPDX-License-Identifier: BSD-2-Clause
/* What the arguments of a tool call have in common with a command line, a request, an input, a path. */
#include "span/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/hash.h"

#define MATCH_MIN 3     /* shorter arguments match by chance */
#define FILE_NAME_MIN 4 /* a shorter name is in a text by chance */
#define NAME_BITS 8     /* of the filter, for each name: one in 20 others passes, at most */

struct sv tool_canonical(struct sv in, char *out, size_t max)
{
	size_t n = 0;
	bool space = true;

	for (size_t i = 0; i < in.n && n < max; i++) {
		char ch = in.p[i];

		if (ch == '\'' || ch == '"' || ch == '\\')
			continue;
		if (ch == '\0' || ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r') {
			if (!space)
				out[n++] = ' ';
			space = true;
			continue;
		}
		out[n++] = ch;
		space = false;
	}
	while (n && out[n - 1] == ' ')
		n--;
	return (struct sv){ out, n };
}

/* --- command lines and requests */

bool tool_is_word(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* Is it in the text, with no letter or digit next to it? */
static bool has_word(struct sv text, struct sv word)
{
	long at;

	while (word.n && (at = sv_find(text, word)) >= 0) {
		size_t from = (size_t)at, to = from + word.n;

		if ((!from || !tool_is_word(text.p[from - 1])) &&
		    (to == text.n || !tool_is_word(text.p[to])))
			return true;
		text = sv_sub(text, from + 1, text.n);
	}
	return false;
}

/* Is it of a shell that runs nothing but this?  Two letters are enough then: ls, ps, id. */
static bool is_command(struct sv line, struct sv text)
{
	return text.n + 1 == MATCH_MIN && line.n > text.n + 3 &&
	       sv_eq(sv_sub(line, line.n - text.n, text.n), text) &&
	       sv_is(sv_sub(line, line.n - text.n - 4, 4), " -c ");
}

struct match {
	struct sv in;  /* canonical */
	struct sv url; /* of a request; empty: in is a command line */
	size_t told,
		short_ones; /* bytes of arguments that are in it; of those that may be by chance */
};

static void match_text(struct match *m, const struct tool_text *t)
{
	struct sv raw = t->raw, want = t->plain;

	if (m->url.n && sv_has(raw, "://")) {
		if (has_word(m->url, raw) || has_word(raw, m->url))
			m->told += raw.n < m->url.n ? raw.n : m->url.n;
		return;
	}
	if (want.n < MATCH_MIN && !is_command(m->in, want))
		m->short_ones += has_word(m->in, want) ? want.n : 0;
	else if (m->url.n ? has_word(m->in, want) : sv_find(m->in, want) >= 0)
		m->told += want.n;
}

static size_t match(const struct tool_class *class, struct match *m)
{
	for (const struct tool_text *t = class->texts; t; t = t->next)
		match_text(m, t);
	return m->told ? m->told + m->short_ones : 0;
}

size_t tool_match_line(const struct tool_class *class, struct sv line)
{
	return match(class, &(struct match){ .in = line });
}

size_t tool_match_request(const struct tool_class *class, struct sv request, struct sv url)
{
	return match(class, &(struct match){ .in = request, .url = url });
}

/* --- parameters of statements */

struct sv tool_value(struct sv text, char number[TOOL_NUMBER_MAX])
{
	char spelling[TOOL_NUMBER_MAX], *end;
	double v;
	int n;

	if (!text.n || text.n >= sizeof(spelling) || !strchr("-0123456789", text.p[0]) ||
	    (text.n > 1 && text.p[0] == '0' && text.p[1] != '.'))
		return text; /* a leading zero is part of a name */
	memcpy(spelling, text.p, text.n);
	spelling[text.n] = '\0';
	v = strtod(spelling, &end);
	if (end != spelling + text.n ||
	    !(v > -1e15 && v < 1e15)) /* longer ones are compared as they are */
		return text;
	n = snprintf(number, TOOL_NUMBER_MAX, "%.15g", v == 0 ? 0 : v);
	return (struct sv){ number, (size_t)n };
}

static bool has_value(const struct tool_class *class, struct sv value)
{
	for (const struct tool_value *v = class->values; v; v = v->next)
		if (sv_eq(v->text, value))
			return true;
	return false;
}

size_t tool_match_values(const struct tool_class *class, const struct sv *values, size_t cnt)
{
	size_t told = 0, short_ones = 0, found = 0;

	for (size_t i = 0; i < cnt; i++) {
		char number[TOOL_NUMBER_MAX];
		struct sv value = tool_value(values[i], number);

		if (!has_value(class, value))
			continue;
		found++;
		*(value.n < MATCH_MIN ? &short_ones : &told) += value.n;
	}
	return told || found == cnt ? told + short_ones : 0;
}

/* --- inputs */

static size_t match_input(struct sv text, struct sv input)
{
	if (text.n < TOOL_INPUT_MIN || input.n < TOOL_INPUT_MIN)
		return 0;
	if (sv_eq(input, text))
		return 2 * text.n + 1;
	if (sv_find(input, text) >= 0)
		return 2 * text.n;
	return sv_find(text, input) >= 0 ? 2 * input.n : 0;
}

size_t tool_match_input(const struct tool_class *class, struct sv input)
{
	size_t best = 0;

	for (const struct tool_text *t = class->texts; t; t = t->next) {
		size_t n = match_input(t->raw, input);

		if (n > best)
			best = n;
	}
	return best;
}

/* --- files */

/* Is it the path, or its end? */
static bool is_end_of(struct sv text, struct sv path)
{
	return text.n && text.n <= path.n && sv_eq(sv_sub(path, path.n - text.n, text.n), text) &&
	       (text.n == path.n || text.p[0] == '/' || path.p[path.n - text.n - 1] == '/');
}

/* What leads to where a path begins that is not known: ./x, ../x, ~/x. */
static struct sv without_lead(struct sv text)
{
	static const char *const leads[] = { "./", "../", "~/" };

	for (size_t i = 0; i < ARRAY_SIZE(leads);) {
		if (sv_starts(text, leads[i])) {
			text = sv_sub(text, strlen(leads[i]), text.n);
			i = 0;
		} else {
			i++;
		}
	}
	return text;
}

static bool ends_word(char ch)
{
	return strchr(" \t\r\n\"'`,;:=()[]{}<>|&", ch); /* and NUL */
}

/* Of the text, that names the file somewhere, as a patch or a command does: how much; 0: it does not. */
static size_t mentions(struct sv text, struct sv path, struct sv name)
{
	size_t whole = text.n;
	long at;

	while (name.n >= FILE_NAME_MIN && (at = sv_find(text, name)) >= 0) {
		size_t from = (size_t)at, to = from + name.n;
		struct sv word;

		while (from && !ends_word(text.p[from - 1]))
			from--;
		word = without_lead(sv_sub(text, from, to - from));
		if ((to == text.n || ends_word(text.p[to])) &&
		    (is_end_of(word, path) ||
		     /* git's sides of a change */
		     (to - from < whole && (sv_starts(word, "a/") || sv_starts(word, "b/")) &&
		      is_end_of(sv_sub(word, 2, word.n), path))))
			return word.n;
		text = sv_sub(text, to, text.n);
	}
	return 0;
}

static struct sv last_part(struct sv path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return slash ? sv_sub(path, (size_t)(slash + 1 - path.p), path.n) : path;
}

/* Cuts the next word off the text. */
static struct sv next_word(struct sv *text)
{
	struct sv word;
	size_t n = 0;

	while (n < text->n && !ends_word(text->p[n]))
		n++;
	word = sv_sub(*text, 0, n);
	*text = sv_sub(*text, n + 1, text->n);
	return word;
}

static bool may_have(const struct tool_class *class, uint64_t hash)
{
	size_t a = hash & class->name_mask, b = hash >> 32 & class->name_mask;

	return class->names[a / 64] >> a % 64 & class->names[b / 64] >> b % 64 & 1;
}

static void set_name(struct tool_class *class, struct sv name)
{
	uint64_t hash = hash64(name);
	size_t a = hash & class->name_mask, b = hash >> 32 & class->name_mask;

	class->names[a / 64] |= 1ull << a % 64;
	class->names[b / 64] |= 1ull << b % 64;
}

void tool_names_init(struct tool_class *class)
{
	size_t cnt = 0, bits = 64;

	for (const struct tool_text *t = class->texts; t; t = t->next) {
		struct sv rest = t->raw;

		for (cnt++; rest.n; cnt++) /* the whole may be one, with its spaces */
			next_word(&rest);
	}
	while (bits < cnt * NAME_BITS)
		bits *= 2;
	class->names = calloc(bits / 64, sizeof(*class->names));
	if (!class->names)
		return;
	class->name_mask = bits - 1;
	for (const struct tool_text *t = class->texts; t; t = t->next) {
		struct sv rest = t->raw;

		set_name(class, last_part(rest));
		while (rest.n)
			set_name(class, last_part(next_word(&rest)));
	}
}

static bool has_space(struct sv name)
{
	for (size_t i = 0; i < name.n; i++)
		if (ends_word(name.p[i]))
			return true;
	return false;
}

size_t tool_match_path(const struct tool_class *class, struct sv path, struct sv name)
{
	size_t best = 0;

	if (class->names && name.n && !has_space(name) && !may_have(class, hash64(name)))
		return 0;
	for (const struct tool_text *t = class->texts; t; t = t->next) {
		struct sv text = without_lead(t->raw);
		size_t n = is_end_of(text, path) ? 2 * text.n + 1 : 2 * mentions(text, path, name);

		if (n > best)
			best = n;
	}
	return best;
}
