// SPDX-License-Identifier: BSD-2-Clause
/* Clocks that are set, and a machine that is suspended: how it is noticed, and what spans make of it. */
#include "rpc_test.h"

#include "base/limits.h"
#include "capture/clock.h"

#define S 1000000000ull
#define HOUR (3600 * S)
#define WALL 1700000000000000000ull /* record_meta() */

/* --- noticing */

static uint64_t fake[CLOCK_BOOTTIME + 1];
static uint64_t held_up; /* between two looks at a clock */

static int fake_gettime(clockid_t clock, struct timespec *out)
{
	*out = (struct timespec){ (time_t)(fake[clock] / S), (long)(fake[clock] % S) };
	for (size_t i = 0; i <= CLOCK_BOOTTIME; i++)
		fake[i] += held_up;
	return 0;
}

static void pass(uint64_t ns)
{
	fake[CLOCK_REALTIME] += ns;
	fake[CLOCK_MONOTONIC] += ns;
	fake[CLOCK_BOOTTIME] += ns;
}

static void watch_begins(struct clock_watch *w, struct ev_clock *rec)
{
	*w = (struct clock_watch){ .gettime = fake_gettime };
	fake[CLOCK_MONOTONIC] = 1000 * S;
	fake[CLOCK_BOOTTIME] = 1500 * S;
	fake[CLOCK_REALTIME] = WALL;
	held_up = 0;
	assert_true(clock_watch_look(w, rec));
	assert_int_equal(event_check(rec, sizeof(*rec)), 0);
	assert_int_equal(rec->hdr.ts, 1000 * S);
	assert_int_equal(rec->boottime_ns, 1500 * S);
	assert_int_equal(rec->realtime_ns, WALL);
}

static void a_step_is_noticed(void **state)
{
	struct clock_watch w;
	struct ev_clock rec;

	(void)state;
	watch_begins(&w, &rec);
	pass(100 * S);
	assert_false(clock_watch_look(&w, &rec));
	fake[CLOCK_REALTIME] -= HOUR;
	assert_true(clock_watch_look(&w, &rec));
	assert_true(w.stepped_ns == -(int64_t)HOUR);
	assert_int_equal(w.suspended_ns, 0);
	assert_int_equal(rec.realtime_ns, WALL + 100 * S - HOUR);
	assert_false(clock_watch_look(&w, &rec));
	/* one that is too small to tell counts with those that follow it */
	fake[CLOCK_REALTIME] += 30 * MS;
	assert_false(clock_watch_look(&w, &rec));
	fake[CLOCK_REALTIME] += 30 * MS;
	assert_true(clock_watch_look(&w, &rec));
	assert_int_equal(w.stepped_ns, 60 * MS);
}

static void a_suspend_is_noticed(void **state)
{
	struct clock_watch w;
	struct ev_clock rec;

	(void)state;
	watch_begins(&w, &rec);
	fake[CLOCK_REALTIME] += 8 * HOUR;
	fake[CLOCK_BOOTTIME] += 8 * HOUR;
	assert_true(clock_watch_look(&w, &rec));
	assert_int_equal(w.suspended_ns, 8 * HOUR);
	assert_int_equal(w.stepped_ns, 0);
	/* and both at once: the clock of the board is off */
	fake[CLOCK_REALTIME] += 8 * HOUR - 3 * S;
	fake[CLOCK_BOOTTIME] += 8 * HOUR;
	assert_true(clock_watch_look(&w, &rec));
	assert_int_equal(w.suspended_ns, 8 * HOUR);
	assert_true(w.stepped_ns == -3 * (int64_t)S);
	assert_false(clock_watch_look(&w, &rec));
}

/* Who is held up between two clocks sees them apart. */
static void a_busy_machine_is_no_step(void **state)
{
	struct clock_watch w;
	struct ev_clock rec;

	(void)state;
	watch_begins(&w, &rec);
	held_up = 300 * MS;
	for (int i = 0; i < 20; i++)
		assert_false(clock_watch_look(&w, &rec));
	held_up = 0;
	assert_false(clock_watch_look(&w, &rec));
}

/* --- spans: an agent with an open turn, in which a step is made or the machine sleeps */

