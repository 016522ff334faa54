/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's less common calls: early data, an object used again, bytes that are only looked at,
 * writes that move a part, a handshake in the middle, a BIO that reads and writes.  Client and server are in one victim and talk
 * through memory, so that nothing in it depends on time.
 */
#include "libssl.h"
#include "streams.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/personality.h>
#include "probe/tls.h"

#define ROOM 17000 /* between the two: a record, but not two */
#define LONG 40000

/* --- the victim */

struct pair {
	SSL *client, *server;
};

static SSL_CTX *client_ctx, *server_ctx;
static SSL_SESSION *session;

static int on_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = s;
	return 1; /* kept */
}

static void need(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static void contexts_new(int version)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	client_ctx = SSL_CTX_new(TLS_client_method());
	server_ctx = SSL_CTX_new(TLS_server_method());
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	need(X509_sign(cert, key, EVP_sha256()) > 0, 10);
	need(SSL_CTX_use_certificate(server_ctx, cert) == 1, 11);
	need(SSL_CTX_use_PrivateKey(server_ctx, key) == 1, 12);
	SSL_CTX_set_max_proto_version(client_ctx, version);
	SSL_CTX_set_max_early_data(server_ctx, 1000);
	SSL_CTX_set_options(server_ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(client_ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client_ctx, on_session);
}

static void pair_connect(struct pair *p)
{
	BIO *a, *b;

	need(BIO_new_bio_pair(&a, ROOM, &b, ROOM) == 1, 13);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	SSL_set_connect_state(p->client);
	SSL_set_accept_state(p->server);
}

static void pair_new(struct pair *p)
{
	p->client = SSL_new(client_ctx);
	p->server = SSL_new(server_ctx);
	pair_connect(p);
}

static void handshake(struct pair *p)
{
	for (int i = 0; i < 20; i++) {
		SSL_do_handshake(p->client);
		SSL_do_handshake(p->server);
	}
	need(SSL_is_init_finished(p->client) && SSL_is_init_finished(p->server), 14);
}

static void put(SSL *ssl, const char *text)
{
	need(SSL_write(ssl, text, (int)strlen(text)) == (int)strlen(text), 15);
}

static void get(SSL *ssl, const char *text)
{
	char buf[100];

	need(SSL_read(ssl, buf, sizeof(buf)) == (int)strlen(text), 16);
	need(memcmp(buf, text, strlen(text)) == 0, 17);
}

/* The client's side is read to the end of what is there: session tickets come with the first bytes. */
static void talk(struct pair *p, const char *there, const char *back)
{
	char byte;

	put(p->client, there);
	get(p->server, there);
	put(p->server, back);
	get(p->client, back);
	need(SSL_read(p->client, &byte, 1) < 0, 18);
}

static void pair_shutdown(struct pair *p)
{
	SSL_shutdown(p->client);
	need(SSL_shutdown(p->server) >= 0, 19);
	need(SSL_shutdown(p->client) == 1, 20);
}

static void pair_free(struct pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
}

static void run_early(bool rejected)
{
	static const char early[] = "early";
	struct pair p;
	char buf[100];
	size_t n;

	pair_new(&p);
	handshake(&p);
	talk(&p, "one", "two");
	pair_shutdown(&p); /* else it cannot be resumed */
	pair_free(&p);
	if (rejected)
		SSL_CTX_set_max_early_data(server_ctx, 0);
	pair_new(&p);
	need(session && SSL_set_session(p.client, session) == 1, 21);
	need(SSL_write_early_data(p.client, early, strlen(early), &n) == 1 && n == 5, 22);
	if (!rejected) {
		need(SSL_read_early_data(p.server, buf, sizeof(buf), &n) == 1 && n == 5, 23);
		handshake(&p);
		need(SSL_session_reused(p.client), 24);
	} else {
		handshake(&p);
		need(SSL_get_early_data_status(p.client) == SSL_EARLY_DATA_REJECTED, 25);
	}
	talk(&p, " late", "ok");
	pair_free(&p);
}

static void run_clear(void)
{
	struct pair p;

	pair_new(&p);
	handshake(&p);
	talk(&p, "one", "two");
	pair_shutdown(&p);
	need(SSL_clear(p.client) == 1 && SSL_clear(p.server) == 1, 26);
	pair_connect(&p);
	handshake(&p);
	talk(&p, "three", "four");
	pair_free(&p);
}

static void run_peek(void)
{
	struct pair p;
	char buf[100];
	size_t n;

	pair_new(&p);
	handshake(&p);
	put(p.client, "text");
	need(SSL_peek(p.server, buf, sizeof(buf)) == 4, 27);
	need(SSL_peek_ex(p.server, buf, sizeof(buf), &n) == 1 && n == 4, 28);
	get(p.server, "text");
	pair_free(&p);
}

static const char *long_text(void)
{
	static char text[LONG + 1];

	for (size_t i = 0; i < LONG; i++)
		text[i] = (char)('a' + i % 26);
	return text;
}

static void run_partial(void)
{
	static char buf[LONG];
	const char *text = long_text();
	size_t put_cnt = 0, got_cnt = 0, calls = 0, failed = 0;
	struct pair p;

	pair_new(&p);
	handshake(&p);
	SSL_set_mode(p.client, SSL_MODE_ENABLE_PARTIAL_WRITE);
	while (got_cnt < LONG) {
		int n = put_cnt < LONG ? SSL_write(p.client, text + put_cnt, (int)(LONG - put_cnt))
				       : 0;

		calls += n > 0;
		failed += n < 0;
		put_cnt += n > 0 ? n : 0;
		if (n > 0)
			continue;
		while ((n = SSL_read(p.server, buf + got_cnt, (int)(LONG - got_cnt))) > 0)
			got_cnt += n;
	}
	need(calls > 1 && failed && memcmp(buf, text, LONG) == 0, 29);
	pair_free(&p);
}

static void run_again(void)
{
	struct pair p;
	char byte;

	pair_new(&p);
	handshake(&p);
	talk(&p, "one", "two");
	need(SSL_renegotiate(p.client) == 1, 30);
	for (int i = 0; i < 10; i++) {
		SSL_do_handshake(p.client);
		need(SSL_read(p.server, &byte, 1) < 0, 31);
	}
	need(!SSL_renegotiate_pending(p.client) && SSL_num_renegotiations(p.client) == 1, 32);
	talk(&p, "three", "four");
	pair_free(&p);
}

static void run_bio(void)
{
	BIO *bio = BIO_new(BIO_f_ssl());
	struct pair p;
	char buf[10];

	pair_new(&p);
	handshake(&p);
	BIO_set_ssl(bio, p.client, BIO_NOCLOSE);
	need(BIO_write(bio, "there", 5) == 5, 33);
	get(p.server, "there");
	put(p.server, "back");
	need(BIO_read(bio, buf, sizeof(buf)) == 4 && memcmp(buf, "back", 4) == 0, 34);
	BIO_free(bio);
	pair_free(&p);
}

static void run_again_as(const char *mode)
{
	execl("/proc/self/exe", "/proc/self/exe", "odd", mode, NULL);
	_exit(35);
}

static void on_handshake(const SSL *ssl, int where, int ret)
{
	(void)ssl;
	(void)ret;
	if (where & SSL_CB_HANDSHAKE_DONE)
		run_again_as("last");
}

/* Below where the program before it was in a call. */
static __attribute__((noinline)) void talk_deep_down(struct pair *p)
{
	volatile char room[65536];

	room[0] = 1;
	talk(p, "one", "two");
	room[1] = room[0];
}

/*
 * A program that another one takes the place of while it reads: all addresses are the same in both, so
 * that what is left of the call would be taken for one around those on the object of that address.
 */
static void run_exec(const char *mode)
{
	struct pair p;
	char byte;

	if (strcmp(mode, "exec") == 0) {
		personality(ADDR_NO_RANDOMIZE);
		run_again_as("first");
	}
	pair_new(&p);
	if (strcmp(mode, "first") == 0) {
		SSL_set_info_callback(p.client, on_handshake);
		for (int i = 0; i < 20; i++) {
			need(SSL_read(p.client, &byte, 1) < 0, 36);
			SSL_do_handshake(p.server);
		}
		_exit(37);
	}
	handshake(&p);
	talk_deep_down(&p);
	pair_free(&p);
}

static int run_victim(const char *mode)
{
	contexts_new(strcmp(mode, "again") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
	if (strcmp(mode, "early") == 0 || strcmp(mode, "rejected") == 0)
		run_early(*mode == 'r');
	else if (strcmp(mode, "clear") == 0)
		run_clear();
	else if (strcmp(mode, "peek") == 0)
		run_peek();
	else if (strcmp(mode, "partial") == 0)
		run_partial();
	else if (strcmp(mode, "bio") == 0)
		run_bio();
	else if (strcmp(mode, "exec") == 0 || strcmp(mode, "first") == 0 ||
		 strcmp(mode, "last") == 0)
		run_exec(mode);
	else
		run_again();
	return 0;
}

/* --- the test */

static void early_data_begins_the_stream(void **state)
{
	streams_are(*state, "odd", "early", 0,
		    ">one<two.\n>two<one.\n>early late<ok.\n>ok<early late.\n");
}

/* The application wrote it; that it was for nothing is between it and the server. */
static void rejected_early_data_was_written_all_the_same(void **state)
{
	streams_are(*state, "odd", "rejected", 0,
		    ">one<two.\n>two<one.\n>early late<ok.\n>ok< late.\n");
}

static void a_cleared_object_is_another_connection(void **state)
{
	streams_are(*state, "odd", "clear", 0,
		    ">one<two.\n>two<one.\n>three<four.\n>four<three.\n");
}

static void a_look_moves_nothing(void **state)
{
	streams_are(*state, "odd", "peek", 0, ">text<.\n><text.\n");
}

static void a_write_counts_what_it_moved(void **state)
{
	_cleanup_buf_ struct buf wanted = BUF_INIT;

	buf_fmt(&wanted, ">%s<.\n><%s.\n", long_text(), long_text());
	streams_are(*state, "odd", "partial", 0, buf_cstr(&wanted));
}

static void a_second_handshake_changes_nothing(void **state)
{
	streams_are(*state, "odd", "again", 0, ">onethree<twofour.\n>twofour<onethree.\n");
}

/* Is libssl probed where a BIO's calls come along, too? */
static bool inner_is_probed(void)
{
	_cleanup_close_ int fd = open(libssl_path(), O_RDONLY | O_CLOEXEC);
	struct tls_hooks hooks = { 0 };
	struct elf_file *f = NULL;
	size_t cnt = 0;

	assert_int_equal(elf_file_new(&f, fd), 0);
	assert_int_equal(tls_locate(tls_libs[0], f, &hooks), 0);
	elf_file_free(&f);
	for (size_t i = 0; i < hooks.func_cnt; i++)
		cnt += hooks.funcs[i].inner != 0;
	return cnt == 4; /* read, write, each in two forms */
}

static void a_bio_reads_and_writes(void **state)
{
	if (!inner_is_probed())
		skip();
	streams_are(*state, "odd", "bio", 0, ">there<back.\n>back<there.\n");
}

static void an_exec_ends_the_calls(void **state)
{
	streams_are(*state, "odd", "exec", 0, ">one<two.\n>two<one.\n");
}

static int setup_old(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_bounded_loops = true,
							   .force_no_task_storage = true,
							   .force_perf_uprobes = true });
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(early_data_begins_the_stream),
		cmocka_unit_test(rejected_early_data_was_written_all_the_same),
		cmocka_unit_test(a_cleared_object_is_another_connection),
		cmocka_unit_test(a_look_moves_nothing),
		cmocka_unit_test(a_write_counts_what_it_moved),
		cmocka_unit_test(a_second_handshake_changes_nothing),
		cmocka_unit_test(a_bio_reads_and_writes),
		cmocka_unit_test(an_exec_ends_the_calls),
	};
	int failed;

	if (argc > 2)
		_exit(run_victim(argv[2])); /* OpenSSL's leaks are not ours */
	if (trace_skip())
		return SKIP;
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	return failed + cmocka_run_group_tests_name("old", tests, setup_old, trace_teardown);
}
