// SPDX-License-Identifier: BSD-2-Clause
#include "cli/latency_threads.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "base/cleanup.h"
#include "cli/table.h"
#include "sink/human.h"
#include "span/threads.h"

enum { NAME, TID, PROCESS, TIME, CPU, SYSTEM, QUEUE, BLOCKED, WHAT, SWITCHES, FORCED, MOVES };

static const struct table_column columns[] = {
	[NAME] = { .title = "thread", .least = 8 },
	[TID] = { .title = "TID", .right = true },
	[PROCESS] = { .title = "PROCESS", .least = 8, .spare = true },
	[TIME] = { .title = "TIME", .right = true },
	[CPU] = { .title = "CPU", .right = true },
	[SYSTEM] = { .title = "SYSTEM", .right = true },
	[QUEUE] = { .title = "RUN QUEUE", .right = true },
	[BLOCKED] = { .title = "BLOCKED", .right = true },
	[WHAT] = { .title = "BY", .least = 12 },
	[SWITCHES] = { .title = "SWITCHES", .right = true },
	[FORCED] = { .title = "FORCED", .right = true, .spare = true },
	[MOVES] = { .title = "MOVES", .right = true, .spare = true },
};

static uint64_t blocked(const struct thread_row *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < EV_BLOCK_CNT; i++)
		sum += r->blocked_ns[i];
	return sum;
}

/* "poll 2.1s, lock 30ms": most first, what is less than a hundredth of it left out. */
static struct sv blocked_text(struct arena *a, const struct thread_row *r)
{
	uint64_t least = blocked(r) / 100;
	struct thread_row left = *r;
	struct sv text = { "", 0 };

	for (;;) {
		size_t most = 0;
		uint64_t ns;

		for (size_t i = 1; i < EV_BLOCK_CNT; i++)
			if (left.blocked_ns[i] > left.blocked_ns[most])
				most = i;
		ns = left.blocked_ns[most];
		left.blocked_ns[most] = 0;
		if (!ns || ns < least)
			return text;
		text = arena_fmt(a, SV_FMT "%s%s %s", SV_ARG(text), text.n ? ", " : "",
				 threads_block_name(most), human_duration(ns).s);
	}
}

static int add_row(struct table *t, const struct thread_row *r)
{
	struct table_row *row = table_add(t, STYLE_PLAIN);
	const uint64_t counts[] = { [TID] = r->tid,
				    [SWITCHES] = r->voluntary,
				    [FORCED] = r->involuntary,
				    [MOVES] = r->migrations };
	const uint64_t times[] = { [TIME] = r->time_ns,
				   [CPU] = r->cpu_ns,
				   [SYSTEM] = r->system_ns,
				   [QUEUE] = r->run_queue_ns,
				   [BLOCKED] = blocked(r) };

	if (!row)
		return -ENOMEM;
	table_set(t, row, NAME, r->name);
	table_set(t, row, PROCESS,
		  arena_fmt(&t->arena, SV_FMT " (%" PRIu64 ")", SV_ARG(r->process), r->pid));
	table_set(t, row, WHAT, blocked_text(&t->arena, r));
	for (size_t i = TIME; i <= BLOCKED; i++)
		table_set(t, row, i, sv(human_duration(times[i]).s));
	table_set(t, row, TID, arena_fmt(&t->arena, "%" PRIu64, counts[TID]));
	for (size_t i = SWITCHES; i <= MOVES; i++)
		table_set(t, row, i, arena_fmt(&t->arena, "%" PRIu64, counts[i]));
	return 0;
}

static int print_table(const struct thread_rows *rows, size_t cnt, const struct latency_how *how,
		       FILE *out)
{
	struct table t;
	int err = 0;

	table_init(&t, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < cnt && !err; i++)
		err = add_row(&t, &rows->of[i]);
	if (!err)
		err = table_write(&t, out, how->columns, how->colour);
	table_fini(&t);
	return err;
}

static void json_row(struct buf *b, const struct thread_row *r)
{
	const char *sep = "";

	buf_str(b, "{\"name\":");
	json_write_str(b, r->name);
	buf_str(b, ",\"process\":");
	json_write_str(b, r->process);
	buf_fmt(b,
		",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64 ",\"time_ns\":%" PRIu64
		",\"cpu_ns\":%" PRIu64 ",\"cpu_system_ns\":%" PRIu64 ",\"run_queue_ns\":%" PRIu64
		",\"voluntary_switches\":%" PRIu64 ",\"involuntary_switches\":%" PRIu64
		",\"migrations\":%" PRIu64 ",\"blocked_ns\":{",
		r->pid, r->tid, r->time_ns, r->cpu_ns, r->system_ns, r->run_queue_ns, r->voluntary,
		r->involuntary, r->migrations);
	for (size_t i = 0; i < EV_BLOCK_CNT; i++) {
		if (!r->blocked_ns[i])
			continue;
		buf_fmt(b, "%s\"%s\":%" PRIu64, sep, threads_block_name(i), r->blocked_ns[i]);
		sep = ",";
	}
	buf_str(b, "}}");
}

static int print_json(const struct thread_rows *rows, size_t cnt, FILE *out)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_str(&b, "{\"by\":\"thread\",\"rows\":[");
	for (size_t i = 0; i < cnt; i++) {
		if (i)
			buf_ch(&b, ',');
		json_row(&b, &rows->of[i]);
	}
	buf_str(&b, "]}\n");
	if (b.err)
		return b.err;
	return fwrite(b.p, 1, b.len, out) == b.len ? 0 : -EIO;
}

int latency_print_threads(struct thread_rows *t, const struct latency_how *how, FILE *out)
{
	size_t cnt = how->rows && t->cnt > how->rows ? how->rows : t->cnt;

	thread_rows_sort(t);
	if (how->json)
		return print_json(t, cnt, out);
	return cnt ? print_table(t, cnt, how, out) : 0;
}
