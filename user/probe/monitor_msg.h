/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two processes of monitor.h say to each other: a message each way for a command. */
#ifndef RINGSPAN_PROBE_MONITOR_MSG_H
#define RINGSPAN_PROBE_MONITOR_MSG_H

#include "probe/channel.h"
#include "probe/probe.h"
#include "probe/status.h"

enum monitor_op {
	MONITOR_WATCH = 1,
	MONITOR_SELECT,
	MONITOR_HOOK_FILE,
	MONITOR_SEAL,
	MONITOR_LOUD,
	MONITOR_TELL_COUNTS,
	MONITOR_TELL_UNMET,
	MONITOR_TELL_USAGE,
	MONITOR_COUNT_COST,
	MONITOR_COST,
	MONITOR_LOSS,
	MONITOR_DETACH,
	MONITOR_DRAIN, /* answered when what waits in the kernel is in the channel */
	MONITOR_READY, /* no command: told once, with the result of probe_new() */
};

#define MONITOR_TEXT_MAX (128u << 10) /* bytes of strings, each with NUL */

/* Behind it `text` bytes: of SELECT comm, exe and cgroups, "" for none; of HOOK_FILE the path. */
struct monitor_ask {
	__u32 op;  /* enum monitor_op */
	__u32 seq; /* the answer has the same */
	__u32 text;
	__u32 tgid; /* WATCH, LOUD */
	__u64 start;
	__u32 origin;  /* WATCH: enum ev_run_origin */
	__u32 cgroups; /* SELECT */
	__u32 quiet;
	__u32 pad;
};

#define MONITOR_PROGRAMS 512 /* that COST tells */

struct monitor_program {
	char name[64];
	__u64 run_ns, runs;
};

/* Behind it, of COST, cnt struct monitor_program. */
struct monitor_say {
	__u32 op, seq;
	__s32 ret;
	__u32 cnt;
	__u64 cpu_ns;           /* COST: that the process itself took */
	struct probe_loss loss; /* LOSS */
};

/* The other side: never returns. */
__attribute__((noreturn)) void monitor_serve(int socket, struct channel *c, struct status *st,
					     const struct probe_cfg *cfg);

#endif
