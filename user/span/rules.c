// SPDX-License-Identifier: BSD-2-Clause
/* Rules that say what to mask: see rules.h. */
#include "span/rules.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/log.h"

#define STEPS_MAX 16 /* of a path */
#define HEADER_NAME_MAX 128
#define LOOKS_MAX (1u << 20) /* at values of one JSON text for one path */
#define TEXTS_MAX 4          /* JSON texts within JSON texts */

struct step {
	bool deep; /* ".." */
	enum { STEP_NAME, STEP_INDEX, STEP_ANY } kind;
	struct sv name;
	int64_t index;
};

struct rule {
	enum { RULE_HEADER, RULE_JSON, RULE_PATTERN } kind;
	const char *header;
	struct step steps[STEPS_MAX];
	size_t step_cnt;
	regex_t pattern;
};

struct rules {
	struct arena arena;
	struct rule of[RULES_MAX];
	size_t cnt;
	bool json; /* there are paths */
};

/* --- reading.  Each gives what is wrong with the rule, NULL: nothing. */

static const char *read_header(struct rules *rs, struct rule *r, struct sv text)
{
	if (!text.n || text.n > HEADER_NAME_MAX)
		return "want the name of a header field";
	for (size_t i = 0; i < text.n; i++)
		if (!isalnum((unsigned char)text.p[i]) && !strchr("!#$%&'*+-.^_`|~", text.p[i]))
			return "no header field has such a name";
	r->header = arena_dup(&rs->arena, text).p;
	return NULL;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* "['name']", "[0]", "[*]": *rest begins behind the bracket. */
static const char *read_bracket(struct rules *rs, struct step *st, struct sv *rest)
{
	char quote = rest->n ? rest->p[0] : 0;
	struct sv in;
	size_t end = 1;

	if (quote == '\'' || quote == '"') {
		while (end < rest->n && rest->p[end] != quote && rest->p[end] != '\\')
			end++;
		if (end + 1 >= rest->n || rest->p[end] != quote || rest->p[end + 1] != ']')
			return "a name in brackets ends with its quote and ']', without "
			       "backslashes";
		st->name = arena_dup(&rs->arena, sv_sub(*rest, 1, end - 1));
		*rest = sv_sub(*rest, end + 2, rest->n);
		return NULL;
	}
	if (sv_find(*rest, SV("]")) < 0)
		return "']' is missing";
	in = sv_token(rest, ']');
	if (sv_is(in, "*")) {
		st->kind = STEP_ANY;
		return NULL;
	}
	st->kind = STEP_INDEX;
	return sv_i64(in, &st->index) || st->index < 0 ? "want [*], ['name'] or a number from 0"
						       : NULL;
}

static const char *read_step(struct rules *rs, struct step *st, struct sv *rest)
{
	size_t end = 0;

	if (sv_starts(*rest, "..")) {
		st->deep = true;
		*rest = sv_sub(*rest, 2, rest->n);
	} else if (sv_starts(*rest, ".")) {
		*rest = sv_sub(*rest, 1, rest->n);
	} else if (!sv_starts(*rest, "[")) {
		return "want '.', '..' or '['";
	}
	if (sv_starts(*rest, "[")) {
		*rest = sv_sub(*rest, 1, rest->n);
		return read_bracket(rs, st, rest);
	}
	if (sv_starts(*rest, "*")) {
		st->kind = STEP_ANY;
		*rest = sv_sub(*rest, 1, rest->n);
		return NULL;
	}
	while (end < rest->n && is_name(rest->p[end]))
		end++;
	if (!end)
		return "want a name; others than of letters, digits and '_' as ['name']";
	st->name = arena_dup(&rs->arena, sv_sub(*rest, 0, end));
	*rest = sv_sub(*rest, end, rest->n);
	return NULL;
}

static const char *read_json(struct rules *rs, struct rule *r, struct sv text)
{
	const char *wrong = NULL;

	if (!sv_starts(text, "$"))
		return "a path begins with '$'";
	text = sv_sub(text, 1, text.n);
	while (!wrong && text.n) {
		if (r->step_cnt == STEPS_MAX)
			return "the path has too many steps";
		wrong = read_step(rs, &r->steps[r->step_cnt++], &text);
	}
	rs->json = true;
	return wrong;
}

/* The largest count in "{3,70}"; what is more than allowed stays that. */
static unsigned int largest_count(struct sv text)
{
	unsigned int n = 0, most = 1;

	for (size_t i = 1; i < text.n && text.p[i] != '}'; i++) {
		n = isdigit((unsigned char)text.p[i]) ? n * 10 + (unsigned int)(text.p[i] - '0')
						      : 0;
		if (n > RULES_REPEAT_MAX)
			return n;
		most = n > most ? n : most;
	}
	return most;
}

/* What would make matching slow, whatever the text is.  In brackets all is plain. */
static const char *check_pattern(struct sv text)
{
	unsigned int count, product = 1;
	bool list = false;

	if (!text.n || text.n > RULES_PATTERN_MAX)
		return "want a regular expression of at most 256 bytes";
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : '\0';

		if (!c)
			return "it holds a NUL";
		if (list || c == '[') {
			list = c != ']';
			continue;
		}
		if (c == '\\' && next >= '1' && next <= '9')
			return "back-references are not for texts that others wrote";
		if (c == '\\')
			i++;
		if (c != '{' && c != '+')
			continue;
		/* what is before a '+' is there twice for regcomp(3), and all that is in it */
		count = c == '+' ? 2 : largest_count(sv_sub(text, i, text.n));
		product *= count;
		if (count > RULES_REPEAT_MAX || product > RULES_REPEATS_MAX)
			return "a count is more than 64, or all of them, and 2 for each '+', "
			       "multiplied more than 4096";
	}
	return NULL;
}

