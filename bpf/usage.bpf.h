/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What processes take, as running totals: the difference of two USAGE records is what was taken between
 * them, whatever happened in between.
 *
 * The kernel counts by thread.  Each time a thread leaves a CPU (sched.bpf.c), what its counters grew by
 * is added to its process's totals; what the thread that tells took since then is added to the record.
 * The totals are never written but by atomic adds, and a thread's entry by the thread's own switches.
 * A program that is preempted while it tells may tell too little, never too much, and only until the
 * next record.
 */
#ifndef RINGSPAN_USAGE_BPF_H
#define RINGSPAN_USAGE_BPF_H

#include "task.bpf.h"

#define USAGE_FRESH 1000000ull /* ns */

/*	field of struct usage, of struct task_struct */
#define USAGE_COUNTERS(X)                     \
	X(cpu_ns, se.sum_exec_runtime)        \
	X(utime_ns, utime)                    \
	X(stime_ns, stime)                    \
	X(run_delay_ns, sched_info.run_delay) \
	X(nvcsw, nvcsw)                       \
	X(nivcsw, nivcsw)                     \
	X(migrations, se.nr_migrations)       \
	X(min_flt, min_flt)                   \
	X(maj_flt, maj_flt)                   \
	X(rchar, ioac.rchar)                  \
	X(wchar, ioac.wchar)                  \
	X(read_bytes, ioac.read_bytes)        \
	X(write_bytes, ioac.write_bytes)

static __always_inline struct proc_usage *usage_of(__u32 tgid)
{
	return bpf_map_lookup_elem(&usages, &tgid);
}

/* A thread of a process that ran before it was traced: what it took until now does not count. */
static __always_inline void usage_begin(struct task_sched *s, struct task_struct *task)
{
#define X(field, of) s->folded.field = task->of;
	USAGE_COUNTERS(X)
#undef X
	s->known = 1;
}

/* Adds what a thread took since it was last added, to what its process did. */
static __always_inline void usage_fold(struct proc_usage *p, struct task_sched *s,
				       struct task_struct *task)
{
	__u64 now;

	if (!s->known) {
		usage_begin(s, task);
		return;
	}
#define X(field, of)                                                         \
	now = task->of;                                                      \
	if (now != s->folded.field) {                                        \
		__sync_fetch_and_add(&p->used.field, now - s->folded.field); \
		s->folded.field = now;                                       \
	}
	USAGE_COUNTERS(X)
#undef X
}

/* The same of system calls; by the thread itself. */
static __always_inline void usage_fold_calls(struct proc_usage *p, struct task_call *call)
{
	int i;

	if (!call->classes)
		return;
	call->classes = 0;
	for (i = 0; i < EV_CALL_CLASSES; i++) {
		if (!call->calls[i])
			continue;
		__sync_fetch_and_add(&p->calls.calls[i], call->calls[i]);
		__sync_fetch_and_add(&p->calls.ns[i], call->ns[i]);
		call->calls[i] = 0;
		call->ns[i] = 0;
	}
}

/* t: of the thread that tells, or NULL.  A function of its own, so that the verifier sees it by itself. */
static __noinline int usage_calls(struct ev_usage_calls *out, const struct proc_usage *p,
				  struct task_state *t, __u64 now)
{
	const struct task_call *call;
	__u32 class;
	int i;

	if (!out || !p)
		return 0;
	*out = p->calls;
	if (!t)
		return 0;
	call = task_call_of(t);
	for (i = 0; i < EV_CALL_CLASSES; i++) {
		out->calls[i] += call->calls[i];
		out->ns[i] += call->ns[i];
	}
	class = cfg_call_class[call->nr & (SYS_CALLS - 1)];
	if (call->enter_ts && !call->quiet && class < EV_CALL_CLASSES)
		out->ns[class] += now - call->enter_ts;
	return 0;
}

/*
 * Time on CPU is brought up to date at switches and ticks.  Since the switch it is what has passed; that
 * includes what a hypervisor or an interrupt took, so no more of it is believed than can be missing.
 */
static __always_inline __u64 usage_cpu_now(const struct task_sched *s, __u64 counted, __u64 now)
{
	__u64 passed = s->folded.cpu_ns + (now - s->on_ts);

	if (!s->on_ts || passed <= counted)
		return counted;
	return passed - counted > cfg_tick_ns ? counted + cfg_tick_ns : passed;
}

