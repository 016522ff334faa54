/* SPDX-License-Identifier: BSD-2-Clause */
/* The loaded BPF object: the only file behind this header that knows the skeleton is kern.c. */
#ifndef RINGSPAN_PROBE_KERN_H
#define RINGSPAN_PROBE_KERN_H

#include <linux/types.h>
#include "base/buf.h"
#include "probe/fact.h"
#include "probe/feature.h"
#include "state.bpf.h"

struct bpf_program;
struct detach;
struct kern;

/* Loads what the features allow and attaches the tracepoints. */
int kern_new(struct kern **out, const struct probe_cfg *cfg, const struct features *f);
/* Takes the tracepoints away, with d (detach.h) side by side with others. */
void kern_detach(struct kern *k, struct detach *d);
void kern_free(struct kern **k);

int kern_ring_fd(const struct kern *k);
size_t kern_ring_bytes(const struct kern *k);
/* A uprobe program by its name without suffix, or -ENOENT. */
int kern_uprobe_fd(const struct kern *k, const char *name);

/* A program by its name without suffix, or NULL. */
struct bpf_program *kern_program(const struct kern *k, const char *name);
/* What the kernel is to know of a function that the user named (bpf/func.bpf.c). */
int kern_put_func(struct kern *k, __u32 id, const struct func_probe *row);

/* The table of traced processes; kern_trace() is 1, and does nothing, when the process is in it. */
int kern_trace(struct kern *k, __u32 tgid, const struct proc_state *state);
void kern_untrace(struct kern *k, __u32 tgid, __u64 start);
/* Which processes are taken when they start a program, from now on. */
int kern_watch(struct kern *k, const struct watch_state *watch);
/* A quiet process of the table is an agent: all of its content is copied from now on. */
int kern_loud(struct kern *k, __u32 tgid, __u64 start);

/* All processes of the machine, to be freed by the caller. */
int kern_rows(struct kern *k, struct proc_row **rows, size_t *cnt);
/* The file that the kernel maps at that address of ours; -EOPNOTSUPP when it does not tell. */
int kern_mapped_file(struct kern *k, const void *addr, struct file_key *file);
/* Forgets the TLS objects and flows of processes that are not traced any more. */
void kern_sweep_conns(struct kern *k);
/* Whether that program is what runs in the process now. */
bool kern_runs_program(struct kern *k, __u32 tgid, const struct life *life);
bool kern_is_traced(const struct kern *k, __u32 tgid, __u64 start);
/* The same, of a process that was there when it came into the table. */
struct alive kern_alive(const struct kern *k);

/* The maps of bpf/calls.bpf.h: descriptors, and the rows of call_table. */
struct kern_calls {
	int uses, rows, errnos, index, free;
	struct call_row *table;
	__u32 max; /* processes in them */
};

/*
 * The threads of traced processes that have several, as records without kind, size and time; *rows is the
 * caller's to free.  0 or -errno.
 */
int kern_threads(const struct kern *k, struct ev_threads **rows, size_t *cnt);
/*
 * Adds the calls of functions that the user named and that go on, one behind the other, hdr.size bytes each:
 * records without kind and time.  0 or -errno.
 */
int kern_open_calls(const struct kern *k, struct buf *rows);
int kern_usages(const struct kern *k, __u32 *max); /* descriptor and size of that map */
/* Programs that are loaded, in order, until fn gives another number than 0: that. */
int kern_programs(const struct kern *k, int (*fn)(void *ctx, const char *name, int fd), void *ctx);
void kern_calls(const struct kern *k, struct kern_calls *out);
int kern_stats(struct kern *k, struct cpu_stats *sum);

#endif
