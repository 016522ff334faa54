// SPDX-License-Identifier: BSD-2-Clause
/* The process tree: see proc.h.  Bounded by LIMIT_PROCS; the oldest ended process goes first. */
#include "proc/proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/map.h"

#define OVER_SLOTS 4096 /* what comes late comes within the second */

struct proc_table {
	struct map procs; /* (tgid, start) -> struct proc */
	size_t ended;     /* that are kept for their children */
	/*
	 * Those that ended last, by tgid.  What comes late, of one of them or one before it with its tgid, but
	 * for a fork or an exec, makes no process of it again: that one would never end.
	 */
	struct over {
		uint32_t tgid;
		uint64_t start;
	} over[OVER_SLOTS];
	const struct proc_ops *ops;
	void *ctx;
};

int proc_table_new(struct proc_table **out, const struct proc_ops *ops, void *ctx)
{
	struct proc_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->ops = ops;
	t->ctx = ctx;
	*out = t;
	return 0;
}

static struct map_key key_of(uint32_t tgid, uint64_t start)
{
	return (struct map_key){ tgid, start, 0 };
}

static void forget(struct proc_table *t, struct proc *p)
{
	map_del(&t->procs, key_of(p->tgid, p->start));
	t->ended -= p->ts_exit != 0;
	t->ops->gone(t->ctx, p);
	free(p->path);
	free(p->args);
	free(p);
}

void proc_table_free(struct proc_table **t)
{
	if (!*t)
		return;
	map_for_each (&(*t)->procs, e)
		forget(*t, e->value);
	map_fini(&(*t)->procs);
	free(*t);
	*t = NULL;
}

static void enter_parent(struct proc *p, struct proc *parent)
{
	p->parent = parent;
	p->next_sibling = parent->children;
	if (p->next_sibling)
		p->next_sibling->prev_sibling = p;
	parent->children = p;
}

static void leave_parent(struct proc *p)
{
	if (!p->parent)
		return;
	*(p->prev_sibling ? &p->prev_sibling->next_sibling : &p->parent->children) =
		p->next_sibling;
	if (p->next_sibling)
		p->next_sibling->prev_sibling = p->prev_sibling;
	p->parent = p->prev_sibling = p->next_sibling = NULL;
}

/* An ended process without followed children is of no more use, nor may its parent be then. */
static void reap(struct proc_table *t, struct proc *p)
{
	while (p && p->ts_exit && !p->children) {
		struct proc *parent = p->parent;

		leave_parent(p);
		forget(t, p);
		p = parent;
	}
}

static void unlink_children(struct proc *p)
{
	while (p->children)
		leave_parent(p->children);
}

/* Over the bound: the longest known makes room, ended ones first, the new one's parent never. */
static void make_room(struct proc_table *t, const struct proc *keep)
{
	struct proc *victim = NULL;

	map_for_each (&t->procs, e) {
		struct proc *p = e->value;

		if (p == keep)
			continue;
		if (!victim || p->ts_exit)
			victim = p;
		if (p->ts_exit || !t->ended)
			break;
	}
	if (!victim)
		return;
	unlink_children(victim);
	leave_parent(victim);
	forget(t, victim);
}

struct proc *proc_find(const struct proc_table *t, uint32_t tgid, uint64_t start)
{
	return map_get(&t->procs, key_of(tgid, start));
}

/* What a fork copies. */
static void inherit(struct proc *p, const struct proc *parent)
{
	p->parent_tgid = parent->tgid;
	p->uid = parent->uid;
	memcpy(p->container, parent->container, sizeof(p->container));
	memcpy(p->pod, parent->pod, sizeof(p->pod));
	p->path = parent->path ? strdup(parent->path) : NULL;
	p->args = parent->args_len ? malloc(parent->args_len) : NULL;
	if (p->args) {
		memcpy(p->args, parent->args, parent->args_len);
		p->args_len = parent->args_len;
		p->args_missing = parent->args_missing;
	}
}

static struct proc *add(struct proc_table *t, uint32_t tgid, uint64_t start, uint64_t ts,
			struct proc *parent)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tgid = tgid;
	p->start = start;
	p->ts_first = ts;
	if (map_put(&t->procs, key_of(tgid, start), p)) {
		free(p);
		return NULL;
	}
	if (parent) {
		enter_parent(p, parent);
		inherit(p, parent);
	}
	t->ops->born(t->ctx, p);
	return p;
}

static bool is_over(const struct proc_table *t, uint32_t tgid, uint64_t start)
{
	const struct over *o = &t->over[tgid % OVER_SLOTS];

	return tgid && o->tgid == tgid && o->start >= start;
}

