/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records from one process to another that it has forked: a queue in shared memory, written by one thread
 * and read by one.  Neither side trusts the other's: what the reader says it took is checked, and the
 * writer reads nothing else of it; the reader gets a record only when it is whole and of a size that may be.
 */
#ifndef RINGSPAN_PROBE_CHANNEL_H
#define RINGSPAN_PROBE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include "event.h"

struct channel;

/* bytes: rounded up to a power of two and to pages.  0 or -errno, logged.  Before the fork. */
int channel_new(struct channel **out, size_t bytes);
void channel_free(struct channel **c);

/* Writer: 0; -EAGAIN: no room, and channel_space_fd() will be readable; -EBADMSG: the reader lies. */
int channel_put(struct channel *c, const struct ev_hdr *rec);
void channel_tell(
	struct channel *c); /* wakes the reader, where something was put since the last time */
bool channel_is_filling(struct channel *c); /* more than half of it was not taken yet */
int channel_space_fd(const struct channel *c);
void channel_space_seen(struct channel *c); /* it was readable */

/* Reader: *rec stays valid until the next call.  1, 0: nothing there; -EBADMSG: the writer lies. */
int channel_next(struct channel *c, const struct ev_hdr **rec);
int channel_fd(const struct channel *c); /* readable when channel_tell() was called */
void channel_seen(struct channel *c);    /* before the records are taken: nothing is missed */
void channel_again(struct channel *c);   /* not all were taken: it is readable again */

/* Its descriptors, for who closes all others.  How many; at most CHANNEL_FDS. */
#define CHANNEL_FDS 2
size_t channel_fds(struct channel *c, int *fds[CHANNEL_FDS]);

#endif
