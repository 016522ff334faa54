// SPDX-License-Identifier: BSD-2-Clause
/* String views: see str.h.  Nothing here allocates or reads past a view. */
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

struct sv sv(const char *cstr)
{
	return (struct sv){ cstr, cstr ? strlen(cstr) : 0 };
}

bool sv_eq(struct sv a, struct sv b)
{
	return a.n == b.n && (a.n == 0 || (a.p && b.p && memcmp(a.p, b.p, a.n) == 0));
}

bool sv_is(struct sv a, const char *cstr)
{
	return sv_eq(a, sv(cstr));
}

bool sv_ieq(struct sv a, const char *cstr)
{
	return a.n == strlen(cstr) && (a.n == 0 || (a.p && strncasecmp(a.p, cstr, a.n) == 0));
}

bool sv_starts(struct sv a, const char *prefix)
{
	return sv_is(sv_sub(a, 0, strlen(prefix)), prefix);
}

bool sv_istarts(struct sv a, const char *prefix)
{
	return sv_ieq(sv_sub(a, 0, strlen(prefix)), prefix);
}

bool sv_ends(struct sv a, const char *suffix)
{
	size_t n = strlen(suffix);

	return a.n >= n && sv_is(sv_sub(a, a.n - n, n), suffix);
}

struct sv sv_sub(struct sv a, size_t from, size_t n)
{
	if (from > a.n)
		from = a.n;
	if (n > a.n - from)
		n = a.n - from;
	return (struct sv){ a.p ? a.p + from : NULL, n };
}

struct sv sv_trim(struct sv a)
{
	while (a.n && (a.p[0] == ' ' || a.p[0] == '\t'))
		a = sv_sub(a, 1, a.n);
	while (a.n && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t'))
		a.n--;
	return a;
}

long sv_find(struct sv a, struct sv needle)
{
	const char *hit;

	if (!needle.n)
		return 0;
	if (a.n < needle.n)
		return -1;
	hit = memmem(a.p, a.n, needle.p, needle.n);
	return hit ? hit - a.p : -1;
}

bool sv_has(struct sv a, const char *needle)
{
	return sv_find(a, sv(needle)) >= 0;
}

struct sv sv_token(struct sv *rest, char sep)
{
	const char *hit = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
	struct sv head = *rest;

	if (!hit) {
		*rest = sv_sub(head, head.n, 0);
		return head;
	}
	head.n = hit - head.p;
	*rest = sv_sub(*rest, head.n + 1, rest->n);
	return head;
}

int sv_i64(struct sv a, int64_t *out)
{
	bool neg = a.n && a.p[0] == '-';
	int64_t v = 0;

	if (neg)
		a = sv_sub(a, 1, a.n);
	if (!a.n)
		return -EINVAL;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] < '0' || a.p[i] > '9')
			return -EINVAL;
		/* counted downwards: INT64_MIN has no positive twin */
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, a.p[i] - '0', &v))
			return -ERANGE;
	}
	if (!neg && v == INT64_MIN)
		return -ERANGE;
	*out = neg ? v : -v;
	return 0;
}

struct sv sv_clip_utf8(struct sv a, size_t n)
{
	if (a.n <= n)
		return a;
	while (n && ((unsigned char)a.p[n] & 0xc0) == 0x80)
		n--;
	return sv_sub(a, 0, n);
}
