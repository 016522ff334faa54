// SPDX-License-Identifier: BSD-2-Clause
/* What came out of the ring: see loss.h. */
#include "probe/loss.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "probe/fact.h"

/* The consumer's page, then the producer's: include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c. */
int loss_init(struct loss *l, int ring_fd, size_t bytes)
{
	void *at;

	memset(l, 0, sizeof(*l));
	l->ring_bytes = bytes;
	l->page = (size_t)sysconf(_SC_PAGESIZE);
	at = mmap(NULL, 2 * l->page, PROT_READ, MAP_SHARED, ring_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	l->consumer = at;
	l->producer = (const void *)((const char *)at + l->page);
	return 0;
}

void loss_fini(struct loss *l)
{
	if (l->consumer)
		munmap((void *)l->consumer, 2 * l->page);
	l->consumer = l->producer = NULL;
}

void loss_took(struct loss *l, const struct ev_hdr *rec)
{
	if (rec->kind < EV_KERNEL_KINDS)
		l->taken[rec->kind]++;
	if (rec->kind == EV_DATA && rec->size >= sizeof(struct ev_data))
		l->bytes += ((const struct ev_data *)(const void *)rec)->len;
}

static __u64 used(const struct loss *l)
{
	__u64 taken = l->consumer ? *l->consumer : 0; /* before what it cannot overtake */

	return l->producer ? *l->producer - taken : 0;
}

void loss_look(struct loss *l)
{
	__u64 now = used(l);

	if (now > l->peak)
		l->peak = now;
}

static void tell_kinds(const struct loss *l, const struct cpu_stats *made, struct probe_loss *out)
{
	for (__u32 i = 0; i < EV_KERNEL_KINDS; i++) {
		if (!made->produced[i])
			continue;
		out->kinds[out->e.kinds++] =
			(struct ev_kind_counts){ .kind = i,
						 .produced = made->produced[i],
						 .delivered = l->taken[i],
						 .lost_ring = made->lost_ring[i],
						 .lost_rate = made->lost_rate[i] };
	}
}

void loss_tell(const struct loss *l, const struct cpu_stats *made, struct probe_loss *out)
{
	__u64 now = used(l);

	*out = (struct probe_loss){
		.e = { .bytes = made->content_bytes,
		       .bytes_delivered = l->bytes,
		       .bytes_sent = made->data_bytes,
		       .bytes_lost = { [EV_LOST_RING_FULL] = made->lost_ring_bytes,
				       [EV_LOST_MAP_FULL] = made->lost_map_bytes,
				       [EV_LOST_READ_FAULT] = made->lost_fault_bytes,
				       [EV_LOST_CAP] = made->lost_cap_bytes,
				       [EV_LOST_RATE] = made->lost_rate_bytes,
				       [EV_LOST_NO_BUFFER] = made->lost_buffer_bytes,
				       [EV_LOST_UNDECIDED] = made->undecided_bytes },
		       .calls_lost = made->lost_map,
		       .ring_bytes = l->ring_bytes,
		       .ring_used = now,
		       .ring_peak = now > l->peak ? now : l->peak },
	};
	tell_kinds(l, made, out);
	fact_hdr(&out->e.hdr, EV_LOSS, sizeof(out->e) + out->e.kinds * sizeof(out->kinds[0]));
}
