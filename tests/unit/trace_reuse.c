// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pids that are used again, as where there are few of them or very many processes: a process is told by its
 * pid and its start time, so none has another's arguments, parent, code or files, also when records of the
 * one that is gone come behind the first of the one that has its pid now, or when ringspan has looked at one
 * before its fork was read.
 */
#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define OTHER 9
#define PIDS 7      /* that there are for all others: from AGENT + 1 on */
#define WORKERS 300 /* that share them, each with a number of its own */
#define CODES 251   /* that they end with */
#define WALL 1700000000000000000ull

static struct told told;

struct how {
	bool early;   /* what a worker took is read while its fork is in the ring */
	bool not_one; /* another run goes on beside */
};

static uint64_t sv_number(struct sv text)
{
	char copy[24] = "";

	assert_true(text.n < sizeof(copy));
	memcpy(copy, text.p, text.n);
	return strtoull(copy, NULL, 10);
}

static void on_span(void *ctx, const struct span *s)
{
	(void)ctx;
	told_add(&told, s);
}

static void feed(struct trace *t, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(t, rec), 0);
	free(rec);
}

static uint64_t start_of(uint32_t serial)
{
	return serial ? 5000 + serial * MS : AGENT * 1000;
}

static uint32_t pid_of(uint32_t serial)
{
	return serial ? AGENT + 1 + serial % PIDS : AGENT;
}

/* Each third was started by the one before it, which lives as long; the others by the agent. */
static uint32_t parent_of(uint32_t serial)
{
	return serial % 3 == 2 ? serial - 1 : 0;
}

static uint64_t time_of(uint32_t serial, uint64_t us)
{
	return start_of(serial) + 10 * MS + us * 1000;
}

static void *as(uint32_t serial, void *rec)
{
	struct ev_hdr *h = rec;

	h->tgid = h->tid = pid_of(serial);
	h->start = start_of(serial);
	return rec;
}

/* Entered in the kernel by its fork, which is read later. */
static void worker_is_looked_at(struct trace *t, uint32_t serial)
{
	struct ev_usage *e = record(EV_USAGE, sizeof(*e), time_of(serial, 0) + 50, 1, NULL, 0);

	feed(t, as(serial, e));
}

static void worker_begins(struct trace *t, uint32_t serial)
{
	uint32_t parent = parent_of(serial);
	struct ev_fork *f = as(parent, record_fork(time_of(serial, 0), 1, pid_of(serial)));
	struct ev_exec *e;
	char args[64];
	int n = snprintf(args, sizeof(args), "worker%c%u%c%u", 0, serial, 0, parent) + 1;

	f->child_start = start_of(serial);
	feed(t, f);
	e = as(serial,
	       record_exec(time_of(serial, 100), 1, pid_of(parent), "/bin/worker", args, n));
	e->parent_start = start_of(parent);
	feed(t, e);
}

static void worker_did(struct trace *t, uint32_t serial, uint64_t ts)
{
	char path[32];

	snprintf(path, sizeof(path), "/tmp/%u", serial);
	feed(t, as(serial, record_file(ts, 1, EV_FILE_REMOVE, path, NULL)));
}

static void worker_ends(struct trace *t, uint32_t serial, uint64_t ts)
{
	feed(t, as(serial, record_exit(ts, 1, (int)(serial % CODES) << 8)));
}

/* What ringspan itself learns it may learn late. */
static void worker_is_gone(struct trace *t, uint32_t serial, uint64_t ts)
{
	struct ev_syscalls *e = as(serial, record(EV_SYSCALLS, sizeof(*e), ts, 1, NULL, 0));

	feed(t, e);
	feed(t, as(serial, record_cgroup(ts, 1,
					 "0::/docker/0123456789abcdef0123456789abcdef"
					 "0123456789abcdef0123456789abcdef\n")));
}

static uint32_t argument(const struct span *s, size_t at)
{
	json_for_each (span_attr(s, ATTR_ID_PROCESS_ARGS), e)
		if (!at--)
			return (uint32_t)sv_number(json_sv(e));
	fail_msg("too few arguments");
	return 0;
}

