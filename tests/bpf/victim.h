/* SPDX-License-Identifier: BSD-2-Clause */
/* What victims share: the programs that tests trace, each the test's own binary with an argument. */
#ifndef RINGSPAN_TESTS_BPF_VICTIM_H
#define RINGSPAN_TESTS_BPF_VICTIM_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Else it ends: what it was to do is not done. */
static inline void need(bool ok)
{
	if (!ok) {
		fprintf(stderr, "victim: %s\n", strerror(errno));
		_exit(10);
	}
}

/* Both ends of a TCP connection over loopback; fd[0] has connected. */
static inline void tcp_pair(int fd[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	need(bind(listener, (void *)&sa, len) == 0 && listen(listener, 1) == 0);
	need(getsockname(listener, (void *)&sa, &len) == 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(connect(fd[0], (void *)&sa, len) == 0);
	fd[1] = accept(listener, NULL, NULL);
	need(fd[1] >= 0);
	close(listener);
}

#endif
