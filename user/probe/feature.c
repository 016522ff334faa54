/* SPDX-License-Identifier: BSD-2-Clause */
/* Each feature is tried for itself, and the reason of a failure is kept for `doctor`. */
#include "probe/feature.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "probe/sampler.h"
#include "probe/uprobe.h"

#define RING_USUAL (8u << 20)
#define PIDNS_INIT 0xeffffffcu /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

/* What the tests share; both may be missing. */
struct try_ctx {
	struct btf *btf;
	char *reason;
	size_t size;
};

#define REASON_SIZE sizeof(((struct features *)0)->of[0].reason)

__attribute__((format(printf, 3, 4))) static int say(const struct try_ctx *t, int err,
						     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->reason, t->size, fmt, ap);
	va_end(ap);
	return err;
}

/* A whole small file, NUL-terminated. */
static int read_text(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* capabilities(7): BPF and PERFMON are what Linux 5.8 took out of SYS_ADMIN. */
static int read_caps(struct try_ctx *t, uint64_t *caps)
{
	char text[4096];
	const char *line;
	int err = read_text("/proc/self/status", text, sizeof(text));

	if (err)
		return say(t, err, "/proc/self/status: %s", strerror(-err));
	line = strstr(text, "\nCapEff:");
	if (!line || sscanf(line, "\nCapEff: %" SCNx64, caps) != 1)
		return say(t, -EINVAL, "/proc/self/status has no CapEff");
	return 0;
}

static bool has(uint64_t caps, int cap)
{
	return caps >> cap & 1;
}

static int try_privilege(struct try_ctx *t)
{
	uint64_t caps = 0;
	int err = read_caps(t, &caps);

	if (err)
		return err;
	if (has(caps, CAP_SYS_ADMIN))
		return say(t, 0, "CAP_SYS_ADMIN, and with it all that tracing needs");
	if (has(caps, CAP_BPF) && has(caps, CAP_PERFMON))
		return say(t, 0, "CAP_BPF and CAP_PERFMON");
	return say(t, -EPERM, "%s missing",
		   has(caps, CAP_BPF)       ? "CAP_PERFMON is"
		   : has(caps, CAP_PERFMON) ? "CAP_BPF is"
					    : "CAP_BPF and CAP_PERFMON are");
}

static int try_cap(struct try_ctx *t, int cap, const char *name)
{
	uint64_t caps = 0;
	int err = read_caps(t, &caps);

	if (!err && !has(caps, cap))
		err = -EPERM;
	return err ? say(t, err, "%s is missing", name) : say(t, 0, "%s", name);
}

static int try_ptrace(struct try_ctx *t)
{
	return try_cap(t, CAP_SYS_PTRACE, "CAP_SYS_PTRACE");
}

static int try_read(struct try_ctx *t)
{
	uint64_t caps = 0;

	if (!read_caps(t, &caps) && has(caps, CAP_DAC_OVERRIDE))
		return say(t, 0, "CAP_DAC_OVERRIDE");
	return try_cap(t, CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH");
}

static int try_pidns(struct try_ctx *t)
{
	char link[64] = "";
	unsigned int ino = 0;

	if (readlink("/proc/self/ns/pid", link, sizeof(link) - 1) < 0)
		return say(t, -errno, "/proc/self/ns/pid: %s", strerror(errno));
	if (sscanf(link, "pid:[%u]", &ino) != 1 || ino != PIDNS_INIT)
		return say(t, -EINVAL, "this is %s, a container's", link);
	return say(t, 0, "%s", link);
}

static int try_lockdown(struct try_ctx *t)
{
	char text[128];

	if (read_text("/sys/kernel/security/lockdown", text, sizeof(text)))
		return say(t, 0, "not shown by this machine");
	text[strcspn(text, "\n")] = '\0';
	return say(t, strstr(text, "[confidentiality]") ? -EPERM : 0, "%s", text);
}

static int try_btf(struct try_ctx *t)
{
	t->btf = btf__load_vmlinux_btf();
	if (!t->btf)
		return say(t, -errno, "/sys/kernel/btf/vmlinux: %s", strerror(errno));
	return say(t, 0, "%u types", btf__type_cnt(t->btf));
}

static int try_ring(struct try_ctx *t, __u32 bytes)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "try", 0, 0, bytes, NULL);

	if (fd < 0)
		return say(t, fd, "a ring of %u KiB: %s", bytes >> 10, strerror(-fd));
	return say(t, 0, "a ring of %u KiB can be made", bytes >> 10);
}

