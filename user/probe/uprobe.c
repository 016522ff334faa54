/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching uprobes by /proc/self/fd/N of a file held open, so that no path can change under us.
 *
 * uprobe_multi (6.6) is used through bpf(2) itself: libbpf knows it from 1.3 on only.  Perf-event
 * uprobes are the other way; their attach needs CAP_SYS_ADMIN on kernels with the fix of
 * CVE-2025-38466, and each takes about 0.1 s to detach.
 */
#include "probe/uprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <linux/perf_event.h>
#include <bpf/bpf.h>
#include "base/cleanup.h"
#include "probe/detach.h"

#define PMU "/sys/bus/event_source/devices/uprobe/"

/* union bpf_attr of BPF_LINK_CREATE as of 6.6 (89ae89f53d20); the build's headers may be older. */
struct multi_attr {
	__u32 prog_fd, target_fd, attach_type, flags;
	__u64 path, offsets, ref_ctr_offsets, cookies;
	__u32 cnt, multi_flags, pid, pad;
};

#define MULTI_RETURN 1

_Static_assert(sizeof(struct multi_attr) == 64, "bpf_attr layout");

static int links_add(struct uprobe_links *links, int fd)
{
	int *fds = realloc(links->fds, (links->cnt + 1) * sizeof(*fds));

	if (!fds) {
		close(fd);
		return -ENOMEM;
	}
	links->fds = fds;
	fds[links->cnt++] = fd;
	return 0;
}

void uprobe_links_fini(struct uprobe_links *links, struct detach *d)
{
	for (size_t i = 0; i < links->cnt; i++)
		detach_fd(d, links->fds[i]);
	free(links->fds);
	*links = (struct uprobe_links){ 0 };
}

static int attach_multi(struct uprobe_links *links, int prog_fd, const struct uprobe_spec *spec,
			const char *path)
{
	struct multi_attr attr = {
		.prog_fd = prog_fd,
		.attach_type = UPROBE_TYPE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)spec->offsets,
		.cookies = spec->with_cookies ? (uintptr_t)spec->cookies : 0,
		.cnt = spec->cnt,
		.multi_flags = spec->ret ? MULTI_RETURN : 0,
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : links_add(links, fd);
}

/* The number in a file of the uprobe PMU, behind its prefix: "9", or "config:0". */
static int pmu_number(const char *path, const char *fmt)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	int n;

	if (!f)
		return -errno;
	return fscanf(f, fmt, &n) == 1 && n >= 0 ? n : -EINVAL;
}

/* Lets a program run at the event; *link is what keeps it so, beside the event itself. */
static int set_prog(int event, int prog_fd, const __u64 *cookie, int *link)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie ? *cookie : 0);

	if (cookie) {
		*link = bpf_link_create(prog_fd, event, BPF_PERF_EVENT, &opts);
		if (*link < 0)
			return *link;
	} else if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog_fd)) {
		return -errno;
	}
	return ioctl(event, PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
}

static int attach_event(struct uprobe_links *links, int prog_fd, struct perf_event_attr *attr,
			const __u64 *cookie)
{
	_cleanup_close_ int event =
		(int)syscall(SYS_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	_cleanup_close_ int link = -1;
	int err;

	if (event < 0)
		return -errno;
	err = set_prog(event, prog_fd, cookie, &link);
	if (err)
		return err;
	/* a link keeps its event */
	return links_add(links, link >= 0 ? take_fd(link) : take_fd(event));
}

static int attach_perf(struct uprobe_links *links, int prog_fd, const struct uprobe_spec *spec,
		       const char *path)
{
	int type = pmu_number(PMU "type", "%d");
	int ret_bit = pmu_number(PMU "format/retprobe", "config:%d");

	int err = 0;

	if (type < 0 || ret_bit < 0)
		return type < 0 ? type : ret_bit;
	for (size_t i = 0; !err && i < spec->cnt; i++) {
		struct perf_event_attr attr = {
			.size = sizeof(attr),
			.type = type,
			.config = spec->ret ? 1ULL << ret_bit : 0,
			.uprobe_path = (uintptr_t)path,
			.probe_offset = spec->offsets[i],
		};

		err = attach_event(links, prog_fd, &attr,
				   spec->with_cookies ? &spec->cookies[i] : NULL);
	}
	return err;
}

int uprobe_attach(struct uprobe_links *links, int prog_fd, const struct uprobe_spec *spec)
{
	size_t before = links->cnt;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", spec->file);
	if (spec->multi)
		err = attach_multi(links, prog_fd, spec, path);
	else
		err = attach_perf(links, prog_fd, spec, path);
	while (err && links->cnt > before)
		close(links->fds[--links->cnt]);
	return err;
}

/* The function that uprobe_try() calls; the program that is set on it counts in a map. */
static int try_target(int x)
{
	return x + 1;
}

/* Where an address of this program lies in its file. */
static int own_offset(uintptr_t addr, __u64 *offset)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	uint64_t start, end, off;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &off) == 3 &&
		    addr >= start && addr < end) {
			*offset = addr - start + off;
			return 0;
		}
	}
	return -ENOENT;
}

/* *value += 1 */
static int count_prog(int map_fd, bool multi)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE,
		  .imm = map_fd },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
		{ .code = BPF_STX | BPF_DW | BPF_ATOMIC,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_REG_2,
		  .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = multi ? UPROBE_TYPE_MULTI : 0);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "uprobe_try", "Dual BSD/GPL", insns,
			     ARRAY_SIZE(insns), &opts);
}

static int try_attached(int map, int prog, const struct uprobe_spec *spec)
{
	int (*volatile call)(int) = try_target; /* the very function, not a copy inlined here */
	struct uprobe_links links = { 0 };
	__u64 hits = 0;
	__u32 zero = 0;
	int err = uprobe_attach(&links, prog, spec);

	if (!err) {
		call(1);
		err = bpf_map_lookup_elem(map, &zero, &hits);
		if (!err && !hits) /* more: another ringspan found out, too, and came by */
			err = -ENODATA;
	}
	uprobe_links_fini(&links, NULL);
	return err;
}

int uprobe_try(bool multi)
{
	_cleanup_close_ int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "uprobe_try", 4, 8, 1, NULL);
	_cleanup_close_ int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int prog = -1;
	struct uprobe_spec spec = { .file = self, .cnt = 1, .multi = multi };
	int err;

	if (map < 0)
		return map;
	if (self < 0)
		return -errno;
	err = own_offset((uintptr_t)try_target, &spec.offsets[0]);
	if (err)
		return err;
	prog = count_prog(map, multi);
	return prog < 0 ? prog : try_attached(map, prog, &spec);
}
