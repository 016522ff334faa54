// SPDX-License-Identifier: BSD-2-Clause
/* A process that a signal ended tells of its last spans. */
#include "rpc_test.h"

static void connects(struct world *w, uint64_t ts, uint32_t tgid, int err)
{
	struct ev_connect *c = record(EV_CONNECT, sizeof(*c), ts, tgid, NULL, 0);

	c->enter_ts = ts - 1;
	c->sock = ts;
	c->err = err;
	feed(w, c);
}

static const struct span *process(const struct world *w, int64_t pid)
{
	for (size_t i = 0; i < count(w, SPAN_PROCESS); i++)
		if (span_attr_int(nth(w, SPAN_PROCESS, i), ATTR_ID_PROCESS_PID, 0) == pid)
			return nth(w, SPAN_PROCESS, i);
	fail_msg("no process %d", (int)pid);
	return NULL;
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
	s = process(w, SERVER);
	assert_int_equal(span_attr_int(s, ATTR_ID_SIGNAL, 0), 11);
	assert_int_equal(s->events->cnt, 8);
	first = json_at(s->events, 0);
	attrs = json_get(first, "attributes");
	assert_true(json_str_is(json_get(first, "name"), "before_signal"));
	/* the third of its ten connects, and its span */
	assert_true(json_str_is(json_get(attrs, "ringspan.event.message"), "connect"));
	assert_true(json_str_is(json_get(attrs, "ringspan.event.span_id"),
				nth(w, SPAN_CONNECT, 4)->span_id));
	assert_true(json_true(json_get(attrs, "ringspan.event.failed")));
	assert_int_equal(process(w, OTHER)->events->cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(last_spans, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
