/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space sets before loading; constants to the verifier.  Defined in config.bpf.c. */
#ifndef RINGSPAN_CONFIG_BPF_H
#define RINGSPAN_CONFIG_BPF_H

#include "state.bpf.h"

extern const volatile __u64 cfg_wake_bytes; /* waiting in the ring that are worth a wakeup */
extern const volatile __u32 cfg_call_cap;   /* payload kept of one TLS call */
extern const volatile __u32 cfg_page_size;
extern const volatile __u32 cfg_guard; /* the kernel has bpf_preempt_disable() */
extern const volatile __u32
	cfg_cookie; /* it has bpf_get_attach_cookie(), and probes have cookies */
extern const volatile __u32 cfg_output_rate; /* bytes a second of stdout, stderr; 0: not copied */
extern const volatile struct path_call cfg_call_paths[];
extern const volatile __u32 cfg_files;        /* enum files_mode */
extern const volatile __u32 cfg_tie_calls;    /* it lacks sock_send_length: see tie.bpf.h */
extern const volatile __u32 cfg_task_storage; /* the kernel has it: see task.bpf.h, thread.bpf.h */
extern const volatile __u32 cfg_task_regs;    /* ... and bpf_task_pt_regs() */
extern const volatile __u32 cfg_place_shift;  /* of a hash, which leaves an index of task_calls */
extern const volatile __u8 cfg_call_class[];  /* enum ev_call_class, by a call's number */
extern const volatile __u8 cfg_call_path[];   /* which argument, from 1, is a path; 0: none */
extern const volatile __u8 cfg_call_asked[];  /* every such call is told */
extern const volatile __u64 cfg_call_slow[];  /* ns from which on one is told; 0 with `asked` */
extern const volatile __u8
	cfg_errno_asked[];               /* by call_errno_index(): calls that fail so are told */
extern const volatile __u32 cfg_tick_ns; /* at most between two updates of a thread's CPU time */
extern const volatile __u8
	cfg_call_block[]; /* enum ev_block of who waits in it, or BLOCK_BY_FILE; likewise */
extern const volatile __u64 cfg_sample_ns;   /* time on CPU between two samples of stacks */
extern const volatile __u32 cfg_stack_depth; /* frames that the kernel reads of a user stack */

#endif
