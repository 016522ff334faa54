// SPDX-License-Identifier: BSD-2-Clause
/*
 * DNS and connections whose content is not seen, through the trace engine: which spans come of the
 * records of sockets, and what they say.
 */
#include "../fixture.h"
#include <errno.h>
#include <stdio.h>
#include "base/limits.h"
#include "hostile.h"
#include "net_test.h"

/* --- looking at what came out */

static void is_list(const struct span *s, enum attr_id id, const char *text)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	assert_non_null(span_attr(s, id));
	assert_int_equal(json_write(&b, span_attr(s, id)), 0);
	assert_string_equal(buf_cstr(&b), text);
}

static bool says(const struct span *s, const char *reason)
{
	json_for_each (span_attr(s, ATTR_ID_INCOMPLETE), e)
		if (json_str_is(e, reason))
			return true;
	return false;
}

/* --- DNS */

static void a_name_is_asked_for(void **state)
{
	struct world *w = *state;
	const struct span *s, *c;

	begin(w);
	udp(w, 1, "127.0.0.53");
	query(w, 10 * MS, 1, 7, "API.example.com", DNS_A);
	query(w, 10 * MS, 1, 8, "api.example.com", DNS_AAAA);
	answer(w, 15 * MS, 1, 7, 0x8180, "api.Example.com", "10.0.0.7");
	assert_int_equal(w->told.cnt, 1);
	s = told_nth(&w->told, SPAN_DNS, 0);
	ASSERT_SV(s->name, "dns api.example.com");
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	assert_int_equal(s->end_ns - s->start_ns, 5 * MS);
	assert_int_equal(s->status, STATUS_UNSET);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_DNS_NAME), "api.example.com");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_DNS_TYPE), "A");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_DNS_RCODE), "NOERROR");
	is_list(s, ATTR_ID_DNS_ANSWERS, "[\"10.0.0.7\"]");
	is_list(s, ATTR_ID_DNS_RECORDS, "[\"CNAME edge.net\"]");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_PEER_ADDRESS), "127.0.0.53");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "udp");
	assert_int_equal(span_attr_int(s, ATTR_ID_ATTEMPTS, 0), 1);
	/* whoever connects to the address is told by the name, however the address is written */
	connected(w, 20 * MS, 2, address("::ffff:10.0.0.7", 443, 5000), -ECONNREFUSED);
	c = told_nth(&w->told, SPAN_CONNECT, 0);
	ASSERT_SV(span_attr_sv(c, ATTR_ID_PEER_NAME), "api.example.com");
	assert_null(span_attr(c, ATTR_ID_SERVER_ADDRESS));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DNS), 2); /* nobody answered for AAAA */
	s = told_nth(&w->told, SPAN_DNS, 1);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "timeout");
	assert_string_equal(s->parent_span_id, told_nth(&w->told, SPAN_RUN, 0)->span_id);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_ERRORS, 0), 2);
}

/* The second server is asked by a socket of its own; both answer in the end. */
static void another_server_is_asked(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	udp(w, 1, "10.0.0.1");
	udp(w, 2, "10.0.0.2");
	query(w, 10 * MS, 1, 7, "a.example", DNS_A);
	query(w, 15 * MS, 1, 7, "a.example", DNS_A);
	query(w, 20 * MS, 2, 7, "a.example", DNS_A);
	answer(w, 25 * MS, 2, 7, 0x8180, "a.example", "10.0.0.7");
	answer(w, 26 * MS, 1, 7, 0x8180, "a.example", "10.0.0.7");
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DNS), 1);
	s = told_nth(&w->told, SPAN_DNS, 0);
	assert_int_equal(s->end_ns - s->start_ns, 15 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_ATTEMPTS, 0), 3);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_PEER_ADDRESS), "10.0.0.2");
}

/* id: that of the question by TCP, which is a new one with some resolvers. */
static void falls_back_to_tcp(struct world *w, unsigned int id)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct sv wire;

	udp(w, 1, "10.0.0.1");
	query(w, 10 * MS, 1, 7, "a.example", DNS_A);
	answer(w, 12 * MS, 1, 7, 0x8380, "a.example", NULL);
	flow_end(w, 13 * MS, 1, 0);
	flow(w, 14 * MS, 2, address("10.0.0.1", 53, 4000), EV_SRC_STREAM, EV_PROTO_DNS, SV(""));
	put16(&b, 27);
	put_question(&b, id, 0x0100, "a.example", DNS_A, 0);
	assert_int_equal(b.len, 2 + 27);
	send_dns(w, 14 * MS, 2, EV_WRITE, EV_SRC_STREAM, sv_sub(buf_view(&b), 0, 2));
	send_dns(w, 15 * MS, 2, EV_WRITE, EV_SRC_STREAM, sv_sub(buf_view(&b), 2, b.len));
	buf_clear(&b);
	put16(&b, 27 + 16);
	put_question(&b, id, 0x8180, "a.example", DNS_A, 1);
	put_record(&b, SV(DNS_QUESTION_AT), DNS_A, SV("abcd"));
	for (wire = buf_view(&b); wire.n; wire = sv_sub(wire, 10, wire.n))
		send_dns(w, 20 * MS - wire.n, 2, EV_READ, EV_SRC_STREAM, sv_sub(wire, 0, 10));
	assert_int_equal(w->told.cnt, 1);
}

