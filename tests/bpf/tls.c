/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS plaintext end to end: a client and a server in one victim, over loopback, with libssl loaded by
 * dlopen.  Every byte, every position, the addresses of both ends, in each way of attaching.
 */
#include "libssl.h"
#include "trace.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include "state.bpf.h"

#define CIPHER "AECDH-AES256-SHA:@SECLEVEL=0" /* needs no certificate */
#define TLS1_2 0x0303
#define CB_HANDSHAKE_DONE 0x20
#define CTRL_MAX_PROTO 124
#define TOTAL (5 + 300 + 40003 + 16384 + 1 + 200000)

static const size_t pieces[] = { 5, 300, 40003, 16384, 1, 200000 };

/* --- the victim */

/*	result, name, arguments */
#define API(X)                                                                     \
	X(const void *, TLS_client_method, (void))                                 \
	X(const void *, TLS_server_method, (void))                                 \
	X(void *, SSL_CTX_new, (const void *))                                     \
	X(long, SSL_CTX_ctrl, (void *, int, long, void *))                         \
	X(int, SSL_CTX_set_cipher_list, (void *, const char *))                    \
	X(void, SSL_CTX_free, (void *))                                            \
	X(void *, SSL_new, (void *))                                               \
	X(int, SSL_set_fd, (void *, int))                                          \
	X(void, SSL_set_bio, (void *, void *, void *))                             \
	X(void, SSL_set_connect_state, (void *))                                   \
	X(void, SSL_set_accept_state, (void *))                                    \
	X(void, SSL_set_info_callback, (void *, void (*)(const void *, int, int))) \
	X(int, SSL_do_handshake, (void *))                                         \
	X(int, SSL_read, (void *, void *, int))                                    \
	X(int, SSL_write, (void *, const void *, int))                             \
	X(int, SSL_read_ex, (void *, void *, size_t, size_t *))                    \
	X(int, SSL_write_ex, (void *, const void *, size_t, size_t *))             \
	X(void, SSL_free, (void *))                                                \
	X(const void *, BIO_s_mem, (void))                                         \
	X(void *, BIO_new, (const void *))                                         \
	X(int, BIO_read, (void *, void *, int))                                    \
	X(int, BIO_write, (void *, const void *, int))

static struct {
#define X(type, name, args) type(*name) args;
	API(X)
#undef X
} api;

struct side {
	void *ssl;
	int fd;
	bool client, ex;
	bool leave;     /* the object is never freed */
	void *in, *out; /* memory BIOs, or NULL */
};

static unsigned char byte_at(bool from_client, size_t pos)
{
	return (unsigned char)(from_client ? pos * 7 + 3 + pos / 251 : pos * 13 + 1 + pos / 241);
}

static void flush(struct side *s)
{
	char buf[20000];
	int n;

	while (s->out && (n = api.BIO_read(s->out, buf, sizeof(buf))) > 0)
		if (send(s->fd, buf, n, 0) != n)
			_exit(10);
}

static void fill(struct side *s)
{
	char buf[20000];
	ssize_t n = recv(s->fd, buf, sizeof(buf), 0);

	if (n <= 0 || api.BIO_write(s->in, buf, (int)n) != n)
		_exit(11);
}

/* As node does: the handshake is driven by SSL_read, and in its callback anything may be sent. */
static int aside = -1; /* another socket */
static bool handshake_done;

static void on_info(const void *ssl, int where, int ret)
{
	(void)ssl;
	(void)ret;
	if (!(where & CB_HANDSHAKE_DONE))
		return;
	handshake_done = true;
	if (send(aside, "x", 1, 0) != 1)
		_exit(21);
}

static void handshake_by_read(struct side *s)
{
	char byte;

	api.SSL_set_info_callback(s->ssl, on_info);
	while (!handshake_done) {
		if (api.SSL_read(s->ssl, &byte, 1) > 0)
			_exit(22);
		flush(s);
		if (!handshake_done)
			fill(s);
	}
}

