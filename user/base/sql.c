// SPDX-License-Identifier: BSD-2-Clause
/*
 * Words of SQL: see sql.h.  PostgreSQL's documentation, 4.1 "Lexical Structure"; MySQL's reference manual, 9.1
 * "Literal Values" and 9.7 "Comments".
 */
#include "base/sql.h"

#include <string.h>
#include "base/cleanup.h"

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static bool is_word(char ch)
{
	return is_digit(ch) || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' ||
	       (unsigned char)ch >= 0x80;
}

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f' || ch == '\v' ||
	       !ch;
}

static bool at(struct sv s, size_t i, char ch)
{
	return i < s.n && s.p[i] == ch;
}

/* Behind what is quoted by the sign at i; doubled, or escaped by a backslash, it does not end it. */
static size_t skip_quoted(struct sv s, size_t i, bool escapes)
{
	char quote = s.p[i++];

	for (; i < s.n; i++) {
		if (escapes && s.p[i] == '\\')
			i++;
		else if (s.p[i] == quote && !at(s, i + 1, quote))
			return i + 1;
		else if (s.p[i] == quote)
			i++;
	}
	return s.n;
}

/* Behind $tag$ text $tag$; i where no such text begins there. */
static size_t skip_dollars(struct sv s, size_t i)
{
	size_t end = i + 1;
	struct sv tag;
	long close;

	while (end < s.n && is_word(s.p[end]))
		end++;
	if (!at(s, end, '$') || (end > i + 1 && is_digit(s.p[i + 1])))
		return i;
	tag = sv_sub(s, i, end + 1 - i);
	close = sv_find(sv_sub(s, end + 1, s.n), tag);
	return close < 0 ? s.n : end + 1 + (size_t)close + tag.n;
}

/* Behind a comment that begins at i, or i.  To MySQL "--" without a space is no comment. */
static size_t skip_comment(struct sv s, size_t i, enum sql_dialect dialect)
{
	bool mysql = dialect == SQL_MYSQL;
	long end;

	if ((mysql && at(s, i, '#')) || (at(s, i, '-') && at(s, i + 1, '-') &&
					 (!mysql || i + 2 >= s.n || is_space(s.p[i + 2])))) {
		end = sv_find(sv_sub(s, i, s.n), SV("\n"));
		return end < 0 ? s.n : i + (size_t)end;
	}
	if (at(s, i, '/') && at(s, i + 1, '*')) {
		end = sv_find(sv_sub(s, i + 2, s.n), SV("*/"));
		return end < 0 ? s.n : i + 2 + (size_t)end + 2;
	}
	return i;
}

static size_t skip_number(struct sv s, size_t i)
{
	while (i < s.n && (is_word(s.p[i]) || s.p[i] == '.' ||
			   ((s.p[i] == '+' || s.p[i] == '-') && strchr("eE", s.p[i - 1]))))
		i++;
	return i;
}

/* E'..' and its like: the letter before a text belongs to it. */
static void put_literal(struct buf *out, bool prefixed)
{
	if (prefixed)
		out->len--;
	buf_ch(out, '?');
}

static bool has_prefix(const struct buf *out, struct sv s, size_t i)
{
	return i && strchr("eEbBxXnN", s.p[i - 1]) && s.p[i - 1] &&
	       (i < 2 || !is_word(s.p[i - 2])) && out->len;
}

/* The literal or comment at i: behind it; i when there is none. */
static size_t take_special(struct buf *out, struct sv s, size_t i, enum sql_dialect dialect)
{
	bool mysql = dialect == SQL_MYSQL;
	size_t end = i;

	if (s.p[i] == '\'' || (mysql && s.p[i] == '"')) {
		bool prefixed = has_prefix(out, s, i);

		end = skip_quoted(s, i, mysql || (prefixed && strchr("eE", s.p[i - 1])));
		put_literal(out, prefixed);
	} else if (s.p[i] == '"' || s.p[i] == '`') { /* a name */
		end = skip_quoted(s, i, false);
		buf_sv(out, sv_sub(s, i, end - i));
	} else if (s.p[i] == '$' && !mysql) {
		end = skip_dollars(s, i);
		if (end > i)
			buf_ch(out, '?');
	} else if (is_digit(s.p[i]) && (!i || (!is_word(s.p[i - 1]) && s.p[i - 1] != '$'))) {
		end = skip_number(s, i);
		buf_ch(out, '?');
	} else {
		end = skip_comment(s, i, dialect);
	}
	return end;
}

