/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tree of traced processes, followed where it grows: a child is in the table before it can run,
 * and leaves it when its last thread ends.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "emit.bpf.h"
#include "file.bpf.h"
#include "fs.bpf.h"
#include "glob.bpf.h"
#include "thread.bpf.h"
#include "usage.bpf.h"

#define SIGNAL_GROUP_EXIT 4
#define PATH_SHORT 256
#define PATH_LONG 4096
#define ARGS_SMALL 512
#define ARGS_MIDDLE 4096

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a new entry of `usages` starts as: too large for the stack.  Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct proc_usage);
} usage_zero SEC(".maps");

/* Of a process that is traced from here on; NULL when the table is full. */
static __always_inline struct proc_usage *usage_new(__u32 tgid, __u64 start)
{
	__u32 zero = 0;
	void *init = bpf_map_lookup_elem(&usage_zero, &zero);
	struct proc_usage *p;

	if (!init)
		return NULL;
	bpf_map_update_elem(&usages, &tgid, init, BPF_ANY);
	p = usage_of(tgid);
	if (!p) {
		stat_add(lost_map, 1);
		return NULL;
	}
	p->start = start;
	return p;
}

/*
 * A thread of a traced process; whole: what it took before counts, too, because all that its process
 * took is known.
 */
static __noinline int follow(struct task_struct *task, __u64 start, __u32 quiet, __u32 whole)
{
	struct task_state *t = task_make(task, start, quiet);
	__u32 tgid = task->tgid;
	struct proc_usage *p;

	if (!t)
		return 0;
	p = usage_of(tgid);
	if (!p || p->start != start)
		p = usage_new(tgid, start);
	if (p)
		p->quiet = quiet;
	if (t->sched.known)
		return 0;
	if (p)
		__sync_fetch_and_add(&p->threads, 1);
	if (whole)
		t->sched.known = 1;
	else
		usage_begin(&t->sched, task);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(proc_fork, struct task_struct *parent, struct task_struct *child)
{
	struct proc_state init = { .start = child->start_time, .alive = 1, .counted = 1 };
	struct proc_state *proc = traced_here();
	__u32 tgid = child->tgid;
	struct ev_fork *e;

	if (!proc)
		return 0;
	init.quiet = quiet_here(proc);
	if (child->pid != child->tgid) {
		follow(child, proc->start, init.quiet, true);
		__sync_fetch_and_add(&proc->threads, 1);
		__sync_fetch_and_add(&proc->alive, 1);
		return 0;
	}
	init.nss_methods = proc->nss_methods;
	init.fs_open = proc->fs_open; /* a file that both have open may be closed by the child */
	traced_count(tgid, 1);
	if (bpf_map_update_elem(&traced, &tgid, &init, BPF_ANY)) {
		traced_count(tgid, -1);
		stat_add(lost_map, 1);
	} else {
		follow(child, init.start, init.quiet, true);
	}
	e = ev_open(EV_FORK, sizeof(*e), 0, proc->start);
	if (!e)
		return 0;
	e->child_start = init.start;
	e->child = tgid;
	e->pad = 0;
	ev_submit(e);
	return 0;
}

/* Path and arguments behind the fixed part; path_room and args_room are constants. */
static __always_inline void exec_payload(struct ev_exec *e, struct task_struct *task,
					 const char *path, __u32 path_room, __u32 args_room)
{
	__u64 args = task->mm->arg_start;
	__u64 total = task->mm->arg_end - args;
	char *p = (char *)(e + 1);
	__u32 n = total > args_room ? args_room : total;
	long len = bpf_probe_read_kernel_str(p, path_room, path);

	if (len < 0 || len > path_room)
		len = 0;
	if (len == path_room)
		e->hdr.flags |= EVF_TRUNC;
	barrier_var(n);
	if (n > args_room)
		n = args_room;
	if (bpf_probe_read_user(p + len, n, (void *)args)) {
		e->hdr.flags |= EVF_FAULT;
		n = 0;
	}
	if (n < total && !(e->hdr.flags & EVF_FAULT))
		e->hdr.flags |= EVF_TRUNC;
	e->path_len = len;
	e->args_len = n;
	e->args_total = total > 0xffffffff ? 0xffffffff : total;
	e->hdr.size = sizeof(*e) + len + n;
}

static __always_inline void exec_send(struct task_struct *task, struct linux_binprm *bprm,
				      __u64 start, __u32 path_room, __u32 args_room)
{
	struct ev_exec *e = ev_open(EV_EXEC, sizeof(*e), path_room + args_room, start);

	if (!e)
		return;
	e->parent_start = task->real_parent->group_leader->start_time;
	e->parent = task->real_parent->tgid;
	e->uid = bpf_get_current_uid_gid();
	e->pad = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	exec_payload(e, task, bprm->filename, path_room, args_room);
	if (file_is_new(bprm->file))
		ev_submit_now(e);
	else
		ev_submit(e);
}

/* --- programs that are taken up when they start */

/* What a process took so far, its threads that live not counted. */
static __always_inline void proc_fill(struct proc_state *p, struct task_struct *leader)
{
	struct signal_struct *signal = leader->signal;

	p->start = leader->start_time;
	p->threads = signal->nr_threads - 1;
	p->ended.cpu_ns = signal->sum_sched_runtime;
	p->ended.utime_ns = signal->utime;
	p->ended.stime_ns = signal->stime;
	p->ended.nvcsw = signal->nvcsw;
	p->ended.nivcsw = signal->nivcsw;
	p->ended.min_flt = signal->min_flt;
	p->ended.maj_flt = signal->maj_flt;
	p->ended.rchar = signal->ioac.rchar;
	p->ended.wchar = signal->ioac.wchar;
	p->ended.read_bytes = signal->ioac.read_bytes;
	p->ended.write_bytes = signal->ioac.write_bytes;
}

static __always_inline bool cgroup_is_one_of(__u64 id, const struct watch_state *w)
{
	int i;

	for (i = 0; i < WATCH_CGROUPS; i++)
		if (i < w->cgroup_cnt && w->cgroups[i] == id)
			return true;
	return false;
}

/* The process's cgroup, or one that it lies in. */
static __noinline int cgroup_is_watched(const struct watch_state *w)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	struct cgroup_subsys_state *parent;
	int i;

	if (!w)
		return 0;
	for (i = 0; i < WATCH_LEVELS && cgroup; i++) {
		if (cgroup_is_one_of(BPF_CORE_READ(cgroup, kn, id), w))
			return 1;
		parent = BPF_CORE_READ(cgroup, self.parent);
		cgroup = parent ? BPF_CORE_READ(parent, cgroup) : NULL;
	}
	return 0;
}

