// SPDX-License-Identifier: BSD-2-Clause
/*
 * Streams of events, each a JSON text with a few letters of what a model says: server-sent events (WHATWG HTML
 * 9.2.6), lines of JSON, JSON arrays, messages of a WebSocket.  The strings that stand at the same place in
 * one event after the other are masked as the one text that they are.
 *
 * A place is the keys and array indices that lead there, and what members "index", "output_index" and
 * their like say before it, which keeps answers apart that are sent in turns.  Where these come behind the
 * text, such answers are one text: that masks less of them, or more.  Members that only name things are no such
 * text, nor is what lies deeper than DEPTH.
 *
 * What is no JSON is followed as far as it goes; no byte is looked at twice, and none is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "seal/seal_int.h"

#define TEXTS 32 /* of a stream that are remembered */
#define DEPTH 24
#define NAME_MAX_LEN 20
#define WALKS_MAX 32768 /* streams that are followed at once, of 6 kB */
#define FNV_BASIS 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

enum kind { UNTOLD, LINES_OF_SSE, JSON_TEXTS, NO_EVENTS };
enum line { LINE_START, LINE_DATA, LINE_SKIP };
enum at { AT_VALUE, AT_KEY, IN_KEY, IN_STRING };

/* An object or array that is open. */
struct level {
	uint64_t place;
	uint32_t index;
	bool array;
};

struct text {
	uint64_t place, used; /* when it was, last */
	struct seal_joined joined;
};

struct seal_walk {
	enum kind kind;
	bool packed; /* escapes cannot be rewritten */
	/* lines */
	enum line line;
	uint8_t matched; /* of "data:" */
	bool after_cr;
	/* the JSON text */
	enum at at;
	uint32_t depth; /* levels that are open */
	struct level levels[DEPTH + 1];
	char name[NAME_MAX_LEN]; /* of the member */
	size_t name_len;
	uint64_t name_hash;
	bool is_index; /* a member whose number is a part of the place */
	bool digits;
	uint32_t number;
	uint8_t escape; /* bytes of one that were seen */
	uint16_t unit;
	bool label;
	struct text *text; /* that the string is a piece of */
	struct text texts[TEXTS];
	uint64_t clock;
};

/* --- texts */

static uint64_t mix(uint64_t hash, uint64_t with)
{
	return (hash ^ with) * FNV_PRIME;
}

/* Of the value that comes next.  The elements of an array that is all there is are events. */
static uint64_t place_of(const struct seal_walk *e)
{
	const struct level *l = &e->levels[e->depth];

	if (!e->depth)
		return FNV_BASIS;
	if (e->depth == 1 && l->array)
		return l->place;
	return mix(l->place, l->array ? l->index : e->name_hash);
}

static struct text *text_get(struct seal_work *w, struct seal_walk *e)
{
	uint64_t place = place_of(e);
	struct text *oldest = &e->texts[0];

	e->clock++;
	for (size_t i = 0; i < TEXTS; i++) {
		struct text *t = &e->texts[i];

		if (t->used && t->place == place) {
			t->used = e->clock;
			return t;
		}
		if (t->used < oldest->used)
			oldest = t;
	}
	if (oldest->joined.waits)
		seal_joined_flush(w);
	*oldest = (struct text){ .place = place, .used = e->clock };
	return oldest;
}

/* --- JSON (RFC 8259), as far as it matters */

static bool name_is(const struct seal_walk *e, const char *name)
{
	return sv_is((struct sv){ e->name, e->name_len }, name);
}

static bool is_label(const struct seal_walk *e)
{
	static const char *const labels[] = {
		"id",      "type",    "object",       "model",         "role",
		"item_id", "call_id", "event_id",     "response_id",   "system_fingerprint",
		"status",  "name",    "service_tier", "finish_reason", "obfuscation",
	};

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (name_is(e, labels[i]))
			return true;
	return false;
}

static void forget(struct seal_walk *e)
{
	e->at = AT_VALUE;
	e->depth = 0;
	e->text = NULL;
	e->is_index = false;
	e->escape = 0;
}

static void open_string(struct seal_walk *e)
{
	const struct level *l = &e->levels[e->depth < DEPTH ? e->depth : DEPTH];

	e->text = NULL;
	e->escape = 0;
	if (e->at == AT_KEY) {
		e->at = IN_KEY;
		e->name_len = 0;
		e->name_hash = FNV_BASIS;
		return;
	}
	e->at = IN_STRING;
	e->label = e->depth > DEPTH || (e->depth && !l->array && is_label(e));
}