static uint64_t asleep, set_by; /* so far */

static void clock_says(struct world *w, uint64_t ts)
{
	struct ev_clock *c = record(EV_CLOCK, sizeof(*c), ts, 0, NULL, 0);

	c->hdr.start = 0;
	c->boottime_ns = 500 * S + ts + asleep;
	c->realtime_ns = WALL + ts + asleep + set_by;
	feed(w, c);
}

static int begin(void **state)
{
	asleep = set_by = 0;
	return setup(state);
}

static void ask(struct world *w, uint64_t ts, const char *messages)
{
	_cleanup_buf_ struct buf b = BUF_INIT, body = BUF_INIT;

	buf_fmt(&body, "{\"model\":\"c\",\"messages\":[%s]}", messages);
	buf_fmt(&b,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		body.len, buf_cstr(&body));
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_WRITE, buf_cstr(&b));
}

static void answer(struct world *w, uint64_t ts)
{
	static const char ok[] = "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\","
				 "\"content\":[],\"stop_reason\":\"end_turn\"}";
	_cleanup_buf_ struct buf b = BUF_INIT;

	buf_fmt(&b, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(ok), ok);
	bytes(w, ts, AGENT, MODEL, EV_SRC_OPENSSL, EV_READ, buf_cstr(&b));
}

static const struct span *by_id(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->told.cnt; i++)
		if (strcmp(w->told.spans[i]->span_id, id) == 0)
			return w->told.spans[i];
	return NULL;
}

/* Whatever the clocks did. */
static void assert_contained(const struct world *w)
{
	size_t inside = 0;

	for (size_t i = 0; i < w->told.cnt; i++) {
		const struct span *s = w->told.spans[i], *up = by_id(w, s->parent_span_id);

		assert_true(s->start_ns <= s->end_ns);
		if (!up)
			continue;
		assert_true(s->start_ns >= up->start_ns && s->end_ns <= up->end_ns);
		inside++;
	}
	assert_true(inside >= 3);
}

static unsigned int event_cnt(const struct span *s)
{
	unsigned int n = 0;

	json_for_each (s->events, e) {
		(void)e;
		n++;
	}
	return n;
}

static void a_step_back_in_a_turn(void **state)
{
	struct world *w = *state;
	const struct span *run, *call;

	clock_says(w, 5 * MS);
	ask(w, 10 * MS, "{\"role\":\"user\",\"content\":\"x\"}");
	answer(w, 20 * MS);
	set_by = -HOUR;
	clock_says(w, 25 * MS);
	ask(w, 30 * MS,
	    "{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\"y\"}");
	answer(w, 40 * MS);
	set_by += 2 * HOUR;
	clock_says(w, 42 * MS);
	feed(w, record_exit(50 * MS, AGENT, 0));
	feed(w, record_run(51 * MS, SERVER));
	run_program(w, 52 * MS, SERVER, 1, "/bin/other");
	feed(w, record_exit(60 * MS, SERVER, 0));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_MODEL_CALL), 2);
	assert_contained(w);
	for (int i = 0; i < 2; i++) {
		call = told_nth(&w->told, SPAN_MODEL_CALL, i);
		assert_int_equal(call->start_ns, WALL + (i ? 30 : 10) * MS);
		assert_int_equal(call->end_ns, WALL + (i ? 40 : 20) * MS);
		assert_null(span_attr(call, ATTR_ID_SUSPENDED));
	}
	run = told_nth(&w->told, SPAN_RUN, 0);
	assert_int_equal(event_cnt(run), 2);
	ASSERT_SV(json_sv(json_get(json_at(run->events, 0), "name")), "ringspan.clock.step");
	assert_true(span_attr_int(run, ATTR_ID_CLOCK_STEP, 0) == (int64_t)HOUR);
	/* what begins then is told by the clock of then */
	run = told_nth(&w->told, SPAN_RUN, 1);
	assert_int_equal(run->start_ns, WALL + HOUR + 51 * MS);
	assert_null(span_attr(run, ATTR_ID_CLOCK_STEP));
	assert_int_equal(event_cnt(run), 0);
}

