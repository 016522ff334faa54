// SPDX-License-Identifier: BSD-2-Clause
/* A process that a signal ended tells where and of its last spans. */
#include <signal.h>
#include "rpc_test.h"

static void connects(struct world *w, uint64_t ts, uint32_t tgid, int err)
{
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), ts, tgid, NULL, 0);

	c->enter_ts = ts - 1;
	c->sock = ts;
	c->err = err;
	feed(w, c);
}

static void last_spans(void **state)
{
	struct world *w = *state;
	const struct json *first, *attrs;
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	run_program(w, 3 * MS, OTHER, AGENT, "/bin/other");
	for (size_t i = 0; i < 10; i++) {
		connects(w, (10 + i) * MS, SERVER, -111);
		connects(w, (10 + i) * MS + 1, OTHER, -111);
	}
	feed(w, record_exit(30 * MS, SERVER, 11));
	feed(w, record_exit(31 * MS, OTHER, 1 << 8));
	end(w);
	s = told_process(&w->told, SERVER);
	assert_int_equal(span_attr_int(s, ATTR_ID_SIGNAL, 0), 11);
	assert_int_equal(s->events->cnt, 8);
	first = json_at(s->events, 0);
	attrs = json_get(first, "attributes");
	assert_true(json_str_is(json_get(first, "name"), "before_signal"));
	/* the third of its ten connects, and its span */
	assert_true(json_str_is(json_get(attrs, "ringspan.event.message"), "connect"));
	assert_true(json_str_is(json_get(attrs, "ringspan.event.span_id"),
				told_nth(&w->told, SPAN_CONNECT, 4)->span_id));
	assert_true(json_true(json_get(attrs, "ringspan.event.failed")));
	assert_int_equal(told_process(&w->told, OTHER)->events->cnt, 0);
}

#define STACK                                       \
	"#0 deep+0xf (/opt/lib/libdeep.so+0x10f)\n" \
	"#1 middle+0x15 (/opt/lib/libdeep.so+0x200)\n"

/* Of the program, in one of its threads, with its stack, if that is not NULL. */
static void takes(struct world *w, uint64_t ts, int signal, int code, bool handled,
		  const char *stack)
{
	struct ev_signal *s = record(EV_SIGNAL, sizeof(*s), ts, SERVER, NULL, 0);
	struct ev_stack *st;

	s->signal = signal;
	s->code = code;
	s->addr = 0x10;
	s->sender = SERVER;
	s->handled = handled;
	s->hdr.tid = SERVER + 1;
	memcpy(s->comm, "worker", 6);
	feed(w, s);
	if (!stack)
		return;
	st = record(EV_STACK, sizeof(*st), ts, SERVER, stack, strlen(stack));
	st->method = EV_STACK_FRAME_POINTER;
	st->len = strlen(stack);
	st->hdr.tid = SERVER + 1;
	feed(w, st);
}

static void where_it_crashed(void **state)
{
	struct world *w = *state;
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	takes(w, 9 * MS, SIGSEGV, SEGV_MAPERR, false, STACK);
	feed(w, record_exit(10 * MS, SERVER, SIGSEGV));
	end(w);
	s = told_process(&w->told, SERVER);
	ASSERT_SV(s->status_message,
		  "ended by signal 11 (Segmentation fault) in deep (libdeep.so)");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_EXCEPTION_TYPE), "SIGSEGV");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_EXCEPTION_MESSAGE), "SEGV_MAPERR at 0x10");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_EXCEPTION_STACK), STACK);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_STACK_METHOD), "frame_pointer");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_THREAD_NAME), "worker");
	assert_int_equal(span_attr_int(s, ATTR_ID_THREAD_ID, 0), SERVER + 1);
	assert_int_equal(s->events->cnt, 0);
}

