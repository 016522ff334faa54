// SPDX-License-Identifier: BSD-2-Clause
/* A thread each; where none can be had, the work is done at once: see detach.h. */
#include "probe/detach.h"

#include <stdint.h>
#include <unistd.h>
#include <bpf/libbpf.h>

static void *close_fd(void *fd)
{
	close((int)(intptr_t)fd);
	return NULL;
}

static void *destroy_link(void *link)
{
	bpf_link__destroy(link);
	return NULL;
}

static void start(struct detach *d, void *(*work)(void *), void *arg)
{
	if (d && d->cnt < DETACH_THREADS && !pthread_create(&d->threads[d->cnt], NULL, work, arg))
		d->cnt++;
	else
		work(arg);
}

void detach_fd(struct detach *d, int fd)
{
	start(d, close_fd, (void *)(intptr_t)fd);
}

void detach_link(struct detach *d, struct bpf_link *link)
{
	start(d, destroy_link, link);
}

void detach_work(struct detach *d, void *(*work)(void *ctx), void *ctx)
{
	start(d, work, ctx);
}

void detach_finish(struct detach *d)
{
	while (d->cnt)
		pthread_join(d->threads[--d->cnt], NULL);
}
