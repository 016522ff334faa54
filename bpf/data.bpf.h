/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payload of one call as DATA records.  The ring wants constant sizes, so a record has one of four
 * rooms, and a long call becomes several records with rising positions.  Of a call longer than the
 * cap the head and the tail are kept: a model's `usage` comes last.
 */
#ifndef RINGSPAN_DATA_BPF_H
#define RINGSPAN_DATA_BPF_H

#include "quiet.bpf.h"
#include "usage.bpf.h"

#define DATA_ROOM0 256
#define DATA_ROOM1 1024
#define DATA_ROOM2 4096
#define DATA_ROOM3 EV_CHUNK_MAX
#define DATA_REST 5       /* records that the last EV_CHUNK_MAX bytes of a run can take at most */
#define DATA_LOOPS_OLD 26 /* without bpf_loop: two runs of together 256 KiB */
#define DATA_LOOPS_MAX 8192

/*
 * Lives in a map, in the entry of the thread that works on it: the verifier knows nothing of what is
 * in there, so that one pass over the loop proves all of them.
 */
struct data_job {
	__u64 start, conn, pos, enter_ts;
	__u64 ts;       /* when the call returned */
	__u64 usage_ts; /* not later than its process's totals were told */
	__u64 buf;
	__u64 left; /* bytes of this run; 0: what there is has no buffer, and is all gap */
	__u64 gap;  /* bytes between this run and the tail */
	__u64 tail; /* bytes of the tail */
	__u32 dir;
	__u32 src; /* enum ev_src */
	__u32 quiet;
	__u32 pad;
};

static __always_inline void data_record(struct data_job *j, __u32 room, __u32 n, __u64 missing)
{
	struct ev_data *e = ev_reserve_at(EV_DATA, sizeof(*e), room, j->start, j->ts);

	if (!e) {
		stat_add(lost_ring_bytes, n);
		return;
	}
	e->conn = j->conn;
	e->pos = j->pos;
	e->enter_ts = j->enter_ts;
	e->dir = j->dir;
	e->src = j->src;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	barrier_var(n);
	if (n > room)
		n = room;
	if (bpf_probe_read_user(e + 1, n, (void *)j->buf)) {
		e->hdr.flags |= EVF_FAULT;
		missing += n;
		stat_add(lost_fault_bytes, n);
		n = 0;
	} else {
		stat_add(data_bytes, n);
	}
	if (missing && !(e->hdr.flags & EVF_FAULT))
		e->hdr.flags |= EVF_TRUNC;
	e->len = n;
	e->missing = missing > 0xffffffff ? 0xffffffff : missing;
	e->hdr.size = sizeof(*e) + n;
	if (j->quiet) /* so that little is missed of what an agent does first */
		ev_submit_now(e);
	else
		ev_submit(e);
}

/*
 * The room for n bytes: one that they fill by more than half, or the next smaller one; but between
 * the two smallest, where server-sent events lie, one record is worth more than the bytes.
 */
static __always_inline __u32 data_room(__u64 n)
{
	if (n > DATA_ROOM3 / 2)
		return DATA_ROOM3;
	if (n > DATA_ROOM2 / 2)
		return DATA_ROOM2;
	if (n > DATA_ROOM0)
		return DATA_ROOM1;
	return DATA_ROOM0;
}

/* A datagram stays whole where any room takes it: a message is read out of each record. */
static __always_inline __u32 data_room_whole(__u64 n)
{
	if (n > DATA_ROOM2)
		return DATA_ROOM3;
	if (n > DATA_ROOM1)
		return DATA_ROOM2;
	return n > DATA_ROOM0 ? DATA_ROOM1 : DATA_ROOM0;
}

/* Before the first record of a call; what the thread knows of the totals spares it a look at them. */
static __always_inline void data_begin(struct data_job *j)
{
	j->ts = bpf_ktime_get_ns();
	if (j->ts - j->usage_ts > USAGE_FRESH)
		j->usage_ts = usage_before(j->ts);
}

/* Makes the next record; 1 when the job is done. */
static __noinline int data_next(struct data_job *j)
{
	__u32 room = j->src == EV_SRC_DGRAM ? data_room_whole(j->left) : data_room(j->left);
	__u32 n = j->left > room ? room : j->left;
	__u64 missing = n == j->left ? j->gap : 0;

	if (room == DATA_ROOM3)
		data_record(j, DATA_ROOM3, n, missing);
	else if (room == DATA_ROOM2)
		data_record(j, DATA_ROOM2, n, missing);
	else if (room == DATA_ROOM1)
		data_record(j, DATA_ROOM1, n, missing);
	else
		data_record(j, DATA_ROOM0, n, missing);
	j->left -= n;
	j->pos += n;
	j->buf += n;
	if (j->left)
		return 0;
	j->pos += j->gap;
	j->buf += j->gap;
	j->left = j->tail;
	j->gap = 0;
	j->tail = 0;
	return j->left == 0;
}

/* bpf_loop hands on a pointer into the stack, so the job's address goes there. */
static long data_loop(__u32 i, void *job)
{
	return data_next(*(struct data_job **)job);
}

/* Tells n bytes of which the content is in no buffer of the process. */
static __always_inline void data_unseen(struct data_job *j, __u64 n)
{
	data_begin(j);
	j->left = 0;
	j->gap = n;
	stat_add(lost_buffer_bytes, n);
	data_next(j);
}

/* Sends j->left bytes; modern: the kernel has bpf_loop (5.17). */
static __always_inline void data_send(struct data_job *j, const bool modern)
{
	__u64 cap = cfg_call_cap;
	__u64 room;
	int i;

	if (j->quiet) {
		room = quiet_room(j->conn, j->buf, j->left, j->dir);
		stat_add(undecided_bytes, j->left - room);
		if (!room)
			return;
		j->gap = j->left - room;
		j->left = room;
	} else if (j->left > cap) {
		j->gap = j->left - cap;
		j->tail = cap / 2;
		j->left = cap - j->tail;
		stat_add(lost_cap_bytes, j->gap);
	}
	data_begin(j);
	if (modern) {
		if (!data_next(j)) /* most have one record */
			bpf_loop(DATA_LOOPS_MAX, data_loop, &j, 0);
		return;
	}
	for (i = 0; i < DATA_LOOPS_OLD; i++)
		if (data_next(j))
			break;
}

#endif
