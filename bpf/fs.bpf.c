/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes of the file system: what is opened for writing, one record when it is closed, and calls on
 * paths.  Reading makes no record: a program that starts opens a hundred files, and an open costs
 * little more than the record would.
 *
 * Paths are read at the end of the call: at its entry the page may not be there yet.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "sys.bpf.h"
#include "flow.bpf.h"
#include "fs.bpf.h"
#include "quiet.bpf.h"

#define FS_RATE 1000 /* records a second of one process */
#define FS_SECOND 1000000000ULL
#define FS_LEVELS 40 /* names of a path */
#define FS_NAME 256
#define FS_GIVEN 512
#define FS_ROOM 2048  /* of one path */
#define FS_ROOM2 4096 /* of two */
#define FS_FDS 256    /* descriptors that are looked at when a process ends */

#define AT_FDCWD -100
#define AT_REMOVEDIR 0x200

#define O_WRITES 3 /* O_ACCMODE */
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_PATH 010000000
#define FMODE_CREATED 0x100000
#define S_IFREG 0100000

#define EPERM 1
#define EIO 5
#define EACCES 13
#define ETXTBSY 26
#define ENOSPC 28
#define EROFS 30
#define EDQUOT 122

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* --- the budget */

static __always_inline bool fs_may(struct proc_state *proc)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - proc->fs_second >= FS_SECOND) {
		proc->fs_second = now;
		proc->fs_told = 0;
	}
	if (proc->fs_told < FS_RATE) {
		__sync_fetch_and_add(&proc->fs_told, 1);
		return true;
	}
	__sync_fetch_and_add(&proc->fs_over, 1);
	return false;
}

/* Two threads may tell the same number: the counter is then negative, which is 0. */
static __always_inline __u32 fs_take_over(struct proc_state *proc)
{
	__s32 n = *(volatile __s32 *)&proc->fs_over;

	if (n <= 0)
		return 0;
	__sync_fetch_and_add(&proc->fs_over, -n);
	return n;
}

/* room: of payload, a constant; NULL when the ring is full (counted). */
static __always_inline struct ev_file *fs_reserve(struct proc_state *proc, __u32 op, __u32 room)
{
	struct ev_file *e = ev_open(EV_FILE, sizeof(*e), room, proc->start);

	if (!e)
		return NULL;
	e->enter_ts = e->hdr.ts;
	e->bytes = 0;
	e->size = 0;
	e->op = op;
	e->flags = 0;
	e->err = 0;
	e->over = fs_take_over(proc);
	__builtin_memset(e->len, 0, sizeof(e->len));
	return e;
}

/* --- paths */

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* Appends the names from the dentry up to the process's root; where the payload goes on. */
static __always_inline __u32 fs_names(struct ev_file *e, __u32 pos, __u32 room, struct path *from)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct dentry *root = BPF_CORE_READ(task, fs, root.dentry), *d = from->dentry, *up;
	struct mount *root_mount = mount_of(BPF_CORE_READ(task, fs, root.mnt)), *parent;
	struct mount *m = mount_of(from->mnt);
	char *p = (char *)(e + 1);
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
		e->hdr.flags |= EVF_TRUNC;
	return pos;
}

/* A path as a call gave it, behind the names of its directory where it is relative. */
static __always_inline __u32 fs_given(struct ev_file *e, __u32 pos, __u32 room,
				      const struct fs_call *call, int i)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__s32 fd = call->dir[i];
	struct path dir = {};
	__u32 begin = pos;
	struct file *file;
	char first = 0;
	long len;

	bpf_probe_read_user(&first, 1, (void *)call->path[i]);
	if (first != '/' && fd == AT_FDCWD) {
		dir.dentry = BPF_CORE_READ(task, fs, pwd.dentry);
		dir.mnt = BPF_CORE_READ(task, fs, pwd.mnt);
	} else if (first != '/' && fd != FS_NO_DIR) {
		file = file_of_fd(fd);
		dir.dentry = BPF_CORE_READ(file, f_path.dentry);
		dir.mnt = BPF_CORE_READ(file, f_path.mnt);
	}
	if (dir.dentry)
		pos = fs_names(e, pos, room, &dir);
	e->len[2 * i] = pos - begin;
	barrier_var(pos);
	if (pos > room - FS_GIVEN) {
		e->hdr.flags |= EVF_TRUNC;
		return pos;
	}
	len = bpf_probe_read_user_str((char *)(e + 1) + pos, FS_GIVEN, (void *)call->path[i]);
	if (len <= 0 || len > FS_GIVEN) {
		e->hdr.flags |= EVF_FAULT;
		return pos;
	}
	if (len == FS_GIVEN)
		e->hdr.flags |= EVF_TRUNC;
	e->len[2 * i + 1] = len;
	return pos + len;
}

/* --- files that are open for writing */

