/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one definition of the settings, and of the variables, that all programs share. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "config.bpf.h"
#include "state.bpf.h"

const volatile __u64 cfg_wake_bytes = 0;
const volatile __u32 cfg_call_cap = 0;
const volatile __u32 cfg_page_size = 0;
const volatile __u32 cfg_guard = 0;
const volatile __u32 cfg_cookie = 0;
const volatile __u32 cfg_files = 0;
const volatile struct path_call cfg_call_paths[SYS_CALLS] = {};
const volatile __u32 cfg_tie_calls = 0;
const volatile __u32 cfg_output_rate = 0;
const volatile __u32 cfg_task_storage = 0;
const volatile __u32 cfg_task_regs = 0;
const volatile __u32 cfg_place_shift = 0;
const volatile __u32 cfg_tick_ns = 0;
const volatile __u8 cfg_call_class[SYS_CALLS] = {};
const volatile __u8 cfg_call_path[SYS_CALLS] = {};
const volatile __u8 cfg_call_asked[SYS_CALLS] = {};
const volatile __u64 cfg_call_slow[SYS_CALLS] = {};
const volatile __u8 cfg_errno_asked[CALL_ERRNOS] = {};
const volatile __u8 cfg_call_block[SYS_CALLS] = {};
const volatile __u64 cfg_sample_ns = 0;
const volatile __u32 cfg_stack_depth = 0;
__u32 traced_slots[TRACED_SLOTS] = {};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