static void what_is_too_long_goes_by_tcp(void **state)
{
	const struct span *s;

	for (unsigned int id = 7; id < 9; id++) {
		struct world *w;

		assert_int_equal(setup((void **)&w), 0);
		begin(w);
		falls_back_to_tcp(w, id);
		end(w);
		s = told_nth(&w->told, SPAN_DNS, 0);
		assert_int_equal(told_count(&w->told, SPAN_DNS), 1);
		assert_int_equal(s->end_ns - s->start_ns, 10 * MS - 5);
		assert_int_equal(span_attr_int(s, ATTR_ID_ATTEMPTS, 0), 2);
		ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "tcp");
		is_list(s, ATTR_ID_DNS_ANSWERS, "[\"97.98.99.100\"]");
		assert_non_null(span_attr(s, ATTR_ID_DNS_TRUNCATED));
		assert_int_equal(s->status, STATUS_UNSET);
		teardown((void **)&w);
	}
	(void)state;
}

/* A cut answer that the client made do with is an answer. */
static void nobody_asks_by_tcp(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	udp(w, 1, "10.0.0.1");
	query(w, 10 * MS, 1, 7, "a.example", DNS_A);
	answer(w, 12 * MS, 1, 7, 0x8380, "a.example", NULL);
	end(w);
	s = told_nth(&w->told, SPAN_DNS, 0);
	assert_int_equal(s->status, STATUS_UNSET);
	assert_int_equal(s->end_ns - s->start_ns, 2 * MS);
	assert_true(says(s, "cut"));
}

/* A question of which the first bytes came with the end of another began with these. */
static void questions_in_odd_pieces(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT, one = BUF_INIT, two = BUF_INIT;
	struct world *w = *state;

	put_question(&one, 7, 0x0100, "a.example", DNS_A, 0);
	put_question(&two, 8, 0x0100, "b.example", DNS_A, 0);
	put16(&b, one.len);
	buf_sv(&b, buf_view(&one));
	put16(&b, two.len);
	buf_sv(&b, buf_view(&two));
	begin(w);
	flow(w, 3 * MS, 1, address("10.0.0.1", 53, 40001), EV_SRC_STREAM, EV_PROTO_DNS, SV(""));
	send_dns(w, 10 * MS, 1, EV_WRITE, EV_SRC_STREAM, sv_sub(buf_view(&b), 0, 5));
	send_dns(w, 20 * MS, 1, EV_WRITE, EV_SRC_STREAM, sv_sub(buf_view(&b), 5, one.len + 5));
	send_dns(w, 30 * MS, 1, EV_WRITE, EV_SRC_STREAM,
		 sv_sub(buf_view(&b), one.len + 10, SIZE_MAX));
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DNS), 2);
	assert_int_equal(told_nth(&w->told, SPAN_DNS, 1)->start_ns -
				 told_nth(&w->told, SPAN_DNS, 0)->start_ns,
			 10 * MS);
}

static void there_is_no_such_name(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	udp(w, 1, "10.0.0.1");
	query(w, 10 * MS, 1, 7, "no.example", DNS_A);
	answer(w, 11 * MS, 1, 7, 0x8183, "no.example", NULL);
	s = told_nth(&w->told, SPAN_DNS, 0);
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "NXDOMAIN");
	assert_null(span_attr(s, ATTR_ID_DNS_ANSWERS));
}

