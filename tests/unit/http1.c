// SPDX-License-Identifier: BSD-2-Clause
/*
 * HTTP/1 where a case cannot say it: bounds, big bodies, bombs, random cuts, damage and holes,
 * over-reads.  Else: tests/case/http1.
 */
#include "proto/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

#include "../zip.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "hostile.h"

#define KEEP_MAX 4096

/* Checks the order of the callbacks, counts, keeps what is small, and a log of all messages. */
struct seen {
	bool open[2];
	size_t heads, dones, interims;
	uint64_t body[2], hole[2];
	struct buf log;
	/* of the last one that was done */
	unsigned int flags;
	uint64_t seq, wire, len, missing;
	size_t field_cnt, trailer_cnt;
	int status;
	char last_name[32];
};

static void on_head(void *ctx, struct http_msg *m)
{
	struct seen *s = ctx;

	assert_false(s->open[m->dir]);
	s->open[m->dir] = true;
	s->heads++;
	s->body[m->dir] = s->hole[m->dir] = 0;
	buf_fmt(&s->log, "%d %d " SV_FMT " %zu\n", m->dir, m->status, SV_ARG(m->target),
		m->field_cnt);
}

static void on_interim(void *ctx, struct http_msg *m)
{
	struct seen *s = ctx;

	assert_int_equal(m->dir, HTTP_RESPONSE);
	assert_false(s->open[HTTP_RESPONSE]);
	s->interims++;
}

static void on_body(void *ctx, struct http_msg *m, uint64_t ts, struct sv bytes)
{
	struct seen *s = ctx;

	assert_true(s->open[m->dir]);
	assert_true(bytes.n > 0);
	assert_true(ts >= m->ts_body);
	s->body[m->dir] += bytes.n;
	if (s->log.len < KEEP_MAX)
		buf_sv(&s->log, bytes);
}

static void on_hole(void *ctx, struct http_msg *m, uint64_t n)
{
	struct seen *s = ctx;

	assert_true(s->open[m->dir]);
	assert_true(n > 0);
	s->hole[m->dir] += n;
}

static void on_done(void *ctx, struct http_msg *m)
{
	struct seen *s = ctx;

	assert_true(s->open[m->dir]);
	s->open[m->dir] = false;
	s->dones++;
	assert_int_equal(s->body[m->dir], m->body_len);
	assert_true(s->hole[m->dir] <= m->missing);
	assert_true(!(m->flags & HTTP_COMPLETE) != !(m->flags & HTTP_CUT));
	assert_true(!m->missing || m->flags & HTTP_HOLE);
	assert_true(m->ts_first <= m->ts_last);
	s->flags = m->flags;
	s->seq = m->seq;
	s->wire = m->wire_body;
	s->len = m->body_len;
	s->missing = m->missing;
	s->field_cnt = m->field_cnt;
	s->trailer_cnt = m->trailer_cnt;
	s->status = m->status;
	if (m->field_cnt)
		snprintf(s->last_name, sizeof(s->last_name), SV_FMT,
			 SV_ARG(m->fields[m->field_cnt - 1].name));
	buf_fmt(&s->log, "\n%d %x %llu %llu\n", m->dir, m->flags, (unsigned long long)m->seq,
		(unsigned long long)m->wire_body);
}

static struct http1 *open_parser(struct seen *s)
{
	static const struct http_ops ops = { .head = on_head,
					     .interim = on_interim,
					     .body = on_body,
					     .hole = on_hole,
					     .done = on_done };
	struct http1 *h = NULL;

	*s = (struct seen){ 0 };
	assert_int_equal(http1_new(&h, &ops, s), 0);
	return h;
}

/* Ends the connection: every head has its done. */
static void close_parser(struct http1 *h, struct seen *s)
{
	http1_end(h, 1000);
	http1_free(&h);
	assert_null(h);
	assert_int_equal(s->heads, s->dones);
	buf_fini(&s->log);
}

static void feed(struct http1 *h, enum http_dir dir, struct sv bytes)
{
	assert_int_equal(http1_feed(h, dir, 1, bytes), 0);
}

