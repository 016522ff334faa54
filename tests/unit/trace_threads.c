// SPDX-License-Identifier: BSD-2-Clause
/* Threads of a process: those that took most are kept, in order, and a run of one process has them. */
#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define CHILD 11
#define THREADS 40
#define KEPT 16

static void on_span(void *ctx, const struct span *s)
{
	told_add(ctx, s);
}

static void feed(struct trace *t, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(t, rec), 0);
	free(rec);
}

/* Thread i took (i * 7 % THREADS) ms, a quarter of it in the kernel. */
static void thread_ends(struct trace *t, uint32_t tgid, uint32_t i)
{
	struct ev_threads *e = record(EV_THREADS, sizeof(*e), 100 * MS + i, tgid, NULL, 0);

	e->hdr.tid = tgid + 1 + i;
	e->begin_ts = 50 * MS + i;
	e->cpu_ns = (i * 7 % THREADS) * MS;
	e->utime_ns = 3;
	e->stime_ns = 1;
	e->nvcsw = i;
	e->blocked_ns[EV_BLOCK_LOCK] = MS;
	memset(e->comm, 'x', sizeof(e->comm)); /* without an end */
	feed(t, e);
}

static int64_t number(const struct json *o, const char *key)
{
	int64_t n = 0;

	assert_true(json_i64(json_get(o, key), &n));
	return n;
}

static struct trace *begin(struct told *told)
{
	const struct trace_cfg cfg = { .calls = NULL };
	struct trace *t;

	assert_int_equal(trace_new(&t, &cfg, on_span, told), 0);
	feed(t, record_meta());
	feed(t, record_run(1 * MS, AGENT));
	feed(t, record_exec(2 * MS, AGENT, 1, "/bin/agent", "agent", 6));
	return t;
}

static void those_that_took_most(void **state)
{
	static struct told told;
	const struct json *list;
	struct trace *t;
	int64_t n = 0;

	(void)state;
	t = begin(&told);
	feed(t, record_fork(3 * MS, AGENT, CHILD));
	for (uint32_t i = 0; i < THREADS; i++)
		thread_ends(t, CHILD, i);
	feed(t, record_exit(200 * MS, CHILD, 0));
	feed(t, record_exit(300 * MS, AGENT, 0));
	list = span_attr(told_process(&told, CHILD), ATTR_ID_THREADS);
	assert_true(json_is(list, JSON_ARRAY));
	json_for_each (list, e) {
		int64_t ms = THREADS - 1 - n++;

		assert_int_equal(number(e, "cpu_ns"), ms * MS);
		assert_int_equal(number(e, "cpu_system_ns"), ms * MS / 4);
		assert_int_equal(number(e, "time_ns"), 50 * MS);
		assert_int_equal((number(e, "tid") - CHILD - 1) * 7 % THREADS, ms);
		assert_int_equal(number(json_get(e, "blocked_ns"), "lock"), MS);
		assert_null(json_get(json_get(e, "blocked_ns"), "disk"));
		ASSERT_SV(json_sv(json_get(e, "name")), "xxxxxxxxxxxxxxxx");
	}
	assert_int_equal(n, KEPT);
	assert_null(span_attr(told_nth(&told, SPAN_RUN, 0), ATTR_ID_THREADS));
	trace_free(&t);
	told_fini(&told);
}

/* One that lives is told again and again: the latest stands, and takes no second place. */
static void the_latest_stands(void **state)
{
	static struct told told;
	const struct json *list;
	struct trace *t;
	int64_t n = 0;

	(void)state;
	t = begin(&told);
	for (uint32_t round = 1; round <= 3; round++)
		for (uint32_t i = 0; i < KEPT; i++) {
			struct ev_threads *e =
				record(EV_THREADS, sizeof(*e), 100 * MS * round, AGENT, NULL, 0);

			e->hdr.tid = AGENT + i;
			e->begin_ts = 50 * MS;
			e->cpu_ns = (i + 1) * round * MS;
			feed(t, e);
		}
	trace_end(t); /* nothing has ended */
	list = span_attr(told_nth(&told, SPAN_RUN, 0), ATTR_ID_THREADS);
	json_for_each (list, e) {
		assert_int_equal(number(e, "cpu_ns"), (KEPT - n) * 3 * MS);
		assert_int_equal(number(e, "tid"), AGENT + KEPT - 1 - n);
		n++;
	}
	assert_int_equal(n, KEPT);
	trace_free(&t);
	told_fini(&told);
}

/* A run's sums are of all its processes, so what its own took stands as that of its one thread. */
static void a_run_of_one_thread(void **state)
{
	static struct told told;
	const struct json *list;
	struct ev_usage *u;
	struct trace *t;

	(void)state;
	t = begin(&told);
	for (uint32_t pid = AGENT; pid <= CHILD; pid++) {
		if (pid == CHILD)
			feed(t, record_fork(3 * MS, AGENT, CHILD));
		u = record(EV_USAGE, sizeof(*u), 100 * MS, pid, NULL, 0);
		u->cpu_ns = 7 * MS;
		u->utime_ns = 3;
		u->stime_ns = 4;
		u->nvcsw = 5;
		u->blocked_ns[EV_BLOCK_POLL] = 9 * MS;
		feed(t, u);
	}
	trace_end(t);
	list = span_attr(told_nth(&told, SPAN_RUN, 0), ATTR_ID_THREADS);
	assert_int_equal(list->cnt, 1);
	assert_int_equal(number(list->head, "tid"), AGENT);
	assert_int_equal(number(list->head, "cpu_ns"), 7 * MS);
	assert_int_equal(number(list->head, "cpu_system_ns"), 4 * MS);
	assert_int_equal(number(list->head, "voluntary_switches"), 5);
	assert_int_equal(number(json_get(list->head, "blocked_ns"), "poll"), 9 * MS);
	ASSERT_SV(json_sv(json_get(list->head, "name")), "agent");
	assert_null(span_attr(told_process(&told, CHILD), ATTR_ID_THREADS));
	trace_free(&t);
	told_fini(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(those_that_took_most),
					    cmocka_unit_test(the_latest_stands),
					    cmocka_unit_test(a_run_of_one_thread) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