static void nobody_answers(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	udp(w, 1, "10.0.0.1");
	query(w, 10 * MS, 1, 7, "a.example", DNS_A);
	query(w, 110 * MS, 1, 7, "a.example", DNS_A);
	flow_end(w, 210 * MS, 1, 0);
	feed(w, record(EV_TICK, sizeof(struct ev_tick), 110 * MS + LIMIT_DNS_NS, 0, NULL, 0));
	assert_int_equal(w->told.cnt, 0);
	feed(w, record(EV_TICK, sizeof(struct ev_tick), 111 * MS + LIMIT_DNS_NS, 0, NULL, 0));
	assert_int_equal(w->told.cnt, 1);
	s = told_nth(&w->told, SPAN_DNS, 0);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "timeout");
	assert_int_equal(s->end_ns - s->start_ns,
			 200 * MS); /* it gave up when it closed the socket */
	assert_int_equal(span_attr_int(s, ATTR_ID_ATTEMPTS, 0), 2);
	assert_true(says(s, "unanswered"));
	ASSERT_SV(s->status_message, "no answer to 2 queries");
}

static void the_process_serves_names(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	struct world *w = *state;

	begin(w);
	udp(w, 1, "10.0.0.1");
	put_question(&b, 7, 0x0100, "a.example", DNS_A, 0);
	send_dns(w, 10 * MS, 1, EV_READ, EV_SRC_DGRAM, buf_view(&b));
	b.p[2] = (char)0x81;
	send_dns(w, 11 * MS, 1, EV_WRITE, EV_SRC_DGRAM, buf_view(&b));
	assert_int_equal(told_nth(&w->told, SPAN_DNS, 0)->kind, SPAN_KIND_SERVER);
}

static void more_queries_than_are_kept(void **state)
{
	struct world *w = *state;

	begin(w);
	udp(w, 1, "10.0.0.1");
	for (unsigned int id = 0; id < LIMIT_DNS_QUERIES + 3; id++)
		query(w, (10 + id) * MS, 1, id, "a.example", DNS_A);
	assert_int_equal(told_count(&w->told, SPAN_DNS), 3);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_DNS), LIMIT_DNS_QUERIES + 3);
}

/* --- content that is not seen */

static void tls_of_an_unknown_library(void **state)
{
	struct ev_addr addr = address("10.0.0.7", 443, 5000);
	struct world *w = *state;
	const struct span *s, *run;
	struct trace_totals totals;

	begin(w);
	connected(w, 5 * MS, 3, addr, 0);
	flow(w, 6 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
	flow_end(w, 50 * MS, 3, 0);
	assert_int_equal(w->told.cnt, 2);
	end(w);
	s = told_nth(&w->told, SPAN_TLS, 0);
	run = told_nth(&w->told, SPAN_RUN, 0);
	ASSERT_SV(s->name, "tls api.example.com");
	assert_int_equal(s->kind, SPAN_KIND_CLIENT);
	assert_int_equal(s->status, STATUS_UNSET);
	assert_true(sv_has(s->status_message, "no TLS functions"));
	assert_int_equal(s->end_ns - s->start_ns, 44 * MS);
	assert_string_equal(s->parent_span_id, run->span_id);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CONTENT), "not_seen");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CONTENT_REASON), "tls_library_unknown");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_SERVER_ADDRESS), "api.example.com");
	assert_int_equal(span_attr_int(s, ATTR_ID_SERVER_PORT, 0), 443);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_TLS_VERSION), "1.3");
	is_list(s, ATTR_ID_TLS_ALPN, "[\"h2\",\"http/1.1\"]");
	assert_int_equal(span_attr_int(s, ATTR_ID_SENT_BYTES, 0), 700);
	assert_int_equal(span_attr_int(s, ATTR_ID_RECEIVED_BYTES, 0), 3000);
	assert_int_equal(span_attr_int(s, ATTR_ID_RTT, 0), 25 * MS);
	assert_int_equal(span_attr_int(s, ATTR_ID_RETRANSMITS, 0), 3);
	assert_int_equal(span_attr_int(run, ATTR_ID_NOT_SEEN, 0), 1);
	assert_null(span_attr(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_CONTENT));
	trace_totals(w->trace, &totals);
	assert_int_equal(totals.not_seen, 1);
}

/* before: the TLS object is known first, else the flow. */
static void seen(struct world *w, bool before)
{
	struct ev_addr addr = address("10.0.0.7", 443, 5000);

	begin(w);
	connected(w, 5 * MS, 3, addr, 0);
	if (before)
		bound(w, 6 * MS, 3, addr);
	assert_int_equal(w->told.cnt, before); /* nobody would tell more of the connect */
	flow(w, 7 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
	if (!before)
		bound(w, 8 * MS, 3, addr);
	assert_int_equal(w->told.cnt, before);
	flow_end(w, 50 * MS, 3, 0);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_SENT_BYTES, 0),
			 before ? 0 : 700);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TLS), 0);
	assert_int_equal(told_count(&w->told, SPAN_CONNECT), 1);
	assert_null(span_attr(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_CONTENT));
	assert_null(span_attr(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_NOT_SEEN));
}

