/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the JSON reader and writer share about bytes: UTF-8 (RFC 3629) and the grammar of a number
 * (RFC 8259, section 6).  For json*.c only.
 */
#ifndef RINGSPAN_JSON_LEX_H
#define RINGSPAN_JSON_LEX_H

#include "base/str.h"

#define UTF8_REPLACEMENT 0xfffd

/*
 * Decodes the character at the start of p, n > 0, and returns how many bytes it takes.  Bytes that
 * are no UTF-8 give UTF8_REPLACEMENT, one for each maximal part of a sequence (Unicode, section
 * 3.9). 0: p ends inside a sequence that is right so far.
 */
size_t utf8_get(const char *p, size_t n, uint32_t *cp);
/* Encodes cp, a Unicode scalar value, and returns how many bytes it takes; out may be NULL. */
size_t utf8_put(char out[4], uint32_t cp);

struct json_number {
	size_t ok;   /* bytes of the longest prefix that is a number; 0: there is none */
	size_t seen; /* bytes that could be part of one; more than ok: the number is unfinished */
};

struct json_number json_number_scan(const char *p, size_t n);

#endif
