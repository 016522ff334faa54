/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a record is made: reserve it in the ring, fill it, submit it.
 *
 * Never through a per-CPU scratch map: a uprobe program can be preempted, another task on that CPU
 * would reuse the map, and its bytes would leave under this task's name.  What finds no room is
 * counted per cause, and the next record of this CPU says how many were lost before it.
 *
 * One ring for all CPUs, so that records come in order.  Two CPUs that do nothing but fill it do fight for
 * its lock.  At 100,000 records of 64 bytes a second on each of two CPUs a call that makes one took 561 to
 * 581 ns, with a ring for each CPU 561 to 701 and without a record 521 to 540 (medians of two runs on a
 * loaded machine: no difference that could be told); an agent that never waits makes 4,300 on all.
 */
#ifndef RINGSPAN_EMIT_BPF_H
#define RINGSPAN_EMIT_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"

/* Keeps a bound next to its use: kernels before 6.8 forget that of a spilled register. */
#ifndef barrier_var
#define barrier_var(v) asm volatile("" : "+r"(v))
#endif

static __always_inline struct cpu_stats *stats_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&stats, &zero);
}

#define stat_add(field, n)                                     \
	({                                                     \
		struct cpu_stats *_s = stats_here();           \
		if (_s)                                        \
			__sync_fetch_and_add(&_s->field, (n)); \
	})

/* A record of that kind is not made, as its process has had its share of this second. */
static __always_inline void stat_over_rate(__u16 kind)
{
	stat_add(produced[kind], 1);
	stat_add(lost_rate[kind], 1);
}

/* A table is full, so n bytes that a call moved are told under no name. */
static __always_inline void stat_unplaced(__u64 n)
{
	stat_add(content_bytes, n);
	stat_add(lost_map_bytes, n);
}

/*
 * Losses to tell with this record.  Subtracted by an atomic add that returns nothing, because
 * kernels before 5.12 (5ffa25502b5a) have no exchange.  If a second program gets in between, both
 * tell the same number; the counter is then negative and the next losses make up for it.
 */
static __always_inline __u32 take_lost(struct cpu_stats *s)
{
	__s64 n = *(volatile __s64 *)&s->unreported;

	if (n <= 0)
		return 0;
	__sync_fetch_and_add(&s->unreported, -n);
	return n;
}

/*
 * room is what the payload may take at most, ts when it is; NULL when the ring is full (counted).
 * kind: a constant, below EV_KERNEL_KINDS.
 */
static __always_inline void *ev_reserve_at(__u16 kind, __u32 fixed, __u32 room, __u64 start,
					   __u64 ts)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct cpu_stats *s = stats_here();
	struct ev_hdr *h;

	if (!s)
		return NULL;
	__sync_fetch_and_add(&s->produced[kind], 1);
	h = bpf_ringbuf_reserve(&events, fixed + room, 0);
	if (!h) {
		__sync_fetch_and_add(&s->lost_ring[kind], 1);
		__sync_fetch_and_add(&s->unreported, 1);
		return NULL;
	}
	h->size = fixed;
	h->kind = kind;
	h->flags = 0;
	h->ts = ts;
	h->tgid = id >> 32;
	h->tid = (__u32)id;
	h->start = start;
	h->cpu = bpf_get_smp_processor_id();
	h->lost = take_lost(s);
	return h;
}

static __always_inline void *ev_reserve(__u16 kind, __u32 fixed, __u32 room, __u64 start)
{
	return ev_reserve_at(kind, fixed, room, start, bpf_ktime_get_ns());
}

/* What ends may be ended on behalf of another process, or of none: the record is in its name. */
static __always_inline void ev_of_process(struct ev_hdr *h, __u32 tgid)
{
	if (h->tgid == tgid)
		return;
	h->tgid = tgid;
	h->tid = tgid;
}

/* A wakeup costs the traced thread more than the record does, so it is for a filling ring only. */
static __always_inline void ev_submit(void *rec)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(rec, waiting >= cfg_wake_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* For what user space should act on at once: a file that may need probes. */
static __always_inline void ev_submit_now(void *rec)
{
	bpf_ringbuf_submit(rec, BPF_RB_FORCE_WAKEUP);
}

#endif
