/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the programs and speaks to their maps. */
#include "probe/kern.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "event/syscall.h"
#include "probe/block.h"
#include "probe/func.h"
#include "probe/hook.h"
#include "probe/paths.h"
#include "probe/sampler.h"
#include "ringspan.skel.h"

#define RING_USUAL (8u << 20)
#define RING_MAX (1u << 30)
#define CAP_USUAL (4u << 20)
#define CAP_BOUNDED (256u << 10) /* DATA_LOOPS_OLD */
#define CAP_MAX (96u << 20)      /* DATA_LOOPS_MAX */

struct kern {
	struct ringspan_bpf *skel;
	struct hook_links links;
	struct call_row *call_table;
	struct sampler sampler;
	__u32 left_files; /* that one sweep came upon */
	bool loops;
	bool guard;
};

/* libbpf explains itself at length; that is for -v, our own line says what to do. */
static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];

	if (level == LIBBPF_DEBUG || log_get_level() < LOG_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

static __u32 ring_size(size_t want)
{
	__u32 size = (__u32)sysconf(_SC_PAGESIZE);

	if (!want)
		return RING_USUAL;
	while (size < want && size < RING_MAX)
		size *= 2;
	return size;
}

static __u32 call_cap(size_t want, bool loops)
{
	size_t max = loops ? CAP_MAX : CAP_BOUNDED;

	if (!want)
		want = CAP_USUAL;
	return want > max ? max : want < 2 ? 2 : want;
}

/* The clock that is read without a look at the hardware moves with the timer interrupt. */
static __u32 tick_ns(void)
{
	struct timespec ts = { .tv_nsec = 0 };

	clock_getres(CLOCK_MONOTONIC_COARSE, &ts);
	return (__u32)ts.tv_nsec;
}

_Static_assert(PROBE_CALLS == SYS_CALLS, "PROBE_CALLS");

static void set_calls(struct ringspan_bpf *skel, const struct probe_calls *c)
{
	for (__u32 nr = 0; nr < SYS_CALLS; nr++) {
		enum ev_call_class class = syscall_class(syscall_machine(), nr);
		__u64 slow = c->slow_ns[class] ? c->slow_ns[class] : UINT64_MAX;

		skel->rodata->cfg_call_class[nr] = class;
		skel->rodata->cfg_call_path[nr] = syscall_path(syscall_machine(), nr);
		skel->rodata->cfg_call_asked[nr] = c->asked[nr];
		skel->rodata->cfg_call_slow[nr] = c->asked[nr] ? 0 : slow;
	}
	for (size_t i = 0; i < c->errno_cnt; i++)
		skel->rodata->cfg_errno_asked[call_errno_index(c->errnos[i])] = 1;
	block_of_calls(skel->rodata->cfg_call_block);
	paths_of_calls(skel->rodata->cfg_call_paths);
}

static enum files_mode files_mode(const struct probe_cfg *cfg)
{
	static const enum files_mode modes[] = {
		[PROBE_FILES_READ] = FILES_READ,
		[PROBE_FILES_CHANGED] = FILES_CHANGED,
		[PROBE_FILES_ALL] = FILES_ALL,
	};

	return modes[cfg->files];
}

/* Places are as many as a hash may have values. */
static void size_tables(struct ringspan_bpf *skel, bool small)
{
	__u32 places = bpf_map__max_entries(skel->maps.task_calls);

	if (small) {
		places = 2;
		bpf_map__set_max_entries(skel->maps.task_calls, places);
		bpf_map__set_max_entries(skel->maps.call_table, 4);
	}
	skel->rodata->cfg_place_shift = 64 - (__u32)__builtin_ctz(places);
}

static size_t call_table_size(const struct kern *k)
{
	return bpf_map__max_entries(k->skel->maps.call_table) * sizeof(struct call_row);
}

/* All of its rows but the first, which stands for none, are free. */
static int map_call_table(struct kern *k)
{
	int fd = bpf_map__fd(k->skel->maps.call_free);
	void *table = mmap(NULL, call_table_size(k), PROT_READ | PROT_WRITE, MAP_SHARED,
			   bpf_map__fd(k->skel->maps.call_table), 0);
	int err = table == MAP_FAILED ? -errno : 0;

	if (err)
		return err;
	k->call_table = table;
	for (__u32 i = bpf_map__max_entries(k->skel->maps.call_table) - 1; i && !err; i--)
		err = bpf_map_update_elem(fd, NULL, &i, BPF_ANY);
	return err;
}

static int load(struct kern *k, const struct probe_cfg *cfg, const struct features *f)
{
	__u32 ring = ring_size(cfg->ring_bytes);
	int err;

	k->skel = ringspan_bpf__open();
	if (!k->skel)
		return log_err(-errno, "cannot open the BPF programs: %s", strerror(errno));
	k->loops = f->of[FEAT_LOOP].on;
	k->skel->rodata->cfg_wake_bytes = ring / 4;
	k->skel->rodata->cfg_call_cap = call_cap(cfg->call_cap_bytes, k->loops);
	k->skel->rodata->cfg_page_size = (__u32)sysconf(_SC_PAGESIZE);
	k->skel->rodata->cfg_guard = f->of[FEAT_GUARD].on;
	k->skel->rodata->cfg_cookie = f->of[FEAT_COOKIE].on;
	k->skel->rodata->cfg_output_rate = (__u32)cfg->output_rate;
	k->skel->rodata->cfg_files = files_mode(cfg);
	k->skel->rodata->cfg_tie_calls = !f->of[FEAT_SOCKLEN].on;
	k->skel->rodata->cfg_task_storage = f->of[FEAT_STORAGE].on;
	k->skel->rodata->cfg_task_regs = f->of[FEAT_REGS].on;
	k->skel->rodata->cfg_tick_ns = tick_ns();
	set_calls(k->skel, &cfg->calls);
	k->skel->rodata->cfg_sample_ns = cfg->sample_ns;
	k->skel->rodata->cfg_stack_depth = sampler_depth();
	err = bpf_map__set_max_entries(k->skel->maps.events, ring);
	if (err)
		return log_err(err, "cannot make the ring %u bytes large", ring);
	size_tables(k->skel, cfg->force_small_tables);
	hooks_select(k->skel->obj, f, files_mode(cfg));
	funcs_select(k->skel->obj, f, cfg->func_cnt > 0);
	bpf_program__set_autoload(k->skel->progs.sample, cfg->sample_ns != 0);
	err = ringspan_bpf__load(k->skel);
	if (err)
		return log_err(err, "the kernel refuses the BPF programs: %s; -v shows why",
			       strerror(-err));
	err = map_call_table(k);
	if (err)
		return log_err(err, "cannot map the table of system calls: %s", strerror(-err));
	err = cfg->func_cnt ? funcs_attach(&k->links, k->skel->obj) : 0;
	if (!err)
		err = hooks_attach(&k->links, k->skel->obj, f, files_mode(cfg));
	if (!err && cfg->sample_ns)
		err = sampler_attach(&k->sampler, k->skel->progs.sample, cfg->sample_ns);
	return err;
}

int kern_new(struct kern **out, const struct probe_cfg *cfg, const struct features *f)
{
	struct kern *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	libbpf_set_print(on_libbpf);
	err = load(k, cfg, f);
	if (err) {
		kern_free(&k);
		return err;
	}
	*out = k;
	return 0;
}

void kern_detach(struct kern *k, struct detach *d)
{
	sampler_detach(&k->sampler, d);
	hooks_detach(&k->links, d);
}

void kern_free(struct kern **k)
{
	if (!*k)
		return;
	kern_detach(*k, NULL);
	if ((*k)->call_table)
		munmap((*k)->call_table, call_table_size(*k));
	ringspan_bpf__destroy((*k)->skel);
	free(*k);
	*k = NULL;
}

int kern_ring_fd(const struct kern *k)
{
	return bpf_map__fd(k->skel->maps.events);
}

size_t kern_ring_bytes(const struct kern *k)
{
	return bpf_map__max_entries(k->skel->maps.events);
}

struct bpf_program *kern_program(const struct kern *k, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", name, k->loops ? "" : "_old");
	return bpf_object__find_program_by_name(k->skel->obj, full);
}

int kern_put_func(struct kern *k, __u32 id, const struct func_probe *row)
{
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.func_probes), &id, row, BPF_ANY);
}

