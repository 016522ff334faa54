// SPDX-License-Identifier: BSD-2-Clause
/*
 * Answers whose records come before those of their requests: two threads do the two, and the one that
 * wrote was stopped between the write and the probe behind it.
 */
#include <stdio.h>
#include "base/limits.h"
#include "span/trace.h"
#include "told.h"

#define MS 1000000ull
#define AGENT 10
#define ARGS(lit) lit, sizeof(lit)

struct world {
	struct trace *trace;
	struct told told;
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

static void begin(struct world *w)
{
	const struct trace_cfg cfg = { 0 };

	*w = (struct world){ 0 };
	assert_int_equal(trace_new(&w->trace, &cfg, on_span, w), 0);
	feed(w, record_meta());
	feed(w, record_run(1 * MS, AGENT));
	feed(w, record_exec(2 * MS, AGENT, 1, "/x/agent", ARGS("/x/agent")));
}

static void end(struct world *w)
{
	feed(w, record_exit(5000 * MS, AGENT, 0));
	trace_end(w->trace);
}

static void over(struct world *w)
{
	trace_free(&w->trace);
	told_fini(&w->told);
}

/* --- what moves over a connection */

struct move {
	uint64_t enter_ts, ts;
	int dir;
	struct buf bytes;
};

static struct move moved(uint64_t ts_ms, int dir)
{
	/* a write takes a while: its record has the time of its end */
	return (struct move){ .enter_ts = ts_ms * MS,
			      .ts = (ts_ms + (dir == EV_WRITE ? 5 : 0)) * MS,
			      .dir = dir };
}

static int put_field(struct buf *b, const char *name, const char *value)
{
	/* literal without indexing, new name: RFC 7541 6.2.2 */
	buf_ch(b, 0);
	buf_ch(b, (char)strlen(name));
	buf_sv(b, sv(name));
	buf_ch(b, (char)strlen(value));
	return buf_sv(b, sv(value));
}

static void put_frame(struct buf *b, char type, char flags, char id, struct sv payload)
{
	const char head[] = {
		0, (char)(payload.n >> 8), (char)payload.n, type, flags, 0, 0, 0, id
	};

	buf_add(b, head, sizeof(head));
	buf_sv(b, payload);
}

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, END_STREAM = 1, END_HEADERS = 4 };

static void put_message(struct buf *b, char id, const char *name, const char *value, struct sv body)
{
	_cleanup_buf_ struct buf head = BUF_INIT;
	bool request = name[1] == 'm';

	put_field(&head, name, value);
	if (request) {
		put_field(&head, ":path", "/v1/messages");
		put_field(&head, ":scheme", "https");
		put_field(&head, ":authority", "api.anthropic.com");
	}
	put_field(&head, "content-type", "application/json");
	put_frame(b, HEADERS, END_HEADERS, id, buf_view(&head));
	put_frame(b, DATA, END_STREAM, id, body);
}

