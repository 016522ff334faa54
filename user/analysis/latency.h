/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Durations by name: how many, how long, and how they are spread.  They are kept by ev_bucket(), so a
 * percentile is the end of a bucket: never too small, at most a quarter too large (below 128 ns at most
 * 32 ns), and never above the longest.  A pure function of what was added, in its order.
 */
#ifndef RINGSPAN_LATENCY_H
#define RINGSPAN_LATENCY_H

#include "base/map.h"
#include "span/trace.h"

#define LATENCY_ERRNOS 16             /* of a row; what is over is among the errors only */
#define LATENCY_POINTS_MAX (1u << 20) /* of a heatmap; what is over is counted */

struct latency_row {
	struct sv name,
		class; /* class: of a system call, or a part of what the name is of; else empty */
	unsigned int part; /* from 1: parts of one name stand together, in this order; 0: none */
	uint64_t parts_ns; /* time of all of them, set by latency_sort() */
	uint64_t calls, errors, total_ns, max_ns;
	uint64_t bytes; /* of a file */
	uint64_t hist[EV_BUCKETS];
	struct ev_count errnos[LATENCY_ERRNOS];
	size_t errno_cnt;
};

/* That many durations of one bucket, known at that time. */
struct latency_point {
	uint64_t time_ns;
	uint32_t bucket;
	uint32_t cnt;
};

struct latency {
	struct arena arena;
	struct map by_key;
	struct latency_row **rows;
	size_t cnt, cap;
	struct latency_point *points; /* none unless with_points */
	size_t point_cnt, point_cap;
	uint64_t points_over;
	bool with_points;
};

void latency_init(struct latency *l, bool with_points);
void latency_fini(struct latency *l);

/* Rows are named by their key until they are given a name.  0 or -ENOMEM. */
int latency_add_calls(struct latency *l, struct sv key, const struct trace_calls *c);
int latency_add(struct latency *l, struct sv key, uint64_t time_ns, uint64_t ns, bool failed);
int latency_bytes(struct latency *l, struct sv key, uint64_t bytes); /* that it moved */
int latency_name(struct latency *l, struct sv key, struct sv name);
/* The same for a row that is a part of what the name is of. */
int latency_part(struct latency *l, struct sv key, struct sv name, unsigned int part,
		 const char *text);

/* Most time first, of rows that are parts that of all together; rows without a call come last and are not among the result, their number. */
size_t latency_sort(struct latency *l);
/* permille 500: the median; 0 of a row without calls */
uint64_t latency_percentile(const struct latency_row *r, unsigned int permille);

#endif
