// SPDX-License-Identifier: BSD-2-Clause
/*
 * The trace engine on hand-made record streams: runs, model calls and their attempts, tool calls and
 * the processes that did them, and that the same records always give the same spans.
 */
#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "base/limits.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define ARGS(lit) lit, sizeof(lit) /* with the NUL behind the last one */

struct world {
	struct trace *trace;
	struct told told;
	uint64_t pos[8][2];
	bool watch; /* look at what is open after each record */
	struct {
		char id[HEX64];
		enum span_what what;
		uint64_t start, end;
	} open[512];
	size_t open_cnt;
};

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	told_add(&w->told, s);
}

static int setup(void **state)
{
	const struct trace_cfg cfg = { 0 };
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	return w ? trace_new(&w->trace, &cfg, on_span, w) : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	told_fini(&w->told);
	free(w);
	return 0;
}

/* --- saying what happened */

static void on_open(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	assert_true(w->open_cnt < ARRAY_SIZE(w->open));
	assert_true(json_true(span_attr(s, ATTR_ID_UNFINISHED)));
	assert_null(span_attr(s, ATTR_ID_INPUT_MESSAGES));
	memcpy(w->open[w->open_cnt].id, s->span_id, HEX64);
	w->open[w->open_cnt].what = s->what;
	w->open[w->open_cnt].start = s->start_ns;
	w->open[w->open_cnt++].end = s->end_ns;
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	if (w->watch)
		trace_each_open(w->trace, on_open, w);
	free(rec);
}

static void bytes_of(struct world *w, uint64_t ts, uint32_t pid, uint64_t conn, int dir,
		     const char *text)
{
	feed(w, record_data(ts, pid, conn, dir, w->pos[conn][dir], text, strlen(text)));
	w->pos[conn][dir] += strlen(text);
}

static void bytes(struct world *w, uint64_t ts, uint64_t conn, int dir, const char *text)
{
	bytes_of(w, ts, AGENT, conn, dir, text);
}

static void begin(struct world *w)
{
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w,
	     record_exec(2 * MS, AGENT, 1, "/usr/bin/python3", ARGS("python3\0-u\0/x/agent.py")));
}

static void end(struct world *w)
{
	feed(w, record_exit(900 * MS, AGENT, 0));
	trace_end(w->trace);
}

static void ask(struct world *w, uint64_t ts, uint64_t conn, const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		strlen(body), body);
	bytes(w, ts, conn, EV_WRITE, buf_cstr(&b));
}

static void answer(struct world *w, uint64_t ts, uint64_t conn, int status, const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nrequest-id: req_1\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
	bytes(w, ts, conn, EV_READ, buf_cstr(&b));
}

static void close_conn(struct world *w, uint64_t ts, uint64_t conn)
{
	struct ev_close *c = record(EV_CLOSE, sizeof(*c), ts, AGENT, NULL, 0);

	c->conn = conn;
	feed(w, c);
}

#define HELLO                                                                                    \
	"{\"model\":\"claude-x\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":" \
	"\"hi\"}]}"
#define DONE                                                                                    \
	"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\"," \
	"\"content\":[{\"type\":\"text\",\"text\":\"hello\"}],\"stop_reason\":\"end_turn\","    \
	"\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"output_tokens\":3}}"
#define BUSY "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}"
#define TWO_TOOLS                                                                               \
	"{\"id\":\"msg_2\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\"," \
	"\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"shell\","                 \
	"\"input\":{\"command\":\"echo 'one'; sleep 1\"}},"                                     \
	"{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"shell\",\"input\":{\"command\":\"id "  \
	"-u\"}}],"                                                                              \
	"\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":5,\"output_tokens\":3}}"
#define RESULTS                                                                                  \
	"{\"model\":\"claude-x\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"          \
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"    \
	"\"shell\","                                                                             \
	"\"input\":{}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"shell\",\"input\":{}}]}," \
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\","      \
	"\"content\":\"one\"},{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"content\":"     \
	"\"bad\","                                                                               \
	"\"is_error\":true}]}]}"

/* --- looking at what came out */

static bool says(const struct span *s, const char *reason)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e)
		if (json_str_is(e, reason))
			return true;
	return false;
}

static const struct span *by_id(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->told.cnt; i++)
		if (strcmp(w->told.spans[i]->span_id, id) == 0)
			return w->told.spans[i];
	fail_msg("no span %s", id);
	return NULL;
}

/* --- tests */

static void one_call(void **state)
{
	struct world *w = *state;
	const struct span *run, *call;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 30 * MS, 1, 200, DONE);
	end(w);
	run = told_nth(&w->told, SPAN_RUN, 0);
	call = told_nth(&w->told, SPAN_MODEL_CALL, 0);
	assert_int_equal(w->told.cnt, 4); /* with agent and turn */
	ASSERT_SV(run->name, "run agent.py");
	assert_string_equal(run->parent_span_id, "");
	assert_int_equal(run->start_ns, 1700000000000000000 + 1 * MS);
	assert_int_equal(run->end_ns, 1700000000000000000 + 900 * MS);
	assert_int_equal(span_attr_int(run, ATTR_ID_PROCESS_EXIT_CODE, -1), 0);
	assert_int_equal(span_attr_int(run, ATTR_ID_MODEL_CALLS, -1), 1);
	ASSERT_SV(call->name, "chat claude-x");
	assert_string_equal(call->parent_span_id, told_nth(&w->told, SPAN_TURN, 0)->span_id);
	assert_int_equal(call->status, STATUS_UNSET);
	assert_int_equal(call->end_ns - call->start_ns, 20 * MS);
	assert_int_equal(span_attr_int(call, ATTR_ID_USAGE_INPUT, -1), 7);
	assert_int_equal(span_attr_int(call, ATTR_ID_USAGE_CACHE_READ, -1), 2);
	assert_int_equal(span_attr_int(call, ATTR_ID_USAGE_OUTPUT, -1), 3);
	assert_int_equal(span_attr_int(call, ATTR_ID_ATTEMPTS, -1), 1);
	assert_int_equal(span_attr_int(call, ATTR_ID_HTTP_REQUEST_BODY, -1), strlen(HELLO));
	assert_int_equal(span_attr_int(call, ATTR_ID_FIRST_BYTE_NS, -1), 20 * MS);
	ASSERT_SV(span_attr_sv(call, ATTR_ID_PROVIDER), "anthropic");
	ASSERT_SV(span_attr_sv(call, ATTR_ID_REQUEST_ID), "req_1");
	ASSERT_SV(span_attr_sv(call, ATTR_ID_URL_FULL), "https://api.anthropic.com/v1/messages");
	assert_null(span_attr(call, ATTR_ID_INCOMPLETE));
}

