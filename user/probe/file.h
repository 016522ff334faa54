/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that were looked at for TLS functions, and those that the user named, and their probes. */
#ifndef RINGSPAN_PROBE_FILE_H
#define RINGSPAN_PROBE_FILE_H

#include "base/buf.h"
#include "base/map.h"
#include "probe/cache.h"
#include "probe/func.h"
#include "probe/kern.h"
#include "probe/tls.h"

struct files_how {
	bool multi;          /* uprobe_multi, else perf events */
	bool cookies;        /* the kernel has attach cookies */
	bool plain;          /* no sites but the plain ones */
	struct funcs *funcs; /* NULL: the user named none */
};

struct files {
	struct kern *kern;
	struct files_how how;
	struct map seen;     /* {st_dev, st_ino} -> struct file_entry */
	struct map hooked;   /* {device, inode} as the kernel has them -> struct hooked_file */
	struct map pass;     /* {dev, ino} as /proc/PID/maps has them: see files_begin_pass() */
	struct cache *cache; /* NULL: none */
	struct buf *facts;   /* where HOOKED goes; NULL: nowhere */
};

void files_init(struct files *fs, struct kern *kern, struct buf *facts, struct files_how how);
void files_fini(struct files *fs, struct detach *d); /* d: as detach.h says, may be NULL */

/* Takes the probes away, and keeps what is known of the files: no file is hooked after that. */
void files_detach(struct files *fs, struct detach *d);

/* Functions hooked now; 0 when there are none or they are hooked already; -errno. */
int files_hook_path(struct files *fs, const char *path);
/* A look at many processes begins: a file that they share is opened once in it. */
void files_begin_pass(struct files *fs);
/* What a process runs: its executable, and everything that it has mapped executable. */
void files_hook_process(struct files *fs, __u32 pid);
/* The executable of a program that was just started, also when it has ended since. */
void files_hook_program(struct files *fs, const struct ev_exec *e);
/* The mapping that holds addr, or the executable when there is none such. */
void files_hook_mapping(struct files *fs, __u32 pid, __u64 addr);
/*
 * A descriptor of a file that was seen, of that build id, as it was then; *path is its name, valid until
 * a file is looked at again.  -ESRCH: none is known; -ENOENT: it is gone, or is another by now.  pid: who
 * has it mapped, and may see it by a name of its own.
 */
int files_open_build(const struct files *fs, __u32 pid, const unsigned char id[EV_BUILD_ID],
		     const char **path);
/* What usually holds TLS on this machine. */
void files_hook_known(struct files *fs);
/* Files that hold what the user named.  0, or -ENOENT, logged: one has not what was asked of it. */
int files_hook_named(struct files *fs);

#endif
