/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls that change the file system by paths: one record each, made when the call returns.  What is
 * changed through open files is in open.bpf.c.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "fs.bpf.h"
#include "path.bpf.h"
#include "sys.bpf.h"

#define AT_REMOVEDIR 0x200

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
	e->over = fs_take_over(&proc->fs_over[EV_WRITE]);
	__builtin_memset(e->len, 0, sizeof(e->len));
	return e;
}

int fs_tell_over(__u32 tgid)
{
	struct proc_state *proc = bpf_map_lookup_elem(&traced, &tgid);
	struct ev_file *e;

	if (!proc || (__s32)proc->fs_over[EV_WRITE] <= 0)
		return 0;
	e = fs_reserve(proc, EV_FILE_OVER, 0);
	if (e)
		ev_submit(e);
	return 0;
}

/* A call did what it should, or was refused to: its result is 0 or below. */
int fs_call(__u64 what, __u64 dirs, __u64 path, __u64 path2)
{
	__u64 enter_ts = 0;
	struct proc_state *proc = fs_proc(&enter_ts);
	struct ev_file *e;
	__u32 pos;

	if (!proc)
		return 0;
	proc->fs_open = 1; /* over its budget it has something to tell when it ends */
	if (!fs_may(proc, EV_FILE, true))
		return 0;
	e = fs_reserve(proc, (__u32)what, FS_ROOM2);
	if (!e)
		return 0;
	e->enter_ts = enter_ts;
	e->err = (__s32)(what >> 32);
	pos = fs_given(&e->hdr, (char *)(e + 1), &e->len[0], 0, FS_ROOM, (__s32)dirs, path);
	if (path2)
		pos = fs_given(&e->hdr, (char *)(e + 1), &e->len[2], pos, FS_ROOM2,
			       (__s32)(dirs >> 32), path2);
	e->hdr.size = sizeof(*e) + pos;
	ev_submit(e);
	return 0;
}

/* Attached to the end of each such call. */
SYS_EXIT(fs_done)
{
	const struct path_call *c = fs_call_of(regs);
	__u32 op;

	if (!c || (SYS_RET && !fs_refused(SYS_RET)))
		return 0;
	op = c->what;
	if (op == PATH_UNLINKAT)
		op = SYS_ARG(3) & AT_REMOVEDIR ? EV_FILE_RMDIR : EV_FILE_REMOVE;
	return fs_call(fs_what(op, SYS_RET),
		       fs_dir_arg(regs, c->dir) | (__u64)fs_dir_arg(regs, c->dir2) << 32,
		       fs_arg(regs, c->path), fs_arg(regs, c->path2));
}
