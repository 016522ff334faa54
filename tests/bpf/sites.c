/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes where they are cheap see what plain ones see: the same victim under each way of probing, with
 * calls that fail, calls inside calls, calls that never return, and threads.  Everything goes through
 * memory, so that nothing in it depends on time.
 */
#include "libssl.h"
#include "trace.h"

#include <pthread.h>
#include <setjmp.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#define CIPHER "AECDH-AES256-SHA:@SECLEVEL=0" /* needs no certificate */
#define THREADS 4
#define MESSAGES 50
#define PAIRS (4 + THREADS)

/* --- the victim */

struct pair {
	SSL *client, *server;
};

static unsigned char text[40000];

static SSL *side(const SSL_METHOD *method, BIO *bio)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx);
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	if (SSL_set_cipher_list(ssl, CIPHER) != 1)
		_exit(10);
	SSL_set_bio(ssl, bio, bio);
	return ssl;
}

static void pair_new(struct pair *p)
{
	BIO *a, *b;

	if (BIO_new_bio_pair(&a, sizeof(text), &b, sizeof(text)) != 1)
		_exit(11);
	p->client = side(TLS_client_method(), a);
	p->server = side(TLS_server_method(), b);
	SSL_set_connect_state(p->client);
	SSL_set_accept_state(p->server);
}

/* By calls that all fail, as nothing is there to be read. */
static void handshake(struct pair *p)
{
	unsigned char byte;

	while (!SSL_is_init_finished(p->client) || !SSL_is_init_finished(p->server))
		if (SSL_read(p->client, &byte, 1) > 0 || SSL_read(p->server, &byte, 1) > 0)
			_exit(12);
}

static void pair_free(struct pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
}

static void move(SSL *from, SSL *to, int n, bool ex)
{
	static __thread unsigned char buf[sizeof(text)];
	size_t done = 0, got = 0;

	if (ex ? SSL_write_ex(from, text, n, &done) != 1 : SSL_write(from, text, n) != n)
		_exit(13);
	while (got < (size_t)n) {
		size_t part = 0;

		if (!ex)
			part = SSL_read(to, buf, sizeof(buf));
		else if (SSL_read_ex(to, buf, sizeof(buf), &part) != 1)
			_exit(14);
		if (!part || part > sizeof(buf))
			_exit(15);
		got += part;
	}
}

static void move_all(struct pair *p)
{
	static const int sizes[] = { 1, 100, 256, 257, 1000, 16384, 30000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		move(p->client, p->server, sizes[i], i % 2);
		move(p->server, p->client, sizes[i], i % 3 == 1);
	}
}

static void calls_that_fail(struct pair *p)
{
	unsigned char buf[16];
	size_t n;

	if (SSL_read(p->client, buf, -1) > 0 || SSL_write(p->client, buf, -1) > 0 ||
	    SSL_read(p->client, buf, sizeof(buf)) > 0 ||
	    SSL_read_ex(p->server, buf, sizeof(buf), &n) == 1)
		_exit(16);
}

/* Inside a call on another object: calls on this one, or an end of that one. */
static struct pair *inner;
static jmp_buf out;
static bool jump;

static void on_info(const SSL *ssl, int where, int ret)
{
	(void)ssl;
	(void)ret;
	if (!(where & SSL_CB_HANDSHAKE_DONE))
		return;
	if (jump)
		longjmp(out, 1);
	move(inner->client, inner->server, 300, false);
	move(inner->server, inner->client, 301, true);
}

static void nest(struct pair *p)
{
	struct pair q;

	inner = p;
	pair_new(&q);
	SSL_set_info_callback(q.client, on_info);
	handshake(&q);
	move_all(&q);
	pair_free(&q);
}

/* Frames of different depth around the calls. */
static __attribute__((noinline)) void deeper(struct pair *p, int n)
{
	volatile char room[333];

	room[n] = 1;
	if (n)
		deeper(p, n - 1);
	move(p->client, p->server, 50 + n, n % 2);
	room[n + 1] = room[n];
}

static void never_return(struct pair *p)
{
	struct pair q;

	pair_new(&q);
	jump = true;
	SSL_set_info_callback(q.client, on_info);
	if (!setjmp(out))
		handshake(&q);
	jump = false;
	deeper(p, 5);
	move_all(p);
}

