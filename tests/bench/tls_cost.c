/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a probed TLS call costs: a client and a server in one thread move messages over loopback,
 * untraced, under programs that do nothing, under ringspan, each at plain sites and at the cheap
 * ones, and under other tracers that copy what is sent, as far as they start here.  Printed are
 * medians over rounds, in which all ways take turns, of the thread's CPU time, of which each round
 * takes the median slice.
 *
 * A message is seen at the calls of the library, and the system calls inside them are seen as all of a
 * traced process are: programs that do nothing are at the first of these places, or at both.
 *
 *	tls_cost ROUNDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <bpf/bpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "peer.h"
#include "probe/elf.h"
#include "probe/probe.h"
#include "probe/tls.h"
#include "probe/uprobe.h"

#define CIPHER "AECDH-AES256-SHA:@SECLEVEL=0" /* needs no certificate */
#define WARM_UP 500
#define SLICES 20
#define SLICE 200 /* messages */
#define MESSAGES (SLICES * SLICE)
#define ROUNDS_MAX 101

#define READY_MS 30000

enum way { UNTRACED, EMPTY_PLAIN, EMPTY_SITES, EMPTY_ALL, OURS_PLAIN, OURS_SITES, PEER };

#define PEERS 2
#define WAYS (PEER + PEERS)

static const char *const way_names[WAYS] = {
	[UNTRACED] = "untraced",
	[EMPTY_PLAIN] = "empty programs, plain",
	[EMPTY_SITES] = "empty programs, sites",
	[EMPTY_ALL] = "... and system calls",
	[OURS_PLAIN] = "ringspan, plain",
	[OURS_SITES] = "ringspan, sites",
	[PEER] = "bpftrace",
	[PEER + 1] = "sslsniff-bpfcc",
};

/* Both copy a part of each message only: bpftrace 200 bytes, the most that its strings hold. */
static struct peer peers[PEERS] = {
	{ .name = "bpftrace",
	  .event = "WRITE",
	  .command = "exec bpftrace -q -e '"
		     "uprobe:'$LIBSSL':SSL_write, uprobe:'$LIBSSL':SSL_write_ex"
		     "{ printf(\"WRITE %d %r\\n\", arg2, buf(arg1, 200)) } "
		     "uprobe:'$LIBSSL':SSL_read, uprobe:'$LIBSSL':SSL_read_ex"
		     "{ @buf[tid] = arg1 } "
		     "uretprobe:'$LIBSSL':SSL_read, uretprobe:'$LIBSSL':SSL_read_ex /@buf[tid]/"
		     "{ printf(\"READ %d %r\\n\", retval, buf(@buf[tid], 200)); "
		     "delete(@buf[tid]) }'" },
	{ .name = "sslsniff-bpfcc", .event = "WRITE/SEND", .command = "exec sslsniff-bpfcc" },
};

static const struct load {
	int size;
	bool ex;
} loads[] = { { 100, false }, { 1000, false }, { 16000, false }, { 100, true }, { 16000, true } };

#define LOADS ARRAY_SIZE(loads)

static double samples[WAYS][LOADS][ROUNDS_MAX]; /* us a message */
static bool left_out[WAYS];
static unsigned long long seen[WAYS], lost[WAYS]; /* writes that were told; records that were not */

static void die(const char *what)
{
	fprintf(stderr, "tls_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the load */

static SSL *side(const SSL_METHOD *method, int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx);
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	if (SSL_set_cipher_list(ssl, CIPHER) != 1 || SSL_set_fd(ssl, fd) != 1)
		die("SSL");
	return ssl;
}

static void connect_pair(int *client, int *server)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sa, len) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    connect(*client, (struct sockaddr *)&sa, len))
		die("connect");
	*server = accept(fd, NULL, NULL);
	close(fd);
}

static void handshake(SSL *client, SSL *server, const int *fds)
{
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 2; i++)
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	while (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	for (int i = 0; i < 2; i++)
		fcntl(fds[i], F_SETFL, 0);
}

static void message(SSL *from, SSL *to, const struct load *load)
{
	static char buf[16384];
	size_t done = 0;
	int n = load->size, got;

	if (load->ex ? SSL_write_ex(from, buf, n, &done) != 1 : SSL_write(from, buf, n) != n)
		die("write");
	while (n) {
		if (load->ex)
			got = SSL_read_ex(to, buf, sizeof(buf), &done) == 1 ? (int)done : 0;
		else
			got = SSL_read(to, buf, sizeof(buf));
		if (got <= 0)
			die("read");
		n -= got;
	}
}

static double cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* us a message, as the median slice takes. */
static double slices(SSL *client, SSL *server, const struct load *load)
{
	double us[SLICES];

	for (int i = 0; i < WARM_UP; i++)
		message(client, server, load);
	for (int k = 0; k < SLICES; k++) {
		double start = cpu_us();

		for (int i = 0; i < SLICE; i++)
			message(client, server, load);
		us[k] = (cpu_us() - start) / SLICE;
	}
	return median(us, SLICES);
}

