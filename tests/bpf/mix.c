/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One process's bytes under another's name: processes that share CPUs move bytes which say whose they are,
 * by all ways at once, and each record has to hold those of the process that it names and no others.
 *
 * What would mix them is memory that programs of several threads use, of a CPU for instance: a program at a
 * uprobe is preempted where the kernel is (preempt=full, see tests/vm), and another one goes on in there.
 */
#include "libssl.h"
#include "trace.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include "event/event.h"

#define WORKERS 4
#define THREADS 2
#define ROUNDS 1000 /* MIX_ROUNDS in the environment says otherwise */
#define MARK \
	0xc0 /* a byte from here on says whose it is: no path and no text of the test has one */
#define TLS_BYTES 4096
#define LINE_BYTES 900
#define FILE_EVERY 16 /* rounds: not so many that it goes over the budget of a second */
#define END_NS 150000000000ull
#define CIPHER "AECDH-AES256-SHA:@SECLEVEL=0" /* needs no certificate */
#define TLS1_2 0x0303
#define CTRL_MAX_PROTO 124

/* --- the workers */

/*	result, name, arguments */
#define API(X)                                                  \
	X(const void *, TLS_client_method, (void))              \
	X(const void *, TLS_server_method, (void))              \
	X(void *, SSL_CTX_new, (const void *))                  \
	X(long, SSL_CTX_ctrl, (void *, int, long, void *))      \
	X(int, SSL_CTX_set_cipher_list, (void *, const char *)) \
	X(void *, SSL_new, (void *))                            \
	X(void, SSL_set_bio, (void *, void *, void *))          \
	X(void, SSL_set_connect_state, (void *))                \
	X(void, SSL_set_accept_state, (void *))                 \
	X(int, SSL_do_handshake, (void *))                      \
	X(int, SSL_read, (void *, void *, int))                 \
	X(int, SSL_write, (void *, const void *, int))          \
	X(int, BIO_new_bio_pair, (void **, size_t, void **, size_t))

static struct {
#define X(type, name, args) type(*name) args;
	API(X)
#undef X
} api;

static unsigned char mark;
static int rounds = ROUNDS;

static void api_load(void)
{
	void *lib = dlopen(LIBSSL, RTLD_NOW);

	if (!lib)
		_exit(10);
#define X(type, name, args)                      \
	*(void **)&api.name = dlsym(lib, #name); \
	if (!api.name)                           \
		_exit(11);
	API(X)
#undef X
}

static void *side(const void *method, void *bio)
{
	void *ctx = api.SSL_CTX_new(method), *ssl;

	api.SSL_CTX_ctrl(ctx, CTRL_MAX_PROTO, TLS1_2, NULL);
	if (api.SSL_CTX_set_cipher_list(ctx, CIPHER) != 1)
		_exit(12);
	ssl = api.SSL_new(ctx);
	api.SSL_set_bio(ssl, bio, bio);
	return ssl;
}

static void connect_sides(void *ssl[2])
{
	void *bio[2];

	if (api.BIO_new_bio_pair(&bio[0], 1 << 16, &bio[1], 1 << 16) != 1)
		_exit(13);
	ssl[0] = side(api.TLS_client_method(), bio[0]);
	ssl[1] = side(api.TLS_server_method(), bio[1]);
	api.SSL_set_connect_state(ssl[0]);
	api.SSL_set_accept_state(ssl[1]);
	for (int done = 0, i = 0; done != 3; i++) {
		if (i > 100)
			_exit(14);
		done = (api.SSL_do_handshake(ssl[0]) == 1) | (api.SSL_do_handshake(ssl[1]) == 1)
								     << 1;
	}
}

static void by_tls(void *const ssl[2])
{
	char buf[TLS_BYTES];

	memset(buf, mark, sizeof(buf));
	if (api.SSL_write(ssl[0], buf, sizeof(buf)) != sizeof(buf) ||
	    api.SSL_read(ssl[1], buf, sizeof(buf)) != sizeof(buf))
		_exit(15);
}

static void by_pipe(const int fds[2])
{
	static const char head[] = "{\"jsonrpc\":\"2.0\",\"method\":\"", tail[] = "\"}\n";
	char line[LINE_BYTES];

	memset(line, mark, sizeof(line));
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + sizeof(line) - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	if (write(fds[1], line, sizeof(line)) != sizeof(line) ||
	    read(fds[0], line, sizeof(line)) != sizeof(line))
		_exit(16);
}

static void by_file(void)
{
	char path[64], name[9];
	int fd;

	memset(name, mark, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(path, sizeof(path), "/tmp/mix.%d.%s", gettid(), name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, name, sizeof(name)) != sizeof(name) || close(fd) || unlink(path))
		_exit(17);
}

static void *work(void *arg)
{
	void *ssl[2];
	int fds[2];

	(void)arg;
	if (pipe(fds))
		_exit(18);
	connect_sides(ssl);
	for (int i = 0; i < rounds; i++) {
		by_tls(ssl);
		by_pipe(fds);
		if (i % FILE_EVERY == 0)
			by_file();
	}
	return NULL;
}

static int worker(const char *name)
{
	pthread_t t[THREADS];
	cpu_set_t cpus;

	mark = (unsigned char)name[0];
	CPU_ZERO(&cpus);
	CPU_SET((mark - MARK) % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	api_load();
	usleep(300000); /* for the library's probes */
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, work, NULL))
			return 19;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	_exit(0); /* OpenSSL's leaks are not ours */
}

