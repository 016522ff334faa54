/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is a thread of a traced process, asked at every system call and every switch of every thread of
 * the machine.
 *
 * At a switch: a count by the process's id, then a look into the task itself.  An entry is made before its
 * thread can run (proc.bpf.c: fork, a watched exec), or by the listing of processes for what runs already,
 * and goes with the thread.
 *
 * At a system call: where its registers are kept, which the tracepoint says.  That is the top of its kernel
 * stack, so as long as a thread lives it is its own, and is known before it runs.  By it a thread finds its
 * place in a table without a call of the kernel: of 158 ns that a getppid took more in an untraced process
 * 131 were left, which are the two tracepoints' own, and counting one took 226 and not 332 (6.18, AMD EPYC,
 * where each function that returns is dear).  A thread whose place is taken, and all before 5.15, are found
 * by their task.
 */
#ifndef RINGSPAN_TASK_BPF_H
#define RINGSPAN_TASK_BPF_H

#include <bpf/bpf_core_read.h>
#include "emit.bpf.h"

#define CALL_PLACES 4096 /* 1 MB; set before load */

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

/* What a new entry of that starts as: too large for the stack.  Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct task_state);
} task_zero SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CALL_PLACES);
	__type(key, __u32);
	__type(value, struct task_call);
} task_calls SEC(".maps") __weak;

/* Whose a place of it is, so that of two threads one gets it: the address of the registers. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALL_PLACES);
	__type(key, __u32);
	__type(value, __u64);
} task_places SEC(".maps") __weak;

/* Of any thread, by its task_struct as the verifier knows it; NULL: its process is not traced. */
static __always_inline struct task_state *task_of(struct task_struct *task)
{
	__u32 tid;

	if (cfg_task_storage)
		return bpf_task_storage_get(&task_states, task, NULL, 0);
	tid = task->pid;
	return bpf_map_lookup_elem(&task_states_old, &tid);
}

static __always_inline bool tgid_may_be_traced(__u32 tgid)
{
	return traced_slots[tgid & (TRACED_SLOTS - 1)];
}

/* Of the thread that runs.  What is not traced is told by its process's id, nearly always. */
static __always_inline struct task_state *task_here(void)
{
	struct task_struct *task;
	__u64 id;

	if (cfg_task_storage) {
		task = bpf_get_current_task_btf();
		if (!tgid_may_be_traced(task->tgid))
			return NULL;
		return bpf_task_storage_get(&task_states, task, NULL, 0);
	}
	id = bpf_get_current_pid_tgid();
	if (!tgid_may_be_traced(id >> 32))
		return NULL;
	return bpf_map_lookup_elem(&task_states_old, &(__u32){ id });
}

/*
 * The verifier lets nobody calculate with a pointer.  One on the stack of which a byte was overwritten is
 * a number to it; that byte says nothing here, because stacks are as long as pages.
 */
static __always_inline __u64 regs_number(struct pt_regs *regs)
{
	volatile __u64 number = (__u64)regs;

	*(volatile __u8 *)&number = 0;
	return number;
}

static __always_inline __u32 regs_place(struct pt_regs *regs)
{
	return regs_number(regs) * 0x9e3779b97f4a7c15ull >> cfg_place_shift;
}

static __always_inline struct task_call *task_call_at(__u32 place)
{
	return bpf_map_lookup_elem(&task_calls, &place);
}

static __always_inline struct task_call *task_call_of(struct task_state *t)
{
	struct task_call *call = t->place ? task_call_at(t->place - 1) : NULL;

	return call ? call : &t->own;
}

/* Of the thread that runs; NULL: its process is not traced. */
static __always_inline struct task_call *task_call_now(void)
{
	struct task_state *t = task_here();

	return t ? task_call_of(t) : NULL;
}

/* Of the thread that runs, by what a tracepoint says of its registers. */
static __always_inline struct task_call *task_call_here(struct pt_regs *regs)
{
	struct task_call *call;
	struct task_state *t;

	if (cfg_task_regs) {
		call = task_call_at(regs_place(regs));
		if (!call)
			return NULL;
		if (call->regs == (__u64)regs)
			return tgid_may_be_traced(call->tgid) ? call : NULL;
		if (!call->others)
			return NULL;
	}
	t = task_here();
	return t ? &t->own : NULL;
}

/* Nobody looks at the place before its thread is in it, so `regs` is the last that is set. */
static __always_inline void task_take_place(struct task_state *t, struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	__u32 place = regs_place(regs);
	struct task_call *call = task_call_at(place);
	__u64 owner = (__u64)regs;

	if (!call)
		return;
	if (bpf_map_update_elem(&task_places, &place, &owner, BPF_NOEXIST)) {
		__sync_fetch_and_add(&call->others, 1);
		t->wanted = place + 1;
		return;
	}
	call->enter_ts = 0;
	call->classes = 0;
	__builtin_memset(call->calls, 0, sizeof(call->calls));
	__builtin_memset(call->ns, 0, sizeof(call->ns));
	call->start = t->own.start;
	call->tgid = t->own.tgid;
	call->quiet = t->own.quiet;
	*(volatile __u64 *)&call->regs = owner;
	t->place = place + 1;
}

static __always_inline void task_leave_place(struct task_state *t)
{
	__u32 place = (t->place ? t->place : t->wanted) - 1;
	struct task_call *call = task_call_at(place);

	if (!call)
		return;
	if (t->place) {
		call->regs = 0;
		bpf_map_delete_elem(&task_places, &place);
	} else {
		__sync_fetch_and_add(&call->others, -1);
	}
	t->place = 0;
	t->wanted = 0;
}

static __always_inline struct task_state *task_new(struct task_struct *task)
{
	__u32 tid, zero = 0;
	void *init;

	if (cfg_task_storage)
		return bpf_task_storage_get(&task_states, task, NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	tid = task->pid;
	init = bpf_map_lookup_elem(&task_zero, &zero);
	if (!init)
		return NULL;
	bpf_map_update_elem(&task_states_old, &tid, init, BPF_NOEXIST);
	return bpf_map_lookup_elem(&task_states_old, &tid);
}

static __always_inline void task_call_is_of(struct task_call *call, __u32 tgid, __u64 start,
					    __u32 quiet)
{
	call->tgid = tgid;
	call->start = start;
	call->quiet = quiet;
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
	task_call_is_of(&t->own, task->tgid, start, quiet);
	if (t->place)
		task_call_is_of(task_call_of(t), task->tgid, start, quiet);
	else if (cfg_task_regs && !t->wanted)
		task_take_place(t, task);
	return t;
}

/* The thread ends. */
static __always_inline void task_end(struct task_struct *task)
{
	struct task_state *t = cfg_task_regs ? task_of(task) : NULL;

	if (t)
		task_leave_place(t);
}

/* ... or is another one by its id. */
static __always_inline void task_drop(__u32 tid)
{
	if (!cfg_task_storage)
		bpf_map_delete_elem(&task_states_old, &tid);
}

#endif
