// SPDX-License-Identifier: BSD-2-Clause
/* Calls of functions that the user named: names, values, who called whom, and how they ended. */
#include "../fixture.h"
#include "base/cleanup.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define WALL 1700000000000000000ull /* of record_meta() */
#define AGENT 10
#define CHILD 11

struct world {
	struct trace *trace;
	struct told told, open;
};

static void on_span(void *ctx, const struct span *s)
{
	told_add(&((struct world *)ctx)->told, s);
}

static void on_open(void *ctx, const struct span *s)
{
	told_add(&((struct world *)ctx)->open, s);
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static void named(struct world *w, uint32_t id, uint32_t kind, const char *name, const char *format)
{
	static const char path[] = "/lib/libx.so";
	char texts[256];
	int n = snprintf(texts, sizeof(texts), "%s%s%s", path, name, format);
	struct ev_probe *p = record(EV_PROBE, sizeof(*p), 1, 0, texts, (size_t)n);

	p->id = id;
	p->kind = kind;
	p->len[0] = strlen(path);
	p->len[1] = strlen(name);
	p->len[2] = strlen(format);
	feed(w, p);
}

/* From enter to ts, in ms; in the frame that is given, which began at parent_ms. */
static struct ev_function *call(uint64_t enter, uint64_t ts, uint32_t probe, uint64_t frame,
				uint64_t parent, uint64_t parent_ms, const char *texts, size_t n)
{
	struct ev_function *e = record(EV_FUNCTION, sizeof(*e), ts * MS, CHILD, texts, n);

	e->enter_ts = enter * MS;
	e->probe = probe;
	e->frame = frame;
	e->parent = parent;
	e->parent_ts = parent_ms * MS;
	e->parent_probe = parent ? 1 : 0;
	return e;
}

static int setup(void **state)
{
	struct trace_cfg cfg = { .no_redact = false };
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (!w || trace_new(&w->trace, &cfg, on_span, w))
		return -1;
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/bin/agent", "agent", 6));
	feed(w, record_fork(3 * MS, AGENT, CHILD));
	feed(w, record_exec(4 * MS, CHILD, AGENT, "/bin/tool", "tool", 5));
	named(w, 1, EV_PROBE_CALL, "lookup", "(%s, %d, _, %x) = %ld");
	named(w, 2, EV_PROBE_PAIR, "python:gc__start", "(%d) = %ld");
	named(w, 3, EV_PROBE_PAIR, "python:function__entry", "(%s, %s, %d)");
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	told_fini(&w->told);
	told_fini(&w->open);
	free(w);
	return 0;
}

static void assert_json(const struct json *v, const char *want)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_non_null(v);
	json_write(&b, v);
	assert_string_equal(buf_cstr(&b), want);
}

static void one_call(void **state)
{
	struct world *w = *state;
	struct ev_function *e = call(5, 7, 1, 1, 0, 0, "localhost", 10);
	const struct span *s;

	e->texts = 1;
	e->args[0] = 0x1000;
	e->args[1] = 0x5fffffffe;
	e->args[3] = 0xff;
	e->ret = (uint64_t)-2;
	feed(w, e);
	feed(w, record_exit(20 * MS, CHILD, 0));
	feed(w, record_exit(21 * MS, AGENT, 0));
	s = told_nth(&w->told, SPAN_FUNCTION, 0);
	ASSERT_SV(s->name, "lookup");
	assert_int_equal(s->start_ns, WALL + 5 * MS);
	assert_int_equal(s->end_ns, WALL + 7 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CODE_FUNCTION), "lookup");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_FUNC_PROBE), "lookup");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_FUNC_BINARY), "/lib/libx.so");
	assert_json(span_attr(s, ATTR_ID_FUNC_ARGS), "[\"localhost\",-2,\"0xff\"]");
	assert_json(span_attr(s, ATTR_ID_FUNC_RETURN), "-2");
	assert_null(span_attr(s, ATTR_ID_FUNC_END));
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	assert_string_equal(s->parent_span_id, told_process(&w->told, CHILD)->span_id);
	assert_int_equal(span_attr_int(told_process(&w->told, CHILD), ATTR_ID_FUNCS_CALLS, 0), 1);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_FUNCS_CALLS, 0), 1);
}

