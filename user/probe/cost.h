/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs themselves take, by the kernel's own count: BPF_ENABLE_STATS of bpf(2), since Linux 5.8.
 * While it is on, each run of any program of the machine reads the clock twice.
 */
#ifndef RINGSPAN_PROBE_COST_H
#define RINGSPAN_PROBE_COST_H

#include "probe/probe.h"

struct kern;

int cost_enable(void); /* a descriptor: it counts until that is closed; or -errno */
int cost_each(const struct kern *k, probe_cost_fn fn, void *ctx);

#endif
