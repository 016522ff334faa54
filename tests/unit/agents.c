// SPDX-License-Identifier: BSD-2-Clause
/*
 * Conversations: which agent and turn each model call belongs to, told by nothing but the messages on
 * the wire.
 */
#include "../fixture.h"
#include <stdio.h>
#include "base/cleanup.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define CONVERSATIONS 200
#define ARGS "python3\0agent.py"

struct world {
	struct trace *trace;
	struct told told;
	uint64_t now;
	uint64_t pos[8][2];
};

static void on_span(void *ctx, const struct span *s)
{
	struct world *w = ctx;

	told_add(&w->told, s);
}

static void feed(struct world *w, void *rec)
{
	assert_int_equal(event_check(rec, ((struct ev_hdr *)rec)->size), 0);
	assert_int_equal(trace_feed(w->trace, rec), 0);
	free(rec);
}

static int setup(void **state)
{
	static const struct trace_cfg cfg = { 0 };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/usr/bin/python3", ARGS, sizeof(ARGS)));
	w->now = 10 * MS;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	trace_free(&w->trace);
	told_fini(&w->told);
	free(w);
	return 0;
}

static void bytes(struct world *w, unsigned int conn, int dir, const struct buf *b)
{
	w->now += MS;
	feed(w, record_data(w->now, AGENT, conn, dir, w->pos[conn][dir], b->p, b->len));
	w->pos[conn][dir] += b->len;
}

static void ask_at(struct world *w, unsigned int conn, const char *path, const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "POST %s HTTP/1.1\r\nHost: llm.example\r\nContent-Length: %zu\r\n\r\n%s", path,
		strlen(body), body);
	bytes(w, conn, EV_WRITE, &b);
}

/* A chat request: further members of the body, then its messages. */
static void ask(struct world *w, unsigned int conn, const char *more, const char *messages)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "{\"model\":\"m\"%s,\"messages\":[%s]}", more, messages);
	ask_at(w, conn, "/v1/chat/completions", buf_cstr(&b));
}

static void reply(struct world *w, unsigned int conn, int status, const char *body)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
	bytes(w, conn, EV_READ, &b);
}

/* message: the members of the answer's message behind its role. */
static void answer(struct world *w, unsigned int conn, const char *message)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b,
		"{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{"
		"\"index\":0,"
		"\"message\":{\"role\":\"assistant\",%s},\"finish_reason\":\"stop\"}],"
		"\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2}}",
		message);
	reply(w, conn, 200, buf_cstr(&b));
}

#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define SAYS(text) "\"content\":\"" text "\""
#define MODEL(message) "{\"role\":\"assistant\"," message "}"
#define CALLS(id, name, args)                                                                \
	"\"content\":null,\"tool_calls\":[{\"id\":\"" id                                     \
	"\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" args \
	"\"}}]"
#define RESULT(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"
#define SYSTEM(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define TOOLS \
	",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"shell\",\"parameters\":{}}}]"

static void end(struct world *w)
{
	feed(w, record_exit(w->now + MS, AGENT, 0));
	trace_end(w->trace);
}

static const struct span *by_id(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->told.cnt; i++)
		if (strcmp(w->told.spans[i]->span_id, id) == 0)
			return w->told.spans[i];
	fail_msg("no span %s", id);
	return NULL;
}

static const struct span *agent_of(const struct world *w, const struct span *call)
{
	const struct span *turn = by_id(w, call->parent_span_id);

	assert_int_equal(turn->what, SPAN_TURN);
	return by_id(w, turn->parent_span_id);
}

/* --- tests */

