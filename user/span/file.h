/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of the file system, put together: what one process, or one tool call, has done to each path
 * in the end.  A file that is written ten times is one change, one that is written under another name and
 * then renamed is written, and one that is made and removed again is none (but counted).
 */
#ifndef RINGSPAN_SPAN_FILE_H
#define RINGSPAN_SPAN_FILE_H

#include "event/event.h"
#include "span/read.h"

struct run;
struct span;
struct pstate;
struct trace;
struct ledger;

/* Changes by what they are; a directory or link that is made counts as created.  And what was read. */
struct file_sums {
	uint64_t created, written, removed, renamed;
	uint64_t temporary;
	uint64_t bytes;  /* written, of temporary files too */
	uint64_t untold; /* no span: over a budget or limit */
	uint64_t read, read_bytes;
	uint64_t packages;    /* of read: parts of what is installed, which are no spans */
	uint64_t read_untold; /* no span: over a budget or limit */
};

void file_feed(struct trace *t, const struct ev_file *f);
void file_feed_open(struct trace *t, const struct ev_open *o);
/* What there is so far, as attributes of its process or tool call; with_log: each change, too. */
void file_describe(struct span *s, const struct ledger *l, bool with_log);
/* It is over: a span under parent of each change, sums to the run's; frees it.  *l may be NULL. */
void file_finish(struct run *r, struct ledger **l, const char *parent, uint32_t pid);
void file_set_sums(struct span *s, const struct file_sums *sums);
void file_free(struct trace *t, struct ledger **l);

#endif
