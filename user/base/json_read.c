// SPDX-License-Identifier: BSD-2-Clause
/*
 * The JSON reader: one pass over the text, linear in its length, with the open containers on a
 * stack of fixed size instead of recursion.  It takes any bytes; what is not JSON ends the text
 * there.  Nothing in the tree points into the text.
 */
#include "base/json.h"

#include "base/json_lex.h"
#include "base/limits.h"

enum expect {
	EXPECT_VALUE,
	EXPECT_ITEM_OR_END, /* behind '[' */
	EXPECT_KEY_OR_END,  /* behind '{' */
	EXPECT_KEY,
	EXPECT_COLON,
	EXPECT_COMMA_OR_END,
};

/* How a lexeme ended; whatever is not OK ends the text. */
enum lex { LEX_OK, LEX_CUT, LEX_BROKEN, LEX_NOMEM };

struct reader {
	struct arena *a;
	const char *p;
	size_t i, n;
	struct json *root;
	struct json *open[LIMIT_JSON_DEPTH];
	size_t depth;
	struct sv key;
	enum expect expect;
	bool too_deep;
};

/* The value of 4 hex digits behind "\u": LEX_CUT where the text ends first. */
static enum lex code_unit(const char *p, size_t n, uint32_t *unit)
{
	*unit = 0;
	for (size_t i = 0; i < 6; i++) {
		if (i == n)
			return LEX_CUT;
		char c = p[i];
		if (i < 2) {
			if (c != "\\u"[i])
				return LEX_BROKEN;
		} else if (c >= '0' && c <= '9') {
			*unit = *unit << 4 | (uint32_t)(c - '0');
		} else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
			*unit = *unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		} else {
			return LEX_BROKEN;
		}
	}
	return LEX_OK;
}

/* RFC 8259, section 7: characters outside the BMP are two escapes, a surrogate pair. */
static enum lex unicode_escape(const char *p, size_t n, uint32_t *cp, size_t *took)
{
	enum lex lex = code_unit(p, n, cp);

	*took = 6;
	if (lex || *cp < 0xd800 || *cp > 0xdfff)
		return lex;
	uint32_t high = *cp, low;
	*cp = UTF8_REPLACEMENT;
	if (high >= 0xdc00)
		return LEX_OK;
	lex = code_unit(p + 6, n - 6, &low);
	if (lex == LEX_CUT)
		return LEX_CUT;
	if (!lex && low >= 0xdc00 && low <= 0xdfff) {
		*cp = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
		*took = 12;
	}
	return LEX_OK;
}

static enum lex escape(const char *p, size_t n, uint32_t *cp, size_t *took)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";

	if (n < 2)
		return LEX_CUT;
	if (p[1] == 'u')
		return unicode_escape(p, n, cp, took);
	for (size_t i = 0; i < sizeof(names) - 1; i++) {
		if (p[1] == names[i]) {
			*cp = (unsigned char)values[i];
			*took = 2;
			return LEX_OK;
		}
	}
	return LEX_BROKEN;
}

/* Bytes that stand for themselves: ASCII from space on, but for quote and backslash. */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (unsigned char)(p[i] - 0x20) < 0x60 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

struct decoded {
	size_t len;  /* bytes of the decoded string */
	size_t used; /* bytes of text, with the closing quote */
	enum lex lex;
};

/* Decodes the string whose opening quote is before p; out NULL measures it. */
static struct decoded decode(const char *p, size_t n, char *out)
{
	struct decoded d = { .lex = LEX_CUT };

