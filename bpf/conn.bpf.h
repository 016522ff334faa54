/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TLS objects: their names, and which socket each sits on. */
#ifndef RINGSPAN_CONN_BPF_H
#define RINGSPAN_CONN_BPF_H

#include "emit.bpf.h"
#include "thread.bpf.h"

/*
 * A name for ever, without a shared counter (kernels before 5.12 cannot fetch and add): the time, and
 * the CPU in its low bits.  Two first calls on one CPU are further apart than the 1024 ns given up.
 */
static __always_inline __u64 conn_new_id(__u64 now)
{
	return (now & ~0x3ffULL) | (bpf_get_smp_processor_id() & 0x3ff);
}

static __always_inline bool conn_is_stale(const struct conn_state *c, const struct life *life)
{
	return c->start != life->start || c->born < life->exec_ts;
}

/* NULL when the object is not known. */
static __always_inline struct conn_state *conn_find(const struct life *life, __u64 ssl)
{
	struct conn_key key = { .ssl = ssl, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct conn_state *c = bpf_map_lookup_elem(&conns, &key);

	return c && !conn_is_stale(c, life) ? c : NULL;
}

/* NULL when the table is full (counted). */
static __always_inline struct conn_state *conn_get(const struct life *life, __u64 ssl)
{
	struct conn_key key = { .ssl = ssl, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct conn_state init = { .start = life->start, .ssl = ssl };
	struct conn_state *c = bpf_map_lookup_elem(&conns, &key);

	if (c && !conn_is_stale(c, life))
		return c;
	init.born = bpf_ktime_get_ns();
	init.id = conn_new_id(init.born);
	bpf_map_update_elem(&conns, &key, &init, BPF_ANY);
	c = bpf_map_lookup_elem(&conns, &key);
	if (!c)
		stat_add(lost_map, 1);
	return c;
}

/* The entry of a socket whose end somebody wants to hear of; NULL when the table is full (counted). */
static __always_inline struct sock_users *sock_users_get(__u64 sk)
{
	struct sock_users *u = bpf_map_lookup_elem(&sock_users, &sk);
	struct sock_users init = {};

	if (u)
		return u;
	bpf_map_update_elem(&sock_users, &sk, &init, BPF_NOEXIST);
	u = bpf_map_lookup_elem(&sock_users, &sk);
	if (!u)
		stat_add(lost_map, 1);
	return u;
}

static __always_inline void sock_users_add(__u64 sk, __u64 ssl)
{
	struct conn_key key = { .ssl = ssl, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct sock_users *u = sock_users_get(sk);

	if (!u)
		return;
	if (!u->tls[0].ssl || (u->tls[0].ssl == key.ssl && u->tls[0].tgid == key.tgid))
		u->tls[0] = key;
	else
		u->tls[1] = key;
}

/* Evidence that is not weaker than what the binding rests on changes it; a change is told. */
static __always_inline void conn_bind(struct conn_state *c, const struct sock_ref *ref, __u32 how)
{
	struct ev_sock *e;

	if (!ref->sk || (c->how && c->how < how))
		return;
	if (c->sk == ref->sk && c->ports == ref->ports) {
		c->how = how;
		return;
	}
	e = ev_reserve(EV_SOCK, sizeof(*e), 0, c->start);
	if (!e)
		return; /* the next evidence tries again */
	c->sk = ref->sk;
	c->ports = ref->ports;
	c->how = how;
	e->conn = c->id;
	e->sock = ref->ino;
	e->addr = ref->addr;
	e->how = how;
	e->pad = 0;
	ev_submit(e);
	sock_users_add(ref->sk, c->ssl);
}

/* A connection ends: CLOSE, with where; NULL when the ring is full. */
static __always_inline struct ev_close *close_reserve(__u64 id, __u64 start, const __u64 pos[2])
{
	struct ev_ends *ends;
	struct ev_close *e = ev_reserve(EV_CLOSE, sizeof(*e), sizeof(*ends), start);

	if (!e)
		return NULL;
	e->conn = id;
	ends = (void *)(e + 1);
	ends->pos[EV_READ] = pos[EV_READ];
	ends->pos[EV_WRITE] = pos[EV_WRITE];
	e->hdr.size = sizeof(*e) + sizeof(*ends);
	return e;
}

/* What the object carries ends, if it is known: what has its address later is another connection. */
static __always_inline void conn_close(const struct proc_state *proc, __u64 ssl)
{
	struct conn_key key = { .ssl = ssl, .tgid = bpf_get_current_pid_tgid() >> 32 };
	struct conn_state *c = conn_find(&proc->life, ssl);
	struct ev_close *e;

	if (!c)
		return;
	e = close_reserve(c->id, proc->start, c->pos);
	if (e)
		ev_submit(e);
	bpf_map_delete_elem(&conns, &key);
}

/* ... because the object is freed. */
static __always_inline void conn_free(struct proc_state *proc, __u64 ssl)
{
	proc->frees = 1;
	conn_close(proc, ssl);
}

/*
 * The socket that an object sits on was closed, which is the end of an object that nobody is seen to
 * free: a library without symbols has no probe there.  Where objects are freed that is the surer
 * end, unless the calls themselves showed the socket.
 */
static __always_inline void conn_sock_closed(const struct conn_key *key, __u64 sk)
{
	struct conn_state *c = key->ssl ? bpf_map_lookup_elem(&conns, key) : NULL;
	struct proc_state *proc =
		c && c->sk == sk ? bpf_map_lookup_elem(&traced, &key->tgid) : NULL;
	struct ev_close *e;
	__u64 id, pos[2];

	if (!proc || conn_is_stale(c, &proc->life) || (proc->frees && c->how != EV_LINK_NESTED))
		return;
	id = c->id;
	pos[EV_READ] = c->pos[EV_READ];
	pos[EV_WRITE] = c->pos[EV_WRITE];
	if (bpf_map_delete_elem(&conns, key))
		return;
	e = close_reserve(id, proc->start, pos);
	if (!e)
		return;
	ev_of_process(&e->hdr, key->tgid);
	ev_submit(e);
}

#endif
