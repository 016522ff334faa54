/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes that move by read and write calls through sockets, pipes and terminals.
 *
 * The entry of a call keeps its arguments; at its end it is known whether bytes moved, and only then
 * the file is looked at.  What the first bytes of a flow look like decides whether its bytes are
 * copied.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "flow.bpf.h"
#include "fs.bpf.h"
#include "look.bpf.h"
#include "reset.bpf.h"
#include "shake.bpf.h"
#include "sys.bpf.h"
#include "tie.bpf.h"

#define FLOW_LOOKS 32 /* calls in vain, then nothing is expected of the flow */
#define LOOK_VECS 3   /* iovecs that the first bytes are gathered from */
#define MMSG_MAX 64   /* messages of one call that are followed */
#define IO_STEPS_OLD 32
#define PORT_DNS 53
#define MEM_MAJOR 1 /* /dev/null, /dev/zero, /dev/urandom: Documentation/admin-guide/devices.txt */
#define TCP_ESTABLISHED 1
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define INPUT_NS \
	10000000 /* keys of a terminal come one by one, and a pipe may be a file's content */
#define SOL_TLS 282
#define HELLO_ROOM0 512
#define HELLO_ROOM1 2048

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* --- entries */

/* What is to be done where a call ends. */
enum io_end { IO_NOTHING = 0, IO_MOVED = 1, IO_FILE = 2 };

/*
 * A read of a file that can carry no flow is at most counted.  All files of a kind share their operations, so
 * a thread that reads on and on needs one look at them; no file becomes a socket or a pipe under its
 * operations.  But serial lines have those of terminals, so most devices are looked at each time.
 */
static __always_inline enum io_end io_end_of_read(struct task_call *call, __u32 fd)
{
	struct file *file = file_of_fd(fd);
	__u64 ops = file ? (__u64)BPF_CORE_READ(file, f_op) : 0;
	__u32 type, dev;

	if (!ops)
		return IO_NOTHING;
	if (ops == call->moving)
		return IO_MOVED;
	if (ops == call->plain)
		return call->plain_end;
	type = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;
	if (type == S_IFSOCK || type == S_IFIFO) {
		call->moving = ops;
		return IO_MOVED;
	}
	if (type == S_IFCHR) {
		dev = BPF_CORE_READ(file, f_inode, i_rdev);
		if (dev >> 20 != MEM_MAJOR)
			return dev_is_tty(dev) ? IO_MOVED : IO_NOTHING;
	}
	call->plain = ops;
	call->plain_end = type == S_IFREG ? IO_FILE : IO_NOTHING;
	return call->plain_end;
}

static __always_inline void io_enter(struct pt_regs *regs, __u64 buf, __u64 cnt, enum io_form form,
				     enum ev_dir dir, __u64 name, const bool any_file)
{
	struct task_call *call = task_call_here(regs);
	struct thread_state *t;
	__u64 fd = SYS_ARG(1);

	if (!call)
		return;
	call->io = any_file ? io_end_of_read(call, fd) : IO_MOVED;
	if (call->io != IO_MOVED)
		return;
	t = thread_here();
	if (!t) {
		call->io = IO_NOTHING;
		return;
	}
	t->io.fd = (__u32)fd + 1;
	t->io.buf = buf;
	t->io.cnt = cnt;
	t->io.form = form;
	t->io.dir = dir;
	t->io.nested = 0;
	t->io.name = name;
	t->io.enter_ts = call->enter_ts;
}