/* The child: waits until it may begin, and answers with us a message for each load. */
static void run_load(int go, int answer)
{
	double us[LOADS];
	int fds[2];
	SSL *client, *server;
	char byte;

	connect_pair(&fds[0], &fds[1]);
	client = side(TLS_client_method(), fds[0]);
	server = side(TLS_server_method(), fds[1]);
	if (read(go, &byte, 1) != 1)
		die("read");
	handshake(client, server, fds);
	for (size_t l = 0; l < LOADS; l++)
		us[l] = slices(client, server, &loads[l]);
	if (write(answer, us, sizeof(us)) != sizeof(us))
		die("write");
}

/* --- the ways */

static const char *libssl_path(void)
{
	struct link_map *map = NULL;
	void *lib = dlopen("libssl.so.3", RTLD_NOW);

	if (!lib || dlinfo(lib, RTLD_DI_LINKMAP, &map))
		die("libssl.so.3");
	return map->l_name;
}

static int empty_prog(enum bpf_prog_type type)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	if (type == BPF_PROG_TYPE_KPROBE)
		opts.expected_attach_type = UPROBE_TYPE_MULTI;
	return bpf_prog_load(type, "empty", "Dual BSD/GPL", insns, ARRAY_SIZE(insns), &opts);
}

static void attach_one(struct uprobe_links *links, int prog, int file, __u64 offset, bool ret)
{
	struct uprobe_spec spec = {
		.file = file,
		.offsets = { offset },
		.cnt = 1,
		.ret = ret,
		.multi = true,
	};

	errno = -uprobe_attach(links, prog, &spec);
	if (errno)
		die("attach");
}

static void attach_empty(struct uprobe_links *links, int prog, bool plain)
{
	int fd = open(libssl_path(), O_RDONLY | O_CLOEXEC);
	struct tls_hooks hooks = { 0 };
	struct elf_file *f = NULL;

	if (elf_file_new(&f, fd) || tls_locate(tls_libs[0], f, &hooks))
		die("libssl");
	tls_limit_sites(&hooks, true, plain);
	for (size_t k = 0; k < hooks.func_cnt; k++) {
		const struct site_plan *p = &hooks.funcs[k].plan;
		__u64 at = tls_func_base(&hooks.funcs[k]);

		if (!tls_exit_prog(hooks.funcs[k].role) || hooks.funcs[k].covered)
			continue;
		attach_one(links, prog, fd, at + p->entry.at, false);
		for (size_t i = 0; i < p->exit_cnt; i++)
			attach_one(links, prog, fd, at + p->exits[i].at, false);
		if (!p->exit_cnt)
			attach_one(links, prog, fd, at + p->entry.at, true);
	}
	elf_file_free(&f);
	close(fd);
}

/* Where ringspan has programs that a system call of a socket passes; one that the kernel lacks it does without. */
static const char *const points[] = { "sys_enter", "sys_exit", "sock_send_length",
				      "sock_recv_length" };

#define POINTS ARRAY_SIZE(points)

struct empty {
	struct uprobe_links links;
	int prog, point_prog;
	int points[POINTS];
};

static void empty_begin(struct empty *e, int way)
{
	*e = (struct empty){ .prog = empty_prog(BPF_PROG_TYPE_KPROBE), .point_prog = -1 };
	attach_empty(&e->links, e->prog, way == EMPTY_PLAIN);
	for (size_t i = 0; i < POINTS; i++)
		e->points[i] = -1;
	if (way != EMPTY_ALL)
		return;
	e->point_prog = empty_prog(BPF_PROG_TYPE_RAW_TRACEPOINT);
	for (size_t i = 0; i < POINTS; i++)
		e->points[i] = bpf_raw_tracepoint_open(points[i], e->point_prog);
	if (e->points[0] < 0 || e->points[1] < 0)
		die("tracepoints");
}

static void empty_end(struct empty *e)
{
	uprobe_links_fini(&e->links, NULL);
	for (size_t i = 0; i < POINTS; i++)
		if (e->points[i] >= 0)
			close(e->points[i]);
	if (e->point_prog >= 0)
		close(e->point_prog);
	close(e->prog);
}

static int ignore(void *ctx, const struct ev_hdr *rec)
{
	(void)ctx;
	(void)rec;
	return 0;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* with one CPU it stays where it is */
}

/* Has the peer see calls of this process until it tells of one. */
static bool peer_ready(struct peer *peer)
{
	int fds[2];
	SSL *client, *server;

	connect_pair(&fds[0], &fds[1]);
	client = side(TLS_client_method(), fds[0]);
	server = side(TLS_server_method(), fds[1]);
	handshake(client, server, fds);
	for (int ms = 0; ms < READY_MS && !peer->events && peer_drain(peer); ms += 50) {
		message(client, server, &loads[0]);
		usleep(50000);
	}
	SSL_free(client);
	SSL_free(server);
	close(fds[0]);
	close(fds[1]);
	return peer->events;
}