static void turns_of_one_conversation(void **state)
{
	struct world *w = *state;
	const struct span *agent, *turn;

	ask(w, 1, "", USER("hi"));
	answer(w, 1, SAYS("hello"));
	ask(w, 2, "", USER("hi") "," MODEL(SAYS("hello")) "," USER("and now?"));
	answer(w, 2, SAYS("bye"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 2);
	agent = told_nth(&w->told, SPAN_AGENT, 0);
	assert_string_equal(agent->parent_span_id, told_nth(&w->told, SPAN_RUN, 0)->span_id);
	ASSERT_SV(agent->name, "invoke_agent agent.py");
	assert_int_equal(span_attr_int(agent, ATTR_ID_TURNS, 0), 2);
	assert_int_equal(span_attr_int(agent, ATTR_ID_USAGE_INPUT, 0), 20);
	turn = told_nth(&w->told, SPAN_TURN, 1);
	ASSERT_SV(turn->name, "turn 2");
	assert_string_equal(told_nth(&w->told, SPAN_MODEL_CALL, 1)->parent_span_id, turn->span_id);
	ASSERT_SV(json_sv(json_path(span_attr(turn, ATTR_ID_INPUT_MESSAGES), "0.parts.0.content")),
		  "and now?");
	ASSERT_SV(json_sv(json_path(span_attr(told_nth(&w->told, SPAN_RUN, 0),
					      ATTR_ID_OUTPUT_MESSAGES),
				    "0.parts.0.content")),
		  "bye");
}

static void tools_stay_in_their_turn(void **state)
{
	struct world *w = *state;
	const struct span *turn, *tool;

	ask(w, 1, TOOLS, USER("do it"));
	answer(w, 1, CALLS("t1", "shell", "{}"));
	ask(w, 1, TOOLS,
	    USER("do it") "," MODEL(CALLS("t1", "shell", "{}")) "," RESULT("t1", "done"));
	answer(w, 1, SAYS("it is done"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	turn = told_nth(&w->told, SPAN_TURN, 0);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	assert_string_equal(tool->parent_span_id, turn->span_id);
	assert_int_equal(span_attr_int(turn, ATTR_ID_MODEL_CALLS, 0), 2);
	assert_int_equal(span_attr_int(turn, ATTR_ID_TOOL_CALLS, 0), 1);
	assert_int_equal(turn->start_ns, told_nth(&w->told, SPAN_MODEL_CALL, 0)->start_ns);
	assert_int_equal(turn->end_ns, told_nth(&w->told, SPAN_MODEL_CALL, 1)->end_ns);
}

/* What the user says then is input like any other: it begins a turn. */
static void user_goes_on_instead_of_a_tool(void **state)
{
	struct world *w = *state;
	const struct span *first, *second;

	ask(w, 1, TOOLS, USER("do it"));
	answer(w, 1, CALLS("t1", "shell", "{}"));
	ask(w, 1, TOOLS, USER("do it") "," MODEL(CALLS("t1", "shell", "{}")) "," USER("stop"));
	answer(w, 1, SAYS("fine"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 2);
	first = told_nth(&w->told, SPAN_TURN, 0);
	second = told_nth(&w->told, SPAN_TURN, 1);
	assert_true(json_str_is(json_at(span_attr(first, ATTR_ID_INCOMPLETE), 0), "unanswered"));
	assert_null(span_attr(second, ATTR_ID_INCOMPLETE));
	assert_int_equal(first->end_ns, second->start_ns);
	assert_string_equal(told_nth(&w->told, SPAN_TOOL_CALL, 0)->parent_span_id, first->span_id);
	ASSERT_SV(
		json_sv(json_path(span_attr(second, ATTR_ID_INPUT_MESSAGES), "0.parts.0.content")),
		"stop");
}

/* ... and so it is when the answer was broken off for it. */
static void user_goes_on_instead_of_an_answer(void **state)
{
	struct world *w = *state;
	struct ev_close *c = record(EV_CLOSE, sizeof(*c), 0, AGENT, NULL, 0);

	ask(w, 1, TOOLS, USER("do it"));
	c->conn = 1;
	c->hdr.ts = w->now + MS;
	feed(w, c);
	w->now += 2 * MS;
	ask(w, 2, TOOLS, USER("do it") "," USER("no, do that"));
	answer(w, 2, SAYS("fine"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 2);
	assert_true(json_str_is(
		json_at(span_attr(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_INCOMPLETE), 0),
		"unanswered"));
	assert_int_equal(told_nth(&w->told, SPAN_TURN, 0)->status, STATUS_ERROR);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_MODEL_CALLS, -1),
			 1);
	assert_int_equal(told_nth(&w->told, SPAN_TURN, 1)->status, STATUS_UNSET);
	assert_null(span_attr(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_CONTEXT));
}

/* Clients remind the model of this and that beside the result: the turn is the same. */
static void user_says_more_beside_a_result(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("do it"));
	answer(w, 1, CALLS("t1", "shell", "{}"));
	ask(w, 1, TOOLS,
	    USER("do it") "," MODEL(CALLS("t1", "shell", "{}")) "," RESULT("t1", "done") "," USER(
		    "keep it short"));
	answer(w, 1, SAYS("done"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	assert_null(span_attr(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_INCOMPLETE));
}

/* gemini-cli asks again when it cannot make sense of an answer: what that asked for nobody does. */
static void the_same_is_asked_again(void **state)
{
	static const char history[] =
		USER("do it") "," MODEL(CALLS("t1", "shell", "{}")) "," RESULT("t1", "done");
	struct world *w = *state;
	const struct span *dropped;

	ask(w, 1, TOOLS, USER("do it"));
	answer(w, 1, CALLS("t1", "shell", "{}"));
	ask(w, 1, TOOLS, history);
	answer(w, 1, CALLS("t2", "shell", "{}"));
	ask(w, 1, TOOLS, history);
	answer(w, 1, SAYS("it is done"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 3);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	dropped = told_nth(&w->told, SPAN_TOOL_CALL, 1);
	ASSERT_SV(span_attr_sv(dropped, ATTR_ID_TOOL_CALL_ID), "t2");
	ASSERT_SV(json_sv(json_at(span_attr(dropped, ATTR_ID_INCOMPLETE), 0)), "unanswered");
	assert_true(dropped->end_ns <= told_nth(&w->told, SPAN_MODEL_CALL, 2)->start_ns);
}

static void decision_is_told(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("do it"));
	answer(w, 1,
	       "\"reasoning_content\":\"it must be looked at\",\"content\":\"I will look.\","
	       "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":"
	       "\"shell\","
	       "\"arguments\":\"{}\"}}]");
	end(w);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_TOOL_DECISION),
		  "it must be looked at\nI will look.");
}

/* Both begin with the same words; only the answers tell whose the second requests are. */
static void conversations_that_begin_alike(void **state)
{
	struct world *w = *state;

	ask(w, 1, "", USER("hi"));
	answer(w, 1, SAYS("I am one"));
	ask(w, 2, "", USER("hi"));
	answer(w, 2, SAYS("I am two"));
	ask(w, 2, "", USER("hi") "," MODEL(SAYS("I am one")) "," USER("go on"));
	answer(w, 2, SAYS("first"));
	ask(w, 1, "", USER("hi") "," MODEL(SAYS("I am two")) "," USER("go on"));
	answer(w, 1, SAYS("second"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0)),
			 agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 2)));
	assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1)),
			 agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 3)));
}

