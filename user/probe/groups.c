// SPDX-License-Identifier: BSD-2-Clause
/*
 * A process has its parent's control groups and is seldom moved but before an exec: so they are read
 * when a process is met and when it starts a program.  One that is gone by then keeps its parent's: its
 * id may be another one's.
 *
 * Facts are handed over later than the record that led to them, so what was told is learnt from the
 * records that pass, by the rules of the process table (proc.c): a child begins as its parent is then.
 */
#include "probe/groups.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/limits.h"
#include "probe/fact.h"

static struct map_key key_of(__u32 tgid, __u64 start)
{
	return (struct map_key){ tgid, start, 0 };
}

/* Never NULL: that is "nothing was told". */
static void *hash_of(struct sv text)
{
	return (void *)(uintptr_t)(hash64(text) | 1);
}

static void keep(struct groups *g, __u32 tgid, __u64 start, void *hash)
{
	if (!hash)
		return;
	if (g->told.cnt >= LIMIT_PROCS) /* ends were lost; what is told twice does no harm */
		map_fini(&g->told);
	map_put(&g->told, key_of(tgid, start), hash);
}

static struct sv read_groups(__u32 pid, char *text, size_t size)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < size && (n = read(fd, text + len, size - len)) > 0)
		len += n;
	return (struct sv){ text, len };
}

/* A process that is new to a reader has what its parent has. */
static void inherit(struct groups *g, __u32 tgid, __u64 start, __u32 parent, __u64 parent_start)
{
	if (!map_get(&g->told, key_of(tgid, start)))
		keep(g, tgid, start, map_get(&g->told, key_of(parent, parent_start)));
}

static void look(struct groups *g, const struct ev_hdr *rec, struct buf *facts)
{
	char text[EV_CGROUP_MAX + 1]; /* one byte more: a cut is seen */
	struct sv now = read_groups(rec->tgid, text, sizeof(text));
	void *hash = hash_of(sv_sub(now, 0, EV_CGROUP_MAX));

	if (now.n && map_get(&g->told, key_of(rec->tgid, rec->start)) != hash &&
	    is_alive(&g->alive, rec->tgid, rec->start))
		fact_cgroup(facts, rec->tgid, rec->start, now);
}

void groups_init(struct groups *g, struct alive alive)
{
	*g = (struct groups){ .alive = alive };
}

void groups_look(struct groups *g, const struct ev_hdr *rec, struct buf *facts)
{
	const struct ev_exec *e = (const void *)rec;
	const struct ev_fork *f = (const void *)rec;
	const struct ev_cgroup *c = (const void *)rec;

	switch (rec->kind) {
	case EV_FORK:
		inherit(g, f->child, f->child_start, rec->tgid, rec->start);
		break;
	case EV_EXEC:
	case EV_PROC:
		inherit(g, rec->tgid, rec->start, e->parent, e->parent_start);
		look(g, rec, facts);
		break;
	case EV_RUN:
		look(g, rec, facts);
		break;
	case EV_CGROUP:
		keep(g, rec->tgid, rec->start,
		     hash_of((struct sv){ (const char *)(c + 1), c->len }));
		break;
	case EV_EXIT:
		map_del(&g->told, key_of(rec->tgid, rec->start));
		break;
	default:
		break;
	}
}

void groups_fini(struct groups *g)
{
	map_fini(&g->told);
}
