/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A probe belongs to a file (inode), covers every process that maps it, and is set once.  The file is
 * held open from its check to its attach, so that what was checked is what gets the probe.
 */
#include "probe/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "probe/fact.h"
#include "probe/uprobe.h"

#define FILES_MAX 4096 /* remembered; over it, those without probes are looked at again */

struct file_entry {
	off_t size;
	struct timespec mtime;
	struct uprobe_links links; /* none: there is no TLS in it */
};

/* enter: the program of each role; tls_exit serves the returns of all but free. */
static const char *const enter_progs[TLS_ROLES] = {
	[TLS_READ] = "tls_read_enter",           [TLS_WRITE] = "tls_write_enter",
	[TLS_READ_EX] = "tls_read_ex_enter",     [TLS_WRITE_EX] = "tls_write_ex_enter",
	[TLS_WRITE_EX2] = "tls_write_ex2_enter", [TLS_FREE] = "tls_free_enter",
};

static const char exit_prog[] = "tls_exit";

_Static_assert((int)TLS_ROLES <= UPROBE_OFFSETS, "UPROBE_OFFSETS");

void files_init(struct files *fs, struct kern *kern, bool multi, struct buf *facts)
{
	*fs = (struct files){ .kern = kern, .multi = multi, .facts = facts };
}

static void entry_free(struct file_entry *e, struct detach *d)
{
	uprobe_links_fini(&e->links, d);
	free(e);
}

void files_fini(struct files *fs, struct detach *d)
{
	map_for_each (&fs->seen, m)
		entry_free(m->value, d);
	map_fini(&fs->seen);
}

static bool same_prog(const struct tls_site *a, const struct tls_site *b)
{
	return a->ret == b->ret && strcmp(a->prog, b->prog) == 0;
}

/* Runs of sites with the same program go in one attach. */
static int attach_sites(struct files *fs, int fd, const struct tls_hooks *hooks,
			struct uprobe_links *links)
{
	struct uprobe_spec spec = { .file = fd, .multi = fs->multi };
	int err = 0;

	for (size_t i = 0; !err && i < hooks->site_cnt; i++) {
		const struct tls_site *site = &hooks->sites[i];

		spec.offsets[spec.cnt++] = site->offset;
		if (spec.cnt < UPROBE_OFFSETS && i + 1 < hooks->site_cnt &&
		    same_prog(site, site + 1))
			continue;
		spec.ret = site->ret;
		err = uprobe_attach(links, kern_uprobe_fd(fs->kern, site->prog), &spec);
		spec.cnt = 0;
	}
	return err;
}

/* Returns first: a call whose return was not seen is dropped, one whose entry was not is not told. */
static int attach_all(struct files *fs, int fd, const struct tls_hooks *hooks,
		      struct uprobe_links *links)
{
	struct uprobe_spec spec = { .file = fd, .ret = true, .multi = fs->multi };
	int err = 0;

	for (int role = 0; role < TLS_ROLES; role++)
		if (role != TLS_FREE && hooks->offsets[role])
			spec.offsets[spec.cnt++] = hooks->offsets[role];
	if (spec.cnt)
		err = uprobe_attach(links, kern_uprobe_fd(fs->kern, exit_prog), &spec);
	for (int role = 0; !err && role < TLS_ROLES; role++) {
		if (!hooks->offsets[role])
			continue;
		spec.ret = false;
		spec.cnt = 1;
		spec.offsets[0] = hooks->offsets[role];
		err = uprobe_attach(links, kern_uprobe_fd(fs->kern, enter_progs[role]), &spec);
	}
	if (!err)
		err = attach_sites(fs, fd, hooks, links);
	if (err)
		uprobe_links_fini(links, NULL);
	return err;
}