static void retry_is_one_call(void **state)
{
	struct world *w = *state;
	const struct span *call, *a1, *a2;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 529, BUSY);
	ask(w, 120 * MS, 1, HELLO);
	answer(w, 150 * MS, 1, 200, DONE);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	assert_int_equal(told_count(&w->told, SPAN_ATTEMPT), 2);
	call = told_nth(&w->told, SPAN_MODEL_CALL, 0);
	a1 = told_nth(&w->told, SPAN_ATTEMPT, 0);
	a2 = told_nth(&w->told, SPAN_ATTEMPT, 1);
	assert_int_equal(call->status, STATUS_UNSET);
	assert_int_equal(span_attr_int(call, ATTR_ID_ATTEMPTS, -1), 2);
	assert_int_equal(call->end_ns - call->start_ns, 140 * MS);
	assert_int_equal(span_attr_int(call, ATTR_ID_HTTP_REQUEST_BODY, -1), 2 * strlen(HELLO));
	assert_string_equal(a1->parent_span_id, call->span_id);
	assert_string_equal(a2->parent_span_id, call->span_id);
	assert_int_equal(a1->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(a1, ATTR_ID_ERROR_TYPE), "overloaded_error");
	assert_int_equal(span_attr_int(a2, ATTR_ID_RETRY_WAIT, -1), 100 * MS);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_ERRORS, -1), 0);
}

static void broken_answer_is_tried_again_elsewhere(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	bytes(w, 20 * MS, 1, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":\"msg_0\",\"ty");
	close_conn(w, 25 * MS, 1);
	ask(w, 50 * MS, 2, HELLO);
	answer(w, 60 * MS, 2, 200, DONE);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	assert_int_equal(
		span_attr_int(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_ATTEMPTS, -1), 2);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_ATTEMPT, 0), ATTR_ID_ERROR_TYPE),
		  "stream_cut");
	assert_true(says(told_nth(&w->told, SPAN_ATTEMPT, 0), "cut"));
}

/* Nothing was said, not even what it cost. */
static void connection_that_ends_without_an_answer(void **state)
{
	struct world *w = *state;
	const struct span *attempt;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	close_conn(w, 25 * MS, 1);
	ask(w, 50 * MS, 2, HELLO);
	answer(w, 60 * MS, 2, 200, DONE);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	attempt = told_nth(&w->told, SPAN_ATTEMPT, 0);
	ASSERT_SV(span_attr_sv(attempt, ATTR_ID_ERROR_TYPE), "no_response");
	assert_null(span_attr(attempt, ATTR_ID_COST_REPORTED));
}

/* Where a stream broke, claude-code asks for the answer in one piece. */
static void broken_stream_is_asked_for_whole(void **state)
{
	static const char streamed[] =
		"{\"model\":\"claude-x\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
		"\"content\":\"hi\"}],\"stream\":true}";
	struct world *w = *state;
	struct trace_totals totals;
	const struct span *call;

	begin(w);
	ask(w, 10 * MS, 1, streamed);
	bytes(w, 20 * MS, 1, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	      "event: ping\ndata: {\"type\":\"ping\"}\n\n"
	      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\","
	      "\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n");
	close_conn(w, 25 * MS, 1);
	ask(w, 50 * MS, 2, HELLO);
	answer(w, 60 * MS, 2, 200, DONE);
	end(w);
	trace_totals(w->trace, &totals);
	call = told_nth(&w->told, SPAN_MODEL_CALL, 0);
	assert_int_equal(totals.input_tokens, span_attr_int(call, ATTR_ID_USAGE_INPUT, -1));
	assert_int_equal(totals.output_tokens, span_attr_int(call, ATTR_ID_USAGE_OUTPUT, -1));
	/* what the provider had read of the first is told where it broke */
	assert_int_equal(
		span_attr_int(told_nth(&w->told, SPAN_ATTEMPT, 0), ATTR_ID_USAGE_INPUT, -1), 5);
	assert_null(span_attr(told_nth(&w->told, SPAN_ATTEMPT, 1), ATTR_ID_USAGE_INPUT));
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	assert_int_equal(
		span_attr_int(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_ATTEMPTS, -1), 2);
}

/* What an answer says at its start of its tokens is no rate when the rest never comes. */
static void no_rate_of_a_broken_stream(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	bytes(w, 20 * MS, 1, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":\"assistant\","
	      "\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
	      "data: "
	      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
	      "\"text\":\"a\"}}\n\n");
	bytes(w, 21 * MS, 1, EV_READ, "data: {\"ty");
	close_conn(w, 25 * MS, 1);
	end(w);
	assert_true(span_attr_int(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_FIRST_TOKEN_NS,
				  0) > 0);
	assert_int_equal(
		span_attr_int(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_USAGE_OUTPUT, 0), 1);
	assert_null(span_attr(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_TOKEN_RATE));
}

