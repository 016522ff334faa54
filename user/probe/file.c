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
#include <sys/mman.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "event/event.h"
#include "probe/fact.h"
#include "probe/uprobe.h"

#define FILES_MAX 4096 /* names remembered; over it, all are looked at again */

struct file_state {
	off_t size;
	struct timespec mtime;
};

/* What was looked at, by one of its names: overlays have numbers of their own. */
struct file_entry {
	struct file_state state;
	struct timespec ctime;
	struct map_key real; /* in files.hooked, if it has probes */
	char *path;          /* may be NULL */
	unsigned char build_id[EV_BUILD_ID];
	bool has_build_id;
};

struct hooked_file {
	struct file_state state;
	struct uprobe_links links;
};

/* Without a cache everything works, and takes longer. */
static void open_cache(struct files *fs)
{
	_cleanup_buf_ struct buf folder = BUF_INIT;
	int err = cache_default_folder(&folder);

	if (!err)
		err = cache_new(&fs->cache, buf_cstr(&folder));
	if (err)
		log_debug("what is located is not kept: %s: %s", buf_cstr(&folder), strerror(-err));
}

void files_init(struct files *fs, struct kern *kern, struct buf *facts, struct files_how how)
{
	*fs = (struct files){ .kern = kern, .how = how, .facts = facts };
	open_cache(fs);
}

static void unhook(struct hooked_file *h, struct detach *d)
{
	uprobe_links_fini(&h->links, d);
	free(h);
}

static void forget_seen(struct files *fs)
{
	map_for_each (&fs->seen, m) {
		free(((struct file_entry *)m->value)->path);
		free(m->value);
	}
	map_fini(&fs->seen);
}

void files_detach(struct files *fs, struct detach *d)
{
	map_for_each (&fs->hooked, m)
		unhook(m->value, d);
	map_fini(&fs->hooked);
}

void files_fini(struct files *fs, struct detach *d)
{
	files_detach(fs, d);
	forget_seen(fs);
	map_fini(&fs->pass);
	cache_free(&fs->cache);
}

/* Probes that follow each other and have the same program go in one attach. */
struct batch {
	struct files *fs;
	struct uprobe_links *links;
	struct uprobe_spec spec;
	const char *prog;
	int err; /* the first; then nothing is attached any more */
};

static void batch_flush(struct batch *b)
{
	if (b->spec.cnt && !b->err)
		b->err = uprobe_attach(b->links, kern_uprobe_fd(b->fs->kern, b->prog), &b->spec);
	b->spec.cnt = 0;
}

static void batch_add(struct batch *b, const char *prog, bool ret, __u64 offset, __u64 cookie)
{
	if (b->spec.cnt == UPROBE_OFFSETS || b->spec.ret != ret || b->prog != prog)
		batch_flush(b);
	b->prog = prog;
	b->spec.ret = ret;
	b->spec.cookies[b->spec.cnt] = cookie;
	b->spec.offsets[b->spec.cnt++] = offset;
}

static void add_exits(struct batch *b, const struct tls_func *func)
{
	const char *prog = tls_exit_prog(func->role);
	const struct site_plan *plan = &func->plan;
	__u64 base = tls_func_base(func);

	for (size_t i = 0; prog && i < plan->exit_cnt; i++)
		batch_add(b, prog, false, base + plan->exits[i].at, plan->exits[i].depth);
	if (prog && !plan->exit_cnt)
		batch_add(b, prog, true, base + plan->entry.at, (__u64)RETURN_DEPTH);
}

static void add_entry(struct batch *b, const struct tls_func *func)
{
	const char *prog = tls_enter_prog(func->role);
	const struct site_at *at = &func->plan.entry;

	if (prog)
		batch_add(b, prog, false, tls_func_base(func) + at->at, at->depth);
}

/* Exits first: a call whose exit was not seen is dropped, one whose entry was not is not told. */
static int attach_all(struct files *fs, int fd, const struct tls_hooks *hooks,
		      struct uprobe_links *links)
{
	struct batch b = { .fs = fs, .links = links };

	b.spec = (struct uprobe_spec){ .file = fd, .multi = fs->how.multi };
	b.spec.with_cookies = fs->how.cookies;
	for (size_t i = 0; i < hooks->func_cnt; i++)
		if (!hooks->funcs[i].covered)
			add_exits(&b, &hooks->funcs[i]);
	for (size_t i = 0; i < hooks->func_cnt; i++)
		if (!hooks->funcs[i].covered)
			add_entry(&b, &hooks->funcs[i]);
	for (size_t i = 0; i < hooks->site_cnt; i++) {
		const struct tls_site *s = &hooks->sites[i];

		batch_add(&b, s->prog, s->ret, s->offset + s->cheap, 0);
	}
	batch_flush(&b);
	if (b.err)
		uprobe_links_fini(links, NULL);
	return b.err;
}