static void a_night_in_a_model_call(void **state)
{
	struct world *w = *state;
	const struct span *run, *call, *turn;

	clock_says(w, 5 * MS);
	ask(w, 10 * MS, "{\"role\":\"user\",\"content\":\"x\"}");
	answer(w, 15 * MS);
	ask(w, 20 * MS,
	    "{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\"y\"}");
	asleep = 8 * HOUR;
	clock_says(w, 25 * MS);
	answer(w, 40 * MS);
	feed(w, record_exit(50 * MS, AGENT, 0));
	end(w);
	assert_contained(w);
	call = told_nth(&w->told, SPAN_MODEL_CALL, 0);
	assert_int_equal(call->end_ns, WALL + 15 * MS);
	assert_null(span_attr(call, ATTR_ID_SUSPENDED));
	call = told_nth(&w->told, SPAN_MODEL_CALL, 1);
	assert_int_equal(call->start_ns, WALL + 20 * MS);
	assert_int_equal(call->end_ns, WALL + 40 * MS + 8 * HOUR);
	assert_int_equal(span_attr_int(call, ATTR_ID_SUSPENDED, 0), 8 * HOUR);
	assert_int_equal(span_awake_ns(call), 20 * MS);
	run = told_nth(&w->told, SPAN_RUN, 0);
	turn = told_nth(&w->told, SPAN_TURN, told_count(&w->told, SPAN_TURN) - 1);
	assert_int_equal(run->end_ns, WALL + 50 * MS + 8 * HOUR);
	assert_int_equal(span_attr_int(run, ATTR_ID_SUSPENDED, 0), 8 * HOUR);
	assert_int_equal(span_attr_int(turn, ATTR_ID_SUSPENDED, 0), 8 * HOUR);
	/* waits and other durations go without */
	assert_int_equal(span_attr_int(run, ATTR_ID_WAIT_PROVIDER, 0), 25 * MS);
	assert_null(span_attr(run, ATTR_ID_CLOCK_STEP));
}

/* More than are told apart: what comes after each is right, and nothing is inside out. */
static void many_nights(void **state)
{
	struct world *w = *state;
	uint64_t ts = 5 * MS;

	clock_says(w, ts);
	for (unsigned int i = 0; i < 2 * LIMIT_SUSPENDS + 10; i++) {
		if (i % 10 == 0)
			ask(w, ts + MS, "{\"role\":\"user\",\"content\":\"x\"}");
		asleep += HOUR;
		clock_says(w, ts += 2 * MS);
		if (i % 10 == 0)
			answer(w, ts += MS);
		if (i % 100 == 0)
			set_by += 7 * S;
	}
	feed(w, record_exit(ts, AGENT, 0));
	end(w);
	assert_contained(w);
	assert_int_equal(told_nth(&w->told, SPAN_RUN, 0)->end_ns, WALL + ts + asleep);
	assert_int_equal(event_cnt(told_nth(&w->told, SPAN_RUN, 0)), LIMIT_CLOCK_STEPS);
}

/* Clocks that no kernel has. */
static void hostile_clocks(void **state)
{
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, INT64_MAX, 1ull << 63 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(odd) * ARRAY_SIZE(odd) * ARRAY_SIZE(odd); i++) {
		struct ev_clock *c = record(EV_CLOCK, sizeof(*c), odd[i % 5], 0, NULL, 0);

		c->realtime_ns = odd[i / 5 % 5];
		c->boottime_ns = odd[i / 25];
		feed(w, c);
		ask(w, 10 * MS + i, "{\"role\":\"user\",\"content\":\"x\"}");
		answer(w, 10 * MS + i);
	}
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_RUN), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_noticed),
		cmocka_unit_test(a_suspend_is_noticed),
		cmocka_unit_test(a_busy_machine_is_no_step),
		cmocka_unit_test_setup_teardown(a_step_back_in_a_turn, begin, teardown),
		cmocka_unit_test_setup_teardown(a_night_in_a_model_call, begin, teardown),
		cmocka_unit_test_setup_teardown(many_nights, begin, teardown),
		cmocka_unit_test_setup_teardown(hostile_clocks, begin, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
