/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The room that touches the kernel: BPF programs, probes in TLS libraries, /proc.  Its interface is
 * messages: commands in, records (bpf/event.h) out.  The verbs use it as a process of its own: monitor.h.
 *
 * Facts that it learns in user space (RUN, PROC, HOOKED, CGROUP, STATS) leave through the same callback as
 * records of the kernel, in the order in which they became known.
 *
 * It never writes to a traced process, pins nothing, and what it attached ends with its file
 * descriptors, however the program ends.
 */
#ifndef RINGSPAN_PROBE_H
#define RINGSPAN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>
#include "event.h"

struct probe;

#define PROBE_CALLS 512 /* numbers of system calls are below it */
#define PROBE_ERRNOS_MAX 16

/* Which system calls become records of their own; all are counted. */
struct probe_calls {
	__u64 slow_ns[EV_CALL_CLASSES]; /* those that take so long; 0: none */
	bool asked[PROBE_CALLS];        /* all of that number */
	int errnos[PROBE_ERRNOS_MAX];   /* those that fail so */
	size_t errno_cnt;
};

/* Which open files become records when they are closed. */
enum probe_files {
	PROBE_FILES_READ = 0, /* what is changed, and what is read but for libraries and the like */
	PROBE_FILES_CHANGED,
	PROBE_FILES_ALL, /* all, and names that could not be opened because they are not there */
};

#define PROBE_FUNCS_MAX 64

/* A function, or a probe that a program has built in (USDT), of which each call becomes a record. */
struct probe_func {
	const char *asked; /* "--uprobe libc:open(%s)": how messages call it */
	const char
		*bin; /* a file's path; else a library's or program's name, or a pattern of one */
	const char *provider; /* of a USDT probe; NULL: it is a function */
	const char *name;     /* of a function: or a pattern of names (fnmatch(3)) */
	__u64 offset;         /* of an instruction in the function, */
	bool place;           /* ... which is meant, and not the call */
	const char *format;   /* of event/function.h */
};

struct probe_cfg {
	struct probe_calls calls;
	enum probe_files files;
	const struct probe_func *funcs; /* live as long as the probe does */
	size_t func_cnt;                /* PROBE_FUNCS_MAX at most */
	size_t ring_bytes;              /* rounded up to a power of two; 0: 8 MiB */
	size_t call_cap_bytes;          /* payload kept of one TLS call, head and tail; 0: 4 MiB */
	size_t output_rate; /* bytes a second kept of each process's stdout, and stderr; 0: none */
	__u64 sample_ns;    /* time on a CPU between two samples of stacks; 0: none are taken */
	bool force_perf_uprobes;    /* as on a kernel without uprobe_multi */
	bool force_syscall_tie;     /* as on a kernel without sock_send_length */
	bool force_bounded_loops;   /* as on a kernel without bpf_loop: call_cap_bytes <= 256 KiB */
	bool force_no_task_storage; /* as on a kernel before 5.12 */
	bool force_no_task_regs;    /* as on a kernel before 5.15 */
	bool force_small_tables;    /* two threads and three counts fit where they are found fast */
	bool force_no_cookies;      /* as on a kernel without bpf_get_attach_cookie() */
	bool force_plain_sites; /* probes at the functions' first instructions, and at their returns */
};

/* rec is read-only and valid during the call; non-zero stops the poll. */
typedef int (*probe_record_fn)(void *ctx, const struct ev_hdr *rec);

/* Loads and attaches; finds the machine's TLS libraries.  -errno, and one line that says why. */
int probe_new(struct probe **out, const struct probe_cfg *cfg);
void probe_free(struct probe **p);

/*
 * Traces pid and everything that it starts; with EV_RUN_ATTACH also what it has started already, and
 * tells PROC of each.  -ESRCH when there is no such process or it ended meanwhile.
 */
int probe_watch(struct probe *p, pid_t pid, enum ev_run_origin origin);

#define PROBE_CGROUPS_MAX 16