/* The same at the same time, as many guests of one server say the same first. */
static void conversations_that_begin_alike_at_once(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (unsigned int i = 0; i < 3; i++)
		ask(w, 1 + i, "", USER("hi"));
	for (unsigned int i = 3; i-- > 0;) {
		buf_clear(&b);
		buf_fmt(&b, SAYS("I am number %u"), i);
		answer(w, 1 + i, buf_cstr(&b));
	}
	for (unsigned int i = 0; i < 3; i++) {
		buf_clear(&b);
		buf_fmt(&b, USER("hi") "," MODEL(SAYS("I am number %u")) "," USER("go on"), i);
		ask(w, 1, "", buf_cstr(&b));
		answer(w, 1, SAYS("first"));
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 3);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 6);
	for (size_t i = 0; i < 3; i++) /* the answers came in the other order */
		assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 2 - i)),
				 agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 3 + i)));
}

/* What was asked before the failure is no second attempt at it. */
static void one_of_those_is_refused(void **state)
{
	struct world *w = *state;
	const struct span *second, *first;

	ask(w, 1, "", USER("hi"));
	ask(w, 2, "", USER("hi"));
	reply(w, 1, 429, "{\"error\":{\"message\":\"slow\",\"type\":\"rate_limit\"}}");
	answer(w, 2, SAYS("I am two"));
	ask(w, 1, "", USER("hi"));
	answer(w, 1, SAYS("I am one"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 2);
	second = told_nth(&w->told, SPAN_MODEL_CALL, 0);
	first = told_nth(&w->told, SPAN_MODEL_CALL, 1);
	assert_int_equal(span_attr_int(second, ATTR_ID_ATTEMPTS, 0), 1);
	assert_int_equal(span_attr_int(first, ATTR_ID_ATTEMPTS, 0), 2);
	assert_ptr_equal(agent_of(w, first), told_nth(&w->told, SPAN_AGENT, 0));
	assert_ptr_equal(agent_of(w, second), told_nth(&w->told, SPAN_AGENT, 1));
}

/* Some models number their calls in each conversation: the same ids in all of them. */
static void conversations_whose_calls_have_the_same_ids(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (unsigned int i = 0; i < 3; i++) {
		buf_clear(&b);
		buf_fmt(&b, "{\"role\":\"user\",\"content\":\"look at %u\"}", i);
		ask(w, 1 + i, TOOLS, buf_cstr(&b));
		answer(w, 1 + i, CALLS("functions.shell:0", "shell", "{}"));
	}
	for (unsigned int i = 0; i < 3; i++) {
		buf_clear(&b);
		buf_fmt(&b,
			"{\"role\":\"user\",\"content\":\"look at %u\"}"
			"," MODEL(CALLS("functions.shell:0", "shell",
					"{}")) "," RESULT("functions.shell:0", "it is %u"),
			i, i);
		ask(w, 1, TOOLS, buf_cstr(&b));
		answer(w, 1, SAYS("seen"));
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 3);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 3);
	for (size_t i = 0; i < 3; i++) {
		const struct span *tool = told_nth(&w->told, SPAN_TOOL_CALL, i);
		const struct span *turn = by_id(w, tool->parent_span_id);
		struct sv asked = json_sv(
			json_path(span_attr(turn, ATTR_ID_INPUT_MESSAGES), "0.parts.0.content"));
		struct sv result = span_attr_sv(tool, ATTR_ID_TOOL_RESULT);

		assert_int_equal(asked.p[asked.n - 1], result.p[result.n - 1]);
		assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, i)),
				 agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 3 + i)));
	}
}

