/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GnuTLS: what was written once is told once, however it was queued.  Client and server are in one
 * victim, which loads the library by dlopen, and talk through memory that can be full.
 */
#include "streams.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/mman.h>

#define LIBGNUTLS "libgnutls.so.30"
#define SERVER (1 << 0)
#define CLIENT (1 << 1)
#define NONBLOCK (1 << 3)
#define EARLY_DATA (1 << 20)
#define CRD_ANON 2
#define CRD_PSK 4
#define PSK_RAW 0
#define E_AGAIN -28
#define RECORD_WAIT 1
#define LONG 40000
#define RECORD 16384

/* --- the victim */

typedef ssize_t push_fn(void *, const void *, size_t);
typedef ssize_t pull_fn(void *, void *, size_t);
typedef int wait_fn(void *, unsigned int);
typedef int seen_fn(void *, time_t, const void *, const void *);

struct datum {
	unsigned char *data;
	unsigned int size;
};

typedef int psk_fn(void *, const char *, struct datum *);

/*	result, name, arguments */
#define API(X)                                                                                \
	X(int, init, (void **, unsigned int))                                                 \
	X(void, deinit, (void *))                                                             \
	X(int, bye, (void *, int))                                                            \
	X(int, handshake, (void *))                                                           \
	X(int, priority_set_direct, (void *, const char *, const char **))                    \
	X(int, credentials_set, (void *, int, void *))                                        \
	X(int, anon_allocate_client_credentials, (void **))                                   \
	X(int, anon_allocate_server_credentials, (void **))                                   \
	X(int, psk_allocate_client_credentials, (void **))                                    \
	X(int, psk_allocate_server_credentials, (void **))                                    \
	X(int, psk_set_client_credentials, (void *, const char *, const struct datum *, int)) \
	X(void, psk_set_server_credentials_function, (void *, psk_fn *))                      \
	X(void, transport_set_ptr, (void *, void *))                                          \
	X(void, transport_set_push_function, (void *, push_fn *))                             \
	X(void, transport_set_pull_function, (void *, pull_fn *))                             \
	X(void, transport_set_pull_timeout_function, (void *, wait_fn *))                     \
	X(int, session_ticket_key_generate, (struct datum *))                                 \
	X(int, session_ticket_enable_server, (void *, const struct datum *))                  \
	X(int, session_get_data2, (void *, struct datum *))                                   \
	X(int, session_set_data, (void *, const void *, size_t))                              \
	X(int, session_is_resumed, (void *))                                                  \
	X(int, anti_replay_init, (void **))                                                   \
	X(void, anti_replay_set_add_function, (void *, seen_fn *))                            \
	X(void, anti_replay_enable, (void *, void *))                                         \
	X(ssize_t, record_send, (void *, const void *, size_t))                               \
	X(ssize_t, record_send2, (void *, const void *, size_t, size_t, unsigned int))        \
	X(ssize_t, record_send_file, (void *, int, off_t *, size_t))                          \
	X(ssize_t, record_send_early_data, (void *, const void *, size_t))                    \
	X(ssize_t, record_recv, (void *, void *, size_t))                                     \
	X(ssize_t, record_recv_seq, (void *, void *, size_t, unsigned char *))                \
	X(ssize_t, record_recv_packet, (void *, void **))                                     \
	X(ssize_t, record_recv_early_data, (void *, void *, size_t))                          \
	X(void, packet_get, (void *, struct datum *, unsigned char *))                        \
	X(void, packet_deinit, (void *))                                                      \
	X(void, record_cork, (void *))                                                        \
	X(int, record_uncork, (void *, unsigned int))

static struct {
#define X(type, name, args) type(*name) args;
	API(X)
#undef X
} api;

/* What one side sent and the other has not received. */
struct pipe {
	char bytes[4 * RECORD];
	size_t len;
	bool full;
};

struct side {
	void *tls;
	struct pipe *in, *out;
};

struct pair {
	struct side client, server;
	struct pipe pipes[2];
};

