/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A TCP connection that was broken off, and by whom. */
#ifndef RINGSPAN_RESET_BPF_H
#define RINGSPAN_RESET_BPF_H

#include "flow.bpf.h"

/* sk may be any address: only what is known of is told, in the name of the process that it is of. */
static __always_inline void reset_tell(__u64 sk, enum ev_reset_by by)
{
	struct sock_users *u = bpf_map_lookup_elem(&sock_users, &sk);
	struct conn_key key = { .ssl = sk };
	struct flow_state *f;
	struct ev_reset *e;

	if (!u || !u->flow_tgid)
		return;
	key.tgid = u->flow_tgid;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return;
	e = ev_reserve(EV_RESET, sizeof(*e), 0, f->start);
	if (!e)
		return;
	ev_of_process(&e->hdr, key.tgid);
	e->conn = f->id;
	e->file = f->ino;
	e->addr = f->addr;
	e->by = by;
	e->pad = 0;
	ev_submit(e);
}

#endif