#define IO_ENTER_ANY(call, cnt, form, dir, name, any_file)                  \
	SYS_ENTER(io_##call)                                                \
	{                                                                   \
		io_enter(regs, SYS_ARG(2), cnt, form, dir, name, any_file); \
		return 0;                                                   \
	}

#define IO_ENTER(call, cnt, form, dir, name) IO_ENTER_ANY(call, cnt, form, dir, name, false)
#define IO_ENTER_READ(call, cnt, form) IO_ENTER_ANY(call, cnt, form, EV_READ, 0, true)

#define IO_ENTER_FLAGS(call, cnt, form, name, flags)                                 \
	SYS_ENTER(io_##call)                                                         \
	{                                                                            \
		if (!((flags)&MSG_NOT_DATA))                                         \
			io_enter(regs, SYS_ARG(2), cnt, form, EV_READ, name, false); \
		return 0;                                                            \
	}

IO_ENTER_READ(read, SYS_ARG(3), IO_BUF)
IO_ENTER(write, SYS_ARG(3), IO_BUF, EV_WRITE, 0)
IO_ENTER_READ(readv, SYS_ARG(3), IO_VEC)
IO_ENTER(writev, SYS_ARG(3), IO_VEC, EV_WRITE, 0)
IO_ENTER(pwrite64, SYS_ARG(3), IO_BUF, EV_WRITE, 0)
IO_ENTER(pwritev, SYS_ARG(3), IO_VEC, EV_WRITE, 0)
IO_ENTER(sendto, SYS_ARG(3), IO_BUF, EV_WRITE, SYS_ARG(5))
IO_ENTER(sendmsg, 0, IO_MSG, EV_WRITE, 0)
IO_ENTER(sendmmsg, 0, IO_MMSG, EV_WRITE, 0)
IO_ENTER_FLAGS(recvfrom, SYS_ARG(3), IO_BUF, SYS_ARG(5), SYS_ARG(4))
IO_ENTER_FLAGS(recvmsg, 0, IO_MSG, 0, SYS_ARG(3))
IO_ENTER_FLAGS(recvmmsg, 0, IO_MMSG, 0, SYS_ARG(4))

/* --- where a call's bytes lie */

struct mmsghdr {
	__u64 name, name_len, vec, vecs, control, control_len, flags;
	__u32 len, pad;
};

/*
 * The global functions of this file are proven by themselves, and not again for each way to come to them:
 * kernels before 6.4 remember all that differs between those.  They take numbers alone, see fs.bpf.h, and
 * find anew what they work on.
 */

/* Messages are counted by the call, and each has its own length. */
__u64 io_mmsg_bytes(__u64 msg, __u64 cnt)
{
	__u64 sum = 0;
	__u32 len;
	int i;

	for (i = 0; i < MMSG_MAX; i++) {
		if (i >= cnt || bpf_probe_read_user(&len, sizeof(len),
						    (void *)(msg + offsetof(struct mmsghdr, len))))
			break;
		sum += len;
		msg += sizeof(struct mmsghdr);
	}
	return sum;
}

/* Takes up the next message; left is what was moved, unless the message says so itself. */
static __always_inline bool io_next_msg(struct io_call *io, __u64 left)
{
	struct mmsghdr m = {};
	bool many = io->form == IO_MMSG;

	if (bpf_probe_read_user(&m, offsetof(struct mmsghdr, len), (void *)io->msg) ||
	    (many && bpf_probe_read_user(&m.len, sizeof(m.len),
					 (void *)(io->msg + offsetof(struct mmsghdr, len)))))
		return false;
	io->msg += sizeof(m);
	io->msgs--;
	io->name = m.name;
	io->vec = m.vec;
	io->vecs = m.vecs;
	io->left = many ? m.len : left;
	return true;
}

/* Finds the call's bytes; ret as the call gave it. */
static __always_inline bool io_open(struct io_call *io, __s64 ret)
{
	io->fault = 0;
	io->msgs = 0;
	io->vecs = 0;
	io->vec = io->buf;
	io->left = ret;
	if (io->form == IO_VEC)
		io->vecs = io->cnt;
	if (io->form == IO_BUF || io->form == IO_VEC)
		return true;
	io->msg = io->buf;
	io->msgs = io->form == IO_MMSG ? ret : 1;
	return io_next_msg(io, ret);
}

/* MSG_TRUNC makes a receive return more than its buffer took. */
static __always_inline __u64 io_buf_bytes(const struct io_call *io)
{
	return io->left < io->cnt ? io->left : io->cnt;
}

/* --- copying */

static __always_inline void run_set(struct data_job *j, __u64 buf, __u64 n)
{
	__u64 cap = cfg_call_cap;

	j->buf = buf;
	j->left = n;
	if (n <= cap)
		return;
	j->gap = n - cap;
	j->tail = cap / 2;
	j->left = cap - j->tail;
	stat_add(lost_cap_bytes, j->gap);
}

/* The next iovec or message becomes the job's run; false when there is none or it cannot be read. */
static __always_inline bool run_next(struct thread_state *t)
{
	struct io_call *io = &t->io;
	struct iovec v;

	if (!io->left)
		return io->msgs && io_next_msg(io, 0);
	if (!io->vecs)
		return false;
	if (bpf_probe_read_user(&v, sizeof(v), (void *)io->vec)) {
		io->fault = 1;
		return false;
	}
	io->vec += sizeof(v);
	io->vecs--;
	if (v.len > io->left)
		v.len = io->left;
	io->left -= v.len;
	run_set(&t->job, v.base, v.len);
	return true;
}

/* A record, or a step to the next run; 1 at the end. */
static __noinline int io_step(struct thread_state *t)
{
	if (!t->job.left)
		return !run_next(t);
	data_next(&t->job);
	return 0;
}

static long io_loop(__u32 i, void *t)
{
	return io_step(*(struct thread_state **)t);
}

/* Of n bytes no record was made. */
static __always_inline void io_missing(const struct thread_state *t, __s64 n)
{
	if (n > 0 && t->io.fault)
		stat_add(lost_fault_bytes, n);
	else if (n > 0)
		stat_add(lost_cap_bytes, n);
}

/* Copies what io_open() found: total bytes, of a flow that is known. */
static __always_inline void io_copy(struct thread_state *t, struct flow_state *f, __u64 total,
				    const bool modern)
{
	struct data_job *j = &t->job;
	__u32 dir = t->io.dir & 1;
	__u64 end = f->pos[dir] + total, room = total;
	int i;

	j->start = f->start;
	j->conn = f->id;
	j->pos = f->pos[dir];
	__sync_fetch_and_add(&f->pos[dir], total);
	stat_add(content_bytes, total);
	j->enter_ts = t->io.enter_ts;
	j->dir = dir;
	j->src = f->src;
	j->left = 0;
	j->gap = 0;
	j->tail = 0;
	if (j->quiet) {
		room = quiet_flow_room(f->id, total, dir);
		stat_add(undecided_bytes, total - room);
		if (!room)
			return;
		if (t->io.left > room)
			t->io.left = room;
	}
	data_begin(j);
	if (t->io.form == IO_BUF) {
		run_set(j, t->io.buf, io_buf_bytes(&t->io));
		t->io.left = 0;
	}
	if (modern) {
		bpf_loop(DATA_LOOPS_MAX, io_loop, &t, 0);
	} else {
		for (i = 0; i < IO_STEPS_OLD; i++)
			if (io_step(t))
				break;
	}
	if (j->pos < end) {
		io_missing(t, end - j->pos - (total - room));
		flow_hole(f, dir, j->pos, end - j->pos);
	}
}

/* --- what a flow is */

static __always_inline __u32 flow_allows(const struct thread_state *t, const struct flow_state *f)
{
	__u32 what = LOOK_HTTP | LOOK_FOR(EV_PROTO_TLS);

	if (t->io.nested || f->stage == FLOW_COPY)
		return LOOK_FOR(EV_PROTO_TLS);
	if (f->src == EV_SRC_DGRAM)
		return LOOK_FOR(EV_PROTO_QUIC);
	if (f->src != EV_SRC_STREAM)
		return LOOK_FOR(EV_PROTO_JSONRPC);
	/* only who asks a database, and one that greets does it before it is asked */
	what |= (t->io.dir & EV_WRITE) * LOOK_DB;
	what |= (~t->io.dir & is_same(f->looks | f->bytes[EV_WRITE], ~0ULL, 0)) * LOOK_GREETING;
	return flow_is_inet(f) ? what : what | LOOK_FOR(EV_PROTO_JSONRPC);
}

/* Appends to the flow's head what fits of n bytes; false when that is not all, or not readable. */
static __always_inline bool head_add(struct flow_state *f, __u32 dir, __u64 buf, __u64 n)
{
	__u32 at = f->head_len[dir], room, want;

	if (at >= FLOW_HEAD)
		return false;
	room = FLOW_HEAD - at;
	want = n < room ? n : room;
	barrier_var(at);
	barrier_var(want);
	at &= 31;
	want &= 31;
	if (bpf_probe_read_user(&f->head[dir][at], want, (void *)buf))
		return false;
	f->head_len[dir] = at + want;
	return want == n;
}

/* The head with the first bytes of the call; false when the call has more bytes than were taken. */
static __always_inline bool head_gather(const struct io_call *io, struct flow_state *f, __u32 dir)
{
	__u64 left = io->left, vec = io->vec;
	struct iovec v;
	int i;

	if (io->form == IO_BUF)
		return head_add(f, dir, io->buf, io_buf_bytes(io));
	for (i = 0; i < LOOK_VECS && left; i++) {
		if (i >= io->vecs || bpf_probe_read_user(&v, sizeof(v), (void *)vec))
			return false;
		if (v.len > left)
			v.len = left;
		if (v.len && !head_add(f, dir, v.base, v.len))
			return false;
		vec += sizeof(v);
		left -= v.len;
	}
	return !left;
}

static __always_inline void head_drop(struct flow_state *f, __u32 dir)
{
	f->head_len[dir] = 0;
	__builtin_memset(f->head[dir], 0, FLOW_HEAD_ROOM);
}

static __always_inline struct flow_state *io_flow_of(__u64 obj)
{
	struct conn_key key = flow_key(obj);

	return bpf_map_lookup_elem(&flows, &key);
}

/* What the head looks like, proven by itself, as above: it has many ways to its end. */
int io_look_at(__u64 obj, __u64 what)
{
	struct thread_state *t = thread_find();
	struct flow_state *f = io_flow_of(obj);
	__u32 dir, n, found;

	if (!t || !f)
		return EV_PROTO_UNKNOWN;
	dir = t->io.dir & 1;
	n = f->head_len[dir];
	if (!n)
		return EV_PROTO_UNKNOWN;
	found = look(f->head[dir], n, what);
	return found ? found : look_database(*(__u64 *)f->head[dir], n, what);
}

/* The answer of look(), and no when it would have to wait for bytes that are there already. */
static __noinline int flow_look(struct thread_state *t, struct flow_state *f)
{
	__u32 dir = t->io.dir & 1, found;
	bool all;

	if (f->stage == FLOW_LOOK && flow_is_inet(f) &&
	    (f->addr.rport == PORT_DNS || f->addr.lport == PORT_DNS))
		return EV_PROTO_DNS;
	if (f->src == EV_SRC_DGRAM)
		head_drop(f, dir);
	all = head_gather(&t->io, f, dir);
	found = io_look_at(t->io.file.obj, flow_allows(t, f));
	return found == LOOK_MORE && !all ? EV_PROTO_UNKNOWN : found;
}

/* The bytes of earlier calls that were held until it was known what they are. */
static __always_inline void flow_send_held(struct thread_state *t, struct flow_state *f, __u32 dir,
					   __u32 n)
{
	struct ev_data *e;

	barrier_var(n);
	n &= 31;
	stat_add(content_bytes, n);
	/* tested at once: 6.1 forgets who must give it back once something else is looked up */
	e = ev_reserve(EV_DATA, sizeof(*e), FLOW_HEAD_ROOM, f->start);
	if (!e) {
		stat_add(lost_ring_bytes, n);
	} else {
		e->conn = f->id;
		e->pos = f->pos[dir];
		e->enter_ts = t->io.enter_ts;
		e->len = n;
		e->missing = 0;
		e->dir = dir;
		e->src = f->src;
		__builtin_memset(e->pad, 0, sizeof(e->pad));
		bpf_probe_read_kernel(e + 1, n, f->head[dir]);
		e->hdr.size = sizeof(*e) + n;
		stat_add(data_bytes, n);
		ev_submit(e);
	}
	__sync_fetch_and_add(&f->pos[dir], n);
}

/* held: bytes of earlier calls, which stand in the head; then those of the call's first buffer. */
static __always_inline void flow_fill_hello(struct ev_flow *e, const struct flow_state *f,
					    __u32 dir, __u32 held, __u64 buf, __u64 n, __u32 room)
{
	char *p = (char *)(e + 1);

	barrier_var(held);
	held &= 31;
	bpf_probe_read_kernel(p, 32, f->head[dir]);
	if (n > room - 32) {
		n = room - 32;
		e->hdr.flags |= EVF_TRUNC;
	}
	barrier_var(n);
	n &= HELLO_ROOM1 - 1;
	if (n > room - 32)
		n = room - 32;
	if (bpf_probe_read_user(p + held, n, (void *)buf)) {
		e->hdr.flags |= EVF_FAULT;
		n = 0;
	}
	e->len = held + n;
	e->hdr.size = sizeof(*e) + held + n;
}

/* FLOW with the first bytes, of what is encrypted. */
static __noinline int flow_tell_hello(struct thread_state *t, struct flow_state *f, __u32 held)
{
	__u64 buf = t->io.buf, n = t->io.left;
	__u32 dir = t->io.dir & 1;
	struct ev_flow *e;
	struct iovec v;

	if (t->io.form != IO_BUF) {
		if (bpf_probe_read_user(&v, sizeof(v), (void *)t->io.vec))
			v.base = v.len = 0;
		buf = v.base;
		n = v.len < n ? v.len : n;
	}
	if (n <= HELLO_ROOM0 - 32) {
		e = flow_reserve(f, HELLO_ROOM0);
		if (!e)
			return 0;
		flow_fill_hello(e, f, dir, held, buf, n, HELLO_ROOM0);
	} else {
		e = flow_reserve(f, HELLO_ROOM1);
		if (!e)
			return 0;
		flow_fill_hello(e, f, dir, held, buf, n, HELLO_ROOM1);
	}
	ev_submit(e);
	return 0;
}

/* The flow is something; held: bytes of earlier calls that belong to it. */
static __always_inline void flow_is(struct thread_state *t, struct flow_state *f, __u32 proto,
				    __u32 held)
{
	__u32 dir = t->io.dir & 1;

	f->proto = proto;
	if (proto == EV_PROTO_TLS || proto == EV_PROTO_QUIC) {
		f->stage = FLOW_SKIP;
		f->tunnel = 0;
		flow_tell_hello(t, f, held);
		if (proto == EV_PROTO_TLS)
			shake_begin(f, dir, held);
	} else {
		if (t->job.quiet)
			quiet_settle(f->id, proto, dir, f->head[dir][1] == 'T');
		f->stage = FLOW_COPY;
		f->tunnel = is_same(proto, ~0ULL, EV_PROTO_HTTP1) *
				    is_same(f->head[dir][0], ~0ULL, 'C') * TUNNEL |
			    is_same(proto, ~0ULL, EV_PROTO_MYSQL) * (~dir & 1) * TUNNEL_GREETED;
		flow_tell(f, bpf_get_current_pid_tgid() >> 32);
		if (held)
			flow_send_held(t, f, dir, held);
	}
	head_drop(f, EV_READ);
	head_drop(f, EV_WRITE);
}

static __always_inline void flow_is_nothing(struct thread_state *t, struct flow_state *f)
{
	head_drop(f, t->io.dir & 1);
	f->tunnel -= is_over(TUNNEL, f->tunnel) & is_over(f->tunnel, 0) & t->io.dir;
	if (f->stage != FLOW_LOOK || t->io.nested || ++f->looks < FLOW_LOOKS)
		return;
	f->stage = FLOW_SKIP;
	if (flow_is_inet(f) && !f->told)
		flow_tell(f, bpf_get_current_pid_tgid() >> 32);
}

/* --- ends of calls */

/* Looks while something is to be found out; afterwards f->stage says what is to be done. */
int io_look(__u64 obj)
{
	struct thread_state *t = thread_find();
	struct flow_state *f = io_flow_of(obj);
	__u32 held, found;

	if (!t || !f)
		return 0;
	held = f->head_len[t->io.dir & 1];
	found = flow_look(t, f);
	if (found == EV_PROTO_UNKNOWN)
		flow_is_nothing(t, f);
	else if (found != LOOK_MORE)
		flow_is(t, f, found, held);
	return 0;
}

int io_shake(__u64 obj)
{
	struct thread_state *t = thread_find();
	struct flow_state *f = io_flow_of(obj);

	return t && f ? shake_walk(t, f, true) : 0;
}

/* ... of a kernel that refuses a program in which bpf_loop is but named. */
int io_shake_old(__u64 obj)
{
	struct thread_state *t = thread_find();
	struct flow_state *f = io_flow_of(obj);

	return t && f ? shake_walk(t, f, false) : 0;
}

static __always_inline void io_copy_of(__u64 obj, __u64 total, const bool modern)
{
	struct thread_state *t = thread_find();
	struct flow_state *f = io_flow_of(obj);

	if (t && f)
		io_copy(t, f, total, modern);
}

int io_copy_flow(__u64 obj, __u64 total)
{
	io_copy_of(obj, total, true);
	return 0;
}

int io_copy_flow_old(__u64 obj, __u64 total)
{
	io_copy_of(obj, total, false);
	return 0;
}

static __always_inline void io_flow(struct thread_state *t, struct flow_state *f, __s64 ret,
				    const bool modern)
{
	__u64 total = t->io.form == IO_MMSG ? io_mmsg_bytes(t->io.buf, ret) : ret;
	__u32 dir = t->io.dir & 1;

	__sync_fetch_and_add(&f->bytes[dir], total);
	if ((f->stage == FLOW_SKIP && !f->shake) || !io_open(&t->io, ret))
		return;
	if (f->stage == FLOW_LOOK || f->tunnel)
		io_look(t->io.file.obj);
	if (f->shake && modern)
		io_shake(t->io.file.obj);
	else if (f->shake)
		io_shake_old(t->io.file.obj);
	if (f->stage != FLOW_COPY)
		return;
	if (!f->told)
		flow_tell(f, bpf_get_current_pid_tgid() >> 32);
	if (t->io.nested) {
		__u64 pos = f->pos[dir];

		__sync_fetch_and_add(&f->pos[dir], total);
		flow_hole(f, dir, pos, total);
		return;
	}
	if (modern)
		io_copy_flow(t->io.file.obj, total);
	else
		io_copy_flow_old(t->io.file.obj, total);
}

/* Somebody answered: a read of what a human, or who stands in for one, writes to. */
static __always_inline void io_input(struct thread_state *t, struct flow_state *f, __u32 fd,
				     __u64 bytes)
{
	const struct flow_file *ff = &t->io.file;
	struct ev_input *e;
	__u64 now;

	if (t->io.dir != EV_READ || (ff->src != EV_SRC_TTY && (ff->src != EV_SRC_PIPE || fd)) ||
	    ff->master || f->stage == FLOW_COPY)
		return; /* what is copied is a protocol: an MCP server is asked by no human */
	now = bpf_ktime_get_ns();
	if (now - f->input_ts < INPUT_NS)
		return;
	e = ev_open(EV_INPUT, sizeof(*e), 0, f->start);
	if (!e)
		return;
	f->input_ts = now;
	e->conn = f->id;
	e->enter_ts = t->io.enter_ts;
	e->bytes = bytes;
	e->src = f->src;
	e->fd = fd;
	ev_submit(e);
}

/* What the two tracepoints of tie.bpf.c tell where the kernel has them. */
int io_tie(__u64 sk)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t = thread_find();
	__u32 ports = sock_ports((struct sock *)sk), dir;

	if (!proc || !t)
		return 0;
	dir = t->io.dir & 1;
	return sock_moved_inside(t, (struct sock *)sk, ports, dir) ||
	       sock_moved_outside(proc, t, (struct sock *)sk, ports, dir);
}

/* Whether the bytes were copied. */
static __always_inline bool io_moved_by(__u32 fd, __s64 ret, const bool modern)
{
	struct thread_state *t = thread_find();
	struct proc_state *proc = traced_here();
	struct file *file = proc ? fs_file_of(fd) : NULL;
	struct flow_state *f;
	struct flow_file *ff;

	if (!t)
		return false;
	ff = &t->io.file;
	__builtin_memset(ff, 0, sizeof(*ff));
	if (!file)
		return false;
	if (!flow_file_of(ff, file)) {
		fs_moved(file, t->io.dir & 1, ret, t->io.enter_ts);
		return false;
	}
	if (cfg_tie_calls && (ff->family == AF_INET || ff->family == AF_INET6)) {
		usage_sock(t->io.dir & 1, ret);
		t->io.nested = io_tie(ff->obj);
	}
	t->job.quiet = quiet_here(proc);
	f = flow_find(&proc->life, ff->obj, ff->ino);
	if (!f) {
		if (flow_new(ff, proc, t->io.name, fd))
			return false;
		f = flow_find(&proc->life, ff->obj, ff->ino);
	}
	if (!f)
		return false;
	io_flow(t, f, ret, modern);
	io_input(t, f, fd, ret);
	return f->stage == FLOW_COPY;
}

int io_moved(__u64 fd, __u64 ret)
{
	return io_moved_by(fd, ret, true);
}

int io_moved_old(__u64 fd, __u64 ret)
{
	return io_moved_by(fd, ret, false);
}

/* --- output */

#define STDOUT 1
#define STDERR 2
#define NS_PER_S 1000000000ULL

static __noinline int output_new(const struct proc_state *proc, __u32 fd)
{
	struct conn_key key = flow_key(fd);
	struct flow_state *f = flow_blank(&key);

	if (!f)
		return -1;
	f->src = fd == STDERR ? EV_SRC_STDERR : EV_SRC_STDOUT;
	f->stage = FLOW_COPY;
	f->fd = fd;
	f->born = bpf_ktime_get_ns();
	/* two that begin at once must differ: the time has room for the descriptor */
	f->id = conn_new_id(f->born) ^ ((__u64)fd << 62);
	flow_begins(f, proc->start);
	return 0;
}

/* Room in this second; a second that is spent is told once, by a hole. */
static __always_inline bool output_may(struct flow_state *f, __u64 n)
{
	__u64 now = bpf_ktime_get_ns(), pos = f->pos[EV_WRITE];
	bool was_full;

	if (now - f->second >= NS_PER_S) {
		f->second = now;
		f->spent = 0;
	}
	was_full = f->spent > cfg_output_rate;
	__sync_fetch_and_add(&f->spent, n);
	if (f->spent <= cfg_output_rate)
		return true;
	__sync_fetch_and_add(&f->pos[EV_WRITE], n);
	stat_add(content_bytes, n);
	stat_add(lost_rate_bytes, n);
	if (!was_full)
		flow_hole(f, EV_WRITE, pos, n);
	return false;
}

/* The descriptor is what counts: a dup2 to a file or a pipe is the process's output all the same. */
static __always_inline void output_copy(__u32 fd, __s64 ret, const bool modern)
{
	struct thread_state *t = thread_find();
	struct proc_state *proc = traced_here();
	struct conn_key key = flow_key(fd);
	struct flow_state *f;

	if (!t || !proc)
		return;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f || f->start != proc->start) {
		if (output_new(proc, fd))
			return;
		f = bpf_map_lookup_elem(&flows, &key);
	}
	t->job.quiet = quiet_here(proc);
	if (f && output_may(f, ret) && io_open(&t->io, ret))
		io_copy(t, f, ret, modern);
}

