/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples of what traced threads are at on their CPUs: attached to a clock of each CPU, which interrupts
 * whatever runs there.  Threads that are not traced are left after a look at a table.
 *
 * The stacks go into the ring as the kernel has them.  While a program is young its frames are asked for
 * by file, because it may be over before user space has read its mappings: of 36 frames 18 us and 1,144
 * bytes, where addresses are 8 us and 352 bytes (`make bench-profile`, 6.18).  Stacks are not counted here
 * by a table: at 99 a second that would save 35 kB/s of a busy CPU, and take from each the time that tells
 * whose span it is.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "task.bpf.h"

#define YOUNG_NS 1000000000ull /* more than a record waits in the ring, also on a busy machine */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

_Static_assert(sizeof(struct ev_place) == sizeof(struct bpf_stack_build_id) &&
		       BPF_STACK_BUILD_ID_EMPTY == EV_PLACE_NONE &&
		       BPF_STACK_BUILD_ID_VALID == EV_PLACE_FILE &&
		       BPF_STACK_BUILD_ID_IP == EV_PLACE_ADDRESS,
	       "struct ev_place is what the kernel writes");

/* by_file, and with it the size of an entry, is a constant. */
static __always_inline void fill_stacks(void *ctx, struct ev_sample *e, bool by_file)
{
	const __u32 entry = by_file ? sizeof(struct ev_place) : sizeof(__u64);
	const __u32 room = EV_SAMPLE_USER * entry;
	char *p = (char *)(e + 1);
	long user =
		bpf_get_stack(ctx, p, room, BPF_F_USER_STACK | (by_file ? BPF_F_USER_BUILD_ID : 0));
	long kernel;

	if (user <= 0) {
		e->hdr.flags |= EVF_FAULT;
		user = 0;
	}
	barrier_var(user);
	if (user < 0 || user > room)
		user = 0;
	if (user / entry >= cfg_stack_depth)
		e->hdr.flags |= EVF_TRUNC;
	kernel = bpf_get_stack(ctx, p + user, EV_SAMPLE_KERNEL * sizeof(__u64), 0);
	if (kernel < 0)
		kernel = 0;
	e->user = (__u32)user / entry;
	e->kernel = (__u32)kernel / sizeof(__u64);
	e->by_file = by_file;
	e->hdr.size = sizeof(*e) + user + kernel;
}

static __always_inline struct ev_sample *sample_open(const struct proc_state *proc, __u32 entry,
						     __u64 now)
{
	struct ev_sample *e =
		ev_reserve_at(EV_SAMPLE, sizeof(*e),
			      EV_SAMPLE_USER * entry + EV_SAMPLE_KERNEL * sizeof(__u64),
			      proc->start, now);

	if (!e)
		return NULL;
	e->exec_ts = proc->exec_ts;
	e->period_ns = cfg_sample_ns;
	e->pad = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	return e;
}

SEC("?perf_event")
int sample(void *ctx)
{
	struct task_call *t = task_call_now();
	struct proc_state *proc = t && !t->quiet ? traced_here() : NULL;
	__u64 now, born;
	struct ev_sample *e;

	if (!proc || proc->start != t->start)
		return 0;
	now = bpf_ktime_get_ns();
	born = proc->exec_ts ? proc->exec_ts : proc->start;
	if (now - born < YOUNG_NS) {
		e = sample_open(proc, sizeof(struct ev_place), now);
		if (e)
			fill_stacks(ctx, e, true);
	} else {
		e = sample_open(proc, sizeof(__u64), now);
		if (e)
			fill_stacks(ctx, e, false);
	}
	if (e)
		ev_submit(e);
	return 0;
}
