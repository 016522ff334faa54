/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came out of the ring, held against what the kernel side counted when it asked for room: the record
 * LOSS.  Both sides count for themselves, so that nothing can go missing between them unseen.
 */
#ifndef RINGSPAN_PROBE_LOSS_H
#define RINGSPAN_PROBE_LOSS_H

#include <stddef.h>
#include "probe/probe.h"
#include "state.bpf.h"

struct loss {
	__u64 taken[EV_KERNEL_KINDS], bytes; /* records, and payload of DATA */
	__u64 peak;
	size_t ring_bytes, page;
	const volatile __u64 *consumer, *producer; /* positions, in pages of the ring */
};

/* bytes: the ring's size, a power of two.  0 or -errno; then it can be looked at and ended, too. */
int loss_init(struct loss *l, int ring_fd, size_t bytes);
void loss_fini(struct loss *l);

void loss_took(struct loss *l, const struct ev_hdr *rec); /* it was taken out of the ring */
void loss_look(struct loss *l);                           /* at how much waits now */
void loss_tell(const struct loss *l, const struct cpu_stats *made, struct probe_loss *out);

#endif