static void place_without_a_name(void **state)
{
	static const struct {
		const char *stack, *message;
	} cases[] = {
		{ "#0 ?? (/lib/libc.so.6+0x12)\n#1 f+0x1 (/b+0x2)\n",
		  "ended by signal 6 (Aborted) in libc.so.6+0x12" },
		{ "#0 ?? (build id 00ff, file offset 0x12)\n", "ended by signal 6 (Aborted)" },
		{ "#0 ?? (at 0x0, in no known file)\n", "ended by signal 6 (Aborted)" },
		{ "\n(#0 ", "ended by signal 6 (Aborted)" },
		{ NULL, "ended by signal 6 (Aborted)" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		run_program(w, (10 * i + 3) * MS, SERVER, AGENT, "/bin/server");
		takes(w, (10 * i + 4) * MS, SIGABRT, SI_TKILL, false, cases[i].stack);
		feed(w, record_exit((10 * i + 5) * MS, SERVER, SIGABRT));
		ASSERT_SV(told_nth(&w->told, SPAN_PROCESS, i)->status_message, cases[i].message);
	}
	end(w);
}

/* A handler that gives up raises the signal again: what tells something is the first. */
static void raised_again_by_its_handler(void **state)
{
	struct world *w = *state;
	const struct json *event;
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	takes(w, 8 * MS, SIGFPE, FPE_INTDIV, true, "#0 other+0x1 (/bin/server+0x1)\n");
	takes(w, 9 * MS, SIGSEGV, SEGV_ACCERR, true, STACK);
	takes(w, 10 * MS, SIGSEGV, SI_TKILL, false, "#0 raise+0x1 (/lib/libc.so.6+0x1)\n");
	feed(w, record_exit(11 * MS, SERVER, SIGSEGV));
	end(w);
	s = told_process(&w->told, SERVER);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_EXCEPTION_MESSAGE), "SEGV_ACCERR at 0x10");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_EXCEPTION_STACK), STACK);
	assert_int_equal(s->events->cnt, 1); /* the one that it survived */
	event = json_at(s->events, 0);
	assert_true(json_str_is(json_get(event, "name"), "exception"));
	assert_true(
		json_str_is(json_get(json_get(event, "attributes"), "exception.type"), "SIGFPE"));
}

static void a_fault_of_its_own_is_not_an_earlier_one(void **state)
{
	struct world *w = *state;
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	for (size_t i = 0; i < 100; i++)
		takes(w, (4 + i) * MS, SIGSEGV, SEGV_ACCERR, true, STACK);
	takes(w, 200 * MS, SIGSEGV, SEGV_MAPERR, false, "#0 last+0x1 (/bin/server+0x1)\n");
	feed(w, record_exit(201 * MS, SERVER, SIGSEGV));
	end(w);
	s = told_process(&w->told, SERVER);
	ASSERT_SV(s->status_message, "ended by signal 11 (Segmentation fault) in last (server)");
	assert_int_equal(s->events->cnt, 15); /* LIMIT_FAULTS with the last one */
}

/* It goes on, and ends as it likes. */
static void a_handled_one_is_no_end(void **state)
{
	struct world *w = *state;
	const struct span *s;

	run_program(w, 3 * MS, SERVER, AGENT, "/bin/server");
	takes(w, 9 * MS, SIGSEGV, SEGV_MAPERR, true, STACK);
	feed(w, record_exit(10 * MS, SERVER, 2 << 8));
	end(w);
	s = told_process(&w->told, SERVER);
	ASSERT_SV(s->status_message, "exit code 2");
	assert_null(span_attr(s, ATTR_ID_EXCEPTION_TYPE));
	assert_int_equal(s->events->cnt, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(last_spans, setup, teardown),
		cmocka_unit_test_setup_teardown(where_it_crashed, setup, teardown),
		cmocka_unit_test_setup_teardown(place_without_a_name, setup, teardown),
		cmocka_unit_test_setup_teardown(raised_again_by_its_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fault_of_its_own_is_not_an_earlier_one, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_handled_one_is_no_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
