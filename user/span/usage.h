/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What spans take of their processes.  A USAGE record (bpf/event.h) tells running totals; what they grew by
 * since the record before is charged, once and whole, to what was open in the process at that time:
 *
 *   - its run, and the open tool call that started it or what it descends from;
 *   - the exchanges and tool calls that the process itself is at, in equal parts; a call has with its
 *     own part those of the requests that were made for it;
 *   - their turns and agents with them, or, when there are none, the turns that are open.
 *
 * So a turn is the sum of what is in it and what it took itself, to the last byte and nanosecond, whatever
 * overlaps.  A part of something is marked (ringspan.shared).
 */
#ifndef RINGSPAN_USAGE_H
#define RINGSPAN_USAGE_H

#include "event/event.h"
#include "span/span.h"

/*	name, attribute */
#define USAGE_ITEMS(X)                                \
	X(CPU_USER, ATTR_ID_CPU_USER_NS)              \
	X(CPU_SYSTEM, ATTR_ID_CPU_SYSTEM_NS)          \
	X(RUN_DELAY, ATTR_ID_RUN_DELAY_NS)            \
	X(VOLUNTARY, ATTR_ID_CTX_VOLUNTARY)           \
	X(INVOLUNTARY, ATTR_ID_CTX_INVOLUNTARY)       \
	X(MIGRATIONS, ATTR_ID_MIGRATIONS)             \
	X(FLT_MINOR, ATTR_ID_FLT_MINOR)               \
	X(FLT_MAJOR, ATTR_ID_FLT_MAJOR)               \
	X(RCHAR, ATTR_ID_IO_RCHAR)                    \
	X(WCHAR, ATTR_ID_IO_WCHAR)                    \
	X(DISK_READ, ATTR_ID_IO_READ)                 \
	X(DISK_WRITE, ATTR_ID_IO_WRITE)               \
	X(SOCKET_READ, ATTR_ID_IO_SOCKET_READ)        \
	X(SOCKET_WRITE, ATTR_ID_IO_SOCKET_WRITE)      \
	X(BLOCKED_DISK, ATTR_ID_BLOCKED_DISK)         \
	X(BLOCKED_NETWORK, ATTR_ID_BLOCKED_NETWORK)   \
	X(BLOCKED_PIPE, ATTR_ID_BLOCKED_PIPE)         \
	X(BLOCKED_TERMINAL, ATTR_ID_BLOCKED_TERMINAL) \
	X(BLOCKED_LOCK, ATTR_ID_BLOCKED_LOCK)         \
	X(BLOCKED_POLL, ATTR_ID_BLOCKED_POLL)         \
	X(BLOCKED_CHILD, ATTR_ID_BLOCKED_CHILD)       \
	X(BLOCKED_SLEEP, ATTR_ID_BLOCKED_SLEEP)       \
	X(BLOCKED_OTHER, ATTR_ID_BLOCKED_OTHER)       \
	X(LEADER_LOCK, ATTR_ID_WAIT_LOCK)

/* Behind the items that have an attribute each are system calls and the time in them, by enum ev_call_class. */
enum usage_item {
#define X(name, id) USAGE_##name,
	USAGE_ITEMS(X)
#undef X
		USAGE_CALLS,
	USAGE_CALL_NS = USAGE_CALLS + EV_CALL_CLASSES,
	USAGE_CNT = USAGE_CALL_NS + EV_CALL_CLASSES
};

/* What a span took; all zero to begin with. */
struct usage {
	uint64_t of[USAGE_CNT];
	uint64_t rss_peak; /* bytes, of the largest process */
	bool told;         /* something was charged */
	bool shared;       /* a part of it was divided */
	bool of_turns;     /* while the process had more than one */
};

/* What a process took so far: the totals of the latest record, none of which ever falls. */
struct usage_totals {
	struct usage sum;
	uint64_t cpu;
};

/*
 * The part of cpu_ns that was spent in the kernel.  The sum on CPU is exact, utime and stime are counted in
 * ticks: the sum is split as they are (cputime_adjust() in the kernel's sched/cputime.c).  All in ns.
 */
uint64_t usage_cpu_system(uint64_t cpu_ns, uint64_t utime_ns, uint64_t stime_ns);
/* Takes the record's totals in; out: what they grew by. */
void usage_advance(struct usage_totals *t, const struct ev_usage *e, struct usage *out);
void usage_add(struct usage *to, const struct usage *u);
/* Its attribute; item: before USAGE_CALLS. */
enum attr_id usage_attr(enum usage_item item);
/* The attributes; nothing when nothing was charged. */
void usage_set(struct span *s, const struct usage *u);

#endif
