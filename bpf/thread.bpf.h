/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of a thread between two events: the TLS calls that it is in, the sockets that it
 * touched, and arguments of a system call until its end.  Only the thread itself changes its entry,
 * and the entry goes when the thread does.
 */
#ifndef RINGSPAN_THREAD_BPF_H
#define RINGSPAN_THREAD_BPF_H

#include "data.bpf.h"
#include "sock.bpf.h"

#define TLS_DEPTH 4 /* TLS inside TLS, twice, each through a wrapper */

/* How a TLS call tells what it moved. */
enum tls_told {
	TLS_RESULT, /* its result: that many bytes of the buffer */
	TLS_OUT,    /* if that is 1, a size_t that `out` points to */
	TLS_QUEUED, /* its result, which may be of bytes that an earlier call left in a queue */
	TLS_PACKET, /* its result: as many bytes in a packet that *out points to */
	TLS_UNSEEN, /* its result, but for what calls inside it move: bytes that are in no buffer */
	TLS_NOTHING,
};

/* A TLS call that has been entered. */
struct tls_call {
	__u64 sp; /* at entry: what tells this call's return from another's */
	__u64 ssl, buf, size;
	__u64 out;
	__u64 enter_ts;
	__u64 inside; /* bytes that calls inside this one told */
	__u32 dir;
	__u32 nested; /* bytes went through a socket inside it, in its direction */
	__u32 src;    /* enum ev_src */
	__u32 told;   /* enum tls_told */
};

/* An object of rustls: one that a call is in, or one that waits for something. */
struct rustls_use {
	__u64 object; /* 0: none */
	__u64 ts;     /* since when */
};

/* What is left to send of a message in slices. */
struct rustls_walk {
	__u64 next; /* address of the next slice */
	__u64 skip; /* bytes before the first to send */
	__u64 left;
};

struct sock_ref {
	__u64 sk, ino;
	__u32 ports;
	__u32 pad;
	struct ev_addr addr;
};

enum pipe_end { PIPE_READ = 1, PIPE_WRITE = 2 }; /* FMODE_READ, FMODE_WRITE */

enum io_form { IO_BUF, IO_VEC, IO_MSG, IO_MMSG };

struct iovec {
	__u64 base, len;
};

/* What a file descriptor stands for, as far as flows are concerned. */
struct flow_file {
	__u64 obj; /* what all descriptors of it share: struct sock, pipe_inode_info, tty_struct */
	__u64 ino;
	__u32 src;    /* enum ev_src */
	__u32 ends;   /* enum pipe_end: what can be done through this file */
	__u16 family; /* of a socket */
	__u16 master; /* of a pseudo terminal: the side of who shows it */
	__u16 pad[2];
};

/* A read or write call that has been entered, and at its end what is left of it to be copied. */
struct io_call {
	__u64 buf;  /* bytes, or what form says */
	__u64 name; /* address of the other side as the call gives it, or 0 */
	__u64 cnt;  /* size of the buffer in bytes, or iovecs */
	__u64 enter_ts;
	__u32 fd; /* + 1; 0: in no call */
	__u8 form, dir;
	__u8 nested;     /* inside a TLS call: the bytes are ciphertext */
	__u8 fault;      /* an iovec or a message could not be read */
	__u64 vec, vecs; /* next iovec; how many */
	__u64 msg, msgs; /* next mmsghdr; how many */
	__u64 left;      /* bytes of the message that no run was made of */
	struct flow_file file;
};

struct thread_state {
	struct life life; /* its process's, which ends with the thread's entry */
	__u32 loud;       /* the process is not quiet, and will not be again */
	__u32 accept_fd;  /* + 1; 0: not inside accept */
	struct tls_call calls[TLS_DEPTH];
	__u32 depth;
	__u32 fresh;         /* `in` was received from, and no TLS call has used that yet */
	struct sock_ref in;  /* last socket received from */
	struct sock_ref out; /* ... sent to, inside a TLS call or on behalf of one */
	__u64 pending;       /* TLS object that was written to and waits for its send, or 0 */
	__u64 connect_sk;    /* inside connect */
	__u64 accept_ts;     /* since when inside accept */
	struct file_key map; /* inside an executable mmap; ino 0: not */
	struct data_job job; /* while its records are made */
	struct rustls_use decrypting;
	struct rustls_walk walk;
	struct rustls_use unsent; /* encrypted, and which socket it goes to is not known */
	struct io_call io;
};

/* Where the kernel has it: hung on the thread itself, found at half the price, and it ends with it. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread_state);
} thread_storage SEC(".maps") __weak;

/* Elsewhere. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct thread_state);
} threads SEC(".maps") __weak;

/* What a new entry of that starts as: too large for the stack.  Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct thread_state);
} thread_zero SEC(".maps") __weak;

/* NULL when nothing is remembered of the thread; else its process is traced. */
static __always_inline struct thread_state *thread_find(void)
{
	__u64 id;

	if (cfg_task_storage)
		return bpf_task_storage_get(&thread_storage, bpf_get_current_task_btf(), NULL, 0);
	id = bpf_get_current_pid_tgid();
	return bpf_map_lookup_elem(&threads, &id);
}

static __always_inline struct thread_state *thread_add(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 zero = 0;
	void *init;

	if (cfg_task_storage)
		return bpf_task_storage_get(&thread_storage, bpf_get_current_task_btf(), NULL,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
	init = bpf_map_lookup_elem(&thread_zero, &zero);
	if (!init)
		return NULL;
	bpf_map_update_elem(&threads, &id, init, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &id);
}

/* An entry may be that of a process that is gone, whose id was used again before its end was seen. */
static __always_inline bool proc_is_here(const struct proc_state *proc)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, group_leader, start_time) == proc->start;
}

static __noinline struct thread_state *thread_new(const struct proc_state *proc)
{
	struct thread_state *t;

	if (!proc || !proc_is_here(proc))
		return NULL;
	t = thread_add();
	if (t)
		t->life = proc->life;
	else
		stat_add(lost_map, 1);
	return t;
}

/* proc: the current process.  NULL when there is no room (counted). */
static __always_inline struct thread_state *thread_get(const struct proc_state *proc)
{
	struct thread_state *t = thread_find();

	return t ? t : thread_new(proc);
}

/* The same where most threads that come by have been here before; NULL also when it is not traced. */
static __always_inline struct thread_state *thread_here(void)
{
	struct thread_state *t = thread_find();

	return t ? t : thread_new(traced_here());
}

/* task: the current one, from a tracepoint's arguments; id: pid_tgid that it had until now. */
static __always_inline void thread_forget(struct task_struct *task, __u64 id)
{
	if (cfg_task_storage)
		bpf_task_storage_delete(&thread_storage, task);
	else
		bpf_map_delete_elem(&threads, &id);
}

static __always_inline __u32 thread_is_quiet(struct thread_state *t)
{
	struct proc_state *proc;

	if (t->loud)
		return 0;
	proc = traced_here();
	t->loud = !proc || !quiet_here(proc);
	return !t->loud;
}

/* Reads the addresses only when the socket is another one than last time; ports: its sock_ports(). */
static __always_inline void sock_ref_set(struct sock_ref *ref, struct sock *sk, __u32 ports)
{
	if (ref->sk == (__u64)sk && ref->ports == ports)
		return;
	__builtin_memset(ref, 0, sizeof(*ref));
	ref->sk = (__u64)sk;
	ref->ports = ports;
	ref->ino = sock_ino(sk);
	sock_addr(sk, &ref->addr);
}

#endif