static void note_over(struct proc_table *t, uint32_t tgid, uint64_t start)
{
	if (!is_over(t, tgid, start))
		t->over[tgid % OVER_SLOTS] = (struct over){ tgid, start };
}

static struct proc *get(struct proc_table *t, uint32_t tgid, uint64_t start, uint64_t ts,
			struct proc *parent)
{
	struct proc *p = proc_find(t, tgid, start);

	if (p || !tgid)
		return p;
	if (t->procs.cnt >= LIMIT_PROCS)
		make_room(t, parent);
	return add(t, tgid, start, ts, parent);
}

/*
 * The kernel enters a child before it sends its fork, and what is read of all that are entered does not pass
 * through the ring: the child may be known already, but has done nothing that is told.
 */
static void feed_fork(struct proc_table *t, struct proc *parent, const struct ev_fork *f)
{
	struct proc *p = proc_find(t, f->child, f->child_start);

	if (!p) {
		get(t, f->child, f->child_start, f->hdr.ts, parent);
	} else if (p != parent && !p->parent_tgid && !p->children && !p->execs && !p->existed) {
		p->ts_first = f->hdr.ts;
		enter_parent(p, parent);
		inherit(p, parent);
		t->ops->adopted(t->ctx, p);
	}
}

static void set_program(struct proc *p, const struct ev_exec *e)
{
	struct sv path = event_exec_path(e), args = event_exec_args(e);

	free(p->path);
	free(p->args);
	p->path = path.n ? strndup(path.p, path.n) : NULL;
	p->args = args.n ? malloc(args.n) : NULL;
	p->args_len = p->args ? args.n : 0;
	if (p->args)
		memcpy(p->args, args.p, args.n);
	p->args_missing = e->args_total > args.n ? e->args_total - args.n : 0;
	p->uid = e->uid;
	if (!p->parent) /* else who started it, whoever it has become the child of since */
		p->parent_tgid = e->parent;
}

/* A program was started or found; its parent is known by name even if its fork was not seen. */
static struct proc *feed_exec(struct proc_table *t, const struct ev_exec *e)
{
	struct proc *parent = proc_find(t, e->parent, e->parent_start);
	struct proc *p = get(t, e->hdr.tgid, e->hdr.start, e->hdr.ts, parent);

	if (!p)
		return NULL;
	set_program(p, e);
	if (e->hdr.kind == EV_PROC) {
		p->existed = true;
	} else {
		p->ts_exec = e->hdr.ts;
		p->execs++;
	}
	t->ops->exec(t->ctx, p);
	return p;
}

/* Told late: of a process that is forgotten already it makes no new one. */
static struct proc *feed_cgroup(struct proc_table *t, const struct ev_cgroup *e)
{
	struct proc *p = proc_find(t, e->hdr.tgid, e->hdr.start);
	struct cgroup_names names;

	if (!p)
		return NULL;
	cgroup_parse(cgroup_path(event_payload(&e->hdr)), &names);
	snprintf(p->container, sizeof(p->container), SV_FMT, SV_ARG(names.container));
	memcpy(p->pod, names.pod, sizeof(p->pod));
	return p;
}

struct proc *proc_feed(struct proc_table *t, const struct ev_hdr *rec)
{
	struct proc *p;

	if (rec->kind == EV_EXEC || rec->kind == EV_PROC)
		return feed_exec(t, (const void *)rec);
	if (rec->kind == EV_CGROUP)
		return feed_cgroup(t, (const void *)rec);
	p = is_over(t, rec->tgid, rec->start) ? proc_find(t, rec->tgid, rec->start)
					      : get(t, rec->tgid, rec->start, rec->ts, NULL);
	if (!p)
		return NULL;
	if (rec->kind == EV_FORK) {
		feed_fork(t, p, (const void *)rec);
	} else if (rec->kind == EV_EXIT && !p->ts_exit) {
		p->ts_exit = rec->ts;
		t->ended += p->ts_exit != 0;
		note_over(t, p->tgid, p->start);
		memcpy(&p->exit, rec, sizeof(p->exit));
		t->ops->exit(t->ctx, p);
		reap(t, p);
		return NULL; /* may be gone */
	}
	return p;
}

void proc_each(const struct proc_table *t, proc_fn fn, void *ctx)
{
	map_for_each (&t->procs, e)
		fn(ctx, e->value);
}

struct sv proc_exe_name(const struct proc *p)
{
	const char *slash = p->path ? strrchr(p->path, '/') : NULL;

	if (!p->path || !*p->path)
		return SV("?");
	return sv(slash && slash[1] ? slash + 1 : p->path);
}