/* A pointer that is NULL, one that leads nowhere, and a text of which the end is missing. */
static void texts(void **state)
{
	struct world *w = *state;
	struct ev_function *e = call(5, 6, 1, 1, 0, 0, NULL, 0);
	const struct span *s;

	feed(w, e);
	e = call(6, 7, 1, 2, 0, 0, NULL, 0);
	e->args[0] = 0x1234;
	feed(w, e);
	e = call(7, 8, 1, 3, 0, 0, "sk-ant-api03-0123456789abcdefghij", 34);
	e->late = e->cut = 1;
	feed(w, e);
	assert_json(span_attr(told_nth(&w->told, SPAN_FUNCTION, 0), ATTR_ID_FUNC_ARGS),
		    "[null,0,\"0\"]");
	s = told_nth(&w->told, SPAN_FUNCTION, 1);
	assert_json(span_attr(s, ATTR_ID_FUNC_ARGS), "[\"0x1234\",0,\"0\"]");
	assert_json(span_attr(s, ATTR_ID_INCOMPLETE), "[\"unreadable\"]");
	s = told_nth(&w->told, SPAN_FUNCTION, 2);
	assert_json(span_attr(s, ATTR_ID_INCOMPLETE), "[\"cap\"]");
	assert_false(sv_has(buf_view(&w->told.ndjson), "abcdef"));
}

static void nested(void **state)
{
	struct world *w = *state;
	struct ev_function *e;
	const struct span *inner, *outer;

	feed(w, call(6, 7, 1, 2, 1, 5, NULL, 0));
	/* what is not over yet is known from it */
	trace_each_open(w->trace, on_open, w);
	outer = told_nth(&w->open, SPAN_FUNCTION, 0);
	ASSERT_SV(outer->name, "lookup");
	assert_int_equal(outer->start_ns, WALL + 5 * MS);
	e = call(5, 9, 1, 1, 0, 0, NULL, 0);
	e->over = 7;
	e->over_thread = 7;
	feed(w, e);
	feed(w, record_exit(20 * MS, CHILD, 0));
	assert_int_equal(told_count(&w->told, SPAN_FUNCTION), 2);
	inner = told_nth(&w->told, SPAN_FUNCTION, 0);
	assert_string_equal(told_nth(&w->open, SPAN_FUNCTION, 0)->span_id, inner->parent_span_id);
	outer = told_nth(&w->told, SPAN_FUNCTION, 1);
	assert_string_equal(inner->parent_span_id, outer->span_id);
	assert_int_equal(span_attr_int(outer, ATTR_ID_FUNC_UNTOLD, 0), 7);
	assert_json(span_attr(outer, ATTR_ID_INCOMPLETE), "[\"budget\"]");
	assert_int_equal(span_attr_int(told_process(&w->told, CHILD), ATTR_ID_FUNCS_UNTOLD, 0), 7);
}

/* Its record was lost: what it called tells that it was there. */
static void lost_parent(void **state)
{
	struct world *w = *state;
	const struct span *s;

	feed(w, call(6, 7, 1, 2, 1, 5, NULL, 0));
	feed(w, call(7, 8, 1, 3, 1, 5, NULL, 0));
	feed(w, record_exit(20 * MS, CHILD, 0));
	assert_int_equal(told_count(&w->told, SPAN_FUNCTION), 3);
	s = told_nth(&w->told, SPAN_FUNCTION, 2);
	assert_string_equal(s->span_id, told_nth(&w->told, SPAN_FUNCTION, 0)->parent_span_id);
	assert_json(span_attr(s, ATTR_ID_INCOMPLETE), "[\"lost\"]");
}

static void unfinished_parent(void **state)
{
	struct world *w = *state;

	feed(w, call(6, 7, 1, 2, 1, 5, NULL, 0));
	trace_end(w->trace);
	assert_json(span_attr(told_nth(&w->told, SPAN_FUNCTION, 1), ATTR_ID_INCOMPLETE),
		    "[\"unfinished\"]");
}

static void ends(void **state)
{
	static const char *const words[] = {
		[EV_FUNC_LEFT] = "left", [EV_FUNC_EXIT] = "exit", [EV_FUNC_EXEC] = "exec"
	};
	struct world *w = *state;

	for (uint8_t end = EV_FUNC_LEFT; end <= EV_FUNC_EXEC; end++) {
		struct ev_function *e = call(5 + end, 6 + end, 1, end, 0, 0, NULL, 0);
		const struct span *s;

		e->end = end;
		feed(w, e);
		s = told_nth(&w->told, SPAN_FUNCTION, end - 1u);
		ASSERT_SV(span_attr_sv(s, ATTR_ID_FUNC_END), words[end]);
		assert_null(span_attr(s, ATTR_ID_FUNC_RETURN));
	}
	assert_json(span_attr(told_nth(&w->told, SPAN_FUNCTION, 0), ATTR_ID_INCOMPLETE),
		    "[\"left\"]");
}

