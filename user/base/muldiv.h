/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shares of counts that strangers tell.  A detour over double loses the low digits of a sum that must be
 * exact, and a double past the range of an integer has no value as one (C11 6.3.1.4).
 */
#ifndef RINGSPAN_MULDIV_H
#define RINGSPAN_MULDIV_H

#include <stdint.h>

__extension__ typedef unsigned __int128 muldiv_wide;

/* n * part / whole, rounded down; UINT64_MAX when it is more than that, 0 when whole is 0. */
static inline uint64_t mul_div(uint64_t n, uint64_t part, uint64_t whole)
{
	muldiv_wide v = whole ? (muldiv_wide)n * part / whole : 0;

	return v < UINT64_MAX ? (uint64_t)v : UINT64_MAX;
}

#endif
