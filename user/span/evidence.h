/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the client of a connection says, as far as it tells an agent: a request to a model API, by shape
 * or by host, or one of MCP or A2A.  What a server says tells nothing.  Pure.
 */
#ifndef RINGSPAN_SPAN_EVIDENCE_H
#define RINGSPAN_SPAN_EVIDENCE_H

#include "conn/conn.h"

struct evidence;

int evidence_new(struct evidence **out, const struct conn *c); /* c outlives it; 0 or -ENOMEM */
void evidence_free(struct evidence **e);

/* What the process wrote, in order; true: it is an agent. */
bool evidence_wrote(struct evidence *e, uint64_t ts, struct sv bytes);
bool evidence_gap(struct evidence *e, uint64_t ts, uint64_t missing);

/* A TLS connection that nobody can read, by its ClientHello: does it lead to a model API? */
bool evidence_of_hello(struct sv hello);

#endif
