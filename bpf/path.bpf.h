/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths in records, and how many such records a process may make in a second.  A path that a call gave
 * is read at the end of that call: at its entry the page may not be there yet.
 */
#ifndef RINGSPAN_PATH_BPF_H
#define RINGSPAN_PATH_BPF_H

#include "flow.bpf.h"
#include "quiet.bpf.h"
#include "sys.bpf.h"
#include "task.bpf.h"
#include "user.bpf.h"

#define FS_RATE 1000     /* changes a second of one process that are told */
#define FS_READ_RATE 500 /* ... files that were opened and not changed */
#define FS_SECOND 1000000000ULL
#define FS_LEVELS 40 /* names of a path */
#define FS_NAME 256
#define FS_GIVEN 512
#define FS_ROOM 2048  /* of one path */
#define FS_ROOM2 4096 /* of two */

#define AT_FDCWD -100
#define FS_NO_DIR -101 /* the path stands for itself */

#define EPERM 1
#define EIO 5
#define EACCES 13
#define ETXTBSY 26
#define ENOSPC 28
#define EROFS 30
#define EDQUOT 122

/* That a name is there already, or is not, is a question that programs ask by trying. */
static __always_inline bool fs_refused(__s64 ret)
{
	return ret == -EPERM || ret == -EACCES || ret == -EROFS || ret == -ENOSPC ||
	       ret == -EDQUOT || ret == -EIO || ret == -ETXTBSY;
}

/* The process in whose call this is, unless nothing is told of it; and when the call was entered. */
static __always_inline struct proc_state *fs_proc(__u64 *enter_ts)
{
	struct task_call *t = task_call_now();
	struct proc_state *proc;

	if (!t || !t->entered_ts)
		return NULL; /* it began before it was traced */
	*enter_ts = t->entered_ts;
	proc = traced_here();
	return proc && !quiet_here(proc) ? proc : NULL;
}

/* How a call of the table has its paths. */
static __always_inline const struct path_call *fs_call_of(struct pt_regs *regs)
{
	struct task_call *t = task_call_now();
	__u32 nr = t ? t->nr : SYS_CALLS;

	return nr < SYS_CALLS ? (const struct path_call *)&cfg_call_paths[nr] : NULL;
}

static __always_inline __u64 fs_arg(struct pt_regs *regs, __u32 n)
{
	return n == 1   ? SYS_ARG(1)
	       : n == 2 ? SYS_ARG(2)
	       : n == 3 ? SYS_ARG(3)
	       : n == 4 ? SYS_ARG(4)
			: 0;
}

static __always_inline __u32 fs_dir_arg(struct pt_regs *regs, __u32 n)
{
	return n == PATH_NO_DIR ? FS_NO_DIR : n ? (__u32)fs_arg(regs, n) : AT_FDCWD;
}

/* --- the budget */

/* kind: of the record that is to tell it. */
static __always_inline bool fs_may(struct proc_state *proc, __u16 kind, bool change)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - proc->fs_second >= FS_SECOND) {
		proc->fs_second = now;
		proc->fs_told[0] = 0;
		proc->fs_told[1] = 0;
	}
	if (change && proc->fs_told[EV_WRITE] < FS_RATE) {
		__sync_fetch_and_add(&proc->fs_told[EV_WRITE], 1);
		return true;
	}
	if (!change && proc->fs_told[EV_READ] < FS_READ_RATE) {
		__sync_fetch_and_add(&proc->fs_told[EV_READ], 1);
		return true;
	}
	stat_over_rate(kind);
	if (change)
		__sync_fetch_and_add(&proc->fs_over[EV_WRITE], 1);
	else
		__sync_fetch_and_add(&proc->fs_over[EV_READ], 1);
	return false;
}

/* Two threads may tell the same number: the counter is then negative, which is 0. */
static __always_inline __u32 fs_take_over(__u32 *over)
{
	__s32 n = *(volatile __s32 *)over;

	if (n <= 0)
		return 0;
	__sync_fetch_and_add(over, -n);
	return n;
}

/* --- paths */

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* Appends the names from the dentry up to the process's root to p; where p goes on. */
static __always_inline __u32 fs_names(struct ev_hdr *h, char *p, __u32 pos, __u32 room,
				      struct path *from)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct dentry *root = BPF_CORE_READ(task, fs, root.dentry), *d = from->dentry, *up;
	struct mount *root_mount = mount_of(BPF_CORE_READ(task, fs, root.mnt)), *parent;
	struct mount *m = mount_of(from->mnt);
	long len;
	int i;

	for (i = 0; i < FS_LEVELS && !(d == root && m == root_mount); i++) {
		barrier_var(pos);
		if (pos > room - FS_NAME)
			break;
		len = bpf_probe_read_kernel_str(p + pos, FS_NAME, BPF_CORE_READ(d, d_name.name));
		if (len < 0)
			break;
		pos += len &
		       (2 * FS_NAME - 1); /* without a branch, which would be a path of its own */
		up = BPF_CORE_READ(d, d_parent);
		if (d == BPF_CORE_READ(m, mnt.mnt_root)) {
			up = BPF_CORE_READ(m, mnt_mountpoint);
			parent = BPF_CORE_READ(m, mnt_parent);
			if (parent == m)
				return pos;
			m = parent;
		} else if (up == d) {
			return pos; /* of a file system that is mounted nowhere */
		}
		d = up;
	}
	if (!(d == root && m == root_mount))
		h->flags |= EVF_TRUNC;
	return pos;
}

/*
 * Appends a path as a call gave it, behind the names of its directory where it is relative; len: of
 * these names and of the path.
 */
static __always_inline __u32 fs_given(struct ev_hdr *h, char *p, __u32 len[2], __u32 pos,
				      __u32 room, __s32 fd, __u64 given)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct path dir = {};
	__u32 begin = pos;
	struct file *file;
	char first = 0;
	long n;

	bpf_probe_read_user(&first, 1, (void *)given);
	if (first != '/' && fd == AT_FDCWD) {
		dir.dentry = BPF_CORE_READ(task, fs, pwd.dentry);
		dir.mnt = BPF_CORE_READ(task, fs, pwd.mnt);
	} else if (first != '/' && fd != FS_NO_DIR) {
		file = file_of_fd(fd);
		dir.dentry = BPF_CORE_READ(file, f_path.dentry);
		dir.mnt = BPF_CORE_READ(file, f_path.mnt);
	}
	if (dir.dentry)
		pos = fs_names(h, p, pos, room, &dir);
	len[0] = pos - begin;
	barrier_var(pos);
	if (pos > room - FS_GIVEN) {
		h->flags |= EVF_TRUNC;
		return pos;
	}
	n = user_text(p + pos, FS_GIVEN, given);
	if (n <= 0 || n > FS_GIVEN) {
		h->flags |= EVF_FAULT;
		return pos;
	}
	if (n == FS_GIVEN)
		h->flags |= EVF_TRUNC;
	len[1] = n;
	return pos + n;
}

#endif