static void python(void **state)
{
	static const char names[] = "/srv/app.py\0fib";
	struct world *w = *state;
	struct ev_function *e = call(5, 7, 3, 1, 0, 0, names, sizeof(names));
	const struct span *s;

	e->texts = 3;
	e->args[2] = 42;
	feed(w, e);
	e = call(8, 9, 2, 2, 0, 0, NULL, 0);
	e->args[0] = 2;
	e->ret = 17;
	feed(w, e);
	s = told_nth(&w->told, SPAN_FUNCTION, 0);
	ASSERT_SV(s->name, "fib");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CODE_FUNCTION), "fib");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CODE_FILE), "/srv/app.py");
	assert_int_equal(span_attr_int(s, ATTR_ID_CODE_LINE, 0), 42);
	s = told_nth(&w->told, SPAN_FUNCTION, 1);
	ASSERT_SV(s->name, "python:gc");
	assert_json(span_attr(s, ATTR_ID_FUNC_ARGS), "[2]");
	assert_json(span_attr(s, ATTR_ID_FUNC_RETURN), "17");
}

/* No PROBE was told of it, one comes twice, one has no format; and only a count. */
static void odd_records(void **state)
{
	struct world *w = *state;
	struct ev_function *e;

	feed(w, call(5, 6, 99, 1, 0, 0, NULL, 0));
	ASSERT_SV(told_nth(&w->told, SPAN_FUNCTION, 0)->name, "?");
	named(w, 1, EV_PROBE_PLACE, "other+0x4", "(%f");
	feed(w, call(6, 7, 1, 2, 0, 0, NULL, 0));
	ASSERT_SV(told_nth(&w->told, SPAN_FUNCTION, 1)->name, "other+0x4");
	e = call(8, 8, 0, 0, 0, 0, NULL, 0);
	e->end = EV_FUNC_OVER;
	e->over_thread = 1000;
	feed(w, e);
	for (uint64_t i = 10; i < 1500; i++) /* parents that never come */
		feed(w, call(9, 9, 0, i, 1000000 + i, 8, NULL, 0));
	feed(w, call(UINT32_MAX, UINT32_MAX, 1, 5, 5, UINT32_MAX, NULL, 0)); /* in itself */
}

/* One that goes on is known when the kernel is asked: with its arguments, once, until its end is told. */
static void asked_for(void **state)
{
	struct world *w = *state;
	const struct span *s;
	struct ev_function *e;

	for (uint64_t ts = 6; ts <= 7; ts++) {
		e = call(4, ts, 1, 1, 0, 0, "localhost", 10);
		e->hdr.kind = EV_FUNC_OPEN;
		e->texts = 1;
		e->args[0] = 0x1000;
		feed(w, e);
		e = call(5, ts, 1, 2, 1, 4, NULL, 0);
		e->hdr.kind = EV_FUNC_OPEN;
		feed(w, e);
	}
	trace_each_open(w->trace, on_open, w);
	assert_int_equal(told_count(&w->open, SPAN_FUNCTION), 2);
	e = call(5, 8, 1, 2, 1, 4, NULL, 0);
	e->ret = 7;
	feed(w, e);
	assert_int_equal(told_count(&w->told, SPAN_FUNCTION), 1);
	assert_json(span_attr(told_nth(&w->told, SPAN_FUNCTION, 0), ATTR_ID_FUNC_RETURN), "7");
	trace_end(w->trace);
	assert_int_equal(told_count(&w->told, SPAN_FUNCTION), 2);
	s = told_nth(&w->told, SPAN_FUNCTION, 1);
	ASSERT_SV(s->name, "lookup");
	assert_int_equal(s->start_ns, WALL + 4 * MS);
	assert_json(span_attr(s, ATTR_ID_FUNC_ARGS), "[\"localhost\",0,\"0\"]");
	assert_null(span_attr(s, ATTR_ID_FUNC_RETURN));
	assert_json(span_attr(s, ATTR_ID_INCOMPLETE), "[\"unfinished\"]");
	assert_string_equal(told_nth(&w->told, SPAN_FUNCTION, 0)->parent_span_id, s->span_id);
	assert_int_equal(span_attr_int(told_process(&w->told, CHILD), ATTR_ID_FUNCS_CALLS, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_call, setup, teardown),
		cmocka_unit_test_setup_teardown(asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(texts, setup, teardown),
		cmocka_unit_test_setup_teardown(nested, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(unfinished_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(ends, setup, teardown),
		cmocka_unit_test_setup_teardown(python, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_records, setup, teardown),
	};

	return cmocka_run_group_tests_name("trace_function", tests, NULL, NULL);
}
