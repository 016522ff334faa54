/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking probes away.  Each waits for a grace period in the kernel, 30 to 100 ms of doing nothing, so
 * many are taken away side by side.
 */
#ifndef RINGSPAN_PROBE_DETACH_H
#define RINGSPAN_PROBE_DETACH_H

#include <pthread.h>
#include <stddef.h>

#define DETACH_THREADS 96

struct bpf_link;

struct detach {
	pthread_t threads[DETACH_THREADS];
	size_t cnt;
};

/* With d NULL at once. */
void detach_fd(struct detach *d, int fd);                  /* closes it, soon */
void detach_link(struct detach *d, struct bpf_link *link); /* destroys it, soon */
/* Any other work of the kind, soon; ctx lives until detach_finish(). */
void detach_work(struct detach *d, void *(*work)(void *ctx), void *ctx);
void detach_finish(struct detach *d); /* waits until all is gone */

#endif