/* Probes of one library that was located; how many functions, or -errno. */
static int hook_lib(struct files *fs, struct located_lib *l, int fd, const char *path,
		    const struct stat *st, struct uprobe_links *links)
{
	char summary[160];
	int err;

	if (l->hooks.doubt[0]) {
		log_warn("%s: %s: no probe set in it", path, l->hooks.doubt);
		return -EINVAL;
	}
	tls_limit_sites(&l->hooks, fs->how.cookies, fs->how.plain);
	err = attach_all(fs, fd, &l->hooks, links);
	if (err)
		return log_err(err, "cannot set probes in %s: %s; see `ringspan doctor`", path,
			       strerror(-err));
	tls_summary(&l->hooks, summary, sizeof(summary));
	log_debug("%d %s functions hooked in %s: %s", l->hooks.cnt, l->lib->name, path, summary);
	err = fact_hooked(fs->facts, path, st->st_dev, st->st_ino, l->lib->src,
			  (__u32)l->hooks.cnt);
	return err ? err : l->hooks.cnt;
}

static void path_of(int fd, char path[PATH_MAX])
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = '\0';
}

static int locate_fd(struct files *fs, int fd, struct located *found)
{
	struct elf_file *elf = NULL;
	int err = elf_file_new(&elf, fd);

	found->cnt = 0;
	if (err)
		return err == -ENOEXEC ? 0 : err;
	err = cache_locate(fs->cache, elf, found);
	elf_file_free(&elf);
	return err;
}

static int hook_elf(struct files *fs, int fd, const struct stat *st, struct uprobe_links *links)
{
	struct located *found = malloc(sizeof(*found));
	int hooked = 0, n, err = found ? locate_fd(fs, fd, found) : -ENOMEM;
	char path[PATH_MAX];

	path_of(fd, path);
	for (size_t i = 0; found && i < found->cnt; i++) {
		n = hook_lib(fs, &found->libs[i], fd, path, st, links);
		if (n > 0)
			hooked += n;
		else
			err = n;
	}
	free(found);
	n = funcs_hook(fs->how.funcs, fd, path, links);
	if (n > 0)
		hooked += n;
	else if (n < 0)
		err = n;
	return hooked || err > 0 ? hooked : err;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct file_state *f, const struct stat *st)
{
	return f->size == st->st_size && same_time(&f->mtime, &st->st_mtim);
}

/*
 * The inode that probes go to.  Overlays have numbers of their own, so that a layer which containers
 * share has many; only the kernel says what is below, and of what is mapped.
 */
static struct map_key real_file(struct files *fs, int fd, const struct stat *st)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct file_key key = { st->st_dev, st->st_ino };
	void *p = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p != MAP_FAILED) {
		kern_mapped_file(fs->kern, p, &key);
		munmap(p, page);
	}
	return (struct map_key){ key.dev, key.ino, 0 };
}

/* Sets probes unless the file has them by another name.  As files_hook_path(). */
static int hook_real(struct files *fs, int fd, const struct stat *st, struct map_key real)
{
	struct hooked_file *h = map_get(&fs->hooked, real);
	int n;

	if (h && same_file(&h->state, st))
		return 0;
	if (h)
		unhook(map_del(&fs->hooked, real), NULL);
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->state = (struct file_state){ st->st_size, st->st_mtim };
	n = hook_elf(fs, fd, st, &h->links);
	if (n > 0 && !map_put(&fs->hooked, real, h))
		return n;
	unhook(h, NULL);
	return n > 0 ? -ENOMEM : n;
}

/* By what the kernel may call it later: see files_open_build(). */
static void name_file(struct file_entry *e, int fd)
{
	unsigned char id[ELF_BUILD_ID_MAX];
	struct elf_file *elf = NULL;
	char path[PATH_MAX];
	size_t n;

	path_of(fd, path);
	e->path = strdup(path);
	e->has_build_id = false;
	if (elf_file_new(&elf, fd))
		return;
	n = elf_build_id(elf, id);
	elf_file_free(&elf);
	if (!n || n > EV_BUILD_ID) /* the kernel tells no longer ones */
		return;
	memset(e->build_id, 0, sizeof(e->build_id));
	memcpy(e->build_id, id, n);
	e->has_build_id = true;
}