static void handshake(struct side *s)
{
	int err = 0;

	while (err != 1) {
		err = api.SSL_do_handshake(s->ssl);
		flush(s);
		if (err != 1 && !s->in)
			_exit(12);
		if (err != 1)
			fill(s);
	}
}

static void put(struct side *s, const unsigned char *p, size_t n)
{
	size_t done = 0;

	if (s->ex && (api.SSL_write_ex(s->ssl, p, n, &done) != 1 || done != n))
		_exit(13);
	if (!s->ex && api.SSL_write(s->ssl, p, (int)n) != (int)n)
		_exit(14);
	flush(s);
}

/* 0 when the other side has to send first. */
static size_t get(struct side *s, unsigned char *p, size_t size)
{
	size_t n = 0;
	int ret;

	if (s->ex)
		return api.SSL_read_ex(s->ssl, p, size, &n) == 1 ? n : 0;
	ret = api.SSL_read(s->ssl, p, (int)size);
	return ret > 0 ? ret : 0;
}

static void put_all(struct side *s)
{
	static unsigned char both[2][TOTAL];
	unsigned char *p = both[s->client];
	size_t pos = 0;

	for (size_t i = 0; i < TOTAL; i++)
		p[i] = byte_at(s->client, i);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		put(s, p + pos, pieces[i]);
		pos += pieces[i];
	}
}

static void get_all(struct side *s)
{
	unsigned char buf[30000];
	size_t pos = 0;

	while (pos < TOTAL) {
		size_t n = get(s, buf, sizeof(buf));

		for (size_t i = 0; i < n; i++)
			if (buf[i] != byte_at(!s->client, pos + i))
				_exit(15);
		if (!n && !s->in)
			_exit(16);
		if (!n)
			fill(s);
		pos += n;
	}
}

static void *talk(void *arg)
{
	struct side *s = arg;

	if (s->client && aside >= 0)
		handshake_by_read(s);
	else
		handshake(s);
	if (s->client)
		put_all(s);
	get_all(s);
	if (!s->client)
		put_all(s);
	if (!s->leave)
		api.SSL_free(s->ssl);
	return NULL;
}

static void *context(const void *method)
{
	void *ctx = api.SSL_CTX_new(method);

	api.SSL_CTX_ctrl(ctx, CTRL_MAX_PROTO, TLS1_2, NULL);
	if (api.SSL_CTX_set_cipher_list(ctx, CIPHER) != 1)
		_exit(17);
	return ctx;
}

static void side_init(struct side *s, const void *method, const char *mode)
{
	void *ctx = context(method);

	s->ex = strcmp(mode, "ex") == 0;
	s->leave = strcmp(mode, "leave") == 0 || strcmp(mode, "unfreed") == 0;
	s->ssl = api.SSL_new(ctx);
	api.SSL_CTX_free(ctx); /* the object keeps it */
	if (s->client && (strcmp(mode, "memory") == 0 || strcmp(mode, "callback") == 0 ||
			  strcmp(mode, "unfreed") == 0)) {
		s->in = api.BIO_new(api.BIO_s_mem());
		s->out = api.BIO_new(api.BIO_s_mem());
		api.SSL_set_bio(s->ssl, s->in, s->out);
	} else {
		api.SSL_set_fd(s->ssl, s->fd);
	}
	if (s->client)
		api.SSL_set_connect_state(s->ssl);
	else
		api.SSL_set_accept_state(s->ssl);
}

static void one_connection(const char *mode)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct side client = { .client = true }, server = { 0 };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t other;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sa, len) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    connect(client.fd, (struct sockaddr *)&sa, len))
		_exit(18);
	server.fd = accept(fd, NULL, NULL);
	if (strcmp(mode, "callback") == 0) {
		aside = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(aside, (struct sockaddr *)&sa, len))
			_exit(23);
	}
	side_init(&client, api.TLS_client_method(), mode);
	side_init(&server, api.TLS_server_method(), mode);
	pthread_create(&other, NULL, talk, &server);
	talk(&client);
	pthread_join(other, NULL);
	if (strcmp(mode, "leave") == 0)
		return;
	close(server.fd);
	close(client.fd);
	close(fd);
}

