// SPDX-License-Identifier: BSD-2-Clause
/* Output of processes: lines, whose they are, and what is missing of them. */
#include "../fixture.h"
#include <stdio.h>
#include "base/buf.h"
#include "span/trace.h"

#define MS 1000000ull
#define ROOT 10
#define CHILD 20
#define ARGS(lit) lit, sizeof(lit)

static void on_span(void *ctx, const struct span *s)
{
	(void)ctx;
	(void)s;
}

static void on_log(void *ctx, const struct trace_log *l)
{
	buf_fmt(ctx, "%u/%d+%llu@%llu:" SV_FMT "|", l->pid, l->fd, (unsigned long long)l->missing,
		(unsigned long long)(l->time_ns / MS % 1000), SV_ARG(l->text));
}

static void feed(struct trace *t, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(t, rec), 0);
	free(rec);
}

static void put(struct trace *t, uint64_t ts, uint32_t pid, int fd, uint64_t pos, const char *text)
{
	struct ev_data *d = record_data(ts, pid, 99, EV_WRITE, pos, text, strlen(text));

	d->src = fd == 2 ? EV_SRC_STDERR : EV_SRC_STDOUT;
	feed(t, d);
}

static void lines_of_processes(void **state)
{
	const struct trace_cfg cfg = { .log = on_log };
	struct buf got = BUF_INIT;
	struct trace *t = NULL;

	(void)state;
	assert_int_equal(trace_new(&t, &cfg, on_span, &got), 0);
	feed(t, record_meta());
	feed(t, record_run(1 * MS, ROOT));
	feed(t, record_exec(2 * MS, ROOT, 1, "/bin/sh", ARGS("sh")));
	feed(t, record_fork(3 * MS, ROOT, CHILD));
	put(t, 10 * MS, ROOT, 1, 0, "one\ntwo\r\n\nthr");
	put(t, 11 * MS, CHILD, 1, 0, "child\n");
	put(t, 12 * MS, ROOT, 2, 0, "err\n");
	put(t, 13 * MS, ROOT, 1, 13, "ee\n");
	/* 100 bytes went over the budget */
	put(t, 20 * MS, ROOT, 1, 116, "behind\nhalf");
	/* a prompt, and what comes long after it */
	put(t, 1500 * MS, ROOT, 1, 127, "other\n");
	put(t, 1510 * MS, ROOT, 2, 4,
	    "key sk-ant-api03-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
	put(t, 1520 * MS, CHILD, 1, 6, "no end");
	feed(t, record_exit(1530 * MS, CHILD, 0));
	feed(t, record_exit(1540 * MS, ROOT, 0));
	trace_end(t);
	assert_string_equal(buf_cstr(&got),
			    "10/1+0@10:one|10/1+0@10:two|10/1+0@10:|20/1+0@11:child|10/2+0@12:err|"
			    "10/1+0@10:three|10/1+100@20:behind|10/1+0@20:half|10/1+0@500:other|"
			    "10/2+0@510:key sk-**************************************************|"
			    "20/1+0@520:no end|");
	trace_free(&t);
	buf_fini(&got);
}

/* A line without an end is told in pieces; what nobody traces is nobody's. */
static void bounds(void **state)
{
	const struct trace_cfg cfg = { .log = on_log };
	struct buf got = BUF_INIT;
	struct trace *t = NULL;
	char text[1001] = { 0 };
	size_t before;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(trace_new(&t, &cfg, on_span, &got), 0);
	feed(t, record_meta());
	put(t, 1 * MS, ROOT, 1, 0, "nobody's\n");
	assert_int_equal(got.len, 0);
	feed(t, record_run(2 * MS, ROOT));
	for (uint64_t i = 0; i < 16; i++)
		put(t, 3 * MS, ROOT, 1, i * 1000, text);
	assert_int_equal(got.len, 0);
	put(t, 3 * MS, ROOT, 1, 16000, text);
	before = got.len;
	assert_true(before > 16384);
	trace_end(t);
	assert_true(got.len > before + 600);
	trace_free(&t);
	buf_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_processes),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests_name("trace_log", tests, NULL, NULL);
}
