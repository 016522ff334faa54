// SPDX-License-Identifier: BSD-2-Clause
/*
 * What connections are made of: lookup, connect, handshake, the wait for an accept, resets; and what of it
 * the first request on a connection tells, and no other.
 */
#include "../fixture.h"
#include "net_test.h"

#define SOCK 3
#define OTHER 4
#define GET SV("GET /v1/things HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
#define OK SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

static struct ev_addr peer(uint16_t local_port)
{
	return address("192.0.2.1", 443, local_port);
}

static int64_t number(const struct span *s, enum attr_id id)
{
	return span_attr_int(s, id, -1);
}

/* A request that is written in two pieces and answered, 2 + 10 + 3 ms. */
static void exchange(struct world *w, uint64_t ts, uint64_t file, bool tls)
{
	moved(w, ts, file, tls, EV_WRITE, sv_sub(GET, 0, 10));
	moved(w, ts + 2 * MS, file, tls, EV_WRITE, sv_sub(GET, 10, SIZE_MAX));
	moved(w, ts + 12 * MS, file, tls, EV_READ, sv_sub(OK, 0, 20));
	moved(w, ts + 15 * MS, file, tls, EV_READ, sv_sub(OK, 20, SIZE_MAX));
}

/* From the hello at ts to the client's Finished 6 ms later. */
static void handshake(struct world *w, uint64_t ts, uint64_t file)
{
	flow(w, ts, file, peer(50000 + file), EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
	tls_record(w, ts + 4 * MS, file, false, 22, 0x32, SV(SERVER_1_3(SERVER_RANDOM)));
	tls_record(w, ts + 4 * MS, file, false, 23, 900, SV(""));
	tls_record(w, ts + 6 * MS, file, true, 23, 69, SV(""));
}

static void looks_up(struct world *w)
{
	udp(w, 1, "192.0.2.53");
	query(w, 10 * MS, 1, 7, "api.example.com", DNS_A);
	query(w, 11 * MS, 1, 8, "api.example.com", DNS_AAAA);
	answer(w, 15 * MS, 1, 7, 0x8180, "api.example.com", "192.0.2.1");
}

static void phases_are(const struct span *s, int64_t dns, int64_t connect, int64_t tls)
{
	assert_int_equal(number(s, ATTR_ID_DNS_NS), dns);
	assert_int_equal(number(s, ATTR_ID_CONNECT_NS), connect);
	assert_int_equal(number(s, ATTR_ID_TLS_NS), tls);
	assert_int_equal(number(s, ATTR_ID_CLIENT_NS), 2 * MS);
	assert_int_equal(number(s, ATTR_ID_FIRST_BYTE_NS), 12 * MS);
	assert_int_equal(number(s, ATTR_ID_TRANSFER_NS), 3 * MS);
	/* parts of the whole */
	assert_int_equal(s->end_ns - s->start_ns, 15 * MS);
}

static void first_request_of_a_connection(void **state)
{
	struct world *w = *state;
	const struct span *tls, *connect;

	begin(w);
	looks_up(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	handshake(w, 23 * MS, SOCK);
	bound(w, 30 * MS, SOCK, peer(50000 + SOCK));
	exchange(w, 31 * MS, SOCK, true);
	exchange(w, 100 * MS, SOCK, true);
	flow_end(w, 200 * MS, SOCK, 0);
	end(w);
	phases_are(told_nth(&w->told, SPAN_HTTP, 0), 5 * MS, 2 * MS, 6 * MS);
	phases_are(told_nth(&w->told, SPAN_HTTP, 1), -1, -1, -1);
	assert_int_equal(told_count(&w->told, SPAN_TLS), 1);
	tls = told_nth(&w->told, SPAN_TLS, 0);
	connect = told_nth(&w->told, SPAN_CONNECT, 0);
	ASSERT_SV(tls->name, "tls handshake");
	assert_int_equal(tls->kind, SPAN_KIND_CLIENT);
	assert_int_equal(tls->start_ns, connect->end_ns + MS);
	assert_int_equal(tls->end_ns - tls->start_ns, 6 * MS);
	assert_string_equal(tls->parent_span_id, connect->parent_span_id);
	assert_int_equal(tls->status, STATUS_UNSET);
	ASSERT_SV(span_attr_sv(tls, ATTR_ID_SERVER_ADDRESS), "api.example.com");
	ASSERT_SV(span_attr_sv(tls, ATTR_ID_TLS_PROTOCOL_VERSION), "1.3");
	ASSERT_SV(span_attr_sv(tls, ATTR_ID_TLS_CIPHER), "TLS_AES_256_GCM_SHA384");
	assert_true(json_true(span_attr(tls, ATTR_ID_TLS_ESTABLISHED)));
	assert_int_equal(number(tls, ATTR_ID_TLS_ANSWER_NS), 4 * MS);
	ASSERT_SV(span_attr_sv(connect, ATTR_ID_SERVER_ADDRESS), "api.example.com");
	assert_int_equal(number(connect, ATTR_ID_RTT_MIN), 20 * MS);
}

static void plain(struct world *w, uint64_t ts, uint64_t file)
{
	flow(w, ts, file, peer(50000 + file), EV_SRC_STREAM, EV_PROTO_HTTP1, SV(""));
	exchange(w, ts, file, false);
}

static void plain_connections(void **state)
{
	struct world *w = *state;

	begin(w);
	looks_up(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	plain(w, 31 * MS, SOCK);
	connected(w, 52 * MS, OTHER, peer(50000 + OTHER), 0); /* of the same lookup */
	plain(w, 61 * MS, OTHER);
	plain(w, 90 * MS, 5); /* it was there before */
	flow_end(w, 200 * MS, SOCK, 0);
	end(w);
	phases_are(told_nth(&w->told, SPAN_HTTP, 0), 5 * MS, 2 * MS, -1);
	phases_are(told_nth(&w->told, SPAN_HTTP, 1), -1, 2 * MS, -1);
	phases_are(told_nth(&w->told, SPAN_HTTP, 2), -1, -1, -1);
	assert_int_equal(told_count(&w->told, SPAN_TLS), 0);
}

/* The time in which any query for the name is open, and not what was asked for before. */
static void lookups(void **state)
{
	struct world *w = *state;

	begin(w);
	looks_up(w);
	answer_type(w, 18 * MS, 1, 8, 0x8180, "api.example.com", DNS_AAAA, NULL);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	plain(w, 31 * MS, SOCK);
	query(w, 110 * MS, 1, 9, "api.example.com", DNS_A);
	answer(w, 120 * MS, 1, 9, 0x8180, "api.example.com", "192.0.2.1");
	query(w, 150 * MS, 1, 10, "api.example.com", DNS_A);
	answer(w, 151 * MS, 1, 10, 0x8180, "api.example.com", "192.0.2.1");
	connected(w, 172 * MS, OTHER, peer(50000 + OTHER), 0);
	plain(w, 181 * MS, OTHER);
	end(w);
	phases_are(told_nth(&w->told, SPAN_HTTP, 0), 8 * MS, 2 * MS, -1);
	phases_are(told_nth(&w->told, SPAN_HTTP, 1), 1 * MS, 2 * MS, -1);
}

/* A connect that fails takes nothing of the lookup. */
static void second_address(void **state)
{
	struct world *w = *state;

	begin(w);
	looks_up(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), -111);
	connected(w, 25 * MS, SOCK, peer(50000 + SOCK), 0);
	plain(w, 31 * MS, SOCK);
	end(w);
	phases_are(told_nth(&w->told, SPAN_HTTP, 0), 5 * MS, 2 * MS, -1);
}

/* A library may take the request before it sends the last of the handshake. */
static void request_before_finished(void **state)
{
	struct world *w = *state;

	begin(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	flow(w, 23 * MS, SOCK, peer(50000 + SOCK), EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
	tls_record(w, 27 * MS, SOCK, false, 22, 0x32, SV(SERVER_1_3(SERVER_RANDOM)));
	bound(w, 27 * MS, SOCK, peer(50000 + SOCK));
	moved(w, 28 * MS, SOCK, true, EV_WRITE, GET);
	tls_record(w, 29 * MS, SOCK, true, 23, 69, SV(""));
	moved(w, 40 * MS, SOCK, true, EV_READ, OK);
	flow_end(w, 200 * MS, SOCK, 0);
	end(w);
	assert_int_equal(number(told_nth(&w->told, SPAN_HTTP, 0), ATTR_ID_TLS_NS), 5 * MS);
	assert_int_equal(told_nth(&w->told, SPAN_TLS, 0)->end_ns -
				 told_nth(&w->told, SPAN_TLS, 0)->start_ns,
			 6 * MS);
}

static const struct span *failed(struct world *w, const char *type)
{
	const struct span *s = told_nth(&w->told, SPAN_TLS, 0);

	assert_int_equal(told_count(&w->told, SPAN_TLS), 1); /* and none that was not seen */
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), type);
	assert_false(json_true(span_attr(s, ATTR_ID_TLS_ESTABLISHED)));
	return s;
}

static void begin_handshake(struct world *w)
{
	begin(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	flow(w, 23 * MS, SOCK, peer(50000 + SOCK), EV_SRC_STREAM, EV_PROTO_TLS, SV(CLIENT_HELLO));
}

static void refused(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin_handshake(w);
	tls_record(w, 27 * MS, SOCK, false, 21, 2, SV("\2\x28"));
	flow_end(w, 30 * MS, SOCK, 0);
	end(w);
	s = failed(w, "handshake_failure");
	assert_int_equal(s->end_ns - s->start_ns, 4 * MS);
	ASSERT_SV(s->status_message, "the other side refused the handshake");
	assert_int_equal(told_count(&w->told, SPAN_CONNECT), 1);
	assert_int_equal(number(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_SENT_BYTES), 700);
}

static void closed(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin_handshake(w);
	tls_record(w, 27 * MS, SOCK, false, 22, 0x32, SV(SERVER_1_3(SERVER_RANDOM)));
	flow_end(w, 30 * MS, SOCK, 0);
	end(w);
	s = failed(w, "closed");
	assert_int_equal(s->end_ns - s->start_ns, 7 * MS);
}

static void broken_off(void **state)
{
	struct world *w = *state;
	const struct span *s, *connect;

	begin_handshake(w);
	tls_record(w, 27 * MS, SOCK, false, 22, 0x32, SV(SERVER_1_3(SERVER_RANDOM)));
	reset(w, 28 * MS, SOCK, peer(50000 + SOCK), EV_RESET_PEER);
	reset(w, 29 * MS, SOCK, peer(50000 + SOCK), EV_RESET_SELF); /* it was over by then */
	flow_end(w, 30 * MS, SOCK, 0);
	end(w);
	s = failed(w, "ECONNRESET");
	assert_int_equal(s->end_ns - s->start_ns, 5 * MS);
	connect = told_nth(&w->told, SPAN_CONNECT, 0);
	ASSERT_SV(span_attr_sv(connect, ATTR_ID_RESET), "peer");
	assert_int_equal(connect->events->cnt, 1);
	assert_int_equal(connect->status, STATUS_UNSET);
}

/* What is not known is no failure. */
static void nothing_told(void **state)
{
	struct world *w = *state;

	begin_handshake(w);
	flow_end(w, 30 * MS, SOCK, 0); /* bytes were read, and no record was told: an old capture */
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_TLS), 1);
	ASSERT_SV(span_attr_sv(told_nth(&w->told, SPAN_TLS, 0), ATTR_ID_CONTENT), "not_seen");
}

static void records_lost(void **state)
{
	struct ev_tls *t = record(EV_TLS, sizeof(*t), 28 * MS, AGENT, NULL, 0);
	struct world *w = *state;
	const struct span *s;

	begin_handshake(w);
	t->conn = t->file = SOCK;
	t->type = 23;
	t->size = 900;
	t->hdr.lost = 1;
	feed(w, t);
	flow_end(w, 30 * MS, SOCK, 0);
	end(w);
	s = told_nth(&w->told, SPAN_TLS, 0);
	ASSERT_SV(s->name, "tls handshake");
	assert_int_equal(s->status, STATUS_UNSET);
	assert_non_null(span_attr(s, ATTR_ID_INCOMPLETE));
}

/* --- servers */

static void accepted(struct world *w, uint64_t ts, uint64_t since)
{
	struct ev_accept *a = record(EV_ACCEPT, sizeof(*a), ts, AGENT, NULL, 0);

	a->sock = SOCK;
	a->enter_ts = ts - 1;
	a->established_ts = since;
	a->addr = peer(8080);
	a->backlog = 3;
	a->backlog_max = 128;
	feed(w, a);
}

static void served(struct world *w, uint64_t ts)
{
	flow(w, ts, SOCK, peer(8080), EV_SRC_STREAM, EV_PROTO_HTTP1, SV(""));
	moved(w, ts, SOCK, false, EV_READ, GET);
	moved(w, ts + 5 * MS, SOCK, false, EV_WRITE, OK);
}

static void the_backlog(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	accepted(w, 50 * MS, 20 * MS);
	served(w, 60 * MS);
	served(w, 70 * MS);
	flow_end(w, 200 * MS, SOCK, 0);
	end(w);
	s = told_nth(&w->told, SPAN_CONNECT, 0);
	ASSERT_SV(s->name, "accept");
	assert_int_equal(s->kind, SPAN_KIND_SERVER);
	assert_int_equal(s->end_ns - s->start_ns, 30 * MS);
	assert_int_equal(number(s, ATTR_ID_QUEUE_NS), 30 * MS);
	assert_int_equal(number(s, ATTR_ID_BACKLOG), 3);
	assert_int_equal(number(s, ATTR_ID_BACKLOG_MAX), 128);
	assert_null(span_attr(s, ATTR_ID_BACKLOG_DROPS));
	assert_int_equal(number(s, ATTR_ID_RECEIVED_BYTES), 3000);
	s = told_nth(&w->told, SPAN_HTTP, 0);
	assert_int_equal(s->kind, SPAN_KIND_SERVER);
	assert_int_equal(number(s, ATTR_ID_QUEUE_NS), 30 * MS);
	assert_null(span_attr(s, ATTR_ID_CONNECT_NS));
	assert_null(span_attr(told_nth(&w->told, SPAN_HTTP, 1), ATTR_ID_QUEUE_NS));
}

/* Established when nobody looked, or, by a hostile record, after it was accepted. */
static void the_backlog_unknown(void **state)
{
	struct world *w = *state;

	begin(w);
	accepted(w, 50 * MS, 0);
	accepted(w, 60 * MS, 70 * MS);
	end(w);
	assert_int_equal(told_count(&w->told, SPAN_CONNECT), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct span *s = told_nth(&w->told, SPAN_CONNECT, i);

		assert_null(span_attr(s, ATTR_ID_QUEUE_NS));
		assert_int_equal(s->end_ns, s->start_ns);
	}
}

/* --- resets */

static void an_answer_broken_off(void **state)
{
	struct world *w = *state;
	const struct span *s;

	begin(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	plain(w, 30 * MS, SOCK);
	moved(w, 60 * MS, SOCK, false, EV_WRITE, GET);
	reset(w, 70 * MS, SOCK, peer(50000 + SOCK), EV_RESET_PEER);
	flow_end(w, 80 * MS, SOCK, 0);
	end(w);
	s = told_nth(&w->told, SPAN_HTTP, 0);
	assert_int_equal(s->status, STATUS_UNSET); /* it was over */
	assert_null(span_attr(s, ATTR_ID_RESET));
	s = told_nth(&w->told, SPAN_HTTP, 1);
	assert_int_equal(s->status, STATUS_ERROR);
	ASSERT_SV(span_attr_sv(s, ATTR_ID_ERROR_TYPE), "ECONNRESET");
	ASSERT_SV(span_attr_sv(s, ATTR_ID_RESET), "peer");
}

/* A reset of a socket that had that inode's number before, and of one that nobody knows. */
static void resets_of_others(void **state)
{
	struct world *w = *state;

	begin(w);
	connected(w, 22 * MS, SOCK, peer(50000 + SOCK), 0);
	plain(w, 30 * MS, SOCK);
	reset(w, 70 * MS, SOCK, peer(1), EV_RESET_PEER);
	reset(w, 70 * MS, 77, peer(1), 99);
	flow_end(w, 80 * MS, SOCK, 0);
	end(w);
	assert_null(span_attr(told_nth(&w->told, SPAN_CONNECT, 0), ATTR_ID_RESET));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_request_of_a_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(lookups, setup, teardown),
		cmocka_unit_test_setup_teardown(plain_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(second_address, setup, teardown),
		cmocka_unit_test_setup_teardown(request_before_finished, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(closed, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_off, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_told, setup, teardown),
		cmocka_unit_test_setup_teardown(records_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(the_backlog, setup, teardown),
		cmocka_unit_test_setup_teardown(the_backlog_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_broken_off, setup, teardown),
		cmocka_unit_test_setup_teardown(resets_of_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
