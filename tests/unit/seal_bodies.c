// SPDX-License-Identifier: BSD-2-Clause
/* Secrets in WebSocket frames, in bodies that cannot be rewritten, in gRPC; records that are late or joined. */
#include "seal_test.h"

#include <zlib.h>

#define ASKED                                                                        \
	"GET /v1/realtime HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: " \
	"Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define ANSWERED \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

static const char message[] =
	"{\"type\":\"conversation.item.create\",\"password\":\"QQQQWWWWEEEERRRR\","
	"\"text\":\"the key is " TOKEN " and so on\"}";

/* --- WebSocket */

static void put_frame(struct buf *b, unsigned int first, struct sv payload, uint64_t *seed)
{
	unsigned char key[4], head[] = { (unsigned char)first, 0xfe, payload.n >> 8, payload.n };

	for (int i = 0; i < 4; i++)
		key[i] = (unsigned char)rnd(seed);
	if (payload.n < 126)
		head[1] = (unsigned char)(0x80 | payload.n);
	buf_add(b, head, payload.n < 126 ? 2 : 4);
	buf_add(b, key, sizeof(key));
	for (size_t i = 0; i < payload.n; i++)
		buf_ch(b, (char)(payload.p[i] ^ key[i % 4]));
}

/* The payload of the next data frame; false: there is none. */
static bool next_frame(struct sv *rest, unsigned char *first, struct buf *payload)
{
	size_t at = 2, n;

	if (rest->n < 6)
		return false;
	*first = (unsigned char)rest->p[0];
	n = rest->p[1] & 0x7f;
	if (n == 126) {
		n = (size_t)(unsigned char)rest->p[2] << 8 | (unsigned char)rest->p[3];
		at = 4;
	}
	for (size_t i = 0; i < n; i++)
		buf_ch(payload, (char)(rest->p[at + 4 + i] ^ rest->p[at + i % 4]));
	*rest = sv_sub(*rest, at + 4 + n, SIZE_MAX);
	return true;
}

/* A message in three frames, another one between them. */
static void put_fragments(struct buf *b, struct sv text, bool deflated, uint64_t *seed)
{
	size_t one = 1 + rnd_below(seed, text.n / 2), two = 1 + rnd_below(seed, text.n / 2 - 1);

	put_frame(b, deflated ? 0x41 : 0x01, sv_sub(text, 0, one), seed);
	put_frame(b, 0x89, SV("ping"), seed);
	put_frame(b, 0x00, sv_sub(text, one, two), seed);
	put_frame(b, 0x80, sv_sub(text, one + two, SIZE_MAX), seed);
}

static void deflate_message(z_stream *z, struct buf *out, struct sv text)
{
	char some[4096];

	z->next_in = (Bytef *)text.p;
	z->avail_in = (uInt)text.n;
	z->next_out = (Bytef *)some;
	z->avail_out = sizeof(some);
	assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
	buf_add(out, some, sizeof(some) - z->avail_out - 4);
}

static void inflate_message(z_stream *z, struct buf *out, struct sv packed)
{
	static const char end[] = { 0, 0, (char)0xff, (char)0xff };
	struct sv parts[] = { packed, { end, sizeof(end) } };

	for (size_t i = 0; i < 2; i++) {
		char some[4096];

		z->next_in = (Bytef *)parts[i].p;
		z->avail_in = (uInt)parts[i].n;
		z->next_out = (Bytef *)some;
		z->avail_out = sizeof(some);
		assert_int_equal(inflate(z, Z_SYNC_FLUSH), Z_OK);
		buf_add(out, some, sizeof(some) - z->avail_out);
	}
}

