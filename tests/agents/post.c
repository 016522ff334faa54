// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sends one request over TLS and prints the answer: a client small enough to be linked with an OpenSSL
 * of any kind.  --partial lets SSL_write() write a part of what it is given.
 *
 *	post PORT [--partial] <REQUEST		a whole HTTP request that asks for `Connection: close`
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (1 << 20)

static void die(const char *what)
{
	fprintf(stderr, "post: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static int dial(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	return fd;
}

/* Nobody is verified: the peer is a test's own, on this machine. */
static SSL *handshake(SSL_CTX *ctx, int fd, int partial)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1)
		die("handshake");
	if (partial)
		SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	return ssl;
}

static void write_all(SSL *ssl, const char *p, size_t n)
{
	while (n) {
		int got = SSL_write(ssl, p, (int)n);

		if (got <= 0)
			die("write");
		p += got;
		n -= got;
	}
}

int main(int argc, char **argv)
{
	static char buf[REQUEST_MAX];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	size_t n = fread(buf, 1, sizeof(buf), stdin);
	SSL *ssl;
	int got;

	if (argc < 2 || !ctx)
		die("usage: post PORT [--partial] <REQUEST");
	ssl = handshake(ctx, dial(atoi(argv[1])), argc > 2 && strcmp(argv[2], "--partial") == 0);
	write_all(ssl, buf, n);
	while ((got = SSL_read(ssl, buf, 4096)) > 0)
		fwrite(buf, 1, got, stdout);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return 0;
}
