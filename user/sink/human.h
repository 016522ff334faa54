/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as people read them: three digits that count, and a unit. */
#ifndef RINGSPAN_HUMAN_H
#define RINGSPAN_HUMAN_H

#include <stdint.h>

#define HUMAN_LEN 32

struct human {
	char s[HUMAN_LEN];
};

struct human human_duration(uint64_t ns);  /* 850ns 12.3us 350ms 1.23s 12.4s 1m32s 2h05m 3d04h */
struct human human_count(uint64_t n);      /* 999 1.2k 12.3k 123k 1.2M */
struct human human_bytes(uint64_t n);      /* 999 B, 1.2 kB, 34.5 MB: powers of 1000 */
struct human human_usd(double v);          /* $0 $0.0012 $0.034 $1.23; "" for NaN */
struct human human_time(uint64_t unix_ns); /* local: 2026-11-21 10:00:00 */

#endif