/* The history of one repeats a result that another, with the same id, still waits for. */
static void result_of_another_conversation(void **state)
{
	struct world *w = *state;
	const struct span *tool;

	ask(w, 1, TOOLS, USER("one"));
	answer(w, 1, CALLS("shell:0", "shell", "{\\\"a\\\":1}"));
	ask(w, 1, TOOLS,
	    USER("one") "," MODEL(CALLS("shell:0", "shell", "{\\\"a\\\":1}")) "," RESULT("shell:0",
											 "one"));
	answer(w, 1, SAYS("fine"));
	ask(w, 2, TOOLS, USER("two"));
	answer(w, 2, CALLS("shell:0", "shell", "{\\\"a\\\":2}"));
	ask(w, 1, TOOLS,
	    USER("one") "," MODEL(CALLS("shell:0", "shell", "{\\\"a\\\":1}")) "," RESULT(
		    "shell:0", "one") "," MODEL(SAYS("fine")) "," USER("and?"));
	answer(w, 1, SAYS("that is all"));
	end(w);
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 1);
	assert_null(span_attr(tool, ATTR_ID_TOOL_RESULT));
	assert_true(json_str_is(json_at(span_attr(tool, ATTR_ID_INCOMPLETE), 0), "unanswered"));
}

#define SAME CALLS("shell:0", "shell", "{}")

/* ... though both ask for the very same: a request that is sent again repeats its own conversation's. */
static void result_of_the_same_call_elsewhere(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("one"));
	answer(w, 1, SAME);
	ask(w, 1, TOOLS, USER("one") "," MODEL(SAME) "," RESULT("shell:0", "of one"));
	reply(w, 1, 429, "{\"error\":{\"message\":\"slow\",\"type\":\"rate_limit\"}}");
	ask(w, 2, TOOLS, USER("two"));
	answer(w, 2, SAME);
	ask(w, 1, TOOLS, USER("one") "," MODEL(SAME) "," RESULT("shell:0", "of one"));
	answer(w, 1, SAYS("fine"));
	ask(w, 2, TOOLS, USER("two") "," MODEL(SAME) "," RESULT("shell:0", "of two"));
	answer(w, 2, SAYS("seen"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_TOOL_RESULT),
		  "of one");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 1), ATTR_ID_TOOL_RESULT),
		  "of two");
	assert_null(span_attr(told_nth(&w->told, SPAN_TOOL_CALL, 1), ATTR_ID_LINK));
}

/* Nothing but the call's id is as it was: one that waits for it goes on so; of two nobody can tell which. */
static void result_of_one_of_two(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("one"));
	answer(w, 1, SAME);
	ask(w, 2, TOOLS, USER("two"));
	answer(w, 2, SAME);
	ask(w, 3, TOOLS, USER("in short") "," MODEL(SAME) "," RESULT("shell:0", "done"));
	answer(w, 3, SAYS("seen"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 3);
	assert_int_equal(told_count(&w->told, SPAN_TOOL_CALL), 2);
	for (size_t i = 0; i < 2; i++)
		assert_null(span_attr(told_nth(&w->told, SPAN_TOOL_CALL, i), ATTR_ID_TOOL_RESULT));
}

static void result_of_the_only_one(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("one"));
	answer(w, 1, SAME);
	ask(w, 3, TOOLS, USER("in short") "," MODEL(SAME) "," RESULT("shell:0", "done"));
	answer(w, 3, SAYS("seen"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_TOOL_RESULT), "done");
}

/* The user goes on and takes the call back up later, where it is no longer the latest answer's. */
static void result_of_a_call_that_only_its_id_tells(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("one"));
	answer(w, 1, SAME);
	ask(w, 1, TOOLS, USER("one") "," MODEL(SAME) "," USER("wait"));
	answer(w, 1, SAYS("I wait"));
	ask(w, 3, TOOLS, USER("in short") "," MODEL(SAME) "," RESULT("shell:0", "done"));
	answer(w, 3, SAYS("seen"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_TOOL_RESULT), "done");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_LINK), "time");
}

/* A model may count its calls anew in each answer: the latest result is the open call's. */
static void result_of_an_id_used_again(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("one"));
	answer(w, 1, SAME);
	ask(w, 1, TOOLS, USER("one") "," MODEL(SAME) "," RESULT("shell:0", "first"));
	answer(w, 1, SAME);
	ask(w, 1, TOOLS,
	    USER("one") "," MODEL(SAME) "," RESULT("shell:0", "first") "," MODEL(
		    SAME) "," RESULT("shell:0", "second"));
	answer(w, 1, SAYS("seen"));
	end(w);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 0), ATTR_ID_TOOL_RESULT),
		  "first");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TOOL_CALL, 1), ATTR_ID_TOOL_RESULT),
		  "second");
}