/* A mode that is a path: that library, and time for its probes. */
static int run_victim(const char *mode)
{
	void *lib = dlopen(*mode == '/' ? mode : LIBSSL, RTLD_NOW);

	if (!lib)
		return 19;
#define X(type, name, args)                      \
	*(void **)&api.name = dlsym(lib, #name); \
	if (!api.name)                           \
		return 20;
	API(X)
#undef X
	signal(SIGPIPE, SIG_IGN);
	alarm(15); /* a deadlock ends the test */
	if (*mode == '/')
		usleep(300000);
	one_connection(mode);
	if (strcmp(mode, "twice") == 0)
		one_connection(mode);
	return 0;
}

/* --- the test */

struct conn {
	__u64 id, pos[2];
	const struct ev_sock *sock;
	bool client, closed;
};

struct conns {
	struct conn of[8];
	size_t cnt;
};

static struct conn *conn_of(struct conns *cs, __u64 id)
{
	for (size_t i = 0; i < cs->cnt; i++)
		if (cs->of[i].id == id)
			return &cs->of[i];
	assert_true(cs->cnt < ARRAY_SIZE(cs->of));
	cs->of[cs->cnt].id = id;
	return &cs->of[cs->cnt++];
}

static void check_data(struct conn *c, const struct ev_data *d)
{
	const unsigned char *p = (const unsigned char *)(d + 1);

	if (!c->pos[0] && !c->pos[1])
		c->client = d->dir == EV_WRITE;
	assert_false(c->closed);
	assert_int_equal(d->pos, c->pos[d->dir]);
	assert_int_equal(d->missing, 0);
	assert_int_equal(d->hdr.flags, 0);
	assert_true(d->enter_ts && d->enter_ts <= d->hdr.ts);
	for (size_t i = 0; i < d->len; i++)
		assert_int_equal(p[i], byte_at(c->client == (d->dir == EV_WRITE), d->pos + i));
	c->pos[d->dir] += d->len;
}

static void collect(const struct trace *t, struct conns *cs)
{
	for (size_t i = 0; i < t->cnt; i++) {
		const struct ev_hdr *h = t->recs[i];

		assert_int_equal(h->lost, 0);
		if (h->kind == EV_DATA)
			check_data(conn_of(cs, ((const struct ev_data *)h)->conn), (const void *)h);
		else if (h->kind == EV_SOCK)
			conn_of(cs, ((const struct ev_sock *)h)->conn)->sock = (const void *)h;
		else if (h->kind == EV_CLOSE)
			conn_of(cs, ((const struct ev_close *)h)->conn)->closed = true;
	}
}

static const struct conn *side_of(const struct conns *cs, bool client, size_t nth)
{
	for (size_t i = 0; i < cs->cnt; i++)
		if (cs->of[i].client == client && nth-- == 0)
			return &cs->of[i];
	return NULL;
}

static void check_pair(const struct conns *cs, size_t nth, bool nested)
{
	const struct conn *c = side_of(cs, true, nth), *s = side_of(cs, false, nth);

	assert_true(c && s);
	assert_int_equal(c->pos[EV_WRITE], TOTAL);
	assert_int_equal(c->pos[EV_READ], TOTAL);
	assert_int_equal(s->pos[EV_WRITE], TOTAL);
	assert_int_equal(s->pos[EV_READ], TOTAL);
	assert_true(c->closed && s->closed);
	assert_true(c->sock && s->sock);
	assert_int_equal(s->sock->how, EV_LINK_NESTED);
	if (nested)
		assert_int_equal(c->sock->how, EV_LINK_NESTED);
	else
		assert_int_not_equal(c->sock->how, EV_LINK_NESTED);
	assert_int_equal(c->sock->addr.family, AF_INET);
	assert_memory_equal(c->sock->addr.laddr, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(c->sock->addr.raddr, s->sock->addr.laddr, 16);
	assert_int_equal(c->sock->addr.lport, s->sock->addr.rport);
	assert_int_equal(c->sock->addr.rport, s->sock->addr.lport);
	assert_int_not_equal(c->sock->sock, s->sock->sock);
}

/* What went over the wire inside TLS calls is counted: the kernel's own numbers have nothing to add. */
static void check_wire(const struct trace *t, size_t pairs)
{
	const struct ev_flow_end *e;
	size_t cnt = 0;

	for (size_t i = 0; (e = trace_rec(t, EV_FLOW_END, 0, i)); i++) {
		if (e->addr.family != AF_INET)
			continue;
		assert_int_equal(e->unseen[EV_READ], 0);
		assert_int_equal(e->unseen[EV_WRITE], 0);
		cnt += e->bytes[EV_READ] > TOTAL && e->bytes[EV_WRITE] > TOTAL;
	}
	assert_int_equal(cnt, 2 * pairs);
}

/* Those that the kernel side has made; counts of system calls it only keeps. */
static size_t kernel_records(const struct trace *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->cnt; i++)
		n += t->recs[i]->kind < EV_FACT && t->recs[i]->kind != EV_SYSCALLS;
	return n;
}

static void trace_mode(struct trace *t, const char *mode, size_t pairs)
{
	struct conns cs = { 0 };
	struct ev_stats before, after;
	const struct ev_connect *attempt;

	trace_clear(t);
	assert_int_equal(probe_stats(t->p, &before), 0);
	trace_victim(t, "tls", mode);
	assert_int_equal(t->status, 0);
	collect(t, &cs);
	assert_int_equal(cs.cnt, 2 * pairs);
	for (size_t i = 0; i < pairs; i++)
		check_pair(&cs, i, strcmp(mode, "memory") != 0 && strcmp(mode, "callback") != 0);
	assert_int_equal(trace_count(t, EV_CLOSE), 2 * pairs);
	assert_int_equal(trace_count(t, EV_SOCK), 2 * pairs);
	check_wire(t, pairs);
	attempt = trace_rec(t, EV_CONNECT, t->pid, 0);
	assert_non_null(attempt);
	assert_int_equal(attempt->sock, side_of(&cs, true, 0)->sock->sock);
	assert_int_equal(probe_stats(t->p, &after), 0);
	assert_int_equal(after.data_bytes - before.data_bytes, pairs * 4 * TOTAL);
	assert_int_equal(after.lost_ring + after.lost_map + after.lost_fault_bytes, 0);
	assert_int_equal(after.produced - before.produced, kernel_records(t));
}

static void plain_calls(void **state)
{
	trace_mode(*state, "plain", 1);
}

static void ex_calls(void **state)
{
	trace_mode(*state, "ex", 1);
}

static void memory_buffers(void **state)
{
	trace_mode(*state, "memory", 1);
}

static void a_send_in_a_callback(void **state)
{
	trace_mode(*state, "callback", 1);
}

/* The second pair usually gets the addresses of the first pair's objects. */
static void a_freed_object_ends_its_stream(void **state)
{
	trace_mode(*state, "twice", 2);
}

static bool is_of(const char *map, const void *key, pid_t pid)
{
	if (strcmp(map, "conns") == 0 || strcmp(map, "flows") == 0)
		return ((const struct conn_key *)key)->tgid == (__u32)pid;
	if (strcmp(map, "threads") == 0)
		return *(const __u64 *)key >> 32 == (__u64)pid;
	return strcmp(map, "traced") == 0 && *(const __u32 *)key == (__u32)pid;
}

/* Entries about a process in all maps of all tracers that run; seen: maps that were looked into. */
static size_t entries_of(pid_t pid, size_t *seen)
{
	size_t cnt = 0;
	__u32 id = 0;

	*seen = 0;
	while (bpf_map_get_next_id(id, &id) == 0) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
		struct bpf_map_info info = { 0 };
		__u32 len = sizeof(info);
		unsigned char key[64];
		bool more;

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.key_size > 64)
			continue;
		if (strcmp(info.name, "conns") != 0 && strcmp(info.name, "flows") != 0 &&
		    strcmp(info.name, "threads") != 0 && strcmp(info.name, "traced") != 0)
			continue;
		(*seen)++;
		more = bpf_map_get_next_key(fd, NULL, key) == 0;
		for (; more; more = bpf_map_get_next_key(fd, key, key) == 0)
			cnt += is_of(info.name, key, pid);
	}
	return cnt;
}