static const char *read_pattern(struct rules *rs, struct rule *r, struct sv text)
{
	const char *wrong = check_pattern(text);
	struct sv own = arena_dup(&rs->arena, text);

	if (wrong || !own.p)
		return wrong;
	return regcomp(&r->pattern, own.p, REG_EXTENDED) ? "no extended regular expression (POSIX)"
							 : NULL;
}

static const char *read_rule(struct rules *rs, struct sv line)
{
	struct rule r = { .kind = RULE_HEADER };
	const char *wrong;
	struct sv verb = sv_token(&line, ' '), what;

	line = sv_trim(line);
	what = sv_token(&line, ' ');
	line = sv_trim(line);
	if (!sv_is(verb, "redact"))
		return "a rule begins with \"redact\"";
	if (rs->cnt == RULES_MAX)
		return "there are more than 64 rules";
	if (sv_is(what, "header")) {
		wrong = read_header(rs, &r, line);
	} else if (sv_is(what, "json")) {
		r.kind = RULE_JSON;
		wrong = read_json(rs, &r, line);
	} else if (sv_is(what, "pattern")) {
		r.kind = RULE_PATTERN;
		wrong = read_pattern(rs, &r, line);
	} else {
		return "want header, json or pattern behind \"redact\"";
	}
	if (!wrong)
		rs->of[rs->cnt++] = r;
	return wrong;
}

int rules_parse(struct rules **out, struct sv text, const char *name)
{
	struct rules *rs = calloc(1, sizeof(*rs));
	unsigned int number = 0;
	const char *wrong = NULL;

	if (!rs)
		return log_err(-ENOMEM, "%s: out of memory", name);
	arena_init(&rs->arena, 0);
	while (text.n && !wrong) {
		struct sv line = sv_token(&text, '\n');

		number++;
		if (sv_ends(line, "\r"))
			line.n--;
		line = sv_trim(line);
		if (line.n && line.p[0] != '#')
			wrong = read_rule(rs, line);
	}
	if (wrong || arena_failed(&rs->arena)) {
		rules_free(&rs);
		return wrong ? log_err(-EINVAL, "%s:%u: %s", name, number, wrong)
			     : log_err(-ENOMEM, "%s: out of memory", name);
	}
	*out = rs;
	return 0;
}

