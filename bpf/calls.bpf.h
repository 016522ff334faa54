/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * System calls of traced processes, counted and timed where they return: a row for each process and
 * number.  User space reads the rows now and then, and removes those of a process that has ended
 * (user/probe/calls.c).  A call becomes a record only when it is slow, failed, or was asked for.
 *
 * Threads of a process share its rows: sums are added atomically.  Of two threads that raise the
 * maximum in the same moment the one may undo the other's.
 *
 * Most rows stand in an array, where a thread that remembers the index has one for the price of a
 * multiplication; to look it up in a hash took 49 ns of the 201 that all of it cost (6.18, AMD EPYC).  A
 * row says whose it is, so that an index that was remembered for too long finds nothing.
 */
#ifndef RINGSPAN_CALLS_BPF_H
#define RINGSPAN_CALLS_BPF_H

#include "task.bpf.h"

#define MAX_CALL_ROWS 65536
#define MAX_ERRNO 4095
#define CALL_TABLE 8192 /* rows in the array: 4.7 MB; the first is nobody's */

/* User space maps it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, CALL_TABLE);
	__type(key, __u32);
	__type(value, struct call_row);
} call_table SEC(".maps") __weak;

/* Where in it rows are of a process that had several threads when they were made: one was the first. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CALL_TABLE);
	__type(key, struct call_key);
	__type(value, __u32);
} call_index SEC(".maps") __weak;

/* What is free of it, and empty: user space puts it there. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, CALL_TABLE);
	__uint(value_size, sizeof(__u32));
} call_free SEC(".maps") __weak;

/* The rows that found no room there.  A row is made once for each process and number; preallocated they would take 36 MB. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CALL_ROWS);
	__type(key, struct call_key);
	__type(value, struct call_row);
} call_rows SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CALL_ROWS);
	__type(key, struct call_errno_key);
	__type(value, __u64);
} call_errnos SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_PROCS);
	__type(key, struct proc_key);
	__type(value, struct call_use);
} call_uses SEC(".maps") __weak;

/* What entries start as: too large for the stack.  Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_row);
} call_row_zero SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_use);
} call_use_zero SEC(".maps") __weak;

static __always_inline struct call_use *call_use_get(const struct call_key *call)
{
	struct proc_key key = { .start = call->start, .tgid = call->tgid };
	struct call_use *use = bpf_map_lookup_elem(&call_uses, &key);
	__u32 zero = 0;
	void *init;

	if (use)
		return use;
	init = bpf_map_lookup_elem(&call_use_zero, &zero);
	if (!init)
		return NULL;
	bpf_map_update_elem(&call_uses, &key, init, BPF_NOEXIST);
	use = bpf_map_lookup_elem(&call_uses, &key);
	if (use)
		use->first_ts = bpf_ktime_get_ns();
	return use;
}

static __always_inline struct call_row *call_row_at(__u32 index)
{
	return bpf_map_lookup_elem(&call_table, &index);
}

static __always_inline struct call_row *call_row_find(const struct call_use *use,
						      const struct call_key *key, __u32 nr,
						      __u32 *index)
{
	__u32 *found;

	*index = use->at[nr];
	if (*index)
		return call_row_at(*index);
	found = bpf_map_lookup_elem(&call_index, key);
	if (!found)
		return bpf_map_lookup_elem(&call_rows, key);
	*index = *found;
	return call_row_at(*found);
}

/* The current process has no thread beside the current one, and gets none while that is in the kernel. */
static __always_inline bool is_alone(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, signal, nr_threads) == 1;
}

/* In the array; NULL: no room there, or another thread was first. */
static __always_inline struct call_row *call_row_take(const struct call_key *key, __u16 *at,
						      __u32 *index)
{
	struct call_row *row;

	if (bpf_map_pop_elem(&call_free, index))
		return NULL;
	row = call_row_at(*index);
	if (row) {
		row->key = *key;
		if (is_alone()) {
			*at = *index;
			return row;
		}
		if (bpf_map_update_elem(&call_index, key, index, BPF_NOEXIST) == 0)
			return row;
		row->key = (struct call_key){};
	}
	bpf_map_push_elem(&call_free, index, BPF_ANY);
	return NULL;
}