/* The current thread's counters beside what is in its process's totals. */
static __always_inline void usage_add_own(struct ev_usage *e, const struct task_sched *s, __u64 now)
{
	struct task_struct *task = (void *)bpf_get_current_task();

#define X(field, of) e->field += BPF_CORE_READ(task, of) - s->folded.field;
	USAGE_COUNTERS(X)
#undef X
	e->cpu_ns += usage_cpu_now(s, BPF_CORE_READ(task, se.sum_exec_runtime), now) -
		     BPF_CORE_READ(task, se.sum_exec_runtime);
}

/*
 * Asked by a field of mm_struct, which every kernel has: for a type that this one does not have libbpf
 * looks through the modules' BTF, and may not without CAP_SYS_ADMIN.
 */
static __always_inline bool rss_is_old(void)
{
	return bpf_core_field_exists(((struct mm_struct___old *)0)->rss_stat.count);
}

/* Pages of the current process's memory; literal indexes, see vmlinux/common.h; 2 are swap entries. */
static __always_inline __s64 rss_pages(struct mm_struct *mm)
{
	struct mm_struct___old *old = (void *)mm;

	if (rss_is_old())
		return BPF_CORE_READ(old, rss_stat.count[0].counter) +
		       BPF_CORE_READ(old, rss_stat.count[1].counter) +
		       BPF_CORE_READ(old, rss_stat.count[3].counter);
	return BPF_CORE_READ(mm, rss_stat[0].count) + BPF_CORE_READ(mm, rss_stat[1].count) +
	       BPF_CORE_READ(mm, rss_stat[3].count);
}

static __always_inline void usage_memory(struct ev_usage *e)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__s64 now = mm ? rss_pages(mm) : 0;
	__s64 peak = mm ? BPF_CORE_READ(mm, hiwater_rss) : 0;

	if (now < 0) /* counters of CPUs are summed late */
		now = 0;
	e->rss_bytes = now * cfg_page_size;
	e->rss_peak_bytes = (now > peak ? now : peak) * cfg_page_size;
}

/* One cause of struct proc_usage as it is now; a number that cannot be was read half way. */
static __always_inline __u64 usage_blocked(struct proc_usage *p, __u32 i, __u64 now, __u64 limit)
{
	__s64 waiting = *(volatile __s64 *)&p->waiting[i];
	__u64 sum = *(volatile __s64 *)&p->blocked[i] + waiting * now;

	if (sum < p->told[i] || sum > p->told[i] + limit)
		return p->told[i];
	p->told[i] = sum;
	return sum;
}

/* Tells the totals of the current process; now: later than it was told before. */
static __noinline int usage_tell(struct proc_usage *p, __u64 now)
{
	struct {
		struct ev_usage usage;
		struct ev_usage_calls calls;
	} *told = ev_reserve_at(EV_USAGE, sizeof(*told), 0, p->start, now);
	struct task_state *t;
	struct ev_usage *e;
	__u64 limit;

	/* at once: further down kernels before 6.12 do not know any more that it is the same answer */
	if (!told)
		return 0;
	e = &told->usage;
	t = task_here();
	limit = (now - p->told_ts) * (p->threads + 1);
#define X(field, of) e->field = p->used.field;
	USAGE_COUNTERS(X)
#undef X
#define X(name, id) e->blocked_ns[id] = usage_blocked(p, id, now, limit);
	EV_BLOCKS(X)
#undef X
	e->sock_bytes[EV_READ] = p->sock_bytes[EV_READ];
	e->sock_bytes[EV_WRITE] = p->sock_bytes[EV_WRITE];
	e->leader_lock_ns = p->leader_lock_ns;
	if (t && t->sched.known)
		usage_add_own(e, &t->sched, now);
	usage_memory(e);
	usage_calls(&told->calls, p, t, now);
	p->told_ts = now;
	bpf_ringbuf_submit(told, BPF_RB_NO_WAKEUP); /* another record follows, or a switch */
	return 0;
}

/* A record comes that may begin or end something: its process's totals before it.  When they were told. */
static __always_inline __u64 usage_before(__u64 now)
{
	struct proc_usage *p = usage_of(bpf_get_current_pid_tgid() >> 32);

	if (!p || p->quiet)
		return 0;
	if (now - p->told_ts > USAGE_FRESH)
		usage_tell(p, now);
	return p->told_ts;
}

/* ev_reserve() for such a record. */
static __always_inline void *ev_open(__u16 kind, __u32 fixed, __u32 room, __u64 start)
{
	__u64 now = bpf_ktime_get_ns();

	usage_before(now);
	return ev_reserve_at(kind, fixed, room, start, now);
}

#endif