static void many_conversations_over_few_connections(void **state)
{
	struct world *w = *state;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < CONVERSATIONS; i++) {
			_cleanup_buf_ struct buf b = BUF_INIT, a = BUF_INIT;

			buf_fmt(&b, USER("hello"));
			for (int r = 0; r < round; r++)
				buf_fmt(&b, "," MODEL(SAYS("number %d said %d")) "," USER("more"),
					i, r);
			ask(w, 1 + i % 4, "", buf_cstr(&b));
			buf_fmt(&a, SAYS("number %d said %d"), i, round);
			answer(w, 1 + i % 4, buf_cstr(&a));
		}
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), CONVERSATIONS);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 3 * CONVERSATIONS);
	for (int i = 0; i < CONVERSATIONS; i++) {
		const struct span *a = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, i));

		assert_ptr_equal(
			a, agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, CONVERSATIONS + i)));
		assert_ptr_equal(
			a, agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 2 * CONVERSATIONS + i)));
		assert_int_equal(span_attr_int(a, ATTR_ID_TURNS, 0), 3);
	}
}

#define TASK "find every file that mentions the moon"

static void sub_agent_hangs_under_its_tool_call(void **state)
{
	struct world *w = *state;
	const struct span *sub, *tool;

	ask(w, 1, TOOLS, SYSTEM("You lead.") "," USER("do it"));
	answer(w, 1,
	       CALLS("t1", "Task",
		     "{\\\"subagent_type\\\":\\\"searcher\\\",\\\"prompt\\\":\\\"" TASK "\\\"}"));
	ask(w, 2, TOOLS, SYSTEM("You search.") "," USER(TASK));
	answer(w, 2, SAYS("there are none"));
	ask(w, 1, TOOLS,
	    SYSTEM("You lead.") "," USER("do it") "," MODEL(
		    CALLS("t1", "Task", "{}")) "," RESULT("t1", "there are none"));
	answer(w, 1, SAYS("no such file"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	sub = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1));
	tool = told_nth(&w->told, SPAN_TOOL_CALL, 0);
	assert_string_equal(sub->parent_span_id, tool->span_id);
	ASSERT_SV(span_attr_sv(sub, ATTR_ID_LINK), "argument");
	ASSERT_SV(sub->name, "invoke_agent searcher");
	assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0)),
			 agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 2)));
	/* what a sub-agent says is not what came out of the run */
	ASSERT_SV(json_sv(json_path(span_attr(told_nth(&w->told, SPAN_RUN, 0),
					      ATTR_ID_OUTPUT_MESSAGES),
				    "0.parts.0.content")),
		  "no such file");
}

#define ASKS_FOR(id, task)                                                          \
	"{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"Task\"," \
	"\"arguments\":\"{\\\"prompt\\\":\\\"" task "\\\"}\"}}"

/* The agents that three calls began, in the order in which they were begun: whose each is. */
static void three_tasks(struct world *w, const char *calls, const char *const tasks[3],
			const char *const wanted[3])
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	ask(w, 1, TOOLS, SYSTEM("You lead.") "," USER("do it"));
	buf_fmt(&b, "\"content\":null,\"tool_calls\":[%s]", calls);
	answer(w, 1, buf_cstr(&b));
	for (unsigned int i = 0; i < 3; i++) {
		buf_clear(&b);
		buf_fmt(&b, SYSTEM("You search.") ",{\"role\":\"user\",\"content\":\"%s\"}",
			tasks[i]);
		ask(w, 2 + i, TOOLS, buf_cstr(&b));
		buf_clear(&b);
		buf_fmt(&b, SAYS("there are %u"), i);
		answer(w, 2 + i, buf_cstr(&b));
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 4);
	for (size_t i = 0; i < 3; i++) {
		const struct span *sub = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1 + i));

		ASSERT_SV(span_attr_sv(by_id(w, sub->parent_span_id), ATTR_ID_TOOL_CALL_ID),
			  wanted[i]);
	}
}

/* The task is the one that is the same, not the longest that holds it. */
static void tasks_that_hold_one_another(void **state)
{
	three_tasks(*state,
		    ASKS_FOR("t1", TASK ", and more") "," ASKS_FOR("t2", TASK) "," ASKS_FOR(
			    "t3", "Twice: " TASK ", and more"),
		    (const char *[]){ TASK, "Twice: " TASK ", and more", TASK ", and more" },
		    (const char *[]){ "t2", "t3", "t1" });
}

static void tasks_that_are_the_same(void **state)
{
	three_tasks(*state, ASKS_FOR("t1", TASK) "," ASKS_FOR("t2", TASK) "," ASKS_FOR("t3", TASK),
		    (const char *[]){ TASK, TASK, TASK }, (const char *[]){ "t1", "t2", "t3" });
}

/* Clients say this and that before the task itself. */
static void task_behind_other_texts(void **state)
{
	struct world *w = *state;
	const struct span *sub;

	ask(w, 1, TOOLS, USER("do it"));
	answer(w, 1, CALLS("t1", "explore", "{\\\"what\\\":\\\"" TASK "\\\"}"));
	ask(w, 2, TOOLS,
	    USER("Today is Friday, for all who wonder.") ","
							 "{\"role\":\"user\",\"content\":[{"
							 "\"type\":\"text\",\"text\":\"The tools "
							 "are in the shed.\"},"
							 "{\"type\":\"text\",\"text\":\"" TASK
							 "\"}]}");
	answer(w, 2, SAYS("there are none"));
	end(w);
	sub = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1));
	assert_string_equal(sub->parent_span_id, told_nth(&w->told, SPAN_TOOL_CALL, 0)->span_id);
	ASSERT_SV(span_attr_sv(sub, ATTR_ID_LINK), "argument");
}

