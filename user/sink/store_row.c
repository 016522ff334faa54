// SPDX-License-Identifier: BSD-2-Clause
/* Span to row: see store_row.h. */
#include "sink/store_row.h"

#include <errno.h>
#include <stdlib.h>

static struct sv keep(struct row *r, struct buf *b)
{
	struct sv text = arena_dup(&r->arena, buf_view(b));

	if (b->err)
		r->arena.failed = true;
	buf_clear(b);
	return text;
}

static void add_part(struct row *r, struct buf *b, const struct attr_def *def, int part,
		     const struct json *value)
{
	json_write(b, value);
	r->parts[r->part_cnt++] = (struct row_part){ .key = def->key,
						     .always = def->source == ATTR_CONTENT,
						     .part = part,
						     .text = keep(r, b) };
}

static void add_payload(struct row *r, struct buf *b, const struct attr_def *def,
			const struct json *value)
{
	int part = 0;

	if (!json_is(value, JSON_ARRAY)) {
		add_part(r, b, def, PART_WHOLE, value);
		return;
	}
	if (!value->head) {
		add_part(r, b, def, PART_EMPTY_ARRAY, value);
		return;
	}
	json_for_each (value, e) {
		add_part(r, b, def, part++, e);
	}
}

static size_t part_cnt(const struct json *value)
{
	return json_is(value, JSON_ARRAY) && value->head ? value->cnt : 1;
}

/* Keys of parts come from the attribute table, which outlives every row. */
static void add_payloads(struct row *r, struct buf *b, const struct span *s)
{
	size_t cnt = 0;

	for (enum attr_id id = 0; id < ATTR_ID_CNT; id++)
		if (attr_is_apart(&attr_defs[id]) && span_attr(s, id))
			cnt += part_cnt(span_attr(s, id));
	if (!cnt)
		return;
	r->parts = arena_alloc(&r->arena, cnt * sizeof(*r->parts));
	if (!r->parts)
		return;
	for (enum attr_id id = 0; id < ATTR_ID_CNT; id++)
		if (attr_is_apart(&attr_defs[id]) && span_attr(s, id))
			add_payload(r, b, &attr_defs[id], span_attr(s, id));
}

/* SQLite's integers are signed; a capture file may hold any time at all. */
static uint64_t clamp(uint64_t ns)
{
	return ns > INT64_MAX ? INT64_MAX : ns;
}

int row_new(struct row **out, const struct span *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct row *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	arena_init(&r->arena, 0);
	memcpy(r->trace_id, s->trace_id, sizeof(r->trace_id));
	memcpy(r->span_id, s->span_id, sizeof(r->span_id));
	memcpy(r->parent_span_id, s->parent_span_id, sizeof(r->parent_span_id));
	r->start_ns = clamp(s->start_ns);
	r->end_ns = clamp(s->end_ns);
	r->what = span_what_name(s->what);
	r->kind = span_kind_name(s->kind);
	r->status = span_status_name(s->status);
	r->name = arena_dup(&r->arena, s->name);
	r->status_message = arena_dup(&r->arena, s->status_message);
	span_write_attrs(&b, s->attributes, ATTRS_INLINE);
	r->attributes = keep(r, &b);
	span_write_list(&b, s->events, ATTRS_ALL);
	r->events = keep(r, &b);
	span_write_list(&b, s->links, ATTRS_ALL);
	r->links = keep(r, &b);
	span_write_attrs(&b, s->resource, ATTRS_ALL);
	r->resource = keep(r, &b);
	add_payloads(r, &b, s);
	if (arena_failed(&r->arena)) {
		row_free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void row_free(struct row *r)
{
	arena_fini(&r->arena);
	free(r);
}

size_t row_bytes(const struct row *r)
{
	return sizeof(*r) + r->arena.used;
}
