/* SPDX-License-Identifier: BSD-2-Clause */
/* A view of bytes that somebody else owns.  Not NUL-terminated; may hold NUL. */
#ifndef RINGSPAN_STR_H
#define RINGSPAN_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sv {
	const char *p;
	size_t n;
};

#define SV(lit) ((struct sv){ (lit), sizeof(lit) - 1 })
#define SV_FMT "%.*s" /* for printf, with SV_ARG; at most INT_MAX bytes */
#define SV_ARG(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), (s).p ? (s).p : ""

struct sv sv(const char *cstr); /* NULL gives the empty view */
bool sv_eq(struct sv a, struct sv b);
bool sv_is(struct sv a, const char *cstr);
bool sv_ieq(struct sv a, const char *cstr); /* ASCII case ignored */
bool sv_starts(struct sv a, const char *prefix);
bool sv_istarts(struct sv a, const char *prefix);
bool sv_ends(struct sv a, const char *suffix);
struct sv sv_sub(struct sv a, size_t from, size_t n); /* clipped to a */
struct sv sv_trim(struct sv a);                       /* spaces and tabs at both ends */
long sv_find(struct sv a, struct sv needle);          /* offset, or -1 */
bool sv_has(struct sv a, const char *needle);
/* Cuts the part before sep off *rest and returns it; all of it where there is no sep. */
struct sv sv_token(struct sv *rest, char sep);
/* Decimal number: 0, -EINVAL (no digits or other bytes), -ERANGE. */
int sv_i64(struct sv a, int64_t *out);
/* Shortens to at most n bytes without cutting a UTF-8 sequence. */
struct sv sv_clip_utf8(struct sv a, size_t n);

#endif