static void tls_that_is_followed_before(void **state)
{
	seen(*state, true);
}

static void tls_that_is_followed_later(void **state)
{
	seen(*state, false);
}

/* The same inode number, but another socket: what sat on the first does not hide the second. */
static void inode_numbers_are_used_again(void **state)
{
	struct ev_addr addr = address("10.0.0.7", 443, 5000);
	struct world *w = *state;

	begin(w);
	bound(w, 6 * MS, 3, addr);
	addr.lport = 5001;
	flow(w, 7 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
	end(w); /* no FLOW_END either */
	assert_int_equal(told_count(&w->told, SPAN_TLS), 1);
	assert_null(span_attr(told_nth(&w->told, SPAN_TLS, 0), ATTR_ID_SENT_BYTES));
	assert_int_equal(told_nth(&w->told, SPAN_TLS, 0)->kind,
			 SPAN_KIND_SERVER); /* it did not connect */
}

static void tls_behind_a_proxy(void **state)
{
	struct ev_addr addr = address("10.0.0.9", 3128, 5000);
	struct world *w = *state;
	const char *ask =
		"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n";

	begin(w);
	connected(w, 5 * MS, 3, addr, 0);
	flow(w, 6 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_HTTP1, SV(""));
	send_dns(w, 7 * MS, 3, EV_WRITE, EV_SRC_STREAM, sv(ask));
	send_dns(w, 8 * MS, 3, EV_READ, EV_SRC_STREAM, SV("HTTP/1.1 200 OK\r\n\r\n"));
	flow(w, 9 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
	flow_end(w, 50 * MS, 3, 0);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_HTTP), 1);
	ASSERT_SV(told_nth(&w->told, SPAN_TLS, 0)->name, "tls api.example.com");
	assert_int_equal(told_count(&w->told, SPAN_CONNECT), 1);
}

static void quic_by_its_name(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	udp(w, 1, "10.0.0.1");
	query(w, 10 * MS, 1, 7, "h3.example", DNS_A);
	answer(w, 11 * MS, 1, 7, 0x8180, "h3.example", "10.0.0.7");
	flow(w, 12 * MS, 2, address("10.0.0.7", 443, 5000), EV_SRC_DGRAM, EV_PROTO_QUIC,
	     SV("\xc3\0\0\0\1"));
	flow_end(w, 50 * MS, 2, 0);
	s = told_nth(&w->told, SPAN_TLS, 0);
	ASSERT_SV(s->name, "quic h3.example");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CONTENT_REASON), "quic");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_NET_TRANSPORT), "udp");
}

static void protocols_that_are_not_known(void **state)
{
	struct ev_addr addr = address("::1", 5432, 5000);
	struct world *w = *state;
	const struct span *s;

	begin(w);
	connected(w, 5 * MS, 3, addr, 0);
	flow(w, 6 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_UNKNOWN, SV(""));
	assert_int_equal(w->told.cnt, 0);
	flow_end(w, 50 * MS, 3, 0);
	addr.lport++;
	flow(w, 60 * MS, 4, addr, EV_SRC_STREAM, EV_PROTO_UNKNOWN, SV(""));
	flow_end(w, 70 * MS, 4, 500);
	end(w);
	assert_int_equal(w->told.cnt, 3);
	s = told_nth(&w->told, SPAN_CONNECT, 0);
	assert_int_equal(s->end_ns - s->start_ns, 2 * MS); /* still what connecting took */
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CONTENT_REASON), "protocol_unknown");
	assert_int_equal(span_attr_int(s, ATTR_ID_RECEIVED_BYTES, 0), 3000);
	s = told_nth(&w->told, SPAN_CONNECT, 1);
	ASSERT_SV(s->name, "connection");
	assert_int_equal(s->end_ns - s->start_ns, 10 * MS);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_CONTENT_REASON), "io_uring_or_sendfile");
	assert_int_equal(span_attr_int(s, ATTR_ID_UNSEEN_BYTES, 0), 500);
	assert_int_equal(span_attr_int(told_nth(&w->told, SPAN_RUN, 0), ATTR_ID_NOT_SEEN, 0), 2);
}

static void plain_http_is_seen(void **state)
{
	struct ev_addr addr = address("127.0.0.1", 8000, 5000);
	struct world *w = *state;
	const struct span *s;

	begin(w);
	connected(w, 5 * MS, 3, addr, 0);
	flow(w, 6 * MS, 3, addr, EV_SRC_STREAM, EV_PROTO_HTTP1, SV(""));
	flow_end(w, 50 * MS, 3, 0);
	end(w);
	s = told_nth(&w->told, SPAN_CONNECT, 0);
	assert_int_equal(told_count(&w->told, SPAN_CONNECT), 1);
	assert_int_equal(span_attr_int(s, ATTR_ID_RTT, 0), 25 * MS);
	assert_null(span_attr(s, ATTR_ID_CONTENT));
}

