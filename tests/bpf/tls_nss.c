/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NSS: of the files of NSPR only those with TLS on them are told, and each once, whatever lies above.
 * The victim is a client that loads the libraries by dlopen; OpenSSL answers it from a thread.
 */
#include "streams.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define LIBNSPR "libnspr4.so"
#define LIBNSS "libnss3.so"
#define LIBSSL "libssl3.so"
#define MSG_PEEK_NSPR 2
#define NO_WAIT_LIMIT 0xffffffffu
#define TOP_LAYER -2
#define ENABLE_TICKETS 18
#define ENABLE_0RTT 33

/* --- the victim */

struct vec {
	const char *base;
	int len;
};

/* PRSocketOptionData with PR_SockOpt_Nonblocking */
struct nonblocking {
	int option, pad;
	int on;
	char others[128]; /* of the union */
};

typedef int auth_fn(void *, void *, int, int);

/*	result, name, arguments */
#define NSPR(X)                                                            \
	X(void *, PR_ImportTCPSocket, (int))                               \
	X(int, PR_Read, (void *, void *, int))                             \
	X(int, PR_Write, (void *, const void *, int))                      \
	X(int, PR_Recv, (void *, void *, int, int, unsigned int))          \
	X(int, PR_Send, (void *, const void *, int, int, unsigned int))    \
	X(int, PR_Writev, (void *, const struct vec *, int, unsigned int)) \
	X(int, PR_Close, (void *))                                         \
	X(int, PR_SetSocketOption, (void *, const struct nonblocking *))   \
	X(void *, PR_Open, (const char *, int, int))                       \
	X(int, PR_GetUniqueIdentity, (const char *))                       \
	X(const void *, PR_GetDefaultIOMethods, (void))                    \
	X(void *, PR_CreateIOLayerStub, (int, const void *))               \
	X(int, PR_PushIOLayer, (void *, int, void *))
#define NSS(X) X(int, NSS_NoDB_Init, (const char *))
#define TLS(X)                                                       \
	X(void *, SSL_ImportFD, (void *, void *))                    \
	X(int, SSL_SetURL, (void *, const char *))                   \
	X(int, SSL_OptionSet, (void *, int, int))                    \
	X(int, SSL_AuthCertificateHook, (void *, auth_fn *, void *)) \
	X(int, SSL_ResetHandshake, (void *, int))                    \
	X(int, SSL_ForceHandshake, (void *))

static struct {
#define X(type, name, args) type(*name) args;
	NSPR(X)
	NSS(X)
	TLS(X)
#undef X
} api;

static SSL_CTX *server_ctx;
static sem_t answer; /* up for each connection that is to be answered */
static bool with_early_data;
static int resumes;
static size_t early_bytes;
static int listener;
static struct sockaddr_in address = { .sin_family = AF_INET };

