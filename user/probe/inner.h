/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that do what they do by one call of another.  OpenSSL makes SSL_read() and SSL_read_ex()
 * of one inner function, and the latter is so thin a cover of it that no instruction behind the call
 * is a cheap place for a probe (site.h); the inner function's start often is.
 *
 * Both answers are proofs, from the code of x86-64: where an instruction is not known, a stack not
 * followed or a jump leads elsewhere, the answer is no.
 */
#ifndef RINGSPAN_PROBE_INNER_H
#define RINGSPAN_PROBE_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/*
 * The function that this one is nothing but a call of: it calls that with the arguments that it was
 * called with, writes nothing, and returns 1 (int) exactly when that does.  Bytes from this one's
 * start to that one's; 0: it is no such function.
 */
__s64 inner_of_cover(const unsigned char *code, size_t size);

/*
 * Does it whatever it does by one call of the function that begins `inner` bytes from its start?  On
 * every path it calls that once and nothing else, or calls others and returns a constant of 0 or less.
 */
bool inner_is_all(const unsigned char *code, size_t size, __s64 inner);

#endif