static void feed_str(struct http1 *h, enum http_dir dir, const char *text)
{
	feed(h, dir, sv(text));
}

static void feed_times(struct http1 *h, enum http_dir dir, const char *text, size_t times)
{
	while (times--)
		feed(h, dir, sv(text));
}

/* --- bounds */

static void test_large_body(void **state)
{
	static char piece[64u << 10];
	const uint64_t total = 100u << 20;
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
	for (uint64_t n = 0; n < total; n += sizeof(piece))
		feed(h, HTTP_RESPONSE, (struct sv){ piece, sizeof(piece) });
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_UNPAIRED);
	assert_int_equal(s.wire, total);
	assert_int_equal(s.len, total); /* who keeps it has the bound */

	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
	for (uint64_t n = 0; n < LIMIT_BODY; n += sizeof(piece))
		feed(h, HTTP_RESPONSE, (struct sv){ piece, sizeof(piece) });
	assert_int_equal(s.dones, 2);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_UNPAIRED);
	assert_int_equal(s.len, LIMIT_BODY);
	close_parser(h, &s);
}

/* A zstd bomb is stopped long before the bound on bodies, and the next message is found. */
static void test_bomb(void **state)
{
	const size_t plain_len = 60u << 20;
	size_t room = ZSTD_compressBound(plain_len), n;
	_cleanup_free_ char *plain = calloc(1, plain_len), *coded = malloc(room);
	struct seen s;
	struct http1 *h = open_parser(&s);
	char head[128];

	(void)state;
	n = ZSTD_compress(coded, room, plain, plain_len, 3);
	snprintf(head, sizeof(head),
		 "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: %zu\r\n\r\n", n);
	feed_str(h, HTTP_RESPONSE, head);
	feed(h, HTTP_RESPONSE, (struct sv){ coded, n });
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_BODY_CAP | HTTP_UNPAIRED);
	assert_int_equal(s.wire, n);
	assert_true(s.len > 0 && s.len < plain_len / 2);
	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(s.status, 204);
	close_parser(h, &s);
}

static void test_head_bound(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_REQUEST, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ");
	feed_times(h, HTTP_REQUEST, "0123456789abcdef", LIMIT_HTTP_HEAD / 16);
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_HEAD_CAP | HTTP_CUT);
	assert_int_equal(s.field_cnt, 1);
	assert_string_equal(s.last_name, "Host");
	feed_str(h, HTTP_REQUEST, "\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	assert_int_equal(s.dones, 2);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_JOINED);

	/* a start line that never ends */
	feed_str(h, HTTP_REQUEST, "GET /");
	feed_times(h, HTTP_REQUEST, "0123456789abcdef", LIMIT_HTTP_HEAD / 16);
	feed_str(h, HTTP_REQUEST, " HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	assert_int_equal(s.dones, 3);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_JOINED);
	close_parser(h, &s);
}

/* Fields over the bound are left out, but still frame. */
static void test_field_bound(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_REQUEST, "POST / HTTP/1.1\r\n");
	feed_times(h, HTTP_REQUEST, "A: b\r\n", LIMIT_HTTP_HEADERS);
	feed_str(h, HTTP_REQUEST, "Content-Length: 3\r\n\r\nabc");
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_HEAD_CAP);
	assert_int_equal(s.field_cnt, LIMIT_HTTP_HEADERS);
	assert_int_equal(s.len, 3);

	feed_str(h, HTTP_REQUEST, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	feed_times(h, HTTP_REQUEST, "A: b\r\n", LIMIT_HTTP_HEADERS + 1);
	feed_str(h, HTTP_REQUEST, "\r\n");
	assert_int_equal(s.dones, 2);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_HEAD_CAP);
	assert_int_equal(s.trailer_cnt, LIMIT_HTTP_HEADERS);
	close_parser(h, &s);
}

static void test_trailer_bound(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_RESPONSE,
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nC: ");
	feed_times(h, HTTP_RESPONSE, "0123456789abcdef", LIMIT_HTTP_HEAD / 16);
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_CUT | HTTP_HEAD_CAP | HTTP_UNPAIRED);
	assert_int_equal(s.trailer_cnt, 1);
	close_parser(h, &s);
}

