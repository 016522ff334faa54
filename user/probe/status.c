// SPDX-License-Identifier: BSD-2-Clause
/*
 * Numbers in shared memory: see status.h.  A part is written between two steps of its counter, which is odd
 * meanwhile: who reads sees by it that what was read is of one time.  A reader trusts nothing that is in there:
 * any process may have a memfd of that name.
 */
#include "probe/status.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/fact.h"

#define NAME "ringspan-status"
#define LINK "/memfd:" NAME
#define MAGIC 0x7461747372ull
#define VERSION 1
#define TRIES 1000      /* to read a part while it is written */
#define STATUS_MAX 1024 /* recorders that are told */

struct shared {
	__u64 magic;
	__u32 version, size;
	__s32 pid, monitor;
	__u64 began_ts;
	_Atomic __u32 loss_seq, fed_seq;
	struct probe_loss loss;
	struct status_fed fed;
};

struct status {
	struct shared *shared;
	int fd;
};

/* NULL: errno. */
static struct shared *make_shared(int fd)
{
	struct shared *at;

	if (fd < 0 || ftruncate(fd, sizeof(*at)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return NULL;
	at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

int status_new(struct status **out)
{
	struct status *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->fd = memfd_create(NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	s->shared = make_shared(s->fd);
	if (!s->shared) {
		err = -errno;
		status_free(&s);
		return log_err(err, "memory for the recorder's status: %s", strerror(-err));
	}
	s->shared->magic = MAGIC;
	s->shared->version = VERSION;
	s->shared->size = sizeof(*s->shared);
	s->shared->pid = getpid();
	s->shared->began_ts = fact_now();
	*out = s;
	return 0;
}

void status_free(struct status **s)
{
	if (!*s)
		return;
	if ((*s)->shared)
		munmap((*s)->shared, sizeof(struct shared));
	if ((*s)->fd >= 0)
		close((*s)->fd);
	free(*s);
	*s = NULL;
}

int *status_fd(struct status *s)
{
	return &s->fd;
}

void status_monitor(struct status *s, pid_t monitor)
{
	s->shared->monitor = monitor;
}

static void begin(_Atomic __u32 *seq)
{
	atomic_fetch_add_explicit(seq, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void end(_Atomic __u32 *seq)
{
	atomic_fetch_add_explicit(seq, 1, memory_order_release);
}

void status_set_loss(struct status *s, const struct probe_loss *loss)
{
	begin(&s->shared->loss_seq);
	s->shared->loss = *loss;
	end(&s->shared->loss_seq);
}

void status_set_fed(struct status *s, const struct status_fed *fed)
{
	begin(&s->shared->fed_seq);
	s->shared->fed = *fed;
	end(&s->shared->fed_seq);
}

/* ---- reading those of others */

/* Waits for nobody: a part that is never whole is left zero. */
static void read_part(const _Atomic __u32 *seq, const void *from, void *to, size_t size)
{
	for (int i = 0; i < TRIES; i++) {
		__u32 before = atomic_load_explicit(seq, memory_order_acquire);

		memcpy(to, from, size);
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1) && before == atomic_load_explicit(seq, memory_order_relaxed))
			return;
	}
	memset(to, 0, size);
}

static bool read_told(int fd, pid_t owner, struct status_told *out)
{
	const struct shared *s = mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, fd, 0);
	bool ok;

	if (s == MAP_FAILED)
		return false;
	ok = s->magic == MAGIC && s->version == VERSION && s->size == sizeof(*s) && s->pid == owner;
	*out = (struct status_told){ .pid = s->pid,
				     .monitor = s->monitor,
				     .began_ts = s->began_ts };
	read_part(&s->loss_seq, &s->loss, &out->loss, sizeof(out->loss));
	read_part(&s->fed_seq, &s->fed, &out->fed, sizeof(out->fed));
	munmap((void *)s, sizeof(*s));
	return ok && out->loss.e.kinds <= EV_KERNEL_KINDS;
}

/* path: of a descriptor in /proc.  What is sealed does not shrink under who has mapped it. */
static bool open_told(const char *path, pid_t owner, struct status_told *out)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int seals;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) || st.st_size != (off_t)sizeof(struct shared))
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & F_SEAL_SHRINK) && read_told(fd, owner, out);
}

/* One of the process's descriptors; -errno when it may not be looked at. */
static int find_told(pid_t pid, struct status_told *out)
{
	char folder[64], path[320], link[64];
	struct dirent *e;
	int found = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	if (!dir)
		return -errno;
	while (!found && (e = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < (ssize_t)strlen(LINK) || memcmp(link, LINK, strlen(LINK)) != 0)
			continue;
		found = open_told(path, pid, out);
	}
	closedir(dir);
	return found;
}

static bool is_called_ringspan(pid_t pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f && !fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	if (f)
		fclose(f);
	return strcmp(comm, "ringspan\n") == 0;
}

int status_each(status_fn fn, void *ctx, size_t *hidden)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int cnt = 0;

	*hidden = 0;
	if (!proc)
		return log_err(-errno, "/proc: %s", strerror(errno));
	while ((e = readdir(proc)) && cnt < STATUS_MAX) {
		pid_t pid = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : 0;
		struct status_told t;
		int ret = pid && pid != getpid() ? find_told(pid, &t) : 0;

		if (ret == 1) {
			fn(ctx, &t);
			cnt++;
		} else if (ret == -EACCES && is_called_ringspan(pid)) {
			(*hidden)++;
		}
	}
	closedir(proc);
	return cnt;
}
