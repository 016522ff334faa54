/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that traced processes open: what goes through each is added up here, and told by one record
 * when it is closed.
 *
 * A program that starts opens a hundred files: its libraries, what it is configured by, what the kernel
 * tells in /proc.  Of these nothing is remembered unless all are asked for; nor of a name that was not
 * there, which is how programs search.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "fs.bpf.h"
#include "path.bpf.h"
#include "sys.bpf.h"

#define FS_FDS 256 /* descriptors that are looked at when a process ends */

#define O_WRITES 3 /* O_ACCMODE */
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_PATH 010000000
#define FMODE_CREATED 0x100000

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* --- which files */

/* The first n bytes, fewer than 8, are the same; little endian, as both machines are. */
static __always_inline bool begins(__u64 w, __u64 text, __u32 n)
{
	return ((w ^ text) & ((1ULL << n * 8) - 1)) == 0;
}

/* What the C library, and TLS, are set up by: each program that speaks to the network reads it. */
static __always_inline bool is_of_libc(__u64 w)
{
	return w == WORD('/', 'e', 't', 'c', '/', 'l', 'd', '.') ||
	       w == WORD('/', 'e', 't', 'c', '/', 'l', 'o', 'c') ||
	       w == WORD('/', 'e', 't', 'c', '/', 'n', 's', 's') ||
	       w == WORD('/', 'e', 't', 'c', '/', 'g', 'a', 'i') ||
	       w == WORD('/', 'e', 't', 'c', '/', 'h', 'o', 's') ||
	       w == WORD('/', 'e', 't', 'c', '/', 'r', 'e', 's') ||
	       w == WORD('/', 'e', 't', 'c', '/', 's', 's', 'l');
}

/* What is installed, or no file of a disk, by the path as it was asked for. */
static __always_inline bool is_of_system(__u64 path)
{
	__u64 w[2] = {};

	bpf_probe_read_user_str(w, sizeof(w), (void *)path);
	return w[0] == WORD('/', 'u', 's', 'r', '/', 'l', 'i', 'b') ||
	       w[0] == WORD('/', 'u', 's', 'r', '/', 's', 'h', 'a') ||
	       (w[0] == WORD('/', 'u', 's', 'r', '/', 'l', 'o', 'c') &&
		(begins(w[1], WORD('a', 'l', '/', 'l', 'i', 'b', 0, 0), 6) ||
		 begins(w[1], WORD('a', 'l', '/', 's', 'h', 'a', 0, 0), 6))) ||
	       begins(w[0], WORD('/', 'l', 'i', 'b', '/', 0, 0, 0), 5) ||
	       begins(w[0], WORD('/', 'l', 'i', 'b', '6', '4', '/', 0), 7) ||
	       begins(w[0], WORD('/', 'p', 'r', 'o', 'c', '/', 0, 0), 6) ||
	       begins(w[0], WORD('/', 's', 'y', 's', '/', 0, 0, 0), 5) || is_of_libc(w[0]);
}

static __always_inline bool fs_is_changed(const struct fs_file *f, __u64 size)
{
	return f->flags & (EV_OPEN_CREATED | EV_OPEN_TRUNCATED) || f->bytes[EV_WRITE] ||
	       (f->flags & EV_OPEN_WRITE && f->size != size);
}

/* Is there anything to tell of it beside a change? */
static __always_inline bool fs_is_used(const struct fs_file *f)
{
	if (f->syncs)
		return true;
	if (cfg_files == FILES_ALL)
		return !f->told || f->bytes[EV_READ];
	return cfg_files == FILES_READ && !f->program && (f->bytes[EV_READ] || f->mapped);
}

/* --- telling */

/* room: of payload, a constant; NULL when the ring is full (counted). */
static __always_inline struct ev_open *open_reserve(struct proc_state *proc, __u64 enter_ts,
						    __u32 room)
{
	struct ev_open *e = ev_open(EV_OPEN, sizeof(*e), room, proc->start);

	if (!e)
		return NULL;
	__builtin_memset((char *)e + sizeof(e->hdr), 0, sizeof(*e) - sizeof(e->hdr));
	e->enter_ts = enter_ts ? enter_ts : e->hdr.ts;
	e->flags = cfg_files == FILES_ALL ? EV_OPEN_ALL : 0;
	e->over[EV_READ] = fs_take_over(&proc->fs_over[EV_READ]);
	e->over[EV_WRITE] = fs_take_over(&proc->fs_over[EV_WRITE]);
	return e;
}