static void test_chunk_line_bound(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	feed_times(h, HTTP_RESPONSE, "e", LIMIT_CHUNK_LINE - 4);
	assert_int_equal(s.dones, 0);
	feed_str(h, HTTP_RESPONSE, "\r\nx\r\n1;");
	feed_times(h, HTTP_RESPONSE, "e", LIMIT_CHUNK_LINE - 1);
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_CUT | HTTP_UNPAIRED);
	assert_int_equal(s.len, 1);
	close_parser(h, &s);
}

/* Of too many requests without an answer the oldest are forgotten. */
static void test_pipeline_bound(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_times(h, HTTP_REQUEST, "GET / HTTP/1.1\r\n\r\n", LIMIT_HTTP_PIPELINE + 44);
	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(s.seq, 44);
	feed_times(h, HTTP_RESPONSE, "HTTP/1.1 204 No Content\r\n\r\n", LIMIT_HTTP_PIPELINE - 1);
	assert_int_equal(s.seq, LIMIT_HTTP_PIPELINE + 43);
	assert_int_equal(s.flags, HTTP_COMPLETE);
	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(s.seq, LIMIT_HTTP_PIPELINE + 44);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_UNPAIRED);
	close_parser(h, &s);
}

static void test_hole_bigger_than_memory(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_RESPONSE,
		 "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx");
	http1_gap(h, HTTP_RESPONSE, 1, 9223372036854775805ull);
	feed_str(h, HTTP_RESPONSE, "y");
	assert_int_equal(s.dones, 1);
	assert_int_equal(s.flags, HTTP_COMPLETE | HTTP_HOLE | HTTP_UNPAIRED);
	assert_int_equal(s.missing, 9223372036854775805ull);
	feed_str(h, HTTP_RESPONSE,
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7ffffffffffffff\r\n");
	http1_gap(h, HTTP_RESPONSE, 1, UINT64_MAX);
	assert_int_equal(s.flags, HTTP_CUT | HTTP_HOLE | HTTP_UNPAIRED);
	close_parser(h, &s);
}

/* --- interface */

static void test_detect(void **state)
{
	static const struct {
		const char *bytes;
		enum http_dir dir;
		int want;
	} rows[] = {
		{ "", HTTP_REQUEST, -1 },
		{ "P", HTTP_REQUEST, -1 },
		{ "POST ", HTTP_REQUEST, -1 },
		{ "POST /", HTTP_REQUEST, 90 },
		{ "\r\nPOST /", HTTP_REQUEST, 90 },
		{ "POST / HTTP/1.1\r\n", HTTP_REQUEST, 90 },
		{ "PROPFIND /x", HTTP_REQUEST, -1 },
		{ "PROPFIND /x HTTP/1.1\r", HTTP_REQUEST, 100 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_REQUEST, 0 },
		{ "HTTP/1.1 200 OK\r\n", HTTP_REQUEST, 0 },
		{ "post / HTTP/1.1\r\n", HTTP_REQUEST, 0 },
		{ "{\"a\":1}", HTTP_REQUEST, 0 },
		{ "\x16\x03\x01", HTTP_REQUEST, 0 },
		{ "", HTTP_RESPONSE, -1 },
		{ "HTTP/1", HTTP_RESPONSE, -1 },
		{ "HTTP/1.1 20", HTTP_RESPONSE, -1 },
		{ "HTTP/1.1 200", HTTP_RESPONSE, 100 },
		{ "HTTP/1.0 404 Not Found\r\n", HTTP_RESPONSE, 100 },
		{ "HTTP/2 200", HTTP_RESPONSE, 0 },
		{ "HTHTTP/1.1 200", HTTP_RESPONSE, 0 },
		{ "GET / HTTP/1.1\r\n", HTTP_RESPONSE, 0 },
	};
	_cleanup_buf_ struct buf line = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int got = http1_detect(rows[i].dir, sv(rows[i].bytes));

		if (got != rows[i].want)
			print_message("%s\n", rows[i].bytes);
		assert_int_equal(got, rows[i].want);
	}
	/* an unknown method's line does not keep the caller waiting for ever */
	buf_str(&line, "FETCH /");
	while (line.len < 5000)
		buf_ch(&line, 'x');
	assert_int_equal(http1_detect(HTTP_REQUEST, buf_view(&line)), 0);
}

