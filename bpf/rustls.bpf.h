/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rustls: a connection is an encrypter and a decrypter, objects that know neither each other nor the
 * socket, and that new ones take the place of when keys change.  So the socket is the connection.
 *
 * What is decrypted came with the thread's last receive; what is encrypted leaves with its next send.
 * Futures change threads, but not in between: both happen in one poll.  What an encrypter that is not
 * placed yet has written goes out under a name of its own; the send that follows either makes that
 * the name of the socket's connection, or tells which one the bytes belong to (EV_JOIN).
 */
#ifndef RINGSPAN_RUSTLS_BPF_H
#define RINGSPAN_RUSTLS_BPF_H

#include "conn.bpf.h"

#define RUSTLS_UNSENT_NS 1000000000ULL /* no send took it: what comes later is another's */
#define TCP_ESTABLISHED 1
#define TCP_CLOSE_WAIT 8

/* A connection: a socket that TLS is on. */
struct rustls_sock {
	__u64 id;          /* in DATA, SOCK, JOIN, CLOSE */
	__u64 start, born; /* process, and when first seen */
	__u64 pos[2];      /* bytes moved so far, by enum ev_dir */
	__u64 ino;         /* with ports: tells a reused struct sock */
	__u64 encrypter;   /* that writes to it, or 0 */
	__u32 ports;
	__u32 rekeys; /* that encrypter told the peer that another one takes over */
};

/* An encrypter or decrypter. */
struct rustls_object {
	__u64 start, born;
	__u64 sk; /* 0: not placed */
	__u64 id; /* of the connection; of what it wrote while not placed */
	__u64 pos;
	__u64 pad;
};

/*
 * Nothing tells when an object is freed, so these forget what was not used for longest.  Should that
 * be in use still, it goes on under another name: no position is ever counted twice.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CONNS);
	__type(key, struct conn_key); /* ssl: the address of its struct sock */
	__type(value, struct rustls_sock);
} rustls_socks SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CONNS);
	__type(key, struct conn_key);
	__type(value, struct rustls_object);
} rustls_objects SEC(".maps") __weak;

static __always_inline struct conn_key rustls_key(__u64 addr)
{
	return (struct conn_key){ .ssl = addr, .tgid = bpf_get_current_pid_tgid() >> 32 };
}

static __always_inline struct rustls_object *rustls_object_find(const struct proc_state *proc,
								__u64 addr)
{
	struct conn_key key = rustls_key(addr);
	struct rustls_object *o = bpf_map_lookup_elem(&rustls_objects, &key);

	return o && o->start == proc->start && o->born >= proc->exec_ts ? o : NULL;
}

/* Makes it, or makes it new; NULL when there is no room. */
static __always_inline struct rustls_object *rustls_object_new(const struct proc_state *proc,
							       __u64 addr)
{
	struct rustls_object init = { .start = proc->start };
	struct conn_key key = rustls_key(addr);

	init.born = bpf_ktime_get_ns();
	init.id = conn_new_id(init.born);
	bpf_map_update_elem(&rustls_objects, &key, &init, BPF_ANY);
	return bpf_map_lookup_elem(&rustls_objects, &key);
}

/* The connection on a socket; NULL when that is a new one at an old one's address. */
static __always_inline struct rustls_sock *rustls_sock_find(const struct proc_state *proc, __u64 sk,
							    __u64 ino, __u32 ports)
{
	struct conn_key key = rustls_key(sk);
	struct rustls_sock *s = bpf_map_lookup_elem(&rustls_socks, &key);

	return s && s->start == proc->start && s->born >= proc->exec_ts && s->ino == ino &&
			       s->ports == ports
		       ? s
		       : NULL;
}

/* That of an object that was placed; NULL when it is gone or the socket is another's by now. */
static __always_inline struct rustls_sock *rustls_sock_of(const struct rustls_object *o)
{
	struct conn_key key = rustls_key(o->sk);
	struct rustls_sock *s = o->sk ? bpf_map_lookup_elem(&rustls_socks, &key) : NULL;

	return s && s->id == o->id ? s : NULL;
}