static void ask_gemini(struct world *w, uint64_t ts, uint64_t conn, const char *method)
{
	static const char body[] =
		"{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}";
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"POST /v1beta/models/gemini-x:%s HTTP/1.1\r\n"
		"Host: generativelanguage.googleapis.com\r\nContent-Length: %zu\r\n\r\n%s",
		method, strlen(body), body);
	bytes(w, ts, conn, EV_WRITE, buf_cstr(&b));
}

/* The path tells Gemini whether to stream. */
static void another_path_for_the_same(void **state)
{
	struct world *w = *state;

	begin(w);
	ask_gemini(w, 10 * MS, 1, "streamGenerateContent?alt=sse");
	answer(w, 20 * MS, 1, 503, "{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}");
	ask_gemini(w, 50 * MS, 1, "generateContent");
	answer(w, 60 * MS, 1, 200,
	       "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"yo\"}]},"
	       "\"finishReason\":\"STOP\"}]}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	assert_int_equal(told_count(&w->told, SPAN_ATTEMPT), 2);
}

/* Something else asked behind a failure is no second attempt at it. */
static void another_question_is_another_call(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 529, BUSY);
	ask(w, 30 * MS, 1,
	    "{\"model\":\"claude-y\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
	    "\"content\":\"hi\"}]}");
	answer(w, 40 * MS, 1, 529, BUSY);
	ask(w, 50 * MS, 1,
	    "{\"model\":\"claude-x\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
	    "\"content\":\"ho\"}]}");
	answer(w, 60 * MS, 1, 200, DONE);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 3);
	assert_int_equal(told_count(&w->told, SPAN_ATTEMPT), 0);
}

/* The first connection is only known to be closed when the second answer is there already. */
static void broken_answer_is_known_late(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	bytes(w, 20 * MS, 1, EV_READ, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\"");
	ask(w, 50 * MS, 2, HELLO);
	answer(w, 60 * MS, 2, 200, DONE);
	close_conn(w, 70 * MS, 1);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	assert_int_equal(told_count(&w->told, SPAN_ATTEMPT), 2);
}

static void same_question_twice_at_once_is_two_calls(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	ask(w, 11 * MS, 2, HELLO);
	answer(w, 60 * MS, 2, 200, DONE);
	answer(w, 70 * MS, 1, 200, DONE);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 2);
	assert_int_equal(told_count(&w->told, SPAN_ATTEMPT), 0);
}

static void failure_that_nobody_mends(void **state)
{
	struct world *w = *state;
	struct ev_tick *tick = record(EV_TICK, sizeof(*tick), 21 * MS + LIMIT_RETRY_NS, 0, NULL, 0);

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 500, BUSY);
	assert_int_equal(w->told.cnt, 0); /* may be tried again */
	feed(w, tick);
	assert_int_equal(w->told.cnt, 1);
	assert_int_equal(w->told.spans[0]->status, STATUS_ERROR);
	ask(w, 30 * MS + LIMIT_RETRY_NS, 1, HELLO);
	answer(w, 40 * MS + LIMIT_RETRY_NS, 1, 401, BUSY); /* final: told at once */
	assert_int_equal(w->told.cnt, 2);
	end(w);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_ERRORS, -1), 2);
}

static void run_bash(struct world *w, uint64_t ts, uint32_t pid, const char *args, size_t n)
{
	feed(w, record_fork(ts, AGENT, pid));
	feed(w, record_exec(ts + MS, pid, AGENT, "/bin/bash", args, n));
}

static void parallel_tools_keep_their_processes(void **state)
{
	struct world *w = *state;
	const struct span *t1, *t2, *p1, *p2;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 200, TWO_TOOLS);
	/* the second is started first, and quoted as a shell would */
	run_bash(w, 30 * MS, 21, ARGS("bash\0-c\0eval 'id -u'"));
	run_bash(w, 31 * MS, 22, ARGS("bash\0-c\0eval 'echo '\\''one'\\''; sleep 1'"));
	feed(w, record_fork(33 * MS, 22, 23));
	feed(w, record_exec(34 * MS, 23, 22, "/bin/sleep",
			    ARGS("sleep\0"
				 "1")));
	feed(w, record_exit(40 * MS, 21, 3 << 8));
	feed(w, record_exit(50 * MS, 23, 0));
	feed(w, record_exit(51 * MS, 22, 0));
	ask(w, 60 * MS, 1, RESULTS);
	answer(w, 70 * MS, 1, 200, DONE);
	end(w);
	t1 = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	t2 = told_nth(&w->told, SPAN_TOOL_CALL, 1);
	p1 = told_nth(&w->told, SPAN_PROCESS, 2);
	p2 = told_nth(&w->told, SPAN_PROCESS, 0);
	ASSERT_SV(t1->name, "execute_tool shell");
	ASSERT_SV(span_attr_sv(t1, ATTR_ID_TOOL_CALL_ID), "t1");
	ASSERT_SV(span_attr_sv(t1, ATTR_ID_TOOL_RESULT), "one");
	assert_int_equal(t1->end_ns - t1->start_ns, 40 * MS);
	assert_int_equal(t1->status, STATUS_UNSET);
	assert_int_equal(t2->status, STATUS_ERROR);
	assert_string_equal(p1->parent_span_id, t1->span_id);
	assert_string_equal(p2->parent_span_id, t2->span_id);
	ASSERT_SV(span_attr_sv(p1, ATTR_ID_LINK), "argument");
	assert_int_equal(span_attr_int(p2, ATTR_ID_PROCESS_EXIT_CODE, -1), 3);
	assert_string_equal(told_nth(&w->told, SPAN_PROCESS, 1)->parent_span_id, p1->span_id);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
}