static __always_inline bool fs_has_news(const struct fs_file *f, __u64 size)
{
	return f->flags || f->bytes || f->size != size;
}

static __noinline int fs_opened(struct proc_state *proc, const struct fs_call *call, __u32 fd)
{
	struct file *file = file_of_fd(fd);
	__u64 key = (__u64)file;
	struct fs_file init = {
		.start = proc->start,
		.enter_ts = call->enter_ts,
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.flags = call->flags,
	};
	struct fs_file *old;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	init.size = BPF_CORE_READ(file, f_inode, i_size);
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		init.flags = EV_FILE_CREATED;
	old = bpf_map_lookup_elem(&fs_files, &key);
	if (old && fs_has_news(old, old->size))
		stat_add(lost_map, 1); /* whoever closed it was not seen to */
	proc->fs_open = 1;
	if (bpf_map_update_elem(&fs_files, &key, &init, BPF_ANY))
		stat_add(lost_map, 1);
	return 0;
}

static __always_inline void fs_tell(struct proc_state *proc, const struct fs_file *f,
				    struct file *file, __u64 size)
{
	struct path path = {
		.mnt = BPF_CORE_READ(file, f_path.mnt),
		.dentry = BPF_CORE_READ(file, f_path.dentry),
	};
	struct ev_file *e = fs_reserve(proc, EV_FILE_WRITE, FS_ROOM);
	__u32 pos;

	if (!e)
		return;
	ev_of_process(&e->hdr, f->tgid);
	e->enter_ts = f->enter_ts;
	e->bytes = f->bytes;
	e->size = size;
	e->flags = f->flags;
	if (!BPF_CORE_READ(file, f_inode, i_nlink))
		e->flags |= EV_FILE_GONE;
	pos = fs_names(e, 0, FS_ROOM, &path);
	e->len[0] = pos;
	e->hdr.size = sizeof(*e) + pos;
	ev_submit(e);
}

/*
 * Where others have the file, too, it may be written on: a shell moves it to descriptor 1 and closes
 * the first.  So what was written is told, and the rest when the last one closes it.
 */
int fs_close(__u64 key, __u64 refs)
{
	struct fs_file *f = bpf_map_lookup_elem(&fs_files, &key);
	struct file *file = (void *)key;
	struct proc_state *proc;
	struct fs_file last;
	__u64 size;

	if (!f || (refs > 1 && !f->bytes))
		return 0;
	last = *f;
	size = BPF_CORE_READ(file, f_inode, i_size);
	if (refs > 1) {
		f->bytes = 0;
		f->flags = 0;
		f->size = size;
	} else if (bpf_map_delete_elem(&fs_files, &key)) {
		return 0; /* another thread was first */
	}
	proc = bpf_map_lookup_elem(&traced, &last.tgid);
	if (proc && proc->start == last.start && fs_has_news(&last, size) && fs_may(proc))
		fs_tell(proc, &last, file, size);
	return 0;
}

int fs_exit(__u32 tgid)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd), *file;
	__u32 max = BPF_CORE_READ(fdt, max_fds), fd;
	struct proc_state *proc = bpf_map_lookup_elem(&traced, &tgid);
	struct fs_file *f;
	struct ev_file *e;
	__u64 key;

	for (fd = 0; fd < FS_FDS && fd < max; fd++) {
		file = NULL;
		bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
		key = (__u64)file;
		f = file ? bpf_map_lookup_elem(&fs_files, &key) : NULL;
		if (f && f->tgid == tgid)
			fs_close(key, 1);
	}
	if (!proc || (__s32)proc->fs_over <= 0)
		return 0;
	e = fs_reserve(proc, EV_FILE_OVER, 0);
	if (e)
		ev_submit(e);
	return 0;
}

SYS_ENTER(fs_dup)
{
	struct file *file = SYS_ARG(1) != SYS_ARG(2) ? file_of_fd(SYS_ARG(2)) : NULL;

	if (file)
		fs_close((__u64)file, file_refs(file));
	return 0;
}

/* --- calls on paths */

static __always_inline void fs_enter(__u32 op, __u32 flags, __s32 dir, __u64 path, __s32 dir2,
				     __u64 path2)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t;

	if (!proc || quiet_here(proc))
		return;
	t = thread_get(proc);
	if (!t)
		return;
	t->fs.enter_ts = bpf_ktime_get_ns();
	t->fs.path[0] = path;
	t->fs.path[1] = path2;
	t->fs.dir[0] = dir;
	t->fs.dir[1] = dir2;
	t->fs.op = op;
	t->fs.flags = flags;
}

static __always_inline void fs_enter_open(__s32 dir, __u64 path, __u64 flags)
{
	if ((flags & (O_WRITES | O_CREAT | O_TRUNC)) && !(flags & O_PATH))
		fs_enter(EV_FILE_WRITE, flags & O_TRUNC ? EV_FILE_TRUNCATED : 0, dir, path, 0, 0);
}

