/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows: what a process moves by system calls through one socket, pipe or terminal. */
#ifndef RINGSPAN_FLOW_BPF_H
#define RINGSPAN_FLOW_BPF_H

#include "conn.bpf.h"

#define MSG_NOT_DATA (2 | 0x2000) /* MSG_PEEK, MSG_ERRQUEUE */

/* Documentation/admin-guide/devices.txt */
#define PTY_SLAVE_MAJOR 136
#define PTY_SLAVE_MAJORS 8
#define PTMX_DEV (5 << 20 | 2)
#define TTY_DEV (5 << 20) /* /dev/tty: the process's own */
#define PTY_INO 3         /* + index: its inode number, fs/devpts/inode.c */

/* References to an open file; 0: it is being closed for good. */
static __always_inline __u64 file_refs(struct file *file)
{
	struct file___old *old = (void *)file;
	long n;

	if (!bpf_core_field_exists(file->f_ref))
		return BPF_CORE_READ(old, f_count.counter);
	n = BPF_CORE_READ(file,
			  f_ref.refcnt.counter); /* references - 1, include/linux/file_ref.h */
	return n < 0 ? 0 : n + 1;
}

/* Sets all but ino. */
static __always_inline bool flow_file_sock(struct flow_file *out, struct sock *sk)
{
	__u16 type = BPF_CORE_READ(sk, sk_type);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (!sk)
		return false;
	out->obj = (__u64)sk;
	out->family = family;
	out->ends = PIPE_READ | PIPE_WRITE;
	out->src = type == SOCK_DGRAM ? EV_SRC_DGRAM : EV_SRC_STREAM;
	if (family == AF_UNIX)
		return type == SOCK_STREAM || type == SOCK_SEQPACKET;
	if (family != AF_INET && family != AF_INET6)
		return false;
	return (type == SOCK_STREAM && protocol == IPPROTO_TCP) ||
	       (type == SOCK_DGRAM && protocol == IPPROTO_UDP);
}

static __always_inline bool dev_is_tty(__u32 dev)
{
	return (dev >> 20) - PTY_SLAVE_MAJOR < PTY_SLAVE_MAJORS || dev == PTMX_DEV ||
	       dev == TTY_DEV;
}

static __always_inline bool flow_file_tty(struct flow_file *out, struct file *file)
{
	__u32 dev = BPF_CORE_READ(file, f_inode, i_rdev);
	struct tty_file_private *priv;
	struct tty_struct *tty;

	if (!dev_is_tty(dev))
		return false;
	priv = BPF_CORE_READ(file, private_data);
	tty = BPF_CORE_READ(priv, tty);
	out->obj = (__u64)tty;
	/* all masters share one inode, so a master is named by its slave's */
	out->ino = (__u64)BPF_CORE_READ(tty, index) + PTY_INO;
	if (dev == PTMX_DEV)
		out->ino |= EV_TTY_MASTER;
	out->ends = PIPE_READ | PIPE_WRITE;
	out->src = EV_SRC_TTY;
	out->master = dev == PTMX_DEV;
	return tty != NULL;
}

/* False when the file is nothing that carries a flow; out must be zeroed. */
static __always_inline bool flow_file_of(struct flow_file *out, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT;
	struct socket *socket;

	if (type == S_IFCHR)
		return flow_file_tty(out, file);
	if (type != S_IFSOCK && type != S_IFIFO)
		return false;
	out->ino = BPF_CORE_READ(inode, i_ino);
	if (type == S_IFSOCK) {
		socket = BPF_CORE_READ(file, private_data);
		return flow_file_sock(out, BPF_CORE_READ(socket, sk));
	}
	out->obj = (__u64)BPF_CORE_READ(file, private_data);
	out->ends = BPF_CORE_READ(file, f_mode) & (PIPE_READ | PIPE_WRITE);
	out->src = EV_SRC_PIPE;
	return true;
}

static __always_inline struct sock *flow_sock(const struct flow_file *ff)
{
	return ff->family ? (struct sock *)ff->obj : NULL;
}

static __always_inline bool flow_is_inet(const struct flow_state *f)
{
	return f->addr.family != 0;
}

/* --- telling */

