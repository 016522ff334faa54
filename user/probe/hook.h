/* SPDX-License-Identifier: BSD-2-Clause */
/* Which programs are loaded and where they are attached, as a table. */
#ifndef RINGSPAN_PROBE_HOOK_H
#define RINGSPAN_PROBE_HOOK_H

#include "probe/feature.h"
#include <linux/types.h>
#include "state.bpf.h"

#define HOOKS_MAX 98

struct bpf_object;
struct bpf_link;
struct detach;

struct hook_links {
	struct bpf_link *of[HOOKS_MAX];
	size_t cnt;
};

/* Switches programs on, and maps that nothing will use off, before loading. */
void hooks_select(struct bpf_object *obj, const struct features *f, enum files_mode files);
/* Attaches tracepoints, after loading; uprobes are set file by file. */
int hooks_attach(struct hook_links *links, struct bpf_object *obj, const struct features *f,
		 enum files_mode files);
void hooks_detach(struct hook_links *links, struct detach *d);

#endif