static void *client_cred, *server_cred, *seen;
static struct datum ticket_key, session;
static bool with_early_data;

static void need(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static ssize_t push(void *ptr, const void *p, size_t n)
{
	struct pipe *to = ((struct side *)ptr)->out;

	if (to->full || to->len + n > sizeof(to->bytes)) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(to->bytes + to->len, p, n);
	to->len += n;
	return (ssize_t)n;
}

static ssize_t pull(void *ptr, void *p, size_t n)
{
	struct pipe *from = ((struct side *)ptr)->in;

	if (!from->len) {
		errno = EAGAIN;
		return -1;
	}
	n = n < from->len ? n : from->len;
	memcpy(p, from->bytes, n);
	from->len -= n;
	memmove(from->bytes, from->bytes + n, from->len);
	return (ssize_t)n;
}

static int pull_wait(void *ptr, unsigned int ms)
{
	(void)ms;
	return ((struct side *)ptr)->in->len > 0;
}

static int on_psk(void *tls, const char *user, struct datum *key)
{
	(void)tls;
	(void)user;
	key->data = malloc(8);
	key->size = 8;
	memcpy(key->data, "password", 8);
	return 0;
}

static int never_seen(void *ptr, time_t until, const void *key, const void *data)
{
	(void)ptr;
	(void)until;
	(void)key;
	(void)data;
	return 0;
}

static void credentials_new(void)
{
	struct datum key = { (unsigned char *)"password", 8 };

	if (!with_early_data) {
		need(!api.anon_allocate_client_credentials(&client_cred), 10);
		need(!api.anon_allocate_server_credentials(&server_cred), 11);
		return;
	}
	need(!api.psk_allocate_client_credentials(&client_cred), 12);
	need(!api.psk_set_client_credentials(client_cred, "user", &key, PSK_RAW), 13);
	need(!api.psk_allocate_server_credentials(&server_cred), 14);
	api.psk_set_server_credentials_function(server_cred, on_psk);
	need(!api.session_ticket_key_generate(&ticket_key), 15);
	need(!api.anti_replay_init(&seen), 16);
	api.anti_replay_set_add_function(seen, never_seen);
}

static void side_new(struct side *s, int flags, void *cred)
{
	if (with_early_data)
		flags |= EARLY_DATA;
	need(!api.init(&s->tls, flags | NONBLOCK), 17);
	need(!api.priority_set_direct(s->tls,
				      with_early_data
					      ? "NORMAL:-VERS-ALL:+VERS-TLS1.3:+DHE-PSK:+PSK"
					      : "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ANON-ECDH",
				      NULL),
	     18);
	need(!api.credentials_set(s->tls, with_early_data ? CRD_PSK : CRD_ANON, cred), 19);
	api.transport_set_ptr(s->tls, s);
	api.transport_set_push_function(s->tls, push);
	api.transport_set_pull_function(s->tls, pull);
	api.transport_set_pull_timeout_function(s->tls, pull_wait);
	if (with_early_data && (flags & SERVER)) {
		need(!api.session_ticket_enable_server(s->tls, &ticket_key), 20);
		api.anti_replay_enable(s->tls, seen);
	}
}

static void pair_new(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	p->client.out = p->server.in = &p->pipes[0];
	p->client.in = p->server.out = &p->pipes[1];
	side_new(&p->client, CLIENT, client_cred);
	side_new(&p->server, SERVER, server_cred);
}

static void handshake(struct pair *p)
{
	int there = E_AGAIN, back = E_AGAIN;

	for (int i = 0; i < 20 && (there || back); i++) {
		if (there)
			there = api.handshake(p->client.tls);
		if (back)
			back = api.handshake(p->server.tls);
	}
	need(!there && !back, 21);
}

static void pair_free(struct pair *p)
{
	api.bye(p->client.tls, 1);
	api.deinit(p->client.tls);
	api.deinit(p->server.tls);
}

static void put(struct side *s, const char *text)
{
	need(api.record_send(s->tls, text, strlen(text)) == (ssize_t)strlen(text), 22);
}

static void get(struct side *s, const char *text)
{
	char buf[100];
	ssize_t n = api.record_recv(s->tls, buf, sizeof(buf));

	for (int i = 0; i < 4 && n == E_AGAIN; i++) /* that was a ticket */
		n = api.record_recv(s->tls, buf, sizeof(buf));
	need(n == (ssize_t)strlen(text), 23);
	need(memcmp(buf, text, strlen(text)) == 0, 24);
}

static void talk(struct pair *p, const char *there, const char *back)
{
	put(&p->client, there);
	get(&p->server, there);
	put(&p->server, back);
	get(&p->client, back);
}

static void run_plain(struct pair *p)
{
	unsigned char seq[8];
	char buf[100];

	talk(p, "one", "two");
	need(api.record_send2(p->client.tls, "three", 5, 0, 0) == 5, 25);
	need(api.record_recv_seq(p->server.tls, buf, sizeof(buf), seq) == 5, 26);
	need(api.record_recv(p->server.tls, buf, sizeof(buf)) == E_AGAIN, 27);
}

static void run_cork(struct pair *p)
{
	api.record_cork(p->client.tls);
	put(&p->client, "one ");
	put(&p->client, "two ");
	p->pipes[0].full = true;
	need(api.record_uncork(p->client.tls, 0) == E_AGAIN, 28);
	p->pipes[0].full = false;
	need(api.record_uncork(p->client.tls, RECORD_WAIT) >= 0, 29);
	put(&p->client, "three");
	get(&p->server, "one two ");
	get(&p->server, "three");
}

/* As its documentation has it: the buffer need not be kept, nor named again. */
static void run_again(struct pair *p)
{
	char buf[] = "one ";

	p->pipes[0].full = true;
	need(api.record_send(p->client.tls, buf, 4) == E_AGAIN, 30);
	need(api.record_send(p->client.tls, buf, 4) == E_AGAIN, 31);
	memset(buf, '-', 4);
	need(api.record_send(p->client.tls, NULL, 0) == E_AGAIN, 32);
	p->pipes[0].full = false;
	need(api.record_send(p->client.tls, NULL, 0) == 4, 33);
	p->pipes[0].full = true;
	need(api.record_send(p->client.tls, "two ", 4) == E_AGAIN, 34);
	p->pipes[0].full = false;
	need(api.record_send(p->client.tls, "two ", 4) == 4, 35);
	put(&p->client, "three");
	get(&p->server, "one ");
	get(&p->server, "two ");
	get(&p->server, "three");
}

static const char *long_text(void)
{
	static char text[LONG + 1];

	for (size_t i = 0; i < LONG; i++)
		text[i] = (char)('a' + i % 26);
	return text;
}

static void run_long(struct pair *p)
{
	const char *text = long_text();
	size_t put_cnt = 0, got_cnt = 0;
	char buf[RECORD];

	while (got_cnt < LONG) {
		bool more = put_cnt < LONG;
		ssize_t n = 0;

		p->pipes[0].full = true;
		if (more)
			n = api.record_send(p->client.tls, text + put_cnt, LONG - put_cnt);
		need(n == (more ? E_AGAIN : 0), 36);
		p->pipes[0].full = false;
		if (more)
			n = api.record_send(p->client.tls, NULL, 0);
		put_cnt += n > 0 ? n : 0;
		while ((n = api.record_recv(p->server.tls, buf, sizeof(buf))) > 0) {
			need(memcmp(buf, text + got_cnt, n) == 0, 37);
			got_cnt += n;
		}
	}
}

static void run_packet(struct pair *p)
{
	struct datum d;
	void *packet;

	put(&p->client, "text");
	need(api.record_recv_packet(p->server.tls, &packet) == 4, 38);
	api.packet_get(packet, &d, NULL);
	need(d.size == 4 && memcmp(d.data, "text", 4) == 0, 39);
	api.packet_deinit(packet);
}

static void run_file(struct pair *p)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	put(&p->client, "in front ");
	need(write(fd, "of a file", 9) == 9 && lseek(fd, 0, SEEK_SET) == 0, 40);
	need(api.record_send_file(p->client.tls, fd, NULL, 9) == 9, 41);
	get(&p->server, "in front ");
	get(&p->server, "of a file");
}

