// SPDX-License-Identifier: BSD-2-Clause
/* The attribute table, made of schemas/attributes.def, and the names of a span's enumerations. */
#include "span/span.h"

#include <string.h>

#define ATTR(id, text, value_type, origin, class, why) \
	[ATTR_ID_##id] = {                             \
		.key = text,                           \
		.type = ATTR_##value_type,             \
		.source = ATTR_##origin,               \
		.brief = why,                          \
	},
const struct attr_def attr_defs[ATTR_ID_CNT] = {
#include "attributes.def"
};
#undef ATTR

#define ATTR(id, text, value_type, origin, class, why) sizeof(text) - 1,
static const unsigned char key_len[ATTR_ID_CNT] = {
#include "attributes.def"
};
#undef ATTR

const struct attr_def *attr_find(struct sv key)
{
	for (size_t i = 0; i < ATTR_ID_CNT; i++)
		if (key_len[i] == key.n && memcmp(attr_defs[i].key, key.p, key.n) == 0)
			return &attr_defs[i];
	return NULL;
}

const char *span_what_name(enum span_what w)
{
	static const char *const names[SPAN_WHAT_CNT] = {
#define X(id, text) [SPAN_##id] = text,
		SPAN_KINDS(X)
#undef X
	};

	return (unsigned int)w < SPAN_WHAT_CNT ? names[w] : "";
}

bool span_what_fails(enum span_what w)
{
	return w != SPAN_RUN && w != SPAN_AGENT && w != SPAN_TURN && w != SPAN_ATTEMPT &&
	       w != SPAN_FILE && w != SPAN_SYSCALL && w != SPAN_FUNCTION;
}

bool span_is_read(const struct span *s)
{
	return s->what == SPAN_FILE && !span_attr(s, ATTR_ID_FILE_CHANGE) &&
	       (span_attr(s, ATTR_ID_FILE_READ) ||
		(s->status != STATUS_ERROR && span_attr(s, ATTR_ID_ERROR_TYPE)));
}

const char *span_kind_name(enum span_kind k)
{
	static const char *const names[] = {
		[SPAN_KIND_INTERNAL] = "INTERNAL",
		[SPAN_KIND_SERVER] = "SERVER",
		[SPAN_KIND_CLIENT] = "CLIENT",
	};

	return k >= SPAN_KIND_INTERNAL && k <= SPAN_KIND_CLIENT ? names[k] : "";
}

const char *span_status_name(enum span_status s)
{
	static const char *const names[] = {
		[STATUS_UNSET] = "UNSET",
		[STATUS_OK] = "OK",
		[STATUS_ERROR] = "ERROR",
	};

	return (unsigned int)s <= STATUS_ERROR ? names[s] : "";
}

bool attr_is_apart(const struct attr_def *def)
{
	return def->source == ATTR_PAYLOAD || def->source == ATTR_CONTENT ||
	       def->source == ATTR_SNAPSHOT;
}

static bool is_meant(const struct attr_def *def, enum attr_level level)
{
	if (level == ATTRS_INLINE)
		return !attr_is_apart(def);
	if (def->source == ATTR_SNAPSHOT)
		return false;
	return level == ATTRS_ALL || def->source != ATTR_PAYLOAD;
}

/* Attributes outside the table come behind it; a span of many of them is walked, not sorted. */
void span_each_attr(const struct json *attributes, enum attr_level level, span_attr_fn fn,
		    void *ctx)
{
	const struct json *known[ATTR_ID_CNT] = { 0 };

	json_for_each (attributes, v) {
		const struct attr_def *def = attr_find(v->key);

		if (def)
			known[def - attr_defs] = v;
	}
	for (size_t i = 0; i < ATTR_ID_CNT; i++)
		if (known[i] && is_meant(&attr_defs[i], level))
			fn(ctx, known[i]);
	json_for_each (attributes, v) {
		if (!attr_find(v->key))
			fn(ctx, v);
	}
}