/* Whatever is below a call's process is that call's doing, not that of another one without a process. */
static void what_is_deep_below_a_call(void **state)
{
	struct world *w = *state;
	const struct span *make, *cc;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 200, TWO_TOOLS); /* the other one does without a process */
	run_bash(w, 30 * MS, 21, ARGS("bash\0-c\0echo 'one'; sleep 1"));
	feed(w, record_fork(33 * MS, 21, 22));
	feed(w, record_exec(34 * MS, 22, 21, "/bin/make", ARGS("make")));
	feed(w, record_fork(35 * MS, 22, 23));
	feed(w, record_exec(36 * MS, 23, 22, "/bin/cc", ARGS("cc\0x.c")));
	for (uint32_t pid = 23; pid > 20; pid--)
		feed(w, record_exit((60 - pid) * MS, pid, 0));
	end(w);
	cc = told_nth(&w->told, SPAN_PROCESS, 0);
	make = told_nth(&w->told, SPAN_PROCESS, 1);
	assert_string_equal(cc->parent_span_id, make->span_id);
	assert_null(span_attr(cc, ATTR_ID_LINK));
	assert_string_equal(make->parent_span_id, told_nth(&w->told, SPAN_PROCESS, 2)->span_id);
}

/* The command of a call is an agent, in the shell's own process: what it starts is its own calls' doing. */
static void command_that_is_an_agent(void **state)
{
	static const char request[] = "POST /v1/messages HTTP/1.1\r\nHost: "
				      "api.anthropic.com\r\nContent-Length: 74\r\n\r\n"
				      "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
				      "\"content\":\"echo 'one'; sleep 1\"}]}";
	static const char calls[] =
		"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: 138\r\n\r\n"
		"{\"id\":\"msg_3\",\"type\":\"message\",\"role\":\"assistant\",\"content\":["
		"{\"type\":\"tool_use\",\"id\":\"t3\",\"name\":\"shell\",\"input\":{\"command\":"
		"\"date +%s\"}}]}";
	struct world *w = *state;
	const struct span *outer, *inner, *agent;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 200, TWO_TOOLS);
	run_bash(w, 30 * MS, 21, ARGS("bash\0-c\0echo 'one'; sleep 1"));
	feed(w, record_exec(32 * MS, 21, AGENT, "/usr/bin/python3", ARGS("python3\0sub.py")));
	bytes_of(w, 33 * MS, 21, 2, EV_WRITE, request);
	bytes_of(w, 34 * MS, 21, 2, EV_READ, calls);
	feed(w, record_fork(35 * MS, 21, 22));
	feed(w, record_exec(36 * MS, 22, 21, "/bin/bash", ARGS("bash\0-c\0date +%s")));
	feed(w, record_fork(37 * MS, 22, 23));
	feed(w, record_exec(38 * MS, 23, 22, "/bin/date", ARGS("date\0+%s")));
	for (uint32_t pid = 23; pid > 20; pid--)
		feed(w, record_exit((60 - pid) * MS, pid, 0));
	end(w);
	outer = told_nth(&w->told, SPAN_PROCESS, 2);
	inner = told_nth(&w->told, SPAN_PROCESS, 1);
	ASSERT_SV(span_attr_sv(by_id(w, outer->parent_span_id), ATTR_ID_TOOL_CALL_ID), "t1");
	ASSERT_SV(span_attr_sv(by_id(w, inner->parent_span_id), ATTR_ID_TOOL_CALL_ID), "t3");
	ASSERT_SV(span_attr_sv(inner, ATTR_ID_LINK), "argument");
	assert_string_equal(told_nth(&w->told, SPAN_PROCESS, 0)->parent_span_id, inner->span_id);
	agent = told_nth(&w->told, SPAN_AGENT, 1);
	ASSERT_SV(span_attr_sv(by_id(w, agent->parent_span_id), ATTR_ID_TOOL_CALL_ID), "t1");
	ASSERT_SV(agent->name, "invoke_agent sub.py");
}

/* The client acts when the stream says that it is over, not when its connection ends. */
static void tool_is_known_before_the_connection_ends(void **state)
{
	struct world *w = *state;

	begin(w);
	bytes(w, 10 * MS, 1, EV_WRITE,
	      "POST /v1/chat/completions HTTP/1.1\r\nHost: x.test\r\nContent-Length: 27\r\n\r\n"
	      "{\"model\":\"m\",\"stream\":true}");
	bytes(w, 20 * MS, 1, EV_READ,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	      "data: "
	      "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\","
	      "\"function\":{\"name\":\"shell\",\"arguments\":\"{\\\"command\\\":\\\"id "
	      "-u\\\"}\"}}]},"
	      "\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n");
	run_bash(w, 30 * MS, 21, ARGS("bash\0-c\0id -u"));
	feed(w, record_exit(40 * MS, 21, 0));
	close_conn(w, 50 * MS, 1);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 1);
	assert_string_equal(told_nth(&w->told, SPAN_PROCESS, 0)->parent_span_id,
			    told_nth(&w->told, SPAN_TOOL_CALL, 0)->span_id);
	assert_int_equal(told_nth(&w->told, SPAN_MODEL_CALL, 0)->status, STATUS_UNSET);
}

static void tool_without_answer(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	answer(w, 20 * MS, 1, 200, TWO_TOOLS);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	assert_true(says(told_nth(&w->told, SPAN_TOOL_CALL, 0), "unanswered"));
}

static void hole_is_on_the_call_that_has_it(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	bytes(w, 20 * MS, 1, EV_READ, "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n{\"id\"");
	w->pos[1][EV_READ] += 100;
	feed(w, record_data(21 * MS, AGENT, 1, EV_READ, w->pos[1][EV_READ], "x", 1));
	close_conn(w, 30 * MS, 1);
	end(w);
	assert_true(says(told_nth(&w->told, SPAN_MODEL_CALL, 0), "hole"));
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_MODEL_CALL, 0),
				       ATTR_ID_MISSING_BYTES, 0),
			 100);
}