static __always_inline bool exec_is_watched(const struct watch_state *w)
{
	char comm[EV_COMM_LEN];

	bpf_get_current_comm(comm, sizeof(comm));
	return glob_match(&w->comm, comm) && (!w->cgroup_cnt || cgroup_is_watched(w));
}

static __always_inline void seen_send(__u64 start, bool taken)
{
	struct ev_seen *e = ev_reserve(EV_SEEN, sizeof(*e), 0, start);

	if (!e)
		return;
	e->taken = taken;
	e->pad = 0;
	if (taken)
		ev_submit(e);
	else
		ev_submit_now(e);
}

/* A process that is not followed starts a program: its entry when it is from now on, or NULL. */
static __noinline struct proc_state *exec_watch(struct task_struct *task)
{
	__u32 tgid = task->tgid, zero = 0;
	struct watch_state *w = bpf_map_lookup_elem(&watched, &zero);
	struct proc_state init = { .alive = 1, .counted = 1 }; /* exec has ended all others */

	if (!w || !w->on || !exec_is_watched(w))
		return NULL;
	if (w->ask) {
		seen_send(task->start_time, false);
		return NULL;
	}
	proc_fill(&init, task);
	init.quiet = w->quiet;
	traced_count(tgid, 1);
	if (bpf_map_update_elem(&traced, &tgid, &init, BPF_NOEXIST)) {
		traced_count(tgid, -1);
		stat_add(lost_map, 1);
		return NULL;
	}
	if (!w->quiet)
		seen_send(init.start, true);
	return bpf_map_lookup_elem(&traced, &tgid);
}