static void hand_off_is_another_agent(void **state)
{
	struct world *w = *state;
	const struct span *first, *second;

	ask(w, 1, TOOLS, SYSTEM("You greet.") "," USER("refund me"));
	answer(w, 1, CALLS("t1", "transfer_to_refunds", "{}"));
	ask(w, 1, TOOLS,
	    SYSTEM("You refund.") "," USER("refund me") "," MODEL(
		    CALLS("t1", "transfer_to_refunds", "{}")) "," RESULT("t1", "ok"));
	answer(w, 1, SAYS("refunded"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	second = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1));
	/* what makes it another one, although this API has instructions among the messages */
	ASSERT_SV(json_sv(json_path(span_attr(second, ATTR_ID_SYSTEM_INSTRUCTIONS), "0.content")),
		  "You refund.");
	assert_int_equal(second->links->cnt, 1);
	first = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0));
	ASSERT_SV(json_sv(json_path(second->links, "0.span_id")), first->span_id);
	/* the first lasts until the second takes over, and so does the call that did it */
	assert_int_equal(first->end_ns, second->start_ns);
	assert_int_equal(told_nth(&w->told, SPAN_TURN, 0)->end_ns, second->start_ns);
	assert_int_equal(told_nth(&w->told, SPAN_TOOL_CALL, 0)->end_ns, second->start_ns);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_CONTEXT),
		  "handed_off");
}

/* Who takes over again what it had handed off is still the same agent. */
static void hand_off_and_back(void **state)
{
	struct world *w = *state;
	const struct span *first, *second;

	ask(w, 1, TOOLS, SYSTEM("You greet.") "," USER("refund me"));
	answer(w, 1, CALLS("t1", "transfer_to_refunds", "{}"));
	ask(w, 1, TOOLS,
	    SYSTEM("You refund.") "," USER("refund me") "," MODEL(
		    CALLS("t1", "transfer_to_refunds", "{}")) "," RESULT("t1", "ok"));
	answer(w, 1, CALLS("t2", "transfer_back", "{}"));
	ask(w, 1, TOOLS,
	    SYSTEM("You greet.") "," USER("refund me") "," MODEL(CALLS(
		    "t1", "transfer_to_refunds",
		    "{}")) "," RESULT("t1", "ok") "," MODEL(CALLS("t2", "transfer_back",
								  "{}")) "," RESULT("t2", "ok"));
	answer(w, 1, SAYS("good bye"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	first = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0));
	second = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1));
	assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 2)), first);
	assert_int_equal(span_attr_int(first, ATTR_ID_TURNS, 0), 2);
	assert_int_equal(second->end_ns, told_nth(&w->told, SPAN_MODEL_CALL, 2)->start_ns);
	ASSERT_SV(json_sv(json_path(first->links, "0.span_id")), second->span_id);
	ASSERT_SV(json_sv(json_path(second->links, "0.span_id")), first->span_id);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 2), ATTR_ID_CONTEXT),
		  "handed_off");
}

static void instructions_may_change_in_part(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, SYSTEM("You help.") "," SYSTEM("It is 9:00.") "," USER("hi"));
	answer(w, 1, SAYS("hello"));
	ask(w, 1, TOOLS,
	    SYSTEM("You help.") "," SYSTEM("It is 9:01.") "," USER("hi") "," MODEL(
		    SAYS("hello")) "," USER("more"));
	answer(w, 1, SAYS("fine"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 2);
}

#define LONG                                                                                       \
	"What happened so far: the user asked for a list of all planets, the list was made, it "   \
	"was sorted by size, then by distance, then by number of moons, the user was content and " \
	"asked for the same of all dwarf planets, of which two are done and three are to be done."

static void history_replaced_by_a_summary(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, SYSTEM("You help.") "," USER("planets"));
	answer(w, 1, SAYS("sorted"));
	ask(w, 1, TOOLS,
	    SYSTEM("You help.") "," USER("planets") "," MODEL(SAYS("sorted")) "," USER(
		    "sum it up"));
	answer(w, 1, SAYS(LONG));
	ask(w, 1, TOOLS, SYSTEM("You help.") "," USER("This goes on from before. " LONG));
	answer(w, 1, SAYS("on it"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 2), ATTR_ID_CONTEXT),
		  "replaced");
}

static void history_that_was_trimmed(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS,
	    USER("one") "," MODEL(SAYS("1")) "," USER("two") "," MODEL(SAYS("2")) "," USER(
		    "three"));
	answer(w, 1, CALLS("t1", "shell", "{}"));
	ask(w, 1, TOOLS,
	    USER("two") "," MODEL(SAYS("2")) "," USER("three") "," MODEL(
		    CALLS("t1", "shell", "{}")) "," RESULT("t1", "x"));
	answer(w, 1, SAYS("3"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_CONTEXT), "edited");
}

