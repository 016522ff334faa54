/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One recorded exchange through http1, framing and sem, as the tracer runs it, and the result as a JSON
 * object of the corpus' shape, with the messages besides.
 */
#ifndef RINGSPAN_TESTS_CORPUS_EXCHANGE_H
#define RINGSPAN_TESTS_CORPUS_EXCHANGE_H

#include "base/json.h"

/*
 * seed: 0 feeds each direction whole, others cut it at places that depend on the seed alone.
 * NULL when no API claims the request, or out of memory.
 */
struct json *exchange_run(struct arena *a, struct sv request, struct sv response, uint64_t seed);

#endif
