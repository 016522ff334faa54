/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Switches of threads of traced processes: what each took so far, and what it leaves its CPU for.
 *
 * One tracepoint tells all.  That a thread blocks, and was not preempted, is told by its count of
 * voluntary switches, which the kernel has raised by then.  How long it waited for a CPU behind that is
 * what its run_delay grows by; of a thread that comes in, the last part of it is not added yet, so it is
 * taken from the run queue's clock as the kernel is about to.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "sock.bpf.h"
#include "usage.bpf.h"

#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define ANON_INODE_FS_MAGIC 0x09041934
#define MAJOR(rdev) ((rdev) >> 20)
#define TTY_MAJOR 4
#define TTYAUX_MAJOR 5
#define UNIX98_PTY_MASTER_MAJOR 128
#define UNIX98_PTY_LAST_MAJOR 143
#define USAGE_SWITCH 100000000ull /* ns: a process that switches tells its totals that often */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline enum ev_block block_of_device(__u32 major)
{
	bool tty = major == TTY_MAJOR || major == TTYAUX_MAJOR ||
		   (major >= UNIX98_PTY_MASTER_MAJOR && major <= UNIX98_PTY_LAST_MAJOR);

	return tty ? EV_BLOCK_TERMINAL : EV_BLOCK_OTHER;
}

static __always_inline enum ev_block block_of_socket(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk, __sk_common.skc_family) == AF_UNIX ? EV_BLOCK_PIPE
									    : EV_BLOCK_NETWORK;
}

static __always_inline enum ev_block block_of_file(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT;

	if (BPF_CORE_READ(inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC) /* eventfd, timerfd ... */
		return EV_BLOCK_POLL;
	if (type == S_IFSOCK)
		return block_of_socket(file);
	if (type == S_IFIFO)
		return EV_BLOCK_PIPE;
	if (type == S_IFCHR)
		return block_of_device(MAJOR(BPF_CORE_READ(inode, i_rdev)));
	return type == S_IFREG || type == S_IFDIR || type == S_IFBLK ? EV_BLOCK_DISK
								     : EV_BLOCK_OTHER;
}

/* What the current thread, which is about to wait, waits for. */
static __always_inline enum ev_block block_here(struct task_state *t, struct task_struct *task)
{
	const struct task_call *call = task_call_of(t);
	__u32 nr = call->nr;
	__u32 block = call->enter_ts && nr < SYS_CALLS ? cfg_call_block[nr] : EV_BLOCK_OTHER;
	struct file *file;

	if (block == EV_BLOCK_POLL) /* io_uring says that it waits for a disk whenever it waits */
		return block;
	if (BPF_CORE_READ_BITFIELD(task, in_iowait))
		return EV_BLOCK_DISK;
	if (block != BLOCK_BY_FILE)
		return block;
	file = file_of_fd(call->arg);
	return file ? block_of_file(file) : EV_BLOCK_OTHER;
}

/* The wait is over, and the thread on a CPU since then; delay: what of it was behind the wait. */
static __always_inline void wait_ends(struct proc_usage *p, struct task_sched *s, bool leader,
				      __u64 since, __u64 delay)
{
	__u32 block = s->block - 1;

	s->block = 0;
	if (block >= EV_BLOCK_CNT)
		return;
	if (since < s->off_ts)
		since = s->off_ts;
	if (delay > since - s->off_ts)
		delay = since - s->off_ts;
	__sync_fetch_and_add(&p->waiting[block], -1);
	__sync_fetch_and_add(&p->blocked[block], since - delay);
	s->blocked[block] += since - delay - s->off_ts;
	if (leader && block == EV_BLOCK_LOCK)
		__sync_fetch_and_add(&p->leader_lock_ns, since - delay - s->off_ts);
}

/*
 * Now and then a thread is on a CPU and no switch has told (seen on 6.18, where neither perf nor ftrace
 * knew of it): its wait ended when its time on CPU began.
 */
static __always_inline void wait_ended(struct proc_usage *p, struct task_sched *s,
				       struct task_struct *task, __u64 now)
{
	if (s->block)
		wait_ends(p, s, task->pid == task->tgid,
			  now - (task->se.sum_exec_runtime - s->folded.cpu_ns),
			  task->sched_info.run_delay - s->folded.run_delay_ns);
}

static __always_inline void leaves(struct task_state *t, struct task_struct *task, __u64 now)
{
	struct proc_usage *p = usage_of(t->own.tgid);
	struct task_sched *s = &t->sched;
	bool waits = s->known && !s->gone && task->nvcsw != s->folded.nvcsw;
	__u32 block;

	if (!p || p->start != t->own.start)
		return;
	wait_ended(p, s, task, now);
	usage_fold(p, s, task);
	usage_fold_calls(p, task_call_of(t));
	s->on_ts = 0;
	if (!p->quiet && now - p->told_ts > USAGE_SWITCH)
		usage_tell(p, now);
	if (!waits)
		return;
	block = block_here(t, task);
	barrier_var(block); /* so that the bound is tested on the very index */
	if (block >= EV_BLOCK_CNT)
		return;
	s->block = block + 1;
	s->off_ts = now;
	__sync_fetch_and_add(&p->blocked[block], -now);
	__sync_fetch_and_add(&p->waiting[block], 1);
}

/*
 * How long a thread that comes in has waited for this CPU.  Kernels without groups of tasks do not lead
 * from a task to its run queue: there it is a part of what the thread was blocked for.
 */
static __always_inline __u64 queued_for(struct task_struct *task)
{
	__u64 queued = task->sched_info.last_queued, now;

	if (!queued || !bpf_core_field_exists(task->se.cfs_rq))
		return 0;
	now = task->se.cfs_rq->rq->clock;
	return now > queued ? now - queued : 0;
}

static __always_inline void comes(struct task_state *t, struct task_struct *task, __u64 now)
{
	struct task_sched *s = &t->sched;
	struct proc_usage *p;

	s->on_ts = now;
	if (!s->block)
		return;
	p = usage_of(t->own.tgid);
	if (p && p->start == t->own.start)
		wait_ends(p, s, task->pid == task->tgid, now,
			  task->sched_info.run_delay - s->folded.run_delay_ns + queued_for(task));
}

/* Of a thread of the machine: nearly all of those that are not traced are told by their process's id. */
static __always_inline struct task_state *task_if_traced(struct task_struct *task)
{
	return tgid_may_be_traced(task->tgid) ? task_of(task) : NULL;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_state *out = task_if_traced(prev), *in = task_if_traced(next);

	if (out)
		leaves(out, prev, bpf_ktime_get_ns());
	if (in)
		comes(in, next, bpf_ktime_get_ns());
	return 0;
}