void rules_free(struct rules **r)
{
	if (!*r)
		return;
	for (size_t i = 0; i < (*r)->cnt; i++)
		if ((*r)->of[i].kind == RULE_PATTERN)
			regfree(&(*r)->of[i].pattern);
	arena_fini(&(*r)->arena);
	free(*r);
	*r = NULL;
}

/* --- texts */

static size_t mask(char *p, size_t n)
{
	memset(p, '*', n);
	return n;
}

static size_t mask_header(const struct rule *r, char *p, size_t n)
{
	struct sv text = { p, n };
	size_t masked = 0;

	while (text.n) {
		struct sv line = sv_token(&text, '\n'), name = sv_token(&line, ':');
		const char *colon = name.p + name.n;

		if (sv_ends(line, "\r"))
			line.n--;
		line = sv_trim(line);
		if (line.n && *colon == ':' && sv_ieq(name, r->header))
			masked += mask(p + (line.p - p), line.n);
	}
	return masked;
}

/* On a copy with a NUL behind it: sanitizers know regexec(3), but not REG_STARTEND. */
static size_t mask_slice(const struct rule *r, char *p, size_t n)
{
	char text[RULES_SLICE + 1];
	size_t at = 0, masked = 0;

	memcpy(text, p, n);
	text[n] = '\0';
	while (at < n) {
		regmatch_t m = { .rm_so = (regoff_t)at, .rm_eo = (regoff_t)n };
		size_t len;

		if (regexec(&r->pattern, text, 1, &m, REG_STARTEND | (at ? REG_NOTBOL : 0)))
			break;
		len = (size_t)(m.rm_eo - m.rm_so);
		masked += mask(p + m.rm_so, len);
		at = (size_t)m.rm_eo + !len; /* an empty match masks nothing */
	}
	return masked;
}

/* The overlap is looked at twice, and what was masked the first time is no match any more, mostly. */
static size_t mask_pattern(const struct rule *r, char *p, size_t n)
{
	size_t at = 0, masked = 0;

	do {
		size_t len = n - at < RULES_SLICE ? n - at : RULES_SLICE;

		masked += mask_slice(r, p + at, len);
		at += len == RULES_SLICE ? RULES_SLICE - RULES_OVERLAP : len;
	} while (at < n);
	return masked;
}

size_t rules_text(const struct rules *rs, char *p, size_t n)
{
	size_t masked = 0;

	for (size_t i = 0; n && i < rs->cnt; i++)
		if (rs->of[i].kind == RULE_HEADER)
			masked += mask_header(&rs->of[i], p, n);
		else if (rs->of[i].kind == RULE_PATTERN)
			masked += mask_pattern(&rs->of[i], p, n);
	return masked;
}

/* --- JSON values, which are the caller's own and are changed in place */

struct walk {
	const struct rule *rule;
	struct arena *arena;
	unsigned int looks;
	bool changed;
};

static void mask_value(struct arena *a, struct json *v)
{
	if (v->type == JSON_STRING) {
		if (v->s.n)
			mask((char *)v->s.p, v->s.n);
		return;
	}
	*v = (struct json){
		.type = JSON_STRING, .s = arena_dup(a, SV("*")), .key = v->key, .next = v->next
	};
}

/* Too many looks end it: the caller masks all then.  Depth: LIMIT_JSON_DEPTH and STEPS_MAX. */
static void walk(struct walk *w, struct json *v, size_t at)
{
	const struct step *st = &w->rule->steps[at];
	int64_t i = 0;

	if (++w->looks > LOOKS_MAX)
		return;
	if (at == w->rule->step_cnt) {
		mask_value(w->arena, v);
		w->changed = true;
		return;
	}
	json_for_each (v, e) {
		bool is = st->kind == STEP_ANY;

		if (st->kind == STEP_INDEX)
			is = v->type == JSON_ARRAY && i == st->index;
		else if (st->kind == STEP_NAME)
			is = v->type == JSON_OBJECT && sv_eq(e->key, st->name);
		i++;
		if (st->deep)
			walk(w, e, at);
		if (is)
			walk(w, e, at + 1);
	}
}

