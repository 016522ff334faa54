/* SPDX-License-Identifier: BSD-2-Clause */
/* A span as the store's tables hold it, in memory of its own: what waits for the next commit. */
#ifndef RINGSPAN_STORE_ROW_H
#define RINGSPAN_STORE_ROW_H

#include "span/trace.h"

enum part_shape { PART_JSON, PART_ELEMENT, PART_BYTES }; /* schemas/store.sql: payload.shape */
enum part_level { LEVEL_SHOWN, LEVEL_PAYLOAD, LEVEL_SNAPSHOT }; /* likewise */

/* One content of a value that is kept apart; those of one value follow each other. */
struct row_part {
	const char *key;
	enum part_level level;
	enum part_shape shape;
	bool none; /* an array without elements */
	struct sv text;
};

struct row {
	struct row *next;
	struct arena arena; /* holds the texts */
	char trace_id[HEX128], span_id[HEX64], parent_span_id[HEX64];
	struct sv name, status_message, attributes, events, links, resource;
	const char *what, *kind, *status;
	uint64_t start_ns, end_ns;
	bool unfinished;
	struct row_part *parts; /* payloads */
	size_t part_cnt;
};

/* A line of output that waits likewise. */
struct log_row {
	struct log_row *next;
	struct trace_log log; /* its text is behind it */
};

struct calls_row {
	struct calls_row *next;
	struct trace_calls c; /* without counts */
	struct sv buckets, errnos;
	char text[];
};

int row_new(struct row **out, const struct span *s); /* 0 or -ENOMEM */
void row_free(struct row *r);
size_t row_bytes(const struct row *r);

#endif
