/* SPDX-License-Identifier: BSD-2-Clause */
/* Uprobes by open file, one way or the other; and whether each way works. */
#ifndef RINGSPAN_PROBE_UPROBE_H
#define RINGSPAN_PROBE_UPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct bpf_program;
struct detach;

#define UPROBE_TYPE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI; a program's expected attach type */
#define UPROBE_OFFSETS 8

/* What was attached; ends with uprobe_links_fini(). */
struct uprobe_links {
	int *fds;
	size_t cnt;
};

struct uprobe_spec {
	int file; /* stays the caller's */
	__u64 offsets[UPROBE_OFFSETS];
	__u64 cookies[UPROBE_OFFSETS]; /* what bpf_get_attach_cookie() gives there */
	size_t cnt;
	bool ret;          /* at the functions' return */
	bool multi;        /* prog was loaded with UPROBE_TYPE_MULTI */
	bool with_cookies; /* the kernel has them, from 5.15 on */
};

/* For every process that maps the file, also later.  0 or -errno; then nothing stays attached. */
int uprobe_attach(struct uprobe_links *links, int prog_fd, const struct uprobe_spec *spec);
void uprobe_links_fini(struct uprobe_links *links, struct detach *d);

/* Sets a probe on a function of this program and calls it.  0 when it was hit, else -errno. */
int uprobe_try(bool multi);

#endif
