// SPDX-License-Identifier: BSD-2-Clause
/* The side that has given its privileges up, or will: see monitor.h. */
#include "probe/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "probe/fact.h"
#include "probe/monitor_msg.h"

#define RING_USUAL (8u << 20)
#define CHANNEL_RINGS \
	4 /* times the ring: what parsing is behind by waits here, where it does not get lost */
#define NS_PER_MS 1000000ull

struct monitor {
	struct channel *channel;
	struct status *status;
	pid_t pid;
	int socket;
	__u32 seq;
	__u32 drain_seq; /* of the last DRAIN; */
	bool draining;   /* ... which was not answered yet */
	bool gone;
	struct monitor_program programs[MONITOR_PROGRAMS]; /* of the last answer */
};

/* Nothing but what it needs stays open: a line that another process holds would never end. */
static void keep_descriptors(int *socket, struct channel *c)
{
	int *kept[1 + CHANNEL_FDS] = { socket };
	size_t n = 1 + channel_fds(c, kept + 1);
	int first = STDERR_FILENO + 1;

	/* above all of them first, so that none is overwritten by another */
	for (size_t i = 0; i < n; i++)
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, first + (int)n);
	for (size_t i = 0; i < n; i++)
		*kept[i] = dup3(*kept[i], first + (int)i, O_CLOEXEC);
	close_range((unsigned int)first + (unsigned int)n, ~0u, 0);
}

__attribute__((noreturn)) static void run_server(int socket, const struct monitor *m, pid_t parent,
						 const struct probe_cfg *cfg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	*status_fd(m->status) = -1; /* the memory stays */
	keep_descriptors(&socket, m->channel);
	monitor_serve(socket, m->channel, m->status, cfg);
}

static int gone(struct monitor *m)
{
	if (!m->gone)
		log_err(-EPIPE,
			"recording stops: the process that reads the kernel's records is gone");
	m->gone = true;
	return -EPIPE;
}

/* ---- commands */

static int send_ask(struct monitor *m, struct monitor_ask *ask, struct sv text)
{
	struct iovec parts[] = { { ask, sizeof(*ask) }, { (void *)text.p, text.n } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };

	if (m->gone)
		return -EPIPE;
	if (text.n > MONITOR_TEXT_MAX)
		return log_err(-E2BIG, "names of more than %u bytes", MONITOR_TEXT_MAX);
	ask->seq = ++m->seq;
	ask->text = (__u32)text.n;
	return sendmsg(m->socket, &msg, MSG_NOSIGNAL) < 0 ? gone(m) : 0;
}

/* Takes one answer.  1: it is that of `seq`; 0: it was another one; -EPIPE. */
static int take_say(struct monitor *m, __u32 seq, struct monitor_say *say)
{
	struct iovec parts[] = { { say, sizeof(*say) }, { m->programs, sizeof(m->programs) } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };
	ssize_t n;

	do
		n = recvmsg(m->socket, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(*say) || say->cnt > MONITOR_PROGRAMS ||
	    (size_t)n != sizeof(*say) + say->cnt * sizeof(m->programs[0]))
		return gone(m);
	if (say->op == MONITOR_DRAIN && m->draining && say->seq == m->drain_seq)
		m->draining = false;
	return say->seq == seq;
}

/* Asks, and waits for the answer. */
static int ask(struct monitor *m, struct monitor_ask *what, struct sv text, struct monitor_say *say)
{
	int ret = send_ask(m, what, text);

	if (ret)
		return ret;
	do
		ret = take_say(m, what->seq, say);
	while (!ret);
	return ret < 0 ? ret : say->ret;
}

static int ask_plain(struct monitor *m, enum monitor_op op)
{
	struct monitor_say say;

	return ask(m, &(struct monitor_ask){ .op = op }, SV(""), &say);
}

/* ---- its life */

static int start(struct monitor *m, const struct probe_cfg *cfg)
{
	size_t ring = cfg->ring_bytes ? cfg->ring_bytes : RING_USUAL;
	struct monitor_say ready;
	pid_t self = getpid();
	int line[2], err;

	err = channel_new(&m->channel, CHANNEL_RINGS * ring);
	if (!err)
		err = status_new(&m->status);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line))
		return log_err(-errno, "socketpair: %s", strerror(errno));
	m->socket = line[0];
	m->pid = fork();
	if (m->pid == 0)
		run_server(line[1], m, self, cfg);
	close(line[1]);
	if (m->pid < 0)
		return log_err(-errno, "fork: %s", strerror(errno));
	status_monitor(m->status, m->pid);
	err = take_say(m, 0, &ready);
	return err < 0 ? err : ready.ret;
}

int monitor_new(struct monitor **out, const struct probe_cfg *cfg)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->socket = -1;
	m->pid = -1;
	err = start(m, cfg);
	if (err) {
		monitor_free(&m);
		return err;
	}
	*out = m;
	return 0;
}