/* room: of payload, which the caller adds; NULL when the ring is full: told next time. */
static __always_inline struct ev_flow *flow_reserve(struct flow_state *f, __u32 room)
{
	struct ev_flow *e = ev_open(EV_FLOW, sizeof(*e), room, f->start);

	if (!e)
		return NULL;
	f->told = 1;
	e->conn = f->id;
	e->file = f->ino;
	e->peer = f->peer;
	e->addr = f->addr;
	e->src = f->src;
	e->proto = f->proto;
	e->fd = f->fd;
	e->len = 0;
	return e;
}

static __always_inline void flow_tell(struct flow_state *f, __u32 tgid)
{
	struct ev_flow *e = flow_reserve(f, 0);

	if (!e)
		return;
	ev_of_process(&e->hdr, tgid);
	ev_submit(e);
}

/* n bytes went by that nobody can show. */
static __always_inline void flow_hole(struct flow_state *f, __u32 dir, __u64 pos, __u64 n)
{
	struct ev_data *e = ev_reserve(EV_DATA, sizeof(*e), 0, f->start);

	if (!e)
		return;
	e->conn = f->id;
	e->pos = pos;
	e->enter_ts = e->hdr.ts;
	e->len = 0;
	e->missing = n > 0xffffffff ? 0xffffffff : n;
	e->dir = dir;
	e->src = f->src;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	e->hdr.flags |= EVF_TRUNC;
	ev_submit(e);
}

/* --- the table */

static __always_inline bool flow_is_stale(const struct flow_state *f, const struct life *life,
					  __u64 ino)
{
	return f->start != life->start || f->born < life->exec_ts || f->ino != ino;
}

#define TCP_UNCOUNTED 2 /* SYN and FIN are bytes to tcp_snd_una_update(), tcp_rcv_nxt_update() */

static __always_inline void flow_tcp_bytes(struct ev_flow_end *e, __u32 dir, __u64 n)
{
	__s64 more = n - e->bytes[dir];

	if (more <= TCP_UNCOUNTED)
		return;
	e->unseen[dir] += more;
	e->bytes[dir] = n;
}

/* What the kernel counted on the socket, where that is more than calls have shown. */
static __always_inline void flow_tcp_facts(struct ev_flow_end *e, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;

	flow_tcp_bytes(e, EV_READ,
		       BPF_CORE_READ(tp, bytes_received) -
			       (__u32)(BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq)));
	flow_tcp_bytes(e, EV_WRITE,
		       BPF_CORE_READ(tp, bytes_acked) +
			       (__u32)(BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_una)));
	e->rtt_ns = (BPF_CORE_READ(tp, srtt_us) >> 3) * 1000ULL;
	e->rtt_min_us = BPF_CORE_READ(tp, rtt_min.s[0].v);
	e->retrans = BPF_CORE_READ(tp, total_retrans);
}

/* The flow is over; sk: its socket while that is whole, or NULL.  Its entry stays. */
static __always_inline void flow_tell_end(struct flow_state *f, __u32 tgid, struct sock *sk)
{
	struct ev_flow_end *e;
	struct ev_ends *ends;

	if (!f->told && flow_is_inet(f))
		flow_tell(f, tgid);
	if (!f->told)
		return;
	e = ev_open(EV_FLOW_END, sizeof(*e), sizeof(*ends), f->start);
	if (!e)
		return;
	ev_of_process(&e->hdr, tgid);
	e->conn = f->id;
	e->file = f->ino;
	e->addr = f->addr;
	e->bytes[EV_READ] = f->bytes[EV_READ] + f->unseen[EV_READ];
	e->bytes[EV_WRITE] = f->bytes[EV_WRITE] + f->unseen[EV_WRITE];
	e->unseen[EV_READ] = f->unseen[EV_READ];
	e->unseen[EV_WRITE] = f->unseen[EV_WRITE];
	e->rtt_ns = 0;
	e->retrans = 0;
	e->rtt_min_us = 0;
	if (sk && f->src == EV_SRC_STREAM && flow_is_inet(f))
		flow_tcp_facts(e, sk);
	if (f->stage == FLOW_COPY) {
		ends = (void *)(e + 1);
		ends->pos[EV_READ] = f->pos[EV_READ];
		ends->pos[EV_WRITE] = f->pos[EV_WRITE];
		e->hdr.size = sizeof(*e) + sizeof(*ends);
	}
	ev_submit(e);
}