int kern_uprobe_fd(const struct kern *k, const char *name)
{
	struct bpf_program *prog = kern_program(k, name);

	return prog && bpf_program__fd(prog) >= 0 ? bpf_program__fd(prog) : -ENOENT;
}

int kern_trace(struct kern *k, __u32 tgid, const struct proc_state *state)
{
	__u32 *slot = &k->skel->bss->traced_slots[tgid % TRACED_SLOTS];
	int fd = bpf_map__fd(k->skel->maps.traced), err;

	__atomic_fetch_add(slot, 1, __ATOMIC_SEQ_CST);
	err = bpf_map_update_elem(fd, &tgid, state, BPF_NOEXIST);
	if (err)
		__atomic_fetch_sub(slot, 1, __ATOMIC_SEQ_CST);
	if (err != -EEXIST)
		return err;
	/* else one that had the id before, and whose end was not seen */
	return kern_is_traced(k, tgid, state->start)
		       ? 1
		       : bpf_map_update_elem(fd, &tgid, state, BPF_EXIST);
}

void kern_untrace(struct kern *k, __u32 tgid, __u64 start)
{
	if (kern_is_traced(k, tgid, start) &&
	    !bpf_map_delete_elem(bpf_map__fd(k->skel->maps.traced), &tgid))
		__atomic_fetch_sub(&k->skel->bss->traced_slots[tgid % TRACED_SLOTS], 1,
				   __ATOMIC_SEQ_CST);
}

