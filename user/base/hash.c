// SPDX-License-Identifier: BSD-2-Clause
/* Names by content: see hash.h. */
#include "base/hash.h"

void hash_hex(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

uint64_t hash64(struct sv bytes)
{
	return XXH3_64bits(bytes.p, bytes.n);
}

void hash128_hex(struct sv bytes, char out[HEX128])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits(bytes.p, bytes.n));
	hash_hex(c.digest, sizeof(c.digest), out);
}
