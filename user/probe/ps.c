/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file is looked at once, whoever maps it: processes by the hundred map the same libraries.  What a
 * process speaks is guessed by port only where nothing else can be seen.
 */
#include "probe/ps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/map.h"
#include "probe/cache.h"
#include "probe/ps_net.h"

#define TEXT_MAX 16384
#define TRACERS_MAX 16
#define SUMMARY_MAX 160
#define TRACED_MAX 4096 /* bytes of what a ringspan knows of a process */

/* What was found in a file; of most files nothing. */
struct ps_file {
	struct located *found; /* NULL: nothing */
	char summary[LOCATED_MAX][SUMMARY_MAX];
};

struct ps {
	struct cache *cache;
	struct map files;        /* {device, inode} as /proc/PID/maps tells -> struct ps_file */
	struct ps_net net;       /* sockets to port 443 */
	int traced[TRACERS_MAX]; /* tables of ringspans that run */
	size_t traced_cnt;
	bool cookies;
	char args[TEXT_MAX], cgroup[TEXT_MAX]; /* of the process that is told of */
};

/* ---- files */

static void file_free(struct ps_file *f)
{
	if (f)
		free(f->found);
	free(f);
}

static void look_into(struct ps *ps, const char *path, struct ps_file *f)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct located *found = malloc(sizeof(*found));
	struct elf_file *elf = NULL;

	if (found && fd >= 0 && !elf_file_new(&elf, fd) &&
	    cache_locate(ps->cache, elf, found) >= 0 && found->cnt)
		f->found = take_ptr(found);
	elf_file_free(&elf);
	free(found);
	for (size_t i = 0; f->found && i < f->found->cnt; i++) {
		struct tls_hooks *hooks = &f->found->libs[i].hooks;

		tls_limit_sites(hooks, ps->cookies, false);
		if (hooks->cnt)
			tls_summary(hooks, f->summary[i], SUMMARY_MAX);
	}
}

static const struct ps_file *file_of(struct ps *ps, struct map_key key, const char *path)
{
	struct ps_file *f = map_get(&ps->files, key);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f || map_put(&ps->files, key, f)) {
		file_free(f);
		return NULL;
	}
	look_into(ps, path, f);
	return f;
}

/* ---- one process */

static size_t read_text(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < size && (n = read(fd, text + len, size - len)) > 0)
		len += n;
	return len;
}

static void add_tls(struct ps_process *p, const struct ps_file *f, const char *path)
{
	for (size_t i = 0; f->found && i < f->found->cnt && p->tls_cnt < PS_TLS_MAX; i++) {
		for (size_t n = 0; n < p->tls_cnt; n++)
			if (p->tls[n].lib == &f->found->libs[i])
				return; /* a file that is mapped in several parts */
		p->tls[p->tls_cnt++] = (struct ps_tls){
			.lib = &f->found->libs[i],
			.path = strdup(path),
			.summary = f->summary[i],
		};
	}
}

static bool has_name(const char *path, const char *start)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, start, strlen(start)) == 0;
}

/* A line of /proc/PID/maps: "start-end perms offset major:minor inode   path". */
static void look_at_mapping(struct ps *ps, struct ps_process *p, const char *line)
{
	uint64_t start, end, ino;
	unsigned int major, minor;
	char perms[8], path[96];
	const struct ps_file *f;
	const char *name;
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %x:%x %" SCNu64 " %n", &start, &end,
		   perms, &major, &minor, &ino, &at) != 6 ||
	    !ino || perms[2] != 'x' || !at)
		return;
	name = line + at;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)p->pid, start,
		 end);
	f = file_of(ps, (struct map_key){ makedev(major, minor), ino, 0 }, path);
	if (f)
		add_tls(p, f, name);
	if (has_name(name, "libpython"))
		p->runtime = "python";
	else if (has_name(name, "libjvm.so"))
		p->runtime = "java";
}

static void look_at_mappings(struct ps *ps, struct ps_process *p)
{
	char path[64], line[PATH_MAX + 128];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)p->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		look_at_mapping(ps, p, line);
	}
}

/*
 * By name where it has one of its own, else by the TLS that is linked into the program: people ship
 * Bun, Deno and Node under their agent's name.
 */
