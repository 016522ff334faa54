/* SPDX-License-Identifier: BSD-2-Clause */
/* What func.c, which knows what was asked for, and func_set.c, which sets the probes, share. */
#ifndef RINGSPAN_PROBE_FUNC_SET_H
#define RINGSPAN_PROBE_FUNC_SET_H

#include "base/buf.h"
#include "event/function.h"
#include "probe/elf.h"
#include "probe/flow.h"
#include "probe/probe.h"
#include "probe/rets.h"

struct bpf_link;
struct kern;
struct uprobe_links;

#define FUNC_CODE_MAX (RETS_CODE_MAX > FLOW_CODE_MAX ? RETS_CODE_MAX : FLOW_CODE_MAX)

struct wish {
	const struct probe_func *asked;
	struct func_format format;
	char *real; /* the path without symbolic links; NULL: no path, or nothing is there */
	unsigned int hits;
};

struct funcs {
	struct kern *kern;
	struct buf *facts;
	bool multi, plain;
	struct wish *wishes;
	size_t cnt;
	__u32 last_id;
	struct usdt_link {
		struct bpf_link *link;
	} * links; /* of USDT probes */
	size_t link_cnt;
};
/* Everything that has to do with one file. */
struct target {
	struct funcs *fs;
	struct elf_file *elf;
	int fd;
	const char *path;
	struct uprobe_links *links;
	unsigned char *code; /* FUNC_CODE_MAX bytes */
	bool unwinds;        /* exceptions may pass its functions */
	struct buf done;     /* __u64: functions that have their probes, by offset */
};

/* By what the compilers of C++ and Rust leave in it. */
bool func_has_exceptions(struct elf_file *elf);
/* What the file has of a wish: how many probes were set, or -errno, logged. */
int func_set_calls(struct target *t, struct wish *w);
int func_set_usdt(struct target *t, struct wish *w);

#endif
