/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps that several objects share: __weak lets the linker keep one of each.
 *
 * All are bounded and preallocated: programs insert while the traced process waits, and kernels
 * before 6.1 allow nothing else to uprobes.  A full table is counted (lost_map), never evicted from:
 * an LRU would silently restart the positions of a stream that lives.
 */
#ifndef RINGSPAN_MAPS_BPF_H
#define RINGSPAN_MAPS_BPF_H

#include "state.bpf.h"

#define MAX_PROCS 16384
#define MAX_THREADS 16384
#define MAX_CONNS 16384
#define MAX_FLOWS 16384
#define MAX_FILES 16384

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* set before load */
} events SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_stats);
} stats SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCS);
	__type(key, __u32); /* tgid */
	__type(value, struct proc_state);
} traced SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCS);
	__type(key, __u32); /* tgid */
	__type(value, struct proc_usage);
} usages SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CONNS);
	__type(key, struct conn_key);
	__type(value, struct conn_state);
} conns SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FLOWS);
	__type(key, struct conn_key); /* ssl: struct sock *, pipe_inode_info * or tty_struct * */
	__type(value, struct flow_state);
} flows SEC(".maps") __weak;

/* What a new entry of that starts as: too large for the stack.  Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_state);
} flow_zero SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CONNS);
	__type(key, __u64); /* struct sock * */
	__type(value, struct sock_users);
} sock_users SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FILES);
	__type(key, __u64); /* struct file * */
	__type(value, struct fs_file);
} fs_files SEC(".maps") __weak;

/*
 * How many entries of `traced` fall on a slot, for a look that takes no call: what finds 0 is not in it.
 * Counted up before an entry can be found, and down when it has gone, here and in user space.
 */
extern __u32 traced_slots[];

static __always_inline void traced_count(__u32 tgid, int n)
{
	__sync_fetch_and_add(&traced_slots[tgid & (TRACED_SLOTS - 1)], n);
}

/* Files that were mapped executable; forgetting one only means that it is reported again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct file_key);
	__type(value, __u8);
} mapped SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct watch_state);
} watched SEC(".maps") __weak;

/* Quiet processes that turned out to be agents: tgid -> start. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCS);
	__type(key, __u32);
	__type(value, __u64);
} loud SEC(".maps") __weak;

static __always_inline struct proc_state *traced_here(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&traced, &tgid);
}

#endif
