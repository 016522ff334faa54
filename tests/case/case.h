/* SPDX-License-Identifier: BSD-2-Clause */
/* What the runner of parser cases (run.c) and its drivers, one for each parser (driver.c), share. */
#ifndef RINGSPAN_CASE_H
#define RINGSPAN_CASE_H

#include "base/buf.h"
#include "proto/msg.h"

enum step_kind { STEP_BYTES, STEP_GAP, STEP_END };

struct step {
	enum step_kind kind;
	enum http_dir dir;
	uint64_t ts;
	uint64_t missing;
	struct buf bytes;
};

/* What a driver writes.  Body pieces that follow one another are one line. */
struct log {
	struct buf text;
	struct http_msg *body_msg;
	uint64_t body_ts;
	struct buf body;
};

struct driver {
	const char *name;
	const char *line_end; /* of a line of input */
	/* answer: of an upgrade; without fields when the case has none */
	int (*open)(void **state, struct log *log, const struct http_msg *answer);
	void (*bytes)(void *state, const struct step *st, struct sv piece);
	void (*gap)(void *state, const struct step *st);
	void (*end)(void *state, uint64_t ts);
	void (*close)(void *state, struct log *log);
};

void case_die(const char *what) __attribute__((noreturn));

void case_log_quoted(struct buf *b, struct sv s); /* a C string */

extern const struct driver case_mysql, case_postgres; /* driver_db.c */

/* The parser that a folder is named after; NULL without one. */
const struct driver *case_driver(struct sv name);

#endif