int output_moved(__u64 fd, __u64 ret)
{
	output_copy(fd, ret, true);
	return 0;
}

int output_moved_old(__u64 fd, __u64 ret)
{
	output_copy(fd, ret, false);
	return 0;
}

/*
 * Ciphertext of a flow that is known to be nothing else: counted without a look at the file, because
 * the socket was seen in the call (tie.bpf.c) and, by its TLS library, before.  False: not known.
 */
static __always_inline bool io_is_cipher(const struct thread_state *t, __s64 ret)
{
	const struct sock_ref *ref = t->io.dir == EV_READ ? &t->in : &t->out;
	struct flow_state *f;

	if (ref->sk != t->io.file.obj || t->io.form == IO_MMSG)
		return false;
	f = flow_find(&t->life, ref->sk, ref->ino);
	if (!f || f->stage != FLOW_SKIP || f->shake)
		return false;
	__sync_fetch_and_add(&f->bytes[t->io.dir & 1], ret);
	return true;
}

/* A function of its own, so that the verifier forgets how it came to know. */
static __noinline int io_end_here(struct pt_regs *regs)
{
	struct task_call *call = task_call_here(regs);

	return call ? call->io : IO_NOTHING;
}

static __noinline int io_read_file(__u32 fd, __s64 ret)
{
	struct file *file = ret > 0 ? fs_file_of(fd) : NULL;
	struct task_call *call = file ? task_call_now() : NULL;

	if (call)
		fs_moved(file, EV_READ, ret, call->entered_ts);
	return 0;
}

