/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel can do: asked for by trying, never guessed from a version number. */
#ifndef RINGSPAN_PROBE_FEATURE_H
#define RINGSPAN_PROBE_FEATURE_H

#include "probe/probe.h"

/*	NAME		name			what it is for				required */
#define FEATURES(X)                                                                                \
	X(PRIVILEGE, "privilege", "loading programs, setting probes", true)                        \
	X(PTRACE, "other users' processes",                                                        \
	  "libraries, paths and names of processes that are not one's own", false)                 \
	X(READ, "other users' files", "programs and libraries that only their owner may read",     \
	  false)                                                                                   \
	X(PIDNS, "initial pid namespace", "process ids that mean the same to the kernel", true)    \
	X(LOCKDOWN, "lockdown", "reading memory from programs", true)                              \
	X(BTF, "BTF", "programs that fit this kernel's structures", true)                          \
	X(RINGBUF, "ring buffer", "records from the kernel", true)                                 \
	X(MEMLOCK, "locked memory", "a ring of the usual size", true)                              \
	X(ATTACH, "raw tracepoints", "the process tree, connections", true)                        \
	X(MULTI, "uprobe_multi", "TLS plaintext; ends in ms, not in seconds", false)               \
	X(UPROBE, "uprobes (perf)", "TLS plaintext", false)                                        \
	X(COOKIE, "attach cookies",                                                                \
	  "probes where they are cheap (at instructions that the kernel emulates); --uprobe",      \
	  false)                                                                                   \
	X(USDT, "USDT", "--usdt: probes that programs have built in", false)                       \
	X(GUARD, "preempt kfuncs", "uprobe programs that are not preempted (6.13+ may need it)",   \
	  false)                                                                                   \
	X(LOOP, "bpf_loop", "calls that move more than 256 KiB", false)                            \
	X(STORAGE, "task storage", "what is known of a thread, at every system call", false)       \
	X(REGS, "task registers", "system calls that cost untraced processes nothing more", false) \
	X(SYSCALLS, "syscall tracepoints",                                                         \
	  "connect, sockets, pipes, files, libraries loaded later", false)                         \
	X(SOCKLEN, "sock_send/recv_length", "which socket a TLS object sits on", false)            \
	X(VMA, "mapping iterator", "one set of probes for a library that containers share", false) \
	X(CLOCK, "CPU clock events", "samples of stacks (--profile)", false)

enum feat {
#define X(id, ...) FEAT_##id,
	FEATURES(X)
#undef X
		FEAT_CNT
};

struct features {
	struct {
		bool on;
		char reason[192];
		const char *remedy;
	} of[FEAT_CNT];
};

/*
 * Tries them; a feature that others rest on, when off, turns those off with its name.  Unless all is
 * wanted, what only stands in for a feature that is on is left out: taking a perf uprobe away costs
 * 100 ms.
 */
void features_try(struct features *f, bool all);
void features_force_off(struct features *f, enum feat feat);
const char *feature_name(enum feat feat);
const char *feature_use(enum feat feat);
bool feature_required(enum feat feat);

#endif
