/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of code that a program made at run time, as it tells them to whoever profiles it: lines
 * "start size name" in /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt of Linux; node
 * --perf-basic-prof, python -X perf).  The file is the traced program's: it is opened so that nothing it
 * is can hold us up or lead elsewhere, and all that it says is bounded.
 */
#ifndef RINGSPAN_PROBE_PERFMAP_H
#define RINGSPAN_PROBE_PERFMAP_H

#include <stdbool.h>
#include <sys/types.h>
#include <linux/types.h>
#include "base/buf.h"

#define PERFMAP_ENTRIES (256u << 10)
#define PERFMAP_NAMES (16u << 20) /* bytes of names */
#define PERFMAP_NAME 200          /* of one; the rest of a longer one is cut */

struct perfmap_entry {
	__u64 addr;
	__u32 size, name, order;
	__u16 len;
	__u16 pad;
};

/* All zero to begin with. */
struct perfmap {
	struct perfmap_entry *of; /* by address once it is sorted, then as they were told */
	size_t cnt, room;
	struct buf names;
	__u32 widest;
	bool unsorted;
	bool moved; /* code was told to lie where other code did; whoever cares clears it */
	dev_t dev;  /* of the file that was read */
	ino_t ino;
	off_t done; /* bytes of it that were taken in */
};

void perfmap_fini(struct perfmap *m);
/* Takes in whole lines; how many bytes they are.  What is none is left out, what is too much, too. */
size_t perfmap_feed(struct perfmap *m, struct sv text);
/* What lies at addr, as it was told last; the view lives until more is fed. */
bool perfmap_find(struct perfmap *m, __u64 addr, struct sv *name);

/*
 * The regular file of that path below the folder `root`, of that user or of root: -EINVAL when it is
 * another kind of file, -EACCES another user's; -errno.  Links lead nowhere outside of root, and the last
 * name is none.
 */
int perfmap_open(int root, const char *path, uid_t uid);
/* Takes in what is new in the file, at most 16 MiB at a time; 1: something was; 0; -errno. */
int perfmap_read(struct perfmap *m, int fd);

#endif