static void test_field_get(void **state)
{
	struct http_field fields[] = { { SV("Host"), SV("a") },
				       { SV("X"), SV("b") },
				       { SV("x"), SV("c") } };
	struct http_msg m = { .fields = fields, .field_cnt = 3 };

	(void)state;
	assert_true(sv_is(http_field_get(&m, "hOST"), "a"));
	assert_true(sv_is(http_field_get(&m, "x"), "b"));
	assert_null(http_field_get(&m, "xx").p);
}

/* Freed with messages open: nothing is called back, nothing leaks (the sanitizer looks). */
static void test_free_open(void **state)
{
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_REQUEST,
		 "POST / HTTP/1.1\r\nContent-Encoding: br\r\nContent-Length: 99\r\n\r\nabc");
	feed_str(h, HTTP_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Le");
	http1_free(&h);
	assert_int_equal(s.heads, 1);
	assert_int_equal(s.dones, 0);
	http1_free(&h);
	buf_fini(&s.log);
}

/* --- conversations */

#define TALK_MAX 64

/* Turns of a conversation: bytes of one direction each. */
struct talk {
	struct {
		enum http_dir dir;
		struct buf bytes;
	} turns[TALK_MAX];
	size_t cnt;
};

static void talk_fini(struct talk *t)
{
	for (size_t i = 0; i < t->cnt; i++)
		buf_fini(&t->turns[i].bytes);
}

static void add_chunks(struct buf *b, struct sv body, uint64_t *seed)
{
	while (body.n) {
		struct sv now = sv_sub(body, 0, 1 + rnd_below(seed, 20));

		buf_fmt(b, "%zx%s\r\n", now.n, rnd(seed) & 64 ? ";x=y" : "");
		buf_sv(b, now);
		buf_str(b, "\r\n");
		body = sv_sub(body, now.n, SIZE_MAX);
	}
	buf_str(b, rnd(seed) & 64 ? "0\r\nDigest: x\r\n\r\n" : "0\r\n\r\n");
}

static void add_message(struct buf *b, enum http_dir dir, size_t number, uint64_t *seed)
{
	static const char plain[] = "{\"role\":\"user\",\"content\":\"hello, hello, hello\"}";
	_cleanup_buf_ struct buf body = BUF_INIT;
	bool gzip = rnd(seed) & 64, chunked = rnd(seed) & 64;

	if (dir == HTTP_RESPONSE && rnd_below(seed, 8) == 0)
		buf_str(b, "HTTP/1.1 100 Continue\r\n\r\n");
	if (dir == HTTP_REQUEST)
		buf_fmt(b, "POST /v1/%zu HTTP/1.1\r\nHost: x\r\n", number);
	else
		buf_str(b, "HTTP/1.1 200 OK\r\nServer: x\r\n");
	if (gzip)
		assert_true(zip_pack_all(&body, SV(plain), ZIP_GZIP));
	else
		buf_str(&body, plain);
	if (gzip)
		buf_str(b, "Content-Encoding: gzip\r\n");
	if (chunked) {
		buf_str(b, "Transfer-Encoding: chunked\r\n\r\n");
		add_chunks(b, buf_view(&body), seed);
	} else {
		buf_fmt(b, "Content-Length: %zu\r\n\r\n", body.len);
		buf_sv(b, buf_view(&body));
	}
}

static void make_talk(struct talk *t, size_t exchanges, uint64_t *seed)
{
	*t = (struct talk){ .cnt = exchanges * 2 };
	for (size_t i = 0; i < t->cnt; i++) {
		t->turns[i].dir = i % 2 ? HTTP_RESPONSE : HTTP_REQUEST;
		add_message(&t->turns[i].bytes, t->turns[i].dir, i / 2, seed);
	}
}

