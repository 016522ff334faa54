// SPDX-License-Identifier: BSD-2-Clause
/* What the programs take: see cost.h. */
#include "probe/cost.h"

#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include "base/log.h"
#include "probe/kern.h"

int cost_enable(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME);
}

struct costs {
	probe_cost_fn fn;
	void *ctx;
};

static int tell_one(void *ctx, const char *name, int fd)
{
	const struct costs *c = ctx;
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return log_err(-errno, "cannot ask what program %s takes: %s", name,
			       strerror(errno));
	c->fn(c->ctx, &(struct probe_cost){
			      .name = name, .run_ns = info.run_time_ns, .runs = info.run_cnt });
	return 0;
}

int cost_each(const struct kern *k, probe_cost_fn fn, void *ctx)
{
	return kern_programs(k, tell_one, &(struct costs){ fn, ctx });
}
