/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes by system calls: each form of call on each kind of file, what the first bytes are taken for,
 * and what is told of a flow that is not copied.  The victim has both ends of everything.
 */
#include "trace.h"
#include "victim.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <termios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define RPC "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
#define GET "GET / HTTP/1.1\r\n\r\n"
#define BIG 300000
#define HOLE 5000

/* --- what victims share with the tests */

static unsigned char byte_at(size_t pos)
{
	return (unsigned char)(pos * 7 + 3 + pos / 251);
}

/* A stream that begins as JSON-RPC does. */
static unsigned char stream_at(size_t pos)
{
	return pos < strlen(RPC) ? (unsigned char)RPC[pos] : byte_at(pos);
}

struct look_case {
	enum ev_proto proto; /* EV_PROTO_UNKNOWN: there must be no record */
	char kind;           /* of file: p(ipe), u(nix), t(cp) */
	size_t split;        /* bytes in the first write; 0: all of them */
	const char *text;
};

static const struct look_case looks[] = {
	{ EV_PROTO_JSONRPC, 'p', 0, "{\"jsonrpc\":\"2.0\"}" },
	{ EV_PROTO_JSONRPC, 'p', 0, "{\"id\":1}" },
	{ EV_PROTO_JSONRPC, 'p', 0, "{ \r\n\t\"method\":\"x\"}" },
	{ EV_PROTO_JSONRPC, 'u', 0, "[{\"params\":{}}]" },
	{ EV_PROTO_JSONRPC, 'u', 0, "[ { \"result\":{}}]" },
	{ EV_PROTO_JSONRPC, 'u', 0, "{\"error\":{}}" },
	{ EV_PROTO_JSONRPC, 'p', 1, "{\"jsonrpc\":\"2.0\"}" },
	{ EV_PROTO_JSONRPC, 'p', 9, "{\"jsonrpc\":\"2.0\"}" },
	{ EV_PROTO_JSONRPC, 'p', 2, "[ {\"id\":1}]" },
	{ EV_PROTO_JSONRPC, 'p', 0, "Content-Length: 2\r\n\r\n{}" },
	{ EV_PROTO_JSONRPC, 'u', 10, "Content-Length: 2\r\n\r\n{}" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "{\"type\":\"text\"}" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "{\"idx\":1}" },
	{ EV_PROTO_UNKNOWN, 'p', 3, "{\"type\":\"text\"}" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "{ } \"id\"" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "[1,2]" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "Content-Type: x\r\n" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "GET / HTTP/1.1\r\n" },
	{ EV_PROTO_HTTP1, 'u', 0, "GET / HTTP/1.1\r\n" },
	{ EV_PROTO_HTTP1, 'u', 3, "GET / HTTP/1.1\r\n" },
	{ EV_PROTO_HTTP1, 't', 0, "POST / HTTP/1.1\r\n" },
	{ EV_PROTO_HTTP1, 't', 0, "HTTP/1.0 200 OK\r\n" },
	{ EV_PROTO_HTTP1, 't', 6, "OPTIONS * HTTP/1.1\r\n" },
	{ EV_PROTO_HTTP1, 't', 0, "CONNECT a:1 HTTP/1.1\r\n" },
	{ EV_PROTO_UNKNOWN, 'u', 0, "get / HTTP/1.1\r\n" },
	{ EV_PROTO_UNKNOWN, 'u', 0, "GETS / HTTP/1.1\r\n" },
	{ EV_PROTO_HTTP2, 't', 0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	{ EV_PROTO_HTTP2, 't', 10, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	{ EV_PROTO_REDIS, 't', 0, "*1\r\n$4\r\nPING\r\n" },
	{ EV_PROTO_REDIS, 'u', 0, "*12\r\n$3\r\nDEL\r\n" },
	{ EV_PROTO_UNKNOWN, 'p', 0, "*1\r\n$4\r\nPING\r\n" },
	{ EV_PROTO_UNKNOWN, 'u', 0, "*1\r\nPING\r\n" },
	{ EV_PROTO_UNKNOWN, 'u', 0, "*0\r\n$4\r\n\r\n" },
	{ EV_PROTO_UNKNOWN, 'u', 0, "PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n" },
};

/* Those of MySQL hold NULs. */
static const struct mysql_case {
	enum ev_dir dir;
	size_t split;
	enum ev_proto proto;
	size_t len;
	char bytes[40];
} mysqls[] = {
#define MYSQL(dir, split, proto, bytes)                     \
	{                                                   \
		dir, split, proto, sizeof(bytes) - 1, bytes \
	}
	MYSQL(EV_READ, 0, EV_PROTO_MYSQL,
	      "\x4a\0\0\0\x0a"
	      "8.0.36\0thread"),
	MYSQL(EV_READ, 4, EV_PROTO_MYSQL,
	      "\x4a\0\0\0\x0a"
	      "8.0.36\0thread"),
	MYSQL(EV_READ, 0, EV_PROTO_MYSQL,
	      "\x5a\0\0\0\x0a"
	      "11.4.2-MariaDB\0"),
	MYSQL(EV_READ, 0, EV_PROTO_UNKNOWN,
	      "\x4a\0\0\0\x09"
	      "3.23.1\0thread"),
	MYSQL(EV_READ, 4, EV_PROTO_UNKNOWN, "\x4a\0\0\0{\"id\":1}"),
	MYSQL(EV_READ, 0, EV_PROTO_UNKNOWN,
	      "\x4a\0\0\1\x0a"
	      "8.0.36\0thread"),
	MYSQL(EV_WRITE, 0, EV_PROTO_MYSQL, "\x09\0\0\0\x03select 1"),
	MYSQL(EV_WRITE, 0, EV_PROTO_MYSQL, "\x0b\0\0\0\x03\0\1select 1"),
	MYSQL(EV_WRITE, 0, EV_PROTO_MYSQL, "\x09\0\0\0\x16SELECT ?"),
	MYSQL(EV_WRITE, 0, EV_PROTO_UNKNOWN, "\x09\0\0\1\x03select 1"),
	MYSQL(EV_WRITE, 0, EV_PROTO_UNKNOWN, "\x09\0\0\0\x04select 1"),
	MYSQL(EV_WRITE, 0, EV_PROTO_UNKNOWN, "\x09\0\0\0\x03s3lect 1"),
};

/* One of each room, and of each the largest that a smaller one would hold most of. */
static const size_t datagrams[] = { 256, 257, 1300, 2048, 4096, 5000, EV_CHUNK_MAX };

/* --- victims */

static void own_network(void)
{
	int fd;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	need(unshare(CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	need(ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	close(fd);
}

static void pair(int fd[2], char kind)
{
	if (kind == 't')
		tcp_pair(fd);
	else if (kind == 'u')
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	else
		need(pipe(fd) == 0 && dup2(fd[1], 100) == 100 && dup2(fd[0], fd[1]) == fd[1] &&
		     dup2(100, fd[0]) == fd[0] &&
		     close(100) == 0); /* fd[0] is the end that writes */
}

static void put(int fd, const void *p, size_t n)
{
	need(write(fd, p, n) == (ssize_t)n);
}

static void get(int fd, size_t n)
{
	static char buf[1 << 20];

	while (n) {
		ssize_t got = read(fd, buf, n);

		need(got > 0);
		n -= got;
	}
}

/* Each call moves 1000 bytes of the stream; those with iovecs in pieces of 1, 0, 300 and 699. */
static void each_form(bool write_side, int fd, int form, unsigned char *p)
{
	struct iovec v[] = { { p, 1 }, { p, 0 }, { p + 1, 300 }, { p + 301, 1699 } };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = v, .msg_iovlen = 3 } },
				{ .msg_hdr = { .msg_iov = v + 3, .msg_iovlen = 1 } } };
	struct msghdr one = { .msg_iov = v, .msg_iovlen = 4 };
	ssize_t n = 0;

	if (write_side)
		v[3].iov_len = 699;
	switch (form) {
	case 0:
		n = write_side ? write(fd, p, 1000) : read(fd, p, 2000);
		break;
	case 1:
		n = write_side ? writev(fd, v, 4) : readv(fd, v, 4);
		break;
	case 2:
		n = write_side ? send(fd, p, 1000, 0) : recv(fd, p, 2000, 0);
		break;
	case 3:
		n = write_side ? sendmsg(fd, &one, 0) : recvmsg(fd, &one, 0);
		break;
	default:
		n = write_side ? sendmmsg(fd, m, 2, 0) : recvmmsg(fd, m, 2, 0, NULL);
		need(n == 2);
		n = m[0].msg_len + m[1].msg_len;
	}
	need(n == 1000);
}

static void victim_forms(char kind)
{
	unsigned char out[1000], in[2000];
	int fd[2];

	pair(fd, kind);
	for (int i = 0; i < 25; i++) {
		for (size_t j = 0; j < sizeof(out); j++)
			out[j] = stream_at(i * sizeof(out) + j);
		each_form(true, fd[0], kind == 'p' ? i % 2 : i % 5, out);
		if (kind != 'p')
			recv(fd[1], in, 500, MSG_PEEK);
		each_form(false, fd[1], kind == 'p' ? i / 5 % 2 : i / 5, in);
	}
	close(fd[0]);
	close(fd[1]);
}

/* Writes that take less than they were given; large enough for several records. */
static void victim_partial(void)
{
	static unsigned char all[BIG];
	size_t done = 0;
	int fd[2];

	for (size_t i = 0; i < BIG; i++)
		all[i] = stream_at(i);
	pair(fd, 'u');
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	while (done < BIG) {
		struct iovec v[] = { { all + done, 1 }, { all + done + 1, BIG - done - 1 } };
		ssize_t n = writev(fd[0], v, 2);

		need(n > 0);
		done += n;
		get(fd[1], n);
	}
}

static void victim_pipe(void)
{
	int fd[2];
	pid_t child;

	need(pipe(fd) == 0);
	child = fork();
	need(child >= 0);
	if (child == 0) {
		close(fd[1]);
		get(fd[0], strlen(RPC));
		close(fd[0]);
		_exit(0);
	}
	close(fd[0]);
	put(fd[1], RPC, strlen(RPC));
	waitpid(child, NULL, 0);
	close(fd[1]);
}

/* Its operations are those of terminals, but what is read from it is not followed. */
static void look_at_serial_line(void)
{
	int fd = open("/dev/ttyS0", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char none;

	if (fd < 0)
		return;
	need(read(fd, &none, 0) == 0);
	close(fd);
}

static void victim_pty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct termios raw;

	look_at_serial_line();
	need(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	need(slave >= 0 && tcgetattr(slave, &raw) == 0);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	put(slave, RPC, strlen(RPC));
	get(master, strlen(RPC));
	put(master, RPC, strlen(RPC));
	get(slave, strlen(RPC));
	close(slave);
	close(master);
}

/* Until the process sleeps, which it does nowhere but in its next call. */
static void wait_asleep(pid_t pid)
{
	char path[32], stat[256];
	const char *state = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (!state || state[2] != 'S') {
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, stat, sizeof(stat) - 1);

		need(fd >= 0 && n > 0);
		close(fd);
		stat[n] = '\0';
		state = strrchr(stat, ')');
	}
}

/* Who waits for a terminal, and for a pipe at descriptor 0 that gives twice. */
static void victim_input(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, fd[2];
	struct termios raw;
	pid_t child;

	need(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 && pipe(fd) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	need(slave >= 0 && tcgetattr(slave, &raw) == 0);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	child = fork();
	need(child >= 0);
	if (child == 0) {
		wait_asleep(getppid());
		usleep(50000);
		put(master, "y", 1);
		put(fd[1], "yy", 2);
		_exit(0);
	}
	get(slave, 1);
	put(slave, "ok", 2);
	get(master, 2); /* the side that shows it: no input */
	need(dup2(fd[0], 0) == 0);
	get(0, 1);
	get(0, 1);
	waitpid(child, NULL, 0);
}

/* Output to a file and to a pipe; a second's worth and more; and what is copied for what it is. */
static void victim_output(void)
{
	static char big[5000];
	int fd[2], file = memfd_create("out", 0);

	memset(big, 'b', sizeof(big));
	need(file >= 0 && dup2(file, 1) == 1 && pipe(fd) == 0 && dup2(fd[1], 2) == 2);
	put(1, "one\n", 4);
	put(2, "err\n", 4);
	put(file, "not told\n", 9);
	put(1, big, sizeof(big));
	put(1, big, sizeof(big)); /* the budget of the test is less than both */
	put(1, "lost\n", 5);
	need(usleep(1100000) == 0);
	put(1, "later\n", 6);
	need(pipe(fd) == 0 && dup2(fd[1], 1) == 1);
	put(1, RPC, strlen(RPC));
}

static void victim_look(const char *arg)
{
	const struct look_case *c = &looks[atoi(arg)];
	size_t n = strlen(c->text), split = c->split ? c->split : n;
	int fd[2];

	pair(fd, c->kind);
	put(fd[0], c->text, split);
	get(fd[1], split);
	if (split < n) {
		put(fd[0], c->text + split, n - split);
		get(fd[1], n - split);
	}
}

/* It asks for TLS first, and goes on without. */
static const char postgres_ask[] = { 0, 0, 0, 8, 4, (char)210, 22, 47 };
static const char postgres_start[] = {
	0, 0, 0, 17, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0, 'x', 0, 0, 0
};

static void victim_postgres(char kind)
{
	int fd[2];

	pair(fd, kind);
	put(fd[0], postgres_ask, sizeof(postgres_ask));
	get(fd[1], sizeof(postgres_ask));
	put(fd[1], "N", 1);
	get(fd[0], 1);
	put(fd[0], postgres_start, sizeof(postgres_start));
	get(fd[1], sizeof(postgres_start));
}

static void victim_mysql(const char *arg)
{
	const struct mysql_case *c = &mysqls[atoi(arg)];
	int fd[2];

	pair(fd, 'u');
	put(fd[0], c->bytes, c->len);
	if (c->split)
		get(fd[1], c->split);
	get(fd[1], c->len - c->split);
}

static void victim_unknown(char kind)
{
	int fd[2];

	pair(fd, kind);
	for (int i = 0; i < 40; i++) {
		put(fd[0], "hello", 5);
		get(fd[1], 5);
	}
	put(fd[0], GET, strlen(GET)); /* too late */
	close(fd[0]);
	close(fd[1]);
}

static size_t hello(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(i);
	memcpy(p, "\x16\x03\x01", 3);
	p[3] = (unsigned char)((n - 5) >> 8);
	p[4] = (unsigned char)(n - 5);
	p[5] = 1;
	return n;
}

/* The one that reads takes the record's header first, as OpenSSL does. */
static void victim_tls(const char *size)
{
	unsigned char p[8000];
	size_t n = hello(p, atoi(size));
	int fd[2];

	pair(fd, 't');
	put(fd[0], p, n);
	get(fd[1], 5);
	get(fd[1], n - 5);
	put(fd[0], GET, strlen(GET)); /* as if it were ciphertext */
	get(fd[1], strlen(GET));
	close(fd[0]);
	close(fd[1]);
}

/* A server that greets, then so many writes, then a ClientHello. */
static void victim_mysql_tls(const char *arg)
{
	static const char request[36] = { 32, 0, 0, 1 };
	unsigned char p[600];
	int fd[2];

	hello(p, sizeof(p));
	pair(fd, 't');
	put(fd[1], mysqls[0].bytes, mysqls[0].len);
	get(fd[0], mysqls[0].len);
	for (int i = 0; i < atoi(arg); i++)
		put(fd[0], request, sizeof(request));
	put(fd[0], p, sizeof(p));
}

static void victim_connect(void)
{
	static const char ask[] = "CONNECT a:443 HTTP/1.1\r\n\r\n",
			  answer[] = "HTTP/1.1 200 OK\r\n\r\n";
	unsigned char p[300];
	size_t n = hello(p, sizeof(p));
	int fd[2];

	pair(fd, 't');
	put(fd[0], ask, strlen(ask));
	get(fd[1], strlen(ask));
	put(fd[1], answer, strlen(answer));
	get(fd[0], strlen(answer));
	put(fd[0], p, n);
	get(fd[1], n);
	put(fd[0], p + 6, 100);
	get(fd[1], 100);
}

static void victim_udp(const char *arg)
{
	bool dns = strcmp(arg, "dns") == 0;
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(dns ? 53 : 4433) };
	unsigned char quic[1200] = { 0xc3, 0, 0, 0, 1, 8 };
	static unsigned char big[EV_CHUNK_MAX];
	struct iovec v[] = { { "0123456789ab", 12 }, { "question", 8 } };
	struct mmsghdr m[] = { { .msg_hdr = { .msg_iov = v, .msg_iovlen = 2 } },
			       { .msg_hdr = { .msg_iov = v, .msg_iovlen = 1 } } };
	int fd, server;

	own_network();
	server = socket(AF_INET, SOCK_DGRAM, 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	need(bind(server, (void *)&sa, sizeof(sa)) == 0);
	if (!dns) {
		need(sendto(fd, quic, 1200, 0, (void *)&sa, sizeof(sa)) == 1200);
		return;
	}
	need(sendto(fd, "0123456789ab", 12, 0, (void *)&sa, sizeof(sa)) == 12);
	get(server, 12);
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	need(connect(fd, (void *)&sa, sizeof(sa)) == 0 && sendmmsg(fd, m, 2, 0) == 2);
	for (size_t i = 0; i < ARRAY_SIZE(datagrams); i++)
		need(send(fd, big, datagrams[i], 0) == (ssize_t)datagrams[i]);
}

static void victim_sendfile(bool alone)
{
	int fd[2], file = memfd_create("body", 0);
	off_t from = 0;

	need(file >= 0 && ftruncate(file, HOLE) == 0);
	pair(fd, 't');
	if (!alone)
		put(fd[0], GET, strlen(GET));
	need(sendfile(fd[0], file, &from, HOLE) == HOLE);
	if (!alone)
		put(fd[0], "end", 3);
	get(fd[1], alone ? HOLE : strlen(GET) + HOLE + 3);
	close(fd[0]);
	close(fd[1]);
}

/* how: close, exit, dup, shut */
static void victim_end(const char *how)
{
	int fd[2];

	pair(fd, 't');
	put(fd[0], GET, strlen(GET));
	get(fd[1], strlen(GET));
	if (strcmp(how, "shut") == 0)
		shutdown(fd[0], SHUT_WR);
	put(fd[1], "HTTP/1.1 204 X\r\n\r\n", 18);
	usleep(10000);
	get(fd[0], 18);
	if (strcmp(how, "dup") == 0)
		need(dup2(0, fd[0]) == fd[0]);
	else if (strcmp(how, "exit") != 0)
		close(fd[0]);
}

static void victim_reuse(void)
{
	for (int i = 0; i < 3; i++) {
		int fd[2];

		pair(fd, 'u');
		put(fd[0], GET, strlen(GET));
		close(fd[0]);
		close(fd[1]);
	}
}

static void victim_share(void)
{
	int fd[2];
	pid_t child;

	pair(fd, 'u');
	put(fd[0], GET, strlen(GET));
	child = fork();
	if (child == 0) {
		put(fd[0], GET, strlen(GET));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	put(fd[0], "more", 4);
}

static int run_victim(const char *name, const char *arg)
{
	if (strcmp(name, "forms") == 0)
		victim_forms(*arg);
	else if (strcmp(name, "partial") == 0)
		victim_partial();
	else if (strcmp(name, "pipe") == 0)
		victim_pipe();
	else if (strcmp(name, "pty") == 0)
		victim_pty();
	else if (strcmp(name, "input") == 0)
		victim_input();
	else if (strcmp(name, "look") == 0)
		victim_look(arg);
	else if (strcmp(name, "postgres") == 0)
		victim_postgres(*arg);
	else if (strcmp(name, "mysql") == 0)
		victim_mysql(arg);
	else if (strcmp(name, "mysql-tls") == 0)
		victim_mysql_tls(arg);
	else if (strcmp(name, "output") == 0)
		victim_output();
	else if (strcmp(name, "unknown") == 0)
		victim_unknown(*arg);
	else if (strcmp(name, "tls") == 0)
		victim_tls(arg);
	else if (strcmp(name, "connect") == 0)
		victim_connect();
	else if (strcmp(name, "udp") == 0)
		victim_udp(arg);
	else if (strcmp(name, "sendfile") == 0)
		victim_sendfile(arg != NULL);
	else if (strcmp(name, "end") == 0)
		victim_end(arg);
	else if (strcmp(name, "reuse") == 0)
		victim_reuse();
	else if (strcmp(name, "share") == 0)
		victim_share();
	else
		return 99;
	return 0;
}

/* --- tests */

static void run(struct trace *t, const char *name, const char *arg)
{
	struct probe_loss loss;

	trace_clear(t);
	trace_victim(t, name, arg);
	assert_int_equal(t->status, 0);
	assert_int_equal(probe_loss(t->p, &loss), 0);
	for (__u32 i = 0; i < loss.e.kinds; i++)
		assert_int_equal(loss.kinds[i].lost_ring, 0);
	assert_int_equal(loss.e.calls_lost, 0);
	assert_int_equal(loss.e.bytes_lost[EV_LOST_READ_FAULT], 0);
}

static __u64 moved_by_the_kernel(const struct trace *t)
{
	struct probe_loss loss;

	assert_int_equal(probe_loss(t->p, &loss), 0);
	return loss.e.bytes_lost[EV_LOST_NO_BUFFER];
}

static const struct ev_flow *flow_at(const struct trace *t, size_t nth)
{
	return trace_rec(t, EV_FLOW, 0, nth);
}

static const struct ev_flow_end *end_of(const struct trace *t, const struct ev_flow *f)
{
	const struct ev_flow_end *e;

	for (size_t i = 0; (e = trace_rec(t, EV_FLOW_END, 0, i)); i++)
		if (e->conn == f->conn)
			return e;
	return NULL;
}

/* Bytes of one direction in their order; missing: bytes in holes, which are left out.  Freed by the caller. */
static unsigned char *content(const struct trace *t, const struct ev_flow *f, enum ev_dir dir,
			      size_t *len, size_t *missing)
{
	unsigned char *p = calloc(1, BIG + 1);
	const struct ev_data *d;
	size_t pos = 0;

	*len = *missing = 0;
	assert_non_null(p);
	for (size_t i = 0; (d = trace_rec(t, EV_DATA, 0, i)); i++) {
		if (d->conn != f->conn || d->dir != dir)
			continue;
		assert_int_equal(d->pos, pos);
		assert_int_equal(d->src, f->src);
		assert_int_equal(d->hdr.tgid, f->hdr.tgid);
		assert_true(*len + d->len <= BIG);
		memcpy(p + *len, d + 1, d->len);
		*len += d->len;
		*missing += d->missing;
		pos += d->len + d->missing;
	}
	return p;
}

static void check_text(const struct trace *t, const struct ev_flow *f, enum ev_dir dir,
		       const char *text)
{
	size_t len, missing;
	_cleanup_free_ unsigned char *p = content(t, f, dir, &len, &missing);

	assert_int_equal(missing, 0);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(p, text, len);
}

static void check_stream(const struct trace *t, const struct ev_flow *f, enum ev_dir dir, size_t n)
{
	size_t len, missing;
	_cleanup_free_ unsigned char *p = content(t, f, dir, &len, &missing);

	assert_int_equal(missing, 0);
	assert_int_equal(len, n);
	for (size_t i = 0; i < n; i++)
		if (p[i] != stream_at(i))
			fail_msg("byte %zu", i);
}

static void check_flow(const struct ev_flow *f, enum ev_src src, enum ev_proto proto)
{
	assert_non_null(f);
	assert_int_equal(f->src, src);
	assert_int_equal(f->proto, proto);
	assert_true(f->conn && f->file && f->fd >= 0);
}

static void check_ended(const struct trace *t, const struct ev_flow *f, uint64_t read,
			uint64_t written)
{
	const struct ev_flow_end *e = end_of(t, f);

	assert_non_null(e);
	assert_int_equal(e->hdr.tgid, f->hdr.tgid);
	assert_int_equal(e->hdr.start, f->hdr.start);
	assert_int_equal(e->file, f->file);
	assert_int_equal(e->bytes[EV_READ], read);
	assert_int_equal(e->bytes[EV_WRITE], written);
}

static void forms_on_a_unix_socket(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *w, *r;

	run(t, "forms", "u");
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	w = flow_at(t, 0);
	r = flow_at(t, 1);
	check_flow(w, EV_SRC_STREAM, EV_PROTO_JSONRPC);
	check_flow(r, EV_SRC_STREAM, EV_PROTO_JSONRPC);
	assert_int_equal(w->peer, r->file);
	assert_int_equal(r->peer, w->file);
	assert_int_equal(w->addr.family, 0);
	check_stream(t, w, EV_WRITE, 25000);
	check_stream(t, r, EV_READ, 25000);
	check_ended(t, w, 0, 25000);
	check_ended(t, r, 25000, 0);
}

/* One flow: the process has both ends of one pipe, which is over when both are closed. */
static void forms_on_a_pipe(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *f;

	run(t, "forms", "p");
	assert_int_equal(trace_count(t, EV_FLOW), 1);
	f = flow_at(t, 0);
	check_flow(f, EV_SRC_PIPE, EV_PROTO_JSONRPC);
	check_stream(t, f, EV_WRITE, 25000);
	check_stream(t, f, EV_READ, 25000);
	check_ended(t, f, 25000, 25000);
	assert_int_equal(trace_count(t, EV_FLOW_END), 1);
}

static void partial_calls(void **state)
{
	struct trace *t = *state;

	run(t, "partial", NULL);
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	check_stream(t, flow_at(t, 0), EV_WRITE, BIG);
	check_stream(t, flow_at(t, 1), EV_READ, BIG);
}

static void a_pipe_between_two(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *w, *r;

	run(t, "pipe", NULL);
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	w = trace_rec(t, EV_FLOW, t->pid, 0);
	r = flow_at(t, flow_at(t, 0) == w);
	check_flow(w, EV_SRC_PIPE, EV_PROTO_JSONRPC);
	check_flow(r, EV_SRC_PIPE, EV_PROTO_JSONRPC);
	assert_int_equal(w->file, r->file);
	assert_int_not_equal(w->conn, r->conn);
	assert_int_not_equal(w->hdr.tgid, r->hdr.tgid);
	check_text(t, w, EV_WRITE, RPC);
	check_text(t, r, EV_READ, RPC);
	check_ended(t, w, 0, strlen(RPC));
	check_ended(t, r, strlen(RPC), 0);
}

static void a_terminal(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *slave, *master;

	run(t, "pty", NULL);
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	slave = flow_at(t, 0);
	master = flow_at(t, 1);
	check_flow(slave, EV_SRC_TTY, EV_PROTO_JSONRPC);
	check_flow(master, EV_SRC_TTY, EV_PROTO_JSONRPC);
	assert_int_equal(slave->file | EV_TTY_MASTER, master->file);
	assert_int_equal(slave->peer, master->file);
	assert_int_equal(master->peer, slave->file);
	check_text(t, slave, EV_WRITE, RPC);
	check_text(t, slave, EV_READ, RPC);
	check_text(t, master, EV_READ, RPC);
	check_text(t, master, EV_WRITE, RPC);
	assert_int_equal(trace_count(t, EV_FLOW_END), 2);
}

static void input(void **state)
{
	struct trace *t = *state;
	const struct ev_input *tty, *pipe;

	run(t, "input", NULL);
	assert_int_equal(trace_count(t, EV_INPUT), 2);
	tty = trace_rec(t, EV_INPUT, t->pid, 0);
	pipe = trace_rec(t, EV_INPUT, t->pid, 1);
	assert_int_equal(tty->src, EV_SRC_TTY);
	assert_int_equal(tty->bytes, 1);
	assert_true(tty->hdr.ts - tty->enter_ts > 20000000);
	assert_int_equal(pipe->src, EV_SRC_PIPE);
	assert_int_equal(pipe->fd, 0);
	assert_int_not_equal(tty->conn, pipe->conn);
}

static void first_bytes(void **state)
{
	struct trace *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		const struct look_case *c = &looks[i];
		const struct ev_flow *f;
		char arg[16];

		snprintf(arg, sizeof(arg), "%zu", i);
		run(t, "look", arg);
		f = flow_at(t, 0);
		if (!c->proto != !f || (f && f->proto != c->proto))
			fail_msg("%zu: %s split at %zu on %c: %d", i, c->text, c->split, c->kind,
				 f ? (int)f->proto : -1);
		if (!f)
			assert_null(trace_rec(t, EV_DATA, 0, 0));
		else
			check_text(t, f, EV_WRITE, c->text);
		if (f && c->kind != 'p' &&
		    c->proto != EV_PROTO_REDIS) /* who answers is not followed */
			check_text(t, flow_at(t, 1), EV_READ, c->text);
	}
}

/* Its first message holds NULs. */
static void start_of_postgres(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *f;
	size_t len, missing;

	run(t, "postgres", "t");
	f = flow_at(t, 0);
	assert_non_null(f);
	assert_int_equal(f->proto, EV_PROTO_POSTGRES);
	{
		_cleanup_free_ unsigned char *p = content(t, f, EV_WRITE, &len, &missing);

		assert_int_equal(missing, 0);
		assert_int_equal(len, sizeof(postgres_start));
		assert_memory_equal(p, postgres_start, len);
	}
}

static void start_of_mysql(void **state)
{
	struct trace *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(mysqls); i++) {
		const struct mysql_case *c = &mysqls[i];
		const struct ev_flow *f;
		size_t len, missing;
		char arg[16];

		snprintf(arg, sizeof(arg), "%zu", i);
		run(t, "mysql", arg);
		f = flow_at(t, 0);
		if (!c->proto != !f || (f && f->proto != c->proto))
			fail_msg("%zu: %d", i, f ? (int)f->proto : -1);
		if (f) {
			_cleanup_free_ unsigned char *p = content(t, f, c->dir, &len, &missing);

			assert_int_equal(missing, 0);
			assert_int_equal(len, c->len);
			assert_memory_equal(p, c->bytes, len);
			assert_null(flow_at(t, 1)); /* the other end serves, or is served */
		}
	}
}

/* What TLS begins with is one only where it may come: other bytes may look like it. */
static void mysql_becomes_tls(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *f;
	size_t len, missing;

	for (size_t writes = 1; writes < 4; writes++) {
		char arg[16];

		snprintf(arg, sizeof(arg), "%zu", writes);
		run(t, "mysql-tls", arg);
		f = flow_at(t, 0);
		assert_non_null(f);
		assert_int_equal(f->proto, EV_PROTO_MYSQL);
		{
			_cleanup_free_ unsigned char *p = content(t, f, EV_WRITE, &len, &missing);

			assert_non_null(p);
			assert_int_equal(missing, 0);
			assert_int_equal(len, 36 * writes + (writes > 1 ? 600 : 0));
		}
	}
}

static void unknown_on_a_pipe(void **state)
{
	struct trace *t = *state;

	run(t, "unknown", "p");
	assert_int_equal(trace_count(t, EV_FLOW) + trace_count(t, EV_DATA), 0);
	assert_int_equal(trace_count(t, EV_FLOW_END), 0);
}

static void unknown_on_tcp(void **state)
{
	struct trace *t = *state;

	run(t, "unknown", "t");
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	check_flow(flow_at(t, 0), EV_SRC_STREAM, EV_PROTO_UNKNOWN);
	check_flow(flow_at(t, 1), EV_SRC_STREAM, EV_PROTO_UNKNOWN);
	assert_int_equal(trace_count(t, EV_DATA), 0);
	check_ended(t, flow_at(t, 0), 0, 200 + strlen(GET));
}

static void tls(struct trace *t, size_t n, size_t shown)
{
	const struct ev_flow *w, *r;
	unsigned char p[8000];
	char arg[16];

	snprintf(arg, sizeof(arg), "%zu", n);
	run(t, "tls", arg);
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	assert_int_equal(trace_count(t, EV_DATA), 0);
	w = flow_at(t, 0);
	r = flow_at(t, 1);
	hello(p, n);
	check_flow(w, EV_SRC_STREAM, EV_PROTO_TLS);
	check_flow(r, EV_SRC_STREAM, EV_PROTO_TLS);
	assert_int_equal(w->len, shown);
	assert_memory_equal(w + 1, p, shown);
	assert_int_equal(!!(w->hdr.flags & EVF_TRUNC), shown < n);
	assert_in_range(r->len, shown, shown + 5);
	assert_memory_equal(r + 1, p, r->len);
	check_ended(t, w, 0, n + strlen(GET));
	check_ended(t, r, n + strlen(GET), 0);
}

static void tls_hello(void **state)
{
	tls(*state, 250, 250);
	tls(*state, 600, 600);
	tls(*state, 3000, 2016);
}

static void tls_behind_connect(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *first, *again = NULL;

	run(t, "connect", NULL);
	first = flow_at(t, 0);
	check_flow(first, EV_SRC_STREAM, EV_PROTO_HTTP1);
	assert_int_equal(trace_count(t, EV_FLOW), 4);
	for (size_t i = 2; i < 4; i++)
		if (flow_at(t, i)->conn == first->conn)
			again = flow_at(t, i);
	check_flow(again, EV_SRC_STREAM, EV_PROTO_TLS);
	assert_int_equal(again->len, 300);
	check_text(t, first, EV_WRITE, "CONNECT a:443 HTTP/1.1\r\n\r\n");
	check_text(t, first, EV_READ, "HTTP/1.1 200 OK\r\n\r\n");
	check_text(t, flow_at(t, 1), EV_READ, "CONNECT a:443 HTTP/1.1\r\n\r\n");
}

/* Two messages of one call, the first in two buffers, and then a record for each datagram. */
static void connected(const struct trace *t, const struct ev_flow *f)
{
	static const char text[] = "0123456789abquestion0123456789ab";
	size_t len, missing, seen = 0;
	_cleanup_free_ unsigned char *p = content(t, f, EV_WRITE, &len, &missing);
	const struct ev_data *d;

	assert_int_equal(missing, 0);
	assert_memory_equal(p, text, strlen(text));
	for (size_t i = 0; (d = trace_rec(t, EV_DATA, 0, i)); i++) {
		if (d->conn != f->conn || d->pos < strlen(text))
			continue;
		assert_true(seen < ARRAY_SIZE(datagrams));
		assert_int_equal(d->len, datagrams[seen++]);
	}
	assert_int_equal(seen, ARRAY_SIZE(datagrams));
}

static void dns(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *f;

	run(t, "udp", "dns");
	assert_int_equal(trace_count(t, EV_FLOW), 3);
	for (size_t i = 0; i < 3; i++)
		check_flow(flow_at(t, i), EV_SRC_DGRAM, EV_PROTO_DNS);
	f = flow_at(t, 0);
	assert_int_equal(f->addr.rport, 53); /* told by sendto alone */
	assert_memory_equal(f->addr.raddr, "\x7f\0\0\1", 4);
	check_text(t, f, EV_WRITE, "0123456789ab");
	check_text(t, flow_at(t, 1), EV_READ, "0123456789ab");
	connected(t, flow_at(t, 2));
}

static void quic(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *f;

	run(t, "udp", "quic");
	assert_int_equal(trace_count(t, EV_FLOW), 1);
	f = flow_at(t, 0);
	check_flow(f, EV_SRC_DGRAM, EV_PROTO_QUIC);
	assert_int_equal(f->len, 1200);
	assert_memory_equal(f + 1, "\xc3\0\0\0\1\x08\0", 7);
	assert_int_equal(f->addr.rport, 4433);
	assert_int_equal(trace_count(t, EV_DATA), 0);
}

static void look_for_events(void *ctx, const struct probe_feature *f)
{
	if (strcmp(f->name, "sock_send/recv_length") == 0)
		*(bool *)ctx = f->on;
}

/* What kernels before 6.3 show of sendfile is in the group that does without. */
static void needs_events(void)
{
	bool events = false;

	probe_features(look_for_events, &events);
	if (!events)
		skip();
}

static void bytes_by_sendfile(void **state)
{
	struct trace *t = *state;
	const struct ev_flow_end *e;
	size_t len, missing;
	_cleanup_free_ unsigned char *p = NULL;
	__u64 before = moved_by_the_kernel(t);

	needs_events();
	run(t, "sendfile", NULL);
	assert_int_equal(moved_by_the_kernel(t) - before, HOLE);
	check_flow(flow_at(t, 0), EV_SRC_STREAM, EV_PROTO_HTTP1);
	p = content(t, flow_at(t, 0), EV_WRITE, &len, &missing);
	assert_int_equal(missing, HOLE);
	assert_int_equal(len, strlen(GET) + 3);
	assert_memory_equal(p, GET "end", len);
	e = end_of(t, flow_at(t, 0));
	assert_non_null(e);
	assert_int_equal(e->unseen[EV_WRITE], HOLE);
	check_ended(t, flow_at(t, 0), 0, strlen(GET) + HOLE + 3);
}

/* No call that is followed ever touched the socket: it is told at its end, as unknown. */
static void nothing_but_sendfile(void **state)
{
	struct trace *t = *state;
	const struct ev_flow *f = NULL;

	needs_events();
	run(t, "sendfile", "alone");
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	for (size_t i = 0; i < 2; i++)
		if (flow_at(t, i)->fd == -1)
			f = flow_at(t, i);
	assert_non_null(f);
	assert_int_equal(f->proto, EV_PROTO_UNKNOWN);
	assert_int_equal(end_of(t, f)->unseen[EV_WRITE], HOLE);
	check_ended(t, f, 0, HOLE);
}

/* Without the socket tracepoints the hole is known at the end at least. */
static void bytes_by_sendfile_late(void **state)
{
	struct trace *t = *state;
	const struct ev_flow_end *e;

	run(t, "sendfile", NULL);
	e = end_of(t, flow_at(t, 0));
	assert_non_null(e);
	assert_in_range(e->unseen[EV_WRITE], HOLE, HOLE + 2);
}

/* ... and of a socket that nothing else touched, nothing: there is but the one that was read from. */
static void nothing_but_sendfile_unseen(void **state)
{
	struct trace *t = *state;

	run(t, "sendfile", "alone");
	assert_int_equal(trace_count(t, EV_FLOW), 1);
	assert_int_not_equal(flow_at(t, 0)->fd, -1);
}

static void ends(void **state)
{
	static const char *const how[] = { "close", "exit", "dup", "shut" };
	struct trace *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		const struct ev_flow *f;

		run(t, "end", how[i]);
		f = flow_at(t, 0);
		check_flow(f, EV_SRC_STREAM, EV_PROTO_HTTP1);
		check_text(t, f, EV_READ, "HTTP/1.1 204 X\r\n\r\n");
		if (!end_of(t, f))
			fail_msg("no end by %s", how[i]);
		check_ended(t, f, 18, strlen(GET));
		assert_in_range(end_of(t, f)->rtt_ns, 1, 1000000000);
		assert_int_equal(end_of(t, f)->unseen[EV_READ], 0);
		assert_memory_equal(&end_of(t, f)->addr, &f->addr, sizeof(f->addr));
		assert_int_equal(trace_count(t, EV_FLOW), 2);
		assert_int_equal(trace_count(t, EV_FLOW_END), 2);
	}
}

static void descriptors_used_again(void **state)
{
	struct trace *t = *state;

	run(t, "reuse", NULL);
	assert_int_equal(trace_count(t, EV_FLOW), 3);
	assert_int_equal(trace_count(t, EV_FLOW_END), 3);
	for (size_t i = 0; i < 3; i++) {
		check_flow(flow_at(t, i), EV_SRC_STREAM, EV_PROTO_HTTP1);
		check_text(t, flow_at(t, i), EV_WRITE, GET);
		assert_int_equal(flow_at(t, i)->fd, flow_at(t, 0)->fd);
		if (i)
			assert_int_not_equal(flow_at(t, i)->file, flow_at(t, 0)->file);
	}
}

static void a_socket_of_two_processes(void **state)
{
	struct trace *t = *state;

	run(t, "share", NULL);
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	assert_int_equal(flow_at(t, 0)->file, flow_at(t, 1)->file);
	assert_int_not_equal(flow_at(t, 0)->conn, flow_at(t, 1)->conn);
	check_text(t, flow_at(t, 0), EV_WRITE, GET "more");
	check_text(t, flow_at(t, 1), EV_WRITE, GET);
}

/* DATA of a descriptor, in order. */
static const struct ev_data *output_at(const struct trace *t, enum ev_src src, size_t nth)
{
	const struct ev_data *d;

	for (size_t i = 0; (d = trace_rec(t, EV_DATA, t->pid, i)); i++)
		if (d->src == src && !nth--)
			return d;
	return NULL;
}

static void check_output(const struct ev_data *d, __u64 pos, const char *text)
{
	assert_non_null(d);
	assert_int_equal(d->pos, pos);
	assert_int_equal(d->len, strlen(text));
	assert_memory_equal(d + 1, text, d->len);
	assert_int_equal(d->dir, EV_WRITE);
}

static void what_processes_write(void **state)
{
	struct trace *t = *state;
	const struct ev_data *big;

	run(t, "output", NULL);
	check_output(output_at(t, EV_SRC_STDOUT, 0), 0, "one\n");
	check_output(output_at(t, EV_SRC_STDERR, 0), 0, "err\n");
	assert_null(output_at(t, EV_SRC_STDERR, 1));
	big = output_at(t, EV_SRC_STDOUT, 1);
	assert_int_equal(big->pos, 4);
	assert_int_equal(big->len + output_at(t, EV_SRC_STDOUT, 2)->len, 5000);
	/* the budget is spent: told once, and the position knows how much it was */
	assert_int_equal(output_at(t, EV_SRC_STDOUT, 3)->len, 0);
	assert_int_equal(output_at(t, EV_SRC_STDOUT, 3)->missing, 5000);
	check_output(output_at(t, EV_SRC_STDOUT, 4), 10009, "later\n");
	/* what is followed for what it is, is not told twice */
	assert_null(output_at(t, EV_SRC_STDOUT, 5));
	assert_int_equal(trace_count(t, EV_FLOW), 1);
	check_text(t, flow_at(t, 0), EV_WRITE, RPC);
}

static void nobody_asked_for_output(void **state)
{
	struct trace *t = *state;

	run(t, "output", NULL);
	assert_null(output_at(t, EV_SRC_STDOUT, 0));
	assert_null(output_at(t, EV_SRC_STDERR, 0));
}

static int setup_output(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .output_rate = 8000 });
}

