/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plaintext at the implementations of rustls's MessageEncrypter::encrypt, at its entry, and of
 * MessageDecrypter::decrypt, at its return.  Layouts as compiled from rustls 0.23 (src/msgs/message/):
 * the locator checks that the code reads and writes these places.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "rustls.bpf.h"
#include "guard.bpf.h"

#if defined(__TARGET_ARCH_x86)

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define FRAGMENT_MAX 16384 /* RFC 8446, 5.1 */
#define TYPE_HANDSHAKE 2   /* rustls's ContentType, in its own order */
#define TYPE_APPLICATION 3
#define DECRYPT_OK 0x16 /* of Result<InboundPlainMessage, Error>; the errors are below it */
#define SLICES_OLD 12   /* of one message, without bpf_loop */
#define SLICES_MAX 1024 /* IOV_MAX */

struct slice {
	__u64 buf, len;
};

struct outbound {
	__u64 slices; /* 0: one, at `one`; else of several the bytes from first to last */
	union {
		struct slice one;
		struct {
			__u64 cnt, first, last;
		} many;
	};
	__u8 type;
};

_Static_assert(__builtin_offsetof(struct outbound, many.last) == 0x18, "outbound layout");
_Static_assert(__builtin_offsetof(struct outbound, type) == 0x20, "outbound layout");

struct inbound {
	__u8 result;
	__u8 pad[7];
	struct slice payload;
	__u8 type;
};

_Static_assert(__builtin_offsetof(struct inbound, type) == 24, "inbound layout");

static __always_inline __u64 outbound_len(const struct outbound *m)
{
	if (!m->slices)
		return m->one.len;
	return m->many.last > m->many.first ? m->many.last - m->many.first : 0;
}

/* Sends what the next slice holds of the message; 1 when all of it was sent. */
static __noinline int walk_next(struct thread_state *t)
{
	struct rustls_walk *w = &t->walk;
	struct slice s = {};
	int i;

	if (bpf_probe_read_user(&s, sizeof(s), (void *)w->next)) {
		stat_add(lost_fault_bytes, w->left);
		w->left = 0;
		return 1;
	}
	w->next += sizeof(s);
	if (w->skip >= s.len) {
		w->skip -= s.len;
		return 0;
	}
	t->job.buf = s.buf + w->skip;
	t->job.left = s.len - w->skip < w->left ? s.len - w->skip : w->left;
	w->skip = 0;
	w->left -= t->job.left;
	for (i = 0; i < DATA_REST; i++)
		if (data_next(&t->job))
			break;
	return w->left == 0;
}

static long walk_loop(__u32 i, void *t)
{
	return walk_next(*(struct thread_state **)t);
}

/* Of a quiet process's message: what may be shown, by its first slice. */
static __always_inline __u64 walk_room(__u64 conn, const struct outbound *m, __u64 n)
{
	struct slice s = {};

	if (bpf_probe_read_user(&s, sizeof(s), (void *)m->slices) || m->many.first >= s.len)
		return 0;
	return quiet_room(conn, s.buf + m->many.first, n, EV_WRITE);
}

static __always_inline void walk_send(struct thread_state *t, const struct outbound *m, __u64 n,
				      const bool modern)
{
	__u64 room = n;
	int i;

	if (t->job.quiet) {
		room = walk_room(t->job.conn, m, n);
		stat_add(undecided_bytes, n - room);
	}
	t->walk.next = m->slices;
	t->walk.skip = m->many.first;
	t->walk.left = room < FRAGMENT_MAX ? room : FRAGMENT_MAX;
	if (room > FRAGMENT_MAX)
		stat_add(lost_cap_bytes, room - FRAGMENT_MAX);
	data_begin(&t->job);
	if (modern) {
		bpf_loop(SLICES_MAX, walk_loop, &t, 0);
	} else {
		for (i = 0; i < SLICES_OLD; i++)
			if (walk_next(t))
				break;
	}
	if (t->walk.left)
		stat_add(lost_cap_bytes, t->walk.left);
}

/* The next n bytes of a direction; of a connection, or of an object that is not placed. */
static __always_inline void job_begin(struct data_job *job, const struct rustls_object *o,
				      __u32 dir, __u64 *pos, __u64 n, __u32 quiet)
{
	job->start = o->start;
	job->conn = o->id;
	job->pos = *pos;
	/* rustls allows one thread at a time in an object, so this position is ours */
	__sync_fetch_and_add(pos, n);
	stat_add(content_bytes, n);
	job->gap = 0;
	job->tail = 0;
	job->dir = dir;
	job->src = EV_SRC_RUSTLS;
	job->quiet = quiet;
}

/* With the connection it is placed on, or NULL for that; NULL when there is no room (counted). */
static __always_inline struct rustls_object *object_get(const struct proc_state *proc, __u64 addr,
							struct rustls_sock **sock, bool writes)
{
	struct rustls_object *o = rustls_object_find(proc, addr);
	struct rustls_sock *s = o ? rustls_sock_of(o) : NULL;

	if (s && writes && (s->encrypter != addr || !rustls_sock_is_open(s, o->sk)))
		s = NULL;
	if (!o || (o->sk && !s))
		o = rustls_object_new(proc, addr);
	if (!o)
		stat_add(lost_map, 1);
	*sock = s;
	return o;
}

