/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS in the kernel (Documentation/networking/tls.rst): behind a handshake whose keys it is given,
 * calls of the socket move plaintext.  The victim has both ends of a connection, and makes up the keys.
 */
#include "trace.h"
#include "victim.h"

#include <linux/tls.h>
#include <netinet/tcp.h>

#define ASK "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
#define TELL "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define HELLO 250 /* bytes */

/* --- victim */

static void move(int from, int to, const char *p, size_t n)
{
	char got[512];

	need(write(from, p, n) == (ssize_t)n);
	for (size_t at = 0; at < n;) {
		ssize_t more = read(to, got + at, n - at);

		need(more > 0);
		at += (size_t)more;
	}
	need(memcmp(got, p, n) == 0);
}

/* From here on the kernel encrypts or decrypts; key: what both ends of a direction have. */
static void give_keys(int fd, int dir, char key)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = { .version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 },
	};

	memset(info.key, key, sizeof(info.key));
	memset(info.salt, key, sizeof(info.salt));
	need(setsockopt(fd, SOL_TLS, dir, &info, sizeof(info)) == 0);
}

static int victim(void)
{
	char hello[HELLO] = { 22, 3, 1, 0, HELLO - 5, 1 };
	int fd[2];

	tcp_pair(fd);
	move(fd[0], fd[1], hello, sizeof(hello));
	for (int i = 0; i < 2; i++) {
		need(setsockopt(fd[i], IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0);
		give_keys(fd[i], TLS_TX, i ? 'a' : 'b');
		give_keys(fd[i], TLS_RX, i ? 'b' : 'a');
	}
	move(fd[0], fd[1], ASK, strlen(ASK));
	move(fd[1], fd[0], TELL, strlen(TELL));
	close(fd[0]);
	close(fd[1]);
	return 0;
}

/* --- tests */

/* A socket that is not connected may not have it, which is told only where there is one. */
static bool kernel_has_tls(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool has = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 ||
		   errno == ENOTCONN;

	close(fd);
	return has;
}

static const struct ev_flow *flow_of(const struct trace *t, enum ev_proto proto, __u64 conn)
{
	const struct ev_flow *f;

	for (size_t i = 0; (f = trace_rec(t, EV_FLOW, 0, i)); i++)
		if (f->proto == proto && (!conn || f->conn == conn))
			return f;
	return NULL;
}

static void check_text(const struct trace *t, __u64 conn, enum ev_dir dir, const char *text)
{
	const struct ev_data *d;
	size_t at = 0;

	for (size_t i = 0; (d = trace_rec(t, EV_DATA, 0, i)); i++) {
		if (d->conn != conn || d->dir != dir)
			continue;
		assert_int_equal(d->pos, at);
		assert_int_equal(d->missing, 0);
		assert_true(at + d->len <= strlen(text));
		assert_memory_equal(d + 1, text + at, d->len);
		at += d->len;
	}
	assert_int_equal(at, strlen(text));
}

static void plaintext_of_the_kernels_tls(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *client, *server;

	if (!kernel_has_tls())
		skip();
	trace_victim(t, "victim", NULL);
	assert_int_equal(t->status, 0);
	client = flow_of(t, EV_PROTO_TLS, 0);
	assert_non_null(client);
	assert_int_equal(client->len, HELLO);
	client = flow_of(t, EV_PROTO_HTTP1, client->conn);
	assert_non_null(client);
	check_text(t, client->conn, EV_WRITE, ASK);
	check_text(t, client->conn, EV_READ, TELL);
	for (size_t i = 0; (server = trace_rec(t, EV_FLOW, 0, i)); i++)
		if (server->proto == EV_PROTO_HTTP1 && server->conn != client->conn)
			break;
	assert_non_null(server);
	check_text(t, server->conn, EV_READ, ASK);
	check_text(t, server->conn, EV_WRITE, TELL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plaintext_of_the_kernels_tls),
	};

	(void)argv;
	if (argc > 1)
		return victim();
	if (trace_skip())
		return SKIP;
	return cmocka_run_group_tests(tests, trace_setup, trace_teardown);
}
