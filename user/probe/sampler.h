/* SPDX-License-Identifier: BSD-2-Clause */
/* The clocks that samples of stacks are taken by: one for each CPU. */
#ifndef RINGSPAN_PROBE_SAMPLER_H
#define RINGSPAN_PROBE_SAMPLER_H

#include <stddef.h>
#include <linux/types.h>

struct bpf_link;
struct bpf_program;
struct detach;

struct sampler {
	struct bpf_link **links;
	size_t cnt;
};

/* Frames of a user stack that this kernel reads, at most EV_SAMPLE_USER. */
__u32 sampler_depth(void);
/*
 * Runs prog on every CPU that is on, each time that ns of time have passed there, not while it is idle.
 * The kernel's software clock, which needs no counters of the hardware's.  0 or -errno, logged.
 */
int sampler_attach(struct sampler *s, const struct bpf_program *prog, __u64 ns);
void sampler_detach(struct sampler *s, struct detach *d); /* d: as detach.h says, may be NULL */
int sampler_try(void); /* whether such a clock can be had: 0 or -errno */

#endif
