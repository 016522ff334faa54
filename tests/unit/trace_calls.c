// SPDX-License-Identifier: BSD-2-Clause
/* System calls: sums of processes and runs, what is handed on, and single calls as spans. */
#include "../fixture.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "sink/store.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define WALL 1700000000000000000ull /* of record_meta() */
#define AGENT 10
#define CHILD 11
#define NR_READ 0
#define NR_FUTEX 202
#define NR_OPENAT 257

struct world {
	struct trace *trace;
	struct told told;
	struct store *store;
	char path[64];
	size_t counts;
	struct trace_calls last; /* its lists are gone */
};

static void on_span(void *ctx, const struct span *s)
{
	told_add(&((struct world *)ctx)->told, s);
}

static void on_calls(void *ctx, const struct trace_calls *c)
{
	struct world *w = ctx;

	w->counts++;
	assert_int_equal(store_add_calls(w->store, c), 0);
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

/* Two calls of 1 us, and one of the time that is given, which failed. */
static void counted(struct world *w, uint64_t ts, uint32_t tgid, uint32_t nr, uint64_t max_ns)
{
	struct ev_count counts[] = { { ev_bucket(1000), 2 },
				     { ev_bucket(max_ns), 1 },
				     { EAGAIN, 1 } };
	struct ev_syscalls *s = record(EV_SYSCALLS, sizeof(*s), ts, tgid, counts, sizeof(counts));

	s->since_ts = ts - MS;
	s->nr = nr;
	s->buckets = 2;
	s->errnos = 1;
	s->errors = 1;
	s->total_ns = 2000 + max_ns;
	s->max_ns = max_ns;
	feed(w, s);
}

static int setup(void **state)
{
	struct trace_cfg cfg = { .calls = on_calls };
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (!w || trace_new(&w->trace, &cfg, on_span, w))
		return -1;
	snprintf(w->path, sizeof(w->path), "/tmp/calls-test.%d.db", (int)getpid());
	if (store_open_write(&w->store, w->path))
		return -1;
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/bin/agent", "agent", 6));
	feed(w, record_fork(3 * MS, AGENT, CHILD));
	feed(w, record_exec(4 * MS, CHILD, AGENT, "/bin/tool", "tool", 5));
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	store_free(&w->store);
	unlink(w->path);
	told_fini(&w->told);
	free(w);
	return 0;
}

static void assert_class(const struct span *s, const char *class, int64_t calls, int64_t max_ns)
{
	const struct json *c = json_get(span_attr(s, ATTR_ID_SYSCALLS_CLASSES), class);
	int64_t n;

	assert_true(json_i64(json_get(c, "calls"), &n));
	assert_int_equal(n, calls);
	assert_true(json_i64(json_get(c, "max_ns"), &n));
	assert_int_equal(n, max_ns);
}

static void sums(void **state)
{
	struct world *w = *state;
	const struct span *s;

	counted(w, 5 * MS, CHILD, NR_READ, 5000);
	counted(w, 6 * MS, CHILD, NR_READ, 7000);
	counted(w, 7 * MS, CHILD, NR_FUTEX, 1 * MS);
	counted(w, 8 * MS, CHILD, 999, 4000);
	counted(w, 9 * MS, AGENT, NR_OPENAT, 9000);
	assert_int_equal(w->counts, 5);
	feed(w, record_exit(20 * MS, CHILD, 0));
	feed(w, record_exit(21 * MS, AGENT, 0));
	s = told_nth(&w->told, SPAN_PROCESS, 0);
	assert_int_equal(span_attr_int(s, ATTR_ID_SYSCALLS_CALLS, 0), 12);
	assert_int_equal(span_attr_int(s, ATTR_ID_SYSCALLS_ERRORS, 0), 4);
	assert_int_equal(span_attr_int(s, ATTR_ID_SYSCALLS_TIME_NS, 0), 8000 + 16000 + MS);
	assert_class(s, "file", 6, 7000);
	assert_class(s, "futex", 3, MS);
	assert_class(s, "other", 3, 4000);
	s = told_nth(&w->told, SPAN_RUN, 0);
	assert_int_equal(span_attr_int(s, ATTR_ID_SYSCALLS_CALLS, 0), 15);
	assert_class(s, "file", 9, 9000);
}

static int on_stored(void *ctx, const struct trace_calls *c)
{
	struct world *w = ctx;

	w->last = *c;
	ASSERT_SV(c->name, "read");
	ASSERT_SV(c->class, "file");
	assert_int_equal(c->bucket_cnt, 2);
	assert_int_equal(c->buckets[0].what, ev_bucket(1000));
	assert_int_equal(c->buckets[0].cnt, 2);
	assert_int_equal(c->buckets[1].what, ev_bucket(5000));
	assert_int_equal(c->errno_cnt, 1);
	assert_int_equal(c->errnos[0].what, EAGAIN);
	return 0;
}

static void what_is_stored(void **state)
{
	struct world *w = *state;

	counted(w, 5 * MS, CHILD, NR_READ, 5000);
	assert_int_equal(store_calls(w->store, trace_first_run(w->trace), on_stored, w), 0);
	assert_int_equal(w->last.time_ns, WALL + 5 * MS);
	assert_int_equal(w->last.since_ns, WALL + 4 * MS);
	assert_int_equal(w->last.pid, CHILD);
	assert_int_equal(w->last.calls, 3);
	assert_int_equal(w->last.errors, 1);
	assert_int_equal(w->last.total_ns, 7000);
	assert_int_equal(w->last.max_ns, 5000);
}

static void one_call(void **state)
{
	struct world *w = *state;
	struct ev_syscall *e = record(EV_SYSCALL, sizeof(*e), 8 * MS, CHILD, "/etc/x", 6);
	const struct span *s;

	e->enter_ts = 6 * MS;
	e->nr = NR_OPENAT;
	e->args[0] = (uint64_t)-100;
	e->ret = -ENOENT;
	e->why = EV_WHY_SLOW | EV_WHY_FAILED;
	e->len = 6;
	feed(w, e);
	feed(w, record_exit(20 * MS, CHILD, 0));
	s = told_nth(&w->told, SPAN_SYSCALL, 0);
	ASSERT_SV(s->name, "openat /etc/x");
	assert_int_equal(s->start_ns, WALL + 6 * MS);
	assert_int_equal(s->end_ns, WALL + 8 * MS);
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "ENOENT");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_SYSCALL_NAME), "openat");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_SYSCALL_CLASS), "file");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_SYSCALL_WHY), "slow");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_FILE_PATH), "/etc/x");
	assert_int_equal(span_attr_int(s, ATTR_ID_SYSCALL_RESULT, 0), -ENOENT);
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_PROCESS, 0)->span_id);
}

static void while_it_runs(void **state)
{
	struct world *w = *state;

	counted(w, 5 * MS, CHILD, NR_READ, 5000);
	counted(w, 6 * MS, AGENT, NR_READ, 6000);
	trace_each_open(w->trace, on_span, w);
	assert_class(told_nth(&w->told, SPAN_RUN, 0), "file", 6, 6000);
	assert_class(told_nth(&w->told, SPAN_PROCESS, 0), "file", 3, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sums, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(one_call, setup, teardown),
		cmocka_unit_test_setup_teardown(while_it_runs, setup, teardown),
	};

	return cmocka_run_group_tests_name("trace_calls", tests, NULL, NULL);
}
