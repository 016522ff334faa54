/* SPDX-License-Identifier: BSD-2-Clause */
/* Another tracer, as a process whose output is read, to be measured beside ringspan. */
#ifndef RINGSPAN_BENCH_PEER_H
#define RINGSPAN_BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
	const char *name;
	const char *command; /* for sh; $LIBSSL is the library's path */
	const char *event;   /* how a line of its output begins that tells of one call */
	pid_t pid;
	int out;         /* its stdout and stderr; -1: not running */
	uint64_t events; /* such lines so far */
	char line[256];  /* the last line that was no event: why it could not start */
	char partial[256];
	size_t partial_len;
};

/* Starts it in a process group of its own.  0 or -errno. */
int peer_start(struct peer *p, const char *libssl);

/* Reads what it wrote so far, without waiting.  False once it has ended. */
bool peer_drain(struct peer *p);

/* Interrupts it as a user would, reads what it still says, and waits for its end. */
void peer_stop(struct peer *p);

#endif
