/* SPDX-License-Identifier: BSD-2-Clause */
/* perf_event_open(2): a clock is a file descriptor, and the link to the program owns it. */
#include "probe/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <bpf/libbpf.h>
#include "base/cleanup.h"
#include "base/log.h"
#include "event.h"
#include "probe/detach.h"

static int open_clock(int cpu, __u64 ns)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = ns,
		.exclude_idle = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sampler_try(void)
{
	_cleanup_close_ int fd = open_clock(0, 1000000000);

	return fd < 0 ? fd : 0;
}

__u32 sampler_depth(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/perf_event_max_stack", "re");
	unsigned int depth;

	if (!f || fscanf(f, "%u", &depth) != 1 || depth > EV_SAMPLE_USER)
		depth = EV_SAMPLE_USER;
	return depth;
}

static int add_cpu(struct sampler *s, const struct bpf_program *prog, int cpu, __u64 ns)
{
	int fd = open_clock(cpu, ns);
	struct bpf_link *link;

	if (fd == -ENODEV) /* it is off */
		return 0;
	if (fd < 0)
		return fd;
	link = bpf_program__attach_perf_event(prog, fd);
	if (!link) {
		int err = -errno;

		close(fd);
		return err;
	}
	s->links[s->cnt++] = link;
	return 0;
}

int sampler_attach(struct sampler *s, const struct bpf_program *prog, __u64 ns)
{
	int cpus = libbpf_num_possible_cpus(), err = 0;

	if (cpus < 0)
		return log_err(cpus, "cannot count the CPUs: %s", strerror(-cpus));
	s->links = calloc((size_t)cpus, sizeof(struct bpf_link *));
	if (!s->links)
		return -ENOMEM;
	for (int cpu = 0; !err && cpu < cpus; cpu++)
		err = add_cpu(s, prog, cpu, ns);
	if (err)
		return log_err(err, "cannot sample stacks: %s; see `ringspan doctor`",
			       strerror(-err));
	return 0;
}

void sampler_detach(struct sampler *s, struct detach *d)
{
	while (s->cnt)
		detach_link(d, s->links[--s->cnt]);
	free(s->links);
	s->links = NULL;
}