static void calls_beside_the_conversation(void **state)
{
	struct world *w = *state;

	ask(w, 1, ",\"max_tokens\":1", USER("quota"));
	answer(w, 1, SAYS("x"));
	ask(w, 1, TOOLS, USER("write a poem"));
	answer(w, 1, SAYS("roses"));
	ask(w, 1, "", SYSTEM("Give the conversation a title.") "," USER("write a poem"));
	answer(w, 1, SAYS("Poem"));
	ask(w, 1, ",\"response_format\":{\"type\":\"json_object\"}",
	    SYSTEM("You are a task routing AI.") "," USER("write a poem"));
	answer(w, 1, SAYS("{}"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 4);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_PURPOSE), "warm_up");
	assert_null(span_attr(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_PURPOSE));
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 2), ATTR_ID_PURPOSE), "title");
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 3), ATTR_ID_PURPOSE), "routing");
}

static void summary_is_asked_for_without_tools(void **state)
{
	struct world *w = *state;
	const struct span *agent;

	ask(w, 1, TOOLS, USER("planets"));
	answer(w, 1, SAYS("sorted"));
	ask(w, 1, "", USER("planets") "," MODEL(SAYS("sorted")) "," USER("sum it up"));
	answer(w, 1, SAYS("planets were sorted"));
	ask(w, 1, TOOLS, USER("planets") "," MODEL(SAYS("sorted")) "," USER("go on"));
	answer(w, 1, SAYS("done"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 2);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_PURPOSE), "summary");
	agent = told_nth(&w->told, SPAN_AGENT, 0);
	assert_string_equal(told_nth(&w->told, SPAN_MODEL_CALL, 1)->parent_span_id, agent->span_id);
	/* what hangs under it is its cost, too */
	assert_int_equal(span_attr_int(agent, ATTR_ID_MODEL_CALLS, 0), 3);
	assert_int_equal(span_attr_int(agent, ATTR_ID_USAGE_INPUT, 0), 30);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_TURN, 0), ATTR_ID_MODEL_CALLS, 0),
			 1);
}

/* An agent lasts as long as what hangs under it. */
static void summary_is_the_last_of_it(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, USER("planets"));
	answer(w, 1, SAYS("sorted"));
	ask(w, 1, "", USER("planets") "," MODEL(SAYS("sorted")) "," USER("sum it up"));
	answer(w, 1, SAYS("planets were sorted"));
	end(w);
	assert_int_equal(told_nth(&w->told, SPAN_AGENT, 0)->end_ns,
			 told_nth(&w->told, SPAN_MODEL_CALL, 1)->end_ns);
	assert_int_equal(told_nth(&w->told, SPAN_TURN, 0)->end_ns,
			 told_nth(&w->told, SPAN_MODEL_CALL, 0)->end_ns);
}

/* ... and what comes of it takes the history's place: still one conversation. */
static void history_replaced_by_a_summary_made_beside_it(void **state)
{
	struct world *w = *state;

	ask(w, 1, TOOLS, SYSTEM("You help.") "," USER("planets"));
	answer(w, 1, SAYS("sorted"));
	ask(w, 1, "",
	    SYSTEM("You help.") "," USER("planets") "," MODEL(SAYS("sorted")) "," USER(
		    "sum it up"));
	answer(w, 1, SAYS(LONG));
	ask(w, 1, TOOLS, SYSTEM("You help.") "," USER("This goes on from before. " LONG));
	answer(w, 1, SAYS("on it"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 2);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 2), ATTR_ID_CONTEXT),
		  "replaced");
}

static void failed_turn_goes_on_with_the_next_try(void **state)
{
	struct world *w = *state;

	ask(w, 1, "", USER("hi"));
	reply(w, 1, 529, "{\"error\":{\"message\":\"busy\",\"type\":\"overloaded\"}}");
	ask(w, 1, "", USER("hi"));
	answer(w, 1, SAYS("hello"));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	assert_int_equal(told_count(&w->told, SPAN_TURN), 1);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 1);
	assert_int_equal(told_nth(&w->told, SPAN_TURN, 0)->status, STATUS_UNSET);
}

static void turn_that_failed_says_so(void **state)
{
	struct world *w = *state;
	const struct span *turn;

	ask(w, 1, "", USER("hi"));
	reply(w, 1, 400, "{\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\"}}");
	end(w);
	turn = told_nth(&w->told, SPAN_TURN, 0);
	assert_int_equal(turn->status, STATUS_ERROR);
	assert_true(json_str_is(json_at(span_attr(turn, ATTR_ID_INCOMPLETE), 0), "unanswered"));
	/* once: the call's, not again the turn's */
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_ERRORS, -1), 1);
}