static int try_ringbuf(struct try_ctx *t)
{
	return try_ring(t, (__u32)sysconf(_SC_PAGESIZE));
}

static int try_memlock(struct try_ctx *t)
{
	return try_ring(t, RING_USUAL);
}

static const struct bpf_insn return_0[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int try_attach(struct try_ctx *t)
{
	int id = btf__find_by_name_kind(t->btf, "btf_trace_sched_process_exit", BTF_KIND_TYPEDEF);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP,
		    .attach_btf_id = id > 0 ? id : 0);
	_cleanup_close_ int prog = -1, link = -1;

	if (id <= 0)
		return say(t, -ENOENT, "BTF lacks sched_process_exit");
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "try", "Dual BSD/GPL", return_0,
			     ARRAY_SIZE(return_0), &opts);
	if (prog < 0)
		return say(t, prog, "loading a program: %s", strerror(-prog));
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (link < 0)
		return say(t, link, "attaching a program: %s", strerror(-link));
	return say(t, 0, "a program on sched_process_exit loads and attaches");
}

static int try_uprobe(struct try_ctx *t)
{
	int err = uprobe_try(false);

	return say(t, err,
		   err ? "a probe on ringspan itself: %s" : "a probe on ringspan itself is hit",
		   strerror(-err));
}

static int try_multi(struct try_ctx *t)
{
	int err = uprobe_try(true);

	return say(t, err,
		   err ? "a probe on ringspan itself: %s" : "a probe on ringspan itself is hit",
		   strerror(-err));
}

static int try_cookie(struct try_ctx *t)
{
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) != 1)
		return say(t, -ENOENT, "this kernel has no bpf_get_attach_cookie()");
	return say(t, 0, "a program that asks for one is not refused");
}

/* A program is told by the kernel that it is traced: by a counter in its memory (a6ca88b241d5, 4.20). */
static int try_usdt(struct try_ctx *t)
{
	if (access("/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset", R_OK))
		return say(t, -ENOENT, "this kernel's uprobes have no reference counter");
	return say(t, 0, "uprobes have a reference counter");
}

static int try_guard(struct try_ctx *t)
{
	if (btf__find_by_name_kind(t->btf, "bpf_preempt_disable", BTF_KIND_FUNC) <= 0)
		return say(t, -ENOENT, "this kernel has no bpf_preempt_disable()");
	return say(t, 0, "bpf_preempt_disable() is in BTF");
}

static int try_loop(struct try_ctx *t)
{
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) != 1)
		return say(t, -ENOENT, "this kernel has no bpf_loop()");
	return say(t, 0, "a program that names it is not refused");
}

static int try_storage(struct try_ctx *t)
{
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) != 1)
		return say(t, -ENOENT, "this kernel has no such map");
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_task_storage_get, NULL) != 1 ||
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_current_task_btf, NULL) != 1)
		return say(t, -ENOENT, "this kernel lets no uprobe use it");
	return say(t, 0, "a map can be made, and a program that asks for it is not refused");
}

