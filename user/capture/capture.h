/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capture file (schemas/capture.md): every record in the order in which it was seen.  A capture
 * replays to the same spans as the live run, without root, on any machine of the same byte order.
 */
#ifndef RINGSPAN_CAPTURE_H
#define RINGSPAN_CAPTURE_H

#include "event/event.h"

struct capture_writer;

/* Makes the file (0600; an existing file is replaced only when it is empty or a capture itself). */
int capture_create(struct capture_writer **out, const char *path); /* 0 or -errno, logged */
int capture_write(struct capture_writer *w,
		  const struct ev_hdr *rec);  /* 0 or -errno, logged once */
int capture_close(struct capture_writer **w); /* flushes; the first error there was */

struct capture_reader;

/* -ENOENT ..., -EINVAL (not a capture), -EPROTO (another version); logged with what to do. */
int capture_open(struct capture_reader **out, const char *path);
void capture_free(struct capture_reader **r);
/*
 * The next record, checked; valid until the next call.  1, or 0 at the end, or -EBADMSG where the
 * file is cut or damaged (logged with the offset; what came before is good).
 */
int capture_next(struct capture_reader *r, struct ev_hdr **rec);

/*
 * Makes the stream's first record: boot id, host, kernel, architecture, version of ringspan and the
 * offset from monotonic to wall time.  Returned memory is the caller's; NULL when out of memory.
 */
struct ev_meta *capture_meta(const char *version);

#endif
