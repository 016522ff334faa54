/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trace engine under test has told: its spans, as a sink writes them and reads them back. */
#ifndef RINGSPAN_TEST_TOLD_H
#define RINGSPAN_TEST_TOLD_H

#include "../fixture.h"
#include "base/cleanup.h"
#include "span/span.h"

struct told {
	struct span *spans[2048];
	size_t cnt;
	struct buf ndjson;
};

static inline void told_add(struct told *t, const struct span *s)
{
	size_t from = t->ndjson.len;

	assert_true(t->cnt < ARRAY_SIZE(t->spans));
	assert_int_equal(span_write_json(&t->ndjson, s, true), 0);
	assert_int_equal(span_read_json(&t->spans[t->cnt++],
					sv_sub(buf_view(&t->ndjson), from, t->ndjson.len)),
			 0);
	buf_ch(&t->ndjson, '\n');
}

static inline void told_fini(struct told *t)
{
	for (size_t i = 0; i < t->cnt; i++)
		span_free(&t->spans[i]);
	buf_fini(&t->ndjson);
}

/* The one that was told n-th of its kind, from 0. */
static inline const struct span *told_nth(const struct told *t, enum span_what what, size_t n)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (t->spans[i]->what == what && !n--)
			return t->spans[i];
	fail_msg("no such span");
	return NULL;
}

static inline const struct span *told_process(const struct told *t, int64_t pid)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (t->spans[i]->what == SPAN_PROCESS &&
		    span_attr_int(t->spans[i], ATTR_ID_PROCESS_PID, 0) == pid)
			return t->spans[i];
	fail_msg("no process %d", (int)pid);
	return NULL;
}

/* The tool call of that id, as the model has it. */
static inline const struct span *told_tool(const struct told *t, const char *id)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (t->spans[i]->what == SPAN_TOOL_CALL &&
		    sv_is(span_attr_sv(t->spans[i], ATTR_ID_TOOL_CALL_ID), id))
			return t->spans[i];
	fail_msg("no tool call %s", id);
	return NULL;
}

static inline size_t told_count(const struct told *t, enum span_what what)
{
	size_t n = 0;

	for (size_t i = 0; i < t->cnt; i++)
		n += t->spans[i]->what == what;
	return n;
}

#endif