void monitor_free(struct monitor **mp)
{
	struct monitor *m = *mp;

	if (!m)
		return;
	if (m->socket >= 0)
		close(m->socket); /* which it ends by */
	while (m->pid > 0 && waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		;
	channel_free(&m->channel);
	status_free(&m->status);
	free(m);
	*mp = NULL;
}

pid_t monitor_pid(const struct monitor *m)
{
	return m->pid;
}

int monitor_watch(struct monitor *m, pid_t pid, enum ev_run_origin origin)
{
	struct monitor_say say;

	return ask(
		m,
		&(struct monitor_ask){ .op = MONITOR_WATCH, .tgid = (__u32)pid, .origin = origin },
		SV(""), &say);
}

static void add_text(struct buf *b, const char *text)
{
	buf_add(b, text ? text : "", text ? strlen(text) + 1 : 1);
}

int monitor_select(struct monitor *m, const struct probe_select *sel)
{
	_cleanup_buf_ struct buf texts = BUF_INIT;
	struct monitor_say say;

	add_text(&texts, sel->comm);
	add_text(&texts, sel->exe);
	for (size_t i = 0; i < sel->cgroup_cnt; i++)
		add_text(&texts, sel->cgroups[i]);
	if (texts.err)
		return texts.err;
	return ask(m,
		   &(struct monitor_ask){ .op = MONITOR_SELECT,
					  .cgroups = (__u32)sel->cgroup_cnt,
					  .quiet = sel->quiet },
		   buf_view(&texts), &say);
}

int monitor_hook_file(struct monitor *m, const char *path)
{
	struct monitor_say say;

	return ask(m, &(struct monitor_ask){ .op = MONITOR_HOOK_FILE },
		   (struct sv){ path, strlen(path) + 1 }, &say);
}

int monitor_seal(struct monitor *m)
{
	return ask_plain(m, MONITOR_SEAL);
}

int monitor_detach(struct monitor *m)
{
	return ask_plain(m, MONITOR_DETACH);
}

int monitor_loud(struct monitor *m, __u32 tgid, __u64 start)
{
	struct monitor_say say;

	return ask(m, &(struct monitor_ask){ .op = MONITOR_LOUD, .tgid = tgid, .start = start },
		   SV(""), &say);
}

int monitor_tell_counts(struct monitor *m)
{
	return ask_plain(m, MONITOR_TELL_COUNTS);
}

int monitor_tell_usage(struct monitor *m)
{
	return ask_plain(m, MONITOR_TELL_USAGE);
}

int monitor_count_cost(struct monitor *m)
{
	return ask_plain(m, MONITOR_COUNT_COST);
}

int monitor_cost(struct monitor *m, probe_cost_fn fn, void *ctx, __u64 *cpu_ns)
{
	struct monitor_say say;
	int err = ask(m, &(struct monitor_ask){ .op = MONITOR_COST }, SV(""), &say);

	if (err)
		return err;
	*cpu_ns = say.cpu_ns;
	for (__u32 i = 0; i < say.cnt; i++) {
		struct monitor_program *p = &m->programs[i];

		p->name[sizeof(p->name) - 1] = '\0';
		fn(ctx,
		   &(struct probe_cost){ .name = p->name, .run_ns = p->run_ns, .runs = p->runs });
	}
	return 0;
}

int monitor_tell_unmet(struct monitor *m)
{
	return ask_plain(m, MONITOR_TELL_UNMET);
}

int monitor_loss(struct monitor *m, struct probe_loss *out)
{
	struct monitor_say say;
	int err = ask(m, &(struct monitor_ask){ .op = MONITOR_LOSS }, SV(""), &say);

	if (!err && say.loss.e.kinds > EV_KERNEL_KINDS)
		err = gone(m);
	if (!err)
		*out = say.loss;
	return err;
}

void monitor_fed(struct monitor *m, const struct status_fed *fed)
{
	status_set_fed(m->status, fed);
}

/* ---- records */

/*
 * What is in the channel, as far as there is time: it may be filled as fast as it is emptied.  until: 0 for
 * ever.  Records, or -errno.
 */
static int take_records(struct monitor *m, __u64 until, probe_record_fn fn, void *ctx)
{
	const struct ev_hdr *rec;
	int n = 0, ret;

	channel_seen(m->channel);
	while ((ret = channel_next(m->channel, &rec)) == 1) {
		n++;
		ret = fn(ctx, rec);
		if (ret)
			return ret < 0 ? ret : n;
		if (until && fact_now() >= until) {
			channel_again(m->channel);
			return n;
		}
	}
	return ret ? gone(m) : n;
}

static int ask_to_drain(struct monitor *m)
{
	struct monitor_ask what = { .op = MONITOR_DRAIN };
	int err = m->draining ? 0 : send_ask(m, &what, SV(""));

	if (err || m->draining)
		return err;
	m->draining = true;
	m->drain_seq = what.seq;
	return 0;
}

/* 1: the answer is there. */
static int wait_drained(struct monitor *m, int timeout_ms)
{
	struct pollfd fds[] = { { .fd = m->socket, .events = POLLIN },
				{ .fd = channel_fd(m->channel), .events = POLLIN } };
	struct monitor_say say;

	if (!m->draining) /* it came while another answer was waited for */
		return 1;
	if (poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return fds[0].revents ? take_say(m, m->drain_seq, &say) : 0;
}

static int ms_left(__u64 until)
{
	__u64 now = fact_now();

	return now < until ? (int)((until - now) / NS_PER_MS) + 1 : 0;
}

int monitor_poll(struct monitor *m, int timeout_ms, probe_record_fn fn, void *ctx)
{
	__u64 until = timeout_ms < 0 ? 0 : fact_now() + (__u64)timeout_ms * NS_PER_MS;
	int cnt = 0, drained = 0, n, left = timeout_ms, err = ask_to_drain(m);

	while (!err && !drained && (timeout_ms < 0 || (left = ms_left(until)))) {
		drained = wait_drained(m, left);
		if (drained < 0)
			return drained;
		n = take_records(m, until, fn, ctx);
		if (n < 0)
			return n;
		cnt += n;
	}
	return err ? err : cnt;
}

int monitor_fd(const struct monitor *m)
{
	return channel_fd(m->channel);
}
