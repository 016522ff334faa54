/* SPDX-License-Identifier: BSD-2-Clause */
/* An entry of the cache as text: what was located, with a hash of the code at each place. */
#ifndef RINGSPAN_PROBE_CACHE_ENTRY_H
#define RINGSPAN_PROBE_CACHE_ENTRY_H

#include "base/buf.h"
#include "probe/locate.h"

/* 0, -E2BIG (over the buffer's bound), -EIO (code cannot be read), -ENOMEM. */
int entry_write(struct buf *text, const struct elf_file *f, const struct located *l);

/*
 * The reverse.  -EINVAL when the text is no entry, says what no locator says, or the file's code is
 * not what it was; then *out holds nothing.
 */
int entry_read(struct sv text, struct elf_file *f, struct located *out);

#endif