/* A pipe or AF_UNIX socket has no address, and no span of its own. */
static void only_the_network_is_a_connection(void **state)
{
	struct ev_addr none = { 0 };
	struct world *w = *state;

	begin(w);
	flow(w, 6 * MS, 3, none, EV_SRC_PIPE, EV_PROTO_JSONRPC, SV(""));
	flow_end(w, 50 * MS, 3, 0);
	end(w);
	assert_int_equal(w->told.cnt, 1);
}

/* --- hostile */

static void one_record(struct world *w, uint64_t *seed, uint64_t ts)
{
	uint64_t file = 1 + rnd_below(seed, 4);
	struct ev_addr addr = address("10.0.0.7", 53, 5000 + rnd_below(seed, 2));
	unsigned int id = rnd_below(seed, 3);
	char first[64];

	for (size_t i = 0; i < sizeof(first); i++)
		first[i] = (char)rnd(seed);
	switch (rnd_below(seed, 8)) {
	case 0:
		connected(w, ts, file, addr, rnd_below(seed, 4) ? 0 : -EHOSTUNREACH);
		break;
	case 1:
		bound(w, ts, file, addr);
		break;
	case 2:
		flow(w, ts, file, addr, rnd_below(seed, 2) ? EV_SRC_STREAM : EV_SRC_DGRAM,
		     rnd_below(seed, 8), (struct sv){ first, rnd_below(seed, sizeof(first)) });
		break;
	case 3:
		flow_end(w, ts, file, rnd_below(seed, 2));
		break;
	case 4:
		query(w, ts, file, id, "a.example", DNS_A);
		break;
	case 5:
		answer(w, ts, file, id, rnd_below(seed, 3) ? 0x8180 : 0x8380, "a.example",
		       rnd_below(seed, 2) ? "10.0.0.7" : NULL);
		break;
	default:
		send_dns(w, ts, file, rnd_below(seed, 2),
			 rnd_below(seed, 2) ? EV_SRC_STREAM : EV_SRC_DGRAM,
			 (struct sv){ first, rnd_below(seed, sizeof(first)) });
		break;
	}
}

/* Any order of records gives spans, the same each time, and each connect once. */
static void records_in_any_order(void **state)
{
	(void)state;
	for (uint64_t round = 1; round <= 40; round++) {
		struct world *w[2];

		for (int i = 0; i < 2; i++) {
			uint64_t seed = round;

			assert_int_equal(setup((void **)&w[i]), 0);
			begin(w[i]);
			for (uint64_t n = 0; n < 300; n++)
				one_record(w[i], &seed, (10 + n) * MS);
			if (round % 2)
				end(w[i]);
			else
				trace_end(w[i]->trace);
		}
		assert_string_equal(buf_cstr(&w[0]->told.ndjson), buf_cstr(&w[1]->told.ndjson));
		for (size_t i = 0; i < w[0]->told.cnt; i++)
			for (size_t k = 0; k < i; k++)
				if (!strcmp(w[0]->told.spans[i]->span_id,
					    w[0]->told.spans[k]->span_id))
					fail_msg("twice " SV_FMT " " SV_FMT,
						 SV_ARG(w[0]->told.spans[i]->name),
						 SV_ARG(w[0]->told.spans[k]->name));
		assert_int_equal(told_count(&w[0]->told, SPAN_RUN), 1);
		teardown((void **)&w[0]);
		teardown((void **)&w[1]);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_asked_for),
		TEST(another_server_is_asked),
		cmocka_unit_test(what_is_too_long_goes_by_tcp),
		TEST(nobody_asks_by_tcp),
		TEST(questions_in_odd_pieces),
		TEST(there_is_no_such_name),
		TEST(nobody_answers),
		TEST(the_process_serves_names),
		TEST(more_queries_than_are_kept),
		TEST(tls_of_an_unknown_library),
		TEST(tls_that_is_followed_before),
		TEST(tls_that_is_followed_later),
		TEST(inode_numbers_are_used_again),
		TEST(tls_behind_a_proxy),
		TEST(quic_by_its_name),
		TEST(protocols_that_are_not_known),
		TEST(plain_http_is_seen),
		TEST(only_the_network_is_a_connection),
		cmocka_unit_test(records_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
