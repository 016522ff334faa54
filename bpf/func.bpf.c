/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The probes of functions that the user named, and of USDT: see func.bpf.h. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
/* for kernels without cookies, on which none of this is loaded */
#define BPF_USDT_MAX_IP_CNT 1
#include <bpf/usdt.bpf.h>
#include "func.bpf.h"
#include "guard.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void regs_args(struct pt_regs *ctx, struct func_frame *f)
{
	f->args[0] = PT_REGS_PARM1(ctx);
	f->args[1] = PT_REGS_PARM2(ctx);
	f->args[2] = PT_REGS_PARM3(ctx);
	f->args[3] = PT_REGS_PARM4(ctx);
	f->args[4] = PT_REGS_PARM5(ctx);
#if defined(__TARGET_ARCH_x86)
	f->args[5] = ctx->r9; /* libbpf names the sixth from 1.2 on */
#else
	f->args[5] = __PT_REGS_CAST(ctx)->regs[5];
#endif
}

/* --- functions */

static __always_inline void func_begin(struct pt_regs *ctx, const bool modern)
{
	struct func_thread *t = func_here();
	__u64 cookie, now, sp;
	struct func_probe *probe;
	struct func_frame *f;
	__u32 id;

	if (!t)
		return;
	cookie = bpf_get_attach_cookie(ctx);
	id = cookie & 0xffff;
	probe = bpf_map_lookup_elem(&func_probes, &id);
	if (!probe)
		return;
	sp = PT_REGS_SP(ctx) + ((__s64)cookie >> 32);
	now = bpf_ktime_get_ns();
	func_unwind(t, sp, id, true, now, modern);
	f = func_push(t, now);
	if (!f)
		return;
	f->sp = sp;
	f->probe = id;
	f->tail = probe->flags & FUNC_TAIL;
	f->usdt = 0;
	regs_args(ctx, f);
	if (probe->texts)
		frame_texts(t, probe->texts);
}

/* A call may have become another one that was told, and whose own end was not seen. */
static __always_inline void drop_tail(struct func_thread *t, __u64 sp, __u32 id, __u64 now)
{
	struct func_frame *f = frame_at(t, t->depth - 1), *up = frame_at(t, t->depth - 2);

	if (t->depth >= 2 && f->sp == sp && f->probe != id && up->sp == sp && up->probe == id)
		func_tell(t, now, 0, EV_FUNC_LEFT);
}

static __always_inline void func_end(struct pt_regs *ctx, const bool modern)
{
	struct func_thread *t = func_find();
	struct func_frame *f;
	__u64 cookie, now, sp;
	__u32 id;

	if (!t || !t->depth)
		return;
	cookie = bpf_get_attach_cookie(ctx);
	id = cookie & 0xffff;
	sp = PT_REGS_SP(ctx) + ((__s64)cookie >> 32);
	f = frame_at(t, t->depth - 1);
	now = bpf_ktime_get_ns();
	if (f->sp != sp || f->probe != id) {
		func_unwind(t, sp, id, false, now, modern);
		drop_tail(t, sp, id, now);
		f = frame_at(t, t->depth - 1);
		if (!t->depth || f->sp != sp || f->probe != id)
			return; /* its entry was not followed */
	}
	func_tell(t, now, PT_REGS_RC(ctx), EV_FUNC_RETURNED);
}

static __always_inline void func_place(struct pt_regs *ctx, const bool modern)
{
	struct func_thread *t = func_here();
	struct func_probe *probe;
	struct func_frame *f;
	__u64 now;
	__u32 id;

	if (!t)
		return;
	id = bpf_get_attach_cookie(ctx) & 0xffff;
	probe = bpf_map_lookup_elem(&func_probes, &id);
	if (!probe)
		return;
	now = bpf_ktime_get_ns();
	func_unwind(t, PT_REGS_SP(ctx), id, false, now, modern);
	f = func_push(t, now);
	if (!f)
		return;
	f->probe = id;
	regs_args(ctx, f);
	if (probe->texts)
		frame_texts(t, probe->texts);
	func_tell(t, now, 0, EV_FUNC_POINT);
}

UPROBE_PROG("?uprobe", func_enter, func_begin)
UPROBE_PROG("?uretprobe", func_exit, func_end)
UPROBE_PROG("?uprobe", func_point, func_place)

/* --- USDT: no stack tells which end is whose, but ends come in the reverse order of beginnings */

static __always_inline void usdt_args(struct pt_regs *ctx, struct func_frame *f, __u32 cnt)
{
	__u32 i;
	long v;

	for (i = 0; i < EV_FUNC_ARGS; i++) {
		v = 0;
		if (i < cnt)
			bpf_usdt_arg(ctx, i, &v);
		f->args[i] = v;
	}
}

static __noinline int usdt_is_open(struct func_thread *t)
{
	__u32 depth = t->depth;
	int i;

	for (i = 0; i < FUNC_DEPTH; i++) {
		if (i >= depth)
			break;
		if (is_ended(t, frame_at(t, depth - 1 - i)))
			return 1;
	}
	return 0;
}

