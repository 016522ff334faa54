/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions that the user named, and USDT probes: a record when a call ends.
 *
 * A thread's calls are a stack, told apart by the stack pointer at their entry.  A call whose return is
 * never run (longjmp, an exception) is over as soon as the stack is seen to be higher than it was in it;
 * it is told then, and said to be so.  A function that ends as another one (a tail call) has the other
 * one's calls begin at its own height; it returns when that does, by its return probe.  Where a program
 * switches stacks by itself (coroutines), heights say less, and calls may be told as left too early.
 *
 * What comes too fast, or lies too deep, is not followed at all: what it calls is then told as made by
 * who called it.
 */
#ifndef RINGSPAN_FUNC_BPF_H
#define RINGSPAN_FUNC_BPF_H

#include "task.bpf.h"
#include "user.bpf.h"

#define FUNC_DEPTH 128
#define FUNC_DROP_OLD 8 /* calls that one event may end, without bpf_loop */
#define FUNC_POOL 4096  /* bytes of texts of the calls that a thread is in */
#define FUNC_TEXTS 2048 /* of one call: EV_FUNC_ARGS + 1 times EV_FUNC_TEXT at most */
#define FUNC_RATE 2000  /* calls of a thread that are told, each second */
#define SECOND 1000000000ull
#define MAX_FUNC_THREADS 1024 /* where the kernel has no task storage */

struct func_frame {
	__u64 sp;
	__u64 enter_ts, frame;
	__u64 args[EV_FUNC_ARGS];
	__u32 probe;
	__u32 over;
	__u16 text_at, text_len; /* in the thread's text */
	__u8 texts, cut;         /* as in ev_function */
	__u8 tail;               /* FUNC_TAIL */
	__u8 usdt;               /* sp is that of some place in its function */
};

enum func_drop { DROP_LOWER, DROP_INNER, DROP_ALL };

/*
 * Only the thread itself uses its entry, and its records are put together there: no other thread that
 * preempts it comes by.  What a loop works on is there as well, and not in registers: the verifier knows
 * nothing of it then, so that one pass proves all of them.
 */
struct func_thread {
	__u64 start; /* of the process */
	__u64 calls; /* so far: the last frame */
	__u64 second;
	__u32 told; /* calls since then */
	__u32 over;
	__u32 depth;
	__u32 text_len;
	__u32 tid;
	__u32 tgid;
	struct {
		__u64 sp, ts;
		__u32 id, how; /* enum func_drop */
		__u32 at, end; /* enum ev_func_end */
		__u64 names[2];
		__u32 named; /* FUNC_NAMES */
		__u32 pad;
	} drop;
	__u32 out_len; /* bytes of text in `out` */
	__u32 pad;
	struct func_frame frames[FUNC_DEPTH];
	char text[FUNC_POOL + FUNC_TEXTS];
	struct {
		struct ev_function e;
		char text[FUNC_TEXTS + EV_FUNC_TEXT];
	} out;
};

_Static_assert(__builtin_offsetof(struct ev_function, ret) ==
		       __builtin_offsetof(struct ev_function, args) + EV_FUNC_RET * sizeof(__u64),
	       "late_texts()");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct func_thread);
} func_threads SEC(".maps") __weak;

/* The same for kernels before 5.12. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FUNC_THREADS);
	__type(key, __u32); /* thread id */
	__type(value, struct func_thread);
} func_threads_old SEC(".maps") __weak;

/* What an entry of that starts as.  Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct func_thread);
} func_thread_zero SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FUNC_IDS);
	__type(key, __u32);
	__type(value, struct func_probe);
} func_probes SEC(".maps") __weak;

/* --- the thread */

/* NULL: it was in none of the functions yet.  What is not traced has none. */
static __always_inline struct func_thread *func_find(void)
{
	struct task_struct *task;
	__u64 id;

	if (cfg_task_storage) {
		task = bpf_get_current_task_btf();
		if (!traced_slots[task->tgid & (TRACED_SLOTS - 1)])
			return NULL;
		return bpf_task_storage_get(&func_threads, task, NULL, 0);
	}
	id = bpf_get_current_pid_tgid();
	if (!traced_slots[id >> 32 & (TRACED_SLOTS - 1)])
		return NULL;
	return bpf_map_lookup_elem(&func_threads_old, &(__u32){ id });
}

