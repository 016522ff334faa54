// SPDX-License-Identifier: BSD-2-Clause
/* Parameters of MySQL's statements: see mysql.h.  "Binary Protocol Value", with numbers little-endian. */
#include "proto/mysql.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type {
	TYPE_TINY = 1,
	TYPE_SHORT = 2,
	TYPE_LONG = 3,
	TYPE_FLOAT = 4,
	TYPE_DOUBLE = 5,
	TYPE_NULL = 6,
	TYPE_TIMESTAMP = 7,
	TYPE_LONGLONG = 8,
	TYPE_INT24 = 9,
	TYPE_DATE = 10,
	TYPE_TIME = 11,
	TYPE_DATETIME = 12,
	TYPE_YEAR = 13,
};

#define TYPE_UNSIGNED 0x80
#define NUMBER_MAX 64

static unsigned int int_size(unsigned char type)
{
	switch (type) {
	case TYPE_TINY:
		return 1;
	case TYPE_SHORT:
	case TYPE_YEAR:
		return 2;
	case TYPE_LONG:
	case TYPE_INT24:
		return 4;
	case TYPE_LONGLONG:
		return 8;
	default:
		return 0;
	}
}

static size_t write_int(char *out, struct sv bytes, bool is_unsigned)
{
	uint64_t v = mysql_le_of(bytes), sign = 1ull << (8 * bytes.n - 1);

	if (!is_unsigned && v & sign)
		return (size_t)snprintf(out, NUMBER_MAX, "-%" PRIu64,
					((~v + 1) & (sign | (sign - 1))));
	return (size_t)snprintf(out, NUMBER_MAX, "%" PRIu64, v);
}

/* As short as it can be without being another number. */
static size_t write_float(char *out, struct sv bytes)
{
	int digits = bytes.n == 4 ? 6 : 15, max = bytes.n == 4 ? 9 : 17, n;
	double v, again;
	float f;

	if (bytes.n == 4) {
		memcpy(&f, bytes.p, sizeof(f));
		v = (double)f;
	} else {
		memcpy(&v, bytes.p, sizeof(v));
	}
	do {
		n = snprintf(out, NUMBER_MAX, "%.*g", digits, v);
		again = bytes.n == 4 ? (double)strtof(out, NULL) : strtod(out, NULL);
	} while (isfinite(v) && again != v && digits++ < max);
	return (size_t)n;
}

/* "ProtocolBinary::Date" and "Time": of their parts as many as are not zero. */
static size_t write_time(char *out, struct sv b, bool is_time)
{
	bool whole = b.n > (is_time ? 8 : 7), clock = is_time || b.n > 4;
	uint32_t sign = is_time ? mysql_le(&b, 1) : 0;
	uint32_t days = is_time ? mysql_le(&b, 4) : 0;
	uint32_t year = is_time ? 0 : mysql_le(&b, 2);
	uint32_t month = is_time ? 0 : mysql_le(&b, 1), day = is_time ? 0 : mysql_le(&b, 1);
	uint32_t hour = mysql_le(&b, 1), minute = mysql_le(&b, 1), second = mysql_le(&b, 1);
	uint32_t micro = mysql_le(&b, 4);
	int n = 0;

	if (!is_time)
		n = snprintf(out, NUMBER_MAX, "%04u-%02u-%02u%s", year, month, day,
			     clock ? " " : "");
	if (clock)
		n += snprintf(out + n, NUMBER_MAX - (size_t)n, "%s%02" PRIu64 ":%02u:%02u",
			      sign ? "-" : "", (uint64_t)days * 24 + hour, minute, second);
	if (whole)
		n += snprintf(out + n, NUMBER_MAX - (size_t)n, ".%06u", micro);
	return (size_t)n;
}

/* "Binary Protocol Value": cuts it off *rest; false: it is not whole. */
static bool value_of(const unsigned char type[2], struct sv *rest, char room[NUMBER_MAX],
		     struct sv *out)
{
	unsigned int size = int_size(type[0]);
	struct sv bytes;

	*out = (struct sv){ room, 0 };
	if (size) {
		if (!mysql_cut(rest, size, &bytes))
			return false;
		out->n = write_int(room, bytes, type[1] & TYPE_UNSIGNED);
		return true;
	}
	switch (type[0]) {
	case TYPE_FLOAT:
	case TYPE_DOUBLE:
		if (!mysql_cut(rest, type[0] == TYPE_FLOAT ? 4 : 8, &bytes))
			return false;
		out->n = write_float(room, bytes);
		return true;
	case TYPE_NULL:
		out->p = NULL;
		return true;
	case TYPE_DATE:
	case TYPE_DATETIME:
	case TYPE_TIMESTAMP:
	case TYPE_TIME:
		if (!mysql_cut(rest, 1, &bytes) ||
		    !mysql_cut(rest, (unsigned char)bytes.p[0], &bytes))
			return false;
		out->n = write_time(room, bytes, type[0] == TYPE_TIME);
		return true;
	default:
		return mysql_cut_text(rest, out);
	}
}

/* Types, with their names where they have any, as they are or as they were. */
static bool take_types(struct sv *b, const struct mysql_params *how, unsigned int cnt,
		       struct sv *names)
{
	struct sv fresh, bytes;

	if (!mysql_cut(b, 1, &fresh))
		return false;
	if (!fresh.p[0])
		return how->types->cnt == cnt;
	how->types->cnt = cnt;
	for (unsigned int i = 0; i < cnt; i++) {
		if (!mysql_cut(b, 2, &bytes) || (how->named && !mysql_cut_text(b, &names[i])))
			return false;
		memcpy(&how->types->of[2 * i], bytes.p, 2);
	}
	return true;
}

struct sv mysql_params(struct sv b, const struct mysql_params *how)
{
	static const struct sv broken = { NULL, 0 };
	struct sv names[LIMIT_DB_PARAMS] = { 0 }, nulls, value;
	uint64_t cnt = how->named ? mysql_int(&b) : how->cnt;
	char room[NUMBER_MAX];

	if (how->sets)
		mysql_int(&b);
	if (!cnt)
		return b;
	if (cnt > LIMIT_DB_PARAMS || !mysql_cut(&b, (size_t)(cnt + 7) / 8, &nulls) ||
	    !take_types(&b, how, (unsigned int)cnt, names))
		return broken;
	for (unsigned int i = 0; i < cnt; i++) {
		if (how->sent >> i & 1)
			continue;
		if ((unsigned char)nulls.p[i / 8] >> i % 8 & 1)
			value = broken;
		else if (!value_of(&how->types->of[(size_t)2 * i], &b, room, &value))
			return broken;
		how->fn(how->ctx, i, names[i], value);
	}
	return b;
}
