// SPDX-License-Identifier: BSD-2-Clause
/*
 * The control groups of a container: see container.h.  Container managers put the id into a folder's
 * name; on hosts with v1 hierarchies there is one such folder in each, and one is enough.
 */
#include "cli/container.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include "base/log.h"
#include "proc/cgroup.h"

#define ROOT "/sys/fs/cgroup"

struct search {
	struct sv id; /* what was asked for */
	struct containers *out;
	char found[CGROUP_CONTAINER_LEN + 1]; /* the whole id of the first */
	char other[CGROUP_CONTAINER_LEN + 1]; /* that of another one; "" for none */
	bool unified;                         /* what was found is in the unified hierarchy */
};

static bool in_unified(const char *dir)
{
	struct statfs fs;

	return !statfs(dir, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The folder is a container's own: what lies above it is not in one, or in another one. */
static bool is_top(const char *dir, struct sv container)
{
	const char *slash = strrchr(dir, '/');
	struct cgroup_names up;

	cgroup_parse((struct sv){ dir, slash ? (size_t)(slash - dir) : 0 }, &up);
	return !sv_eq(up.container, container);
}

static void keep(struct search *s, const char *dir)
{
	bool unified = in_unified(dir);

	if (s->out->cnt && unified == s->unified && !unified)
		return; /* the same in another v1 hierarchy */
	if (s->out->cnt && unified != s->unified) {
		if (!unified)
			return;
		containers_fini(s->out);
	}
	s->unified = unified;
	if (s->out->cnt < CONTAINER_DIRS_MAX)
		s->out->dirs[s->out->cnt++] = strdup(dir);
}

static void look_at(struct search *s, const char *dir)
{
	struct cgroup_names names;

	cgroup_parse(sv(dir + strlen(ROOT)), &names);
	if (names.container.n != CGROUP_CONTAINER_LEN ||
	    !sv_eq(sv_sub(names.container, 0, s->id.n), s->id) ||
	    !is_top(dir + strlen(ROOT), names.container))
		return;
	if (!s->found[0])
		memcpy(s->found, names.container.p, CGROUP_CONTAINER_LEN);
	if (sv_is(names.container, s->found))
		keep(s, dir);
	else
		memcpy(s->other, names.container.p, CGROUP_CONTAINER_LEN);
}

static int walk(struct search *s)
{
	char *const roots[] = { (char[]){ ROOT }, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	if (!fts)
		return log_err(-errno, ROOT ": %s", strerror(errno));
	while ((e = fts_read(fts)))
		if (e->fts_info == FTS_D)
			look_at(s, e->fts_path);
	fts_close(fts);
	return 0;
}

int containers_find(struct containers *out, const char *id)
{
	struct search s = { .id = sv(id), .out = out };
	int err;

	*out = (struct containers){ .cnt = 0 };
	if (!*id || strspn(id, "0123456789abcdef") != strlen(id) ||
	    strlen(id) > CGROUP_CONTAINER_LEN)
		return log_err(-EINVAL, "--container %s: want the first digits of a container's id",
			       id);
	err = walk(&s);
	if (err)
		return err;
	if (s.other[0]) {
		containers_fini(out);
		return log_err(-EINVAL, "--container %s: more than one begins so: %.12s, %.12s", id,
			       s.found, s.other);
	}
	if (!out->cnt)
		return log_err(-ESRCH, "no container %s runs here", id);
	return 0;
}

void containers_fini(struct containers *c)
{
	while (c->cnt)
		free(c->dirs[--c->cnt]);
}
