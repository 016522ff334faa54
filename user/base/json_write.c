// SPDX-License-Identifier: BSD-2-Clause
/*
 * The JSON writer.  Whatever the tree holds, the output is valid JSON and valid UTF-8 on one line:
 * a number is written by its spelling if that is one, else null.
 */
#include "base/json.h"

#include "base/json_lex.h"
#include "base/limits.h"

/* As deep as json_copy() goes; a container below is written as null. */
#define WRITE_DEPTH (2 * LIMIT_JSON_DEPTH)

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* U+2028 and U+2029 end a line in JavaScript before ES2019. */
static bool needs_escape(uint32_t cp)
{
	return cp < 0x20 || cp == 0x7f || cp == '"' || cp == '\\' || cp == 0x2028 || cp == 0x2029;
}

static void write_escape(struct buf *b, uint32_t cp)
{
	static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";

	for (size_t i = 0; i < sizeof(names) - 1; i++) {
		if (cp == (unsigned char)values[i]) {
			buf_add(b, (char[]){ '\\', names[i] }, 2);
			return;
		}
	}
	buf_fmt(b, "\\u%04x", cp);
}

int json_write_str(struct buf *b, struct sv s)
{
	size_t i = 0, run = 0; /* s.p[run..i) is right as it is and not written yet */

	buf_ch(b, '"');
	while (i < s.n) {
		uint32_t cp;
		if (is_plain((unsigned char)s.p[i])) {
			i++;
			continue;
		}
		size_t len = utf8_get(s.p + i, s.n - i, &cp);
		if (!len)
			len = s.n - i;
		/* A U+FFFD of 3 bytes may be the character itself; writing it anew is the same. */
		if (cp != UTF8_REPLACEMENT && !needs_escape(cp)) {
			i += len;
			continue;
		}
		buf_add(b, s.p + run, i - run);
		if (cp == UTF8_REPLACEMENT)
			buf_str(b, "\xef\xbf\xbd");
		else
			write_escape(b, cp);
		i += len;
		run = i;
	}
	buf_add(b, s.p + run, i - run);
	buf_ch(b, '"');
	return b->err;
}

static void write_number(struct buf *b, struct sv s)
{
	if (s.n && json_number_scan(s.p, s.n).ok == s.n)
		buf_sv(b, s);
	else
		buf_str(b, "null");
}

/* Writes a scalar, or the opening bracket of a container. */
static void write_one(struct buf *b, const struct json *v)
{
	switch (v->type) {
	case JSON_BOOL:
		buf_str(b, v->b ? "true" : "false");
		break;
	case JSON_NUMBER:
		write_number(b, v->s);
		break;
	case JSON_STRING:
		json_write_str(b, v->s);
		break;
	case JSON_ARRAY:
		buf_ch(b, '[');
		break;
	case JSON_OBJECT:
		buf_ch(b, '{');
		break;
	case JSON_NULL:
		buf_str(b, "null");
		break;
	}
}

static void write_close(struct buf *b, const struct json *v)
{
	if (v->type == JSON_ARRAY)
		buf_ch(b, ']');
	else if (v->type == JSON_OBJECT)
		buf_ch(b, '}');
}

static void write_key(struct buf *b, const struct json *parent, const struct json *v)
{
	if (parent->type != JSON_OBJECT)
		return;
	json_write_str(b, v->key);
	buf_ch(b, ':');
}

int json_write(struct buf *b, const struct json *v)
{
	static const struct json null = { .type = JSON_NULL };
	const struct json *open[WRITE_DEPTH];
	size_t depth = 0;

	v = v ? v : &null;
	for (;;) {
		bool deeper = v->head && depth < WRITE_DEPTH;
		write_one(b, v->head && !deeper ? &null : v);
		if (deeper) {
			open[depth++] = v;
			v = v->head;
		} else {
			if (!v->head)
				write_close(b, v);
			while (depth && !v->next) {
				v = open[--depth];
				write_close(b, v);
			}
			if (!depth)
				return b->err;
			v = v->next;
			buf_ch(b, ',');
		}
		write_key(b, open[depth - 1], v);
	}
}

struct sv json_text(struct arena *a, const struct json *v)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	if (json_write(&b, v))
		return (struct sv){ 0 };
	return arena_dup(a, buf_view(&b));
}
