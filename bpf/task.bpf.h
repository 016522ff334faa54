/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is a thread of a traced process, asked at every system call and every switch of every thread of
 * the machine: a count by the process's id, then a look into the task itself, which also says which call
 * the thread is in.
 *
 * An entry is made before its thread can run (proc.bpf.c: fork, a watched exec), or by the listing of
 * processes for what runs already, and goes with the thread.
 */
#ifndef RINGSPAN_TASK_BPF_H
#define RINGSPAN_TASK_BPF_H

#include <bpf/bpf_core_read.h>
#include "emit.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} task_states SEC(".maps") __weak;

/* The same for kernels before 5.11. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__type(key, __u32); /* thread id */
	__type(value, struct task_state);
} task_states_old SEC(".maps") __weak;

/* Of any thread, by its task_struct as the verifier knows it; NULL: its process is not traced. */
static __always_inline struct task_state *task_of(struct task_struct *task)
{
	__u32 tid;

	if (cfg_task_storage)
		return bpf_task_storage_get(&task_states, task, NULL, 0);
	tid = task->pid;
	return bpf_map_lookup_elem(&task_states_old, &tid);
}

/* Of the thread that runs.  What is not traced is told by its process's id, nearly always. */
static __always_inline struct task_state *task_here(void)
{
	struct task_struct *task;
	__u64 id;

	if (cfg_task_storage) {
		task = bpf_get_current_task_btf();
		if (!traced_slots[task->tgid & (TRACED_SLOTS - 1)])
			return NULL;
		return bpf_task_storage_get(&task_states, task, NULL, 0);
	}
	id = bpf_get_current_pid_tgid();
	if (!traced_slots[id >> 32 & (TRACED_SLOTS - 1)])
		return NULL;
	return bpf_map_lookup_elem(&task_states_old, &(__u32){ id });
}

static __always_inline struct task_state *task_new(struct task_struct *task)
{
	struct task_state init = {};
	__u32 tid;

	if (cfg_task_storage)
		return bpf_task_storage_get(&task_states, task, NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	tid = task->pid;
	bpf_map_update_elem(&task_states_old, &tid, &init, BPF_NOEXIST);
	return bpf_map_lookup_elem(&task_states_old, &tid);
}

/* For a thread of the process that began at start: its entry, also one that was there; NULL: no room. */
static __always_inline struct task_state *task_make(struct task_struct *task, __u64 start,
						    __u32 quiet)
{
	struct task_state *t = task_of(task);

	if (!t)
		t = task_new(task);
	if (!t) {
		stat_add(lost_map, 1);
		return NULL;
	}
	t->tgid = task->tgid;
	t->start = start;
	t->quiet = quiet;
	return t;
}

/* The thread ends, or is another one by its id. */
static __always_inline void task_drop(__u32 tid)
{
	if (!cfg_task_storage)
		bpf_map_delete_elem(&task_states_old, &tid);
}

/* The class of the call that a thread is in. */
static __always_inline enum ev_call_class task_class(const struct task_state *t)
{
	__u32 nr = t->nr;

	return t->enter_ts && nr < SYS_CALLS ? cfg_call_class[nr] : EV_CALL_OTHER;
}

#endif