static void put_request(struct buf *b, int major, int n)
{
	_cleanup_buf_ struct buf body = BUF_INIT;

	buf_fmt(&body,
		"{\"model\":\"claude-x\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
		"\"content\":\"question %d\"}]}",
		n);
	if (major == 2)
		put_message(b, (char)(2 * n + 1), ":method", "POST", buf_view(&body));
	else
		buf_fmt(b,
			"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			body.len, buf_cstr(&body));
}

static void put_response(struct buf *b, int major, int n)
{
	_cleanup_buf_ struct buf body = BUF_INIT;

	buf_fmt(&body,
		"{\"id\":\"msg_%d\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-"
		"x\","
		"\"content\":[{\"type\":\"text\",\"text\":\"answer "
		"%d\"}],\"stop_reason\":\"end_turn\","
		"\"usage\":{\"input_tokens\":5,\"output_tokens\":%d}}",
		n, n, n);
	if (major == 2)
		put_message(b, (char)(2 * n + 1), ":status", "200", buf_view(&body));
	else
		buf_fmt(b,
			"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			body.len, buf_cstr(&body));
}

static void moves_fini(struct move *m, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		buf_fini(&m[i].bytes);
}

/* Positions are those of the order in which it happened. */
static void feed_moves(struct world *w, const struct move *m, size_t cnt, const size_t *order)
{
	uint64_t pos[16], at[2] = { 0 };

	assert_true(cnt <= ARRAY_SIZE(pos));
	for (size_t i = 0; i < cnt; i++) {
		pos[i] = at[m[i].dir];
		at[m[i].dir] += m[i].bytes.len;
	}
	for (size_t i = 0; i < cnt; i++) {
		const struct move *x = &m[order[i]];
		struct ev_data *d = record_data(x->ts, AGENT, 1, x->dir, pos[order[i]],
						buf_view(&x->bytes).p, x->bytes.len);

		d->enter_ts = x->enter_ts;
		feed(w, d);
	}
}

static void same_as_in_order(const struct move *m, size_t cnt, const size_t *order)
{
	static const size_t in_order[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct world right, w;

	begin(&right);
	feed_moves(&right, m, cnt, in_order);
	end(&right);
	begin(&w);
	feed_moves(&w, m, cnt, order);
	end(&w);
	assert_int_equal(told_count(&right.told, SPAN_MODEL_CALL), 3);
	assert_string_equal(buf_cstr(&w.told.ndjson), buf_cstr(&right.told.ndjson));
	assert_null(strstr(buf_cstr(&w.told.ndjson), "ringspan.incomplete"));
	over(&right);
	over(&w);
}

/* --- tests */

/* Three exchanges, one after the other; every subset of the requests is overtaken by its answer. */
static void overtaken(int major)
{
	struct move m[7];
	size_t cnt = 0;

	for (int n = 0; n < 3; n++) {
		m[cnt] = moved(10 + 100 * n, EV_WRITE);
		if (major == 2 && !n)
			buf_fmt(&m[cnt].bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		if (major == 2 && !n)
			put_frame(&m[cnt].bytes, SETTINGS, 0, 0, SV(""));
		put_request(&m[cnt++].bytes, major, n);
		m[cnt] = moved(12 + 100 * n, EV_READ);
		if (major == 2)
			put_frame(&m[cnt].bytes, n ? PING : SETTINGS, 0, 0,
				  n ? SV("12345678") : SV(""));
		put_response(&m[cnt++].bytes, major, n);
	}
	for (unsigned int swapped = 0; swapped < 8; swapped++) {
		size_t order[6];

		for (size_t n = 0; n < 3; n++) {
			bool swap = swapped >> n & 1;

			order[2 * n] = 2 * n + swap;
			order[2 * n + 1] = 2 * n + !swap;
		}
		same_as_in_order(m, cnt, order);
	}
	moves_fini(m, cnt);
}

static void an_answer_in_http1(void **state)
{
	(void)state;
	overtaken(1);
}

static void an_answer_in_http2(void **state)
{
	(void)state;
	overtaken(2);
}

/* The answers of two streams go on while the third one's overtakes its request, cut inside a frame. */
static void one_stream_of_many(void **state)
{
	static const size_t order[] = { 0, 1, 2, 4, 5, 3, 6 };
	struct move m[7];
	struct sv all;

	(void)state;
	for (int i = 0; i < 7; i++)
		m[i] = moved(10 + i, i < 4 && i != 1 ? EV_WRITE : EV_READ);
	buf_fmt(&m[0].bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	put_frame(&m[0].bytes, SETTINGS, 0, 0, SV(""));
	put_request(&m[0].bytes, 2, 0);
	put_frame(&m[1].bytes, SETTINGS, 0, 0, SV(""));
	put_request(&m[2].bytes, 2, 1);
	put_request(&m[3].bytes, 2, 2);
	{
		_cleanup_buf_ struct buf b = BUF_INIT;

		put_response(&b, 2, 0);
		put_response(&b, 2, 2);
		put_response(&b, 2, 1);
		all = buf_view(&b);
		/* within the first answer's DATA; within a frame's head of the second */
		buf_sv(&m[4].bytes, sv_sub(all, 0, 100));
		buf_sv(&m[5].bytes, sv_sub(all, 100, all.n - 150));
		buf_sv(&m[6].bytes, sv_sub(all, all.n - 50, SIZE_MAX));
	}
	same_as_in_order(m, 7, order);
	moves_fini(m, 7);
}

/* What answers nothing is told as that, and the next request keeps its own answer. */
static void an_answer_to_nothing(void **state)
{
	static const size_t order[] = { 0, 1, 2 };
	struct move m[] = { moved(10, EV_READ), moved(20, EV_WRITE), moved(30, EV_READ) };
	const struct span *s;
	struct world w;

	(void)state;
	buf_fmt(&m[0].bytes, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	put_request(&m[1].bytes, 1, 1);
	put_response(&m[2].bytes, 1, 1);
	begin(&w);
	feed_moves(&w, m, 3, order);
	end(&w);
	assert_int_equal(told_count(&w.told, SPAN_HTTP), 1);
	s = told_nth(&w.told, SPAN_HTTP, 0);
	assert_non_null(span_attr(s, ATTR_ID_INCOMPLETE));
	s = told_nth(&w.told, SPAN_MODEL_CALL, 0);
	assert_null(span_attr(s, ATTR_ID_INCOMPLETE));
	ASSERT_SV(span_attr_sv(s, ATTR_ID_RESPONSE_ID), "msg_1");
	over(&w);
	moves_fini(m, 3);
}

/* It is not waited for a request any longer than for other stragglers, and then that is said. */
static void the_wait_is_bounded(void **state)
{
	static const size_t order[] = { 1, 2, 0 };
	struct move m[] = { moved(9, EV_WRITE), moved(10, EV_READ),
			    moved(11 + LIMIT_REORDER_NS / MS, EV_READ) };
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world w;

	(void)state;
	put_request(&m[0].bytes, 1, 1);
	put_response(&b, 1, 1);
	buf_sv(&m[1].bytes, sv_sub(buf_view(&b), 0, b.len - 1));
	buf_sv(&m[2].bytes, sv_sub(buf_view(&b), b.len - 1, 1));
	begin(&w);
	feed_moves(&w, m, 3, order);
	end(&w);
	assert_non_null(strstr(buf_cstr(&w.told.ndjson), "\"ringspan.incomplete\":[\"unpaired\"]"));
	over(&w);
	moves_fini(m, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_in_http1),  cmocka_unit_test(an_answer_in_http2),
		cmocka_unit_test(one_stream_of_many),  cmocka_unit_test(an_answer_to_nothing),
		cmocka_unit_test(the_wait_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
