/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that traced processes have open, and what they do to paths.  In open.bpf.c and fs.bpf.c; global
 * functions, which the verifier proves once and not at each call, and which take nothing but numbers,
 * because kernels before 5.12 allow no more.
 */
#ifndef RINGSPAN_FS_BPF_H
#define RINGSPAN_FS_BPF_H

#include <bpf/bpf_core_read.h>
#include "config.bpf.h"
#include "maps.bpf.h"
#include "sock.bpf.h"

#define FS_PART_NS \
	10000000000ull /* a file that stays open is told of that often while it is used */

/* A descriptor of the file is about to be closed; refs: those of the file that there are. */
extern int fs_close(__u64 file, __u64 refs);
/* The last thread of the current process ends. */
extern int fs_exit(__u32 tgid);
/* What was done through the file so far is told. */
extern int fs_part(__u64 file);
/* The file, of which nothing is to be told yet but that it was opened, is the current process's from here on. */
extern int fs_take(__u64 file);
/* Changes that went over the budget, and which no record told. */
extern int fs_tell_over(__u32 tgid);
/* A call on paths returned; dirs: their descriptors, the second one above the first. */
extern int fs_call(__u64 what, __u64 dirs, __u64 path, __u64 path2);

/* file_of_fd() for programs at tracepoints: with a task that the verifier knows, at a third of the price. */
static __always_inline struct file *fs_file_of(__u32 fd)
{
	struct fdtable *fdt;
	struct file *file = NULL;

	if (!cfg_task_storage)
		return file_of_fd(fd);
	fdt = bpf_get_current_task_btf()->files->fdt;
	if (fd < fdt->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd);
	return file;
}

/* What is remembered of an open file; NULL: nothing.  Some are closed without a call: at exec, by io_uring. */
static __always_inline struct fs_file *fs_find(struct file *file)
{
	__u64 key = (__u64)file;
	struct fs_file *f = bpf_map_lookup_elem(&fs_files, &key);

	return f && f->inode == (__u64)BPF_CORE_READ(file, f_inode) ? f : NULL;
}

static __always_inline __u64 fs_what(__u32 op, __s64 ret)
{
	return op | (__u64)ret << 32;
}

/* A call that was entered at that time moved n bytes; dir: enum ev_dir, a constant or masked. */
static __always_inline void fs_moved(struct file *file, __u32 dir, __u64 n, __u64 enter_ts)
{
	struct fs_file *f = fs_find(file);
	__u64 now;

	if (!f)
		return;
	if (f->tgid != (__u32)(bpf_get_current_pid_tgid() >> 32) &&
	    !(f->bytes[EV_READ] | f->bytes[EV_WRITE]))
		fs_take((__u64)file);
	now = bpf_ktime_get_ns();
	__sync_fetch_and_add(&f->bytes[dir], n);
	__sync_fetch_and_add(&f->calls[dir], 1);
	if (enter_ts)
		__sync_fetch_and_add(&f->ns[dir], now - enter_ts);
	if (now - f->told_ts > FS_PART_NS)
		fs_part((__u64)file);
}

static __always_inline void fs_mapped(struct file *file, bool program)
{
	struct fs_file *f = fs_find(file);

	if (f && program)
		f->program = 1;
	else if (f)
		f->mapped = 1;
}

#endif