/* Nobody can answer it any more once a later one has its answer: it waits for nothing on a connection that goes on. */
static void a_request_whose_answer_is_lost_is_over(void **state)
{
	struct world *w = *state;

	begin(w);
	for (int i = 0; i < 3; i++) {
		char body[] = HELLO;

		*strstr(body, "hi") = (char)('A' + i); /* none is the other one, tried again */
		ask(w, (10 + 20 * i) * MS, 1, body);
		if (i < 2)
			w->pos[1][EV_READ] += 300;
		else
			answer(w, 55 * MS, 1, 200, DONE);
	}
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 0); /* it may be tried again */
	feed(w, record(EV_TICK, sizeof(struct ev_tick), 56 * MS + LIMIT_RETRY_NS, 0, NULL, 0));
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 3);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 3);
}

static void what_is_open_at_the_end_is_unfinished(void **state)
{
	struct world *w = *state;

	begin(w);
	ask(w, 10 * MS, 1, HELLO);
	trace_end(w->trace);
	assert_true(says(told_nth(&w->told, SPAN_MODEL_CALL, 0), "unfinished"));
	assert_int_equal(told_nth(&w->told, SPAN_MODEL_CALL, 0)->status, STATUS_UNSET);
	assert_true(says(told_nth(&w->told, SPAN_RUN, 0), "unfinished"));
}

static void loss_is_on_the_run(void **state)
{
	struct world *w = *state;
	struct ev_stats *st = record(EV_STATS, sizeof(*st), 800 * MS, 0, NULL, 0);

	st->lost_ring = 3;
	st->lost_ring_bytes = 77;
	begin(w);
	feed(w, st);
	end(w);
	assert_true(says(told_nth(&w->told, SPAN_RUN, 0), "lost"));
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_LOST_RECORDS, 0),
			 3);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_LOST_BYTES, 0), 77);
}

/* What was lost before the run is not its own. */
static void loss_is_told_by_cause(void **state)
{
	static const struct ev_kind_counts kinds[2][2] = {
		{ { EV_EXIT, 0, 1, 1, 0, 0 }, { EV_DATA, 0, 10, 10, 0, 0 } },
		{ { EV_DATA, 0, 30, 20, 7, 0 }, { EV_FILE, 0, 9, 4, 0, 5 } },
	};
	struct world *w = *state;
	const struct span *run;

	for (int i = 0; i < 2; i++) {
		struct ev_loss *l = record(EV_LOSS, sizeof(*l), (1 + 799 * (uint64_t)i) * MS, 0,
					   kinds[i], sizeof(kinds[i]));

		l->kinds = 2;
		l->bytes = 1000 * (1 + (uint64_t)i);
		l->bytes_sent = l->bytes_delivered = 900 + 500 * (uint64_t)i;
		l->bytes_lost[EV_LOST_CAP] = 100;
		l->bytes_lost[EV_LOST_RING_FULL] = 400 * (uint64_t)i;
		l->bytes_lost[EV_LOST_UNDECIDED] = 100 * (uint64_t)i;
		l->calls_lost = 2 * (uint64_t)i;
		feed(w, l);
		if (!i)
			begin(w);
	}
	end(w);
	run = told_nth(&w->told, SPAN_RUN, 0);
	assert_true(says(run, "lost"));
	assert_int_equal(span_attr_int(run, ATTR_ID_LOST_BYTES, -1), 400);
	assert_int_equal(span_attr_int(run, ATTR_ID_LOST_RECORDS, -1), 9);
	assert_int_equal(span_attr_int(run, ATTR_ID_LOST_RING_RECORDS, -1), 7);
	assert_int_equal(span_attr_int(run, ATTR_ID_LOST_RING_BYTES, -1), 400);
	assert_int_equal(span_attr_int(run, ATTR_ID_LOST_MAP_CALLS, -1), 2);
	assert_null(span_attr(run, ATTR_ID_LOST_CAP_BYTES));
	assert_int_equal(span_attr_int(run, ATTR_ID_LEFT_RATE_RECORDS, -1), 5);
	assert_int_equal(span_attr_int(run, ATTR_ID_LEFT_UNDECIDED_BYTES, -1), 100);
	assert_int_equal(span_attr_int(run, ATTR_ID_RECORDS_PRODUCED, -1), 28);
	assert_int_equal(span_attr_int(run, ATTR_ID_RECORDS_DELIVERED, -1), 13);
	assert_int_equal(span_attr_int(run, ATTR_ID_RECORDS_WAITING, -1), 3);
	assert_int_equal(span_attr_int(run, ATTR_ID_CONTENT_PRODUCED, -1), 1000);
	assert_int_equal(span_attr_int(run, ATTR_ID_CONTENT_DELIVERED, -1), 500);
}

static void run_waits_for_its_last_process(void **state)
{
	struct world *w = *state;

	begin(w);
	feed(w, record_fork(30 * MS, AGENT, 21));
	feed(w, record_exit(40 * MS, AGENT, 1 << 8));
	assert_int_equal(w->told.cnt, 0);
	feed(w, record_exit(50 * MS, 21, 0));
	assert_int_equal(w->told.cnt, 2);
	assert_int_equal(w->told.spans[1]->what, SPAN_RUN);
	assert_int_equal(w->told.spans[1]->status, STATUS_ERROR);
	trace_end(w->trace);
}

static void signal_is_told(void **state)
{
	struct world *w = *state;

	begin(w);
	feed(w, record_exit(40 * MS, AGENT, 9));
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_SIGNAL, 0), 9);
	assert_null(span_attr(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_PROCESS_EXIT_CODE));
}