static const struct span *span_of(uint32_t serial)
{
	for (size_t i = 0; i < told.cnt; i++)
		if (told.spans[i]->what == SPAN_PROCESS && argument(told.spans[i], 1) == serial)
			return told.spans[i];
	fail_msg("no worker %u", serial);
	return NULL;
}

static void check_worker(uint32_t serial)
{
	const struct span *s = span_of(serial), *run = told_nth(&told, SPAN_RUN, 0);
	uint32_t parent = parent_of(serial);

	assert_int_equal(argument(s, 2), parent);
	assert_string_equal(s->parent_span_id, parent ? span_of(parent)->span_id : run->span_id);
	assert_int_equal(span_attr_int(s, ATTR_ID_PROCESS_PID, 0), pid_of(serial));
	assert_int_equal(span_attr_int(s, ATTR_ID_PROCESS_EXIT_CODE, -1), serial % CODES);
	assert_int_equal(s->start_ns, WALL + time_of(serial, 0));
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	assert_null(span_attr(s, ATTR_ID_CONTAINER_ID));
}

/* The file that it removed is told of it. */
static void check_file(const struct span *s)
{
	struct sv path = span_attr_sv(s, ATTR_ID_FILE_PATH);
	uint32_t serial = (uint32_t)sv_number(sv_sub(path, 5, path.n));

	assert_string_equal(s->parent_span_id, span_of(serial)->span_id);
}

/* A worker does something and ends when the next one with its pid has begun, and is then told more of. */
static void run_all(struct trace *t, const struct how *how)
{
	feed(t, record_meta());
	if (how->not_one)
		feed(t, record_exec(1 * MS, OTHER, 1, "/bin/other", "other", 6));
	if (how->not_one)
		feed(t, record_run(1 * MS, OTHER));
	feed(t, record_run(1 * MS, AGENT));
	feed(t, record_exec(2 * MS, AGENT, 1, "/bin/agent", "agent", 6));
	for (uint32_t n = 1; n <= WORKERS + PIDS; n++) {
		if (n <= WORKERS && how->early)
			worker_is_looked_at(t, n);
		if (n <= WORKERS)
			worker_begins(t, n);
		if (n > PIDS) {
			worker_did(t, n - PIDS, time_of(n, 200));
			worker_ends(t, n - PIDS, time_of(n, 300));
			worker_is_gone(t, n - PIDS, time_of(n, 400));
		}
	}
	feed(t, record_exit(time_of(WORKERS + PIDS, 500), AGENT, 0));
}

static void none_is_mixed_up(void **state)
{
	const struct trace_cfg cfg = { .calls = NULL };
	struct trace *t;

	told = (struct told){ .cnt = 0 };
	assert_int_equal(trace_new(&t, &cfg, on_span, NULL), 0);
	run_all(t, *state);
	assert_int_equal(told_count(&told, SPAN_RUN), 1); /* nobody is thought to live */
	trace_end(t);
	assert_int_equal(told_count(&told, SPAN_PROCESS), WORKERS);
	assert_int_equal(told_count(&told, SPAN_FILE), WORKERS);
	for (uint32_t n = 1; n <= WORKERS; n++)
		check_worker(n);
	for (size_t i = 0; i < told.cnt; i++)
		if (told.spans[i]->what == SPAN_FILE)
			check_file(told.spans[i]);
	trace_free(&t);
	told_fini(&told);
}

int main(void)
{
	static struct how as_sent, early = { .early = true },
				   beside = { .early = true, .not_one = true };
	static const struct CMUnitTest tests[] = {
		{ "none_is_mixed_up", none_is_mixed_up, NULL, NULL, &as_sent },
		{ "none_that_is_told_early", none_is_mixed_up, NULL, NULL, &early },
		{ "none_beside_another_run", none_is_mixed_up, NULL, NULL, &beside },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
