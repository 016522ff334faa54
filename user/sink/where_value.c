// SPDX-License-Identifier: BSD-2-Clause
/* Values of the where language: see where_value.h.  Pure. */
#include "sink/where_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NUMBER_MAX 40 /* characters of a number that makes sense */
#define NS_PER_S 1000000000ll

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Length of digits[.digits] at the start of s; 0: none. */
static size_t decimal_len(struct sv s)
{
	size_t n = 0, digits = 0;
	bool point = false;

	for (; n < s.n && (is_digit(s.p[n]) || (s.p[n] == '.' && !point)); n++) {
		if (s.p[n] == '.')
			point = true;
		else
			digits++;
	}
	return digits && n < NUMBER_MAX ? n : 0;
}

static size_t exponent_len(struct sv s)
{
	size_t n = 1;

	if (s.n < 2 || (s.p[0] != 'e' && s.p[0] != 'E'))
		return 0;
	if (s.p[1] == '+' || s.p[1] == '-')
		n++;
	if (n >= s.n || s.n > NUMBER_MAX)
		return 0;
	for (size_t i = n; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return 0;
	return s.n;
}

static long double to_number(struct sv s)
{
	char text[2 * NUMBER_MAX + 1];
	size_t n = s.n < sizeof(text) ? s.n : sizeof(text) - 1;

	memcpy(text, s.p, n);
	text[n] = '\0';
	return strtold(text, NULL);
}

static bool take_sign(struct sv *s)
{
	bool negative = s->n && s->p[0] == '-';

	if (s->n && (s->p[0] == '-' || s->p[0] == '+'))
		*s = sv_sub(*s, 1, s->n);
	return negative;
}

static bool fits(long double v)
{
	return v > -0x1p63L && v < 0x1p63L;
}

static long double size_unit(struct sv s)
{
	static const struct {
		const char *name;
		long double factor;
	} units[] = {
		{ "B", 1 },        { "k", 1e3 },      { "kB", 1e3 },     { "KB", 1e3 },
		{ "M", 1e6 },      { "MB", 1e6 },     { "G", 1e9 },      { "GB", 1e9 },
		{ "KiB", 0x1p10 }, { "MiB", 0x1p20 }, { "GiB", 0x1p30 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (sv_is(s, units[i].name))
			return units[i].factor;
	return 0;
}

int where_number(struct sv s, bool *is_int, int64_t *i, double *f)
{
	bool negative = take_sign(&s);
	size_t n = decimal_len(s), e;
	long double v, factor = 1;
	struct sv unit;

	if (!n)
		return -EINVAL;
	unit = sv_sub(s, n, s.n);
	e = exponent_len(unit);
	if (unit.n && !e) {
		factor = size_unit(unit);
		if (!factor)
			return -EINVAL;
	}
	v = to_number(sv_sub(s, 0, n + e)) * factor;
	if (negative)
		v = -v;
	*is_int = fits(v) && v == (long double)(int64_t)v;
	*i = *is_int ? (int64_t)v : 0;
	*f = (double)v;
	return __builtin_isfinite(*f) ? 0 : -ERANGE;
}

static long double time_unit(struct sv s)
{
	static const struct {
		const char *name;
		long double ns;
	} units[] = {
		{ "ns", 1 },  { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "ms", 1e6 },
		{ "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 },      { "d", 86400e9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (sv_is(s, units[i].name))
			return units[i].ns;
	return 0;
}

int where_duration(struct sv s, int64_t *ns)
{
	bool negative = take_sign(&s);
	long double sum = 0, factor;

	if (sv_is(s, "0")) {
		*ns = 0;
		return 0;
	}
	if (!s.n)
		return -EINVAL;
	while (s.n) {
		size_t n = decimal_len(s), u = n;

		if (!n)
			return -EINVAL;
		while (u < s.n && !is_digit(s.p[u]) && s.p[u] != '.')
			u++;
		factor = time_unit(sv_sub(s, n, u - n));
		if (!factor)
			return -EINVAL;
		sum += to_number(sv_sub(s, 0, n)) * factor;
		s = sv_sub(s, u, s.n);
	}
	if (!fits(sum))
		return -ERANGE;
	*ns = (int64_t)(negative ? -sum : sum);
	return 0;
}

/* Takes `digits` digits, then the character `behind` where it is not NUL. */
static bool take_digits(struct sv *s, size_t digits, char behind, int *out)
{
	int64_t v;

	if (s->n < digits || !is_digit(s->p[0]) || sv_i64(sv_sub(*s, 0, digits), &v))
		return false;
	*out = (int)v;
	*s = sv_sub(*s, digits, s->n);
	if (!behind)
		return true;
	if (!s->n || s->p[0] != behind)
		return false;
	*s = sv_sub(*s, 1, s->n);
	return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar: years that begin in March. */
static int64_t days_from_date(int y, int m, int d)
{
	int64_t years = m > 2 ? y : y - 1;
	int64_t day = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return years * 365 + years / 4 - years / 100 + years / 400 + day - 719468;
}

static bool take_date(struct sv *s, int64_t *days)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d;

	if (!take_digits(s, 4, '-', &y) || !take_digits(s, 2, '-', &m) || !take_digits(s, 2, 0, &d))
		return false;
	/* past 2261 ns since 1970 do not fit into 63 bits */
	if (y < 1970 || y > 2261 || m < 1 || m > 12 || d < 1 || d > lengths[m - 1])
		return false;
	*days = days_from_date(y, m, d);
	return true;
}

static bool take_fraction(struct sv *s, int64_t *ns)
{
	int64_t unit = NS_PER_S / 10;

	if (!s->n || s->p[0] != '.')
		return true;
	*s = sv_sub(*s, 1, s->n);
	if (!s->n || !is_digit(s->p[0]))
		return false;
	for (; s->n && is_digit(s->p[0]); unit /= 10, *s = sv_sub(*s, 1, s->n))
		*ns += (s->p[0] - '0') * unit;
	return true;
}

static bool take_zone(struct sv *s, int64_t *seconds)
{
	bool west = s->n && s->p[0] == '-';
	int h, m;

	*seconds = 0;
	if (!s->n)
		return true;
	if (s->p[0] == 'Z' || s->p[0] == 'z') {
		*s = sv_sub(*s, 1, s->n);
		return true;
	}
	if (!west && s->p[0] != '+')
		return false;
	*s = sv_sub(*s, 1, s->n);
	if (!take_digits(s, 2, ':', &h) || !take_digits(s, 2, 0, &m) || h > 23 || m > 59)
		return false;
	*seconds = (west ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

int where_time(struct sv s, int64_t *ns)
{
	int64_t days, zone = 0, fraction = 0;
	int h = 0, m = 0, sec = 0;

	if (!take_date(&s, &days))
		return -EINVAL;
	if (s.n) {
		if (s.p[0] != 'T' && s.p[0] != 't' && s.p[0] != ' ')
			return -EINVAL;
		s = sv_sub(s, 1, s.n);
		if (!take_digits(&s, 2, ':', &h) || !take_digits(&s, 2, 0, &m))
			return -EINVAL;
		if (s.n && s.p[0] == ':') {
			s = sv_sub(s, 1, s.n);
			if (!take_digits(&s, 2, 0, &sec) || !take_fraction(&s, &fraction))
				return -EINVAL;
		}
		if (!take_zone(&s, &zone) || s.n || h > 23 || m > 59 || sec > 60)
			return -EINVAL;
	}
	*ns = (days * 86400 + h * 3600 + m * 60 + sec - zone) * NS_PER_S + fraction;
	return 0;
}