/* Can the process still write to it?  After a close the encrypter's address may be another's. */
static __always_inline bool rustls_sock_is_open(const struct rustls_sock *s, __u64 addr)
{
	struct sock *sk = (struct sock *)addr;
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) && sock_ports(sk) == s->ports;
}

/* The socket was closed, or its memory is another one's. */
static __always_inline void rustls_sock_end(const struct conn_key *key)
{
	struct rustls_sock *s = bpf_map_lookup_elem(&rustls_socks, key);
	struct ev_close *e;
	__u64 id, start, pos[2];

	if (!s)
		return;
	id = s->id;
	start = s->start;
	pos[EV_READ] = s->pos[EV_READ];
	pos[EV_WRITE] = s->pos[EV_WRITE];
	if (bpf_map_delete_elem(&rustls_socks, key))
		return;
	e = close_reserve(id, start, pos);
	if (!e)
		return;
	ev_of_process(&e->hdr, key->tgid);
	ev_submit(e);
}

/* Begins the connection on a socket, under a name that may have been told already. */
static __always_inline struct rustls_sock *rustls_sock_new(const struct proc_state *proc,
							   const struct sock_ref *ref, __u64 id,
							   __u32 how)
{
	struct conn_key key = rustls_key(ref->sk);
	struct rustls_sock init = {
		.id = id, .start = proc->start, .ino = ref->ino, .ports = ref->ports
	};
	struct ev_sock *e;

	rustls_sock_end(&key);
	e = ev_reserve(EV_SOCK, sizeof(*e), 0, proc->start);
	if (!e)
		return NULL; /* the next evidence tries again */
	e->conn = id;
	e->sock = ref->ino;
	e->addr = ref->addr;
	e->how = how;
	e->pad = 0;
	ev_submit(e);
	init.born = bpf_ktime_get_ns();
	bpf_map_update_elem(&rustls_socks, &key, &init, BPF_ANY);
	return bpf_map_lookup_elem(&rustls_socks, &key);
}

/* What was told under the object's own name is part of this connection. */
static __always_inline bool rustls_join(struct rustls_object *o, struct rustls_sock *s, __u32 dir)
{
	struct ev_join *e;

	if (o->pos && o->id != s->id) {
		e = ev_reserve(EV_JOIN, sizeof(*e), 0, o->start);
		if (!e)
			return false;
		e->conn = o->id;
		e->into = s->id;
		e->pos = s->pos[dir & 1];
		e->dir = dir;
		__builtin_memset(e->pad, 0, sizeof(e->pad));
		ev_submit(e);
	}
	__sync_fetch_and_add(&s->pos[dir & 1], o->pos);
	o->id = s->id;
	o->pos = 0;
	return true;
}

/*
 * A socket was sent to, outside of any other TLS call: that is where the thread's encrypter writes
 * to, unless the socket has one already that did not say that it ends.
 */
static __always_inline void rustls_sent(const struct proc_state *proc, struct thread_state *t,
					struct sock *sk, __u32 ports)
{
	__u64 addr = t->unsent.object;
	struct rustls_object *o;
	struct rustls_sock *s;

	if (!addr)
		return;
	o = rustls_object_find(proc, addr);
	if (!o || o->sk || bpf_ktime_get_ns() - t->unsent.ts > RUSTLS_UNSENT_NS) {
		t->unsent.object = 0;
		return;
	}
	sock_ref_set(&t->out, sk, ports);
	s = rustls_sock_find(proc, t->out.sk, t->out.ino, t->out.ports);
	if (s && s->encrypter && s->encrypter != addr && !s->rekeys)
		return;
	if (!s)
		s = rustls_sock_new(proc, &t->out, o->id, EV_LINK_SEND);
	if (!s || !rustls_join(o, s, EV_WRITE))
		return;
	o->sk = t->out.sk;
	s->encrypter = addr;
	s->rekeys = 0;
	t->unsent.object = 0;
}

#endif