static const char *runtime_of(const struct ps_process *p)
{
	static const char *const names[] = { "node", "bun",  "deno", "python",
					     "ruby", "java", "perl", "php" };
	static const struct {
		enum ev_src src;
		const char *runtime;
	} linked[] = {
		{ EV_SRC_GOTLS, "go" },
		{ EV_SRC_BORINGSSL, "bun" },
		{ EV_SRC_RUSTLS, "rust" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (has_name(p->exe, names[i]))
			return names[i];
	for (size_t i = 0; !p->runtime[0] && i < p->tls_cnt; i++)
		for (size_t k = 0; k < ARRAY_SIZE(linked); k++)
			if (p->tls[i].lib->lib->src == linked[k].src &&
			    strcmp(p->tls[i].path, p->exe) == 0)
				return linked[k].runtime;
	return p->runtime;
}

static bool is_traced(const struct ps *ps, pid_t pid)
{
	char state[TRACED_MAX]; /* of whatever version that ringspan is */
	__u32 tgid = (__u32)pid;

	for (size_t i = 0; i < ps->traced_cnt; i++)
		if (!bpf_map_lookup_elem(ps->traced[i], &tgid, state))
			return true;
	return false;
}

static int tell(struct ps *ps, pid_t pid, ps_fn fn, void *ctx)
{
	char comm[EV_COMM_LEN + 1] = "", exe[PATH_MAX] = "", link[64];
	struct ps_process p = { .pid = pid, .comm = comm, .exe = exe, .runtime = "" };
	ssize_t n;
	int ret;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0)
		return 0; /* a thread of the kernel, gone, or somebody else's */
	exe[n] = '\0';
	read_text(pid, "comm", comm, EV_COMM_LEN);
	comm[strcspn(comm, "\n")] = '\0';
	p.args = (struct sv){ ps->args, read_text(pid, "cmdline", ps->args, TEXT_MAX) };
	p.cgroup = (struct sv){ ps->cgroup, read_text(pid, "cgroup", ps->cgroup, TEXT_MAX) };
	look_at_mappings(ps, &p);
	p.runtime = runtime_of(&p);
	p.traced = is_traced(ps, pid);
	ps_net_look(&ps->net, pid, &p.tcp443, &p.udp443);
	ret = fn(ctx, &p);
	for (size_t i = 0; i < p.tls_cnt; i++)
		free((char *)p.tls[i].path);
	return ret;
}

/* ---- all */

/* The tables of traced processes, by name and shape; without privileges none is found. */
static void find_tracers(struct ps *ps)
{
	__u32 id = 0;

	while (ps->traced_cnt < TRACERS_MAX && !bpf_map_get_next_id(id, &id)) {
		struct bpf_map_info info = { 0 };
		__u32 size = sizeof(info);
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ||
		    strcmp(info.name, "traced") != 0 || info.type != BPF_MAP_TYPE_HASH ||
		    info.key_size != sizeof(__u32) || info.value_size > TRACED_MAX)
			continue;
		ps->traced[ps->traced_cnt++] = take_fd(fd);
	}
}

static void ps_init(struct ps *ps)
{
	_cleanup_buf_ struct buf folder = BUF_INIT;

	memset(ps, 0, sizeof(*ps));
	if (!cache_default_folder(&folder))
		cache_new(&ps->cache, buf_cstr(&folder)); /* without it all is searched */
	ps->cookies = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie,
					      NULL) == 1;
	find_tracers(ps);
}

static void ps_fini(struct ps *ps)
{
	map_for_each (&ps->files, e)
		file_free(e->value);
	map_fini(&ps->files);
	for (size_t i = 0; i < ps->traced_cnt; i++)
		close(ps->traced[i]);
	ps_net_fini(&ps->net);
	cache_free(&ps->cache);
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int is_number(const struct dirent *d)
{
	return d->d_name[0] >= '1' && d->d_name[0] <= '9';
}

static int each(struct ps *ps, ps_fn fn, void *ctx)
{
	struct dirent **names = NULL;
	int cnt = scandir("/proc", &names, is_number, by_number), ret = cnt < 0 ? -errno : 0;

	for (int i = 0; i < cnt; i++) {
		if (!ret)
			ret = tell(ps, atoi(names[i]->d_name), fn, ctx);
		free(names[i]);
	}
	free(names);
	return ret;
}

int ps_each(pid_t only, ps_fn fn, void *ctx)
{
	struct ps ps;
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/%d", (int)only);
	if (only && access(path, F_OK))
		return -ESRCH;
	ps_init(&ps);
	ret = only ? tell(&ps, only, fn, ctx) : each(&ps, fn, ctx);
	ps_fini(&ps);
	return ret;
}