#define FS_OPEN(call, dir, path, flags)          \
	SYS_ENTER(fs_##call)                     \
	{                                        \
		fs_enter_open(dir, path, flags); \
		return 0;                        \
	}

#define FS_ENTER(call, op, ...)               \
	SYS_ENTER(fs_##call)                  \
	{                                     \
		fs_enter(op, 0, __VA_ARGS__); \
		return 0;                     \
	}

/* The first member of struct open_how. */
static __always_inline __u64 how_flags(__u64 how)
{
	__u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)how);
	return flags;
}

FS_OPEN(openat, SYS_ARG(1), SYS_ARG(2), SYS_ARG(3))
FS_OPEN(openat2, SYS_ARG(1), SYS_ARG(2), how_flags(SYS_ARG(3)))
FS_OPEN(open, AT_FDCWD, SYS_ARG(1), SYS_ARG(2))
FS_OPEN(creat, AT_FDCWD, SYS_ARG(1), O_CREAT | O_TRUNC)
FS_ENTER(unlinkat, SYS_ARG(3) & AT_REMOVEDIR ? EV_FILE_RMDIR : EV_FILE_REMOVE, SYS_ARG(1),
	 SYS_ARG(2), 0, 0)
FS_ENTER(unlink, EV_FILE_REMOVE, AT_FDCWD, SYS_ARG(1), 0, 0)
FS_ENTER(rmdir, EV_FILE_RMDIR, AT_FDCWD, SYS_ARG(1), 0, 0)
FS_ENTER(renameat2, EV_FILE_RENAME, SYS_ARG(1), SYS_ARG(2), SYS_ARG(3), SYS_ARG(4))
FS_ENTER(renameat, EV_FILE_RENAME, SYS_ARG(1), SYS_ARG(2), SYS_ARG(3), SYS_ARG(4))
FS_ENTER(rename, EV_FILE_RENAME, AT_FDCWD, SYS_ARG(1), AT_FDCWD, SYS_ARG(2))
FS_ENTER(mkdirat, EV_FILE_MKDIR, SYS_ARG(1), SYS_ARG(2), 0, 0)
FS_ENTER(mkdir, EV_FILE_MKDIR, AT_FDCWD, SYS_ARG(1), 0, 0)
FS_ENTER(linkat, EV_FILE_LINK, SYS_ARG(3), SYS_ARG(4), SYS_ARG(1), SYS_ARG(2))
FS_ENTER(link, EV_FILE_LINK, AT_FDCWD, SYS_ARG(2), AT_FDCWD, SYS_ARG(1))
FS_ENTER(symlinkat, EV_FILE_SYMLINK, SYS_ARG(2), SYS_ARG(3), FS_NO_DIR, SYS_ARG(1))
FS_ENTER(symlink, EV_FILE_SYMLINK, AT_FDCWD, SYS_ARG(2), FS_NO_DIR, SYS_ARG(1))
FS_ENTER(truncate, EV_FILE_TRUNCATE, AT_FDCWD, SYS_ARG(1), 0, 0)

/* That a name is there already, or is not, is a question that programs ask by trying. */
static __always_inline bool fs_refused(__s64 ret)
{
	return ret == -EPERM || ret == -EACCES || ret == -EROFS || ret == -ENOSPC ||
	       ret == -EDQUOT || ret == -EIO || ret == -ETXTBSY;
}

static __noinline int fs_tell_call(struct proc_state *proc, const struct fs_call *call, __s32 err)
{
	struct ev_file *e = fs_reserve(proc, call->op, FS_ROOM2);
	__u32 pos;

	if (!e)
		return 0;
	e->enter_ts = call->enter_ts;
	e->err = err;
	pos = fs_given(e, 0, FS_ROOM, call, 0);
	if (call->path[1])
		pos = fs_given(e, pos, FS_ROOM2, call, 1);
	e->hdr.size = sizeof(*e) + pos;
	ev_submit(e);
	return 0;
}

/* Attached to the end of each of these calls. */
SYS_EXIT(fs_done)
{
	struct thread_state *t = thread_find();
	struct proc_state *proc = t && t->fs.op ? traced_here() : NULL;
	struct fs_call *call;

	if (!proc)
		return 0;
	call = &t->fs;
	if (call->op == EV_FILE_WRITE && SYS_RET >= 0) {
		fs_opened(proc, call, SYS_RET);
	} else if (SYS_RET == 0 || fs_refused(SYS_RET)) {
		proc->fs_open = 1; /* over its budget it has something to tell when it ends */
		if (fs_may(proc))
			fs_tell_call(proc, call, SYS_RET);
	}
	t->fs.op = 0;
	return 0;
}
