/* SPDX-License-Identifier: BSD-2-Clause */
/* See peer.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "peer.h"

#define STOP_MS 20000 /* bpftrace takes its probes away one by one */

int peer_start(struct peer *p, const char *libssl)
{
	int fds[2];

	p->out = -1;
	p->events = p->partial_len = 0;
	p->line[0] = 0;
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	p->pid = fork();
	if (p->pid == 0) {
		setpgid(0, 0);
		setenv("LIBSSL", libssl, 1);
		setenv("PYTHONUNBUFFERED", "1", 1);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", p->command, NULL);
		_exit(127);
	}
	close(fds[1]);
	if (p->pid < 0) {
		close(fds[0]);
		return -EAGAIN;
	}
	setpgid(p->pid, p->pid);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	p->out = fds[0];
	return 0;
}

static void line_ends(struct peer *p)
{
	p->partial[p->partial_len] = 0;
	if (!strncmp(p->partial, p->event, strlen(p->event)))
		p->events++;
	else if (p->partial_len)
		memcpy(p->line, p->partial, p->partial_len + 1);
	p->partial_len = 0;
}

bool peer_drain(struct peer *p)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(p->out, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n')
				line_ends(p);
			else if (p->partial_len < sizeof(p->partial) - 1)
				p->partial[p->partial_len++] = buf[i];
		}
	}
	return n < 0;
}

void peer_stop(struct peer *p)
{
	struct pollfd fd = { .fd = p->out, .events = POLLIN };

	if (p->out < 0)
		return;
	kill(-p->pid, SIGINT);
	for (int ms = 0; ms < STOP_MS && peer_drain(p); ms += 100)
		poll(&fd, 1, 100);
	kill(-p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->out);
	p->out = -1;
}
