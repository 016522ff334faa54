/* SPDX-License-Identifier: BSD-2-Clause */
/* Records about what user space learnt, kept until the next poll hands them over. */
#ifndef RINGSPAN_PROBE_FACT_H
#define RINGSPAN_PROBE_FACT_H

#include <stdbool.h>
#include <linux/types.h>
#include "base/buf.h"
#include "event.h"
#include "state.bpf.h"

/* Whether that process is there still, and not another one by its id: what was read of it before is its own. */
struct alive {
	bool (*fn)(const void *ctx, __u32 tgid, __u64 start);
	const void *ctx;
};

static inline bool is_alive(const struct alive *a, __u32 tgid, __u64 start)
{
	return a->fn(a->ctx, tgid, start);
}

__u64 fact_now(void); /* CLOCK_MONOTONIC, ns */
void fact_hdr(struct ev_hdr *h, __u16 kind, size_t size);

int fact_run(struct buf *queue, const struct proc_row *row, enum ev_run_origin origin);
/* Path and arguments are read from /proc; none of one that is gone. */
int fact_proc(struct buf *queue, const struct proc_row *row, const struct alive *alive);
int fact_hooked(struct buf *queue, const char *path, __u64 dev, __u64 ino, __u32 src, __u32 hooks);
/* text: what /proc/PID/cgroup holds; of more than EV_CGROUP_MAX bytes the first. */
int fact_cgroup(struct buf *queue, __u32 tgid, __u64 start, struct sv text);
/* text: a line each frame; of more than EV_STACK_MAX bytes the first. */
int fact_stack(struct buf *queue, const struct ev_signal *sig, enum ev_stack_method method,
	       struct sv text);
/* e without its hdr; ts: of the record; counts: as many as e says. */
int fact_syscalls(struct buf *queue, struct ev_syscalls *e, const struct proc_key *proc, __u64 ts,
		  const struct ev_count *counts);
/* format: as the user gave it. */
int fact_probe(struct buf *queue, __u32 id, enum ev_probe_kind kind, const char *path,
	       const char *name, const char *format);
/* of: which process; all zero: for all.  e without its hdr; names, texts: as many as e says. */
int fact_frames(struct buf *queue, struct ev_frames *e, const struct ev_hdr *of, struct sv names,
		struct sv texts);
int fact_add(struct buf *queue, const struct ev_hdr *rec); /* one that is whole */

/* The record at *off, and *off behind it; NULL at the end. */
const struct ev_hdr *fact_next(const struct buf *queue, size_t *off);

#endif
