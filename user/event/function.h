/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the user says what a function's arguments and its result are: as in "(%s, %d, _) = %ld".  A
 * conversion is printf(3)'s: d or i, u, x, p, s, with hh, h, l, ll, j, t or z before what is no int; "_"
 * is an argument that is not told.  Either part may be missing.
 */
#ifndef RINGSPAN_EVENT_FUNCTION_H
#define RINGSPAN_EVENT_FUNCTION_H

#include <stdbool.h>
#include "event/event.h"

enum func_conv {
	FUNC_NONE, /* not told */
	FUNC_INT,
	FUNC_UINT,
	FUNC_HEX,
	FUNC_POINTER,
	FUNC_TEXT,
};

struct func_type {
	enum func_conv conv;
	unsigned int bits; /* 8, 16, 32 or 64 */
};

struct func_format {
	struct func_type args[EV_FUNC_ARGS];
	unsigned int arg_cnt; /* up to the last that is told */
	struct func_type ret;
};

/*
 * 0, or -EINVAL: then *at is where text stops to be a format, and *why what is wrong there.  An empty text
 * tells nothing of a call.
 */
int func_format_read(struct func_format *out, struct sv text, size_t *at, const char **why);

/* The bits of what is text, by argument and EV_FUNC_RET. */
uint32_t func_format_texts(const struct func_format *f);

/* A register's value as that type has it: sign or zeroes of what is no part of it. */
uint64_t func_value(struct func_type type, uint64_t reg);

/* The text of an argument or (EV_FUNC_RET) the result, without its NUL; false: it is not in the record. */
bool func_text(const struct ev_function *e, unsigned int which, struct sv *text);

/* Texts of a PROBE: its file (0), what it is called there (1), its format (2). */
struct sv event_probe_text(const struct ev_probe *p, unsigned int which);

#endif
