/* SPDX-License-Identifier: BSD-2-Clause */
/* The same HTTP answer in another framing, to see that parsers find the same in it. */
#ifndef RINGSPAN_TESTS_CORPUS_REFRAME_H
#define RINGSPAN_TESTS_CORPUS_REFRAME_H

#include "base/buf.h"

/*
 * Appends the answer with its body in chunks, of sizes that depend on the seed alone, and compressed
 * by gzip when asked for.  False when it has no body: nothing is appended then.
 */
bool reframe(struct buf *out, struct sv response, bool gzip, uint64_t seed);

#endif
