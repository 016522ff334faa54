/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts lie in the queue as records, each padded to 8 bytes so that the next is aligned. */
#include "probe/fact.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/cleanup.h"

__u64 fact_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void fact_hdr(struct ev_hdr *h, __u16 kind, size_t size)
{
	h->size = (__u32)size;
	h->kind = kind;
	h->ts = fact_now();
}

/* All of it or nothing. */
static int add(struct buf *queue, const void *fixed, size_t n, const void *payload, size_t len)
{
	static const char zero[8];
	size_t pad = (8 - (n + len) % 8) % 8;
	int err = buf_reserve(queue, n + len + pad);

	if (err)
		return err;
	buf_add(queue, fixed, n);
	if (len)
		buf_add(queue, payload, len);
	if (pad)
		buf_add(queue, zero, pad);
	return 0;
}

static void name_process(struct ev_hdr *h, const struct proc_row *row)
{
	h->tgid = h->tid = row->tgid;
	h->start = row->state.start;
}

int fact_run(struct buf *queue, const struct proc_row *row, enum ev_run_origin origin)
{
	struct ev_run e = { .origin = origin };

	fact_hdr(&e.hdr, EV_RUN, sizeof(e));
	name_process(&e.hdr, row);
	return add(queue, &e, sizeof(e), NULL, 0);
}

/* The arguments of a running process; all there are when `total` says so. */
static size_t read_args(__u32 pid, char *buf, size_t size, size_t *total)
{
	char path[64], rest[4096];
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	ssize_t n;

	*total = 0;
	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (len < size && (n = read(fd, buf + len, size - len)) > 0)
		len += n;
	*total = len;
	while (len == size && (n = read(fd, rest, sizeof(rest))) > 0)
		*total += n;
	return len;
}

int fact_proc(struct buf *queue, const struct proc_row *row, const struct alive *alive)
{
	struct ev_exec e = {
		.parent_start = row->parent_start,
		.parent = row->parent,
		.uid = row->uid,
	};
	char payload[PATH_MAX + EV_ARGS_MAX], link[64];
	size_t total;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%u/exe", row->tgid);
	n = readlink(link, payload, PATH_MAX - 1);
	e.path_len = n > 0 ? (__u32)n + 1 : 1;
	payload[e.path_len - 1] = '\0';
	e.args_len = (__u32)read_args(row->tgid, payload + e.path_len, EV_ARGS_MAX, &total);
	e.args_total = (__u32)total;
	if (!is_alive(alive, row->tgid, row->state.start)) {
		e.path_len = 1;
		payload[0] = '\0';
		e.args_len = e.args_total = 0;
	}
	memcpy(e.comm, row->comm, sizeof(e.comm));
	fact_hdr(&e.hdr, EV_PROC, sizeof(e) + e.path_len + e.args_len);
	e.hdr.flags = e.args_len < e.args_total ? EVF_TRUNC : 0;
	name_process(&e.hdr, row);
	return add(queue, &e, sizeof(e), payload, e.path_len + e.args_len);
}

int fact_hooked(struct buf *queue, const char *path, __u64 dev, __u64 ino, __u32 src, __u32 hooks)
{
	struct ev_hooked e = { .dev = dev, .ino = ino, .src = src, .hooks = hooks };

	e.len = (__u32)strlen(path);
	fact_hdr(&e.hdr, EV_HOOKED, sizeof(e) + e.len);
	return add(queue, &e, sizeof(e), path, e.len);
}

int fact_cgroup(struct buf *queue, __u32 tgid, __u64 start, struct sv text)
{
	struct sv kept = sv_sub(text, 0, EV_CGROUP_MAX);
	struct ev_cgroup e = { .len = (__u32)kept.n };

	fact_hdr(&e.hdr, EV_CGROUP, sizeof(e) + kept.n);
	e.hdr.flags = kept.n < text.n ? EVF_TRUNC : 0;
	e.hdr.tgid = e.hdr.tid = tgid;
	e.hdr.start = start;
	return add(queue, &e, sizeof(e), kept.p, kept.n);
}

int fact_stack(struct buf *queue, const struct ev_signal *sig, enum ev_stack_method method,
	       struct sv text)
{
	struct sv kept = sv_sub(text, 0, EV_STACK_MAX);
	struct ev_stack e = { .hdr = sig->hdr, .method = method, .len = (__u32)kept.n };

	e.hdr.size = (__u32)(sizeof(e) + kept.n);
	e.hdr.kind = EV_STACK;
	e.hdr.flags = kept.n < text.n ? EVF_TRUNC : 0;
	e.hdr.lost = 0; /* the SIGNAL has told it */
	return add(queue, &e, sizeof(e), kept.p, kept.n);
}

int fact_syscalls(struct buf *queue, struct ev_syscalls *e, const struct proc_key *proc, __u64 ts,
		  const struct ev_count *counts)
{
	size_t len = ((size_t)e->buckets + e->errnos) * sizeof(*counts);

	fact_hdr(&e->hdr, EV_SYSCALLS, sizeof(*e) + len);
	e->hdr.ts = ts;
	e->hdr.tgid = e->hdr.tid = proc->tgid;
	e->hdr.start = proc->start;
	return add(queue, e, sizeof(*e), counts, len);
}

int fact_probe(struct buf *queue, __u32 id, enum ev_probe_kind kind, const char *path,
	       const char *name, const char *format)
{
	_cleanup_buf_ struct buf texts = BUF_INIT;
	struct ev_probe e = { .id = id, .kind = kind };
	const char *const each[] = { path, name, format };

	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		e.len[i] = (__u32)strlen(each[i]);
		buf_str(&texts, each[i]);
	}
	fact_hdr(&e.hdr, EV_PROBE, sizeof(e) + texts.len);
	return texts.err ? texts.err : add(queue, &e, sizeof(e), texts.p, texts.len);
}

int fact_frames(struct buf *queue, struct ev_frames *e, const struct ev_hdr *of, struct sv names,
		struct sv texts)
{
	_cleanup_buf_ struct buf payload = BUF_INIT;

	buf_sv(&payload, names);
	buf_sv(&payload, texts);
	if (payload.err)
		return payload.err;
	fact_hdr(&e->hdr, EV_FRAMES, sizeof(*e) + payload.len);
	e->hdr.tgid = e->hdr.tid = of->tgid;
	e->hdr.start = of->start;
	return add(queue, e, sizeof(*e), payload.p, payload.len);
}

int fact_add(struct buf *queue, const struct ev_hdr *rec)
{
	return add(queue, rec, rec->size, NULL, 0);
}

const struct ev_hdr *fact_next(const struct buf *queue, size_t *off)
{
	const struct ev_hdr *h = (const void *)(queue->p + *off);

	if (*off >= queue->len)
		return NULL;
	*off += (h->size + 7) & ~7u;
	return h;
}
