/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids and content addresses: XXH3 (libxxhash), fed with typed fields so that no two layouts collide. */
#ifndef RINGSPAN_HASH_H
#define RINGSPAN_HASH_H

#include <xxhash.h>
#include "base/str.h"

#define HEX64 17 /* room for 16 digits and NUL */
#define HEX128 33

void hash_hex(const void *p, size_t n, char *out); /* 2 * n lower-case digits and NUL */
uint64_t hash64(struct sv bytes);
/* 32 hex digits of a 128-bit hash; not for hostile collisions, only to name things. */
void hash128_hex(struct sv bytes, char out[HEX128]);

#endif