static int try_regs(struct try_ctx *t)
{
	int id = btf__find_by_name_kind(t->btf, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *type = id > 0 ? btf__type_by_id(t->btf, id) : NULL;

	for (__u32 i = 0; type && i < btf_vlen(type); i++)
		if (btf_enum(type)[i].val == BPF_FUNC_task_pt_regs)
			return say(t, 0, "bpf_task_pt_regs() is in BTF");
	return say(t, -ENOENT, "this kernel has no bpf_task_pt_regs()");
}

static int try_syscalls(struct try_ctx *t)
{
	if (btf__find_by_name_kind(t->btf, "btf_trace_sys_enter", BTF_KIND_TYPEDEF) <= 0)
		return say(t, -ENOENT, "this kernel has no such tracepoint");
	return say(t, 0, "sys_enter is in BTF");
}

static int try_vma(struct try_ctx *t)
{
	if (btf__find_by_name_kind(t->btf, "bpf_iter__task_vma", BTF_KIND_STRUCT) <= 0)
		return say(t, -ENOENT, "this kernel has no iterator over mappings");
	return say(t, 0, "bpf_iter__task_vma is in BTF");
}

static int try_socklen(struct try_ctx *t)
{
	if (btf__find_by_name_kind(t->btf, "btf_trace_sock_send_length", BTF_KIND_TYPEDEF) <= 0)
		return say(t, -ENOENT, "this kernel has no such tracepoint");
	return say(t, 0, "sock_send_length is in BTF");
}

static int try_clock(struct try_ctx *t)
{
	int err = sampler_try();

	return say(t, err, err ? "a clock on a CPU: %s" : "a clock on a CPU can be had",
		   strerror(-err));
}

static const struct feature_def {
	const char *name, *use;
	bool required;
} defs[] = {
#define X(id, name, use, required) [FEAT_##id] = { name, use, required },
	FEATURES(X)
#undef X
};

/* need: without it the feature is not even tried. */
static const struct feature_try {
	int (*run)(struct try_ctx *t);
	enum feat need;
	const char *remedy;
} tries[] = {
	[FEAT_PRIVILEGE] = { try_privilege, FEAT_PRIVILEGE,
			     "run as root, or with these capabilities" },
	[FEAT_PTRACE] = { try_ptrace, FEAT_PTRACE, "run as root, or with it" },
	[FEAT_READ] = { try_read, FEAT_READ, "run as root, or with it" },
	[FEAT_PIDNS] = { try_pidns, FEAT_PIDNS,
			 "run on the host, or the container with --pid=host" },
	[FEAT_LOCKDOWN] = { try_lockdown, FEAT_LOCKDOWN, "boot with lockdown=integrity or less" },
	[FEAT_BTF] = { try_btf, FEAT_BTF, "a kernel with CONFIG_DEBUG_INFO_BTF" },
	[FEAT_RINGBUF] = { try_ringbuf, FEAT_PRIVILEGE, "a kernel from 5.8 on" },
	[FEAT_MEMLOCK] = { try_memlock, FEAT_RINGBUF, "ulimit -l unlimited, or a smaller ring" },
	[FEAT_ATTACH] = { try_attach, FEAT_BTF, "a kernel with CONFIG_BPF_EVENTS" },
	[FEAT_UPROBE] = { try_uprobe, FEAT_PRIVILEGE,
			  "a kernel with CONFIG_UPROBE_EVENTS; some want CAP_SYS_ADMIN for it" },
	[FEAT_MULTI] = { try_multi, FEAT_PRIVILEGE, "a kernel from 6.6 on" },
	[FEAT_COOKIE] = { try_cookie, FEAT_PRIVILEGE, "a kernel from 5.15 on" },
	[FEAT_USDT] = { try_usdt, FEAT_COOKIE, "a kernel with CONFIG_UPROBE_EVENTS" },
	[FEAT_GUARD] = { try_guard, FEAT_BTF, "a kernel from 6.10 on" },
	[FEAT_LOOP] = { try_loop, FEAT_PRIVILEGE, "a kernel from 5.17 on" },
	[FEAT_STORAGE] = { try_storage, FEAT_BTF, "a kernel from 5.12 on" },
	[FEAT_REGS] = { try_regs, FEAT_STORAGE, "a kernel from 5.15 on" },
	[FEAT_SYSCALLS] = { try_syscalls, FEAT_BTF, "a kernel with CONFIG_TRACEPOINTS" },
	[FEAT_SOCKLEN] = { try_socklen, FEAT_BTF,
			   "a kernel from 6.3 on; system calls are used instead" },
	[FEAT_VMA] = { try_vma, FEAT_BTF, "a kernel from 5.12 on" },
	[FEAT_CLOCK] = { try_clock, FEAT_PRIVILEGE, "a kernel with CONFIG_PERF_EVENTS" },
};

const char *feature_name(enum feat feat)
{
	return defs[feat].name;
}

const char *feature_use(enum feat feat)
{
	return defs[feat].use;
}

bool feature_required(enum feat feat)
{
	return defs[feat].required;
}

void features_force_off(struct features *f, enum feat feat)
{
	f->of[feat].on = false;
	snprintf(f->of[feat].reason, REASON_SIZE, "switched off by configuration");
}

void features_try(struct features *f, bool all)
{
	struct try_ctx t = { .size = REASON_SIZE };

	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < FEAT_CNT; i++) {
		enum feat need = tries[i].need;

		t.reason = f->of[i].reason;
		if (i == FEAT_UPROBE && f->of[FEAT_MULTI].on && !all)
			say(&t, 0, "not tried: uprobe_multi is there");
		else if (need != i && !f->of[need].on)
			say(&t, 0, "needs: %s", defs[need].name);
		else
			f->of[i].on = tries[i].run(&t) == 0;
		f->of[i].remedy = tries[i].remedy;
	}
	btf__free(t.btf);
}