static void open_level(struct seal_walk *e, bool array)
{
	uint64_t place = e->depth < DEPTH ? place_of(e) : 0;

	if (e->depth == UINT32_MAX)
		return;
	if (++e->depth <= DEPTH)
		e->levels[e->depth] = (struct level){ .place = place, .array = array };
	e->at = array ? AT_VALUE : AT_KEY;
}

/* A value is over, and with it perhaps what is around it. */
static void close_value(struct seal_walk *e, bool level)
{
	if (e->is_index && e->digits && e->depth <= DEPTH)
		e->levels[e->depth].place = mix(e->levels[e->depth].place, e->number + 1u);
	e->is_index = false;
	e->at = AT_VALUE;
	if (level)
		e->depth -= e->depth > 0;
	else if (!e->depth || e->depth > DEPTH || e->levels[e->depth].array)
		e->levels[e->depth < DEPTH ? e->depth : DEPTH].index++;
	else
		e->at = AT_KEY;
}

/* A byte that is in no string. */
static void step(struct seal_walk *e, char c)
{
	switch (c) {
	case '"':
		open_string(e);
		break;
	case '{':
	case '[':
		open_level(e, c == '[');
		break;
	case '}':
	case ']':
		close_value(e, true);
		break;
	case ',':
		close_value(e, false);
		break;
	case ':':
		e->at = AT_VALUE;
		break;
	default:
		if (e->is_index && c >= '0' && c <= '9') {
			e->number = e->number * 10 + (uint32_t)(c - '0');
			e->digits = true;
		}
		break;
	}
}

static size_t take_key(struct seal_walk *e, const char *p, size_t n)
{
	size_t i = 0;

	for (; i < n && (unsigned char)p[i] >= ' ' && (p[i] != '"' || e->escape); i++) {
		e->escape = !e->escape && p[i] == '\\';
		e->name_hash = mix(e->name_hash, (unsigned char)p[i]);
		if (e->name_len < NAME_MAX_LEN)
			e->name[e->name_len] = p[i];
		e->name_len += e->name_len <= NAME_MAX_LEN;
	}
	if (i == n || p[i] != '"')
		return i;
	e->at = AT_VALUE;
	if (e->name_len > NAME_MAX_LEN)
		e->name_len = 0; /* none that is known */
	e->is_index = sv_ends((struct sv){ e->name, e->name_len }, "index") ||
		      sv_ends((struct sv){ e->name, e->name_len }, "Index");
	e->digits = false;
	e->number = 0;
	return i + 1;
}

static struct seal_joined *joined(struct seal_work *w, struct seal_walk *e)
{
	if (!e->text)
		e->text = text_get(w, e);
	return &e->text->joined;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What "\n" and its like say; 0: nothing does so. */
static char unescaped(char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;

	return at ? to[at - from] : 0;
}

/* A byte of an escape, of which `before` are in front of it here; false: it is none. */
static bool take_escape(struct seal_work *w, struct seal_walk *e, char *p, size_t before)
{
	int digit;

	if (e->escape == 1 && *p == 'u') {
		e->escape = 2;
		e->unit = 0;
		return true;
	}
	if (e->escape == 1) {
		e->escape = 0;
		if (!unescaped(*p))
			return false;
		if (!e->label)
			seal_joined_escape(w, joined(w, e), (uint16_t)unescaped(*p), p, 0);
		return true;
	}
	digit = hex_value(*p);
	if (digit < 0) {
		e->escape = 0;
		return false;
	}
	e->unit = (uint16_t)(e->unit << 4 | digit);
	if (++e->escape < 6)
		return true;
	e->escape = 0;
	if (!e->label) {
		size_t here = e->packed ? 0 : before < 3 ? before + 1 : 4;

		seal_joined_escape(w, joined(w, e), e->unit, p + 1 - here, here);
	}
	return true;
}

static size_t take_string(struct seal_work *w, struct seal_walk *e, char *p, size_t n)
{
	size_t i = 0, from;

	while (e->escape && i < n)
		if (take_escape(w, e, p + i, i))
			i++;
	from = i;
	while (i < n && p[i] != '"' && p[i] != '\\' && (unsigned char)p[i] >= ' ')
		i++;
	if (i > from && !e->label)
		seal_joined_add(w, joined(w, e), p + from, i - from);
	if (i == n)
		return n;
	if (p[i] == '"')
		e->at = AT_VALUE;
	else if (p[i] == '\\')
		e->escape = 1;
	else if (p[i] == '\n' || p[i] == '\r')
		return i;
	return i + 1;
}

/* Up to the end of the line. */
static size_t take_json(struct seal_work *w, struct seal_walk *e, char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (e->at == IN_STRING)
			i += take_string(w, e, p + i, n - i);
		else if (e->at == IN_KEY)
			i += take_key(e, p + i, n - i);
		if (i == n || p[i] == '\n' || p[i] == '\r')
			break;
		if (e->at == IN_KEY) /* no JSON */
			forget(e);
		else if (e->at != IN_STRING)
			step(e, p[i++]);
	}
	return i;
}

