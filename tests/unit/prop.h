/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as a list that a test may reorder or thin out, and the spans that the list gives. */
#ifndef RINGSPAN_TEST_PROP_H
#define RINGSPAN_TEST_PROP_H

#include "../fixture.h"
#include <stdio.h>
#include "../bench/agents.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "capture/capture.h"
#include "span/trace.h"

/* The golden captures, and "": agents that were made up. */
#define PROP_SOURCES "demo", "cut", "think", "rate", "streamerror", "mcp", "calls", ""

struct list {
	struct ev_hdr **at;
	size_t cnt;
};

struct tree {
	struct span **at; /* by id */
	char **text;      /* of each, as JSON */
	size_t cnt;
};

static inline int list_add(void *ctx, const struct ev_hdr *rec)
{
	struct list *l = ctx;
	struct ev_hdr *copy = malloc(rec->size);

	assert_non_null(copy);
	memcpy(copy, rec, rec->size);
	if (!(l->cnt & (l->cnt - 1))) { /* a power of two is full */
		l->at = realloc(l->at, (l->cnt ? 2 * l->cnt : 1) * sizeof(struct ev_hdr *));
		assert_non_null(l->at);
	}
	l->at[l->cnt++] = copy;
	return 0;
}

static inline void list_load(struct list *l, const char *source)
{
	const struct agents_cfg cfg = { .workers = 5, .conversations = 2, .tools = 2 };
	struct capture_reader *r = NULL;
	struct ev_hdr *rec;
	char path[64];

	*l = (struct list){ 0 };
	if (!*source) {
		assert_int_equal(agents_generate(&cfg, list_add, l), 0);
		return;
	}
	snprintf(path, sizeof(path), "tests/golden/%s.rsp", source);
	assert_int_equal(capture_open(&r, path), 0);
	while (capture_next(r, &rec) == 1)
		list_add(l, rec);
	capture_free(&r);
	assert_true(l->cnt > 20);
}

static inline void list_free(struct list *l)
{
	for (size_t i = 0; i < l->cnt; i++)
		free(l->at[i]);
	free(l->at);
}

static inline void tree_add(void *ctx, const struct span *s)
{
	struct tree *t = ctx;
	struct buf b = BUF_INIT;
	size_t i = t->cnt++;

	t->at = realloc(t->at, t->cnt * sizeof(struct span *));
	t->text = realloc(t->text, t->cnt * sizeof(char *));
	assert_true(t->at && t->text);
	assert_int_equal(span_write_json(&b, s, true), 0);
	/* an id that comes twice stays next to its like */
	while (i && strcmp(t->at[i - 1]->span_id, s->span_id) > 0) {
		t->at[i] = t->at[i - 1];
		t->text[i] = t->text[i - 1];
		i--;
	}
	assert_int_equal(span_read_json(&t->at[i], buf_view(&b)), 0);
	t->text[i] = strdup(buf_cstr(&b));
	assert_non_null(t->text[i]);
	buf_fini(&b);
}

/* What the records give, without the one at `without` (cnt: with all of them). */
static inline void tree_grow(struct tree *t, const struct list *l, size_t without)
{
	const struct trace_cfg cfg = { 0 };
	struct trace *trace;

	*t = (struct tree){ 0 };
	assert_int_equal(trace_new(&trace, &cfg, tree_add, t), 0);
	for (size_t i = 0; i < l->cnt; i++)
		if (i != without)
			assert_int_equal(trace_feed(trace, l->at[i]), 0);
	trace_end(trace);
	trace_free(&trace);
	assert_true(t->cnt > 0 || without < l->cnt);
}

static inline void tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->cnt; i++) {
		span_free(&t->at[i]);
		free(t->text[i]);
	}
	free(t->at);
	free(t->text);
}

#endif