int kern_watch(struct kern *k, const struct watch_state *watch)
{
	__u32 zero = 0;

	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.watched), &zero, watch, BPF_ANY);
}

int kern_loud(struct kern *k, __u32 tgid, __u64 start)
{
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.loud), &tgid, &start, BPF_ANY);
}

static bool is_traced(struct kern *k, __u32 tgid)
{
	struct proc_state state;

	return bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.traced), &tgid, &state) == 0;
}

/* All that an iterator writes, which is rows of that size; 0 or -errno. */
static int read_rows(const struct bpf_program *iter, size_t size, struct buf *b)
{
	struct bpf_link *link = bpf_program__attach_iter(iter, NULL);
	_cleanup_close_ int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -errno;
	ssize_t n = fd;

	while (fd >= 0) {
		if (buf_reserve(b, 64 * size)) {
			n = -ENOMEM;
			break;
		}
		n = read(fd, b->p + b->len, 64 * size);
		if (n <= 0) {
			n = n < 0 ? -errno : 0;
			break;
		}
		b->len += n;
	}
	bpf_link__destroy(link);
	return (int)n;
}

int kern_rows(struct kern *k, struct proc_row **rows, size_t *cnt)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int err = read_rows(k->skel->progs.proc_rows, sizeof(**rows), &b);

	if (err < 0)
		return log_err(err, "cannot list the processes: %s", strerror(-err));
	*cnt = b.len / sizeof(**rows);
	*rows = (struct proc_row *)take_ptr(b.p);
	return 0;
}

int kern_threads(const struct kern *k, struct ev_threads **rows, size_t *cnt)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int err = read_rows(k->skel->progs.thread_rows, sizeof(**rows), &b);

	if (err < 0)
		return err;
	*cnt = b.len / sizeof(**rows);
	*rows = (struct ev_threads *)take_ptr(b.p);
	return 0;
}

int kern_open_calls(const struct kern *k, struct buf *rows)
{
	const struct bpf_program *prog = k->skel->progs.func_rows;

	return bpf_program__autoload(prog) ? read_rows(prog, sizeof(struct ev_function), rows) : 0;
}

/*
 * Rows come in the order of their addresses.  An iterator that is for one task does not end: read on,
 * it tells its last rows again (seen on 6.18).
 */
static int find_row(int fd, __u64 addr, struct file_key *file)
{
	struct vma_row rows[64];
	__u64 last = 0;
	ssize_t n;

	while ((n = read(fd, rows, sizeof(rows))) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(*rows); i++) {
			if (rows[i].addr == addr) {
				*file = rows[i].file;
				return 0;
			}
			if (rows[i].addr <= last)
				return -ENOENT;
			last = rows[i].addr;
		}
	}
	return n < 0 ? -errno : -ENOENT;
}

int kern_mapped_file(struct kern *k, const void *addr, struct file_key *file)
{
	union bpf_iter_link_info self = { .task.tid = (__u32)gettid() };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &self, .link_info_len = sizeof(self));
	const struct bpf_program *prog = k->skel->progs.vma_rows;
	struct bpf_link *link;
	int err, fd;

	if (!bpf_program__autoload(prog))
		return -EOPNOTSUPP;
	link = bpf_program__attach_iter(prog, &opts);
	if (!link) /* before 6.1 there is no choice of task: all are walked, and ours is told */
		link = bpf_program__attach_iter(prog, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	err = fd < 0 ? fd : find_row(fd, (uintptr_t)addr, file);
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

bool kern_runs_program(struct kern *k, __u32 tgid, const struct life *life)
{
	struct proc_state state;

	return bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.traced), &tgid, &state) == 0 &&
	       state.start == life->start && state.exec_ts == life->exec_ts;
}