static void container_is_told(void **state)
{
#define ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UID "4f2c1a7e-93d0-4b1c-8f55-0a1b2c3d4e5f"
	struct world *w = *state;

	begin(w);
	feed(w, record_cgroup(3 * MS, AGENT, "0::/kubepods/pod" UID "/" ID "\n"));
	run_bash(w, 10 * MS, 21, ARGS("bash\0-c\0true"));
	feed(w, record_exit(20 * MS, 21, 0));
	end(w);
	for (size_t i = 0; i < 2; i++) {
		const struct span *s = told_nth(&w->told, i ? SPAN_RUN : SPAN_PROCESS, 0);

		ASSERT_SV(span_attr_sv(s, ATTR_ID_CONTAINER_ID), ID);
		ASSERT_SV(span_attr_sv(s, ATTR_ID_POD_UID), UID);
	}
}

static void connect_is_told(void **state)
{
	struct world *w = *state;
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), 15 * MS, AGENT, NULL, 0);

	c->enter_ts = 12 * MS;
	c->err = -111;
	c->addr.family = 2;
	c->addr.rport = 443;
	memcpy(c->addr.raddr, "\x7f\0\0\1", 4);
	begin(w);
	feed(w, c);
	end(w);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_NET_PEER_ADDRESS),
		  "127.0.0.1");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_ERROR_TYPE),
		  "ECONNREFUSED");
	assert_int_equal(told_nth(&w->told, SPAN_CONNECT, 0)->end_ns -
				 told_nth(&w->told, SPAN_CONNECT, 0)->start_ns,
			 3 * MS);
}

/* A call beside the conversation is the doing of whoever made it. */
static void call_of_a_child(void **state)
{
	static const char request[] = "POST /v1/embeddings HTTP/1.1\r\nHost: llm.test\r\n"
				      "Content-Length: 26\r\n\r\n{\"model\":\"e\",\"input\":\"x\"}";
	static const char response[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				       "Content-Length: 2\r\n\r\n{}";
	struct world *w = *state;

	begin(w);
	feed(w, record_fork(5 * MS, AGENT, AGENT + 1));
	feed(w, record_exec(6 * MS, AGENT + 1, AGENT, "/bin/indexer", ARGS("indexer")));
	feed(w, record_data(10 * MS, AGENT + 1, 1, EV_WRITE, 0, request, strlen(request)));
	feed(w, record_data(11 * MS, AGENT + 1, 1, EV_READ, 0, response, strlen(response)));
	end(w);
	assert_string_equal(told_nth(&w->told, SPAN_EMBEDDING, 0)->parent_span_id,
			    told_nth(&w->told, SPAN_PROCESS, 0)->span_id);
}

static void other_http_is_told_too(void **state)
{
	struct world *w = *state;

	begin(w);
	bytes(w, 10 * MS, 1, EV_WRITE,
	      "GET /a?key=verysecretkey HTTP/1.1\r\nHost: x.test:8443\r\n\r\n");
	bytes(w, 20 * MS, 1, EV_READ, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	end(w);
	ASSERT_SV(told_nth(&w->told, SPAN_HTTP, 0)->name, "GET");
	assert_int_equal(told_nth(&w->told, SPAN_HTTP, 0)->status, STATUS_ERROR);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_HTTP, 0), ATTR_ID_SERVER_PORT, 0),
			 8443);
	assert_false(
		sv_has(span_attr_sv(told_nth(&w->told, SPAN_HTTP, 0), ATTR_ID_URL_FULL), "secret"));
}

/* --- HTTP/2: frames by hand (RFC 9113 4.1, RFC 7541 6.2.2) */

static void frame(struct buf *b, int type, int flags, int stream, struct sv payload)
{
	const unsigned char head[9] = {
		payload.n >> 16, payload.n >> 8, payload.n, type, flags, 0, 0, 0, stream
	};

	buf_add(b, head, sizeof(head));
	buf_sv(b, payload);
}

static void field(struct buf *b, const char *name, const char *value)
{
	buf_ch(b, 0); /* literal, not indexed, new name */
	buf_ch(b, (char)strlen(name));
	buf_str(b, name);
	buf_ch(b, (char)strlen(value));
	buf_str(b, value);
}

static void send_buf(struct world *w, uint64_t ts, int dir, struct buf *b)
{
	feed(w, record_data(ts, AGENT, 1, dir, w->pos[1][dir], b->p, b->len));
	w->pos[1][dir] += b->len;
	buf_clear(b);
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* Two calls at once on one connection, answered the other way round. */
static void two_streams(struct world *w, bool preface)
{
	_cleanup_buf_ struct buf out = BUF_INIT, head = BUF_INIT;

	if (preface)
		buf_str(&out, PREFACE);
	frame(&out, 4, 0, 0, SV(""));
	field(&head, ":method", "POST");
	field(&head, ":scheme", "https");
	field(&head, ":authority", "api.anthropic.com");
	field(&head, ":path", "/v1/messages");
	for (int stream = 1; stream <= 3; stream += 2) {
		frame(&out, 1, 4, stream, buf_view(&head));
		frame(&out, 0, 1, stream, SV(HELLO));
	}
	send_buf(w, 10 * MS, EV_WRITE, &out);
	frame(&out, 4, 0, 0, SV(""));
	buf_clear(&head);
	field(&head, ":status", "200");
	field(&head, "content-type", "application/json");
	for (int stream = 3; stream >= 1; stream -= 2) {
		frame(&out, 1, 4, stream, buf_view(&head));
		frame(&out, 0, 1, stream, SV(DONE));
		send_buf(w, (stream == 3 ? 20 : 30) * MS, EV_READ, &out);
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct span *s = told_nth(&w->told, SPAN_MODEL_CALL, i);

		ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_PROTOCOL_VERSION), "2");
		ASSERT_SV(span_attr_sv(s, ATTR_ID_PROVIDER), "anthropic");
		assert_int_equal(span_attr_int(s, ATTR_ID_USAGE_OUTPUT, -1), 3);
		assert_int_equal(s->end_ns - s->start_ns, (i ? 20 : 10) * MS);
		assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	}
}

