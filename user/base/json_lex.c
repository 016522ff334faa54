// SPDX-License-Identifier: BSD-2-Clause
/* See json_lex.h. */
#include "base/json_lex.h"

/* The bytes that may follow a lead byte: not overlong, no surrogates, at most U+10FFFF. */
static bool second_ok(unsigned char lead, unsigned char second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

static size_t sequence_len(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

size_t utf8_get(const char *p, size_t n, uint32_t *cp)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t len = sequence_len(u[0]);

	*cp = UTF8_REPLACEMENT;
	if (!len)
		return 1;
	uint32_t c = len == 1 ? u[0] : u[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if (i == n)
			return 0;
		if (i == 1 ? !second_ok(u[0], u[1]) : (u[i] & 0xc0) != 0x80)
			return i;
		c = c << 6 | (u[i] & 0x3f);
	}
	*cp = c;
	return len;
}

size_t utf8_put(char out[4], uint32_t cp)
{
	size_t len = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	if (!out)
		return len;
	for (size_t i = len - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	out[0] = (char)(lead[len] | cp);
	return len;
}

static size_t digits(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= '0' && p[i] <= '9')
		i++;
	return i;
}

struct json_number json_number_scan(const char *p, size_t n)
{
	size_t i = n && p[0] == '-';
	size_t cnt = i < n && p[i] == '0' ? 1 : digits(p + i, n - i);

	i += cnt;
	if (!cnt)
		return (struct json_number){ 0, i };
	struct json_number num = { i, i };
	if (i < n && p[i] == '.') {
		cnt = digits(p + i + 1, n - i - 1);
		i += 1 + cnt;
		num.seen = i;
		if (!cnt)
			return num;
		num.ok = i;
	}
	if (i < n && (p[i] == 'e' || p[i] == 'E')) {
		i++;
		if (i < n && (p[i] == '+' || p[i] == '-'))
			i++;
		cnt = digits(p + i, n - i);
		i += cnt;
		num.seen = i;
		if (cnt)
			num.ok = i;
	}
	return num;
}