/* Python (3.11) tells the end of each of its functions, but of few that they begin. */
static __always_inline void usdt_end(struct pt_regs *ctx, struct func_thread *t, __u32 id,
				     const struct func_probe *probe, const bool modern)
{
	long first = 0, second = 0;

	bpf_usdt_arg(ctx, 0, &first);
	t->drop.named = probe->flags & FUNC_NAMES;
	if (t->drop.named)
		bpf_usdt_arg(ctx, 1, &second);
	t->drop.names[0] = first;
	t->drop.names[1] = second;
	t->drop.ts = bpf_ktime_get_ns();
	t->drop.id = id;
	t->drop.how = DROP_INNER;
	t->drop.end = EV_FUNC_LEFT;
	if (!usdt_is_open(t))
		return;
	drop_all(t, modern);
	if (t->depth && is_ended(t, frame_at(t, t->depth - 1)))
		func_tell(t, t->drop.ts, first, EV_FUNC_RETURNED);
}

static __always_inline void func_usdt_at(struct pt_regs *ctx, const bool modern)
{
	struct func_thread *t = func_here();
	struct func_probe *probe;
	struct func_frame *f;
	__u64 cookie, now;
	__u32 id;

	if (!t)
		return;
	cookie = bpf_usdt_cookie(ctx);
	id = cookie & 0xffff;
	probe = bpf_map_lookup_elem(&func_probes, &id);
	if (!probe)
		return;
	if (cookie & FUNC_END) {
		usdt_end(ctx, t, id, probe, modern);
		return;
	}
	now = bpf_ktime_get_ns();
	func_unwind(t, PT_REGS_SP(ctx), id, false, now, modern);
	f = func_push(t, now);
	if (!f)
		return;
	f->sp = PT_REGS_SP(ctx);
	f->probe = id;
	f->tail = 0;
	f->usdt = 1;
	usdt_args(ctx, f, probe->args);
	if (probe->texts)
		frame_texts(t, probe->texts);
	if (!(cookie & FUNC_BEGIN))
		func_tell(t, now, 0, EV_FUNC_POINT);
}

UPROBE_PROG("?usdt", func_usdt, func_usdt_at)

/* --- calls that nothing returns from */

static __always_inline void func_end_all(struct func_thread *t, __u32 end, const bool modern)
{
	__u64 now = bpf_ktime_get_ns();

	t->drop.ts = now;
	t->drop.how = DROP_ALL;
	t->drop.end = end;
	if (t->depth)
		drop_all(t, modern);
	if (!t->over)
		return;
	__builtin_memset(&t->out.e, 0, sizeof(t->out.e));
	t->out.e.hdr.ts = now;
	t->out.e.enter_ts = now;
	t->out.e.end = EV_FUNC_OVER;
	t->out_len = 0;
	func_out(t);
}

static __always_inline void thread_exits(const bool modern)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct func_thread *t = func_find();

	if (t)
		func_end_all(t, EV_FUNC_EXIT, modern);
	/* also of one that is not traced any more: its id will be another one's */
	if (!cfg_task_storage)
		bpf_map_delete_elem(&func_threads_old, &tid);
}

/* The thread that does it has the name of the first one from here on. */
static __always_inline void thread_execs(__u32 old_tid, const bool modern)
{
	struct func_thread *t;

	t = cfg_task_storage ? func_find() : bpf_map_lookup_elem(&func_threads_old, &old_tid);
	if (!t)
		return;
	func_end_all(t, EV_FUNC_EXEC, modern);
	t->tid = (__u32)bpf_get_current_pid_tgid();
	if (!cfg_task_storage)
		bpf_map_delete_elem(&func_threads_old, &old_tid);
}

/* Attached before proc_exit, so that the process's end comes last. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(func_thread_exit, struct task_struct *task)
{
	thread_exits(true);
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(func_thread_exit_old, struct task_struct *task)
{
	thread_exits(false);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(func_thread_exec, struct task_struct *task, pid_t old_pid)
{
	thread_execs(old_pid, true);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(func_thread_exec_old, struct task_struct *task, pid_t old_pid)
{
	thread_execs(old_pid, false);
	return 0;
}

/* --- calls that go on */

static __always_inline void frame_row(struct seq_file *seq, struct func_thread *t, __u32 i)
{
	struct func_frame *f = frame_at(t, i);
	__u32 at = f->text_at, len = f->text_len;
	struct ev_function row = {};

	barrier_var(len);
	len &= FUNC_TEXTS - 1;
	barrier_var(at);
	at &= FUNC_POOL - 1;
	row.hdr.size = sizeof(row) + len;
	row.hdr.tgid = t->tgid;
	row.hdr.tid = t->tid;
	row.hdr.start = t->start;
	row.enter_ts = f->enter_ts;
	row.frame = f->frame;
	__builtin_memcpy(row.args, f->args, sizeof(row.args));
	row.probe = f->probe;
	row.over = f->over;
	row.texts = f->texts;
	row.cut = f->cut;
	tell_parent(t, &row, i);
	bpf_seq_write(seq, &row, sizeof(row));
	if (len)
		bpf_seq_write(seq, t->text + at, len);
}

/* Each as the record that tells it but for kind and time; of one that ends meanwhile it may be no record. */
SEC("?iter/task")
int func_rows(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct func_thread *t;
	__u32 i, tid;

	if (!task || !tgid_may_be_traced(task->tgid))
		return 0;
	tid = task->pid;
	if (cfg_task_storage)
		t = bpf_task_storage_get(&func_threads, task, NULL, 0);
	else
		t = bpf_map_lookup_elem(&func_threads_old, &tid);
	if (!t)
		return 0;
	for (i = 0; i < FUNC_DEPTH; i++) {
		if (i >= t->depth)
			break;
		frame_row(seq, t, i);
	}
	return 0;
}
