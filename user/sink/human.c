// SPDX-License-Identifier: BSD-2-Clause
/* Numbers as people read them: see human.h. */
#include "sink/human.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull

/* Three digits: 1.23 12.3 123.  Rounding must not make four of them (9.996 is 10.0). */
static struct human three(double v, const char *unit)
{
	struct human h;
	int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;

	snprintf(h.s, sizeof(h.s), "%.*f%s", decimals, v, unit);
	return h;
}

struct human human_duration(uint64_t ns)
{
	struct human h;
	uint64_t s = ns / S + (ns % S >= S / 2);

	if (ns < US) {
		snprintf(h.s, sizeof(h.s), "%" PRIu64 "ns", ns);
		return h;
	}
	if (ns < MS - 500)
		return three((double)ns / US, "us");
	if (ns < S - MS / 2)
		return three((double)ns / MS, "ms");
	if (ns < 60 * S - S / 20)
		return three((double)ns / S, "s");
	if (s < 3600)
		snprintf(h.s, sizeof(h.s), "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(h.s, sizeof(h.s), "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(h.s, sizeof(h.s), "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return h;
}

static struct human scaled(uint64_t n, const char *const *units, size_t cnt)
{
	struct human h;
	double v = (double)n;
	size_t unit = 0;

	if (n < 1000) {
		snprintf(h.s, sizeof(h.s), "%" PRIu64 "%s", n, units[0]);
		return h;
	}
	while (v >= 999.5 && unit + 1 < cnt) {
		v /= 1000;
		unit++;
	}
	snprintf(h.s, sizeof(h.s), "%.*f%s", v < 99.95 ? 1 : 0, v, units[unit]);
	return h;
}

struct human human_count(uint64_t n)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };

	return scaled(n, units, sizeof(units) / sizeof(units[0]));
}

struct human human_bytes(uint64_t n)
{
	static const char *const units[] = { " B", " kB", " MB", " GB", " TB" };

	return scaled(n, units, sizeof(units) / sizeof(units[0]));
}

struct human human_usd(double v)
{
	struct human h = { "" };
	int decimals = v >= 100 ? 0 : v >= 0.995 ? 2 : v >= 0.00995 ? 3 : 4;

	if (isnan(v))
		return h;
	if (v <= 0)
		decimals = 0;
	else if (v < 0.00005)
		snprintf(h.s, sizeof(h.s), "<$0.0001");
	if (!h.s[0])
		snprintf(h.s, sizeof(h.s), "$%.*f", decimals, v);
	return h;
}

struct human human_time(uint64_t unix_ns)
{
	struct human h = { "?" };
	time_t t = (time_t)(unix_ns / S);
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(h.s, sizeof(h.s), "%Y-%m-%d %H:%M:%S", &tm);
	return h;
}