static __always_inline void flow_end(const struct conn_key *key, struct sock *sk)
{
	struct flow_state *f = bpf_map_lookup_elem(&flows, key);

	if (!f)
		return;
	flow_tell_end(f, key->tgid, sk);
	bpf_map_delete_elem(&flows, key);
}

static __always_inline struct conn_key flow_key(__u64 obj)
{
	struct conn_key key = { .ssl = obj, .tgid = bpf_get_current_pid_tgid() >> 32 };

	return key;
}

/* NULL when it is not known. */
static __always_inline struct flow_state *flow_find(const struct life *life, __u64 obj, __u64 ino)
{
	struct conn_key key = flow_key(obj);
	struct flow_state *f = bpf_map_lookup_elem(&flows, &key);

	return f && !flow_is_stale(f, life, ino) ? f : NULL;
}

static __always_inline void flow_init_sock(struct flow_state *f, const struct flow_file *ff,
					   __u64 name)
{
	struct sock *sk = (void *)ff->obj, *peer;
	struct ev_addr to = {};

	if (ff->family == AF_UNIX) {
		peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
		f->peer = peer ? sock_ino(peer) : 0;
		return;
	}
	sock_addr(sk, &f->addr);
	if (f->addr.rport || !name || !addr_of_user((void *)name, &to))
		return;
	f->addr.family = to.family;
	f->addr.rport = to.rport;
	__builtin_memcpy(f->addr.raddr, to.raddr, sizeof(to.raddr));
}

/*
 * An entry with nothing in it, in place of an old one; NULL when the table is full (counted).  Its start is
 * to be set last: until then it is nobody's.
 */
static __always_inline struct flow_state *flow_blank(const struct conn_key *key)
{
	struct flow_state *f;
	__u32 zero = 0;
	void *init = bpf_map_lookup_elem(&flow_zero, &zero);

	if (!init)
		return NULL;
	bpf_map_update_elem(&flows, key, init, BPF_ANY);
	f = bpf_map_lookup_elem(&flows, key);
	if (!f)
		stat_add(lost_map, 1);
	return f;
}

static __always_inline void flow_begins(struct flow_state *f, __u64 start)
{
	barrier();
	*(volatile __u64 *)&f->start = start;
}

/* Makes an entry, in place of an old one of another generation; 0 or -1 (counted). */
static __noinline int flow_new(const struct flow_file *ff, const struct proc_state *proc,
			       __u64 name, __u32 fd)
{
	struct conn_key key = flow_key(ff->obj);
	struct flow_state *f = bpf_map_lookup_elem(&flows, &key);
	struct sock_users *u;

	if (f && f->told && f->start == proc->start)
		flow_tell_end(f, key.tgid, NULL);
	f = flow_blank(&key);
	if (!f)
		return -1;
	f->ino = ff->ino;
	f->src = ff->src;
	f->fd = fd;
	f->born = bpf_ktime_get_ns();
	f->id = conn_new_id(f->born);
	if (ff->family)
		flow_init_sock(f, ff, name);
	if (ff->src == EV_SRC_TTY)
		f->peer = ff->ino ^ EV_TTY_MASTER;
	flow_begins(f, proc->start);
	if (ff->family != AF_UNIX && ff->src == EV_SRC_STREAM) {
		u = sock_users_get(ff->obj);
		if (u)
			u->flow_tgid = key.tgid;
	}
	return 0;
}

/* Bytes moved through a socket by a call that is not followed, perhaps its only kind. */
static __always_inline void flow_unseen(const struct proc_state *proc, struct flow_file *ff,
					struct sock *sk, __u32 dir, __u32 n)
{
	struct flow_state *f;
	__u64 pos;

	__builtin_memset(ff, 0, sizeof(*ff));
	if (!sock_is_inet(sk) || !flow_file_sock(ff, sk))
		return;
	ff->ino = sock_ino(sk);
	f = flow_find(&proc->life, ff->obj, ff->ino);
	if (!f && flow_new(ff, proc, 0, -1) == 0)
		f = flow_find(&proc->life, ff->obj, ff->ino);
	if (!f)
		return;
	__sync_fetch_and_add(&f->unseen[dir], n);
	if (f->stage != FLOW_COPY)
		return;
	pos = f->pos[dir];
	__sync_fetch_and_add(&f->pos[dir], n);
	stat_add(content_bytes, n);
	stat_add(lost_buffer_bytes, n);
	flow_hole(f, dir, pos, n);
}

#endif