static void measure(struct probe *p, struct peer *peer, double *us)
{
	int go[2], answer[2];
	ssize_t n;
	pid_t pid;

	if (pipe(go) || pipe2(answer, O_NONBLOCK))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		pin(1);
		run_load(go[0], answer[1]);
		_exit(0);
	}
	close(go[0]);
	close(answer[1]);
	if (p && probe_watch(p, pid, EV_RUN_RECORD))
		die("watch");
	if (write(go[1], "", 1) != 1)
		die("write");
	while ((n = read(answer[0], us, LOADS * sizeof(*us))) < 0 && errno == EAGAIN) {
		if (p) {
			probe_poll(p, 10, ignore, NULL);
			continue;
		}
		if (peer)
			peer_drain(peer);
		usleep(10000);
	}
	if (n != LOADS * sizeof(*us))
		die("the load ended early");
	waitpid(pid, NULL, 0);
	close(go[1]);
	close(answer[0]);
}

static void empty_way(int way, double *us)
{
	struct empty e;

	empty_begin(&e, way);
	measure(NULL, NULL, us);
	empty_end(&e);
}

static void our_way(int way, double *us)
{
	struct probe_cfg cfg = { .force_plain_sites = way == OURS_PLAIN };
	struct ev_stats stats = { 0 };
	struct probe *p = NULL;

	if (probe_new(&p, &cfg))
		die("probe");
	measure(p, NULL, us);
	if (!probe_stats(p, &stats))
		lost[way] += stats.lost_ring + stats.lost_map;
	probe_free(&p);
}

/* A peer that does not start is told of once and left out. */
static void peer_way(int way, double *us)
{
	struct peer *peer = &peers[way - PEER];
	uint64_t before;

	if (left_out[way] || peer_start(peer, libssl_path()))
		return;
	left_out[way] = !peer_ready(peer);
	before = peer->events;
	if (!left_out[way])
		measure(NULL, peer, us);
	peer_stop(peer);
	seen[way] += peer->events - before;
	if (left_out[way])
		printf("%s does not start here and is left out: %s\n", peer->name, peer->line);
}

static void report_times(int rounds, double medians[WAYS][LOADS])
{
	printf("us of CPU a message (a write and a read), medians of %d rounds\n\n%-24s", rounds,
	       "");
	for (size_t l = 0; l < LOADS; l++)
		printf("%9d B%s", loads[l].size, loads[l].ex ? " _ex    " : "        ");
	printf("\n");
	for (int way = 0; way < WAYS; way++) {
		if (left_out[way])
			continue;
		printf("%-24s", way_names[way]);
		for (size_t l = 0; l < LOADS; l++) {
			double m = medians[way][l] = median(samples[way][l], rounds);

			printf("%8.2f (%4.2fx) ", m, m / medians[UNTRACED][l]);
		}
		printf("\n");
	}
}

static void report_ratio(const char *what, int of, int to, double medians[WAYS][LOADS], bool added)
{
	if (left_out[of] || left_out[to])
		return;
	printf("%-42s", what);
	for (size_t l = 0; l < LOADS; l++) {
		double base = added ? medians[UNTRACED][l] : 0;

		printf(" %6.2f", (medians[of][l] - base) / (medians[to][l] - base));
	}
	printf("\n");
}

static void report(int rounds)
{
	unsigned long long writes = (WARM_UP + MESSAGES) * LOADS * rounds;
	double medians[WAYS][LOADS];

	report_times(rounds, medians);
	printf("\nratios, in the same columns\n");
	report_ratio("ringspan / empty programs, sites, all time", OURS_SITES, EMPTY_SITES, medians,
		     false);
	report_ratio("ringspan / ... and system calls, all time", OURS_SITES, EMPTY_ALL, medians,
		     false);
	report_ratio("ringspan / empty programs, sites, added", OURS_SITES, EMPTY_SITES, medians,
		     true);
	report_ratio("ringspan / ... and system calls, added", OURS_SITES, EMPTY_ALL, medians,
		     true);
	report_ratio("ringspan, sites / plain, added", OURS_SITES, OURS_PLAIN, medians, true);
	report_ratio("ringspan / bpftrace, added", OURS_SITES, PEER, medians, true);
	report_ratio("ringspan / sslsniff-bpfcc, added", OURS_SITES, PEER + 1, medians, true);
	printf("\nringspan lost %llu and %llu records of %llu writes and as many reads\n",
	       lost[OURS_PLAIN], lost[OURS_SITES], writes);
	for (int way = PEER; way < WAYS; way++) {
		if (!left_out[way])
			printf("%s told of %llu of %llu writes\n", way_names[way], seen[way],
			       writes);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 7;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	log_set_level(LOG_WARN);
	pin(0);
	for (int r = 0; r < rounds; r++) {
		for (int way = 0; way < WAYS; way++) {
			double us[LOADS] = { 0 };

			if (way == UNTRACED)
				measure(NULL, NULL, us);
			else if (way <= EMPTY_ALL)
				empty_way(way, us);
			else if (way < PEER)
				our_way(way, us);
			else
				peer_way(way, us);
			for (size_t l = 0; l < LOADS; l++)
				samples[way][l][r] = us[l];
		}
	}
	report(rounds);
	return 0;
}