/* Messages as a client sends them; each becomes what redaction makes of it. */
static void client_frames(bool deflated, size_t max, uint64_t seed)
{
	_cleanup_buf_ struct buf sent = BUF_INIT, part = BUF_INIT, text = BUF_INIT;
	z_stream z = { 0 }, back = { 0 };
	size_t cnt = 0, pings = 0;
	unsigned char first;
	struct sv rest;
	struct wire w;

	deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	inflateInit2(&back, -15);
	buf_str(&sent, ASKED);
	for (int i = 0; i < 5; i++) {
		buf_clear(&part);
		if (deflated)
			deflate_message(&z, &part, SV(message));
		else
			buf_str(&part, message);
		put_fragments(&sent, buf_view(&part), deflated, &seed);
	}
	wire_init(&w);
	wire_cut(&w, EV_WRITE, buf_view(&sent), &seed, max);
	assert_int_equal(seal_lost(w.seal), 0);
	rest = sv_sub(buf_view(&w.out[EV_WRITE]), sizeof(ASKED) - 1, SIZE_MAX);
	buf_clear(&part);
	while (next_frame(&rest, &first, &part)) {
		if (first == 0x89) {
			assert_true(sv_ends(buf_view(&part), "ping"));
			part.len -= 4;
			pings++;
		}
		if (first != 0x80)
			continue;
		buf_clear(&text);
		if (deflated)
			inflate_message(&back, &text, buf_view(&part));
		else
			buf_sv(&text, buf_view(&part));
		assert_no_token(buf_view(&text));
		assert_false(sv_has(buf_view(&text), "WWWWEEEE"));
		assert_int_equal(text.len, sizeof(message) - 1);
		if (max > sent.len || deflated)
			assert_same_redacted(buf_view(&text), SV(message));
		buf_clear(&part);
		cnt++;
	}
	assert_int_equal(cnt, 5);
	assert_int_equal(pings, 5);
	deflateEnd(&z);
	inflateEnd(&back);
	wire_fini(&w);
}

static void websocket_clients(void **state)
{
	static const size_t max[] = { 65000, 700, 30, 1 };

	(void)state;
	for (uint64_t i = 1; i < 200; i++)
		client_frames(i % 2, max[i % ARRAY_SIZE(max)], i * 0x9e3779b97f4a7c15u);
}

/* Behind a hole that hides where a frame begins, and in a message whose window has one, nothing is left. */
static void websocket_holes(void **state)
{
	_cleanup_buf_ struct buf sent = BUF_INIT;
	uint64_t seed = 5;
	struct wire w;

	(void)state;
	wire_init(&w);
	wire_feed(&w, EV_WRITE, SV(ASKED));
	wire_feed(&w, EV_READ, SV(ANSWERED));
	put_frame(&sent, 0x81, SV(message), &seed);
	wire_feed(&w, EV_WRITE, sv_sub(buf_view(&sent), 0, 20));
	w.pos[EV_WRITE] += 10; /* inside of the frame */
	wire_feed(&w, EV_WRITE, sv_sub(buf_view(&sent), 30, SIZE_MAX));
	assert_int_equal(seal_lost(w.seal), 0);
	w.pos[EV_WRITE] += 3;
	wire_feed(&w, EV_WRITE, buf_view(&sent));
	assert_int_equal(seal_lost(w.seal), sent.len);
	wire_fini(&w);
}

/* --- bodies */

