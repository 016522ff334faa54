// SPDX-License-Identifier: BSD-2-Clause
/* Span to row: see store_row.h. */
#include "sink/store_row.h"

#include <errno.h>
#include <stdlib.h>

#include "sink/body_cut.h"

static struct sv keep(struct row *r, struct buf *b)
{
	struct sv text = arena_dup(&r->arena, buf_view(b));

	if (b->err)
		r->arena.failed = true;
	buf_clear(b);
	return text;
}

static enum part_level level_of(const struct attr_def *def)
{
	if (def->source == ATTR_SNAPSHOT)
		return LEVEL_SNAPSHOT;
	return def->source == ATTR_CONTENT ? LEVEL_SHOWN : LEVEL_PAYLOAD;
}

static struct row_part *add_part(struct row *r, const struct attr_def *def, enum part_shape shape,
				 struct sv text)
{
	struct row_part *p = &r->parts[r->part_cnt++];

	*p = (struct row_part){
		.key = def->key, .level = level_of(def), .shape = shape, .text = text
	};
	return p;
}

static struct sv text_of(struct row *r, struct buf *b, const struct json *value)
{
	json_write(b, value);
	return keep(r, b);
}

static size_t piece_cnt(struct sv bytes)
{
	struct body_cut cut = { .text = bytes };
	struct sv piece;
	size_t cnt = 0;

	while (body_cut_next(&cut, &piece))
		cnt++;
	return cnt;
}

static void add_pieces(struct row *r, const struct attr_def *def, struct sv bytes)
{
	struct body_cut cut = { .text = arena_dup(&r->arena, bytes) };
	struct sv piece;

	while (body_cut_next(&cut, &piece))
		add_part(r, def, PART_BYTES, piece);
}

static void add_payload(struct row *r, struct buf *b, const struct attr_def *def,
			const struct json *value)
{
	if (def->source == ATTR_SNAPSHOT) {
		add_pieces(r, def, value->s);
		return;
	}
	if (!json_is(value, JSON_ARRAY)) {
		add_part(r, def, PART_JSON, text_of(r, b, value));
		return;
	}
	if (!value->head)
		add_part(r, def, PART_ELEMENT, SV(""))->none = true;
	json_for_each (value, e) {
		add_part(r, def, PART_ELEMENT, text_of(r, b, e));
	}
}

static size_t part_cnt(const struct attr_def *def, const struct json *value)
{
	if (def->source == ATTR_SNAPSHOT)
		return piece_cnt(value->s);
	return json_is(value, JSON_ARRAY) && value->head ? value->cnt : 1;
}

static const struct json *apart(const struct span *s, enum attr_id id)
{
	return attr_is_apart(&attr_defs[id]) ? span_attr(s, id) : NULL;
}

/* Keys of parts come from the attribute table, which outlives every row. */
static void add_payloads(struct row *r, struct buf *b, const struct span *s)
{
	size_t cnt = 0;

	for (enum attr_id id = 0; id < ATTR_ID_CNT; id++)
		if (apart(s, id))
			cnt += part_cnt(&attr_defs[id], apart(s, id));
	if (!cnt)
		return;
	r->parts = arena_alloc(&r->arena, cnt * sizeof(*r->parts));
	if (!r->parts)
		return;
	for (enum attr_id id = 0; id < ATTR_ID_CNT; id++)
		if (apart(s, id))
			add_payload(r, b, &attr_defs[id], apart(s, id));
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
	r->unfinished = json_true(span_attr(s, ATTR_ID_UNFINISHED));
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
