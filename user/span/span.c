// SPDX-License-Identifier: BSD-2-Clause
/*
 * A span and its text form.  Everything of a span lives in its arena; when that is full the setters
 * do nothing, and arena_failed() tells so.  Text is redacted on its way in, so that no sink has to
 * think of it.
 */
#include "span/span.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/redact.h"

int span_new(struct span **out, enum span_what what)
{
	struct span *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	arena_init(&s->arena, LIMIT_JSON_ARENA);
	s->what = what;
	s->kind = SPAN_KIND_INTERNAL;
	s->attributes = json_object(&s->arena);
	s->events = json_array(&s->arena);
	s->links = json_array(&s->arena);
	s->resource = json_object(&s->arena);
	span_set_str(s, ATTR_ID_KIND, sv(span_what_name(what)));
	if (arena_failed(&s->arena)) {
		span_free(&s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void span_free(struct span **s)
{
	if (!*s)
		return;
	arena_fini(&(*s)->arena);
	free(*s);
	*s = NULL;
}

int span_copy(struct span **out, const struct span *s)
{
	struct span *k = calloc(1, sizeof(*k));
	struct arena *a;

	if (!k)
		return -ENOMEM;
	*k = *s;
	a = &k->arena;
	arena_init(a, 0); /* no more than s is */
	k->name = arena_dup(a, s->name);
	k->status_message = arena_dup(a, s->status_message);
	k->attributes = json_copy(a, s->attributes);
	k->events = json_copy(a, s->events);
	k->links = json_copy(a, s->links);
	k->resource = json_copy(a, s->resource);
	if (arena_failed(a)) {
		span_free(&k);
		return -ENOMEM;
	}
	*out = k;
	return 0;
}

/* Depth is that of JSON texts: LIMIT_JSON_DEPTH. */
static void redact_json(struct json *v)
{
	if (v->type == JSON_STRING) /* the span's own copy */
		redact_member(v->key, (char *)v->s.p, v->s.n);
	for (struct json *e = v->head; e; e = e->next)
		redact_json(e);
}

static struct sv own_text(struct span *s, struct sv v)
{
	struct sv copy = arena_dup(&s->arena, v);

	if (copy.n && !s->no_redact)
		redact_text((char *)copy.p, copy.n);
	return copy;
}

void span_set_name(struct span *s, struct sv name)
{
	s->name = own_text(s, name);
}

void span_set_status(struct span *s, enum span_status status, struct sv message)
{
	s->status = status;
	s->status_message = own_text(s, message);
}

static void set(struct span *s, enum attr_id id, struct json *v)
{
	json_set(&s->arena, s->attributes, attr_defs[id].key, v);
}

void span_set_str(struct span *s, enum attr_id id, struct sv v)
{
	struct json *str;

	if (!v.n)
		return;
	str = json_string(&s->arena, v);
	if (str && !s->no_redact)
		redact_text((char *)str->s.p, str->s.n);
	set(s, id, str);
}

void span_set_int(struct span *s, enum attr_id id, int64_t v)
{
	set(s, id, json_int(&s->arena, v));
}

void span_set_float(struct span *s, enum attr_id id, double v)
{
	if (!__builtin_isfinite(v)) /* JSON has no word for it */
		return;
	set(s, id, json_float(&s->arena, v));
}

void span_set_bool(struct span *s, enum attr_id id, bool v)
{
	set(s, id, json_bool(&s->arena, v));
}

void span_set_json(struct span *s, enum attr_id id, const struct json *v)
{
	struct json *copy = v ? json_copy(&s->arena, v) : NULL;

	if (copy && !s->no_redact)
		redact_json(copy);
	set(s, id, copy);
}

void span_event(struct span *s, uint64_t time_ns, const char *name, struct json *attributes)
{
	struct json *ev = json_object(&s->arena);
	struct json *attrs = attributes ? json_copy(&s->arena, attributes) : json_object(&s->arena);

	if (!ev || !attrs)
		return;
	if (!s->no_redact)
		redact_json(attrs);
	json_set(&s->arena, ev, "time_unix_nano", json_uint(&s->arena, time_ns));
	json_set(&s->arena, ev, "name", json_string(&s->arena, sv(name)));
	json_set(&s->arena, ev, "attributes", attrs);
	json_push(s->events, ev);
}

void span_link(struct span *s, const char *trace_id, const char *span_id, const char *relation)
{
	struct arena *a = &s->arena;
	struct json *link = json_object(a), *attributes = json_object(a);

	json_set(a, attributes, attr_defs[ATTR_ID_RELATION].key, json_string(a, sv(relation)));
	json_set(a, link, "trace_id", json_string(a, sv(trace_id)));
	json_set(a, link, "span_id", json_string(a, sv(span_id)));
	json_set(a, link, "attributes", attributes);
	json_push(s->links, link);
}

uint64_t span_awake_ns(const struct span *s)
{
	uint64_t ns = s->end_ns > s->start_ns ? s->end_ns - s->start_ns : 0;
	int64_t suspended = span_attr_int(s, ATTR_ID_SUSPENDED, 0);

	return suspended > 0 && (uint64_t)suspended <= ns ? ns - (uint64_t)suspended : ns;
}

void span_incomplete(struct span *s, const char *reason)
{
	struct json *list = json_get(s->attributes, attr_defs[ATTR_ID_INCOMPLETE].key);

	json_for_each (list, e) {
		if (json_str_is(e, reason))
			return;
	}
	if (!list) {
		list = json_array(&s->arena);
		if (!list)
			return;
		set(s, ATTR_ID_INCOMPLETE, list);
	}
	json_push(list, json_string(&s->arena, sv(reason)));
}

const struct json *span_attr(const struct span *s, enum attr_id id)
{
	return json_get(s->attributes, attr_defs[id].key);
}

struct sv span_attr_sv(const struct span *s, enum attr_id id)
{
	return json_sv(span_attr(s, id));
}

int64_t span_attr_int(const struct span *s, enum attr_id id, int64_t otherwise)
{
	int64_t v;

	return json_i64(span_attr(s, id), &v) ? v : otherwise;
}

double span_attr_float(const struct span *s, enum attr_id id, double otherwise)
{
	double v;

	return json_f64(span_attr(s, id), &v) ? v : otherwise;
}

static void write_key(struct buf *b, struct sv key)
{
	if (b->len && b->p[b->len - 1] != '{')
		buf_ch(b, ',');
	json_write_str(b, key);
	buf_ch(b, ':');
}

static void write_member(void *ctx, const struct json *v)
{
	struct buf *b = ctx;

	write_key(b, v->key);
	json_write(b, v);
}

int span_write_attrs(struct buf *b, const struct json *attributes, enum attr_level level)
{
	buf_ch(b, '{');
	span_each_attr(attributes, level, write_member, b);
	buf_ch(b, '}');
	return b->err;
}

static void write_text(struct buf *b, const char *key, struct sv v)
{
	buf_fmt(b, "\"%s\":", key);
	json_write_str(b, v);
}

/* Events and links, with their attributes behind the rest. */
int span_write_list(struct buf *b, const struct json *list, enum attr_level level)
{
	const char *sep = "";

	buf_ch(b, '[');
	json_for_each (list, item) {
		buf_str(b, sep);
		buf_ch(b, '{');
		json_for_each (item, m) {
			if (!sv_is(m->key, "attributes"))
				write_member(b, m);
		}
		write_key(b, SV("attributes"));
		span_write_attrs(b, json_get(item, "attributes"), level);
		buf_ch(b, '}');
		sep = ",";
	}
	buf_ch(b, ']');
	return b->err;
}

int span_write_json(struct buf *b, const struct span *s, bool payload)
{
	enum attr_level level = payload ? ATTRS_ALL : ATTRS_SHOWN;

	buf_fmt(b, "{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"parent_span_id\":\"%s\",",
		s->trace_id, s->span_id, s->parent_span_id);
	write_text(b, "name", s->name);
	buf_fmt(b,
		",\"kind\":\"%s\",\"start_time_unix_nano\":%" PRIu64
		",\"end_time_unix_nano\":%" PRIu64 ",\"status\":{\"code\":\"%s\",",
		span_kind_name(s->kind), s->start_ns, s->end_ns, span_status_name(s->status));
	write_text(b, "message", s->status_message);
	buf_str(b, "},\"attributes\":");
	span_write_attrs(b, s->attributes, level);
	buf_str(b, ",\"events\":");
	span_write_list(b, s->events, level);
	buf_str(b, ",\"links\":");
	span_write_list(b, s->links, level);
	buf_str(b, ",\"resource\":");
	span_write_attrs(b, s->resource, level);
	buf_ch(b, '}');
	return b->err;
}

static bool read_id(const struct json *v, char *out, size_t digits, bool may_be_empty)
{
	struct sv id = json_sv(v);

	if (!json_is(v, JSON_STRING))
		return false;
	if (!id.n && may_be_empty)
		return true;
	if (id.n != digits)
		return false;
	for (size_t i = 0; i < digits; i++)
		if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f')))
			return false;
	memcpy(out, id.p, digits);
	out[digits] = '\0';
	return true;
}

static bool read_time(const struct json *v, uint64_t *out)
{
	int64_t t;

	if (!json_is(v, JSON_NUMBER) || !json_i64(v, &t) || t < 0)
		return false;
	*out = (uint64_t)t;
	return true;
}

static bool read_kind(struct sv text, enum span_kind *out)
{
	for (enum span_kind k = SPAN_KIND_INTERNAL; k <= SPAN_KIND_CLIENT; k++)
		if (sv_is(text, span_kind_name(k))) {
			*out = k;
			return true;
		}
	return false;
}

static bool read_status(struct sv text, enum span_status *out)
{
	for (enum span_status st = STATUS_UNSET; st <= STATUS_ERROR; st++)
		if (sv_is(text, span_status_name(st))) {
			*out = st;
			return true;
		}
	return false;
}

static bool read_what(struct sv text, enum span_what *out)
{
	for (enum span_what w = 0; w < SPAN_WHAT_CNT; w++)
		if (sv_is(text, span_what_name(w))) {
			*out = w;
			return true;
		}
	return false;
}

static bool read_head(struct span *s, const struct json *root)
{
	s->name = json_sv(json_get(root, "name"));
	s->status_message = json_sv(json_path(root, "status.message"));
	return json_is(json_get(root, "name"), JSON_STRING) &&
	       read_id(json_get(root, "trace_id"), s->trace_id, HEX128 - 1, false) &&
	       read_id(json_get(root, "span_id"), s->span_id, HEX64 - 1, false) &&
	       read_id(json_get(root, "parent_span_id"), s->parent_span_id, HEX64 - 1, true) &&
	       read_time(json_get(root, "start_time_unix_nano"), &s->start_ns) &&
	       read_time(json_get(root, "end_time_unix_nano"), &s->end_ns) &&
	       read_kind(json_sv(json_get(root, "kind")), &s->kind) &&
	       read_status(json_sv(json_path(root, "status.code")), &s->status);
}

static bool list_of_objects(const struct json *list)
{
	json_for_each (list, e) {
		if (e->type != JSON_OBJECT)
			return false;
	}
	return json_is(list, JSON_ARRAY);
}

static bool read_body(struct span *s, const struct json *root)
{
	s->attributes = json_get(root, "attributes");
	s->events = json_get(root, "events");
	s->links = json_get(root, "links");
	s->resource = json_get(root, "resource");
	return json_is(s->attributes, JSON_OBJECT) && list_of_objects(s->events) &&
	       list_of_objects(s->links) && json_is(s->resource, JSON_OBJECT) &&
	       read_what(span_attr_sv(s, ATTR_ID_KIND), &s->what);
}

int span_read_json(struct span **out, struct sv text)
{
	struct span *s = calloc(1, sizeof(*s));
	struct json_err err;
	struct json *root;
	int ret = -EINVAL;

	if (!s)
		return -ENOMEM;
	arena_init(&s->arena, LIMIT_JSON_ARENA);
	root = json_parse(&s->arena, text, &err);
	if (arena_failed(&s->arena))
		ret = -ENOMEM;
	else if (root && !err.cut && !err.broken && read_head(s, root) && read_body(s, root))
		ret = 0;
	if (ret) {
		span_free(&s);
		return ret;
	}
	*out = s;
	return 0;
}