bool kern_is_traced(const struct kern *k, __u32 tgid, __u64 start)
{
	struct proc_state state;

	return bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.traced), &tgid, &state) == 0 &&
	       state.start == start;
}

static bool alive(const void *kern, __u32 tgid, __u64 start)
{
	return kern_is_traced(kern, tgid, start);
}

struct alive kern_alive(const struct kern *k)
{
	return (struct alive){ alive, k };
}

void kern_calls(const struct kern *k, struct kern_calls *out)
{
	out->uses = bpf_map__fd(k->skel->maps.call_uses);
	out->rows = bpf_map__fd(k->skel->maps.call_rows);
	out->errnos = bpf_map__fd(k->skel->maps.call_errnos);
	out->index = bpf_map__fd(k->skel->maps.call_index);
	out->free = bpf_map__fd(k->skel->maps.call_free);
	out->table = k->call_table;
	out->max = bpf_map__max_entries(k->skel->maps.call_uses);
}

int kern_usages(const struct kern *k, __u32 *max)
{
	*max = bpf_map__max_entries(k->skel->maps.usages);
	return bpf_map__fd(k->skel->maps.usages);
}

int kern_programs(const struct kern *k, int (*fn)(void *ctx, const char *name, int fd), void *ctx)
{
	struct bpf_program *prog;
	int ret;

	bpf_object__for_each_program (prog, k->skel->obj) {
		if (bpf_program__fd(prog) < 0)
			continue;
		ret = fn(ctx, bpf_program__name(prog), bpf_program__fd(prog));
		if (ret)
			return ret;
	}
	return 0;
}

/* Is an entry of use still? */
typedef bool (*lives_fn)(struct kern *k, int fd, const void *key);

static bool conn_lives(struct kern *k, int fd, const void *key)
{
	(void)fd;
	return is_traced(k, ((const struct conn_key *)key)->tgid);
}

static bool users_live(struct kern *k, int fd, const void *key)
{
	struct sock_users u;

	return bpf_map_lookup_elem(fd, key, &u) || (u.flow_tgid && is_traced(k, u.flow_tgid)) ||
	       (u.tls[0].ssl && is_traced(k, u.tls[0].tgid)) ||
	       (u.tls[1].ssl && is_traced(k, u.tls[1].tgid));
}

/*
 * A file that its process left to others lives as long as they do, which the kernel's side sees where they
 * are traced, and nobody where they are not: of these no more are kept than leave room for others.
 */
static bool file_lives(struct kern *k, int fd, const void *key)
{
	struct fs_file file;

	if (bpf_map_lookup_elem(fd, key, &file))
		return true;
	if (file.tgid)
		return is_traced(k, file.tgid);
	return ++k->left_files <= bpf_map__max_entries(k->skel->maps.fs_files) / 2;
}

static void sweep(struct kern *k, const struct bpf_map *map, lives_fn lives)
{
	int fd = bpf_map__fd(map);
	union {
		struct conn_key conn;
		__u64 address;
	} key, next;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	for (size_t i = 0; more && i < bpf_map__max_entries(map); i++) {
		key = next;
		/* asked before the key goes: afterwards the walk would begin anew */
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (!lives(k, fd, &key))
			bpf_map_delete_elem(fd, &key);
	}
}

void kern_sweep_conns(struct kern *k)
{
	k->left_files = 0;
	sweep(k, k->skel->maps.fs_files, file_lives);
	sweep(k, k->skel->maps.conns, conn_lives);
	sweep(k, k->skel->maps.goroutines, conn_lives);
	sweep(k, k->skel->maps.flows, conn_lives);
	sweep(k, k->skel->maps.sock_users, users_live);
}

/* Nothing but counters is in there. */
static void add_stats(struct cpu_stats *sum, const struct cpu_stats *one)
{
	const __u64 *from = (const void *)one;
	__u64 *to = (void *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

int kern_stats(struct kern *k, struct cpu_stats *sum)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct cpu_stats *each = calloc(cpus > 0 ? cpus : 1, sizeof(*each));
	__u32 zero = 0;
	int err;

	if (!each)
		return -ENOMEM;
	err = bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.stats), &zero, each);
	if (err)
		return err;
	memset(sum, 0, sizeof(*sum));
	for (int i = 0; i < cpus; i++)
		add_stats(sum, &each[i]);
	return 0;
}
