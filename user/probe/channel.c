// SPDX-License-Identifier: BSD-2-Clause
/*
 * The queue is mapped twice, one behind the other, so that a record that wraps round lies in one piece.
 * head and tail count bytes for ever.
 *
 * Its pages are there once they were written to, and stay.  So that a queue which is never full does not
 * come to take all of its size, the writer begins anew at its first byte when all was taken and a quarter
 * is used: a size of 0 in the place of a record's says so.
 */
#include "probe/channel.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"

#define CACHE_LINE 64
#define BYTES_MIN (4 * EV_SIZE_MAX) /* a quarter of it has room for any record */

struct shared {
	_Alignas(CACHE_LINE) _Atomic uint64_t head; /* written by the writer */
	_Alignas(CACHE_LINE) _Atomic uint64_t tail; /* by the reader */
	_Alignas(CACHE_LINE) _Atomic uint32_t full; /* the writer waits for room */
};

struct channel {
	struct shared *shared;
	char *data; /* twice */
	size_t bytes;
	uint64_t head, tail; /* this side's own: what the other one can write is not read back */
	uint64_t told;       /* writer: head at the last channel_tell() */
	uint64_t skip_end;   /* writer: head behind the bytes that it passed over last, */
	uint64_t skipped;    /* ... and how many these were */
	int event_fd, space_fd;
};

static size_t round_up(size_t bytes)
{
	size_t n = (size_t)sysconf(_SC_PAGESIZE);

	while (n < bytes)
		n *= 2;
	return n;
}

