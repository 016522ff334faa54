// SPDX-License-Identifier: BSD-2-Clause
/*
 * The privileged process: see monitor.h.  It waits for commands, the kernel's records and, where the
 * channel is full, for room; who parses may be slow, or taken over by what it parsed.
 */
#include "probe/monitor_msg.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/fact.h"

#define DRAIN_MS 100 /* the longest that a record waits in the ring */
#define STATUS_MS 250

struct server {
	struct probe *probe;
	struct channel *channel;
	struct status *status;
	__u64 told_ts; /* when that was told */
	int socket;
	bool sealed;
	bool draining;   /* asked for, */
	__u32 drain_seq; /* ... by that command */
	char text[MONITOR_TEXT_MAX];
	struct monitor_program programs[MONITOR_PROGRAMS];
	size_t program_cnt;
};

/* The other process is gone, or does what it never does: nothing is left to be done here. */
__attribute__((noreturn)) static void end(struct server *s)
{
	probe_free(&s->probe);
	_exit(0);
}

static void say(struct server *s, struct monitor_say *answer)
{
	struct iovec parts[] = { { answer, sizeof(*answer) },
				 { s->programs, answer->cnt * sizeof(s->programs[0]) } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };

	if (sendmsg(s->socket, &msg, MSG_NOSIGNAL) < 0)
		end(s);
}

/* ---- commands */

/* The n strings that make up all of the text; false: they do not. */
static bool split(struct server *s, size_t len, const char **texts, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		const char *nul = memchr(s->text + at, '\0', len - at);

		if (!nul)
			return false;
		texts[i] = s->text[at] ? s->text + at : NULL;
		at = (size_t)(nul - s->text) + 1;
	}
	return at == len;
}

static int do_select(struct server *s, const struct monitor_ask *ask)
{
	const char *texts[2 + PROBE_CGROUPS_MAX];

	if (ask->cgroups > PROBE_CGROUPS_MAX || !split(s, ask->text, texts, 2 + ask->cgroups))
		return -EBADMSG;
	return probe_select(s->probe, &(struct probe_select){ .comm = texts[0],
							      .exe = texts[1],
							      .cgroups = texts + 2,
							      .cgroup_cnt = ask->cgroups,
							      .quiet = ask->quiet });
}

static int do_set_up(struct server *s, const struct monitor_ask *ask)
{
	const char *path;

	if (s->sealed)
		return -EPERM;
	switch (ask->op) {
	case MONITOR_WATCH:
		return probe_watch(s->probe, (pid_t)ask->tgid, ask->origin);
	case MONITOR_SELECT:
		return do_select(s, ask);
	default:
		if (!split(s, ask->text, &path, 1) || !path)
			return -EBADMSG;
		return probe_hook_file(s->probe, path);
	}
}

static void on_cost(void *ctx, const struct probe_cost *c)
{
	struct server *s = ctx;
	struct monitor_program *p;

	if (s->program_cnt == MONITOR_PROGRAMS)
		return;
	p = &s->programs[s->program_cnt++];
	*p = (struct monitor_program){ .run_ns = c->run_ns, .runs = c->runs };
	snprintf(p->name, sizeof(p->name), "%s", c->name);
}

static __u64 ns_of(const struct timeval *t)
{
	return (__u64)t->tv_sec * 1000000000 + (__u64)t->tv_usec * 1000;
}

static void do_cost(struct server *s, struct monitor_say *out)
{
	struct rusage u;

	s->program_cnt = 0;
	out->ret = probe_cost(s->probe, on_cost, s);
	out->cnt = (__u32)s->program_cnt;
	getrusage(RUSAGE_SELF, &u);
	out->cpu_ns = ns_of(&u.ru_utime) + ns_of(&u.ru_stime);
}

