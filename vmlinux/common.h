/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that the BPF programs read, and of those only the fields that they read: every
 * access is relocated by CO-RE, so order and size here mean nothing.  Written by hand against the
 * BTF of 6.18; names have been the same since 5.10 unless a flavour (___old) in compat.bpf.h says
 * otherwise.  An array may only be indexed by a constant, because its stride is relocated for
 * constants alone.
 */
#ifndef RINGSPAN_VMLINUX_COMMON_H
#define RINGSPAN_VMLINUX_COMMON_H

#define __VMLINUX_H__ /* bpf_tracing.h then uses the kernel's register names */

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>

typedef int pid_t;
typedef __u32 dev_t;
typedef __u16 umode_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_long_t;

struct percpu_counter {
	__s64 count;
};

struct mm_struct {
	unsigned long arg_start, arg_end, hiwater_rss;
	struct percpu_counter rss_stat[4]; /* by MM_FILEPAGES ...; since 6.2 (f1a7941243c1) */
};

struct mm_rss_stat___old { /* what rss_stat was before */
	atomic_long_t count[4];
};

struct mm_struct___old {
	struct mm_rss_stat___old rss_stat;
};

struct rq {
	__u64 clock;
};

struct cfs_rq {
	struct rq *rq; /* with CONFIG_FAIR_GROUP_SCHED */
};

struct sched_entity {
	__u64 sum_exec_runtime, nr_migrations;
	struct cfs_rq *cfs_rq; /* likewise; also of a task that is scheduled otherwise */
};

struct sched_info {
	unsigned long long run_delay, last_queued;
};

struct task_io_accounting {
	__u64 rchar, wchar, read_bytes, write_bytes;
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	__u64 utime, stime;
	unsigned long nvcsw, nivcsw, min_flt, maj_flt, maxrss;
	struct task_io_accounting ioac;
	unsigned long long sum_sched_runtime;
};

struct super_block {
	dev_t s_dev;
	unsigned long s_magic;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct fs_struct {
	struct path root, pwd;
};

struct inode {
	umode_t i_mode;
	unsigned int i_nlink;
	long long i_size;
	dev_t i_rdev;
	struct super_block *i_sb;
	unsigned long i_ino;
};

typedef struct {
	atomic_long_t refcnt;
} file_ref_t;

struct file {
	unsigned int f_mode;
	const struct file_operations *f_op;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
	file_ref_t f_ref; /* since 6.13 (90ee6ed776c0) */
};

struct file___old { /* how references were counted before */
	atomic_long_t f_count;
};

struct tty_struct {
	int index;
};

struct tty_file_private {
	struct tty_struct *tty;
};

struct fdtable {
	unsigned int max_fds;
	unsigned long *close_on_exec;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* in the unified hierarchy */
};

struct task_struct {
	pid_t pid, tgid;
	int exit_code;
	unsigned int in_iowait : 1;
	char comm[16];
	__u64 start_time;
	__u64 utime, stime;
	unsigned long nvcsw, nivcsw, min_flt, maj_flt;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_io_accounting ioac;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct fs_struct *fs;
	struct files_struct *files;
	const struct cred *cred;
	struct css_set *cgroups;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__u16 skc_dport; /* network byte order */
	__u16 skc_num;   /* host byte order */
	__u32 skc_daddr, skc_rcv_saddr;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type, sk_protocol;
	int sk_err;
	__u32 sk_ack_backlog, sk_max_ack_backlog;
	atomic_t sk_drops;
	struct socket *sk_socket;
};

struct unix_sock {
	struct sock *peer;
};

struct inet_connection_sock {
	const void *icsk_ulp_ops;
};

struct minmax_sample {
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct minmax rtt_min;
	__u64 bytes_received, bytes_acked;
	__u32 rcv_nxt, copied_seq, snd_una, write_seq;
	__u32 srtt_us; /* in eighths */
	__u32 total_retrans;
};

typedef enum {
	SS_UNCONNECTED = 1,
} socket_state;

struct socket {
	socket_state state;
	struct file *file;
	struct sock *sk;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct vm_area_struct {
	unsigned long vm_start;
	struct file *vm_file;
};

union __sifields {
	struct {
		pid_t _pid;
	} _kill;
	struct {
		void *_addr;
	} _sigfault;
};

struct kernel_siginfo {
	int si_code;
	union __sifields _sifields;
};

struct sigaction {
	void (*sa_handler)(int);
};

struct k_sigaction {
	struct sigaction sa;
};

/* since 5.12 (3d06f34aa89e) */
struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute pop

#endif