/* Two encrypters waiting for one send: nobody can say whose it is. */
static __always_inline void encrypter_wait(struct thread_state *t, __u64 addr)
{
	__u64 now = bpf_ktime_get_ns();
	bool other = t->unsent.object && t->unsent.object != addr &&
		     now - t->unsent.ts < RUSTLS_UNSENT_NS;

	t->unsent.object = other ? 0 : addr;
	t->unsent.ts = now;
}

static __always_inline void rustls_written(struct proc_state *proc, struct thread_state *t,
					   __u64 addr, const struct outbound *m, const bool modern)
{
	struct rustls_sock *s = NULL;
	struct rustls_object *o = object_get(proc, addr, &s, true);
	__u64 n = outbound_len(m);

	if (!o) {
		stat_unplaced(n);
		return;
	}
	if (!s)
		encrypter_wait(t, addr);
	job_begin(&t->job, o, EV_WRITE, s ? &s->pos[EV_WRITE] : &o->pos, n, quiet_here(proc));
	t->job.enter_ts = bpf_ktime_get_ns();
	if (m->slices) {
		walk_send(t, m, n, modern);
		return;
	}
	t->job.buf = m->one.buf;
	t->job.left = n;
	data_send(&t->job, modern);
}

/* The peer is told by a handshake message that other keys follow (RFC 8446, 4.6.3). */
static __always_inline void rustls_rekeys(const struct proc_state *proc, __u64 addr)
{
	struct rustls_object *o = rustls_object_find(proc, addr);
	struct rustls_sock *s = o ? rustls_sock_of(o) : NULL;

	if (s && s->encrypter == addr)
		s->rekeys = 1;
}

static __always_inline void encrypt_enter(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();
	struct outbound m = {};
	struct thread_state *t;

	if (!proc || bpf_probe_read_user(&m, sizeof(m), (void *)PT_REGS_PARM3(ctx)))
		return;
	if (m.type == TYPE_HANDSHAKE)
		rustls_rekeys(proc, PT_REGS_PARM2(ctx));
	if (m.type != TYPE_APPLICATION || !outbound_len(&m))
		return;
	t = thread_get(proc);
	if (t)
		rustls_written(proc, t, PT_REGS_PARM2(ctx), &m, modern);
	else
		stat_unplaced(outbound_len(&m));
}

static __always_inline void decrypt_enter(struct pt_regs *ctx, const bool modern)
{
	struct thread_state *t = thread_here();

	if (!t)
		return;
	t->decrypting.object = PT_REGS_PARM2(ctx);
	t->decrypting.ts = bpf_ktime_get_ns();
}

/* Places a decrypter on the socket that was last received from. */
static __always_inline struct rustls_sock *decrypter_place(const struct proc_state *proc,
							   const struct sock_ref *in,
							   struct rustls_object *o)
{
	struct rustls_sock *s = rustls_sock_find(proc, in->sk, in->ino, in->ports);

	if (s && o->sk == in->sk && o->id == s->id)
		return s;
	if (o->sk) { /* its address was another one's */
		o->pos = 0;
		o->sk = 0;
		o->id = conn_new_id(bpf_ktime_get_ns());
	}
	if (!s)
		s = rustls_sock_new(proc, in, o->id, EV_LINK_RECV);
	if (!s || !rustls_join(o, s, EV_READ))
		return NULL;
	o->sk = in->sk;
	return s;
}

static __always_inline void rustls_read(struct proc_state *proc, struct thread_state *t,
					const struct slice *payload, const bool modern)
{
	struct rustls_sock *s = NULL;
	struct rustls_object *o = object_get(proc, t->decrypting.object, &s, false);

	if (!o) {
		stat_unplaced(payload->len);
		return;
	}
	if (t->in.sk && (t->fresh || !s))
		s = decrypter_place(proc, &t->in, o);
	t->fresh = 0;
	job_begin(&t->job, o, EV_READ, s ? &s->pos[EV_READ] : &o->pos, payload->len,
		  quiet_here(proc));
	t->job.enter_ts = t->decrypting.ts;
	t->job.buf = payload->buf;
	t->job.left = payload->len;
	data_send(&t->job, modern);
}

static __always_inline void decrypt_exit(struct pt_regs *ctx, const bool modern)
{
	struct proc_state *proc = traced_here();
	struct thread_state *t = proc ? thread_find() : NULL;
	struct inbound m = {};

	if (!t || !t->decrypting.object)
		return;
	if (!bpf_probe_read_user(&m, sizeof(m), (void *)PT_REGS_RC(ctx)) &&
	    m.result == DECRYPT_OK && m.type == TYPE_APPLICATION && m.payload.len)
		rustls_read(proc, t, &m.payload, modern);
	t->decrypting.object = 0;
}

UPROBE_PROG("?uprobe", rustls_encrypt, encrypt_enter)
UPROBE_PROG("?uprobe", rustls_decrypt_enter, decrypt_enter)
UPROBE_PROG("?uretprobe", rustls_decrypt_exit, decrypt_exit)

#endif