static int files_hook_fd(struct files *fs, int fd)
{
	struct file_entry *e, was;
	struct map_key key;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	key = (struct map_key){ st.st_dev, st.st_ino, 0 };
	e = map_get(&fs->seen, key);
	if (e && same_file(&e->state, &st) && same_time(&e->ctime, &st.st_ctim))
		return 0;
	if (!e) {
		if (fs->seen.cnt >= FILES_MAX)
			forget_seen(fs);
		e = calloc(1, sizeof(*e));
		if (!e || map_put(&fs->seen, key, e)) {
			free(e);
			return -ENOMEM;
		}
	}
	was = *e;
	free(was.path);
	name_file(e, fd);
	e->state = (struct file_state){ st.st_size, st.st_mtim };
	e->ctime = st.st_ctim;
	e->real = real_file(fs, fd, &st);
	/* of what an overlay copies up nothing but the time of change tells; else that says little */
	if (same_file(&was.state, &st) && memcmp(&was.real, &e->real, sizeof(was.real)) == 0)
		return 0;
	return hook_real(fs, fd, &st, e->real);
}

int files_hook_path(struct files *fs, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : files_hook_fd(fs, fd);
}

void files_begin_pass(struct files *fs)
{
	map_fini(&fs->pass);
	fs->pass = (struct map){ 0 };
}

/* In this pass; when it cannot be remembered the file is looked at again. */
static bool is_first(struct files *fs, __u64 dev, __u64 ino)
{
	struct map_key key = { dev, ino, 0 };

	if (map_get(&fs->pass, key))
		return false;
	map_put(&fs->pass, key, fs);
	return true;
}

/* Executable file mappings of a process; addr 0: all, else the one that holds it.  How many. */
static int hook_mappings(struct files *fs, __u32 pid, __u64 addr)
{
	char path[96], line[PATH_MAX + 128], perms[8];
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t start, end, ino, dev_major, dev_minor;
	int cnt = 0;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %" SCNx64 ":%" SCNx64 " %" SCNu64,
			   &start, &end, perms, &dev_major, &dev_minor, &ino) != 6 ||
		    !ino || perms[2] != 'x' || (addr && (addr < start || addr >= end)))
			continue;
		cnt++;
		if (!addr && !is_first(fs, dev_major << 32 | dev_minor, ino))
			continue;
		snprintf(path, sizeof(path), "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, pid, start,
			 end);
		files_hook_path(fs, path);
	}
	return cnt;
}

static int hook_exe(struct files *fs, __u32 pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	return files_hook_path(fs, path);
}

void files_hook_program(struct files *fs, const struct ev_exec *e)
{
	struct sv path = event_exec_path(e);
	char at_parent[PATH_MAX + 32];
	int n;

	if (hook_exe(fs, e->hdr.tgid) != -ENOENT || !path.n)
		return;
	/* it is over already, but who started it sees the file by the same name */
	n = snprintf(at_parent, sizeof(at_parent), "/proc/%u/%s/" SV_FMT, e->parent,
		     path.p[0] == '/' ? "root" : "cwd", SV_ARG(path));
	if (n > 0 && (size_t)n < sizeof(at_parent))
		files_hook_path(fs, at_parent);
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

/* The file that was seen there, also in the mount namespace of a process that still lives. */
static int open_seen(const struct file_entry *e, struct map_key name, __u32 pid)
{
	char inside[PATH_MAX + 32];
	const char *const paths[] = { e->path, inside };
	struct stat st;

	snprintf(inside, sizeof(inside), "/proc/%u/%s%s", pid, "root", e->path);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && st.st_dev == name.a && st.st_ino == name.b &&
		    same_file(&e->state, &st))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

int files_open_build(const struct files *fs, __u32 pid, const unsigned char id[EV_BUILD_ID],
		     const char **path)
{
	int fd = -ESRCH;

	map_for_each (&fs->seen, m) {
		const struct file_entry *e = m->value;

		if (!e->has_build_id || !e->path || memcmp(e->build_id, id, EV_BUILD_ID) != 0)
			continue;
		*path = e->path;
		fd = open_seen(e, m->key, pid);
		if (fd >= 0)
			return fd;
	}
	return fd;
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

static void hook_named(void *ctx, const char *path)
{
	files_hook_path(ctx, path);
}

int files_hook_named(struct files *fs)
{
	funcs_each_path(fs->how.funcs, hook_named, fs);
	return funcs_check(fs->how.funcs);
}
