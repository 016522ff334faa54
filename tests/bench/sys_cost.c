/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ns that a system call takes, as a line each: the best of many short slices, in which the kinds take
 * turns, so that what else the machine does falls out.  Wall time: a tracer that stops its tracee makes
 * it wait, and takes no CPU time of it.
 *
 *	sys_cost [CALLS] [empty | list | wait]
 *
 * empty: with programs at sys_enter and sys_exit that do nothing; list: with such programs at the
 * tracepoints of those calls alone that ringspan looks into, of which read is one; wait: begins when
 * stdin ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#define SLICES 60
#define KINDS 3

static const char *const names[KINDS] = { "getppid", "pread64", "read" };
static int zero;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double slice(int kind, int calls)
{
	double start = now();
	long sum = 0;
	char byte;

	for (int i = 0; i < calls; i++) {
		if (kind == 0)
			sum += syscall(SYS_getppid) > 0;
		else if (kind == 1)
			sum += syscall(SYS_pread64, zero, &byte, 1, 0);
		else
			sum += syscall(SYS_read, zero, &byte, 1);
	}
	if (sum != calls)
		exit(1);
	return (now() - start) / calls;
}

static const struct bpf_insn return_0[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int attach_empty(const struct btf *btf, const char *point)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = btf__find_by_name_kind(btf, point, BTF_KIND_TYPEDEF), prog;

	opts.attach_btf_id = id > 0 ? (__u32)id : 0;
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "Dual BSD/GPL", return_0,
			     sizeof(return_0) / sizeof(return_0[0]), &opts);
	return prog < 0 ? prog : bpf_raw_tracepoint_open(NULL, prog);
}

static int attach_both(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int ret = -ENOENT;

	if (btf)
		ret = attach_empty(btf, "btf_trace_sys_enter");
	if (ret >= 0)
		ret = attach_empty(btf, "btf_trace_sys_exit");
	btf__free(btf);
	return ret;
}

static const char *const list[] = {
	"read",     "write",   "readv",     "writev",   "recvfrom", "recvmsg",  "recvmmsg",
	"sendto",   "sendmsg", "sendmmsg",  "pwrite64", "pwritev",  "close",    "setsockopt",
	"openat",   "openat2", "open",      "creat",    "unlink",   "unlinkat", "rename",
	"renameat", "mkdir",   "renameat2", "mkdirat",  "rmdir",    "link",     "linkat",
	"symlink",  "connect", "symlinkat", "truncate", "mmap",     "dup2",     "dup3",
};

/* What goes through perf runs everywhere, whichever CPU is named; closed at the end. */
static int attach_one(int prog, const char *side, const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	char path[128];
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/syscalls/sys_%s_%s/id", side,
		 name);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : -errno; /* not a call of this machine */
	fd = fscanf(f, "%llu", &attr.config) == 1 ? 0 : -EINVAL;
	fclose(f);
	if (fd == 0)
		fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) ? -1 : 0;
}

static int attach_list(void)
{
	int prog = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "empty", "Dual BSD/GPL", return_0,
				 sizeof(return_0) / sizeof(return_0[0]), NULL);

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (attach_one(prog, "enter", list[i]) || attach_one(prog, "exit", list[i]))
			return -1;
	return prog;
}

int main(int argc, char **argv)
{
	int calls = argc > 1 ? atoi(argv[1]) : 2000;
	double best[KINDS] = { 0 };
	char byte;

	zero = open("/dev/zero", O_RDONLY);
	if (argc > 2 && strcmp(argv[2], "empty") == 0 && attach_both() < 0)
		return 1;
	if (argc > 2 && strcmp(argv[2], "list") == 0 && attach_list() < 0)
		return 1;
	while (argc > 2 && strcmp(argv[2], "wait") == 0 && read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	for (int i = 0; i < SLICES; i++) {
		for (int k = 0; k < KINDS; k++) {
			double ns = slice(k, calls);

			if (!i || ns < best[k])
				best[k] = ns;
		}
	}
	for (int k = 0; k < KINDS; k++)
		printf("%s %.1f\n", names[k], best[k]);
	return 0;
}
