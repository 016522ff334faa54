/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs the real emit path under BPF_PROG_RUN: no probe, no victim. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "data.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 cfg_wake_bytes = 1 << 30;
const volatile __u32 cfg_call_cap = 200000;
const volatile __u32 cfg_page_size = 4096;
const volatile __u32 cfg_guard = 0;
const volatile __u32 cfg_task_storage = 1;
const volatile __u32 cfg_task_regs = 0;
const volatile __u32 cfg_place_shift = 0;
const volatile __u32 cfg_tick_ns = 0;
const volatile __u8 cfg_call_class[SYS_CALLS] = {};
__u32 traced_slots[TRACED_SLOTS] = {};

__u64 in_buf;
__u64 in_len;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct data_job);
} jobs SEC(".maps");

static __always_inline int emit(const bool modern)
{
	__u32 zero = 0;
	struct data_job *j = bpf_map_lookup_elem(&jobs, &zero);

	if (!j)
		return -1;
	j->start = 7;
	j->conn = 0xc0ffee;
	j->pos = 1000;
	j->enter_ts = 9;
	j->buf = in_buf;
	j->left = in_len;
	j->gap = 0;
	j->tail = 0;
	j->dir = EV_WRITE;
	j->src = EV_SRC_OPENSSL;
	data_send(j, modern);
	return 0;
}

/* only where the kernel has bpf_loop */
SEC("?raw_tp/test")
int emit_loop(void *ctx)
{
	return emit(true);
}

SEC("raw_tp/test")
int emit_bounded(void *ctx)
{
	return emit(false);
}