static int setup_syscalls(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_syscall_tie = true });
}

static int setup_bounded(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_bounded_loops = true });
}

static int setup_table(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_no_task_storage = true });
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(forms_on_a_unix_socket),
	cmocka_unit_test(forms_on_a_pipe),
	cmocka_unit_test(partial_calls),
	cmocka_unit_test(a_pipe_between_two),
	cmocka_unit_test(a_terminal),
	cmocka_unit_test(input),
	cmocka_unit_test(nobody_asked_for_output),
	cmocka_unit_test(first_bytes),
	cmocka_unit_test(start_of_postgres),
	cmocka_unit_test(start_of_mysql),
	cmocka_unit_test(mysql_becomes_tls),
	cmocka_unit_test(unknown_on_a_pipe),
	cmocka_unit_test(unknown_on_tcp),
	cmocka_unit_test(tls_hello),
	cmocka_unit_test(tls_behind_connect),
	cmocka_unit_test(dns),
	cmocka_unit_test(quic),
	cmocka_unit_test(bytes_by_sendfile),
	cmocka_unit_test(nothing_but_sendfile),
	cmocka_unit_test(ends),
	cmocka_unit_test(descriptors_used_again),
	cmocka_unit_test(a_socket_of_two_processes),
};

static const struct CMUnitTest without_socket_events[] = {
	cmocka_unit_test(forms_on_a_unix_socket),
	cmocka_unit_test(bytes_by_sendfile_late),
	cmocka_unit_test(nothing_but_sendfile_unseen),
	cmocka_unit_test(ends),
};

static const struct CMUnitTest bounded[] = {
	cmocka_unit_test(forms_on_a_unix_socket),
	cmocka_unit_test(forms_on_a_pipe),
	cmocka_unit_test(partial_calls),
	cmocka_unit_test(dns),
};

static const struct CMUnitTest output[] = {
	cmocka_unit_test(what_processes_write),
	cmocka_unit_test(a_pipe_between_two),
};

int main(int argc, char **argv)
{
	int failed;

	if (argc > 1)
		return run_victim(argv[1], argc > 2 ? argv[2] : NULL);
	if (trace_skip())
		return SKIP;
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	failed += cmocka_run_group_tests_name("syscalls", without_socket_events, setup_syscalls,
					      trace_teardown);
	failed += cmocka_run_group_tests_name("output", output, setup_output, trace_teardown);
	failed += cmocka_run_group_tests_name("bounded", bounded, setup_bounded, trace_teardown);
	failed += cmocka_run_group_tests_name("table", bounded, setup_table, trace_teardown);
	return failed;
}
