// SPDX-License-Identifier: BSD-2-Clause
/* Spans without their payload: see payload.h. */
#include "span/payload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum payload_class { KEEP, META, SHAPE, MESSAGES, URL, ARGV, DROP };

static const unsigned char classes[ATTR_ID_CNT] = {
#define ATTR(id, key, type, source, class, brief) [ATTR_ID_##id] = class,
#include "attributes.def"
#undef ATTR
};

int payload_level(struct sv name, enum payload_level *out)
{
	static const char *const names[] = {
		[PAYLOAD_FULL] = "full",
		[PAYLOAD_META] = "meta",
		[PAYLOAD_NONE] = "none",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (sv_is(name, names[i])) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

/* Members of messages and their parts that are structure. */
static bool is_structure(struct sv key)
{
	static const char *const keys[] = { "role", "type", "name", "id", "finish_reason" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (sv_is(key, keys[i]))
			return true;
	return false;
}

/* What a tool is called with and what it gives has members of any name. */
static bool is_tools_own(struct sv key)
{
	static const char *const keys[] = { "arguments", "response", "result", "parameters" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (sv_is(key, keys[i]))
			return true;
	return false;
}

/* A text that says no more than a length; one that says it already stays. */
static struct json *length_of(struct arena *a, struct sv text)
{
	struct sv digits = sv_sub(text, 1, text.n - sizeof("< bytes>") + 1);
	int64_t n;

	if (text.n < 24 && sv_starts(text, "<") && sv_ends(text, " bytes>") && !sv_i64(digits, &n))
		return json_string(a, text);
	return json_string(a, arena_fmt(a, "<%zu bytes>", text.n));
}

static struct json *kind_of(struct arena *a, const struct json *v)
{
	switch (v->type) {
	case JSON_STRING:
		if (sv_is(v->s, "<number>") || sv_is(v->s, "<boolean>"))
			return json_string(a, v->s);
		return length_of(a, v->s);
	case JSON_NUMBER:
		return json_string(a, SV("<number>"));
	case JSON_BOOL:
		return json_string(a, SV("<boolean>"));
	default:
		return json_null(a);
	}
}

/*
 * Its keys and the lengths of its texts.  A text that is JSON itself (the arguments of a call) is one value.
 * Depth is that of JSON texts: LIMIT_JSON_DEPTH.
 */
static struct json *shape_of(struct arena *a, const struct json *v, bool messages)
{
	struct json *out;

	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
		return messages && v->type == JSON_STRING && is_structure(v->key)
			       ? json_string(a, v->s)
			       : kind_of(a, v);
	out = v->type == JSON_ARRAY ? json_array(a) : json_object(a);
	json_for_each (v, e) {
		struct json *item = shape_of(a, e, messages && !is_tools_own(e->key));

		if (v->type == JSON_ARRAY)
			json_push(out, item);
		else
			json_add(a, out, e->key, item);
	}
	return out;
}

/* "https://host:1/path?query#part"; without a scheme it is a path. */
static struct json *url_of(struct arena *a, struct sv url, enum payload_level level)
{
	long scheme = sv_find(url, SV("://"));
	size_t i = scheme < 0 ? 0 : (size_t)scheme + 3, end = url.n, path;

	while (i < url.n && !strchr("/?#", url.p[i]))
		i++;
	path = i;
	while (i < end)
		if (url.p[i] == '?' || url.p[i] == '#')
			end = i;
		else
			i++;
	return json_string(a, sv_sub(url, 0, level == PAYLOAD_META ? end : path));
}

/* The program's name, and how long its arguments are. */
static struct json *argv_of(struct arena *a, const struct json *args, enum payload_level level)
{
	struct json *out = json_array(a);
	bool first = true;

	json_for_each (args, e) {
		if (first)
			json_push(out, json_string(a, json_sv(e)));
		else if (level == PAYLOAD_META)
			json_push(out, kind_of(a, e));
		first = false;
	}
	return out;
}

/* NULL: nothing of it is kept. */
static struct json *kept(struct arena *a, const struct json *v, enum payload_level level)
{
	const struct attr_def *def = attr_find(v->key);
	enum payload_class class = def ? classes[def - attr_defs] : DROP; /* a key of nobody */
	bool meta = level == PAYLOAD_META;

	switch (class) {
	case KEEP:
		return json_copy(a, v);
	case META:
		return meta ? json_copy(a, v) : NULL;
	case SHAPE:
		return meta ? shape_of(a, v, false) : NULL;
	case MESSAGES:
		return meta ? shape_of(a, v, true) : NULL;
	case URL:
		return url_of(a, json_sv(v), level);
	case ARGV:
		return argv_of(a, v, level);
	default:
		return NULL;
	}
}

static struct json *attributes_of(struct arena *a, const struct json *attributes,
				  enum payload_level level)
{
	struct json *out = json_object(a);

	json_for_each (attributes, v) {
		json_add(a, out, v->key, kept(a, v, level));
	}
	return out;
}

/* Events and links. */
static struct json *list_of(struct arena *a, const struct json *list, enum payload_level level)
{
	struct json *out = json_array(a);

	json_for_each (list, item) {
		struct json *copy = json_object(a);

		json_for_each (item, m) {
			json_add(a, copy, m->key,
				 sv_is(m->key, "attributes") ? attributes_of(a, m, level)
							     : json_copy(a, m));
		}
		json_push(out, copy);
	}
	return out;
}

/* Names that tell what was asked for or touched, behind what was done: "GET /path", "read notes.txt". */
static struct sv name_of(const struct span *s, enum payload_level level)
{
	bool tells = s->what == SPAN_ATTEMPT || s->what == SPAN_HTTP || s->what == SPAN_FILE ||
		     s->what == SPAN_SYSCALL || span_attr(s, ATTR_ID_MCP_URI);
	struct sv rest = s->name;

	if (!tells)
		return s->name;
	return sv_token(&rest, level == PAYLOAD_NONE ? ' ' : '?');
}

int payload_keep(struct span **out, const struct span *s, enum payload_level level)
{
	struct span *k = calloc(1, sizeof(*k));
	struct arena *a;

	if (!k)
		return -ENOMEM;
	*k = *s;
	a = &k->arena;
	arena_init(a, 0); /* no more than s is, but for lengths in place of texts */
	k->name = arena_dup(a, name_of(s, level));
	k->status_message = (struct sv){ NULL, 0 };
	k->attributes = attributes_of(a, s->attributes, level);
	k->events = list_of(a, s->events, level);
	k->links = list_of(a, s->links, level);
	k->resource = attributes_of(a, s->resource, level);
	if (arena_failed(a)) {
		span_free(&k);
		return -ENOMEM;
	}
	*out = k;
	return 0;
}
