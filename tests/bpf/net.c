/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of TLS connections however calls cut them, what connections wait for in a backlog, and who
 * breaks them off.
 */
#include "trace.h"
#include "victim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define WAIT_MS 30 /* that a connection is left in a backlog */

static int listener(struct sockaddr_in *sa)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*sa);

	*sa = (struct sockaddr_in){ .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	need(bind(fd, (void *)sa, len) == 0 && listen(fd, 5) == 0);
	need(getsockname(fd, (void *)sa, &len) == 0);
	return fd;
}

static int connects(const struct sockaddr_in *sa)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(connect(fd, (void *)sa, sizeof(*sa)) == 0);
	return fd;
}

/* fd[0] has connected, fd[1] was accepted. */
static void pair(int fd[2])
{
	struct sockaddr_in sa;
	int from = listener(&sa);

	fd[0] = connects(&sa);
	fd[1] = accept(from, NULL, NULL);
	need(fd[1] >= 0);
	close(from);
}

/* --- TLS: what goes over a connection, and what is to be told of it */

struct wire {
	int client; /* who writes it */
	unsigned char type;
	unsigned short size;
	int told; /* payload that is to be told; -1: no record */
};

static const struct wire wire[] = {
	{ 1, 22, 300, -1 }, /* the ClientHello: FLOW has it */
	{ 0, 22, 122, 122 }, { 0, 20, 1, 0 }, { 0, 23, 40, 0 }, { 0, 23, 4000, 0 },
	{ 0, 23, 16640, 0 }, { 1, 20, 1, 0 }, { 1, 23, 69, 0 }, /* Finished */
	{ 1, 23, 500, -1 },                                     /* what follows is not looked at */
	{ 0, 21, 26, -1 },
};

/* An alert that has a name, and a message of which only the beginning is told. */
static const struct wire refused[] = {
	{ 1, 22, 900, -1 },
	{ 0, 21, 2, 2 },
	{ 0, 22, 3000, 256 },
	{ 1, 21, 2, 2 },
};

static size_t put_record(unsigned char *p, const struct wire *w)
{
	memset(p, 'x', 5 + w->size);
	memcpy(p, (unsigned char[]){ w->type, 3, 3, w->size >> 8, w->size }, 5);
	if (w->type == 22) /* a hello, by its first byte */
		p[5] = w->client ? 1 : 2;
	return 5 + w->size;
}

static void write_all(int fd, unsigned char *p, size_t n, const char *how)
{
	size_t piece = strcmp(how, "bytes") == 0 ? 1 : n;
	struct iovec v[8];

	if (strcmp(how, "vectors") == 0) {
		for (size_t i = 0; i < 8; i++)
			v[i] = (struct iovec){ p + n * i / 8, n * (i + 1) / 8 - n * i / 8 };
		need(writev(fd, v, 8) == (ssize_t)n);
		return;
	}
	for (size_t at = 0; at < n; at += piece)
		need(write(fd, p + at, piece) == (ssize_t)piece);
}

static void read_all(int fd, size_t n, const char *how, bool head)
{
	static unsigned char p[1 << 16];
	size_t most = strcmp(how, "bytes") == 0 ? 1 : sizeof(p);

	while (n) {
		size_t want = strcmp(how, "headers") == 0 && head ? 5 : n < most ? n : most;
		struct iovec v[] = { { p, want / 3 }, { p + want / 3, want - want / 3 } };
		ssize_t got = strcmp(how, "vectors") == 0 ? readv(fd, v, 2) : read(fd, p, want);

		need(got > 0);
		n -= got;
		head = false;
	}
}

/* Records of one side that follow each other are one call where a call is to have many. */
static void victim_tls(const char *how, const struct wire *w, size_t cnt)
{
	static unsigned char p[1 << 16];
	bool many = strcmp(how, "whole") == 0 || strcmp(how, "vectors") == 0;
	int fd[2];

	pair(fd);
	for (size_t i = 0, next; i < cnt; i = next) {
		int from = fd[!w[i].client], to = fd[w[i].client];
		size_t n = 0;

		next = i;
		do
			n += put_record(p + n, &w[next++]);
		while (many && next < cnt && w[next].client == w[i].client);
		write_all(from, p, n, how);
		read_all(to, n, how, true);
	}
	close(fd[0]);
	close(fd[1]);
}

/* --- backlogs and resets */

