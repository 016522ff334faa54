/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Masks in a record what event_scrub() cannot see, before the record goes into a file: secrets that travel
 * packed or in pieces.  Header fields of HTTP/2 (HPACK), the frames of WebSocket clients (XOR), deflated
 * messages of WebSockets, bodies in gzip and deflate, and texts that chunks, frames or the events of a stream cut in
 * pieces, from where they are known to be secret, are rewritten in place, with codes of equal length, so that
 * every record, position and frame stays as it was, and what the bytes decode to differs only in what is
 * masked.  What cannot be rewritten (br, zstd; a copy of what is no secret itself into one; bytes behind a hole that
 * nobody can decode) is made zeros or ends in a broken coding, and counted: rather lost than in the clear.
 *
 * Follows each direction of each connection by itself; the records of one are best fed in the order of
 * their positions.  One that comes late is kept only where it is text.
 */
#ifndef RINGSPAN_SEAL_H
#define RINGSPAN_SEAL_H

#include "event/event.h"

struct seal;

int seal_new(struct seal **out); /* 0 or -ENOMEM */
void seal_free(struct seal **s);
/* The record has been checked and scrubbed; its bytes change, its size and fields do not. */
void seal_record(struct seal *s, struct ev_hdr *rec);
/* Bytes that were lost because they could not be rewritten. */
uint64_t seal_lost(const struct seal *s);

#endif