/* Which processes: what is NULL or 0 does not matter. */
struct probe_select {
	const char *comm; /* pattern with * and ?, of the 15 characters of a thread's name */
	const char *exe;  /* fnmatch(3), of the executable's path */
	const char *const *cgroups; /* folders of cgroups; a process lies in or below one of them */
	size_t cgroup_cnt;          /* PROBE_CGROUPS_MAX at most */
	/*
	 * They may be no agents: of their connections no more than the first bytes is copied, and no RUN is
	 * told, until probe_loud().
	 */
	bool quiet;
};

/*
 * Traces what is selected, and everything that it starts: processes that run, and those that start a
 * program later.  By comm and by cgroups in the unified hierarchy the kernel decides, at the exec; by
 * exe, and in v1 hierarchies, user space does when it hears of the exec.  Never the caller and what it
 * descends from.  How many run, or -errno, logged.
 */
int probe_select(struct probe *p, const struct probe_select *sel);
/* A quiet process turned out to be an agent; what it starts is one, too.  0 or -errno. */
int probe_loud(struct probe *p, __u32 tgid, __u64 start);

/*
 * Takes away all that runs in others' way: no record is made any more, and no file gets probes.  What was
 * recorded and counted until then can still be polled and asked for, and is no more than fits the ring.
 */
void probe_detach(struct probe *p);

/*
 * Sets probes in a file that is about to run.  How many functions were hooked: 0 when it holds no TLS
 * functions or has its probes already; -errno when it cannot be read or a probe cannot be set.
 */
int probe_hook_file(struct probe *p, const char *path);

/*
 * Waits up to timeout_ms (0 not at all, -1 for ever) or until the ring fills, hands over what is
 * there, and sets probes in files that came into use.  Records handed over, or -errno: fn's own
 * when it stopped with a negative number.
 */
int probe_poll(struct probe *p, int timeout_ms, probe_record_fn fn, void *ctx);

/*
 * What was counted of system calls so far is told at the next poll; else it is about once a second, and
 * when a process ends.  0 or -errno, logged.
 */
int probe_tell_counts(struct probe *p);

/*
 * USAGE of each process as it is now, and THREADS of its threads, is told at the next poll, also of those
 * that wait, with what they wait for; else a process tells its own when it does something, and a thread
 * when it ends.  0 or -errno, logged.
 */
int probe_tell_usage(struct probe *p);

/* What a program took since it was loaded, as far as it was counted. */
struct probe_cost {
	const char *name;
	__u64 run_ns, runs;
};

typedef void (*probe_cost_fn)(void *ctx, const struct probe_cost *c);

/*
 * Has the kernel count what programs take, from now on; that costs each of their runs two looks at the
 * clock, some 60 ns.  0 or -errno, not logged: a kernel before 5.8 cannot.
 */
int probe_count_cost(struct probe *p);
/* Each program, those of one name too.  0 or -errno, logged. */
int probe_cost(const struct probe *p, probe_cost_fn fn, void *ctx);

/* Readable when the ring is filling or a new file needs probes; for a caller's own epoll. */
int probe_fd(const struct probe *p);

/* Sums over all CPUs; hdr is filled in too, so that it is a record. */
int probe_stats(struct probe *p, struct ev_stats *out);

/* The record LOSS: e.hdr.size says how many of the kinds are there. */
struct probe_loss {
	struct ev_loss e;
	struct ev_kind_counts kinds[EV_KERNEL_KINDS];
};

/* What the kernel side made, what was taken out of the ring, and what was lost why.  0 or -errno, logged. */
int probe_loss(struct probe *p, struct probe_loss *out);
/* Of what probe_loss() told. */
void probe_stats_of(const struct probe_loss *loss, struct ev_stats *out);

/* Says what of probe_cfg's funcs was in no file that came into use. */
void probe_tell_unmet(const struct probe *p);

struct probe_feature {
	const char *name;
	const char *use; /* what it is for */
	bool on;
	const char *reason; /* why it is off, or what was found */
	const char *remedy; /* what would turn it on; "" when it is */
};

typedef void (*probe_feature_fn)(void *ctx, const struct probe_feature *f);

/* Tries everything on this machine, also without root: then with the reasons.  0 or -errno. */
int probe_features(probe_feature_fn fn, void *ctx);

#endif
