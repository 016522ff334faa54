// SPDX-License-Identifier: BSD-2-Clause
/*
 * A TLS peer for measuring: `server` answers requests over loopback with a streamed answer of COUNT
 * pieces of SIZE bytes, `client` asks for ROUNDS of them, at RATE pieces a second or as fast as it
 * goes, and prints what it got and how long that took, as one JSON line.
 *
 *	tls_load server CERT.pem KEY.pem		prints its port
 *	tls_load client PORT COUNT SIZE ROUNDS RATE
 *
 * An answer looks like a chat completion's event stream, so that the tracer does all its work on it.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE_MAX 16384

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "tls_load: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void write_all(SSL *ssl, const char *p, int n)
{
	while (n > 0) {
		int got = SSL_write(ssl, p, n);

		if (got <= 0)
			die("write");
		p += got;
		n -= got;
	}
}

/* One chunk (RFC 9112 7.1) that holds one event of a chat completion's stream, size bytes in all. */
static int make_piece(char *out, int size)
{
	static const char head[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
	static const char tail[] = "\"}}]}\n\n";
	int frame = 6 + 2 + 2; /* six digits, CR LF, CR LF */
	int text = size - frame - (int)(sizeof(head) - 1 + sizeof(tail) - 1), at;

	if (text < 1)
		text = 1;
	at = sprintf(out, "%06x\r\n%s", (unsigned int)(sizeof(head) - 1 + text + sizeof(tail) - 1),
		     head);
	memset(out + at, 'x', text);
	at += text;
	return at + sprintf(out + at, "%s\r\n", tail);
}

/* The request's path says what is wanted: /COUNT/SIZE/RATE/v1/chat/completions */
static void answer(SSL *ssl, const char *request)
{
	static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
				   "transfer-encoding: chunked\r\n\r\n";
	static const char end[] = "00000e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
	static char piece[PIECE_MAX + 64];
	int count, size, n;
	double rate, start = now();

	if (sscanf(request, "POST /%d/%d/%lf/", &count, &size, &rate) != 3 || size > PIECE_MAX)
		die("request");
	n = make_piece(piece, size);
	write_all(ssl, head, sizeof(head) - 1);
	for (int i = 0; i < count; i++) {
		double due = rate > 0 ? start + i / rate : 0, wait = due - now();

		if (wait > 0)
			usleep((useconds_t)(wait * 1e6));
		write_all(ssl, piece, n);
	}
	write_all(ssl, end, sizeof(end) - 1);
}

static void serve(int fd, SSL_CTX *ctx)
{
	char request[4096];
	SSL *ssl = SSL_new(ctx);
	int n;

	if (!ssl || !SSL_set_fd(ssl, fd) || SSL_accept(ssl) <= 0)
		die("accept");
	while ((n = SSL_read(ssl, request, sizeof(request) - 1)) > 0) {
		request[n] = '\0';
		answer(ssl, request);
	}
	SSL_free(ssl);
	close(fd);
}

static int server(const char *cert, const char *key)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer;
	socklen_t len = sizeof(addr);

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, cert) <= 0 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) <= 0)
		die("certificate");
	if (bind(fd, (void *)&addr, len) || listen(fd, 8) || getsockname(fd, (void *)&addr, &len))
		die("listen");
	printf("%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	while ((peer = accept(fd, NULL, NULL)) >= 0)
		serve(peer, ctx);
	return 1;
}

/* Reads one answer to its end; counts calls and bytes. */
static void read_answer(SSL *ssl, long *calls, long *bytes)
{
	static char buf[PIECE_MAX + 1];
	static const char end[] = "0\r\n\r\n";
	char last[5] = "";

	while (memcmp(last, end, 5) != 0) {
		int n = SSL_read(ssl, buf, PIECE_MAX);

		if (n <= 0)
			die("read");
		++*calls;
		*bytes += n;
		if (n >= 5) {
			memcpy(last, buf + n - 5, 5);
		} else {
			memmove(last, last + n, 5 - n);
			memcpy(last + 5 - n, buf, n);
		}
	}
}

static int client(int port, const char *count, const char *size, int rounds, const char *rate)
{
	static const char body[] = "{\"model\":\"bench\",\"stream\":true,\"messages\":[]}";
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long calls = 0, bytes = 0;
	struct rusage ru;
	char request[512];
	double start;

	if (!ssl || connect(fd, (void *)&addr, sizeof(addr)) || !SSL_set_fd(ssl, fd) ||
	    SSL_connect(ssl) <= 0)
		die("connect");
	snprintf(request, sizeof(request),
		 "POST /%s/%s/%s/v1/chat/completions HTTP/1.1\r\nhost: bench\r\n"
		 "content-length: %zu\r\n\r\n%s",
		 count, size, rate, sizeof(body) - 1, body);
	start = now();
	for (int i = 0; i < rounds; i++) {
		write_all(ssl, request, (int)strlen(request));
		read_answer(ssl, &calls, &bytes);
	}
	getrusage(RUSAGE_SELF, &ru);
	printf("{\"calls\": %ld, \"bytes\": %ld, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
	       calls, bytes, now() - start,
	       ru.ru_utime.tv_sec + ru.ru_stime.tv_sec +
		       (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "server") == 0)
		return server(argv[2], argv[3]);
	if (argc == 7 && strcmp(argv[1], "client") == 0)
		return client(atoi(argv[2]), argv[3], argv[4], atoi(argv[5]), argv[6]);
	fprintf(stderr, "usage: tls_load server CERT KEY | client PORT COUNT SIZE ROUNDS RATE\n");
	return 2;
}