	while (d.used < n) {
		size_t took = plain_run(p + d.used, n - d.used);
		if (out)
			memcpy(out + d.len, p + d.used, took);
		d.len += took;
		d.used += took;
		if (d.used == n)
			break;

		const char *at = p + d.used;
		uint32_t cp;
		if (*at == '"') {
			d.used++;
			d.lex = LEX_OK;
			break;
		}
		d.lex = LEX_CUT;
		if (*at == '\\')
			d.lex = escape(at, n - d.used, &cp, &took);
		else if ((unsigned char)*at < 0x20)
			d.lex = LEX_BROKEN;
		else if ((took = utf8_get(at, n - d.used, &cp)))
			d.lex = LEX_OK;
		if (d.lex)
			break;
		d.len += utf8_put(out ? out + d.len : NULL, cp);
		d.used += took;
		d.lex = LEX_CUT;
	}
	return d;
}

/* Reads the string at i, its opening quote.  Cut or broken, *s is what came before. */
static enum lex read_string(struct reader *r, struct sv *s)
{
	const char *p = r->p + r->i + 1;
	size_t n = r->n - r->i - 1;
	size_t run = plain_run(p, n);

	if (run < n && p[run] == '"') {
		*s = arena_dup(r->a, (struct sv){ p, run });
		if (!s->p)
			return LEX_NOMEM;
		r->i += run + 2;
		return LEX_OK;
	}
	struct decoded d = decode(p, n, NULL);
	char *out = arena_alloc(r->a, d.len + 1);
	if (!out)
		return LEX_NOMEM;
	decode(p, n, out);
	*s = (struct sv){ out, d.len };
	r->i += 1 + d.used;
	return d.lex;
}

/* Puts a new value where one is expected. */
static struct json *place(struct reader *r, enum json_type type)
{
	struct json *v = arena_alloc(r->a, sizeof(*v));

	if (!v)
		return NULL;
	v->type = type;
	r->expect = EXPECT_COMMA_OR_END;
	if (!r->depth) {
		r->root = v;
		return v;
	}
	struct json *parent = r->open[r->depth - 1];
	if (parent->type == JSON_OBJECT) {
		v->key = r->key;
		r->key = (struct sv){ 0 };
	}
	if (parent->tail)
		parent->tail->next = v;
	else
		parent->head = v;
	parent->tail = v;
	parent->cnt++;
	return v;
}

static enum lex read_string_value(struct reader *r)
{
	struct sv s;
	enum lex lex = read_string(r, &s);

	if (lex == LEX_NOMEM)
		return lex;
	struct json *v = place(r, JSON_STRING);
	if (!v)
		return LEX_NOMEM;
	v->s = s;
	v->cut = lex != LEX_OK;
	return lex;
}

static enum lex read_number(struct reader *r)
{
	struct json_number num = json_number_scan(r->p + r->i, r->n - r->i);
	struct sv spelling = { r->p + r->i, num.ok };
	enum lex lex = LEX_OK;

	r->i += num.seen;
	if (num.seen > num.ok || !num.ok)
		lex = r->i == r->n ? LEX_CUT : LEX_BROKEN;
	else if (r->i == r->n && r->depth)
		lex = LEX_CUT;
	if (!num.ok)
		return lex;
	struct json *v = place(r, JSON_NUMBER);
	if (!v)
		return LEX_NOMEM;
	v->s = arena_dup(r->a, spelling);
	v->cut = lex != LEX_OK;
	return v->s.p ? lex : LEX_NOMEM;
}

static enum lex read_literal(struct reader *r, const char *word, enum json_type type)
{
	bool b = *word == 't';

	for (; *word; word++, r->i++) {
		if (r->i == r->n)
			return LEX_CUT;
		if (r->p[r->i] != *word)
			return LEX_BROKEN;
	}
	struct json *v = place(r, type);
	if (!v)
		return LEX_NOMEM;
	v->b = b;
	return LEX_OK;
}

/*
 * Steps over a container that is too deep; null stands in its place.  Which bracket closes which is
 * not looked at: that would need the memory that the bound is there to save.
 */
static enum lex skip_container(struct reader *r)
{
	struct json *v = place(r, JSON_NULL);
	size_t depth = 0;
	bool quoted = false;