static __always_inline void open_tell(struct proc_state *proc, const struct fs_file *f,
				      struct file *file, __u64 size, __u32 flags)
{
	struct path path = {
		.mnt = BPF_CORE_READ(file, f_path.mnt),
		.dentry = BPF_CORE_READ(file, f_path.dentry),
	};
	struct ev_open *e = open_reserve(proc, f->enter_ts, FS_ROOM);
	__u32 pos;

	if (!e)
		return;
	ev_of_process(&e->hdr, f->tgid);
	e->open_ns = f->open_ns;
	e->bytes[EV_READ] = f->bytes[EV_READ];
	e->bytes[EV_WRITE] = f->bytes[EV_WRITE];
	e->ns[EV_READ] = f->ns[EV_READ];
	e->ns[EV_WRITE] = f->ns[EV_WRITE];
	e->calls[EV_READ] = f->calls[EV_READ];
	e->calls[EV_WRITE] = f->calls[EV_WRITE];
	e->sync_ns = f->sync_ns;
	e->sync_max_ns = f->sync_max_ns;
	e->syncs = f->syncs;
	e->size = size;
	e->flags |= f->flags | flags;
	if (!BPF_CORE_READ(file, f_inode, i_nlink))
		e->flags |= EV_OPEN_GONE;
	if (f->mapped)
		e->flags |= EV_OPEN_MAPPED;
	if (f->program)
		e->flags |= EV_OPEN_PROGRAM;
	pos = fs_names(&e->hdr, (char *)(e + 1), 0, FS_ROOM, &path);
	e->len[0] = pos;
	e->hdr.size = sizeof(*e) + pos;
	ev_submit(e);
}

/* Nothing of it is told yet. */
static __always_inline void fs_begin_anew(struct fs_file *f, __u64 size)
{
	f->told = 1;
	f->told_ts = bpf_ktime_get_ns();
	f->flags &= EV_OPEN_WRITE;
	f->size = size;
	f->mapped = 0;
	f->open_ns = 0;
	f->bytes[EV_READ] = f->bytes[EV_WRITE] = 0;
	f->ns[EV_READ] = f->ns[EV_WRITE] = 0;
	f->calls[EV_READ] = f->calls[EV_WRITE] = 0;
	f->sync_ns = f->sync_max_ns = 0;
	f->syncs = 0;
}

static __always_inline int fs_over(__u64 key, bool closed)
{
	struct file *file = (void *)key;
	struct fs_file *f = fs_find(file);
	struct proc_state *proc;
	struct fs_file last;
	bool changed;
	__u64 size;

	if (!f)
		return 0;
	last = *f;
	size = BPF_CORE_READ(file, f_inode, i_size);
	if (!closed)
		fs_begin_anew(f, size);
	else if (bpf_map_delete_elem(&fs_files, &key))
		return 0; /* another thread was first */
	proc = bpf_map_lookup_elem(&traced, &last.tgid);
	if (!proc || proc->start != last.start) { /* whose it was is gone */
		proc = traced_here();
		last.tgid = bpf_get_current_pid_tgid() >> 32;
	}
	changed = fs_is_changed(&last, size);
	if (proc && (changed || fs_is_used(&last)) && fs_may(proc, EV_OPEN, changed))
		open_tell(proc, &last, file, size,
			  (closed ? 0 : EV_OPEN_PART) | (changed ? EV_OPEN_CHANGED : 0));
	return 0;
}

/*
 * Where others have the file, too, it may be used on: a shell moves it to descriptor 1 and closes the
 * first.  So what was done with it is told, and the rest when the last one closes it.  A mapping has it,
 * too, and nothing moves through that.
 */
int fs_close(__u64 key, __u64 refs)
{
	struct fs_file *f = fs_find((void *)key);
	bool closed = refs <= 1;

	if (!f)
		return 0;
	if ((f->mapped || f->program) && f->tgid == (__u32)(bpf_get_current_pid_tgid() >> 32))
		closed = true;
	if (!closed && !(f->bytes[EV_READ] | f->bytes[EV_WRITE]))
		return 0;
	return fs_over(key, closed);
}

