/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is (tgid, start time): the tree of followed processes, with what each ran and how it ended.
 * A process is remembered until it has ended and none of its children is followed any more.
 */
#ifndef RINGSPAN_PROC_H
#define RINGSPAN_PROC_H

#include "event/event.h"
#include "proc/cgroup.h"

struct proc {
	uint32_t tgid;
	uint64_t start;      /* ns, CLOCK_MONOTONIC; with tgid a name for ever */
	struct proc *parent; /* NULL when the parent is not followed */
	struct proc *children, *prev_sibling, *next_sibling;
	uint32_t parent_tgid;
	uint32_t uid;
	uint64_t ts_first; /* when it was forked, or first heard of */
	uint64_t ts_exec;  /* when it last started a program; 0 never */
	uint64_t ts_exit;  /* 0: runs */
	unsigned int execs;
	bool existed; /* was running before it was watched */
	char *path;   /* of its program; its parent's until it starts one; may be NULL */
	char *args;   /* argv, NUL-separated */
	size_t args_len;
	uint32_t args_missing;                    /* bytes of argv that were not kept */
	struct ev_exit exit;                      /* valid when ts_exit */
	char container[CGROUP_CONTAINER_LEN + 1]; /* id; "": in none that is known */
	char pod[CGROUP_POD_SIZE];                /* Kubernetes' uid; "": likewise */
	void *user;                               /* the owner's; given back by proc_ops.gone */
};

struct proc_ops {
	void (*born)(void *ctx, struct proc *p);
	/* The fork of one that was born without a parent is told now: it has one, and its parent's program. */
	void (*adopted)(void *ctx, struct proc *p);
	void (*exec)(void *ctx,
		     struct proc *p); /* path and args are the new ones; old ones are gone */
	void (*exit)(void *ctx, struct proc *p);
	void (*gone)(void *ctx, struct proc *p); /* forgets it: free what user holds */
};

struct proc_table;

int proc_table_new(struct proc_table **out, const struct proc_ops *ops, void *ctx);
void proc_table_free(struct proc_table **t); /* calls gone() for all */

/*
 * Takes in FORK, EXEC, PROC, CGROUP and EXIT; other kinds only make sure that the record's process is known.
 * The process that the record's header names, or NULL when out of memory, it names none, or that has ended and
 * is forgotten.
 */
struct proc *proc_feed(struct proc_table *t, const struct ev_hdr *rec);
struct proc *proc_find(const struct proc_table *t, uint32_t tgid, uint64_t start);

typedef void (*proc_fn)(void *ctx, struct proc *p);
void proc_each(const struct proc_table *t, proc_fn fn, void *ctx); /* in order of birth */

/* Basename of the program, "?" when it is not known. */
struct sv proc_exe_name(const struct proc *p);

#endif
