/* SPDX-License-Identifier: BSD-2-Clause */
/* The control groups of a container that runs. */
#ifndef RINGSPAN_CLI_CONTAINER_H
#define RINGSPAN_CLI_CONTAINER_H

#include <stddef.h>

#define CONTAINER_DIRS_MAX 16

struct containers {
	char *dirs
		[CONTAINER_DIRS_MAX]; /* folders of cgroupfs; of the unified hierarchy if it has any */
	size_t cnt;
};

/* By the first digits of its id, which must name one.  0, or -ESRCH, -EINVAL, logged. */
int containers_find(struct containers *out, const char *id);
void containers_fini(struct containers *c);

#endif