static __always_inline int io_exit(const unsigned long long *ctx, struct pt_regs *regs,
				   const bool modern)
{
	struct thread_state *t;
	int what = io_end_here(regs);
	__u32 fd;

	if (what == IO_FILE)
		return io_read_file(SYS_ARG(1), SYS_RET);
	if (what != IO_MOVED)
		return 0;
	t = thread_find();
	if (!t || !t->io.fd)
		return 0;
	fd = t->io.fd - 1;
	t->io.fd = 0;
	if (SYS_RET <= 0)
		return 0;
	/* without the tracepoints it is not known yet, and old verifiers need not see this */
	if (!cfg_tie_calls && t->io.nested && io_is_cipher(t, SYS_RET))
		return 0;
	if (modern ? io_moved(fd, SYS_RET) : io_moved_old(fd, SYS_RET))
		return 0;
	if (!cfg_output_rate || t->io.dir != EV_WRITE || t->io.form == IO_MMSG ||
	    (fd != STDOUT && fd != STDERR))
		return 0;
	return modern ? output_moved(fd, SYS_RET) : output_moved_old(fd, SYS_RET);
}

/* The end of each call; twice, because kernels before 5.17 have no bpf_loop. */
SYS_EXIT(io_done)
{
	return io_exit(ctx, regs, true);
}

