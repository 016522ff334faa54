/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Quiet processes: those of which it is not known yet whether they are agents.  Of their connections
 * only those are shown that a client of HTTP or JSON-RPC might have begun, and of each of these no more
 * than its first bytes, to find that out.  User space ends the quiet by an entry in `loud`.
 */
#ifndef RINGSPAN_QUIET_BPF_H
#define RINGSPAN_QUIET_BPF_H

#include "look.bpf.h"

#define QUIET_BYTES 65536 /* shown of each direction of a connection */
#define QUIET_LOOKS 32    /* writes that look like nothing, then nothing is expected */

enum quiet_stage { QUIET_LOOK, QUIET_SHOW, QUIET_HIDE };

struct quiet_conn {
	__u32 shown[2]; /* bytes, by enum ev_dir */
	__u32 looks;
	__u32 stage; /* enum quiet_stage */
};

/* By what DATA calls conn; to forget one means that it is looked at anew. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CONNS);
	__type(key, __u64);
	__type(value, struct quiet_conn);
} quiet_conns SEC(".maps") __weak;

static __always_inline bool proc_is_quiet(struct proc_state *proc, __u32 tgid)
{
	struct proc_usage *usage;
	__u64 *start;

	if (!proc->quiet)
		return false;
	start = bpf_map_lookup_elem(&loud, &tgid);
	if (!start || *start != proc->start)
		return true;
	proc->quiet = 0;
	usage = bpf_map_lookup_elem(&usages, &tgid);
	if (usage)
		usage->quiet = 0;
	return false;
}

static __always_inline __u32 quiet_here(struct proc_state *proc)
{
	return proc_is_quiet(proc, bpf_get_current_pid_tgid() >> 32);
}

/* NULL when there is no room: nothing is shown then. */
static __always_inline struct quiet_conn *quiet_conn_get(__u64 conn)
{
	struct quiet_conn *q = bpf_map_lookup_elem(&quiet_conns, &conn);
	struct quiet_conn init = {};

	if (q)
		return q;
	bpf_map_update_elem(&quiet_conns, &conn, &init, BPF_NOEXIST);
	return bpf_map_lookup_elem(&quiet_conns, &conn);
}

/* What a flow turned out to be; dir: of the bytes that told. */
static __always_inline void quiet_settle(__u64 conn, __u32 proto, __u32 dir, bool response)
{
	struct quiet_conn *q = quiet_conn_get(conn);
	bool http = proto == EV_PROTO_HTTP1 || proto == EV_PROTO_HTTP2;
	bool client = http && (dir == EV_WRITE) != response;

	if (q)
		q->stage = client || proto == EV_PROTO_JSONRPC ? QUIET_SHOW : QUIET_HIDE;
}

/* A HEADERS or DATA frame of a client in a connection that was joined half way, RFC 9113 4.1. */
static __always_inline bool quiet_is_frame(const __u8 *h)
{
	return !h[0] && h[3] <= 1 && !(h[5] & 0x80) && (h[8] & 1);
}

/* Decides by the first bytes of one call of a TLS library. */
static __noinline int quiet_look(struct quiet_conn *q, __u64 buf, __u32 n, __u32 dir)
{
	__u8 head[FLOW_HEAD_ROOM] = {};
	bool response;
	__u32 found;

	if (n > FLOW_HEAD)
		n = FLOW_HEAD;
	barrier_var(n);
	n &= 31;
	if (!n || bpf_probe_read_user(head, n, (void *)buf))
		return 0;
	found = look(head, n, LOOK_HTTP);
	response = head[0] == 'H' && head[1] == 'T';
	if (found && (dir == EV_WRITE) != response)
		q->stage = QUIET_SHOW;
	else if (found)
		q->stage = QUIET_HIDE; /* a server: it answers */
	else if (dir == EV_WRITE && n >= 9 && quiet_is_frame(head))
		q->stage = QUIET_SHOW;
	else if (dir == EV_WRITE && ++q->looks >= QUIET_LOOKS)
		q->stage = QUIET_HIDE;
	return 0;
}

/* How many of the next n bytes of a connection that is shown may be shown. */
static __always_inline __u64 quiet_left(struct quiet_conn *q, __u64 n, __u32 dir)
{
	__u32 shown = q->shown[dir & 1];

	if (q->stage != QUIET_SHOW || shown >= QUIET_BYTES)
		return 0;
	if (n > QUIET_BYTES - shown)
		n = QUIET_BYTES - shown;
	__sync_fetch_and_add(&q->shown[dir & 1], (__u32)n);
	return n;
}

/* The same of a flow, about which quiet_settle() has decided. */
static __always_inline __u64 quiet_flow_room(__u64 conn, __u64 n, __u32 dir)
{
	struct quiet_conn *q = bpf_map_lookup_elem(&quiet_conns, &conn);

	return q ? quiet_left(q, n, dir) : 0;
}

/* The same of a TLS library's call, whose bytes begin at buf. */
static __always_inline __u64 quiet_room(__u64 conn, __u64 buf, __u64 n, __u32 dir)
{
	struct quiet_conn *q = quiet_conn_get(conn);

	if (!q)
		return 0;
	if (q->stage == QUIET_LOOK)
		quiet_look(q, buf, n > FLOW_HEAD ? FLOW_HEAD : n, dir);
	return quiet_left(q, n, dir);
}

#endif
