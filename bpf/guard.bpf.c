/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kfuncs of guard.bpf.h. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "guard.bpf.h"

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

__hidden int guard_enter(void)
{
	bpf_preempt_disable();
	return 0;
}

__hidden int guard_leave(void)
{
	bpf_preempt_enable();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