/* --- lines */

static void end_line(struct seal_walk *e, char c)
{
	e->line = LINE_START;
	e->matched = 0;
	e->after_cr = c == '\r';
	if (e->at == IN_STRING || e->at == IN_KEY) /* no string has a line end */
		forget(e);
}

/* Is it no stream of events at all?  The first byte tells. */
static void find_kind(struct seal_walk *e, char c)
{
	if (c == '{' || c == '[')
		e->kind = JSON_TEXTS;
	else if (strchr("deir:", c) && c) /* of the names of fields, and comments */
		e->kind = LINES_OF_SSE;
	else if ((unsigned char)c > ' ' && (unsigned char)c < 0x80) /* there may be a BOM */
		e->kind = NO_EVENTS;
}

/* A byte of the name of a field; false: it is no part of it. */
static bool take_name(struct seal_walk *e, char c)
{
	static const char name[] = "data:";

	if (c == '\n' || c == '\r') {
		if (c == '\n' && e->after_cr) {
			e->after_cr = false;
			return true;
		}
		if (!e->matched) /* an empty line */
			forget(e);
		end_line(e, c);
		return true;
	}
	e->after_cr = false;
	if (c != name[e->matched]) {
		e->line = LINE_SKIP;
		return false;
	}
	if (++e->matched == sizeof(name) - 1)
		e->line = LINE_DATA;
	return true;
}

static size_t take_start(struct seal_walk *e, char c)
{
	if (e->kind == UNTOLD)
		find_kind(e, c);
	if (e->kind == LINES_OF_SSE)
		return take_name(e, c);
	if (e->kind != JSON_TEXTS)
		return 1;
	e->line = LINE_DATA;
	return 0;
}

static size_t take_skip(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n), *cr;

	n = lf ? (size_t)(lf - p) : n;
	cr = memchr(p, '\r', n);
	return cr ? (size_t)(cr - p) : n;
}

static void feed(struct seal_work *w, struct seal_walk *e, char *p, size_t n)
{
	size_t i = 0;

	while (i < n && e->kind != NO_EVENTS) {
		if (e->line == LINE_START) {
			i += take_start(e, p[i]);
			continue;
		}
		i += e->line == LINE_SKIP ? take_skip(p + i, n - i) : take_json(w, e, p + i, n - i);
		if (i < n)
			end_line(e, p[i++]);
	}
}

/* --- streams */

void seal_events_feed(struct seal_work *w, struct seal_events *s, char *p, size_t n, bool packed)
{
	if (s->none)
		return;
	if (!s->walk && w->walks < WALKS_MAX) {
		s->walk = calloc(1, sizeof(*s->walk));
		w->walks += s->walk != NULL;
	}
	if (!s->walk)
		return;
	s->walk->packed = packed;
	feed(w, s->walk, p, n);
	if (s->walk->kind != NO_EVENTS)
		return;
	seal_events_fini(w, s);
	s->none = true;
}

void seal_events_message(struct seal_events *s)
{
	s->none = false;
	if (!s->walk)
		return;
	forget(s->walk);
	s->walk->line = LINE_START;
}

void seal_events_hole(struct seal_events *s)
{
	if (!s->walk)
		return;
	forget(s->walk);
	s->walk->line = LINE_SKIP;
}

void seal_events_fini(struct seal_work *w, struct seal_events *s)
{
	if (s->walk) {
		seal_joined_flush(w);
		free(s->walk);
		w->walks--;
	}
	*s = (struct seal_events){ .walk = NULL };
}