/* A function of its own for its stack. */
static __noinline int exec_tell(struct task_struct *task, struct linux_binprm *bprm, __u64 start)
{
	__u64 args = task->mm->arg_end - task->mm->arg_start;
	char path[PATH_SHORT] = {};
	long len = bpf_probe_read_kernel_str(path, sizeof(path), bprm->filename);

	if (len == sizeof(path))
		exec_send(task, bprm, start, PATH_LONG, EV_ARGS_MAX);
	else if (args > ARGS_MIDDLE)
		exec_send(task, bprm, start, PATH_SHORT, EV_ARGS_MAX);
	else if (args > ARGS_SMALL)
		exec_send(task, bprm, start, PATH_SHORT, ARGS_MIDDLE);
	else
		exec_send(task, bprm, start, PATH_SHORT, ARGS_SMALL);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(proc_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct proc_state *proc = traced_here();

	/* the thread's state belongs to the old program, and perhaps to another thread id */
	if (proc)
		thread_forget(task, (__u64)task->tgid << 32 | (__u32)old_pid);
	else
		proc = exec_watch(task);
	if (!proc)
		return 0;
	if (old_pid != task->tgid)
		task_drop(old_pid);
	proc->held = 0;
	follow(task, proc->start, proc->quiet, proc->counted);
	proc->exec_ts = bpf_ktime_get_ns();
	proc->nss_methods = 0;
	proc->rss_base = task->signal->maxrss;
	exec_tell(task, bprm, proc->start);
	return 0;
}

static __always_inline void usage_add(struct usage *u, struct task_struct *t)
{
#define X(field, of) __sync_fetch_and_add(&u->field, t->of);
	USAGE_COUNTERS(X)
#undef X
}

/*
 * Peak memory of the program that ends.  signal->maxrss also holds what was in the process before its
 * exec: a copy of its parent, which is often larger.  Where that hides the program's own peak, its
 * memory is looked at, which the tracepoint comes early enough for since 6.16; 0 on older kernels.
 */
static __always_inline __u64 rss_peak_pages(struct task_struct *task, const struct proc_state *proc)
{
	struct mm_struct *mm = task->mm;
	__s64 now;

	if (task->signal->maxrss > proc->rss_base)
		return task->signal->maxrss;
	if (!mm || rss_is_old())
		return 0;
	/* literal indexes: CO-RE does not correct the stride of others; 2 are swap entries */
	now = mm->rss_stat[0].count + mm->rss_stat[1].count + mm->rss_stat[3].count;
	return now > (__s64)mm->hiwater_rss ? now : mm->hiwater_rss;
}

static __always_inline void exit_send(struct task_struct *task, const struct proc_state *proc)
{
	struct signal_struct *signal = task->signal;
	const struct usage *u = &proc->ended;
	struct ev_exit *e = ev_reserve(EV_EXIT, sizeof(*e), 0, proc->start);

	if (!e)
		return;
	if (signal->flags & SIGNAL_GROUP_EXIT)
		e->status = signal->group_exit_code;
	else
		e->status = task->group_leader->exit_code;
	e->threads = proc->threads;
	e->cpu_ns = u->cpu_ns;
	e->utime_ns = u->utime_ns;
	e->stime_ns = u->stime_ns;
	e->run_delay_ns = u->run_delay_ns;
	e->nvcsw = u->nvcsw;
	e->nivcsw = u->nivcsw;
	e->min_flt = u->min_flt;
	e->maj_flt = u->maj_flt;
	e->rss_peak_bytes = rss_peak_pages(task, proc) * cfg_page_size;
	e->rchar = u->rchar;
	e->wchar = u->wchar;
	e->read_bytes = u->read_bytes;
	e->write_bytes = u->write_bytes;
	ev_submit(e);
}

#define THREAD_CPU 1000000ull /* ns: a thread that took less is not told */

static __always_inline bool thread_is_told(struct task_struct *task, const struct proc_state *proc)
{
	return proc->threads && !proc->quiet && task->se.sum_exec_runtime >= THREAD_CPU;
}

/* But for its header and name. */
static __always_inline void thread_fill(struct ev_threads *e, const struct task_sched *s,
					struct task_struct *task)
{
	int i;

	e->begin_ts = task->start_time;
	e->cpu_ns = task->se.sum_exec_runtime;
	e->utime_ns = task->utime;
	e->stime_ns = task->stime;
	e->run_delay_ns = task->sched_info.run_delay;
	e->nvcsw = task->nvcsw;
	e->nivcsw = task->nivcsw;
	e->migrations = task->se.nr_migrations;
	for (i = 0; i < EV_BLOCK_CNT; i++)
		e->blocked_ns[i] = s->blocked[i];
}

static __always_inline void thread_tell(const struct task_sched *s, struct task_struct *task,
					const struct proc_state *proc)
{
	struct ev_threads *e;

	if (!thread_is_told(task, proc))
		return;
	e = ev_reserve(EV_THREADS, sizeof(*e), 0, proc->start);
	if (!e)
		return;
	thread_fill(e, s, task);
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	ev_submit(e);
}

/* A thread of the process ends. */
static __always_inline void usage_leave(struct proc_usage *p, struct task_struct *task,
					const struct proc_state *proc)
{
	struct task_state *t = task_of(task);

	if (!t)
		return;
	usage_fold(p, &t->sched, task);
	usage_fold_calls(p, task_call_of(t));
	thread_tell(&t->sched, task, proc);
	t->sched.on_ts = 0;
	t->sched.gone = 1;
	__sync_fetch_and_add(&p->threads, -1);
}

/*
 * The kernel counts a thread out (signal->live) some time before it comes here, so two threads that
 * end together may both find that nobody lives, or the last one may get here first.
 */
static __always_inline bool is_last(const struct proc_state *proc, struct task_struct *task)
{
	return proc->counted ? *(volatile __s32 *)&proc->alive <= 0 : !task->signal->live.counter;
}

/* The last thread of a process ends.  A function of its own, whose stack is not below fs_exit()'s. */
static __noinline int proc_gone(struct task_struct *task, struct proc_state *proc, __u32 tgid)
{
	struct proc_usage *usage = usage_of(tgid);
	struct proc_state last = *proc;

	bpf_map_delete_elem(&loud, &tgid);
	if (bpf_map_delete_elem(&traced, &tgid))
		return 0;
	traced_count(tgid, -1);
	if (usage && !last.quiet)
		usage_tell(usage, bpf_ktime_get_ns());
	bpf_map_delete_elem(&usages, &tgid);
	exit_send(task, &last);
	return 0;
}

/*
 * Runs in every thread that ends.  Each adds what it took to its process, because the totals that the
 * kernel keeps in struct signal_struct lack the threads that end at the same time as the last one.
 * Whoever removes the process's entry tells its end.
 */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(proc_exit, struct task_struct *task)
{
	struct proc_state *proc = traced_here();
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct proc_usage *usage;

	if (!proc) { /* it may have been traced once, and its id will be another one's */
		if (!cfg_task_storage)
			thread_forget(task, id);
		task_end(task);
		task_drop((__u32)id);
		return 0;
	}
	thread_forget(task, id);
	usage = usage_of(tgid);
	if (usage)
		usage_leave(usage, task, proc);
	task_end(task);
	task_drop((__u32)id);
	usage_add(&proc->ended, task);
	__sync_fetch_and_add(&proc->alive, -1);
	if (!is_last(proc, task))
		return 0;
	if (proc->fs_open)
		fs_exit(tgid);
	proc_gone(task, proc, tgid);
	return 0;
}

/* A thread that runs already, of a process that is in the table. */
static __always_inline void task_take(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	__u32 tgid = task->tgid;
	struct proc_state *proc = bpf_map_lookup_elem(&traced, &tgid);

	if (proc && proc->start == leader->start_time)
		follow(task, proc->start, proc->held || proc_is_quiet(proc, tgid), proc->counted);
}

/*
 * The processes that there are, for user space to find the descendants of one.  Threads of those that
 * it has put into the table before are known as such from here on.
 */
SEC("?iter/task")
int proc_rows(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct proc_row row = {};

	if (!task)
		return 0;
	task_take(task);
	if (task->pid != task->tgid)
		return 0;
	row.tgid = task->tgid;
	row.parent = task->real_parent->tgid;
	row.parent_start = task->real_parent->group_leader->start_time;
	row.uid = BPF_CORE_READ(task, cred, uid.val);
	row.over = !task->signal->live.counter;
	proc_fill(&row.state, task);
	bpf_probe_read_kernel_str(row.comm, sizeof(row.comm), task->comm);
	bpf_seq_write(seq, &row, sizeof(row));
	return 0;
}

/* Of a thread that waits: a wait that ends meanwhile may lack, and is never told twice. */
static __always_inline void thread_waits(struct ev_threads *e, const struct task_sched *s,
					 __u64 now)
{
	__u32 block = *(volatile __u32 *)&s->block - 1;
	__u64 since = *(volatile __u64 *)&s->off_ts;
	int i;

	for (i = 0; i < EV_BLOCK_CNT; i++)
		if (i == block && since < now)
			e->blocked_ns[i] += now - since;
}

/* The threads of traced processes as they are now, each as the record that tells it but for kind and time. */
SEC("?iter/task")
int thread_rows(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct ev_threads row = {};
	struct proc_state *proc;
	struct task_state *t;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	if (!tgid_may_be_traced(tgid))
		return 0;
	t = task_of(task);
	proc = bpf_map_lookup_elem(&traced, &tgid);
	if (!t || !proc || t->own.start != proc->start || t->sched.gone ||
	    !thread_is_told(task, proc))
		return 0;
	row.hdr.tgid = tgid;
	row.hdr.tid = task->pid;
	row.hdr.start = proc->start;
	thread_fill(&row, &t->sched, task);
	thread_waits(&row, &t->sched, bpf_ktime_get_ns());
	bpf_probe_read_kernel_str(row.comm, sizeof(row.comm), task->comm);
	bpf_seq_write(seq, &row, sizeof(row));
	return 0;
}
