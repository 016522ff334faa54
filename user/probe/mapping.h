/* SPDX-License-Identifier: BSD-2-Clause */
/* The executable mappings of a process, as /proc/PID/maps has them, by address. */
#ifndef RINGSPAN_PROBE_MAPPING_H
#define RINGSPAN_PROBE_MAPPING_H

#include <stdbool.h>
#include <linux/types.h>
#include "base/buf.h"

#define MAPPINGS_MAX 16384 /* of one process; what it has over that has no names */

struct mapping {
	__u64 start, end, offset;
	__u64 dev, ino; /* 0: no file */
	__u32 path;     /* in names, with NUL; "" for none */
	bool looked;    /* by whoever uses it: */
	void *module;   /* ... what was found */
};

/* All zero to begin with. */
struct mappings {
	struct mapping *of;
	size_t cnt;
	struct buf names;
};

void mappings_fini(struct mappings *m);
int mappings_parse(struct mappings *m, struct sv text);              /* adds; 0 or -ENOMEM */
int mappings_read(struct mappings *m, __u32 pid);                    /* 0 or -errno */
struct mapping *mappings_find(const struct mappings *m, __u64 addr); /* NULL: none */
const char *mapping_path(const struct mappings *m, const struct mapping *of);

#endif
