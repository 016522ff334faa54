/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is read: of each path that a process, or a tool call, has opened and not changed by that, all its
 * opens put together.  A part of file.h.
 *
 * Parts of installed packages (node_modules, site-packages ...) and git's own files are counted and are no
 * spans: a program reads hundreds of them when it starts.  All are where the recording asked for all, or
 * a tool call's arguments name one.
 */
#ifndef RINGSPAN_SPAN_READ_H
#define RINGSPAN_SPAN_READ_H

#include "base/map.h"
#include "event/event.h"

struct run;
struct span;
struct trace;
struct file_sums;

/* What went through open files of one path. */
struct file_io {
	uint64_t opens;
	uint64_t open_ns;                   /* of the slowest open */
	uint64_t open_for_ns;               /* from open to close, of all */
	uint64_t bytes[2], ns[2], calls[2]; /* by enum ev_dir */
	uint64_t syncs, sync_ns, sync_max_ns;
	bool mapped;
};

/* dirs: which of the two directions; 1 << enum ev_dir */
void file_io_add(struct file_io *io, const struct ev_open *o, unsigned int dirs);
void file_io_set(struct span *s, const struct file_io *io); /* the attributes */

struct reads {
	struct map by_path; /* (path, error) -> struct read, oldest first */
	uint64_t over[2];   /* no entry; [1]: the process's ledger counts them, too */
};

/* Whose an open file is. */
struct read_of {
	const char *link; /* ringspan.link: how sure the tool call is; NULL: it is the process's */
	bool passed_on;   /* the process's ledger tells its span */
};

void reads_add(struct trace *t, struct reads *l, struct sv path, const struct ev_open *o,
	       const struct read_of *of);
/* own: without what is in the ledger of a process, too */
void reads_sums(const struct reads *l, bool own, struct file_sums *sums);
void reads_log(struct span *s, const struct reads *l); /* on a tool call: what it read */
void reads_tell(struct run *r, const struct reads *l, const char *parent, uint32_t pid);
void reads_free(struct trace *t, struct reads *l);

#endif