static void run_early(struct pair *p)
{
	char buf[100];
	ssize_t n;

	talk(p, "one", "two"); /* the ticket comes with that */
	need(!api.session_get_data2(p->client.tls, &session), 42);
	pair_free(p);
	pair_new(p);
	need(!api.session_set_data(p->client.tls, session.data, session.size), 43);
	need(!api.record_send_early_data(p->client.tls, "early", 5), 44);
	handshake(p);
	need(api.session_is_resumed(p->client.tls), 45);
	n = api.record_recv_early_data(p->server.tls, buf, sizeof(buf));
	need(n == 5 && memcmp(buf, "early", 5) == 0, 46);
	talk(p, " late", "ok");
}

static const struct {
	const char *name;
	void (*run)(struct pair *p);
} modes[] = {
	{ "plain", run_plain }, { "cork", run_cork },     { "again", run_again },
	{ "long", run_long },   { "packet", run_packet }, { "file", run_file },
	{ "early", run_early },
};

static int run_victim(const char *mode)
{
	void *lib = dlopen(LIBGNUTLS, RTLD_NOW);
	static struct pair p;

	need(lib != NULL, 8);
#define X(type, name, args)                                \
	*(void **)&api.name = dlsym(lib, "gnutls_" #name); \
	need(api.name != NULL, 9);
	API(X)
#undef X
	with_early_data = strcmp(mode, "early") == 0;
	credentials_new();
	pair_new(&p);
	handshake(&p);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(mode, modes[i].name) == 0)
			modes[i].run(&p);
	pair_free(&p);
	return 0;
}

