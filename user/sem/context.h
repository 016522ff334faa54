/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace that a request belongs to, as its sender says. */
#ifndef RINGSPAN_SEM_CONTEXT_H
#define RINGSPAN_SEM_CONTEXT_H

#include "base/hash.h"

/* The ids in a traceparent, of a header field or of MCP's _meta; false when it is not a valid one. */
bool sem_traceparent(struct sv text, char trace_id[HEX128], char span_id[HEX64]);

#endif