static void two_streams_of_http2(void **state)
{
	begin(*state);
	two_streams(*state, true);
}

/* A constant of the program, in a page that was never touched: the kernel side cannot read it. */
static void preface_that_could_not_be_read(void **state)
{
	struct world *w = *state;
	struct ev_data *d = record_data(10 * MS, AGENT, 1, EV_WRITE, 0, NULL, 0);

	d->missing = w->pos[1][EV_WRITE] = strlen(PREFACE);
	begin(w);
	feed(w, d);
	two_streams(w, false);
}

static void text_frame(struct buf *b, bool masked, const char *text)
{
	size_t n = strlen(text);

	buf_ch(b, (char)0x81); /* the last frame of a text message, RFC 6455 5.2 */
	buf_ch(b, (char)(126 | (masked ? 0x80 : 0)));
	buf_ch(b, (char)(n >> 8));
	buf_ch(b, (char)n);
	if (masked)
		buf_add(b, "\0\0\0\0", 4); /* a mask that changes nothing */
	buf_str(b, text);
}

static void calls_over_a_websocket(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world *w = *state;

	begin(w);
	bytes(w, 10 * MS, 1, EV_WRITE,
	      "GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nUpgrade: websocket\r\n\r\n");
	/* the server's first message comes with its answer */
	buf_str(&b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	text_frame(&b, false, "{\"type\":\"hello\"}");
	send_buf(w, 20 * MS, EV_READ, &b);
	for (int i = 0; i < 2; i++) {
		text_frame(&b, true,
			   "{\"type\":\"response.create\",\"model\":\"gpt-x\",\"input\":\"hi\"}");
		send_buf(w, (30 + 20 * i) * MS, EV_WRITE, &b);
		text_frame(&b, false,
			   "{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\","
			   "\"status\":\"completed\",\"model\":\"gpt-x\",\"output\":[],"
			   "\"usage\":{\"input_tokens\":4,\"output_tokens\":2}}}");
		send_buf(w, (40 + 20 * i) * MS, EV_READ, &b);
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 2);
	ASSERT_SV(told_nth(&w->told, SPAN_MODEL_CALL, 1)->name, "chat gpt-x");
	assert_int_equal(
		span_attr_int(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_USAGE_INPUT, -1), 4);
	assert_int_equal(told_nth(&w->told, SPAN_MODEL_CALL, 1)->status, STATUS_UNSET);
	assert_int_equal(told_nth(&w->told, SPAN_MODEL_CALL, 1)->end_ns -
				 told_nth(&w->told, SPAN_MODEL_CALL, 1)->start_ns,
			 10 * MS);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_HTTP, 0), ATTR_ID_HTTP_STATUS, 0),
			 101);
}

/* One message each way, and the status in the trailers. */
static void a_grpc_call(void **state)
{
	_cleanup_buf_ struct buf out = BUF_INIT, head = BUF_INIT;
	struct world *w = *state;
	const struct span *s;

	begin(w);
	buf_str(&out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(&out, 4, 0, 0, SV(""));
	field(&head, ":method", "POST");
	field(&head, ":scheme", "https");
	field(&head, ":authority", "localhost:6334");
	field(&head, ":path", "/qdrant.Points/Query");
	field(&head, "content-type", "application/grpc+proto");
	frame(&out, 1, 4, 1, buf_view(&head));
	frame(&out, 0, 1, 1, SV("\0\0\0\0\3abc"));
	send_buf(w, 10 * MS, EV_WRITE, &out);
	frame(&out, 4, 0, 0, SV(""));
	buf_clear(&head);
	field(&head, ":status", "200");
	field(&head, "content-type", "application/grpc");
	frame(&out, 1, 4, 1, buf_view(&head));
	frame(&out, 0, 0, 1, SV("\0\0\0\0\1a\0\0\0"));
	frame(&out, 0, 0, 1, SV("\0\2bc"));
	buf_clear(&head);
	field(&head, "grpc-status", "5");
	field(&head, "grpc-message", "no%20collection");
	frame(&out, 1, 5, 1, buf_view(&head));
	send_buf(w, 20 * MS, EV_READ, &out);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 1);
	s = told_nth(&w->told, SPAN_HTTP, 0);
	ASSERT_SV(s->name, "qdrant.Points/Query");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_RPC_SYSTEM), "grpc");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_RPC_METHOD), "qdrant.Points/Query");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_RPC_STATUS), "NOT_FOUND");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "NOT_FOUND");
	ASSERT_SV(s->status_message, "no collection");
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_REQUEST_MESSAGES, -1), 1);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_REQUEST_BYTES, -1), 3);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_RESPONSE_MESSAGES, -1), 2);
	assert_int_equal(span_attr_int(s, ATTR_ID_RPC_RESPONSE_BYTES, -1), 3);
}

