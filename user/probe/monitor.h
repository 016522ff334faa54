/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The probe as a process of its own,: it keeps what privileges there are, talks to the
 * kernel and reads /proc, and parses nothing of what traced processes sent.  Who called monitor_new() gets its
 * records, and may give its own privileges up.
 *
 * Commands are few and have fixed forms (monitor_msg.h).  After monitor_seal() none is taken that names
 * a process or a file to look at.  The process ends with the one that made it, however that ends.
 */
#ifndef RINGSPAN_PROBE_MONITOR_H
#define RINGSPAN_PROBE_MONITOR_H

#include "probe/probe.h"
#include "probe/status.h"

struct monitor;

/* As probe_new(): 0 or -errno, logged. */
int monitor_new(struct monitor **out, const struct probe_cfg *cfg);
/* What was attached is gone when it returns. */
void monitor_free(struct monitor **m);
pid_t monitor_pid(const struct monitor *m);

/* As their namesakes in probe.h; -EPIPE, logged, when the process is gone; -EPERM after monitor_seal(). */
int monitor_watch(struct monitor *m, pid_t pid, enum ev_run_origin origin);
int monitor_select(struct monitor *m, const struct probe_select *sel);
int monitor_hook_file(struct monitor *m, const char *path);
int monitor_loud(struct monitor *m, __u32 tgid, __u64 start);
int monitor_tell_counts(struct monitor *m);
int monitor_tell_usage(struct monitor *m);
int monitor_count_cost(struct monitor *m);
/* *cpu_ns: what its process took. */
int monitor_cost(struct monitor *m, probe_cost_fn fn, void *ctx, __u64 *cpu_ns);
int monitor_tell_unmet(struct monitor *m);
int monitor_loss(struct monitor *m, struct probe_loss *out);
/* What the caller made of records so far, for who asks (status.h). */
void monitor_fed(struct monitor *m, const struct status_fed *fed);

/*
 * What is traced is let go, and nothing new is recorded: 0 or -errno, logged.  Polls hand over the rest, which
 * without this may never be all: who is traced may record more than is parsed meanwhile.
 */
int monitor_detach(struct monitor *m);

/* All is set up: 0 or -errno, logged. */
int monitor_seal(struct monitor *m);

/*
 * Asks for what waits in the kernel and hands over what is there, until the process says that this was
 * all, or timeout_ms have passed: it may be at work in a file (-1: however long it takes).  As probe_poll().
 */
int monitor_poll(struct monitor *m, int timeout_ms, probe_record_fn fn, void *ctx);
int monitor_fd(const struct monitor *m); /* readable when there are records */

#endif