static void responses_are_chained_by_id(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		ask_at(w, 1, "/v1/responses", "{\"model\":\"m\",\"input\":\"hi\"}");
		reply(w, 1, 200,
		      i ? "{\"id\":\"resp_b\",\"object\":\"response\",\"status\":\"completed\","
			  "\"model\":\"m\",\"output\":[]}"
			: "{\"id\":\"resp_a\",\"object\":\"response\",\"status\":\"completed\","
			  "\"model\":\"m\",\"output\":[]}");
	}
	ask_at(w, 2, "/v1/responses",
	       "{\"model\":\"m\",\"previous_response_id\":\"resp_a\",\"input\":\"more\"}");
	reply(w, 2, 200,
	      "{\"id\":\"resp_c\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"m\","
	      "\"output\":[]}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0)),
			 agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 2)));
	assert_ptr_not_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0)),
			     agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 1)));
}

static void respond(struct world *w, const char *id, const char *request)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	ask_at(w, 1, "/v1/responses", request);
	buf_fmt(&b,
		"{\"id\":\"%s\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"m\","
		"\"output\":[]}",
		id);
	reply(w, 1, 200, buf_cstr(&b));
}

#define DEVELOPER(text) "{\"type\":\"message\",\"role\":\"developer\",\"content\":\"" text "\"}"

/* What was said before goes on by its id alone; only instructions of its own make another agent. */
static void instructions_of_what_is_continued(void **state)
{
	struct world *w = *state;
	const struct span *first, *second;

	respond(w, "resp_a",
		"{\"model\":\"m\",\"instructions\":\"Be kind.\",\"input\":[" DEVELOPER(
			"Be brief.") "]}");
	respond(w, "resp_b",
		"{\"model\":\"m\",\"previous_response_id\":\"resp_a\",\"input\":\"more\"}");
	respond(w, "resp_c",
		"{\"model\":\"m\",\"previous_response_id\":\"resp_b\",\"input\":[" DEVELOPER(
			"Be there.") "]}");
	respond(w, "resp_d",
		"{\"model\":\"m\",\"previous_response_id\":\"resp_c\",\"instructions\":\"Be "
		"kind.\","
		"\"input\":\"yes\"}");
	respond(w, "resp_e",
		"{\"model\":\"m\",\"previous_response_id\":\"resp_d\",\"instructions\":\"Be "
		"evil.\","
		"\"input\":\"no\"}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 2);
	first = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 0));
	second = agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, 4));
	for (size_t i = 1; i < 4; i++)
		assert_ptr_equal(agent_of(w, told_nth(&w->told, SPAN_MODEL_CALL, i)), first);
	assert_ptr_not_equal(first, second);
	assert_int_equal(second->links->cnt, 1);
}

/* codex has the provider read its instructions before there is anything to ask. */
static void request_that_generates_nothing(void **state)
{
	struct world *w = *state;

	respond(w, "resp_a",
		"{\"model\":\"m\",\"generate\":false,\"input\":[" DEVELOPER("Be brief.") "]}");
	respond(w, "resp_b",
		"{\"model\":\"m\",\"previous_response_id\":\"resp_a\",\"input\":\"hi\"}");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_AGENT), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_MODEL_CALL, 0), ATTR_ID_PURPOSE), "warm_up");
	assert_null(span_attr(told_nth(&w->told, SPAN_MODEL_CALL, 1), ATTR_ID_PURPOSE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(turns_of_one_conversation),
		TEST(tools_stay_in_their_turn),
		TEST(user_goes_on_instead_of_a_tool),
		TEST(user_goes_on_instead_of_an_answer),
		TEST(user_says_more_beside_a_result),
		TEST(the_same_is_asked_again),
		TEST(decision_is_told),
		TEST(conversations_that_begin_alike),
		TEST(conversations_that_begin_alike_at_once),
		TEST(one_of_those_is_refused),
		TEST(conversations_whose_calls_have_the_same_ids),
		TEST(result_of_another_conversation),
		TEST(result_of_the_same_call_elsewhere),
		TEST(result_of_one_of_two),
		TEST(result_of_the_only_one),
		TEST(result_of_a_call_that_only_its_id_tells),
		TEST(result_of_an_id_used_again),
		TEST(many_conversations_over_few_connections),
		TEST(sub_agent_hangs_under_its_tool_call),
		TEST(tasks_that_hold_one_another),
		TEST(tasks_that_are_the_same),
		TEST(task_behind_other_texts),
		TEST(hand_off_is_another_agent),
		TEST(hand_off_and_back),
		TEST(instructions_may_change_in_part),
		TEST(history_replaced_by_a_summary),
		TEST(history_that_was_trimmed),
		TEST(calls_beside_the_conversation),
		TEST(summary_is_asked_for_without_tools),
		TEST(summary_is_the_last_of_it),
		TEST(history_replaced_by_a_summary_made_beside_it),
		TEST(failed_turn_goes_on_with_the_next_try),
		TEST(turn_that_failed_says_so),
		TEST(responses_are_chained_by_id),
		TEST(instructions_of_what_is_continued),
		TEST(request_that_generates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
