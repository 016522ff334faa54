/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Container and pod of a process, by the names that container managers give to control groups.  A name
 * is what somebody with rights on the cgroup tree chose: evidence, no proof.
 */
#ifndef RINGSPAN_CGROUP_H
#define RINGSPAN_CGROUP_H

#include "base/str.h"

#define CGROUP_CONTAINER_LEN \
	64                 /* hex digits of a container id: docker, containerd, CRI-O, podman */
#define CGROUP_POD_SIZE 37 /* a UUID and NUL */

struct cgroup_names {
	struct sv container;       /* 64 lower-case hex digits, a view of the path; empty: none */
	char pod[CGROUP_POD_SIZE]; /* Kubernetes' uid of the pod, with dashes; "": none */
};

/*
 * Of what /proc/PID/cgroup holds (cgroups(7)), in v1, v2 or hybrid form, the path that says most: the
 * one that names a container or a pod, else that of v2, else the first that is not the root.  A view
 * of the text; empty when no line is one.
 */
struct sv cgroup_path(struct sv text);

/*
 * The innermost container that a path is in, and the pod around it.  Container managers' monitors
 * (conmon), which run beside their container, are in none.
 */
void cgroup_parse(struct sv path, struct cgroup_names *out);

#endif
