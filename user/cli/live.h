/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session that is fed by the kernel: what record and attach share.  Signals are blocked while it
 * lives and come out of live_step(); a child that is forked meanwhile undoes that by live_unblock().
 */
#ifndef RINGSPAN_LIVE_H
#define RINGSPAN_LIVE_H

#include <sys/signalfd.h>
#include "cli/cli.h"
#include "cli/func_opt.h"
#include "cli/session.h"
#include "cli/store_opt.h"
#include "probe/monitor.h"

/* Options of both verbs; the option struct of each begins with it. */
struct live_opts {
	struct opt_common common;
	const char *capture, *prices;
	const char *slow, *failed, *syscalls; /* see calls_opt.h */
	const char *store_size, *store_age;   /* see store_opt.h */
	struct store_limits limits;           /* no option: what these say, by live_read_opts() */
	struct probe_calls calls;             /* no option: what these say, by live_read_opts() */
	const char *files;
	enum probe_files open_files; /* no option: what that says, likewise */
	struct func_opts funcs;
	bool no_store, no_redact, quiet, logs;
	struct opt_payload payload;
	const char *redact_rules;
	size_t ring_bytes;
	unsigned int profile_hz; /* samples a second of each CPU; 0: none */
	/* No options: who is told instead of the user, see session.h; then nothing is printed. */
	trace_span_fn watch_span;
	trace_calls_fn watch_calls;
	trace_sample_fn watch_sample;
	void *watch_ctx;
	bool discover; /* no option: what is selected are candidates, of which only agents are shown */
};

#define PROFILE_HZ_MAX 10000

#define LIVE_OPTS                                                                                \
	{ "capture", 'c',                                                                        \
	  OPT_STR,   offsetof(struct live_opts, capture),                                        \
	  "FILE",    "write every record to FILE, for `ringspan replay`" },                      \
		{ "no-store", 0,                                                                 \
		  OPT_FLAG,   offsetof(struct live_opts, no_store),                              \
		  NULL,       "keep nothing in the store" },                                     \
		{ "logs",                                                                        \
		  'l',                                                                           \
		  OPT_FLAG,                                                                      \
		  offsetof(struct live_opts, logs),                                              \
		  NULL,                                                                          \
		  "also what the processes write to stdout and stderr, for "                     \
		  "`ringspan logs`: up to 256 KiB/s of each" },                                  \
		STORE_OPTS(struct live_opts),                                                    \
		{ "no-redact", 0,                                                                \
		  OPT_FLAG,    offsetof(struct live_opts, no_redact),                            \
		  NULL,        "keep keys and tokens as they are; they are masked otherwise" },  \
		{ "payload",                                                                     \
		  0,                                                                             \
		  OPT_PAYLOAD,                                                                   \
		  offsetof(struct live_opts, payload),                                           \
		  "[LEVEL]",                                                                     \
		  "what is kept of what is said: `full` (without it), `meta` (roles, keys, "     \
		  "lengths, paths), `none`" },                                                   \
		{ "redact-rules",                                                                \
		  0,                                                                             \
		  OPT_STR,                                                                       \
		  offsetof(struct live_opts, redact_rules),                                      \
		  "FILE",                                                                        \
		  "mask also what FILE names, a line each: `redact header NAME`, `redact json "  \
		  "PATH`, `redact pattern ERE`" },                                               \
		{ "ring-size", 0,                                                                \
		  OPT_SIZE,    offsetof(struct live_opts, ring_bytes),                           \
		  "SIZE",      "of the buffer between kernel and ringspan (8M)" },               \
		{ "prices", 0,                                                                   \
		  OPT_STR,  offsetof(struct live_opts, prices),                                  \
		  "FILE",   "a price table in place of the built-in one" },                      \
		{ "slow",                                                                        \
		  0,                                                                             \
		  OPT_STR,                                                                       \
		  offsetof(struct live_opts, slow),                                              \
		  "TIME",                                                                        \
		  "spans of system calls that take so long (10ms; of a class: "                  \
		  "poll=1s,file=5ms)" },                                                         \
		{ "failed", 0,                                                                   \
		  OPT_STR,  offsetof(struct live_opts, failed),                                  \
		  "ERRNOS", "spans of system calls that fail so (EACCES,EPERM)" },               \
		{ "syscalls", 0,                                                                 \
		  OPT_STR,    offsetof(struct live_opts, syscalls),                              \
		  "LIST",     "spans of all system calls of these names or classes, or `all`" }, \
		{ "files",                                                                       \
		  0,                                                                             \
		  OPT_STR,                                                                       \
		  offsetof(struct live_opts, files),                                             \
		  "WHICH",                                                                       \
		  "files that are told: `changed`, `read` (those, too, but no "                  \
		  "libraries; without it), `all`" },                                             \
		{ "profile",                                                                     \
		  0,                                                                             \
		  OPT_RATE,                                                                      \
		  offsetof(struct live_opts, profile_hz),                                        \
		  "[HZ]",                                                                        \
		  "sample what runs on the CPUs, so often a second (99), for "                   \
		  "`ringspan profile`" },                                                        \
	{                                                                                        \
		"quiet", 'q', OPT_FLAG, offsetof(struct live_opts, quiet), NULL,                 \
			"show no spans while it runs"                                            \
	}

struct live;

/* Options whose text has to be read; -EINVAL, logged. */
int live_read_opts(struct live_opts *o);

/* 0 or -errno, logged. */
int live_new(struct live **out, const struct live_opts *o);
void live_free(struct live **l);

void live_unblock(const struct live *l); /* signals are as they were before */
struct monitor *live_monitor(struct live *l);
/* All is set up: from now on what is traced is parsed, and no privileges are kept for it.  -errno, logged. */
int live_confine(struct live *l);
struct session *live_session(struct live *l);

/*
 * Waits up to timeout_ms for records or a signal and takes in what is there.  1: a signal came and is
 * in *sig; 0; -errno, logged, when it cannot go on.
 */
int live_step(struct live *l, int timeout_ms, struct signalfd_siginfo *sig);

/* Whether as many runs as that have come to their end. */
bool live_over(const struct live *l, size_t runs);

/*
 * Traces processes that run, and all that they start, for o's watch_*: until a signal, their end, or the end
 * of the time (ns; 0: none).  0 or -errno, logged.
 */
int live_watch_pids(const struct live_opts *o, const struct opt_pids *pids, uint64_t duration_ns);

/* Takes in what is left, ends the session and prints what was seen.  0, or the first failure. */
int live_end(struct live *l);

uint64_t live_now(void); /* CLOCK_MONOTONIC, ns */

#endif