/* maps: of a tracer that are looked into, at least. */
static void nothing_is_kept(struct trace *t, size_t maps)
{
	uint64_t end = now_ns() + 3000000000ull;
	size_t seen;

	trace_clear(t);
	trace_victim(t, "tls", "leave");
	assert_int_equal(t->status, 0);
	assert_int_equal(trace_count(t, EV_SOCK), 2);
	assert_int_equal(trace_count(t, EV_CLOSE), 0);
	while (entries_of(t->pid, &seen) && now_ns() < end)
		trace_poll(t);
	assert_int_equal(entries_of(t->pid, &seen), 0);
	assert_true(seen >= maps);
}

static void nothing_is_kept_of_the_dead(void **state)
{
	nothing_is_kept(*state, 3);
}

static void nor_of_their_threads(void **state)
{
	nothing_is_kept(*state, 4);
}

/* As with a library whose free function is not known: the sockets' ends are the objects'. */
static void an_object_ends_with_its_socket(void **state)
{
	struct trace *t = *state;
	struct conns cs = { 0 };

	trace_clear(t);
	trace_victim(t, "tls", "unfreed");
	assert_int_equal(t->status, 0);
	collect(t, &cs);
	assert_int_equal(cs.cnt, 2);
	check_pair(&cs, 0, false);
	assert_int_equal(trace_count(t, EV_CLOSE), 2);
}