static bool mask_paths(const struct rules *rs, struct arena *a, struct json *v)
{
	bool changed = false;

	for (size_t i = 0; i < rs->cnt; i++) {
		struct walk w = { .rule = &rs->of[i], .arena = a };

		if (rs->of[i].kind != RULE_JSON)
			continue;
		walk(&w, v, 0);
		if (w.looks > LOOKS_MAX)
			mask_value(a, v);
		changed |= w.changed || w.looks > LOOKS_MAX;
	}
	return changed;
}

static void mask_members(const struct rules *rs, struct json *v)
{
	for (size_t i = 0; i < rs->cnt; i++)
		if (rs->of[i].kind == RULE_HEADER && v->s.n && sv_ieq(v->key, rs->of[i].header))
			mask((char *)v->s.p, v->s.n);
}

static bool mask_value_tree(const struct rules *rs, struct arena *a, struct json *v,
			    unsigned int texts);

/* A text that is JSON: written anew where a path is in it.  What cannot be read whole is masked whole. */
static bool mask_json_text(const struct rules *rs, struct arena *a, struct json *v,
			   unsigned int texts)
{
	_cleanup_arena_ struct arena room = { 0 };
	struct sv text = sv_trim(v->s);
	struct json *inner;

	if (!rs->json || !texts || !(sv_starts(text, "{") || sv_starts(text, "[")))
		return false;
	arena_init(&room, LIMIT_JSON_ARENA);
	inner = json_parse(&room, text, NULL);
	if (arena_failed(&room)) {
		mask_value(a, v);
		return true;
	}
	if (!inner || !mask_value_tree(rs, &room, inner, texts - 1))
		return false;
	v->s = json_text(a, inner);
	return true;
}

/* Depth: LIMIT_JSON_DEPTH. */
static bool mask_texts(const struct rules *rs, struct arena *a, struct json *v, unsigned int texts)
{
	bool changed = false;

	if (v->type == JSON_STRING) {
		changed = mask_json_text(rs, a, v, texts);
		rules_text(rs, (char *)v->s.p, v->s.n);
		mask_members(rs, v);
	}
	for (struct json *e = v->head; e; e = e->next)
		changed |= mask_texts(rs, a, e, texts);
	return changed;
}

/* true: a path was in it, or in a text in it. */
static bool mask_value_tree(const struct rules *rs, struct arena *a, struct json *v,
			    unsigned int texts)
{
	bool changed = mask_paths(rs, a, v);

	return mask_texts(rs, a, v, texts) || changed;
}

/* Each attribute is a root of its own; what identifies a span is not looked at. */
static void mask_attributes(const struct rules *rs, struct arena *a, struct json *attributes)
{
	json_for_each (attributes, v) {
		if (sv_is(v->key, attr_defs[ATTR_ID_KIND].key))
			continue;
		mask_value_tree(rs, a, v, TEXTS_MAX);
	}
}

static void mask_events(const struct rules *rs, struct arena *a, struct json *events)
{
	json_for_each (events, e) {
		mask_attributes(rs, a, json_get(e, "attributes"));
	}
}

int rules_apply(const struct rules *rs, struct span **out, const struct span *s)
{
	struct span *k = NULL;
	int err = span_copy(&k, s);

	if (err)
		return err;
	rules_text(rs, (char *)k->name.p, k->name.n);
	rules_text(rs, (char *)k->status_message.p, k->status_message.n);
	mask_attributes(rs, &k->arena, k->attributes);
	mask_attributes(rs, &k->arena, k->resource);
	mask_events(rs, &k->arena, k->events);
	if (arena_failed(&k->arena)) {
		span_free(&k);
		return -ENOMEM;
	}
	*out = k;
	return 0;
}