SYS_EXIT(io_done_old)
{
	return io_exit(ctx, regs, false);
}

/* --- ends of flows */

static __always_inline void sock_closed(__u64 sk)
{
	struct sock_users *u = bpf_map_lookup_elem(&sock_users, &sk);
	struct conn_key key = { .ssl = sk };
	struct sock_users users;

	if (!u)
		return;
	users = *u;
	if (bpf_map_delete_elem(&sock_users, &sk))
		return;
	conn_sock_closed(&users.tls[0], sk);
	conn_sock_closed(&users.tls[1], sk);
	key.tgid = users.flow_tgid;
	if (!key.tgid)
		return;
	rustls_sock_end(&key);
	flow_end(&key, (struct sock *)sk);
}

/* A pipe of which the process has both ends is over when those that it used are closed. */
static __always_inline bool pipe_is_over(struct flow_state *f, __u32 ends)
{
	f->closed |= ends;
	return (!f->bytes[EV_READ] || f->closed & PIPE_READ) &&
	       (!f->bytes[EV_WRITE] || f->closed & PIPE_WRITE);
}

/*
 * What is closed in one of these states passes to another, where io_sock_state() is told; which one it
 * is says whether the connection is broken off.
 */
static __always_inline bool ends_itself(struct sock *sk)
{
	__u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	__u64 key = (__u64)sk;

	return (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) &&
	       BPF_CORE_READ(sk, sk_type) == SOCK_STREAM && bpf_map_lookup_elem(&sock_users, &key);
}