/* --- the test */

static void check(void **state, const char *mode, const char *wanted)
{
	streams_are(*state, "gnutls", mode, EV_SRC_GNUTLS, wanted);
}

static void both_directions(void **state)
{
	check(state, "plain", ">onethree<two.\n>two<onethree.\n");
}

static void what_is_corked_counts_once(void **state)
{
	check(state, "cork", ">one two three<.\n><one two three.\n");
}

static void what_waits_for_another_try_counts_once(void **state)
{
	check(state, "again", ">one two three<.\n><one two three.\n");
}

static void records_that_wait(void **state)
{
	_cleanup_buf_ struct buf wanted = BUF_INIT;

	buf_fmt(&wanted, ">%s<.\n><%s.\n", long_text(), long_text());
	check(state, "long", buf_cstr(&wanted));
}

static void packets(void **state)
{
	check(state, "packet", ">text<.\n><text.\n");
}

/* Without TLS in the kernel its bytes go through the library's buffers. */
static void a_file(void **state)
{
	check(state, "file", ">in front of a file<.\n><in front of a file.\n");
}

static void early_data_begins_the_stream(void **state)
{
	check(state, "early", ">one<two.\n>two<one.\n>early late<ok.\n>ok<early late.\n");
}

static int setup_old(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_bounded_loops = true,
							   .force_perf_uprobes = true });
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions),
		cmocka_unit_test(what_is_corked_counts_once),
		cmocka_unit_test(what_waits_for_another_try_counts_once),
		cmocka_unit_test(records_that_wait),
		cmocka_unit_test(packets),
		cmocka_unit_test(a_file),
		cmocka_unit_test(early_data_begins_the_stream),
	};
	int failed;

	if (argc > 2)
		_exit(run_victim(argv[2])); /* what it leaks is not ours */
	if (trace_skip())
		return SKIP;
	if (!dlopen(LIBGNUTLS, RTLD_NOW)) {
		fprintf(stderr, "there is no %s\n", LIBGNUTLS);
		return SKIP;
	}
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	return failed + cmocka_run_group_tests_name("old", tests, setup_old, trace_teardown);
}