static int all_workers(void)
{
	int bad = 0, status;

	for (int i = 0; i < WORKERS; i++) {
		char name[] = { (char)(MARK + i), '\0' };

		if (fork() == 0) {
			execl("/proc/self/exe", "mix", "worker", name, NULL);
			_exit(127);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	return bad ? 1 : 0;
}

/* --- the test */

struct seen {
	pid_t pid;                    /* of what runs the workers */
	__u32 tgid[WORKERS];          /* 0: not seen yet */
	size_t tls, pipe, file, exec; /* records with marks */
	size_t mixed;
	bool ended;
};

static int worker_of(const struct seen *s, __u32 tgid)
{
	for (int i = 0; i < WORKERS; i++)
		if (s->tgid[i] && s->tgid[i] == tgid)
			return i;
	return -1;
}

/* Who is the worker, by the arguments of its program. */
static void note_worker(struct seen *s, const struct ev_exec *e)
{
	struct sv p = event_payload(&e->hdr);

	for (size_t i = 1; i < p.n; i++)
		if ((unsigned char)p.p[i] >= MARK && (unsigned char)p.p[i] < MARK + WORKERS)
			s->tgid[(unsigned char)p.p[i] - MARK] = e->hdr.tgid;
}

static size_t *kind_of(struct seen *s, const struct ev_hdr *rec)
{
	switch (rec->kind) {
	case EV_DATA:
		return ((const struct ev_data *)rec)->src == EV_SRC_OPENSSL ? &s->tls : &s->pipe;
	case EV_FILE:
	case EV_OPEN:
		return &s->file;
	case EV_EXEC:
		return &s->exec;
	default:
		return NULL;
	}
}

/* Every mark in the record is that of its process. */
static void check(struct seen *s, const struct ev_hdr *rec)
{
	size_t *cnt = kind_of(s, rec), marks = 0, foreign = 0;
	int own = worker_of(s, rec->tgid);
	struct sv p;

	if (!cnt)
		return;
	p = event_payload(rec);
	for (size_t i = 0; i < p.n; i++) {
		unsigned char c = (unsigned char)p.p[i];

		marks += c >= MARK;
		foreign += c >= MARK && c != MARK + own;
	}
	*cnt += marks > 0;
	if (!foreign)
		return;
	if (s->mixed++ < 10)
		print_error("a record of kind %d of process %u (worker %d): %zu of %zu marks are "
			    "another's\n",
			    rec->kind, rec->tgid, own, foreign, marks);
}

static int on_record(void *ctx, const struct ev_hdr *rec)
{
	struct seen *s = ctx;

	if (rec->kind == EV_EXEC)
		note_worker(s, (const void *)rec);
	if (rec->kind == EV_EXIT && rec->tgid == (__u32)s->pid)
		s->ended = true;
	check(s, rec);
	return 0;
}

static pid_t start(struct probe *p)
{
	int go;
	pid_t pid = trace_start((char *[]){ TRACE_SELF, "workers", NULL }, &go);

	assert_int_equal(probe_watch(p, pid, EV_RUN_RECORD), 0);
	trace_let_go(go);
	return pid;
}

static void each_has_its_own_bytes(void **state)
{
	struct trace *t = *state;
	struct seen s = { .pid = start(t->p) };
	uint64_t end = now_ns() + END_NS;
	struct ev_stats stats;
	int status;

	while (!s.ended && now_ns() < end)
		assert_true(probe_poll(t->p, 20, on_record, &s) >= 0);
	assert_true(s.ended);
	assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
	assert_int_equal(status, 0);
	assert_int_equal(probe_stats(t->p, &stats), 0);
	printf("# %zu records of TLS, %zu of pipes, %zu of files, %zu of programs; %llu lost; %zu "
	       "mixed\n",
	       s.tls, s.pipe, s.file, s.exec, (unsigned long long)stats.lost_ring, s.mixed);
	assert_int_equal(s.mixed, 0);
	assert_int_equal(s.exec, WORKERS);
	assert_true(s.tls + stats.lost_ring >= WORKERS * (size_t)THREADS * rounds * 2);
	assert_true(s.tls > WORKERS * (size_t)THREADS * rounds / 2);
	assert_true(s.pipe > WORKERS * (size_t)THREADS * rounds / 2);
	assert_true(s.file > WORKERS * (size_t)THREADS * (rounds / FILE_EVERY));
}

static int setup_perf(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_perf_uprobes = true });
}

static int setup_oldest(void **state)
{
	return trace_setup_cfg(state, &(struct probe_cfg){ .force_perf_uprobes = true,
							   .force_bounded_loops = true,
							   .force_no_task_storage = true });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_has_its_own_bytes) };
	const char *asked = getenv("MIX_ROUNDS");
	int failed;

	if (asked && atoi(asked) > 0)
		rounds = atoi(asked);
	if (argc == 3)
		return worker(argv[2]);
	if (argc == 2)
		return all_workers();
	if (trace_skip())
		return SKIP;
	if (!libssl_path()) {
		fprintf(stderr, "there is no %s\n", LIBSSL);
		return SKIP;
	}
	failed = cmocka_run_group_tests_name("best", tests, trace_setup, trace_teardown);
	failed += cmocka_run_group_tests_name("perf", tests, setup_perf, trace_teardown);
	failed += cmocka_run_group_tests_name("oldest", tests, setup_oldest, trace_teardown);
	return failed;
}