/* The server begins the first by itself; the second is what the tool gave. */
static void a_realtime_session(void **state)
{
	static const char *const talk[][2] = {
		{ "c", "{\"type\":\"input_audio_buffer.append\",\"audio\":\"QUJDREVG\"}" },
		{ "s", "{\"type\":\"input_audio_buffer.speech_stopped\"}" },
		{ "s", "{\"type\":\"response.created\",\"response\":{\"id\":\"r1\"}}" },
		{ "s", "{\"type\":\"response.output_audio.delta\",\"delta\":\"QUJDREVG\"}" },
		{ "s", "{\"type\":\"response.done\",\"response\":{\"id\":\"r1\",\"status\":"
		       "\"completed\",\"output\":[{\"type\":\"function_call\",\"call_id\":\"c1\","
		       "\"name\":\"f\",\"arguments\":\"{}\"}],\"usage\":{\"input_tokens\":9,"
		       "\"output_tokens\":4,\"output_token_details\":{\"audio_tokens\":3}}}}" },
		{ "c", "{\"type\":\"conversation.item.create\",\"item\":{\"type\":"
		       "\"function_call_output\",\"call_id\":\"c1\",\"output\":\"done\"}}" },
		{ "c", "{\"type\":\"response.create\"}" },
		{ "s", "{\"type\":\"response.created\",\"response\":{\"id\":\"r2\"}}" },
		{ "s", "{\"type\":\"response.done\",\"response\":{\"id\":\"r2\",\"status\":"
		       "\"completed\",\"output\":[]}}" },
	};
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world *w = *state;
	const struct span *call;

	begin(w);
	bytes(w, 10 * MS, 1, EV_WRITE,
	      "GET /v1/realtime?model=gpt-rt HTTP/1.1\r\nHost: api.openai.com\r\n"
	      "Upgrade: websocket\r\n\r\n");
	buf_str(&b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	send_buf(w, 20 * MS, EV_READ, &b);
	for (size_t i = 0; i < sizeof(talk) / sizeof(talk[0]); i++) {
		bool client = talk[i][0][0] == 'c';

		text_frame(&b, client, talk[i][1]);
		send_buf(w, (30 + 10 * i) * MS, client ? EV_WRITE : EV_READ, &b);
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 2);
	call = told_nth(&w->told, SPAN_MODEL_CALL, 0);
	ASSERT_SV(call->name, "chat gpt-rt");
	ASSERT_SV(span_attr_sv(call, ATTR_ID_API), "openai.realtime");
	assert_int_equal(span_attr_int(call, ATTR_ID_USAGE_OUTPUT_AUDIO, -1), 3);
	assert_int_equal(span_attr_int(call, ATTR_ID_FIRST_TOKEN_NS, -1), 10 * MS);
	assert_int_equal(call->status, STATUS_UNSET);
	assert_int_equal(told_nth(&w->told, SPAN_MODEL_CALL, 1)->status, STATUS_UNSET);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_TOOL_CALL_ID), "c1");
	assert_int_equal(told_nth(&w->told, SPAN_TOOL_CALL, 0)->status, STATUS_UNSET);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 1);
}

/* What was seen open is there in the end, with the same id and start; true: some of that kind was. */
static bool was_open(const struct world *w, enum span_what what)
{
	bool seen = false;

	for (size_t i = 0; i < w->open_cnt; i++) {
		size_t k = 0;

		while (k < w->told.cnt && strcmp(w->told.spans[k]->span_id, w->open[i].id) != 0)
			k++;
		if (k == w->told.cnt)
			fail_msg("an open %s is not there in the end",
				 span_what_name(w->open[i].what));
		assert_int_equal(w->told.spans[k]->what, w->open[i].what);
		assert_int_equal(w->told.spans[k]->start_ns, w->open[i].start);
		assert_null(span_attr(w->told.spans[k], ATTR_ID_UNFINISHED));
		seen |= w->open[i].what == what;
	}
	return seen;
}

static void what_is_open_can_be_seen(void **state)
{
	static const enum span_what kinds[] = { SPAN_RUN,       SPAN_AGENT,      SPAN_TURN,
						SPAN_TOOL_CALL, SPAN_MODEL_CALL, SPAN_PROCESS };
	struct world *w = *state;

	w->watch = true;
	parallel_tools_keep_their_processes(state);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_true(was_open(w, kinds[i]));
}

/* All attempts are one call, while it waits for the next one too. */
static void a_retried_call_is_open_once(void **state)
{
	struct world *w = *state;

	w->watch = true;
	retry_is_one_call(state);
	assert_true(was_open(w, SPAN_MODEL_CALL));
	for (size_t i = 0; i < w->open_cnt; i++)
		if (w->open[i].what == SPAN_MODEL_CALL)
			assert_string_equal(w->open[i].id,
					    told_nth(&w->told, SPAN_MODEL_CALL, 0)->span_id);
}

static void same_records_same_spans(void **state)
{
	struct world *w = *state, *v;
	void *other;

	parallel_tools_keep_their_processes(state);
	assert_int_equal(setup(&other), 0);
	v = other;
	v->watch = true; /* looking changes nothing */
	parallel_tools_keep_their_processes(&other);
	assert_string_equal(buf_cstr(&w->told.ndjson), buf_cstr(&v->told.ndjson));
	teardown(&other);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_call),
		TEST(retry_is_one_call),
		TEST(broken_answer_is_tried_again_elsewhere),
		TEST(connection_that_ends_without_an_answer),
		TEST(broken_stream_is_asked_for_whole),
		TEST(no_rate_of_a_broken_stream),
		TEST(another_path_for_the_same),
		TEST(another_question_is_another_call),
		TEST(broken_answer_is_known_late),
		TEST(same_question_twice_at_once_is_two_calls),
		TEST(failure_that_nobody_mends),
		TEST(parallel_tools_keep_their_processes),
		TEST(what_is_deep_below_a_call),
		TEST(command_that_is_an_agent),
		TEST(tool_is_known_before_the_connection_ends),
		TEST(tool_without_answer),
		TEST(hole_is_on_the_call_that_has_it),
		TEST(a_request_whose_answer_is_lost_is_over),
		TEST(what_is_open_at_the_end_is_unfinished),
		TEST(loss_is_on_the_run),
		TEST(loss_is_told_by_cause),
		TEST(run_waits_for_its_last_process),
		TEST(signal_is_told),
		TEST(container_is_told),
		TEST(connect_is_told),
		TEST(call_of_a_child),
		TEST(other_http_is_told_too),
		TEST(two_streams_of_http2),
		TEST(preface_that_could_not_be_read),
		TEST(calls_over_a_websocket),
		TEST(a_grpc_call),
		TEST(a_realtime_session),
		TEST(what_is_open_can_be_seen),
		TEST(a_retried_call_is_open_once),
		TEST(same_records_same_spans),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
