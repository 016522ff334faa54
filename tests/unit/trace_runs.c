// SPDX-License-Identifier: BSD-2-Clause
/*
 * A recording that goes on for long: runs come and go and leave nothing behind, and what was already
 * running when it began says so.
 */
#include <malloc.h>
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define ARGS(lit) lit, sizeof(lit)

#define ASKED \
	"{\"model\":\"claude-sonnet-4-5\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"}]}"
#define CALLS                                                                                      \
	"{\"id\":\"m1\",\"model\":\"claude-sonnet-4-5\",\"role\":\"assistant\",\"content\":["      \
	"{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"sh\",\"input\":{\"command\":\"date\"}}]," \
	"\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":9,\"output_tokens\":3}}"
#define ASKED_AGAIN                                                                              \
	"{\"model\":\"claude-sonnet-4-5\",\"messages\":[{\"role\":\"user\",\"content\":\"go\"}," \
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"    \
	"\"sh\","                                                                                \
	"\"input\":{\"command\":\"date\"}}]},{\"role\":\"user\",\"content\":[{\"type\":"         \
	"\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"now\"}]}]}"
#define DONE                                                                                  \
	"{\"id\":\"m2\",\"model\":\"claude-sonnet-4-5\",\"role\":\"assistant\",\"content\":[" \
	"{\"type\":\"text\",\"text\":\"done\"}],\"stop_reason\":\"end_turn\","                \
	"\"usage\":{\"input_tokens\":19,\"output_tokens\":2}}"

struct world {
	struct trace *trace;
	struct told told;
	bool keep; /* what is told, else count it */
	size_t spans, tools;
	uint64_t ts;
};

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	w->spans++;
	w->tools += s->what == SPAN_TOOL_CALL;
	if (w->keep)
		told_add(&w->told, s);
}

static void feed(struct world *w, void *rec)
{
	struct ev_hdr *h = rec;

	h->ts = w->ts += MS;
	assert_int_equal(event_check(rec, h->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static void begin(struct world *w)
{
	const struct trace_cfg cfg = { 0 };

	*w = (struct world){ 0 };
	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
}

static void over(struct world *w)
{
	trace_end(w->trace);
	trace_free(&w->trace);
	told_fini(&w->told);
}

/* --- nothing is left of them */

static void say(struct world *w, uint32_t pid, int dir, uint64_t *pos, const char *head,
		const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", head,
		strlen(body), body);
	feed(w, record_data(0, pid, pid, dir, pos[dir], b.p, b.len));
	pos[dir] += b.len;
}

/* A run that asks, has a tool call's process, and ends; its connection stays open, or the call unanswered. */
static void whole_run(struct world *w, uint32_t n)
{
	static const char request[] = "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com";
	uint32_t pid = AGENT + 2 * n;
	uint64_t pos[2] = { 0, 0 };

	feed(w, record_run(0, pid));
	feed(w, record_exec(0, pid, 1, "/usr/bin/python3", ARGS("python3\0/x/agent.py")));
	say(w, pid, EV_WRITE, pos, request, ASKED);
	say(w, pid, EV_READ, pos, "HTTP/1.1 200 OK", CALLS);
	feed(w, record_fork(0, pid, pid + 1));
	feed(w, record_exec(0, pid + 1, pid, "/bin/date", ARGS("date")));
	if (n % 3)
		feed(w, record_exit(0, pid + 1, 0));
	say(w, pid, EV_WRITE, pos, request, ASKED_AGAIN);
	if (n % 2)
		say(w, pid, EV_READ, pos, "HTTP/1.1 200 OK", DONE);
	feed(w, record_exit(0, pid, n % 5 ? 0 : 9));
	if (n % 3 == 0) /* outlives its agent */
		feed(w, record_exit(0, pid + 1, 0));
}

/* Bytes that are allocated; 0 where the allocator does not say. */
static size_t allocated(void)
{
	return mallinfo2().uordblks;
}

static void nothing_is_left_of_runs(void **state)
{
	struct world w;
	size_t few;
	uint32_t n = 0;

	(void)state;
	begin(&w);
	while (n < 100)
		whole_run(&w, n++);
	few = allocated();
	while (n < 3000)
		whole_run(&w, n++);
	assert_int_equal(w.tools, n);
	assert_true(w.spans > 6 * (size_t)n);
	/* less than the smallest thing that can be allocated, of each run; the allocator keeps some back */
	assert_true(allocated() < few + 16 * (size_t)(n - 100));
	over(&w);
}

/* The agent is over, of its run a process is left; then more comes of the agent, and again when that is over, too. */
static void what_comes_late(void **state)
{
	static const char request[] = "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com";
	uint64_t pos[2] = { 0, 0 };
	struct world w;

	(void)state;
	begin(&w);
	feed(&w, record_run(0, AGENT));
	feed(&w, record_exec(0, AGENT, 1, "/usr/bin/python3", ARGS("python3\0/x/agent.py")));
	feed(&w, record_fork(0, AGENT, AGENT + 1));
	feed(&w, record_exit(0, AGENT, 0));
	say(&w, AGENT, EV_WRITE, pos, request, ASKED);
	feed(&w, record_exit(0, AGENT + 1, 0));
	say(&w, AGENT, EV_READ, pos, "HTTP/1.1 200 OK", CALLS);
	say(&w, AGENT, EV_WRITE, pos, request, ASKED_AGAIN);
	over(&w);
}

/* --- what ran before */

static void *record_proc(uint32_t pid, uint32_t parent, const char *path, const char *args,
			 size_t n)
{
	struct ev_exec *e = record_exec(0, pid, parent, path, args, n);

	e->hdr.kind = EV_PROC;
	return e;
}

static bool is_joined(const struct span *s)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e)
		if (sv_is(e->s, "joined"))
			return true;
	return false;
}