static __always_inline struct func_thread *func_make(__u32 tid)
{
	__u32 zero = 0;
	void *init;

	if (cfg_task_storage)
		return bpf_task_storage_get(&func_threads, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	init = bpf_map_lookup_elem(&func_thread_zero, &zero);
	if (!init)
		return NULL;
	bpf_map_update_elem(&func_threads_old, &tid, init, BPF_NOEXIST);
	return bpf_map_lookup_elem(&func_threads_old, &tid);
}

static __noinline struct func_thread *func_new(void)
{
	struct task_call *task = task_call_now();
	__u64 id = bpf_get_current_pid_tgid();
	struct func_thread *t;

	if (!task || task->quiet)
		return NULL;
	t = func_make((__u32)id);
	if (!t) {
		stat_add(lost_map, 1);
		return NULL;
	}
	t->start = task->start;
	t->tgid = id >> 32;
	t->tid = (__u32)id;
	return t;
}

static __always_inline struct func_thread *func_here(void)
{
	struct func_thread *t = func_find();

	return t ? t : func_new();
}

/* The compiler must not reason the bound away: kernels before 6.8 do not follow its reasoning. */
static __always_inline struct func_frame *frame_at(struct func_thread *t, __u32 i)
{
	barrier_var(i);
	return &t->frames[i % FUNC_DEPTH];
}

/* --- texts */

/* Bytes with the NUL; 0: it cannot be read. */
static __always_inline __u32 text_read(char *dst, __u64 from, bool *cut)
{
	long n = user_text(dst, EV_FUNC_TEXT, from);
	__u32 room;
	char last;

	*cut = false;
	if (n > 0) {
		if (n == EV_FUNC_TEXT &&
		    !bpf_probe_read_user(&last, 1, (void *)(from + EV_FUNC_TEXT - 1)))
			*cut = last != '\0';
		return n & (2 * EV_FUNC_TEXT - 1);
	}
	/* what follows may not be there: up to the end of its page */
	room = cfg_page_size - (from & (cfg_page_size - 1));
	if (!from || room >= EV_FUNC_TEXT)
		return 0;
	barrier_var(room);
	room &= EV_FUNC_TEXT - 1;
	if (bpf_probe_read_user(dst, room, (void *)from))
		return 0;
	dst[room] = '\0';
	*cut = true;
	return room + 1;
}

/* Of the innermost call. */
static __noinline int frame_text(struct func_thread *t, __u32 i)
{
	struct func_frame *f = frame_at(t, t->depth - 1);
	__u32 n, at = t->text_len;
	bool cut;

	if (at >= FUNC_POOL || i >= EV_FUNC_ARGS)
		return 0;
	barrier_var(at);
	n = text_read(t->text + (at & (FUNC_POOL - 1)), f->args[i], &cut);
	if (!n)
		return 0;
	f->texts |= 1 << i;
	f->cut |= cut << i;
	f->text_len += n;
	t->text_len += n;
	return 0;
}

static __always_inline void frame_texts(struct func_thread *t, __u32 wanted)
{
	__u32 i;

	for (i = 0; i < EV_FUNC_ARGS; i++)
		if (wanted >> i & 1)
			frame_text(t, i);
}

static __noinline int late_text(struct func_thread *t, __u32 i)
{
	const __u64 *regs = t->out.e.args; /* the result is behind them */
	__u32 n, len = t->out_len;
	bool cut;

	barrier_var(len);
	n = text_read(t->out.text + (len & (FUNC_TEXTS - 1)), regs[i & 7], &cut);
	if (!n)
		return 0;
	t->out.e.late |= 1 << i;
	t->out.e.cut |= cut << i;
	t->out_len += n;
	return 0;
}

/* At the end of a call: its result, and what could not be read at its entry and may be there now. */
static __always_inline void late_texts(struct func_thread *t, __u32 wanted)
{
	__u32 i;

	for (i = 0; i <= EV_FUNC_RET; i++)
		if (wanted >> i & 1)
			late_text(t, i);
}

/* --- records */

/* What is in t->out. */
static __noinline int func_out(struct func_thread *t)
{
	__u32 len = t->out_len;
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	struct cpu_stats *s = stats_here();
	struct ev_hdr *h = &t->out.e.hdr;

	if (!s)
		return 0;
	barrier_var(len);
	len &= FUNC_TEXTS - 1;
	h->size = sizeof(t->out.e) + len;
	h->kind = EV_FUNCTION;
	h->flags = t->out.e.cut ? EVF_TRUNC : 0;
	h->tgid = t->tgid;
	h->tid = t->tid;
	h->start = t->start;
	h->cpu = bpf_get_smp_processor_id();
	h->lost = take_lost(s);
	t->out.e.over_thread = t->over;
	__sync_fetch_and_add(&s->produced[EV_FUNCTION], 1);
	if (bpf_ringbuf_output(&events, &t->out, sizeof(t->out.e) + len,
			       waiting >= cfg_wake_bytes ? BPF_RB_FORCE_WAKEUP
							 : BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&s->lost_ring[EV_FUNCTION], 1);
		__sync_fetch_and_add(&s->unreported, 1 + h->lost);
		return 0;
	}
	t->over = 0;
	return 0;
}

static __always_inline void tell_parent(struct func_thread *t, struct ev_function *e, __u32 depth)
{
	struct func_frame *up = frame_at(t, depth - 1);

	e->depth = depth;
	e->parent = depth ? up->frame : 0;
	e->parent_ts = depth ? up->enter_ts : 0;
	e->parent_probe = depth ? up->probe : 0;
}

/* The innermost call is over, and off the stack. */
static __noinline int func_tell(struct func_thread *t, __u64 ts, __u64 ret, __u32 end)
{
	struct ev_function *e = &t->out.e;
	__u32 depth = t->depth, len, wanted = 0, id;
	struct func_probe *probe;
	struct func_frame *f;

	if (!depth || depth > FUNC_DEPTH)
		return 0;
	t->depth = --depth;
	f = frame_at(t, depth);
	t->text_len = f->text_at;
	e->hdr.ts = ts;
	e->enter_ts = f->enter_ts;
	e->frame = f->frame;
	__builtin_memcpy(e->args, f->args, sizeof(e->args));
	e->ret = ret;
	e->probe = id = f->probe;
	e->over = f->over;
	e->texts = f->texts;
	e->late = 0;
	e->cut = f->cut;
	e->end = end;
	tell_parent(t, e, depth);
	len = f->text_len;
	if (len) {
		__u32 at = f->text_at;

		barrier_var(len);
		len &= FUNC_TEXTS - 1;
		barrier_var(at);
		bpf_probe_read_kernel(t->out.text, len, t->text + (at & (FUNC_POOL - 1)));
	}
	probe = bpf_map_lookup_elem(&func_probes, &id);
	if (probe)
		wanted = probe->texts;
	/* where the memory is another program's, or gone, nothing is read any more */
	wanted &= ~e->texts;
	if (end != EV_FUNC_RETURNED)
		wanted &= ~(1 << EV_FUNC_RET);
	t->out_len = f->text_len;
	if (wanted && end <= EV_FUNC_LEFT)
		late_texts(t, wanted);
	return func_out(t);
}

/* Is it over, now that a call begins or ends at that height? */
static __always_inline bool is_lower(struct func_thread *t, struct func_frame *f)
{
	if (f->sp != t->drop.sp)
		return f->sp < t->drop.sp;
	return t->drop.at && !f->usdt && !(f->tail && f->probe != t->drop.id);
}

/* Is it what ends here? */
static __always_inline bool is_ended(struct func_thread *t, struct func_frame *f)
{
	return f->probe == t->drop.id && (!t->drop.named || (f->args[0] == t->drop.names[0] &&
							     f->args[1] == t->drop.names[1]));
}

/* Ends the innermost call if that is what drop says; 1: it does not. */
static __noinline int drop_next(struct func_thread *t)
{
	struct func_frame *f = frame_at(t, t->depth - 1);

	if (!t->depth || (t->drop.how == DROP_LOWER && !is_lower(t, f)) ||
	    (t->drop.how == DROP_INNER && is_ended(t, f)))
		return 1;
	func_tell(t, t->drop.ts, 0, t->drop.end);
	return 0;
}

/* bpf_loop hands on a pointer into the stack, so the thread's address goes there. */
static long drop_loop(__u32 i, void *t)
{
	return drop_next(*(struct func_thread **)t);
}

static __always_inline void drop_all(struct func_thread *t, const bool modern)
{
	int i;

	if (modern) {
		bpf_loop(FUNC_DEPTH, drop_loop, &t, 0);
		return;
	}
	for (i = 0; i < FUNC_DROP_OLD; i++)
		if (drop_next(t))
			return;
	/* those around them are as over as they are */
	if (t->drop.how == DROP_ALL && t->depth) {
		stat_add(lost_map, t->depth);
		t->depth = 0;
	}
}

/* The calls that are over by now; at: those whose frame begins right there, too, where not by a tail call. */
static __always_inline void func_unwind(struct func_thread *t, __u64 sp, __u32 id, bool at,
					__u64 now, const bool modern)
{
	if (!t->depth || frame_at(t, t->depth - 1)->sp > sp)
		return;
	t->drop.sp = sp;
	t->drop.ts = now;
	t->drop.id = id;
	t->drop.how = DROP_LOWER;
	t->drop.at = at;
	t->drop.end = EV_FUNC_LEFT;
	drop_all(t, modern);
}

/* Room for a call that begins: NULL when there is none, or too many came this second (counted). */
static __always_inline struct func_frame *func_push(struct func_thread *t, __u64 now)
{
	__u32 depth = t->depth;
	struct func_frame *f;

	if (now - t->second >= SECOND) {
		t->second = now;
		t->told = 0;
	}
	if (t->told >= FUNC_RATE || depth >= FUNC_DEPTH) {
		t->over++;
		stat_over_rate(EV_FUNCTION);
		if (depth)
			frame_at(t, depth - 1)->over++;
		return NULL;
	}
	t->told++;
	f = frame_at(t, depth);
	f->enter_ts = now;
	f->frame = ++t->calls;
	f->over = 0;
	f->text_at = t->text_len;
	f->text_len = 0;
	f->texts = 0;
	f->cut = 0;
	t->depth = depth + 1;
	return f;
}

#endif
