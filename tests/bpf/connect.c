/* SPDX-License-Identifier: BSD-2-Clause */
/* connect(2): its result, its addresses and its time, whether the call waits or not. */
#include "trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

struct target {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static struct target target(const char *addr, unsigned short port)
{
	struct target t = { 0 };

	if (strchr(addr, ':')) {
		t.v6.sin6_family = AF_INET6;
		t.v6.sin6_port = htons(port);
		inet_pton(AF_INET6, addr, &t.v6.sin6_addr);
		t.len = sizeof(t.v6);
	} else {
		t.v4.sin_family = AF_INET;
		t.v4.sin_port = htons(port);
		inet_pton(AF_INET, addr, &t.v4.sin_addr);
		t.len = sizeof(t.v4);
	}
	return t;
}

/* "addr port [async|abandon]" */
static int victim_connect(const char *spec)
{
	char addr[64], mode[16] = "";
	unsigned short port;
	struct target t;
	struct pollfd p;

	if (sscanf(spec, "%63s %hu %15s", addr, &port, mode) < 2)
		return 99;
	t = target(addr, port);
	p = (struct pollfd){ .fd = socket(t.sa.sa_family, SOCK_STREAM, 0), .events = POLLOUT };
	if (*mode)
		fcntl(p.fd, F_SETFL, O_NONBLOCK);
	if (connect(p.fd, &t.sa, t.len) == 0 || errno != EINPROGRESS)
		return 0;
	if (strcmp(mode, "abandon") == 0) {
		usleep(20000);
		close(p.fd);
		return 0;
	}
	poll(&p, 1, 5000);
	connect(p.fd, &t.sa, t.len); /* asks for the result: no second attempt */
	return 0;
}

static int victim_unix(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "/nonexistent" };
	struct target udp = target("127.0.0.1", 9);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	return connect(socket(AF_INET, SOCK_DGRAM, 0), &udp.sa, udp.len);
}

static int listener(const char *addr, unsigned short *port)
{
	struct target t = target(addr, 0);
	int fd = socket(t.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, &t.sa, t.len) || listen(fd, 1) || getsockname(fd, &t.sa, &t.len)) {
		close(fd);
		return -1;
	}
	*port = ntohs(t.sa.sa_family == AF_INET ? t.v4.sin_port : t.v6.sin6_port);
	return fd;
}

static const struct ev_connect *attempt(struct trace *t, const char *addr, unsigned short port,
					const char *mode)
{
	char spec[96];

	snprintf(spec, sizeof(spec), "%s %u %s", addr, port, mode);
	trace_clear(t);
	trace_victim(t, "connect", spec);
	assert_int_equal(trace_count(t, EV_CONNECT), 1);
	return trace_rec(t, EV_CONNECT, t->pid, 0);
}

static void check(const struct ev_connect *c, const char *addr, unsigned short port, int err)
{
	unsigned char raw[16] = { 0 };

	assert_non_null(c);
	assert_int_equal(c->err, err);
	assert_int_equal(c->addr.rport, port);
	inet_pton(c->addr.family, addr, raw);
	assert_memory_equal(c->addr.raddr, raw, sizeof(raw));
	assert_true(c->enter_ts < c->hdr.ts);
	assert_in_range(c->hdr.ts - c->enter_ts, 1, 5000000000ull);
	if (!err) {
		assert_true(c->addr.lport != 0);
		assert_memory_equal(c->addr.laddr, raw, sizeof(raw));
		assert_true(c->sock != 0);
	}
}

static void waits_and_succeeds(void **state)
{
	unsigned short port;
	int fd = listener("127.0.0.1", &port);

	check(attempt(*state, "127.0.0.1", port, ""), "127.0.0.1", port, 0);
	close(fd);
}

static void succeeds_later(void **state)
{
	unsigned short port;
	int fd = listener("127.0.0.1", &port);

	check(attempt(*state, "127.0.0.1", port, "async"), "127.0.0.1", port, 0);
	close(fd);
}

static void refused(void **state)
{
	unsigned short port;

	close(listener("127.0.0.1", &port));
	check(attempt(*state, "127.0.0.1", port, ""), "127.0.0.1", port, -ECONNREFUSED);
	check(attempt(*state, "127.0.0.1", port, "async"), "127.0.0.1", port, -ECONNREFUSED);
}

static void ipv6(void **state)
{
	unsigned short port;
	int fd = listener("::1", &port);
	const struct ev_connect *c;

	if (fd < 0)
		skip();
	c = attempt(*state, "::1", port, "async");
	assert_int_equal(c->addr.family, AF_INET6);
	check(c, "::1", port, 0);
	close(fd);
}

static void mapped_ipv4(void **state)
{
	unsigned short port;
	int fd = listener("127.0.0.1", &port);
	const struct ev_connect *c = attempt(*state, "::ffff:127.0.0.1", port, "");

	assert_int_equal(c->addr.family, AF_INET);
	check(c, "127.0.0.1", port, 0);
	close(fd);
}

/* A full backlog on loopback: the SYN gets no answer. */
static void abandoned(void **state)
{
	unsigned short port;
	int fd = listener("127.0.0.1", &port), fill[8];
	struct target to = target("127.0.0.1", port);

	for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fill[i], &to.sa, to.len);
	}
	usleep(10000);
	check(attempt(*state, "127.0.0.1", port, "abandon"), "127.0.0.1", port, -ECANCELED);
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++)
		close(fill[i]);
	close(fd);
}

static void only_tcp(void **state)
{
	struct trace *t = *state;

	trace_clear(t);
	trace_victim(t, "unix", NULL);
	assert_int_equal(trace_count(t, EV_CONNECT), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_and_succeeds),
		cmocka_unit_test(succeeds_later),
		cmocka_unit_test(refused),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(mapped_ipv4),
		cmocka_unit_test(abandoned),
		cmocka_unit_test(only_tcp),
	};

	if (argc > 2 && strcmp(argv[1], "connect") == 0)
		return victim_connect(argv[2]);
	if (argc > 1)
		return victim_unix();
	return trace_skip() ? SKIP : cmocka_run_group_tests(tests, trace_setup, trace_teardown);
}
