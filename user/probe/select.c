// SPDX-License-Identifier: BSD-2-Clause
/* Which processes are wanted: see select.h. */
#include "probe/select.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

struct cgroup {
	char *path; /* below its hierarchy's root, as /proc/PID/cgroup has it */
	__u64 id;   /* 0: in a v1 hierarchy */
};

struct selection {
	struct glob comm;
	char *exe;
	struct cgroup cgroups[PROBE_CGROUPS_MAX];
	size_t cgroup_cnt;
	bool v1; /* one of the cgroups is in a v1 hierarchy */
	bool quiet;
};

int glob_compile(struct glob *g, const char *pattern)
{
	*g = (struct glob){ .set = 1 };
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			g->stays |= 1u << g->cnt;
			continue;
		}
		if (g->cnt >= GLOB_LEN - 1)
			return -EINVAL;
		if (*pattern == '?')
			g->any |= 1u << g->cnt;
		g->ch[g->cnt++] = (__u8)*pattern;
	}
	return 0;
}

/* How long the path of the mount is that holds the folder. */
static size_t mount_len(const char *dir, dev_t dev)
{
	char path[PATH_MAX];
	size_t len = strlen(dir);
	struct stat st;

	snprintf(path, sizeof(path), "%s", dir);
	for (;;) {
		const char *slash = memrchr(path, '/', len);
		size_t up = slash ? (size_t)(slash - path) : 0;

		path[up] = '\0';
		if (!up || stat(path, &st) || st.st_dev != dev)
			return len;
		len = up;
	}
}

static int add_cgroup(struct selection *s, const char *dir)
{
	_cleanup_free_ char *real = realpath(dir, NULL);
	struct cgroup *c = &s->cgroups[s->cgroup_cnt];
	struct statfs fs;
	struct stat st;
	const char *rel;

	if (!real || statfs(real, &fs) || stat(real, &st))
		return log_err(-errno, "cgroup %s: %s", dir, strerror(errno));
	if (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC)
		return log_err(-EINVAL, "%s is no cgroup; they are in /sys/fs/cgroup", dir);
	rel = real + mount_len(real, st.st_dev);
	c->path = strdup(*rel ? rel : "/");
	if (!c->path)
		return -ENOMEM;
	/* the inode number is the id: kernfs_node.id, include/linux/kernfs.h */
	c->id = fs.f_type == CGROUP2_SUPER_MAGIC ? st.st_ino : 0;
	s->v1 |= !c->id;
	s->cgroup_cnt++;
	return 0;
}

static int fill(struct selection *s, const struct probe_select *sel)
{
	s->quiet = sel->quiet;
	if (sel->comm && glob_compile(&s->comm, sel->comm))
		return log_err(-EINVAL, "%s: the kernel keeps %d characters of a name", sel->comm,
			       EV_COMM_LEN - 1);
	if (sel->exe) {
		s->exe = strdup(sel->exe);
		if (!s->exe)
			return -ENOMEM;
	}
	if (sel->cgroup_cnt > PROBE_CGROUPS_MAX)
		return log_err(-E2BIG, "more than %d cgroups", PROBE_CGROUPS_MAX);
	for (size_t i = 0; i < sel->cgroup_cnt; i++) {
		int err = add_cgroup(s, sel->cgroups[i]);

		if (err)
			return err;
	}
	return 0;
}

int selection_new(struct selection **out, const struct probe_select *sel)
{
	struct selection *s = calloc(1, sizeof(*s));
	int err = s ? fill(s, sel) : -ENOMEM;

	if (err) {
		selection_free(&s);
		return err;
	}
	*out = s;
	return 0;
}

void selection_free(struct selection **sp)
{
	struct selection *s = *sp;

	if (!s)
		return;
	for (size_t i = 0; i < s->cgroup_cnt; i++)
		free(s->cgroups[i].path);
	free(s->exe);
	free(s);
	*sp = NULL;
}

void selection_watch(const struct selection *s, struct watch_state *out)
{
	_Static_assert(PROBE_CGROUPS_MAX <= WATCH_CGROUPS, "all of them fit");

	*out = (struct watch_state){ .on = 1, .quiet = s->quiet, .comm = s->comm };
	out->ask = s->exe || s->v1;
	for (size_t i = 0; i < s->cgroup_cnt && !s->v1; i++)
		out->cgroups[out->cgroup_cnt++] = s->cgroups[i].id;
}

bool selection_is_quiet(const struct selection *s)
{
	return s->quiet;
}

/* --- what user space decides */

static bool is_below(struct sv path, const char *top)
{
	size_t n = strlen(top);

	return strcmp(top, "/") == 0 || (sv_starts(path, top) && (path.n == n || path.p[n] == '/'));
}

/* A line of /proc/PID/cgroup: hierarchy:controllers:path, cgroups(7); hierarchy 0 is the unified one. */
static bool line_is_wanted(const struct selection *s, struct sv line)
{
	bool unified = sv_is(sv_token(&line, ':'), "0");

	sv_token(&line, ':');
	for (size_t i = 0; i < s->cgroup_cnt; i++)
		if (unified == (s->cgroups[i].id != 0) && is_below(line, s->cgroups[i].path))
			return true;
	return false;
}

static bool cgroup_is_wanted(const struct selection *s, __u32 tgid)
{
	char path[64], line[PATH_MAX + 64];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", tgid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line_is_wanted(s, sv(line)))
			return true;
	}
	return false;
}

bool selection_wants(const struct selection *s, __u32 tgid, const char comm[EV_COMM_LEN])
{
	char link[64], exe[PATH_MAX];
	ssize_t n;

	if (!glob_match(&s->comm, comm))
		return false;
	snprintf(link, sizeof(link), "/proc/%u/exe", tgid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0)
		return false;
	exe[n] = '\0';
	return (!s->exe || !fnmatch(s->exe, exe, 0)) &&
	       (!s->cgroup_cnt || cgroup_is_wanted(s, tgid));
}