static void run_talk(struct http1 *h, const struct talk *t, uint64_t seed, size_t max)
{
	for (size_t i = 0; i < t->cnt; i++) {
		struct sv bytes = buf_view(&t->turns[i].bytes);

		while (bytes.n) {
			size_t n = 1 + rnd_below(&seed, max);

			feed(h, t->turns[i].dir, sv_sub(bytes, 0, n));
			bytes = sv_sub(bytes, n, SIZE_MAX);
		}
	}
}

static void test_random_cuts(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct seen whole, cut;
		struct http1 *a = open_parser(&whole), *b = open_parser(&cut);
		struct talk t;

		make_talk(&t, 4, &seed);
		run_talk(a, &t, 1, 1u << 20);
		run_talk(b, &t, seed, 1 + round % 40);
		assert_int_equal(whole.dones, 8);
		assert_string_equal(buf_cstr(&whole.log), buf_cstr(&cut.log));
		close_parser(a, &whole);
		close_parser(b, &cut);
		talk_fini(&t);
	}
}

/* Damage and holes: whatever comes out, the order of the callbacks holds, and all reads are inside. */
static void test_damage(void **state)
{
	uint64_t seed = 2;
	struct guard g;

	(void)state;
	guard_init(&g, 64u << 10);
	for (int round = 0; round < 3000; round++) {
		struct seen s;
		struct http1 *h = open_parser(&s);
		struct talk t;

		make_talk(&t, 3, &seed);
		for (size_t i = 0; i < t.cnt; i++) {
			struct buf *b = &t.turns[i].bytes;
			size_t hole = rnd_below(&seed, b->len), lost = 1 + rnd_below(&seed, 50);

			for (int k = 0; k < round % 4; k++)
				b->p[rnd_below(&seed, b->len)] = (char)rnd(&seed);
			feed(h, t.turns[i].dir, guard_put(&g, sv_sub(buf_view(b), 0, hole)));
			if (round % 3) {
				http1_gap(h, t.turns[i].dir, 1, lost);
				hole += lost;
			}
			feed(h, t.turns[i].dir, guard_put(&g, sv_sub(buf_view(b), hole, SIZE_MAX)));
		}
		close_parser(h, &s);
		talk_fini(&t);
	}
	guard_fini(&g);
}

/* Behind a hole of any size anywhere, the parser is back in step with the exchange after the next. */
static void test_holes_heal(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct seen s;
		struct http1 *h = open_parser(&s);
		size_t victim = 2 + round % 2, from, lost;
		struct talk t;
		struct sv bytes;

		make_talk(&t, 4, &seed);
		bytes = buf_view(&t.turns[victim].bytes);
		from = rnd_below(&seed, bytes.n);
		lost = 1 + rnd_below(&seed, bytes.n - from);
		for (size_t i = 0; i < t.cnt; i++) {
			if (i != victim) {
				feed(h, t.turns[i].dir, buf_view(&t.turns[i].bytes));
				continue;
			}
			feed(h, t.turns[i].dir, sv_sub(bytes, 0, from));
			http1_gap(h, t.turns[i].dir, 1, lost);
			feed(h, t.turns[i].dir, sv_sub(bytes, from + lost, SIZE_MAX));
		}
		assert_int_equal(s.flags, HTTP_COMPLETE);
		assert_int_equal(s.status, 200);
		assert_int_equal(s.seq, 3);
		close_parser(h, &s);
		talk_fini(&t);
	}
}