	if (!v)
		return LEX_NOMEM;
	r->too_deep = true;
	for (; r->i < r->n; r->i++) {
		char c = r->p[r->i];
		if (quoted) {
			if (c == '\\')
				r->i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		quoted = c == '"';
		if (c == '[' || c == '{')
			depth++;
		if ((c == ']' || c == '}') && --depth == 0) {
			r->i++;
			return LEX_OK;
		}
	}
	r->i = r->n;
	v->cut = true;
	return LEX_CUT;
}

static enum lex open_container(struct reader *r, enum json_type type)
{
	if (r->depth == LIMIT_JSON_DEPTH)
		return skip_container(r);
	struct json *v = place(r, type);
	if (!v)
		return LEX_NOMEM;
	r->open[r->depth++] = v;
	r->expect = type == JSON_ARRAY ? EXPECT_ITEM_OR_END : EXPECT_KEY_OR_END;
	r->i++;
	return LEX_OK;
}

static enum lex read_value(struct reader *r)
{
	switch (r->p[r->i]) {
	case '"':
		return read_string_value(r);
	case '{':
		return open_container(r, JSON_OBJECT);
	case '[':
		return open_container(r, JSON_ARRAY);
	case 't':
		return read_literal(r, "true", JSON_BOOL);
	case 'f':
		return read_literal(r, "false", JSON_BOOL);
	case 'n':
		return read_literal(r, "null", JSON_NULL);
	case '-':
	case '0' ... '9':
		return read_number(r);
	default:
		return LEX_BROKEN;
	}
}

static enum lex close_container(struct reader *r)
{
	r->depth--;
	r->i++;
	r->expect = EXPECT_COMMA_OR_END;
	return LEX_OK;
}

static enum lex read_key(struct reader *r)
{
	if (r->p[r->i] != '"')
		return LEX_BROKEN;
	r->expect = EXPECT_COLON;
	return read_string(r, &r->key);
}

/* Reads what is expected at i, which is no white space. */
static enum lex step(struct reader *r)
{
	char c = r->p[r->i];

	switch (r->expect) {
	case EXPECT_ITEM_OR_END:
		return c == ']' ? close_container(r) : read_value(r);
	case EXPECT_VALUE:
		return read_value(r);
	case EXPECT_KEY_OR_END:
		return c == '}' ? close_container(r) : read_key(r);
	case EXPECT_KEY:
		return read_key(r);
	case EXPECT_COLON:
		if (c != ':')
			return LEX_BROKEN;
		r->i++;
		r->expect = EXPECT_VALUE;
		return LEX_OK;
	case EXPECT_COMMA_OR_END:
		break;
	}
	if (!r->depth)
		return LEX_BROKEN;
	bool object = r->open[r->depth - 1]->type == JSON_OBJECT;
	if (c == (object ? '}' : ']'))
		return close_container(r);
	if (c != ',')
		return LEX_BROKEN;
	r->i++;
	r->expect = object ? EXPECT_KEY : EXPECT_VALUE;
	return LEX_OK;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct json *json_parse(struct arena *a, struct sv text, struct json_err *err)
{
	struct reader r = { .a = a, .p = text.p, .n = text.n, .expect = EXPECT_VALUE };
	enum lex lex = LEX_OK;

	while (!lex) {
		while (r.i < r.n && is_space(r.p[r.i]))
			r.i++;
		if (r.i == r.n) {
			lex = r.depth || !r.root ? LEX_CUT : LEX_OK;
			break;
		}
		lex = step(&r);
	}
	for (size_t i = 0; i < r.depth; i++)
		r.open[i]->cut = true;
	if (err)
		*err = (struct json_err){
			.cut = lex == LEX_CUT,
			.broken = lex == LEX_BROKEN,
			.too_deep = r.too_deep,
			.too_big = lex == LEX_NOMEM,
			.offset = lex == LEX_CUT ? r.n : r.i,
		};
	return r.root;
}
