// SPDX-License-Identifier: BSD-2-Clause
/* Codes of other lengths in the place of those that were there, as many and as long in all. */
#include <string.h>

#include "seal/seal_int.h"

#define CODE_MAX 31
#define WORDS (SEAL_RUN * CODE_MAX / 64 + 1)

/* Sums that so many lengths can have, a bit each. */
struct sums {
	uint64_t bits[WORDS];
};

static void add_shifted(struct sums *to, const struct sums *from, unsigned int by)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		to->bits[i] |= from->bits[i] << by;
		if (i)
			to->bits[i] |= from->bits[i - 1] >> (64 - by);
	}
}

static bool has(const struct sums *s, unsigned int sum)
{
	return s->bits[sum / 64] >> sum % 64 & 1;
}

bool seal_fill(uint32_t have, unsigned int n, unsigned int bits, uint8_t *lens)
{
	struct sums of[SEAL_RUN + 1];

	have &= ~1u;
	if (!n || n > SEAL_RUN || bits > n * CODE_MAX)
		return false;
	memset(of, 0, sizeof(of[0]) * (n + 1));
	of[0].bits[0] = 1;
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int l = 1; l <= CODE_MAX; l++)
			if (have >> l & 1)
				add_shifted(&of[i + 1], &of[i], l);
	if (!has(&of[n], bits))
		return false;
	for (unsigned int i = n; i; i--) {
		unsigned int l = 1;

		while (!(have >> l & 1) || l > bits || !has(&of[i - 1], bits - l))
			l++;
		lens[i - 1] = (uint8_t)l;
		bits -= l;
	}
	return true;
}