SYS_ENTER(io_close)
{
	struct proc_state *proc = traced_here();
	struct file *file = proc ? fs_file_of(SYS_ARG(1)) : NULL;
	struct flow_file ff = {};
	struct flow_state *f;
	struct conn_key key;
	__u64 refs;

	if (!file)
		return 0;
	refs = file_refs(file);
	if (proc->fs_open)
		fs_close((__u64)file, refs);
	if (refs != 1 || !flow_file_of(&ff, file))
		return 0;
	if (ff.family == AF_INET || ff.family == AF_INET6) {
		if (ends_itself((struct sock *)ff.obj))
			return 0;
		sock_closed(ff.obj);
	}
	f = flow_find(&proc->life, ff.obj, ff.ino);
	if (!f || !pipe_is_over(f, ff.ends))
		return 0;
	key = flow_key(ff.obj);
	flow_end(&key, flow_sock(&ff));
	return 0;
}

/*
 * A TCP socket that is closed, by close or other means: at exit, at exec, by dup2.  Its file is still
 * there but has no reference, or the socket is an orphan already.  shutdown(2) passes the same states.
 * Without an error one that is open becomes CLOSE only where its own process drops what it has not read
 * (RFC 2525 2.17), or with a linger time of 0: the kernel then sends a RST.
 */
SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(io_sock_state, struct sock *sk, int oldstate, int newstate)
{
	__u64 key = (__u64)sk;
	struct file *file;

	if (!bpf_map_lookup_elem(&sock_users, &key))
		return 0;
	file = BPF_CORE_READ(sk, sk_socket, file);
	if (file && file_refs(file))
		return 0;
	if (newstate == TCP_CLOSE && !sk->sk_err &&
	    (oldstate == TCP_ESTABLISHED || oldstate == TCP_CLOSE_WAIT))
		reset_tell(key, EV_RESET_SELF);
	sock_closed(key);
	return 0;
}

/* TLS moves into the kernel (SOL_TLS: the keys): plaintext goes through the calls from here on. */
SYS_ENTER(io_setsockopt)
{
	struct proc_state *proc = SYS_ARG(2) == SOL_TLS ? traced_here() : NULL;
	struct sock *sk = proc ? sock_of_fd(SYS_ARG(1)) : NULL;
	struct flow_state *f;

	if (!sk || !sock_is_inet(sk))
		return 0;
	f = flow_find(&proc->life, (__u64)sk, sock_ino(sk));
	if (!f || f->proto != EV_PROTO_TLS ||
	    !BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_ops))
		return 0;
	f->stage = FLOW_LOOK;
	f->proto = EV_PROTO_UNKNOWN;
	f->looks = 0;
	f->shake = 0;
	head_drop(f, EV_READ);
	head_drop(f, EV_WRITE);
	return 0;
}
