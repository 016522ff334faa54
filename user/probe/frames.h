/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the frames of samples (SAMPLE), told as facts (FRAMES) before the first sample that needs them.
 *
 * An address means something in a program only as long as that runs: its mappings are read when its first
 * sample comes, and again when an address lies in none.  What could not be found is not told.
 */
#ifndef RINGSPAN_PROBE_FRAMES_H
#define RINGSPAN_PROBE_FRAMES_H

#include "base/map.h"
#include "probe/file.h"
#include "probe/symbols.h"

struct frames {
	struct kern *kern;
	struct files *files; /* files by build id; its facts are where FRAMES goes */
	struct map programs; /* {tgid, start} -> struct program */
	struct map modules;  /* {dev, ino, time of change} -> struct module */
	size_t symbol_bytes; /* of all of them */
	struct map builds;   /* build id -> struct build */
	struct map kernel;   /* addresses in the kernel that were told */
	struct map places;   /* {build id, offset} likewise */
	struct kallsyms *kallsyms;
	bool no_kallsyms; /* it cannot be read */
};

void frames_init(struct frames *f, struct kern *kern, struct files *files);
void frames_fini(struct frames *f);

/* Puts what is new in the sample's stacks into the facts.  0 or -ENOMEM. */
int frames_tell(struct frames *f, const struct ev_sample *s);
/* The process is over. */
void frames_end(struct frames *f, __u32 tgid, __u64 start);

#endif