static void *in_thread(void *arg)
{
	struct pair p;

	(void)arg;
	pair_new(&p);
	handshake(&p);
	for (int i = 0; i < MESSAGES; i++) {
		move(p.client, p.server, 1 + i * 37, i % 2);
		move(p.server, p.client, 1 + i * 91, i % 3 == 0);
	}
	pair_free(&p);
	return NULL;
}

static int run_victim(void)
{
	pthread_t threads[THREADS];
	struct pair p;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * 7 + i / 251);
	alarm(15);
	pair_new(&p);
	handshake(&p);
	move_all(&p);
	calls_that_fail(&p);
	nest(&p);
	never_return(&p);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, in_thread, NULL);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pair_free(&p);
	return 0;
}

/* --- the test */

/* A connection as its records tell it, without what differs from run to run. */
struct stream {
	__u64 conn, hash, bytes;
};

struct streams {
	struct stream of[2 * PAIRS];
	size_t cnt;
};

static struct streams reference; /* what the first way told */

static struct stream *stream_of(struct streams *ss, __u64 conn)
{
	for (size_t i = 0; i < ss->cnt; i++)
		if (ss->of[i].conn == conn)
			return &ss->of[i];
	assert_true(ss->cnt < ARRAY_SIZE(ss->of));
	ss->of[ss->cnt] = (struct stream){ .conn = conn };
	return &ss->of[ss->cnt++];
}

static void mix(struct stream *s, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ ((const unsigned char *)p)[i]) * 0x100000001b3ull;
}

static void take(struct streams *ss, const struct ev_hdr *h)
{
	const struct ev_data *d = (const void *)h;
	struct stream *s;

	assert_int_equal(h->lost, 0);
	if (h->kind == EV_CLOSE)
		mix(stream_of(ss, ((const struct ev_close *)h)->conn), "close", 5);
	if (h->kind != EV_DATA)
		return;
	assert_int_equal(d->missing, 0);
	assert_int_equal(h->flags, 0);
	s = stream_of(ss, d->conn);
	s->bytes += d->len;
	mix(s, &d->dir, sizeof(d->dir));
	mix(s, &d->pos, sizeof(d->pos));
	mix(s, &d->len, sizeof(d->len));
	mix(s, d + 1, d->len);
}

static int by_hash(const void *a, const void *b)
{
	const struct stream *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void the_same_records(void **state)
{
	struct trace *t = *state;
	struct streams ss = { 0 };
	__u64 bytes = 0;

	trace_clear(t);
	trace_victim(t, "sites", NULL);
	assert_int_equal(t->status, 0);
	for (size_t i = 0; i < t->cnt; i++)
		take(&ss, t->recs[i]);
	qsort(ss.of, ss.cnt, sizeof(ss.of[0]), by_hash);
	for (size_t i = 0; i < ss.cnt; i++)
		bytes += ss.of[i].bytes;
	print_message("%zu streams, %llu bytes\n", ss.cnt, (unsigned long long)bytes);
	if (!reference.cnt)
		reference = ss;
	assert_int_equal(ss.cnt, 2 * (2 + THREADS));
	assert_int_equal(ss.cnt, reference.cnt);
	for (size_t i = 0; i < ss.cnt; i++) {
		assert_int_equal(ss.of[i].hash, reference.of[i].hash);
		assert_int_equal(ss.of[i].bytes, reference.of[i].bytes);
	}
}

#define WAY(name, ...)                                                             \
	static int setup_##name(void **state)                                      \
	{                                                                          \
		return trace_setup_cfg(state, &(struct probe_cfg){ __VA_ARGS__ }); \
	}

WAY(plain, .force_plain_sites = true)
WAY(cheap, 0)
WAY(perf, .force_perf_uprobes = true)
WAY(perf_plain, .force_perf_uprobes = true, .force_plain_sites = true)
WAY(table, .force_no_task_storage = true)
WAY(no_cookies, .force_no_cookies = true, .force_perf_uprobes = true)
WAY(old, .force_no_cookies = true, .force_perf_uprobes = true, .force_bounded_loops = true,
    .force_no_task_storage = true)

#define TEST(name) cmocka_unit_test_setup_teardown(the_same_records, setup_##name, trace_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(plain), TEST(cheap),      TEST(perf), TEST(perf_plain),
		TEST(table), TEST(no_cookies), TEST(old),
	};

	(void)argv;
	if (argc > 1 || strcmp(argv[0], "/proc/self/exe") == 0)
		_exit(run_victim());
	if (trace_skip())
		return SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
