/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every place where a function returns.  A probe there serves instead of a uretprobe, so it must be
 * complete and exact: when the code leaves a doubt there is no answer.  x86-64 only.
 */
#ifndef RINGSPAN_PROBE_RETS_H
#define RINGSPAN_PROBE_RETS_H

#include <stddef.h>

#define RETS_CODE_MAX (64u << 10) /* bytes of a function */

/*
 * Offsets of the RETs in a function's code.  How many; -EINVAL when an instruction is not known, a
 * jump leaves the function or lands inside an instruction, control can fall off its end, it never
 * returns, or it has more than max RETs.
 */
int rets_find(const unsigned char *code, size_t n, size_t *rets, size_t max);

/*
 * The RETs of code that may go on elsewhere, in a cold part of the function or in another one: it may
 * return there, too.  How many, also none; -EINVAL when an instruction is not known, or they are more.
 */
int rets_find_here(const unsigned char *code, size_t n, size_t *rets, size_t max);

#endif