/* Every prefix of a conversation ends at a guard page. */
static void test_guard_page(void **state)
{
	static const char request[] =
		"POST /v1 HTTP/1.1\r\nHost: x\r\n fold\r\nContent-Length: 3\r\n\r\nabc";
	static const char response[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				       "3;x\r\nabc\r\n0\r\nA: b\r\n\r\n";
	struct guard g;

	(void)state;
	guard_init(&g, 4096);
	for (size_t n = 0; n < sizeof(response); n++) {
		struct seen s;
		struct http1 *h = open_parser(&s);

		(void)http1_detect(HTTP_REQUEST, guard_put(&g, sv_sub(SV(request), 0, n)));
		feed(h, HTTP_REQUEST, guard_put(&g, sv_sub(SV(request), 0, n)));
		feed(h, HTTP_REQUEST, guard_put(&g, sv_sub(SV(request), n, SIZE_MAX)));
		(void)http1_detect(HTTP_RESPONSE, guard_put(&g, sv_sub(SV(response), 0, n)));
		feed(h, HTTP_RESPONSE, guard_put(&g, sv_sub(SV(response), 0, n)));
		feed(h, HTTP_RESPONSE, guard_put(&g, sv_sub(SV(response), n, SIZE_MAX)));
		assert_int_equal(s.dones, 2);
		close_parser(h, &s);
	}
	guard_fini(&g);
}

/* Bytes of the kinds that matter, in no order at all. */
static void test_garbage(void **state)
{
	static const char *const part[] = { "GET ",
					    "/ ",
					    "HTTP/1.1",
					    " 200",
					    " OK",
					    "\r\n",
					    "\n",
					    "\r\n",
					    "\r\n\r\n",
					    "0",
					    "5",
					    "ffffffff",
					    "HTTP/1.1 200 OK\r\n",
					    "POST / HTTP/1.1\r\n",
					    "Content-Length: 5\r\n",
					    "Transfer-Encoding: chunked\r\n",
					    "Content-Encoding: br\r\n",
					    "\x1f\x8b",
					    ": ",
					    "HTTP/1.1 101 X\r\n\r\n" };
	uint64_t seed = 4;
	size_t heads = 0;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct seen s;
		struct http1 *h = open_parser(&s);

		for (int i = 0; i < 60; i++) {
			enum http_dir dir = rnd(&seed) & 64 ? HTTP_RESPONSE : HTTP_REQUEST;

			if (rnd_below(&seed, 20) == 0)
				http1_gap(h, dir, 1, 1 + rnd_below(&seed, 9));
			feed_str(h, dir, part[rnd_below(&seed, ARRAY_SIZE(part))]);
		}
		heads += s.heads;
		close_parser(h, &s);
	}
	assert_true(heads > 5000);
}

/* Where the other protocol begins is told of both directions, whatever came with the answer. */
static void test_upgrade(void **state)
{
	static const char request[] = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
	static const char answer[] =
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
	struct seen s;
	struct http1 *h = open_parser(&s);

	(void)state;
	feed_str(h, HTTP_REQUEST, request);
	feed(h, HTTP_RESPONSE, (struct sv){ answer, 20 });
	assert_false(http1_upgraded(h));
	feed_str(h, HTTP_RESPONSE, answer + 20);
	assert_true(http1_upgraded(h));
	feed_str(h, HTTP_RESPONSE, "\x81\x02hi");
	feed_str(h, HTTP_REQUEST, "\x81\x02hi");
	assert_int_equal(http1_pos(h, HTTP_REQUEST), strlen(request));
	assert_int_equal(http1_pos(h, HTTP_RESPONSE), strlen(answer));
	close_parser(h, &s);

	h = open_parser(&s);
	feed_str(h, HTTP_REQUEST, request);
	feed(h, HTTP_RESPONSE, SV("HTTP/1.1 101 \r\n\r\n\x81\x02hi"));
	assert_int_equal(http1_pos(h, HTTP_RESPONSE), strlen("HTTP/1.1 101 \r\n\r\n"));
	close_parser(h, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_head_bound),
		cmocka_unit_test(test_field_bound),
		cmocka_unit_test(test_trailer_bound),
		cmocka_unit_test(test_chunk_line_bound),
		cmocka_unit_test(test_pipeline_bound),
		cmocka_unit_test(test_hole_bigger_than_memory),
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_field_get),
		cmocka_unit_test(test_free_open),
		cmocka_unit_test(test_random_cuts),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_holes_heal),
		cmocka_unit_test(test_guard_page),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
