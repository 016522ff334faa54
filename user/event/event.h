/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as user space sees them.  Whatever comes out of a ring or a file goes through event_check()
 * before anyone casts it, and through event_scrub() before anyone writes or reads it.
 */
#ifndef RINGSPAN_EVENT_ROOM_H
#define RINGSPAN_EVENT_ROOM_H

#include <stdint.h>
#include <linux/types.h>
#include "base/buf.h"
#include "base/str.h"
#include <event.h> /* bpf/event.h: quotes would find this very file */

/*
 * 0 when the record is whole and its lengths fit together; a kind that this build does not know is
 * fine as long as its header is.  -EINVAL otherwise.  size: bytes that are there.
 */
int event_check(const void *data, size_t size);
const char *event_name(unsigned int kind); /* "DATA"; "?" for an unknown kind */

/* Payload behind the kind's fixed part; empty for kinds without.  The record has been checked. */
struct sv event_payload(const struct ev_hdr *rec);
/* True: it ends a connection, *conn. */
bool event_ends_conn(const struct ev_hdr *rec, uint64_t *conn);
struct sv event_exec_path(const struct ev_exec *e); /* without its NUL */
struct sv event_exec_args(const struct ev_exec *e); /* NUL-separated */
/*
 * Appends the first (which 0) or second path of a FILE record, whole and without "." and ".."; nothing when
 * it has none.  What a symbolic link leads to stays as it was given.  0 or -ENOMEM.
 */
int event_file_path(struct buf *b, const struct ev_file *f, unsigned int which);
/* The same of an OPEN record; nothing when it tells only what went over a budget. */
int event_open_path(struct buf *b, const struct ev_open *o);
/* Value of a key in META's payload; empty when it is not there. */
struct sv event_meta_get(const struct ev_meta *m, const char *key);

/* ns at which a bucket of ev_bucket() begins; EV_BUCKETS: where the last one would end. */
uint64_t event_bucket_begin(uint32_t bucket);

/*
 * Masks secrets in a record, in place: streams per connection and direction, command lines.
 * State is kept for LIMIT_CONNS streams and dropped when a stream is closed.
 */
struct event_scrub;
int event_scrub_new(struct event_scrub **out);
void event_scrub_free(struct event_scrub **s);
void event_scrub(struct event_scrub *s, struct ev_hdr *rec);

#endif