int fs_part(__u64 key)
{
	return fs_over(key, false);
}

/* As an agent opens a file for what a command is to print: the command is who writes it. */
int fs_take(__u64 key)
{
	struct fs_file *f = fs_find((void *)key);
	struct proc_state *proc = f ? traced_here() : NULL;

	if (!proc)
		return 0;
	f->start = proc->start;
	f->tgid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

/* Will exec close it? */
static __always_inline bool fs_goes_at_exec(struct fdtable *fdt, __u32 fd)
{
	unsigned long *bits = BPF_CORE_READ(fdt, close_on_exec), word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), bits + fd / 64);
	return word >> fd % 64 & 1;
}

/*
 * A process that ends has one descriptor of the file, or several.  If nobody else has any, the file is
 * closed; else it stays with the others, and only what the process did is told.
 */
static __always_inline void fs_leave(struct fs_file *f, struct file *file, __u32 tgid)
{
	__u64 refs = file_refs(file);

	if (f->leaver != tgid) {
		f->leaver = tgid;
		f->leaving = 0;
	}
	f->leaving++;
	if (refs <= f->leaving) {
		fs_close((__u64)file, 1);
	} else if (f->tgid == tgid) {
		fs_close((__u64)file, refs);
		f->tgid = 0;
	}
}

static __always_inline void fs_each_open(__u32 tgid, bool closed)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd), *file;
	__u32 max = BPF_CORE_READ(fdt, max_fds), fd;
	struct fs_file *f;

	for (fd = 0; fd < FS_FDS && fd < max; fd++) {
		file = NULL;
		bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
		f = file ? fs_find(file) : NULL;
		if (!f)
			continue;
		if (closed)
			fs_leave(f, file, tgid);
		else if (f->tgid == tgid && fs_goes_at_exec(fdt, fd))
			fs_part((__u64)file);
	}
}

int fs_exit(__u32 tgid)
{
	struct proc_state *proc = bpf_map_lookup_elem(&traced, &tgid);
	struct ev_open *e;

	fs_each_open(tgid, true);
	fs_tell_over(tgid);
	if (!proc || (__s32)proc->fs_over[EV_READ] <= 0)
		return 0;
	e = open_reserve(proc, 0, 0);
	if (e)
		ev_submit(e);
	return 0;
}

/* --- opening */

static __always_inline void open_failed(struct proc_state *proc, __u64 enter_ts, __s32 dir,
					__u64 path, __s32 err)
{
	struct ev_open *e;
	__u32 pos;

	proc->fs_open = 1;
	if (!fs_may(proc, EV_OPEN, false))
		return;
	e = open_reserve(proc, enter_ts, FS_ROOM);
	if (!e)
		return;
	e->err = err;
	pos = fs_given(&e->hdr, (char *)(e + 1), e->len, 0, FS_ROOM, dir, path);
	e->hdr.size = sizeof(*e) + pos;
	ev_submit(e);
}

static __always_inline void open_done(struct proc_state *proc, __u64 enter_ts, __u32 fd,
				      bool writes, bool truncates)
{
	struct file *file = fs_file_of(fd);
	__u64 key = (__u64)file, now = bpf_ktime_get_ns();
	struct fs_file init = {
		.start = proc->start,
		.inode = (__u64)BPF_CORE_READ(file, f_inode),
		.enter_ts = enter_ts,
		.told_ts = now,
		.open_ns = now - enter_ts,
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};
	struct fs_file *old;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return;
	init.size = BPF_CORE_READ(file, f_inode, i_size);
	if (writes)
		init.flags |= EV_OPEN_WRITE;
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		init.flags |= EV_OPEN_CREATED;
	else if (truncates)
		init.flags |= EV_OPEN_TRUNCATED;
	old = bpf_map_lookup_elem(&fs_files, &key);
	if (old && (fs_is_changed(old, old->size) || fs_is_used(old)))
		stat_add(lost_map, 1); /* whoever closed it was not seen to */
	proc->fs_open = 1;
	if (bpf_map_update_elem(&fs_files, &key, &init, BPF_ANY))
		stat_add(lost_map, 1);
}