static void put_response(struct buf *b, const char *fields, struct sv body)
{
	buf_fmt(b, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", fields, body.n);
	buf_sv(b, body);
}

/* RFC 7932 9.2: a meta-block that is not compressed, then the last one, without anything. */
static void put_brotli(struct buf *b, struct sv text)
{
	uint32_t head = (uint32_t)(text.n - 1) << 4 | 1u << 20;
	const char bytes[] = { (char)head, (char)(head >> 8), (char)(head >> 16) };

	buf_add(b, bytes, sizeof(bytes));
	buf_sv(b, text);
	buf_ch(b, 3);
}

/* How many bytes of a brotli body are lost. */
static uint64_t brotli_lost(const char *text, size_t max)
{
	_cleanup_buf_ struct buf body = BUF_INIT, sent = BUF_INIT;
	uint64_t seed = 1, lost;
	struct wire w;

	wire_init(&w);
	put_brotli(&body, sv(text));
	put_response(&sent, "Content-Encoding: br\r\n", buf_view(&body));
	put_response(&sent, "", SV("{\"after\":1}"));
	wire_cut(&w, EV_READ, buf_view(&sent), &seed, max);
	assert_no_token(buf_view(&w.out[EV_READ]));
	assert_true(sv_ends(buf_view(&w.out[EV_READ]), "{\"after\":1}"));
	lost = seal_lost(w.seal);
	if (!lost)
		assert_memory_equal(w.out[EV_READ].p, sent.p, sent.len);
	wire_fini(&w);
	return lost;
}

static void brotli(void **state)
{
	(void)state;
	assert_int_equal(brotli_lost("{\"text\":\"nothing of that kind\"}", 65000), 0);
	assert_int_equal(brotli_lost("{\"text\":\"nothing of that kind\"}", 3), 0);
	assert_true(brotli_lost("{\"text\":\"now " TOKEN " of that kind\"}", 65000) > 0);
	assert_true(brotli_lost("{\"text\":\"now " TOKEN " of that kind\"}", 3) > 0);
}

/* RFC 8878 3.1: a frame with one block that is raw; its window is what the descriptor says, 1 KiB. */
static void put_zstd(struct buf *b, struct sv text)
{
	uint32_t block = 1 | (uint32_t)text.n << 3;
	const char head[] = { 0x28,
			      (char)0xb5,
			      0x2f,
			      (char)0xfd,
			      0,
			      0,
			      (char)block,
			      (char)(block >> 8),
			      (char)(block >> 16) };

	buf_add(b, head, sizeof(head));
	buf_sv(b, text);
}

static uint64_t zstd_lost(const char *text, bool cut)
{
	_cleanup_buf_ struct buf body = BUF_INIT, sent = BUF_INIT;
	struct wire w;
	uint64_t lost;

	wire_init(&w);
	put_zstd(&body, sv(text));
	put_response(&sent, "Content-Encoding: zstd\r\n", buf_view(&body));
	wire_feed(&w, EV_READ, sv_sub(buf_view(&sent), 0, sent.len - (cut ? 3 : 0)));
	if (cut)
		wire_feed(&w, EV_READ, sv_sub(buf_view(&sent), sent.len - 3, 3));
	assert_no_token(buf_view(&w.out[EV_READ]));
	lost = seal_lost(w.seal);
	assert_true(!lost || lost == body.len);
	if (!lost)
		assert_memory_equal(w.out[EV_READ].p, sent.p, sent.len);
	wire_fini(&w);
	return lost;
}

static void zstd(void **state)
{
	(void)state;
	assert_int_equal(zstd_lost("{\"text\":\"nothing of that kind\"}", false), 0);
	assert_true(zstd_lost("{\"text\":\"nothing of that kind\"}", true) > 0);
	assert_true(zstd_lost("{\"text\":\"now " TOKEN " of that kind\"}", false) > 0);
}

/* What nobody can read is lost where it is no text. */
static void codings_that_are_unknown(void **state)
{
	_cleanup_buf_ struct buf sent = BUF_INIT;
	struct wire w;

	(void)state;
	wire_init(&w);
	put_response(&sent, "Content-Encoding: aws-chunked\r\n", SV("6\r\n{\"a\":1}\r\n0\r\n"));
	wire_feed(&w, EV_READ, buf_view(&sent));
	assert_memory_equal(w.out[EV_READ].p, sent.p, sent.len);
	assert_int_equal(seal_lost(w.seal), 0);
	buf_clear(&sent);
	put_response(&sent, "Content-Encoding: compress\r\n", SV("\x1f\x9d\x90\x61\xc4\x0c"));
	wire_feed(&w, EV_READ, buf_view(&sent));
	buf_clear(&sent);
	put_response(&sent, "Content-Encoding: zstd\r\n", SV("\x28\xb5\x2f\xfd\x04\x58\x01"));
	wire_feed(&w, EV_READ, buf_view(&sent));
	assert_int_equal(seal_lost(w.seal),
			 5 + 7); /* but for what might have been the begin of gzip */
	wire_fini(&w);
}

/* A secret that chunks cut is one. */
static void chunks(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	wire_feed(&w, EV_READ,
		  SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "18\r\n{\"text\":\"sk-proj-Zx9Qv7K\r\n"
		     "23\r\nw2Lm4Np8Rt6Yb3Hd5Jf1Gc0SaQq and on\"\r\n0\r\n\r\n"));
	assert_false(sv_has(buf_view(&w.out[EV_READ]), "w2Lm4"));
	assert_true(sv_ends(buf_view(&w.out[EV_READ]), " and on\"\r\n0\r\n\r\n"));
	wire_fini(&w);
}