static void victim_backlog(void)
{
	struct sockaddr_in sa;
	int from = listener(&sa), to[2];

	to[0] = connects(&sa);
	to[1] = connects(&sa);
	usleep(WAIT_MS * 1000);
	need(accept(from, NULL, NULL) >= 0);
	need(accept4(from, NULL, NULL, SOCK_CLOEXEC) >= 0);
	close(to[0]);
	close(to[1]);
}

/* The server waits first. */
static void victim_idle(void)
{
	struct sockaddr_in sa;
	int from = listener(&sa);
	pid_t child = fork();

	need(child >= 0);
	if (!child) {
		usleep(WAIT_MS * 1000);
		connects(&sa);
		_exit(0);
	}
	need(accept(from, NULL, NULL) >= 0);
	need(waitpid(child, NULL, 0) == child);
}

static void victim_reset(const char *how)
{
	struct linger now = { .l_onoff = 1 };
	char byte = 0;
	int fd[2];

	pair(fd);
	/* both are seen to carry something */
	need(write(fd[0], "ab", 2) == 2 && read(fd[1], &byte, 1) == 1);
	if (strcmp(how, "unread") != 0)
		need(read(fd[1], &byte, 1) == 1);
	if (strcmp(how, "linger") == 0)
		need(setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
	close(fd[1]);
	need((read(fd[0], &byte, 1) < 0) == (strcmp(how, "closed") != 0));
	close(fd[0]);
}

static int run_victim(const char *name, const char *arg)
{
	if (strcmp(name, "tls") == 0)
		victim_tls(arg, wire, sizeof(wire) / sizeof(wire[0]));
	else if (strcmp(name, "refused") == 0)
		victim_tls(arg, refused, sizeof(refused) / sizeof(refused[0]));
	else if (strcmp(name, "backlog") == 0)
		victim_backlog();
	else if (strcmp(name, "idle") == 0)
		victim_idle();
	else if (strcmp(name, "reset") == 0)
		victim_reset(arg);
	else
		return 99;
	return 0;
}

/* --- tests */

static void run(struct trace *t, const char *name, const char *arg)
{
	struct ev_stats s;

	trace_clear(t);
	trace_victim(t, name, arg);
	assert_int_equal(t->status, 0);
	assert_int_equal(probe_stats(t->p, &s), 0);
	assert_int_equal(s.lost_ring + s.lost_map + s.lost_fault_bytes, 0);
}

/* What one of the two ends tells: that which the client has, or the other. */
static void end_tells(const struct trace *t, bool client, const struct wire *w, size_t cnt)
{
	const struct ev_flow *f = trace_rec(t, EV_FLOW, 0, client ? 0 : 1);
	const struct ev_tls *e;
	size_t seen = 0;

	assert_non_null(f);
	assert_int_equal(f->proto, EV_PROTO_TLS);
	for (size_t i = 0; (e = trace_rec(t, EV_TLS, 0, i)); i++) {
		if (e->conn != f->conn)
			continue;
		while (seen < cnt && w[seen].told < 0)
			seen++;
		assert_true(seen < cnt);
		assert_int_equal(e->file, f->file);
		assert_int_equal(e->type, w[seen].type);
		assert_int_equal(e->size, w[seen].size);
		assert_int_equal(e->version, 0x0303);
		assert_int_equal(e->client, w[seen].client);
		assert_int_equal(e->dir, w[seen].client == client ? EV_WRITE : EV_READ);
		assert_in_range(e->len, w[seen].told ? 1 : 0, w[seen].told);
		assert_true(e->enter_ts <= e->hdr.ts);
		for (unsigned int b = 0; b < e->len; b++)
			assert_int_equal(((const unsigned char *)(e + 1))[b],
					 e->type == 22 && !b ? 2 : 'x');
		seen++;
	}
	while (seen < cnt && w[seen].told < 0)
		seen++;
	assert_int_equal(seen, cnt);
}

static void tls(struct trace *t, const char *name, const char *how, const struct wire *w,
		size_t cnt)
{
	run(t, name, how);
	assert_int_equal(trace_count(t, EV_FLOW), 2);
	end_tells(t, true, w, cnt);
	end_tells(t, false, w, cnt);
	assert_int_equal(trace_count(t, EV_DATA), 0);
}

#define TLS(t, name, how, w) tls(t, name, how, w, sizeof(w) / sizeof((w)[0]))

static void tls_records(void **state)
{
	TLS(*state, "tls", "each", wire);
	TLS(*state, "tls", "whole", wire);
	TLS(*state, "tls", "headers", wire);
	TLS(*state, "tls", "vectors", wire);
}

static void tls_byte_by_byte(void **state)
{
	TLS(*state, "tls", "bytes", wire);
}

static void tls_alerts(void **state)
{
	TLS(*state, "refused", "each", refused);
	TLS(*state, "refused", "headers", refused);
	assert_int_equal(((const struct ev_tls *)trace_rec(*state, EV_TLS, 0, 0))->len, 2);
}

/* Kernels without bpf_loop follow fewer records of one call: none is told wrongly, the rest not at all. */
static void tls_bounded(void **state)
{
	TLS(*state, "tls", "each", wire);
	TLS(*state, "tls", "headers", wire);
	run(*state, "tls", "whole");
}

static void waits_in_the_backlog(void **state)
{
	const struct ev_accept *a, *b;

	run(*state, "backlog", NULL);
	assert_int_equal(trace_count(*state, EV_ACCEPT), 2);
	a = trace_rec(*state, EV_ACCEPT, 0, 0);
	b = trace_rec(*state, EV_ACCEPT, 0, 1);
	assert_true(a->established_ts > 0 && a->established_ts < b->established_ts);
	assert_true(a->hdr.ts - a->established_ts >= WAIT_MS * 1000000ull);
	assert_true(a->enter_ts <= a->hdr.ts && a->hdr.ts <= b->enter_ts);
	assert_int_equal(a->backlog, 1); /* the other one */
	assert_int_equal(b->backlog, 0);
	assert_int_equal(a->backlog_max, 5);
	assert_int_equal(a->drops, 0);
	assert_true(a->sock && b->sock && a->sock != b->sock);
	assert_int_equal(a->addr.family, AF_INET);
	assert_int_equal(a->addr.lport, b->addr.lport);
	assert_true(a->addr.rport && a->addr.rport != b->addr.rport);
}

/* What was waited for is the connection: it did not wait for the server. */
static void waits_for_a_connection(void **state)
{
	const struct ev_accept *a;

	run(*state, "idle", NULL);
	a = trace_rec(*state, EV_ACCEPT, 0, 0);
	assert_non_null(a);
	assert_true(a->established_ts > a->enter_ts);
	assert_true(a->established_ts <= a->hdr.ts);
}

/* Who was told of to break off the connection: P(eer), S(elf), in the order of the ends. */
static void resets_are(struct trace *t, const char *how, const char *accepted,
		       const char *connected)
{
	const struct ev_flow *f[2];
	const struct ev_reset *r;
	char got[2][4] = { "", "" };
	const struct ev_accept *a;

	run(t, "reset", how);
	a = trace_rec(t, EV_ACCEPT, 0, 0);
	f[0] = trace_rec(t, EV_FLOW, 0, 0);
	f[1] = trace_rec(t, EV_FLOW, 0, 1);
	assert_true(a && f[0] && f[1]);
	assert_int_equal(trace_count(t, EV_FLOW_END), trace_count(t, EV_FLOW));
	for (size_t i = 0; (r = trace_rec(t, EV_RESET, t->pid, i)); i++) {
		bool other = r->file != a->sock;

		assert_true(strlen(got[other]) < 3);
		strcat(got[other], r->by == EV_RESET_PEER ? "P" : "S");
		assert_true(r->conn == f[0]->conn || r->conn == f[1]->conn);
		assert_int_equal(r->addr.family, AF_INET);
	}
	assert_string_equal(got[0], accepted);
	assert_string_equal(got[1], connected);
}

static void resets(void **state)
{
	resets_are(*state, "closed", "", "");
	resets_are(*state, "unread", "S", "P");
	resets_are(*state, "linger", "S", "P");
}

static int setup_bounded(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_bounded_loops = true });
}

static int setup_syscalls(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_syscall_tie = true });
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tls_records),
	cmocka_unit_test(tls_byte_by_byte),
	cmocka_unit_test(tls_alerts),
	cmocka_unit_test(waits_in_the_backlog),
	cmocka_unit_test(waits_for_a_connection),
	cmocka_unit_test(resets),
};

static const struct CMUnitTest bounded[] = {
	cmocka_unit_test(tls_bounded),
};

static const struct CMUnitTest without_socket_events[] = {
	cmocka_unit_test(tls_records),
	cmocka_unit_test(resets),
};

int main(int argc, char **argv)
{
	int failed;

	if (argc > 1)
		return run_victim(argv[1], argc > 2 ? argv[2] : NULL);
	if (trace_skip())
		return SKIP;
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	failed += cmocka_run_group_tests_name("bounded", bounded, setup_bounded, trace_teardown);
	failed += cmocka_run_group_tests_name("syscalls", without_socket_events, setup_syscalls,
					      trace_teardown);
	return failed;
}
