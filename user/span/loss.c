// SPDX-License-Identifier: BSD-2-Clause
/* What was lost, by cause: see loss.h. */
#include "span/loss.h"

#include "span/engine.h"

void loss_feed(struct trace *t, const struct ev_loss *e)
{
	const struct ev_kind_counts *k = (const void *)(e + 1);
	struct loss_sums *l = &t->loss;

	*l = (struct loss_sums){ .known = true,
				 .bytes = e->bytes,
				 .bytes_delivered = e->bytes_delivered,
				 .bytes_sent = e->bytes_sent,
				 .calls_lost = e->calls_lost };
	for (int i = 0; i < EV_LOST_CAUSES; i++)
		l->bytes_lost[i] = e->bytes_lost[i];
	for (uint32_t i = 0; i < e->kinds; i++) {
		l->produced += k[i].produced;
		l->delivered += k[i].delivered;
		l->lost_ring += k[i].lost_ring;
		l->lost_rate += k[i].lost_rate;
	}
}

void loss_begin(struct run *r)
{
	r->lost_records = engine_lost(r->t);
	r->lost_bytes = engine_lost_bytes(r->t);
	r->loss = r->t->loss;
	r->budget_cut = r->t->bodies.cut;
}

uint64_t engine_lost(const struct trace *t)
{
	/* the records' own counts come sooner, the statistics are complete */
	uint64_t counted = t->stats.lost_ring + t->stats.lost_map;
	uint64_t told = t->loss.lost_ring + t->loss.calls_lost;

	counted = told > counted ? told : counted;
	return counted > t->hdr_lost ? counted : t->hdr_lost;
}

/* What went over a rate was left out, as it was asked for, and so was what no agent did. */
static uint64_t bytes_lost(const struct loss_sums *l)
{
	return l->bytes_lost[EV_LOST_RING_FULL] + l->bytes_lost[EV_LOST_MAP_FULL] +
	       l->bytes_lost[EV_LOST_READ_FAULT] + l->bytes_lost[EV_LOST_CAP] +
	       l->bytes_lost[EV_LOST_NO_BUFFER];
}

uint64_t engine_lost_bytes(const struct trace *t)
{
	uint64_t stats =
		t->stats.lost_ring_bytes + t->stats.lost_fault_bytes + t->stats.lost_cap_bytes;
	uint64_t all = bytes_lost(&t->loss);

	return all > stats ? all : stats;
}

static void set(struct span *s, enum attr_id id, uint64_t n)
{
	if (n)
		span_set_int(s, id, (int64_t)n);
}

static void set_causes(struct span *s, const struct loss_sums *from, const struct loss_sums *to)
{
	static const enum attr_id bytes[EV_LOST_CAUSES - 1] = {
		[EV_LOST_RING_FULL] = ATTR_ID_LOST_RING_BYTES,
		[EV_LOST_MAP_FULL] = ATTR_ID_LOST_MAP_BYTES,
		[EV_LOST_READ_FAULT] = ATTR_ID_LOST_FAULT_BYTES,
		[EV_LOST_CAP] = ATTR_ID_LOST_CAP_BYTES,
		[EV_LOST_RATE] = ATTR_ID_LEFT_RATE_BYTES,
		[EV_LOST_NO_BUFFER] = ATTR_ID_LOST_BUFFER_BYTES,
		[EV_LOST_UNDECIDED] = ATTR_ID_LEFT_UNDECIDED_BYTES,
	};

	set(s, ATTR_ID_LOST_RING_RECORDS, to->lost_ring - from->lost_ring);
	set(s, ATTR_ID_LOST_MAP_CALLS, to->calls_lost - from->calls_lost);
	set(s, ATTR_ID_LEFT_RATE_RECORDS, to->lost_rate - from->lost_rate);
	for (int i = 0; i < EV_LOST_CAUSES - 1; i++)
		set(s, bytes[i], to->bytes_lost[i] - from->bytes_lost[i]);
}

/* Of records that were asked for and are neither delivered nor lost: they wait in the ring. */
static uint64_t waiting(const struct loss_sums *l)
{
	uint64_t known = l->delivered + l->lost_ring + l->lost_rate;

	return l->produced > known ? l->produced - known : 0;
}

static void set_sums(struct span *s, const struct loss_sums *from, const struct loss_sums *to)
{
	if (!to->known)
		return;
	span_set_int(s, ATTR_ID_RECORDS_PRODUCED, (int64_t)(to->produced - from->produced));
	span_set_int(s, ATTR_ID_RECORDS_DELIVERED, (int64_t)(to->delivered - from->delivered));
	span_set_int(s, ATTR_ID_CONTENT_PRODUCED, (int64_t)(to->bytes - from->bytes));
	span_set_int(s, ATTR_ID_CONTENT_DELIVERED,
		     (int64_t)(to->bytes_delivered - from->bytes_delivered));
	set(s, ATTR_ID_RECORDS_WAITING, waiting(to));
	set(s, ATTR_ID_CONTENT_WAITING,
	    to->bytes_sent > to->bytes_delivered ? to->bytes_sent - to->bytes_delivered : 0);
	set_causes(s, from, to);
}

void loss_set(struct run *r)
{
	uint64_t records = engine_lost(r->t) - r->lost_records;
	uint64_t bytes = engine_lost_bytes(r->t) - r->lost_bytes;
	uint64_t cut = r->t->bodies.cut - r->budget_cut;

	set_sums(r->root, &r->loss, &r->t->loss);
	set(r->root, ATTR_ID_LOST_BUDGET_BYTES, cut);
	if (!records && !bytes && !cut)
		return;
	span_incomplete(r->root, "lost");
	span_set_int(r->root, ATTR_ID_LOST_RECORDS, (int64_t)records);
	span_set_int(r->root, ATTR_ID_LOST_BYTES, (int64_t)(bytes + cut));
}