void sql_plain(struct buf *out, struct sv s, enum sql_dialect dialect)
{
	bool space = true;

	for (size_t i = 0; i < s.n && !out->err;) {
		size_t end;

		if (is_space(s.p[i])) {
			if (!space)
				buf_ch(out, ' ');
			space = true;
			i++;
			continue;
		}
		end = take_special(out, s, i, dialect);
		if (end == i)
			buf_ch(out, s.p[end++]);
		space = !out->len || out->p[out->len - 1] == ' ';
		i = end;
	}
	while (!out->err && out->len && strchr(" ;", out->p[out->len - 1]))
		out->len--;
}

/* --- words */

static struct sv next_word(struct sv *rest)
{
	struct sv word;
	size_t n = 0;

	while (rest->n && !is_word(rest->p[0]) && rest->p[0] != '"' && rest->p[0] != '`')
		*rest = sv_sub(*rest, 1, rest->n);
	while (n < rest->n && (is_word(rest->p[n]) || strchr(".\"`", rest->p[n])) && rest->p[n])
		n++;
	word = sv_sub(*rest, 0, n);
	*rest = sv_sub(*rest, n, rest->n);
	return word;
}

struct sv sql_operation(struct sv plain, char out[32])
{
	struct sv word = sv_sub(next_word(&plain), 0, 32);

	for (size_t i = 0; i < word.n; i++)
		out[i] = word.p[i] >= 'a' && word.p[i] <= 'z' ? (char)(word.p[i] - 'a' + 'A')
							      : word.p[i];
	return (struct sv){ out, word.n };
}

static bool is_one_of(struct sv word, const char *const words[], size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (sv_ieq(word, words[i]))
			return true;
	return false;
}

/* The word behind one that precedes a table; empty: it names none. */
static struct sv table_at(struct sv *rest)
{
	static const char *const before[] = { "if", "not", "exists", "only", "lateral", "table" };
	static const char *const none[] = { "select", "set", "values", "stdin", "stdout", "where" };
	struct sv word;

	do
		word = next_word(rest);
	while (is_one_of(word, before, ARRAY_SIZE(before)));
	return is_one_of(word, none, ARRAY_SIZE(none)) ? SV("") : word;
}

struct sv sql_table(struct sv plain)
{
	static const char *const words[] = { "from", "into", "update", "join", "table" };
	struct sv table = SV(""), word;

	while ((word = next_word(&plain)).n) {
		if (!is_one_of(word, words, ARRAY_SIZE(words)))
			continue;
		word = table_at(&plain);
		if (table.n && word.n && !sv_eq(word, table))
			return SV("");
		table = word.n ? word : table;
	}
	return table;
}

/* --- secrets */

static bool tells_secret(struct sv word)
{
	return sv_ieq(word, "identified") ||
	       (word.n >= 8 && sv_ieq(sv_sub(word, word.n - 8, 8), "password"));
}

bool sql_tells_secret(struct sv s)
{
	for (size_t i = 0, end; i < s.n; i = end + 1) {
		for (end = i; end < s.n && is_word(s.p[end]);)
			end++;
		if (tells_secret(sv_sub(s, i, end - i)))
			return true;
	}
	return false;
}

/* Behind a user's name comes its host, and the secret only then: 'me'@'here' = 'secret'. */
static bool is_name(struct sv s, size_t from, size_t end)
{
	while (from && is_space(s.p[from - 1]))
		from--;
	while (end < s.n && is_space(s.p[end]))
		end++;
	return at(s, end, '@') || (from && s.p[from - 1] == '@');
}

void sql_mask_secrets(char *p, size_t n)
{
	struct sv s = { p, n };
	bool secret = false;

	for (size_t i = 0, end; i < n; i = end) {
		end = i + 1;
		if (p[i] == '\'' || p[i] == '"') {
			end = skip_quoted(s, i, true);
			if (secret)
				memset(p + i + 1, '*', end > i + 2 ? end - i - 2 : 0);
			if (secret && end == n && p[n - 1] != p[i]) /* it goes on elsewhere */
				p[n - 1] = '*';
			secret = secret && is_name(s, i, end);
		} else if (is_word(p[i])) {
			while (end < n && is_word(p[end]))
				end++;
			secret |= tells_secret(sv_sub(s, i, end - i));
		} else if (p[i] == ';') {
			secret = false;
		}
	}
}