static __always_inline struct call_row *call_row_make(struct call_use *use,
						      const struct call_key *key, __u32 nr,
						      __u32 *index)
{
	struct call_row *row;
	__u32 zero = 0;
	void *init;

	use->nrs[nr] = 1; /* before the row: what has one is found */
	row = call_row_take(key, &use->at[nr], index);
	if (row)
		return row;
	init = bpf_map_lookup_elem(&call_row_zero, &zero);
	if (init && !bpf_map_lookup_elem(&call_index, key))
		bpf_map_update_elem(&call_rows, key, init, BPF_NOEXIST);
	return call_row_find(use, key, nr, index);
}

/* Finds or makes it, and remembers where it is; NULL: no room, or no such number (counted). */
static __noinline struct call_row *call_row_get(struct task_call *call)
{
	struct call_key key = { .start = call->start, .tgid = call->tgid, .nr = call->nr };
	struct call_use *use = key.nr < SYS_CALLS ? call_use_get(&key) : NULL;
	__u32 nr = key.nr, index = 0;
	struct call_row *row = NULL;

	if (use) {
		barrier_var(nr);
		nr &= SYS_CALLS - 1;
		if (use->nrs[nr]) /* most calls of a short process are its first */
			row = call_row_find(use, &key, nr, &index);
		if (!row)
			row = call_row_make(use, &key, nr, &index);
	}
	if (row)
		call->rows[key.nr & (CALL_KNOWN - 1)] = index;
	else
		stat_add(lost_map, 1);
	return row;
}

/* The row where the thread remembers it. */
static __always_inline struct call_row *call_row_here(struct task_call *call)
{
	__u32 nr = call->nr;
	struct call_row *row = call_row_at(call->rows[nr & (CALL_KNOWN - 1)]);

	if (row && row->key.nr == nr && row->key.tgid == call->tgid &&
	    row->key.start == call->start)
		return row;
	return call_row_get(call);
}

static __always_inline void call_failed(struct call_row *row, const struct task_call *call,
					__u32 index)
{
	struct call_errno_key key = {
		.call = { .start = call->start, .tgid = call->tgid, .nr = call->nr },
		.err = call_errno_at(index),
	};
	__u64 *cnt = bpf_map_lookup_elem(&call_errnos, &key), one = 1;
	struct call_use *use;

	__sync_fetch_and_add(&row->errors, 1);
	if (cnt) {
		__sync_fetch_and_add(cnt, 1);
		return;
	}
	use = call_use_get(&key.call);
	if (use) {
		barrier_var(index);
		if (index >= CALL_ERRNOS)
			index = 0;
		use->errnos[index] = 1;
	}
	if (bpf_map_update_elem(&call_errnos, &key, &one, BPF_NOEXIST) == 0)
		return;
	cnt = bpf_map_lookup_elem(&call_errnos, &key);
	if (cnt) /* another thread was first */
		__sync_fetch_and_add(cnt, 1);
	else
		stat_add(lost_map, 1);
}

/* For the totals of its process, which the next switch adds up. */
static __always_inline void call_use_count(struct task_call *call, __u64 ns)
{
	__u32 nr = call->nr, class = nr < SYS_CALLS ? cfg_call_class[nr] : EV_CALL_OTHER;

	class &= CLASS_ROOM - 1;
	barrier_var(class);
	class &= CLASS_ROOM - 1;
	call->classes |= 1 << class;
	call->calls[class]++;
	call->ns[class] += ns;
}

static __always_inline void call_count(struct task_call *call, __u64 ns, __u32 failed)
{
	struct call_row *row = call_row_here(call);
	__u32 bucket = ev_bucket(ns);

	if (!row)
		return;
	barrier_var(bucket);
	if (bucket >= EV_BUCKETS)
		bucket = EV_BUCKETS - 1;
	call_use_count(call, ns);
	__sync_fetch_and_add(&row->hist[bucket], 1);
	__sync_fetch_and_add(&row->total_ns, ns);
	if (ns > row->max_ns)
		row->max_ns = ns;
	if (failed)
		call_failed(row, call, failed);
}

#endif