static __always_inline int fs_opened(__u64 dir_flags, __u64 path, __s64 ret)
{
	__u32 flags = dir_flags >> 32;
	bool writes = flags & (O_WRITES | O_CREAT | O_TRUNC);
	__u64 enter_ts = 0;
	struct proc_state *proc;

	if (flags & O_PATH || (!writes && cfg_files == FILES_CHANGED))
		return 0;
	if (cfg_files != FILES_ALL && (ret < 0 ? !fs_refused(ret) : !writes && is_of_system(path)))
		return 0;
	if (ret < 0 && writes && fs_refused(ret))
		return fs_call(fs_what(EV_FILE_WRITE, ret), (__u32)dir_flags, path, 0);
	proc = fs_proc(&enter_ts);
	if (!proc)
		return 0;
	if (ret < 0)
		open_failed(proc, enter_ts, (__s32)dir_flags, path, ret);
	else
		open_done(proc, enter_ts, ret, writes, flags & O_TRUNC);
	return 0;
}

/* The first member of struct open_how. */
static __always_inline __u64 how_flags(__u64 how)
{
	__u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), (void *)how);
	return flags;
}

/* Attached to the end of each call that opens. */
SYS_EXIT(fs_open_done)
{
	const struct path_call *c = fs_call_of(regs);
	__u64 flags;

	if (!c)
		return 0;
	flags = fs_arg(regs, c->path2);
	if (c->what == PATH_OPEN_HOW)
		flags = how_flags(flags);
	else if (c->what == PATH_CREAT)
		flags = O_CREAT | O_TRUNC;
	return fs_opened(fs_dir_arg(regs, c->dir) | flags << 32, fs_arg(regs, c->path), SYS_RET);
}

/* --- what is done with it, beside the calls of io.bpf.c, which may move a flow's bytes as well */

static __always_inline int fs_io(__u32 fd, __u32 dir, __s64 ret)
{
	struct file *file = ret > 0 ? fs_file_of(fd) : NULL;
	struct task_call *t = file ? task_call_now() : NULL;

	if (t)
		fs_moved(file, dir, ret, t->entered_ts);
	return 0;
}

SYS_EXIT(fs_pread)
{
	return fs_io(SYS_ARG(1), EV_READ, SYS_RET);
}

SYS_EXIT(fs_pwrite)
{
	return fs_io(SYS_ARG(1), EV_WRITE, SYS_RET);
}

SYS_EXIT(fs_sendfile)
{
	fs_io(SYS_ARG(2), EV_READ, SYS_RET);
	return fs_io(SYS_ARG(1), EV_WRITE, SYS_RET);
}

SYS_EXIT(fs_copy)
{
	fs_io(SYS_ARG(1), EV_READ, SYS_RET);
	return fs_io(SYS_ARG(3), EV_WRITE, SYS_RET);
}

/* Also one that fails took its time. */
SYS_EXIT(fs_sync)
{
	struct file *file = fs_file_of(SYS_ARG(1));
	struct task_call *t = file ? task_call_now() : NULL;
	struct fs_file *f = t && t->entered_ts ? fs_find(file) : NULL;
	__u64 ns;

	if (!f)
		return 0;
	ns = bpf_ktime_get_ns() - t->entered_ts;
	__sync_fetch_and_add(&f->syncs, 1);
	__sync_fetch_and_add(&f->sync_ns, ns);
	if (ns > f->sync_max_ns)
		f->sync_max_ns = ns;
	return 0;
}

SYS_ENTER(fs_dup)
{
	struct file *file = SYS_ARG(1) != SYS_ARG(2) ? fs_file_of(SYS_ARG(2)) : NULL;

	if (file)
		fs_close((__u64)file, file_refs(file));
	return 0;
}

/* What has O_CLOEXEC will be closed without a call, if this one does not fail. */
SYS_ENTER(fs_exec)
{
	struct proc_state *proc = traced_here();

	if (proc && proc->fs_open)
		fs_each_open(bpf_get_current_pid_tgid() >> 32, false);
	return 0;
}
