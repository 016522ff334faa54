/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread waits for that leaves its CPU in a system call. */
#ifndef RINGSPAN_PROBE_BLOCK_H
#define RINGSPAN_PROBE_BLOCK_H

#include <linux/types.h>
#include "state.bpf.h"

/* Sets enum ev_block, or BLOCK_BY_FILE, by the numbers of this machine's calls. */
void block_of_calls(__u8 of[SYS_CALLS]);

#endif