static void a_library_loaded_later(void **state)
{
	struct trace *t = *state;
	const struct ev_hooked *h = NULL;
	char path[64];

	close(libssl_copy(path, sizeof(path)));
	trace_mode(t, path, 1);
	for (size_t i = 0; !h && trace_rec(t, EV_HOOKED, 0, i); i++) {
		h = trace_rec(t, EV_HOOKED, 0, i);
		if (h->len != strlen(path) || memcmp(h + 1, path, h->len) != 0)
			h = NULL;
	}
	unlink(path);
	assert_non_null(h);
	assert_int_equal(h->hooks, 9);
	assert_int_equal(h->src, EV_SRC_OPENSSL);
}

static int setup_perf(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_perf_uprobes = true });
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
	cmocka_unit_test(a_library_loaded_later),
	cmocka_unit_test(nothing_is_kept_of_the_dead),
	cmocka_unit_test(an_object_ends_with_its_socket),
	cmocka_unit_test(plain_calls),
	cmocka_unit_test(ex_calls),
	cmocka_unit_test(memory_buffers),
	cmocka_unit_test(a_send_in_a_callback),
	cmocka_unit_test(a_freed_object_ends_its_stream),
};

/* Threads in a table: only there something could be left of them. */
static const struct CMUnitTest table[] = {
	cmocka_unit_test(nor_of_their_threads),
	cmocka_unit_test(plain_calls),
	cmocka_unit_test(ex_calls),
	cmocka_unit_test(memory_buffers),
	cmocka_unit_test(a_send_in_a_callback),
};

int main(int argc, char **argv)
{
	int failed;

	if (argc > 2)
		_exit(run_victim(argv[2])); /* OpenSSL's leaks are not ours */
	if (trace_skip())
		return SKIP;
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	failed += cmocka_run_group_tests_name("perf", tests, setup_perf, trace_teardown);
	failed += cmocka_run_group_tests_name("syscalls", tests, setup_syscalls, trace_teardown);
	failed += cmocka_run_group_tests_name("bounded", tests, setup_bounded, trace_teardown);
	failed += cmocka_run_group_tests_name("table", table, setup_table, trace_teardown);
	return failed;
}