static int hook_lib(struct files *fs, const struct tls_ops *lib, int fd, struct elf_file *elf,
		    const struct stat *st, struct uprobe_links *links)
{
	struct tls_hooks hooks = { 0 };
	char link[32], path[PATH_MAX];
	ssize_t n;
	int err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	err = lib->locate(elf, path, &hooks);
	if (err || !hooks.cnt)
		return err;
	err = attach_all(fs, fd, &hooks, links);
	if (err)
		return log_err(err, "cannot set probes in %s: %s; see `ringspan doctor`", path,
			       strerror(-err));
	log_debug("%d %s functions hooked in %s", hooks.cnt, lib->name, path);
	err = fact_hooked(fs->facts, path, st->st_dev, st->st_ino, lib->src, (__u32)hooks.cnt);
	return err ? err : hooks.cnt;
}

static int hook_elf(struct files *fs, int fd, const struct stat *st, struct uprobe_links *links)
{
	struct elf_file *elf = NULL;
	int hooked = 0, err = elf_file_new(&elf, fd);

	if (err)
		return err == -ENOEXEC ? 0 : err;
	for (size_t i = 0; i < tls_libs_cnt; i++) {
		int n = 0;

		if (!tls_libs[i]->stripped || (!hooked && !err))
			n = hook_lib(fs, tls_libs[i], fd, elf, st, links);
		if (n > 0)
			hooked += n;
		else if (n < 0)
			err = n;
	}
	elf_file_free(&elf);
	return hooked ? hooked : err;
}

/* Forgets files without probes; they cost a look each when they come again. */
static void forget_some(struct files *fs)
{
	map_for_each (&fs->seen, m) {
		struct file_entry *e = m->value;

		if (!e->links.cnt) {
			entry_free(e, NULL);
			map_del(&fs->seen, m->key);
		}
	}
}

static bool same_file(const struct file_entry *e, const struct stat *st)
{
	return e->size == st->st_size && e->mtime.tv_sec == st->st_mtim.tv_sec &&
	       e->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

static int files_hook_fd(struct files *fs, int fd)
{
	struct file_entry *e;
	struct map_key key;
	struct stat st;
	int n;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	key = (struct map_key){ st.st_dev, st.st_ino, 0 };
	e = map_get(&fs->seen, key);
	if (e && same_file(e, &st))
		return 0;
	if (e)
		entry_free(map_del(&fs->seen, key), NULL);
	if (fs->seen.cnt >= FILES_MAX)
		forget_some(fs);
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->size = st.st_size;
	e->mtime = st.st_mtim;
	n = hook_elf(fs, fd, &st, &e->links);
	if (map_put(&fs->seen, key, e)) {
		entry_free(e, NULL);
		return -ENOMEM;
	}
	return n;
}

int files_hook_path(struct files *fs, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : files_hook_fd(fs, fd);
}

/* Executable file mappings of a process; addr 0: all, else the one that holds it.  How many. */
static int hook_mappings(struct files *fs, __u32 pid, __u64 addr)
{
	char path[96], line[PATH_MAX + 128], perms[8];
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t start, end, ino;
	int cnt = 0;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %" SCNu64, &start, &end,
			   perms, &ino) != 4 ||
		    !ino || perms[2] != 'x' || (addr && (addr < start || addr >= end)))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, pid, start,
			 end);
		files_hook_path(fs, path);
		cnt++;
	}
	return cnt;
}

static void hook_exe(struct files *fs, __u32 pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	files_hook_path(fs, path);
}

void files_hook_process(struct files *fs, __u32 pid)
{
	hook_exe(fs, pid);
	hook_mappings(fs, pid, 0);
}

void files_hook_mapping(struct files *fs, __u32 pid, __u64 addr)
{
	if (!addr || !hook_mappings(fs, pid, addr))
		hook_exe(fs, pid);
}

void files_hook_known(struct files *fs)
{
	for (size_t i = 0; i < tls_libs_cnt; i++) {
		for (const char *const *pat = tls_libs[i]->globs; *pat; pat++) {
			glob_t g = { 0 };

			if (glob(*pat, GLOB_NOSORT, NULL, &g) == 0)
				for (size_t n = 0; n < g.gl_pathc; n++)
					files_hook_path(fs, g.gl_pathv[n]);
			globfree(&g);
		}
	}
}