/* Of a record in the queue. */
static size_t room_of(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static int map_queue(struct channel *c)
{
	_cleanup_close_ int fd = memfd_create("ringspan", MFD_CLOEXEC);
	int prot = PROT_READ | PROT_WRITE;

	if (fd < 0 || ftruncate(fd, (off_t)c->bytes))
		return -errno;
	c->data = mmap(NULL, 2 * c->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->data == MAP_FAILED) {
		c->data = NULL;
		return -errno;
	}
	for (int i = 0; i < 2; i++) {
		void *half = mmap(c->data + (size_t)i * c->bytes, c->bytes, prot,
				  MAP_SHARED | MAP_FIXED, fd, 0);

		if (half == MAP_FAILED)
			return -errno;
	}
	c->shared = mmap(NULL, sizeof(*c->shared), prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->shared == MAP_FAILED) {
		c->shared = NULL;
		return -errno;
	}
	return 0;
}

int channel_new(struct channel **out, size_t bytes)
{
	struct channel *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->bytes = round_up(bytes > BYTES_MIN ? bytes : BYTES_MIN);
	c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->space_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = c->event_fd < 0 || c->space_fd < 0 ? -errno : map_queue(c);
	if (err) {
		channel_free(&c);
		return log_err(err, "a queue of %zu bytes between two processes: %s", bytes,
			       strerror(-err));
	}
	*out = c;
	return 0;
}

void channel_free(struct channel **cp)
{
	struct channel *c = *cp;

	if (!c)
		return;
	if (c->data)
		munmap(c->data, 2 * c->bytes);
	if (c->shared)
		munmap(c->shared, sizeof(*c->shared));
	if (c->event_fd >= 0)
		close(c->event_fd);
	if (c->space_fd >= 0)
		close(c->space_fd);
	free(c);
	*cp = NULL;
}

size_t channel_fds(struct channel *c, int *fds[CHANNEL_FDS])
{
	fds[0] = &c->event_fd;
	fds[1] = &c->space_fd;
	return CHANNEL_FDS;
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	/* a counter that is full wakes as well */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void clear_fd(int fd)
{
	uint64_t cnt;

	while (read(fd, &cnt, sizeof(cnt)) < 0 && errno == EINTR)
		;
}

/* ---- writer */

/* What was not taken yet; -EBADMSG. */
static int64_t waiting(const struct channel *c)
{
	uint64_t n = c->head - atomic_load_explicit(&c->shared->tail, memory_order_acquire);

	return n <= c->bytes ? (int64_t)n : -EBADMSG;
}

/* What is passed over is told with the next record. */
static void begin_anew(struct channel *c)
{
	uint64_t at = c->head & (c->bytes - 1);

	*(uint32_t *)(void *)(c->data + at) = 0;
	c->skipped = c->bytes - at;
	c->head += c->skipped;
	c->skip_end = c->head;
}

int channel_put(struct channel *c, const struct ev_hdr *rec)
{
	size_t need = room_of(rec->size);
	int64_t n = waiting(c);

	if (!n && (c->head & (c->bytes - 1)) >= c->bytes / 4) {
		begin_anew(c);
		n = waiting(c);
	}
	if (n >= 0 && need > c->bytes - (size_t)n) {
		/* said before it is looked at again: who makes room in between sees it */
		atomic_store(&c->shared->full, 1);
		n = waiting(c);
		if (n >= 0 && need > c->bytes - (size_t)n)
			return -EAGAIN;
		atomic_store(&c->shared->full, 0);
	}
	if (n < 0)
		return (int)n;
	memcpy(c->data + (c->head & (c->bytes - 1)), rec, rec->size);
	c->head += need;
	atomic_store_explicit(&c->shared->head, c->head, memory_order_release);
	return 0;
}

void channel_tell(struct channel *c)
{
	if (c->told != c->head)
		signal_fd(c->event_fd);
	c->told = c->head;
}

bool channel_is_filling(struct channel *c)
{
	uint64_t tail = atomic_load_explicit(&c->shared->tail, memory_order_acquire);
	int64_t passed = tail < c->skip_end ? (int64_t)c->skipped : 0;

	return waiting(c) - passed > ((int64_t)c->bytes - passed) / 2;
}

int channel_space_fd(const struct channel *c)
{
	return c->space_fd;
}

void channel_space_seen(struct channel *c)
{
	clear_fd(c->space_fd);
}

/* ---- reader */

static const struct ev_hdr *at_tail(const struct channel *c)
{
	return (const void *)(c->data + (c->tail & (c->bytes - 1)));
}

/* n bytes are there.  What the writer passed over is done with; a record is behind it. */
static uint64_t pass_over(struct channel *c, uint64_t n)
{
	uint64_t skipped = c->bytes - (c->tail & (c->bytes - 1));

	if (n <= skipped || n > c->bytes || at_tail(c)->size)
		return n;
	c->tail += skipped;
	atomic_store(&c->shared->tail, c->tail);
	return n - skipped;
}

int channel_next(struct channel *c, const struct ev_hdr **rec)
{
	const struct ev_hdr *at;
	uint64_t n;

	if (c->tail != atomic_load_explicit(&c->shared->tail, memory_order_relaxed))
		atomic_store(&c->shared->tail, c->tail); /* the one before is done with */
	n = atomic_load_explicit(&c->shared->head, memory_order_acquire) - c->tail;
	n = pass_over(c, n);
	/* not for the room of a single record: the writer would wait for the next one at once */
	if (n <= c->bytes / 2 && atomic_load(&c->shared->full) &&
	    atomic_exchange(&c->shared->full, 0))
		signal_fd(c->space_fd);
	if (!n)
		return 0;
	at = at_tail(c);
	if (n > c->bytes || n < sizeof(struct ev_hdr) || at->size < sizeof(struct ev_hdr) ||
	    at->size > EV_SIZE_MAX || room_of(at->size) > n)
		return -EBADMSG;
	c->tail += room_of(at->size);
	*rec = at;
	return 1;
}

int channel_fd(const struct channel *c)
{
	return c->event_fd;
}

void channel_seen(struct channel *c)
{
	clear_fd(c->event_fd);
}

void channel_again(struct channel *c)
{
	signal_fd(c->event_fd);
}
