/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the locators found, kept across runs: searching the code of a large stripped program takes
 * most of a second.  A file is known by its build id, size and headers; without a build id by samples
 * of what it holds and by when it was changed.  Entries are for this very build of ringspan.
 *
 * An entry is advice: where probes go is checked against the file again, and one that does not fit is
 * as good as none.
 */
#ifndef RINGSPAN_PROBE_CACHE_H
#define RINGSPAN_PROBE_CACHE_H

#include "base/buf.h"
#include "probe/locate.h"

#define CACHE_ENTRIES 1024        /* the oldest go first */
#define CACHE_ENTRY_MAX 16384     /* bytes of one */
#define CACHE_FILE_MIN (1u << 20) /* smaller files are searched at once */

struct cache;

/* $XDG_CACHE_HOME/ringspan, for root /var/cache/ringspan, else ~/.cache/ringspan; -ENOENT: none. */
int cache_default_folder(struct buf *out);

/*
 * Makes the folder when it is not there.  -EPERM when somebody else could write to it, or another
 * -errno: then *out is untouched, and there is no cache.
 */
int cache_new(struct cache **out, const char *folder);
void cache_free(struct cache **c); /* and removes what is over CACHE_ENTRIES */

/* As locate(), from the cache when it is there, else into it.  c may be NULL. */
int cache_locate(struct cache *c, struct elf_file *f, struct located *out);

#endif