static void need(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static void server_new(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	socklen_t len = sizeof(address);

	server_ctx = SSL_CTX_new(TLS_server_method());
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	need(X509_sign(cert, key, EVP_sha256()) > 0, 10);
	need(SSL_CTX_use_certificate(server_ctx, cert) == 1, 11);
	need(SSL_CTX_use_PrivateKey(server_ctx, key) == 1, 12);
	SSL_CTX_set_max_early_data(server_ctx, 1000);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	need(!bind(listener, (struct sockaddr *)&address, len) && !listen(listener, 8) &&
		     !getsockname(listener, (struct sockaddr *)&address, &len),
	     13);
}

/* Answers every "." with "ok"; early data too. */
static void serve(SSL *ssl)
{
	bool early = with_early_data && resumes++;

	for (;;) {
		size_t n = 0, done;
		char c = 0;

		if (early) {
			int state = SSL_read_early_data(ssl, &c, 1, &n);

			early = state == SSL_READ_EARLY_DATA_SUCCESS;
			early_bytes += n;
			if (state == SSL_READ_EARLY_DATA_ERROR)
				return;
		} else if (SSL_read_ex(ssl, &c, 1, &n) != 1) {
			return;
		}
		if (n && c == '.')
			need((early ? SSL_write_early_data(ssl, "ok", 2, &done)
				    : SSL_write_ex(ssl, "ok", 2, &done)) == 1,
			     14);
	}
}

static void *server_run(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		SSL *ssl = SSL_new(server_ctx);

		while (sem_wait(&answer))
			;
		SSL_set_fd(ssl, fd);
		SSL_set_accept_state(ssl);
		serve(ssl);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

static int accept_any(void *arg, void *fd, int check, int is_server)
{
	(void)arg;
	(void)fd;
	(void)check;
	(void)is_server;
	return 0;
}

static void *plain_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(!connect(fd, (struct sockaddr *)&address, sizeof(address)), 15);
	return api.PR_ImportTCPSocket(fd);
}

static void *tls_connect(bool early)
{
	void *fd = api.SSL_ImportFD(NULL, plain_connect());

	need(fd != NULL, 16);
	need(!api.SSL_OptionSet(fd, ENABLE_TICKETS, 1), 17);
	need(!api.SSL_OptionSet(fd, ENABLE_0RTT, early), 18);
	need(!api.SSL_AuthCertificateHook(fd, accept_any, NULL), 19);
	need(!api.SSL_SetURL(fd, "localhost"), 20);
	need(!api.SSL_ResetHandshake(fd, 0), 32); /* it is connected already */
	if (!early) {
		need(!sem_post(&answer), 21);
		need(!api.SSL_ForceHandshake(fd), 21);
		return fd;
	}
	/* it cannot come to its end before there was something to send early */
	need(!api.PR_SetSocketOption(fd, &(struct nonblocking){ .on = 1 }), 36);
	need(api.SSL_ForceHandshake(fd) == -1, 37);
	return fd;
}

static void put(void *fd, const char *text)
{
	need(api.PR_Write(fd, text, (int)strlen(text)) == (int)strlen(text), 22);
}

static void get(void *fd, const char *text)
{
	char buf[100];

	need(api.PR_Read(fd, buf, sizeof(buf)) == (int)strlen(text), 23);
	need(memcmp(buf, text, strlen(text)) == 0, 24);
}

static void run_plain(void)
{
	void *fd = tls_connect(false), *file = api.PR_Open("/dev/null", 0x2, 0);
	void *other = plain_connect();
	char buf[100];

	need(file != NULL, 25);
	put(fd, "one.");
	need(api.PR_Recv(fd, buf, sizeof(buf), MSG_PEEK_NSPR, NO_WAIT_LIMIT) == 2, 26);
	get(fd, "ok");
	put(file, "not TLS");
	put(other, "nor this");
	need(!sem_post(&answer), 38);
	need(api.PR_Send(fd, " two.", 5, 0, NO_WAIT_LIMIT) == 5, 27);
	need(api.PR_Recv(fd, buf, sizeof(buf), 0, NO_WAIT_LIMIT) == 2, 28);
	api.PR_Close(other);
	api.PR_Close(fd);
	need(!!(fd = api.PR_Open("/dev/null", 0x2, 0)), 29); /* takes the place of one of these */
	put(fd, "nor that");
	fd = tls_connect(false);
	put(fd, "three.");
	get(fd, "ok");
	api.PR_Close(fd);
}

static void run_layer(void)
{
	int id = api.PR_GetUniqueIdentity("above");
	void *above = api.PR_CreateIOLayerStub(id, api.PR_GetDefaultIOMethods());
	void *fd = tls_connect(false);

	put(fd, "one.");
	get(fd, "ok");
	need(!api.PR_PushIOLayer(fd, TOP_LAYER, above), 30);
	put(fd, " two.");
	get(fd, "ok");
	api.PR_Close(fd);
}

static void run_vec(void)
{
	const struct vec vec[] = { { " two", 4 }, { " three.", 7 } };
	void *fd = tls_connect(false);

	put(fd, "one.");
	get(fd, "ok");
	need(api.PR_Writev(fd, vec, 2, NO_WAIT_LIMIT) == 11, 31);
	get(fd, "ok");
	api.PR_Close(fd);
}

static void run_early(void)
{
	void *fd = tls_connect(false);

	put(fd, "one.");
	get(fd, "ok");
	api.PR_Close(fd);
	fd = tls_connect(true);
	put(fd, "early.");
	need(!api.PR_SetSocketOption(fd, &(struct nonblocking){ .on = 0 }), 34);
	need(!sem_post(&answer), 35);
	get(fd, "ok");
	need(early_bytes == strlen("early."), 33);
	put(fd, " late.");
	get(fd, "ok");
	api.PR_Close(fd);
}

/* NULL: the libraries are not there. */
static const char *load(void)
{
	void *nspr = dlopen(LIBNSPR, RTLD_NOW), *nss = dlopen(LIBNSS, RTLD_NOW);
	void *ssl = dlopen(LIBSSL, RTLD_NOW), *lib = nspr;

	if (!nspr || !nss || !ssl)
		return LIBSSL;
#define X(type, name, args)                      \
	*(void **)&api.name = dlsym(lib, #name); \
	if (!api.name)                           \
		return #name;
	NSPR(X)
	lib = nss;
	NSS(X)
	lib = ssl;
	TLS(X)
#undef X
	return NULL;
}

static int run_victim(const char *mode)
{
	pthread_t server;

	need(!load(), 8);
	signal(SIGPIPE, SIG_IGN);
	alarm(15); /* a deadlock ends the test */
	server_new();
	need(!sem_init(&answer, 0, 0), 9);
	need(!api.NSS_NoDB_Init(NULL), 9);
	need(!pthread_create(&server, NULL, server_run, NULL), 9);
	with_early_data = strcmp(mode, "early") == 0;
	if (strcmp(mode, "plain") == 0)
		run_plain();
	else if (strcmp(mode, "layer") == 0)
		run_layer();
	else if (strcmp(mode, "vec") == 0)
		run_vec();
	else
		run_early();
	return 0;
}

/* --- the test */

static void check(void **state, const char *mode, const char *wanted)
{
	struct trace *t = *state;

	streams_are(t, "nss", mode, EV_SRC_NSS, wanted);
	for (size_t i = 0; i < t->cnt; i++)
		if (t->recs[i]->kind == EV_SOCK)
			assert_int_equal(((const struct ev_sock *)t->recs[i])->how, EV_LINK_NESTED);
}

static void only_what_has_tls_on_it(void **state)
{
	check(state, "plain", ">one. two.<okok.\n>three.<ok.\n");
}

static void a_layer_above(void **state)
{
	check(state, "layer", ">one. two.<okok.\n");
}

static void vectors_are_counted(void **state)
{
	check(state, "vec", ">one.[11]<okok.\n");
}

static void early_data_begins_the_stream(void **state)
{
	check(state, "early", ">one.<ok.\n>early. late.<okok.\n");
}

static int setup_old(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_bounded_loops = true,
							   .force_perf_uprobes = true });
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_has_tls_on_it),
		cmocka_unit_test(a_layer_above),
		cmocka_unit_test(vectors_are_counted),
		cmocka_unit_test(early_data_begins_the_stream),
	};
	const char *missing;
	int failed;

	if (argc > 2)
		_exit(run_victim(argv[2])); /* what it leaks is not ours */
	if (trace_skip())
		return SKIP;
	missing = load();
	if (missing) {
		fprintf(stderr, "there is no %s\n", missing);
		return SKIP;
	}
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	return failed + cmocka_run_group_tests_name("old", tests, setup_old, trace_teardown);
}
