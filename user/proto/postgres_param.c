// SPDX-License-Identifier: BSD-2-Clause
/*
 * Parameters of PostgreSQL's statements: see postgres.h.  Binary formats are those of the types' *send()
 * functions in the server, the types' object ids those of its pg_type.dat.
 */
#include "proto/postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum type {
	TYPE_BOOL = 16,
	TYPE_CHAR = 18,
	TYPE_NAME = 19,
	TYPE_INT8 = 20,
	TYPE_INT2 = 21,
	TYPE_INT4 = 23,
	TYPE_TEXT = 25,
	TYPE_OID = 26,
	TYPE_JSON = 114,
	TYPE_FLOAT4 = 700,
	TYPE_FLOAT8 = 701,
	TYPE_UNKNOWN = 705,
	TYPE_BPCHAR = 1042,
	TYPE_VARCHAR = 1043,
	TYPE_UUID = 2950,
	TYPE_JSONB = 3802,
};

#define NUMBER_MAX 64

/* Cuts a big-endian number of n bytes off; 0: there are not as many, and none is left. */
static uint64_t take(struct sv *rest, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && n <= rest->n; i++)
		v = v << 8 | (unsigned char)rest->p[i];
	*rest = sv_sub(*rest, n <= rest->n ? n : rest->n, rest->n);
	return v;
}

/* As short as it can be without being another number. */
static size_t write_float(char out[NUMBER_MAX], double v, bool is_single)
{
	int n;

	for (int digits = is_single ? 6 : 15;; digits++) {
		n = snprintf(out, NUMBER_MAX, "%.*g", digits, v);
		if (digits >= (is_single ? 9 : 17) ||
		    (is_single ? (double)strtof(out, NULL) : strtod(out, NULL)) == v)
			return (size_t)n;
	}
}

static size_t write_uuid(char out[NUMBER_MAX], struct sv v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += (size_t)snprintf(out + n, NUMBER_MAX - n, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
				      (unsigned char)v.p[i]);
	return n;
}

static size_t write_int(char out[NUMBER_MAX], struct sv v)
{
	unsigned int shift = 64 - 8 * (unsigned int)v.n;
	uint64_t bits = take(&v, v.n) << shift;

	return (size_t)snprintf(out, NUMBER_MAX, "%" PRId64, (int64_t)bits >> shift);
}

static bool number_of(uint32_t type, struct sv v, char room[NUMBER_MAX], struct sv *out)
{
	size_t size = type == TYPE_INT2 ? 2 : type == TYPE_INT8 || type == TYPE_FLOAT8 ? 8 : 4;
	uint64_t bits;
	uint32_t half;
	float f;
	double d;

	if (v.n != size)
		return false;
	if (type != TYPE_FLOAT4 && type != TYPE_FLOAT8) {
		out->n = write_int(room, v);
		return true;
	}
	bits = take(&v, size);
	half = (uint32_t)bits;
	memcpy(&f, &half, sizeof(f));
	memcpy(&d, &bits, sizeof(d));
	out->n = write_float(room, size == 4 ? (double)f : d, size == 4);
	return true;
}

/* false: its type is not known, or it has another size. */
static bool from_binary(uint32_t type, struct sv v, char room[NUMBER_MAX], struct sv *out)
{
	*out = (struct sv){ room, 0 };
	switch (type) {
	case TYPE_CHAR:
	case TYPE_NAME:
	case TYPE_TEXT:
	case TYPE_JSON:
	case TYPE_UNKNOWN:
	case TYPE_BPCHAR:
	case TYPE_VARCHAR:
		*out = v;
		return true;
	case TYPE_JSONB: /* behind its version */
		*out = sv_sub(v, 1, v.n);
		return v.n && v.p[0] == 1;
	case TYPE_BOOL:
		*out = v.n && v.p[0] ? SV("true") : SV("false");
		return v.n == 1;
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
		return number_of(type, v, room, out);
	case TYPE_OID:
		out->n = (size_t)snprintf(room, NUMBER_MAX, "%" PRIu64, take(&v, 4));
		return v.n == 0;
	case TYPE_UUID:
		out->n = write_uuid(room, sv_sub(v, 0, 16));
		return v.n == 16;
	default:
		return false;
	}
}

/* The formats: none is all text, one is that of all. */
static bool is_binary(struct sv formats, size_t i)
{
	if (formats.n > 2)
		formats = sv_sub(formats, 2 * i, 2);
	return formats.n == 2 && formats.p[1] == 1;
}

bool postgres_params(struct sv b, const uint32_t *types, size_t type_cnt, postgres_param_fn fn,
		     void *ctx)
{
	size_t format_cnt = (size_t)take(&b, 2);
	struct sv formats = sv_sub(b, 0, 2 * format_cnt);
	unsigned int cnt, done = 0;
	bool header;

	b = sv_sub(b, formats.n, b.n);
	header = b.n >= 2;
	cnt = (unsigned int)take(&b, 2);
	for (unsigned int i = 0; i < cnt && i < LIMIT_DB_PARAMS && b.n >= 4; i++) {
		uint32_t len = (uint32_t)take(&b, 4);
		struct sv v = sv_sub(b, 0, len), text = v;
		char room[NUMBER_MAX];

		if (len == UINT32_MAX) {
			fn(ctx, i, (struct sv){ NULL, 0 }, false);
			done++;
			continue;
		}
		if (v.n < len)
			return false;
		b = sv_sub(b, len, b.n);
		if (is_binary(formats, i) &&
		    !from_binary(i < type_cnt ? types[i] : 0, v, room, &text))
			fn(ctx, i, v, true);
		else
			fn(ctx, i, text.n ? text : SV(""), false);
		done++;
	}
	return header && done == cnt;
}

size_t postgres_types(struct sv b, uint32_t *types, size_t max)
{
	size_t cnt = (size_t)take(&b, 2), i;

	for (i = 0; i < cnt && i < max && b.n >= 4; i++)
		types[i] = (uint32_t)take(&b, 4);
	return i;
}