/* A world in which the agent is attached to. */
static void begin_attached(struct world *w)
{
	struct ev_run *run = record_run(0, AGENT);

	begin(w);
	w->keep = true;
	run->origin = EV_RUN_ATTACH;
	feed(w, run);
}

static void what_ran_before_says_so(void **state)
{
	struct world w;

	(void)state;
	begin_attached(&w);
	feed(&w, record_proc(AGENT, 1, "/usr/bin/python3", ARGS("python3\0/x/agent.py")));
	feed(&w, record_proc(AGENT + 1, AGENT, "/bin/server", ARGS("server")));
	feed(&w, record_fork(0, AGENT, AGENT + 2));
	feed(&w, record_exec(0, AGENT + 2, AGENT, "/bin/date", ARGS("date")));
	feed(&w, record_exit(0, AGENT + 2, 0));
	feed(&w, record_exit(0, AGENT + 1, 0));
	feed(&w, record_exit(0, AGENT, 0));
	assert_true(is_joined(told_nth(&w.told, SPAN_RUN, 0)));
	assert_true(is_joined(told_process(&w.told, AGENT + 1)));
	assert_false(is_joined(told_process(&w.told, AGENT + 2)));
	over(&w);
}

/* One that begins while the recording goes on is told from its start on. */
static void what_begins_later_is_whole(void **state)
{
	struct world w;

	(void)state;
	begin_attached(&w);
	feed(&w, record_exec(0, AGENT, 1, "/usr/bin/python3", ARGS("python3\0/x/agent.py")));
	feed(&w, record_exit(0, AGENT, 0));
	assert_null(span_attr(told_nth(&w.told, SPAN_RUN, 0), ATTR_ID_INCOMPLETE));
	over(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_of_runs),
		cmocka_unit_test(what_comes_late),
		cmocka_unit_test(what_ran_before_says_so),
		cmocka_unit_test(what_begins_later_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