static void answer(struct server *s, const struct monitor_ask *ask)
{
	struct monitor_say out = { .op = ask->op, .seq = ask->seq };

	switch (ask->op) {
	case MONITOR_WATCH:
	case MONITOR_SELECT:
	case MONITOR_HOOK_FILE:
		out.ret = do_set_up(s, ask);
		break;
	case MONITOR_SEAL:
		s->sealed = true;
		break;
	case MONITOR_LOUD:
		out.ret = probe_loud(s->probe, ask->tgid, ask->start);
		break;
	case MONITOR_TELL_COUNTS:
		out.ret = probe_tell_counts(s->probe);
		break;
	case MONITOR_TELL_USAGE:
		out.ret = probe_tell_usage(s->probe);
		break;
	case MONITOR_COUNT_COST:
		out.ret = probe_count_cost(s->probe);
		break;
	case MONITOR_COST:
		do_cost(s, &out);
		break;
	case MONITOR_TELL_UNMET:
		probe_tell_unmet(s->probe);
		break;
	case MONITOR_LOSS:
		out.ret = probe_loss(s->probe, &out.loss);
		break;
	case MONITOR_DETACH:
		probe_detach(s->probe);
		break;
	case MONITOR_DRAIN:
		s->draining = true;
		s->drain_seq = ask->seq;
		return;
	default:
		end(s);
	}
	say(s, &out);
}

/* One command, where there is one. */
static void take_command(struct server *s)
{
	struct monitor_ask ask;
	struct iovec parts[] = { { &ask, sizeof(ask) }, { s->text, sizeof(s->text) } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };
	ssize_t n = recvmsg(s->socket, &msg, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof(ask) || (size_t)n != sizeof(ask) + ask.text)
		end(s);
	answer(s, &ask);
}

/* For whoever wants to know, also while nobody takes what is in the channel. */
static void tell_status(struct server *s)
{
	struct probe_loss loss;
	__u64 now = fact_now();

	if (now - s->told_ts < STATUS_MS * 1000000ull)
		return;
	s->told_ts = now;
	if (!probe_loss(s->probe, &loss))
		status_set_loss(s->status, &loss);
}

/* ---- records */

/* Until there is room.  Commands are answered meanwhile, as who gives one waits for that. */
static void wait_for_room(struct server *s)
{
	struct pollfd fds[] = { { .fd = s->socket, .events = POLLIN },
				{ .fd = channel_space_fd(s->channel), .events = POLLIN } };

	channel_tell(s->channel);
	tell_status(s);
	if (poll(fds, ARRAY_SIZE(fds), STATUS_MS) < 0)
		return;
	if (fds[1].revents)
		channel_space_seen(s->channel);
	if (fds[0].revents)
		take_command(s);
}

static int forward(void *ctx, const struct ev_hdr *rec)
{
	struct server *s = ctx;
	int err;

	while ((err = channel_put(s->channel, rec)) == -EAGAIN)
		wait_for_room(s);
	if (err)
		end(s);
	if (channel_is_filling(s->channel))
		channel_tell(s->channel);
	return 0;
}

static void drain(struct server *s)
{
	bool asked = s->draining;
	__u32 seq = s->drain_seq;
	int n;

	do {
		n = probe_poll(s->probe, 0, forward, s);
		channel_tell(s->channel);
		if (asked) /* who is traced may leave no gap to take one in */
			take_command(s);
	} while (n > 0 && asked);
	if (n < 0) {
		log_err(n, "recording stops: %s", strerror(-n));
		end(s);
	}
	if (!asked)
		return;
	if (s->drain_seq == seq)
		s->draining = false;
	say(s, &(struct monitor_say){ .op = MONITOR_DRAIN, .seq = seq });
}

void monitor_serve(int socket, struct channel *c, struct status *st, const struct probe_cfg *cfg)
{
	struct server s = { .socket = socket, .channel = c, .status = st };
	struct monitor_say ready = { .op = MONITOR_READY };

	ready.ret = probe_new(&s.probe, cfg);
	say(&s, &ready);
	if (ready.ret)
		end(&s);
	for (;;) {
		struct pollfd fds[] = { { .fd = socket, .events = POLLIN },
					{ .fd = probe_fd(s.probe), .events = POLLIN } };

		if (poll(fds, ARRAY_SIZE(fds), s.draining ? 0 : DRAIN_MS) < 0 && errno != EINTR)
			end(&s);
		if (fds[0].revents)
			take_command(&s);
		drain(&s);
		tell_status(&s);
	}
}