/* An answer to HEAD has no body, whatever its header says; its request tells. */
static void answers_to_head(void **state)
{
	_cleanup_buf_ struct buf sent = BUF_INIT;
	struct wire w;

	(void)state;
	wire_init(&w);
	wire_feed(&w, EV_WRITE, SV("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
	buf_str(&sent, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
	put_response(&sent, "Content-Encoding: zstd\r\n", SV("\x28\xb5\x2f\xfd"));
	wire_feed(&w, EV_READ, buf_view(&sent));
	assert_int_equal(seal_lost(w.seal), 4);
	wire_fini(&w);
}

static void gzip_text(struct buf *out, const char *text)
{
	unsigned char some[1024];
	z_stream z = { .next_in = (Bytef *)text,
		       .avail_in = (uInt)strlen(text),
		       .next_out = some,
		       .avail_out = sizeof(some) };

	deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(out, some, sizeof(some) - z.avail_out);
	deflateEnd(&z);
}

static void gunzip(struct buf *out, struct sv bytes)
{
	unsigned char some[1024];
	z_stream z = { .next_in = (Bytef *)bytes.p,
		       .avail_in = (uInt)bytes.n,
		       .next_out = some,
		       .avail_out = sizeof(some) };

	inflateInit2(&z, 31);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(out, some, sizeof(some) - z.avail_out);
	inflateEnd(&z);
}

/* Messages of gRPC are compressed each by itself. */
static void grpc(void **state)
{
	_cleanup_buf_ struct buf packed = BUF_INIT, body = BUF_INIT, sent = BUF_INIT,
				 text = BUF_INIT;
	uint64_t seed = 9;
	struct wire w;

	(void)state;
	gzip_text(&packed, message);
	for (int i = 0; i < 2; i++) {
		const char head[] = { 1, 0, 0, 0, (char)packed.len };

		buf_add(&body, head, sizeof(head));
		buf_sv(&body, buf_view(&packed));
	}
	put_response(&sent, "Content-Type: application/grpc\r\ngrpc-encoding: gzip\r\n",
		     buf_view(&body));
	wire_init(&w);
	wire_cut(&w, EV_READ, buf_view(&sent), &seed, 40);
	assert_int_equal(seal_lost(w.seal), 0);
	for (size_t i = 0, at = sent.len - body.len + 5; i < 2; i++, at += packed.len + 5) {
		buf_clear(&text);
		gunzip(&text, sv_sub(buf_view(&w.out[EV_READ]), at, packed.len));
		assert_no_token(buf_view(&text));
		assert_int_equal(text.len, sizeof(message) - 1);
	}
	wire_fini(&w);
}

/* --- records */

static void put_gzip_response(struct buf *b, const char *text)
{
	_cleanup_buf_ struct buf packed = BUF_INIT;

	gzip_text(&packed, text);
	put_response(b, "Content-Encoding: gzip\r\n", buf_view(&packed));
}

/* What comes behind its place is lost where it may be packed. */
static void late_records(void **state)
{
	_cleanup_buf_ struct buf sent = BUF_INIT;
	struct sv all;
	struct wire w;

	(void)state;
	wire_init(&w);
	put_gzip_response(&sent, message);
	all = buf_view(&sent);
	wire_record(&w, EV_READ, 0, sv_sub(all, 0, 90));
	wire_record(&w, EV_READ, 120, sv_sub(all, 120, SIZE_MAX));
	assert_int_equal(seal_lost(w.seal), sent.len - 120);
	wire_record(&w, EV_READ, 90, sv_sub(all, 90, 30));
	assert_int_equal(seal_lost(w.seal), sent.len - 90);
	wire_fini(&w);
}

/* The beginning of a stream was told under another name. */
static void joined_records(void **state)
{
	_cleanup_buf_ struct buf sent = BUF_INIT, text = BUF_INIT;
	struct ev_join join = { .hdr = { .size = sizeof(join), .kind = EV_JOIN, .tgid = 1 },
				.conn = 7,
				.into = 8,
				.dir = EV_READ };
	struct sv all;
	struct wire w;
	size_t body;

	(void)state;
	wire_init(&w);
	put_gzip_response(&sent, message);
	all = buf_view(&sent);
	body = (size_t)sv_find(all, SV("\r\n\r\n")) + 4;
	wire_feed(&w, EV_READ, sv_sub(all, 0, body + 20));
	seal_record(w.seal, &join.hdr);
	w.conn = 8;
	wire_feed(&w, EV_READ, sv_sub(all, body + 20, SIZE_MAX));
	assert_int_equal(seal_lost(w.seal), 0);
	gunzip(&text, sv_sub(buf_view(&w.out[EV_READ]), body, SIZE_MAX));
	assert_no_token(buf_view(&text));
	assert_same_redacted(buf_view(&text), SV(message));
	wire_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(websocket_clients),
		cmocka_unit_test(websocket_holes),
		cmocka_unit_test(brotli),
		cmocka_unit_test(zstd),
		cmocka_unit_test(codings_that_are_unknown),
		cmocka_unit_test(chunks),
		cmocka_unit_test(answers_to_head),
		cmocka_unit_test(grpc),
		cmocka_unit_test(late_records),
		cmocka_unit_test(joined_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
